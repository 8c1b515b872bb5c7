"""From checked data to a fitted network: puts network, objective and solver together.

`settings` is anything with the constructor parameters of the estimator; nothing here
validates them beyond what one parameter forbids another.
"""

import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import _solvers
from sksoftmax._activations import ACTIVATIONS
from sksoftmax._backprop import BatchObjective
from sksoftmax._batches import batch_rows
from sksoftmax._blocks import Blocks
from sksoftmax._callbacks import History
from sksoftmax._data import is_dense
from sksoftmax._network import (
    Network,
    centre_classes,
    insert_absent_classes,
    split_logit,
    subtract_classes,
)
from sksoftmax._objective import Objective
from sksoftmax._penalty import ElasticNetPenalty, GroupPenalty, L2Penalty
from sksoftmax._precondition import Preconditioner
from sksoftmax._row_space import RowSpace
from sksoftmax._sparse_objective import SparseObjective
from sksoftmax._standardise import Inputs, identity, standardise
from sksoftmax._targets import hold_out
from sksoftmax._threads import fit_threads
from sksoftmax.exceptions import SeparationWarning


class Fitted(NamedTuple):
    """What fitting gives back."""

    layers: list  # [(W, b), ...], in the precision of X, a column for every class
    result: _solvers.Result
    history: History
    solver: str
    separated: list  # labels of classes whose coefficients have no finite optimum
    n_passes: float  # times all of X was read


class Start(NamedTuple):
    """Where fitting begins."""

    layers: list | None = None  # [(W, b), ...]; None for a cold start
    state: dict | None = None  # of a mini-batch solver that continues
    seed: int = 0


def hidden_sizes(settings):
    """hidden_layer_sizes as a tuple of int."""
    sizes = settings.hidden_layer_sizes
    sizes = tuple(np.atleast_1d(np.asarray(sizes)).tolist())
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError(
            "hidden_layer_sizes must hold integers >= 1, got"
            f" {settings.hidden_layer_sizes!r}."
        )
    return sizes


def fit_network(settings, training, validation, start):
    """Fit until the solver has converged or used up max_iter.

    Rows without weight are left out, and so are classes without weight, which get their
    columns back at the end.

    Parameters
    ----------
    settings : SoftmaxRegressionClassifier
    training : Sample
    validation : Sample or None
    start : Start

    Returns
    -------
    Fitted
    """
    solver = _solvers.resolve(
        settings.solver,
        is_linear=not hidden_sizes(settings),
        is_sparse=is_sparse(settings),
    )
    exact = solver in _solvers.FULL_BATCH
    if settings.dropout and hidden_sizes(settings) and exact:
        raise ValueError(
            f"dropout={settings.dropout} needs a mini-batch solver, got"
            f" solver={settings.solver!r}."
        )
    training = training.take(training.targets.s > 0)
    if settings.early_stopping and not exact and validation is None:
        # A training that goes on holds out the same rows of the same data.
        seed = (start.state or {}).get("seed", start.seed)
        rng = np.random.default_rng(seed)
        held = hold_out(training.targets, settings.validation_fraction, rng)
        training, validation = training.take(~held), training.take(held)
    training = training.smooth(settings.label_smoothing)
    present = training.targets.present
    training = training.restrict(present)
    if validation is not None:
        validation = validation.restrict(present)
    if start.layers is not None:
        *lower, (W, b) = start.layers
        start = start._replace(layers=[*lower, (W[:, present], b[present])])
    if np.count_nonzero(present) == 1:
        run = _run_constant
    else:
        run = _run_exact if exact else _run_minibatch
    fitted = run(settings, training, validation, start, solver)
    if not present.all():
        *lower, last = fitted.layers
        last = insert_absent_classes(*last, present, centred=not is_sparse(settings))
        fitted = fitted._replace(layers=[*lower, last])
    return _in_dtype(fitted, training.X.dtype)


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
    training = training.take(training.targets.s > 0)
    training = training.smooth(settings.label_smoothing)
    fitted = _run_minibatch(settings, training, None, start, solver, is_part=True)
    return _in_dtype(fitted, training.X.dtype)


def warn_unless_converged(estimator, fitted):
    """One warning that says what is wrong, by how much, and what to do."""
    result = fitted.result
    name = type(estimator).__name__
    if fitted.separated:
        category = SeparationWarning
        message = (
            f"{name}: the features separate the classes {fitted.separated} from all"
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
    warnings.warn(message, category, stacklevel=4)


def _in_dtype(fitted, dtype):
    """With layers as arrays of their own: no view that would keep all of w alive."""
    layers = [(np.array(W, dtype), np.array(b, dtype)) for W, b in fitted.layers]
    return fitted._replace(layers=layers)


def _run_constant(settings, training, validation, start, solver):
    """One class alone: nothing to learn, and all parameters are zero at the minimum."""
    network = _network(settings, training)
    layers = _layers(network, np.zeros(network.n_params))
    result = _solvers.Result(None, 0.0, 0.0, 0.0, 1)
    history = History(None, settings.verbose)
    history(1, None, 0.0)
    return Fitted(layers, result, history, solver, [], 0.0)


def _run_exact(settings, training, validation, start, solver):
    """Full-batch solver in float64, in the space of the rows where that is smaller."""
    with fit_threads() as threads:
        run = partial(_run_full_batch, settings, solver=solver, threads=threads)
        if hidden_sizes(settings):
            return _on_inputs(settings, training, validation, start, run)
        if not _is_wide(settings, training):
            return run(training, validation, start)
        space = RowSpace(training.X)
        training = training._replace(X=space.coordinates)
        if validation is not None:
            validation = validation._replace(X=space.reduce_data(validation.X))
        if start.layers is not None:
            ((W, b),) = start.layers
            start = start._replace(layers=[(space.reduce_weights(W), b)])
        fitted = run(training, validation, start)
        ((V, b),) = fitted.layers
        return fitted._replace(layers=[(space.expand_weights(V), b)])


def _on_inputs(settings, training, validation, start, run):
    """Run on standardised X, and give back layers for X as it is."""
    inputs = _inputs(settings, training, start)
    start = _unfolded(start, inputs)
    training, validation = (
        sample and sample._replace(X=inputs.apply(sample.X, np.float64))
        for sample in (training, validation)
    )
    fitted = run(training, validation, start)
    return fitted._replace(layers=inputs.fold(fitted.layers))


def _inputs(settings, training, start, is_part=False):
    """The transformation of X: that of the training that goes on, or a new one."""
    if not hidden_sizes(settings):
        return identity(training.X.shape[1])
    if start.state and "inputs" in start.state:
        return Inputs(*start.state["inputs"])
    return standardise(
        training.X,
        training.targets.s,
        centred=settings.fit_intercept,
        constant=1.0 if is_part else 0.0,
    )


def _unfolded(start, inputs):
    if start.layers is None:
        return start
    return start._replace(layers=inputs.unfold(start.layers))


# Bytes that the basis of the rows' space may take.
_LARGEST_BASIS = 2**28


def _is_wide(settings, training):
    """Whether the space of the rows is smaller, and the penalty allows to go there.

    Dense rows only, and half as many as features: finding the space takes as long as
    n_rows / n_classes passes over the data.
    """
    n_rows, n_features = training.X.shape
    return (
        not hidden_sizes(settings)
        and settings.alpha > 0
        and not is_sparse(settings)
        and is_dense(training.X)
        and 2 * n_rows <= n_features
        and 8 * n_rows * n_features <= _LARGEST_BASIS
    )


def _run_full_batch(settings, training, validation, start, *, solver, threads):
    targets = training.targets
    one_logit = _has_one_logit(settings, targets)
    network = _network(settings, training, 1 if one_logit else None)
    layers = start.layers
    if layers is None and network.is_linear:
        layers = [_null_model(training)]
    if one_logit:
        layers = [subtract_classes(*layers[0])]
    if layers is None:
        w = network.initial(np.random.default_rng(start.seed))
    else:
        w = network.pack(layers, np.float64)
    tol = settings.tol
    if tol == "auto":
        tol = 1e-8 if network.is_linear else 1e-4
    history = History(_validation(network, validation, threads), settings.verbose)
    objective = _objective(settings, network, training, threads)
    result = _solvers.FULL_BATCH[solver](
        objective,
        w,
        tol=tol,
        null_value=targets.null_value(settings.fit_intercept),
        max_iter=200 if settings.max_iter == "auto" else settings.max_iter,
        callback=history,
    )
    separated = targets.classes[_separated_classes(settings, objective, result)]
    layers = _layers(network, result.w)
    if network.is_linear:
        W, b = (split_logit if one_logit else centre_classes)(*layers[0])
        # The solver has chosen the gauge of the weights where the penalty fixes it.
        layers = [(layers[0][0] if is_sparse(settings) else W, b)]
    n_passes = objective.blocks.n_passes
    return Fitted(layers, result, history, solver, separated.tolist(), n_passes)


def _has_one_logit(settings, targets):
    """Whether one logit, between two classes, does for both columns.

    Not under a sparse penalty, whose gauge need not be the symmetric one.
    """
    is_smooth = not (hidden_sizes(settings) or is_sparse(settings))
    return is_smooth and targets.classes.size == 2


def _separated_classes(settings, objective, result):
    """Mask of the classes whose coefficients have no finite optimum."""
    n_classes = objective.blocks.n_classes
    if settings.alpha == 0 and result.separated:
        return np.ones(n_classes, dtype=bool)
    if settings.alpha == 0 and result.step is not None and objective.network.is_linear:
        return objective.separates(result.step)
    return np.zeros(n_classes, dtype=bool)


def _null_model(training):
    """The layer of the best model without features, which has a closed form."""
    log_shares = np.log(training.targets.shares)
    W = np.zeros((training.X.shape[1], log_shares.size))
    return centre_classes(W, log_shares)


def _run_minibatch(settings, training, validation, start, solver, is_part=False):
    """Mini-batch solver; is_part means one epoch of a training without known end.

    With hidden layers it works on standardised inputs, without them on X as it is, in
    the precision of X.
    """
    network = _network(settings, training)
    dtype = training.X.dtype
    inputs = _inputs(settings, training, start, is_part)
    start = _unfolded(start, inputs)
    if start.layers is not None:
        w = network.pack(start.layers, dtype)
    elif network.is_linear:
        w = np.zeros(network.n_params, dtype)
    else:
        w = network.initial(np.random.default_rng(start.seed)).astype(dtype, copy=False)
    scheme = _training(settings, solver, training.targets.s.size, is_part)
    state = start.state
    if not state or not _solvers.fits(state, scheme, w):
        state = _solvers.start_state(scheme, w, start.seed)
    n_epochs = _N_EPOCHS if settings.max_iter == "auto" else settings.max_iter
    tol = 1e-4 if settings.tol == "auto" else settings.tol
    null_value = training.targets.null_value(settings.fit_intercept)
    patience = _solvers.Patience(
        n_epochs=settings.n_iter_no_change,
        target=tol * null_value,
        restore_best=settings.early_stopping,
        null_value=null_value,
    )
    if validation is not None and not network.is_linear:
        validation = validation._replace(X=inputs.apply(validation.X, dtype))
    with fit_threads() as threads:
        history = History(_validation(network, validation, threads), settings.verbose)
        result = _solvers.minibatch(
            _batch_objective(settings, network, training, inputs, dtype, threads),
            w,
            training=scheme,
            patience=patience,
            max_iter=1 if is_part else n_epochs,
            state=state,
            callback=history,
        )
    if not network.is_linear:
        result.state["inputs"] = tuple(inputs)
    layers = inputs.fold(_layers(network, result.w.astype(np.float64)))
    return Fitted(layers, result, history, solver, [], float(result.n_iter))


def _layers(network, w):
    """Layers of w, intercepts of zero where there are none."""
    return [(W, np.zeros(W.shape[1]) if b is None else b) for W, b in network.unpack(w)]


def _network(settings, training, n_logits=None):
    n_units = (
        training.X.shape[1],
        *hidden_sizes(settings),
        n_logits or training.targets.classes.size,
    )
    return Network(n_units, ACTIVATIONS[settings.activation], settings.fit_intercept)


def is_sparse(settings):
    """Whether the penalty makes weights zero."""
    return settings.alpha > 0 and settings.l1_ratio > 0


def largest_alpha(settings, training):
    """The least alpha at which all weights are zero, for l1_ratio > 0.

    Where a path of alphas begins: above it lies the null model, from whose gradient it
    follows. `settings.alpha` has no part in it.
    """
    training = training.take(training.targets.s > 0).smooth(settings.label_smoothing)
    training = training.restrict(training.targets.present)
    network = _network(settings, training)
    with fit_threads() as threads:
        objective = _sparse_objective(settings, network, training, threads)
        w = network.pack([_null_model(training)])
        _, grad = objective.value_and_grad(w)
    return objective.penalty.alpha_max(grad)


def _sparse_objective(settings, network, training, threads):
    n_features, n_classes = network.n_units
    make = GroupPenalty if settings.grouped else ElasticNetPenalty
    penalty = make(
        settings.alpha,
        settings.l1_ratio,
        n_classes=n_classes,
        n_weights=n_features * n_classes,
    )
    blocks = _blocks(training, threads)
    return SparseObjective(network, blocks, penalty, training.targets.total_weight)


def _objective(settings, network, training, threads):
    if is_sparse(settings):
        return _sparse_objective(settings, network, training, threads)
    strength = settings.alpha * network.weight_mask()
    if network.n_units[-1] == 1:
        strength *= 0.5  # ||W||^2 of the two columns that one logit stands for
    return Objective(
        network,
        _blocks(training, threads),
        L2Penalty(strength),
        training.targets.total_weight,
        Preconditioner,
    )


def _batch_objective(settings, network, training, inputs, dtype, threads):
    targets = training.targets
    X = inputs.apply(training.X, dtype, ones=settings.fit_intercept)
    s = targets.s * (targets.s.size / targets.total_weight)
    penalty = L2Penalty((settings.alpha * network.weight_mask()).astype(dtype))
    rows = batch_rows(X, targets.Y, s, dtype)
    return BatchObjective(network, rows, penalty, threads)


def _validation(network, validation, threads):
    """The objective of the validation data: its cost alone, without a penalty."""
    if validation is None:
        return None
    return Objective(
        network,
        _blocks(validation, threads),
        L2Penalty(np.zeros(network.n_params)),
        validation.targets.total_weight,
    )


def _blocks(sample, threads):
    return Blocks(sample.X, sample.targets.Y, sample.targets.s, threads)


# The defaults of training, from `benchmarks/hidden_study.py`: 60 epochs, each of
# 200 steps or more unless batches get smaller than 32 by that.
_N_EPOCHS = 60
_STEPS_OF_EPOCH = 200
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 200


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
        warnings.warn(
            f"batch_size={batch_size} is larger than the number of samples; using"
            f" batch_size={n_rows}.",
            stacklevel=2,
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
