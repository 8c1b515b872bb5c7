"""Full-batch L-BFGS: scipy's iterations, with our test of convergence."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.optimize import minimize

from sksoftmax._solvers.certificate import certified_step, reported_gap
from sksoftmax._solvers.cg import Accuracy, solve_newton_system
from sksoftmax._solvers.newton_iterations import (
    PASSES_PER_ITERATION,
    Criterion,
    NewtonIterations,
)
from sksoftmax._solvers.result import Iterate, Result, absolute_tolerance

# scipy can only stop L-BFGS on the largest entry of its gradient, which depends on the
# units of the features. So we stop it from its callback, which solves a Newton system
# every so many iterations: that costs several passes over the data.
_CHECK_EVERY = 10


def lbfgs(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a smooth F(w) by L-BFGS; the arguments are those of a `Solver`.

    1. Stop at a w whose duality gap is well within the tolerance, and divide others by
       the scale that makes the diagonal of the first Hessian one.
    2. Run scipy's L-BFGS (Liu and Nocedal 1989, On the limited memory BFGS method for
       large scale optimization, Math. Program. 45:503).
    3. Every few iterations, solve a Newton system. Stop with that Newton step if it is
       the last: the duality gap after it is within the tolerance, or without a ridge
       half the squared Newton decrement before it.
    4. Go on with Newton iterations where the line search of L-BFGS has come to the
       rounding of F and there are no hidden layers. Newton's steps are finer.
    """
    w = objective.project_onto_gauge(w)  # no step changes what all classes share
    precondition = objective.preconditioner()
    start = Iterate.at(objective, w)
    scale = precondition.unit_scale(start.hessian)
    criterion = Criterion(
        partial(absolute_tolerance, tol, null_value),
        null_value,
        objective.value_and_gap if objective.has_dual else None,
    )
    n_iter, latest, found = 0, w, _at_minimum(start, precondition, criterion)
    if found is not None:
        callback(1, found.w, found.value)
        return found

    def scaled(u):
        value, grad = objective.value_and_grad(scale * u)
        return value, scale * grad

    def watch(intermediate_result):
        nonlocal latest, n_iter, found
        value = float(intermediate_result.fun)
        if not np.isfinite(value):  # a step to infinity; the iterate before it counts
            raise StopIteration
        n_iter += 1
        latest = scale * intermediate_result.x
        callback(n_iter, latest, value)
        if objective.is_separated(value, null_value):
            raise StopIteration
        if n_iter % _CHECK_EVERY == 0 and n_iter < max_iter:
            now = Iterate.at(objective, latest)
            found = _last_step(objective, now, precondition, criterion)
            if found is not None:
                raise StopIteration

    minimize(
        scaled,
        w / scale,
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 0, "ftol": 0, "maxiter": max_iter, "maxfun": 20 * max_iter},
        callback=watch,
    )
    if found is not None:
        callback(n_iter + 1, found.w, found.value)
        return replace(found, n_iter=n_iter + 1)
    now = Iterate.at(objective, latest)
    if objective.is_separated(now.value, null_value):
        # The infimum is zero, so F is its own distance from it.
        tolerance = criterion.tolerance_at(now.value)
        return Result(now.w, now.value, now.value, tolerance, n_iter, separated=True)
    if n_iter == max_iter or not objective.network.is_linear:
        return _judged(now, precondition, criterion, n_iter)
    numbers = range(n_iter + 1, max_iter + 1)
    max_passes = objective.n_passes + PASSES_PER_ITERATION * len(numbers)
    criterion = criterion._replace(max_passes=max_passes)
    iterations = NewtonIterations(objective, precondition, criterion, callback)
    return iterations.run(now, numbers)


def _at_minimum(start, precondition, criterion):
    """The result at a warm start that is well within the tolerance, or None.

    Elsewhere iterations go on, whose last step leaves much less than the tolerance.
    """
    tolerance = criterion.tolerance_at(start.value)
    if criterion.certify is None:
        return None
    if precondition.ridge_gap(start.grad) > 0.01 * tolerance:
        return None
    gap = criterion.certify(start.w, tolerance)[1]
    if gap > tolerance:
        return None
    gap = reported_gap(gap, start.value, tolerance)
    return Result(start.w, start.value, gap, tolerance, 1)


def _last_step(objective, now, precondition, criterion):
    """The result after a Newton step if that is the last, or None.

    Half the squared decrement bounds what is left after the step. Before it, in nearly
    separable problems, that can be twice as much. With a ridge the duality gap after
    the step decides.
    """
    tolerance, certify = criterion.tolerance_at(now.value), criterion.certify
    step = _newton_step(now, precondition, tolerance, is_certified=certify is not None)
    if step.gap > tolerance or step.gap_after > tolerance:
        return None
    if certify is not None:
        lower, gap = certified_step(certify, now, step.direction, tolerance)
        now = lower or now
        gap = reported_gap(gap, now.value, tolerance)
        return Result(now.w, now.value, gap, tolerance, 0) if gap <= tolerance else None
    w = now.w + step.direction
    value = objective.value(w)
    if value > now.value:
        w, value = now.w, now.value
    gap = max(step.gap, now.value - value)
    return Result(w, value, gap, tolerance, 0, step=step.direction)


def _judged(now, precondition, criterion, n_iter):
    """The result at an iterate after which there is no other."""
    tolerance = criterion.tolerance_at(now.value)
    if criterion.certify is not None:
        gap = reported_gap(criterion.certify(now.w, tolerance)[1], now.value, tolerance)
        return Result(now.w, now.value, gap, tolerance, n_iter)
    step = _newton_step(now, precondition, tolerance)
    direction = step.direction
    return Result(now.w, now.value, step.gap, tolerance, n_iter, step=direction)


def _newton_step(now, precondition, tolerance, *, is_certified=False):
    """The Newton step from an iterate; updates and teaches the preconditioner."""
    precondition.update(now.hessian)
    accuracy = Accuracy(tolerance, now.value, is_certified=is_certified)
    step = solve_newton_system(now.hessian, now.grad, precondition, accuracy)
    precondition.learn(step)
    return step
