"""Statistics of columns: NumPy's from all rows at once, whatever the parts were."""

from functools import reduce
from itertools import pairwise
from math import fsum
from operator import add

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax._data import short_rows as _short_rows
from sksoftmax._data import statistics as _statistics
from sksoftmax._data.chunks import Chunks
from sksoftmax._data.short_rows import extremes, subtract_row
from sksoftmax._data.statistics import statistics_of
from sksoftmax._utils.threads import Threads

N = 203
EDGES = [0, 0, 1, 40, 41, 150, N]
NAMES = ["mean", "variance", "deviation", "root_mean_square", "low", "high"]

each_store = pytest.mark.parametrize(
    "store", [np.asarray, np.asfortranarray, csr_array], ids=["C", "F", "csr"]
)


@pytest.fixture
def X(rng):
    X = rng.standard_normal((N, 5)) * [1.0, 1e-9, 1e9, 1.0, 1.0] + [0, 0, 0, 1e6, 0]
    X[rng.random(X.shape) < 0.3] = 0.0
    X[:, 4] = 0.1  # whose sums are not exact
    return X


@pytest.fixture
def s(rng):
    return rng.integers(0, 4, size=N).astype(float)


def merged(X, s):
    return reduce(add, (statistics_of(X[a:b], s[a:b]) for a, b in pairwise(EDGES)))


def same(found, expected, rtol=1e-12):
    for name in NAMES:
        assert_allclose(getattr(found, name), getattr(expected, name), rtol, atol=1e-25)


@each_store
@pytest.mark.parametrize("find", [statistics_of, merged])
def test_they_are_those_of_all_rows_with_weight(X, s, store, find):
    found = find(store(X), s)
    X, s = X[s > 0], s[s > 0]
    mean = np.average(X, axis=0, weights=s)
    variance = np.average((X - mean) ** 2, axis=0, weights=s)
    assert found.count == s.size
    assert found.weight == s.sum()
    assert_allclose(found.mean, mean, rtol=1e-12)
    assert_allclose(found.variance, variance, rtol=1e-12, atol=1e-25)
    assert_allclose(found.deviation**2, variance, rtol=1e-12, atol=1e-25)
    assert_allclose(found.root_mean_square**2, s @ X**2 / s.sum(), rtol=1e-12)
    about = s @ (X - 3.0) ** 2 / s.sum()
    assert_allclose(found.second_moment(np.full(5, 3.0)), about, rtol=1e-12)
    assert_array_equal(found.low, X.min(axis=0))
    assert_array_equal(found.high, X.max(axis=0))
    assert_allclose(found.zeros, s @ (X == 0), atol=1e-12)


@pytest.mark.parametrize("find", [statistics_of, merged])
def test_stored_entries_are_those_that_are_not_zero(X, s, find):
    sparse = csr_array(X)
    sparse.data[::5] = 0.0
    found, X = find(sparse, s).stored, sparse.toarray()
    for j, column in enumerate(X.T):
        there = (column != 0) & (s > 0)
        expected = statistics_of(column[there, None], s[there])
        assert found.count[j] == there.sum()
        assert_allclose(found.weight[j], s[there].sum())
        for name in NAMES:
            assert_allclose(getattr(found, name)[j], getattr(expected, name)[0], 1e-12)


@each_store
@pytest.mark.parametrize("find", [statistics_of, merged])
@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -1e-300, 1e308])
def test_a_constant_column_has_its_value_as_mean_and_no_variance(s, store, find, value):
    found = find(store(np.full((N, 2), value)), s)
    assert_array_equal(found.mean, value)
    assert_array_equal(found.deviation, 0.0)


@each_store
@pytest.mark.parametrize("find", [statistics_of, merged])
@pytest.mark.parametrize("scale", [1e-310, 1e-160, 1e160, 1.7e308])
def test_squares_neither_overflow_nor_underflow(rng, s, store, find, scale):
    U = rng.uniform(-1.0, 1.0, size=(N, 3))
    with np.errstate(under="ignore"):
        X = U * [1.0, scale, 1.0]
    found, expected = find(store(X), s), statistics_of(U, s)
    rtol = 1e-9 if scale > 1e-300 else 1e-5  # subnormal numbers have few digits
    for name in ["mean", "deviation", "root_mean_square"]:
        U_value, X_value = getattr(expected, name), getattr(found, name)
        assert_allclose(X_value, U_value * [1.0, scale, 1.0], rtol)


def test_columns_far_from_zero_keep_their_digits(rng, s):
    X = 1e15 + rng.integers(-9, 10, size=(N, 1))
    mean = fsum(s * (X[:, 0] - 1e15)) / fsum(s)
    variance = fsum(s * (X[:, 0] - 1e15 - mean) ** 2) / fsum(s)
    for find in (statistics_of, merged):
        assert_allclose(find(X, s).variance, variance, rtol=1e-12)


def test_the_first_row_may_be_far_from_all_others(rng):
    X, s = rng.standard_normal((N, 2)), np.ones(N)
    X[0], s[0] = 1e12, 1e-12
    s[0] = 1e-30
    mean = s @ X / s.sum()
    expected = s @ (X - mean) ** 2 / s.sum()
    assert_allclose(statistics_of(X, s).variance, expected, rtol=1e-6)


@each_store
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_size_of_the_cache_matters_to_rounding_only(
    X, s, store, dtype, monkeypatch
):
    X = store(X.astype(dtype))
    expected = statistics_of(X, s)
    monkeypatch.setattr(_statistics, "_CACHE_BYTES", 1)
    same(statistics_of(X, s), expected)


@each_store
def test_no_rows_have_no_weight_and_change_nothing(X, s, store):
    none = statistics_of(store(X), 0.0 * s)
    assert (none.count, none.weight) == (0, 0.0)
    assert_array_equal(none.variance, 0.0)
    found = statistics_of(store(X), s)
    for total in (none + found, found + none):
        for name in NAMES:
            assert_array_equal(getattr(total, name), getattr(found, name))


@each_store
def test_chunks_have_the_same_bits_for_any_number_of_threads(rng, store):
    X = rng.standard_normal((6000, 40)) * 10.0 ** rng.integers(-8, 8, size=(6000, 40))
    s = rng.uniform(size=6000)
    found = []
    for n_threads in (1, 2, 3):
        threads = Threads(n_threads)
        found.append(Chunks(store(X), np.ones((6000, 2)), s, threads).statistics())
        threads.close()
    same(found[0], statistics_of(store(X), s), rtol=1e-9)
    for other in found[1:]:
        for name in NAMES:
            assert_array_equal(getattr(other, name), getattr(found[0], name))


@pytest.mark.parametrize("shape", [(1, 3), (300, 7), (301, 1), (11, 600), (5, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_side_by_side_are_the_same_rows(rng, shape, order, monkeypatch):
    monkeypatch.setattr(_short_rows, "_WORTH_LONG_ROWS", 1)
    X = np.asarray(rng.standard_normal(shape), order=order)
    low, high = extremes(X)
    assert_array_equal(low, X.min(axis=0))
    assert_array_equal(high, X.max(axis=0))
    row = rng.standard_normal(shape[1])
    assert_array_equal(subtract_row(X, row, np.empty_like(X)), X - row)
