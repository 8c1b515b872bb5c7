"""Factors of the penalty on the weights of each feature: `penalty_factor`."""

import numpy as np

from sksoftmax._data.checks import features_of
from sksoftmax._fit.settings import changed, hidden_sizes
from sksoftmax._utils.parameters import as_floats


def penalty_factors(settings, n_features):
    """The factors as an array of shape (n_features,), or None where all are one."""
    given = settings.penalty_factor
    if given is None:
        return None
    if hidden_sizes(settings):
        raise ValueError(
            "penalty_factor needs hidden_layer_sizes=(): a hidden layer mixes the"
            " features."
        )
    if isinstance(given, dict):
        given = _by_name(given, getattr(settings, "feature_names_in_", None))
    factors = as_floats("penalty_factor", given).astype(float)
    if factors.shape != (n_features,):
        raise ValueError(
            f"penalty_factor must hold a number for each of the {n_features} features,"
            f" got an array of shape {factors.shape}."
        )
    wrong = np.flatnonzero(~(np.isfinite(factors) & (factors >= 0.0)))
    if wrong.size:
        raise ValueError(
            "penalty_factor must hold finite numbers >= 0, got"
            f" {factors[wrong[0]]} for feature {wrong[0]}."
        )
    if not factors.any():
        raise ValueError(
            "penalty_factor is zero for every feature; for no penalty use alpha=0."
        )
    if settings.l1_ratio > 0.0 and not factors.all():
        raise ValueError(
            "penalty_factor must be above zero with l1_ratio > 0, got 0 for feature"
            f" {int(np.argmin(factors))}. Use a small factor, or l1_ratio=0."
        )
    return factors


def _by_name(given, names):
    """Factors by the names of features; one for those that are not named."""
    if names is None:
        raise ValueError("penalty_factor is a dict, but X has no feature names.")
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(
            f"penalty_factor names {unknown[0]!r}, which is no feature of X."
        )
    return [given.get(name, 1.0) for name in names]


def factors_for(settings, checked):
    """The same for the features that are recorded on `checked`."""
    settings = changed(settings, **features_of(checked))
    return penalty_factors(settings, checked.n_features_in_)


def scaling_by_factors(settings, n_features):
    """What to multiply the features by for a sparse penalty, or None for nothing.

    With X_j / v_j the weights are v_j W_j, and their norm has the factor v_j without
    more. The ridge of the elastic net is left with 1 / v_j.
    """
    factors = penalty_factors(settings, n_features)
    if factors is None or not settings.l1_ratio > 0.0:
        return None
    return 1.0 / factors


def unpenalised(settings, n_features):
    """Numbers of the features without a penalty."""
    if settings.alpha == 0:
        return np.arange(n_features)
    factors = penalty_factors(settings, n_features)
    return np.flatnonzero(factors == 0.0) if factors is not None else np.zeros(0, int)
