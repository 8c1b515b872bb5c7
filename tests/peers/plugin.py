"""The plugin of `make test-peers`: scikit-learn's own tests, run on our classifier.

The names that those tests import are replaced by the adapters before their modules are
read; not a line of them is changed. `deselected.txt` lists the tests that are left out,
each with its reason.
"""

import fnmatch
from pathlib import Path

import pytest
import sklearn.linear_model
import sklearn.neural_network

from tests.peers.adapters import Adapter, LogisticRegression, MLPClassifier

LIST = Path(__file__).parent / "deselected.txt"


def pytest_configure():
    """Replace the names before any module of tests imports them."""
    sklearn.linear_model.LogisticRegression = LogisticRegression
    sklearn.neural_network.MLPClassifier = MLPClassifier


def patterns():
    """Patterns of names of tests; lines that begin with # give the reasons."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pytest_collection_modifyitems(config, items):
    """Leave out what is on the list; a line that fits no test is an error."""
    used, kept, left_out = set(), [], []
    for item in items:
        name = f"{item.path.name}::{item.name}".replace("[", "(").replace("]", ")")
        fitting = [p for p in patterns() if fnmatch.fnmatchcase(name, p)]
        used.update(fitting)
        (left_out if fitting else kept).append(item)
    unused = [pattern for pattern in patterns() if pattern not in used]
    if unused:
        raise pytest.UsageError(f"{LIST.name} lists tests that there are not: {unused}")
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test that passes without our classifier says nothing, and fails here."""
    before = Adapter.n_made
    outcome = yield
    assert Adapter.n_made > before, "our classifier was not used: deselect this test"
    return outcome
