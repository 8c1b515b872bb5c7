"""Preconditioned L-BFGS: the way into the neighbourhood of a minimum."""

from collections import deque

import numpy as np

from sksoftmax._solvers.line_search import LineSearch, interpolate
from sksoftmax._solvers.result import Iterate

_N_PAIRS = 20  # 10 took up to 30 % more passes on the separable sets and on cancer

# Newton's method gets from anywhere to the minimum in 20 to 60 passes' worth of work.
# Where these steps have not that few to go, it takes over. On nearly separable data and
# on tables of 1,000 to 10,000 rows, 30 and 60 both cost up to a third more; sets that
# these steps do not suit lose the 11 passes that it takes to see so.
_FEW_PASSES = 40
_WINDOW = 6


class LimitedMemory:
    """M^-1 of a preconditioner, brought up to date by the last steps.

    L-BFGS (Nocedal and Wright 2006, Numerical Optimization, algorithm 7.4), with M
    times a number in the place of a multiple of the identity. The last pairs of an
    `earlier` memory, of about the same curvature, are taken over.
    """

    def __init__(self, precondition, earlier=None):
        self._precondition = precondition
        self._pairs = deque(
            maxlen=_N_PAIRS
        )  # (step, change of the gradient, 1/product)
        self._factor = 1.0
        if earlier is not None:
            self._pairs.extend(earlier._pairs)
            self._factor = earlier._factor

    def remember(self, step, change):
        """Take in a step and how the gradient changed along it."""
        curvature = float(step @ change)
        size = float(change @ self._precondition.solve(change))
        if curvature > 0.0 and size > 0.0:
            self._pairs.append((step, change, 1.0 / curvature))
            self._factor = curvature / size

    def solve(self, r):
        """Product of the updated M^-1 with r."""
        r = r.copy()
        parts = []
        for step, change, inverse in reversed(self._pairs):
            parts.append(inverse * float(step @ r))
            r -= parts[-1] * change
        z = self._precondition.solve(r)
        z *= self._factor
        for (step, change, inverse), part in zip(
            self._pairs, reversed(parts), strict=True
        ):
            z += (part - inverse * float(change @ z)) * step
        return z


def quasi_newton_phase(
    objective, start, memory, tolerance_at, max_iter, callback, *, is_patient=False
):
    """Step by step towards the minimum, as long as the way is short.

    A step costs one pass over the data, and each passes on what it learned of the
    curvature on the way, not at one point: in nearly separable problems, where the
    curvature dies away, that is worth more than the Hessian. The last gradients' length
    in the metric of the updated M tells how far it still is.

    Parameters
    ----------
    objective : Objective
        Needs value_grad_hessp.
    start : Iterate
    memory : LimitedMemory
        Learns.
    goal_at : callable
        F(w) -> gap, in nats, that is close enough.
    max_iter : int
    callback : callable
    is_patient : bool
        Whether to go on where the way is long, as long as F falls by a tenth every six
        steps.

    Returns
    -------
    end : Iterate
    n_iter : int
    arrived : bool
        Whether the end is within the goal.
    """
    now, gaps, values = start, [], []  # gaps has one for every pass
    for n_iter in range(max_iter):
        direction = -memory.solve(now.grad)
        slope = float(now.grad @ direction)
        gaps.append(-0.5 * slope)
        tolerance = tolerance_at(now.value)
        if gaps[-1] <= tolerance:
            return now, n_iter, True
        values.append(now.value)
        has_stalled = len(values) > _WINDOW and values[-1] > 0.9 * values[-1 - _WINDOW]
        if has_stalled if is_patient else _is_far(gaps, tolerance):
            return now, n_iter, False
        lower, n_shortened = _step_down(objective, now, direction, slope)
        if lower is None:
            return now, n_iter, False
        gaps += n_shortened * gaps[-1:]
        memory.remember(lower.w - now.w, lower.grad - now.grad)
        now = lower
        if callback is not None:
            callback(n_iter + 1, now.w, now.value)
    return now, max_iter, False


def _is_far(gaps, tolerance):
    """Whether at the pace of the last passes the goal is more than a few away.

    The pace is over six passes, from means of three: single gaps jump.
    """
    if len(gaps) < _WINDOW + 5:
        return False
    before, now = np.mean(gaps[-3 - _WINDOW : -_WINDOW]), np.mean(gaps[-3:])
    pace = np.log(before / now) / _WINDOW
    return pace * _FEW_PASSES < np.log(gaps[-1] / tolerance)


def _step_down(objective, now, direction, slope):
    """An iterate along the direction that is lower enough, or None; failed passes."""

    def evaluate(length):
        new = Iterate.at(objective, now.w + length * direction)
        return new.value, new

    search = LineSearch(now.value, slope)
    found = search.backtrack(evaluate, interpolate, max_trials=20)
    if found is None:
        return None, 20
    _, (_, new), n_failed = found
    return new, n_failed
