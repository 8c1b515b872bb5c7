"""The minimum of a quadratic model plus a sparse penalty, by sweeps over its blocks."""

from typing import NamedTuple

import numpy as np

# Sweeps over all blocks, and sweeps over those with weights between two of them.
_MOST_ROUNDS, _MOST_SWEEPS = 20, 60

# Points of which one is extrapolated.
_N_POINTS = 6

# Fraction of the decrease at which sweeps over the blocks with weights end, relative to
# that at which all sweeps do.
_INNER = 0.3

# Decrease of the model, in nats, that is too small to matter.
_NOTHING = 1e-26


class Minimum(NamedTuple):
    """Where sweeps have ended."""

    step: np.ndarray  # (n_params,), of w
    predicted_reduction: float  # decrease of the model, nats
    is_reached: bool  # whether the last sweep over all blocks brought next to nothing


def minimise_by_sweeps(model, limits):
    """The minimum of a model by coordinate descent.

    Sweeps over all blocks alternate with sweeps over the blocks that have weights. Of
    the latter, every sixth point is an extrapolation of those before, if the model is
    lower there (Anderson 1965, J. ACM 12:547; Bertrand and Massias 2021, AISTATS). The
    last sweep is the one that lowers the model by less than the forcing term times all
    of the decrease.

    Parameters
    ----------
    model : object
        Has start, all_blocks(), active_blocks(point), sweep(point, blocks),
        extrapolate(points, weights), change(before, after), step_to(point), cost.
    limits : ModelLimits

    Returns
    -------
    Minimum
    """
    point, total, everything = model.start.copy(), 0.0, model.all_blocks()
    is_reached = False
    for _ in range(_MOST_ROUNDS):
        gained = model.sweep(point, everything)
        total += gained
        is_reached = gained <= max(limits.forcing_term * total, _NOTHING)
        if is_reached or total > limits.most or model.cost > limits.budget:
            break
        point, total = _sweep_active(model, point, total, limits)
    return Minimum(model.step_to(point), total, is_reached)


def _sweep_active(model, point, total, limits):
    """The point after sweeps over the blocks with weights, and the decrease so far."""
    blocks = model.active_blocks(point)
    trail = [point.copy()]
    for _ in range(_MOST_SWEEPS):
        gained = model.sweep(point, blocks)
        total += gained
        is_small = gained <= max(_INNER * limits.forcing_term * total, _NOTHING)
        if is_small or total > limits.most or model.cost > limits.budget:
            break
        trail.append(point.copy())
        if len(trail) == _N_POINTS:
            guess = _extrapolated(model, trail)
            if guess is not None:
                change = model.change(point, guess)
                if change < 0.0:
                    point, total = guess, total - change
            trail = [point.copy()]
    return point, total


def _extrapolated(model, trail):
    """The combination of points at which the next sweep would move least, or None."""
    X = np.array([point.x.ravel() for point in trail])
    steps = np.diff(X, axis=0)
    gram = steps @ steps.T
    size = np.trace(gram)
    if not size > 0.0:
        return None
    gram[np.diag_indices(len(gram))] += 1e-12 * size
    weights = np.linalg.solve(gram, np.ones(len(gram)))
    total = weights.sum()
    if not np.isfinite(total) or total == 0.0:
        return None
    return model.extrapolate(trail[1:], weights / total)
