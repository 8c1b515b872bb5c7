"""Odd values for every parameter of both estimators, and what each of them means.

A rule takes a value to the plain Python value that it must act like, or raises Refused.
"""

from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

import numpy as np

ODD_VALUES = {
    "None": None,
    "True": True,
    "text": "text",
    "no text": "",
    "number as text": "0.5",
    "bytes": b"auto",
    "NaN": np.nan,
    "inf": np.inf,
    "-inf": -np.inf,
    "-1": -1,
    "0": 0,
    "0.5": 0.5,
    "1": 1,
    "1.0": 1.0,
    "2": 2,
    "1e300": 1e300,
    "5e-324": 5e-324,
    "2**70": 2**70,
    "10**400": 10**400,
    "complex": 0.5j,
    "float16": np.float16(0.5),
    "longdouble": np.longdouble(0.5),
    "big-endian": np.array([0.5], ">f8")[0],
    "int64": np.int64(2),
    "uint8": np.uint8(2),
    "np.True_": np.True_,
    "np.str_": np.str_("text"),
    "0-d array": np.array(0.5),
    "1-d array": np.array([0.5, 1.0]),
    "2-d array": np.ones((2, 2)),
    "object array": np.array([1, "a", None], dtype=object),
    "masked": np.ma.masked,
    "datetime": np.datetime64("2020-01-01"),
    "empty list": [],
    "nested list": [[1], [2, 3]],
    "set": {0.5},
    "dict": {"a": 1},
    "Fraction": Fraction(1, 2),
    "Decimal": Decimal("0.5"),
    "class": int,
    "function": len,
    "object": object(),
}


class Refused(Exception):  # noqa: N818, it is a verdict
    """The value must be refused."""


def number(low, high=np.inf, *, open_low=False, open_high=False):
    """The rule of real numbers in an interval; infinity is none."""

    def rule(value):
        if not isinstance(value, int | float | np.number) or isinstance(value, complex):
            raise Refused  # no Fraction
        try:
            plain = float(value)
        except OverflowError:  # of an int
            raise Refused from None
        inside = low <= plain <= high and np.isfinite(plain)
        if not inside or (open_low and plain == low) or (open_high and plain == high):
            raise Refused
        return plain

    return rule


def integer(low, high=np.inf):
    """The rule of integers between two."""

    def rule(value):
        if not isinstance(value, Integral) or not low <= value <= high:
            raise Refused
        return int(value)

    return rule


def flag(value):
    """The rule of what is true or false."""
    if not isinstance(value, bool | np.bool_):
        raise Refused
    return bool(value)


def one_of(*names):
    """The rule of names."""

    def rule(value):
        if not (isinstance(value, str) and value in names):
            raise Refused
        return value

    return rule


def either(*rules):
    """The rule of what one rule or another takes."""

    def rule(value):
        for each in rules:
            try:
                return each(value)
            except Refused:
                continue
        raise Refused

    return rule


def nothing(value):
    """The rule of None alone."""
    if value is not None:
        raise Refused
    return value


def infinity(value):
    """The rule of infinity alone."""
    if not (isinstance(value, Real) and value == np.inf):
        raise Refused
    return np.inf


def layer_sizes(value):
    """The rule of hidden_layer_sizes."""
    if isinstance(value, list) and not value:
        return ()
    if isinstance(value, bool | np.bool_):
        raise Refused
    return (integer(1, 2**31 - 1)(value),)


def numbers(value):
    """The rule of arrays of numbers in [0, 1]."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise Refused
    if value.ndim > 1 or np.ma.is_masked(value):
        raise Refused
    return np.atleast_1d(value).tolist()


_BRIEF = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
_SGD = _BRIEF | {"solver": "sgd"}
_TEXT_OR_INTEGER = either(integer(1), one_of("auto"))
_SHARE = number(0, 1, open_high=True)

# Of each parameter: its rule, and settings in which it matters.
PARAMETERS = {
    "hidden_layer_sizes": (layer_sizes, {"max_iter": 2, "random_state": 0}),
    "activation": (one_of("relu"), _BRIEF),
    "alpha": (either(number(0), one_of("auto")), {}),
    "l1_ratio": (number(0, 1), {"alpha": 0.01}),
    "grouped": (flag, {"alpha": 0.01, "l1_ratio": 0.5}),
    "penalty_factor": (nothing, {}),  # all others are of another length
    "fit_intercept": (flag, {}),
    "class_weight": (either(nothing, one_of("balanced")), {}),
    "label_smoothing": (_SHARE, {}),
    "dropout": (_SHARE, _BRIEF),
    "solver": (one_of("auto"), {}),
    "max_iter": (_TEXT_OR_INTEGER, {}),
    "tol": (either(number(0), one_of("auto")), {}),
    "batch_size": (_TEXT_OR_INTEGER, _BRIEF),
    "learning_rate": (one_of("cosine"), _BRIEF),
    "learning_rate_init": (number(0, open_low=True), _BRIEF),
    "momentum": (_SHARE, _SGD),
    "nesterovs_momentum": (flag, _SGD),
    "early_stopping": (flag, _BRIEF),
    "validation_fraction": (
        number(0, 1, open_low=True, open_high=True),
        _BRIEF | {"early_stopping": True},
    ),
    "n_iter_no_change": (either(integer(1), infinity), _BRIEF),
    "warm_start": (flag, {}),
    "shuffle": (flag, _BRIEF),
    "random_state": (either(nothing, integer(0, 2**32 - 1)), _BRIEF),
    "verbose": (either(flag, integer(0)), {}),
}

_ONE = {"alphas": [0.1], "cv": 2}
PARAMETERS_CV = {
    "alphas": (either(nothing, integer(1, 10_000), numbers), {"cv": 2}),
    "l1_ratios": (either(number(0, 1), numbers), {"alphas": [0.01], "cv": 2}),
    "cv": (either(nothing, integer(2, 15)), {"alphas": [0.1]}),
    "scoring": (nothing, _ONE),
    **{
        name: (PARAMETERS[name][0], _ONE | {"l1_ratios": 0.5})
        for name in (
            "grouped",
            "penalty_factor",
            "fit_intercept",
            "class_weight",
            "label_smoothing",
            "max_iter",
            "tol",
            "verbose",
        )
    },
}
