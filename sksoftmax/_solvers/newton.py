"""Truncated Newton: preconditioned conjugate gradients inside, one pass outside.

Quasi-Newton steps go first, where a sample of the rows, or the first few of them, show
that they get to the minimum soon; Newton's method then has the last step to do, and the
certificate.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sksoftmax._solvers.cg import solve_newton_system
from sksoftmax._solvers.line_search import LineSearch
from sksoftmax._solvers.quasi_newton import LimitedMemory, quasi_newton_phase
from sksoftmax._solvers.result import (
    Iterate,
    Result,
    absolute_tolerance,
    rounding_error,
)


def newton(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a convex objective to a certified distance from its minimum.

    Each iteration solves the Newton system H d = -g by preconditioned conjugate
    gradients, as exactly as progress so far deserves (Dembo, Eisenstat and Steihaug
    1982, SIAM J. Numer. Anal. 19:400), and steps to w + d; where that does not lower F
    enough, to the minimum along d. When half the squared Newton decrement g.H^-1.g is
    within the target, the step is still taken: what is reported bounds the distance
    from above.

    Parameters
    ----------
    objective : Objective
        Needs value, value_grad_hessp, along, centre and preconditioner.
    w : ndarray of shape (n_params,)
        Start.
    tol : float
        Converged when half the squared decrement <= tol * (null_value - F(w)).
    null_value : float
        F of the model without features, nats.
    max_iter : int
    callback : callable

    Returns
    -------
    Result
    """
    w, learned = (
        objective.project_onto_gauge(w),
        _Learned(),
    )  # no step changes what classes share
    for sample, tolerance in objective.subsamples(w):
        w, learned = _prepare(sample, w, learned, tolerance, null_value)
    precondition = objective.preconditioner(learned.precondition)
    tolerance_at = partial(absolute_tolerance, tol, null_value)
    now, n_iter = Iterate.at(objective, w), 0
    if learned.is_near and precondition.suits_quasi_newton:
        stop_tolerance = partial(_phase_tolerance, objective, tolerance_at, null_value)
        precondition.update(now.hessian)
        memory = LimitedMemory(precondition, learned.memory)
        now, n_iter, _ = quasi_newton_phase(
            objective, now, memory, stop_tolerance, max_iter // 2, callback
        )
    left = range(n_iter + 1, max_iter + 1)
    return _iterate(
        objective, precondition, now, tolerance_at, null_value, left, callback
    )


class _Learned(NamedTuple):
    """What the minimum on fewer rows teaches about the next one."""

    precondition: object = None
    memory: LimitedMemory | None = None
    is_near: bool = True  # within a few quasi-Newton steps


# Passes over a sample in which quasi-Newton steps must get to its minimum, to a
# thousandth of the distance between that and the minimum of all rows.
_SAMPLE_STEPS = 20


def _prepare(sample, w, learned, tolerance, null_value):
    """The minimum of an objective on some rows, to the goal, and what was learned."""
    now = Iterate.at(sample, w)
    precondition, memory, is_near = learned
    if is_near:
        precondition = sample.preconditioner(precondition, weak=True)
        precondition.update(now.hessian)
        memory = LimitedMemory(precondition, memory)
        close = partial(_constant, 1e-3 * tolerance)
        now, _, is_near = quasi_newton_phase(
            sample, now, memory, close, _SAMPLE_STEPS, None
        )
    if not is_near:
        precondition = sample.preconditioner(precondition)
        tolerance_at = partial(_constant, tolerance)
        now = _iterate(
            sample, precondition, now, tolerance_at, null_value, range(1, 21)
        )
    return now.w, _Learned(precondition, memory, is_near)


def _constant(tolerance, value):
    return tolerance


def _phase_tolerance(objective, tolerance_at, null_value, value):
    """Gap with which quasi-Newton steps leave the rest to Newton's."""
    return (
        np.inf
        if objective.is_separated(value, null_value)
        else 0.5 * tolerance_at(value)
    )


def _iterate(
    objective, precondition, start, tolerance_at, null_value, numbers, callback=None
):
    """Newton iterations until the gap is within target(F(w))."""
    now, gaps = start, []
    iterations = iter(numbers)
    for n_iter in iterations:
        precondition.update(now.hessian)
        tolerance = tolerance_at(now.value)
        step = solve_newton_system(
            now.hessian,
            now.grad,
            precondition,
            # Steps can be finer than F is rounded: whoever asks for all digits of w
            # (tol = 0) gets them.
            tolerance=max(tolerance - rounding_error(null_value), 1e-3 * tolerance),
            scale=max(null_value - now.value, 0.0) + abs(now.value),
            shrinkage=gaps[-1] / gaps[-2] if len(gaps) > 1 and gaps[-2] else 0.0,
        )
        gaps.append(step.gap)
        gap = step.gap
        if len(gaps) > 1 and gap > _LINEAR * gaps[-2]:
            gap *= _DOUBT
        last = gap <= tolerance or n_iter == numbers[-1]
        before = now
        lower = _step_down(objective, now, step.direction, last)
        if lower is not None:
            gap = max(gap, now.value - lower.value)
            now = lower
            if last and gap > tolerance and n_iter < numbers[-1]:
                # The step gained more than the model said was left to gain.
                now, last = Iterate.at(objective, now.w), False
        if callback is not None:
            callback(n_iter, now.w, now.value)
        if not last and _is_cut(before, now, step.direction):
            stop_tolerance = partial(
                _phase_tolerance, objective, tolerance_at, null_value
            )
            most = min(_ESCAPE, numbers[-1] - n_iter - 1)
            report = callback and (lambda _, *at: callback(next(iterations), *at))
            now, n_more = _escape(objective, now, stop_tolerance, most, report)
            n_iter, gaps = n_iter + n_more, []
        if objective.is_separated(now.value, null_value):
            # The infimum is zero, so F is its own distance from it.
            return Result(
                now.w, now.value, now.value, tolerance, n_iter, separated=True
            )
        # No way down may be the fault of an old preconditioner.
        if last or (lower is None and not precondition.invalidate()):
            break
    return Result(now.w, now.value, gap, tolerance, n_iter, step=step.direction)


# Where less than this share of a Newton step leads down, rows are certain of the wrong
# class: they have slope and no curvature, and the step is far too long along them.
# Quasi-Newton steps go by how the slope changed on the way, and get out. (digits at
# alpha = 0: 220 passes and 0.14 s, in the place of 1,555 and 1.4 s that did not do.)
_SHORT_STEP, _ESCAPE = 0.1, 60


def _is_cut(before, now, direction):
    """Whether little of a direction could be gone."""
    moved, wanted = np.linalg.norm(now.w - before.w), np.linalg.norm(direction)
    return 0.0 < moved < _SHORT_STEP * wanted


def _escape(objective, start, stop_tolerance, max_iter, callback):
    """Quasi-Newton steps from a point whose Hessian is of no use, as long as they do.

    With a penalty there is a minimum, to which Newton leads where no row is wrong.
    Returns the last iterate and the number of steps.
    """
    if not objective.network.is_linear:
        return start, 0
    if objective.penalty.strength.any() and objective.has_no_wrong_row(start.value):
        return start, 0
    weak = objective.preconditioner(weak=True)
    weak.update(start.hessian)
    memory = LimitedMemory(weak)
    now, n_iter, _ = quasi_newton_phase(
        objective, start, memory, stop_tolerance, max_iter, callback, is_patient=True
    )
    return now, n_iter


# Newton's steps shrink the gap to its square, and where they leave more than this share
# of it, classes are all but separated: F falls as exponentials do, some of which are
# slower than the others and do not show in the slope. On 1,200 random tables with alpha
# from 1e-12 to 10 the gap was up to 7 times its estimate there.
_LINEAR, _DOUBT = 0.1, 10.0


def _step_down(objective, now, direction, last):
    """The next iterate, or None if none is lower.

    The last step needs no derivatives; it gets None for them.
    """
    new = now.w + direction
    if last:
        new_value = objective.value(new)
        return Iterate(new, new_value, None, None) if new_value <= now.value else None
    at_new = Iterate.at(objective, new)
    search = LineSearch(now.value, float(now.grad @ direction))
    if search.is_sufficient(at_new.value):
        length = search.longer(float(at_new.grad @ direction))
        if length is not None:
            further = Iterate.at(objective, now.w + length * direction)
            if further.value < at_new.value:
                return further
        return at_new
    length = search.minimize(objective.along(now.w, direction))
    at_new = Iterate.at(objective, now.w + length * direction)
    return at_new if at_new.value < now.value else None
