"""What the package must not do with data, read from its sources."""

import ast
from pathlib import Path

import pytest

import sksoftmax

PACKAGE = Path(sksoftmax.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# Ways to run what is in a string, to import what it names, and to start a program.
BUILTINS = {"eval", "exec", "compile", "__import__", "open", "input", "breakpoint"}
MODULES = {
    "code",
    "ctypes",
    "dill",
    "cloudpickle",
    "importlib",
    "joblib",
    "marshal",
    "multiprocessing",
    "pickle",
    "pkgutil",
    "runpy",
    "shelve",
    "socket",
    "subprocess",
    "tempfile",
    "urllib",
    "yaml",
}
METHODS = {
    "eval",  # of pandas; and query
    "query",
    "exec_module",
    "fromfile",
    "genfromtxt",
    "import_module",
    "load",  # of numpy, with a switch for pickles, and of whatever else
    "loads",
    "loadtxt",
    "memmap",
    "popen",
    "read_pickle",
    "system",
    "tofile",
}


# JSON has values only, and so has what numpy.load reads with this argument.
HARMLESS = {"json.loads", "allow_pickle=False"}

# The one file that opens files: checkpoints, at the path that a user gave.
OPENS_FILES = PACKAGE / "callbacks.py"


def violations(tree):
    """Lines of a file that do one of these."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
            bad = [name for name in names if name in MODULES]
        elif isinstance(node, ast.ImportFrom):
            bad = [node.module] if (node.module or "").split(".")[0] in MODULES else []
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            bad = [node.id] if node.id in BUILTINS else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            bad = [node.func.attr] if node.func.attr in METHODS else []
            arguments = {ast.unparse(node.func), *map(ast.unparse, node.keywords)}
            bad = [] if arguments & HARMLESS else bad
        else:
            continue
        yield from (f"line {node.lineno}: {name}" for name in bad)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_evaluated_imported_by_name_unpickled_or_written(path):
    found = violations(ast.parse(path.read_text(encoding="utf-8")))
    if path == OPENS_FILES:
        found = (line for line in found if not line.endswith(": open"))
    assert list(found) == []


@pytest.mark.parametrize(
    "line",
    [
        "eval('1')",
        "exec(text)",
        "run = eval",
        "import pickle",
        "from importlib import import_module",
        "from urllib.request import urlopen",
        "os.system('ls')",
        "frame.query(text)",
        "open('file', 'w')",
        "np.memmap('file')",
        "np.load('file')",
    ],
)
def test_the_check_sees_what_it_looks_for(line):
    assert list(violations(ast.parse(line)))


def test_the_package_is_python_with_compiled_kernels_and_nothing_else():
    kernels = PACKAGE / "_kernels"
    files = [path for path in PACKAGE.rglob("*") if path.is_file()]
    others = {path.suffix for path in files if path.parent != kernels}
    assert others <= {".py", ".pyc", ".typed"}
    names = {path.name.split(".")[0] for path in kernels.iterdir() if path.is_file()}
    sources = {"compiled", "coordinate_descent", "descent", "elementwise", "processors"}
    assert names <= {"__init__", *sources}
