"""The minimum of F without a row, for several rows side by side, with an L2 penalty.

With the symbols of `left_out_step`, which has the first step: F_i(w) = J(w) - t d_i(w)
+ (1 - t) R(w) is minimised from the optimum w of F by conjugate gradients for functions
that are not quadratic (Polak and Ribière 1969, with the restart of Powell 1984:
Nocedal and Wright 2006, equation 5.45). The preconditioner is the inverse of the
Hessian of F_i at w, so the first direction is the Newton step. A few more are enough
where the curvature of few other rows changes on the way.

The minima of several rows are found side by side: their logits are columns of one
product with X. Directions D have shape (q, m, K), for m rows that are left out, in the
centred coordinates of a `Frame`.
"""

from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import take_rows
from sksoftmax._data.chunks import PerChunk
from sksoftmax._model.loss import all_logits, log_softmax, loss_grad
from sksoftmax._model.network import in_gauge

# Iterations end where the next step would change the row's loss by less than this
# fraction, and the last one by less than ten times as much; or after so many. Most rows
# need two to six. Where they need more, the Hessian at w says little of the minimum.
_CLOSE, _MOST = 1e-3, 12

# Numbers in the logits of all rows without each of those that are left out together.
_LARGEST_LOGITS = 2**21


class SomeRows(NamedTuple):
    """Rows that are left out one at a time."""

    X: object  # (n_rows, n_features), of all rows
    numbers: np.ndarray  # (m,), which these are
    Z: np.ndarray  # (m, K), their logits at the optimum w of all rows
    sY: np.ndarray  # (m, n_classes), targets times weights
    s: np.ndarray  # (m,), weights

    def take(self, rows):
        """Some of them."""
        X, *arrays = self
        return SomeRows(X, *(array[rows] for array in arrays))

    def residuals(self, change):
        """s (p - y) and s p of each row with so much added to its logits, (m, K)."""
        _, residual, sP = loss_grad(self.Z + change, self.sY, self.s)
        return residual, sP

    def losses(self, change):
        """The loss of each row, (m,)."""
        Z = all_logits(self.Z + change, self.sY.shape[1])
        return -np.einsum("ik,ik->i", self.sY, log_softmax(Z)) / self.s


def changes_without(objective, w, Z, frame, some):
    """Changes of the logits of `some` rows, each by the model without it, (m, K).

    And a mask of those rows whose minimum was reached. Z has the logits of all rows at
    w, one `PerChunk`.
    """
    n_logits = some.Z.shape[1]
    together = max(_LARGEST_LOGITS // (objective.chunks.n_rows * n_logits), 1)
    answers = [
        _Minimisation(objective, w, Z, frame, some.take(slice(a, a + together))).run()
        for a in range(0, some.s.size, together)
    ]
    return (np.concatenate(arrays) for arrays in zip(*answers, strict=True))


class _Minimisation:
    """The minimisation of F_i for some rows i."""

    def __init__(self, objective, w, Z, frame, some):
        self._chunks, self._some, self._rows_of = objective.chunks, some, frame.rows_of
        self._X = frame.rows_of(take_rows(some.X, some.numbers))  # (m, q), centred
        m, n_logits = some.Z.shape
        self._total, self._t = objective.total_weight, some.s / objective.total_weight
        network, penalty = objective.network, objective.penalty
        diagonal = penalty.hessian_diagonal(network.n_params)
        self._strength = diagonal.reshape(-1, n_logits)[:, :1, None]
        self._grad_of_R = penalty.grad(w).reshape(-1, 1, n_logits)
        self._inverse = _InverseWithout(frame.inverse, self._X, some, self._t)
        self._Z = Z
        self._changes = PerChunk(np.zeros((z.shape[0], m, n_logits)) for z in Z)
        self._D = np.zeros((frame.inverse.shape[1], m, n_logits))

    def run(self):
        """Changes of the logits of the rows, (m, K), and which are at the minimum."""
        some = self._some
        moved = np.zeros_like(some.Z)  # change of the rows' own logits
        losses, is_close = some.losses(moved), np.zeros(some.s.size, dtype=bool)
        grad = self._gradient(moved)
        solution, own = self._inverse.solve(grad)
        direction, own_direction = -solution, -own
        for _ in range(_MOST):
            slope = np.einsum("jik,jik->i", grad, direction)
            length = self._step(direction, own_direction, moved, slope)
            moved += length[:, None] * own_direction
            losses, losses_before = some.losses(moved), losses
            grad_before, before = grad, np.einsum("jik,jik->i", grad, solution)
            grad = self._gradient(moved)
            solution, own = self._inverse.solve(grad)
            left = np.abs(some.losses(moved - own) - losses)
            left = np.maximum(left, 0.1 * np.abs(losses - losses_before))
            is_close = left <= _CLOSE * losses
            if is_close.all():
                break
            after = np.einsum("jik,jik->i", grad - grad_before, solution)
            beta = np.divide(after, before, out=np.zeros_like(after), where=before > 0)
            beta = np.maximum(beta, 0.0)
            direction = beta[:, None] * direction - solution
            own_direction = beta[:, None] * own_direction - own
            uphill = np.einsum("jik,jik->i", grad, direction) > 0.0
            direction[:, uphill] = -solution[:, uphill]
            own_direction[uphill] = -own[uphill]
        return moved - own, is_close

    def _gradient(self, moved):
        """Gradient of each F_i where the rows' own logits have moved so far."""
        residual, _ = self._some.residuals(moved)
        slope, total = self._chunks.sum(_chunk_gradient, self._Z, self._changes)
        G = self._rows_of.enter(slope, total)
        G -= self._X.T[:, :, None] * residual
        G /= self._total
        G += (1.0 - self._t)[:, None] * (self._grad_of_R + self._strength * self._D)
        return G

    def _step(self, direction, own, moved, slope):
        """Go along the directions; how far, (m,)."""
        W, b = self._rows_of.leave(direction)
        lines = self._chunks.map(_chunk_line, W, b)
        bend = self._strength * direction
        R = self._grad_of_R + self._strength * self._D
        of_R = (1.0 - self._t) * np.einsum("jik,jik->i", R, direction)
        bend_of_R = (1.0 - self._t) * np.einsum("jik,jik->i", bend, direction)

        def slope_at(length):
            residual, _ = self._some.residuals(moved + length[:, None] * own)
            total = self._chunks.sum(
                _chunk_slope, self._Z, self._changes, lines, length, reads_X=False
            )
            total -= np.einsum("ik,ik->i", residual, own)
            return total / self._total + of_R + length * bend_of_R

        length = minimise_along(slope_at, slope)
        self._D += length[:, None] * direction
        self._chunks.map(_chunk_move, self._changes, lines, length, reads_X=False)
        return length


class _InverseWithout:
    """Inverse of the Hessian of each F_i at w: that of all rows, and rank K more.

    By the formula of Sherman, Morrison and Woodbury, (H - t U D U^T)^-1 is
    H^-1 + H^-1 U (I - t D A)^-1 t D U^T H^-1 with A = U^T H^-1 U.
    """

    def __init__(self, inverse, X, some, t):
        K, q = inverse.shape[:2]
        self._matrix, self._X = inverse.reshape(K * q, K * q), X
        _, sP = some.residuals(np.zeros_like(some.Z))
        P = sP / some.s[:, None]
        D = -P[:, :, None] * P[:, None, :]
        D[:, np.arange(K), np.arange(K)] += P
        D *= t[:, None, None]
        # H^-1 U, (m, q, K, K): of each logit, what it adds to each parameter.
        HU = np.einsum("kjlr,ir->ijkl", inverse, X, optimize=True)
        A = np.einsum("ij,ijkl->ikl", X, HU)
        # Where rounding has put all of the weight of H on the row, no Newton step.
        M = np.eye(K) * (1.0 + 1e-12) - D @ A
        self._HU, self._middle = HU, np.linalg.solve(M, D)

    def solve(self, G):
        """The solutions (q, m, K) for right-hand sides, and X_i times each."""
        q, m, K = G.shape
        D = self._matrix @ G.transpose(2, 0, 1).reshape(K * q, m)
        D = D.reshape(K, q, m).transpose(1, 2, 0)
        own = np.einsum("ij,jik->ik", self._X, D)
        weights = np.einsum("ikl,il->ik", self._middle, own)
        D = D + np.einsum("ijkl,il->jik", self._HU, weights)
        D = in_gauge(D.reshape(q * m, K)).reshape(q, m, K)
        return D, np.einsum("ij,jik->ik", self._X, D)


def minimise_along(slope_at, slope):
    """Lengths near the minima of convex functions with these slopes at zero, (m,).

    Each is found by secants and a bracket, until a fifth of the slope is left.
    """
    low, low_slope = np.zeros_like(slope), slope.copy()
    high, high_slope = np.full_like(slope, np.inf), np.zeros_like(slope)
    length = np.where(slope < 0.0, 1.0, 0.0)
    for _ in range(12):
        now = slope_at(length)
        is_done = np.abs(now) <= 0.2 * np.abs(slope)
        if is_done.all():
            break
        is_low = now <= 0.0
        before, before_slope = low, low_slope
        low = np.where(is_low, length, low)
        low_slope = np.where(is_low, now, low_slope)
        high = np.where(is_low, high, length)
        high_slope = np.where(is_low, high_slope, now)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = low - low_slope * (high - low) / (high_slope - low_slope)
            width = high - low
            inside = np.clip(inside, low + 0.1 * width, high - 0.1 * width)
            beyond = low - low_slope * (low - before) / (low_slope - before_slope)
        beyond = np.clip(np.nan_to_num(beyond, nan=np.inf), 1.5 * low, 10.0 * low)
        trial = np.where(np.isinf(high), beyond, inside)
        length = np.where(is_done, length, trial)
    return length


def _chunk_gradient(chunk, Z, changes):
    """Slope by the weights, (n_features, m, K), and by the intercepts, (1, m, K)."""
    residual = _residuals(chunk, Z, changes)
    n_rows, m, K = changes.shape
    slope = chunk.X.T @ residual.reshape(n_rows, m * K)
    return slope.reshape(-1, m, K), residual.sum(axis=0)[None]


def _residuals(chunk, Z, changes):
    """s (p - y) of the rows of a chunk by each of m models, (n_rows, m, K)."""
    n_rows, m, K = changes.shape
    logits = (Z[:, None, :] + changes).reshape(n_rows * m, K)
    sY, s = np.repeat(chunk.sY, m, axis=0), np.repeat(chunk.s, m)
    return loss_grad(logits, sY, s)[1].reshape(n_rows, m, K)


def _chunk_line(chunk, W, b):
    """Logits along directions, (n_rows, m, K)."""
    n_features, m, K = W.shape
    return (chunk.X @ W.reshape(n_features, m * K)).reshape(-1, m, K) + b


def _chunk_slope(chunk, Z, changes, line, length):
    residual = _residuals(chunk, Z, changes + length[:, None] * line)
    return np.einsum("jik,jik->i", residual, line)


def _chunk_move(chunk, changes, line, length):
    changes += length[:, None] * line
