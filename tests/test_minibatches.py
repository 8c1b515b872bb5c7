"""The rows of mini-batches: what is taken is what was asked for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax._data import minibatches as _batches
from sksoftmax._data.minibatches import WindowedRows, batch_rows


@pytest.fixture(params=[np.asarray, csr_array], ids=["dense", "sparse"])
def rows(rng, request):
    X = rng.standard_normal((30, 4)) * (rng.random((30, 4)) < 0.7)
    Y = rng.dirichlet(np.ones(3), size=30)
    s = rng.uniform(0.5, 2.0, size=30)
    return X, Y, s, batch_rows(request.param(X), Y, s, np.float64)


def test_taken_are_the_rows_asked_for_with_weighted_targets(rows):
    X, Y, s, held = rows
    chosen = np.array([7, 29, 0, 7])
    targets = np.empty((4, 4))
    taken = held.take(chosen, held.buffer(4), targets)
    assert_array_equal(csr_array(taken).toarray(), X[chosen])
    assert_array_equal(targets, np.vstack([(Y * s[:, None])[chosen].T, s[chosen]]))


def test_products_are_those_of_matrices(rng, rows):
    X, _, _, held = rows
    taken = held.take(np.arange(30), held.buffer(30), np.empty((4, 30)))
    W, dZ = rng.standard_normal((4, 5)), rng.standard_normal((5, 30))
    product, transposed = np.empty((5, 30)), np.empty((4, 5))
    held.product(taken, W, product)
    held.transposed_product(taken, dZ, transposed)
    assert_allclose(product, (X @ W).T, atol=1e-14)
    assert_allclose(transposed, X.T @ dZ.T, atol=1e-13)


# Windows


def numbered(n_rows, store):
    """Rows whose only feature is their number, and which are their own targets."""
    numbers = np.arange(1.0, n_rows + 1.0)[:, None]
    return store(numbers), numbers.copy(), np.ones(n_rows)


def windowed(sizes, store):
    """Rows that come in parts of these sizes."""

    def parts(rng):
        X, Y, s = numbered(sum(sizes), store)
        stops = np.cumsum(sizes)
        for size, stop in zip(sizes, stops, strict=True):
            part = slice(stop - size, stop)
            yield X[part], Y[part], s[part]

    return WindowedRows(parts, sum(sizes), numbered(0, store))


def epoch_of(rows, batch_size, shuffle):
    """The numbers of the rows of each mini-batch of an epoch."""
    batches = []
    rng = np.random.default_rng(0)
    for order in rows.orders(rng, shuffle=shuffle, batch_size=batch_size):
        for start in range(0, order.size, batch_size):
            chosen = order[start : start + batch_size]
            targets = np.empty((2, chosen.size))
            X = rows.take(chosen, rows.buffer(chosen.size), targets)
            assert_array_equal(csr_array(X).toarray().ravel(), targets[0])
            batches.append(targets[0].copy())
    return batches


@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("sizes", [[10] * 7, [3, 0, 50, 1, 1, 15], [70]])
@pytest.mark.parametrize("batch_size", [1, 8, 33, 70])
def test_an_epoch_has_every_row_once_in_whole_batches(
    monkeypatch, store, shuffle, sizes, batch_size
):
    monkeypatch.setattr(_batches, "LARGEST_WINDOW", 100)
    batches = epoch_of(windowed(sizes, store), batch_size, shuffle)
    seen = np.concatenate(batches)
    assert_array_equal(np.sort(seen), np.arange(1, 71))
    assert {batch.size for batch in batches[:-1]} <= {batch_size}
    if not shuffle:
        assert_array_equal(seen, np.arange(1, 71))


def test_rows_of_several_parts_are_shuffled_together(monkeypatch):
    monkeypatch.setattr(_batches, "LARGEST_WINDOW", 8 * 30)
    seen = np.concatenate(epoch_of(windowed([10] * 7, np.asarray), 10, True))
    first = seen[:30]
    assert_array_equal(np.sort(first), np.arange(1, 31))
    assert len({int(number - 1) // 10 for number in first[:10]}) == 3


def test_a_pass_with_other_rows_than_before_is_refused(monkeypatch):
    rows = windowed([5, 5], np.asarray)
    rows.n_rows = 12
    with pytest.raises(ValueError, match="first had 12"):
        epoch_of(rows, 4, False)
