"""The rows that effects and predictions are about, in the columns of users."""

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from sksoftmax._data.arrays import convert_X
from sksoftmax._utils.errors import error_context
from sksoftmax.inference._columns import ArrayColumns, columns_of
from sksoftmax.inference._design import Design
from sksoftmax.inference._pipeline import (
    Parts,
    encoded_levels,
    take_apart,
    used_columns,
)

_FEW = 100  # rows that tell most columns from those of zeros and ones

# Numbers of all arrays of a chunk together: 4 MB, and 16 MB where rows go through a
# pipeline.
_IN_CACHE, _AT_ONCE = 2**19, 2**21


@dataclass(frozen=True)
class Plus:
    """A value of a column: what it is, plus a step."""

    step: float


@dataclass(frozen=True)
class Population:
    """Rows, their weights, and how their columns become working coordinates."""

    columns: object  # ArrayColumns or FrameColumns
    rows: np.ndarray | None  # numbers of the rows in use; None for all
    s: np.ndarray  # (n_rows,), weights of these
    names: list  # the columns that reach the classifier
    factors: dict  # by name: for each level the values of columns that stand for it
    parts: Parts
    design: Design
    gamma: np.ndarray  # (K - 1, n_terms)
    spreads: dict  # standard deviations of the numbers that go through a pipeline
    ranges: dict  # smallest and largest values of these numbers
    argument: str = "X"  # what errors call the table

    @property
    def is_linear(self):
        """Whether the classifier sees these very columns."""
        return self.parts.steps is None

    def features(self, columns):
        """What the classifier sees of a table of such columns."""
        if self.is_linear:
            return columns.raw
        with error_context(self.argument):
            return convert_X(self.parts.features(columns.raw))

    def working_rows(self, columns, changed=()):
        """The working rows of a table of such columns, some of them changed."""
        with np.errstate(invalid="ignore"):  # of infinities, which are refused below
            A = self.design.rows(self.features(columns))
        if self.is_linear or np.isfinite(A.sum()):
            return A
        table = self.argument + (f" with other values of {changed}" if changed else "")
        own = {name: columns.column(name).astype(np.float64) for name in self.spreads}
        names = [name for name, x in own.items() if not np.isfinite(x).all()]
        reason = (
            f"its columns {names} have values that are missing or infinite."
            if names
            else "the values are outside of what the steps are defined for."
        )
        raise ValueError(
            f"The steps of the pipeline make NaN or infinity of {table}: {reason}"
        )

    def numbers(self, name):
        """A column as numbers, or an error that says that it has none."""
        return self.columns.column(name).astype(np.float64)

    def is_binary(self, name):
        """Whether a column is one of zeros and ones, with both of them."""
        column = self.columns
        for some in (column.rows(0, min(_FEW, len(column))), column):
            values = some.column(name)
            if not np.all((values == 0) | (values == 1)):
                return False
        return bool(values.min() < values.max())

    def with_factors(self, factors):
        """With more factors, whose columns are no variables of their own."""
        if not factors:
            return self
        factor_of = {
            column: factor
            for factor, levels in factors.items()
            for values in levels.values()
            for column in values
        }
        names = list(dict.fromkeys(factor_of.get(name, name) for name in self.names))
        return replace(self, names=names, factors={**self.factors, **factors})

    @property
    def columns_in_use(self):
        """Names of the columns that reach the classifier, those of factors included."""
        names = {}
        for name in self.names:
            for values in self.factors.get(name, {None: {name: None}}).values():
                names.update(values)
        return list(names)

    def of(self, columns):
        """Other rows with such columns, of equal weight."""
        return replace(self, columns=columns, rows=None, s=np.ones(len(columns)))

    def chunk(self, start, stop):
        """Some of the rows, in order."""
        if self.rows is None:
            columns = self.columns.rows(start, stop)
        else:
            columns = self.columns.take(self.rows[start:stop])
        return replace(self, columns=columns, rows=None, s=self.s[start:stop])

    def subgroup(self, mask):
        """The rows of a mask."""
        rows = np.flatnonzero(mask) if self.rows is None else self.rows[mask]
        return replace(self, rows=rows, s=self.s[mask])

    def first(self):
        """The first row alone, with weight one."""
        return self.of(self.chunk(0, 1).columns)

    def typical(self):
        """One row: means of the numbers, and the most frequent levels."""
        if self.is_linear:
            total = np.zeros(len(self.columns.names))
            for start, stop in self.edges():
                some = self.chunk(start, stop)
                total += some.s @ some.columns.raw
            table = ArrayColumns(total[None] / self.s.sum(), self.columns.names)
        else:
            first = self.chunk(0, 1).columns
            table = first.replaced({name: self._middle(name) for name in self.names})
        return self.of(table)

    def _middle(self, name):
        values = self.columns.column(name)
        values = values if self.rows is None else values[self.rows]
        if name not in self.factors:
            return np.average(values.astype(np.float64), weights=self.s)
        levels, codes = np.unique(values, return_inverse=True)
        return levels[np.bincount(codes.ravel(), self.s).argmax()]

    def edges(self):
        """First and last row of each chunk."""
        n_free, n_terms = self.gamma.shape
        per_row = len(self.columns.names) + 3 * n_terms + n_free * (n_free + 7)
        # A step of a pipeline takes a millisecond, whatever the number of rows.
        n_rows = max((_IN_CACHE if self.is_linear else _AT_ONCE) // per_row, 64)
        starts = range(0, self.s.size, n_rows)
        return [(start, min(start + n_rows, self.s.size)) for start in starts]


def population_of(problem, parts, X):
    """The rows with weight that the model was fitted on."""
    common = {"parts": parts, "design": problem.design, "gamma": problem.gamma}
    s = problem.targets.s
    if parts.steps is None:
        names = problem.terms[: problem.design.centre.size]
        columns = ArrayColumns(problem.X, names)
        empty = {"factors": {}, "spreads": {}, "ranges": {}}
        return Population(columns, None, s, names, **empty, **common)
    columns = columns_of(X)
    rows = None if problem.kept.all() else np.flatnonzero(problem.kept)
    names = used_columns(parts.steps, columns.names)
    known = _known_levels(parts.steps, columns)
    factors = {}
    for name in names:
        if name in known or not columns.is_numeric(name):
            levels = known.get(name) or _distinct(columns, name)
            factors[name] = {level: {name: level} for level in levels}
    spreads, ranges = {}, {}
    for name in names:
        if name not in factors:
            x = columns.column(name).astype(np.float64)
            spreads[name] = float(np.nanstd(x)) or 1.0
            ranges[name] = np.nanmin(x), np.nanmax(x)
    found = {"factors": factors, "spreads": spreads, "ranges": ranges}
    return Population(columns, rows, s, names, **found, **common)


def values_along(model, X, name, n_values):
    """The levels of a column of X if it is a factor, else values over its range."""
    parts = take_apart(model)
    columns = columns_of(X, getattr(parts.classifier, "feature_names_in_", None))
    check_column("feature", name, columns.names)
    known = {} if parts.steps is None else _known_levels(parts.steps, columns)
    if name in known:
        return known[name]
    if not columns.is_numeric(name):
        return _distinct(columns, name)
    x = columns.column(name)
    return np.linspace(x.min(), x.max(), n_values).tolist()


def _known_levels(steps, columns):
    """The levels of encoded columns whose values the encoder sees as they are.

    A step before it may have put numbers into bins, or changed text.
    """
    found = encoded_levels(steps, columns.names)
    return {
        name: levels
        for name, levels in found.items()
        if not any(map(_is_value, _values(columns, name) - set(levels)))
    }


def check_column(parameter, name, names):
    """Refuse the name of a column that there is not."""
    if name not in names:
        shown = ", ".join(map(repr, names[:20])) + (", ..." if names[20:] else "")
        raise ValueError(
            f"{parameter} names the column {name!r}, which X has not. Its columns are"
            f" {shown}."
        )


def _distinct(columns, name):
    """The levels of a column, in their order."""
    return np.unique(columns.column(name)).tolist()


def _values(columns, name):
    """The different values of a column, in any order, missing ones included."""
    return set(columns.column(name).tolist())


def _is_value(entry):
    return isinstance(entry, str | Real) and entry == entry
