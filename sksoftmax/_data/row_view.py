"""Some rows of an array, by their numbers: copied and scaled where they are read.

Training and validation data are rows of the same X, where some are held out. Both are
views of it here, so that no rows exist twice.
"""

import numpy as np

from sksoftmax._kernels import kernel


@kernel
def take_scaled(X, rows, centre, factor, out):
    """Write (X[rows] - centre) * factor into the first columns of out.

    The arithmetic is in double precision: offsets cancel before anything is rounded.
    """
    centred = X.take(rows, 0) - centre
    np.multiply(centred, factor, out=out[:, : X.shape[1]], casting="same_kind")


class RowView:
    """Rows of an array, in the order of their numbers; `astype` copies them.

    It is an X for what reads rows in chunks or mini-batches, and for nothing else.

    Parameters
    ----------
    X : ndarray of shape (n_all_rows, n_features), C-contiguous
    numbers : ndarray of shape (n_rows,), intp
    dtype : dtype, optional
        Of the rows, as they are read; that of X if not given.
    scaling : tuple of two ndarrays of shape (n_features,), optional
        The rows are (X - centre) * factor.
    """

    def __init__(self, X, numbers, dtype=None, scaling=None):
        self.X, self.numbers, self.scaling = X, numbers, scaling
        self.dtype = X.dtype if dtype is None else dtype

    @property
    def shape(self):
        """Numbers of rows and of columns."""
        return self.numbers.size, self.X.shape[1]

    def __getitem__(self, rows):
        """A view of rows of this one: of a slice, of a mask, or of numbers."""
        return RowView(self.X, self.numbers[rows], self.dtype, self.scaling)

    def scaled(self, centre, factor, dtype):
        """A view of the same rows, of no scaling yet, as (X - centre) * factor."""
        return RowView(self.X, self.numbers, np.dtype(dtype), (centre, factor))

    def astype(self, dtype, copy=True):
        """The rows as an array, always a new one."""
        if self.scaling is None:
            return self.X.take(self.numbers, 0).astype(dtype, copy=False)
        rows = np.empty(self.shape, self.dtype)
        take_scaled(self.X, self.numbers, *self.scaling, rows)
        return rows.astype(dtype, copy=False)
