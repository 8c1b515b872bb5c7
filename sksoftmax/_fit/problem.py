"""How a fit is posed: from settings and data to network, penalty, objective and start.

`settings` is anything with the constructor parameters of the estimator; nothing here
validates them beyond what one parameter forbids another.
"""

from typing import NamedTuple

import numpy as np

from sksoftmax import _solvers
from sksoftmax._data.arrays import is_dense, largest_entry
from sksoftmax._data.scaling import (
    FeatureScaling,
    centre_far_columns,
    identity,
    standardise,
)
from sksoftmax._fit.callbacks import Monitor
from sksoftmax._fit.history import History
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network, project_onto_gauge, subtract_classes
from sksoftmax._model.penalties import ElasticNetPenalty, GroupPenalty, L2Penalty
from sksoftmax._objective.objective import Objective
from sksoftmax._objective.preconditioners import Preconditioner
from sksoftmax._objective.sparse import SparseObjective
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.threads import fit_threads


class InitialPoint(NamedTuple):
    """Where fitting begins, and who is told how it goes on."""

    layers: list | None = None  # [(W, b), ...]; None for a cold start
    state: dict | None = None  # of a mini-batch solver that continues
    seed: int = 0
    monitor: Monitor | None = None

    def seen_through(self, view):
        """With layers that go through a function before the monitor sees them."""
        if self.monitor is None:
            return self
        return self._replace(monitor=self.monitor.through(view))


class FitResult(NamedTuple):
    """What fitting gives back."""

    layers: list  # [(W, b), ...], in the precision of X, a column for every class
    result: _solvers.Result
    history: History
    solver: str
    separated: list  # labels of classes whose coefficients have no finite optimum
    n_passes: float  # times all of X was read


# Units of a layer: one layer of them on one feature has 16 GB of weights.
_MOST_UNITS = 2**31 - 1


def hidden_sizes(settings):
    """hidden_layer_sizes as a tuple of int."""
    with error_context("hidden_layer_sizes"):
        sizes = np.atleast_1d(np.asarray(settings.hidden_layer_sizes))
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
    return settings.alpha > 0 and settings.l1_ratio > 0


def resolve_solver(settings):
    """Name of the solver that will run."""
    return _solvers.resolve(
        settings.solver,
        is_linear=not hidden_sizes(settings),
        is_sparse=is_sparse(settings),
    )


# What max_iter="auto" stands for: epochs from `benchmarks/hidden_study.py`, iterations
# far more than the few dozen that exact solvers take.
_N_EPOCHS, _N_ITERATIONS = 60, 200


def max_iter_of(settings):
    """Epochs or iterations of the solver that will run, at most."""
    if settings.max_iter != "auto":
        return settings.max_iter
    in_epochs = resolve_solver(settings) in _solvers.MINIBATCH
    return _N_EPOCHS if in_epochs else _N_ITERATIONS


def access_of(settings):
    """How the solver reads X: in "passes" over all rows, in "mini-batches", or "whole".

    Only what is read whole has to be in memory.
    """
    solver = resolve_solver(settings)
    if solver in _solvers.MINIBATCH:
        return "mini-batches"
    is_linear = not hidden_sizes(settings)
    return "passes" if is_linear and solver in _solvers.EXACT else "whole"


def prepare(settings, training):
    """The rows and classes with weight, targets smoothed, and a mask of the classes."""
    training = training.with_weight().smooth(settings.label_smoothing)
    present = training.targets.present
    return training.restrict(present), present


def inputs_of(settings, training, start, is_part=False):
    """The transformation of X: that of the training that goes on, or a new one.

    is_part means one epoch of a training without known end.
    """
    if not hidden_sizes(settings):
        return identity(training.n_features)
    if start.state and "inputs" in start.state:
        inputs = FeatureScaling(*start.state["inputs"])
        return inputs if settings.fit_intercept else inputs.uncentred()
    return standardise(
        training.moments(),
        training.dtype,
        centred=settings.fit_intercept,
        constant=1.0 if is_part else 0.0,
    )


# Weighted sums of squares of all features from which one of them might overflow, or a
# product that they are in.
_LARGEST_SQUARES = 1e306


def refuse_overflow(training):
    """Refuse features so large that the Hessian would not be finite."""
    if training.squares * training.targets.largest_weight < _LARGEST_SQUARES:
        return
    where = ""
    if training.is_in_memory:
        column, size = largest_entry(training.X)
        where = f" in column {column}, up to {size:g} in size"
    raise ValueError(
        f"X is too large{where}: squares of its entries, times sample_weight, overflow."
        " Scale it."
    )


def nearer_inputs(settings, training):
    """The transformation of X without hidden layers, if rounding asks for one, or None.

    For data in memory.
    """
    refuse_overflow(training)
    can_shift = is_dense(training.X) and settings.fit_intercept
    return centre_far_columns(training.X) if can_shift else None


def unfolded(start, inputs):
    """The start for X transformed: layers are unfolded, and folded to be seen."""
    start = start.seen_through(inputs.fold)
    if start.layers is None:
        return start
    return start._replace(layers=inputs.unfold(start.layers))


# Bytes that the basis of the rows' space may take.
_LARGEST_BASIS = 2**28


def is_wide(settings, training):
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


def n_logits_of(settings, targets):
    """Logits that a full-batch solver fits: one for two classes, against each other.

    Not under a sparse penalty, whose gauge need not be the symmetric one.
    """
    n_classes = targets.classes.size
    is_smooth = not (hidden_sizes(settings) or is_sparse(settings))
    return 1 if is_smooth and n_classes == 2 else n_classes


def network_of(settings, training, n_logits=None):
    """The network of these settings for the data; as many logits as classes if None."""
    n_units = (
        training.n_features,
        *hidden_sizes(settings),
        n_logits or training.targets.classes.size,
    )
    return Network(n_units, ACTIVATIONS[settings.activation], settings.fit_intercept)


def null_model(training):
    """The layer of the best model without features, which has a closed form."""
    log_shares = np.log(training.targets.shares)
    W = np.zeros((training.n_features, log_shares.size))
    return project_onto_gauge(W, log_shares)


def pack_layers(network, layers):
    """Flat w, in double precision, of layers with a column for every class."""
    *lower, last = layers
    if network.n_units[-1] < last[1].size:
        last = subtract_classes(*last)
    return network.pack([*lower, last], np.float64)


def layers_of(network, w):
    """Layers of w, intercepts of zero where there are none."""
    return [(W, np.zeros(W.shape[1]) if b is None else b) for W, b in network.unpack(w)]


def penalty_of(settings, network):
    """The penalty of these settings on the parameters of a network."""
    if is_sparse(settings):
        return _sparse_penalty(settings, network)
    strength = settings.alpha * network.weight_mask()
    if network.n_units[-1] == 1:
        strength *= 0.5  # ||W||^2 of the two columns that one logit stands for
    return L2Penalty(strength)


def _sparse_penalty(settings, network):
    n_features, n_classes = network.n_units
    make = GroupPenalty if settings.grouped else ElasticNetPenalty
    return make(
        settings.alpha,
        settings.l1_ratio,
        n_classes=n_classes,
        n_weights=n_features * n_classes,
    )


def objective_of(
    settings, network, chunks, total_weight, make_preconditioner=Preconditioner
):
    """F of a network on blocks of data, with the penalty of these settings."""
    make = SparseObjective if is_sparse(settings) else Objective
    penalty = penalty_of(settings, network)
    return make(network, chunks, penalty, total_weight, make_preconditioner)


def validation_of(network, validation, threads):
    """The objective of the validation data: its cost alone, without a penalty."""
    if validation is None:
        return None
    return Objective(
        network,
        validation.chunks(threads),
        L2Penalty(np.zeros(network.n_params)),
        validation.targets.total_weight,
    )


def largest_alpha(settings, training):
    """The least alpha at which all weights are zero, for l1_ratio > 0.

    Where a path of alphas begins: above it lies the null model, from whose gradient it
    follows. `settings.alpha` has no part in it.
    """
    training, _ = prepare(settings, training)
    network = network_of(settings, training)
    penalty = _sparse_penalty(settings, network)
    with fit_threads() as threads:
        objective = SparseObjective(
            network,
            training.chunks(threads),
            penalty,
            training.targets.total_weight,
        )
        _, grad = objective.value_and_grad(network.pack([null_model(training)]))
    return penalty.alpha_max(grad)
