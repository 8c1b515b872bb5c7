"""Training on mini-batches, from checked data to a fitted network.

`settings` as in `_posing`.
"""

from functools import partial

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.history import History
from sksoftmax._fit.problem import (
    FitResult,
    inputs_of,
    layers_of,
    max_iter_of,
    network_of,
    unfolded,
    validation_of,
)
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.minibatch import BatchObjective
from sksoftmax._utils.threads import fit_threads
from sksoftmax._utils.warnings import warn

# From `benchmarks/hidden_study.py`: epochs have 200 steps or more, unless batches get
# smaller than 32 by that.
_STEPS_OF_EPOCH = 200
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 200


def run_minibatch(settings, training, validation, start, solver, is_part=False):
    """Mini-batch solver; is_part means one epoch of a training without known end.

    With hidden layers it works on standardised inputs, without them on X as it is, in
    the precision of X.
    """
    network = network_of(settings, training)
    dtype = training.dtype
    inputs = inputs_of(settings, training, start, is_part)
    start = unfolded(start, inputs)
    if start.layers is not None:
        w = network.pack(start.layers, dtype)
    elif network.is_linear:
        w = np.zeros(network.n_params, dtype)
    else:
        w = network.initial(np.random.default_rng(start.seed)).astype(dtype, copy=False)
    scheme = _training(settings, solver, training.n_rows, is_part)
    state = start.state
    if not state or not _solvers.fits(state, scheme, w):
        state = _solvers.start_state(scheme, w, start.seed)
    tol = 1e-4 if settings.tol == "auto" else settings.tol
    null_value = training.targets.null_value(settings.fit_intercept)
    patience = _solvers.Patience(
        n_epochs=settings.n_iter_no_change,
        target=tol * null_value,
        restore_best=settings.early_stopping,
        # The rows of one call may be of one class, which has nothing to learn.
        null_value=np.inf if is_part else null_value,
    )
    if validation is not None and not network.is_linear:
        validation = validation._replace(X=inputs.apply(validation.X, dtype))
    with fit_threads() as threads:
        watched = validation_of(network, validation, threads)
        start = start.seen_through(partial(_layers_at, network))
        history = History(
            watched,
            settings.verbose,
            monitor=start.monitor,
            watches_validation=settings.early_stopping,
        )
        result = _solvers.minibatch(
            _batch_objective(settings, network, training, inputs, dtype, threads),
            w,
            training=scheme,
            patience=patience,
            max_iter=1 if is_part else max_iter_of(settings),
            state=state,
            callback=history,
        )
    if not network.is_linear:
        result.state["inputs"] = tuple(inputs)
    layers = inputs.fold(_layers_at(network, result.w))
    n_passes = float(result.n_iter)
    if not training.is_in_memory:
        n_passes += 1.0 if network.is_linear else 2.0  # the survey, and the moments
    return FitResult(layers, result, history, solver, [], n_passes)


def _layers_at(network, w):
    return layers_of(network, w.astype(np.float64))


def _batch_objective(settings, network, training, inputs, dtype, threads):
    rows = training.batch_rows(inputs, dtype, ones=settings.fit_intercept)
    penalty = L2Penalty((settings.alpha * network.weight_mask()).astype(dtype))
    return BatchObjective(network, rows, penalty, threads)


def _training(settings, solver, n_rows, is_part):
    if solver == "adam":
        optimizer = _solvers.Adam(settings.learning_rate_init)
    else:
        optimizer = _solvers.SGD(
            settings.learning_rate_init,
            settings.momentum,
            settings.nesterovs_momentum,
        )
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
    endless = is_part and settings.learning_rate in ("cosine", "adaptive")
    return _solvers.Training(
        optimizer=optimizer,
        batch_size=batch_size,
        shuffle=settings.shuffle,
        dropout=settings.dropout,
        schedule="constant" if endless else settings.learning_rate,
    )
