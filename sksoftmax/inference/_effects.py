"""Marginal effects: how probabilities change with a column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._changes import changes_of, factors_of_columns
from sksoftmax.inference._contrasts import contrasts_of, index_of, shown_label
from sksoftmax.inference._covariance import covariance
from sksoftmax.inference._margin_table import MarginTable
from sksoftmax.inference._margins import ELASTICITIES, ChangeSums, averages
from sksoftmax.inference._pipeline import take_apart
from sksoftmax.inference._population import population_of
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._scenarios import cells_of
from sksoftmax.inference._tables import check_level, wald_columns

# What tables call the four kinds of derivatives.
_DERIVATIVES = {False: "dP/dx", "eyex": "eyex", "eydx": "eydx", "dyex": "dyex"}


@dataclass(frozen=True, repr=False)
class MarginalEffects(MarginTable):
    """Marginal effects with standard errors by the delta method.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Rows of the arrays.
    terms : list of str
        Columns of the arrays: variables, with what is compared and where.
    se, z, p_value, conf_int, confidence_level, notes : ndarray, float, list
        As in `Summary`, for effects in the place of coefficients.
    index : dict of list
        What the terms are: "variable" and "contrast", and the subgroups and values at
        which effects were taken. They are columns of `to_frame`.
    header : list of tuple
        Pairs of a name and a value, to show above the table.
    effect : ndarray of shape (n_classes, n_terms)
        Change of the probability of a class.
    cells : list of str
        Names of the subgroups and values; each variable has a term for each of them.
    """

    effect: np.ndarray
    cells: list

    _title = "Marginal effects on the probabilities"
    _estimate = "effect"

    def _sections(self):
        """One for each class in each cell."""
        n = len(self.cells)
        for title, terms, numbers in super()._sections():
            for number, cell in enumerate(self.cells):
                own = [term.removesuffix(f" [{cell}]") for term in terms[number::n]]
                shown = f"{title}, {cell}" if cell else title
                yield shown, own, numbers[number::n]


def marginal_effects(
    model,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    at: str | Mapping = "overall",
    discrete: str | bool | Sequence | Mapping = "auto",
    by: str | Sequence | ArrayLike | None = None,
    contrasts: str | ArrayLike | None = None,
    elasticity: bool | str = False,
    groups_of_columns: Mapping | None = None,
    cov_type: str = "nonrobust",
    groups: ArrayLike | None = None,
    small_sample: str | None = None,
    weights: str | None = None,
    confidence_level: float = 0.95,
) -> MarginalEffects:
    """How much each probability changes with each column of X, with standard errors.

    The effect of a number is a derivative, the change per unit. That of a column of
    zeros and ones is the difference between one and zero, and that of a factor the
    difference between each level and the first. X is treated as fixed.

    Effects are those of the columns of X that you pass. The steps of a pipeline, or a
    formula, may make several columns of one: a dummy for each level, powers,
    interactions. They change together. A derivative through the steps of a pipeline is
    a central difference.

    Parameters
    ----------
    model, X, y, sample_weight : as in `summary`
        The fitted model, and the data that it was fitted on.
    at : {"overall", "mean"}, dict or data frame, default="overall"
        Where effects are taken: averaged over the samples, or at the mean of X (for a
        factor its most frequent level). A dict sets columns to a value, or to each of
        a list of values, in all combinations; each row of a data frame sets the columns
        that it has. Effects are then averaged over the samples with these values.
    discrete : {"auto"}, False, list of columns or dict, default="auto"
        Which numbers change by a step in the place of a derivative: by "auto" the
        columns of zeros and ones, by False none, else the listed columns, by one. A
        dict adds to "auto" a step for a column: "unit", "sd" for its standard
        deviation, a number, or a pair of values to go between.
    by : str, list of str or array-like of shape (n_samples,), default=None
        Columns of X, or values for the samples, that make subgroups; effects are
        averaged in each.
    contrasts : {"reference", "sequential", "pairwise"} or array-like, default=None
        Differences between the subgroups and values of `by` and `at`: to the first, to
        the one before, of all pairs, or a matrix with a column for each of them.
    elasticity : bool or {"eyex", "eydx", "dyex"}, default=False
        Derivatives of logarithms: with "eyex", or True, d log p / d log x, with "eydx"
        d log p / dx, and with "dyex" dp / d log x. What changes by a step is left out.
    groups_of_columns : dict, default=None
        Factors whose dummies are columns of X: {"region": ["east", "north"]}. The
        dummies of a factor change together. If no dummy is left out, the first is what
        the others are compared with.
    cov_type, groups, small_sample, weights, confidence_level : as in `summary`
        How standard errors and intervals are computed.

    Returns
    -------
    effects : MarginalEffects
        The effects, to print, or as arrays in attributes.

    Raises
    ------
    ValueError, TypeError
        As in `summary`; if a column is unknown, a value no level of its factor, or a
        subgroup missing.

    See Also
    --------
    predictions : Computes probabilities in the place of their changes.
    summary : The coefficients themselves.
    sksoftmax.plotting.MarginalEffectsDisplay : Draws them.

    References
    ----------
    Greene (2012), Econometric Analysis, 7th edition, section 18.2. Bartus (2005),
    Estimation of marginal effects using margeff, Stata Journal 5:3 (columns that change
    together).

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
    >>> marginal_effects(model, X, y, at={"x0": [12, 13, 14]}).effect.round(2)
    array([[ 0.02,  0.57,  0.37],
           [-0.23, -0.77, -0.03],
           [ 0.21,  0.2 , -0.34]])
    """
    elasticity = _check_elasticity(elasticity)
    confidence_level = check_level(confidence_level)
    parts = take_apart(model)
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, weights, threads)
        C = covariance(problem, cov_type, groups, small_sample)
        population = population_of(problem, parts, X)
        population = population.with_factors(
            factors_of_columns(groups_of_columns, population)
        )
        changes, left_out = _changes(population, discrete, elasticity)
        cells = cells_of(population, at, by, problem.kept)
        R, labels = contrasts_of(contrasts, [cell.labels for cell in cells])
        means, se = averages(cells, ChangeSums(changes, elasticity), R, C, threads)
    flat = _flat(changes, se)
    effect, se = (_by_class(values) for values in (means, se))
    return MarginalEffects(
        classes=problem.targets.classes,
        terms=[_term(change, label) for change in changes for label in labels],
        **wald_columns(effect, se, confidence_level),
        notes=problem.notes(cov_type) + left_out + flat,
        effect=effect,
        cells=[shown_label(label) for label in labels],
        index=index_of(
            [
                {"variable": change.variable, "contrast": change.contrast, **label}
                for change in changes
                for label in labels
            ]
        ),
        header=[
            ("Observations", f"{problem.n:g}"),
            ("Effects", _where(at)),
            ("Covariance", cov_type),
        ],
    )


def _check_elasticity(elasticity):
    elasticity = "eyex" if elasticity is True else elasticity
    is_choice = isinstance(elasticity, str) and elasticity in ELASTICITIES
    if not (elasticity is False or is_choice):
        raise ValueError(
            "elasticity must be True, False, 'eyex', 'eydx' or 'dyex', got"
            f" {elasticity!r}."
        )
    return elasticity


def _changes(population, discrete, elasticity):
    """The changes, and notes on what an elasticity leaves out."""
    changes = changes_of(population, discrete, _DERIVATIVES[elasticity])
    if not elasticity:
        return changes, []
    slopes = [change for change in changes if change.high is None]
    left_out = {c.variable: None for c in changes if c.high is not None}
    if not slopes:
        raise ValueError(
            "elasticity needs a column that has derivatives; all of"
            f" {list(left_out)} change by steps."
        )
    names = ", ".join(map(str, left_out))
    note = f"Without an elasticity, because they change by steps: {names}."
    return slopes, [note] if left_out else []


def _flat(changes, se):
    """A note on the derivatives that are zero in all rows, if there are any."""
    zero = ~se.any(axis=(0, 2))
    names = [
        change.variable
        for change, is_zero in zip(changes, zero, strict=True)
        if is_zero and change.high is None
    ]
    note = (
        "Derivatives are zero because the probabilities change in jumps only:"
        f" {', '.join(map(str, names))}. Use discrete, with a step or two values."
    )
    return [note] if names else []


def _term(change, label):
    """The name of a change in a cell."""
    shown = shown_label(label)
    return f"{change.label} [{shown}]" if shown else change.label


def _where(at):
    if isinstance(at, str):
        return "mean of samples" if at == "overall" else "at the mean of X"
    return "mean at set values"


def _by_class(values):
    """Of shape (n_cells, n_changes, K), as (K, n_changes n_cells)."""
    return values.transpose(2, 1, 0).reshape(values.shape[2], -1)
