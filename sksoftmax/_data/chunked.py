"""Data that are read again in each pass: checked once, encoded as they come.

The first pass over a `Source` checks everything and counts classes and weights; later
ones make targets of y again, chunk by chunk.
"""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sksoftmax._data import minibatches
from sksoftmax._data.arrays import (
    are_batches,
    convert_X,
    in_memory,
    is_table,
    n_bytes_in_file,
    no_rows,
    slice_rows,
    take_rows,
)
from sksoftmax._data.checks import names_of
from sksoftmax._data.chunks import chunk_statistics
from sksoftmax._data.dataset import Home, refuse_whole
from sksoftmax._data.holding_out import hold_out_of_file
from sksoftmax._data.sources import (
    REPEAT,
    Source,
    source_of_batches,
    source_of_slices,
)
from sksoftmax._data.streamed_chunks import StreamedChunks
from sksoftmax._data.summary import Summary, check_complete, joined, summarize
from sksoftmax._data.targets import (
    ClassTotals,
    check_weighted,
    check_weights,
    encode_again,
    label_array,
    smooth,
    smooth_totals,
    weigh,
)
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import no_missing, refuse_missing
from sksoftmax._utils.threads import Threads

# Bytes, as floats, up to which a table in a file is used as an array. That takes two
# thirds of the time (docs/benchmarks/scale.md), and early stopping can hold out rows.
LARGEST_LIKE_ARRAY = 2**30


class Encoder(NamedTuple):
    """What becomes of X, labels and weights before the objective sees them."""

    classes: np.ndarray
    factors: np.ndarray | None = None  # of class_weight
    label_smoothing: float = 0.0
    present: np.ndarray | None = None  # mask of the classes with weight
    centre: np.ndarray | None = None  # what to subtract from X

    def targets(self, y, s, names):
        """Targets of labels y and sample weights s; errors call them by the names."""
        targets = replace(encode_again(y, self.classes, name=names.y), s=s)
        targets = smooth(targets, self.label_smoothing)
        targets = weigh(targets, self.factors, name=names.sample_weight, is_part=True)
        return targets if self.present is None else targets.restrict(self.present)

    @property
    def kept_classes(self):
        """The classes that the objective sees."""
        return self.classes if self.present is None else self.classes[self.present]

    def counts(self, counts):
        """Rows of each class, before they are encoded, as they are then."""
        counted = self.factors if self.factors is None else self.factors > 0
        return self._replace(factors=counted).totals(counts)

    def totals(self, totals):
        """Weights of each class, before they are encoded, as they are then."""
        totals = smooth_totals(totals, self.label_smoothing)
        if self.factors is not None:
            totals = totals * self.factors
        return totals if self.present is None else totals[self.present]


class Batch:
    """Rows as they were read, which `rows` makes ready for the objective.

    data are X, y and sample_weight as users have them, checked before. Errors say where
    they are.
    """

    def __init__(self, where, data, encoder, names):
        X, y, sample_weight = data
        self.X, n_rows = convert_X(X), X.shape[0]
        self._encoder, self._names = encoder, names
        self._where = where
        if n_rows == 0:
            self._y, self._s = np.zeros((0, encoder.classes.size)), np.zeros(0)
        else:
            self._y = label_array(y, encoder.classes, name=names.y)
            self._s = check_weights(
                sample_weight, n_rows, name=names.sample_weight, is_part=True
            )

    def targets(self, encoder):
        """The targets of all rows by an encoder."""
        return encoder.targets(self._y, self._s, self._names)

    def pieces(self, edges):
        """X, Y and s of those rows that have weight, in pieces.

        edges holds the first and last row of each, one piece after the other. Their
        targets are made together, which takes half the time that it takes in pieces.
        """
        rows = slice(edges[0][0], edges[-1][1])
        with error_context(self._where):
            targets = self._encoder.targets(self._y[rows], self._s[rows], self._names)
        kept = targets.s > 0
        X = take_rows(slice_rows(self.X, rows.start, rows.stop), kept)
        if self._encoder.centre is not None:
            X = X - self._encoder.centre
        targets = targets.take(kept)
        cuts = np.array(edges) - rows.start
        if targets.s.size < kept.size:
            cuts = np.concatenate([[0], np.cumsum(kept)])[cuts]
        for start, stop in cuts:
            piece = slice(start, stop)
            yield slice_rows(X, start, stop), targets.Y[piece], targets.s[piece]

    def rows(self):
        """The same of all rows, in one piece."""
        return next(self.pieces([(0, self.X.shape[0])]))


@dataclass(frozen=True)
class RemoteDataset:
    """What data that are not in memory have in common as a `Dataset`."""

    encoder: Encoder
    summary: Summary  # of the rows before they are encoded

    is_in_memory = False

    @property
    def n_features(self):
        return self.summary.n_features

    @property
    def is_dense(self):
        return self.summary.is_dense

    @property
    def dtype(self):
        return self.summary.dtype

    @property
    def squares(self):
        return self.summary.squares

    @property
    def factors(self):
        return self.encoder.factors

    @property
    def targets(self):
        """Classes and their weights, all that is known without a pass."""
        mass = self.encoder.totals(self.summary.mass)
        return ClassTotals(self.encoder.kept_classes, mass)

    @cached_property
    def n_rows(self):
        """Number of rows with weight; takes a pass where a class has none."""
        if self.factors is None or self.factors.all():
            return self.summary.n_weighted
        return self.chunks(Threads()).sum(_chunk_n_rows, reads_X=False)

    @property
    def encoded_summary(self):
        """The summary with the rows of each class as the objective sees them."""
        return replace(self.summary, counts=self.encoder.counts(self.summary.counts))

    def statistics(self):
        """The `ColumnStatistics` of the features, from one pass."""
        return self.chunks(Threads()).sum(chunk_statistics)

    def with_weight(self, *, viewed=False):
        """The rows with weight; others are left out where they are read."""
        return self

    def smooth(self, label_smoothing):
        return self._with(label_smoothing=label_smoothing)

    def restrict(self, present):
        return self if present.all() else self._with(present=present)

    def hold_out(self, fraction, rng):
        """Refused: a part of the rows cannot be told from the others in each pass."""
        raise ValueError(
            "early_stopping=True needs X_val and y_val where the training data come in"
            " batches or from dask: no rows can be held out from them."
        )

    def centred(self, centre):
        """With this centre of the features subtracted from X where it is read."""
        statistics = self.summary.statistics.less(centre)
        summary = replace(self.summary, statistics=statistics)
        encoder = self.encoder._replace(centre=centre)
        return replace(self, summary=summary, encoder=encoder)

    def close(self):
        """Nothing is held."""

    def _with(self, **changes):
        return replace(self, encoder=self.encoder._replace(**changes))


@dataclass(frozen=True)
class ChunkedDataset(RemoteDataset):
    """A `Dataset` that is read again in each pass."""

    source: Source
    batch_sizes: tuple  # rows of each batch

    def hold_out(self, fraction, rng):
        if self.source.weighed is None:
            return super().hold_out(fraction, rng)
        return hold_out_of_file(self, fraction, rng)

    def chunks(self, threads):
        return StreamedChunks(
            self.batches, self.encoded_summary, threads, is_lazy=self.source.is_lazy
        )

    def minibatches(self, scaling, dtype, *, ones):
        mean_weight = self.targets.total_weight / self.n_rows
        # Rows that fit into one window are shuffled as rows in memory are.
        in_order = self.summary.n_bytes < minibatches.LARGEST_WINDOW

        def parts(rng):
            keeps_order = rng is None or in_order
            for batch in self.batches() if keeps_order else self._shuffled(rng):
                X, Y, s = batch.rows()
                yield X, Y, s / mean_weight

        nothing = no_rows(self.n_features, self.dtype, is_dense=self.summary.is_dense)
        n_classes = self.encoder.kept_classes.size
        empty = nothing, np.zeros((0, n_classes)), np.zeros(0)
        inputs = minibatches.Inputs(scaling.centre, scaling.factor, dtype, ones)
        return minibatches.WindowedRows(parts, self.n_rows, empty, inputs)

    def batches(self):
        """One more pass, which has to be like the first."""
        number, n_batches, names = -1, len(self.batch_sizes), self.summary.names
        for number, data in enumerate(self.source.open()):
            where = self.source.where(number)
            with error_context(where):
                expected = 0, self.n_features
                if number < n_batches:
                    expected = self.batch_sizes[number], self.n_features
                if data[0].shape != expected:
                    raise ValueError(
                        f"{names.X} has the shape {data[0].shape}, and had {expected}"
                        f" in the first pass. {REPEAT}"
                    )
                batch = Batch(where, data, self.encoder, names)
            yield batch
        if number + 1 < n_batches:
            raise ValueError(
                f"{names.X}: There were {number + 1} batches, and {n_batches} in the"
                f" first pass. {REPEAT}"
            )

    def _shuffled(self, rng):
        """One more pass, in an order drawn from rng where the source has a choice."""
        if self.source.shuffled is None:
            yield from self.batches()
            return
        for number, data in enumerate(self.source.shuffled(rng)):
            where = self.source.where(number)
            yield Batch(where, data, self.encoder, self.summary.names)


def check_source(estimator, source, *, classes=None, like=None):
    """The first pass over a source: a `ChunkedDataset`; see `Home.check`."""
    if like is not None:
        classes = like.targets.classes
    summary, batch_sizes, names = None, [], names_of(like, source.kind)
    for number, batch in enumerate(source.open()):
        with error_context(source.where(number)):
            reset = like is None and summary is None
            part = summarize(estimator, batch, names, classes, reset=reset)
            summary = joined(summary, part)
        batch_sizes.append(0 if part is None else part.n_rows)
    encoder = encoder_of(summary, estimator, like)
    return ChunkedDataset(encoder, summary, source, tuple(batch_sizes))


def encoder_of(summary, estimator, like):
    """The `Encoder` of data with this summary, like that of the training data."""
    names = names_of(like)
    check_complete(summary, names)
    if like is None:
        smoothing = estimator.label_smoothing
        factors = summary.factors(estimator.class_weight, smoothing)
    else:
        smoothing, factors = 0.0, like.factors
    if factors is not None:
        with np.errstate(over="ignore"):
            mass = factors * smooth_totals(summary.mass, smoothing)
        check_weighted(mass, names.sample_weight)
    return Encoder(summary.classes, factors)


def _chunk_n_rows(chunk):
    return chunk.s.size


def _are_batches(data, access, like):
    """Whether X hands out batches of everything."""
    X, *others = data
    are_here = callable(X) or is_table(X) or (others[0] is None and are_batches(X))
    if not are_here:
        return False
    if any(other is not None for other in others):
        names = names_of(like)
        raise ValueError(
            f"Where {names.X} has batches, {names.y} and sample weights are in them:"
            f" (X, y, sample_weight). {names.y} must be None."
        )
    return True


def _check_batches(estimator, data, access, *, classes, like):
    if like is None:
        refuse_whole(access)
    elif access != "passes":
        raise ValueError(
            "X_val has batches, which an exact solver without hidden layers can use;"
            " for others the validation data must be in one piece."
        )
    source = source_of_batches(data[0], names_of(like))
    return check_source(estimator, source, classes=classes, like=like)


def _are_in_file(data, access, like):
    """Whether X is in a file that is not better read into memory.

    That is better where the solver reads X whole, and where it takes little memory.
    """
    X, y, _ = data
    if y is None or n_bytes_in_file(X) <= _like_array():
        return False
    return access == "passes" or (access == "mini-batches" and like is None)


def _like_array():
    """The same where the memory may be small: an eighth of it fits by a wide margin."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows does not say
        return LARGEST_LIKE_ARRAY
    return min(LARGEST_LIKE_ARRAY, memory // 8)


def _check_file(estimator, data, access, *, classes, like):
    data, names = tuple(map(in_memory, data)), names_of(like)
    _, y, sample_weight = data
    with no_missing(names.y, y), no_missing(names.sample_weight, sample_weight):
        source = source_of_slices(*data, names)
    try:
        return check_source(estimator, source, classes=classes, like=like)
    except ValueError as error:
        for name, values in zip(names, data, strict=False):
            if f"{name} contains" in str(error):
                refuse_missing(name, values)  # by its row in the file, not in a slice
        raise


def _map_rows(fn, X, empty, *args):
    parts = []
    for number, (rows, *_) in enumerate(X.read(X.parts, with_labels=False)):
        if rows.shape[0]:
            with error_context(X.name_of(number)):
                parts.append(fn(rows, *args))
    return np.concatenate(parts) if parts else empty(np.float64)


HOME_OF_BATCHES = Home(_are_batches, _check_batches, is_table, _map_rows)
HOME_OF_FILES = Home(_are_in_file, _check_file)
