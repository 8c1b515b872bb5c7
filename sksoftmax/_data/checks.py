"""Checks of X, y and sample weights together, and what error messages call them."""

from dataclasses import replace
from typing import NamedTuple

from sklearn.utils.validation import check_consistent_length

from sksoftmax._data.arrays import check_X, in_memory
from sksoftmax._data.targets import check_weights, encode
from sksoftmax._utils.errors import error_context


class Names(NamedTuple):
    """What error messages call the data, and the parts in which they are read."""

    X: str = "X"
    y: str = "y"
    sample_weight: str = "sample_weight"
    part: str = "batch"


def names_of(like, part="batch"):
    """The `Names` of training data, or of validation data `like` the training data."""
    if like is None:
        return Names(part=part)
    return Names("X_val", "y_val", "sample_weight_val", part)


def check_data(estimator, data, names, classes=None, *, reset, is_part=False):
    """X and its targets of X, y and sample_weight, or an error that names the culprit.

    Number and names of the features are recorded on `estimator` if reset, else compared
    with those there; y is encoded against classes where they are given. The weights of
    a part of the samples may all be zero.
    """
    X, y, sample_weight = data[0], *map(in_memory, data[1:])
    X = check_X(estimator, X, reset=reset, name=names.X)
    targets = encode(y, classes, name=names.y)
    with error_context(f"{names.X} and {names.y}"):
        check_consistent_length(X, targets.Y)
    s = check_weights(
        sample_weight, X.shape[0], name=names.sample_weight, is_part=is_part
    )
    return X, replace(targets, s=s)


def features_of(estimator):
    """What an estimator has recorded of the features: their number, and any names."""
    names = "n_features_in_", "feature_names_in_"
    return {name: value for name, value in vars(estimator).items() if name in names}
