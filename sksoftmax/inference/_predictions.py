"""Predicted probabilities with standard errors and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._contrasts import contrasts_of, index_of, shown_label
from sksoftmax.inference._covariance import covariance
from sksoftmax.inference._margin_table import MarginTable
from sksoftmax.inference._margins import ProbabilitySums, averages
from sksoftmax.inference._pipeline import take_apart
from sksoftmax.inference._population import population_of
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._profiles import (
    cells_of_profiles,
    logit_interval,
    profile_labels,
    profile_names,
    profile_population,
    row_probabilities,
)
from sksoftmax.inference._scenarios import cells_of
from sksoftmax.inference._tables import check_level, wald_columns


@dataclass(frozen=True, repr=False)
class Predictions(MarginTable):
    """Predicted probabilities, their standard errors and intervals.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Rows of the arrays.
    terms : list of str
        Columns of the arrays: profiles, subgroups and values, or differences of them.
    se : ndarray of shape (n_classes, n_terms)
        Standard errors.
    z, p_value : ndarray of shape (n_classes, n_terms)
        Tests of differences; nan for probabilities.
    conf_int, confidence_level, notes : ndarray, float, list
        As in `Summary`, for probabilities in the place of coefficients.
    index : dict of list
        What the columns are: a list of values of each column of the profiles, or of
        `by` and `at`; they are columns of `to_frame`.
    header : list of tuple
        Pairs of a name and a value, to show above the table.
    probability : ndarray of shape (n_classes, n_terms)
        Probabilities, or their differences.
    is_difference : bool
        Which of the two.
    """

    probability: np.ndarray
    is_difference: bool

    _estimate = "probability"

    @property
    def _title(self):
        if self.is_difference:
            return "Differences of predicted probabilities"
        return "Predicted probabilities"

    @property
    def _tested(self):
        return self.is_difference

    def _heads(self):
        return ["change" if self.is_difference else "prob.", *super()._heads()[1:]]


def predictions(
    model,
    X_profiles: ArrayLike | None,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    average: bool = False,
    at: Mapping | str | None = None,
    by: str | Sequence | ArrayLike | None = None,
    contrasts: str | ArrayLike | None = None,
    cov_type: str = "nonrobust",
    groups: ArrayLike | None = None,
    small_sample: str | None = None,
    weights: str | None = None,
    confidence_level: float = 0.95,
) -> Predictions:
    """Probabilities of each class, with standard errors and intervals in [0, 1].

    Standard errors are those of the delta method. An interval is symmetric on the scale
    of log(p / (1 - p)): its ends are transformed back. Differences of probabilities
    have symmetric intervals.

    Parameters
    ----------
    model : as in `summary`
        The fitted model.
    X_profiles : array-like or data frame of shape (n_profiles, n_features), or None
        Rows to predict, with the columns of X. None stands for X itself.
    X, y, sample_weight : as in `summary`
        The data that the model was fitted on.
    average : bool, default=False
        Whether to average the probabilities over the rows of X_profiles. If these are
        X, their weights count.
    at : dict, data frame or "mean", default=None
        Values to set columns to before averages are taken (predictive margins): a
        value or a list of values for a column, in all combinations, or the rows of a
        data frame. "mean" predicts one row, the mean of X_profiles.
    by : str, list of str or array-like of shape (n_profiles,), default=None
        Columns of X_profiles, or values for its rows, that make subgroups to average
        in.
    contrasts : {"reference", "sequential", "pairwise"} or array-like, default=None
        Differences between the profiles, or between the averages of `at` and `by`: to
        the first, to the one before, of all pairs, or a matrix with a column for each.
    cov_type, groups, small_sample, weights, confidence_level : as in `summary`
        How standard errors and intervals are computed.

    Returns
    -------
    predictions : Predictions
        The probabilities, to print, or as arrays in attributes.

    Raises
    ------
    ValueError, TypeError
        As in `summary`; if X_profiles has other columns than X, a column is unknown,
        or a value no level of its factor.

    See Also
    --------
    marginal_effects : Computes changes of probabilities.
    sksoftmax.plotting.PredictionDisplay : Draws probabilities along a column.

    References
    ----------
    Xu and Long (2005), Confidence intervals for predicted outcomes in regression models
    for categorical outcomes, Stata Journal 5:4.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import predictions
    >>> X, y = load_wine(return_X_y=True)
    >>> X = X[:, :1]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> result = predictions(model, [[12.0], [14.0]], X, y)
    >>> result.probability.round(3)
    array([[0.004, 0.796],
           [0.921, 0.006],
           [0.075, 0.198]])
    >>> result.conf_int[0].round(3)
    array([[0.001, 0.017],
           [0.667, 0.884]])
    """
    level = check_level(confidence_level)
    parts = take_apart(model)
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, weights, threads)
        C = covariance(problem, cov_type, groups, small_sample)
        rows, kept = population_of(problem, parts, X), problem.kept
        if X_profiles is not None:
            rows = profile_population(rows, X_profiles)
            kept = np.ones(rows.s.size, dtype=bool)
        if average or at is not None or by is not None:
            where = "overall" if at is None else at
            cells = cells_of(rows, where, by, kept)
            found = _of_cells(cells, contrasts, C, level, threads)
        elif contrasts is not None:
            found = _of_cells(cells_of_profiles(rows), contrasts, C, level, threads)
        else:
            found = _of_rows(rows, C, level, is_given=X_profiles is not None)
    return Predictions(
        classes=problem.targets.classes,
        notes=problem.notes(cov_type),
        header=[("Observations", f"{problem.n:g}"), ("Covariance", cov_type)],
        **found,
    )


def _of_cells(cells, contrasts, C, level, threads):
    """Averages in cells, or differences of them."""
    R, labels = contrasts_of(contrasts, [cell.labels for cell in cells])
    P, se = (v[:, 0] for v in averages(cells, ProbabilitySums(), R, C, threads))
    columns = wald_columns(P.T, se.T, level)
    if R is None:
        no_test = np.full_like(columns["z"], np.nan)
        ends = logit_interval(P, se, level).transpose(1, 0, 2)
        columns |= {"z": no_test, "p_value": no_test, "conf_int": ends}
    return {
        **columns,
        "probability": P.T,
        "terms": [shown_label(label) or "average" for label in labels],
        "index": index_of(labels),
        "is_difference": R is not None,
    }


def _of_rows(rows, C, level, *, is_given):
    """Probabilities of single rows."""
    P, se, ends = row_probabilities(rows, C, level)
    no_test = np.full_like(P.T, np.nan)
    labels = profile_labels(rows) if is_given else {}
    return {
        "probability": P.T,
        "se": se.T,
        "z": no_test,
        "p_value": no_test,
        "conf_int": ends.transpose(1, 0, 2),
        "confidence_level": level,
        "terms": profile_names(labels, len(P)),
        "index": labels or {"row": np.arange(len(P))},
        "is_difference": False,
    }
