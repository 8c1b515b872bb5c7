"""Curvature of the data: what preconditioners of the Hessian are made of.

The diagonal over all rows, the dense matrix over all rows, and samples of rows that
stand for all of them. P are probabilities, s the weights of rows, sP their product, q
is n_features + 1 with intercepts and K the number of classes; nothing here is divided
by the total weight, and the penalty is left out.
"""

import numpy as np

from sksoftmax._data import (
    column_moments,
    dense_with_ones,
    squared_distances,
    squares,
)


def diagonal(objective, hessian):
    """Diagonal of the Hessian, shape (q, K)."""
    D, intercepts = objective.blocks.sum(_block_diagonal, hessian.states)
    return np.vstack([D, intercepts]) if objective.network.fit_intercept else D


def _block_diagonal(block, state):
    """Sum of s p (1 - p) x^2 and of s p (1 - p), shapes (n_features, K) and (K,)."""
    _, sP = state
    weights = sharpness(sP, block.s)
    return squares(block.X).T @ weights, weights.sum(axis=0)


def dense_hessian(objective, hessian):
    """The Hessian without the last class, shape ((K - 1) q, (K - 1) q)."""
    return objective.blocks.sum(
        _block_dense, hessian.states, objective.network.fit_intercept
    )


def _block_dense(block, state, ones):
    _, sP = state
    return _dense_hessian(dense_with_ones(block.X, ones), sP, block.s)


def _dense_hessian(X, sP, s):
    """Sum of s_i (diag(p_i) - p_i p_i^T) (x) x_i x_i^T without the last class."""
    n_rows, q = X.shape
    n_free = sP.shape[1] - 1
    root = np.sqrt(s)
    rX = X * root[:, None]
    P = sP[:, :-1] / s[:, None]
    B = (P[:, :, None] * rX[:, None, :]).reshape(n_rows, n_free * q)
    H = B.T @ B
    np.negative(H, out=H)
    own = (rX.T @ B).reshape(q, n_free, q)
    blocks = H.reshape(n_free, q, n_free, q)
    for k in range(n_free):
        blocks[k, :, k, :] += own[:, k, :]
    return H


# Rows of a sample whose products are formed at once: 512 x 2500 numbers are 10 MB.
_CHUNK = 512


def dense_hessian_of_rows(threads, X, sP, s):
    """The same for many rows, in chunks, side by side; added in order."""
    starts = range(0, X.shape[0], _CHUNK)

    def chunk(start):
        rows = slice(start, start + _CHUNK)
        return _dense_hessian(X[rows], sP[rows], s[rows])

    total = None
    n_together = 4  # bounds the sums in flight, whatever the number of threads
    for first in range(0, len(starts), n_together):
        for H in threads.map(chunk, starts[first : first + n_together]):
            total = H if total is None else np.add(total, H, out=total)
    return total


def sharpness(sP, s):
    """s p (1 - p), the curvature of each class in each row."""
    return sP * (1.0 - sP / s[:, None])


class Sampler:
    """Draws rows that stand for all rows in a Hessian.

    A row is kept with a probability that follows its share of the curvature, each class
    counting the same however rare, and its distance from the centre of the data; its
    weight is divided by that probability, which makes sums unbiased.
    """

    def __init__(self, objective):
        self._objective = objective
        self._distances = None
        self._n_draws = 0

    def draw(self, hessian, n_rows):
        """X (with ones), sP and s of about n_rows rows, or of all if that is None."""
        blocks = self._objective.blocks
        ones = self._objective.network.fit_intercept
        if n_rows is None:
            parts = blocks.map(_block_rows, hessian.states, ones)
        else:
            if self._distances is None:
                self._measure()
            masses = blocks.sum(_block_masses, hessian.states)
            inverse = 1.0 / np.maximum(masses, np.finfo(float).tiny)
            scores = blocks.map(_block_scores, hessian.states, inverse, self._distances)
            factor = n_rows / sum(float(score.sum()) for score in scores)
            seed = self._n_draws = self._n_draws + 1
            parts = blocks.map(_block_draw, hessian.states, scores, factor, seed, ones)
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def floor(self, weights):
        """Least diagonal, shape (q, K), that a sampled matrix may have.

        A feature that is zero in all rows of a sample seems to have no curvature. It
        gets a thousandth of what it has if it is independent of the probabilities.
        weights holds s p (1 - p) of the sample, shape (n_rows, K).
        """
        if self._distances is None:
            return 0.0
        return 1e-3 * np.outer(self._mean_squares, weights.sum(axis=0))

    def _measure(self):
        """Distances of rows from the centre, and mean squares of the features."""
        blocks = self._objective.blocks
        sums, square_sums = blocks.sum(_block_moments)
        mean, mean_square = sums / blocks.n_rows, square_sums / blocks.n_rows
        variance = mean_square - mean**2
        varies = variance > 1e-12 * mean_square
        scale = np.where(varies, variance, 1.0) * max(np.count_nonzero(varies), 1)
        self._distances = blocks.map(_block_distances, mean, varies / scale)
        ones = self._objective.network.fit_intercept
        self._mean_squares = np.append(mean_square, 1.0) if ones else mean_square


def _block_moments(block):
    return column_moments(block.X)


def _block_distances(block, centre, inverse_variance):
    return squared_distances(block.X, centre, inverse_variance)


def _block_rows(block, state, ones):
    return dense_with_ones(block.X, ones), state[1], block.s


def _block_masses(block, state):
    """Curvature of each class: sum of s p (1 - p)."""
    _, sP = state
    return (sharpness(sP, block.s)).sum(axis=0)


def _block_scores(block, state, inverse, distances):
    _, sP = state
    curvature = (sharpness(sP, block.s)) @ inverse
    return curvature * (1.0 + distances)


def _block_draw(block, state, scores, factor, seed, ones):
    """Independent draws: row i with probability min(1, factor * score)."""
    _, sP = state
    probability = np.minimum(factor * scores, 1.0)
    rng = np.random.default_rng([seed, block.number])
    rows = np.flatnonzero(rng.random(probability.size) < probability)
    weight = 1.0 / probability[rows]
    return (
        dense_with_ones(block.X[rows], ones),
        sP[rows] * weight[:, None],
        block.s[rows] * weight,
    )
