"""What the first pass over data that come in parts finds out, and how it adds up."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_consistent_length

from sksoftmax._data.arrays import (
    check_X,
    is_dense,
    n_bytes,
    n_rows,
    stored_per_row,
    sum_of_squares,
    take_rows,
)
from sksoftmax._data.statistics import ColumnStatistics, statistics_of
from sksoftmax._data.streamed_chunks import Layout
from sksoftmax._data.targets import (
    ClassTotals,
    check_sum,
    check_weights,
    class_factors,
    encode,
    is_soft,
)


class PartSummary(NamedTuple):
    """One part of the data. Rows without weight count in `n_rows` only."""

    n_rows: int
    n_features: int
    dtype: np.dtype
    is_dense: bool
    stored: float  # entries
    n_bytes: int  # of X
    squares: float  # sum over all entries
    is_soft: bool
    classes: np.ndarray  # that are in this part
    counts: np.ndarray  # rows of each of these classes
    mass: np.ndarray  # weight of each of these classes
    statistics: ColumnStatistics  # of the features


def summarize(estimator, X, y, sample_weight, classes=None, *, reset):
    """Check one part of the data and say what it is: `PartSummary`, None of no rows.

    Number and names of the features are recorded on `estimator` if reset, else compared
    with those there; y is encoded against classes where they are given.
    """
    if n_rows(X) == 0:
        return None
    X = check_X(estimator, X, reset=reset)
    targets = encode(y, classes)
    check_consistent_length(X, targets.Y)
    s = check_weights(sample_weight, X.shape[0], is_part=True)
    return PartSummary(
        n_rows=X.shape[0],
        n_features=X.shape[1],
        dtype=X.dtype,
        is_dense=is_dense(X),
        stored=stored_per_row(X) * X.shape[0],
        n_bytes=n_bytes(X),
        squares=sum_of_squares(take_rows(X, s > 0)),
        is_soft=is_soft(y),
        classes=targets.classes,
        counts=(s > 0).astype(np.float64) @ targets.Y,
        mass=s @ targets.Y,
        statistics=statistics_of(X, s),
    )


class Summary:
    """Findings about parts, put together.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,), optional
        All labels; without them, those of the parts.

    Attributes
    ----------
    n_rows : list of int
        Rows of each part.
    """

    def __init__(self, classes=None):
        self._classes = classes
        self._parts = []
        self.n_rows = []
        self._statistics = None

    def add(self, part):
        """Take in the findings about one part, if it can be part of the same data."""
        self.n_rows.append(0 if part is None else part.n_rows)
        if part is None:
            return
        if self._parts:
            first = self._parts[0]
            if part.n_features != first.n_features:
                raise ValueError(
                    f"X has {part.n_features} features, and {first.n_features} in the"
                    " parts before."
                )
            if part.is_dense != first.is_dense:
                raise ValueError(
                    "X must be sparse in all parts or in none; it is"
                    f" {'dense' if part.is_dense else 'sparse'} here only."
                )
            if part.is_soft != first.is_soft:
                raise ValueError("y must hold soft labels in all parts or in none.")
            if part.is_soft and not np.array_equal(part.classes, first.classes):
                raise ValueError(
                    f"y has the columns {part.classes}, and {first.classes} before."
                )
            if _family(part.classes) != _family(first.classes):
                raise TypeError(
                    f"y has labels of type {part.classes.dtype}, and of type"
                    f" {first.classes.dtype} before."
                )
            self._statistics += part.statistics
        else:
            self._statistics = part.statistics
        self._parts.append(part._replace(statistics=None))

    @property
    def is_empty(self):
        """Whether there were no rows so far."""
        return not self._parts

    @property
    def dtype(self):
        """Of X."""
        return np.result_type(*(part.dtype for part in self._parts))

    @property
    def classes(self):
        """All labels, sorted, shape (n_classes,)."""
        if self._classes is not None:
            return self._classes
        return np.unique(np.concatenate([part.classes for part in self._parts]))

    @property
    def counts(self):
        """Rows of each class, those without weight left out."""
        return self._by_class("counts")

    def tally(self):
        """The classes and their weights."""
        if not self._parts:
            raise ValueError("There are no batches: at least one is required.")
        tally = ClassTotals(self.classes, self._by_class("mass"))
        if not tally.mass.any():
            raise ValueError("sample_weight must not be zero for all samples.")
        check_sum(tally.mass, "sample_weight")
        return tally

    def factors(self, class_weight):
        """Factors of `class_weight`, shape (n_classes,), or None."""
        tally = self.tally()
        factors = class_factors(tally, class_weight)
        if factors is not None:
            with np.errstate(over="ignore"):
                mass = factors * tally.mass
            if not mass.any():
                raise ValueError(
                    "class_weight leaves no sample with a positive weight."
                )
            check_sum(mass, "sample_weight times class_weight")
        return factors

    def layout(self, is_lazy=False):
        """What `StreamedChunks` wants to know."""
        n_rows = sum(self.n_rows)
        first = self._parts[0]
        counts = self.counts
        return Layout(
            n_rows=round(counts.sum()),
            counts=counts,
            stored_per_row=sum(part.stored for part in self._parts) / n_rows,
            row_bytes=sum(part.n_bytes for part in self._parts) / n_rows,
            squares=sum(part.squares for part in self._parts),
            is_dense=first.is_dense,
            statistics=self._statistics,
            is_lazy=is_lazy,
        )

    def _by_class(self, name):
        totals = np.zeros(self.classes.size)
        for part in self._parts:
            columns = np.searchsorted(self.classes, part.classes)
            totals[columns] += getattr(part, name)
        return totals


def _family(classes):
    """What labels can be mixed with."""
    return "number" if classes.dtype.kind in "biuf" else classes.dtype.kind
