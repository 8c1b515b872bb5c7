"""Wide data, exactly: fewer rows than features need only as many coordinates as rows.

With a penalty that depends on ||W|| alone, the optimal W is a combination of the rows
of X (the representer theorem), W = Q V with X^T = Q R. Then X W = R^T V and ||W|| =
||V||: the problem in V is the same one with R^T, of shape (n_rows, n_rows), for data.
"""

import numpy as np
from scipy.linalg import qr


class RowSpace:
    """Coordinates in the space that the rows of a dense X span.

    A QR decomposition and not the cheaper factor of X X^T, which loses features that
    are smaller than the largest by 1e8.

    Attributes
    ----------
    coordinates : ndarray of shape (n_rows, n_rows)
        X Q.
    """

    def __init__(self, X):
        columns = X.T.astype(np.float64)
        self._Q, R = qr(columns, mode="economic", overwrite_a=True, check_finite=False)
        self.coordinates = np.ascontiguousarray(R.T)

    def reduce_data(self, X):
        """X Q, of other rows."""
        return X @ self._Q

    def reduce_weights(self, W):
        """Q^T W."""
        return self._Q.T @ W

    def expand_weights(self, V):
        """Q V."""
        return self._Q @ V
