"""From checked data to a fitted network: the whole way of a fit, in order."""

from dataclasses import replace

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.convergence_warnings import warn_unless_converged
from sksoftmax._fit.ending import report_end
from sksoftmax._fit.full_batch import fit_full_batch
from sksoftmax._fit.minibatch import fit_minibatch
from sksoftmax._fit.prepare import Prepared, with_weight
from sksoftmax._fit.problem import FitResult
from sksoftmax._fit.settings import changed, hidden_sizes, resolve_solver, with_alpha
from sksoftmax._utils.threads import fit_threads


def fit_network(settings, training, validation, start, monitor=None):
    """The `FitResult` of a solver that has converged or used up max_iter.

    Rows for validation are held out where a training stops early; rows and classes
    without weight are left out; a solver fits the others. In its answer for the user's
    data the classes without weight have their columns again.
    """
    by_minibatches = resolve_solver(settings) in _solvers.MINIBATCH
    if settings.dropout and hidden_sizes(settings) and not by_minibatches:
        raise ValueError(
            f"dropout={settings.dropout} needs a mini-batch solver, got"
            f" solver={settings.solver!r}."
        )
    if start.checkpoint is not None and not by_minibatches:
        raise ValueError(
            "Checkpoint is for trainings on mini-batches, by 'adam' or 'sgd', got"
            f" solver={resolve_solver(settings)!r}."
        )
    if settings.early_stopping and by_minibatches and validation is None:
        # A training that goes on holds out the same rows of the same data.
        rng = np.random.default_rng((start.state or {}).get("seed", start.seed))
        training, validation = training.hold_out(settings.validation_fraction, rng)
    prepared = with_weight(settings, training, viewed=by_minibatches)
    settings = with_alpha(settings, prepared.dataset)
    fit = fit_minibatch if by_minibatches else fit_full_batch
    if np.count_nonzero(prepared.present) == 1:
        fit = _fit_constant
    fitted = fit(settings, prepared, validation, start, monitor)
    report_end(settings, fitted)
    return fitted._replace(alpha=settings.alpha)


def fit_epoch(settings, training, start):
    """The `FitResult` of one epoch of the mini-batch solver, for all announced classes.

    The end of such a training is not known, so no schedule can lead to it: "cosine" and
    "adaptive" keep the learning rate constant here. Weights are relative to the mean of
    all rows so far, which the state counts, so that they mean the same whatever the
    size of a call.
    """
    if settings.early_stopping:
        raise ValueError(
            "partial_fit trains for one epoch and cannot stop early: it needs"
            " early_stopping=False, got early_stopping=True."
        )
    if settings.solver == "auto":
        settings = changed(settings, solver="adam")
    training = training.smooth(settings.label_smoothing).with_weight(viewed=True)
    settings = with_alpha(settings)
    total, n_rows = (start.state or {}).get("weights", (0.0, 0))
    total, n_rows = total + training.targets.total_weight, n_rows + training.n_rows
    training = training._replace(mean_weight=total / n_rows)
    every_class = np.ones(training.targets.classes.size, dtype=bool)
    prepared = Prepared(training, (), every_class, training.dtype)
    fitted = fit_minibatch(settings, prepared, None, start, is_part=True)
    state = {**fitted.result.state, "weights": (total, n_rows)}
    result = replace(fitted.result, state=state)
    fitted = fitted._replace(result=result, alpha=settings.alpha)
    if fitted.result.diverged:
        warn_unless_converged(settings, fitted)
    return fitted


def _fit_constant(settings, prepared, validation, start, monitor):
    """Fit a single class: nothing is to be learned, and all parameters are zero."""
    problem = prepared.problem(settings)
    w = np.zeros(problem.network.n_params)
    result = _solvers.Result(None, 0.0, 0.0, 0.0, 1)
    with fit_threads() as threads:
        history = problem.history(validation, threads, monitor)
        try:
            history(1, w, 0.0)
        except _solvers.Stop:
            result = replace(result, halted_by=_solvers.Stop)
    solver = resolve_solver(settings)
    return FitResult(problem.layers(w), result, history, solver, [], 0.0)
