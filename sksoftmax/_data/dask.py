"""dask collections as training data: partitions of rows, checked on the workers.

With a `distributed.Client` the partitions stay on the workers. Without one they are
data larger than memory like any other: dask's own scheduler makes a partition when it
is read, in each pass. dask is imported where it is used only.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from sksoftmax._data.arrays import (
    check_features,
    float_dtype,
    is_dask,
    is_dask_frame,
    join_columns,
)
from sksoftmax._data.checks import names_of
from sksoftmax._data.chunked import (
    Batch,
    RemoteDataset,
    Source,
    check_source,
    encoder_of,
)
from sksoftmax._data.chunks import Chunks
from sksoftmax._data.dask_chunks import DaskChunks
from sksoftmax._data.dask_cluster import Cluster
from sksoftmax._data.dask_loading import load
from sksoftmax._data.dask_rows import WorkerRows, partition_context
from sksoftmax._data.dataset import Home, refuse_whole
from sksoftmax._data.summary import joined, summarize
from sksoftmax._data.targets import slice_labels, sliceable
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import refuse_missing
from sksoftmax._utils.threads import Threads

# Numbers of chunks of one partition; draws of rows depend on them, so they differ.
_CHUNKS_OF_A_PARTITION = 2**20


@dataclass(frozen=True)
class DaskDataset(RemoteDataset):
    """A `Dataset` on the workers of a cluster.

    Each of them holds some partitions.
    """

    cluster: Cluster
    loaded: list  # futures of `Partitions`
    n_partitions: int

    def chunks(self, threads):
        shared = self.encoder, self.summary.names
        rows = self.cluster.map(_make_chunks, shared, self.loaded)
        return DaskChunks(
            self.cluster, rows, self.n_partitions, self.encoded_summary, threads
        )

    def close(self):
        self.cluster.close()


def map_rows(fn, X, empty, *args):
    """fn(rows of X, *args) for each block of a dask collection, a lazy dask array.

    empty(dtype) is what fn returns of no rows of that precision.
    """
    import dask
    import dask.array as da

    empty = empty(float_dtype(X))
    answer = dask.delayed(_answer, pure=True)
    blocks = [
        da.from_delayed(
            answer(number, partition, fn, empty, *args),
            (length, *empty.shape[1:]),
            empty.dtype,
            meta=empty,
        )
        for number, (partition, length) in enumerate(zip(*_partitions(X), strict=True))
    ]
    return da.concatenate(blocks, allow_unknown_chunksizes=True)


def _answer(number, X, fn, empty, *args):
    with error_context(f"block {number}"):
        return fn(X, *args) if X.shape[0] else empty


def aligned_partitions(X, y, sample_weight, names, *, count):
    """Delayed (X, y, sample_weight) of consecutive rows, cut where X is cut.

    Partitions of unknown length are believed to be the same rows where there are as
    many of each, unless they are to be counted; see `_CutElsewhereError`.
    """
    import dask

    if y is None:
        raise ValueError(
            f"{names.X} is a dask collection, and {names.y} is None; {names.y} is"
            " required."
        )
    y = _converted(y, sliceable, names.y)
    columns = [X, y, _converted(sample_weight, np.asarray, names.sample_weight)]
    with_rows = [i for i in range(3) if np.ndim(columns[i]) or is_dask(columns[i])]
    if not count and all(_fits(columns[i], X) for i in with_rows):
        partitions = {i: _partitions(columns[i])[0] for i in with_rows}
    else:
        lengths = _known_lengths(X)
        partitions = {0: _partitions(X)[0]}
        for i in with_rows[1:]:
            with error_context(f"{names.X} and {names[i]}"):
                partitions[i] = _cut(columns[i], lengths)
    n_partitions = len(partitions[0])
    rows = zip(
        *(partitions.get(i, [columns[i]] * n_partitions) for i in range(3)), strict=True
    )
    return [dask.delayed(tuple)(list(row)) for row in rows]


class _CutElsewhereError(ValueError):
    """A partition has another number of rows in y or in weights than in X."""


def _lengths(X, y, sample_weight):
    """Numbers of rows in a partition of X, and of those others that have rows."""
    return [rows.shape[0] for rows in (X, y, sample_weight) if np.ndim(rows)]


def _check_lengths(lengths, error=ValueError):
    if len(set(lengths)) > 1:
        raise error(
            f"Found input variables with inconsistent numbers of samples: {lengths}"
        )


def _converted(values, convert, name):
    """Values that are to be cut here; conversion might lose what is missing."""
    with error_context(name):
        if is_dask(values) or not np.ndim(values):
            return values
        refuse_missing(name, values)
        return convert(values)


def _partitions(values):
    """Delayed rows of each partition of a dask collection, and their numbers."""
    import dask

    if is_dask_frame(values):
        partitions = values.to_delayed()
        return partitions, [np.nan] * len(partitions)
    grid = values.to_delayed().reshape(len(values.chunks[0]), -1)
    if grid.shape[1] > 1:
        join = dask.delayed(join_columns, pure=True)
        return [join(list(row)) for row in grid], list(values.chunks[0])
    return list(grid[:, 0]), list(values.chunks[0])


def _fits(values, X):
    """Whether values are cut as X is, as far as one can see."""
    if not is_dask(values):
        return False
    cuts, X_cuts = _partitions(values)[1], _partitions(X)[1]
    return len(cuts) == len(X_cuts) and all(
        a == b or np.isnan(a) or np.isnan(b) for a, b in zip(cuts, X_cuts, strict=True)
    )


def _known_lengths(values):
    """Number of rows of each partition; counted where it is not known."""
    import dask

    partitions, lengths = _partitions(values)
    if np.isnan(lengths).any():
        lengths = dask.compute(*(partition.shape[0] for partition in partitions))
    return list(map(int, lengths))


def _cut(values, lengths):
    """Values, dask or not, in partitions of these lengths."""
    import dask

    stops = np.cumsum(lengths)
    starts = stops - lengths
    if not is_dask(values):
        _check_lengths([sum(lengths), len(values)])
        return [slice_labels(values, *cut) for cut in zip(starts, stops, strict=True)]
    partitions, own = _partitions(values)[0], _known_lengths(values)
    _check_lengths([sum(lengths), sum(own)])
    if own == lengths:
        return partitions
    own_stops, rows_of = np.cumsum(own), dask.delayed(_rows_of)
    firsts = np.searchsorted(own_stops, starts, "right").clip(max=len(own) - 1)
    lasts = np.searchsorted(own_stops, stops).clip(min=firsts)
    skipped = own_stops[firsts] - np.take(own, firsts)
    return [
        rows_of(partitions[first : last + 1], start, stop)
        for first, last, start, stop in zip(
            firsts, lasts, starts - skipped, stops - skipped, strict=True
        )
    ]


def _rows_of(parts, start, stop):
    """Rows start to stop of consecutive parts of y or of weights."""
    rows = parts[0]
    if len(parts) > 1 and hasattr(rows, "iloc"):
        import pandas as pd

        rows = pd.concat(parts)
    elif len(parts) > 1:  # np.concatenate would drop a mask
        rows = (np.ma if np.ma.isMA(rows) else np).concatenate(parts)
    return slice_labels(rows, start, stop)


def _open(partitions):
    """One pass, partition by partition, by dask's scheduler for this machine."""
    import dask

    for number, partition in enumerate(partitions):
        with partition_context(number):
            (rows,) = dask.compute(partition)
            _check_lengths(_lengths(*rows), _CutElsewhereError)
        yield rows


def _summary_of(cluster, loaded, estimator, classes, names, *, reset):
    """The `Summary` of all partitions, whose features go to `estimator` if reset."""
    shared = _without_parameters(estimator), classes, names, reset
    found = cluster.gather(cluster.map(_summaries_of, shared, loaded))
    summary = None
    # In their order, so that of several errors the first block's is raised.
    for number, lengths, part, no_rows in sorted(
        chain.from_iterable(found), key=lambda result: result[0]
    ):
        with partition_context(number):
            if isinstance(part, Exception):
                raise part
            _check_lengths(lengths, _CutElsewhereError)
        if part is not None:
            with error_context(f"{names.part} {number}"):
                check_features(estimator, no_rows, reset=reset and summary is None)
                summary = joined(summary, part)
    return summary


def _summaries_of(shared, loaded):
    """Of each partition the lengths, and the summary and X without rows if they agree.

    Errors are results, and end what the worker does: that of another may come first.
    """
    estimator, classes, names, reset = shared
    results = []
    for number, partition in loaded.members:
        lengths, part = _lengths(*partition), None
        if len(set(lengths)) == 1:
            try:
                with error_context(f"{names.part} {number}"):
                    own = _without_parameters(estimator)
                    part = summarize(own, partition, names, classes, reset=reset)
            except Exception as error:
                part = error.with_traceback(None)
        results.append((number, lengths, part, partition[0][:0]))
        if isinstance(part, Exception):
            break
    return results


def _without_parameters(estimator):
    """An estimator that knows of its features only, which are all that workers check.

    Callbacks need not be what can be sent, and coefficients of an earlier fit are many.
    """
    bare = object.__new__(type(estimator))
    for name in vars(estimator).keys() & {"n_features_in_", "feature_names_in_"}:
        setattr(bare, name, getattr(estimator, name))
    return bare


def _make_chunks(shared, loaded):
    """The `WorkerRows` of partitions."""
    encoder, names = shared
    results = []
    for number, partition in loaded.members:
        rows = Batch(f"{names.part} {number}", partition, encoder, names).rows()
        chunks = Chunks(*rows, Threads(), first=number * _CHUNKS_OF_A_PARTITION)
        results.append((number, chunks))
    return WorkerRows(results)


def _is_here(data, access, like):
    return is_dask(data[0]) and (like is None or access == "passes")


def _check(estimator, data, access, *, classes, like):
    if like is None:
        refuse_whole(access)
    else:
        classes = like.targets.classes
    names = names_of(like, "block")
    try:
        partitions = aligned_partitions(*data, names, count=False)
        return _check_partitions(estimator, partitions, access, classes, like)
    except _CutElsewhereError:
        partitions = aligned_partitions(*data, names, count=True)
        return _check_partitions(estimator, partitions, access, classes, like)


def _check_partitions(estimator, partitions, access, classes, like):
    # Mini-batches are made here, from partitions that come one after the other.
    cluster = Cluster.in_use() if access == "passes" else None
    if cluster is None:
        source = Source(
            partial(_open, partitions),
            "block",
            shuffled=lambda rng: _open(
                [partitions[number] for number in rng.permutation(len(partitions))]
            ),
        )
        return check_source(estimator, source, classes=classes, like=like)
    with ExitStack() as stack:
        stack.callback(cluster.close)
        loaded = load(cluster, partitions)
        names = names_of(like, "block")
        summary = _summary_of(
            cluster, loaded, estimator, classes, names, reset=like is None
        )
        encoder = encoder_of(summary, estimator, like)
        stack.pop_all()
    return DaskDataset(encoder, summary, cluster, loaded, len(partitions))


HOME = Home(_is_here, _check, is_dask, map_rows)
