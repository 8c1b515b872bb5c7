"""The rows that mini-batches are drawn from: scaled when they are gathered.

X stays as it is: each mini-batch is copied, centred and scaled in arrays that are made
once, with a column of ones where there are intercepts, so that a layer's weights and
intercepts are one matrix and one product. Of data that are not in memory a window is
held at a time.
"""

from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import (
    array_and_numbers,
    centre_of_full_columns,
    is_dense,
    n_bytes,
    take_rows,
)
from sksoftmax._data.chunks import stacked_parts
from sksoftmax._data.row_view import take_scaled


class Inputs(NamedTuple):
    """What becomes of rows of X: (X - centre) * factor, in a precision."""

    centre: np.ndarray  # (n_features,), float64; zeros where there are no ones
    factor: np.ndarray  # (n_features,), float64
    dtype: np.dtype
    ones: bool  # whether a last column of ones is added


def batch_rows(X, Y, s, inputs):
    """The rows of X, targets Y and weights s, for mini-batches of such `Inputs`."""
    targets = np.empty((Y.shape[1] + 1, s.size), inputs.dtype)
    np.multiply(Y.T, s, out=targets[:-1], casting="same_kind")
    targets[-1] = s
    return (_DenseRows if is_dense(X) else _SparseRows)(X, targets, inputs)


class _DenseRows:
    """Rows of an array. `take` copies some into buffers; products go into `out`.

    targets holds weighted targets, a column per row of X, over a last line of weights.
    """

    def __init__(self, X, targets, inputs):
        self.X, self._numbers = array_and_numbers(X)
        self.targets, self.inputs = targets, inputs

    @property
    def n_rows(self):
        """Number of rows."""
        return self.targets.shape[1]

    def orders(self, rng, *, shuffle, batch_size):
        """The order of an epoch, in one piece: numbers of rows for `take`."""
        yield rng.permutation(self.n_rows) if shuffle else np.arange(self.n_rows)

    def buffer(self, n_rows):
        """Room for a batch."""
        shape = n_rows, self.X.shape[1] + self.inputs.ones
        return np.ones(shape, self.inputs.dtype)

    def take(self, rows, buffer, targets):
        """The inputs of the rows; their targets are written into an array."""
        # mode="clip" because any other makes numpy copy `out` before and after.
        self.targets.take(rows, 1, targets, "clip")
        if self._numbers is not None:
            rows = self._numbers[rows]
        take_scaled(self.X, rows, self.inputs.centre, self.inputs.factor, buffer)
        return buffer

    def product(self, batch, W, out):
        """(inputs W)^T."""
        np.dot(W.T, batch.T, out=out)

    def transposed_product(self, batch, dZ, out):
        """inputs^T dZ^T."""
        np.dot(batch.T, dZ.T, out=out)


class _SparseBatch(NamedTuple):
    """Inputs U - rest^T, with a column of ones, that stay sparse."""

    U: object  # (n_rows, n_features), CSR
    rest: np.ndarray | None  # (n_features,); None where there are no ones


class _SparseRows(_DenseRows):
    """The same for CSR: the batch stays sparse, and so does the first layer's work.

    What is subtracted from all rows moves into the intercepts, but for full columns.
    """

    def __init__(self, X, targets, inputs):
        self.X, self.targets, self.inputs = X, targets, inputs
        self._shift = centre_of_full_columns(X, inputs.centre)
        rest = (inputs.centre - self._shift) * inputs.factor
        self._rest = rest.astype(inputs.dtype) if inputs.ones else None

    def buffer(self, n_rows):
        return None

    def take(self, rows, buffer, targets):
        self.targets.take(rows, 1, targets, "clip")
        _, factor, dtype, _ = self.inputs
        U = self.X[rows]
        centred = U.data - self._shift[U.indices]
        U.data = (centred * factor[U.indices]).astype(dtype, copy=False)
        return _SparseBatch(U, self._rest)

    def product(self, batch, W, out):
        U, rest = batch
        out[:] = (U @ W[: U.shape[1]]).T
        if rest is not None:
            out += (W[-1] - rest @ W[:-1])[:, None]

    def transposed_product(self, batch, dZ, out):
        U, rest = batch
        out[: U.shape[1]] = U.T @ dZ.T
        if rest is not None:
            out[-1] = dZ.sum(axis=1)
            out[:-1] -= rest[:, None] * out[-1]


# Bytes of X in a window: what is shuffled together, and held twice while it is made.
LARGEST_WINDOW = 2**26


class WindowedRows:
    """Rows that are not in memory, with the methods of rows that are.

    An epoch is one pass. Consecutive parts of it make a window, whose rows are
    shuffled; what is left after its last whole mini-batch goes into the next window.

    Parameters
    ----------
    parts : callable
        parts(rng) opens a pass: an iterator of (X, Y, s); in an order drawn from rng
        where it can be chosen, and in the order of the data for None.
    n_rows : int
    empty : tuple
        X, Y and s without rows.
    inputs : Inputs
    """

    def __init__(self, parts, n_rows, empty, inputs):
        self._parts, self.n_rows, self._inputs = parts, n_rows, inputs
        self._dtype = empty[0].dtype
        self._window = batch_rows(*empty, inputs)
        self.buffer, self.product = self._window.buffer, self._window.product
        self.transposed_product = self._window.transposed_product

    def take(self, rows, buffer, targets):
        """The inputs of rows of the window; their targets go into an array."""
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
        X = X.astype(self._dtype, copy=False)  # parts may differ
        self._window = batch_rows(X, Y, s, self._inputs)
        return (X, Y, s), rng.permutation(s.size) if shuffle else np.arange(s.size)
