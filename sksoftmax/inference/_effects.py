"""Average marginal effects: how probabilities change with a feature."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._data.arrays import dense_with_ones
from sksoftmax._model.loss import softmax
from sksoftmax._utils.errors import check_choice
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._covariance import check_groups, covariance, gauge
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._tables import (
    CoefficientTable,
    check_level,
    notes_of,
    wald_columns,
)

AT = ("overall", "mean")


@dataclass(frozen=True, repr=False)
class MarginalEffects(CoefficientTable):
    """Marginal effects with standard errors by the delta method.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Rows of the arrays.
    terms : list of str
        Columns of the arrays: the features.
    se, z, p_value : ndarray of shape (n_classes, n_features)
        Standard errors, effect / se, and two-sided p-values.
    conf_int : ndarray of shape (n_classes, n_features, 2)
        Ends of the confidence intervals.
    confidence_level : float
        Their level.
    notes : list of str
        What stands below the table.
    effect : ndarray of shape (n_classes, n_features)
        Change of the probability of a class per unit of a feature.
    header : list of tuple
        What stands above the table: pairs of a name and a value.
    """

    effect: np.ndarray
    header: list = field(default_factory=list)

    _title = "Marginal effects on the probabilities"
    _estimate = "effect"

    @property
    def estimate(self):
        """The effects, under the name that all tables share."""
        return self.effect

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
    weights: str = "frequency",
    confidence_level: float = 0.95,
) -> MarginalEffects:
    """Change of each probability per unit of each feature, with standard errors.

    Every feature counts as continuous: effects are derivatives. X counts as fixed.

    Parameters
    ----------
    model : SoftmaxRegressionClassifier or SoftmaxRegressionClassifierCV
        Fitted without hidden layers.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data that `model` was fitted on.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Its targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Its weights.
    at : {"overall", "mean"}, default="overall"
        Whether effects are averaged over the samples, or taken at the mean of X.
    cov_type : {"nonrobust", "HC0", "HC1", "cluster"}, default="nonrobust"
        Covariance of the coefficients, as in `summary`.
    groups : array-like of shape (n_samples,), default=None
        Clusters, for cov_type="cluster".
    weights : {"frequency", "importance"}, default="frequency"
        What sample weights mean, as in `summary`.
    confidence_level : float, default=0.95
        Level of the intervals, in (0, 1).

    Returns
    -------
    effects : MarginalEffects
        The effects, to print or as arrays.

    Raises
    ------
    ValueError, TypeError
        As `summary`.

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
    check_choice("at", at, AT)
    confidence_level = check_level(confidence_level)
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, weights, threads)
        groups = check_groups(groups, cov_type, problem.kept.size)
        C = covariance(problem, cov_type, groups)
        effect, J = _effects_and_derivative(problem, at)
    variances = np.einsum("ij,ij->i", J @ C, J)
    se = np.sqrt(np.maximum(variances, 0.0)).reshape(effect.shape)
    return MarginalEffects(
        classes=problem.classes,
        terms=problem.terms[: effect.shape[1]],
        se=se,
        **wald_columns(effect, se, confidence_level),
        confidence_level=confidence_level,
        notes=notes_of(problem, cov_type),
        effect=effect,
        header=[
            ("Observations", f"{problem.n:g}"),
            ("Effects", "mean of samples" if at == "overall" else "at the mean of X"),
            ("Covariance", cov_type),
        ],
    )


def _effects_and_derivative(problem, at):
    """Effects, shape (K, n_features), and d effects / d gamma, all sizes in a row."""
    design = problem.design
    n_features = design.centre.size
    n_classes = problem.classes.size
    G = gauge(n_classes, None)
    B = G @ problem.gamma  # coefficients of the working columns, (K, n_terms)
    W = B @ design.U[:n_features].T  # of the features, (K, n_features)
    if at == "mean":
        mean = _mean_row(problem)
        parts = _sums(mean, np.ones(1), B, W)
        total = 1.0
    else:
        parts = problem.likelihood.chunks.sum(_chunk_sums, design, B, W)
        total = problem.targets.total_weight
    curvature, mixed = (part / total for part in parts)
    effect = curvature @ W
    # d effect_kj / d B_lm: through W, and through the probabilities.
    through_W = np.einsum("kl,jm->kjlm", curvature, design.U[:n_features])
    J = (through_W + mixed).reshape(n_classes * n_features, -1)
    return effect, J @ np.kron(G, np.eye(design.U.shape[0]))


def _mean_row(problem):
    """The working row of the weighted mean of X."""
    design = problem.design
    mean = problem.likelihood.chunks.sum(_chunk_rows, design)
    return mean[None, :] / problem.targets.total_weight


def _chunk_rows(chunk, design):
    rows = dense_with_ones(chunk.X, design.centre, design.ones)
    return chunk.s @ rows @ design.U


def _chunk_sums(chunk, design, B, W):
    return _sums(design.rows(chunk.X), chunk.s, B, W)


def _sums(A, s, B, W):
    """Sums over rows of L = diag(p) - p p^T, (K, K), and of (dL/dz_l W) a_m.

    With e_kj = W_kj - sum_l p_l W_lj, the effect of feature j in a row is p_k e_kj, and
    its derivative by the logit z_l is p_k [k = l] e_kj - p_k p_l (e_kj + e_lj).
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
