"""Fixtures that several test files share."""

import csv
import gzip
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunked

DATA = Path(__file__).parent / "data"

collect_ignore = ["peers"]  # scikit-learn's own tests: `make test-peers`


@pytest.fixture
def rng():
    """A generator with a fixed seed, fresh for every test."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def few_rows():
    """Make X with zeros in it, targets that are soft and hard in turn, and weights."""

    def make(n_rows, n_features, n_classes):
        rng = np.random.default_rng(1)
        X = rng.standard_normal((n_rows, n_features))
        X[:, 1] *= rng.random(n_rows) < 0.5
        Y = rng.dirichlet(np.ones(n_classes), size=n_rows)
        Y[::2] = np.eye(n_classes)[rng.integers(n_classes, size=len(Y[::2]))]
        return SimpleNamespace(X=X, Y=Y, s=rng.uniform(0.5, 2.0, size=n_rows))

    return make


@pytest.fixture
def small_files_are_read(monkeypatch):
    """Small tables in files are read in slices, as large ones are."""
    monkeypatch.setattr(chunked, "LARGEST_LIKE_ARRAY", 0)


@pytest.fixture(scope="session")
def load_table():
    """Read one of the files in ``tests/data`` as a dict of columns of strings."""

    def load(name):
        opener = gzip.open if name.endswith(".gz") else open
        with opener(DATA / name, "rt", newline="") as file:
            header, *rows = csv.reader(file)
        return dict(zip(header, np.array(rows).T, strict=True))

    return load


@pytest.fixture(scope="session")
def hsbdemo(load_table):
    """Programme choice by social class and writing score: X and labels."""
    table = load_table("hsbdemo.csv")
    ses = table["ses"]
    X = np.column_stack([ses == "middle", ses == "high", table["write"].astype(float)])
    return X, table["prog"]


@pytest.fixture(scope="session")
def students(load_table):
    """Programmes of students by social class and writing score, as a frame."""
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(load_table("hsbdemo.csv"))
    return table.assign(write=table["write"].astype(float))


@pytest.fixture(scope="session")
def by_hand(students, exact):
    """A design of them with dummies, fitted: X, y and the model."""
    dummies = {name: (students["ses"] == name) * 1.0 for name in ("middle", "high")}
    X = students[["write"]].assign(**dummies)[["middle", "high", "write"]]
    return X, students["prog"], exact(alpha=0.0).fit(X, students["prog"])


@pytest.fixture(scope="session")
def anes96(load_table):
    """Party identification in 1996, seven classes: X and y."""
    table = {name: x.astype(float) for name, x in load_table("anes96.csv").items()}
    names = ["logpopul", "selfLR", "age", "educ", "income"]
    return np.column_stack([table[name] for name in names]), table["PID"].astype(int)


@pytest.fixture(scope="session")
def exact():
    """Make a classifier that stops far below the tolerances of the tests."""
    return partial(SoftmaxRegressionClassifier, tol=1e-14, max_iter=10_000)


@pytest.fixture(scope="session")
def objective():
    """The objective F of a fitted model, from its public results and formula."""

    def value(model, X, Y, weights=None, alpha=None):
        alpha = model.alpha_ if alpha is None else alpha
        losses = -np.sum(Y * model.predict_log_proba(X), axis=1)
        penalty = sum(np.sum(np.square(W)) for W in model.coefs_) / 2
        return np.average(losses, weights=weights) + alpha * penalty

    return value


@pytest.fixture(scope="session")
def finite_differences():
    """Derivative of an array-valued function of w, by central differences."""

    def derivative(fn, w, step=1e-4):
        """Shape (*fn(w).shape, w.size); fourth order, so good to about 1e-11."""
        columns = []
        for e in step * np.eye(w.size):
            near = np.subtract(fn(w + e), fn(w - e))
            far = np.subtract(fn(w + 2 * e), fn(w - 2 * e))
            columns.append((8 * near - far) / (12 * step))
        return np.stack(columns, axis=-1)

    return derivative


@pytest.fixture(scope="module")
def threaded_client():
    """A dask client of two workers that are threads of this process."""
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    # Clients of tasks, which are in this process too, change dask's scheduler for good.
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}, scheduler=None),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address=":0",
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(params=["client", "no client"])
def scheduler(request):
    """A dask client in use, and none."""
    if request.param == "no client":
        yield None
    else:
        client = request.getfixturevalue("threaded_client")
        with client.as_current():
            yield client


@pytest.fixture
def mapped(tmp_path):
    """Put an array into a file and map it."""

    def mapped(X):
        np.save(tmp_path / "X.npy", X)
        return np.load(tmp_path / "X.npy", mmap_mode="r")

    return mapped


@pytest.fixture
def draws():
    """Draw without a screen, and close all figures afterwards."""
    import matplotlib.pyplot as plt

    plt.close("all")  # what doctests have left open
    plt.switch_backend("Agg")
    yield
    plt.close("all")
