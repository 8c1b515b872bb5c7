"""The Hessian of the data: what its preconditioners are made of.

The diagonal over all rows, the dense matrix over all rows, and samples of rows that
stand for all of them. P are probabilities, s the weights of rows, sP their product, q
is n_features + 1 with intercepts and K the number of classes; nothing here is divided
by the total weight, and the penalty is left out.
"""

import copy

import numpy as np

from sksoftmax._data.arrays import squares
from sksoftmax._data.subsampling import start_of, systematic_sample
from sksoftmax._objective.dense_hessian import (
    CentredRows,
    chunk_dense_hessian,
    hessian_weights,
)


class Curvature:
    """The Hessian of an objective without hidden layers, in centred coordinates.

    There the intercepts multiply the columns of X minus their means, and features far
    from zero no longer look like the intercept. `centre` has those means (weighted, as
    repeated rows would be), zeros where X is sparse or there are no intercepts.

    The centre need not be exact: it is taken over from the curvature of an `earlier`
    objective on a sample of the rows, which spares a read of X. (Not so the variances,
    which miss outliers that are not in the sample.)

    Rows are drawn with probabilities that follow their fraction of the Hessian weights,
    where each class counts the same however rare, and their distance from the centre.
    Weights are divided by the probability, which makes sums unbiased.
    """

    def __init__(self, objective, earlier=None):
        self._chunks = objective.chunks
        self._ones = objective.network.fit_intercept
        n_features, self._n_classes = objective.network.n_units
        if earlier is not None:
            self.centre = earlier.centre
        elif self._ones:
            self.centre = objective.chunks.centre()
        else:
            self.centre = np.zeros(n_features)
        self._variances = None
        self._distances = None
        self._n_draws = 0

    def restricted(self, chunks, features):
        """The same for some of the features; chunks have only these."""
        part = copy.copy(self)
        part._chunks, part.centre = chunks, self.centre[features]
        part._variances = part._distances = None
        return part

    def diagonal(self, hessian, *, centred=True):
        """Diagonal of the Hessian, shape (q, K)."""
        centre = self.centre if centred else np.zeros_like(self.centre)
        D, masses = self._chunks.sum(_chunk_diagonal, hessian.states, centre)
        return np.vstack([D, masses]) if self._ones else D

    def dense(self, hessian, entries=None):
        """The Hessian without the last class, shape ((K - 1) q, (K - 1) q).

        Or without cancellation in some entries of w, given by number and in order.
        """
        features = None
        if entries is not None:
            features, classes = divmod(entries, self._n_classes)
            features, places = np.unique(features, return_inverse=True)
            entries = places, classes
        rows_of = self.rows_of(features)
        return self._chunks.sum(chunk_dense_hessian, hessian.states, rows_of, entries)

    def rows_of(self, features=None):
        """What makes centred rows of some features, all if None: a `CentredRows`.

        Features are sorted numbers; n_features is the intercept's.
        """
        if features is None:
            return CentredRows(None, self.centre, self._ones)
        ones = bool(features.size and features[-1] == self.centre.size)
        columns = features[: features.size - ones]
        return CentredRows(columns, self.centre[columns], ones)

    def draw(self, hessian, n_rows, features=None):
        """Centred rows, sP and s of about n_rows rows of X, of all if that is None.

        Features are as in `rows_of`.
        """
        rows_of = self.rows_of(features)
        if n_rows is None:
            parts = self._chunks.collect(_chunk_all, hessian.states, rows_of)
        else:
            self._measure()
            masses = self._chunks.sum(_chunk_masses, hessian.states, reads_X=False)
            inverse = 1.0 / np.maximum(masses, np.finfo(float).tiny)
            total, scores = self._chunks.map_sum(
                _chunk_scores,
                hessian.states,
                inverse,
                self._distances,
                4.0 * self._chunks.n_rows / n_rows,
                reads_X=False,
            )
            self._n_draws += 1
            parts = self._chunks.collect(
                _chunk_draw,
                hessian.states,
                scores,
                n_rows / total,
                self._n_draws,
                rows_of,
                reads_X=False,  # but for few rows
            )
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def least_diagonal(self, weights):
        """The least diagonal, shape (q, K), that a sampled matrix may have.

        A feature that is zero in all rows of a sample seems to have no curvature. It
        gets a thousandth of what it has if it is independent of the probabilities.
        weights holds s p (1 - p) of the sample, shape (n_rows, K).
        """
        least = np.zeros_like(self.centre)
        if self._variances is not None:  # rows were drawn
            least = 1e-3 * self._variances
        if self._ones:
            least = np.append(least, 0.0)
        return np.outer(least, weights.sum(axis=0))

    @property
    def distances(self):
        """Squared distances of the rows from the centre, one `PerChunk`.

        In standard deviations, the mean over features: about one.
        """
        self._measure()
        return self._distances

    def _measure(self):
        """Variances of the features and distances of rows from the centre, once."""
        if self._distances is not None:
            return
        self._variances = self._chunks.second_moment(self.centre)
        varies = self._variances > 0.0
        scale = np.where(varies, self._variances, 1.0) * max(
            np.count_nonzero(varies), 1
        )
        self._distances = self._chunks.map(
            _chunk_distances, self.centre, varies / scale
        )


def _chunk_distances(chunk, centre, inverse_variance):
    return squares(chunk.X, centre) @ inverse_variance


def _chunk_diagonal(chunk, state, centre):
    """Sum of s p (1 - p) x^2 and of s p (1 - p), shapes (n_features, K) and (K,)."""
    _, sP = state
    weights = hessian_weights(sP, chunk.s)
    return squares(chunk.X, centre).T @ weights, weights.sum(axis=0)


def _chunk_masses(chunk, state):
    """The sum of the Hessian weights of each class, shape (K,)."""
    _, sP = state
    return hessian_weights(sP, chunk.s).sum(axis=0)


def _chunk_scores(chunk, state, inverse, distances, farthest):
    """Fraction of the Hessian weights times distance, in all and of each row.

    Beyond `farthest` a row is certain to be drawn, and more would take from the others.
    """
    _, sP = state
    distances = np.minimum(distances, farthest)
    scores = (hessian_weights(sP, chunk.s) @ inverse) * (1.0 + distances)
    return float(scores.sum()), scores


def _chunk_all(chunk, state, rows_of):
    return rows_of(chunk.X), state[1], chunk.s


def _chunk_draw(chunk, state, scores, factor, draw, rows_of):
    """Row i with probability min(1, factor * score), weighted to stand for all."""
    _, sP = state
    probabilities = np.minimum(factor * scores, 1.0)
    rows = systematic_sample(probabilities, start_of(chunk, draw))
    weight = 1.0 / probabilities[rows]
    return rows_of(chunk.X[rows]), sP[rows] * weight[:, None], chunk.s[rows] * weight
