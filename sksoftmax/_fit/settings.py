"""Allowed values of an estimator's parameters, and what they mean together.

`settings` is anything with the constructor parameters of
`SoftmaxRegressionClassifier`, each of them valid on its own.
"""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Options, StrOptions

from sksoftmax import _solvers
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.parameters import Interval

_COUNT = Interval(Integral, 1, None, closed="left")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_BELOW_ONE = Interval(Real, 0, 1, closed="left")
_AUTO = StrOptions({"auto"})

# Allowed values of each parameter, in the form that scikit-learn checks.
PARAMETER_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "alpha": [_NOT_NEGATIVE, _AUTO],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "grouped": ["boolean"],
    "penalty_factor": ["array-like", dict, None],
    "fit_intercept": ["boolean"],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "label_smoothing": [_BELOW_ONE],
    "dropout": [_BELOW_ONE],
    "solver": [StrOptions({"auto", *_solvers.FULL_BATCH, *_solvers.MINIBATCH})],
    "max_iter": [_COUNT, _AUTO],
    "tol": [_NOT_NEGATIVE, _AUTO],
    "batch_size": [_COUNT, _AUTO],
    "learning_rate": [StrOptions(set(_solvers.SCHEDULES))],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "momentum": [_BELOW_ONE],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "warm_start": ["boolean"],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

# The most units of a layer: a layer of so many on one feature has 16 GB of weights.
_MOST_UNITS = 2**31 - 1

# What max_iter="auto" stands for. The epochs come from `benchmarks/hidden_study.py`;
# exact solvers take a few dozen iterations, far fewer than these.
_N_EPOCHS, _N_ITERATIONS = 60, 200

# More than ever run, and few enough to be counted in a float.
_MOST_ITERATIONS = 2**31 - 1

# What alpha="auto" stands for: a number, but min(3 / n, 1e-2) for hidden layers that
# train on mini-batches of n rows, which is one prior for any n. From
# `benchmarks/hidden_study.py`.
_ALPHA, _ALPHA_TIMES_ROWS, _LARGEST_ALPHA = 1e-3, 3.0, 1e-2

# What tol="auto" stands for.
_TOL_CONVEX, _TOL_TRAINING = 1e-8, 1e-4


def hidden_sizes(settings):
    """hidden_layer_sizes as a tuple of int."""
    given = settings.hidden_layer_sizes
    if isinstance(given, tuple) and not given:  # spares small fits 60 us
        return ()
    with error_context("hidden_layer_sizes"):
        sizes = np.atleast_1d(np.asarray(given))
    if sizes.size == 0:
        return ()
    if not (sizes.ndim == 1 and sizes.dtype.kind in "iu" and (sizes >= 1).all()):
        raise ValueError(
            "hidden_layer_sizes must hold integers >= 1, got"
            f" {settings.hidden_layer_sizes!r}."
        )
    if sizes.max() > _MOST_UNITS:
        raise ValueError(
            f"hidden_layer_sizes must be at most {_MOST_UNITS}, got"
            f" {settings.hidden_layer_sizes!r}."
        )
    return tuple(sizes.tolist())


def is_sparse(settings):
    """Whether the penalty makes weights zero."""
    return settings.alpha != 0 and settings.l1_ratio > 0  # alpha may be "auto"


def resolve_solver(settings):
    """Name of the solver that will run."""
    return _solvers.resolve(
        settings.solver,
        is_linear=not hidden_sizes(settings),
        is_sparse=is_sparse(settings),
    )


def with_alpha(settings, dataset=None):
    """The settings with alpha as a number, for a fit to a dataset.

    Without one, as in `partial_fit`, "auto" is what the estimator was fitted with.
    """
    if settings.alpha != "auto":
        return settings
    if dataset is None:
        alpha = getattr(settings, "alpha_", _ALPHA)
    elif hidden_sizes(settings) and resolve_solver(settings) in _solvers.MINIBATCH:
        alpha = min(_ALPHA_TIMES_ROWS / dataset.n_rows, _LARGEST_ALPHA)
    else:
        alpha = _ALPHA
    return changed(settings, alpha=alpha)


def max_iter_of(settings):
    """The most epochs or iterations of the solver that will run."""
    if settings.max_iter != "auto":
        return min(settings.max_iter, _MOST_ITERATIONS)
    in_epochs = resolve_solver(settings) in _solvers.MINIBATCH
    return _N_EPOCHS if in_epochs else _N_ITERATIONS


def tol_of(settings, *, is_convex):
    """The relative tolerance as a number."""
    if settings.tol != "auto":
        return settings.tol
    return _TOL_CONVEX if is_convex else _TOL_TRAINING


def access_of(settings):
    """How the solver reads X: in "passes", in "mini-batches", or "whole".

    Only data that are read whole have to be in memory.
    """
    solver = resolve_solver(settings)
    if solver in _solvers.MINIBATCH:
        return "mini-batches"
    is_linear = not hidden_sizes(settings)
    return "passes" if is_linear and solver in _solvers.EXACT else "whole"


def changed(settings, **parameters):
    """The same settings but for these parameters."""
    settings = copy.copy(settings)
    vars(settings).update(parameters)
    return settings


def check_trains_by_minibatches(settings):
    """True where `partial_fit` is there; elsewhere an error that says why not."""
    if is_sparse(settings):
        raise AttributeError(
            "partial_fit trains on mini-batches, which do not make weights zero:"
            f" it needs l1_ratio=0, got {settings.l1_ratio}."
        )
    if isinstance(settings.class_weight, str):
        raise AttributeError(
            "partial_fit cannot balance classes whose later rows it does not know:"
            " class_weight must be a dict of weights or None, got"
            f" {settings.class_weight!r}."
        )
    if settings.solver in ("auto", *_solvers.MINIBATCH):
        return True
    solvers = ", ".join(map(repr, _solvers.MINIBATCH))
    raise AttributeError(
        f"partial_fit needs a mini-batch solver, {solvers} or 'auto'; solver is"
        f" {settings.solver!r}."
    )
