"""The space of the rows: the same problem in fewer coordinates, whatever the units."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax._fit.row_space import RowSpace

N_ROWS, N_FEATURES = 12, 50


@pytest.fixture
def X(rng):
    return rng.standard_normal((N_ROWS, N_FEATURES))


def scaled(X, factor):
    """X with one column in another unit."""
    X = X.copy()
    X[:, 0] *= factor
    return X


# Powers of ten between a unit and another; timestamps in seconds are near 1e9.
each_factor = pytest.mark.parametrize("factor", [1.0, 1e-6, 1e3, 1e6, 1e9])


@each_factor
def test_coordinates_keep_the_products_of_rows(X, factor):
    X = scaled(X, factor)
    A = RowSpace(X).coordinates
    assert A.shape[1] <= N_ROWS
    norms = np.linalg.norm(X, axis=1)
    expected = X @ X.T / np.outer(norms, norms)
    assert_allclose(A @ A.T / np.outer(norms, norms), expected, atol=1e-12)


@each_factor
def test_expanded_weights_have_the_same_logits_and_the_same_norm(rng, X, factor):
    X = scaled(X, factor)
    space = RowSpace(X)
    V = rng.standard_normal((space.coordinates.shape[1], 3))
    W = space.expand_weights(V)
    assert W.shape == (N_FEATURES, 3)
    assert_allclose(X @ W, space.coordinates @ V, rtol=1e-7, atol=1e-7)
    assert_allclose(np.linalg.norm(W, axis=0), np.linalg.norm(V, axis=0), rtol=1e-7)


@each_factor
def test_no_direction_that_tells_rows_apart_is_lost(X, factor):
    # Rows are independent, so any values at all are the logits of some weights.
    A = RowSpace(scaled(X, factor)).coordinates
    V, *_ = np.linalg.lstsq(A, np.eye(N_ROWS), rcond=1e-14)
    assert_allclose(A @ V, np.eye(N_ROWS), atol=1e-4)


def test_reducing_takes_expanded_weights_back(rng, X):
    space = RowSpace(X)
    V = rng.standard_normal((space.coordinates.shape[1], 3))
    assert_allclose(space.reduce_weights(space.expand_weights(V)), V, atol=1e-12)


def test_other_rows_get_the_logits_that_expanded_weights_give_them(rng, X):
    space = RowSpace(X)
    V = rng.standard_normal((space.coordinates.shape[1], 3))
    others = rng.standard_normal((5, N_FEATURES))
    assert_allclose(space.reduce_data(X), space.coordinates, atol=1e-12)
    expected = others @ space.expand_weights(V)
    assert_allclose(space.reduce_data(others) @ V, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_repeated_rows_and_rows_of_zeros_do_no_harm(rng, X, dtype):
    X = np.vstack([X, X[:5], np.zeros((2, N_FEATURES))]).astype(dtype)
    space = RowSpace(X)
    V = rng.standard_normal((N_ROWS + 7, 3))
    assert_allclose(X @ space.expand_weights(V), space.coordinates @ V, atol=1e-5)
