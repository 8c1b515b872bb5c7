"""The architecture: who asks what X and y are, and how long files and functions are.

Which folder may import from which is checked by import-linter (`make lint`).
"""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import sksoftmax

PACKAGE = Path(sksoftmax.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TEST_FILES = sorted(Path(__file__).parent.glob("*.py"))

ASK_WHAT_DATA_IS = {"_data/arrays.py", "_data/one_hot.py", "_data/targets.py"}
DATA_NAMES = {"X", "y", "Y", "X_val", "y_val", "sample_weight", "sample_weight_val"}
TYPE_QUESTIONS = {"isinstance", "hasattr", "type"}
MAX_LINES_OF_FILE = 400
MAX_LINES_OF_TEST_FILE = 500
MAX_LINES_OF_FUNCTION = 60
MAX_NAMES_FROM_A_MODULE = 8
MAX_MODULES_AT_THE_TOP = 8


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def short_name(path):
    return path.relative_to(PACKAGE).as_posix()


each_file = pytest.mark.parametrize("path", FILES, ids=short_name)


def test_few_modules_stand_at_the_top():
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_MODULES_AT_THE_TOP


@each_file
def test_no_module_imports_many_names_from_another(path):
    counts = Counter()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sksoftmax"):
            counts[node.module] += len(node.names)
    many = {name: n for name, n in counts.items() if n > MAX_NAMES_FROM_A_MODULE}
    assert many == {}


@each_file
def test_only_arrays_and_targets_ask_what_the_data_are(path):
    if short_name(path) in ASK_WHAT_DATA_IS:
        return
    questions = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and asks_what_data_is(node)
    ]
    assert questions == []


def asks_what_data_is(call):
    """Whether a call is issparse(...) and kin, or isinstance(X, ...) and kin."""
    function = ast.unparse(call.func).split(".")[-1]
    about = ast.unparse(call.args[0]) if call.args else ""
    return function.startswith(
        ("issparse", "isspmatrix", "is_pandas", "is_polars")
    ) or (function in TYPE_QUESTIONS and about in DATA_NAMES)


@each_file
def test_no_module_has_more_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES_OF_FILE


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.name)
def test_no_test_file_has_500_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES_OF_TEST_FILE


@each_file
def test_no_function_has_60_lines_of_code(path):
    long = {
        node.name: lines_of_code(node)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and lines_of_code(node) >= MAX_LINES_OF_FUNCTION
    }
    assert long == {}


def lines_of_code(function):
    """Lines from the signature to the end, less the docstring's."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_the_map_of_files_names_every_file():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = [short_name(path) for path in FILES]
    assert [name for name in files if f"`{name}`" not in page] == []


def test_the_package_imports_no_extra():
    loads = "import sys, sklearn.model_selection; before = set(sys.modules); "
    loads += (
        "import sksoftmax; print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    )
    run = subprocess.run(
        [sys.executable, "-c", loads], capture_output=True, text=True, check=True
    )
    core = {"sksoftmax", "numpy", "scipy", "sklearn", "threadpoolctl"}
    found = {name for name in run.stdout.split() if name not in sys.stdlib_module_names}
    assert "sksoftmax" in found
    # Compiled modules share types under such a name; nothing is imported.
    assert {name for name in found if not name.startswith("_cython_")} <= core
