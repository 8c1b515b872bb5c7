"""What `make wheel` has built: the files in it, and installations without the source.

    python tools/check_distribution.py dist           # as `make wheel`
    python tools/check_distribution.py dist --suite   # as `make test-wheel`

The first compares what is in the wheel and in the sdist with the package's files. The
second installs each in an empty environment and runs the test suite against what was
installed, from the files of the sdist. It must find the compiled kernels. While the
wheel is installed and tested there is no C compiler.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sksoftmax"
SOURCES = {".py", ".pyx", ".h", ".typed"}

# A compiler that always fails. What `setup.py` needs one for is optional, so only the
# kernels show whether there was one.
WITHOUT_COMPILER = {"CC": "false", "CXX": "false"}


def main():
    """Check the distributions in a folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--suite", action="store_true", help="install and run the tests"
    )
    args = parser.parse_args()
    (wheel,), (sdist,) = args.folder.glob("*.whl"), args.folder.glob("*.tar.gz")
    check_files(wheel, sdist)
    if args.suite:
        check_installed(wheel, sdist, WITHOUT_COMPILER)
        check_installed(sdist, sdist, {})


def check_files(wheel, sdist):
    """Each has all files of the package; the wheel the kernels, the sdist the tests."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in SOURCES
    }
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    kernels = {
        name.partition(".")[0] for name in in_wheel if name.endswith((".so", ".pyd"))
    }
    wanted = {name.partition(".")[0] for name in package if name.endswith(".pyx")}
    generated = {name for name in in_wheel | in_sdist if name.endswith(".c")}
    tests = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/*.py")}
    for problem, names in (
        ("The wheel lacks", package - in_wheel),
        ("The wheel has no compiled", wanted - kernels),
        ("The wheel has beside the package", tops(in_wheel) - {"sksoftmax"}),
        ("The sdist lacks", (package | tests | {"setup.py"}) - in_sdist),
        ("The sdist has compiled", {name for name in in_sdist if name.endswith(".so")}),
        ("Generated files were packed:", generated),
    ):
        if names:
            sys.exit(f"{problem} {', '.join(sorted(names))}.")
    for path, names in ((wheel, in_wheel), (sdist, in_sdist)):
        size = path.stat().st_size / 1e6
        print(f"{path.name}: {len(names)} files, {size:.1f} MB")


def tops(names):
    """The folders of an archive, but for the wheel's own about the package."""
    firsts = {name.partition("/")[0] for name in names}
    return {name for name in firsts if not name.endswith(".dist-info")}


def check_installed(distribution, sdist, environ):
    """Install a wheel or sdist in an empty environment, and run the suite there."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        venv.create(Path(folder) / "venv", with_pip=True)
        # PYTHONPATH would bring the source back, which is not what is tested.
        clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environ = {**clean, **environ, "SKSOFTMAX_KERNELS": "compiled"}
        where = unpacked(sdist, Path(folder))
        extra = f"{distribution.resolve()}[test]"
        for command in (
            ["pip", "install", "--quiet", "--disable-pip-version-check", extra],
            ["-c", "import sksoftmax; sksoftmax.show_versions()"],
        ):
            prefix = [] if command[0] == "-c" else ["-m"]
            subprocess.run(
                [python, *prefix, *command], check=True, env=environ, cwd="/"
            )
        point_to_installed(where, python)
        print(f"The suite on {distribution.name}:", flush=True)
        subprocess.run(
            [python, "-m", "pytest", "-q"], check=True, env=environ, cwd=where
        )


def unpacked(sdist, folder):
    """The folder of the files of the sdist."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (where,) = folder.glob("sksoftmax-*")
    return where


def point_to_installed(where, python):
    """Put the installed package in the place of the source that it was built from."""
    code = "import sksoftmax; print(sksoftmax.__path__[0])"
    found = subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True, cwd="/"
    )
    (where / "sksoftmax").rename(where / "source")
    (where / "sksoftmax").symlink_to(found.stdout.strip(), target_is_directory=True)


if __name__ == "__main__":
    main()
