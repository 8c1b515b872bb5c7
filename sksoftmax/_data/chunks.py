"""Blocks of rows and the ways to use them: apply to each, and add up.

An objective never sees the data set, only verbs: `map`, whose results stay where the
rows are, `collect`, whose results are wanted here, `sum`, both at once in `map_sum`,
and `subsample`. Another home for the data (a file, a cluster) is another class with
these verbs.
"""

from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import (
    in_double,
    is_dense,
    slice_rows,
    squares,
    stack_rows,
    stored_per_row,
    take_columns,
    weighted_sums,
)
from sksoftmax._data.statistics import statistics_of
from sksoftmax._data.subsampling import class_counts, class_rates, draw_by_class
from sksoftmax._utils.threads import Threads


class Chunk(NamedTuple):
    """Some rows of the training data."""

    number: int
    X: object  # (n_rows, n_features), dense or CSR
    sY: np.ndarray  # (n_rows, n_classes), targets times weights
    s: np.ndarray  # (n_rows,), sample weights

    def in_double(self):
        """With X in double precision, for functions that read all of it.

        Converting once, in the cache, instead of in each product of mixed precision
        takes a third (2 classes) to 0.6 (6 classes) of the time of the products.
        """
        return self._replace(X=in_double(self.X))


def make_chunk(number, X, Y, s):
    """A `Chunk` of rows whose targets are not multiplied by their weights yet."""
    return Chunk(number, X, np.asfortranarray(Y * s[:, None]), s)


class PerChunk(list):
    """One value per block: what `map` returns and what `map` and `sum` take apart."""


# Sums are formed inside at most this many groups of consecutive blocks and then over
# the groups, always in this order. So the bits of a sum do not depend on the number of
# threads, and memory is 16 partial sums, not one per block. 16 splits evenly over 2, 4
# and 8 threads and wastes a ninth on 3.
_N_GROUPS = 16


# A block's X, logits and their copies should stay in the L2 cache (1 MB per core on
# recent servers) between the two products of a pass.
_CHUNK_BYTES = 2**20


# Entries of X times classes from which several threads are used: below, a pass takes
# less than half a millisecond, of which handing out the work and waiting would be a
# fifth.
_WORTH_THREADS = 5e6


class Chunks:
    """Blocks of rows held in memory.

    Parameters
    ----------
    X : {ndarray, CSR} of shape (n_rows, n_features)
    Y : ndarray of shape (n_rows, n_classes)
    s : ndarray of shape (n_rows,)
    threads : Threads
        Runs groups of blocks side by side.
    first : int
        Number of the first block, where these are part of more.

    Attributes
    ----------
    rows_read : int
        Rows of X that `map`, `sum` and `map_sum` have read, those of samples included;
        a call whose function has no use for X says so by reads_X=False.
    """

    # Bytes of results that `map` keeps before it would rather compute them again.
    largest_kept = np.inf

    def __init__(self, X, Y, s, threads, first=0):
        self.X, self._Y, self._s, self._first = X, Y, s, first
        self.rows_read = 0
        self._statistics = None
        self._parts = []  # samples of rows, choices of columns
        self.threads = threads_worth(threads, X, Y.shape[1])
        self._chunks = [
            make_chunk(number, slice_rows(X, a, b), Y[a:b], s[a:b])
            for number, (a, b) in enumerate(chunk_edges(X, Y.shape[1]), start=first)
        ]
        self._groups = groups_of(range(len(self._chunks)))

    def __reduce__(self):
        # Blocks are views of X, which a pickle of their own would repeat.
        return Chunks, (self.X, self._Y, self._s, Threads(), self._first)

    @property
    def n_rows(self):
        """Number of rows of all blocks together."""
        return self._s.size

    @property
    def n_classes(self):
        """Number of columns of the targets."""
        return self._Y.shape[1]

    def statistics(self):
        """The `ColumnStatistics` of the rows, from a pass in the first call."""
        if self._statistics is None:
            self._statistics = self.sum(chunk_statistics)
        return self._statistics

    def centre(self):
        """Weighted mean of each feature, exact for a constant one; zero where sparse.

        Of sparse rows it takes no pass.
        """
        if not self.is_dense:
            return np.zeros(self.X.shape[1])
        return self.statistics().mean

    def second_moment(self, centre):
        """Weighted mean of (x - centre)^2 of each feature; sparse rows have no centre.

        Of sparse rows only this is formed, in 2 ns an entry; all statistics take 12.
        """
        if self.is_dense:
            return self.statistics().second_moment(centre)
        return self.sum(_chunk_squares, centre) / self._s.sum()

    @property
    def is_dense(self):
        """Whether X is an array rather than a CSR matrix."""
        return is_dense(self.X)

    @property
    def stored_per_row(self):
        """Mean number of stored entries in a row of X."""
        return stored_per_row(self.X)

    @property
    def largest_subsample(self):
        """Rows of the largest sample that `subsample` is worth being asked for."""
        return self.n_rows // 4

    def map(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block, as a `PerChunk`.

        An argument that is itself a `PerChunk` gives each call its block's value.
        """
        self._count(reads_X)

        def run(group):
            return list(self._each(group, fn, args, reads_X))

        return PerChunk(chain.from_iterable(self.threads.map(run, self._groups)))

    def collect(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block, as a list in this process: small things."""
        return list(self.map(fn, *args, reads_X=reads_X))

    def sum(self, fn, *args, reads_X=True):
        """Sum of fn(block, *args) over the blocks, in block order.

        fn returns a number, an array or a tuple of them, added element by element.
        """
        self._count(reads_X)

        def run(group):
            return add_up(self._each(group, fn, args, reads_X))

        return add_up(self.threads.map(run, self._groups))

    def map_sum(self, fn, *args, reads_X=True):
        """Both in one sweep, for an fn that returns (term, value)."""
        self._count(reads_X)

        def run(group):
            values = []

            def terms():
                for term, value in self._each(group, fn, args, reads_X):
                    values.append(value)
                    yield term

            return add_up(terms()), values

        totals, values = zip(*self.threads.map(run, self._groups), strict=True)
        return add_up(totals), PerChunk(chain.from_iterable(values))

    def subsample(self, n_rows, largest=None):
        """Blocks of about n_rows random rows, weighted to stand for all.

        largest is the size of the largest sample that will be asked for; in memory,
        where a draw costs little, it does not matter.

        Every class keeps its share of the rows, and rare classes more than that: up to
        a tenth of an equal share, at weights that make up for it.
        """
        rates = class_rates(self.sum(class_counts, reads_X=False), n_rows)
        parts = self.collect(draw_by_class, rates, reads_X=False)
        sample = Chunks(*stacked_parts(parts), self.threads)
        self._parts.append(sample)
        return sample

    def restricted(self, features):
        """Blocks with some columns of X, copied."""
        part = Chunks(take_columns(self.X, features), self._Y, self._s, self.threads)
        self._parts.append(part)
        return part

    @property
    def n_passes(self):
        """How many times all of X was read, or as many entries of parts of it."""
        read = self.rows_read / self.n_rows
        for part in self._parts:
            read += part.n_passes * part.size / self.size
        return read

    @property
    def size(self):
        """Number of stored entries of X."""
        return max(self.stored_per_row * self.n_rows, 1)

    def _count(self, reads_X):
        self.rows_read += self.n_rows * reads_X

    def _each(self, group, fn, args, reads_X):
        for i in group:
            own = (arg[i] if isinstance(arg, PerChunk) else arg for arg in args)
            chunk = self._chunks[i]
            yield fn(chunk.in_double() if reads_X else chunk, *own)


def threads_worth(threads, X, n_classes):
    """The threads, or a single one where X is too small to share."""
    work = X.shape[0] * n_classes * (stored_per_row(X) + 40)
    return threads if work >= _WORTH_THREADS else Threads()


def groups_of(numbers):
    """A range of block numbers as at most 16 ranges of about the same length."""
    edges = np.linspace(0, len(numbers), min(_N_GROUPS, len(numbers)) + 1).astype(int)
    return [numbers[a:b] for a, b in pairwise(edges)]


def stacked_parts(parts):
    """X, Y and s of what `draw_by_class` returns for several blocks."""
    X, Y, s = zip(*parts, strict=True)
    return stack_rows(X), np.concatenate(Y), np.concatenate(s)


def chunk_statistics(chunk):
    """The `ColumnStatistics` of the rows of a chunk."""
    return statistics_of(chunk.X, chunk.s)


def _chunk_squares(chunk, centre):
    return weighted_sums(squares(chunk.X, centre), chunk.s)


def chunk_edges(X, n_classes):
    """First and last row of each block, from the shape of the data alone."""
    n_rows = X.shape[0]
    row_bytes = 8.0 * (stored_per_row(X) + 3 * n_classes)
    # The gradient of a block is as large as w: where w is larger than a block, larger
    # blocks keep adding gradients up a small part of the work.
    chunk_bytes = max(_CHUNK_BYTES, 32 * X.shape[1] * n_classes)
    rows = max(64, int(chunk_bytes / row_bytes))
    starts = range(0, max(n_rows, 1), rows)
    return [(start, min(start + rows, n_rows)) for start in starts]


def add_up(terms):
    """Sum of numbers, arrays or tuples of them; no term is overwritten."""
    terms = iter(terms)
    first = next(terms)
    several = isinstance(first, tuple)
    totals = list(first) if several else [first]
    ours = False
    for term in terms:
        for j, part in enumerate(term if several else (term,)):
            if ours:
                totals[j] += part
            else:
                totals[j] = totals[j] + part
        ours = True
    return tuple(totals) if several else totals[0]
