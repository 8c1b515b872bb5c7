"""Residuals, leverage and influence of each row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from sksoftmax._utils.errors import optional_package
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._covariance import find_base, gauge
from sksoftmax.inference._exports import Exports, texts_of
from sksoftmax.inference._leverage import leverage
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._sandwich import working_rows


@dataclass(frozen=True)
class Influence(Exports):
    """Residuals, leverage and influence; a row for each sample, nan without weight.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Columns of the residuals.
    residual : ndarray of shape (n_samples, n_classes)
        y - p, the target minus the probability.
    pearson : ndarray of shape (n_samples, n_classes)
        Residuals divided by their standard deviation, sqrt(p (1 - p) / s) for a row of
        weight s.
    deviance : ndarray of shape (n_samples,)
        sqrt(2 s d), where d is the cross-entropy of the row, less that of its own
        target. The squares add up to the deviance.
    leverage : ndarray of shape (n_samples,)
        Trace of the matrix by which a row takes part in its own logits. They add up to
        the number of coefficients, with a penalty to the effective number.
    cook : ndarray of shape (n_samples,)
        Cook's distance: how far the coefficients move without the row, to first order,
        relative to their covariance and number.
    coef_change : ndarray of shape (n_samples, n_rows, n_terms) or None
        Coefficients less those without the row, to first order.
    """

    classes: np.ndarray
    residual: np.ndarray
    pearson: np.ndarray
    deviance: np.ndarray
    leverage: np.ndarray
    cook: np.ndarray
    coef_change: np.ndarray | None

    @property
    def notes(self):
        """Sentences below the table that is exported: none."""
        return []

    def to_frame(self):
        """Residuals, leverage and influence as a pandas data frame.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each sample. The columns of residuals have the names of classes.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with optional_package("pandas", "inference", caller="to_frame"):
            import pandas as pd
        columns = {}
        for name in ("residual", "pearson"):
            for label, values in zip(self.classes, getattr(self, name).T, strict=True):
                columns[f"{name} {label}"] = values
        for name in ("deviance", "leverage", "cook"):
            columns[name] = getattr(self, name)
        return pd.DataFrame(columns)

    def _texts(self, stars, decimals):
        return texts_of(self.to_frame(), decimals, "sample")


def influence(
    model,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    base: object = None,
    weights: str | None = None,
    coef_change: bool = False,
) -> Influence:
    """Residuals, leverage and influence of each row on the fit.

    What would change without a row is computed without other fits, by one Newton step
    from the optimum.

    Parameters
    ----------
    model, X, y, sample_weight : as in `summary`
        The fitted model, and the data that it was fitted on.
    base : label, default=None
        Class with which the others are compared in `coef_change`, as in `summary`.
    weights : {"frequency", "importance"}, default=None
        As in `summary`. A row of frequency f is left out as a whole.
    coef_change : bool, default=False
        Whether to compute the change of each coefficient (DFBETA), which takes
        n_samples times as many numbers as there are coefficients.

    Returns
    -------
    influence : Influence
        Arrays with an entry for each sample.

    Raises
    ------
    ValueError, TypeError
        As in `summary`.

    See Also
    --------
    hosmer_lemeshow_test : Tests the fit of groups of rows.

    References
    ----------
    Pregibon (1981), Logistic regression diagnostics, Annals of Statistics 9:705.
    Lesaffre and Albert (1989), Multiple-group logistic regression diagnostics, Applied
    Statistics 38:425.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import influence
    >>> X, y = load_wine(return_X_y=True)
    >>> X = X[:, :1]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> rows = influence(model, X, y)
    >>> round(float(rows.leverage.sum()), 6)
    4.0
    >>> int(rows.cook.argmax()), round(float(rows.cook.max()), 3)
    (71, 0.107)
    """
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, weights, threads)
        classes = problem.targets.classes
        G = gauge(classes.size, find_base(classes, base))
        inverse = problem.factor.inverse()
        parts = [
            _of_rows(problem, inverse, (rows, A, P), G if coef_change else None)
            for rows, A, P in working_rows(problem, np.arange(problem.counts.size))
        ]
    columns = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    columns = [_spread(array, problem.kept) for array in columns]
    return Influence(classes, *columns, *([] if coef_change else [None]))


def _spread(values, kept):
    """The values of rows with weight at the places of all samples."""
    spread = np.full((kept.size, *values.shape[1:]), np.nan)
    spread[kept] = values
    return spread


def _of_rows(problem, inverse, some, G):
    """Arrays of `Influence` for some rows, in order; the change if G is not None.

    With e = p - y and r = s (I - H_i)^-1 e, the coefficients gamma change by
    H^-1 X_i^T r if row i is left out.
    """
    rows, A, P = some
    s, Y = problem.targets.s[rows], problem.targets.Y[rows]
    found = leverage(A, P, s, inverse)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = s[:, None] * found.left_out((P - Y)[:, :-1])
        pearson = (Y - P) / np.sqrt(P * (1.0 - P) / s[:, None])
    distance = np.einsum("ij,ijk,ik->i", r, found.A, r) / problem.gamma.size
    excess = np.sum(xlogy(Y, Y) - xlogy(Y, P), axis=1)
    deviance = np.sqrt(2.0 * s * np.maximum(excess, 0.0))
    arrays = [Y - P, pearson, deviance, found.total, distance]
    if G is None:
        return arrays
    steps = (r[:, :, None] * A[:, None, :]).reshape(len(A), -1) @ inverse
    steps = steps.reshape(len(A), *problem.gamma.shape)
    return [*arrays, -(G @ steps @ problem.design.M.T)]
