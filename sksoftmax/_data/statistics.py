"""Statistics of the columns of X, of any rows; `+` merges those of other rows.

One accumulator for rows in memory, chunks, batches and partitions. Means and squares
are merged as in Chan, Golub and LeVeque (1983), The American Statistician 37:242. Sums
are merged in the order of the rows, so their bits do not depend on who formed them.
"""

from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from sksoftmax._data.arrays import (
    in_double,
    is_dense,
    slice_rows,
    stored_by_column,
    stored_per_row,
    take_rows,
    weighted_sums,
)

# Bytes of the rows that are worked on together: they stay in the cache.
_CACHE_BYTES = 2**20

# Squares are formed in units of 2^e where the range of a column is not within 2^-64 to
# 2^64, so that they neither overflow nor underflow. Powers of two change no bit.
_PLAIN_EXPONENTS = 64


@dataclass(frozen=True)
class ColumnStatistics:
    """Weight, mean, spread and extremes of each column, of rows that have weight.

    A constant column has exactly its value as mean, and no variance.

    Attributes
    ----------
    count : int or ndarray of shape (n_features,)
        Number of rows.
    weight : float or ndarray of shape (n_features,)
        Sum of their weights s.
    mean : ndarray of shape (n_features,)
    squares : ndarray of shape (n_features,)
        Sum of s (x - mean)^2, in units that are one unless the range is extreme.
    low, high : ndarray of shape (n_features,)
        Extremes; infinite and in the wrong order where there are no rows.
    stored : ColumnStatistics or None
        Of sparse X the same of the entries that are not zero.
    """

    count: int | np.ndarray
    weight: float | np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stored: "ColumnStatistics | None" = None

    def __add__(self, other):
        weight = self.weight + other.weight
        positive = np.where(weight > 0, weight, 1.0)
        ours, theirs = self.weight / positive, other.weight / positive
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        exponent = _exponents(low, high)
        means, squares = (self.mean, other.mean), (self.squares, other.squares)
        if exponent is not None:
            means = [np.ldexp(mean, -exponent) for mean in means]
            squares = [
                np.ldexp(one.squares, 2 * (one._exponent - exponent))
                for one in (self, other)
            ]
        gap = means[1] - means[0]
        # From the heavier mean, so that equal means and those without weight are exact.
        is_lighter = ours < theirs
        step = _times_two_to(np.where(is_lighter, -ours, theirs) * gap, exponent)
        return ColumnStatistics(
            self.count + other.count,
            weight,
            np.where(is_lighter, other.mean, self.mean) + step,
            squares[0] + squares[1] + self.weight * theirs * gap**2,
            low,
            high,
            self.stored and self.stored + other.stored,
        )

    @property
    def centre(self):
        """The mean of a dense column, zero of a sparse one, which is not centred."""
        return self.mean if self.stored is None else np.zeros_like(self.mean)

    @property
    def deviation(self):
        """Weighted standard deviation: it does not overflow."""
        positive = np.where(self.weight > 0, self.weight, 1.0)
        return np.ldexp(np.sqrt(self.squares / positive), self._exponent)

    @property
    def variance(self):
        """Weighted mean of (x - mean)^2."""
        positive = np.where(self.weight > 0, self.weight, 1.0)
        return np.ldexp(self.squares / positive, 2 * self._exponent)

    @property
    def root_mean_square(self):
        """Root of the weighted mean of x^2: it does not overflow."""
        return np.hypot(self.mean, self.deviation)

    def second_moment(self, centre=0.0):
        """Weighted mean of (x - centre)^2."""
        return self.variance + (self.mean - centre) ** 2

    @property
    def _exponent(self):
        exponent = _exponents(self.low, self.high)
        return np.zeros(self.low.size, dtype=int) if exponent is None else exponent


def statistics_of(X, s):
    """The `ColumnStatistics` of the rows of X, dense or CSR, with weights s."""
    with_weight = s > 0
    if not with_weight.all():
        X, s = take_rows(X, with_weight), s[with_weight]
    of_rows = _of_array if is_dense(X) else _of_sparse
    # Merging takes 30 operations per column, so few rows are not worth it.
    n_bytes = max(_CACHE_BYTES, 256 * X.shape[1])
    step = max(int(n_bytes / (8.0 * max(stored_per_row(X), 1.0))), 1)
    if s.size <= step:
        return of_rows(X, s)
    slices = [slice(start, start + step) for start in range(0, s.size, step)]
    return reduce(add, (of_rows(slice_rows(X, i.start, i.stop), s[i]) for i in slices))


def _of_array(X, s):
    if not s.size:
        nothing = np.zeros(X.shape[1])
        return ColumnStatistics(
            0, 0.0, nothing, nothing, nothing + np.inf, -np.inf + nothing
        )
    X = in_double(X)
    low, high, weight = X.min(axis=0), X.max(axis=0), s.sum()
    mean, squares = _accumulate(
        X,
        X[0],
        weight,
        _exponents(low, high),
        along=lambda columns: columns,
        total=lambda values: weighted_sums(values, s),
    )
    return ColumnStatistics(s.size, weight, mean, squares, low, high)


def _of_sparse(X, s):
    """From the entries that are not zero, and then the zeros beside them."""
    counts, rows, values = stored_by_column(X)
    weights, filled = s[rows], counts > 0
    starts = (np.cumsum(counts) - counts)[filled]

    def by_column(function, values, empty=0.0):
        result = np.full(counts.size, empty)
        if starts.size:
            result[filled] = function.reduceat(values, starts)
        return result

    low = by_column(np.minimum, values, np.inf)
    high = by_column(np.maximum, values, -np.inf)
    weight = by_column(np.add, weights)
    first = np.zeros(counts.size)
    first[filled] = values[starts]
    mean, squares = _accumulate(
        values,
        first,
        np.where(filled, weight, 1.0),
        _exponents(low, high),
        along=lambda columns: np.repeat(columns, counts),
        total=lambda values: by_column(np.add, weights * values),
    )
    stored = ColumnStatistics(counts, weight, mean, squares, low, high)
    n_zeros, nothing = s.size - counts, np.zeros(counts.size)
    far = np.where(n_zeros > 0, 0.0, np.inf)
    rest = np.where(n_zeros > 0, np.maximum(s.sum() - weight, 0.0), 0.0)
    zeros = ColumnStatistics(n_zeros, rest, nothing, nothing, far, -far)
    return replace(stored + zeros, count=s.size, weight=s.sum(), stored=stored)


def _accumulate(values, first, weight, exponent, *, along, total):
    """Mean of each column, and sum of squares in units of 4^exponent.

    The mean is found from differences to the `first` entries of columns. `along` gives
    each entry what is known of its column, `total` sums weighted entries by column.
    """
    if exponent is not None:
        values = np.ldexp(values, -along(exponent))
        first = np.ldexp(first, -exponent)
    differences = values - along(first)
    mean = first + total(differences) / weight
    np.subtract(values, along(mean), out=differences)
    drift = total(differences)  # the mean is rounded where it is far from zero
    squares = total(np.square(differences, out=differences)) - drift * (drift / weight)
    return _times_two_to(mean, exponent), np.maximum(squares, 0.0, out=squares)


def _exponents(low, high):
    """Exponents of the units of columns with these extremes; None if all are zero."""
    exponent = np.frexp(high / 2 - low / 2)[1]
    is_extreme = np.abs(exponent) > _PLAIN_EXPONENTS
    return np.where(is_extreme, exponent, 0) if is_extreme.any() else None


def _times_two_to(values, exponent):
    return values if exponent is None else np.ldexp(values, exponent)
