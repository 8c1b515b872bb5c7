"""What the first pass over data finds out, part by part, and how it adds up."""

from dataclasses import dataclass, replace

import numpy as np

from sksoftmax._data.arrays import (
    is_dense,
    n_bytes,
    stored_per_row,
    sum_of_squares,
    take_rows,
)
from sksoftmax._data.checks import Names, check_data
from sksoftmax._data.labels import are_same, join_classes, places_of
from sksoftmax._data.statistics import ColumnStatistics, statistics_of
from sksoftmax._data.targets import (
    ClassTotals,
    check_sum,
    class_factors,
    is_soft,
    smooth_totals,
)

_SUMS = ("n_rows", "n_stored", "n_bytes", "squares", "statistics")


@dataclass(frozen=True)
class Summary:
    """What is known of some rows; `+` adds those of the next part of the data.

    Rows without weight count in `n_rows`, `n_stored` and `n_bytes` only.
    """

    n_rows: int
    dtype: np.dtype
    is_dense: bool
    n_stored: float  # entries of X
    n_bytes: int  # of X
    squares: float  # sum over all entries
    is_soft: bool
    classes: np.ndarray  # all that were announced, or those that were found
    counts: np.ndarray  # (n_classes,), rows of each class
    mass: np.ndarray  # (n_classes,), weight of each class
    statistics: ColumnStatistics  # of the features
    names: Names  # for errors

    def __add__(self, other):
        self._check_fits(other)
        classes = join_classes(self.classes, other.classes)
        counts, mass = np.zeros((2, classes.size))
        for part in (self, other):
            columns = places_of(classes, part.classes)
            counts[columns] += part.counts
            mass[columns] += part.mass
        return replace(
            self,
            dtype=np.result_type(self.dtype, other.dtype),
            classes=classes,
            counts=counts,
            mass=mass,
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
        )

    def _check_fits(self, part):
        """Refuse a next part that cannot be of the same data."""
        if part.n_features != self.n_features:
            raise ValueError(
                f"{self.names.X} has {part.n_features} features, and {self.n_features}"
                " in the parts before."
            )
        if part.is_dense != self.is_dense:
            raise ValueError(
                f"{self.names.X} must be sparse in all parts or in none; it is"
                f" {'dense' if part.is_dense else 'sparse'} here only."
            )
        if part.is_soft != self.is_soft:
            raise ValueError(
                f"{self.names.y} must hold soft labels in all parts or in none."
            )
        if part.is_soft and not are_same(part.classes, self.classes):
            raise ValueError(
                f"{self.names.y} has the columns {part.classes}, and {self.classes}"
                " before."
            )
        if _family(part.classes) != _family(self.classes):
            raise TypeError(
                f"{self.names.y} has labels of type {part.classes.dtype}, and of type"
                f" {self.classes.dtype} before."
            )

    @property
    def n_features(self):
        """Number of columns of X."""
        return self.statistics.mean.size

    @property
    def n_weighted(self):
        """Number of rows with weight."""
        return round(self.counts.sum())

    @property
    def stored_per_row(self):
        """Mean number of stored entries of a row of X."""
        return self.n_stored / self.n_rows

    def factors(self, class_weight, label_smoothing=0.0):
        """Factors of `class_weight`, which "balanced" finds from smoothed targets."""
        totals = smooth_totals(self.mass, label_smoothing)
        return class_factors(ClassTotals(self.classes, totals), class_weight)


def summarize(estimator, data, names, classes=None, *, reset):
    """Check one part of the data and say what it is: a `Summary`, None of no rows.

    Number and names of the features are recorded on `estimator` if reset, else compared
    with those there; y is encoded against classes where they are given.
    """
    if data[0].shape[0] == 0:
        return None
    X, targets = check_data(estimator, data, names, classes, reset=reset, is_part=True)
    s = targets.s
    return Summary(
        n_rows=X.shape[0],
        dtype=X.dtype,
        is_dense=is_dense(X),
        n_stored=stored_per_row(X) * X.shape[0],
        n_bytes=n_bytes(X),
        squares=sum_of_squares(take_rows(X, s > 0)),
        is_soft=is_soft(data[1], names.y),
        classes=targets.classes,
        counts=(s > 0).astype(np.float64) @ targets.Y,
        mass=s @ targets.Y,
        statistics=statistics_of(X, s),
        names=names,
    )


def joined(summary, part):
    """The summary with one more part; both may be None, of no rows."""
    if summary is None or part is None:
        return summary if part is None else part
    return summary + part


def check_complete(summary, names):
    """Refuse data that are too few for a fit, now that all parts are in."""
    if summary is None:
        raise ValueError(
            f"There are no batches in {names.X}, or they have no rows: one row at least"
            " is needed."
        )
    if not summary.mass.any():
        raise ValueError(f"{names.sample_weight} must not be zero for all samples.")
    check_sum(summary.mass, names.sample_weight)


def _family(classes):
    """What labels can be mixed with."""
    return "number" if classes.dtype.kind in "biuf" else classes.dtype.kind
