"""Newton iterations, from any start, until the gap to the minimum is small."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sksoftmax._solvers.certificate import certified_step, is_falling, reported_gap
from sksoftmax._solvers.cg import Accuracy, exactly_solved, solve_newton_system
from sksoftmax._solvers.line_search import LineSearch
from sksoftmax._solvers.quasi_newton import (
    LimitedMemory,
    PhaseLimits,
    Remembered,
    quasi_newton_phase,
)
from sksoftmax._solvers.result import Iterate, Result, rounding_error

# Passes over the data, products with the Hessian included, that an iteration is worth:
# max_iter bounds the number of iterations, and this what they cost together. The
# hardest of the benchmark sets takes 1,250 passes of 2,400.
PASSES_PER_ITERATION = 12


class Criterion(NamedTuple):
    """When an iterate is close enough to the minimum, and when a fit costs too much."""

    tolerance_at: Callable  # F(w) -> largest gap to the minimum, nats
    null_value: float  # F of the model without features, nats
    # (w, tolerance) -> F(w) and a duality gap there; None where none is asked for.
    certify: Callable | None = None
    max_passes: float = np.inf  # of the objective, all that it made before included

    def of_phase(self, objective):
        """F(w) -> gap at which quasi-Newton steps leave the last step to Newton's."""

        def tolerance_at(value):
            if objective.is_separated(value, self.null_value):
                return np.inf
            return 0.5 * self.tolerance_at(value)

        return tolerance_at


@dataclass(frozen=True)
class NewtonIterations:
    """Newton iterations on an objective.

    Parameters
    ----------
    objective : Objective
    precondition : Preconditioner
    criterion : Criterion
    callback : callable, optional
    """

    objective: object
    precondition: object
    criterion: Criterion
    callback: Callable | None = None

    def run(self, start, numbers, memory=None):
        """The result of iterations with these numbers, fewer if they converge.

        A memory of the quasi-Newton steps that led to the start helps to solve the
        first system.
        """
        now, gaps, certificates = start, [], []
        objective, certify = self.objective, self.criterion.certify
        iterations = iter(numbers)
        for n_iter in iterations:
            tolerance = self.criterion.tolerance_at(now.value)
            step = self._solve(now, tolerance, gaps, memory)
            memory = None
            gaps.append(step.gap)
            gap = _doubted(gaps)
            may_go_on = n_iter < numbers[-1]
            last = not may_go_on or (gap <= tolerance and step.gap_after <= tolerance)
            before = now
            if last and certify:
                lower, gap, last = self._take_certified(
                    now, step, tolerance, certificates, may_go_on
                )
            else:
                lower = _step_down(objective, now, step.direction, last)
                if lower is not None:
                    gap = max(gap, now.value - lower.value)
                    # It may have gained more than the model said was left to gain.
                    last = last and not (gap > tolerance and may_go_on)
            now = lower or now
            if not last and now.hessian is None:
                now = Iterate.at(objective, now.w)
            if self.callback is not None:
                self.callback(n_iter, now.w, now.value)
            if not last and _is_cut(before, now, step.direction):
                most = min(_ESCAPE, numbers[-1] - n_iter - 1)
                now, n_more = self._escape(now, most, iterations)
                n_iter, gaps = n_iter + n_more, []
            if objective.is_separated(now.value, self.criterion.null_value):
                # The infimum is zero, so F is its own distance from it.
                return Result(
                    now.w, now.value, now.value, tolerance, n_iter, separated=True
                )
            is_costly = not last and objective.n_passes >= self.criterion.max_passes
            # An old preconditioner can be the reason that no step lowers F.
            if (
                last
                or is_costly
                or (lower is None and not self.precondition.invalidate())
            ):
                break
        if certify and not last:
            gap = reported_gap(certify(now.w, tolerance)[1], now.value, tolerance)
        return Result(
            now.w,
            now.value,
            gap,
            tolerance,
            n_iter,
            step=step.direction,
            is_costly=is_costly,
        )

    def _solve(self, now, tolerance, gaps, memory):
        """The Newton step from an iterate; updates and teaches the preconditioner."""
        direction = self.precondition.exact_step(now)
        if direction is not None:
            return exactly_solved(now.grad, direction)
        _, null_value, certify, max_passes = self.criterion
        self.precondition.update(now.hessian)
        precondition = self.precondition
        if memory and certify:
            precondition = Remembered(self.precondition, memory)
        accuracy = Accuracy(
            # Steps can be finer than the rounding of F, so that tol = 0 asks for all
            # digits of w.
            tolerance=max(tolerance - rounding_error(null_value), 1e-3 * tolerance),
            scale=max(null_value - now.value, 0.0) + abs(now.value),
            shrinkage=gaps[-1] / gaps[-2] if len(gaps) > 1 and gaps[-2] else 0.0,
            is_certified=certify is not None,
            max_products=max(max_passes - self.objective.n_passes, 1.0),
        )
        step = solve_newton_system(now.hessian, now.grad, precondition, accuracy)
        precondition.learn(step)
        return step

    def _take_certified(self, now, step, tolerance, certificates, may_go_on):
        """The next iterate or None, its gap, and whether it is the last.

        Iterations go on where the gap is too large and still falls. A step that led
        nowhere may only have been too long.
        """
        lower, gap = certified_step(
            self.criterion.certify, now, step.direction, tolerance
        )
        value = now.value if lower is None else lower.value
        certificates.append((gap, value))
        gap = reported_gap(gap, value, tolerance)
        if gap <= tolerance or not may_go_on:
            return lower, gap, True
        if lower is None:
            lower = _step_down(self.objective, now, step.direction, False)
            return lower, gap, lower is None
        return lower, gap, not is_falling(certificates)

    def _escape(self, start, max_iter, iterations):
        """The last of some quasi-Newton steps from where the Hessian is of no use.

        One step up to a multiple of w is enough where every row is right and there is
        no penalty (digits at alpha = 0: 43 passes, in the place of 330 to 1,900 by the
        rounding of the processor). No steps are taken where there is a penalty: its
        curvature leads Newton's to the minimum (24 tables of 20,000 rows with outliers
        at alpha = 1e-6: 37 passes in the mean and at most 73, in the place of 109 and
        654). Returns the iterate and the number of steps.
        """
        objective, callback = self.objective, self.callback
        scaled = None
        if max_iter > 0:
            scaled = objective.scaled_up(start.w, self.criterion.null_value)
        if scaled is not None:
            if callback is not None:
                callback(next(iterations), *scaled)
            return Iterate(*scaled, None, None), 1
        if not (objective.network.is_linear and objective.penalty.is_zero):
            return start, 0
        weak = objective.preconditioner(weak=True)
        weak.update(start.hessian)
        limits = PhaseLimits(
            self.criterion.of_phase(objective), max_iter, is_patient=True
        )
        report = callback and (lambda _, *at: callback(next(iterations), *at))
        now, n_iter, _ = quasi_newton_phase(
            objective, start, LimitedMemory(weak), limits, report
        )
        return now, n_iter


# Where less than this fraction of a Newton step leads down, rows are certain of the
# wrong class: they have slope and no curvature, and the step is far too long along
# them. Quasi-Newton steps go by how the slope changed on the way, and get out. (digits
# at alpha = 0: 220 passes and 0.14 s, in the place of 1,555 and 1.4 s without success.)
_SHORT_STEP, _ESCAPE = 0.1, 60


def _is_cut(before, now, direction):
    """Whether only a small fraction of a direction could be gone."""
    moved = now.w - before.w
    return 0.0 < moved @ moved < _SHORT_STEP**2 * (direction @ direction)


# Newton's steps shrink the gap to its square. Where they leave more than this fraction
# of it, classes are all but separated: F falls as exponentials do, some of which are
# slower than the others and do not show in the slope. On 1,200 random tables with alpha
# from 1e-12 to 10 the gap was up to 7 times its estimate there, so the estimate is
# multiplied by ten.
_LINEAR, _DOUBT = 0.1, 10.0


def _doubted(gaps):
    """The last of the gaps, multiplied where the one before shows that it is wrong."""
    if len(gaps) > 1 and gaps[-1] > _LINEAR * gaps[-2]:
        return _DOUBT * gaps[-1]
    return gaps[-1]


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
    slope = float(at_new.grad @ direction)
    if search.is_sufficient(at_new.value):
        length = search.longer(slope)
        if length is not None:
            further = Iterate.at(objective, now.w + length * direction)
            if further.value < at_new.value:
                return further
        return at_new
    length = search.minimize(objective.along(now.w, direction), slope)
    at_new = Iterate.at(objective, now.w + length * direction)
    return at_new if at_new.value < now.value else None
