"""Where fits begin, and what must agree with the fit that they continue."""

import copy

import numpy as np
from sklearn.utils import check_random_state

from sksoftmax._data.labels import are_same
from sksoftmax._data.targets import check_classes, is_soft
from sksoftmax._fit.callbacks import checkpoint_of
from sksoftmax._fit.problem import InitialPoint
from sksoftmax._fit.settings import hidden_sizes
from sksoftmax._utils.warnings import warn

_MOST_SEEDS = 2**31 - 1


def initial_point(model, checked, classes, *, by):
    """The `InitialPoint` of a fit `by` "warm_start" or "partial_fit".

    It may go on from where the model stands, or else from its checkpoint. The former is
    an error if the model is fitted to
    other features than `checked`, the same settings with what is recorded of the new
    data, to other classes or with other hidden layers.
    """
    random_state = copy.deepcopy(model.random_state)
    seed = check_random_state(random_state).randint(_MOST_SEEDS)
    checkpoint = None if by == "partial_fit" else checkpoint_of(model)
    continues = by == "partial_fit" or model.warm_start
    if not (continues and hasattr(model, "coefs_")):
        state = checkpoint and checkpoint._read()
        return InitialPoint(None, state, seed, checkpoint)
    _check_continues(model, checked, classes, by)
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    return InitialPoint(layers, model._state, seed, checkpoint)


def advance(random_state):
    """Draw from a RandomState the seed that `initial_point` has taken from a copy.

    That follows the fit, so one that fails leaves the parameter as it was.
    """
    if isinstance(random_state, np.random.RandomState):
        random_state.randint(_MOST_SEEDS)


def _check_continues(model, checked, classes, by):
    if checked.n_features_in_ != model.n_features_in_:
        raise ValueError(
            f"X has {checked.n_features_in_} features, but {by} continues a fit on"
            f" {model.n_features_in_} features."
        )
    _check_names(model, checked, by)
    if not are_same(classes, model.classes_):
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


def _check_names(model, checked, by):
    """Refuse other names, or another order of them, than in the fit before."""
    before = getattr(model, "feature_names_in_", None)
    now = getattr(checked, "feature_names_in_", None)
    if before is None or now is None:
        if before is not now:
            has, lacks = ("the last fit", "X") if now is None else ("X", "the last fit")
            warn(
                f"{has} has feature names, but {lacks} has none; {by} goes by position."
            )
        return
    if not np.array_equal(before, now):
        place = int(np.argmax(before != now))
        raise ValueError(
            f"X has the feature names {_listed(now)}, but {by} continues a fit on"
            f" {_listed(before)}: column {place} is {now[place]!r} and was"
            f" {before[place]!r}. Bring the columns into that order."
        )


def _listed(names):
    shown = ", ".join(repr(name) for name in names[:5])
    return f"[{shown}, ...]" if len(names) > 5 else f"[{shown}]"


def announced_classes(model, classes, y):
    """All classes of a `partial_fit`, or None where the columns of y tell them."""
    if not hasattr(model, "classes_"):
        if classes is None and not is_soft(y):
            raise ValueError("classes must be passed on the first call of partial_fit.")
        return None if classes is None else check_classes(classes)
    known = model.classes_
    if classes is not None and not are_same(check_classes(classes), known):
        raise ValueError(
            f"classes={classes!r} differs from those of the first call, {known!r}."
        )
    return known
