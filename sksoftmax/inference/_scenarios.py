"""Cells of a table of averages: subgroups of rows, and values of columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from numbers import Real

import numpy as np
from sklearn.utils.validation import column_or_1d

from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import column_names, refuse_missing
from sksoftmax.inference._population import Population, check_column

_WRONG_AT = (
    "at must be one of ('overall', 'mean'), a dict of columns and their values, or a"
    " data frame, got"
)

# Each cell takes a pass over its rows.
_MOST_CELLS = 10_000


@dataclass(frozen=True)
class Cell:
    """Rows, the values that some columns are set to, and how both are shown."""

    population: Population
    values: dict
    labels: dict


def cells_of(population, at, by, kept):
    """All cells: for each subgroup every scenario.

    `kept` is the mask of the samples of the user that the rows of the population are.
    """
    settings = _settings(at, population)
    groups = _subgroups(by, population, kept)
    n_cells = len(settings) * len(groups)
    if n_cells > _MOST_CELLS:
        raise ValueError(
            f"at and by make {n_cells} combinations; they may make {_MOST_CELLS}. Use"
            " fewer values, or put numbers into intervals first."
        )
    return [
        _cell(group, setting, label)
        for (group, label), setting in product(groups, settings)
    ]


def _cell(group, setting, label):
    if setting is None:
        # As set values: a mean of zeros and ones is neither.
        row = group.typical()
        names = row.columns.names if row.is_linear else ()
        values = {name: row.columns.column(name)[0] for name in names}
        return Cell(row, values, label)
    values = {}
    for name, value in setting.items():
        values |= group.factors[name][value] if name in group.factors else {name: value}
    labels = {**label, **{_free(name, label): v for name, v in setting.items()}}
    if set(values) >= set(group.columns.names):  # nothing is left of the rows
        group = group.first()
    return Cell(group, values, labels)


def _free(name, taken):
    return f"at {name}" if name in taken else name


def _settings(at, population):
    """A dict of values for each scenario; None for the mean."""
    if isinstance(at, str):
        if at not in ("overall", "mean"):
            raise ValueError(_WRONG_AT + f" {at!r}.")
        return [None] if at == "mean" else [{}]
    if isinstance(at, Mapping):
        lists = [np.atleast_1d(_listed(values)).tolist() for values in at.values()]
        rows = [dict(zip(at, row, strict=True)) for row in product(*lists)]
    elif column_names(at) is not None:
        names = list(column_names(at))
        lists = [np.asarray(at[name]).tolist() for name in names]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
    else:
        raise TypeError(_WRONG_AT + f" {type(at).__name__}.")
    if not rows:
        raise ValueError("at must hold at least one value for each of its columns.")
    return [
        {name: _checked(name, value, population) for name, value in row.items()}
        for row in rows
    ]


def _listed(values):
    with error_context("at"):
        return np.asarray(values, dtype=object) if np.ndim(values) else [values]


def _checked(name, value, population):
    """A value that a column can be set to."""
    check_column("at", name, population.names)
    if name in population.factors:
        levels = list(population.factors[name])
        for level in levels:
            if value is level or (value == level and value == value):
                return level
        raise ValueError(
            f"at[{name!r}] must be one of {levels}, the levels of this factor; got"
            f" {value!r}."
        )
    if not isinstance(value, Real | np.bool_) or not np.isfinite(value):
        raise ValueError(f"at[{name!r}] must be finite numbers, got {value!r}.")
    return float(value)


def _subgroups(by, population, kept):
    """Pairs of the rows of a subgroup and its label."""
    if by is None:
        return [(population, {})]
    columns = _grouping(by, population, kept)
    codes, levels = 0, []
    for values in columns.values():
        with error_context("by"):
            distinct, own = np.unique(values, return_inverse=True)
        codes = codes * distinct.size + own.ravel()
        levels.append(distinct.tolist())
    sizes = [len(some) for some in levels]
    groups = []
    for code in np.unique(codes):
        label = [
            some[number]
            for some, number in zip(levels, np.unravel_index(code, sizes), strict=True)
        ]
        mask = codes == code
        groups.append(
            (population.subgroup(mask), dict(zip(columns, label, strict=True)))
        )
    return groups


def _grouping(by, population, kept):
    """The columns that make the subgroups, by name, of the rows of the population."""
    if isinstance(by, str):
        by = [by]
    if isinstance(by, list | tuple) and by and all(isinstance(n, str) for n in by):
        names = population.columns.names
        if set(by) <= set(names) or len(by) != kept.size:
            for name in by:
                check_column("by", name, names)
            return {name: _groups_in_column(population, name) for name in by}
    with error_context("by"):
        if np.ndim(by) != 1 and np.shape(by)[1:] != (1,):
            raise ValueError(
                "by must name columns of X, as in ['region', 'sex'], or have one entry"
                f" for each sample; got {type(by).__name__} of shape {np.shape(by)}."
            )
        refuse_missing("by", by)
        values = column_or_1d(by)
    if values.size != kept.size:
        raise ValueError(
            f"by must have one entry for each of the {kept.size} samples, or name"
            f" columns of X; got {values.size} entries."
        )
    return {str(getattr(by, "name", None) or "by"): values[kept]}


def _groups_in_column(population, name):
    values = population.columns.column(name)
    refuse_missing(f"by={name!r}", values)
    return values if population.rows is None else values[population.rows]
