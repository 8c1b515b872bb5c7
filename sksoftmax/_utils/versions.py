"""What a report of a bug has to say about the installation."""

import platform
from importlib.metadata import version

from threadpoolctl import threadpool_info

from sksoftmax._kernels import compiled

_PACKAGES = ("sksoftmax", "numpy", "scipy", "scikit-learn", "threadpoolctl")


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
    rows = [("python", f"{platform.python_version()}, {platform.platform()}")]
    rows += [(name, version(name)) for name in _PACKAGES]
    rows += [
        ("BLAS", "{internal_api} {version}: {filepath}".format(**library))
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]
    rows.append(("kernels", "numpy" if compiled is None else "compiled"))
    for name, value in rows:
        print(f"{name:14} {value}")
