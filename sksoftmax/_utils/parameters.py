"""Numbers of any type as plain numbers, and intervals of allowed ones."""

import copy
from functools import cache
from inspect import signature
from numbers import Integral

import numpy as np
from sklearn.utils import _param_validation

from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import no_missing

_SMALLEST = np.finfo(float).tiny


class Interval(_param_validation.Interval):
    """scikit-learn's, which raises where NumPy does not know a type of numbers."""

    def is_satisfied_by(self, val):
        """Whether a value is in the interval."""
        try:
            return super().is_satisfied_by(val) and (
                self.type is Integral or bool(np.isfinite(float(val)))
            )
        except (TypeError, OverflowError):  # a Fraction; an int beyond the floats
            return False


class ChangedParametersMixin:
    """scikit-learn's check of parameters, of those that are not their defaults.

    Defaults of the class that lists the allowed values are among these. To check 24 of
    them took a tenth of a fit of 150 rows.
    """

    def _validate_params(self):
        _param_validation.validate_parameter_constraints(
            self._parameter_constraints,
            {
                name: getattr(self, name)
                for name, default in _defaults(type(self)).items()
                if getattr(self, name) is not default
            },
            caller_name=type(self).__name__,
        )


@cache
def _defaults(estimator_class):
    """Each parameter's default, or something else where a subclass has added it."""
    owner = next(
        base
        for base in estimator_class.__mro__
        if "_parameter_constraints" in vars(base)
    )
    known = signature(owner.__init__).parameters
    return {
        name: known[name].default if name in known else _ADDED
        for name in estimator_class._get_param_names()
    }


_ADDED = object()


def with_plain_numbers(estimator):
    """A copy of an estimator whose numbers are Python's, too small ones zero.

    A float16 would round all that it is multiplied by to three digits, and a subnormal
    number has no inverse.
    """
    plain = copy.copy(estimator)
    for name, value in vars(estimator).items():
        if value is not None and type(value) not in _PLAIN:
            setattr(plain, name, plain_number(value))
    return plain


# Types of most parameters, which need no look.
_PLAIN = (bool, int, str)


def plain_number(value):
    """A number as Python's, subnormal ones as zero; anything else as it is."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        value = float(value)
        return value if abs(value) >= _SMALLEST or value != value else 0.0
    return value


def check_numbers(name, values, low, high):
    """Values as an array of shape (n,), all of them finite and in [low, high]."""
    try:
        # Long doubles beyond the floats become infinite.
        with np.errstate(over="ignore"), no_missing(name, values):
            numbers = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([np.nan])
    inside = np.isfinite(numbers) & (numbers >= low) & (numbers <= high)
    if numbers.ndim != 1 or not numbers.size or not inside.all():
        span = f"[{low:g}, {high:g}]" if np.isfinite(high) else f">= {low:g}, finite"
        raise ValueError(
            f"{name} must hold at least one number, all of them {span}; got {values!r}."
        )
    return np.array([plain_number(x) for x in numbers])


def as_floats(name, values):
    """Real values as an array: float32 stays, any other type becomes float64."""
    with error_context(name), no_missing(name, values):
        values = np.asarray(values)
        if values.dtype.kind == "c":
            raise TypeError(f"{name} must hold real numbers, got {values.dtype}.")
        return values if values.dtype == np.float32 else values.astype(np.float64)
