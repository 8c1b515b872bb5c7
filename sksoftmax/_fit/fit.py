"""From checked data to a fitted network: puts objective and solver together.

`settings` as in `_posing`, which makes the objective.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import _solvers
from sksoftmax._data.targets import hold_out
from sksoftmax._fit.history import History
from sksoftmax._fit.minibatch_training import run_minibatch
from sksoftmax._fit.problem import (
    FitResult,
    hidden_sizes,
    inputs_of,
    is_sparse,
    is_wide,
    layers_of,
    max_iter_of,
    n_logits_of,
    nearer_inputs,
    network_of,
    null_model,
    objective_of,
    pack_layers,
    prepare,
    refuse_overflow,
    resolve_solver,
    unfolded,
    validation_of,
)
from sksoftmax._fit.row_space import RowSpace
from sksoftmax._model.network import (
    insert_absent_classes,
    project_onto_gauge,
    split_logit,
)
from sksoftmax._utils.threads import fit_threads
from sksoftmax._utils.warnings import warn
from sksoftmax.exceptions import SeparationWarning


def fit_network(settings, training, validation, start):
    """Fit until the solver has converged or used up max_iter.

    Rows without weight are left out, and so are classes without weight, which get their
    columns back at the end.

    Parameters
    ----------
    settings : SoftmaxRegressionClassifier
    training : InMemoryDataset
    validation : InMemoryDataset or None
    start : InitialPoint

    Returns
    -------
    Fitted
    """
    solver = resolve_solver(settings)
    exact = solver in _solvers.FULL_BATCH
    if settings.dropout and hidden_sizes(settings) and exact:
        raise ValueError(
            f"dropout={settings.dropout} needs a mini-batch solver, got"
            f" solver={settings.solver!r}."
        )
    training = training.with_weight()
    if settings.early_stopping and not exact and validation is None:
        if not training.is_in_memory:
            raise ValueError(
                "early_stopping=True needs X_val and y_val where the training data are"
                " not in memory: no rows can be held out from them."
            )
        # A training that goes on holds out the same rows of the same data.
        seed = (start.state or {}).get("seed", start.seed)
        rng = np.random.default_rng(seed)
        held = hold_out(training.targets, settings.validation_fraction, rng)
        training, validation = training.take(~held), training.take(held)
    training, present = prepare(settings, training)
    if validation is not None:
        validation = validation.restrict(present)
    if start.layers is not None:
        *lower, (W, b) = start.layers
        start = start._replace(layers=[*lower, (W[:, present], b[present])])
    if np.count_nonzero(present) == 1:
        run = _run_constant
    else:
        run = _run_exact if exact else run_minibatch
    view = partial(finished, settings, present, training.dtype)
    fitted = run(settings, training, validation, start.seen_through(view), solver)
    return fitted._replace(layers=view(fitted.layers))


def finished(settings, present, dtype, layers):
    """Layers in the columns of all classes, in the precision of X.

    As arrays of their own: no view that would keep all of w alive.
    """
    if not present.all():
        *lower, last = layers
        last = insert_absent_classes(*last, present, centred=not is_sparse(settings))
        layers = [*lower, last]
    return [(np.array(W, dtype), np.array(b, dtype)) for W, b in layers]


def fit_epoch(settings, training, start):
    """One epoch of the mini-batch solver, all announced classes in play; a Fitted.

    Where a run has no known end, no schedule can lead to it: "cosine" and "adaptive"
    keep the learning rate constant here.
    """
    if settings.early_stopping:
        raise ValueError(
            "partial_fit trains for one epoch and cannot stop early: it needs"
            " early_stopping=False, got early_stopping=True."
        )
    solver = "adam" if settings.solver == "auto" else settings.solver
    training = training.with_weight().smooth(settings.label_smoothing)
    fitted = run_minibatch(settings, training, None, start, solver, is_part=True)
    if fitted.result.diverged:
        warn_unless_converged(settings, fitted)
    every_class = np.ones(training.targets.classes.size, dtype=bool)
    layers = finished(settings, every_class, training.dtype, fitted.layers)
    return fitted._replace(layers=layers)


def warn_unless_converged(estimator, fitted):
    """One warning that says what is wrong, by how much, and what to do."""
    result = fitted.result
    name = type(estimator).__name__
    if fitted.separated:
        category = SeparationWarning
        message = (
            f"{name}: the features separate the classes {fitted.separated} from"
            " others, so without a penalty their coefficients have no finite optimum;"
            " they were stopped on their way to infinity. Use alpha > 0."
        )
    elif result.converged:
        return
    else:
        category = ConvergenceWarning
        advice = "Raise max_iter, or tol, or scale the features."
        if len(fitted.layers) > 1:  # whose inputs are standardised
            advice = "Raise max_iter, or tol."
        if result.diverged:
            advice = (
                "Training diverged, because the learning rate was too large: lower"
                f" learning_rate_init={estimator.learning_rate_init}."
            )
        message = (
            f"{name} did not converge: solver {fitted.solver!r} stopped after"
            f" {result.n_iter} iterations at an optimality of {result.optimality:.2g}"
            f" nats, with {result.target:.2g} asked for. {advice}"
        )
    warn(message, category)


def _run_constant(settings, training, validation, start, solver):
    """One class alone: nothing to learn, and all parameters are zero at the minimum."""
    network = network_of(settings, training)
    w = np.zeros(network.n_params)
    layers = layers_of(network, w)
    result = _solvers.Result(None, 0.0, 0.0, 0.0, 1)
    with fit_threads() as threads:
        watched = validation_of(network, validation, threads)
        start = start.seen_through(partial(layers_of, network))
        history = History(watched, settings.verbose, monitor=start.monitor)
        try:
            history(1, w, 0.0)
        except _solvers.Stop:
            result = replace(result, halted_by=_solvers.Stop)
    return FitResult(layers, result, history, solver, [], 0.0)


def _run_exact(settings, training, validation, start, solver):
    """Full-batch solver in float64, on X as it suits the arithmetic."""
    with fit_threads() as threads:
        run = partial(_run_full_batch, settings, threads=threads)
        inputs = None
        if hidden_sizes(settings):
            inputs = inputs_of(settings, training, start)
        elif training.is_in_memory and getattr(validation, "is_in_memory", True):
            inputs = nearer_inputs(settings, training)
            if is_wide(settings, training):
                run = partial(_in_row_space, run=run)
        else:
            refuse_overflow(training)
        if inputs is not None:
            return _on_inputs(inputs, training, validation, start, run)
        return run(training, validation, start)


def _in_row_space(training, validation, start, *, run):
    """Run in the space of the rows, and give back layers for X as it is."""
    space = RowSpace(training.X)
    training = training._replace(X=space.coordinates)
    if validation is not None:
        validation = validation._replace(X=space.reduce_data(validation.X))
    if start.layers is not None:
        ((W, b),) = start.layers
        start = start._replace(layers=[(space.reduce_weights(W), b)])
    expand = partial(expanded, space)
    fitted = run(training, validation, start.seen_through(expand))
    return fitted._replace(layers=expand(fitted.layers))


def expanded(space, layers):
    """Layers for X of those for coordinates in the space of the rows."""
    ((V, b),) = layers
    return [(space.expand_weights(V), b)]


def _on_inputs(inputs, training, validation, start, run):
    """Run on X transformed, and give back layers for X as it is."""
    start = unfolded(start, inputs)
    training, validation = (
        sample and sample._replace(X=inputs.apply(sample.X, np.float64))
        for sample in (training, validation)
    )
    fitted = run(training, validation, start)
    return fitted._replace(layers=inputs.fold(fitted.layers))


def _run_full_batch(settings, training, validation, start, *, threads):
    targets = training.targets
    network = network_of(settings, training, n_logits_of(settings, targets))
    layers = start.layers
    if layers is None and network.is_linear:
        layers = [null_model(training)]
    if layers is None:
        w = network.initial(np.random.default_rng(start.seed))
    else:
        w = pack_layers(network, layers)
    chunks = training.chunks(threads)
    watched = validation_of(network, validation, threads)
    start = start.seen_through(
        partial(_layers_at, settings, network, targets.classes.size)
    )
    history = History(watched, settings.verbose, chunks, start.monitor)
    objective = objective_of(settings, network, chunks, targets.total_weight)
    # A warm start that is worse than none, as after a change of units, may be certain
    # of what is wrong, and where there is no curvature second-order models lie.
    if start.layers is not None and network.is_linear:
        null_value = targets.null_value(settings.fit_intercept)
        if not objective.value(w) <= null_value * (1.0 + 1e-9):
            w = pack_layers(network, [null_model(training)])
    fitted = solve(settings, objective, targets, w, history)
    return fitted._replace(n_passes=chunks.n_passes)  # those of a survey included


def solve(settings, objective, targets, w, history):
    """Minimise an objective from w by the full-batch solver of the settings; Fitted."""
    network, before = objective.network, objective.chunks.n_passes
    solver, tol = resolve_solver(settings), settings.tol
    if tol == "auto":
        tol = 1e-8 if network.is_linear else 1e-4
    try:
        result = _solvers.FULL_BATCH[solver](
            objective,
            w,
            tol=tol,
            null_value=targets.null_value(settings.fit_intercept),
            max_iter=max_iter_of(settings),
            callback=history,
        )
    except _solvers.Stop:
        result = _solvers.halted(history.w, history.loss_curve, _solvers.Stop)
    except KeyboardInterrupt:
        if not (settings.warm_start and history.loss_curve):
            raise
        result = _solvers.halted(history.w, history.loss_curve, KeyboardInterrupt)
    separated = targets.classes[_separated_classes(settings, objective, result)]
    if separated.size:
        result = replace(result, separated=True)
    layers = _layers_at(settings, network, targets.classes.size, result.w)
    n_passes = objective.chunks.n_passes - before
    return FitResult(layers, result, history, solver, separated.tolist(), n_passes)


def _layers_at(settings, network, n_classes, w):
    """Layers of w, with a column for every class, in the gauge of the penalty."""
    layers = layers_of(network, w)
    if not network.is_linear:
        return layers
    W, b = (split_logit if network.n_units[-1] < n_classes else project_onto_gauge)(
        *layers[0]
    )
    # The solver has chosen the gauge of the weights where the penalty fixes it.
    return [(layers[0][0] if is_sparse(settings) else W, b)]


def _separated_classes(settings, objective, result):
    """Mask of the classes whose coefficients have no finite optimum."""
    n_classes = objective.chunks.n_classes
    if settings.alpha == 0 and result.separated:
        return np.ones(n_classes, dtype=bool)
    if settings.alpha == 0 and result.step is not None and objective.network.is_linear:
        return objective.separates(result.step)
    return np.zeros(n_classes, dtype=bool)
