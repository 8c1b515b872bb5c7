"""Blocks of rows and the two ways to use them: apply to each, and add up.

An objective never sees the data set, only `map` and `sum`; another home for the data
(a file, a cluster) is another class with these verbs.
"""

from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np


class Block(NamedTuple):
    """Some rows of the training data."""

    X: object  # (n_rows, n_features), dense or CSR
    Y: np.ndarray  # (n_rows, n_classes), targets: rows of probabilities
    s: np.ndarray  # (n_rows,), sample weights


class PerBlock(list):
    """One value per block: what `map` returns and what `map` and `sum` take apart."""


# Sums are formed inside at most this many groups of consecutive blocks and then over the
# groups, always in this order. So the bits of a sum do not depend on the number of
# threads, and memory is 16 partial sums, not one per block. 16 splits evenly over 2, 4
# and 8 threads and wastes a ninth on 3.
_N_GROUPS = 16


# A block's X, logits and their copies should stay in the L2 cache (1 MB per core on
# recent servers) between the two products of a pass.
_BLOCK_BYTES = 2**19


class Blocks:
    """Blocks of rows held in memory.

    Parameters
    ----------
    X : {ndarray, CSR} of shape (n_rows, n_features)
    Y : ndarray of shape (n_rows, n_classes)
    s : ndarray of shape (n_rows,)
    threads : Threads
        Runs groups of blocks side by side.
    """

    def __init__(self, X, Y, s, threads):
        self._data = Block(X, Y, s)
        self._threads = threads
        self._blocks = [
            Block(slice_rows(X, a, b), Y[a:b], s[a:b])
            for a, b in _block_edges(X, Y.shape[1])
        ]
        n_groups = min(_N_GROUPS, len(self._blocks))
        edges = np.linspace(0, len(self._blocks), n_groups + 1).astype(int)
        self._groups = [range(a, b) for a, b in pairwise(edges)]

    @property
    def n_rows(self):
        """Number of rows of all blocks together."""
        return self._data.s.size

    def map(self, fn, *args):
        """fn(block, *args) for every block, as a `PerBlock`.

        An argument that is itself a `PerBlock` gives each call its block's value.
        """

        def run(group):
            return [fn(self._blocks[i], *_arguments_of(i, args)) for i in group]

        return PerBlock(chain.from_iterable(self._threads.map(run, self._groups)))

    def sum(self, fn, *args):
        """Sum of fn(block, *args) over the blocks, in block order.

        fn returns an array (or number) or a tuple of them, added element by element.
        """

        def run(group):
            return _add_up(fn(self._blocks[i], *_arguments_of(i, args)) for i in group)

        return _add_up(self._threads.map(run, self._groups))

    def batches(self, batch_size, rng):
        """Mini-batches of one epoch, each a `Block`; rows shuffled by rng unless None.

        The last batch is smaller where batch_size does not divide n_rows.
        """
        X, Y, s = self._data
        order = np.arange(self.n_rows) if rng is None else rng.permutation(self.n_rows)
        for start in range(0, self.n_rows, batch_size):
            rows = order[start : start + batch_size]
            yield Block(X[rows], Y[rows], s[rows])


def _block_edges(X, n_classes):
    n_rows = X.shape[0]
    stored = X.nnz / max(n_rows, 1) if hasattr(X, "nnz") else X.shape[1]
    rows = max(64, int(_BLOCK_BYTES / (8 * (stored + 3 * n_classes))))
    starts = range(0, n_rows, rows)
    return [(start, min(start + rows, n_rows)) for start in starts]


def slice_rows(X, start, stop):
    """Rows start to stop of X; a view also of a CSR matrix, which X[start:stop] copies."""
    if not hasattr(X, "indptr"):
        return X[start:stop]
    first, last = X.indptr[start], X.indptr[stop]
    parts = (
        X.data[first:last],
        X.indices[first:last],
        X.indptr[start : stop + 1] - first,
    )
    return type(X)(parts, shape=(stop - start, X.shape[1]), copy=False)


def _arguments_of(i, args):
    return (arg[i] if isinstance(arg, PerBlock) else arg for arg in args)


def _add_up(terms):
    terms = iter(terms)
    total = next(terms)
    if isinstance(total, tuple):
        total = list(total)
        for term in terms:
            for j, part in enumerate(term):
                total[j] += part
        return tuple(total)
    for term in terms:
        total += term
    return total
