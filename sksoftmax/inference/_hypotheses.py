"""Wald's test of linear hypotheses, and the likelihood-ratio test of nested models."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from sksoftmax._utils.errors import error_context, optional_package
from sksoftmax.inference._exports import Exports, starred
from sksoftmax.inference._tables import as_text

# A combination of hypotheses is redundant below this fraction of the largest one.
_REDUNDANT = 1e-9

# Eigenvalues of a covariance below this fraction of the largest are rounding, as those
# beyond the number of clusters.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class HypothesisTest(Exports):
    """Result of a test with a statistic that is chi-squared under the hypothesis.

    Parameters
    ----------
    statistic, df : float, int
        The statistic and its degrees of freedom.
    p_value : float
        Probability of a larger statistic under the hypothesis.
    name : str
        What was tested.
    """

    statistic: float
    df: int
    p_value: float
    name: str

    @property
    def notes(self):
        """Sentences below the table that a test exports: none."""
        return []

    def to_frame(self):
        """The test as a pandas data frame of one row.

        Returns
        -------
        frame : pandas.DataFrame
            Its columns are statistic, df and p_value, its index the name.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with optional_package("pandas", "inference", caller="to_frame"):
            import pandas as pd
        columns = {
            name: [getattr(self, name)] for name in ("statistic", "df", "p_value")
        }
        return pd.DataFrame(columns, index=pd.Index([self.name], name="test"))

    def _texts(self, stars, decimals):
        import pandas as pd

        shown = starred(as_text(self.statistic, decimals), self.p_value, stars)
        line = [self.name, shown, f"{self.df}", as_text(self.p_value, decimals)]
        return pd.DataFrame([line], columns=["test", "chi2", "df", "p"]), 1

    def __str__(self):
        shown = "p < 0.0001" if self.p_value < 1e-4 else f"p = {self.p_value:.4f}"
        return f"{self.name}: chi2({self.df}) = {self.statistic:.4f}, {shown}"


def chi_squared(statistic, df, name):
    """The result for a statistic with df degrees of freedom."""
    return HypothesisTest(float(statistic), int(df), float(chdtrc(df, statistic)), name)


def wald_test(
    summary, hypothesis: str | ArrayLike, value: ArrayLike = 0.0
) -> HypothesisTest:
    """Wald's test of a joint linear hypothesis on the coefficients.

    Parameters
    ----------
    summary : Summary
        Result of `summary`; its covariance is used.
    hypothesis : str, list of str or array-like of shape (n_hypotheses, coef.size)
        Names of terms: they have no effect if their coefficients are the same for all
        classes. Or a matrix R with R coef = value, for `summary.coef` row by row.
    value : float or array-like of shape (n_hypotheses,), default=0.0
        The right-hand side; only with a matrix.

    Returns
    -------
    test : HypothesisTest
        The degrees of freedom do not count hypotheses that follow from others, so the
        base class does not matter.

    Raises
    ------
    ValueError, TypeError
        If a term is unknown, R or the value has the wrong shape or is not finite,
        hypotheses contradict each other, or `summary` is no summary.

    See Also
    --------
    likelihood_ratio_test : Tests the same by a second fit.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import summary, wald_test
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[50:, :2], y[50:]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> print(wald_test(summary(model, X, y), "x1"))
    No effect of x1: chi2(1) = 0.2200, p = 0.6391
    """
    _check_summary("summary", summary, attribute="covariance")
    estimates = summary.estimates
    if names := _names_in(hypothesis):
        R, name = _term_contrasts(summary, names), f"No effect of {', '.join(names)}"
        missed = R @ estimates.gamma.ravel()
        if np.any(value):
            raise ValueError("value needs a matrix of hypotheses, not names of terms.")
    else:
        R = np.atleast_2d(_finite("hypothesis", hypothesis))
        name = f"{len(R)} linear hypotheses" if len(R) > 1 else "Linear hypothesis"
        n_coef = summary.coef.size
        if R.ndim != 2 or R.shape[1] != n_coef:
            raise ValueError(
                f"hypothesis must have {n_coef} columns, one for each entry of"
                f" summary.coef; got shape {R.shape}."
            )
        with error_context("value"):
            value = np.broadcast_to(_finite("value", value), len(R))
        missed = R @ summary.coef.ravel() - value
        R = R @ np.kron(estimates.G, estimates.M)
    return chi_squared(*wald_statistic(R, missed, estimates.C), name)


def _names_in(hypothesis):
    """The names of terms in a hypothesis; an empty list if it is a matrix."""
    with error_context("hypothesis"):
        names = np.atleast_1d(np.asarray(hypothesis))
    is_list = names.ndim == 1 and all(isinstance(name, str) for name in names)
    return names.tolist() if is_list else []


def _finite(name, values):
    """The values as finite floats."""
    with error_context(name):
        values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite.")
    return values


def _check_summary(name, summary, *, attribute):
    """Refuse what `summary` did not return; the module of Summary imports this one."""
    if not hasattr(type(summary), attribute):
        raise TypeError(
            f"{name} must be a result of summary, got {type(summary).__name__}."
        )


def _term_contrasts(summary, names):
    """R in working coordinates, for contrasts of the terms that are all zero."""
    unknown = [name for name in names if name not in summary.terms]
    if unknown:
        raise ValueError(
            f"hypothesis must name terms among {summary.terms}, got {names}."
        )
    rows = [summary.terms.index(name) for name in names]
    estimates = summary.estimates
    return np.kron(np.eye(estimates.gamma.shape[0]), estimates.M[rows])


def wald_statistic(R, missed, C):
    """Wald's statistic missed^T (R C R^T)^-1 missed, and the rank of R C R^T."""
    values, vectors = np.linalg.eigh(C)
    values[values < _ROUNDING * values[-1]] = 0.0
    B = R @ (vectors * np.sqrt(values))
    size = np.sqrt(np.einsum("ij,ij->i", B, B))
    if not (size > 0.0).all():
        raise ValueError("Each hypothesis must involve an estimated coefficient.")
    B, missed = B / size[:, None], missed / size
    U, singular, _ = np.linalg.svd(B, full_matrices=False)
    rank = int(np.count_nonzero(singular > _REDUNDANT * singular[0]))
    along = U[:, :rank].T @ missed
    left = missed - U[:, :rank] @ along
    if np.abs(left).max() > 1e-6 * max(1.0, np.abs(missed).max()):
        if np.linalg.matrix_rank(R / np.linalg.norm(R, axis=1)[:, None]) > rank:
            raise ValueError(
                f"The covariance of {len(R)} hypotheses has rank {rank}, as with few"
                " clusters. Test fewer hypotheses at once, or take another cov_type."
            )
        raise ValueError("The hypotheses contradict each other.")
    with np.errstate(over="ignore"):  # such a statistic is infinite
        return float(np.sum(np.square(along / singular[:rank]))), rank


def likelihood_ratio_test(restricted, full) -> HypothesisTest:
    """Likelihood-ratio test of two nested models, fitted to the same y and weights.

    Parameters
    ----------
    restricted : Summary
        Result of `summary` for the smaller model.
    full : Summary
        That for the larger model, of which the smaller one is a special case.

    Returns
    -------
    test : HypothesisTest
        Twice the difference of the log-likelihoods, chi-squared with the difference of
        the numbers of coefficients if the smaller model holds.

    Raises
    ------
    ValueError, TypeError
        If one is no summary; if there is a penalty, or there are importance weights,
        soft labels or clusters; if the targets or weights of a row differ; or if the
        models cannot be nested.

    See Also
    --------
    wald_test : Tests the same with the larger model alone.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import likelihood_ratio_test, summary
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[50:, :2], y[50:]
    >>> model = SoftmaxRegressionClassifier(alpha=0)
    >>> full = summary(model.fit(X, y), X, y)
    >>> restricted = summary(model.fit(X[:, :1], y), X[:, :1], y)
    >>> print(likelihood_ratio_test(restricted, full))
    Likelihood ratio: chi2(1) = 0.2208, p = 0.6384
    """
    for name, summary in (("restricted", restricted), ("full", full)):
        _check_summary(name, summary, attribute="not_valid")
        if summary.alpha > 0:
            raise ValueError(
                "The likelihood ratio has no chi-squared distribution with a penalty;"
                f" {name} has alpha={summary.alpha}, must be 0."
            )
        if summary.not_valid:
            raise ValueError(
                f"{name} has {summary.not_valid}, and then the likelihood ratio has no"
                " chi-squared distribution; use wald_test with a robust cov_type."
            )
    difference = restricted.observations.difference(full.observations)
    if difference:
        raise ValueError(
            "restricted and full must have the same y and weights, row by row:"
            f" {difference}."
        )
    df = full.estimates.gamma.size - restricted.estimates.gamma.size
    statistic = 2.0 * (full.loglik - restricted.loglik)
    if df <= 0 or statistic < -1e-6:
        raise ValueError(
            "restricted must be a special case of full, with fewer coefficients and no"
            f" higher log-likelihood; the numbers of coefficients are"
            f" {restricted.estimates.gamma.size} and {full.estimates.gamma.size}, the"
            f" log-likelihoods {restricted.loglik:.6f} and {full.loglik:.6f}."
        )
    return chi_squared(max(statistic, 0.0), df, "Likelihood ratio")
