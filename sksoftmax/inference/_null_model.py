"""The model of constants alone, which a summary compares its model with.

A design has a constant if an intercept, a column of its own or a combination of columns
is the same for all rows: dummies of all categories add up to one.
"""

import numpy as np
from scipy.linalg import null_space

from sksoftmax.inference._hypotheses import HypothesisTest, chi_squared, wald_statistic

# How far from one a combination of columns may be in a row, to count as a constant.
_ROUNDING = 1e-8

# Eigenvalues of a covariance below this fraction of the largest are rounding.
_SINGULAR = 1e-10


def constant(problem):
    """Coefficients c of the working columns with A c = 1 in all rows, or None."""
    design, chunks = problem.design, problem.likelihood.chunks
    n_terms = design.U.shape[0]
    if design.ones:
        return np.linalg.solve(design.U, np.eye(n_terms)[-1])
    gram, sums = chunks.sum(_chunk_moments, design)
    c = np.linalg.lstsq(gram, sums, rcond=1e-12)[0]
    furthest = max(chunks.collect(_chunk_distance, design, c))
    return c if furthest <= _ROUNDING else None


def null_loglik(problem, c):
    """The log-likelihood of constants alone or, without any, of equal probabilities."""
    return -problem.n * problem.targets.null_value(c is not None)


def wald_test_of_model(estimates, c):
    """Wald's test that nothing but constants has an effect.

    All is nan if the covariance has no inverse, as with fewer clusters than
    coefficients.
    """
    gamma, C = estimates.gamma, estimates.C
    free = np.eye(gamma.shape[1]) if c is None else null_space(c[None]).T
    if not len(free):
        return chi_squared(0.0, 0, "Wald")
    R = np.kron(np.eye(len(gamma)), free)
    if np.linalg.matrix_rank(R @ C @ R.T, rtol=_SINGULAR, hermitian=True) < len(R):
        return HypothesisTest(np.nan, len(R), np.nan, "Wald")
    return chi_squared(*wald_statistic(R, R @ gamma.ravel(), C), "Wald")


def _chunk_moments(chunk, design):
    A = design.rows(chunk.X)
    sA = A * chunk.s[:, None]
    return sA.T @ A, sA.sum(axis=0)


def _chunk_distance(chunk, design, c):
    return float(np.abs(design.rows(chunk.X) @ c - 1.0).max(initial=0.0))
