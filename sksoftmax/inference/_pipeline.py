"""Models as users pass them: a classifier, or a pipeline or search that ends in one.

A pipeline turns the columns of users into those that the classifier sees. Effects are
effects of the former, so this file also finds which of them are factors.
"""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sksoftmax._utils.missing import refuse_missing
from sksoftmax.inference._columns import columns_of


class Parts(NamedTuple):
    """A fitted model taken apart."""

    classifier: object
    steps: object  # the fitted pipeline before the classifier, or None

    def features(self, X):
        """X as the classifier gets it."""
        if self.steps is None:
            return X
        try:
            return self.steps.transform(X)
        except (TypeError, ValueError) as error:
            _explain(error, self.steps, X)
            raise


def take_apart(model):
    """The classifier of a model, and the steps before it."""
    steps = []
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "steps"):
            check_is_fitted(model)
            steps.append(model[:-1])
            model = model.steps[-1][1]
        else:
            break
    steps = [pipeline for pipeline in steps if len(pipeline.steps)]
    if len(steps) > 1:
        raise TypeError(
            "A pipeline inside of a pipeline cannot be taken apart: put all steps into"
            " one."
        )
    return Parts(model, steps[0] if steps else None)


def names_out(parts):
    """Names of the columns that the classifier sees, or None."""
    names = getattr(parts.classifier, "feature_names_in_", None)
    if names is None and parts.steps is not None:
        try:
            names = parts.steps.get_feature_names_out()
        except (AttributeError, ValueError):  # a step, or its input, has no names
            return None
    return names


def used_columns(steps, names):
    """Those of the names that reach the classifier."""
    first = steps.steps[0][1]
    if hasattr(first, "variables_"):  # of a formula
        return list(first.variables_)
    if not hasattr(first, "transformers_"):
        return list(names)
    used = set()
    for _, transformer, columns in first.transformers_:
        if not _is_dropped(transformer):
            used.update(_named(columns, names))
    return [name for name in names if name in used]


def encoded_levels(step, names):
    """The levels of each column that an encoder inside a step takes for a factor.

    A dict from names to lists; the first level is the dropped one, if one is.
    """
    if hasattr(step, "factor_levels_"):  # of a formula
        return dict(step.factor_levels_)
    if hasattr(step, "transformers_"):
        found = {}
        for _, transformer, columns in step.transformers_:
            if not _is_dropped(transformer):
                found |= encoded_levels(transformer, _named(columns, names))
        return found
    if hasattr(step, "steps"):
        return _levels_in_sequence(step, names)
    if not hasattr(step, "categories_"):
        return {}
    dropped = getattr(step, "drop_idx_", None)
    dropped = [None] * len(names) if dropped is None else dropped
    return {
        name: _levels(categories, drop)
        for name, categories, drop in zip(names, step.categories_, dropped, strict=True)
    }


def _explain(error, steps, X):
    """Say which column has the levels that an encoder's error calls unknown.

    A step before the encoder may have changed text, which the error then does not have.
    It is a TypeError where numbers are compared with text.
    """
    if not (isinstance(error, TypeError) or "unknown categories" in str(error)):
        return
    columns = columns_of(X)
    for name, levels in encoded_levels(steps, columns.names).items():
        values = columns.column(name)
        known = set(levels)  # equality of pandas' NA has no truth value
        unknown = [v for v in dict.fromkeys(values.tolist()) if v not in known]
        if any(not isinstance(v, str) or repr(v) in str(error) for v in unknown):
            refuse_missing(f"column {name!r}", values)
            raise unknown_levels(name, unknown, levels) from error


def unknown_levels(name, unknown, levels):
    """The error of values of a column that its factor has not."""
    return ValueError(
        f"Column {name!r} has the values {_first(unknown)}, which the data of the fit"
        f" have not. Levels of this factor are {_first(levels)}."
    )


def _first(values):
    return f"{values[:10]}" + (" and others" if values[10:] else "")


def _levels_in_sequence(pipeline, names):
    """Those of the first step with factors; the steps before it keep the columns."""
    origins = dict(zip(names, names, strict=True))
    for _, step in pipeline.steps:
        if step in (None, "passthrough"):
            continue
        found = encoded_levels(step, list(origins))
        if found:
            return {origins[n]: found[n] for n in found if n in origins}
        origins = _origins_after(step, origins)
    return {}


def _origins_after(step, origins):
    """The column that each one of the output of a step comes from.

    Empty if one has another name: it may come from several. A ColumnTransformer changes
    the order, and puts the name of a step in front.
    """
    try:
        names = list(step.get_feature_names_out(list(origins)))
    except (AttributeError, TypeError, ValueError):
        return {}
    plain = {n: n if n in origins else n.split("__", 1)[-1] for n in names}
    if len(plain) < len(names) or not set(plain.values()) <= set(origins):
        return {}
    return {name: origins[own] for name, own in plain.items()}


def _levels(categories, drop):
    levels = [level for level in categories.tolist() if level == level]
    levels = [level for level in levels if level is not None]
    if drop is not None and categories[drop] in levels:
        first = categories.tolist()[drop]
        levels.remove(first)
        levels.insert(0, first)
    return levels


def _is_dropped(transformer):
    return isinstance(transformer, str) and transformer == "drop"


def _named(columns, names):
    """The names of the columns of a step of a ColumnTransformer."""
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            first = None if columns.start is None else names.index(columns.start)
            last = None if columns.stop is None else names.index(columns.stop) + 1
            columns = slice(first, last)
        return list(names[columns])
    chosen = np.atleast_1d(columns)
    if chosen.dtype.kind in "OUS":
        return chosen.tolist()
    return np.asarray(names, dtype=object)[chosen].tolist() if chosen.size else []
