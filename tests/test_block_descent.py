"""Coordinate descent on quadratic models: its kernel, its minimum, and fits by it."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.sparse import csc_array, csr_array
from sparse_oracle import distance_to_subdifferential
from test_quadratic import problem

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._model.sparse_penalties import ElasticNetPenalty, GroupPenalty
from sksoftmax._objective.block_steps import (
    BlockCurvature,
    BlockPenalty,
    Quadratic,
    sweep_blocks,
)
from sksoftmax._objective.residual_model import ResidualModel
from sksoftmax._objective.sparse import SparseObjective
from sksoftmax._solvers import Iterate
from sksoftmax._solvers.block_descent import minimise_by_sweeps
from sksoftmax._solvers.subproblem import ModelLimits

try:
    importlib.import_module("sksoftmax._kernels.coordinate_descent")
    is_compiled = hasattr(sweep_blocks, "__wrapped__")
except ImportError:
    is_compiled = False

each_penalty = pytest.mark.parametrize("grouped", [False, True], ids=["l1", "grouped"])
TIGHT = ModelLimits(1e-12, np.inf)


def blocks_like(rng, grouped, *, shape=(150, 9, 4), sparse=False):
    """Arguments of `sweep_blocks`: blocks with and without each kind of penalty."""
    n, q, K = shape
    X = rng.standard_normal((n, q)) * (rng.random((n, q)) < 0.3 if sparse else 1.0)
    X[:, 2] = 0.0  # without any curvature
    s = rng.uniform(0.5, 2.0, n)
    A = np.asfortranarray(rng.dirichlet(np.ones(K), n) * s[:, None] / s.sum())
    Y = np.eye(K)[rng.integers(K, size=n)]
    R = np.asfortranarray(A - Y * s[:, None] / s.sum())
    lasso, ridge = rng.uniform(0.01, 0.05, q), np.tile([0.0, 0.1], q)[:q]
    lasso[-1] = ridge[-1] = 0.0
    x = rng.standard_normal((q, K)) * (rng.random((q, 1)) < 0.5)
    tilt = 0.01 * rng.standard_normal((q, K))
    tilt -= tilt.mean(axis=1, keepdims=True)
    columns = csc_array(X) if sparse else np.asfortranarray(X)
    return (
        Quadratic(columns, A, s.sum() / s),
        BlockPenalty(lasso, ridge, tilt, grouped),
        BlockCurvature.unknown(q, K),
        x,
        R,
        np.arange(q),
    )


@pytest.mark.skipif(not is_compiled, reason="the kernels were not built")
@each_penalty
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", [(150, 9, 4), (129, 5, 2), (3, 4, 3), (40, 6, 1)])
def test_the_compiled_sweep_is_the_sweep_in_numpy(grouped, sparse, shape):
    ours, twins = (
        blocks_like(np.random.default_rng(1), grouped, shape=shape, sparse=sparse)
        for _ in range(2)
    )
    for _ in range(4):
        decrease = sweep_blocks(*ours)
        assert_allclose(decrease, sweep_blocks.__wrapped__(*twins), atol=1e-11)
    assert_allclose(ours[3], twins[3], atol=1e-9)
    assert_allclose(ours[4], twins[4], atol=1e-12)
    assert_array_equal(ours[3] == 0.0, twins[3] == 0.0)


@each_penalty
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_sweeps_lower_the_model_by_what_they_say_and_keep_residuals(
    rng, grouped, sparse
):
    quadratic, penalty, curvature, x, R, blocks = blocks_like(
        rng, grouped, sparse=sparse
    )
    X = quadratic.X.toarray() if sparse else quadratic.X
    first, start = R.copy(), x.copy()

    def residuals(x):
        Z = X @ (x - start)
        mean = (quadratic.A * Z).sum(axis=1) * quadratic.inverse
        return first + quadratic.A * (Z - mean[:, None])

    def value(x):
        Z = X @ (x - start)
        smooth = np.vdot(Z, (residuals(x) + first) / 2.0) + np.vdot(penalty.tilt, x)
        smooth += 0.5 * penalty.ridge @ (x**2).sum(axis=1)
        return smooth + penalty.lasso @ penalty.norms(x)

    before = value(x)
    for _ in range(3):
        decrease = sweep_blocks(quadratic, penalty, curvature, x, R, blocks)
        assert_allclose(before - value(x), decrease, rtol=1e-9, atol=1e-13)
        assert_allclose(R, residuals(x), atol=1e-14)
        before = value(x)
        assert decrease > 0.0


@each_penalty
def test_a_step_of_a_block_is_its_minimum(rng, grouped):
    arguments = blocks_like(rng, grouped)
    quadratic, penalty, _, x, R, _ = arguments
    j, before, at_first = 1, x[1].copy(), R.copy()
    column = quadratic.X[:, j]
    sweep_blocks(*arguments[:5], np.array([j]))

    def value(v):
        Z = np.outer(column, v - before)
        mean = (quadratic.A * Z).sum(axis=1) * quadratic.inverse
        curved = 0.5 * np.vdot(Z, quadratic.A * (Z - mean[:, None]))
        norm = np.linalg.norm(v) if grouped else np.abs(v).sum()
        return (
            np.vdot(Z, at_first)
            + curved
            + penalty.tilt[j] @ v
            + 0.5 * penalty.ridge[j] * v @ v
            + penalty.lasso[j] * norm
        )

    options = {"xatol": 1e-9, "fatol": 1e-15, "maxiter": 4000, "maxfev": 4000}
    best = minimize(value, x[j], method="Nelder-Mead", options=options).fun
    # The L1 step ends at a thousandth of what it gains.
    allowed = 1e-12 if grouped else 1e-3 * (value(before) - best)
    assert value(x[j]) <= best + allowed


@each_penalty
@pytest.mark.parametrize("damping", [0.0, 0.1])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_minimum_of_a_model_is_that_of_f_to_second_order(
    rng, grouped, damping, fit_intercept, finite_differences
):
    make = GroupPenalty if grouped else ElasticNetPenalty
    objective, w, _ = problem(rng, fit_intercept, make)
    objective.penalty.lasso = 0.01
    here = Iterate.at(objective, w)
    minimum = minimise_by_sweeps(ResidualModel(objective, here, damping), TIGHT)
    assert minimum.is_reached
    H = finite_differences(lambda v: objective.value_and_grad(v)[1], w, step=1e-5)
    d, u = minimum.step, (w + minimum.step)[:12]
    h = here.grad + H @ d
    # Intercepts are those of centred columns, along which the damping acts as well.
    centre = objective.curvature.centre if fit_intercept else np.zeros(4)
    shift = (d[12:] + centre @ d[:12].reshape(4, 3)) if fit_intercept else np.zeros(3)
    if fit_intercept:
        h[12:] += damping * shift
    h[:12] += damping * np.repeat(objective.scale**2, 3) * d[:12]
    h[:12] += damping * np.outer(centre, shift).ravel()
    slope = np.where(u != 0.0, 0.01 * np.sign(u), 0.0)
    if grouped:
        norms = np.repeat(np.linalg.norm(u.reshape(4, 3), axis=1), 3)
        slope = np.where(norms > 0.0, 0.01 * u / np.where(norms > 0.0, norms, 1.0), 0.0)
    at_zero = objective.penalty.norms(h[:12])[objective.penalty.norms(u) == 0.0]
    assert np.all(at_zero <= 0.01 + 1e-6)
    used = np.repeat(objective.penalty.norms(u) > 0.0, objective.penalty.n_together)
    assert_allclose((h[:12] + slope)[used], 0.0, atol=1e-6)
    assert_allclose(h[12:], 0.0, atol=1e-6)


def wide(rng, *, classes=4):
    X = rng.standard_normal((60, 200)) + 0.5 * rng.standard_normal((60, 1))
    y = np.argmax(X[:, :classes] + rng.gumbel(size=(60, classes)), axis=1)
    return X, y


def _by_sweeps(objective, here, damping=0.0):
    return ResidualModel(objective, here, damping)


@each_penalty
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.parametrize("form", [np.asarray, csr_array, np.float32])
def test_fits_by_sweeps_are_those_by_second_order_steps(
    rng, grouped, l1_ratio, form, monkeypatch
):
    X, y = wide(rng)
    X = form(X) if form is not csr_array else form(np.where(abs(X) > 1.0, X, 0.0))
    s = rng.uniform(0.5, 2.0, len(y))
    model = SoftmaxRegressionClassifier(
        alpha=0.01, l1_ratio=l1_ratio, grouped=grouped, tol=1e-10
    )
    monkeypatch.setattr(SparseObjective, "residual_model", lambda *_: None)
    expected = model.fit(X, y, s).coef_
    monkeypatch.setattr(SparseObjective, "residual_model", _by_sweeps)
    coef = model.fit(X, y, s).coef_
    assert model.converged_
    assert_allclose(coef, expected, atol=1e-5)
    assert_array_equal(coef == 0.0, expected == 0.0)


@each_penalty
def test_a_path_has_the_optima_of_single_fits(rng, grouped):
    X, y = wide(rng)
    parameters = {"grouped": grouped, "tol": 1e-9}
    path = SoftmaxRegressionClassifierCV(5, l1_ratios=1.0, cv=2, **parameters)
    path.fit(X, y)
    for alpha in path.alphas_[0][1:]:
        model = SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=1.0, **parameters)
        model.fit(X, y)
        assert model.converged_
        assert distance_to_subdifferential(model, X, np.eye(4)[y]) < 1e-7
    assert_allclose(
        path.coef_,
        SoftmaxRegressionClassifier(alpha=path.alpha_, l1_ratio=1.0, **parameters)
        .fit(X, y)
        .coef_,
        atol=1e-6,
    )
