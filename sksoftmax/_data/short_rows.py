"""Extremes of columns, and differences, of arrays whose rows may be short."""

import numpy as np

# NumPy's loops go along rows, which costs two to four times as much where rows are
# short. So rows of larger arrays are laid side by side, up to this many entries.
_LONG_ROW, _WORTH_LONG_ROWS = 512, 2**13


def _side_by_side(X):
    """Whole groups of rows of an array, a row per group, and the rows that are left."""
    n_rows, n_columns = X.shape
    n_together = max(_LONG_ROW // max(n_columns, 1), 1)
    is_worth_it = X.flags.c_contiguous and X.size >= _WORTH_LONG_ROWS
    n_groups = n_rows // n_together if is_worth_it else 0
    n_first = n_groups * n_together
    long = X[:n_first].reshape(n_groups, n_together * n_columns)
    return long, X[n_first:]


def extremes(X):
    """Least and largest entry of each column of an array with rows."""
    long, left = _side_by_side(X)
    if not long.size:
        return X.min(axis=0), X.max(axis=0)
    low, high = (
        reduce(reduce(long).reshape(-1, X.shape[1]))
        for reduce in (np.minimum.reduce, np.maximum.reduce)
    )
    for row in (left.min(axis=0), left.max(axis=0)) if left.size else ():
        low, high = np.minimum(low, row), np.maximum(high, row)
    return low, high


def subtract_row(X, row, out):
    """X - row, written into an array of the shape and order of X."""
    long, left = _side_by_side(X)
    if long.size:
        long_out, left_out = _side_by_side(out)
        np.subtract(long, np.tile(row, long.shape[1] // row.size), out=long_out)
        np.subtract(left, row, out=left_out)
    else:
        np.subtract(X, row, out=out)
    return out


def middles(X):
    """Middle of the range of each column of an array, and half the range's length."""
    low, high = (limits.astype(np.float64) for limits in extremes(X))
    half = high / 2 - low / 2
    return np.where(half > 0, low / 2 + high / 2, low), half
