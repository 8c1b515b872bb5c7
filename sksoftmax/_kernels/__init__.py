"""The compiled functions of this folder, where they were built, and their choice.

Each has a twin in numpy that says what it computes: the function that `kernel`
decorates. The twin works where there is no compiled function, and a test holds the two
together. The environment variable SKSOFTMAX_KERNELS chooses, when the package is
imported: "numpy" takes the twins, "compiled" refuses to do without the compiled ones.
"""

import os
from functools import wraps

_CHOICES = ("auto", "compiled", "numpy")


def _import_compiled():
    import sksoftmax._kernels.compiled as module

    return module


def _import_coordinate_descent():
    import sksoftmax._kernels.coordinate_descent as module

    return module


def _load(choice):
    """The modules of the compiled functions, or None to do without."""
    if choice not in _CHOICES:
        raise ValueError(
            f"The environment variable SKSOFTMAX_KERNELS is {choice!r}; allowed are"
            f" {', '.join(_CHOICES)}."
        )
    if choice == "numpy":
        return None
    found = []
    for import_module in (_import_compiled, _import_coordinate_descent):
        try:
            found.append(import_module())
        except (ImportError, TypeError) as error:  # TypeError: scipy's BLAS has changed
            if choice == "compiled":
                raise ImportError(
                    "SKSOFTMAX_KERNELS is 'compiled', and sksoftmax was installed"
                    " without its compiled kernels. Install it again where there is a"
                    " C compiler."
                ) from error
    return found or None


modules = _load(os.environ.get("SKSOFTMAX_KERNELS", "auto")) or ()


def kernel(twin):
    """A function of numpy, or its compiled counterpart for what that is made for."""
    name = twin.__name__
    fast = next((getattr(m, name) for m in modules if hasattr(m, name)), None)
    if fast is None:
        return twin

    @wraps(twin)
    def function(*args):
        result = fast(*args)
        return twin(*args) if result is NotImplemented else result

    return function


def is_compiled(function):
    """Whether a function that `kernel` decorates has a compiled counterpart here."""
    return hasattr(function, "__wrapped__")
