"""The floor plan: who imports whom, who asks what X is, and how long rooms are."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sksoftmax

PACKAGE = Path(sksoftmax.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TEST_FILES = sorted(Path(__file__).parent.glob("*.py"))

# A new module gets its level here. Modules of a folder share the folder's level.
LEVELS = {
    "_activations": 0,
    "_batches": 0,
    "_blocks": 0,
    "_data": 0,
    "_naming": 0,
    "_parameters": 0,
    "_penalty": 0,
    "_solvers": 0,
    "_threads": 0,
    "_warnings": 0,
    "exceptions": 0,
    "optimizers": 0,
    "_dask_blocks": 1,
    "_stream_blocks": 1,
    "_loss": 1,
    "_network": 1,
    "_standardise": 1,
    "_backprop": 2,
    "_objective": 2,
    "_curvature": 3,
    "_precondition": 3,
    "_quadratic": 3,
    "_sparse_objective": 3,
    "_single": 2,
    "_row_space": 3,
    "_alo": 3,
    "_callbacks": 4,
    "_monitor": 4,
    "_dask_sample": 4,
    "_sample": 4,
    "_sources": 4,
    "_stream": 4,
    "_survey": 4,
    "_targets": 4,
    "_classifier": 5,
    "_fitting": 5,
    "_model_choice": 5,
    "_path": 5,
    "_posing": 5,
    "_prediction": 5,
    "_training": 5,
    "_classifier_cv": 6,
    "export": 6,
    "inference": 6,
    "plotting": 6,
    "__init__": 7,
}
ASK_WHAT_DATA_IS = {"_data", "_targets"}
DATA_NAMES = {"X", "y", "Y", "X_val", "y_val", "sample_weight", "sample_weight_val"}
TYPE_QUESTIONS = {"isinstance", "hasattr", "type"}
MAX_LINES_OF_FILE = 500
MAX_LINES_OF_FUNCTION = 60


def module_of(path):
    """The module of the table that a file belongs to: its folder's, inside a folder."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def module_named(dotted):
    """The module of the table that an absolute dotted name of the package means."""
    parts = dotted.split(".")
    is_module = len(parts) > 1 and (
        (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file()
    )
    return parts[1] if is_module else "__init__"


def imported_modules(path, tree):
    """Modules of the package that a file imports anywhere, functions included."""
    folder = ["sksoftmax", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "sksoftmax":
                yield module_named(name)


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def short_name(path):
    return str(path.relative_to(path.parents[1]))


each_file = pytest.mark.parametrize("path", FILES, ids=short_name)


@each_file
def test_every_module_has_a_level(path):
    assert module_of(path) in LEVELS, f"give {path.name} its level in LEVELS"


@each_file
def test_no_module_imports_a_higher_level(path):
    level = LEVELS[module_of(path)]
    upward = [m for m in imported_modules(path, parse(path)) if LEVELS[m] > level]
    assert upward == [], f"{path.name} (level {level}) imports upward: {upward}"


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("_solvers/*.py")), ids=short_name)
def test_solvers_know_nothing_of_the_package_but_the_optimizers(path):
    imported = set(imported_modules(path, parse(path)))
    assert imported <= {"_solvers", "optimizers"}


@each_file
def test_only_data_and_targets_ask_what_the_data_are(path):
    if module_of(path) in ASK_WHAT_DATA_IS:
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


@pytest.mark.parametrize("path", FILES + TEST_FILES, ids=short_name)
def test_no_file_has_500_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES_OF_FILE


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


def test_the_map_in_the_readme_names_every_file():
    readme = (PACKAGE.parent / "README.md").read_text()
    files = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]
    assert [name for name in files if f"`{name}`" not in readme] == []


def test_the_package_imports_no_extra():
    loads = "import sys, sklearn.model_selection; before = set(sys.modules); "
    loads += (
        "import sksoftmax; print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    )
    run = subprocess.run(
        [sys.executable, "-c", loads], capture_output=True, text=True, check=True
    )
    core = {"sksoftmax", "numpy", "scipy", "sklearn", "threadpoolctl"}
    ours = {name for name in run.stdout.split() if name not in sys.stdlib_module_names}
    assert "sksoftmax" in ours
    assert ours <= core
