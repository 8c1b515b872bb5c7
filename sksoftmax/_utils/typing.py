"""Types of public arguments that are not arrays alone, and of fitted attributes."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.random import RandomState

# An array-like, sparse matrix or dask collection of shape (n_samples, n_features); for
# `fit` also batches, for predictions too a `Table` of `sksoftmax.data`.
Samples: TypeAlias = Any

# Sizes of the hidden layers, and what seeds random numbers.
Sizes: TypeAlias = int | Sequence[int]
Seed: TypeAlias = int | RandomState | None

# The name of a scorer, or one of the user's.
Scorer: TypeAlias = str | Callable | None

# Numbers by class or by feature, as an array or a dict.
ByName: TypeAlias = Any


class FittedAttributes:
    """What a fit sets; the docstrings of the estimators say what it is."""

    alpha_: float
    classes_: np.ndarray
    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    n_features_in_: int
    feature_names_in_: np.ndarray
    n_iter_: int
    n_passes_: float
    loss_: float
    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    validation_score_curve_: list[float]
    best_iter_: int
    optimality_: float
    converged_: bool
    solver_: str


class PathAttributes:
    """What the choice of a penalty sets besides."""

    alphas_: np.ndarray
    alpha_1se_: float
    l1_ratios_: np.ndarray
    l1_ratio_: float
    scores_: np.ndarray
    mean_scores_: np.ndarray
    score_errors_: np.ndarray
    coefs_path_: np.ndarray
    intercepts_path_: np.ndarray
