"""Wide data, exactly: fewer rows than features need only as many coordinates as rows.

With a penalty that depends on ||W|| alone, the optimal W is a combination of the rows
of X (the representer theorem), W = Q V with the columns of Q an orthonormal basis of
them. Then X W = (X Q) V and ||W|| = ||V||: the problem in V is the same one with X Q,
of shape (n_rows, rank), for data.
"""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpstrf

# Features whose products with the rows are formed at once: bounds the float64 copy of a
# float32 X.
_CHUNK = 4096


class RowSpace:
    """Coordinates in the space that the rows of a dense X span.

    From the pivoted Cholesky factor L of X X^T: with R the pivot rows of X, Q = R^T
    L^-T.

    Attributes
    ----------
    coordinates : ndarray of shape (n_rows, rank)
        X Q.
    """

    def __init__(self, X):
        factor, pivots, rank, _ = dpstrf(_gram(X, X), lower=1)
        L = np.tril(factor)[:, :rank]
        pivots = pivots - 1
        self._L = L[:rank]
        self._rows = X[pivots[:rank]]
        self.coordinates = np.empty_like(L)
        self.coordinates[pivots] = L

    def reduce_data(self, X):
        """X Q, of other rows."""
        return solve_triangular(self._L, _gram(self._rows, X), lower=True).T

    def reduce_weights(self, W):
        """Q^T W."""
        return solve_triangular(self._L, self._rows @ W, lower=True)

    def expand_weights(self, V):
        """Q V."""
        return self._rows.T @ solve_triangular(self._L, V, lower=True, trans=1)


def _gram(A, B):
    """A B^T in float64."""
    total = np.zeros((A.shape[0], B.shape[0]))
    for start in range(0, A.shape[1], _CHUNK):
        columns = slice(start, start + _CHUNK)
        part = A[:, columns].astype(np.float64, copy=False)
        other = part if B is A else B[:, columns].astype(np.float64, copy=False)
        total += part @ other.T
    return total
