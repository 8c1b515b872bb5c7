"""Mini-batch training on data that are not in memory, like on those that are."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunked as _chunked
from sksoftmax._data import minibatches as _batches
from sksoftmax._data import sources as _sources

# Epochs are counted here, not convergence.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_ROWS, N_FEATURES = 600, 5


@pytest.fixture
def data(rng):
    X = rng.normal(size=(N_ROWS, N_FEATURES)) * 10.0 ** np.arange(-2, 3) + 3.0
    X[rng.random(X.shape) < 0.2] = 0.0
    y = (np.abs(X[:, 0] - 0.02) > 1.0).astype(int) + (X[:, 2] > 3.0)
    s = rng.uniform(0.5, 2.0, size=N_ROWS)
    s[::7] = 0.0
    return X, y, s


@pytest.fixture(params=[(8,), ()], ids=["hidden", "linear"])
def model(request):
    """A model whose epochs go through the rows in their order."""
    return SoftmaxRegressionClassifier(
        request.param, solver="adam", max_iter=4, shuffle=False, random_state=0
    )


def batches_of(size, *arrays):
    starts = range(0, arrays[0].shape[0], size)
    return [tuple(array[i : i + size] for array in arrays) for i in starts]


def assert_same_arrays(arrays, expected):
    for ours, theirs in zip(arrays, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10 * np.abs(theirs).max())


@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("window", [2**26, 2000])
def test_unshuffled_batches_train_as_the_rows_in_memory_do(
    data, model, monkeypatch, store, window
):
    monkeypatch.setattr(_batches, "LARGEST_WINDOW", window)
    X, y, s = data
    options = {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}, "label_smoothing": 0.1}
    model.set_params(**options)
    model.fit(store(X), y, s)
    expected = model.coefs_ + model.intercepts_, model.loss_curve_
    model.fit(batches_of(37, store(X), y, s))
    assert model.n_passes_ == 4 + (2 if len(model.coefs_) > 1 else 1)
    assert_same_arrays(model.coefs_ + model.intercepts_, expected[0])
    assert_allclose(model.loss_curve_, expected[1], rtol=1e-10)


def test_a_class_of_weight_zero_is_left_out(data, model):
    X, y, s = data
    model.set_params(class_weight={0: 0.0, 1: 1.0, 2: 1.0})
    kept = y > 0
    expected = model.fit(X[kept], y[kept], s[kept]).loss_curve_
    model.fit(batches_of(50, X, y, s))
    assert_allclose(model.loss_curve_, expected, rtol=1e-10)


def test_a_large_table_in_a_file_is_read_in_pieces_in_random_order(
    data, tmp_path, monkeypatch
):
    monkeypatch.setattr(_batches, "LARGEST_WINDOW", 4000)
    monkeypatch.setattr(_chunked, "LARGEST_LIKE_ARRAY", 4000)
    monkeypatch.setattr(_sources, "_SHUFFLED_BYTES", 400)
    X, y, _ = data
    # The worst order there is: one class after the other.
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = SoftmaxRegressionClassifier((8,), random_state=0)
    in_memory = model.fit(X, y).score(X, y)
    model.fit(mapped, y)
    assert model.n_passes_ == model.n_iter_ + 2
    assert model.score(X, y) > in_memory - 0.02


def test_early_stopping_watches_data_of_its_own(data):
    X, y, s = data
    model = SoftmaxRegressionClassifier((4,), early_stopping=True, random_state=0)
    batches = batches_of(100, X, y, s)
    with pytest.raises(ValueError, match="early_stopping=True needs X_val"):
        model.fit(batches)
    model.fit(batches, X_val=X[:100], y_val=y[:100])
    assert len(model.validation_loss_curve_) == model.n_iter_


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"class_weight": {"a": 1.0, "b": 3.0, "c": 0.5}, "label_smoothing": 0.1}],
    ids=["plain", "weighted"],
)
def test_rows_of_a_file_are_held_out_as_rows_in_memory_are(
    data, tmp_path, monkeypatch, soft, options
):
    X, y, s = data
    y = np.array(["a", "b", "c"])[y]
    if soft:
        Y = 0.1 + 0.7 * (y[:, None] == ["a", "b", "c"])
        y = pd.DataFrame(Y, columns=["a", "b", "c"])
    settings = {"early_stopping": True, "max_iter": 5, "random_state": 0} | options
    model = SoftmaxRegressionClassifier((6,), **settings).fit(X, y, s)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    monkeypatch.setattr(_chunked, "LARGEST_LIKE_ARRAY", 0)
    monkeypatch.setattr(_sources, "_BATCH_BYTES", 4000)
    read = SoftmaxRegressionClassifier((6,), **settings).fit(mapped, y, s)
    assert read.n_passes_ == 5 + 2  # it was read in slices
    for name in ("loss_curve_", "validation_loss_curve_", "validation_score_curve_"):
        assert_allclose(getattr(read, name), getattr(model, name), rtol=1e-9)
    assert_same_arrays(read.coefs_ + read.intercepts_, model.coefs_ + model.intercepts_)


def test_validation_batches_of_a_network_are_refused(data):
    X, y, _ = data
    with pytest.raises(ValueError, match="X_val has batches"):
        SoftmaxRegressionClassifier((4,)).fit(X, y, X_val=batches_of(100, X, y))


@pytest.mark.parametrize(
    "options", [{"l1_ratio": 1.0}, {"hidden_layer_sizes": (3,), "solver": "newton"}]
)
def test_solvers_that_need_all_of_x_refuse_batches(data, options):
    X, y, _ = data
    with pytest.raises(ValueError, match="Others need X in memory"):
        SoftmaxRegressionClassifier(**options).fit(batches_of(100, X, y))


def test_warm_starts_go_on_through_batches(data):
    X, y, s = data
    model = SoftmaxRegressionClassifier(
        (4,), learning_rate="constant", max_iter=4, random_state=0, tol=0.0
    )
    batches = batches_of(100, X, y, s)
    whole = model.fit(batches).coefs_
    model.set_params(warm_start=True, max_iter=2)
    del model.coefs_
    parts = model.fit(batches).fit(batches).coefs_
    for ours, theirs in zip(parts, whole, strict=True):
        assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
