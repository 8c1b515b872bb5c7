"""The minimum of a quadratic model plus a sparse penalty."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

# Rounds of a sweep and Newton steps; most models need 3 to 10.
_MAX_ROUNDS = 100

# Decrease of the model, in nats, that is too small to matter: even the duality gap,
# which moves with the root of what is left of F, does not show it.
_NOTHING = 1e-21

# Damping of Newton's steps, relative to the diagonal. With little damping, where rows
# are fewer than weights, steps are long along directions that change no probability,
# until the first weight gets to zero. With much damping, steps along weak features are
# short. So a step that was cut to less than half is followed by one with much damping,
# and that by one with little. From no weights at all, the first step has much, because
# R has to take out again what a step puts into such directions: this takes 21 models in
# the place of 112 for 30 x 150 x 12 with alpha at 1e-7 (benchmarks/weak_penalty.py).
# With much damping throughout, data that are all but separated did not converge.
_LITTLE, _MUCH = 1e-9, 1e-4

# Curvature that is used in the place of zero, as constant columns have: its inverse,
# squared, is still a number, and features at a scale of 1e-8 are far above it.
_NO_CURVATURE = 1e-100


class ModelLimits(NamedTuple):
    """When the minimisation of a model ends."""

    forcing_term: float  # relative decrease below which a round is the last
    # Nats that there are to gain. A model that predicts more is wrong: where rows are
    # certain of a wrong class, it has slope and no curvature.
    most: float
    budget: float = np.inf  # cost of the model after which a round is the last, ns


def minimise_model(model, penalty, grad, start, limits):
    """The minimum of q(x) + R(x) over entries x, q quadratic, as a step from a start.

    Each round has two kinds of steps, which only ever go down:

    1. Coordinate descent over the parts of the penalty finds which are zero. Where the
       Hessian is no matrix, a proximal gradient step in the metric of its diagonal
       takes its place.
    2. Newton's method minimises over the entries that are not zero, where R is smooth.
       It stops weights at zero by a two-metric projection (Bertsekas 1982, SIAM J.
       Control Optim. 20:221), or at the minimum along the step.

    The last round is the one that lowers the model by less than the forcing term times
    the decrease of all rounds before, or by too little to matter.

    Parameters
    ----------
    model : object
        Has diagonal, product(v), solve(free, rhs, penalty, u, damping), the cost of
        these so far, and n_weights, the number of entries that the penalty acts on;
        they come first.
    penalty : SparsePenalty
    grad : ndarray of shape (n_entries,)
        Gradient of q at the start, the ridge's part included.
    start : ndarray of shape (n_entries,)
    limits : ModelLimits

    Returns
    -------
    step : ndarray of shape (n_entries,)
        From the start to the minimum.
    predicted_reduction : float
        Decrease of the model from the start to the minimum, in nats.
    """
    search = _Search(model, penalty, grad, start)
    for number in range(_MAX_ROUNDS):
        before = search.predicted_reduction
        if model.matrix is not None:
            search.sweep()
        else:
            search.proximal_step()
        search.project_onto_gauge()
        # A step that a weight stopped at zero is taken again without it, the more often
        # the longer it all lasts: with sweeps between, the same weights come and go.
        for _ in range(1 + number // 6):
            if not search.newton_step() or model.cost > limits.budget:
                break
        gained = search.predicted_reduction - before
        is_small = gained <= max(limits.forcing_term * before, _NOTHING)
        if is_small and not search.was_damped:
            break
        if search.predicted_reduction > limits.most or model.cost > limits.budget:
            break
    return search.x - start, search.predicted_reduction


class _Search:
    """A point x, the gradient of q there, and the decrease of the model so far."""

    def __init__(self, model, penalty, grad, start):
        self._model, self._penalty, self._n = model, penalty, model.n_weights
        self.x, self._h = start.copy(), grad.copy()
        self.predicted_reduction = 0.0
        self.was_damped = False
        self._prox_damping = 1.0
        self._newton_damping = _LITTLE if start[: self._n].any() else _MUCH
        diagonal = model.diagonal
        size = penalty.n_together
        parts = diagonal[: self._n].reshape(-1, size).max(axis=1)
        metric = np.concatenate([np.repeat(parts, size), diagonal[self._n :]])
        self._metric = np.maximum(metric, _NO_CURVATURE)

    def _change(self, v, p, Hp):
        """Change of the model from x to v = x + p."""
        change = self._penalty.norms_change(v[: self._n], self.x[: self._n])
        quadratic = float(p @ self._h) + 0.5 * _curvature(p, Hp)
        return quadratic + self._penalty.lasso * change

    def project_onto_gauge(self):
        """Move to the least penalty among the points with the same probabilities.

        Where all classes of a feature have weights, the model is flat along their sum,
        and Newton's method has no curvature that says how far to go.
        """
        rows = self._model.full_rows
        if rows.size:
            v = self.x.copy()
            v[rows] = self._penalty.project_onto_gauge(v[rows])
            p = v - self.x
            Hp = self._model.product(p)
            change = self._change(v, p, Hp)
            # Less than rounding would be moved back and forth.
            norms = float(self._penalty.norms(self.x[: self._n]).sum())
            if change < -1e-12 * self._penalty.lasso * norms:
                self._move(v, Hp, change)

    def proximal_step(self):
        """Take a proximal gradient step, with the diagonal as bound on the curvature.

        The diagonal is multiplied by as much as it takes to be one along the step.
        """
        while True:
            inverse = 1.0 / (self._prox_damping * self._metric)
            v = self.x - inverse * self._h
            v[: self._n] = self._penalty.prox(v[: self._n], inverse[: self._n])
            p = v - self.x
            Hp = self._model.product(p)
            curvature, bound = _curvature(p, Hp), float(p @ (p / inverse))
            if curvature <= 1.000001 * bound:
                break
            self._prox_damping *= max(2.0, curvature / bound)
        change = self._change(v, p, Hp)
        if change < 0.0:
            self._move(v, Hp, change)

    def sweep(self):
        """Take a proximal gradient step in one part after another.

        Each part has its own bound on the curvature, which is far below the bound for
        all parts together, and gets to zero in one step instead of dozens.
        """
        x, h = self.x.copy(), self._h.copy()
        self._penalty.sweep(x, h, self._model.matrix, self._sweep_steps)
        p = x - self.x
        Hp = self._model.product(p)
        change = self._change(x, p, Hp)
        if change < 0.0:
            self._move(x, Hp, change)

    @cached_property
    def _sweep_steps(self):
        """Step of each part: one over the largest eigenvalue of its block of H."""
        size = self._penalty.n_together
        blocks = [
            self._model.matrix[start : start + size, start : start + size]
            for start in range(0, self._n, size)
        ]
        largest = np.linalg.eigvalsh(np.array(blocks))[:, -1] if blocks else np.zeros(0)
        return 1.0 / np.maximum(largest, _NO_CURVATURE)

    def newton_step(self):
        """Take Newton's step in the entries that are not zero, up to where weights are.

        Returns whether another such step is worth it: weights got to zero, or the step
        brought little of what it predicted.
        """
        n, penalty = self._n, self._penalty
        free = np.ones(self.x.size, dtype=bool)
        u = self.x[:n]
        free[:n] = np.repeat(penalty.norms(u) > 0.0, penalty.n_together)
        slope = self._h[free].copy()
        m = np.count_nonzero(free[:n])
        if not slope.size:
            return False
        slope[:m] += penalty.slope(u[free[:n]])
        damping, self._newton_damping = self._newton_damping, _LITTLE
        self.was_damped = damping > _LITTLE
        step = self._model.solve(free, -slope, penalty, u, damping)
        gain = float(slope @ step)
        if not gain < 0.0:
            return False
        p = np.zeros_like(self.x)
        p[free] = step
        projected = self.x + p
        projected[:n] = penalty.confine(projected[:n], u)
        best, is_cut, t = self._candidate(projected), False, 1.0
        if not np.array_equal(projected, self.x + p) or best[2] > 0.1 * gain:
            is_cut = True
            along, t_along = self._least_along(free, step, gain)
            if along[2] < best[2]:
                best, t = along, t_along
        if not best[2] < 0.0:
            return False
        if t < 0.5 and not self.was_damped:
            self._newton_damping = _MUCH
        self._move(*best)
        return is_cut

    def _least_along(self, free, step, gain):
        """The candidate at the minimum along a step of the free entries, and its t."""
        n = self._n
        p, v = np.zeros_like(self.x), self.x.copy()
        p[free] = step
        weights = np.flatnonzero(free[:n])
        v[weights], t = self._penalty.step_along(
            self.x[weights],
            step[: weights.size],
            gain,
            _curvature(p, self._model.product(p)),
        )
        v[n:] += t * step[weights.size :]
        return self._candidate(v), t

    def _candidate(self, v):
        p = v - self.x
        Hp = self._model.product(p)
        return v, Hp, self._change(v, p, Hp)

    def _move(self, v, Hp, change):
        self.x, self._h = v, self._h + Hp
        self.predicted_reduction -= change


def _curvature(p, Hp):
    """p^T H p, not below zero by rounding: R alone would have to stop a long step."""
    return max(float(p @ Hp), 0.0)
