"""Errors that say which argument they are about."""

import re
from contextlib import contextmanager, nullcontext

import numpy as np
from sklearn import config_context, get_config


@contextmanager
def error_context(name):
    """Let errors about the value of an argument begin with its name.

    NumPy's and scikit-learn's often leave it out. An int too large for a float is a
    ValueError here, and a long double beyond float64 no warning: it becomes infinite,
    which is refused as such. Arrays of other libraries become NumPy's, whatever
    array_api_dispatch says: all computing is NumPy's here.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"), _without_array_api():
            yield
    except (TypeError, ValueError, OverflowError) as error:
        if re.search(rf"\b{re.escape(name)}\b", str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error


def _without_array_api():
    # To set what is set already costs 3 us, in 17 contexts of a fit.
    if get_config()["array_api_dispatch"]:
        return config_context(array_api_dispatch=False)
    return nullcontext()


@contextmanager
def optional_package(package, extra, *, caller):
    """Let the error of a missing package name the extra that installs it."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{caller} needs {package}: pip install 'sksoftmax[{extra}]'."
        ) from error


def check_choice(name, value, choices):
    """Refuse a value that is none of the names to choose from."""
    if not (isinstance(value, str) and value in choices):
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")
