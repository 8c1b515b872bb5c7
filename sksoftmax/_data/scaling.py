"""What a network with hidden layers sees of X: every feature at the same scale.

The transformation is u = (x - centre) * factor. It is linear, so after training it goes
into the first layer (`fold`) and predictions pay nothing: with W', b' on u,

    W = diag(factor) W'        b = b' - centre^T W

act on x. `unfold` is the way back, for a training that goes on.

A dense X is centred at its weighted mean and divided by its weighted standard
deviation; without intercepts the centre is zero and the divisor the root mean square. A
sparse X stays sparse: it is not centred, and the divisor is the root mean square of the
entries that are not zero, so a rare feature is not blown up for being rare. Rows count
by their weights, so that weights mean repetition here too.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import (
    column_moments,
    is_dense,
    middles,
    rescaled,
    scale_of_stored,
    take_columns,
)


class FeatureScaling(NamedTuple):
    """The transformation of X; plain arrays, so that it can be kept and pickled."""

    centre: np.ndarray  # (n_features,)
    factor: np.ndarray  # (n_features,); zero silences a constant feature

    def apply(self, X, dtype, *, ones=False):
        """(X - centre) * factor, a new array or CSR; a column of ones on request.

        The arithmetic is in double precision: offsets cancel before anything is rounded
        to single. CSR, where the centre of another X is not zero, becomes an array.
        """
        return rescaled(X, self.centre, self.factor, dtype, ones=ones)

    def uncentred(self):
        """The same factors about zero: without intercepts nothing can be shifted."""
        return self._replace(centre=np.zeros_like(self.centre))

    def fold(self, layers):
        """Layers on X from layers on what `apply` returns."""
        (W, b), *later = layers
        W = self.factor[:, None] * W.astype(np.float64)
        return [(W, b - self.centre @ W), *later]

    def unfold(self, layers):
        """Layers on what `apply` returns from layers on X."""
        (W, b), *later = layers
        W = W.astype(np.float64)
        inverse = np.divide(
            1.0, self.factor, out=np.zeros_like(self.factor), where=self.factor > 0
        )
        return [(inverse[:, None] * W, b + self.centre @ W), *later]


def identity(n_features):
    """The transformation that changes nothing."""
    return FeatureScaling(np.zeros(n_features), np.ones(n_features))


# A feature whose range is this small against where it lies, and that is this far from
# zero: the rounding of its mean would pass for a slope. With a constant of 100 "lbfgs"
# does not arrive in 200 iterations, with one of 1e12 nobody does.
_NARROW, _AWAY = 1e-6, 30.0


def centre_far_columns(X):
    """Inputs that bring such features of an array to zero, None if there are none.

    Whoever has none, as nearly everybody, pays for a look at a few rows.
    """
    few = X[:: max(X.shape[0] // 50, 1)]
    columns = np.flatnonzero(_is_far(*middles(few)))
    if not columns.size:
        return None
    middle, half = middles(take_columns(X, columns))
    centre = np.zeros(X.shape[1])
    centre[columns] = np.where(_is_far(middle, half), middle, 0.0)
    return FeatureScaling(centre, np.ones(X.shape[1])) if centre.any() else None


def _is_far(middle, half):
    return (np.abs(middle) > _AWAY) & (half < _NARROW * np.abs(middle))


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


def standardise(moments, dtype, *, centred, constant=0.0):
    """The `FeatureScaling` of data in this precision with these moments.

    constant stands for the factor of a feature without spread. Zero is right where X is
    all there is: what does not vary teaches nothing, and its weights should not act on
    new data. Where more data come the factor is 1 over the feature's size.
    """
    centre, scale = moments.mean, moments.deviation
    rounding = 4.0 * np.finfo(dtype).eps * np.abs(centre)
    if not centred:
        scale = np.hypot(centre, scale)
        centre = np.zeros_like(centre)
        rounding = 0.0
    varies = scale > np.maximum(rounding, np.finfo(np.float32).tiny)
    size = np.abs(centre)
    fallback = constant / np.where(size > 0, size, 1.0)
    return FeatureScaling(
        centre, np.where(varies, 1.0 / np.where(varies, scale, 1.0), fallback)
    )
