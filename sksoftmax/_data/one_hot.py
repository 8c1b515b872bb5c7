"""One-hot rows as the numbers of their classes: a matrix with one entry in each row.

Targets of labels are such a matrix, and of soft labels an array. With 5,000 classes
the array would take 5,000 times the memory. Both are used alike: `OneHot` does itself
what fits do in every pass, and is taken for its array by everything else of numpy.
Only this file tells the two apart.
"""

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class OneHot(NDArrayOperatorsMixin):
    """A matrix with one entry in each row.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), intp
        Columns of the entries, contiguous.
    n_classes : int
        Number of columns.
    values : ndarray of shape (n_rows,), optional
        The entries, float64 and contiguous; ones if not given.
    """

    dtype, ndim = np.dtype(np.float64), 2

    def __init__(self, codes, n_classes, values=None):
        self.codes, self.n_classes = codes, n_classes
        self.values = np.ones(codes.size) if values is None else values

    @property
    def shape(self):
        """Numbers of rows and of columns."""
        return self.codes.size, self.n_classes

    @property
    def T(self):
        """The transposed array."""
        return np.asarray(self).T

    def __len__(self):
        return self.codes.size

    def __array__(self, dtype=None, copy=None):
        Y = np.zeros(self.shape[::-1], self.dtype if dtype is None else dtype)
        Y[self.codes, np.arange(self.codes.size)] = self.values
        return Y.T

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        special = _OF_ARRAYS.get(ufunc) if method == "__call__" else None
        if special and isinstance(inputs[0], np.ndarray) and not kwargs:
            result = special(self, inputs[0])
            if result is not NotImplemented:
                return result
        inputs = [np.asarray(x) if isinstance(x, OneHot) else x for x in inputs]
        return getattr(ufunc, method)(*inputs, **kwargs)

    def __getitem__(self, rows):
        """Rows of a slice, of a mask, or of numbers; of two indices, of the array."""
        if isinstance(rows, tuple):
            return np.asarray(self)[rows]
        return OneHot(self.codes[rows], self.n_classes, self.values[rows])

    def _entries_of(self, array):
        """Entries where this matrix has one, of what broadcasts to its shape."""
        if array.shape == (self.codes.size, 1):
            return array[:, 0]
        array = np.broadcast_to(array, self.shape)
        return array[np.arange(self.codes.size), self.codes]

    def __mul__(self, array):
        """Times an array, entry by entry: of this shape, or weights (n_rows, 1)."""
        values = self.values * self._entries_of(array)
        return OneHot(self.codes, self.n_classes, values)

    def __truediv__(self, array):
        """Divided by an array, entry by entry."""
        values = self.values / self._entries_of(array)
        return OneHot(self.codes, self.n_classes, values)

    def __matmul__(self, factors):
        """Times factors of the classes: of each row, that of its class."""
        return (factors[self.codes].T * self.values).T

    def _weighted_sum(self, s):
        """s @ self for s of shape (n_rows,)."""
        if s.ndim != 1:
            return NotImplemented
        return np.bincount(self.codes, self.values * s, self.n_classes)

    def _taken_from(self, P):
        """P - self, in the memory order of P."""
        if P.shape != self.shape or P.dtype != self.dtype:
            return NotImplemented
        difference = P.copy(order="K")
        difference[np.arange(self.codes.size), self.codes] -= self.values
        return difference

    def sum(self, axis=None, **kwargs):
        """Sums over rows, axis 0, or as of the array."""
        if axis == 0 and not kwargs:
            return np.bincount(self.codes, self.values, self.n_classes)
        return np.asarray(self).sum(axis=axis, **kwargs)

    def argmax(self, axis=None, **kwargs):
        """Column of the entry of each row, axis 1, or as of the array."""
        if axis == 1 and not kwargs:
            return self.codes
        return np.asarray(self).argmax(axis=axis, **kwargs)


# What is done with an array on the left and a OneHot on the right, without its array.
_OF_ARRAYS = {np.subtract: OneHot._taken_from, np.matmul: OneHot._weighted_sum}


def is_coded(Y):
    """Whether Y are numbers of classes rather than an array."""
    return isinstance(Y, OneHot)


def times_weights(Y, s):
    """The targets Y times the weights s of their rows, by columns if they are rows."""
    sY = Y * s[:, None]
    return sY if is_coded(Y) else np.asfortranarray(sY)


def times_factors(Y, factors):
    """Y with rows in proportion to Y times factors of the classes; and the row sums.

    Rows whose sum is zero stay as they are.
    """
    if is_coded(Y):
        return Y, Y @ factors
    weighted = Y * factors
    sums = weighted.sum(axis=1)
    kept = sums[:, None] > 0
    return np.divide(weighted, sums[:, None], out=Y.copy(), where=kept), sums


def take_classes(Y, kept):
    """The columns of a mask; rows that lose all they have weigh nothing."""
    if not is_coded(Y):
        return Y[:, kept]
    places = np.maximum(np.cumsum(kept) - 1, 0)
    return OneHot(places[Y.codes], int(np.count_nonzero(kept)), Y.values)


def largest_of_class(Y, s, classes):
    """Rows of the largest s times Y in each class of a mask, which no row has alone."""
    if is_coded(Y):
        return np.empty(0, dtype=np.intp)
    return (s[:, None] * Y[:, classes]).argmax(axis=0)


def sum_of_products(Y, Z):
    """The sum over all entries of Y times Z."""
    if is_coded(Y):
        return float((Y * Z).values.sum())
    return float(np.vdot(Y.T, Z.T))


def stack_targets(parts):
    """Targets of several parts of the rows as those of all."""
    parts = [part for part in parts if part.shape[0]] or parts[:1]
    if not is_coded(parts[0]):
        return np.concatenate(parts)
    codes = np.concatenate([part.codes for part in parts])
    values = np.concatenate([part.values for part in parts])
    return OneHot(codes, parts[0].n_classes, values)
