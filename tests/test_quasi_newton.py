"""L-BFGS steps: the secant equation, the way to a minimum, and when to give up."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax._solvers.quasi_newton import (
    LimitedMemory,
    PhaseLimits,
    quasi_newton_phase,
)
from sksoftmax._solvers.result import Iterate


class Scaling:
    """M^-1 as a diagonal."""

    def __init__(self, inverse):
        self.inverse = inverse

    def solve(self, r):
        return self.inverse * r


class Quadratic:
    """w.H.w / 2 - b.w; counts its passes."""

    def __init__(self, H, b):
        self.H, self.b, self.n_passes = H, b, 0

    def value_grad_hessp(self, w):
        self.n_passes += 1
        return 0.5 * w @ self.H @ w - self.b @ w, self.H @ w - self.b, self.H.dot


def with_spectrum(rng, eigenvalues):
    """A symmetric matrix with these eigenvalues."""
    Q, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    return (Q * eigenvalues) @ Q.T


def dense_bfgs(inverse, pairs):
    """The BFGS updates of an inverse as dense matrices, equation 6.17 of the book."""
    identity = np.eye(len(inverse))
    for s, y in pairs:
        left = identity - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    return inverse


def test_memory_is_the_dense_bfgs_update_of_the_scaled_preconditioner(rng):
    H = with_spectrum(rng, np.linspace(1.0, 9.0, 6))
    diagonal = rng.uniform(0.2, 2.0, 6)
    memory, pairs = LimitedMemory(Scaling(diagonal)), []
    for _ in range(4):
        step = rng.standard_normal(6)
        pairs.append((step, H @ step))
        memory.remember(*pairs[-1])
    s, y = pairs[-1]
    factor = (s @ y) / (y @ (diagonal * y))
    expected = dense_bfgs(factor * np.diag(diagonal), pairs)
    result = np.column_stack([memory.solve(e) for e in np.eye(6)])
    assert_allclose(result, expected, rtol=1e-10, atol=1e-12)


def test_the_last_step_is_explained_and_the_argument_kept(rng):
    memory = LimitedMemory(Scaling(np.ones(5)))
    for _ in range(30):
        step = rng.standard_normal(5)
        change = step * np.arange(1.0, 6.0)
        memory.remember(step, change)
    kept = change.copy()
    assert_allclose(memory.solve(change), step, rtol=1e-9)
    assert (change == kept).all()


def test_steps_without_positive_curvature_are_not_remembered(rng):
    memory = LimitedMemory(Scaling(np.full(3, 0.5)))
    step = rng.standard_normal(3)
    memory.remember(step, -step)
    memory.remember(step, np.zeros(3))
    assert_allclose(memory.solve(step), 0.5 * step)


def test_a_memory_can_begin_with_an_earlier_one_and_leaves_that_alone(rng):
    earlier = LimitedMemory(Scaling(np.ones(3)))
    step, r = rng.standard_normal((2, 3))
    earlier.remember(step, 2.0 * step)
    before = earlier.solve(r)
    later = LimitedMemory(Scaling(np.ones(3)), earlier)
    assert_allclose(later.solve(r), before)
    later.remember(r, 5.0 * r)
    assert_allclose(earlier.solve(r), before)


def run(objective, tolerance, max_iter=100, inverse=1.0):
    start = Iterate.at(objective, np.zeros(len(objective.b)))
    memory = LimitedMemory(Scaling(inverse))
    values = []

    def callback(n_iter, w, value):
        values.append(value)
        assert n_iter == len(values)

    limits = PhaseLimits(lambda value: tolerance, max_iter)
    return *quasi_newton_phase(objective, start, memory, limits, callback), values


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_near_minimum_is_reached_and_values_fall(rng, scale):
    H = scale * with_spectrum(rng, np.linspace(1.0, 4.0, 20))
    b = scale * rng.standard_normal(20)
    objective = Quadratic(H, b)
    end, n_iter, arrived, values = run(objective, 1e-10 * scale)
    minimum = -0.5 * b @ np.linalg.solve(H, b)
    assert arrived
    assert n_iter == len(values) < 30
    assert end.value - minimum <= 1e-9 * scale
    assert (np.diff(values) < 0.0).all()
    assert_allclose(end.grad, H @ end.w - b)


def test_a_far_minimum_is_given_up_within_few_passes(rng):
    H = with_spectrum(rng, np.logspace(-6, 2, 200))
    objective = Quadratic(H, H @ rng.standard_normal(200) * 30.0)
    _, n_iter, arrived, _ = run(objective, 1e-12)
    assert not arrived
    assert n_iter >= 5
    assert objective.n_passes < 25


def test_no_more_than_max_iter_steps_are_taken(rng):
    objective = Quadratic(with_spectrum(rng, np.linspace(1, 50, 30)), np.ones(30))
    _, n_iter, arrived, _ = run(objective, 1e-14, max_iter=3)
    assert (n_iter, arrived) == (3, False)


def test_a_step_too_long_is_shortened(rng):
    objective = Quadratic(np.diag([1.0, 2.0, 3.0]), np.ones(3))
    end, _, arrived, values = run(objective, 1e-12, inverse=1e6)
    assert arrived
    assert values[0] < 0.0
    assert_allclose(end.w, [1.0, 1 / 2, 1 / 3], atol=1e-5)


def test_where_nothing_is_lower_the_start_comes_back():
    class Wall:
        b = np.ones(2)

        def value_grad_hessp(self, w):
            return (np.inf if w.any() else 0.0), -self.b, None

    end, n_iter, arrived, _ = run(Wall(), 1e-8)
    assert (n_iter, arrived) == (0, False)
    assert not end.w.any()
