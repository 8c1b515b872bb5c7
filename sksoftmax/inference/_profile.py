"""Profile-likelihood intervals.

Their ends are where the log-likelihood, maximised over all other coefficients, has
fallen by half a quantile of chi-squared.
"""

import numpy as np
from scipy.special import chdtri

from sksoftmax._solvers.line_search import LineSearch, halve
from sksoftmax.inference._likelihood import Factor

# Tolerance of the log-likelihood at the end of an interval, in nats and as a fraction
# of a thousandth of the log-likelihood: its sum has a relative error of 1e-15.
_TOLERANCE = 1e-10
_MAX_ENDS = 60
_MAX_STEPS = 100
_MAX_HALVINGS = 28


def profile_interval(problem, g, level):
    """The two ends of the interval for the coefficient g.gamma at a confidence level.

    Both are finite: the loss is convex and has a minimum, so it grows without bound.
    """
    drop = 0.5 * float(chdtri(1, 1.0 - level))
    return tuple(side * _end(problem, side * g, drop) for side in (-1.0, 1.0))


def _end(problem, g, drop):
    """The largest g.gamma at which the loss on the profile has grown by drop.

    r(c) = sqrt(loss(c) - loss(estimate)) is nearly linear in c = g.gamma, so Newton's
    method on r(c) = sqrt(drop) takes three or four steps. The slope of the profile is
    the multiplier of the constraint.
    """
    gamma, factor = problem.gamma, problem.factor
    estimate = float(np.vdot(g, gamma))
    variance = float(np.vdot(g, factor.solve(g)))
    target = estimate + np.sqrt(2.0 * drop * variance)
    # Far from the estimate the loss may have no curvature along g, and this adds some.
    # Steps with g.step = 0 do not depend on it.
    extra = np.outer(g, g) / variance
    known = [estimate, np.inf]  # bounds of the end
    for _ in range(_MAX_ENDS):
        c = float(np.vdot(g, gamma))
        tangent = factor.solve(g)
        start = gamma + (target - c) * tangent / float(np.vdot(g, tangent))
        gamma, loss, slope, factor = _minimise(problem, start, g, extra)
        growth = loss - problem.loss
        if abs(growth - drop) <= _TOLERANCE * max(1.0, 1e-3 * problem.loss):
            return target
        known[growth > drop] = target
        target = _next(target, growth, slope, drop, known, estimate)
    raise ArithmeticError(
        f"The end of a profile interval was not found in {_MAX_ENDS} steps."
    )


def _next(c, growth, slope, drop, known, estimate):
    """The next c by Newton's method on the root of the growth, inside the bounds."""
    low, high = known
    root = np.sqrt(max(growth, 1e-300))
    rise = 2.0 * root * (np.sqrt(drop) - root)
    new = c + rise / slope if slope > 0.0 else np.inf
    furthest = estimate + 10.0 * (c - estimate) if high == np.inf else high
    if low < new < furthest:
        return new
    return furthest if high == np.inf else 0.5 * (low + high)


def _minimise(problem, gamma, g, extra):
    """Minimise the loss with g.gamma fixed, by Newton's method.

    Returns gamma, the loss, its slope in g.gamma, and the factor of H + extra.
    """
    derivatives = problem.likelihood.derivatives
    value, grad, H, _ = derivatives(gamma)
    for _ in range(_MAX_STEPS):
        factor = Factor(H + extra)
        along, down = factor.solve(g), factor.solve(grad)
        slope = float(np.vdot(along, grad) / np.vdot(along, g))
        step = slope * along - down
        fall = -float(np.vdot(grad, step))
        if 0.5 * fall <= 0.01 * _TOLERANCE:
            break
        found = LineSearch(value, -fall).backtrack(
            lambda t, gamma=gamma, step=step: derivatives(gamma + t * step),
            halve,
            max_trials=_MAX_HALVINGS,
        )
        if found is None:  # what is left is rounding
            break
        t, (value, grad, H, _), _ = found
        gamma = gamma + t * step
    return gamma, value, slope, factor
