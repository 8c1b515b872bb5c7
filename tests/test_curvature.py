"""Curvature of the data, against explicit Kronecker products in centred coordinates."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._data import chunks as _chunks
from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.curvature import Curvature
from sksoftmax._objective.dense_hessian import dense_hessian, hessian_weights
from sksoftmax._objective.objective import Objective
from sksoftmax._utils.threads import Threads


class Problem(NamedTuple):
    """Data, and parameters W (n_features, K) and b at which curvature is asked for."""

    X: np.ndarray
    Y: np.ndarray
    s: np.ndarray
    W: np.ndarray
    b: np.ndarray

    @property
    def probabilities(self):
        E = np.exp(self.X @ self.W + self.b)
        return E / E.sum(axis=1, keepdims=True)

    @property
    def row_curvatures(self):
        """s_i (diag(p_i) - p_i p_i^T) of every row."""
        P = self.probabilities
        full = (
            np.einsum("ik,kl->ikl", P, np.eye(P.shape[1])) - P[:, :, None] * P[:, None]
        )
        return self.s[:, None, None] * full

    def design(self, ones, centred=True):
        """X minus its weighted means, beside ones."""
        X = self.X
        if not ones:
            return X
        if centred:
            X = X - np.average(X, axis=0, weights=self.s)
        return np.column_stack([X, np.ones(len(X))])


@pytest.fixture(params=[2, 4], ids=["two classes", "four classes"])
def problem(request, rng):
    n_rows, n_features, n_classes = 300, 3, request.param
    X = rng.normal([0.0, 5.0, -2.0], size=(n_rows, n_features))
    Y = rng.dirichlet(np.ones(n_classes), size=n_rows)
    s = rng.uniform(0.2, 3.0, size=n_rows)
    W = rng.normal(size=(n_features, n_classes))
    return Problem(X, Y, s, W, rng.normal(size=n_classes) - W.T @ [0.0, 5.0, -2.0])


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 2**13)


def curvature_of(problem, ones=True, store=np.asarray):
    """The room, and the Hessian at the problem's W and b."""
    network = Network(problem.W.shape, ACTIVATIONS["relu"], ones)
    objective = Objective(
        network,
        Chunks(store(problem.X), problem.Y, problem.s, Threads()),
        L2Penalty(np.zeros(network.n_params)),
        problem.s.sum(),
    )
    w = network.pack([(problem.W, problem.b)])
    return Curvature(objective), objective.value_grad_hessp(w)[2]


def kronecker(A, curvatures):
    """Sum of C_i (x) a_i a_i^T, classes outside, without the last class."""
    return sum(
        np.kron(C[:-1, :-1], np.outer(a, a)) for a, C in zip(A, curvatures, strict=True)
    )


def without_intercept(problem):
    return problem._replace(b=np.zeros_like(problem.b))


def test_the_centre_holds_weighted_means(problem):
    curvature, _ = curvature_of(problem)
    means = np.average(problem.X, axis=0, weights=problem.s)
    assert_allclose(curvature.centre, means, rtol=1e-12)


@pytest.mark.parametrize("constant", [0.1, 1e6 / 3, -1e-7])
def test_a_constant_column_has_next_to_no_curvature_after_centring(problem, constant):
    X = problem.X.copy()
    X[:, 1] = constant
    curvature, hessian = curvature_of(problem._replace(X=X, W=0 * problem.W))
    diagonal = curvature.diagonal(hessian)
    assert (diagonal[1] <= 1e-15 * constant**2 * diagonal[-1]).all()


@pytest.mark.parametrize("ones", [True, False])
def test_dense_is_the_sum_of_kronecker_products(problem, ones):
    if not ones:
        problem = without_intercept(problem)
    curvature, hessian = curvature_of(problem, ones)
    expected = kronecker(problem.design(ones), problem.row_curvatures)
    assert_allclose(curvature.dense(hessian), expected, rtol=1e-9, atol=1e-9)


def test_dense_of_sparse_rows_is_not_centred(problem):
    curvature, hessian = curvature_of(problem, store=scipy.sparse.csr_array)
    expected = kronecker(problem.design(True, centred=False), problem.row_curvatures)
    assert_allclose(curvature.dense(hessian), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ones", [True, False])
@pytest.mark.parametrize("centred", [True, False])
def test_diagonal_is_that_of_the_kronecker_products(problem, ones, centred):
    if not ones:
        problem = without_intercept(problem)
    curvature, hessian = curvature_of(problem, ones)
    own = np.einsum("ikk->ik", problem.row_curvatures)
    expected = np.square(problem.design(ones, centred)).T @ own
    assert_allclose(curvature.diagonal(hessian, centred=centred), expected, rtol=1e-10)


def test_hessian_weights_are_the_own_curvature_of_each_class(problem):
    sP = problem.s[:, None] * problem.probabilities
    own = np.einsum("ikk->ik", problem.row_curvatures)
    assert_allclose(hessian_weights(sP, problem.s), own, rtol=1e-10)


def test_all_rows_drawn_are_the_rows_themselves(problem):
    curvature, hessian = curvature_of(problem)
    A, sP, s = curvature.draw(hessian, None)
    assert_allclose(A, problem.design(True), atol=1e-12)
    assert_allclose(sP, problem.s[:, None] * problem.probabilities, rtol=1e-10)
    assert_array_equal(s, problem.s)


def test_columns_that_were_asked_for_are_drawn(problem):
    curvature, hessian = curvature_of(problem)
    A, _, _ = curvature.draw(hessian, None, features=np.array([0, 2, 3]))
    assert_allclose(A, problem.design(True)[:, [0, 2, 3]], atol=1e-12)


def sampled_hessian(curvature, hessian, n_rows):
    A, sP, s = curvature.draw(hessian, n_rows)
    return dense_hessian(Threads(), A, sP, s), s.size


def test_hessians_of_samples_average_to_that_of_all_rows(problem):
    curvature, hessian = curvature_of(problem)
    exact = curvature.dense(hessian)
    samples = [sampled_hessian(curvature, hessian, 60)[0] for _ in range(400)]
    mean, spread = np.mean(samples, axis=0), np.std(samples, axis=0) / np.sqrt(400)
    # Systematic samples are no independent ones; 6 standard errors leave room for that.
    assert (np.abs(mean - exact) <= 6 * spread + 1e-9 * np.abs(exact)).all()


def test_samples_are_of_about_the_size_that_was_asked_for(problem):
    curvature, hessian = curvature_of(problem)
    sizes = [sampled_hessian(curvature, hessian, 60)[1] for _ in range(50)]
    # Rows of more than their share are drawn once, so there may be fewer.
    assert max(sizes) <= 75
    assert 40 <= np.mean(sizes) <= 62


def test_hessians_of_samples_are_spectrally_near_that_of_all_rows(problem):
    """Eigenvalues of H_sample relative to H lie around 1, within sqrt(q / m) or so."""
    curvature, hessian = curvature_of(problem)
    L = np.linalg.cholesky(curvature.dense(hessian))
    for _ in range(20):
        sample, n_rows = sampled_hessian(curvature, hessian, 150)
        relative = np.linalg.solve(L, np.linalg.solve(L, sample).T)
        values = np.linalg.eigvalsh(relative)
        reach = 3.0 * np.sqrt(len(L) / n_rows)
        assert values.min() > max(1.0 - reach, 0.1)
        assert values.max() < 1.0 + reach


def test_a_rare_class_is_in_every_sample(rng):
    n_rows = 5000
    X = rng.normal(size=(n_rows, 2))
    rare = np.arange(n_rows) % 2500 == 7
    Y = np.eye(3)[np.where(rare, 2, rng.integers(0, 2, size=n_rows))]
    # Confident about which rows are rare: all curvature of that class is in few rows.
    X = np.column_stack([X, rare])
    W = np.zeros((3, 3))
    W[2, 2] = 12.0
    problem = Problem(X, Y, np.ones(n_rows), W, np.array([0.0, 0.0, -10.0]))
    curvature, hessian = curvature_of(problem)
    for _ in range(10):
        A, _, _ = curvature.draw(hessian, 200)
        assert (A[:, 2] > 0.5).sum() == 2


def test_the_least_diagonal_is_a_thousandth_of_independent_curvature(problem):
    curvature, hessian = curvature_of(problem)
    _, sP, s = curvature.draw(hessian, 100)
    weights = hessian_weights(sP, s)
    means = np.average(problem.X, axis=0, weights=problem.s)
    variances = np.average((problem.X - means) ** 2, axis=0, weights=problem.s)
    expected = 1e-3 * np.outer(variances, weights.sum(axis=0))
    assert_allclose(curvature.least_diagonal(weights)[:-1], expected, rtol=1e-10)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_rows_are_added_up_alike_by_any_number_of_threads(problem, n_threads):
    sP = problem.s[:, None] * problem.probabilities
    repeated = [np.tile(part, (20, 1)) for part in (problem.design(True), sP)]
    s = np.tile(problem.s, 20)
    threads = Threads(n_threads)
    H = dense_hessian(threads, *repeated, s)
    threads.close()
    expected = 20 * kronecker(problem.design(True), problem.row_curvatures)
    assert_allclose(H, expected, rtol=1e-9, atol=1e-8)
    assert_array_equal(H, dense_hessian(Threads(), *repeated, s))
