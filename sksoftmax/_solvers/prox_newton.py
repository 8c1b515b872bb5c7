"""Proximal Newton on working sets of features, for penalties that make weights zero."""

from functools import partial

import numpy as np

from sksoftmax._solvers.line_search import LineSearch, halve
from sksoftmax._solvers.result import (
    Iterate,
    Result,
    absolute_tolerance,
    rounding_error,
)
from sksoftmax._solvers.subproblem import minimise_model


def prox_newton(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a convex F(w) = J(w) + R(w), R sparse, to within a duality gap.

    Outside, a pass over all features gives the duality gap and the working set: the
    features with weights, and those that break the optimality conditions most (Johnson
    and Guestrin 2015, Blitz, ICML). Inside, on the working set alone, each iteration
    minimises the second-order model of J plus R itself (Lee, Sun and Saunders 2014,
    SIAM J. Optim. 24:1420).

    Parameters
    ----------
    objective : SparseObjective
        Needs value_grad_hessp, along, at_best_intercepts, gap, restricted and model.
    w : ndarray of shape (n_params,)
        Start. Its support and what breaks the conditions there are what is looked at
        first, so a path of alphas is followed in small steps.
    tol : float
        Converged when the duality gap <= tol * (null_value - F(w)).
    null_value : float
        F of the model without features, nats.
    max_iter : int
    callback : callable

    Returns
    -------
    Result
    """
    for sample, tolerance in objective.subsamples(w):
        w = _follow(sample, w, tolerance)
    n_iter, best, patience = 0, (np.inf, np.inf), _PATIENCE
    while True:
        here = objective.at_best_intercepts(objective.project_onto_gauge(w))
        gap = objective.gap(here)
        # The gap is rounded by more than F: its terms are in it, and those of the dual.
        tolerance = absolute_tolerance(tol, null_value, here.value)
        tolerance += 3.0 * rounding_error(null_value)
        better = gap < 0.5 * best[0] or here.value < best[1] * (1.0 - 1e-12)
        patience = _PATIENCE if better else patience - 1
        best = min(gap, best[0]), min(here.value, best[1])
        if gap <= tolerance or n_iter >= max_iter or patience == 0:
            break
        # The gap falls with the root of what is left of F, so this brings a tenth.
        within = 0.01 * gap * min(gap / null_value, 1.0)
        report = partial(_report, callback, w.size)
        iterations = range(n_iter, max_iter)
        w, n_iter = _work(objective, here.w, here.grad, within, iterations, report)
    if n_iter == 0:
        n_iter = 1
        callback(n_iter, here.w, here.value)
    return Result(here.w, here.value, gap, tolerance, n_iter)


# Passes over all features, in a row, that may bring nothing before a fit is given up.
_PATIENCE = 3


def _follow(sample, w, tolerance):
    """A w within about goal of the minimum, found without certificates."""
    last = np.inf
    for _ in range(10):
        value, grad = sample.value_and_grad(w)
        if value >= last - tolerance:
            break
        last = value
        w, _ = _work(sample, w, grad, tolerance, range(20), _silent)
    return sample.project_onto_gauge(w)


def _silent(places, number, v, value):
    """Report nothing."""


def _report(callback, size, places, number, v, value):
    """Report the w that has v in the given places and zeros elsewhere."""
    w = np.zeros(size)
    w[places] = v
    callback(number, w, value)


def _work(objective, w, grad, tolerance, iterations, report):
    """Choose a working set and minimise over it; without other features, to the end."""
    features = _working_set(objective, w, grad)
    part = objective.restricted(features)
    places = objective.entries(features)
    if part is objective and report is not _silent:  # a sample has nothing to certify
        tolerance = 0.0
    v, n_iter = _descend(
        part, w[places], tolerance, iterations, partial(report, places)
    )
    w = np.zeros_like(w)
    w[places] = v
    return w, n_iter


def _descend(part, w, tolerance, iterations, report):
    """Proximal Newton steps until they promise to lower F by no more than goal.

    Returns w and the number of the last iteration.
    """
    now = Iterate.at(part, w)
    number, forcing_term = iterations.start, _MOST
    for number in range(iterations.start + 1, iterations.stop + 1):
        entries = _active_entries(part, now.w, now.grad)
        if not entries.size:  # no weight wants to leave zero, and there are no others
            return now.w, number - 1
        model = part.model(now.hessian, entries)
        direction, predicted_reduction = minimise_model(
            model, part.penalty, model.enter(now.grad), now.w[entries], forcing_term
        )
        lower = _step_down(part, now, model.leave(direction), predicted_reduction)
        now, before = lower or now, now.value
        report(number, v=now.w, value=now.value)
        least = max(tolerance, _LAST * abs(now.value))
        gained = before - now.value
        # Below its rounding F tells nothing: another model would be one of rounding.
        is_last = predicted_reduction <= least or gained <= rounding_error(
            abs(now.value)
        )
        if lower is None or (is_last and forcing_term == _LEAST):
            break
        # Steps that are exact leave about the square of what they gain.
        if is_last or gained**2 <= least * abs(now.value):
            forcing_term = _LEAST
        else:
            forcing_term = min(
                max(abs(1.0 - gained / predicted_reduction), _LEAST), _MOST
            )
    return now.w, number


# How far a model is minimised: to this share of what that has brought, and no further
# than the model is right (Eisenstat and Walker 1996, SIAM J. Sci. Comput. 17:16), but
# for what may be the last step.
_LEAST, _MOST = 1e-5, 0.1

# A step that promises this part of F is the last: what it leaves is about the square.
_LAST = 1e-12


def _step_down(part, now, direction, predicted_reduction):
    """The next iterate, or None if none is lower."""
    rounding = 20.0 * rounding_error(abs(now.value))
    search = LineSearch(now.value, -predicted_reduction)
    new = Iterate.at(part, now.w + direction)
    if search.is_sufficient(new.value):
        return new
    if predicted_reduction < rounding:  # F no longer tells: the model does
        return new if new.value <= now.value + rounding else None
    phi = part.along(now.w, direction)
    found = search.backtrack(phi, halve, first=0.5, max_trials=39)
    return found and Iterate.at(part, now.w + found[0] * direction)


# Features that enter the working set at once: half as many again as have weights, but
# not fewer than these.
_FEW_FEATURES, _FEW_ENTRIES = 100, 500


def _working_set(objective, w, grad):
    """Numbers of features with weights, and of those that should have them."""
    penalty = objective.penalty
    n_features = objective.network.n_units[0]
    used = w[: penalty.n_weights].reshape(n_features, -1).any(axis=1)
    norms = penalty.norms(grad[: penalty.n_weights]).reshape(n_features, -1)
    excess = norms.max(axis=1) - penalty.lasso
    score = np.where(
        used, 0.0, excess / np.where(objective.scale > 0, objective.scale, 1)
    )
    chosen = used | _largest(score, max(2 * np.count_nonzero(used), _FEW_FEATURES))
    if 2 * np.count_nonzero(chosen) > n_features:
        return np.arange(n_features)
    return np.flatnonzero(chosen)


def _active_entries(part, w, grad):
    """Numbers of the entries of w that are not or should not be zero; intercepts."""
    penalty = part.penalty
    u, g = w[: penalty.n_weights], grad[: penalty.n_weights]
    size = penalty.n_together
    used = u.reshape(-1, size).any(axis=1)
    scale = np.repeat(part.scale, part.network.n_units[-1] // size)
    excess = penalty.norms(g) - penalty.lasso
    score = np.where(used, 0.0, excess / np.where(scale > 0, scale, 1.0))
    most = max(2 * np.count_nonzero(used), _FEW_ENTRIES // size)
    chosen = np.repeat(used | _largest(score, most), size)
    return np.append(np.flatnonzero(chosen), np.arange(u.size, w.size))


def _largest(score, most):
    """Mask of the positive scores, the largest where there are more than that."""
    mask = score > 0.0
    if np.count_nonzero(mask) > most:
        mask &= score >= np.partition(score, -most)[-most]
    return mask
