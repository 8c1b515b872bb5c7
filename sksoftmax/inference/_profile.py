"""Profile-likelihood intervals.

They end where the log-likelihood, maximised over all other coefficients, has fallen by
half a quantile of chi-squared.
"""

import numpy as np
from scipy.special import chdtri

from sksoftmax.inference._likelihood import Factor

# The drop of the log-likelihood at an end of an interval is met to this many nats, or
# to this share of a thousandth of the log-likelihood, which is summed to 1e-15.
_TOLERANCE = 1e-10
_MAX_ENDS = 60
_MAX_STEPS = 100


def profile_interval(problem, g, level):
    """Ends of the interval for g.gamma, the first and the second.

    Parameters
    ----------
    problem : Problem
    g : ndarray of shape (K - 1, n_terms)
        Direction of the coefficient in working coordinates.
    level : float
        Confidence level.

    Returns
    -------
    ends : tuple of float
        Both finite: the loss is convex and has a minimum, so it grows without bound.
    """
    drop = 0.5 * float(chdtri(1, 1.0 - level))
    return tuple(side * _end(problem, side * g, drop) for side in (-1.0, 1.0))


def _end(problem, g, drop):
    """Largest g.gamma on the profile at which the loss has grown by drop.

    The root of the growth, r(c) = sqrt(loss(c) - loss(estimate)), is nearly linear in
    c = g.gamma, so Newton's method on r(c) = sqrt(drop) takes three or four steps. The
    slope of the profile is the multiplier of the constraint.
    """
    gamma, factor = problem.gamma, problem.factor
    lowest = problem.likelihood.value(gamma)
    estimate = float(np.vdot(g, gamma))
    variance = float(np.vdot(g, factor.solve(g)))
    target = estimate + np.sqrt(2.0 * drop * variance)
    # Far out the loss may have no curvature left along g. Any multiple of g g^T leaves
    # steps with g.step = 0 as they are, and this one makes up for it.
    extra = np.outer(g, g) / variance
    known = [estimate, np.inf]  # between these is the end
    for _ in range(_MAX_ENDS):
        c = float(np.vdot(g, gamma))
        tangent = factor.solve(g)
        start = gamma + (target - c) * tangent / float(np.vdot(g, tangent))
        gamma, growth, slope, factor = _minimise(problem, start, g, extra)
        growth -= lowest
        if abs(growth - drop) <= _TOLERANCE * max(1.0, 1e-3 * lowest):
            return target
        known[growth > drop] = target
        target = _next(target, growth, slope, drop, known, estimate)
    raise ArithmeticError(
        f"An end of a profile interval was not found in {_MAX_ENDS} steps."
    )


def _next(c, growth, slope, drop, known, estimate):
    """Newton's step on the root of the growth, kept between the known bounds."""
    low, high = known
    root = np.sqrt(max(growth, 1e-300))
    rise = 2.0 * root * (np.sqrt(drop) - root)
    new = c + rise / slope if slope > 0.0 else np.inf
    furthest = estimate + 10.0 * (c - estimate) if high == np.inf else high
    if low < new < furthest:
        return new
    return furthest if high == np.inf else 0.5 * (low + high)


def _minimise(problem, gamma, g, extra):
    """Minimum of the loss with g.gamma fixed, by Newton's method along the constraint.

    Returns gamma, the loss, its slope in g.gamma, and the factor of H + extra.
    """
    value, grad, _, H = problem.likelihood.derivatives(gamma)
    for _ in range(_MAX_STEPS):
        factor = Factor(H + extra)
        along, down = factor.solve(g), factor.solve(grad)
        slope = float(np.vdot(along, grad) / np.vdot(along, g))
        step = slope * along - down
        fall = -float(np.vdot(grad, step))
        if 0.5 * fall <= 0.01 * _TOLERANCE:
            break
        t = 1.0
        while True:
            at_new = problem.likelihood.derivatives(gamma + t * step)
            if at_new[0] <= value - 1e-4 * t * fall or t < 1e-8:
                break
            t *= 0.5
        gamma = gamma + t * step
        value, grad, _, H = at_new
        if t < 1e-8:
            break
    return gamma, value, slope, factor
