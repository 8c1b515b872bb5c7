"""The softmax Hessian as a matrix, against finite differences of the gradient."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._data import chunks as _chunks
from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective import dense_hessian as _dense_hessian
from sksoftmax._objective.dense_hessian import (
    CentredRows,
    chunk_dense_hessian,
    dense_hessian,
    hessian_weights,
    row_slices,
    weighted_gram,
)
from sksoftmax._objective.objective import Objective
from sksoftmax._utils.threads import Threads

N_ROWS, N_FEATURES = 60, 3


def objective_of(rng, n_logits, store=np.asarray, fit_intercept=True):
    """Weights, soft labels, and several chunks of rows."""
    n_classes = max(n_logits, 2)
    network = Network((N_FEATURES, n_logits), ACTIVATIONS["identity"], fit_intercept)
    chunks = Chunks(
        store(rng.normal(size=(N_ROWS, N_FEATURES))),
        rng.dirichlet(np.ones(n_classes), size=N_ROWS),
        rng.uniform(0.2, 3.0, size=N_ROWS),
        Threads(),
    )
    penalty = L2Penalty(np.zeros(network.n_params))
    return Objective(network, chunks, penalty, 1.0), rng.normal(size=network.n_params)


@pytest.fixture(autouse=True)
def several_chunks_and_slices(monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 2**10)
    monkeypatch.setattr(_dense_hessian, "_CACHE_ENTRIES", 2**7)


def expected_hessian(objective, w, finite_differences):
    """By class and then by column, shape (K q, K q)."""
    H = finite_differences(lambda v: objective.value_and_grad(v)[1], w, step=1e-3)
    by_class = np.arange(w.size).reshape(-1, objective.network.n_units[-1]).T.ravel()
    return H[np.ix_(by_class, by_class)]


def of_chunks(objective, w, rows_of, entries=None):
    hessian = objective.value_grad_hessp(w)[2]
    return objective.chunks.sum(chunk_dense_hessian, hessian.states, rows_of, entries)


@pytest.mark.parametrize("n_logits", [1, 2, 3, 5])
@pytest.mark.parametrize("store", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_it_is_the_derivative_of_the_gradient_without_the_last_class(
    rng, n_logits, store, fit_intercept, finite_differences
):
    objective, w = objective_of(rng, n_logits, store, fit_intercept)
    rows_of = CentredRows(None, np.zeros(N_FEATURES), fit_intercept)
    H = of_chunks(objective, w, rows_of)
    expected = expected_hessian(objective, w, finite_differences)
    assert_allclose(H, expected[: len(H), : len(H)], atol=1e-8)
    n_free = objective.network.n_free_logits
    assert H.shape == 2 * (n_free * rows_of.n_columns,)


@pytest.mark.parametrize("n_logits", [2, 3, 5])
def test_chosen_entries_have_the_same_derivatives(rng, n_logits, finite_differences):
    objective, w = objective_of(rng, n_logits)
    chosen = np.flatnonzero(rng.random(w.size) < 0.7)
    columns, classes = divmod(chosen, n_logits)
    rows_of = CentredRows(None, np.zeros(N_FEATURES), True)
    H = finite_differences(lambda v: objective.value_and_grad(v)[1], w, step=1e-3)
    found = of_chunks(objective, w, rows_of, (columns, classes))
    assert_allclose(found, H[np.ix_(chosen, chosen)], atol=1e-8)


def test_only_the_columns_that_are_asked_for_are_read_and_centred(
    rng, finite_differences
):
    objective, w = objective_of(rng, 3)
    centre = rng.normal(size=2)
    rows_of = CentredRows(np.array([0, 2]), centre, True)
    entries = np.tile(np.arange(3), 3), np.repeat(np.arange(3), 3)
    H = finite_differences(lambda v: objective.value_and_grad(v)[1], w, step=1e-3)
    kept = [[0, 2, 3][column] * 3 + k for column, k in zip(*entries, strict=True)]
    M = np.kron(np.eye(3), [[1, 0, 0], [0, 1, 0], [*-centre, 1]])  # b - centre . W
    expected = M.T @ H[np.ix_(kept, kept)] @ M
    assert_allclose(of_chunks(objective, w, rows_of, entries), expected, atol=1e-7)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_rows_that_are_at_hand_give_the_same_matrix(rng, n_threads):
    objective, w = objective_of(rng, 4)
    rows_of = CentredRows(None, np.zeros(N_FEATURES), True)
    hessian = objective.value_grad_hessp(w)[2]
    sP = np.concatenate([state[1] for state in hessian.states])
    threads = Threads(n_threads)
    H = dense_hessian(threads, rows_of(objective.chunks.X), sP, sP.sum(axis=1))
    threads.close()
    assert_allclose(H, of_chunks(objective, w, rows_of), atol=1e-12)


def test_rows_that_are_all_but_certain_keep_their_digits_in_chosen_entries():
    """p (1 - p) of 1 - p = 2e-13 and less; p - p^2 would have three digits or none."""
    odds = np.longdouble(10.0) ** -np.array([[0, 13, 20], [14, 0, 30], [18, 12, 0]])
    P = odds / odds.sum(axis=1, keepdims=True)
    s = np.array([0.5, 1.0, 3.0])
    sP = (s[:, None] * P).astype(np.float64)
    chunk = Chunks(np.ones((3, 1)), np.eye(3), s, Threads()).map(lambda chunk: chunk)[0]
    entries = np.zeros(3, dtype=int), np.arange(3)
    rows_of = CentredRows(None, np.zeros(1), False)
    for number in range(3):
        alone = chunk._replace(
            X=chunk.X[[number]], sY=chunk.sY[[number]], s=chunk.s[[number]]
        )
        H = chunk_dense_hessian(alone, (None, sP[[number]]), rows_of, entries)
        p = P[number]
        others = np.array([np.delete(p, k).sum() for k in range(3)])
        expected = -np.outer(p, p)
        np.fill_diagonal(expected, p * others)
        assert_allclose(H, (s[number] * expected).astype(np.float64), rtol=1e-12)


def test_hessian_weights_are_the_diagonal_in_logits(rng):
    P, s = rng.dirichlet(np.ones(4), size=7), rng.uniform(0.2, 3.0, size=7)
    expected = [
        w * np.diag(np.diag(p) - np.outer(p, p)) for p, w in zip(P, s, strict=True)
    ]
    assert_allclose(hessian_weights(s[:, None] * P, s), expected)


def test_the_gram_matrix_sums_weighted_products(rng):
    X, weights = rng.normal(size=(8, 3)), rng.random(8)
    expected = sum(w * np.outer(x, x) for x, w in zip(X, weights, strict=True))
    assert_allclose(weighted_gram(X, weights), expected)


@pytest.mark.parametrize(("least", "most"), [(1, np.inf), (50, np.inf), (4, 8)])
def test_slices_take_every_row_once_within_the_limits(least, most):
    slices = row_slices(100, 10, least=least, most=most)
    rows = np.concatenate([np.arange(100)[part] for part in slices])
    assert_array_equal(rows, np.arange(100))
    sizes = [part.stop - part.start for part in slices[:-1]]
    assert all(least <= size <= most for size in sizes)
