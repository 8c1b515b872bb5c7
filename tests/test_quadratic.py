"""Models in some entries: the Hessian as a matrix and as products, by derivatives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.sparse_penalties import ElasticNetPenalty, GroupPenalty
from sksoftmax._objective import sparse as _sparse_objective
from sksoftmax._objective.quadratic import DenseModel, FreeModel
from sksoftmax._objective.sparse import SparseObjective
from sksoftmax._utils.threads import Threads

PENALTIES = {"l1": ElasticNetPenalty, "grouped": GroupPenalty}
ENTRIES = np.array([3, 4, 5, 9, 10, 11])  # two of four features, all classes


@pytest.fixture(params=[True, False], ids=["intercepts", "no_intercepts"])
def fit_intercept(request):
    return request.param


def problem(rng, fit_intercept, make=ElasticNetPenalty, *, sparse=False):
    """An objective of 4 features and 3 classes, a w, and entries with intercepts."""
    X = rng.standard_normal((50, 4)) + np.array([0.0, 3.0, -2.0, 100.0])
    X = csr_array(X) if sparse else X
    Y, s = rng.dirichlet(np.ones(3), 50), rng.uniform(0.5, 2.0, 50)
    network = Network((4, 3), ACTIVATIONS["identity"], fit_intercept)
    objective = SparseObjective(
        network,
        Chunks(X, Y, s, Threads()),
        make(0.3, 0.6, n_classes=3, n_weights=12),
        float(s.sum()),
    )
    w = 0.01 * rng.standard_normal(network.n_params)
    return objective, w, np.append(ENTRIES, np.arange(12, w.size))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", [DenseModel, FreeModel])
def test_products_are_those_of_the_hessian(
    rng, kind, fit_intercept, sparse, finite_differences
):
    objective, w, entries = problem(rng, fit_intercept, sparse=sparse)
    _, grad, hessian = objective.value_grad_hessp(w)
    model = kind(objective, hessian, entries)
    H = finite_differences(lambda v: objective.value_and_grad(v)[1], w, step=1e-5)
    p, q = rng.standard_normal((2, entries.size))
    d, e = model.leave(p), model.leave(q)
    assert_allclose(q @ model.product(p), e @ H @ d, rtol=1e-6)
    assert_allclose(model.enter(grad) @ p, grad @ d, rtol=1e-10)
    assert_allclose(d[ENTRIES], p[:6])
    diagonal = [v @ model.product(v) for v in np.eye(entries.size)]
    assert_allclose(model.diagonal, diagonal, rtol=1e-10)


@pytest.mark.parametrize("make", PENALTIES.values(), ids=PENALTIES)
def test_solutions_solve_the_system_of_the_free_entries(rng, make, fit_intercept):
    objective, w, entries = problem(rng, fit_intercept, make)
    hessian = objective.value_grad_hessp(w)[2]
    free = np.ones(entries.size, dtype=bool)
    free[:3] = False
    u, rhs = rng.standard_normal(6), rng.standard_normal(entries.size - 3)
    # Along the sum of all classes the Hessian is zero; no gradient has a part of it.
    rhs[3:] -= rhs[3:].mean() if fit_intercept else 0.0
    dense = DenseModel(objective, hessian, entries)
    d = dense.solve(free, rhs, objective.penalty, u, 1e-11)
    full = np.zeros(entries.size)
    full[free] = d
    product = dense.product(full)[free]
    product[:3] += objective.penalty.curvature_times(u[3:], d[:3])
    # The model adds 1e-11 of the diagonal, which without intercepts has 100^2 in it.
    assert_allclose(product, rhs, atol=1e-6)
    by_products = FreeModel(objective, hessian, entries)
    close = by_products.solve(free, rhs, objective.penalty, u, 1e-11)
    full[free] = close
    product = dense.product(full)[free]
    product[:3] += objective.penalty.curvature_times(u[3:], close[:3])
    assert np.linalg.norm(product - rhs) < 0.1 * np.linalg.norm(rhs)


@pytest.mark.parametrize("grouped", [False, True])
def test_products_lead_to_the_same_fit_as_matrices(rng, grouped, monkeypatch):
    X = rng.standard_normal((300, 30)) * 10.0 ** rng.uniform(-1, 1, 30)
    y = np.argmax(X[:, :4] + 3 * rng.gumbel(size=(300, 4)), axis=1)
    model = SoftmaxRegressionClassifier(alpha=0.01, l1_ratio=1.0, grouped=grouped)
    with_matrix = model.fit(X, y).coef_
    monkeypatch.setattr(_sparse_objective, "_LARGEST_MATRIX", 0)
    with_products = model.fit(X, y).coef_
    assert model.converged_
    assert_allclose(with_products, with_matrix, atol=1e-6)
    assert np.array_equal(with_products == 0.0, with_matrix == 0.0)


def test_restricted_objectives_are_the_objective_with_zeros(rng, fit_intercept):
    objective, w, _ = problem(rng, fit_intercept)
    features = np.array([1, 3])
    part, places = objective.restricted(features), objective.entries(features)
    full = np.zeros_like(w)
    full[places] = w[places]
    value, grad = objective.value_and_grad(full)
    part_value, part_grad = part.value_and_grad(w[places])
    assert_allclose(part_value, value, rtol=1e-14)
    assert_allclose(part_grad, grad[places], atol=1e-12)


def test_the_best_intercepts_have_no_gradient_and_lower_f(rng):
    objective, w, _ = problem(rng, True)
    w[-3:] = [3.0, -1.0, 0.0]
    best, value, grad, _ = objective.at_best_intercepts(w)
    assert np.abs(grad[-3:]).max() < 1e-13
    assert value < objective.value(w)
    assert_allclose(best[:12], w[:12])


def test_intercepts_are_found_where_a_whole_step_leaves_no_probability(rng):
    """Far from the minimum the first class has all of it, and little curvature."""
    objective, w, _ = problem(rng, True)
    w[12:] = [800.0, 0.0, 0.0]
    best = objective.at_best_intercepts(w)  # a RuntimeWarning would be an error
    assert np.isfinite(best.value)
    assert best.value <= objective.value(w)


def test_the_curvature_of_certain_classes_keeps_its_digits(rng):
    """Where p is 1 - 1e-13, p - p^2 in double precision has three digits."""
    objective, _, entries = problem(rng, True, ElasticNetPenalty)
    w = np.zeros(objective.network.n_params)
    w[12] = 30.0  # the first class, by its intercept, to within 2e-13
    _, _, hessian = objective.value_grad_hessp(w)
    model = DenseModel(objective, hessian, entries)
    logits = np.array([30, 0, 0], np.longdouble)
    p = np.exp(logits) / np.exp(logits).sum()
    curvature = np.diag(p) - np.outer(p, p)
    place = [list(entries).index(12 + k) for k in range(3)]
    found = model.matrix[np.ix_(place, place)]
    assert_allclose(found, curvature.astype(float), rtol=1e-6)
