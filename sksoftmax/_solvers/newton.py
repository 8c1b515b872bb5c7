"""Truncated Newton: conjugate gradients inside, one pass over the data per step.

Quasi-Newton steps go first, as long as a sample of the rows, and then their own first
steps, show that they get to the minimum soon. Newton's method takes the last step and
estimates the distance from the minimum.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from sksoftmax._solvers.cg import solve_newton_system
from sksoftmax._solvers.line_search import LineSearch
from sksoftmax._solvers.quasi_newton import (
    LimitedMemory,
    PhaseLimits,
    quasi_newton_phase,
)
from sksoftmax._solvers.result import (
    Iterate,
    Result,
    absolute_tolerance,
    rounding_error,
)


def newton(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a smooth convex F(w), and estimate how far it is from its minimum.

    The arguments are those of a `Solver`. The steps:

    1. Minimise F on samples of the rows, from small to large; each minimum is where the
       next minimisation starts.
    2. Where the samples showed that the minimum is near, take quasi-Newton steps
       (`quasi_newton_phase`) as long as it is.
    3. Iterate: solve the Newton system H d = -g by preconditioned conjugate gradients,
       as exactly as progress so far deserves (Dembo, Eisenstat and Steihaug 1982, SIAM
       J. Numer. Anal. 19:400; their forcing sequence eta_k is in
       `solve_newton_system`), and step to w + d. Where that does not lower F enough,
       step to the minimum along d.
    4. Stop after the step at which half the squared Newton decrement g.H^-1.g was
       within the tolerance. It estimates F(w) - min F before that step, so that what is
       reported bounds the distance after it from above.
    """
    w = objective.project_onto_gauge(w)  # no step changes what all classes share
    learned = _Learned()
    for sample, tolerance in objective.subsamples(w):
        w, learned = _minimise_sample(sample, w, learned, tolerance, null_value)
    precondition = objective.preconditioner(learned.precondition)
    criterion = _Criterion(partial(absolute_tolerance, tol, null_value), null_value)
    now, n_iter = Iterate.at(objective, w), 0
    if learned.is_near and precondition.suits_quasi_newton:
        precondition.update(now.hessian)
        memory = LimitedMemory(precondition, learned.memory)
        limits = PhaseLimits(criterion.of_phase(objective), max_iter // 2)
        now, n_iter, _ = quasi_newton_phase(objective, now, memory, limits, callback)
    left = range(n_iter + 1, max_iter + 1)
    return _iterate(objective, precondition, now, criterion, left, callback)


class _Criterion(NamedTuple):
    """When an iterate is close enough to the minimum."""

    tolerance_at: Callable  # F(w) -> largest gap to the minimum, nats
    null_value: float  # F of the model without features, nats

    def of_phase(self, objective):
        """F(w) -> gap at which quasi-Newton steps leave the last step to Newton's."""

        def tolerance_at(value):
            if objective.is_separated(value, self.null_value):
                return np.inf
            return 0.5 * self.tolerance_at(value)

        return tolerance_at


class _Learned(NamedTuple):
    """What the minimum on fewer rows shows about the next one."""

    precondition: object = None
    memory: LimitedMemory | None = None
    is_near: bool = True  # within a few quasi-Newton steps


# Passes over a sample in which quasi-Newton steps must get to its minimum, to a
# thousandth of the distance between that and the minimum of all rows.
_SAMPLE_STEPS = 20


def _minimise_sample(sample, w, learned, tolerance, null_value):
    """A w within the tolerance of the minimum on some rows, and what was learned."""
    now = Iterate.at(sample, w)
    precondition, memory, is_near = learned
    if is_near:
        precondition = sample.preconditioner(precondition, weak=True)
        precondition.update(now.hessian)
        memory = LimitedMemory(precondition, memory)
        limits = PhaseLimits(lambda value: 1e-3 * tolerance, _SAMPLE_STEPS)
        now, _, is_near = quasi_newton_phase(sample, now, memory, limits)
    if not is_near:
        precondition = sample.preconditioner(precondition)
        criterion = _Criterion(lambda value: tolerance, null_value)
        now = _iterate(sample, precondition, now, criterion, range(1, 21))
    return now.w, _Learned(precondition, memory, is_near)


def _iterate(objective, precondition, start, criterion, numbers, callback=None):
    """The result of Newton iterations with these numbers, fewer if they converge."""
    now, gaps = start, []
    tolerance_at, null_value = criterion
    iterations = iter(numbers)
    for n_iter in iterations:
        precondition.update(now.hessian)
        tolerance = tolerance_at(now.value)
        step = solve_newton_system(
            now.hessian,
            now.grad,
            precondition,
            # Steps can be finer than the rounding of F, so that tol = 0 asks for all
            # digits of w.
            tolerance=max(tolerance - rounding_error(null_value), 1e-3 * tolerance),
            scale=max(null_value - now.value, 0.0) + abs(now.value),
            shrinkage=gaps[-1] / gaps[-2] if len(gaps) > 1 and gaps[-2] else 0.0,
        )
        precondition.learn(step)
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
            most = min(_ESCAPE, numbers[-1] - n_iter - 1)
            limits = PhaseLimits(criterion.of_phase(objective), most, is_patient=True)
            report = callback and (lambda _, *at: callback(next(iterations), *at))
            now, n_more = _escape(objective, now, limits, report)
            n_iter, gaps = n_iter + n_more, []
        if objective.is_separated(now.value, null_value):
            # The infimum is zero, so F is its own distance from it.
            return Result(
                now.w, now.value, now.value, tolerance, n_iter, separated=True
            )
        # An old preconditioner can be the reason that no step lowers F.
        if last or (lower is None and not precondition.invalidate()):
            break
    return Result(now.w, now.value, gap, tolerance, n_iter, step=step.direction)


# Where less than this fraction of a Newton step leads down, rows are certain of the
# wrong class: they have slope and no curvature, and the step is far too long along
# them. Quasi-Newton steps go by how the slope changed on the way, and get out. (digits
# at alpha = 0: 220 passes and 0.14 s, in the place of 1,555 and 1.4 s without success.)
_SHORT_STEP, _ESCAPE = 0.1, 60


def _is_cut(before, now, direction):
    """Whether only a small fraction of a direction could be gone."""
    moved, wanted = np.linalg.norm(now.w - before.w), np.linalg.norm(direction)
    return 0.0 < moved < _SHORT_STEP * wanted


def _escape(objective, start, limits, callback):
    """The last of some quasi-Newton steps from where the Hessian is of no use.

    None are taken where Newton's steps lead to the minimum: with a penalty there is
    one, and they do where no row is wrong. Returns the iterate and the number of steps.
    """
    if not objective.network.is_linear:
        return start, 0
    if not objective.penalty.is_zero and objective.has_no_wrong_row(start.value):
        return start, 0
    weak = objective.preconditioner(weak=True)
    weak.update(start.hessian)
    memory = LimitedMemory(weak)
    now, n_iter, _ = quasi_newton_phase(objective, start, memory, limits, callback)
    return now, n_iter


# Newton's steps shrink the gap to its square. Where they leave more than this fraction
# of it, classes are all but separated: F falls as exponentials do, some of which are
# slower than the others and do not show in the slope. On 1,200 random tables with alpha
# from 1e-12 to 10 the gap was up to 7 times its estimate there, so the estimate is
# multiplied by ten.
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
