"""Views of rows: what they read is what a copy would hold, and no copy is made."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.arrays import in_double, rescaled, slice_rows, take_rows, viewed
from sksoftmax._data.row_view import RowView

# Epochs are few here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CHOICES = {
    "slice": lambda X: slice_rows(X, 3, 11),
    "mask": lambda X: take_rows(X, np.arange(20) % 3 == 1),
    "numbers": lambda X: take_rows(X, np.array([7, 2, 2, 19])),
    "no rows": lambda X: take_rows(X, np.zeros(20, dtype=bool)),
    "rows of rows": lambda X: slice_rows(take_rows(X, np.arange(20) % 2 == 0), 2, 99),
}
each_choice = pytest.mark.parametrize("choose", CHOICES.values(), ids=CHOICES)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def X(rng):
    return 1e4 + rng.standard_normal((20, 5))


@each_choice
@each_dtype
@pytest.mark.parametrize("order", "CF")
def test_rows_of_a_view_are_those_of_the_array(X, choose, dtype, order):
    X = X.astype(dtype, order=order)
    view, expected = choose(viewed(X)), choose(X)
    assert view.shape == expected.shape
    assert view.dtype == dtype
    assert_array_equal(in_double(view), expected.astype(float))


@each_choice
@each_dtype
@pytest.mark.parametrize("to_dtype", [np.float32, np.float64])
def test_a_scaled_view_has_the_bits_of_a_scaled_copy(X, choose, dtype, to_dtype):
    X = X.astype(dtype)
    scaling = X.mean(axis=0, dtype=float), np.array([0.5, 0.0, 3.0, 1.0, 1 / 3])
    view = choose(rescaled(viewed(X), *scaling, to_dtype))
    assert view.dtype == to_dtype
    expected = rescaled(choose(X), *scaling, to_dtype)
    assert_array_equal(in_double(view), expected.astype(float))


def test_views_share_the_memory_of_the_array(X):
    view = viewed(X)
    assert np.shares_memory(view.X, X)
    assert np.shares_memory(CHOICES["mask"](view).X, X)


def test_what_is_sparse_or_a_view_stays_as_it_is(X):
    sparse, view = csr_array(X), viewed(X)
    assert viewed(sparse) is sparse
    assert viewed(view) is view
    assert isinstance(view, RowView)


# Memory of fits, beyond the data


def peak(fit, *data, **more):
    """Bytes that a fit takes at most on one thread; each one has a chunk of its own."""
    tracemalloc.start()
    try:
        with threadpool_limits(1):
            fit(*data, **more)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@each_dtype
def test_early_stopping_takes_64_mb_and_8_copies_of_the_parameters_at_most(rng, dtype):
    X, y = rng.random((20_000, 784), dtype), rng.integers(10, size=20_000)
    model = SoftmaxRegressionClassifier((128, 64), early_stopping=True, max_iter=1)
    used = peak(model.fit, X, y)
    n_params = sum(part.size for part in model.coefs_ + model.intercepts_)
    assert used < 64e6 + 8 * n_params * X.itemsize
    assert used < X.nbytes / 2


@pytest.fixture
def table(rng):
    y = np.arange(12_000) % 3
    return rng.random((y.size, 400), np.float32), y, rng.uniform(0.5, 2.0, y.size)


def brief(**settings):
    return SoftmaxRegressionClassifier((8,), max_iter=1, **settings)


@pytest.mark.parametrize("in_file", [False, True])
def test_rows_that_are_held_out_are_not_copied(table, tmp_path, in_file):
    X, y, s = table
    if in_file:
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert peak(brief(early_stopping=True).fit, X, y, s) < X.nbytes / 2


def test_rows_beside_those_without_weight_are_not_copied(table):
    X, y, s = table
    s[::5] = 0.0
    assert peak(brief().fit, X, y, s) < X.nbytes / 2
    assert peak(brief().partial_fit, X, y, [0, 1, 2], s) < X.nbytes / 2


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_rows_for_validation_are_not_copied(table, solver):
    X, y, _ = table
    fit = brief(solver=solver).fit
    used = peak(fit, X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert used < X.nbytes / 2
