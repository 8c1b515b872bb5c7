"""Preconditioners, against dense Hessians of their objectives.

The oracle is the Hessian as a matrix, column by column from products whose own oracle
is the difference quotient of the gradient (test_objective).
"""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective import inverses as _inverses
from sksoftmax._objective import preconditioners as _precondition
from sksoftmax._objective.inverses import (
    ClassBlocks,
    DenseFactor,
    Diagonal,
    Identity,
    SharedBlock,
)
from sksoftmax._objective.objective import Objective
from sksoftmax._objective.preconditioners import Preconditioner, Rung
from sksoftmax._solvers.cg import Accuracy, solve_newton_system
from sksoftmax._solvers.result import Iterate
from sksoftmax._utils.threads import Threads

KINDS = [Diagonal, SharedBlock, ClassBlocks, DenseFactor]
N_CLASSES = 3


def objective_of(X, alpha=1e-3, fit_intercept=True, n_classes=N_CLASSES, sizes=()):
    rng = np.random.default_rng(1)
    n_rows, n_features = X.shape
    network = Network(
        (n_features, *sizes, n_classes), ACTIVATIONS["tanh"], fit_intercept
    )
    Y = rng.dirichlet(np.ones(n_classes), size=n_rows)
    s = rng.uniform(0.2, 3.0, size=n_rows)
    penalty = L2Penalty(alpha * network.weight_mask())
    return Objective(network, Chunks(X, Y, s, Threads()), penalty, s.sum())


def start(objective, X):
    """Parameters whose logits are about as large as one."""
    rng = np.random.default_rng(2)
    dense = X.toarray() if scipy.sparse.issparse(X) else X
    centre = dense.mean(axis=0) if objective.network.fit_intercept else 0 * dense[0]
    size = np.sqrt(np.mean((dense - centre) ** 2, axis=0))
    W = rng.normal(size=(X.shape[1], N_CLASSES))
    W -= W.mean(axis=1, keepdims=True)
    W /= np.where(size > 0, size, 1.0)[:, None] * np.sqrt(X.shape[1])
    return objective.network.pack([(W, -(centre @ W))])


def plain(rng):
    return rng.normal(size=(200, 4))


def units_and_offsets(rng):
    return rng.normal([0, 10, 100, -1000], size=(200, 4)) * [1e-6, 1.0, 1e3, 1e6]


def collinear(rng):
    X = plain(rng)
    return np.column_stack([X, X[:, 0], X[:, 1] - X[:, 2]])


def constant(rng):
    return np.column_stack([plain(rng), np.full(200, 1.0), np.zeros(200)])


def more_features_than_rows(rng):
    return rng.normal(size=(12, 20))


def sparse(rng):
    return scipy.sparse.csr_array(plain(rng) * (rng.random((200, 4)) < 0.3))


DATA = [
    plain,
    units_and_offsets,
    collinear,
    constant,
    more_features_than_rows,
    sparse,
]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_data = pytest.mark.parametrize("make", DATA)


@pytest.fixture
def build(monkeypatch):
    """A preconditioner of one kind from some rows (all if None), and its Hessian."""

    def make(objective, w, kind, n_rows=None):
        rows = objective.chunks.n_rows if n_rows is None else n_rows
        ladder = [Rung(kind, rows, 1e9)], 1.0
        monkeypatch.setattr(_precondition, "_ladder", lambda objective: ladder)
        preconditioner = Preconditioner(objective)
        _, _, hessian = objective.value_grad_hessp(w)
        preconditioner.update(hessian)
        return preconditioner, hessian

    return make


def sum_zero_basis(objective):
    """Orthonormal columns that span the parameters whose rows sum to zero."""
    difference = np.eye(N_CLASSES) - 1.0 / N_CLASSES
    vectors = np.linalg.svd(difference)[0][:, :-1]
    return np.kron(np.eye(objective.network.n_params // N_CLASSES), vectors)


def matrix(fn, basis):
    return basis.T @ np.column_stack([fn(v) for v in basis.T])


def in_units(H, M_inverse):
    """Both in units that make the diagonal of H one (zeros stay)."""
    unit = np.sqrt(np.where(H.diagonal() > 0, H.diagonal(), 1.0))
    return H / np.outer(unit, unit), M_inverse * np.outer(unit, unit)


@each_kind
@each_data
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solve_is_symmetric_and_not_negative_on_the_sum_zero_space(
    rng, build, kind, make, alpha, fit_intercept
):
    X = make(rng)
    objective = objective_of(X, alpha, fit_intercept)
    preconditioner, hessian = build(objective, start(objective, X), kind)
    basis = sum_zero_basis(objective)
    _, M_inverse = in_units(matrix(hessian, basis), matrix(preconditioner.solve, basis))
    assert_allclose(M_inverse, M_inverse.T, atol=1e-6 * np.abs(M_inverse).max())
    values = np.linalg.eigvalsh((M_inverse + M_inverse.T) / 2)
    assert values.min() >= -1e-6 * values.max()


@each_kind
@pytest.mark.parametrize("make", [plain, units_and_offsets, sparse])
def test_solve_is_positive_where_the_hessian_is(rng, build, kind, make):
    X = make(rng)
    objective = objective_of(X)
    preconditioner, hessian = build(objective, start(objective, X), kind)
    basis = sum_zero_basis(objective)
    _, M_inverse = in_units(matrix(hessian, basis), matrix(preconditioner.solve, basis))
    assert np.linalg.eigvalsh((M_inverse + M_inverse.T) / 2).min() > 0


@each_kind
@each_data
def test_what_all_classes_share_is_left_out(rng, build, kind, make):
    """It changes no probability, and in the gauge it is rounding."""
    X = make(rng)
    objective = objective_of(X, alpha=0.1)
    preconditioner, _ = build(objective, start(objective, X), kind)
    R = rng.normal(size=(X.shape[1] + 1, N_CLASSES))
    R -= R.mean(axis=1, keepdims=True)
    solution = preconditioner.solve(R.ravel())
    shared = rng.normal(size=(len(R), 1))
    again = preconditioner.solve((R + shared).ravel())
    assert_allclose(again, solution, rtol=1e-7, atol=1e-9 * np.abs(solution).max())
    largest = np.abs(solution.reshape(R.shape)).max(axis=1)
    sums = solution.reshape(R.shape).sum(axis=1)
    assert_allclose(sums[:-1] / largest[:-1], 0.0, atol=1e-12)


@each_data
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_what_says_it_is_exact_inverts_the_hessian(
    rng, build, make, alpha, fit_intercept
):
    X = make(rng)
    objective = objective_of(X, alpha, fit_intercept)
    preconditioner, hessian = build(objective, start(objective, X), DenseFactor)
    assert preconditioner.is_exact
    basis = sum_zero_basis(objective)
    diagonal = np.array([e @ hessian(e) for e in np.eye(len(basis))])
    unit = np.repeat(diagonal.reshape(-1, N_CLASSES).mean(axis=1), N_CLASSES) ** 0.5
    v = basis @ rng.normal(size=basis.shape[1]) / np.where(unit > 0, unit, 1.0)
    right = hessian(v)
    solution = preconditioner.solve(right)
    error = solution - v
    # In the norm of the Hessian, in which null directions do not count.
    assert error @ hessian(error) <= 1e-10 * (v @ right)
    assert_allclose(right @ solution, right @ v, rtol=1e-6)


@each_data
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_an_exact_step_solves_the_newton_system(rng, make, fit_intercept):
    X = make(rng)
    objective = objective_of(X, 1e-2, fit_intercept)
    preconditioner = Preconditioner(objective)
    now = Iterate.at(objective, start(objective, X))
    step = preconditioner.exact_step(now)
    assert step is not None
    left = now.grad + now.hessian(step)
    before, after = (float(r @ preconditioner_of(now, r)) for r in (now.grad, left))
    assert after <= 1e-16 * before


def preconditioner_of(now, r):
    """r over the diagonal of the Hessian, zero where that is zero."""
    diagonal = np.array([e @ now.hessian(e) for e in np.eye(r.size)])
    return np.divide(r, diagonal, out=np.zeros_like(r), where=diagonal > 0)


def test_there_is_no_exact_step_by_a_singular_hessian(rng):
    X = np.repeat(rng.normal(size=(200, 2)), 2, axis=1)
    objective = objective_of(X, 0.0)
    now = Iterate.at(objective, start(objective, X))
    assert Preconditioner(objective).exact_step(now) is None


def test_there_is_no_exact_step_where_a_factor_is_dear(rng):
    X = rng.normal(size=(500, 150))
    objective = objective_of(X)
    now = Iterate.at(objective, start(objective, X))
    assert Preconditioner(objective).exact_step(now) is None


@pytest.mark.parametrize("kind", [Diagonal, SharedBlock, ClassBlocks])
def test_weaker_kinds_do_not_say_that_they_are_exact(rng, build, kind):
    X = plain(rng)
    objective = objective_of(X)
    assert not build(objective, start(objective, X), kind)[0].is_exact


def test_a_sample_does_not_say_that_it_is_exact(rng, build):
    X = rng.normal(size=(2000, 4))
    objective = objective_of(X)
    preconditioner, _ = build(objective, start(objective, X), DenseFactor, 400)
    assert not preconditioner.is_exact


def test_another_hessian_is_no_longer_inverted_exactly(rng, build):
    X = plain(rng)
    objective = objective_of(X)
    w = start(objective, X)
    preconditioner, _ = build(objective, w, DenseFactor)
    _, _, elsewhere = objective.value_grad_hessp(0.1 * w)
    preconditioner.update(elsewhere)
    v = sum_zero_basis(objective) @ rng.normal(size=10)
    exact = np.allclose(preconditioner.solve(elsewhere(v)), v, rtol=1e-6)
    assert preconditioner.is_exact == exact


@pytest.mark.parametrize(
    ("kind", "most"),
    [(Diagonal, 1e9), (SharedBlock, 20.0), (ClassBlocks, 10.0), (DenseFactor, 2.0)],
)
def test_stronger_kinds_leave_less_to_conjugate_gradients(rng, build, kind, most):
    """Condition numbers of M^-1 H for correlated features in different units."""
    mix = rng.normal(size=(6, 6)) * np.logspace(-3, 3, 6)
    X = rng.normal(size=(3000, 6)) @ mix
    objective = objective_of(X, alpha=0.0)
    n_rows = None if kind is Diagonal else 1500
    preconditioner, hessian = build(objective, start(objective, X), kind, n_rows)
    basis = sum_zero_basis(objective)
    H, M_inverse = in_units(matrix(hessian, basis), matrix(preconditioner.solve, basis))
    values = np.sort(np.linalg.eigvals(M_inverse @ H).real)
    assert values[0] > 0
    assert values[-1] / values[0] < most


@pytest.mark.parametrize("rows", [1.0, 1e6])
def test_the_diagonal_is_scaled_out_whatever_the_units(rng, build, rows):
    X = plain(rng)
    objective, scaled = objective_of(X, 0.0), objective_of(X * rows, 0.0)
    w = start(objective, X)
    v = sum_zero_basis(objective) @ rng.normal(size=10)
    unit = np.append(np.full(12, rows), np.ones(3))
    ours, _ = build(objective, w, Diagonal)
    theirs, _ = build(scaled, w / unit, Diagonal)
    assert_allclose(theirs.solve(v * unit) * unit, ours.solve(v), rtol=1e-8)


def test_heavy_features_share_a_chunk_where_there_are_too_many(rng, build, monkeypatch):
    monkeypatch.setattr(_inverses, "_LARGEST_BLOCK", 10)
    monkeypatch.setattr(_inverses, "_HEAVY", 5)
    n_heavy, n_light = 5, 30
    heavy = rng.normal(size=(2000, n_heavy)) @ rng.normal(size=(n_heavy, n_heavy))
    light = 0.01 * rng.normal(size=(2000, n_light))
    X = np.column_stack([light, 10 * heavy])
    objective = objective_of(X, alpha=1e-6)
    w = np.zeros(objective.network.n_params)
    shared, hessian = build(objective, w, SharedBlock)
    diagonal, _ = build(objective, w, Diagonal)
    basis = sum_zero_basis(objective)
    H = matrix(hessian, basis)

    def condition(preconditioner):
        values = np.linalg.eigvals(matrix(preconditioner.solve, basis) @ H).real
        assert values.min() > 0
        return values.max() / values.min()

    assert condition(shared) < 5
    assert condition(shared) < 0.2 * condition(diagonal)


# The ladder


@pytest.mark.parametrize("n_rows", [50, 2000, 100_000])
@pytest.mark.parametrize("n_features", [2, 50, 2000])
@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("store", ["dense", "sparse"])
def test_costs_ascend_along_the_ladder(n_rows, n_features, n_classes, store):
    class FakeChunks:
        is_dense = store == "dense"
        stored_per_row = n_features if store == "dense" else 2 + n_features // 100

    FakeChunks.n_rows = n_rows

    class FakeObjective:
        chunks = FakeChunks
        network = Network((n_features, n_classes), ACTIVATIONS["relu"], True)

    rungs, product = _precondition._ladder(FakeObjective)
    costs = [rung.cost for rung in rungs]
    assert rungs[0].kind is _precondition.Diagonal
    assert costs[1:] == sorted(set(costs[1:]))
    assert product > 0
    assert all(1 <= rung.n_rows <= n_rows for rung in rungs)


def test_products_are_allowed_until_the_next_rung_is_paid_for(rng, monkeypatch):
    ladder = [Rung(Diagonal, 200, 10.0), Rung(DenseFactor, 200, 100.0)], 10.0
    monkeypatch.setattr(_precondition, "_ladder", lambda objective: ladder)
    X = plain(rng)
    objective = objective_of(X)
    preconditioner = Preconditioner(objective)
    _, _, hessian = objective.value_grad_hessp(start(objective, X))
    preconditioner.update(hessian)
    assert not preconditioner.is_exact
    assert 10 <= preconditioner.max_products <= 11
    preconditioner.n_products = 12
    preconditioner.update(hessian)
    assert preconditioner.is_exact
    assert preconditioner.n_products == 0


def test_solving_a_system_changes_no_preconditioner_until_it_is_told(rng):
    X = plain(rng)
    objective = objective_of(X)
    preconditioner = Preconditioner(objective, weak=True)
    _, grad, hessian = objective.value_grad_hessp(start(objective, X))
    preconditioner.update(hessian)
    step = solve_newton_system(
        hessian, grad, preconditioner, Accuracy(tolerance=1e-9, scale=1e9)
    )
    assert (preconditioner.n_products, preconditioner.lowest) == (0, 1.0)
    assert objective.n_products == step.n_products > 1
    assert 0.0 < step.lowest < 1.0
    preconditioner.learn(step)
    preconditioner.learn(step._replace(lowest=1.0))
    assert preconditioner.n_products == 2 * step.n_products
    assert preconditioner.lowest == step.lowest


def test_a_later_objective_begins_where_an_earlier_one_ended(rng, monkeypatch):
    ladder = [Rung(Diagonal, 200, 1.0), Rung(ClassBlocks, 200, 1e9)], 1.0
    monkeypatch.setattr(_precondition, "_ladder", lambda objective: ladder)
    objective = objective_of(plain(rng))
    earlier = Preconditioner(objective)
    _, _, hessian = objective.value_grad_hessp(np.zeros(objective.network.n_params))
    earlier.update(hessian)
    earlier.n_products = 10**10
    earlier.update(hessian)
    assert earlier.max_products == 1000
    assert Preconditioner(objective, earlier).max_products == 1000
    assert Preconditioner(objective).max_products > 1000


def test_with_hidden_layers_there_is_no_preconditioner(rng):
    objective = objective_of(plain(rng), sizes=(2,))
    preconditioner = Preconditioner(objective)
    r = rng.normal(size=objective.network.n_params)
    _, _, hessian = objective.value_grad_hessp(r)
    preconditioner.update(hessian)
    assert isinstance(_precondition._ladder(objective)[0][0].kind(), Identity)
    assert_array_equal(preconditioner.solve(r), r)
    assert preconditioner.solve(r) is not r


def test_unit_scales_make_the_mean_diagonal_one(rng):
    X = units_and_offsets(rng)
    objective = objective_of(X)
    w = start(objective, X)
    _, _, hessian = objective.value_grad_hessp(w)
    scale = Preconditioner(objective).unit_scale(hessian)
    diagonal = np.array([e @ hessian(e) for e in np.eye(w.size)])
    means = (diagonal * scale**2).reshape(-1, N_CLASSES).mean(axis=1)
    assert_allclose(means, 1.0, rtol=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
@each_data
def test_the_factor_of_one_logit_for_two_classes_is_the_inverse(
    rng, make, fit_intercept
):
    X = make(rng)
    network = Network((X.shape[1], 1), ACTIVATIONS["tanh"], fit_intercept)
    Y = rng.dirichlet(np.ones(2), size=X.shape[0])
    s = rng.uniform(0.2, 3.0, size=X.shape[0])
    penalty = L2Penalty(1e-3 * network.weight_mask())
    objective = Objective(network, Chunks(X, Y, s, Threads()), penalty, s.sum())
    _, grad, hessian = objective.value_grad_hessp(np.zeros(network.n_params))
    preconditioner = Preconditioner(objective)
    preconditioner.update(hessian)
    assert preconditioner.is_exact
    step = preconditioner.solve(grad)
    # In units of the parameters, which go up to 1e6 times each other.
    H = np.column_stack([hessian(e) for e in np.eye(network.n_params)])
    scale = 1.0 / np.sqrt(H.diagonal())
    expected = scale * np.linalg.solve(H * np.outer(scale, scale), scale * grad)
    assert_allclose(hessian(step) * scale, grad * scale, atol=1e-9)
    assert_allclose(step / scale, expected / scale, rtol=1e-3, atol=1e-4)
