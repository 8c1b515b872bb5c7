"""Where fits begin, and what must agree with the fit that they continue."""

import numpy as np
from sklearn.utils import check_random_state

from sksoftmax._data.targets import check_classes, is_soft
from sksoftmax._fit.problem import InitialPoint
from sksoftmax._fit.settings import hidden_sizes


def initial_point(model, checked, classes, *, by):
    """The `InitialPoint` of a fit, which may go on from where the model stands.

    Parameters
    ----------
    model : SoftmaxRegressionClassifier
    checked : SoftmaxRegressionClassifier
        The same settings, with what is recorded of the features of the new data.
    classes : ndarray of shape (n_classes,)
        Of the new data.
    by : {"warm_start", "partial_fit"}
        What would continue a fit.

    Raises
    ------
    ValueError
        If the model is fitted to other features, classes or hidden layers.
    """
    seed = check_random_state(model.random_state).randint(2**31 - 1)
    continues = by == "partial_fit" or model.warm_start
    if not (continues and hasattr(model, "coefs_")):
        return InitialPoint(seed=seed)
    _check_continues(model, checked, classes, by)
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    return InitialPoint(layers, model._state, seed)


def _check_continues(model, checked, classes, by):
    if checked.n_features_in_ != model.n_features_in_:
        raise ValueError(
            f"X has {checked.n_features_in_} features, but {by} continues a fit on"
            f" {model.n_features_in_} features."
        )
    if not np.array_equal(classes, model.classes_):
        raise ValueError(
            f"y has the classes {classes!r}, but {by} continues a fit on"
            f" {model.classes_!r}."
        )
    sizes = tuple(W.shape[1] for W in model.coefs_[:-1])
    if hidden_sizes(model) != sizes:
        raise ValueError(
            f"hidden_layer_sizes is {model.hidden_layer_sizes!r}, but {by}"
            f" continues a fit with {sizes}."
        )


def announced_classes(model, classes, y):
    """All classes of a `partial_fit`, or None where the columns of y tell them."""
    if not hasattr(model, "classes_"):
        if classes is None and not is_soft(y):
            raise ValueError("classes must be passed on the first call of partial_fit.")
        return None if classes is None else check_classes(classes)
    known = model.classes_
    if classes is not None and not np.array_equal(check_classes(classes), known):
        raise ValueError(
            f"classes={classes!r} differs from those of the first call, {known!r}."
        )
    return known
