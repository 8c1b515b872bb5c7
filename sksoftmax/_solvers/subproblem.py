"""The minimum of a quadratic model plus a sparse penalty."""

from functools import cached_property

import numpy as np

# Rounds of a sweep and Newton steps; most models need 3 to 10.
_MAX_ROUNDS = 100

# Nats that nobody asks for: what is left of F then moves a duality gap by its root.
_NOTHING = 1e-21

# Damping of Newton's steps, relative to the diagonal. With little, where rows are fewer
# than weights, steps are long along directions that change no probability, until the
# first weight gets to zero; with much, steps along weak features are short. So a step
# that was cut to less than half is followed by one with much, and that by one with
# little; and from no weights at all the first has much, since what it puts into such
# directions R has to take out again: 21 models and not 112 for 30 x 150 x 12 with alpha
# at 1e-7 (benchmarks/weak_penalty.py). Much throughout did not converge on data that
# are all but separated.
_LITTLE, _MUCH = 1e-9, 1e-4

# Curvature that stands in for none, as constant columns have: its inverse, squared, is
# still a number, and features at a scale of 1e-8 are far above it.
_NO_CURVATURE = 1e-100


def minimise_model(model, penalty, grad, start, forcing_term):
    """Minimise q(x) + R(x) over entries x, q quadratic, from a start.

    Sweeps of coordinate descent over the parts find which are zero; where the Hessian
    is no matrix, proximal gradient steps in the metric of its diagonal. Between them
    Newton's method minimises over the others, where R is smooth, and stops weights at
    zero (two-metric projection: Bertsekas 1982, SIAM J. Control Optim. 20:221; or at
    the minimum along the step). Both only ever go down. It ends when a round lowers the
    model by less than a share of what all rounds before did, or by nothing to speak of.

    Parameters
    ----------
    model : object
        Has diagonal, product(v), solve(free, rhs, penalty, u, damping) and n_weights,
        the number of entries that the penalty acts on; they come first.
    penalty : SparsePenalty
    grad : ndarray of shape (n_entries,)
        Gradient of q at the start, the ridge's part included.
    start : ndarray of shape (n_entries,)
    share : float
        Of what has been gained, below which a round is the last.

    Returns
    -------
    step : ndarray of shape (n_entries,)
        From the start to the minimum.
    promise : float
        By how much it lowers the model, in nats.
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
            if not search.newton_step():
                break
        gained = search.predicted_reduction - before
        if gained <= max(forcing_term * before, _NOTHING) and not search.was_damped:
            break
    return search.x - start, search.predicted_reduction


class _Search:
    """A point x, the gradient of q there, and by how much it is below the start."""

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
        """By how much the model is higher at v = x + p."""
        change = self._penalty.norms_change(v[: self._n], self.x[: self._n])
        quadratic = float(p @ self._h) + 0.5 * _curvature(p, Hp)
        return quadratic + self._penalty.lasso * change

    def project_onto_gauge(self):
        """Move to the least penalty among points with the same probabilities.

        Where all classes of a feature have weights the model is flat along their sum,
        and Newton's method would not know how far to go.
        """
        rows = self._model.full_rows
        if rows.size:
            v = self.x.copy()
            v[rows] = self._penalty.project_onto_gauge(v[rows])
            p = v - self.x
            Hp = self._model.product(p)
            change = self._change(v, p, Hp)
            # Less than rounding would be moved back and forth.
            if change < -1e-12 * self._penalty.weights_value(self.x[: self._n]):
                self._move(v, Hp, change)

    def proximal_step(self):
        """Proximal gradient step, as long as the diagonal bounds the model."""
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
        """Proximal gradient step of one part after another, each with its own bound.

        For penalties on rows: a row leaves at once where a step of all rows together,
        whose bound is far lower, would take dozens.
        """
        x, h = self.x.copy(), self._h.copy()
        if self._penalty.n_together > 1:
            self._sweep_parts(x, h)
        else:
            self._sweep_weights(x, h)
        p = x - self.x
        Hp = self._model.product(p)
        change = self._change(x, p, Hp)
        if change < 0.0:
            self._move(x, Hp, change)

    def _sweep_weights(self, x, h):
        H, lasso, bounds = self._model.matrix, self._penalty.lasso, self._inverse_bounds
        for j in np.flatnonzero(
            (x[: self._n] != 0.0) | (np.abs(h[: self._n]) > lasso)
        ).tolist():
            old, inverse = float(x[j]), float(bounds[j])
            v = old - inverse * float(h[j])
            cut = lasso * inverse
            v = v - cut if v > cut else v + cut if v < -cut else 0.0
            if v != old:
                h += (v - old) * H[j]
                x[j] = v

    def _sweep_parts(self, x, h):
        H, size, lasso = (
            self._model.matrix,
            self._penalty.n_together,
            self._penalty.lasso,
        )
        for start in range(0, self._n, size):
            part = slice(start, start + size)
            inverse = self._inverse_bounds[start // size]
            v = x[part] - inverse * h[part]
            norm = np.sqrt(v @ v)
            v *= max(1.0 - lasso * inverse / norm, 0.0) if norm > 0.0 else 0.0
            p = v - x[part]
            if p.any():
                h += H[:, part] @ p
                x[part] = v

    @cached_property
    def _inverse_bounds(self):
        """Of each part, one over the largest eigenvalue of its block of the Hessian."""
        size = self._penalty.n_together
        blocks = [
            self._model.matrix[start : start + size, start : start + size]
            for start in range(0, self._n, size)
        ]
        largest = np.linalg.eigvalsh(np.array(blocks))[:, -1] if blocks else np.zeros(0)
        return 1.0 / np.maximum(largest, _NO_CURVATURE)

    def newton_step(self):
        """Newton's step over what is not zero, stopped where weights get to zero.

        Returns whether it was, or brought little of what it could, and so is worth
        another.
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
