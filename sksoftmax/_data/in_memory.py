"""Data in memory: the dataset, and how it is made of what users pass."""

from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import (
    in_memory,
    is_dense,
    sum_of_squares,
    take_rows,
    viewed,
)
from sksoftmax._data.checks import Names, check_data, names_of
from sksoftmax._data.chunks import Chunks
from sksoftmax._data.dataset import Home
from sksoftmax._data.minibatches import Inputs, batch_rows
from sksoftmax._data.statistics import statistics_of
from sksoftmax._data.targets import (
    Targets,
    class_factors,
    hold_out,
    smooth,
    weigh,
)


class InMemoryDataset(NamedTuple):
    """A `Dataset` in memory: X, targets, and the class weights that are in those."""

    X: object  # (n_rows, n_features): an array, a `RowView`, or CSR
    targets: Targets
    factors: np.ndarray | None  # (n_classes,)
    unweighted: Targets | None = None  # targets before the factors, to be smoothed
    mean_weight: float | None = None  # of more rows than these, if these are a part

    is_in_memory = True

    @property
    def is_dense(self):
        return is_dense(self.X)

    @property
    def n_features(self):
        return self.X.shape[1]

    @property
    def dtype(self):
        return self.X.dtype

    @property
    def n_rows(self):
        return self.targets.s.size

    @property
    def squares(self):
        return sum_of_squares(self.X)

    def statistics(self):
        return statistics_of(self.X, self.targets.s)

    def minibatches(self, scaling, dtype, *, ones):
        mean_weight = self.mean_weight or self.targets.total_weight / self.n_rows
        inputs = Inputs(scaling.centre, scaling.factor, dtype, ones)
        return batch_rows(self.X, self.targets.Y, self.targets.s / mean_weight, inputs)

    def chunks(self, threads):
        return Chunks(self.X, self.targets.Y, self.targets.s, threads)

    def with_weight(self, *, viewed=False):
        rows = self.targets.s > 0
        return (self.viewed() if viewed and not rows.all() else self).take(rows)

    def smooth(self, label_smoothing):
        if not label_smoothing:
            return self
        unweighted = self.targets if self.unweighted is None else self.unweighted
        targets = smooth(unweighted, label_smoothing)
        return self._replace(targets=weigh(targets, self.factors), unweighted=None)

    def restrict(self, present):
        return self._replace(targets=self.targets.restrict(present), unweighted=None)

    def hold_out(self, fraction, rng):
        with_weight = self.targets.s > 0
        held = np.zeros_like(with_weight)
        held[with_weight] = hold_out(self.targets.take(with_weight), fraction, rng)
        rows = self.viewed()
        return rows.take(~held), rows.take(held)

    def viewed(self):
        """With an X of which rows are copied where they are read, unless it is CSR."""
        return self.with_X(viewed(self.X))

    def close(self):
        """Nothing is held elsewhere."""

    def with_X(self, X):
        """The same rows with other features."""
        return self._replace(X=X)

    def take(self, rows):
        """Rows of a mask, or of numbers: in their order, repeated ones repeated."""
        return self._replace(
            X=take_rows(self.X, rows),
            targets=self.targets.take(rows),
            unweighted=self.unweighted and self.unweighted.take(rows),
        )

    def weigh_classes(self, class_weight, label_smoothing=0.0):
        """With the factors of class_weight, which "balanced" finds from these rows.

        Targets stay as they are, but "balanced" counts them as they will be smoothed.
        """
        factors = class_factors(smooth(self.targets, label_smoothing), class_weight)
        if factors is None:
            return self
        return self._replace(
            targets=weigh(self.targets, factors, is_part=label_smoothing > 0),
            factors=factors,
            unweighted=self.targets,
        )


def check_rows(estimator, data, *, classes=None, reset=True):
    """X, y and sample weights as a dataset without class weights; see `check_data`."""
    X, targets = check_data(estimator, data, Names(), classes, reset=reset)
    return InMemoryDataset(X, targets, factors=None)


def check_training(estimator, X, y, sample_weight, *, classes=None):
    """The training data, with the class weights of `estimator`."""
    rows = check_rows(estimator, (X, y, sample_weight), classes=classes)
    return rows.weigh_classes(estimator.class_weight, estimator.label_smoothing)


def check_validation(estimator, training, X_val, y_val, sample_weight_val):
    """The validation data, weighted as the training data are, or None."""
    if X_val is None:
        for name, given in (("y_val", y_val), ("sample_weight_val", sample_weight_val)):
            if given is not None:
                raise ValueError(f"{name} is provided, but X_val was not provided.")
        return None
    if y_val is None:
        raise ValueError("X_val is provided, but y_val was not provided.")
    data, names = (X_val, y_val, sample_weight_val), names_of(training)
    classes = training.targets.classes
    X, targets = check_data(estimator, data, names, classes, reset=False)
    targets = weigh(targets, training.factors, name=names.sample_weight)
    return InMemoryDataset(X, targets, training.factors)


def _check(estimator, data, access, *, classes, like):
    data = in_memory(data[0]), *data[1:]
    if like is not None:
        return check_validation(estimator, like, *data)
    return check_training(estimator, *data, classes=classes)


HOME = Home(
    recognises=lambda data, access, like: True,
    check=_check,
    holds=lambda X: True,
    map_rows=lambda fn, X, empty, *args: fn(X, *args),
)
