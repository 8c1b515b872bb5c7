"""Training data that are read again in each pass: checked once, encoded as they come.

Whatever the source is, a memory-mapped table, a sequence of batches or a function that
makes an iterator of them, it becomes a function that opens a pass: an iterator of
(X, y, sample_weight), the same each time. The first pass checks everything and counts
classes and weights; later ones make targets of y again, block by block.
"""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sksoftmax._data.arrays import (
    convert_X,
    is_exhaustible,
    no_rows,
    slice_rows,
    stored_per_row,
    take_rows,
    without_file,
)
from sksoftmax._data.chunks import chunk_statistics
from sksoftmax._data.minibatches import WindowedRows
from sksoftmax._data.streamed_chunks import Layout, StreamedChunks
from sksoftmax._data.summary import Summary, summarize
from sksoftmax._data.targets import (
    ClassTotals,
    check_weights,
    encode_again,
    is_soft,
    label_array,
    smooth,
    weigh,
)
from sksoftmax._utils.threads import Threads

# A batch of a memory-mapped table: enough blocks for a few threads, and little memory.
_BATCH_BYTES = 2**25

# A batch of it for an epoch in random order: as many as can be of a window's rows from
# different places of the table, in pieces that a disk reads at its full rate.
_SHUFFLED_BYTES = 2**20


class TargetEncoder(NamedTuple):
    """What becomes of labels and weights before the objective sees them."""

    classes: np.ndarray
    factors: np.ndarray | None = None  # of class_weight
    label_smoothing: float = 0.0
    present: np.ndarray | None = None  # mask of the classes with weight

    def targets(self, y, s):
        """Targets of labels y and sample weights s."""
        targets = weigh(
            replace(encode_again(y, self.classes), s=s), self.factors, is_part=True
        )
        targets = smooth(targets, self.label_smoothing)
        return targets if self.present is None else targets.restrict(self.present)

    @property
    def kept_classes(self):
        """The classes that the objective sees."""
        return self.classes if self.present is None else self.classes[self.present]

    def counts(self, counts):
        """Rows of each class, before the recipe, as they are after it."""
        counted = self.factors if self.factors is None else self.factors > 0
        return self._replace(factors=counted).totals(counts)

    def totals(self, totals):
        """Weights of each class, before the recipe, as they are after it."""
        if self.factors is not None:
            totals = totals * self.factors
        share = self.label_smoothing
        totals = (1.0 - share) * totals + share * totals.sum() / totals.size
        return totals if self.present is None else totals[self.present]


class Batch(NamedTuple):
    """Rows as they were read, which `rows` makes ready for the objective."""

    number: int
    X: object
    y: np.ndarray
    s: np.ndarray
    encoder: TargetEncoder
    kind: str = "batch"  # what error messages call it

    @classmethod
    def made(cls, number, data, encoder, kind):
        """From X, y and sample_weight as users have them, checked before."""
        X, y, sample_weight = data
        X = convert_X(X)
        if X.shape[0] == 0:
            nothing = np.zeros((0, encoder.classes.size))
            return cls(number, X, nothing, np.zeros(0), encoder, kind)
        y = label_array(y, encoder.classes)
        s = check_weights(sample_weight, X.shape[0], is_part=True)
        return cls(number, X, y, s, encoder, kind)

    def pieces(self, edges):
        """X, Y and s of those rows that have weight, in pieces.

        edges holds the first and last row of each, one piece after the other. Their
        targets are made together, which takes half the time that it takes in pieces.
        """
        rows = slice(edges[0][0], edges[-1][1])
        with part_context(self.number, self.kind):
            targets = self.encoder.targets(self.y[rows], self.s[rows])
        kept = targets.s > 0
        X = take_rows(slice_rows(self.X, rows.start, rows.stop), kept)
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


class Source(NamedTuple):
    """Where batches come from."""

    open: object  # () -> iterator of (X, y, sample_weight), the same each time
    kind: str = "batch"  # what error messages call a batch
    is_lazy: bool = False  # whether passing through reads X only where it is used
    shuffled: object = None  # rng -> the same rows in another order, if there is one


@dataclass(frozen=True)
class RemoteDataset:
    """Data that are elsewhere; offers to a fit what a `InMemoryDataset` does.

    Attributes
    ----------
    recipe : TargetEncoder
    counts, mass : ndarray of shape (n_classes,)
        Rows and weight of each class, before the recipe.
    layout : Layout
        Before the recipe.
    dtype : dtype
        Of X.
    """

    encoder: TargetEncoder
    counts: np.ndarray
    mass: np.ndarray
    layout: Layout
    dtype: np.dtype

    is_in_memory = False

    @property
    def n_features(self):
        """Number of columns of X."""
        return self.layout.statistics.mean.size

    @property
    def targets(self):
        """Classes and their weights, all that is known without a pass."""
        return ClassTotals(self.encoder.kept_classes, self.encoder.totals(self.mass))

    @property
    def squares(self):
        """Sum of the squares of all entries, infinite where that overflows."""
        return self.layout.squares

    @property
    def factors(self):
        """Factors of the classes, or None."""
        return self.encoder.factors

    @property
    def kept_layout(self):
        """The layout of what the objective sees."""
        return self.layout._replace(counts=self.encoder.counts(self.counts))

    def with_weight(self):
        """The rows with weight; others are left out where they are read."""
        return self

    def smooth(self, label_smoothing):
        """With smoothed targets."""
        return self._with(label_smoothing=label_smoothing)

    def restrict(self, present):
        """In the columns of a mask of classes."""
        return self if present.all() else self._with(present=present)

    def statistics(self):
        """The `ColumnStatistics` of the features, from one pass."""
        return self.chunks(Threads()).sum(chunk_statistics)

    moments = statistics

    def hold_out(self, fraction, rng):
        """Refused: a part of the rows cannot be told from the others in each pass."""
        raise ValueError(
            "early_stopping=True needs X_val and y_val where the training data are"
            " not in memory: no rows can be held out from them."
        )

    def _with(self, **changes):
        return replace(self, encoder=self.encoder._replace(**changes))


@dataclass(frozen=True)
class ChunkedDataset(RemoteDataset):
    """Data that are read again in each pass.

    Attributes
    ----------
    source : Source
    batch_sizes : tuple of int
        Rows of each batch.
    """

    source: Source
    batch_sizes: tuple

    @cached_property
    def n_rows(self):
        """Number of rows with weight; takes a pass where a class has none."""
        if self.factors is None or self.factors.all():
            return self.layout.n_rows
        return self.chunks(Threads()).sum(_chunk_n_rows, reads_X=False)

    def chunks(self, threads):
        """The rows, to be read in each pass."""
        return StreamedChunks(self._batches, self.kept_layout, threads)

    def minibatches(self, scaling, dtype, *, ones):
        """The rows for mini-batches, with scaled features and a mean weight of one."""
        mean_weight = self.targets.total_weight / self.n_rows

        def ready(X, Y, s):
            return scaling.apply(X, dtype, ones=ones), Y, s / mean_weight

        def parts(rng):
            for batch in self._batches() if rng is None else self._shuffled(rng):
                yield ready(*batch.rows())

        nothing = no_rows(self.n_features, self.dtype, is_dense=self.layout.is_dense)
        n_classes = self.encoder.kept_classes.size
        empty = ready(nothing, np.zeros((0, n_classes)), np.zeros(0))
        return WindowedRows(parts, self.n_rows, empty)

    batch_rows = minibatches

    def _batches(self):
        """One more pass, which has to be like the first."""
        number, n_batches, kind = -1, len(self.batch_sizes), self.source.kind
        for number, data in enumerate(self.source.open()):
            with part_context(number, kind):
                expected = 0, self.n_features
                if number < n_batches:
                    expected = self.batch_sizes[number], self.n_features
                if data[0].shape != expected:
                    raise ValueError(
                        f"X has the shape {data[0].shape}, and had {expected} in the"
                        f" first pass. {_REPEAT}"
                    )
                batch = Batch.made(number, data, self.encoder, kind)
            yield batch
        if number + 1 < n_batches:
            raise ValueError(
                f"There were {number + 1} batches, and {n_batches} in the first"
                f" pass. {_REPEAT}"
            )

    def _shuffled(self, rng):
        """One more pass, in an order drawn from rng where the source has a choice."""
        if self.source.shuffled is None:
            yield from self._batches()
            return
        for number, data in enumerate(self.source.shuffled(rng)):
            yield Batch.made(number, data, self.encoder, self.source.kind)


_REPEAT = (
    "Every pass must give the same batches again: pass a list, or a function that"
    " returns a new iterator each time it is called."
)


@contextmanager
def part_context(number, part="batch"):
    """Let errors say in which part they happened; the first is number 0."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{part} {number}: {error}") from error


def source_of_batches(batches):
    """The source that a user passed as batches."""
    if is_exhaustible(batches):
        raise ValueError(
            f"The batches come from {type(batches).__name__!r}, which is exhausted"
            f" after one pass; a fit needs several. {_REPEAT}"
        )
    return Source(partial(_open, batches))


def _open(batches):
    iterator = batches() if callable(batches) else iter(batches)
    for number, batch in enumerate(iterator):
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise TypeError(
                f"batch {number}: a batch must be (X, y) or (X, y, sample_weight), got"
                f" {type(batch).__name__!r}."
            )
        if not hasattr(batch[0], "shape"):
            raise TypeError(
                f"batch {number}: X must be an array, a sparse matrix or a data frame,"
                f" got {type(batch[0]).__name__!r}."
            )
        yield (*batch, None)[:3]


def source_of_slices(X, y, sample_weight):
    """The source of a memory-mapped table, in slices of rows."""
    y = y if is_soft(y) else column_or_1d(y, warn=True)
    if not np.isscalar(sample_weight) and sample_weight is not None:
        sample_weight = np.asarray(sample_weight)
    check_consistent_length(X, y)
    if np.ndim(sample_weight):
        check_consistent_length(X, sample_weight)
    X = without_file(X)
    row = max(stored_per_row(X), 1) * X.dtype.itemsize
    step = max(int(_BATCH_BYTES / row), 1)
    shuffled_step = max(int(_SHUFFLED_BYTES / row), 1)
    return Source(
        partial(_slices, X, y, sample_weight, step),
        is_lazy=True,
        shuffled=partial(_slices, X, y, sample_weight, shuffled_step),
    )


def _slices(X, y, sample_weight, step, rng=None):
    rows_of_y = getattr(y, "iloc", y)
    starts = np.arange(0, X.shape[0], step)
    for start in starts if rng is None else rng.permutation(starts):
        rows = slice(start, start + step)
        s = sample_weight[rows] if np.ndim(sample_weight) else sample_weight
        yield slice_rows(X, start, start + step), rows_of_y[rows], s


def check_stream(estimator, source, *, classes=None, like=None):
    """The first pass: a `ChunkedDataset`, with the features recorded on `estimator`.

    Parameters
    ----------
    estimator : SoftmaxRegressionClassifier
    source : Source
    classes : ndarray of shape (n_classes,), optional
        All labels; without them, those that are found.
    like : InMemoryDataset or Stream, optional
        The training data, where these are for validation.

    Returns
    -------
    Stream
    """
    if like is not None:
        classes = like.targets.classes
    summary = Summary(classes)
    for number, batch in enumerate(source.open()):
        with part_context(number, source.kind):
            reset = like is None and summary.is_empty
            summary.add(summarize(estimator, *batch, classes, reset=reset))
    tally = summary.tally()
    layout = summary.layout(source.is_lazy)
    factors = summary.factors(estimator.class_weight) if like is None else like.factors
    return ChunkedDataset(
        encoder=TargetEncoder(tally.classes, factors),
        counts=summary.counts,
        mass=tally.mass,
        layout=layout,
        dtype=summary.dtype,
        source=source,
        batch_sizes=tuple(summary.n_rows),
    )


def _chunk_n_rows(chunk):
    return chunk.s.size
