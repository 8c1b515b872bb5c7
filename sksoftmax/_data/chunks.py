"""Chunks of rows and the ways to use them: apply to each, and add up.

An objective never sees the dataset, only verbs: `map`, whose results stay where the
rows are, `collect`, whose results are wanted here, `sum`, both at once in `map_sum`,
and `subsample`. Another home for the data (a file, a cluster) is another class with
these verbs.
"""

from itertools import chain
from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import (
    in_double,
    is_dense,
    n_bytes,
    slice_rows,
    squares,
    stack_rows,
    stored_per_row,
    take_columns,
)
from sksoftmax._data.columns import by_columns
from sksoftmax._data.one_hot import stack_targets, times_weights
from sksoftmax._data.statistics import statistics_of
from sksoftmax._data.subsampling import class_counts, class_rates, draw_by_class
from sksoftmax._utils.threads import Threads


class Chunk(NamedTuple):
    """Some rows of the training data."""

    number: int
    X: object  # (n_rows, n_features), dense or CSR
    sY: object  # (n_rows, n_classes), targets times weights: an array or `OneHot`
    s: np.ndarray  # (n_rows,), sample weights

    def in_double(self):
        """With X in double precision, for functions that read all of it.

        Converting once, in the cache, instead of in each product of mixed precision
        takes a third (2 classes) to 0.6 (6 classes) of the time of the products.
        """
        X = in_double(self.X)
        return self if X is self.X else self._replace(X=X)


def make_chunk(number, X, Y, s):
    """A `Chunk` of rows whose targets are not multiplied by their weights yet."""
    return Chunk(number, X, times_weights(Y, s), s)


class PerChunk(list):
    """One value per chunk: what `map` returns and what `map` and `sum` take apart."""


class Deferred:
    """What `map` would have returned, computed again wherever it is used."""

    def __init__(self, fn, args):
        self._fn, self._args = fn, args

    def of(self, chunk):
        """The value for one chunk."""
        return self._fn(chunk, *_own(chunk, self._args))


class _Kept:
    """Values of consecutive chunks, given up as soon as they are too many to keep."""

    def __init__(self, largest):
        self.result = PerChunk()
        self._left = largest  # bytes

    def take(self, values):
        """Keep values, unless all so far are too many; whether they were kept."""
        if self.result is None:
            return False
        self.result.extend(values)
        if self._left < np.inf:
            self._left -= sum(map(n_bytes, values))
            if self._left < 0:
                self.result = None
        return self.result is not None


def _own(chunk, args, first=0):
    """Arguments as one chunk gets them: of what `map` returned, its own."""
    for arg in args:
        if isinstance(arg, PerChunk):
            yield arg[chunk.number - first]
        elif isinstance(arg, Deferred):
            yield arg.of(chunk)
        else:
            yield arg


class ChunkVerbs:
    """The verbs, for chunks that this process works on.

    A class with them has `_sweep(run, args, reads_X)`: it counts what is read, and
    gives run(chunks) for groups of consecutive chunks, in order.

    Attributes
    ----------
    largest_kept : float
        Bytes of results that `map` keeps; more are computed again where they are used.
    """

    largest_kept = np.inf
    _first = 0  # number of the first chunk

    def map(self, fn, *args, reads_X=True):
        """fn(chunk, *args) for every chunk, as a `PerChunk`, or `Deferred`.

        An argument that `map` has returned gives each call its chunk's value.
        """
        values = _Kept(self.largest_kept)
        for some in self._reduced(list, fn, args, reads_X):
            if not values.take(some):
                return Deferred(fn, args)
        return values.result

    def collect(self, fn, *args, reads_X=True):
        """fn(chunk, *args) for every chunk, as a list in this process: small things."""
        return list(chain.from_iterable(self._reduced(list, fn, args, reads_X)))

    def sum(self, fn, *args, reads_X=True):
        """Sum of fn(chunk, *args) over the chunks, in their order.

        fn returns a number, an array or a tuple of them, added element by element.
        """
        return add_up(self._reduced(add_up, fn, args, reads_X))

    def map_sum(self, fn, *args, reads_X=True):
        """Both in one sweep, for an fn that returns (term, value)."""
        values = _Kept(self.largest_kept)

        def split(pairs):
            kept = []

            def terms():
                for term, value in pairs:
                    if values.result is not None:
                        kept.append(value)
                    yield term

            return add_up(terms()), kept

        def totals():
            for total, kept in self._reduced(split, fn, args, reads_X):
                values.take(kept)
                yield total

        total = add_up(totals())
        if values.result is None:
            return total, Deferred(lambda *args: fn(*args)[1], args)
        return total, values.result

    def _reduced(self, reduce, fn, args, reads_X):
        """`reduce` of the values of fn, for each group of consecutive chunks."""

        def run(chunks):
            return reduce(
                fn(chunk, *_own(chunk, args, self._first)) for chunk in chunks
            )

        return self._sweep(run, args, reads_X)


# Sums are formed inside at most this many groups of consecutive chunks and then over
# the groups, always in this order. So the bits of a sum do not depend on the number of
# threads, and memory is 16 partial sums, not one per chunk. 16 splits evenly over 2, 4
# and 8 threads and wastes a ninth on 3.
_N_GROUPS = 16


# A chunk's X, logits and their copies should stay in the L2 cache (1 MB per core on
# recent servers) between the two products of a pass.
_CHUNK_BYTES = 2**20


# Entries of X times classes from which several threads are used: below, a pass takes
# less than half a millisecond, of which handing out the work and waiting would be a
# fifth.
_WORTH_THREADS = 5e6


class Chunks(ChunkVerbs):
    """Chunks of rows held in memory.

    Parameters
    ----------
    X : {ndarray, CSR} of shape (n_rows, n_features)
    Y : {ndarray, OneHot} of shape (n_rows, n_classes)
    s : ndarray of shape (n_rows,)
    threads : Threads
        Runs groups of chunks side by side.
    first : int
        Number of the first chunk, where these are part of more.

    Attributes
    ----------
    n_rows, n_classes : int
    is_dense : bool
        Whether X is an array rather than a CSR matrix.
    stored_per_row : float
        Mean number of stored entries in a row of X.
    largest_subsample : int
        Rows of the largest sample that `subsample` is worth being asked for.
    known_statistics : ColumnStatistics or None
        What `statistics` returned, or None before its first call.
    rows_read : int
        Rows of X that `map`, `sum` and `map_sum` have read, those of samples included;
        a call whose function has no use for X says so by reads_X=False.
    """

    def __init__(self, X, Y, s, threads, first=0):
        self.X, self._Y, self._s, self._first = X, Y, s, first
        self.n_rows, self.n_classes = Y.shape
        self.is_dense, self.stored_per_row = is_dense(X), stored_per_row(X)
        self.largest_subsample = self.n_rows // 4
        self.known_statistics = None
        self.rows_read = 0
        self._whole = None  # the chunks that these are some rows or columns of
        self._entries_of_parts = 0.0  # that parts of these have read
        self.threads = threads_worth(threads, X, Y.shape[1])
        self._chunks = [
            make_chunk(number, slice_rows(X, a, b), Y[a:b], s[a:b])
            for number, (a, b) in enumerate(chunk_edges(X, Y.shape[1]), start=first)
        ]
        self._groups = groups_of(range(len(self._chunks)))

    def __reduce__(self):
        # Chunks are views of X, which a pickle of their own would repeat.
        return Chunks, (self.X, self._Y, self._s, Threads(), self._first)

    def statistics(self):
        """The `ColumnStatistics` of the rows, from a pass in the first call."""
        if self.known_statistics is None:
            self.known_statistics = self.sum(chunk_statistics)
        return self.known_statistics

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

    def subsample(self, n_rows, largest=None):
        """Chunks of about n_rows random rows, weighted to stand for all.

        largest is the size of the largest sample that will be asked for; in memory,
        where a draw costs little, it does not matter.

        Every class keeps its share of the rows, and rare classes more than that: up to
        a tenth of an equal share, at weights that make up for it.
        """
        rates = class_rates(self.sum(class_counts, reads_X=False), n_rows)
        parts = self.collect(draw_by_class, rates, reads_X=False)
        return self._part(*stacked_parts(parts))

    def take(self, rows):
        """Chunks of some rows, given by number, copied."""
        return self._part(self.X[rows], self._Y[rows], self._s[rows])

    @property
    def row_weights(self):
        """The weights of the rows, shape (n_rows,)."""
        return self._s

    def columns(self, centre, ones):
        """X - centre by columns, in double precision, with a last column of ones.

        A CSR matrix becomes a CSC one and is not centred.
        """
        self._count(self.n_rows)
        return by_columns(self.X, centre, ones)

    def restricted(self, features):
        """Chunks with some columns of X, copied."""
        return self._part(take_columns(self.X, features), self._Y, self._s)

    def _part(self, X, Y, s):
        """Chunks whose passes count as passes of these."""
        part = Chunks(X, Y, s, self.threads)
        part._whole = self
        return part

    def _count(self, n_rows):
        """Count rows of X that are read; they are parts of larger data, too."""
        self.rows_read += n_rows
        whole = self._whole
        while whole is not None:
            whole._entries_of_parts += n_rows * self.stored_per_row
            whole = whole._whole

    @property
    def n_passes(self):
        """How many times all of X was read, or as many entries of parts of it."""
        return self.rows_read / self.n_rows + self._entries_of_parts / self.size

    @property
    def size(self):
        """Number of stored entries of X."""
        return max(self.stored_per_row * self.n_rows, 1)

    def sum(self, fn, *args, reads_X=True):  # no loops over a single chunk
        if len(self._chunks) > 1:
            return super().sum(fn, *args, reads_X=reads_X)
        return self._of_only_chunk(fn, args, reads_X)

    def map_sum(self, fn, *args, reads_X=True):
        if len(self._chunks) > 1:
            return super().map_sum(fn, *args, reads_X=reads_X)
        term, value = self._of_only_chunk(fn, args, reads_X)
        return term, PerChunk([value])

    def _of_only_chunk(self, fn, args, reads_X):
        self.rows_read += self.n_rows * reads_X
        chunk = self._chunks[0].in_double() if reads_X else self._chunks[0]
        return fn(chunk, *_own(chunk, args, self._first))

    def _sweep(self, run, args, reads_X):
        self._count(self.n_rows * reads_X)

        def run_group(group):
            chunks = (self._chunks[i] for i in group)
            return run(chunk.in_double() if reads_X else chunk for chunk in chunks)

        return self.threads.map(run_group, self._groups)


def threads_worth(threads, X, n_classes):
    """The threads, or a single one where X is too small to share."""
    work = X.shape[0] * n_classes * (stored_per_row(X) + 40)
    return threads if work >= _WORTH_THREADS else Threads()


def groups_of(numbers):
    """A range of chunk numbers as at most 16 ranges of about the same length."""
    n, k = len(numbers), min(_N_GROUPS, len(numbers))
    return [numbers[n * i // k : n * (i + 1) // k] for i in range(k)]


def stacked_parts(parts):
    """X, Y and s of what `draw_by_class` returns for several chunks."""
    X, Y, s = zip(*parts, strict=True)
    return stack_rows(X), stack_targets(Y), np.concatenate(s)


def chunk_statistics(chunk):
    """The `ColumnStatistics` of the rows of a chunk."""
    return statistics_of(chunk.X, chunk.s)


def _chunk_squares(chunk, centre):
    return squares(chunk.X, centre).T @ chunk.s


def chunk_edges(X, n_classes):
    """First and last row of each chunk, from the shape of the data alone."""
    n_rows = X.shape[0]
    row_bytes = 8.0 * (stored_per_row(X) + 3 * n_classes)
    # The gradient of a chunk is as large as w: where w is larger than a chunk, larger
    # chunks keep adding gradients up a small part of the work.
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
