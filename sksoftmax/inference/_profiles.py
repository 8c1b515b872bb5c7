"""Probabilities of single rows, with intervals that stay between zero and one."""

from dataclasses import replace

import numpy as np
from scipy.special import expit, logsumexp, ndtri

from sksoftmax._data.arrays import check_X
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import column_names
from sksoftmax.inference._columns import ArrayColumns, columns_of
from sksoftmax.inference._contrasts import shown_label
from sksoftmax.inference._likelihood import logits
from sksoftmax.inference._scenarios import Cell

# Columns that the name of a profile has values of.
_MOST_SHOWN = 4


def profile_population(population, X_profiles):
    """Rows like those of a population, of equal weight."""
    names = population.columns.names
    given = column_names(X_profiles)
    if given is not None and not _are_unnamed(population):
        needed = names if population.is_linear else population.columns_in_use
        missing = [name for name in needed if name not in given]
        if missing:
            raise ValueError(
                f"X_profiles lacks the columns {missing}; it needs {list(needed)}."
            )
        X_profiles = X_profiles[[name for name in names if name in given]]
    elif np.ndim(X_profiles) != 2:
        raise ValueError(
            "X_profiles must be a table with a row for each profile, got"
            f" {type(X_profiles).__name__}."
        )
    elif np.shape(X_profiles)[1] != len(names):
        raise ValueError(
            f"X_profiles has {np.shape(X_profiles)[1]} columns, and X has {len(names)}:"
            f" {_some(names)}. Each profile needs a value for all of them."
        )
    if np.shape(X_profiles)[0] == 0:
        raise ValueError("X_profiles must have a row for each profile; it has none.")
    if population.is_linear:
        X = check_X(
            population.parts.classifier, X_profiles, reset=False, name="X_profiles"
        )
        columns = ArrayColumns(X, names)
    else:
        columns = columns_of(X_profiles, names)
        for name in population.spreads:
            with error_context(f"X_profiles, column {name!r}"):
                columns.column(name).astype(np.float64)
    return replace(population.of(columns), argument="X_profiles")


def profile_labels(population):
    """The columns of profiles, by name."""
    return {name: population.columns.column(name) for name in population.columns_in_use}


def profile_names(labels, n_profiles):
    """A name for each profile: its values of the columns that differ."""
    differ = [name for name, values in labels.items() if np.any(values != values[0])]
    if not 0 < len(differ) <= _MOST_SHOWN:
        return [f"profile {i}" for i in range(n_profiles)]
    columns = {name: labels[name].tolist() for name in differ}
    return [
        shown_label({name: values[i] for name, values in columns.items()})
        for i in range(n_profiles)
    ]


def cells_of_profiles(population):
    """Each row as a cell of its own."""
    labels = profile_labels(population)
    names = profile_names(labels, population.s.size)
    return [
        Cell(population.of(population.columns.rows(i, i + 1)), {}, {"profile": name})
        for i, name in enumerate(names)
    ]


def _are_unnamed(population):
    """Whether the model was fitted on columns without names."""
    first = population.parts.steps or population.parts.classifier
    return not hasattr(first, "feature_names_in_")


def _some(names):
    return ", ".join(map(repr, names[:20])) + (", ..." if names[20:] else "")


def row_probabilities(population, C, level):
    """P, its standard errors and the ends of intervals, each (n_rows, K, ...)."""

    def of(edge):
        part = population.chunk(*edge)
        A = part.working_rows(part.columns)
        return _with_errors(A, part.gamma, C, level)

    found = [of(edge) for edge in population.edges()]
    return tuple(np.concatenate(values) for values in zip(*found, strict=True))


def _with_errors(A, gamma, C, level):
    """As `row_probabilities`, for working rows A.

    On the scale of eta_k = z_k - log sum_{l != k} exp(z_l), the logit of p_k, an
    estimate is closer to normal, and nothing cancels where p_k is close to zero or one.
    The derivative of eta_k by z_k is 1, and by z_l it is minus the share of l among the
    other classes.
    """
    n_free, n_terms = gamma.shape
    Z = logits(A, gamma)
    blocks = C.reshape(n_free, n_terms, n_free, n_terms)
    spread = np.empty((A.shape[0], n_free, n_free))  # covariances of the logits
    for k in range(n_free):
        for m in range(k, n_free):
            spread[:, k, m] = np.einsum("ij,ij->i", A @ blocks[k, :, m], A)
            spread[:, m, k] = spread[:, k, m]
    eta, variance = np.empty_like(Z), np.empty_like(Z)
    for k in range(n_free + 1):
        others = Z.copy()
        others[:, k] = -np.inf
        largest = logsumexp(others, axis=1)
        eta[:, k] = Z[:, k] - largest
        gradient = -np.exp(others - largest[:, None])
        gradient[:, k] = 1.0
        gradient = gradient[:, :-1]
        variance[:, k] = np.einsum("ij,ijk,ik->i", gradient, spread, gradient)
    se_eta = np.sqrt(np.maximum(variance, 0.0))
    P = expit(eta)
    return P, P * expit(-eta) * se_eta, _interval(eta, se_eta, level)


def logit_interval(P, se, level):
    """Intervals of averages of probabilities, by a transform to logits.

    The standard error of the logit is se / (p (1 - p)). P has the classes last.
    """
    rest = P.sum(axis=-1, keepdims=True) - P
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.log(P) - np.log(rest)
        se_eta = np.where(se > 0.0, se / (P * rest), 0.0)
    return _interval(eta, se_eta, level)


def _interval(eta, se_eta, level):
    margin = ndtri(0.5 + level / 2.0) * se_eta
    return np.stack([expit(eta - margin), expit(eta + margin)], axis=-1)
