"""One network whatever the container of the same rows: the same to rounding."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array, csr_matrix

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunked

# Epochs are compared here, not convergence.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_ROWS = 400


@pytest.fixture
def data(rng):
    X = rng.normal(size=(N_ROWS, 6)) * 10.0 ** np.arange(-2, 4)
    X[rng.random(X.shape) < 0.6] = 0.0
    X[:, 1] += 100.0  # stored everywhere, and far from zero
    X[:, 2] = rng.random(N_ROWS) < 0.02  # a rare feature
    y = np.array(["u", "v", "w"])[(X[:, [0, 3, 4]] / [0.01, 10, 100]).argmax(axis=1)]
    return X, y, rng.uniform(0.5, 2.0, size=N_ROWS)


def mapped(X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def batches(X, y, s):
    return [(X[i : i + 90], y[i : i + 90], s[i : i + 90]) for i in range(0, N_ROWS, 90)]


def in_dask(X, y, s):
    da = pytest.importorskip("dask.array")
    return da.from_array(X, chunks=(150, 3)), da.from_array(y, chunks=150), s


CONTAINERS = {
    "Fortran order": lambda X, y, s, folder: (np.asfortranarray(X), y, s),
    "every other row": lambda X, y, s, folder: (np.repeat(X, 2, axis=0)[::2], y, s),
    "csr_matrix": lambda X, y, s, folder: (csr_matrix(X), y, s),
    "csr_array": lambda X, y, s, folder: (csr_array(X), y, s),
    "file": lambda X, y, s, folder: (mapped(X, folder), y, s),
    "batches": lambda X, y, s, folder: (batches(X, y, s),),
    "sparse batches": lambda X, y, s, folder: (batches(csr_array(X), y, s),),
    "dask": lambda X, y, s, folder: in_dask(X, y, s),
    "pandas": lambda X, y, s, folder: (pd.DataFrame(X).to_numpy(), y, s),
}
MODELS = {
    "shuffled": {},
    "in order": {"shuffle": False},
    "dropout": {"dropout": 0.2, "hidden_layer_sizes": (8, 4)},
    "no intercepts": {"fit_intercept": False},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "no hidden layers": {"hidden_layer_sizes": (), "solver": "adam"},
    "weights": {"class_weight": "balanced", "label_smoothing": 0.1},
}


def fitted(data, **options):
    settings = {"hidden_layer_sizes": (8,), "max_iter": 4, "random_state": 0} | options
    return SoftmaxRegressionClassifier(**settings).fit(*data)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fit_intercept": False},
        {"hidden_layer_sizes": (6, 4), "activation": "tanh"},
        {"class_weight": "balanced", "label_smoothing": 0.1},
        {"warm_start": True},
        {"solver": "newton", "max_iter": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("contain", [csr_matrix, csr_array, np.asfortranarray])
def test_the_same_rows_train_the_same_network_by_all_at_once(
    data, contain, options, dtype
):
    X, y, s = data
    X = X.astype(dtype)
    options = {"solver": "lbfgs", "max_iter": 25} | options
    expected, model = (
        SoftmaxRegressionClassifier(
            **{"hidden_layer_sizes": (8,), "random_state": 0} | options
        )
        for _ in range(2)
    )
    for _ in range(1 + expected.warm_start):
        expected.fit(X, y, s, X_val=X[:50], y_val=y[:50])
        model.fit(contain(X), y, s, X_val=contain(X[:50]), y_val=y[:50])
    rtol = 1e-6 if dtype == np.float64 else 1e-4
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=rtol)
    curves = (m.validation_loss_curve_ for m in (model, expected))
    assert_allclose(*curves, rtol=rtol)
    P = expected.predict_proba(X)
    assert_allclose(model.predict_proba(contain(X)), P, atol=100 * rtol)
    assert_allclose(model.optimality_, expected.optimality_, rtol=1e-2)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("contain", CONTAINERS.values(), ids=CONTAINERS)
def test_the_same_rows_train_the_same_network(
    data, contain, options, tmp_path, monkeypatch
):
    monkeypatch.setattr(chunked, "LARGEST_LIKE_ARRAY", 0)  # files are read in slices
    expected = fitted(data, **options)
    model = fitted(contain(*data, tmp_path), **options)
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-9)
    P = expected.predict_proba(data[0])
    assert_allclose(model.predict_proba(data[0]), P, atol=1e-9)


@pytest.mark.parametrize("contain", CONTAINERS.values(), ids=CONTAINERS)
def test_in_single_precision_too(data, contain, tmp_path):
    X, y, s = data
    X = X.astype(np.float32)
    expected = fitted((X, y, s))
    model = fitted(contain(X, y, s, tmp_path))
    assert model.coefs_[0].dtype == np.float32
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-4)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("store_val", [np.asarray, csr_array])
def test_validation_data_are_the_same_in_any_container(
    data, store, store_val, early_stopping
):
    X, y, s = data
    expected = SoftmaxRegressionClassifier(
        (8,), max_iter=4, random_state=0, early_stopping=early_stopping
    )
    model = SoftmaxRegressionClassifier(**expected.get_params())
    val = {"y_val": y[:90], "sample_weight_val": s[:90]}
    expected.fit(X[90:], y[90:], X_val=X[:90], **val)
    model.fit(store(X[90:]), y[90:], X_val=store_val(X[:90]), **val)
    for name in ("validation_loss_curve_", "validation_score_curve_", "loss_curve_"):
        assert_allclose(getattr(model, name), getattr(expected, name), rtol=1e-9)


def test_rows_that_are_held_out_are_the_same(data):
    X, y, s = data
    options = {"early_stopping": True}
    expected = fitted(data, **options)
    model = fitted((csr_array(X), y, s), **options)
    assert_allclose(
        model.validation_loss_curve_, expected.validation_loss_curve_, rtol=1e-9
    )


def test_sparse_rows_do_not_become_an_array(rng):
    """Neither for training nor for validation: these would take 16 GB."""
    n_features = 10**6
    columns = rng.integers(n_features, size=(2000, 3))
    rows = np.repeat(np.arange(2000), 3)
    X = csr_array((np.ones(6000), (rows, columns.ravel())), shape=(2000, n_features))
    y = np.arange(2000) % 2
    model = SoftmaxRegressionClassifier((2,), max_iter=1, batch_size=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[500:], y[500:], X_val=X[:500], y_val=y[:500])
        lbfgs = SoftmaxRegressionClassifier((2,), solver="lbfgs", max_iter=1)
        lbfgs.fit(X[500:], y[500:], X_val=X[:500], y_val=y[:500])
    assert np.isfinite(model.validation_loss_curve_).all()
    assert np.isfinite(lbfgs.validation_loss_curve_).all()
