"""The version of this package, and what a report of a bug has to say beside it."""

import platform
import sys

import numpy
import scipy
import sklearn
import threadpoolctl

from sksoftmax._kernels import modules


def package_version():
    """The version of this package, which `sksoftmax/__init__.py` states."""
    return sys.modules["sksoftmax"].__version__


def show_versions() -> None:
    """Print the versions of Python, packages and BLAS, and which kernels are in use.

    The kernels are the innermost loops of a fit. "compiled" are those that were built
    when the package was installed, "numpy" the slower ones that need no compiler. The
    environment variable SKSOFTMAX_KERNELS, set to "numpy" or "compiled" before the
    package is imported, chooses.

    Examples
    --------
    >>> import sksoftmax
    >>> sksoftmax.show_versions()
    python         3...
    sksoftmax      ...
    kernels        ...
    """
    rows = [
        ("python", f"{platform.python_version()}, {platform.platform()}"),
        ("sksoftmax", package_version()),
        ("numpy", numpy.__version__),
        ("scipy", scipy.__version__),
        ("scikit-learn", sklearn.__version__),
        ("threadpoolctl", threadpoolctl.__version__),
    ]
    rows += [
        ("BLAS", "{internal_api} {version}: {filepath}".format(**library))
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    ]
    rows.append(("kernels", "compiled" if modules else "numpy"))
    for name, value in rows:
        print(f"{name:14} {value}")
