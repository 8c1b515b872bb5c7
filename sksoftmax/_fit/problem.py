"""The problem that a solver gets: network, penalty, objective and initial w.

A problem is made once, from settings and a checked dataset. It knows the way back: its
`layers` are for the user's data, with a column for every class.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.history import History
from sksoftmax._fit.penalty_factors import penalty_factors
from sksoftmax._fit.settings import is_sparse
from sksoftmax._fit.transforms import Composition
from sksoftmax._model.network import Network, project_onto_gauge
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._model.sparse_penalties import ElasticNetPenalty, GroupPenalty
from sksoftmax._objective.objective import Objective
from sksoftmax._objective.preconditioners import Preconditioner
from sksoftmax._objective.sparse import SparseObjective


class InitialPoint(NamedTuple):
    """Where a fit begins."""

    layers: list | None = None  # [(W, b), ...] of an earlier fit; None for a cold start
    state: dict | None = None  # of a mini-batch solver that continues
    seed: int = 0
    checkpoint: object = None  # a `Checkpoint` that the training is written to


class FitResult(NamedTuple):
    """What a fit gives back."""

    layers: list  # [(W, b), ...], in the precision of X, a column for every class
    result: _solvers.Result
    history: History
    solver: str
    separated: list  # labels of classes whose coefficients have no finite optimum
    n_passes: float  # passes over X; subsamples count as fractions
    separating: list = ()  # numbers of the columns that separate; empty for all of them
    alpha: float | None = None  # of the penalty, where it is not one of a path


@dataclass(frozen=True)
class Problem:
    """F in the coordinates that suit a solver, and the way back from them."""

    settings: object  # parameters of a SoftmaxRegressionClassifier
    network: Network
    transform: Composition  # from the user's data to here, that of the logits last
    targets: object  # of the classes with weight: Targets or ClassTotals
    dtype: np.dtype  # of X, and of the layers that users get
    objective: object = None  # Objective or SparseObjective

    @property
    def is_linear(self):
        """Whether there are no hidden layers."""
        return self.network.is_linear

    @property
    def null_value(self):
        """F of the best model without features, in nats."""
        return self.targets.null_value(self.settings.fit_intercept)

    def layers(self, w):
        """Layers for the user's data at w, copies in the precision of X.

        A view would keep all of w alive.
        """
        layers = [
            (W, np.zeros(W.shape[1]) if b is None else b)
            for W, b in self.network.unpack(w.astype(np.float64))
        ]
        return [
            (np.array(W, self.dtype), np.array(b, self.dtype))
            for W, b in self.transform.back(layers)
        ]

    def pack(self, layers):
        """Flat w, in double precision, of layers for the user's data."""
        return self.network.pack(self.transform.forward(layers))

    def null_w(self):
        """W of the best model without features, which has a closed form."""
        log_shares = np.log(self.targets.shares)
        W = np.zeros((self.network.n_units[0], log_shares.size))
        *_, logits = self.transform.transforms
        return self.network.pack(logits.forward([project_onto_gauge(W, log_shares)]))

    def initial_w(self, start):
        """W to begin a full-batch solver with.

        A warm start that is worse than the null model, as after a change of units, is
        not used: it may be certain of what is wrong, and second-order models mislead
        where there is no curvature.
        """
        if start.layers is not None:
            w = self.pack(start.layers)
            highest = self.null_value * (1.0 + 1e-9)
            if not self.is_linear or self.objective.value(w) <= highest:
                return w
        if self.is_linear:
            return self.null_w()
        return self.network.initial(np.random.default_rng(start.seed))

    def penalty(self, dtype=np.float64):
        """The penalty of the settings, on w of this precision."""
        settings, network = self.settings, self.network
        kind = penalty_kind(settings)
        factors = penalty_factors(settings, network.n_units[0])
        if kind.is_sparse:
            n_features, n_classes = network.n_units
            return kind(
                settings.alpha,
                settings.l1_ratio,
                n_classes=n_classes,
                n_weights=n_features * n_classes,
                factors=factors,
            )
        *_, logits = self.transform.transforms
        strength = settings.alpha * network.weight_mask()
        if factors is not None:
            W, _ = network.unpack(strength)[0]
            W *= factors[:, None]
        return kind((logits.penalty_factor * strength).astype(dtype))

    def on(self, chunks, make_preconditioner=Preconditioner):
        """The problem with its objective, on chunks of the transformed dataset."""
        make = SparseObjective if is_sparse(self.settings) else Objective
        objective = make(
            self.network,
            chunks,
            self.penalty(),
            self.targets.total_weight,
            make_preconditioner,
        )
        return replace(self, objective=objective)

    def history(self, validation, threads, monitor):
        """The `History` of a fit with the user's validation data, or None of them."""
        if validation is not None:
            validation = self._validation_loss(validation, threads)
        return History(
            validation,
            self.settings.verbose,
            chunks=self.objective and self.objective.chunks,
            monitor=monitor,
            layers=self.layers,
            watches_validation=self.settings.early_stopping,
        )

    def _validation_loss(self, validation, threads):
        """The loss on the user's validation data, as an objective."""
        subset, *features, _ = self.transform.transforms
        if not self.is_linear and validation.is_in_memory:
            validation = validation.viewed()  # scaled where it is read
        stays = not self.is_linear and not validation.is_dense
        before = (subset,) if stays else self.transform.transforms
        validation = Composition(before).dataset(validation)
        loss = Objective(
            replace(self.network, centre=None),  # theirs are centred, or w is changed
            validation.chunks(threads),
            L2Penalty(np.zeros(self.network.n_params)),
            validation.targets.total_weight,
        )
        return _OnUsersFeatures(loss, Composition(tuple(features))) if stays else loss


class _OnUsersFeatures(NamedTuple):
    """An objective on features as they are, of w that are for transformed ones.

    So sparse data of a network need not be centred, which would make arrays of them.
    """

    objective: Objective
    features: Composition

    def value_and_accuracy(self, w):
        """What the objective has of the same name."""
        network = self.objective.network
        (W, b), *later = network.unpack(w.astype(np.float64))
        b = np.zeros(W.shape[1]) if b is None else b
        w = network.pack(self.features.back([(W, b), *later]))
        return self.objective.value_and_accuracy(w)


def penalty_kind(settings):
    """The class of the penalty that settings ask for: the only place that chooses."""
    if not is_sparse(settings):
        return L2Penalty
    return GroupPenalty if settings.grouped else ElasticNetPenalty
