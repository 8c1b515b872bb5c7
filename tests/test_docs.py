"""The documentation's pages name what the package has."""

import ast
from pathlib import Path

import pytest

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._solvers import FULL_BATCH, MINIBATCH

ROOT = Path(__file__).parents[1]
DOCS, PACKAGE = ROOT / "docs", ROOT / "sksoftmax"


def public_names():
    """Dotted names of what public modules export, read from the sources.

    Modules that need an extra are not imported.
    """
    names = set()
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if any(part.startswith("_") for part in parts):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == "__all__"
            ):
                names |= {".".join([*parts, n]) for n in ast.literal_eval(node.value)}
    return names


def is_module(dotted):
    """Whether a dotted name is a module of the package."""
    path = ROOT.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def listed_names():
    """Dotted names in the tables of the API reference."""
    names, module = set(), None
    for line in (DOCS / "api" / "index.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif line.startswith("   ") and not line.strip().startswith(":"):
            names.add(f"{module}.{line.strip()}")
    return names


def test_the_reference_lists_the_public_names_and_no_others():
    exported = {name for name in public_names() if not is_module(name)}
    assert listed_names() == exported


@pytest.mark.parametrize("name", sorted({*FULL_BATCH, *MINIBATCH}))
def test_every_solver_is_on_the_page_about_solvers(name):
    assert f'| `"{name}"` |' in (DOCS / "guide" / "solvers.md").read_text()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_is_on_the_page_about_hidden_layers(name):
    assert name in (DOCS / "guide" / "hidden-layers.md").read_text()


def test_every_parameter_of_the_estimator_is_in_the_guide():
    pages = [*(DOCS / "guide").glob("*.md"), *(DOCS / "coming-from").glob("*.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    parameters = SoftmaxRegressionClassifier().get_params()
    assert [name for name in parameters if name not in text] == []
