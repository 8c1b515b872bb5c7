"""Working coordinates: linear combinations of the columns that curve alike.

Standard errors come from the inverse of a Hessian. Features on scales from 1e-8 to
1e8, far from zero or nearly collinear would spoil it in double precision. So the
Hessian is formed for other columns: these are centred and scaled, and without a
penalty also orthonormal. gamma = M^-1 theta are the coefficients theta in the
coordinates that belong to them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular

from sksoftmax._data.arrays import dense_with_ones

# A column is a combination of others if they leave less than this fraction of its
# spread. Sums of columns with 16 digits whose mean is 1e6 spreads leave 1e-10;
# monomials up to x^12 on [0, 1] leave 1e-8.
_COLLINEAR = 1e-9


@dataclass(frozen=True)
class Design:
    """The working rows A = [X - centre, 1] U, and coefficients in their coordinates.

    The scale is in U, which is upper triangular: a factor of its own would take one
    more pass over the rows, and round them once more.
    """

    centre: np.ndarray  # (n_features,), zeros without an intercept
    U: np.ndarray  # (n_terms, n_terms)
    ones: bool  # whether there is an intercept, which is the last term

    def rows(self, X):
        """A for rows of X, shape (n_rows, n_terms)."""
        return self.uncombined(X) @ self.U

    def uncombined(self, X):
        """[X - centre, 1], shape (n_rows, n_terms)."""
        return dense_with_ones(X, self.centre, self.ones)

    @property
    def M(self):
        """Matrix of theta = M gamma, shape (n_terms, n_terms)."""
        M = self.U.copy()
        if self.ones:
            M[-1] -= self.centre @ M[:-1]
        return M

    def coordinates(self, theta):
        """gamma of theta, both of shape (n_classes, n_terms)."""
        centred = theta.T.copy()
        if self.ones:
            centred[-1] += self.centre @ centred[:-1]
        return solve_triangular(self.U, centred).T


def scaled_design(chunks, ones):
    """Columns centred and scaled only: for fits with a penalty, on any X."""
    centre = chunks.centre() if ones else np.zeros_like(chunks.centre())
    scale = np.sqrt(chunks.second_moment(centre))
    if ones:
        scale = np.append(scale, 1.0)
    scale[scale == 0.0] = 1.0
    return Design(centre, np.diag(1.0 / scale), ones)


def orthonormal_design(chunks, ones, terms):
    """Columns made orthonormal as well; an error names any that depend on others."""
    plain = scaled_design(chunks, ones)
    R = chunks.sum(_chunk_triangle, plain).R
    norms = np.sqrt(np.einsum("ij,ij->j", R, R))
    dependent = _dependencies(R / np.where(norms > 0.0, norms, 1.0), terms)
    if dependent:
        raise ValueError(
            "The coefficients of linearly dependent columns are not identified:"
            f" {_listed(dependent, '; ')}. Leave these columns out of X, or use"
            " alpha > 0."
        )
    total = chunks.sum(_chunk_weight, reads_X=False)
    inverse = solve_triangular(R, np.eye(R.shape[0])) * np.sqrt(total)
    return Design(plain.centre, plain.U @ inverse, ones)


def _dependencies(R, terms):
    """A clause for each column that is a combination of others."""
    _, T, order = qr(R, mode="economic", pivoting=True)
    size = np.abs(np.diag(T))
    rank = int(np.count_nonzero(size > _COLLINEAR * size[0])) if size[0] > 0 else 0
    if rank == len(terms):
        return []
    weights = solve_triangular(T[:rank, :rank], T[:rank, rank:]) if rank else None
    clauses = []
    for number, column in enumerate(order[rank:]):
        if not R[:, column].any():
            clauses.append(f"{terms[column]!r} is constant")
            continue
        size = np.abs(weights[:, number])
        others = [repr(terms[j]) for j in np.sort(order[:rank][size > 1e-6])]
        clauses.append(f"{terms[column]!r} is a combination of {_listed(others, ', ')}")
    return clauses


def _listed(items, separator):
    more = [f"and {len(items) - 5} more"] if len(items) > 5 else []
    return separator.join([*items[:5], *more])


@dataclass(frozen=True)
class _Triangle:
    """R of a QR decomposition of some rows; `+` is that of these and other rows."""

    R: np.ndarray

    def __add__(self, other):
        return _triangle(np.vstack([self.R, other.R]))


def _triangle(rows):
    return _Triangle(qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]])


def _chunk_triangle(chunk, design):
    return _triangle(design.rows(chunk.X) * np.sqrt(chunk.s)[:, None])


def _chunk_weight(chunk):
    return chunk.s.sum()
