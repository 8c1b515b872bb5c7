"""Covariance of the estimates: from the Hessian, or from the spread of the scores."""

from dataclasses import dataclass

import numpy as np

from sksoftmax._data.labels import class_index
from sksoftmax._utils.errors import error_context
from sksoftmax.inference._sandwich import check_groups, check_small_sample, sandwich


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


def covariance(problem, cov_type, groups, small_sample=None):
    """The covariance C of gamma; groups has an entry for each sample of the user.

    `small_sample` is as in `summary`.
    """
    check_small_sample(small_sample)
    if not problem.is_in_memory and cov_type == "cluster":
        raise ValueError(
            "cov_type='cluster' adds up the scores of rows that may be anywhere in the"
            " data: it needs X in memory. 'HC0' to 'HC3' are formed in passes."
        )
    n_samples = problem.kept.size if problem.is_in_memory else None
    groups = check_groups(groups, cov_type, n_samples)
    if cov_type == "nonrobust":
        return problem.factor.inverse()
    return sandwich(problem, cov_type, groups, small_sample)
