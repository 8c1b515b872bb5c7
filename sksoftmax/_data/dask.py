"""dask collections as training data: cut into parts of rows, checked on the workers.

With a `distributed.Client` the parts stay on the workers. Without one they are data
larger than memory like any other: dask's own scheduler makes a part when it is read, in
each pass. dask is imported where it is used only.
"""

import copy
import sys
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from sksoftmax._data.arrays import is_dask, is_dask_frame, join_columns, n_rows
from sksoftmax._data.chunked import (
    Batch,
    RemoteDataset,
    Source,
    TargetEncoder,
    check_stream,
    part_context,
)
from sksoftmax._data.chunks import Chunks
from sksoftmax._data.dask_chunks import (
    DaskChunks,
    client_context,
    partition_context,
    shard_size,
)
from sksoftmax._data.summary import Summary, summarize
from sksoftmax._utils.threads import Threads

# Numbers of blocks of one part; they seed the draws of rows, and have to differ.
_BLOCKS_OF_A_PART = 2**20


@dataclass(frozen=True)
class DaskDataset(RemoteDataset):
    """Data on the workers of a cluster.

    Attributes
    ----------
    client : distributed.Client
    shards : list of Future
        Of a list of (number, (X, y, sample_weight)), as they came from the user.
    """

    client: object
    shards: list

    def chunks(self, threads):
        """The rows, in blocks that stay on the workers."""
        with client_context(self.client):
            shards = self.client.map(
                _make_chunks, self.shards, encoder=self.encoder, pure=False
            )
        return DaskChunks(self.client, shards, self.kept_layout, threads)


def check_dask(estimator, data, *, classes=None, like=None, pinned=True):
    """Data of which X is a dask collection, as a `DaskDataset` or `ChunkedDataset`.

    Parameters
    ----------
    estimator : SoftmaxRegressionClassifier
        Number and names of the features are recorded on it.
    data : tuple
        X, y and sample_weight.
    classes : ndarray of shape (n_classes,), optional
        All labels; without them, those that are found.
    like : InMemoryDataset, Stream or DaskSample, optional
        The training data, where these are for validation.
    pinned : bool
        Whether the rows stay on the workers of a cluster. If not, parts are made when
        they are read, and come here.
    """
    parts = aligned_parts(*data)
    client = _current_client()
    if client is None or not pinned:
        shuffled = partial(_open_shuffled, parts)
        source = Source(partial(_open, parts), "block", shuffled=shuffled)
        return check_stream(estimator, source, classes=classes, like=like)
    if like is not None:
        classes = like.targets.classes
    summary = Summary(classes)
    with client_context(client):
        shards = _load(client, parts)
        summaries = client.map(
            _look,
            shards,
            estimator=copy.copy(estimator),
            classes=classes,
            reset=like is None,
            pure=False,
        )
        # One after the other, so that of several errors the first block's is raised.
        for number, (part_summary, features) in enumerate(
            chain.from_iterable(shard.result() for shard in summaries)
        ):
            if summary.is_empty:
                vars(estimator).update(features)
            with part_context(number, "block"):
                summary.add(part_summary)
    tally = summary.tally()
    factors = summary.factors(estimator.class_weight) if like is None else like.factors
    encoder = TargetEncoder(tally.classes, factors)
    return DaskDataset(
        encoder=encoder,
        counts=summary.counts,
        mass=tally.mass,
        layout=summary.layout(),
        dtype=summary.dtype,
        client=client,
        shards=shards,
    )


def in_memory(values):
    """Values of a dask collection as an array; anything else as it is."""
    return values.compute() if is_dask(values) else values


def map_rows(fn, X, empty, *args):
    """fn(rows of X, *args) for each block of a dask collection, a lazy dask array.

    empty is what fn returns for no rows: it has the number of dimensions and the dtype.
    """
    import dask
    import dask.array as da

    rows = dask.delayed(fn, pure=True)
    parts, lengths = _parts(X)
    return da.concatenate(
        [
            da.from_delayed(
                rows(part, *args), (length, *empty.shape[1:]), empty.dtype, meta=empty
            )
            for part, length in zip(parts, lengths, strict=True)
        ],
        allow_unknown_chunksizes=True,
    )


def aligned_parts(X, y, sample_weight):
    """Delayed (X, y, sample_weight) of consecutive rows, cut where X is cut.

    Parts of unknown length are believed to be the same rows where there are as many of
    each; the first pass counts them.
    """
    import dask

    if y is None:
        raise ValueError("X is a dask collection, and y is None; y is required.")
    columns = [X, y, sample_weight]
    with_rows = [i for i in range(3) if np.ndim(columns[i]) or is_dask(columns[i])]
    if all(is_dask(columns[i]) and _fits(columns[i], X) for i in with_rows):
        parts = {i: _parts(columns[i])[0] for i in with_rows}
    else:
        lengths = _known_lengths(X)
        parts = {i: _cut(columns[i], lengths) for i in with_rows[1:]}
        parts[0] = _parts(X)[0]
    n_parts = len(parts[0])
    rows = zip(*(parts.get(i, [columns[i]] * n_parts) for i in range(3)), strict=True)
    return [dask.delayed(tuple)(list(row)) for row in rows]


def _parts(values):
    """Delayed rows of each part of a dask collection, and their numbers."""
    import dask

    if is_dask_frame(values):
        parts = values.to_delayed()
        return parts, [np.nan] * len(parts)
    grid = values.to_delayed().reshape(len(values.chunks[0]), -1)
    if grid.shape[1] > 1:
        join = dask.delayed(join_columns, pure=True)
        return [join(list(row)) for row in grid], list(values.chunks[0])
    return list(grid[:, 0]), list(values.chunks[0])


def _fits(values, X):
    """Whether values are cut as X is, as far as one can see."""
    cuts, X_cuts = _parts(values)[1], _parts(X)[1]
    return len(cuts) == len(X_cuts) and all(
        a == b or np.isnan(a) or np.isnan(b) for a, b in zip(cuts, X_cuts, strict=True)
    )


def _known_lengths(values):
    """Number of rows of each part; counted where it is not known."""
    import dask

    parts, lengths = _parts(values)
    if np.isnan(lengths).any():
        lengths = dask.compute(*(dask.delayed(n_rows)(part) for part in parts))
    return list(lengths)


def _cut(values, lengths):
    """Values, dask or not, in parts of these lengths."""
    if is_dask(values):
        own = _known_lengths(values)
        if own == lengths:
            return _parts(values)[0]
        _check_same(sum(own), sum(lengths))
        if is_dask_frame(values):
            if values.ndim == 2 and values.shape[1] > 1:
                raise ValueError(
                    "y has its rows in other partitions than X: repartition one of them"
                    " as the other."
                )
            values = values.to_dask_array(lengths=own)
        elif np.isnan(values.chunks[0]).any():
            values = values.copy().compute_chunk_sizes()
        return _parts(values.rechunk({0: tuple(lengths)}))[0]
    values = values if hasattr(values, "iloc") else np.asarray(values)
    _check_same(len(values), sum(lengths))
    stops = np.cumsum(lengths)
    values = getattr(values, "iloc", values)
    return [values[stop - n : stop] for stop, n in zip(stops, lengths, strict=True)]


def _check_same(n_rows, n_rows_of_X):
    if n_rows != n_rows_of_X:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples:"
            f" {[n_rows_of_X, n_rows]}"
        )


def _open(parts):
    """One pass, part by part, by dask's scheduler for this machine."""
    import dask

    for number, part in enumerate(parts):
        with partition_context(number):
            (rows,) = dask.compute(part)
        yield rows


def _open_shuffled(parts, rng):
    return _open([parts[number] for number in rng.permutation(len(parts))])


def _current_client():
    """The `distributed.Client` in use, None where there is none."""
    if "distributed" not in sys.modules:
        return None
    try:
        return sys.modules["distributed"].default_client()
    except ValueError:
        return None


def _load(client, parts):
    """Futures of shards; the parts of one are loaded and kept together."""
    import dask

    n_threads = sum(client.nthreads().values())
    size = shard_size(len(parts), n_threads)
    numbered = list(enumerate(parts))
    groups = [numbered[i : i + size] for i in range(0, len(parts), size)]
    shards = client.compute([dask.delayed(list)(group) for group in groups])
    for shard, group in zip(shards, groups, strict=True):
        if shard.exception() is not None:
            for number, part in group:  # which one was it?
                with partition_context(number):
                    client.compute(part).result()
            shard.result()
    return shards


def _look(shard, *, estimator, classes, reset):
    """Findings about each part, and what the estimator would record of its features."""
    results = []
    for number, part in shard:
        own = copy.copy(estimator)
        with part_context(number, "block"):
            part_summary = summarize(own, *part, classes, reset=reset)
        names = ("n_features_in_", "feature_names_in_")
        results.append(
            (part_summary, {k: v for k, v in vars(own).items() if k in names})
        )
    return results


def _make_chunks(shard, *, encoder):
    """Number and `Chunks` of the rows of each part."""
    results = []
    for number, part in shard:
        batch = Batch.made(number, part, encoder, "block")
        rows = batch.rows()
        chunks = Chunks(*rows, Threads(), first=number * _BLOCKS_OF_A_PART)
        results.append((number, chunks))
    return results
