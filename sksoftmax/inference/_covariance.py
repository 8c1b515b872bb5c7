"""Covariance of the estimates: from the model, or from the spread of the scores."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import column_or_1d

from sksoftmax._data.arrays import take_rows
from sksoftmax._model.loss import softmax
from sksoftmax._utils.errors import check_choice, error_context
from sksoftmax.inference._likelihood import logits

COV_TYPES = ("nonrobust", "HC0", "HC1", "cluster")


@dataclass(frozen=True)
class Estimates:
    """Coefficients and their covariance, against a base class or the mean of all.

    Attributes
    ----------
    gamma : ndarray of shape (K - 1, n_terms)
        Contrasts with the last class, in working coordinates.
    C : ndarray of shape ((K - 1) n_terms, (K - 1) n_terms)
        Their covariance.
    M : ndarray of shape (n_terms, n_terms)
        From working coordinates to those of X.
    G : ndarray of shape (n_rows, K - 1)
        From contrasts with the last class to the rows of the table.
    """

    gamma: np.ndarray
    C: np.ndarray
    M: np.ndarray
    G: np.ndarray

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
        T = np.kron(self.G, self.M)
        variances = np.einsum("ij,ij->i", T @ self.C, T)
        return np.sqrt(np.maximum(variances, 0.0)).reshape(len(self.G), len(self.M))


def gauge(n_classes, base):
    """G for a base class, given by its number, or for the symmetric gauge, None.

    The row of the base class itself, zero in all columns, is left out.
    """
    G = np.vstack([np.eye(n_classes - 1), np.zeros(n_classes - 1)])
    if base is None:
        return G - G.mean(axis=0)
    return np.delete(G - G[base], base, axis=0)


def find_base(classes, base):
    """Number of the base class, or None."""
    if base is None:
        return None
    with error_context("base"):
        is_label = np.ndim(base) <= np.ndim(classes[0])
    if not is_label:
        raise ValueError(f"base must be the label of one class, got {base!r}.")
    found = [k for k, label in enumerate(classes.tolist()) if label == base]
    if not found:
        raise ValueError(
            "base must be one of the classes"
            f" {classes.tolist()} or None for the symmetric gauge, got {base!r}."
        )
    return found[0]


def check_groups(groups, cov_type, n_samples):
    """Numbers of the groups of all samples, or None where they are not used."""
    check_choice("cov_type", cov_type, COV_TYPES)
    if (cov_type == "cluster") != (groups is not None):
        need = "needs" if groups is None else "does not use"
        raise ValueError(f"cov_type={cov_type!r} {need} groups.")
    if groups is None:
        return None
    with error_context("groups"):
        groups = column_or_1d(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must have one entry for each of the {n_samples} samples, got"
            f" {groups.size}."
        )
    if (groups != groups).any():  # only missing values differ from themselves
        raise ValueError("groups must not have missing values.")
    with error_context("groups"):
        return np.unique(groups, return_inverse=True)[1]


def covariance(problem, cov_type, groups):
    """C of the estimates in working coordinates."""
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

    A row that occurs f times adds f products; its f scores add up inside a group.
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
    """Weighted scores of the rows in an order, in chunks of about 4 MB."""
    size = max(2**19 // n_columns, 64)
    targets = problem.targets
    for start in range(0, order.size, size):
        rows = order[start : start + size]
        A = problem.design.rows(take_rows(problem.X, rows))
        residuals = softmax(logits(A, problem.gamma)) - targets.Y[rows]
        residuals *= targets.s[rows, None]
        U = residuals[:, :-1, None] * A[:, None, :]
        yield rows, U.reshape(rows.size, n_columns)
