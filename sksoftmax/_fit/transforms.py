"""Changes of variables: from the user's data to what a solver works on, and back.

A `Transform` takes a dataset forward, and layers [(W, b), ...] forward and back: layers
that go back predict on the user's data what they predicted on the transformed data.
A fit, a warm start, a callback and a path use, in this order, a composition of

    ClassSubset           leaves out the classes without weight
    FeatureScaling        centres and scales features
    RowSpace              takes wide data to the space that their rows span
    OneLogit              fits one logit where there are two classes
    SymmetricGauge        centres weights and intercepts over the classes
    PenaltyGauge          centres intercepts only
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from sksoftmax._data.arrays import is_dense, rescaled, take_columns
from sksoftmax._data.short_rows import middles
from sksoftmax._model.network import insert_absent_classes, project_onto_gauge


class Transform:
    """The transform that changes nothing; others override what they change."""

    def dataset(self, dataset):
        """The dataset as the solver sees it."""
        return dataset

    def forward(self, layers):
        """Layers on the transformed data, from layers on the user's data."""
        return layers

    def back(self, layers):
        """Layers on the user's data, from layers on the transformed data."""
        return layers


@dataclass(frozen=True)
class Composition(Transform):
    """Several transforms, one after the other."""

    transforms: tuple  # of Transform, the first one nearest to the user

    def dataset(self, dataset):
        for transform in self.transforms:
            dataset = transform.dataset(dataset)
        return dataset

    def forward(self, layers):
        for transform in self.transforms:
            layers = transform.forward(layers)
        return layers

    def back(self, layers):
        for transform in reversed(self.transforms):
            layers = transform.back(layers)
        return layers


@dataclass(frozen=True)
class ClassSubset(Transform):
    """The classes that have weight."""

    present: np.ndarray  # mask, shape (n_classes,)
    is_symmetric: bool = True  # False in the gauge that a sparse penalty chooses

    def dataset(self, dataset):
        return dataset.restrict(self.present)

    def forward(self, layers):
        *lower, (W, b) = layers
        return [*lower, (W[:, self.present], b[self.present])]

    def back(self, layers):
        if self.present.all():
            return layers
        *lower, last = layers
        last = insert_absent_classes(*last, self.present, centred=self.is_symmetric)
        return [*lower, last]


@dataclass(frozen=True)
class FeatureScaling(Transform):
    """U = (X - centre) * factor, column by column.

    The map is linear, so it goes into the first layer after a fit and predictions cost
    nothing more: with W', b' on U,

        W = diag(factor) W'        b = b' - centre^T W

    act on X.
    """

    centre: np.ndarray  # (n_features,)
    factor: np.ndarray  # (n_features,); zero silences a constant feature
    dtype: type = np.float64  # of the transformed X

    @classmethod
    def identity(cls, n_features):
        """The scaling that changes nothing."""
        return cls(np.zeros(n_features), np.ones(n_features))

    def apply(self, X, dtype):
        """(X - centre) * factor, a new array or CSR.

        The arithmetic is in double precision: offsets cancel before anything is rounded
        to single. CSR becomes an array where the centre is not zero.
        """
        return rescaled(X, self.centre, self.factor, dtype)

    def dataset(self, dataset):
        if not dataset.is_in_memory:  # where columns are centred, and no more
            return dataset.centred(self.centre)
        return dataset.with_X(self.apply(dataset.X, self.dtype))

    def forward(self, layers):
        (W, b), *later = layers
        W = W.astype(np.float64)
        inverse = np.divide(
            1.0, self.factor, out=np.zeros_like(self.factor), where=self.factor > 0
        )
        return [(inverse[:, None] * W, b + self.centre @ W), *later]

    def back(self, layers):
        (W, b), *later = layers
        W = self.factor[:, None] * W.astype(np.float64)
        return [(W, b - self.centre @ W), *later]


def standardization(statistics, dtype, *, centred, constant=0.0):
    """The scaling that gives every feature of hidden layers the same scale.

    Features are centred at their weighted mean and divided by their `scale`: the
    standard deviation, or that of the entries that are not zero. Without intercepts the
    centre is zero and the divisor the root mean square of what is not zero.

    The dtype of X decides what is rounding; `centred` means that there are intercepts,
    which make up for the centre. The factor of a feature without spread is `constant`
    over its size. Zero is right where X is all there is: what does not vary teaches
    nothing, and its weights should not act on new data. Where more data come it is 1.
    """
    centre, scale = statistics.mean, statistics.scale
    rounding = 4.0 * np.finfo(dtype).eps * np.abs(centre)
    if not centred:
        centre, scale, rounding = np.zeros_like(centre), statistics.size, 0.0
    varies = scale > np.maximum(rounding, np.finfo(np.float32).tiny)
    size = np.abs(centre)
    factor = constant / np.where(size > 0, size, 1.0)
    np.divide(1.0, scale, out=factor, where=varies)
    return FeatureScaling(centre, factor)


# A feature whose range is this small against its distance from zero, and that is this
# far from zero: the rounding of its mean would pass for a slope. With a constant of 100
# "lbfgs" does not converge in 200 iterations, with one of 1e12 no solver does.
_NARROW, _FAR = 1e-6, 30.0


def centring_of_far_columns(dataset):
    """The scaling that moves such columns to zero, or None without any, or for CSR.

    Without such columns it costs a pass over some 50 rows in memory.
    """
    if not dataset.is_dense:
        return None
    columns = slice(None)
    if dataset.is_in_memory:
        few = dataset.X[:: max(dataset.n_rows // 50, 1)]
        columns = np.flatnonzero(_is_far(*middles(few)))
        if not columns.size:
            return None
        middle, half = middles(take_columns(dataset.X, columns))
    else:
        middle, half = dataset.summary.statistics.middles
    centre = np.zeros(dataset.n_features)
    centre[columns] = np.where(_is_far(middle, half), middle, 0.0)
    return FeatureScaling(centre, np.ones(centre.size)) if centre.any() else None


def _is_far(middle, half):
    return (np.abs(middle) > _FAR) & (half < _NARROW * np.abs(middle))


class RowSpace(Transform):
    """`coordinates` of a dense X, (n_rows, n_rows), in the space that its rows span.

    With a penalty that depends on ||W|| alone the optimal W is a combination of the
    rows of X (the representer theorem), W = Q V with X^T = Q R. Then X W = R^T V and
    ||W|| = ||V||: the problem in V is the same one on R^T, of shape (n_rows, n_rows).

    The basis comes from a QR decomposition and not from the cheaper factor of X X^T,
    which loses features that are smaller than the largest by 1e8.
    """

    def __init__(self, X):
        columns = X.T.astype(np.float64)
        self._Q, R = qr(columns, mode="economic", overwrite_a=True, check_finite=False)
        self.coordinates = np.ascontiguousarray(R.T)  # X Q

    def dataset(self, dataset):
        return dataset.with_X(dataset.X @ self._Q)

    def forward(self, layers):
        ((W, b),) = layers
        return [(self._Q.T @ W, b)]

    def back(self, layers):
        ((V, b),) = layers
        return [(self._Q @ V, b)]


class EveryLogit(Transform):
    """A logit for each class, as the solver leaves it: networks and mini-batches."""

    penalty_factor = 1.0  # of the penalty on the weights that the solver sees

    def n_logits(self, n_classes):
        """Number of logits that the solver fits."""
        return n_classes


class SymmetricGauge(EveryLogit):
    """A logit for each class; weights and intercepts sum to zero over the classes."""

    def back(self, layers):
        ((W, b),) = layers
        return [project_onto_gauge(W, b)]


class PenaltyGauge(EveryLogit):
    """A logit for each class, weights in the gauge that a sparse penalty has chosen."""

    def back(self, layers):
        ((W, b),) = layers
        return [(W, project_onto_gauge(W, b)[1])]


class OneLogit(EveryLogit):
    """One logit where there are two classes: of the second against the first.

    The other is its negative in the symmetric gauge, so half the work is left and no
    redundant direction. ||W||^2 of the two columns is half that of their difference.
    """

    penalty_factor = 0.5

    def n_logits(self, n_classes):
        return 1

    def forward(self, layers):
        ((W, b),) = layers
        return [(W[:, 1:] - W[:, :1], b[1:] - b[:1])]

    def back(self, layers):
        ((W, b),) = layers
        return [(np.hstack([-W, W]) / 2.0, np.concatenate([-b, b]) / 2.0)]


def logits_for(n_classes, *, is_sparse, may_be_one=True):
    """The transform of the logits for a solver of linear problems by all rows.

    A sparse penalty needs every logit, because it may choose another gauge than the
    symmetric one. `may_be_one` is False on a path that has such penalties elsewhere.
    """
    if is_sparse:
        return PenaltyGauge()
    return OneLogit() if n_classes == 2 and may_be_one else SymmetricGauge()


# Bytes that the basis of the rows' space may take.
_LARGEST_BASIS = 2**28


def can_use_row_space(dataset):
    """Whether the space of the rows saves time and its basis fits into memory.

    Rows must be dense and at most half as many as features: finding the space takes as
    long as n_rows / n_classes passes over the data.
    """
    n_rows, n_features = dataset.X.shape
    return (
        is_dense(dataset.X)
        and 2 * n_rows <= n_features
        and 8 * n_rows * n_features <= _LARGEST_BASIS
    )
