"""From a checked dataset to the one that a solver sees, with the way back."""

from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import largest_entry, rescaled_apart, unpacked
from sksoftmax._fit.penalty_factors import scaling_by_factors
from sksoftmax._fit.problem import Problem, penalty_kind
from sksoftmax._fit.settings import changed, hidden_sizes, is_sparse
from sksoftmax._fit.transforms import (
    ClassSubset,
    Composition,
    EveryLogit,
    FeatureScaling,
    RowSpace,
    can_use_row_space,
    centring_of_far_columns,
    standardization,
)
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network


class Prepared(NamedTuple):
    """A dataset as the solver sees it, and the transforms that led there."""

    dataset: object
    features: tuple  # transforms of X, the first one nearest to the user
    present: np.ndarray  # mask of the classes with weight
    dtype: np.dtype  # of the user's X
    centre: np.ndarray | None = None  # what a network subtracts from a sparse X

    def then(self, transform, dataset):
        """With one transform more and the dataset that it leads to."""
        return self._replace(dataset=dataset, features=(*self.features, transform))

    def with_scaling(self, scaling):
        """With features centred and scaled; CSR stays sparse."""
        dataset = self.dataset
        if dataset.is_dense:
            return self.then(scaling, scaling.dataset(dataset))
        X, centre = rescaled_apart(dataset.X, scaling.centre, scaling.factor)
        scaled = self.then(scaling, dataset.with_X(X))
        return scaled._replace(centre=centre) if centre.any() else scaled

    def problem(self, settings, logits=None):
        """The `Problem` of these settings, without its objective."""
        targets = self.dataset.targets
        logits = logits or EveryLogit()
        subset = ClassSubset(self.present, is_symmetric=not is_sparse(settings))
        transform = Composition((subset, *self.features, logits))
        n_logits = logits.n_logits(targets.classes.size)
        n_units = self.dataset.n_features, *hidden_sizes(settings), n_logits
        activation = ACTIVATIONS[settings.activation]
        network = Network(n_units, activation, settings.fit_intercept, self.centre)
        return Problem(settings, network, transform, targets, self.dtype)


def with_weight(settings, training, *, viewed=False):
    """The rows and classes with weight, targets smoothed, as `Prepared`."""
    training = training.smooth(settings.label_smoothing).with_weight(viewed=viewed)
    present = training.targets.present
    return Prepared(training.restrict(present), (), present, training.dtype)


def with_suitable_features(settings, prepared, smallest_alpha, *, may_change=True):
    """`Prepared` data for a solver of linear problems by all rows.

    CSR matrices with few zeros become arrays, columns far from zero are centred, and
    wide data go to the space of their rows if every penalty from `smallest_alpha` up
    allows that. Data that are not in memory are only centred, and so are all where
    `may_change` is False.
    """
    if not (may_change and prepared.dataset.is_in_memory):
        return with_near_columns(settings, prepared)
    dense = prepared.dataset.with_X(unpacked(prepared.dataset.X))
    prepared = with_near_columns(settings, prepared._replace(dataset=dense))
    dataset = prepared.dataset
    kind = penalty_kind(changed(settings, alpha=smallest_alpha))
    has_row_space = smallest_alpha > 0.0 and kind.is_rotation_invariant
    has_row_space = has_row_space and settings.penalty_factor is None
    if has_row_space and can_use_row_space(dataset):
        space = RowSpace(dataset.X)
        prepared = prepared.then(space, dataset.with_X(space.coordinates))
    return prepared


def with_near_columns(settings, prepared):
    """`Prepared` data without columns that are far from zero.

    With a sparse penalty, features are also divided by its factors.
    """
    dataset = prepared.dataset
    refuse_overflow(dataset)
    scaling = centring_of_far_columns(dataset) if settings.fit_intercept else None
    if scaling:
        dataset = scaling.dataset(dataset)
        prepared = prepared.then(scaling, dataset)
    factor = scaling_by_factors(settings, dataset.n_features)
    if factor is not None:
        scaling = FeatureScaling(np.zeros_like(factor), factor)
        prepared = prepared.then(scaling, scaling.dataset(dataset))
    return prepared


def scaling_for(settings, dataset, state, *, is_part=False):
    """The `FeatureScaling` for hidden layers: a new one or that of the last training.

    is_part means one epoch of a training without known end. Without hidden layers
    nothing is scaled.
    """
    if not hidden_sizes(settings):
        return FeatureScaling.identity(dataset.n_features)
    if state and "scaling" in state:
        centre, factor = state["scaling"]
        if not settings.fit_intercept:  # then nothing can be shifted
            centre = np.zeros_like(centre)
        return FeatureScaling(centre, factor)
    return standardization(
        dataset.statistics(),
        dataset.dtype,
        centred=settings.fit_intercept,
        constant=1.0 if is_part else 0.0,
    )


# Weighted sums of squares of all features from which one of them might overflow, or a
# product that they are in.
_LARGEST_SQUARES = 1e306


def refuse_overflow(dataset):
    """Refuse features so large that the Hessian would not be finite."""
    if dataset.squares * dataset.targets.largest_weight < _LARGEST_SQUARES:
        return
    where = ""
    if dataset.is_in_memory:
        column, size = largest_entry(dataset.X)
        where = f" in column {column}, up to {size:g} in size"
    raise ValueError(
        f"X is too large{where}: squares of its entries, times sample_weight, overflow."
        " Scale it."
    )
