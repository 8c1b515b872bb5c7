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
)
from sksoftmax._data.short_rows import extremes, subtract_row
from sksoftmax._kernels import kernel

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
    origin, shift : ndarray of shape (n_features,)
        An entry, and the mean less that entry: it has digits that the mean of a column
        far from zero lacks.
    squares : ndarray of shape (n_features,)
        Sum of s (x - mean)^2, in units of 4^e: it neither overflows nor underflows.
    exponent : int or ndarray of shape (n_features,)
        This e: zero where the range of a column is within 2^-64 to 2^64.
    zeros : ndarray of shape (n_features,)
        Weight of the rows whose entry is zero.
    low, high : ndarray of shape (n_features,)
        Extremes; infinite and in the wrong order where there are no rows.
    stored : ColumnStatistics or None
        Of sparse X the same of the entries that are not zero.
    """

    count: int | np.ndarray
    weight: float | np.ndarray
    origin: np.ndarray
    shift: np.ndarray
    squares: np.ndarray
    exponent: int | np.ndarray
    zeros: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stored: "ColumnStatistics | None" = None

    def __add__(self, other):
        weight = self.weight + other.weight
        positive = np.where(weight > 0, weight, 1.0)
        ours, theirs = self.weight / positive, other.weight / positive
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        exponent = _exponents(low, high)

        def in_units(name):
            pair = getattr(self, name), getattr(other, name)
            return (_times_two_to(values, -exponent) for values in pair)

        gap = -np.subtract(*in_units("origin")) - np.subtract(*in_units("shift"))
        gap[(ours == 0) | (theirs == 0)] = 0.0
        # From the heavier one, so that equal means and those without weight are exact.
        is_lighter = ours < theirs
        step = _times_two_to(np.where(is_lighter, -ours, theirs) * gap, exponent)
        squares = self.weight * theirs * gap**2
        for one in (self, other):
            squares += _times_two_to(one.squares, 2 * (one.exponent - exponent))
        return ColumnStatistics(
            self.count + other.count,
            weight,
            np.where(is_lighter, other.origin, self.origin),
            np.where(is_lighter, other.shift, self.shift) + step,
            squares,
            exponent,
            self.zeros + other.zeros,
            low,
            high,
            self.stored and self.stored + other.stored,
        )

    @property
    def mean(self):
        """Weighted mean."""
        return self.origin + self.shift

    @property
    def middles(self):
        """Middle of the range of each column, and half the range's length."""
        half = self.high / 2 - self.low / 2
        return np.where(half > 0, self.low / 2 + self.high / 2, self.low), half

    def less(self, centre):
        """The statistics of dense columns less a number for each."""
        low, high = self.low - centre, self.high - centre
        return replace(self, origin=self.origin - centre, low=low, high=high)

    @property
    def centre(self):
        """The mean of a dense column, zero of a sparse one, which is not centred."""
        return self.mean if self.stored is None else np.zeros_like(self.mean)

    @property
    def deviation(self):
        """Weighted standard deviation: it does not overflow."""
        positive = np.where(self.weight > 0, self.weight, 1.0)
        return _times_two_to(np.sqrt(self.squares / positive), self.exponent)

    @property
    def variance(self):
        """Weighted mean of (x - mean)^2."""
        positive = np.where(self.weight > 0, self.weight, 1.0)
        return _times_two_to(self.squares / positive, 2 * self.exponent)

    @property
    def root_mean_square(self):
        """Root of the weighted mean of x^2: it does not overflow."""
        return np.hypot(self.mean, self.deviation)

    @property
    def scale(self):
        """Deviation, or if it is larger, that of the entries that are not zero.

        That is the root of the weighted mean of (x - mean)^2 over these entries. Where
        nearly all entries are zero the deviation is small because the feature is rare,
        and to divide by it would blow the feature up. The same for dense and sparse
        columns; it does not overflow.
        """
        deviation = self.deviation
        ratio = np.divide(
            self.mean, deviation, out=np.zeros_like(deviation), where=deviation > 0
        )
        share = self._share_of_zeros
        return deviation * np.sqrt(
            np.maximum((1.0 - share * ratio**2) / (1.0 - share), 1.0)
        )

    @property
    def size(self):
        """Root of the weighted mean of x^2 over the entries that are not zero."""
        return self.root_mean_square / np.sqrt(1.0 - self._share_of_zeros)

    @property
    def _share_of_zeros(self):
        """Below 1; a column of zeros has no entries to speak of, and counts as full."""
        share = self.zeros / np.where(self.weight > 0, self.weight, 1.0)
        return np.where(share < 1.0, share, 0.0)

    def second_moment(self, centre=0.0):
        """Weighted mean of (x - centre)^2."""
        return self.variance + (self.mean - centre) ** 2


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
        return replace(_of_zeros(np.zeros(X.shape[1]), 0.0), count=0)
    X = in_double(X)
    weight, low, high, zeros, shift, squares, exponent = moments_of(X, s)
    return ColumnStatistics(
        s.size, weight, X[0].copy(), shift, squares, exponent, zeros, low, high
    )


@kernel
def moments_of(X, s):
    """Of rows of an array the total weight, and what `ColumnStatistics` has of them.

    In this order: low, high, zeros, shift, squares and exponent; the origin is the
    first row.
    """
    weight, (low, high) = s.sum(), extremes(X)
    exponent = _exponents(low, high)
    shift, squares = _shift_and_squares(
        _times_two_to(X, -exponent),
        _times_two_to(X[0], -exponent),
        weight,
        subtract_row,
        lambda values: values.T @ s,
    )
    shift = _times_two_to(shift, exponent)
    zeros = np.maximum(weight - (X != 0).T @ s, 0.0)
    return weight, low, high, zeros, shift, squares, exponent


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

    def subtract(values, columns, out):
        return np.subtract(values, np.repeat(columns, counts), out=out)

    low = by_column(np.minimum, values, np.inf)
    high = by_column(np.maximum, values, -np.inf)
    weight, origin = by_column(np.add, weights), np.zeros(counts.size)
    origin[filled] = values[starts]
    exponent = _exponents(low, high)
    if np.ndim(exponent):
        values = np.ldexp(values, -np.repeat(exponent, counts))
    shift, squares = _shift_and_squares(
        values,
        _times_two_to(origin, -exponent),
        np.where(filled, weight, 1.0),
        subtract,
        lambda values: by_column(np.add, weights * values),
    )
    shift = _times_two_to(shift, exponent)
    none = np.zeros(counts.size)
    stored = ColumnStatistics(
        counts, weight, origin, shift, squares, exponent, none, low, high
    )
    zeros = np.where(counts < s.size, np.maximum(s.sum() - weight, 0.0), 0.0)
    full = stored + _of_zeros(s.size - counts, zeros)
    return replace(full, count=s.size, weight=s.sum(), stored=stored)


def _of_zeros(count, weight):
    """Of columns that are zero in so many rows, or that have none."""
    nothing, far = np.zeros(count.size), np.where(count > 0, 0.0, np.inf)
    zeros = weight + nothing
    return ColumnStatistics(
        count, weight, nothing, nothing, nothing, 0, zeros, far, -far
    )


def _shift_and_squares(values, origin, weight, subtract, total):
    """Mean of each column less its origin, and the sum of squares about the mean.

    The mean is rounded where it is far from zero, for which the squares are corrected.

    `subtract(values, columns, out)` takes from values what belongs to their column, and
    `total(values)` is their weighted sum in each column.
    """
    differences = subtract(values, origin, np.empty_like(values))
    shift = total(differences) / weight
    drift = total(subtract(values, origin + shift, differences))
    squares = total(np.square(differences, out=differences)) - drift * (drift / weight)
    return shift, np.maximum(squares, 0.0, out=squares)


def _exponents(low, high):
    """Exponents of the units of columns with these extremes; 0 if all are zero."""
    exponent = np.frexp(high / 2 - low / 2)[1]
    is_extreme = np.abs(exponent) > _PLAIN_EXPONENTS
    return np.where(is_extreme, exponent, 0) if is_extreme.any() else 0


def _times_two_to(values, exponent):
    return np.ldexp(values, exponent) if np.ndim(exponent) else values
