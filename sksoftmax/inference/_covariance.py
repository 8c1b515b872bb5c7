"""Covariance of the estimates: from the Hessian, or from the spread of the scores."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import column_or_1d

from sksoftmax._data.arrays import take_rows
from sksoftmax._data.labels import class_index
from sksoftmax._model.loss import softmax
from sksoftmax._utils.errors import check_choice, error_context
from sksoftmax._utils.missing import refuse_missing
from sksoftmax.inference._likelihood import logits


@dataclass(frozen=True)
class Estimates:
    """Coefficients G gamma M^T and their covariance."""

    gamma: np.ndarray  # contrasts with the last class, working coordinates
    C: np.ndarray  # covariance of gamma.ravel()
    M: np.ndarray  # from working coordinates to those of X, (n_terms, n_terms)
    G: np.ndarray  # to contrasts with a base class or the mean, (n_rows, K - 1)

    @property
    def coef(self):
        """Shape (n_rows, n_terms)."""
        return self.G @ self.gamma @ self.M.T

    @property
    def covariance(self):
        """Of coef row by row, shape (n_rows n_terms, n_rows n_terms)."""
        T = np.kron(self.G, self.M)
        return T @ self.C @ T.T

    @property
    def se(self):
        """Standard errors, shape (n_rows, n_terms)."""
        se = standard_errors(np.kron(self.G, self.M), self.C)
        return se.reshape(len(self.G), len(self.M))


def standard_errors(J, C):
    """Those of J gamma, for gamma with covariance C."""
    variances = np.einsum("ij,ij->i", J @ C, J)
    return np.sqrt(np.maximum(variances, 0.0))


def gauge(n_classes, base=None):
    """G against a base class, given by its number, or against the mean of all classes.

    The row of the base class itself would be zero and is left out.
    """
    G = np.vstack([np.eye(n_classes - 1), np.zeros(n_classes - 1)])
    if base is None:
        return G - G.mean(axis=0)
    return np.delete(G - G[base], base, axis=0)


def find_base(classes, base):
    """The number of the base class, or None."""
    if base is None:
        return None
    with error_context("base"):
        is_label = np.ndim(base) <= np.ndim(classes[0])
    if not is_label:
        raise ValueError(f"base must be the label of one class, got {base!r}.")
    found = class_index(classes, base)
    if found is None:
        raise ValueError(
            f"base must be one of the classes {classes.tolist()} or None for the mean"
            f" of all classes, got {base!r}."
        )
    return found


def _check_groups(groups, cov_type, n_samples):
    """The number of each sample's group, or None if there are no groups."""
    check_choice("cov_type", cov_type, ("nonrobust", "HC0", "HC1", "cluster"))
    if (cov_type == "cluster") != (groups is not None):
        need = "needs" if groups is None else "does not use"
        raise ValueError(f"cov_type={cov_type!r} {need} groups.")
    if groups is None:
        return None
    with error_context("groups"):
        refuse_missing("groups", groups)
        groups = column_or_1d(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must have one entry for each of the {n_samples} samples, got"
            f" {groups.size}."
        )
    with error_context("groups"):
        return np.unique(groups, return_inverse=True)[1]


def covariance(problem, cov_type, groups):
    """The covariance C of gamma; groups has an entry for each sample of the user."""
    groups = _check_groups(groups, cov_type, problem.kept.size)
    if cov_type == "nonrobust":
        return problem.factor.inverse()
    n, n_params = problem.n, problem.gamma.size
    if cov_type != "HC0" and n <= n_params:
        raise ValueError(
            f"cov_type={cov_type!r} needs more observations than coefficients, got"
            f" {n:g} and {n_params}."
        )
    correction = n / (n - n_params) if cov_type == "HC1" else 1.0
    if cov_type == "cluster":
        groups = groups[problem.kept]
        n_groups = np.unique(groups).size
        if n_groups < 2:
            raise ValueError("groups must have at least two groups with weight.")
        correction = n_groups / (n_groups - 1) * (n - 1) / (n - n_params)
    inverse = problem.factor.inverse()
    return correction * (inverse @ _meat(problem, groups) @ inverse)


def _meat(problem, groups):
    """Sum of the outer products of the scores of rows, or of groups of rows.

    A row that occurs f times adds f products. Inside a group its f scores are added.
    """
    n_columns = problem.gamma.size
    if groups is None:
        order = np.arange(problem.counts.size)
        return sum(
            U.T @ (U / problem.counts[rows, None])
            for rows, U in _scores(problem, order, n_columns)
        )
    meat = np.zeros((n_columns, n_columns))
    open_group, open_sum = None, np.zeros(n_columns)
    for rows, U in _scores(problem, np.argsort(groups, kind="stable"), n_columns):
        labels = groups[rows]
        starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
        sums = np.add.reduceat(U, starts, axis=0)
        if labels[0] == open_group:
            sums[0] += open_sum
        else:
            meat += np.outer(open_sum, open_sum)
        meat += sums[:-1].T @ sums[:-1]
        open_group, open_sum = labels[-1], sums[-1]
    return meat + np.outer(open_sum, open_sum)


def _scores(problem, order, n_columns):
    """The weighted scores of rows in the given order, in chunks of about 4 MB."""
    size = max(2**19 // n_columns, 64)
    targets = problem.targets
    for start in range(0, order.size, size):
        rows = order[start : start + size]
        A = problem.design.rows(take_rows(problem.X, rows))
        residuals = softmax(logits(A, problem.gamma)) - targets.Y[rows]
        residuals *= targets.s[rows, None]
        U = residuals[:, :-1, None] * A[:, None, :]
        yield rows, U.reshape(rows.size, n_columns)
