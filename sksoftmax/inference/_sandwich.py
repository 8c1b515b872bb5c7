"""Robust covariance: the spread of the scores between two inverse Hessians."""

from functools import partial

import numpy as np
from scipy.linalg import eigh
from sklearn.utils.validation import column_or_1d

from sksoftmax._data.arrays import take_rows
from sksoftmax._model.loss import softmax
from sksoftmax._utils.errors import check_choice, error_context
from sksoftmax._utils.missing import column_names, refuse_missing
from sksoftmax.inference._leverage import leverage
from sksoftmax.inference._likelihood import logits

COV_TYPES = ("nonrobust", "HC0", "HC1", "HC2", "HC3", "cluster")

# The factors of "HC1" and "cluster" for n observations, k coefficients and G clusters.
# The first line is this package's: that of R's sandwich with type="HC1".
_FACTORS = {
    None: (lambda n, k: n / (n - k), lambda n, k, G: G / (G - 1) * (n - 1) / (n - k)),
    "R": (lambda n, k: n / (n - k), lambda n, k, G: G / (G - 1)),
    "Stata": (lambda n, k: n / (n - 1), lambda n, k, G: G / (G - 1)),
    "statsmodels": (
        lambda n, k: 1.0,
        lambda n, k, G: G / (G - 1) * (n - 1) / (n - k),
    ),
}


def sandwich(problem, cov_type, groups, small_sample):
    """The robust covariance of gamma; groups has columns, or is None."""
    inverse = problem.factor.inverse()
    factor, per_cluster = _FACTORS[small_sample]
    n, k = problem.n, problem.gamma.size
    if cov_type != "cluster":
        correction = _checked(factor, n, k) if cov_type == "HC1" else 1.0
        meat_of = _meat_of_rows if problem.is_in_memory else _meat_in_passes
        meat = meat_of(problem, cov_type, inverse)
        return correction * (inverse @ meat @ inverse)
    meat = 0.0
    for codes, sign in _ways(groups[problem.kept]):
        n_groups = int(codes.max()) + 1
        if n_groups < 2:
            raise ValueError("groups must have at least two groups with weight.")
        correction = _checked(per_cluster, n, k, n_groups)
        meat = meat + sign * correction * _meat_of_groups(problem, codes)
    C = inverse @ meat @ inverse
    return C if groups.shape[1] == 1 else _without_negative_part(C, inverse)


def check_groups(groups, cov_type, n_samples):
    """The number of each sample's group, (n_samples, 1 or 2), or None."""
    check_choice("cov_type", cov_type, COV_TYPES)
    if (cov_type == "cluster") != (groups is not None):
        need = "needs" if groups is None else "does not use"
        raise ValueError(f"cov_type={cov_type!r} {need} groups.")
    if groups is None:
        return None
    if isinstance(groups, str):
        raise ValueError(
            f"groups must have an entry for each sample, got {groups!r}. Only methods"
            " of a formula take the name of a column: pass the column itself."
        )
    with error_context("groups"):
        refuse_missing("groups", groups)
        columns = [_codes(column) for column in _columns(groups)]
    if not 1 <= len(columns) <= 2:
        raise ValueError(
            "groups must have one column, or two for clusters of two ways, as in an"
            f" array of shape (n_samples, 2); got {len(columns)} columns."
        )
    if columns[0].size != n_samples:
        raise ValueError(
            f"groups must have one entry for each of the {n_samples} samples, got"
            f" {columns[0].size}."
        )
    return np.column_stack(columns)


def check_small_sample(small_sample):
    """Refuse a convention that is not known."""
    if small_sample is not None:
        check_choice("small_sample", small_sample, tuple(_FACTORS)[1:])


def _columns(groups):
    """The columns of groups; those of a table keep their types."""
    names = column_names(groups)
    if names is not None:
        return [np.asarray(groups[name]) for name in names]
    values = np.asarray(groups)
    return list(values.T) if values.ndim == 2 else [column_or_1d(groups)]


def _codes(column):
    return np.unique(column, return_inverse=True)[1].ravel()


def _checked(factor, n, *args):
    """The factor, where it is positive and finite."""
    with np.errstate(divide="ignore"):
        value = factor(n, *args) if n > 1 else np.inf
    if not 0.0 < value < np.inf:
        raise ValueError(
            "The small-sample factor of this cov_type needs more observations than"
            f" coefficients, got {n:g} and {args[0]}. Use cov_type='HC0', or"
            " small_sample='Stata'."
        )
    return value


def _ways(groups):
    """Codes of the clusters, and the sign of their term.

    Of two ways the clusters of each are added, and those of both together subtracted
    (Cameron, Gelbach and Miller 2011).
    """
    first = _codes(groups[:, 0])
    if groups.shape[1] == 1:
        return [(first, 1.0)]
    second = _codes(groups[:, 1])
    both = _codes(first * (second.max() + 1) + second)
    return [(first, 1.0), (second, 1.0), (both, -1.0)]


def _without_negative_part(C, inverse):
    """C without negative variances, which clusters of two ways can have.

    Negative eigenvalues are set to zero, as Cameron, Gelbach and Miller propose. They
    are taken relative to the inverse of the Hessian, so that coordinates do not matter.
    """
    values, vectors = eigh(C, inverse)
    if values[0] >= 0.0:
        return C
    half = inverse @ vectors * np.sqrt(np.maximum(values, 0.0))
    return half @ half.T


def _meat_of_rows(problem, cov_type, inverse):
    """Sum of the outer products of the scores of rows.

    A row that occurs f times adds f products.
    """
    residuals = _raw
    if cov_type in ("HC2", "HC3"):
        residuals = partial(_adjusted, cov_type=cov_type, inverse=inverse)
    order = np.arange(problem.counts.size)
    return sum(
        U.T @ (U / problem.counts[rows, None])
        for rows, U in _scores(problem, order, residuals)
    )


def _meat_of_groups(problem, codes):
    """Sum of the outer products of sums of scores; the f scores of a row are added."""
    n_columns = problem.gamma.size
    meat = np.zeros((n_columns, n_columns))
    open_group, open_sum = None, np.zeros(n_columns)
    for rows, U in _scores(problem, np.argsort(codes, kind="stable")):
        labels = codes[rows]
        starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
        sums = np.add.reduceat(U, starts, axis=0)
        if labels[0] == open_group:
            sums[0] += open_sum
        else:
            meat += np.outer(open_sum, open_sum)
        meat += sums[:-1].T @ sums[:-1]
        open_group, open_sum = labels[-1], sums[-1]
    return meat + np.outer(open_sum, open_sum)


def _meat_in_passes(problem, cov_type, inverse):
    """The same sum of data that are not in memory, from a pass."""
    return problem.likelihood.chunks.sum(
        _chunk_meat,
        problem.design,
        problem.gamma,
        cov_type,
        inverse,
        problem.are_counted,
    )


def _chunk_meat(chunk, design, gamma, cov_type, inverse, are_counted):
    A = design.rows(chunk.X)
    P = softmax(logits(A, gamma))
    counts = chunk.s if are_counted else np.ones(chunk.s.size)
    residuals = (P - chunk.sY / chunk.s[:, None])[:, :-1]
    if cov_type in ("HC2", "HC3"):
        found = leverage(A, P, chunk.s / counts, inverse)
        if found.is_whole.any():
            raise _whole_leverage(cov_type, "a row")
        residuals = _divided(found, residuals, cov_type)
    E = chunk.s[:, None] * residuals
    U = (E[:, :, None] * A[:, None, :]).reshape(counts.size, -1)
    return U.T @ (U / counts[:, None])


def _raw(problem, rows, A, P):
    """Residuals p - y of rows, without the last class."""
    return (P - problem.targets.Y[rows])[:, :-1]


def _adjusted(problem, rows, A, P, *, cov_type, inverse):
    """Residuals of rows divided by one minus their leverage, or by its root.

    The leverage is that of one of the observations that a row stands for.
    """
    s = problem.targets.s[rows] / problem.counts[rows]
    found = leverage(A, P, s, inverse)
    if found.is_whole.any():
        row = np.flatnonzero(problem.kept)[rows[found.is_whole.argmax()]]
        raise _whole_leverage(cov_type, f"row {row}")
    return _divided(found, _raw(problem, rows, A, P), cov_type)


def _divided(found, residuals, cov_type):
    return found.unbiased(residuals) if cov_type == "HC2" else found.left_out(residuals)


def _whole_leverage(cov_type, row):
    return ValueError(
        f"cov_type={cov_type!r} divides by one minus the leverage, which is zero for"
        f" {row}: the model fits it whatever its target. Use cov_type='HC0' or 'HC1'."
    )


def _scores(problem, order, residuals=_raw):
    """The weighted scores of rows in the given order, in chunks of about 4 MB."""
    for rows, A, P in working_rows(problem, order):
        E = problem.targets.s[rows, None] * residuals(problem, rows, A, P)
        U = E[:, :, None] * A[:, None, :]
        yield rows, U.reshape(rows.size, -1)


def working_rows(problem, order):
    """Numbers, working rows and probabilities of rows, in chunks of about 4 MB."""
    # Scores have an entry for each coefficient, leverages one for each pair of classes.
    n_entries = max(problem.gamma.size, problem.targets.classes.size**2)
    size = max(2**19 // n_entries, 64)
    for start in range(0, order.size, size):
        rows = order[start : start + size]
        A = problem.design.rows(take_rows(problem.X, rows))
        yield rows, A, softmax(logits(A, problem.gamma))


def probabilities(problem):
    """P of all rows, shape (n_rows, n_classes)."""
    P = np.empty_like(problem.targets.Y)
    for rows, _, found in working_rows(problem, np.arange(len(P))):
        P[rows] = found
    return P
