"""A fitted model and the data it was fitted on, checked against each other.

Of each row it is asked how often it occurs (its count) and how much it matters (its
importance); their product is the weight that it had in the fit. Only counts make n.
"""

import copy
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError
from sklearn.utils.validation import check_is_fitted

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._classifier_cv import SoftmaxRegressionClassifierCV
from sksoftmax._data.chunks import Chunks
from sksoftmax._data.targets import Targets, check_weights, is_soft
from sksoftmax._data.validation import check_rows
from sksoftmax._utils.errors import check_choice
from sksoftmax.inference._design import orthonormal_design, scaled_design
from sksoftmax.inference._likelihood import Factor, Likelihood
from sksoftmax.inference._separation import check_not_perfect, check_not_separated

WEIGHTS = ("frequency", "importance")

# Free parameters up to which the inverse of the Hessian is formed: 0.8 GB.
LARGEST = 10_000

# Half the squared Newton decrement, in nats over all rows, above which coefficients are
# not at the optimum of these data: estimates are then up to 0.014 standard errors off.
# A single row left out of 10,000 with 10 parameters makes 5e-4.
_OFF_OPTIMUM = 1e-4

# Observations, as the sum of frequencies, below which their number has no inverse.
_FEWEST = 1e-300

# Added to the unit diagonal of a Hessian that has lost rank to separation.
_HESSIAN_RIDGE = 1e-10


@dataclass(frozen=True)
class Problem:
    """What all inference starts from.

    Attributes
    ----------
    model : SoftmaxRegressionClassifier or SoftmaxRegressionClassifierCV
    alpha : float
        Strength of the penalty, given or chosen.
    terms : list of str
        Names of the features and, last, "intercept".
    X : {ndarray, CSR} of shape (n_rows, n_features)
        The rows with weight.
    targets : Targets
        Y and weights s of these rows; s sums to n.
    counts : ndarray of shape (n_rows,)
        How often each row occurs.
    kept : ndarray of shape (n_samples,)
        Mask of the rows of what the user passed that have weight.
    weighted : bool
        Whether rows differ in importance.
    soft : bool
        Whether y has soft labels.
    likelihood : Likelihood
    gamma : ndarray of shape (K - 1, n_terms)
        The coefficients, in working coordinates.
    loss : float
        Minus the log-likelihood, without the penalty.
    hessian : ndarray
        Of the loss without the penalty.
    factor : Factor
        Of the Hessian with the penalty.
    """

    model: SoftmaxRegressionClassifier | SoftmaxRegressionClassifierCV
    alpha: float
    terms: list
    X: object
    targets: Targets
    counts: np.ndarray
    kept: np.ndarray
    weighted: bool
    soft: bool
    likelihood: Likelihood
    gamma: np.ndarray
    loss: float
    hessian: np.ndarray
    factor: Factor

    @property
    def alpha_is_chosen(self):
        """Whether these data have chosen alpha."""
        return isinstance(self.model, SoftmaxRegressionClassifierCV)

    @property
    def n(self):
        """Number of observations: the sum of the counts."""
        return float(self.counts.sum())

    @property
    def design(self):
        """The working coordinates."""
        return self.likelihood.design

    @property
    def classes(self):
        """Labels of the classes."""
        return self.targets.classes


def open_problem(model, X, y, sample_weight, weights, threads):
    """Check model and data, and form the Hessian at the coefficients.

    Raises
    ------
    ValueError, TypeError
        If the model has no likelihood inference, or these are not its data.
    """
    alpha = _check_model(model)
    check_choice("weights", weights, WEIGHTS)
    sample, counts, kept = _observations(model, X, y, sample_weight, weights)
    targets, n = sample.targets, counts.sum()
    importance = targets.s / counts
    terms = term_names(model)
    _check_size((targets.classes.size - 1) * len(terms))
    chunks = Chunks(sample.X, targets.Y, targets.s, threads)
    theta = np.column_stack([model.coef_, model.intercept_]).astype(np.float64)
    theta = theta if model.fit_intercept else theta[:, :-1]
    if alpha == 0:
        check_not_perfect(model, chunks, targets)
        design = orthonormal_design(chunks, model.fit_intercept, terms)
    else:
        design = scaled_design(chunks, model.fit_intercept)
    likelihood = Likelihood(chunks, design, n * alpha)
    gamma = design.coordinates(theta[:-1] - theta[-1])
    _, grad, H, penalised = likelihood.derivatives(gamma)
    factor, step = _newton_step(grad, penalised)
    if alpha == 0:
        check_not_separated(likelihood, gamma, H, step, targets.classes, terms)
    _check_optimum(model, factor, -0.5 * float(np.vdot(grad, step)))
    return Problem(
        model=model,
        alpha=alpha,
        terms=terms,
        X=sample.X,
        targets=targets,
        counts=counts,
        kept=kept,
        weighted=bool(np.ptp(importance) > 1e-12 * importance.max()),
        soft=is_soft(y),
        likelihood=likelihood,
        gamma=gamma,
        loss=Likelihood(chunks, design, 0.0).value(gamma),
        hessian=H,
        factor=factor,
    )


def _check_size(n_free):
    if n_free > LARGEST:
        raise ValueError(
            f"Inference inverts the Hessian, here in {n_free} free parameters; it is"
            f" for up to {LARGEST}. Use fewer columns of X."
        )


def _observations(model, X, y, sample_weight, weights):
    """The rows with weight, weights scaled to sum to n; counts; and which rows."""
    data = X, y, sample_weight
    sample = check_rows(copy.copy(model), data, classes=model.classes_, reset=False)
    sample = sample.weigh_classes(model.class_weight)
    _check_classes(sample.targets)
    kept = sample.targets.s > 0
    sample = sample.take(kept)
    targets = sample.targets
    counts = np.ones(targets.s.size)
    if weights == "frequency":
        counts = check_weights(sample_weight, kept.size)[kept]
        if counts.sum() < _FEWEST:
            raise ValueError(
                f"sample_weight sums to {counts.sum():g} observations; pass"
                " weights='importance' if only the ratios count."
            )
    s = targets.s / (targets.s.sum() / counts.sum())
    return sample._replace(targets=replace(targets, s=s)), counts, kept


def term_names(model):
    """Names of features, x0, x1, ... where X had none, and "intercept" last."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"x{j}" for j in range(model.n_features_in_)]
    return [*map(str, names), *(["intercept"] if model.fit_intercept else [])]


def _check_model(model):
    """Whether there is inference for such a model; the alpha of its fit."""
    kinds = SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
    if not isinstance(model, kinds):
        raise TypeError(
            "model must be a SoftmaxRegressionClassifier or a"
            f" SoftmaxRegressionClassifierCV, got {type(model).__name__}. Of a"
            " pipeline pass the last step, with the X that reaches it."
        )
    check_is_fitted(model, "coefs_")
    if len(model.coefs_) > 1:
        raise ValueError(
            "Standard errors need a model without hidden layers; this one has"
            f" hidden_layer_sizes={model.hidden_layer_sizes!r}."
        )
    alpha, l1_ratio = _penalty(model)
    if alpha > 0 and l1_ratio > 0:
        raise ValueError(
            "Estimates with an L1 penalty have no standard errors: they are zero with"
            f" positive probability; model has alpha={alpha},"
            f" l1_ratio={l1_ratio}."
        )
    if model.label_smoothing:
        raise ValueError(
            "With label_smoothing the coefficients do not maximise the likelihood of"
            f" y; model has label_smoothing={model.label_smoothing}, must be 0."
        )
    return float(alpha)


def _penalty(model):
    """alpha and l1_ratio of the fit."""
    if isinstance(model, SoftmaxRegressionClassifierCV):
        return model.alpha_, model.l1_ratio_
    return model.alpha, model.l1_ratio


def _check_classes(targets):
    if targets.present.all():
        if targets.classes.size > 1:
            return
        raise ValueError(
            "Inference needs two classes; the model knows only"
            f" {targets.classes.tolist()}."
        )
    raise ValueError(
        f"The classes {targets.classes[~targets.present].tolist()} have no weight in y,"
        " so their coefficients have no finite estimate. Fit the model without them."
    )


def _newton_step(grad, H):
    """Newton's step from gamma, and the factor of H, None where H has lost rank."""
    try:
        factor = Factor(H)
    except LinAlgError:
        return None, _regular_step(grad, H)
    return factor, -factor.solve(grad)


def _check_optimum(model, factor, decrement):
    """Whether gamma is a maximum of the likelihood of these data."""
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


def _regular_step(grad, H):
    """Newton's step where some curvature has vanished."""
    scale = np.sqrt(np.maximum(np.diag(H), np.finfo(float).tiny))
    regular = H / np.outer(scale, scale)
    regular.flat[:: len(H) + 1] = 1.0 + _HESSIAN_RIDGE
    values, vectors = np.linalg.eigh(regular)
    values = np.maximum(values, _HESSIAN_RIDGE)
    d = vectors @ ((vectors.T @ (grad.ravel() / scale)) / values)
    return -(d / scale).reshape(grad.shape)
