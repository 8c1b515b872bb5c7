"""Targets made of labels or soft labels, of class weights and of sample weights.

This is the only file that looks at the type of y. Whatever was given becomes rows of
probabilities Y, row weights s and the classes, after which nothing else needs to know.
"""

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from scipy.special import entr
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_array

from sksoftmax._data.labels import are_same, as_labels, class_index, places_of
from sksoftmax._data.one_hot import (
    OneHot,
    largest_of_class,
    take_classes,
    times_factors,
)
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import column_names, no_missing, refuse_missing


class _Masses:
    """What follows from the weight `mass` on each class, and `total_weight`."""

    @property
    def shares(self):
        """Weighted share of each class, shape (n_classes,)."""
        return self.mass / self.total_weight

    @property
    def present(self):
        """Whether any weight is on a class, shape (n_classes,)."""
        return self.mass > 0

    def null_value(self, fit_intercept):
        """J of the best model without features, in nats."""
        if fit_intercept:
            return float(entr(self.shares).sum())
        return float(np.log(self.classes.size))


@dataclass(frozen=True)
class ClassTotals(_Masses):
    """Targets that are not in memory, as far as they are known at once."""

    classes: np.ndarray  # (n_classes,)
    mass: np.ndarray  # (n_classes,), weight of each class

    @property
    def total_weight(self):
        """S, the sum of the weights."""
        return float(self.mass.sum())

    @property
    def largest_weight(self):
        """What no weight of a row is larger than."""
        return self.total_weight


@dataclass(frozen=True)
class Targets(_Masses):
    """Targets as the objective wants them."""

    classes: np.ndarray  # (n_classes,)
    Y: object  # (n_samples, n_classes), rows of probabilities: an array or `OneHot`
    s: np.ndarray  # (n_samples,), sample weights, class weights multiplied in

    @property
    def total_weight(self):
        """S, the sum of the weights."""
        return float(self.s.sum())

    @property
    def largest_weight(self):
        """The largest weight of a row."""
        return float(self.s.max())

    @property
    def mass(self):
        """Weight of each class, shape (n_classes,)."""
        return self.s @ self.Y

    @property
    def labels(self):
        """The likeliest class of each row, shape (n_samples,)."""
        return self.classes[self.Y.argmax(axis=1)]

    def take(self, rows):
        """The targets of rows chosen by a mask or by numbers."""
        if rows.dtype == bool and rows.all():
            return self
        return replace(self, Y=self.Y[rows], s=self.s[rows])

    def restrict(self, present):
        """The targets in the columns of a mask of classes."""
        if present.all():
            return self
        lost = self.mass[~present]
        if lost.any():
            raise ValueError(
                "y_val has weight on the classes"
                f" {_listed(self.classes[~present][lost > 0])}, which have none in y."
            )
        return replace(
            self, classes=self.classes[present], Y=take_classes(self.Y, present)
        )


def encode(y, classes=None, *, name="y"):
    """`Targets` of y, each row weighing 1; error messages call it by its name.

    y holds labels, or soft labels: rows of probabilities, whose classes are named by
    the columns of a table or else 0, 1, ... Labels that are not among the sorted
    classes, where these are given, are an error.
    """
    if y is None:
        raise ValueError(
            f"SoftmaxRegressionClassifier requires {name} to be passed, but the target"
            f" {name} is None."
        )
    with error_context(name), no_missing(name, y):
        if is_soft(y, name):
            classes, Y = _encode_soft(y, classes, name)
        else:
            classes, Y = _encode_labels(y, classes, name)
    return Targets(classes, Y, np.ones(Y.shape[0]))


def check_classes(classes):
    """Announced classes, sorted, each once."""
    with error_context("classes"):
        refuse_missing("classes", classes)
        return np.unique(as_labels(classes))


def encode_again(y, classes, *, name="y"):
    """Targets of a y that `encode` has found to be right, or the error if it is not.

    y is what `label_array` returned, or some of its rows.
    """
    if y.ndim == 2:
        return Targets(classes, y, np.ones(y.shape[0]))
    codes = places_of(classes, y)
    if (codes < 0).any():
        return encode(y, classes, name=name)
    return Targets(classes, OneHot(codes, classes.size), np.ones(codes.size))


def label_array(y, classes, *, name="y"):
    """y as an array for `encode_again`."""
    return encode(y, classes, name=name).Y if is_soft(y, name) else as_labels(y)


def hard_labels(y, classes):
    """Labels of y in the type of the classes, or the largest class of each soft row.

    If some are no classes, all stay as they are.
    """
    if is_soft(y):
        return encode(y, classes).labels
    with error_context("y"):
        refuse_missing("y", y)
        labels = as_labels(y, warns=False)
        places = places_of(classes, labels)
    return y if (places < 0).any() else classes[places]


def is_soft(y, name="y"):
    """Whether y has several columns: soft labels rather than labels."""
    with error_context(name):
        shape = np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def sliceable(y, name="y"):
    """y for `slice_labels`: labels as an array, soft labels with names they have."""
    if is_soft(y, name):
        return np.asarray(y) if column_names(y) is None else y
    with error_context(name):
        return as_labels(y)


def slice_labels(y, start, stop):
    """Rows start to stop of what `sliceable` has returned."""
    if hasattr(y, "iloc"):
        return y.iloc[start:stop]
    if hasattr(y, "column_names"):  # of arrow
        return y.slice(start, stop - start)
    return y[int(start) : int(stop)]


def _encode_soft(y, classes, name):
    names = column_names(y)
    if names is not None and len(set(names)) < len(names):
        raise ValueError(f"The columns of {name} must have different names: {names}.")
    Y = check_array(y, dtype=np.float64, input_name=name)
    if (Y < 0).any():
        raise ValueError(f"Soft labels {name} must be >= 0, got {Y.min()}.")
    sums = Y.sum(axis=1)
    worst = np.abs(sums - 1.0).argmax()
    if abs(sums[worst] - 1.0) > 1e-6:  # what rows rounded to float32 stay within
        raise ValueError(
            f"{name} with several columns holds soft labels, whose rows must sum to 1;"
            f" row {worst} sums to {sums[worst]:.6g}."
        )
    Y = Y / sums[:, None]
    if names is None:
        expects_these = classes is not None and classes.size == Y.shape[1]
        found = classes if expects_these else np.arange(Y.shape[1])
    else:
        found = np.asarray(names)
        try:
            order = np.argsort(found)
        except TypeError as error:
            raise TypeError(
                f"The columns of {name} must have names that sort: {error}."
            ) from None
        if (found != found).any():  # only missing values differ from themselves
            raise ValueError(f"The columns of {name} must all have names: {names}.")
        found, Y = found[order], Y[:, order]
    if classes is not None and not are_same(found, classes):
        raise ValueError(
            f"{name} has {found.size} columns, for the classes {_listed(found)}; there"
            f" must be one for each of the {classes.size} classes {_listed(classes)}."
        )
    return found, Y


def _encode_labels(y, classes, name):
    if not (isinstance(y, np.ndarray) and y.ndim == 1):  # spares small fits 40 us
        y = as_labels(y)
    if y.dtype.kind in "fc":
        assert_all_finite(y, input_name=name)
    try:
        if y.dtype.kind not in "iub":  # integers are labels, without a closer look
            check_classification_targets(y)
        found, codes = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise TypeError(f"{name} must hold labels that sort: {error}.") from None
    if classes is not None:
        places = places_of(classes, found)
        unseen = places < 0
        if unseen.any():
            raise ValueError(
                f"{name} has the labels {_listed(found[unseen])}, which are not among"
                f" the classes {_listed(classes)}."
            )
        codes, found = places[codes], classes
    return found, OneHot(codes, found.size)


def check_weights(sample_weight, n_samples, *, name="sample_weight", is_part=False):
    """Sample weights as floats, shape (n_samples,): finite, >= 0 and not all zero.

    Those of a part of the samples may all be zero.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, Real):
        sample_weight = [sample_weight] * n_samples
    with error_context(name), no_missing(name, sample_weight):
        s = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, copy=True, input_name=name
        )
    if s.shape != (n_samples,):
        raise ValueError(
            f"{name} must be 1D with one weight a sample, shape ({n_samples},); got"
            f" {s.shape}."
        )
    if (s < 0).any():
        raise ValueError(f"{name} must be >= 0, got {s.min()}.")
    if not (is_part or s.any()):
        raise ValueError(f"{name} must not be zero for all samples.")
    check_sum(s, name)
    return s


# Sum of weights above which their products with squares of features could overflow.
_LARGEST_WEIGHT = 1e200


def check_sum(s, name):
    """Refuse weights that are so large together that products would overflow."""
    with np.errstate(over="ignore"):
        total = s.sum()
    if not total < _LARGEST_WEIGHT:
        raise ValueError(
            f"{name} must sum to less than {_LARGEST_WEIGHT:g}, got {total:g}; only"
            " their ratios count."
        )


def class_factors(targets, class_weight):
    """Factors c of `class_weight`, shape (n_classes,), or None where there are none."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str):  # "balanced"
        mass = targets.mass
        balanced = targets.total_weight / np.count_nonzero(mass)
        return np.divide(balanced, mass, out=np.ones_like(mass), where=mass > 0)
    factors = np.ones(targets.classes.size)
    places = [class_index(targets.classes, name) for name in class_weight]
    # A class that a fold lacks may be named. If a class of y is not named, it is taken
    # for a misspelling, as in scikit-learn.
    if None in places and not set(places) >= set(range(factors.size)):
        raise ValueError(
            f"class_weight must name classes of y, which has"
            f" {_listed(targets.classes)}; got {class_weight}."
        )
    with error_context("class_weight"):
        for place, factor in zip(places, class_weight.values(), strict=True):
            if place is not None:
                factors[place] = float(factor)
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(f"class_weight must hold numbers >= 0, got {class_weight}.")
    return factors


def weigh(targets, factors, *, name="sample_weight", is_part=False):
    """Targets with class factors multiplied in.

    A soft row counts as its classes stacked, class k with weight y_ik: factors c turn
    the row into c_k y_ik / sum_j c_j y_ij and multiply its weight by that sum.
    """
    if factors is None:
        return targets
    with np.errstate(over="ignore"):
        Y, sums = times_factors(targets.Y, factors)
        s = targets.s * sums
    check_weighted(s, name, is_part=is_part)
    return replace(targets, Y=Y, s=s)


def check_weighted(s, name, *, is_part=False):
    """Refuse weights that class factors have made too large or, not of a part, zero."""
    check_sum(s, f"{name} times class_weight")
    if not (is_part or s.any()):
        raise ValueError(
            f"class_weight leaves no sample with a positive weight in {name}."
        )


def smooth(targets, label_smoothing):
    """Targets moved towards the uniform distribution by the fraction label_smoothing.

    The distribution is over all classes, those without weight included.
    """
    if not label_smoothing:
        return targets
    Y = np.asarray(targets.Y)
    Y = (1.0 - label_smoothing) * Y + label_smoothing / targets.classes.size
    return replace(targets, Y=Y)


def smooth_totals(totals, label_smoothing):
    """Weights of the classes of targets, as they are after `smooth`."""
    uniform = totals.sum() / totals.size
    return (1.0 - label_smoothing) * totals + label_smoothing * uniform


def hold_out(targets, fraction, rng):
    """Mask of rows for validation: a random share, spread over classes and weights.

    Rows are taken at equal distances from an order by class, within classes by weight,
    and random among equals: each class gives its share to within one row, of heavy and
    light rows alike. The heaviest row of each class always stays, also of a class that
    is the likeliest of no row.
    """
    order = rng.permutation(targets.s.size)
    codes = targets.Y.argmax(axis=1)
    order = order[np.lexsort((-targets.s[order], codes[order]))]
    codes = codes[order]
    spare = order[np.r_[False, codes[1:] == codes[:-1]]]
    unlikely = np.bincount(codes, minlength=targets.classes.size) == 0
    heaviest = largest_of_class(targets.Y, targets.s, unlikely & targets.present)
    spare = spare[~np.isin(spare, heaviest)]
    n_held = max(1, round(fraction * order.size))
    if spare.size < n_held:
        raise ValueError(
            f"early_stopping cannot hold out {n_held} of {order.size} samples and keep"
            " one of each class; pass X_val and y_val, or set early_stopping=False."
        )
    mask = np.zeros(order.size, dtype=bool)
    mask[spare[np.arange(n_held) * spare.size // n_held]] = True
    return mask


def _listed(classes):
    """The first classes as text for an error message."""
    shown = ", ".join(repr(name) for name in classes[:10].tolist())
    return f"[{shown}, ...]" if classes.size > 10 else f"[{shown}]"
