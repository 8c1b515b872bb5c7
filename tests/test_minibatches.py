"""The rows of mini-batches: what is taken is what was asked for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax._data import minibatches as _batches
from sksoftmax._data.minibatches import (
    Inputs,
    WindowedRows,
    batch_rows,
)
from sksoftmax._data.row_view import take_scaled


@pytest.fixture(params=[np.asarray, np.asfortranarray, csr_array])
def store(request):
    return request.param


def unscaled(n_features, *, ones=False):
    return Inputs(np.zeros(n_features), np.ones(n_features), np.dtype(float), ones)


SCALED = {
    "unscaled": unscaled(4),
    "with ones": unscaled(4, ones=True),
    "scaled": unscaled(4)._replace(factor=np.array([2.0, 0.0, 0.5, 1.0])),
    "centred": Inputs(
        np.array([0.5, -1.0, 0.0, 3.0]),
        np.array([2.0, 0.0, 0.5, 1.0]),
        np.dtype(float),
        True,
    ),
}
each_scaling = pytest.mark.parametrize("inputs", SCALED.values(), ids=SCALED)


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((30, 4)) * (rng.random((30, 4)) < 0.7)
    X[:, 3] = 3.0 + rng.standard_normal(30)  # every entry of a sparse one is stored
    return X, rng.dirichlet(np.ones(3), size=30), rng.uniform(0.5, 2.0, size=30)


def plain_inputs(X, inputs):
    """The inputs of the first layer, by formula."""
    U = (X - inputs.centre) * inputs.factor
    return np.hstack([U, np.ones((len(U), 1))]) if inputs.ones else U


@pytest.mark.parametrize("n_rows", [0, 1, 9])
@pytest.mark.parametrize("n_features", [0, 1, 13])
@pytest.mark.parametrize("ones", [True, False])
@pytest.mark.parametrize(
    "dtypes", [(float, float), (np.float32, np.float32), (np.float32, float)], ids=str
)
def test_scaled_rows_are_those_of_numpy(rng, n_rows, n_features, ones, dtypes):
    X = (1e4 + rng.standard_normal((20, n_features))).astype(dtypes[0])
    X.flags.writeable = False  # as a file that is mapped
    rows = rng.integers(20, size=n_rows)
    centre = 1e4 + rng.standard_normal(n_features)
    factor = rng.uniform(0.5, 2.0, n_features)
    out = np.ones((n_rows, n_features + ones), dtypes[1])
    take_scaled(X, rows, centre, factor, out)
    expected = ((X[rows].astype(float) - centre) * factor).astype(dtypes[1])
    assert_array_equal(out[:, :n_features], expected)
    assert (out[:, n_features:] == 1.0).all()


@each_scaling
def test_taken_are_the_rows_asked_for_with_weighted_targets(rows, store, inputs):
    X, Y, s = rows
    held = batch_rows(store(X), Y, s, inputs)
    chosen = np.array([7, 29, 0, 7])
    targets = np.empty((4, 4))
    taken = held.take(chosen, held.buffer(4), targets)
    assert_array_equal(targets, np.vstack([(Y * s[:, None])[chosen].T, s[chosen]]))
    n_inputs = 4 + inputs.ones
    product = np.empty((n_inputs, 4))
    held.product(taken, np.eye(n_inputs), product)
    assert_allclose(product.T, plain_inputs(X[chosen], inputs), atol=1e-14)


@each_scaling
def test_products_are_those_of_matrices(rng, rows, store, inputs):
    X, Y, s = rows
    held = batch_rows(store(X), Y, s, inputs)
    U = plain_inputs(X, inputs)
    taken = held.take(np.arange(30), held.buffer(30), np.empty((4, 30)))
    W, dZ = rng.standard_normal((U.shape[1], 5)), rng.standard_normal((5, 30))
    product, transposed = np.empty((5, 30)), np.empty(W.shape)
    held.product(taken, W, product)
    held.transposed_product(taken, dZ, transposed)
    assert_allclose(product, (U @ W).T, atol=1e-13)
    assert_allclose(transposed, U.T @ dZ.T, atol=1e-13)


def test_offsets_cancel_before_they_are_rounded_to_single(rng, store):
    """Of sparse rows in columns of which every entry is stored."""
    X = (1e4 + rng.standard_normal((50, 3))).astype(np.float32)
    centre = X.astype(float).mean(axis=0)
    inputs = Inputs(centre, np.ones(3), np.dtype(np.float32), True)
    held = batch_rows(store(X), np.ones((50, 1)), np.ones(50), inputs)
    targets = np.empty((2, 50), np.float32)
    taken = held.take(np.arange(50), held.buffer(50), targets)
    product = np.empty((4, 50), np.float32)
    held.product(taken, np.eye(4, dtype=np.float32), product)
    assert_allclose(product[:3].T, X - centre, rtol=1e-6, atol=1e-6)


def test_the_rows_themselves_are_not_copied(rows):
    X, Y, s = rows
    held = batch_rows(X, Y, s, SCALED["centred"])
    assert np.shares_memory(held.X, X)
    sparse = csr_array(X)
    assert batch_rows(sparse, Y, s, SCALED["centred"]).X is sparse


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

    return WindowedRows(parts, sum(sizes), numbered(0, store), unscaled(1))


def epoch_of(rows, batch_size, shuffle):
    """The numbers of the rows of each mini-batch of an epoch."""
    batches = []
    rng = np.random.default_rng(0)
    for order in rows.orders(rng, shuffle=shuffle, batch_size=batch_size):
        for start in range(0, order.size, batch_size):
            chosen = order[start : start + batch_size]
            targets = np.empty((2, chosen.size))
            batch = rows.take(chosen, rows.buffer(chosen.size), targets)
            product = np.empty((1, chosen.size))
            rows.product(batch, np.eye(1), product)
            assert_array_equal(product, targets[:1])
            batches.append(targets[0].copy())
    return batches


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
