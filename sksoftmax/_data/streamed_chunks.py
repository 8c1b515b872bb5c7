"""Chunks of rows that are read again in each pass: data larger than memory.

A pass goes through batches of rows, which come from a file or an iterator, and cuts
each into chunks, which are worked on side by side. Sums are formed in the order of the
chunks, so results do not depend on the number of threads.

What `map` returns has one entry per row, as a rule, and so may be too large to keep.
Then it is `Deferred`: computed again, chunk by chunk, by the function that needs it,
which reads X in any case more often than not.
"""

from sksoftmax._data.chunks import (
    Chunks,
    ChunkVerbs,
    Deferred,
    chunk_edges,
    groups_of,
    make_chunk,
    stacked_parts,
    threads_worth,
)
from sksoftmax._data.subsampling import class_rates, draw_by_class

# Bytes that each result of `map` may take, and the sample of the rows. Of such results
# four live at a time at most: probabilities at two points of a line search, distances
# and scores of the rows.
_LARGEST_KEPT = 2**27


class RemoteChunks:
    """What is known of chunks of rows that are elsewhere, and samples of them.

    It has the attributes of `Chunks`. Rows without weight do not count in `n_rows`, and
    class weights not in `known_statistics`. Counts of the summary are those of the
    classes that the objective sees. `threads` work on samples, which are here, and
    which take `largest_sample` bytes at most.
    """

    largest_sample = _LARGEST_KEPT

    def __init__(self, summary, threads):
        self.n_rows, self.n_classes = summary.n_weighted, summary.counts.size
        self.is_dense, self.stored_per_row = summary.is_dense, summary.stored_per_row
        row_bytes = summary.n_bytes / summary.n_rows + 16.0 * self.n_classes
        self.largest_subsample = min(
            self.n_rows // 4, int(self.largest_sample / row_bytes)
        )
        self.largest_kept = _LARGEST_KEPT
        self.known_statistics = summary.statistics
        self.threads = threads
        self._counts = summary.counts
        self._n_reads = 1  # for the summary
        self._sample = None

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
        return self.known_statistics.centre

    def second_moment(self, centre):
        """Weighted mean of (x - centre)^2 of each feature, before class weights."""
        return self.known_statistics.second_moment(centre)

    def subsample(self, n_rows, largest):
        """Chunks of about n_rows random rows, in memory, weighted to stand for all.

        Reading everything for each sample would cost too much, so the largest is drawn
        at first and smaller ones from that.
        """
        if self._sample is None:
            rates = class_rates(self._counts, largest)
            parts = self.collect(draw_by_class, rates)
            self._sample = Chunks(*stacked_parts(parts), self.threads)
        if 2 * n_rows > self._sample.n_rows:
            return self._sample
        return self._sample.subsample(n_rows)


class StreamedChunks(RemoteChunks, ChunkVerbs):
    """Chunks of rows that are read again in each pass, with the verbs of `Chunks`.

    `batches()` iterates over the same batches each time. A batch has `X` and
    `pieces(edges)`, which gives X, Y and s of those of its rows that have weight. If
    `is_lazy`, passing through batches reads X only where it is used.
    """

    def __init__(self, batches, summary, threads, *, is_lazy):
        super().__init__(summary, threads)
        self._batches, self._is_lazy = batches, is_lazy

    def _sweep(self, run, args, reads_X):
        reads_X = reads_X or any(isinstance(arg, Deferred) for arg in args)
        self._n_reads += reads_X or not self._is_lazy
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
