"""Coordinate descent over the features of a quadratic model, one sweep at a time.

A feature's weights, one per class, are a block. Each block in turn moves to where the
model plus its penalty is least. The sums over rows are kept as residuals R = dL/dZ of
the model, which a step of one feature changes along its column of X only. This takes
O(n_rows n_classes) per feature where a Hessian of all weights would have to be formed
first (Friedman, Hastie and Tibshirani 2010, J. Stat. Softw. 33:1, section 2.2: naive
updates).
"""

from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import is_dense
from sksoftmax._kernels import kernel

# Most steps towards the minimum of one block, and the fraction of its decrease at which
# there are no more.
_MOST_STEPS, _ENOUGH = 50, 1e-3

# Eigenvalues of a block below this fraction of the largest are rounding.
_FLAT, _NO_CURVATURE = 1e-12, 1e-100


class Quadratic(NamedTuple):
    """The rows of a quadratic model of L/S: what its Hessian is made of."""

    X: object  # (n_rows, n_blocks), by columns: what `by_columns` returns
    A: np.ndarray  # (n_rows, n_classes), sP / S, column-major
    inverse: np.ndarray  # (n_rows,), S / s


class BlockPenalty(NamedTuple):
    """lasso ||u|| + ridge/2 ||u||^2 + tilt.u of the weights u of each block.

    The norm is Euclidean where `grouped`, else the sum of absolute values.
    """

    lasso: np.ndarray  # (n_blocks,)
    ridge: np.ndarray  # (n_blocks,)
    tilt: np.ndarray  # (n_blocks, n_classes)
    grouped: bool

    def norms(self, x):
        """The norm of each block, shape (n_blocks,)."""
        return np.linalg.norm(x, axis=1) if self.grouped else np.abs(x).sum(axis=1)

    def change(self, x, p):
        """Change from x to x + p, exact to the last digits where p is small."""
        v = x + p
        smooth = np.vdot(p, self.ridge[:, None] * (x + 0.5 * p) + self.tilt)
        if self.grouped:
            sums = self.norms(x) + self.norms(v)
            longer = (p * (x + v)).sum(axis=1) / np.where(sums > 0.0, sums, 1.0)
        else:
            longer = np.where(x * v > 0.0, p * np.sign(v), np.abs(v) - np.abs(x))
            longer = longer.sum(axis=1)
        return float(smooth) + float(self.lasso @ longer)


class BlockCurvature(NamedTuple):
    """Hessians of the blocks, where these have moved already.

    Where a norm is Euclidean or zero, B has eigenvectors in its rows and E eigenvalues.
    """

    B: np.ndarray  # (n_blocks, n_classes, n_classes)
    E: np.ndarray  # (n_blocks, n_classes)
    known: np.ndarray  # (n_blocks,), uint8

    @classmethod
    def unknown(cls, n_blocks, n_classes):
        """Of no block so far."""
        B = np.empty((n_blocks, n_classes, n_classes))
        return cls(B, np.empty((n_blocks, n_classes)), np.zeros(n_blocks, np.uint8))


@kernel
def sweep_blocks(quadratic, penalty, curvature, x, R, blocks):
    """Minimise over one block after another; returns the decrease of the model.

    x, shape (n_blocks, n_classes), R, shape (n_rows, n_classes), and the curvature are
    changed in place. blocks are numbers, dtype intp. A block of zeros that the norm
    holds there costs one product with its column.
    """
    X, A, inverse = quadratic
    decrease = 0.0
    for j in blocks.tolist():
        lasso, ridge, u = float(penalty.lasso[j]), float(penalty.ridge[j]), x[j].copy()
        rows, column = _column(X, j)
        g = column @ R[rows] + ridge * u + penalty.tilt[j]
        if lasso > 0.0 and not u.any():
            size = np.linalg.norm(g) if penalty.grouped else np.abs(g).max()
            if size <= lasso:
                continue
        in_eigenvectors = penalty.grouped or lasso == 0.0
        if not curvature.known[j]:
            _find_curvature(quadratic, curvature, j, in_eigenvectors)
        B, E = curvature.B[j], curvature.E[j]
        if lasso == 0.0:
            v, gained = _free_step(B, E + ridge, u, g)
        elif penalty.grouped:
            v, gained = _group_step(B, E + ridge, u, g, lasso)
        else:
            v, gained = _lasso_step(B, ridge, u, g, lasso)
        decrease += gained
        d = v - u
        if d.any():
            mean = (A[rows] @ d) * inverse[rows]
            R[rows] += column[:, None] * A[rows] * (d - mean[:, None])
        x[j] = v
    return decrease


def _column(X, j):
    """Rows with an entry in column j, and these entries."""
    if is_dense(X):
        return slice(None), X[:, j]
    part = slice(X.indptr[j], X.indptr[j + 1])
    return X.indices[part], X.data[part]


def _find_curvature(quadratic, curvature, j, in_eigenvectors):
    """The Hessian of block j, whose rows sum to zero without cancellation."""
    rows, column = _column(quadratic.X, j)
    scaled = (column * np.sqrt(quadratic.inverse[rows]))[:, None] * quadratic.A[rows]
    B = -(scaled.T @ scaled)
    np.fill_diagonal(B, 0.0)
    np.fill_diagonal(B, -B.sum(axis=1))
    if in_eigenvectors:
        E, Q = np.linalg.eigh(B)
        curvature.B[j], curvature.E[j] = Q.T, np.maximum(E, 0.0)
    else:
        curvature.B[j] = B
    curvature.known[j] = 1


def _free_step(Q, a, u, g):
    """Newton's step without a norm; the v and the decrease of the model."""
    h = Q @ g
    is_curved = (a > _FLAT * a[-1]) & (a > _NO_CURVATURE)
    step = np.where(is_curved, -h / np.where(is_curved, a, 1.0), 0.0)
    return u + Q.T @ step, -0.5 * float(h @ step)


def _group_step(Q, a, u, g, lasso):
    """The minimum with a Euclidean norm.

    In eigenvectors it is c t/(a t + lasso), t being its norm, where c = a u - g. That
    leaves one equation in t (Qin, Scheinberg and Goldfarb 2013, Math. Program. Comput.
    5:143), which Newton's method solves after both sides were inverted: then it is
    concave.
    """
    u, h = Q @ u, Q @ g
    c = a * u - h
    before = np.linalg.norm(u)
    norm = 0.0
    if np.linalg.norm(c) > lasso:
        norm = before
        for _ in range(_MOST_STEPS):
            s = c / (a * norm + lasso)
            squares, slope = s @ s, (s * s * a / (a * norm + lasso)).sum()
            if not slope > _NO_CURVATURE:
                norm = before
                break
            last = norm
            norm += (1.0 - 1.0 / np.sqrt(squares)) * squares**1.5 / slope
            norm = max(norm, 0.0)
            if abs(norm - last) <= 1e-14 * norm:
                break
    v = c * norm / (a * norm + lasso)
    p = v - u
    change = (h + 0.5 * a * p) @ p
    size = np.linalg.norm(v) + before
    if size > 0.0:  # the change of the norm, to the last digits
        change += lasso * (p @ (v + u)) / size
    return Q.T @ v, -float(change)


def _lasso_step(B, ridge, u, g, lasso):
    """Coordinate descent over the classes, down to a fraction of what it gains."""
    v, g, decrease = u.copy(), g.copy(), 0.0
    for _ in range(_MOST_STEPS):
        gained = 0.0
        for k in range(v.size):
            a, old = B[k, k] + ridge, v[k]
            if not a > _NO_CURVATURE:
                continue
            new = old - g[k] / a
            new = np.sign(new) * max(abs(new) - lasso / a, 0.0)
            p = new - old
            # The change of the norm, to the last digits.
            longer = p * np.sign(new) if new * old > 0.0 else abs(new) - abs(old)
            gained -= (g[k] + 0.5 * a * p) * p + lasso * longer
            g += p * B[k]
            g[k] += ridge * p
            v[k] = new
        decrease += gained
        if not gained > _ENOUGH * decrease:
            break
    if ridge == 0.0 and v.all():
        # A shift of all classes changes no probability, and descent along single
        # weights would take many steps for it.
        middle = np.sort(v)[(v.size - 1) // 2]
        shifted = v - middle
        gained = np.abs(v).sum() - np.abs(shifted).sum()
        if gained > _FLAT * np.abs(v).sum():  # not an equal norm, or rounding
            v, decrease = shifted, decrease + lasso * gained
    return v, float(decrease)
