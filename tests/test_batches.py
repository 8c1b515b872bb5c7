"""The rows of mini-batches: what is taken is what was asked for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax._batches import batch_rows


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
