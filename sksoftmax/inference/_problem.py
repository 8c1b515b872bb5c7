"""A fitted model and its data, checked against each other.

The weight of a row in the fit is its count, how often it occurs, times its importance,
how much it matters. The sum of the counts is n.
"""

import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError
from sklearn.utils.validation import check_is_fitted

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._classifier_cv import SoftmaxRegressionClassifierCV
from sksoftmax._data.chunks import Chunks
from sksoftmax._data.in_memory import check_rows
from sksoftmax._data.targets import ClassTotals, Targets
from sksoftmax._utils.errors import error_context
from sksoftmax.inference._design import orthonormal_design, scaled_design
from sksoftmax.inference._likelihood import Factor, Likelihood
from sksoftmax.inference._pipeline import names_out, take_apart
from sksoftmax.inference._separation import check_not_separated
from sksoftmax.inference._weights import counts_of

# Free parameters up to which the inverse of the Hessian is formed: 0.8 GB.
LARGEST = 10_000

# Half the squared Newton decrement, in nats over all rows, above which coefficients are
# not at the optimum of these data. Below it they are at most 0.014 standard errors off.
# To leave out one of 10,000 rows with 10 parameters makes 5e-4.
_OFF_OPTIMUM = 1e-4

# Added to the unit diagonal of a Hessian that has lost rank to separation.
_HESSIAN_RIDGE = 1e-10


@dataclass(frozen=True)
class Problem:
    """The model, its data, and the likelihood at its coefficients."""

    model: SoftmaxRegressionClassifier | SoftmaxRegressionClassifierCV
    alpha: float  # strength of the penalty, given or chosen
    terms: list  # names of the features and, last, "intercept"
    targets: Targets | ClassTotals  # of the rows with weight, whose weights sum to n
    n: float  # number of observations: the sum of the counts
    weighted: bool  # whether rows differ in importance
    soft: bool  # whether y has probabilities between 0 and 1
    likelihood: Likelihood
    gamma: np.ndarray  # coefficients in working coordinates, (K - 1, n_terms)
    loss: float  # minus the log-likelihood, without the penalty
    hessian: np.ndarray  # of this loss
    factor: Factor  # of the Hessian with the penalty
    # Of data in memory:
    X: object = None  # the rows with weight, (n_rows, n_features)
    counts: np.ndarray | None = None  # how often each of them occurs, (n_rows,)
    kept: np.ndarray | None = None  # mask of the user's rows with weight, (n_samples,)
    # Of others, whether the weight of a row is how often it occurs:
    are_counted: bool = False

    @property
    def is_in_memory(self):
        """Whether there are X, counts and kept."""
        return self.X is not None

    @property
    def design(self):
        """The working coordinates."""
        return self.likelihood.design

    def notes(self, cov_type):
        """Sentences on the limits of the standard errors."""
        notes = []
        if self.alpha > 0:
            notes.append(
                f"Estimates are penalised (alpha={self.alpha:g}): they are shrunk"
                " towards zero, standard errors come from the curvature of the"
                " penalised likelihood, and intervals and p-values are not frequentist."
            )
        if isinstance(self.model, SoftmaxRegressionClassifierCV):
            notes.append(
                f"These data have chosen alpha={self.alpha:g}; standard errors take it"
                " as given."
            )
        if self.weighted and cov_type == "nonrobust":
            notes.append(
                "Rows differ in importance: model-based standard errors, with the"
                " weights scaled to a mean of one, are rough. Use cov_type='HC0'."
            )
        if self.soft and cov_type == "nonrobust":
            notes.append(
                "Soft labels count as proportions of one observation each: model-based"
                " standard errors take them for draws. Use cov_type='HC0'."
            )
        return notes


class Observed(NamedTuple):
    """A fitted model and its data in memory, without a look at its coefficients."""

    model: SoftmaxRegressionClassifier | SoftmaxRegressionClassifierCV
    alpha: float  # strength of the penalty, given or chosen
    terms: list  # names of the features and, last, "intercept"
    sample: object  # the rows with weight, whose weights sum to n
    counts: np.ndarray  # how often each row occurs, (n_rows,)
    kept: np.ndarray  # mask of the user's rows that have weight, (n_samples,)

    @property
    def n_free(self):
        """The number of free parameters."""
        return (self.sample.targets.classes.size - 1) * len(self.terms)


def observe(model, X, y, sample_weight, weights):
    """The `Observed` model and data, or an error if there is no inference for them."""
    parts = take_apart(model)
    model = parts.classifier
    alpha = check_model(model)
    with error_context("X"):
        X = parts.features(X)
    observations = _observations(model, X, y, sample_weight, weights)
    return Observed(model, alpha, term_names(model, names_out(parts)), *observations)


def open_problem(model, X, y, sample_weight, weights, threads):
    """The problem of a model and its data, or an error that says why there is none."""
    observed = observe(model, X, y, sample_weight, weights)
    sample, counts = observed.sample, observed.counts
    targets, importance = sample.targets, sample.targets.s / counts
    problem = problem_at(
        observed.model,
        observed.terms,
        Chunks(sample.X, targets.Y, targets.s, threads),
        targets,
        float(counts.sum()),
        weighted=bool(np.ptp(importance) > 1e-12 * importance.max()),
        soft=bool(((targets.Y > 0.0) & (targets.Y < 1.0)).any()),
    )
    return replace(problem, X=sample.X, counts=counts, kept=observed.kept)


def problem_at(model, terms, chunks, targets, n, *, weighted, soft):
    """The problem at a model's coefficients, from chunks whose weights sum to n."""
    alpha = check_model(model)
    n_free = (targets.classes.size - 1) * len(terms)
    if n_free > LARGEST:
        raise ValueError(
            f"Inference inverts the Hessian, here in {n_free} free parameters; it is"
            f" for up to {LARGEST}. Use fewer columns of X."
        )
    theta = np.column_stack([model.coef_, model.intercept_]).astype(np.float64)
    theta = theta if model.fit_intercept else theta[:, :-1]
    if alpha == 0:
        design = orthonormal_design(chunks, model.fit_intercept, terms)
    else:
        design = scaled_design(chunks, model.fit_intercept)
    likelihood = Likelihood(chunks, design, n * alpha)
    gamma = design.coordinates(theta[:-1] - theta[-1])
    loss, grad, penalised, H = likelihood.derivatives(gamma)
    factor, step = _newton_step(grad, penalised)
    if alpha == 0:
        check_not_separated(likelihood, gamma, step, targets.classes, terms)
    _check_optimum(model, factor, -0.5 * float(np.vdot(grad, step)))
    return Problem(
        model=model,
        alpha=alpha,
        terms=terms,
        targets=targets,
        n=n,
        weighted=weighted,
        soft=soft,
        likelihood=likelihood,
        gamma=gamma,
        loss=loss,
        hessian=H,
        factor=factor,
    )


def _observations(model, X, y, sample_weight, weights):
    """The rows with weight, whose weights sum to n; their counts; and their mask."""
    data = X, y, sample_weight
    sample = check_rows(copy.copy(model), data, classes=model.classes_, reset=False)
    sample = sample.weigh_classes(model.class_weight)
    check_classes(sample.targets)
    kept = sample.targets.s > 0
    counts = counts_of(sample_weight, kept.size, weights)[kept]
    sample = sample.take(kept)
    targets = sample.targets
    s = targets.s / (targets.s.sum() / counts.sum())
    return sample._replace(targets=replace(targets, s=s)), counts, kept


def term_names(model, names):
    """The names, or x0, x1, ... if there are none, and last "intercept"."""
    if names is None:
        names = [f"x{j}" for j in range(model.n_features_in_)]
    return [*map(str, names), *(["intercept"] if model.fit_intercept else [])]


def check_model(model):
    """The alpha of the fit, or an error if there is no inference for the model."""
    if not isinstance(
        model, SoftmaxRegressionClassifier | SoftmaxRegressionClassifierCV
    ):
        raise TypeError(
            "model must be a SoftmaxRegressionClassifier or a"
            " SoftmaxRegressionClassifierCV, or a pipeline or search that ends in one;"
            f" got {type(model).__name__}."
        )
    check_is_fitted(model, "coefs_")
    if len(model.coefs_) > 1:
        raise ValueError(
            "Standard errors need a model without hidden layers; this one has"
            f" hidden_layer_sizes={model.hidden_layer_sizes!r}."
        )
    is_chosen = isinstance(model, SoftmaxRegressionClassifierCV)
    alpha, l1_ratio = model.alpha_, model.l1_ratio_ if is_chosen else model.l1_ratio
    if alpha > 0 and l1_ratio > 0:
        raise ValueError(
            "Estimates with an L1 penalty have no standard errors: they are zero with"
            f" positive probability; model has alpha={alpha}, l1_ratio={l1_ratio}."
        )
    if alpha > 0 and model.penalty_factor is not None:
        raise ValueError(
            "Inference is for models with the same penalty on all features, or none;"
            " this one has penalty_factor. Use alpha=0 or penalty_factor=None."
        )
    if model.label_smoothing:
        raise ValueError(
            "With label_smoothing the coefficients do not maximise the likelihood of"
            f" y; model has label_smoothing={model.label_smoothing}, must be 0."
        )
    return float(alpha)


def check_classes(targets):
    absent = targets.classes[~targets.present].tolist()
    if absent:
        raise ValueError(
            f"The classes {absent} have no weight in y, so their coefficients have no"
            " finite estimate. Fit the model without them."
        )
    if targets.classes.size < 2:
        raise ValueError(
            "Inference needs two classes; the model knows only"
            f" {targets.classes.tolist()}."
        )


def _newton_step(grad, H):
    """The factor of H, or None where H has lost rank, and Newton's step from gamma."""
    try:
        factor = Factor(H)
        return factor, -factor.solve(grad)
    except LinAlgError:
        scale = np.sqrt(np.maximum(np.diag(H), np.finfo(float).tiny))
    regular = H / np.outer(scale, scale)
    regular.flat[:: len(H) + 1] = 1.0 + _HESSIAN_RIDGE
    values, vectors = np.linalg.eigh(regular)
    values = np.maximum(values, _HESSIAN_RIDGE)
    d = vectors @ ((vectors.T @ (grad.ravel() / scale)) / values)
    return None, -(d / scale).reshape(grad.shape)


def _check_optimum(model, factor, decrement):
    """Refuse coefficients that do not maximise the likelihood of these data."""
    if not model.converged_:
        raise ValueError(
            "Standard errors need a model that has converged; this one stopped at an"
            f" optimality of {model.optimality_:.2g} nats. Raise max_iter and fit"
            " again."
        )
    if factor is None or not decrement <= _OFF_OPTIMUM:
        cure = "lower tol and fit again with solver='newton'"
        if model.coefs_[0].dtype == np.float32:
            cure = "fit it on X in double precision: coefs_ are rounded to single"
        raise ValueError(
            "These X, y and sample_weight are not the data that the model was fitted"
            " on, or it stopped short: the log-likelihood is not at its maximum (a"
            f" Newton step would add about {decrement:.2g} nats). Pass the data of the"
            f" fit; if they are, {cure}."
        )
