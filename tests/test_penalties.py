"""The penalty: its definition, and its derivatives by finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize, minimize_scalar

from sksoftmax._model import sparse_penalties
from sksoftmax._model.penalties import L2Penalty, Penalty
from sksoftmax._model.sparse_penalties import (
    ElasticNetPenalty,
    GroupPenalty,
    SparsePenalty,
)

STRENGTH = np.array([0.5, 0.5, 0.0, 2.0])
SPARSE = [
    kind
    for kind in vars(sparse_penalties).values()
    if isinstance(kind, type) and issubclass(kind, SparsePenalty)
]
SPARSE.remove(SparsePenalty)
each_sparse_penalty = pytest.mark.parametrize("make", SPARSE)


def test_the_value_is_half_the_weighted_sum_of_squares():
    assert L2Penalty(STRENGTH).value(np.array([1.0, -2.0, 9.0, 3.0])) == 10.25


def test_the_gradient_is_the_difference_quotient_of_the_value(rng, finite_differences):
    penalty, w = L2Penalty(STRENGTH), rng.standard_normal(4)
    assert_allclose(penalty.grad(w), finite_differences(penalty.value, w), atol=1e-10)


def test_hessp_is_the_difference_quotient_of_the_gradient(rng, finite_differences):
    penalty, w, v = L2Penalty(STRENGTH), *rng.standard_normal((2, 4))
    expected = finite_differences(penalty.grad, w) @ v
    assert_allclose(penalty.hessp(v), expected, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("edge", [0.0, 1.5])
def test_add_grad_adds_the_gradient_run_by_run(rng, dtype, edge):
    strength = np.array([edge, 0.5, 0.5, 0.0, 0.0, 2.0, 1.0, 0.0, 0.3, edge], dtype)
    penalty, w = L2Penalty(strength), rng.standard_normal(10).astype(dtype)
    before = rng.standard_normal(10).astype(dtype)
    grad = before.copy()
    penalty.add_grad(w, grad)
    assert grad.dtype == dtype
    assert_allclose(grad, before + strength * w, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("strength", [STRENGTH, 0 * STRENGTH], ids=["some", "none"])
def test_only_a_penalty_without_strength_is_zero(rng, strength):
    penalty = L2Penalty(strength)
    assert penalty.is_zero == (penalty.value(rng.standard_normal(4)) == 0.0)


def test_the_diagonal_is_that_of_the_hessian(rng):
    found = L2Penalty(STRENGTH).hessian_diagonal(4)
    columns = [L2Penalty(STRENGTH).hessp(v) for v in np.eye(4)]
    assert_array_equal(np.diag(found), columns)
    ridge = sparse(GroupPenalty)
    size = ridge.n_weights + 3
    columns = [ridge.hessp(v) for v in np.eye(size)]
    assert_array_equal(np.diag(ridge.hessian_diagonal(size)), columns)


class Halfway(Penalty):
    """R(w) = 1/2 sum_j (w_j - 1)^2, by the least that a penalty needs."""

    def value(self, w):
        return 0.5 * float((w - 1.0) @ (w - 1.0))

    def grad(self, w):
        return w - 1.0

    def hessp(self, v):
        return v


def test_a_smooth_penalty_needs_value_gradient_and_hessian_only(rng):
    w, grad = rng.standard_normal((2, 5))
    added = grad.copy()
    Halfway().add_grad(w, added)
    assert_allclose(added, grad + w - 1.0, rtol=1e-14)
    assert_array_equal(Halfway().hessian_diagonal(5), np.ones(5))
    assert not Halfway().is_zero
    assert Halfway().free_entries(w) is None
    assert_array_equal(Halfway().grad_of_support(w), w - 1.0)


@each_sparse_penalty
def test_where_parts_are_zero_there_is_no_free_entry_and_no_gradient(
    rng, make, finite_differences
):
    penalty = sparse(make)
    w = rng.standard_normal(penalty.n_weights + 3)
    w[:3] = 0.0  # the weights of a feature
    free = penalty.free_entries(w)
    assert free.tolist() == list(range(3, w.size))
    expected = finite_differences(penalty.value, w)  # symmetric about the kinks at zero
    assert_allclose(penalty.grad_of_support(w), expected, atol=1e-9)
    w[3] = 0.0
    assert (3 in penalty.free_entries(w)) == (make is GroupPenalty)


def test_one_gauge_is_the_best_where_the_penalty_fixes_it(rng):
    """It has curvature along a shift of all classes of a feature then."""
    for make, l1_ratio in ((ElasticNetPenalty, 0.5), (GroupPenalty, 1.0)):
        assert make(0.3, l1_ratio, n_classes=3, n_weights=12).fixes_gauge
    lasso = ElasticNetPenalty(0.3, 1.0, n_classes=3, n_weights=12)
    assert not lasso.fixes_gauge
    u = np.tile([1.0, 2.0, -3.0], 4)
    values = [lasso.value(u + c * np.repeat([1.0, 0, 0, 0], 3)) for c in (-0.1, 0, 0.1)]
    assert_allclose(values[0] + values[2], 2 * values[1])


def test_a_parameter_of_strength_zero_is_free(rng):
    penalty, w = L2Penalty(STRENGTH), rng.standard_normal(4)
    shifted = w + np.array([0.0, 0.0, 1e6, 0.0])
    assert penalty.value(shifted) == penalty.value(w)
    assert penalty.grad(shifted)[2] == penalty.hessp(shifted)[2] == 0.0


@pytest.mark.parametrize("method", ["value", "grad", "hessp"])
def test_arguments_stay_as_they_were(rng, method):
    w = rng.standard_normal(4)
    before = w.copy()
    getattr(L2Penalty(STRENGTH), method)(w)
    assert_array_equal(w, before)


def test_single_precision_stays_single_precision():
    w = np.ones(4, np.float32)
    assert L2Penalty(STRENGTH.astype(np.float32)).grad(w).dtype == np.float32


def sparse(make, alpha=0.7, l1_ratio=0.6, n_features=4):
    return make(alpha, l1_ratio, n_classes=3, n_weights=3 * n_features)


def test_the_values_of_sparse_penalties_are_their_formulas():
    w = np.array([3.0, 0.0, 4.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0])  # intercepts last
    ridge = 0.7 * 0.4 / 2 * 25.0
    l1 = sparse(ElasticNetPenalty, n_features=2)
    grouped = sparse(GroupPenalty, n_features=2)
    assert_allclose(l1.value(w), ridge + 0.7 * 0.6 * 7.0)
    assert_allclose(grouped.value(w), ridge + 0.7 * 0.6 * 5.0)


@each_sparse_penalty
def test_grad_and_hessp_are_those_of_the_ridge_and_leave_intercepts_free(make, rng):
    penalty, w = sparse(make), rng.standard_normal(15)
    expected = np.append(0.7 * 0.4 * w[:12], np.zeros(3))
    assert_allclose(penalty.grad(w), expected)
    assert_allclose(penalty.hessp(w), expected)


def test_the_prox_of_l1_is_the_argmin_that_defines_it(rng):
    penalty = sparse(ElasticNetPenalty)
    u, step = rng.standard_normal(12), rng.uniform(0.1, 3.0, 12)
    found = penalty.prox(u, step)
    for v, u_j, step_j in zip(found, u, step, strict=True):

        def cost(x, u_j=u_j, step_j=step_j):
            return 0.5 * (x - u_j) ** 2 / step_j + 0.42 * abs(x)

        brute = minimize_scalar(cost, bounds=(-4, 4), options={"xatol": 1e-10})
        assert cost(v) <= min(brute.fun, cost(0.0)) + 1e-15
        assert_allclose(v, brute.x, atol=1e-6)
    assert 0 < np.count_nonzero(found) < 12


def test_the_prox_of_rows_is_the_argmin_that_defines_it(rng):
    penalty = sparse(GroupPenalty)
    u, step = rng.standard_normal(12), np.repeat([0.1, 0.5, 2.0, 40.0], 3)
    found = penalty.prox(u, step).reshape(4, 3)
    for v, row, step_j in zip(found, u.reshape(4, 3), step[::3], strict=True):

        def cost(x, row=row, step_j=step_j):
            return 0.5 * np.sum((x - row) ** 2) / step_j + 0.42 * np.linalg.norm(x)

        brute = minimize(cost, row, method="Nelder-Mead", options={"xatol": 1e-9})
        assert cost(v) <= min(brute.fun, cost(np.zeros(3))) + 1e-15
    assert found[0].all()
    assert not found[3].any()


@each_sparse_penalty
def test_slope_and_curvature_are_derivatives_of_the_norms(
    make, rng, finite_differences
):
    penalty, u, v = sparse(make), rng.uniform(1.0, 2.0, 12), rng.standard_normal(12)
    u *= rng.choice([-1.0, 1.0], 12)

    def norms(x):
        return penalty.lasso * penalty.norms(x).sum()

    assert_allclose(penalty.slope(u), finite_differences(norms, u), atol=1e-9)
    H = finite_differences(penalty.slope, u)
    added = np.zeros((12, 12))
    penalty.add_curvature(added, u)
    assert_allclose(added, H, atol=1e-9)
    assert_allclose(penalty.curvature_times(u, v), H @ v, atol=1e-9)


@each_sparse_penalty
def test_the_change_of_the_norms_keeps_its_digits(make, rng):
    penalty, u = sparse(make), rng.standard_normal(12)
    change = 1e-12 * rng.standard_normal(12)
    expected = float(penalty.slope(u) @ change) / penalty.lasso
    assert_allclose(penalty.norms_change(u + change, u), expected, rtol=1e-3)
    w = rng.standard_normal(12)
    difference = penalty.norms(w).sum() - penalty.norms(u).sum()
    assert_allclose(penalty.norms_change(w, u), difference)


@each_sparse_penalty
@pytest.mark.parametrize("size", [1e-3, 1.0])
def test_features_that_are_zero_change_norms_and_prox_by_nothing(make, rng, size):
    penalty, u, v = sparse(make), *(size * rng.standard_normal((2, 12)))
    u[:3] = v[:3] = v[3:6] = 0.0
    expected = penalty.norms(v).sum() - penalty.norms(u).sum()
    assert_allclose(penalty.norms_change(v, u), expected)
    steps = np.full(12, 0.1 * size)
    assert_array_equal(penalty.prox(v, steps)[:6], 0.0)
    assert penalty.prox(v, steps).any()


@each_sparse_penalty
def test_a_step_ends_at_the_minimum_along_it(make, rng):
    penalty = sparse(make)
    for _ in range(20):
        u, d = rng.standard_normal((2, 12))
        start = -1.0 - 3 * rng.random()
        rest = start - float(penalty.slope(u) @ d)

        def cost(t, u=u, d=d, rest=rest):
            return (
                rest * t + 2.0 * t * t + penalty.lasso * penalty.norms(u + t * d).sum()
            )

        v, t = penalty.step_along(u, d, start, 4.0)
        assert_allclose(v, u + t * d, atol=1e-12)
        brute = minimize_scalar(cost, bounds=(0, 1), options={"xatol": 1e-10})
        assert cost(t) <= brute.fun + 1e-5


@each_sparse_penalty
@pytest.mark.parametrize("l1_ratio", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
def test_centring_finds_the_least_penalty_of_equal_models(
    make, l1_ratio, n_classes, rng
):
    penalty = make(1.0, l1_ratio, n_classes=n_classes, n_weights=6 * n_classes)
    W = rng.standard_normal((6, n_classes)) * rng.integers(0, 2, (6, n_classes))
    centred = penalty.project_onto_gauge(W)
    assert_allclose(np.ptp(W - centred, axis=1), 0, atol=1e-15)
    for row, best in zip(W, centred, strict=True):

        def cost(c, row=row):
            return penalty.weights_value(row - c)

        brute = minimize_scalar(cost, bounds=(-5, 5), options={"xatol": 1e-11})
        assert penalty.weights_value(best) <= brute.fun + 1e-15


def test_an_interval_of_medians_gives_the_one_nearest_to_the_mean():
    penalty = ElasticNetPenalty(1.0, 1.0, n_classes=4, n_weights=12)
    W = np.array([[4.0, 1.0, -1.0, -2.0], [9.0, 1.0, 0.0, 0.0], [1.0, 1.0, -1.0, -1.0]])
    shifts = (W - penalty.project_onto_gauge(W))[:, 0]
    assert_array_equal(shifts, [0.5, 1.0, 0.0])
    nearly = ElasticNetPenalty(1.0, 1 - 1e-9, n_classes=4, n_weights=12)
    assert_allclose(
        nearly.project_onto_gauge(W), penalty.project_onto_gauge(W), atol=1e-8
    )


@each_sparse_penalty
@pytest.mark.parametrize("size", [1e-6, 1.0])
def test_alpha_max_is_where_the_subdifferential_at_zero_holds_the_gradient(
    make, rng, size
):
    grad = size * rng.standard_normal(15)
    largest = sparse(make).alpha_max(grad)
    inside = make(largest * 1.0001, 0.6, n_classes=3, n_weights=12)
    outside = make(largest * 0.9999, 0.6, n_classes=3, n_weights=12)
    assert not inside.prox(-grad[:12], np.ones(12)).any()
    assert outside.prox(-grad[:12], np.ones(12)).any()


@each_sparse_penalty
@pytest.mark.parametrize("size", [0.01, 1.0])
def test_the_gap_is_taken_at_the_largest_point_that_the_dual_allows(make, rng, size):
    penalty = make(0.7, 1.0, n_classes=3, n_weights=12)
    w, grad = rng.standard_normal(15), size * rng.standard_normal(15)
    asked = []

    def entropy(t):
        asked.append(t)
        return 0.25 * t

    # Where the gradient fits, J less the entropy is its product with the weights.
    value = 0.25 + grad[:12] @ w[:12] + penalty.weights_value(w[:12])
    value = max(value, 5.0) if size > 0.1 else value
    gap = penalty.gap(w, grad, entropy, value=value, rounding=np.zeros(4))
    (t,) = asked
    largest = penalty.norms(t * grad[:12]).max()
    assert largest <= penalty.lasso * (1 + 1e-12)
    assert t == 1.0 or largest >= penalty.lasso * (1 - 1e-12)
    assert (t == 1.0) == (size < 0.1)
    assert_allclose(gap, value - 0.25 * t)


@each_sparse_penalty
def test_the_gap_is_never_below_the_rounding_of_the_value(make):
    penalty = make(0.7, 1.0, n_classes=3, n_weights=12)
    nothing = np.zeros(15)
    for value in (1e-3, 1.0, 1e3):
        gap = penalty.gap(nothing, nothing, lambda t, v=value: v, value, np.zeros(4))
        assert np.finfo(float).eps * value <= gap <= 10 * np.finfo(float).eps * value


@each_sparse_penalty
@pytest.mark.parametrize("l1_ratio", [0.3, 0.8])
def test_with_a_ridge_the_gap_is_that_of_the_better_dual_point(make, rng, l1_ratio):
    # For t = 1: R(u) + R*(-g) + g.u, with the conjugate by brute force.
    penalty = make(0.7, l1_ratio, n_classes=3, n_weights=12)
    w, grad = rng.standard_normal(15), rng.standard_normal(15)
    u, g = w[:12], grad[:12]

    def negative(v):
        return penalty.weights_value(v) + g @ v

    start = penalty.prox(-g / penalty.ridge, np.full(12, 1.0 / penalty.ridge))
    conjugate = -minimize(
        negative, start, method="Nelder-Mead", options={"maxiter": 40_000}
    ).fun
    expected = penalty.weights_value(u) + conjugate + g @ u
    far = penalty.gap(w, grad, lambda t: -1e9, value=5.0, rounding=np.zeros(4))
    assert_allclose(far, expected, rtol=1e-5)
    near = penalty.gap(w, grad, lambda t: 4.5, value=5.0, rounding=np.zeros(4))
    assert_allclose(near, min(0.5, expected), rtol=1e-5)


def test_weights_do_not_cross_zero_where_the_slope_would_change():
    u = np.array([1.0, 1.0, -2.0, -2.0, 3.0, 0.0])
    v = np.array([0.5, -0.5, -0.1, 4.0, 0.0, 7.0])
    l1 = ElasticNetPenalty(1.0, 1.0, n_classes=3, n_weights=6)
    assert_array_equal(l1.confine(v, u), [0.5, 0.0, -0.1, 0.0, 0.0, 0.0])
    grouped = GroupPenalty(1.0, 1.0, n_classes=3, n_weights=6)
    assert_array_equal(grouped.confine(v, u), v)


def test_a_step_that_ends_where_a_weight_is_zero_leaves_it_at_zero_exactly():
    penalty = ElasticNetPenalty(1.0, 1.0, n_classes=2, n_weights=4)
    u, d = np.array([0.1, 0.7, -3.0, 0.0]), np.array([-0.3, -1.0, -1.0, -0.5])
    # Of -t and t^2/2 and the L1 norm; its bends are at 1/3 and at 0.7.
    for slope, zeros in [(-0.5, [0]), (-2.0, [1]), (-0.2, [])]:
        v, t = penalty.step_along(u, d, slope, 1.0)
        assert_array_equal(np.flatnonzero(v == 0.0), zeros)
        rest = slope - float(np.sign([1.0, 1.0, -1.0, -1.0]) @ d)

        def cost(x, rest=rest):
            return rest * x + 0.5 * x * x + np.abs(u + x * d).sum()

        near = minimize_scalar(cost, bounds=(0, 4), options={"xatol": 1e-10})
        assert cost(t) <= near.fun + 1e-12
        assert_allclose(v, u + t * d, atol=1e-15)


@pytest.mark.parametrize(
    ("slope", "t"), [(-0.5, 1.0 / 3.0), (-1.0, 0.7), (-1e3, 0.7), (-1e3, 0.0)]
)
def test_without_curvature_a_step_ends_where_a_weight_is_zero(slope, t):
    """N alone bends, and where it does not the slope is one of rounding."""
    penalty = ElasticNetPenalty(1.0, 1.0, n_classes=2, n_weights=4)
    u, d = np.array([0.1, 0.7, -3.0, 0.0]), np.array([-0.3, -1.0, -1.0, -0.5])
    v, found = penalty.step_along(u, d if t else np.abs(d) * np.sign(u), slope, 0.0)
    assert found == pytest.approx(t)
    assert np.isin(0.0, v[:3]) == (t > 0.0)


@each_sparse_penalty
def test_a_restricted_penalty_is_the_same_on_fewer_features(make, rng):
    factors = rng.uniform(0.5, 2.0, 4)
    penalty = make(0.7, 0.3, n_classes=3, n_weights=12, factors=factors)
    u, part = rng.standard_normal(12), penalty.restricted(np.arange(2))
    zeros = np.zeros(6)
    assert_allclose(part.value(u[:6]), penalty.value(np.append(u[:6], zeros)))
    # Intercepts, which come after the weights, stay free.
    assert part.value(np.append(u[:6], 100.0)) == part.value(u[:6])


@each_sparse_penalty
def test_within_its_rounding_a_gradient_fits_the_dual(make, rng):
    penalty, g = make(0.7, 1.0, n_classes=3, n_weights=12), rng.standard_normal(12)
    g *= 1.02 * penalty.lasso / penalty.norms(g).max()
    asked = []

    def gap(rounding):
        grad = np.append(g, np.zeros(3))
        penalty.gap(np.zeros(15), grad, lambda t: asked.append(t) or 0.0, 1.0, rounding)
        return asked.pop()

    assert_allclose(gap(np.zeros(4)), 1.0 / 1.02)
    assert gap(np.full(4, 0.03 * penalty.lasso)) == 1.0


def test_a_step_of_grouped_weights_is_a_whole_one_at_most(rng):
    penalty = sparse(GroupPenalty)
    u, d = rng.standard_normal((2, 12))
    v, t = penalty.step_along(u, d, -1e3, 4.0)
    assert t == 1.0
    assert_array_equal(v, u + d)


@each_sparse_penalty
def test_sweeps_lead_to_where_zero_is_in_the_subdifferential(make, rng):
    penalty = make(0.3, 1.0, n_classes=3, n_weights=12)
    A, b = rng.standard_normal((40, 14)), rng.standard_normal(14)
    b[:6] *= 0.05  # weak features, some of which get no weights
    H, size = A.T @ A / 40, penalty.n_together
    blocks = [H[i : i + size, i : i + size] for i in range(0, 12, size)]
    steps = 1.0 / np.linalg.eigvalsh(np.array(blocks))[:, -1]
    for sweep in (make.sweep, SparsePenalty.sweep):
        x, h = np.zeros(14), b.copy()
        for _ in range(200):
            before = x.copy()
            sweep(penalty, x, h, H, steps)
            change = 0.5 * (x @ H @ x - before @ H @ before) + b @ (x - before)
            change += penalty.lasso * penalty.norms_change(x[:12], before[:12])
            assert change <= 1e-13  # down, but for rounding
        assert_allclose(h, H @ x + b, atol=1e-12)
        assert_array_equal(x[12:], 0.0)
        u, g = x[:12], h[:12]
        used = np.repeat(penalty.norms(u) > 0.0, size)
        assert used.any()
        assert not used.all()
        assert_allclose(g[used], -penalty.slope(u[used]), atol=1e-9)
        assert (penalty.norms(g)[penalty.norms(u) == 0.0] <= penalty.lasso).all()


@each_sparse_penalty
def test_the_prox_of_a_part_is_that_of_all_parts(make, rng):
    penalty, u = sparse(make), rng.standard_normal(12)
    size = penalty.n_together
    parts = [penalty.prox_part(u[i : i + size].copy(), 0.4) for i in range(0, 12, size)]
    assert_allclose(np.concatenate(parts), penalty.prox(u, np.full(12, 0.4)))
    assert_array_equal(penalty.prox_part(np.zeros(size), 0.4), np.zeros(size))
