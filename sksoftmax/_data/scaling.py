"""Weighted moments of the features, which add up over parts of the rows."""

from dataclasses import dataclass

import numpy as np

from sksoftmax._data.arrays import column_moments, is_dense, scale_of_stored


@dataclass(frozen=True)
class Moments:
    """Weighted mean of each feature and its deviation from that, of some rows.

    Those of other rows can be added (Chan, Golub and LeVeque 1983, The American
    Statistician 37:242); deviations are never squared, so nothing overflows.
    """

    weight: np.ndarray  # () or (n_features,)
    mean: np.ndarray  # (n_features,)
    deviation: np.ndarray  # (n_features,)

    def __add__(self, other):
        weight = self.weight + other.weight
        share = other.weight / np.where(weight > 0, weight, 1.0)
        gap = other.mean - self.mean
        within = np.hypot(
            np.sqrt(1.0 - share) * self.deviation, np.sqrt(share) * other.deviation
        )
        between = np.sqrt(share * (1.0 - share)) * gap
        return Moments(weight, self.mean + share * gap, np.hypot(within, between))


def moments_of(X, s):
    """The `Moments` of the rows of X with weights s.

    Of a CSR matrix those of the entries that are not zero, about zero.
    """
    zeros = np.zeros(X.shape[1])
    if not s.size:
        return Moments(np.zeros(()), zeros, zeros)
    if is_dense(X):
        return Moments(s.sum(), *column_moments(X, s))
    deviation, weight = scale_of_stored(X, s)
    return Moments(weight, zeros, deviation)
