"""Where data come from that are read again in each pass: batches, and tables in files.

A source opens a pass: an iterator of (X, y, sample_weight), the same each time.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_consistent_length

from sksoftmax._data.arrays import (
    is_table,
    slice_rows,
    stored_per_row,
    without_file,
)
from sksoftmax._data.targets import slice_labels, sliceable
from sksoftmax._utils.errors import error_context

# A batch of a memory-mapped table: enough chunks for a few threads, and little memory.
_BATCH_BYTES = 2**25

# A batch of it for an epoch in random order: as many as can be of a window's rows from
# different places of the table, in pieces that a disk reads at its full rate.
_SHUFFLED_BYTES = 2**20


REPEAT = (
    "Every pass must give the same batches again: pass a list, or a function that"
    " returns a new iterator each time it is called."
)


class Source(NamedTuple):
    """Where batches come from."""

    open: object  # () -> iterator of (X, y, sample_weight), the same each time
    kind: str = "batch"  # what error messages call a batch
    is_lazy: bool = False  # whether passing through reads X only where it is used
    shuffled: object = None  # rng -> the same rows in another order, if there is one
    weighed: object = None  # weights -> the same rows with these, of a table in a file
    name_of: object = None  # number of a batch -> what error messages call it

    def where(self, number):
        """What error messages call the batch of this number."""
        return f"{self.kind} {number}" if self.name_of is None else self.name_of(number)


def source_of_batches(batches, names):
    """The source that a user passed as batches."""
    if is_table(batches):
        shuffled = partial(_shuffled_parts, batches) if batches.is_cut else None
        return Source(batches.__iter__, shuffled=shuffled, name_of=batches.name_of)
    if hasattr(batches, "__next__"):
        raise ValueError(
            f"The batches of {names.X} come from {type(batches).__name__!r}, which is"
            f" exhausted after one pass; a fit needs several. {REPEAT}"
        )
    return Source(partial(_open, batches, names))


def _open(batches, names):
    iterator = batches() if callable(batches) else iter(batches)
    for number, batch in enumerate(iterator):
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise TypeError(
                f"batch {number}: a batch of {names.X} must be (X, y) or (X, y,"
                f" sample_weight), got {type(batch).__name__!r}."
            )
        if not hasattr(batch[0], "shape"):
            raise TypeError(
                f"batch {number}: {names.X} must be an array, a sparse matrix or a data"
                f" frame, got {type(batch[0]).__name__!r}."
            )
        yield (*batch, None)[:3]


def _shuffled_parts(table, rng):
    order = rng.permutation(len(table.parts))
    return table.read([table.parts[number] for number in order])


def source_of_slices(X, y, sample_weight, names):
    """The source of a memory-mapped table, in slices of rows."""
    y = sliceable(y, names.y)
    if not np.isscalar(sample_weight) and sample_weight is not None:
        sample_weight = np.asarray(sample_weight)
    with error_context(f"{names.X} and {names.y}"):
        check_consistent_length(X, y)
    if np.ndim(sample_weight):
        with error_context(f"{names.X} and {names.sample_weight}"):
            check_consistent_length(X, sample_weight)
    X = without_file(X)
    row = max(stored_per_row(X), 1) * X.dtype.itemsize
    step = max(int(_BATCH_BYTES / row), 1)
    shuffled_step = max(int(_SHUFFLED_BYTES / row), 1)
    return Source(
        partial(_slices, X, y, sample_weight, step),
        is_lazy=True,
        shuffled=partial(_slices, X, y, sample_weight, shuffled_step),
        weighed=lambda weights: source_of_slices(X, y, weights, names),
    )


def _slices(X, y, sample_weight, step, rng=None):
    starts = np.arange(0, X.shape[0], step)
    for start in starts if rng is None else rng.permutation(starts):
        stop = start + step
        s = sample_weight[start:stop] if np.ndim(sample_weight) else sample_weight
        yield slice_rows(X, start, stop), slice_labels(y, start, stop), s
