"""The compiled kernels, which setup.cfg cannot describe.

They are optional: where they cannot be built, numpy does the same, only slower.
"""

from setuptools import Extension, setup

try:
    from Cython.Build import cythonize
except ImportError:  # an environment without build isolation and without Cython
    cythonize = None

# -fno-trapping-math lets the compiler turn conditions into selections, without which
# it vectorises none of the loops. No flag names a processor: the loops choose among
# instruction sets while they run (`processors.h`). -g0: without debug information the
# files are a fifth as large.
KERNELS = [
    Extension(
        f"sksoftmax._kernels.{name}",
        [f"sksoftmax/_kernels/{name}.pyx"],
        depends=[f"sksoftmax/_kernels/{header}" for header in headers],
        include_dirs=["sksoftmax/_kernels"],
        extra_compile_args=["-O3", "-g0", "-fno-trapping-math", "-fno-math-errno"],
    )
    for name, headers in (
        ("compiled", ["elementwise.h", "processors.h"]),
        ("coordinate_descent", ["descent.h", "processors.h"]),
    )
]

EXTENSIONS = []
if cythonize is not None:
    EXTENSIONS = cythonize(
        KERNELS,
        build_dir="build/cython",
        compiler_directives={
            "boundscheck": False,
            "cdivision": True,
            "initializedcheck": False,
            "language_level": 3,
            "wraparound": False,
        },
    )
for extension in EXTENSIONS:
    extension.optional = True  # which cythonize forgets

setup(ext_modules=EXTENSIONS)
