"""Profile-likelihood intervals.

Their ends are where the log-likelihood, maximised over all other coefficients, has
fallen by half a quantile of chi-squared. The loss is convex and has a minimum, so that
both ends are finite; but one may be so far that rounding hides it.
"""

import numpy as np
from scipy.linalg import LinAlgError
from scipy.special import chdtri

from sksoftmax.inference._fit_statistics import require_likelihood
from sksoftmax.inference._likelihood import damped_factor

# Tolerance of the log-likelihood at the end of an interval, in nats and as a fraction
# of a thousandth of the log-likelihood: its sum has a relative error of 1e-15.
_TOLERANCE = 1e-10
_MAX_ENDS = 200
_MAX_STEPS = 1000  # Newton takes ten, Fisher's scoring up to hundreds in flat places
_MAX_SHORTER = 28

# An end is as good as infinite this many standard errors from the estimate.
_INFINITE = 1e8

# How far the loss may rise on the way to the next point of the profile, as a multiple
# of the drop. Farther off the loss has lost its curvature, and Newton's steps are wild.
_LARGEST_RISE = 10.0


def profile_intervals(problem, estimates, level):
    """The ends for each coefficient, shape (n_rows, n_terms, 2).

    An end is infinite where it is too far, and nan where it was not found.
    """
    require_likelihood(problem, "interval='profile'")
    drop = 0.5 * float(chdtri(1, 1.0 - level))
    ends = np.empty((*estimates.coef.shape, 2))
    for row, term in np.ndindex(*estimates.coef.shape):
        g = np.outer(estimates.G[row], estimates.M[term])
        for number, side in enumerate((-1.0, 1.0)):
            ends[row, term, number] = side * profile_end(problem, side * g, drop)
    return ends


def notes_on_ends(ends, classes, terms):
    """A sentence on the ends that are not finite, or none."""
    missing = [
        f"{term!r} of {label}"
        for label, row in zip(classes.tolist(), ends, strict=True)
        for term, pair in zip(terms, row, strict=True)
        if not np.isfinite(pair).all()
    ]
    note = (
        "Some ends of profile intervals are too far to be told from infinity (inf), or"
        f" were not found (nan): {', '.join(missing)}."
    )
    return [note] if missing else []


def profile_end(problem, g, drop):
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
        start = _towards(problem, gamma, factor.solve(g), g, target, drop)
        target = float(np.vdot(g, start))
        found = minimum_on_profile(problem, start, g, extra)
        if found is None:
            return np.nan
        gamma, loss, slope, factor = found
        growth = loss - problem.loss
        if abs(growth - drop) <= _TOLERANCE * max(1.0, 1e-3 * problem.loss):
            return target
        known[growth > drop] = target
        target = _next(target, growth, slope, drop, known, estimate)
        if target - estimate > _INFINITE * np.sqrt(variance):
            return np.inf
    return np.nan


def _towards(problem, gamma, tangent, g, target, drop):
    """A start for g.gamma = target along the tangent, or less far where it is bad."""
    step = (target - float(np.vdot(g, gamma))) * tangent / float(np.vdot(g, tangent))
    most = problem.loss + _LARGEST_RISE * drop
    for _ in range(_MAX_SHORTER):
        if problem.likelihood.value(gamma + step) <= most:
            break
        step = 0.5 * step
    return gamma + step


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


def minimum_on_profile(problem, gamma, g, extra):
    """Minimise the loss with g.gamma fixed, by Newton's method.

    Returns gamma, the loss, its slope in g.gamma, and the factor of H + extra; or None
    where no minimum was found.
    """
    value, grad, H, _ = problem.likelihood.derivatives(gamma)
    for _ in range(_MAX_STEPS):
        try:
            factor = damped_factor(H + extra, problem.hessian)
        except LinAlgError:
            return None
        along, down = factor.solve(g), factor.solve(grad)
        slope = float(np.vdot(along, grad) / np.vdot(along, g))
        step = slope * along - down
        fall = -float(np.vdot(grad, step))
        if 0.5 * fall <= 0.01 * _TOLERANCE:
            return gamma, value, slope, factor
        found = problem.likelihood.after(gamma, step, value, fall)
        if found is None:  # what is left is rounding
            return gamma, value, slope, factor
        gamma, (value, grad, H, _) = found
    return None
