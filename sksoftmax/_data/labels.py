"""Labels of two arrays compared exactly, whatever their types are.

NumPy compares int64 with uint64 as doubles, which merges labels beyond 2^53. Dates of
other units overflow, and numbers become text beside text. So labels that do not have
the same type are compared by keys: Python values that are equal where the labels are.
"""

from datetime import date, timedelta
from numbers import Integral

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import column_or_1d

from sksoftmax._utils.parameters import check_numbers
from sksoftmax._utils.warnings import warn

# Attoseconds in each unit of dates that has a fixed length.
_UNITS = {
    unit: 1000**power
    for power, unit in enumerate(["as", "fs", "ps", "ns", "us", "ms", "s"])
}
_UNITS |= {
    unit: seconds * _UNITS["s"]
    for unit, seconds in {"m": 60, "h": 3600, "D": 86400, "W": 604800}.items()
}
_MONTHS = {"M": 1, "Y": 12}


def as_labels(values, *, warns=True):
    """Labels as an array; ints in a list stay exact, however large they are.

    A single column is taken for labels, with a warning if asked for.
    """
    labels = column_or_1d(values)
    if warns and np.asarray(values).ndim == 2:
        # scikit-learn's own warning would point here; its checks want these words.
        warn(
            "A column-vector y was passed when a 1d array was expected. Labels are"
            " one-dimensional: pass y.ravel().",
            DataConversionWarning,
        )
    if labels.dtype.kind == "f" and isinstance(values, list | tuple):
        labels = _from_list(np.array(values, dtype=object).ravel(), labels)
    return labels


def _from_list(values, found):
    """Values as ints where all of them are, else what NumPy has found."""
    if not all(isinstance(value, Integral) for value in values):
        return found
    for dtype in (np.int64, np.uint64):
        try:
            return values.astype(dtype)
        except OverflowError:
            continue
    return values


def places_of(classes, labels):
    """Index of each label in sorted classes, shape (n_labels,); -1 for other labels."""
    if _compares_exactly(classes.dtype, labels.dtype):
        places = np.searchsorted(classes, labels)
        np.minimum(places, classes.size - 1, out=places)
        return np.where(classes[places] == labels, places, -1)
    index = {key: place for place, key in enumerate(_keys(classes))}
    return np.array([index.get(key, -1) for key in _keys(labels)], dtype=int)


def class_index(classes, name):
    """Index of the class that a user calls `name`, None where there is none.

    A date may have any unit, and be of Python or pandas.
    """
    index = {key: place for place, key in enumerate(classes.tolist())}
    index |= {key: place for place, key in enumerate(_keys(classes))}
    try:
        return index.get(_key(name))
    except TypeError:  # of what cannot be hashed
        return None


def log_frequencies(name, frequencies, classes):
    """Logarithms of frequencies, (n_classes,), given as an array or by class."""
    if isinstance(frequencies, dict):
        by_place = {class_index(classes, label): f for label, f in frequencies.items()}
        if set(by_place) != set(range(len(classes))) or len(by_place) < len(
            frequencies
        ):
            raise ValueError(
                f"{name} must name each of the classes {classes.tolist()} once, got"
                f" {list(frequencies)}."
            )
        frequencies = [by_place[place] for place in range(len(classes))]
    values = check_numbers(name, frequencies, 0.0, np.inf)
    if values.shape != classes.shape:
        raise ValueError(
            f"{name} must have one number for each of the {len(classes)} classes, got"
            f" {values.size}."
        )
    if not values.all():
        label = classes[values.argmin()]
        raise ValueError(f"{name} must be positive, and is 0 for class {label!r}.")
    return np.log(values) - np.log(values.sum())


def are_same(classes, others):
    """Whether two arrays of classes hold the same, in the same order."""
    return classes.size == others.size and _keys(classes) == _keys(others)


def join_classes(classes, others):
    """Sorted classes of both, in a type that holds each of them exactly."""
    if classes.dtype == others.dtype:
        return np.union1d(classes, others)
    for dtype in _common_types(classes.dtype, others.dtype):
        with np.errstate(invalid="ignore"):
            both = [labels.astype(dtype) for labels in (classes, others)]
        if _keys(both[0]) == _keys(classes) and _keys(both[1]) == _keys(others):
            return np.union1d(*both)
    raise TypeError(
        f"no type holds both labels of type {classes.dtype} and of {others.dtype}."
    )


def _common_types(one, other):
    """Types in which labels of two types might be joined, the best first."""
    dtype = np.result_type(one, other)
    kinds = {one.kind, other.kind}
    if kinds <= set("biu") and dtype.kind == "f":
        return np.int64, np.uint64, object
    if kinds <= set("biuf"):
        return dtype, np.int64, np.uint64, object
    return dtype, one, other


def _compares_exactly(one, other):
    """Whether NumPy compares labels of two types as their values."""
    if one == other:
        return one.kind != "O"
    kinds = {one.kind, other.kind}
    return kinds == {"U"} or (
        kinds <= set("biu") and np.result_type(one, other).kind in "biu"
    )


def _keys(labels):
    """A Python value for each label; those of equal labels are equal."""
    kind = labels.dtype.kind
    if kind == "O":
        return [_key(label) for label in labels]
    if kind not in "mM":
        return labels.tolist()
    unit, count = np.datetime_data(labels.dtype)
    if kind == "M" and unit in _MONTHS:
        labels, unit, count = labels.astype("M8[D]"), "D", 1
    what = "months" if unit in _MONTHS else kind
    factor = count * (_MONTHS if unit in _MONTHS else _UNITS)[unit]
    return [(what, factor * number) for number in labels.astype(np.int64).tolist()]


def _key(label):
    """The key of one label, which may be a date of pandas or of Python."""
    for convert in ("to_datetime64", "to_timedelta64"):  # of pandas
        if hasattr(label, convert):
            label = getattr(label, convert)()
    if isinstance(label, date) and getattr(label, "tzinfo", None) is None:
        label = np.datetime64(label)
    elif isinstance(label, timedelta):
        label = np.timedelta64(label)
    if isinstance(label, np.datetime64 | np.timedelta64):
        (label,) = _keys(np.asarray(label)[None])
    return label
