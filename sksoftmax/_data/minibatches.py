"""The rows that mini-batches are drawn from: one copy for a training, none per epoch.

X is copied once, in the precision of the training and with a column of ones where there
are intercepts, so that a layer's weights and intercepts are one matrix and one product.
Of data that are not in memory a window is copied at a time.
"""

import numpy as np

from sksoftmax._data.arrays import is_dense, n_bytes, take_rows
from sksoftmax._data.chunks import stacked_parts


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

    @property
    def n_rows(self):
        """Number of rows."""
        return self.targets.shape[1]

    def orders(self, rng, *, shuffle, batch_size):
        """The order of an epoch, in one piece: numbers of rows for `take`."""
        yield rng.permutation(self.n_rows) if shuffle else np.arange(self.n_rows)

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


# Bytes of X in a window: what is shuffled together, and held twice while it is made.
LARGEST_WINDOW = 2**26


class WindowedRows:
    """Rows that are not in memory, with the methods of rows that are.

    An epoch is one pass. Consecutive parts of it make a window, whose rows are
    shuffled; what is left after its last whole mini-batch goes into the next window.

    Parameters
    ----------
    parts : callable
        parts(rng) opens a pass: an iterator of (X, Y, s) with X in the precision and
        form of the training; in an order drawn from rng where it can be chosen, and in
        the order of the data for None.
    n_rows : int
    empty : tuple
        X, Y and s without rows.
    """

    def __init__(self, parts, n_rows, empty):
        self._parts, self.n_rows = parts, n_rows
        self._window = batch_rows(*empty, empty[0].dtype)
        self.buffer, self.product = self._window.buffer, self._window.product
        self.transposed_product = self._window.transposed_product

    def take(self, rows, buffer, targets):
        """X of rows of the window; their targets go into an array of that name."""
        return self._window.take(rows, buffer, targets)

    def orders(self, rng, *, shuffle, batch_size):
        """Orders of the rows of one window after the other."""
        waiting, n_waiting, n_seen = [], 0, 0
        for part in self._parts(rng if shuffle else None):
            waiting.append(part)
            n_waiting += part[2].size
            n_seen += part[2].size
            full = sum(n_bytes(X) for X, _, _ in waiting) >= LARGEST_WINDOW
            if full and n_waiting >= batch_size:
                (X, Y, s), order = self._fill(waiting, rng, shuffle)
                n_waiting %= batch_size
                order, rest = np.split(order, [order.size - n_waiting])
                waiting = [(take_rows(X, rest), Y[rest], s[rest])]
                yield order
        if n_seen != self.n_rows:
            raise ValueError(
                f"A pass has given {n_seen} rows with weight, and the first had"
                f" {self.n_rows}."
            )
        if n_waiting:
            yield self._fill(waiting, rng, shuffle)[1]

    def _fill(self, parts, rng, shuffle):
        """Make parts the window; X, Y and s of its rows, and their order."""
        X, Y, s = stacked_parts(parts)
        self._window = batch_rows(X, Y, s, X.dtype)
        return (X, Y, s), rng.permutation(s.size) if shuffle else np.arange(s.size)
