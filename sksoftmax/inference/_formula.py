"""Formulas as a step of a pipeline: columns of a data frame become a design matrix."""

import re

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sksoftmax._utils.errors import optional_package
from sksoftmax._utils.missing import refuse_missing
from sksoftmax.inference._pipeline import unknown_levels

_CONSTANT = "Intercept"

# How formulaic, and Python, say that a name is unknown.
_UNKNOWN = r"[`']([^`']+)[`'] is not (?:present|defined)"


class FormulaTransformer(TransformerMixin, BaseEstimator):
    """The design matrix of the right side of a formula, without its constant.

    Parameters
    ----------
    formula : str
        A formula as R has them, with both sides or the right one alone.
    context : dict, default=None
        Functions and values that the formula names.

    Attributes
    ----------
    spec_ : formulaic.ModelSpec
        How terms are coded, as the data of the fit have it.
    has_constant_ : bool
        Whether the formula has a constant.
    variables_ : list of str
        The columns of the data that the formula names.
    factor_levels_ : dict of list
        Levels of those that are factors; the first is the reference.
    """

    def __init__(self, formula, context=None):
        self.formula = formula
        self.context = context

    def fit(self, X, y=None):
        """Learn the levels of factors, and whatever else terms depend on."""
        frame = _without_unused_levels(as_pandas(X, "data"))
        right = parsed(self.formula, frame)[1]
        matrix = _evaluated(right, frame, self.context, self.formula)
        _check_numeric(matrix, self.formula)
        self.spec_ = matrix.model_spec
        names = list(matrix.columns)
        self.has_constant_ = _CONSTANT in names
        self._names = np.array([n for n in names if n != _CONSTANT], dtype=object)
        if not self._names.size:
            raise ValueError(
                f"The formula {self.formula!r} names no column of data; those are"
                f" {list(frame.columns)}."
            )
        needed = set(map(str, self.spec_.required_variables))
        self.variables_ = [name for name in frame.columns if name in needed]
        self.factor_levels_ = _factor_levels(self.spec_, needed)
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.n_features_in_ = self.feature_names_in_.size
        return self

    def transform(self, X):
        """The columns of the design matrix, a data frame."""
        check_is_fitted(self, "spec_")
        frame = as_pandas(X, "X")
        missing = [name for name in self.variables_ if name not in frame.columns]
        if missing:
            raise ValueError(
                f"X lacks the columns {missing}, which the formula {self.formula!r}"
                " names."
            )
        for name, levels in self.factor_levels_.items():
            _check_levels(frame[name], name, levels)
        frame = _without_unused_levels(frame)  # formulaic warns of them
        matrix = _evaluated(self.spec_, frame, self.context, self.formula)
        return matrix[list(self._names)]

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of the design matrix."""
        check_is_fitted(self, "spec_")
        return self._names


def parsed(formula, frame):
    """Name of the target, or None, and the right side of a formula for a data frame."""
    with optional_package("formulaic", "formula", caller="from_formula"):
        from formulaic import Formula
        from formulaic.errors import FormulaicError
    if not isinstance(formula, str):
        raise TypeError(
            f"formula must be a str such as 'y ~ x', got {type(formula).__name__}."
        )
    known = {"__formulaic_variables_available__": list(frame.columns)}
    try:
        both = Formula(formula, _context=known)
    except FormulaicError as error:
        reason = str(error).partition("\n")[0]  # a coloured copy of the formula follows
        raise ValueError(f"formula={formula!r} cannot be read: {reason}") from error
    right = getattr(both, "rhs", both)
    if isinstance(right, tuple):
        raise ValueError(f"formula={formula!r} must have one right side, without '|'.")
    if not hasattr(both, "lhs"):
        return None, right
    factors = [factor.expr for term in both.lhs for factor in term.factors]
    if len(factors) != 1 or factors[0] not in frame.columns:
        raise ValueError(
            f"The left side of formula={formula!r} must be one column of data, the"
            f" classes; columns are {list(frame.columns)}."
        )
    return factors[0], right


def as_pandas(table, name):
    """A data frame of pandas, from one of any kind."""
    with optional_package("pandas", "formula", caller="from_formula"):
        import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "to_pandas"):
        return table.to_pandas()
    raise TypeError(
        f"{name} must be a data frame, because formulas name its columns; got"
        f" {type(table).__name__}."
    )


def _evaluated(source, frame, context, formula):
    """The model matrix of a formula, or of what an earlier one has learnt."""
    from formulaic.errors import FormulaicError

    for name in frame.columns:
        if re.search(rf"(?<!\w){re.escape(str(name))}(?!\w)", formula):
            if np.ndim(frame[name]) > 1:
                raise ValueError(f"data has more than one column {name!r}.")
            refuse_missing(f"data, column {name!r},", frame[name])
    try:
        return source.get_model_matrix(
            frame, context=dict(context or {}), na_action="raise"
        )
    except TypeError as error:  # of dates, of which no numbers are made
        types = {n: str(frame[n].dtype) for n in source.required_variables}
        raise ValueError(
            f"formula={formula!r} makes no numbers of the columns of types {types}:"
            f" {error}."
        ) from error
    except FormulaicError as error:
        unknown = re.search(_UNKNOWN, str(error))
        if unknown is None:
            raise ValueError(f"formula={formula!r}: {error}") from error
        name = unknown.group(1)
        raise ValueError(
            f"formula={formula!r} names {name!r}, which is no column of data; columns"
            f" are {list(frame.columns)}. Functions go into context."
        ) from error


def _without_unused_levels(frame):
    """A frame whose categorical columns have only levels that some row has."""
    unused = {
        name: column.cat.remove_unused_categories()
        for name, column in frame.select_dtypes("category").items()
    }
    return frame.assign(**unused) if unused else frame


def _check_numeric(matrix, formula):
    """Refuse a design with columns that are no numbers, such as dates."""
    for name, dtype in matrix.dtypes.items():
        if getattr(dtype, "kind", "O") not in "biuf":
            raise ValueError(
                f"formula={formula!r} makes the column {name!r} of type {dtype}, which"
                " is no number. Make numbers of it first, or a factor with C()."
            )


def _factor_levels(spec, columns):
    """The levels of the columns that the terms of a formula take for factors."""
    found = {}
    for factor, state in spec.factor_contrasts.items():
        names = [str(v) for v in spec.factor_variables[factor] if str(v) in columns]
        if len(names) != 1:
            continue  # levels of an expression of several columns
        levels = list(state.levels)
        base = getattr(state.contrasts, "base", None)
        if base in levels:
            levels.remove(base)
            levels.insert(0, base)
        found[names[0]] = levels
    return found


def _check_levels(column, name, levels):
    """Refuse values that no row of the fit had."""
    known = column.isin(levels).to_numpy()
    if not known.all():
        refuse_missing(f"column {name!r}", column)
        raise unknown_levels(name, column[~known].unique().tolist(), levels)
