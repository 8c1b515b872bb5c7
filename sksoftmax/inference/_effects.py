"""Marginal effects: how probabilities change with a feature."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._model.loss import softmax
from sksoftmax._utils.errors import check_choice
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._covariance import covariance, gauge, standard_errors
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._tables import CoefficientTable, check_level, wald_columns


@dataclass(frozen=True, repr=False)
class MarginalEffects(CoefficientTable):
    """Marginal effects with standard errors by the delta method.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Rows of the arrays.
    terms : list of str
        Columns of the arrays: the features.
    se, z, p_value, conf_int, confidence_level, notes : ndarray, float, list
        As in `Summary`, for effects in the place of coefficients.
    effect : ndarray of shape (n_classes, n_features)
        Change of the probability of a class per unit of a feature.
    header : list of tuple
        Pairs of a name and a value, to show above the table.
    """

    effect: np.ndarray
    header: list = field(default_factory=list)

    _title = "Marginal effects on the probabilities"
    _estimate = "effect"

    def _row_title(self, row):
        return f"P(y = {self.classes[row]})"


def marginal_effects(
    model,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    at: str = "overall",
    cov_type: str = "nonrobust",
    groups: ArrayLike | None = None,
    weights: str | None = None,
    confidence_level: float = 0.95,
) -> MarginalEffects:
    """Change of each probability per unit of each feature, with standard errors.

    Effects are derivatives, so every feature is treated as continuous. X is treated as
    fixed.

    Parameters
    ----------
    model, X, y, sample_weight : as in `summary`
        The fitted model, and the data that it was fitted on.
    at : {"overall", "mean"}, default="overall"
        Whether effects are averaged over the samples, or taken at the mean of X.
    cov_type, groups, weights, confidence_level : as in `summary`
        How standard errors and intervals are computed.

    Returns
    -------
    effects : MarginalEffects
        The effects, to print, or as arrays in attributes.

    Raises
    ------
    ValueError, TypeError
        As in `summary`.

    See Also
    --------
    summary : The coefficients themselves.

    References
    ----------
    Greene (2012), Econometric Analysis, 7th edition, section 18.2.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import marginal_effects
    >>> X, y = load_wine(return_X_y=True)
    >>> X = X[:, :1]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> effects = marginal_effects(model, X, y)
    >>> effects.effect.ravel().round(4)
    array([ 0.3348, -0.357 ,  0.0222])
    >>> effects.se.ravel().round(4)
    array([0.0186, 0.0063, 0.0201])
    """
    check_choice("at", at, ("overall", "mean"))
    confidence_level = check_level(confidence_level)
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, weights, threads)
        C = covariance(problem, cov_type, groups)
        effect, J = _effects_and_derivative(problem, at)
    se = standard_errors(J, C).reshape(effect.shape)
    return MarginalEffects(
        classes=problem.targets.classes,
        terms=problem.terms[: effect.shape[1]],
        **wald_columns(effect, se, confidence_level),
        notes=problem.notes(cov_type),
        effect=effect,
        header=[
            ("Observations", f"{problem.n:g}"),
            ("Effects", "mean of samples" if at == "overall" else "at the mean of X"),
            ("Covariance", cov_type),
        ],
    )


def _effects_and_derivative(problem, at):
    """Effects, shape (K, n_features), and d effects.ravel() / d gamma.ravel()."""
    design = problem.design
    n_features = design.centre.size
    n_classes = problem.targets.classes.size
    G = gauge(n_classes)
    B = G @ problem.gamma  # coefficients of the working columns, (K, n_terms)
    W = B @ design.U[:n_features].T  # of the features, (K, n_features)
    chunks, total = problem.likelihood.chunks, problem.targets.total_weight
    if at == "mean":
        mean = chunks.sum(lambda c: c.s @ design.rows(c.X)) / total
        curvature, mixed = _sums(mean[None, :], np.ones(1), B, W)
    else:
        sums = chunks.sum(lambda c: _sums(design.rows(c.X), c.s, B, W))
        curvature, mixed = (term / total for term in sums)
    effect = curvature @ W
    # d effect_kj / d B_lm: through W, and through the probabilities.
    through_W = np.einsum("kl,jm->kjlm", curvature, design.U[:n_features])
    J = (through_W + mixed).reshape(n_classes * n_features, -1)
    return effect, J @ np.kron(G, np.eye(design.U.shape[0]))


def _sums(A, s, B, W):
    """Sums over rows of L = diag(p) - p p^T, (K, K), and of (dL/dz_l W) a_m.

    With e_kj = W_kj - sum_l p_l W_lj the effect of feature j in a row is p_k e_kj. Its
    derivative by the logit z_l is p_k [k = l] e_kj - p_k p_l (e_kj + e_lj).
    """
    P = softmax(A @ B.T)
    sP = P * s[:, None]
    curvature = np.diag(sP.sum(axis=0)) - sP.T @ P
    means = P @ W
    n_classes, n_features = W.shape
    mixed = np.empty((n_classes, n_features, n_classes, A.shape[1]))
    for k in range(n_classes):
        for m in range(k, n_classes):
            pair = (sP[:, k] * P[:, m])[:, None]
            term = -((pair * (W[k] + W[m] - 2.0 * means)).T @ A)
            mixed[k, :, m] = mixed[m, :, k] = term
        mixed[k, :, k] += (sP[:, k, None] * (W[k] - means)).T @ A
    return curvature, mixed
