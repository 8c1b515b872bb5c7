"""From checked data to a fitted network: the whole way of a fit, in order."""

import copy
from dataclasses import replace

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.convergence import warn_unless_converged
from sksoftmax._fit.full_batch import fit_full_batch
from sksoftmax._fit.history import History
from sksoftmax._fit.minibatch import fit_minibatch
from sksoftmax._fit.prepare import Prepared, with_weight
from sksoftmax._fit.problem import FitResult
from sksoftmax._fit.settings import hidden_sizes, resolve_solver
from sksoftmax._utils.threads import fit_threads


def fit_network(settings, training, validation, start, monitor=None):
    """Fit until the solver has converged or used up max_iter.

    The rows for validation are held out, rows and classes without weight are left out,
    and a solver fits the rest. Its answer goes back to the user's data: classes without
    weight get their columns again.

    Parameters
    ----------
    settings : SoftmaxRegressionClassifier
    training : Dataset
    validation : Dataset or None
    start : InitialPoint
    monitor : Monitor, optional

    Returns
    -------
    FitResult
    """
    _check_dropout(settings)
    if _holds_out(settings) and validation is None:
        training, validation = _hold_out(settings, training, start)
    prepared = with_weight(settings, training)
    if np.count_nonzero(prepared.present) == 1:
        run = _fit_constant
    elif resolve_solver(settings) in _solvers.FULL_BATCH:
        run = fit_full_batch
    else:
        run = fit_minibatch
    return run(settings, prepared, validation, start, monitor)


def fit_epoch(settings, training, start):
    """One epoch of the mini-batch solver, with all announced classes; a `FitResult`.

    The end of such a training is not known, so no schedule can lead to it: "cosine" and
    "adaptive" keep the learning rate constant here.
    """
    if settings.early_stopping:
        raise ValueError(
            "partial_fit trains for one epoch and cannot stop early: it needs"
            " early_stopping=False, got early_stopping=True."
        )
    if settings.solver == "auto":
        settings = copy.copy(settings)
        settings.solver = "adam"
    training = training.with_weight().smooth(settings.label_smoothing)
    every_class = np.ones(training.targets.classes.size, dtype=bool)
    prepared = Prepared(training, (), every_class, training.dtype)
    fitted = fit_minibatch(settings, prepared, None, start, is_part=True)
    if fitted.result.diverged:
        warn_unless_converged(settings, fitted)
    return fitted


def _check_dropout(settings):
    if not (settings.dropout and hidden_sizes(settings)):
        return
    if resolve_solver(settings) in _solvers.FULL_BATCH:
        raise ValueError(
            f"dropout={settings.dropout} needs a mini-batch solver, got"
            f" solver={settings.solver!r}."
        )


def _holds_out(settings):
    return settings.early_stopping and resolve_solver(settings) in _solvers.MINIBATCH


def _hold_out(settings, training, start):
    """Training and validation data of a training that stops early.

    A training that goes on holds out the same rows of the same data.
    """
    seed = (start.state or {}).get("seed", start.seed)
    rng = np.random.default_rng(seed)
    return training.with_weight().hold_out(settings.validation_fraction, rng)


def _fit_constant(settings, prepared, validation, start, monitor):
    """Fit a single class: nothing is to be learned, and all parameters are zero."""
    problem = prepared.problem(settings)
    w = np.zeros(problem.network.n_params)
    result = _solvers.Result(None, 0.0, 0.0, 0.0, 1)
    with fit_threads() as threads:
        history = History(
            problem.validation(validation, threads),
            settings.verbose,
            monitor=monitor,
            layers=problem.layers,
        )
        try:
            history(1, w, 0.0)
        except _solvers.Stop:
            result = replace(result, halted_by=_solvers.Stop)
    solver = resolve_solver(settings)
    return FitResult(problem.layers(w), result, history, solver, [], 0.0)
