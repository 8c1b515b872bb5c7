"""Blocks of rows that are read again in each pass: data larger than memory.

A pass goes through batches of rows, the pieces that come from a file or an iterator,
and cuts each into blocks, which are worked on side by side. Sums are formed in the
order of the blocks, so results do not depend on the number of threads.

What `map` returns has one entry per row, as a rule, and so may be too large to keep.
Then it is `Deferred`: computed again, block by block, by the function that needs it,
which reads X in any case more often than not.
"""

from itertools import chain
from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import n_bytes
from sksoftmax._data.chunks import (
    Chunks,
    PerChunk,
    add_up,
    chunk_edges,
    groups_of,
    make_chunk,
    stacked_parts,
    threads_worth,
)
from sksoftmax._data.statistics import ColumnStatistics
from sksoftmax._data.subsampling import class_rates, draw_by_class

# Bytes that each result of `map` may take, and the sample of the rows. Of such results
# four live at a time at most: probabilities at two points of a line search, distances
# and scores of the rows.
_LARGEST_KEPT = 2**27


class Layout(NamedTuple):
    """What a first pass has found out about the batches."""

    n_rows: int  # with positive weight
    counts: np.ndarray  # (n_classes,), rows of each class
    stored_per_row: float
    row_bytes: float  # of X
    squares: float  # of its entries, their sum
    is_dense: bool
    statistics: ColumnStatistics  # of the features, before class weights
    is_lazy: bool  # whether passing through batches reads X only where it is used


class Deferred:
    """What `map` would have returned, computed again wherever it is used."""

    def __init__(self, fn, args):
        self._fn, self._args = fn, args

    def of(self, chunk):
        """The value for one block."""
        return self._fn(chunk, *_own(chunk, self._args))


class _Second(NamedTuple):
    """The function x -> fn(x)[1]."""

    fn: object

    def __call__(self, *args):
        return self.fn(*args)[1]


class RemoteChunks:
    """What is known of blocks of rows that are elsewhere, and samples of them.

    Parameters
    ----------
    layout : Layout
    threads : Threads
        For what is done with samples, here.

    Attributes
    ----------
    n_passes : float
        Times that the rows were read, that for the layout included.
    """

    def __init__(self, layout, threads):
        self.threads = threads
        self._layout = layout
        self._n_reads = 1
        self._sample = None

    @property
    def largest_kept(self):
        """Bytes of results that `map` keeps."""
        return _LARGEST_KEPT

    @property
    def n_rows(self):
        """Number of rows of all batches together, those without weight left out."""
        return self._layout.n_rows

    @property
    def n_classes(self):
        """Number of columns of the targets."""
        return self._layout.counts.size

    @property
    def is_dense(self):
        """Whether X is an array rather than a CSR matrix."""
        return self._layout.is_dense

    @property
    def stored_per_row(self):
        """Mean number of stored entries in a row of X."""
        return self._layout.stored_per_row

    @property
    def largest_subsample(self):
        """Rows of the largest sample that `subsample` is worth being asked for."""
        row = self._layout.row_bytes + 16.0 * self.n_classes
        return min(self.n_rows // 4, int(_LARGEST_KEPT / row))

    @property
    def n_passes(self):
        """How many times all rows of X were read, or as many rows of the sample."""
        sample = self._sample
        drawn = 0 if sample is None else sample.n_passes * sample.n_rows
        return self._n_reads + drawn / self.n_rows

    def centre(self):
        """Mean of each feature, exact for a constant one; zero where sparse.

        It was found in the first pass, in which class weights are not known.
        """
        return self._layout.statistics.centre

    def second_moment(self, centre):
        """Weighted mean of (x - centre)^2 of each feature, before class weights."""
        return self._layout.statistics.second_moment(centre)

    def subsample(self, n_rows, largest):
        """Blocks of about n_rows random rows, in memory, weighted to stand for all.

        Reading everything for each sample would cost too much, so the largest is drawn
        at first and smaller ones from that.
        """
        if self._sample is None:
            rates = class_rates(self._layout.counts, largest)
            parts = self.collect(draw_by_class, rates)
            self._sample = Chunks(*stacked_parts(parts), self.threads)
        if 2 * n_rows > self._sample.n_rows:
            return self._sample
        return self._sample.subsample(n_rows)


class StreamedChunks(RemoteChunks):
    """Blocks of rows that are read again in each pass, with the verbs of `Chunks`.

    Parameters
    ----------
    batches : callable
        Returns an iterator over the batches, the same each time. A batch has `X` and
        `pieces(edges)`, which gives X, Y and s of those of its rows that have weight.
    layout : Layout
    threads : Threads
    """

    def __init__(self, batches, layout, threads):
        super().__init__(layout, threads)
        self._batches = batches

    def map(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block, as `PerChunk` or `Deferred`."""

        def run(chunks):
            return [fn(chunk, *_own(chunk, args)) for chunk in chunks]

        values = _Kept()
        reads_X = self._count(args, reads_X)
        for part in self._sweep(run, reads_X):
            if not values.take(part):
                return Deferred(fn, args)
        return values.result

    def collect(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block, as a list: for small things."""

        def run(chunks):
            return [fn(chunk, *_own(chunk, args)) for chunk in chunks]

        reads_X = self._count(args, reads_X)
        return list(chain.from_iterable(self._sweep(run, reads_X)))

    def sum(self, fn, *args, reads_X=True):
        """Sum of fn(block, *args) over the blocks, in block order."""

        def run(chunks):
            return add_up(fn(chunk, *_own(chunk, args)) for chunk in chunks)

        reads_X = self._count(args, reads_X)
        return add_up(self._sweep(run, reads_X))

    def map_sum(self, fn, *args, reads_X=True):
        """Both in one sweep, for an fn that returns (term, value)."""
        values = _Kept()

        def run(chunks):
            kept = []

            def terms():
                for chunk in chunks:
                    term, value = fn(chunk, *_own(chunk, args))
                    if values.result is not None:
                        kept.append(value)
                    yield term

            return add_up(terms()), kept

        def totals():
            for total, kept in self._sweep(run, reads_X):
                values.take(kept)
                yield total

        reads_X = self._count(args, reads_X)
        total = add_up(totals())
        if values.result is None:
            return total, Deferred(_Second(fn), args)
        return total, values.result

    def _count(self, args, reads_X):
        """Count a pass, if it is one; whether the function itself will read X."""
        reads_X = reads_X or any(isinstance(arg, Deferred) for arg in args)
        self._n_reads += reads_X or not self._layout.is_lazy
        return reads_X

    def _sweep(self, run, reads_X):
        """run(blocks) for groups of consecutive blocks, in order."""
        first = 0
        for batch in self._batches():
            edges = chunk_edges(batch.X, self.n_classes)

            def run_group(group, batch=batch, edges=edges, first=first):
                def chunks():
                    pieces = batch.pieces([edges[i] for i in group])
                    for i, piece in zip(group, pieces, strict=True):
                        chunk = make_chunk(first + i, *piece)
                        yield chunk.in_double() if reads_X else chunk

                return run(chunks())

            threads = threads_worth(self.threads, batch.X, self.n_classes)
            yield from threads.map(run_group, groups_of(range(len(edges))))
            first += len(edges)


class _Kept:
    """Values of consecutive blocks, given up as soon as they are too many to keep."""

    def __init__(self):
        self.result = PerChunk()
        self._bytes = 0

    def take(self, values):
        """Keep values, unless all so far are too many; whether they were kept."""
        if self.result is None:
            return False
        self._bytes += sum(map(n_bytes, values))
        self.result.extend(values)
        if self._bytes > _LARGEST_KEPT:
            self.result = None
        return self.result is not None


def _own(chunk, args):
    """Arguments as one block gets them: of what `map` returned, its own."""
    for arg in args:
        if isinstance(arg, PerChunk):
            yield arg[chunk.number]
        elif isinstance(arg, Deferred):
            yield arg.of(chunk)
        else:
            yield arg
