"""Solvers, judged by optimality conditions of convex problems with a known optimum.

The oracle is a Newton method of a few lines on its own formulas, with the full Hessian
and exact solves. Problems are small, and hard in one respect each.
"""

import importlib
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import _solvers
from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.objective import Objective
from sksoftmax._objective.preconditioners import Preconditioner
from sksoftmax._utils.threads import Threads
from sksoftmax.optimizers import SGD, Adam

each_solver = pytest.mark.parametrize("solver", _solvers.EXACT)


class Problem(NamedTuple):
    """Softmax regression; w is W row by row, then b where there is one."""

    X: np.ndarray
    Y: np.ndarray
    s: np.ndarray
    alpha: float
    fit_intercept: bool = True

    @property
    def n_params(self):
        return (self.X.shape[1] + self.fit_intercept) * self.Y.shape[1]

    @property
    def design(self):
        ones = np.ones((len(self.X), int(self.fit_intercept)))
        return np.hstack([self.X, ones])

    @property
    def strength(self):
        n_weights = self.X.shape[1] * self.Y.shape[1]
        return self.alpha * (np.arange(self.n_params) < n_weights)

    @property
    def null_value(self):
        """F of the best model without features."""
        shares = np.average(self.Y, axis=0, weights=self.s)
        entropy = scipy.special.entr(shares).sum()
        return entropy if self.fit_intercept else np.log(self.Y.shape[1])

    def value(self, w):
        log_P = scipy.special.log_softmax(self.design @ self._matrix(w), axis=1)
        cost = np.average(-np.sum(self.Y * log_P, axis=1), weights=self.s)
        return cost + 0.5 * self.strength @ w**2

    def grad_and_hessian(self, w):
        A, shares = self.design, self.s / self.s.sum()
        P = scipy.special.softmax(A @ self._matrix(w), axis=1)
        grad = A.T @ (shares[:, None] * (P - self.Y))
        C = np.einsum("ik,kl->ikl", P, np.eye(P.shape[1])) - P[:, :, None] * P[:, None]
        H = np.einsum("i,ia,ikl,ib->akbl", shares, A, C, A, optimize=True)
        H = H.reshape(w.size, w.size) + np.diag(self.strength)
        return grad.ravel() + self.strength * w, H

    def gap(self, w):
        """Half the squared Newton decrement, which is F(w) - F* near the optimum."""
        grad, H = self.grad_and_hessian(w)
        return -0.5 * grad @ newton_direction(grad, H)

    def _matrix(self, w):
        return w.reshape(-1, self.Y.shape[1])


def newton_direction(grad, H):
    """The shortest solution of H d = -grad, in units in which H has a unit diagonal."""
    scale = np.sqrt(np.maximum(H.diagonal(), 1e-300))
    d, *_ = np.linalg.lstsq(H / np.outer(scale, scale), -grad / scale, rcond=1e-13)
    return d / scale


def optimum(problem):
    """F* to rounding, by Newton steps with exact solves, halved until F falls."""
    w = np.zeros(problem.n_params)
    for _ in range(100):
        value = problem.value(w)
        step = newton_direction(*problem.grad_and_hessian(w))
        while problem.value(w + step) > value and np.abs(step).max() > 0:
            step = step / 2
        w = w + step
        if problem.gap(w) < 1e-15:
            break
    return w, problem.value(w)


def draw(rng, n_rows=150, n_features=4, n_classes=3, *, scale=1.0, slope=1.0):
    """Rows and classes that a softmax model with some noise gives them."""
    X = rng.standard_normal((n_rows, n_features))
    Z = slope * X @ rng.standard_normal((n_features, n_classes))
    codes = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    return X * scale, np.eye(n_classes)[codes], np.ones(n_rows)


def weighted_soft(rng):
    X, Y, _ = draw(rng)
    Y = 0.8 * Y + 0.2 * rng.dirichlet(np.ones(3), size=len(Y))
    return Problem(X, Y, rng.uniform(0.1, 5.0, size=len(Y)), 1e-2)


def without_intercept(rng):
    return Problem(*draw(rng), 1e-2, fit_intercept=False)


def two_classes(rng):
    return Problem(*draw(rng, n_classes=2), 1e-3)


def many_classes(rng):
    return Problem(*draw(rng, n_classes=12, n_rows=400), 1e-3)


def without_penalty(rng):
    return Problem(*draw(rng, slope=0.7), 0.0)


def repeated_column(rng):
    X, Y, s = draw(rng, slope=0.7)
    return Problem(np.hstack([X, X[:, :1]]), Y, s, 0.0)


def constant_column(rng):
    X, Y, s = draw(rng, slope=0.7)
    return Problem(np.hstack([X, np.full((len(X), 1), 3.0)]), Y, s, 0.0)


def unscaled(rng):
    X, Y, s = draw(rng, scale=np.array([1e-3, 1.0, 1e2, 1e4]), slope=0.7)
    return Problem(X + np.array([0.0, 5.0, -1e3, 1e5]), Y, s, 1e-6)


def nearly_separable(rng):
    return Problem(*draw(rng, slope=50.0), 1e-6)


def rare_class(rng):
    X, Y, s = draw(rng, n_rows=600, n_classes=2)
    Y = np.hstack([Y, np.zeros((len(Y), 1))])
    Y[:3] = [0.0, 0.0, 1.0]
    return Problem(X, Y, s, 1e-4)


def outlier(rng):
    X, Y, s = draw(rng)
    X[0] *= 1e4
    return Problem(X, Y, s, 1e-4)


def more_features_than_rows(rng):
    return Problem(*draw(rng, n_rows=20, n_features=30), 1e-2)


EVERY_PROBLEM = [
    weighted_soft,
    without_intercept,
    two_classes,
    many_classes,
    without_penalty,
    repeated_column,
    constant_column,
    unscaled,
    nearly_separable,
    rare_class,
    outlier,
    more_features_than_rows,
]
each_problem = pytest.mark.parametrize("make", EVERY_PROBLEM)


def objective_of(problem, dtype=np.float64):
    X, Y, s = (a.astype(dtype) for a in (problem.X, problem.Y, problem.s))
    n_units = (X.shape[1], Y.shape[1])
    network = Network(n_units, ACTIVATIONS["identity"], problem.fit_intercept)
    return Objective(
        network,
        Chunks(X, Y, s, Threads()),
        L2Penalty(problem.strength.astype(dtype)),
        problem.s.sum(),
        Preconditioner,
    )


def run(solver, problem, *, w=None, tol=1e-8, max_iter=5000, callback=None):
    return _solvers.EXACT[solver](
        objective_of(problem),
        np.zeros(problem.n_params) if w is None else w,
        tol=tol,
        null_value=problem.null_value,
        max_iter=max_iter,
        callback=callback or (lambda n_iter, w, value: value),
    )


# The oracle


@each_problem
def test_the_oracle_is_at_a_minimum(rng, finite_differences, make):
    problem = make(rng)
    w, _ = optimum(problem)
    assert problem.gap(w) < 1e-14
    grad, H = problem.grad_and_hessian(w)
    step = 1e-4 / np.sqrt(H.diagonal() + 1e-12)  # small in the units of each parameter
    differences = finite_differences(lambda u: problem.value(w + step * u), 0 * w, 1.0)
    assert_allclose(differences, step * grad, atol=1e-11)


# Exact solvers


@each_solver
@each_problem
@pytest.mark.parametrize("tol", [1e-4, 1e-8])
def test_converged_means_within_tol_of_the_optimum(rng, solver, make, tol):
    problem = make(rng)
    _, lowest = optimum(problem)
    result = run(solver, problem, tol=tol)
    assert result.converged
    assert not result.diverged
    gap = problem.value(result.w) - lowest
    rounding = 1e-14 * problem.null_value
    assert gap <= tol * (problem.null_value - lowest) + rounding
    assert problem.gap(result.w) <= 2 * tol * (problem.null_value - lowest) + rounding
    assert_allclose(result.value, problem.value(result.w), rtol=1e-12)


@each_solver
@each_problem
def test_optimality_is_no_less_than_the_gap_to_the_optimum(rng, solver, make):
    # Half the squared decrement is the gap of the quadratic model: right near the
    # optimum, and at tol=1e-3 up to a fifth too small.
    problem = make(rng)
    _, lowest = optimum(problem)
    for tol in (1e-3, 1e-5):
        result = run(solver, problem, tol=tol)
        gap = problem.value(result.w) - lowest
        assert gap <= 1.5 * result.optimality + 1e-14


@each_solver
@each_problem
def test_the_tolerance_is_tol_times_what_the_model_explains(rng, solver, make):
    problem = make(rng)
    result = run(solver, problem, tol=1e-6)
    expected = 1e-6 * (problem.null_value - result.value)
    assert_allclose(result.tolerance, expected, rtol=1e-3)
    assert result.optimality <= result.tolerance


@each_solver
@each_problem
def test_callbacks_see_every_iteration(rng, solver, make):
    problem = make(rng)
    seen = []
    result = run(solver, problem, callback=lambda *iteration: seen.append(iteration))
    numbers, points, values = zip(*seen, strict=True)
    assert list(numbers) == list(range(1, result.n_iter + 1))
    # Points are kept as they were: a solver may not go on writing into them.
    objective = objective_of(problem)
    assert_allclose(values, [objective.value(w) for w in points], rtol=1e-12)
    assert (np.diff(values) <= 1e-12).all()
    assert_array_equal(points[-1], result.w)
    assert_allclose(values[-1], result.value, rtol=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_outliers_among_many_rows_do_not_stop_newton(seed):
    # Slopes are steep as long as the outliers are on the wrong side and next to nothing
    # afterwards, so a step that is only judged by its slope can lead uphill.
    X, Y, s = draw(np.random.default_rng(seed), 20_000, 8, 5)
    X[:5] *= 1e5
    problem = Problem(X, Y, s, 1e-6)
    result = run("newton", problem, max_iter=100)
    assert result.converged
    assert result.value < problem.null_value
    assert problem.gap(result.w) <= 2 * result.tolerance


@each_solver
def test_a_solver_that_may_not_go_on_says_that_it_has_not_converged(rng, solver):
    problem = nearly_separable(rng)
    result = run(solver, problem, max_iter=2)
    assert result.n_iter == 2
    assert not result.converged
    assert result.optimality > result.tolerance
    assert_allclose(result.value, problem.value(result.w), rtol=1e-12)


@each_solver
def test_there_is_little_to_do_at_the_optimum(rng, solver):
    problem = weighted_soft(rng)
    w, lowest = optimum(problem)
    result = run(solver, problem, w=w)
    assert result.converged
    assert result.n_iter <= 3
    assert_allclose(result.value, lowest, rtol=1e-14)
    W = w.reshape(-1, problem.Y.shape[1])  # intercepts may have a mean, of no effect
    W = W - W.mean(axis=1, keepdims=True)
    assert_allclose(result.w, W.ravel(), atol=1e-6)


@each_solver
def test_the_start_stays_as_it_was(rng, solver):
    problem = weighted_soft(rng)
    w = rng.standard_normal(problem.n_params)
    before = w.copy()
    result = run(solver, problem, w=w)
    assert_array_equal(w, before)
    assert not np.shares_memory(result.w, w)


@each_solver
def test_a_bad_start_leads_to_the_same_optimum(rng, solver):
    # Weights that do not sum to zero over classes are part of what is bad about it.
    problem = weighted_soft(rng)
    _, lowest = optimum(problem)
    result = run(solver, problem, w=30.0 * rng.standard_normal(problem.n_params))
    assert result.converged
    assert problem.value(result.w) <= lowest + 2 * result.tolerance


@each_solver
def test_equal_runs_have_equal_bits(rng, solver):
    problem = weighted_soft(rng)
    first, again = run(solver, problem), run(solver, problem)
    assert_array_equal(first.w, again.w)
    assert first.optimality == again.optimality


@each_solver
def test_nothing_is_printed(rng, capfd, solver):
    run(solver, unscaled(rng), max_iter=3)
    assert capfd.readouterr() == ("", "")


@each_solver
def test_a_model_that_explains_nothing_converges_at_the_null_model(rng, solver):
    X = rng.standard_normal((30, 2))
    X = np.vstack([X, X, X])  # every row once in each class
    problem = Problem(X, np.repeat(np.eye(3), 30, axis=0), np.ones(90), 1e-3)
    result = run(solver, problem)
    assert result.converged
    assert_allclose(result.value, np.log(3), rtol=1e-14)


def test_auto_is_an_exact_solver_without_hidden_layers_and_adam_with_them():
    assert _solvers.resolve("auto", is_linear=True) in _solvers.EXACT
    assert _solvers.resolve("auto", is_linear=False) == "adam"
    for name in (*_solvers.EXACT, *_solvers.MINIBATCH):
        assert _solvers.resolve(name, is_linear=False) == name


# The registry


@pytest.mark.parametrize("name", _solvers.FULL_BATCH)
def test_a_solver_names_what_an_objective_lacks_and_who_does_without(rng, name):
    class Bare:
        penalty = L2Penalty(np.ones(2))

        def value(self, w):
            return 0.0

    solver = _solvers.FULL_BATCH[name]
    with pytest.raises(TypeError, match=f"'{name}' needs .*`value_grad_hessp`") as info:
        solver(Bare(), np.zeros(2), tol=0, null_value=1, max_iter=1, callback=None)
    assert "`value`" not in str(info.value)
    assert ("a sparse penalty" in str(info.value)) == (name in _solvers.SPARSE)
    assert "Solvers that it suits: none." in str(info.value)


def test_a_sparse_solver_is_not_run_on_a_smooth_penalty(rng):
    problem = weighted_soft(rng)
    w = np.zeros(problem.n_params)
    with pytest.raises(TypeError, match=r"sparse penalty.* suits: 'lbfgs', 'newton'"):
        _solvers.SPARSE["prox-newton"](
            objective_of(problem), w, tol=0, null_value=1, max_iter=1, callback=None
        )


def test_names_that_are_not_registered_are_errors():
    with pytest.raises(ValueError, match=r"solver must be one of .*'newton'.*'adamw'"):
        _solvers.resolve("adamw", is_linear=True)
    with pytest.raises(ValueError, match=r"one of .'adam', 'sgd'., got 'newton'"):
        _solvers.make_optimizer("newton", None)


def test_optimizers_are_made_from_the_settings_of_an_estimator():
    settings = SimpleNamespace(
        learning_rate_init=0.25, momentum=0.5, nesterovs_momentum=True
    )
    made = {name: _solvers.make_optimizer(name, settings) for name in ("adam", "sgd")}
    assert made == {"adam": Adam(0.25), "sgd": SGD(0.25, 0.5, nesterov=True)}


def test_files_of_solvers_can_be_imported_as_modules():
    for name in ("newton", "lbfgs", "prox_newton", "epochs", "cg", "line_search"):
        module = importlib.import_module(f"sksoftmax._solvers.{name}")
        assert getattr(_solvers, name) is module
