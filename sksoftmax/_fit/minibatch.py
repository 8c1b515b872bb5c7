"""Trainings on mini-batches, in the precision of X."""

from dataclasses import replace

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.checkpoints import Saver
from sksoftmax._fit.prepare import scaling_for
from sksoftmax._fit.problem import FitResult
from sksoftmax._fit.resumption import progress_at, state_to_keep, without_training
from sksoftmax._fit.settings import hidden_sizes, max_iter_of, resolve_solver, tol_of
from sksoftmax._objective.batch_objective import BatchObjective
from sksoftmax._utils.threads import fit_threads
from sksoftmax._utils.warnings import warn

# From `benchmarks/hidden_study.py`: epochs have 200 steps or more, unless batches get
# smaller than 32 by that.
_STEPS_OF_EPOCH = 200
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 200


def fit_minibatch(
    settings, prepared, validation, start, monitor=None, *, is_part=False
):
    """The `FitResult` of the mini-batch solver of the settings.

    With hidden layers it works on standardised inputs, without them on X as it is.
    `is_part` means one epoch of a training without known end.
    """
    training, dtype = prepared.dataset, prepared.dtype
    saver = Saver(start, settings, training)
    scaling = scaling_for(settings, training, start.state, is_part=is_part)
    scaling = replace(scaling, dtype=dtype)
    if hidden_sizes(settings):  # rows are scaled as they are copied
        prepared = prepared.then(scaling, training)
    problem = prepared.problem(settings)
    scheme = _training_scheme(settings, training.n_rows, is_part)
    progress, records = progress_at(
        problem, start, scheme, training.n_rows, is_part=is_part
    )
    with fit_threads() as threads:
        history = replace(
            problem.history(validation, threads, monitor),
            unit="epoch",
            max_epochs=None if is_part else scheme.max_iter,
            records=records,
            n_before=len(records),
        )

        def to_keep(state):
            return state_to_keep(problem, state, history, scaling, training.n_rows)

        rows = training.minibatches(scaling, dtype, ones=settings.fit_intercept)
        result = _solvers.minibatch(
            BatchObjective(problem.network, rows, problem.penalty(dtype), threads),
            progress,
            training=scheme,
            patience=_patience(problem, is_part),
            callback=history,
            save=lambda now: saver.after_epoch(now, to_keep),
        )
    history.cut(result.n_iter)
    state = to_keep(result.state)
    saver.at_end(result, state)
    if is_part or result.is_over:
        state = without_training(state)
    result = replace(result, state=state)
    n_passes = float(result.n_iter)
    if not training.is_in_memory:  # the summary took one, and the scaling another
        n_passes += 1.0 if problem.is_linear else 2.0
    solver = resolve_solver(settings)
    layers = problem.layers(result.w)
    return FitResult(layers, result, history, solver, [], n_passes)


def _patience(problem, is_part):
    settings = problem.settings
    return _solvers.Patience(
        n_epochs=settings.n_iter_no_change,
        tolerance=tol_of(settings, is_convex=False) * problem.null_value,
        restore_best=settings.early_stopping,
        # The rows of one call may be of one class, which has nothing to learn.
        null_value=np.inf if is_part else problem.null_value,
    )


def _training_scheme(settings, n_rows, is_part):
    batch_size = settings.batch_size
    if batch_size == "auto":
        batch_size = n_rows // _STEPS_OF_EPOCH
        batch_size = min(max(batch_size, _SMALLEST_BATCH), _LARGEST_BATCH, n_rows)
    elif batch_size > n_rows:
        warn(
            f"batch_size={batch_size} is larger than the number of samples; using"
            f" batch_size={n_rows}."
        )
        batch_size = n_rows
    is_endless = is_part and settings.learning_rate in ("cosine", "adaptive")
    return _solvers.Training(
        optimizer=_solvers.make_optimizer(resolve_solver(settings), settings),
        batch_size=batch_size,
        shuffle=settings.shuffle,
        dropout=settings.dropout,
        max_iter=1 if is_part else max_iter_of(settings),
        schedule="constant" if is_endless else settings.learning_rate,
    )
