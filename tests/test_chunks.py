"""Blocks of rows: map and sum against all rows at once, and the bits of sums."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix, issparse, vstack
from threadpoolctl import threadpool_limits

from sksoftmax._data import chunks as _chunks
from sksoftmax._data.chunks import Chunks
from sksoftmax._utils.threads import Threads

N_ROWS, N_FEATURES, N_CLASSES = 1000, 5, 3

# From the smallest blocks there are to one block for all the rows.
each_chunk_size = pytest.mark.parametrize("n_bytes", [1, 20_000, 2**30])
each_store = pytest.mark.parametrize(
    "store", [np.asarray, np.asfortranarray, csr_array, csr_matrix]
)


@pytest.fixture
def data(rng):
    X = rng.uniform(size=(N_ROWS, N_FEATURES))
    X[rng.random(X.shape) < 0.4] = 0.0
    return X, rng.dirichlet(np.ones(N_CLASSES), size=N_ROWS), rng.uniform(size=N_ROWS)


@pytest.fixture
def make(monkeypatch):
    """Blocks of some data; the pools of threads end with the test."""
    pools = []

    def make(X, Y, s, *, n_bytes=1, n_threads=1):
        monkeypatch.setattr(_chunks, "_CHUNK_BYTES", n_bytes)
        pools.append(Threads(n_threads))
        return Chunks(X, Y, s, pools[-1])

    yield make
    for pool in pools:
        pool.close()


def rows_of(chunks):
    """X, s Y and s of an iterable of blocks, put together again."""
    X, sY, s = zip(*((chunk.X, chunk.sY, chunk.s) for chunk in chunks), strict=True)
    X = vstack(X).toarray() if issparse(X[0]) else np.concatenate(X)
    return X, np.concatenate(sY), np.concatenate(s)


def moments(chunk, W):
    """A vector and a matrix that need all parts of a block."""
    return chunk.s @ (chunk.X @ W), chunk.X.T @ chunk.sY


# map and sum


@each_store
@each_chunk_size
def test_chunks_put_together_are_the_rows_in_order(make, data, store, n_bytes):
    X, Y, s = data
    chunks = make(store(X), Y, s, n_bytes=n_bytes)
    assert chunks.n_rows == N_ROWS
    expected = X, s[:, None] * Y, s
    for found, rows in zip(
        rows_of(chunks.map(lambda chunk: chunk)), expected, strict=True
    ):
        assert_array_equal(found, rows)


def test_the_number_of_chunks_follows_from_the_size_of_the_data(make, data):
    numbers = [
        len(make(*data, n_bytes=n_bytes).map(lambda chunk: chunk.s.size))
        for n_bytes in (1, 20_000, 2**30)
    ]
    assert numbers[0] > numbers[1] > numbers[2] == 1


@each_store
@pytest.mark.parametrize("n_threads", [1, 2])
@each_chunk_size
def test_a_sum_over_chunks_is_that_over_all_rows(
    make, data, rng, store, n_threads, n_bytes
):
    X, Y, s = data
    W = rng.standard_normal((N_FEATURES, 2))
    chunks = make(store(X), Y, s, n_bytes=n_bytes, n_threads=n_threads)
    vector, matrix = chunks.sum(moments, W)
    assert_allclose(vector, s @ X @ W, rtol=1e-12)
    assert_allclose(matrix, X.T @ np.diag(s) @ Y, rtol=1e-12)


@each_chunk_size
def test_numbers_and_single_arrays_can_be_summed_too(make, data, n_bytes):
    chunks = make(*data, n_bytes=n_bytes)
    assert_allclose(chunks.sum(lambda chunk: float(chunk.s.sum())), data[2].sum())
    assert_allclose(chunks.sum(lambda chunk: chunk.X.sum(axis=0)), data[0].sum(axis=0))


@pytest.mark.parametrize("n_threads", [1, 3])
@each_chunk_size
def test_what_map_returns_goes_back_to_the_chunks_it_came_from(
    make, data, n_bytes, n_threads
):
    chunks = make(*data, n_bytes=n_bytes, n_threads=n_threads)
    logits = chunks.map(lambda chunk, factor: factor * chunk.X, 2.0)
    doubled = chunks.map(
        lambda chunk, logits: np.abs(logits - 2 * chunk.X).max(), logits
    )
    assert max(doubled) == 0.0
    total = chunks.sum(lambda chunk, logits, power: (logits**power).sum(0), logits, 2)
    assert_allclose(total, np.sum((2 * data[0]) ** 2, axis=0), rtol=1e-12)


@pytest.mark.parametrize("n_threads", [1, 3])
@each_chunk_size
def test_map_sum_is_both_in_one_sweep(make, data, n_bytes, n_threads):
    def both(chunk, factor):
        return (float(chunk.s.sum()), factor * chunk.X.sum(axis=0)), chunk.X

    chunks = make(*data, n_bytes=n_bytes, n_threads=n_threads)
    (weight, columns), values = chunks.map_sum(both, 2.0)
    assert_allclose(weight, data[2].sum(), rtol=1e-12)
    assert_allclose(columns, 2.0 * data[0].sum(axis=0), rtol=1e-12)
    same = chunks.map(lambda chunk, X: bool((chunk.X == X).all()), values)
    assert all(same)


def test_summing_what_map_returned_does_not_change_it(make, data):
    chunks = make(*data)
    columns = chunks.map(lambda chunk: chunk.X.sum(axis=0))
    expected = np.sum(columns, axis=0)
    for _ in range(2):
        total = chunks.sum(lambda chunk, column: column, columns)
        assert_allclose(total, expected, rtol=1e-12)


@each_store
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_have_the_same_bits_whatever_the_number_of_threads(
    make, data, rng, store, dtype
):
    # Numbers of all magnitudes, so that another order of additions shows.
    X, Y, s = data
    X = (X * 10.0 ** rng.integers(-8, 8, size=X.shape)).astype(dtype)
    W = rng.standard_normal((N_FEATURES, 2)).astype(dtype)
    sums = []
    with threadpool_limits(1, user_api="blas"):  # as it is during a fit
        for n_threads in (1, 2, 3, 8):
            chunks = make(store(X), Y, s, n_threads=n_threads)
            sums.append(chunks.sum(moments, W))
    for vector, matrix in sums[1:]:
        assert_array_equal(vector, sums[0][0])
        assert_array_equal(matrix, sums[0][1])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_chunk_reaches_the_caller(make, data, n_threads):
    def fail(chunk):
        raise FloatingPointError("in a block")

    chunks = make(*data, n_threads=n_threads)
    with pytest.raises(FloatingPointError, match="in a block"):
        chunks.sum(fail)
    with pytest.raises(FloatingPointError, match="in a block"):
        chunks.map(fail)


@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_thinned_rows_stand_for_all_rows(make, rng, store, n_threads):
    # Mean and weighted share of each class, one of them rare, to within four standard
    # errors of so many rows.
    n_rows, n_thinned = 40_000, 4_000
    codes = rng.choice(3, size=n_rows, p=[0.6, 0.395, 0.005])
    X = rng.standard_normal((n_rows, 2)) + np.eye(3)[codes, :2]
    s = rng.uniform(0.5, 2.0, size=n_rows)
    chunks = make(store(X), np.eye(3)[codes], s, n_threads=n_threads, n_bytes=2**15)
    subsample = chunks.subsample(n_thinned)
    assert 0.9 * n_thinned < subsample.n_rows < 1.3 * n_thinned
    found_X, found_sY, _ = rows_of(subsample.map(lambda chunk: chunk))
    shares = found_sY.sum(axis=0) / s.sum()
    assert_allclose(shares, np.bincount(codes, s) / s.sum(), rtol=0.1, atol=0.03)
    assert (found_sY[:, 2] > 0).sum() > 2 * (codes == 2).sum() * n_thinned / n_rows
    weights = found_sY.sum(axis=1)
    error = 4.0 / np.sqrt(n_thinned)
    assert_allclose(weights @ found_X / weights.sum(), s @ X / s.sum(), atol=error)


# Sparse rows


@pytest.mark.parametrize("form", [csr_array, csr_matrix])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_chunks_are_valid_and_of_the_same_form(make, data, form, index):
    X, Y, s = data
    X[200:400] = 0.0
    X = form(X)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    before = X.copy()
    for chunk in make(X, Y, s).map(lambda chunk: chunk):
        assert type(chunk.X) is form
        chunk.X.check_format(full_check=True)
    assert_array_equal(X.toarray(), before.toarray())


def test_rows_are_not_copied_into_chunks(make, data):
    X, Y, s = data
    for dense in (X, np.asfortranarray(X)):
        for chunk in make(dense, Y, s).map(lambda chunk: chunk):
            assert np.shares_memory(chunk.X, dense)
    X = csr_array(X)
    for chunk in make(X, Y, s).map(lambda chunk: chunk):
        assert np.shares_memory(chunk.X.data, X.data)


def test_data_that_may_not_be_written_to_can_be_used(make, data, rng):
    W = rng.standard_normal((N_FEATURES, 2))
    expected = make(*data).sum(moments, W)
    for array in data:
        array.setflags(write=False)
    for found, same in zip(make(*data).sum(moments, W), expected, strict=True):
        assert_array_equal(found, same)
