"""The rows that mini-batches are drawn from: one copy for a training, none per epoch.

X is copied once, in the precision of the training and with a column of ones where there
are intercepts, so that a layer's weights and intercepts are one matrix and one product.
"""

import numpy as np

from sksoftmax._data import is_dense


def batch_rows(X, Y, s, dtype):
    """The rows of X, targets Y and weights s, for mini-batches."""
    targets = np.empty((Y.shape[1] + 1, s.size), dtype)
    np.multiply(Y.T, s, out=targets[:-1], casting="same_kind")
    targets[-1] = s
    return (_DenseRows if is_dense(X) else _SparseRows)(X, targets)


class _DenseRows:
    """Rows of an array. `take` copies some into buffers; products go into `out`.

    targets holds weighted targets, a column per row of X, over a last line of weights.
    """

    def __init__(self, X, targets):
        self.X, self.targets = X, targets

    def buffer(self, n_rows):
        """Room for a batch."""
        return np.empty((n_rows, self.X.shape[1]), self.X.dtype)

    def take(self, rows, buffer, targets):
        """X of the rows; their targets are written into an array of that name."""
        # mode="clip" because any other makes numpy copy `out` before and after.
        self.targets.take(rows, 1, targets, "clip")
        return self.X.take(rows, 0, buffer, "clip")

    def product(self, X, W, out):
        """(X W)^T."""
        np.dot(W.T, X.T, out=out)

    def transposed_product(self, X, dZ, out):
        """X^T dZ^T."""
        np.dot(X.T, dZ.T, out=out)


class _SparseRows(_DenseRows):
    """The same for CSR: the batch stays sparse, and so does the first layer's work."""

    def buffer(self, n_rows):
        return None

    def take(self, rows, buffer, targets):
        self.targets.take(rows, 1, targets, "clip")
        return self.X[rows]

    def product(self, X, W, out):
        out[:] = (X @ W).T

    def transposed_product(self, X, dZ, out):
        out[:] = X.T @ dZ.T
