"""The Hessian of the loss as a matrix: sum of s (diag(p) - p p^T) (x) x x^T over rows.

P are probabilities, s the weights of rows, sP their product, K the number of classes
and q the number of columns of x. The order is by class, and within a class by column.
Nothing here is divided by the total weight, and the penalty is left out.
"""

from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import dense_with_ones, slice_rows, take_columns
from sksoftmax._kernels import kernel

# Entries of the largest array of a slice of rows: 4 MB, so that it stays in the cache.
_CACHE_ENTRIES = 2**19


class CentredRows(NamedTuple):
    """Makes dense rows x of rows of X: some columns minus their centre, beside ones."""

    columns: np.ndarray | None  # numbers of the columns, or None for all
    centre: np.ndarray  # of these columns
    ones: bool

    def __call__(self, X):
        """The rows x, shape (n_rows, q)."""
        return dense_with_ones(self.columns_of(X), self.centre, self.ones)

    def columns_of(self, X):
        """The columns of X that are in x."""
        return X if self.columns is None else take_columns(X, self.columns)

    def enter(self, slope, total):
        """A gradient by parameters of x, (q, ...), from that by weights and intercepts.

        Shapes (n_features, ...) and (1, ...).
        """
        centre = self.centre.reshape(-1, *(1,) * (slope.ndim - 1))
        slope = slope - centre * total
        return np.concatenate([slope, total]) if self.ones else slope

    def leave(self, D):
        """Weights and intercepts, for X, of parameters D of x: what `enter` has."""
        if not self.ones:
            return D, np.zeros_like(D[0])
        return D[:-1], D[-1] - np.tensordot(self.centre, D[:-1], axes=1)

    @property
    def n_columns(self):
        """The number q of columns of x."""
        return self.centre.size + self.ones


def hessian_weights(sP, s):
    """s p (1 - p), the second derivative of the loss by each logit, (n_rows, K)."""
    return sP * (1.0 - sP / s[:, None])


def weighted_gram(X, weights):
    """The sum over rows of weights times x x^T, shape (q, q)."""
    rX = X * np.sqrt(weights)[:, None]
    return rX.T @ rX


def row_slices(n_rows, row_size, *, least, most=np.inf):
    """Slices of least to most rows whose row_size numbers per row stay in the cache."""
    step = int(min(max(_CACHE_ENTRIES // max(row_size, 1), least), most))
    return [slice(start, start + step) for start in range(0, n_rows, step)]


def _row_slices(sP, n_columns):
    n_rows, n_classes = sP.shape
    size = max(n_classes - 1, 1) * n_columns
    return row_slices(n_rows, size, least=256, most=2048)


def chunk_dense_hessian(chunk, state, rows_of, entries=None):
    """The Hessian of a chunk without the last class, or in some entries.

    Shape ((K - 1) q, (K - 1) q), or twice the number of entries. `rows_of` makes the
    rows x, and `entries` are columns of x and classes, two arrays; sP must have all
    classes then.
    """
    _, sP = state
    if entries is None:
        X = rows_of.columns_of(chunk.X)
        return hessian_without_last_class(X, rows_of.centre, rows_of.ones, sP, chunk.s)
    total = 0.0
    for rows in row_slices(chunk.s.size, entries[0].size, least=64):
        X = rows_of(slice_rows(chunk.X, rows.start, rows.stop))
        total += _in_entries(X, sP[rows], chunk.s[rows], entries)
    return total


def dense_hessian(threads, X, sP, s):
    """The Hessian of dense rows without the last class, shape ((K - 1) q, (K - 1) q).

    Threads work on slices of rows side by side; the sums are added in order.
    """
    slices, centre = _row_slices(sP, X.shape[1]), np.zeros(X.shape[1])
    n_together = 4  # bounds the sums in flight, whatever the number of threads
    total = 0.0
    for first in range(0, len(slices), n_together):
        for H in threads.map(
            lambda rows: hessian_without_last_class(
                X[rows], centre, False, sP[rows], s[rows]
            ),
            slices[first : first + n_together],
        ):
            total += H
    return total


@kernel
def hessian_without_last_class(X, centre, ones, sP, s):
    """The Hessian of rows X - centre, beside ones if asked for."""
    total = 0.0
    for rows in _row_slices(sP, X.shape[1] + ones):
        part = slice_rows(X, rows.start, rows.stop)
        part = dense_with_ones(part, centre, ones)
        total += _without_last_class(part, sP[rows], s[rows])
    return total


def _without_last_class(X, sP, s):
    """p_k x x^T within each class, minus the products p_k p_l x x^T."""
    n_rows, q = X.shape
    n_free = sP.shape[1] - 1
    if n_free <= 1:
        return weighted_gram(X, hessian_weights(sP, s)[:, 0])
    rX = X * np.sqrt(s)[:, None]
    B = np.empty((n_rows, n_free, q))
    np.multiply((sP[:, :-1] / s[:, None])[:, :, None], rX[:, None, :], out=B)
    B = B.reshape(n_rows, n_free * q)
    H = B.T @ B
    np.negative(H, out=H)
    own = (rX.T @ B).reshape(q, n_free, q)
    blocks = H.reshape(n_free, q, n_free, q)
    for k in range(n_free):
        blocks[k, :, k, :] += own[:, k, :]
    return H


def _in_entries(X, sP, s, entries):
    """The same with p (1 - p) x x^T within each class, 1 - p the sum of the others.

    For classes that are all but certain p - p^2 is a difference of numbers that are
    equal to the last digits, and a model with such errors has directions of no
    curvature, or less. Without the last class this formula would take 1.24 (letter),
    1.07 (20,000 x 55 with 7 classes), 0.88 (digits) and 1.9 (iris) of the time of the
    difference, which does for preconditioners and inference.
    """
    columns, classes = entries
    B = X[:, columns] * (sP / np.sqrt(s)[:, None])[:, classes]
    H = B.T @ B
    np.negative(H, out=H)
    weights = sP * _sums_of_others(sP / s[:, None])
    for k in range(sP.shape[1]):
        own = np.flatnonzero(classes == k)
        X_k = X[:, columns[own]]
        H[np.ix_(own, own)] = (X_k * weights[:, [k]]).T @ X_k
    return H


def _sums_of_others(P):
    """Of each entry, the sum of the others in its row; nothing is subtracted."""
    sums = np.zeros_like(P)
    sums[:, 1:] = np.cumsum(P[:, :-1], axis=1)
    sums[:, :-1] += np.cumsum(P[:, :0:-1], axis=1)[:, ::-1]
    return sums
