"""Proximal Newton on working sets of features, for penalties that make weights zero."""

from functools import partial
from typing import NamedTuple

import numpy as np

from sksoftmax._solvers.block_descent import minimise_by_sweeps
from sksoftmax._solvers.line_search import LineSearch, halve
from sksoftmax._solvers.result import (
    Iterate,
    Result,
    absolute_tolerance,
    rounding_error,
)
from sksoftmax._solvers.subproblem import ModelLimits, minimise_model


def prox_newton(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a convex F(w) = J(w) + R(w), R sparse, to within a duality gap.

    The arguments are those of a `Solver`. The steps:

    1. Minimise F on samples of the rows, from small to large, without certificates.
    2. A pass over all features gives the duality gap. Stop where it is within the
       tolerance, or where three such passes in a row have improved nothing.
    3. The same pass gives the working set: the features with weights, and those that
       violate the optimality conditions most (Johnson and Guestrin 2015, Blitz, ICML).
       So a path of alphas, each started at the minimum before, is followed in small
       steps.
    4. On the working set alone, iterate: minimise the second-order model of J plus R
       itself, and step there as far as F falls (Lee, Sun and Saunders 2014, SIAM J.
       Optim. 24:1420; their g, h and Delta x are our J, R and direction; their lambda
       is replaced by the change of the model). Then go on with 2.

    The fit also stops where it has cost what max_iter stands for; see `_Budget`.
    """
    for sample, tolerance in objective.subsamples(w):
        w = _minimise_sample(sample, w, tolerance)
    budget = _Budget(objective, max_iter)
    n_iter, best, patience = 0, (np.inf, np.inf), _PATIENCE
    while True:
        here = objective.at_best_intercepts(objective.project_onto_gauge(w))
        gap = objective.gap(here)
        # The rounding of the gap is larger than that of F: the dual adds its own terms.
        tolerance = absolute_tolerance(tol, null_value, here.value)
        tolerance += 3.0 * rounding_error(null_value)
        better = gap < 0.5 * best[0] or here.value < best[1] * (1.0 - 1e-12)
        patience = _PATIENCE if better else patience - 1
        best = min(gap, best[0]), min(here.value, best[1])
        is_over = n_iter >= max_iter or patience == 0 or budget.is_spent
        if gap <= tolerance or is_over:
            break
        # The gap falls with the root of what is left of F, so this takes it to a third
        # of the tolerance.
        within = 0.1 * tolerance * min(tolerance / null_value, 1.0)
        report = partial(_report, callback, w.size)
        limits = _Limits(within, range(n_iter, max_iter), budget)
        w, n_iter = _minimise_working_set(objective, here.w, here.grad, limits, report)
    if n_iter == 0:
        n_iter = 1
        callback(n_iter, here.w, here.value)
    is_costly = budget.is_spent
    return Result(here.w, here.value, gap, tolerance, n_iter, is_costly=is_costly)


# Passes over all features, in a row, that may improve nothing before the fit stops.
_PATIENCE = 3


class _Budget:
    """What a fit may cost, counted in ns on one core, and what it has cost.

    max_iter bounds the number of iterations but not their cost. It stands for 50
    products with the Hessian each, or for 30 ms where these are cheap and
    factorisations are not. One model may take a tenth of it all.
    """

    def __init__(self, objective, max_iter):
        self._most = max_iter * max(50.0 * objective.product_cost, 3e7)
        self._spent = 0.0
        self.of_one_model = 0.1 * self._most

    def spend(self, cost):
        """Count what something has cost."""
        self._spent += cost

    @property
    def is_spent(self):
        """Whether nothing is left."""
        return self._spent > self._most


class _Limits(NamedTuple):
    """When the iterations on a working set end."""

    tolerance: float  # predicted reduction of the last step, nats
    iterations: range  # from the number of the last iteration so far to that of the end
    budget: _Budget


def _minimise_sample(sample, w, tolerance):
    """A w within about the tolerance of the minimum, found without certificates."""
    last = np.inf
    for _ in range(10):
        value, grad = sample.value_and_grad(w)
        if value >= last - tolerance:
            break
        last = value
        limits = _Limits(tolerance, range(20), _Budget(sample, 20))
        w, _ = _minimise_working_set(sample, w, grad, limits, _silent)
    return sample.project_onto_gauge(w)


def _silent(places, number, v, value):
    """Report nothing."""


def _report(callback, size, places, number, v, value):
    """Report the w that has v in the given places and zeros elsewhere."""
    w = np.zeros(size)
    w[places] = v
    callback(number, w, value)


def _minimise_working_set(objective, w, grad, limits, report):
    """The w with the least F on a working set, and the number of the last iteration.

    F is minimised to the tolerance, or as far as it goes if the set has all features.
    """
    features = _working_set(objective, w, grad)
    part = objective.restricted(features)
    places = objective.entries(features)
    if part is objective and report is not _silent:  # samples need no certificate
        limits = limits._replace(tolerance=0.0)
    v, n_iter = _iterate(part, w[places], limits, partial(report, places))
    if part is not objective:  # where it costs less than in a pass over all features
        v = part.with_best_intercepts(Iterate.at(part, part.project_onto_gauge(v)))
    w = np.zeros_like(w)
    w[places] = v
    return w, n_iter


def _iterate(part, w, limits, report):
    """The w after proximal Newton steps, and the number of the last iteration.

    The last step is the one whose predicted reduction of F is within the tolerance.
    Where a model predicts more than there is to gain, or little of what it predicts
    comes true, the next model is damped (Levenberg 1944, Quart. Appl. Math. 2:164;
    Marquardt 1963, J. SIAM 11:431), until models are right again.
    """
    tolerance, iterations, budget = limits
    now = Iterate.at(part, w)
    number, forcing_term, damping = iterations.start, _LARGEST_FORCING_TERM, 0.0
    steps = _Steps(part, budget)
    for number in range(iterations.start + 1, iterations.stop + 1):
        most = _TOO_MUCH * abs(now.value)
        limits = ModelLimits(forcing_term, most, budget.of_one_model)
        direction, predicted_reduction = steps.next(now, limits, damping)
        if direction is None:
            return now.w, number - 1
        lower = _step_down(part, now, direction, predicted_reduction)
        now, before = lower or now, now.value
        report(number, v=now.w, value=now.value)
        if budget.is_spent:
            break
        least = max(tolerance, _LAST * abs(now.value))
        gained = before - now.value
        is_wrong = lower is None or predicted_reduction > most
        is_wrong = is_wrong or gained < _POOR * predicted_reduction
        if is_wrong and predicted_reduction > least:
            damping = max(10.0 * damping, _DAMPING)
            if damping > 1.0:
                break
            continue
        if gained > _GOOD * predicted_reduction:
            damping = 0.3 * damping if damping > _DAMPING else 0.0
        # What the minimisation of the model has left, and the error of the model: steps
        # that are exact leave about the square of what they gain.
        left = forcing_term * gained + gained**2 / max(abs(now.value), least)
        # A smaller decrease than the rounding of F would make a model of rounding.
        is_last = predicted_reduction <= least or gained <= rounding_error(
            abs(now.value)
        )
        if lower is None or left <= tolerance:
            break
        if is_last and forcing_term == _LEAST_FORCING_TERM:
            break
        if is_last:
            wanted = 0.0
        else:
            wanted = 0.1 * tolerance / left
            # A minimum that is found more exactly than the model is right gains little.
            # For a step that may bring F to the tolerance, it gains all.
            if gained**2 > least * abs(now.value):
                wanted = max(wanted, abs(1.0 - gained / predicted_reduction))
        forcing_term = min(max(wanted, _LEAST_FORCING_TERM), _LARGEST_FORCING_TERM)
    return now.w, number


class _Steps:
    """Steps to minima of models, by whatever finds these fast."""

    def __init__(self, part, budget):
        self._part, self._budget = part, budget
        self._may_sweep = True

    def next(self, now, limits, damping):
        """The step of w, None if there is none, and its predicted reduction.

        Where sweeps have not come to an end, the next models are minimised with
        second-order steps.
        """
        part = self._part
        model = part.residual_model(now, damping) if self._may_sweep else None
        if model is not None:
            direction, predicted_reduction, is_reached = minimise_by_sweeps(
                model, limits
            )
            self._may_sweep = is_reached
        else:
            entries = _active_entries(part, now.w, now.grad)
            if not entries.size:  # no weight wants to leave zero; there are no others
                return None, 0.0
            model = part.model(now.hessian, entries, damping)
            direction, predicted_reduction = minimise_model(
                model, part.penalty, model.enter(now.grad), now.w[entries], limits
            )
            direction = model.leave(direction)
        self._budget.spend(model.cost + 2.0 * part.product_cost)
        return direction, predicted_reduction


# A model that predicts a reduction by more than this many times F is wrong, because F
# is never below zero. The next model has at least this damping.
_TOO_MUCH, _DAMPING = 10.0, 1e-10

# A model is also wrong where F falls by less than the first fraction of the prediction,
# and damping gets less where F falls by more than the second. Three tables of separated
# rows with alpha from 1e-8 to 1e-12 converge in 16,000 to 33,000 passes. Without the
# first fraction one of them did not in 45,000. (The least damping may be from 1e-9 to
# 1e-11.)
_POOR, _GOOD = 0.1, 0.75

# Range of the forcing term, the relative decrease at which the minimisation of a model
# ends. It is the relative error of the last model (Eisenstat and Walker 1996, SIAM J.
# Sci. Comput. 17:16), and the least for what may be the last step.
_LEAST_FORCING_TERM, _LARGEST_FORCING_TERM = 1e-5, 0.1

# A step with this predicted reduction, relative to F, is the last: what it leaves is
# about the square.
_LAST = 1e-12


def _step_down(part, now, direction, predicted_reduction):
    """The next iterate, or None if none is lower."""
    rounding = 20.0 * rounding_error(abs(now.value))
    search = LineSearch(now.value, -predicted_reduction)
    new = Iterate.at(part, now.w + direction)
    if search.is_sufficient(new.value):
        return new
    if predicted_reduction < rounding:  # F does not show it: the model is believed
        return new if new.value <= now.value + rounding else None
    phi = part.along(now.w, direction)
    found = search.backtrack(phi, halve, first=0.5, max_trials=39)
    return found and Iterate.at(part, now.w + found[0] * direction)


# Features, and entries of w, that enter the working set at once: twice as many as have
# weights, but not fewer than these.
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
    # Where w is the minimum of another alpha, the largest norm is that: features come
    # in that would have weights if norms grew by half as much as alpha falls
    # (Tibshirani et al. 2012, J. R. Stat. Soc. B 74:245, have all of it).
    limit = 1.5 * penalty.lasso - 0.5 * norms.max(initial=0.0)
    if limit > 0.5 * penalty.lasso:
        chosen |= norms.max(axis=1) > limit
    last = objective.last_features
    if last is not None and last.size <= 2 * np.count_nonzero(chosen) + _FEW_FEATURES:
        chosen[last] = True
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
