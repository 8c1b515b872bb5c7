"""Working coordinates: linear combinations of the columns that curve alike.

The standard errors of features at scales from 1e-8 to 1e8, far from zero or nearly
collinear, come from the inverse of a Hessian that double precision would spoil. So it
is formed in coordinates gamma = M^-1 theta of the coefficients theta: columns are
centred and scaled, and where there is no penalty also made orthonormal.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular

from sksoftmax._data.arrays import dense_with_ones

# A column is a combination of others where it agrees with one to this share of its
# spread. Sums of columns with 16 digits that lie 1e6 spreads from zero agree to 1e-10;
# monomials up to x^12 on [0, 1] still differ by 1e-8.
_COLLINEAR = 1e-9


@dataclass(frozen=True)
class Design:
    """The rows A = [X - centre, 1] U, and what they mean for coefficients.

    Attributes
    ----------
    centre : ndarray of shape (n_features,)
    U : ndarray of shape (n_terms, n_terms)
        Upper triangular; n_terms is n_features, and one more with an intercept.
    ones : bool
        Whether there is an intercept, which is the last term.
    """

    centre: np.ndarray
    U: np.ndarray
    ones: bool

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
            M[-1] -= self.centre @ self.U[:-1]
        return M

    def coordinates(self, theta):
        """Rows gamma of rows theta, shape (n_classes, n_terms)."""
        theta = np.array(theta, dtype=np.float64)
        if self.ones:
            theta[:, -1] += theta[:, :-1] @ self.centre
        return solve_triangular(self.U, theta.T).T


def scaled_design(chunks, ones):
    """Columns centred and scaled only: for penalised fits, where any X will do."""
    centre = chunks.centre() if ones else np.zeros(chunks.X.shape[1])
    scale = np.sqrt(chunks.second_moment(centre))
    if ones:
        scale = np.append(scale, 1.0)
    scale[scale == 0.0] = 1.0
    return Design(centre, np.diag(1.0 / scale), ones)


def orthonormal_design(chunks, ones, terms):
    """Columns made orthonormal as well.

    Raises
    ------
    ValueError
        If columns of X (and the intercept) are linearly dependent; it names them.
    """
    plain = scaled_design(chunks, ones)
    R = qr(np.vstack(chunks.map(_chunk_R, plain)), mode="r")[0][: plain.U.shape[0]]
    norms = np.sqrt(np.einsum("ij,ij->j", R, R))
    dependent = _dependencies(R / np.where(norms > 0.0, norms, 1.0), terms)
    if dependent:
        shown = "; ".join(dependent[:5])
        if len(dependent) > 5:
            shown += f"; and {len(dependent) - 5} more columns"
        raise ValueError(
            "The coefficients of linearly dependent columns are not identified:"
            f" {shown}. Leave these columns out of X, or use alpha > 0."
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
        others = [terms[j] for j in np.sort(order[:rank][size > 1e-6])]
        clauses.append(f"{terms[column]!r} is a combination of {_listed(others)}")
    return clauses


def _listed(names):
    shown = ", ".join(repr(name) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _chunk_R(chunk, design):
    rows = design.rows(chunk.X) * np.sqrt(chunk.s)[:, None]
    return qr(rows, mode="r")[0][: rows.shape[1]]


def _chunk_weight(chunk):
    return chunk.s.sum()
