"""The closing line of `verbose`: why a fit has ended."""

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.settings import max_iter_of


def report_end(settings, fitted):
    """Print why a fit has ended, where its iterations were printed."""
    if settings.verbose:
        of_kind = _of_training if fitted.solver in _solvers.MINIBATCH else _of_exact
        fitted.history.close(of_kind(settings, fitted))


def _of_training(settings, fitted):
    """Why a training on mini-batches has ended, and which epoch it returns."""
    result = fitted.result
    if result.diverged:
        return "training diverged"
    if result.halted_by is not None:
        reason = _halted(result)
    elif result.is_over:
        reason = (
            f"the last {settings.n_iter_no_change} epochs improved the"
            f" {watched(settings)} by no more than {result.tolerance:.2g}"
        )
    elif result.completed:
        reason = "the learning rate has come to its end"
    else:
        reason = f"max_iter={max_iter_of(settings)} is used up"
    if settings.early_stopping and fitted.history.records:
        best = int(np.argmin(fitted.history.validation_loss_curve)) + 1
        reason += f"; epoch {best} was the best and is returned"
    return reason


def _of_exact(settings, fitted):
    """Why a solver that uses all rows in each iteration has ended."""
    result = fitted.result
    if result.halted_by is not None:
        return _halted(result)
    if fitted.separated:
        return f"the classes {fitted.separated} are separated and have no optimum"
    distance = f"optimality {result.optimality:.2g}, tolerance {result.tolerance:.2g}"
    if result.converged:
        return f"converged: {distance}"
    if result.n_iter >= max_iter_of(settings):
        return f"max_iter={max_iter_of(settings)} is used up: {distance}"
    if result.is_costly:
        return f"it has cost as much as max_iter allows: {distance}"
    return f"only rounding changes the loss: {distance}"


def watched(settings):
    """What a training watches, in words."""
    return "validation loss" if settings.early_stopping else "loss"


def _halted(result):
    if result.halted_by is KeyboardInterrupt:
        return "interrupted"
    return "a callback asked to stop"
