"""The changes of columns that are effects: derivatives, steps, levels of factors."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np

from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import refuse_missing
from sksoftmax.inference._population import Plus, check_column


@dataclass(frozen=True)
class Change:
    """A derivative by a column, or a difference between two sets of values."""

    variable: str
    contrast: str
    high: dict | None = None  # None for a derivative
    low: dict | None = None
    is_binary: bool = False  # from zero to one, of a column of zeros and ones

    @property
    def label(self):
        """What a table calls it."""
        if self.high is None:
            return str(self.variable)
        return f"{self.variable}: {self.contrast}"


def changes_of(population, discrete, derivative):
    """The changes of all variables; `derivative` is what to call a derivative."""
    steps = _steps(discrete, population)
    changes = []
    for name in population.names:
        if name in population.factors:
            changes += _of_levels(name, population.factors[name])
            continue
        if not population.is_linear:  # steps of a pipeline may fill missing values in
            refuse_missing(f"X, column {name!r},", population.numbers(name))
        if name in steps:
            changes.append(_of_step(name, steps[name], population))
        elif steps.automatic and population.is_binary(name):
            changes.append(_of_binary(name))
        else:
            changes.append(Change(name, derivative))
    return changes


class _Steps(dict):
    """Steps of columns, and whether columns of zeros and ones change by one too."""

    automatic = False


def _steps(discrete, population):
    """The steps that `discrete` asks for."""
    steps = _Steps()
    if discrete is False:
        return steps
    if isinstance(discrete, str) and discrete == "auto":
        steps.automatic = True
    elif isinstance(discrete, Mapping):
        steps.automatic = True
        steps.update(discrete)
    else:
        with error_context("discrete"):
            names = np.asarray(discrete, dtype=object)
        if names.ndim == 0:
            raise ValueError(
                "discrete must be 'auto', False, a list of columns or a dict of columns"
                f" and steps, got {discrete!r}."
            )
        for name in names.tolist():
            check_column("discrete", name, population.names)
            steps[name] = "0/1" if _is_binary(name, population) else "unit"
    for name in steps:
        check_column("discrete", name, population.names)
        if name in population.factors and isinstance(discrete, Mapping):
            raise ValueError(
                f"discrete gives {name!r} a step, but it is a factor; its levels are"
                " compared anyway."
            )
    return steps


def _is_binary(name, population):
    return name not in population.factors and population.is_binary(name)


def _of_levels(name, levels):
    reference, *others = levels
    return [
        Change(name, f"{level} - {reference}", levels[level], levels[reference])
        for level in others
    ]


def _of_binary(name):
    return Change(name, "1 - 0", {name: 1.0}, {name: 0.0}, is_binary=True)


def _of_step(name, step, population):
    """The change for a step of a column, as `discrete` has it."""
    if isinstance(step, str) and step == "0/1":
        return _of_binary(name)
    shown = step
    if isinstance(step, str) and step in ("unit", "sd"):
        shown = {"unit": "1", "sd": "sd"}[step]
        step = 1.0 if step == "unit" else _spread(name, population)
    if isinstance(step, Real) and np.isfinite(step) and step != 0:
        shown = shown if isinstance(shown, str) else f"{step:g}"
        sign = "" if shown.startswith("-") else "+"
        return Change(name, f"{sign}{shown}", {name: Plus(float(step))}, {})
    if np.ndim(step) == 1 and len(step) == 2:
        with error_context("discrete"):
            low, high = (float(end) for end in step)
        if np.isfinite([low, high]).all() and low != high:
            contrast = f"{high:g} - {low:g}"
            return Change(name, contrast, {name: high}, {name: low})
    raise ValueError(
        f"discrete[{name!r}] must be 'unit', 'sd', a step other than zero, or a pair of"
        f" two values, got {step!r}."
    )


def _spread(name, population):
    x = population.numbers(name)
    x = x if population.rows is None else x[population.rows]
    return np.sqrt(np.cov(x, aweights=population.s, ddof=0))


def factors_of_columns(groups_of_columns, population):
    """Factors made of columns of zeros and ones, as `Population.factors` has them."""
    if groups_of_columns is None:
        return {}
    if not isinstance(groups_of_columns, Mapping):
        raise TypeError(
            "groups_of_columns must be a dict of names of factors and lists of columns,"
            f" got {type(groups_of_columns).__name__}."
        )
    factors, taken = {}, set()
    for factor, names in groups_of_columns.items():
        with error_context("groups_of_columns"):
            names = [names] if isinstance(names, str) else list(names)
        for name in names:
            check_column(f"groups_of_columns[{factor!r}]", name, population.names)
        if len(names) < 2 or taken & set(names) or len(set(names)) < len(names):
            raise ValueError(
                f"groups_of_columns[{factor!r}] must hold two columns or more, each in"
                f" one group only; got {names}."
            )
        if factor in population.names and factor not in names:
            raise ValueError(
                f"groups_of_columns needs another name than {factor!r}, which is a"
                " column of X."
            )
        taken.update(names)
        factors[factor] = _levels_of(factor, names, population)
    return factors


def _levels_of(factor, names, population):
    total = 0.0
    for name in names:
        x = population.numbers(name)
        if not np.all((x == 0) | (x == 1)):
            raise ValueError(
                f"groups_of_columns[{factor!r}] must hold columns of zeros and ones;"
                f" {name!r} has other values."
            )
        total = total + x
    if total.max() > 1:
        raise ValueError(
            f"groups_of_columns[{factor!r}] must hold the columns of one factor, of"
            f" which a row has one at most; row {int(total.argmax())} has"
            f" {int(total.max())}."
        )
    none = dict.fromkeys(names, 0.0)
    levels = {} if total.min() == 1 else {"reference": none}
    return levels | {name: {**none, name: 1.0} for name in names}
