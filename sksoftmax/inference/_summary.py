"""The summary of a fitted model: coefficients, standard errors, statistics of fit."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._utils.errors import check_choice, error_context
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._contrast_table import ContrastTable
from sksoftmax.inference._covariance import Estimates, covariance, find_base, gauge
from sksoftmax.inference._fit_statistics import FitStatistics, Observations, tjur
from sksoftmax.inference._null_model import constant, null_loglik
from sksoftmax.inference._passes import opened_problem
from sksoftmax.inference._profile import notes_on_ends, profile_intervals
from sksoftmax.inference._tables import check_level, wald_columns


@dataclass(frozen=True, repr=False)
class Summary(FitStatistics, ContrastTable):
    """Coefficients with standard errors, tests and intervals, and statistics of fit.

    Rows of the arrays are classes, without the base class. Columns are terms.

    Parameters
    ----------
    classes : ndarray of shape (n_rows,)
        Class of each row.
    terms : list of str
        Names of the features and, last, "intercept".
    se, z, p_value : ndarray of shape (n_rows, n_terms)
        Standard errors, coef / se, and two-sided p-values.
    conf_int : ndarray of shape (n_rows, n_terms, 2)
        Ends of the confidence intervals.
    confidence_level : float
        Their level.
    notes : list of str
        Limits of the standard errors.
    coef : ndarray of shape (n_rows, n_terms)
        Coefficients.
    base : object
        Label of the base class; None for the mean of all classes.
    estimates : Estimates
        Coefficients and covariance in working coordinates, for tests.
    cov_type : str
        Kind of the covariance, as in `summary`.
    alpha, fit_intercept : float, bool
        Strength of the model's penalty, and whether it has intercepts.
    weighted, soft : bool
        Whether rows differ in importance, and whether targets are probabilities.
    n : float
        Number of observations; with frequency weights their sum.
    df : float
        Number of free coefficients. With a penalty it is the effective number, the
        trace of (H + penalty)^-1 H with the Hessian H of the log-likelihood.
    loglik, loglik_null : float
        Log-likelihood, in nats (natural logarithms), of the model and of constants
        alone. Without a constant the latter is that of equal probabilities.
    constant : ndarray of shape (n_terms,) or None
        Combination of the working columns that is one in all rows, if there is one.
    target_sums : ndarray of shape (n_classes,)
        Number of observations of each class.
    tjur_r2 : dict of float
        Tjur's R2 for each class: the mean probability of the class among its own
        observations minus that among all others.
    interval : str
        Kind of the intervals, as in `summary`.
    exponentiate : bool
        Whether the table shows ratios.
    observations : Observations
        Targets and weights row by row, by which summaries are compared.
    """

    cov_type: str
    alpha: float
    fit_intercept: bool
    weighted: bool
    soft: bool
    n: float
    df: float
    loglik: float
    loglik_null: float
    constant: np.ndarray | None = field(repr=False)
    target_sums: np.ndarray
    tjur_r2: dict
    interval: str
    exponentiate: bool
    observations: Observations = field(repr=False)

    _title = "Softmax regression"

    def _shown(self):
        if self.exponentiate:
            return "ratio", self.ratio, self.ratio_se, self.ratio_conf_int
        return super()._shown()


def summary(
    model,
    X: ArrayLike,
    y: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    base: object = None,
    cov_type: str = "nonrobust",
    groups: ArrayLike | None = None,
    small_sample: str | None = None,
    weights: str | None = None,
    interval: str = "wald",
    confidence_level: float = 0.95,
    exponentiate: bool = False,
    feature_names: ArrayLike | None = None,
) -> Summary:
    """Standard errors, tests and intervals of a fitted softmax regression.

    Parameters
    ----------
    model : SoftmaxRegressionClassifier or SoftmaxRegressionClassifierCV
        Fitted without hidden layers. With alpha > 0 standard errors come from the
        penalised curvature, and the summary says so. A chosen alpha counts as given.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or batches
        The data that `model` was fitted on, wherever `fit` takes them from. Data that
        are not in memory are read in passes.
    y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        Its targets. Soft labels count as proportions; use cov_type="HC0" for them. None
        only where X has batches.
    sample_weight : array-like of shape (n_samples,), default=None
        Its weights.
    base : label, default=None
        Class with which the others are compared. None compares each class with the
        mean of all: the coefficients are then `model.coef_`.
    cov_type : {"nonrobust", "HC0", "HC1", "HC2", "HC3", "cluster"}, \
            default="nonrobust"
        "nonrobust" is the inverse of the Hessian. "HC0" is the sandwich, which holds
        even if the model is wrong, and "HC1" is HC0 times n / (n - df). "HC2" and "HC3"
        divide the residuals of each row by the root of one minus its leverage, or by
        all of it; HC3 is the jackknife to first order. "cluster" adds up scores in G
        groups first; its factor is G / (G - 1) * (n - 1) / (n - df), and it needs X in
        memory.
    groups : array-like of shape (n_samples,) or (n_samples, 2), default=None
        Clusters, for cov_type="cluster". Two columns are clusters of two ways: rows
        that share either may depend on each other.
    small_sample : {"R", "Stata", "statsmodels"}, default=None
        Whose factors "HC1" and "cluster" have, if not those above: R's sandwich
        (n / (n - df), and G / (G - 1)), Stata's (n / (n - 1), and G / (G - 1)), or
        statsmodels' (none, and as above). The other kinds have no factor.
    weights : {"frequency", "importance"}, default=None
        A frequency weight is the number of equal observations that a row stands for,
        and n is their sum. An importance weight, as in samples drawn with known
        probabilities, is how much a row counts: n is the number of rows, and the
        weights are scaled to a mean of one. None takes fractions for importance, and
        asks about whole numbers above one. Class weights are always importance.
    interval : {"wald", "profile"}, default="wald"
        Intervals are coef -+ quantile * se, or those of the profile likelihood, which
        need not be symmetric and are better in small samples. An end that is not found
        is infinite or nan, and a note says so.
    confidence_level : float, default=0.95
        Level of the intervals, in (0, 1).
    exponentiate : bool, default=False
        Whether the table shows relative risk ratios, exp(coef), with their standard
        errors by the delta method and exp of the ends of the intervals. z and p are
        those of the coefficients. The attributes `coef`, `se` and `conf_int` stay as
        they are; `ratio`, `ratio_se` and `ratio_conf_int` are the ratios.
    feature_names : array-like of shape (n_features,), default=None
        Names of the columns of X, for the table. None takes those of a data frame, or
        x0, x1 and so on.

    Returns
    -------
    summary : Summary
        To print, or to show in a notebook. Its numbers are attributes.

    Raises
    ------
    ValueError, TypeError
        If the model has hidden layers, an L1 penalty or label smoothing, has not
        converged or was fitted on other data; if classes are separated or without
        weight; if columns are linearly dependent; or if a parameter is invalid.

    See Also
    --------
    wald_test : Tests joint hypotheses on the coefficients.
    likelihood_ratio_test : Compares nested models.
    marginal_effects : Computes how probabilities change with features.

    References
    ----------
    White (1982), Maximum likelihood estimation of misspecified models, Econometrica
    50:1. MacKinnon and White (1985), Some heteroskedasticity-consistent covariance
    matrix estimators with improved finite sample properties, Journal of Econometrics
    29:305 (HC2, HC3). Cameron, Gelbach and Miller (2011), Robust inference with
    multiway clustering, JBES 29:238. Venzon and Moolgavkar (1988), A method for
    computing profile-likelihood-based confidence intervals, Applied Statistics 37:87.
    Gray (1992), Flexible methods for analyzing survival data using splines, JASA 87:942
    (effective degrees of freedom).

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import summary
    >>> X, y = load_wine(return_X_y=True)
    >>> X = X[:, :1]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> result = summary(model, X, y, base=0)
    >>> result.coef.round(3)
    array([[-5.225, 68.227],
           [-2.209, 29.536]])
    >>> result.se.round(3)
    array([[0.699, 9.129],
           [0.481, 6.485]])
    """
    confidence_level = check_level(confidence_level)
    _check_interval(interval, cov_type)
    data = X, y, sample_weight
    with (
        fit_threads() as threads,
        opened_problem(model, *data, weights, threads) as problem,
    ):
        problem = _renamed(problem, feature_names)
        number = find_base(problem.targets.classes, base)
        estimates = Estimates(
            problem.gamma,
            covariance(problem, cov_type, groups, small_sample),
            problem.design.M,
            gauge(problem.targets.classes.size, number),
        )
        columns = wald_columns(estimates.coef, estimates.se, confidence_level)
        classes = np.delete(problem.targets.classes, [] if number is None else number)
        notes = problem.notes(cov_type)
        if interval == "profile":
            ends = profile_intervals(problem, estimates, confidence_level)
            columns["conf_int"] = ends
            notes += notes_on_ends(ends, classes, problem.terms)
        fit_statistics = _fit_statistics(problem)
    return Summary(
        classes=classes,
        terms=problem.terms,
        coef=estimates.coef,
        **columns,
        **fit_statistics,
        notes=notes,
        base=base,
        cov_type=cov_type,
        fit_intercept=bool(problem.model.fit_intercept),
        interval=interval,
        exponentiate=bool(exponentiate),
        estimates=estimates,
    )


def _fit_statistics(problem):
    """The fields of a summary that do not depend on base and interval."""
    c = constant(problem)
    classes = problem.targets.classes
    return {
        "alpha": problem.alpha,
        "weighted": problem.weighted,
        "soft": problem.soft,
        "n": problem.n,
        "df": _degrees_of_freedom(problem),
        "loglik": -problem.loss,
        "loglik_null": null_loglik(problem, c),
        "constant": c,
        "target_sums": problem.targets.mass,
        "tjur_r2": dict(zip(classes.tolist(), tjur(problem).tolist(), strict=True)),
        "observations": Observations.of(problem),
    }


def _renamed(problem, feature_names):
    """The problem with names of features that the user gives."""
    if feature_names is None:
        return problem
    with error_context("feature_names"):
        names = [str(name) for name in np.asarray(feature_names).ravel()]
    n_features = problem.design.centre.size
    terms = [*names, *problem.terms[n_features:]]
    if len(names) != n_features or len(set(terms)) < len(terms):
        raise ValueError(
            f"feature_names must be {n_features} different names, one for each column"
            f" of X, and none of them that of the intercept; got {names}."
        )
    return replace(problem, terms=terms)


def _check_interval(interval, cov_type):
    check_choice("interval", interval, ("wald", "profile"))
    if interval == "profile" and cov_type != "nonrobust":
        raise ValueError(
            "interval='profile' needs cov_type='nonrobust', because it relies on the"
            f" likelihood; got cov_type={cov_type!r}."
        )


def _degrees_of_freedom(problem):
    if problem.alpha == 0:
        return float(problem.gamma.size)
    return float(np.vdot(problem.factor.inverse(), problem.hessian))
