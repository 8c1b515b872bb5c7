"""X one column after the other in memory, for steps along one feature at a time."""

import numpy as np
from scipy.sparse import csc_matrix, hstack

from sksoftmax._data.arrays import is_dense


def by_columns(X, centre, ones):
    """X - centre in double precision, with a last column of ones if asked for.

    An array becomes one in column-major order. A CSR matrix becomes a CSC one with
    indices of 32 bits, and is not centred.
    """
    if is_dense(X):
        out = np.ones((X.shape[0], X.shape[1] + ones), order="F")
        np.subtract(X, centre, out=out[:, : X.shape[1]])
        return out
    columns = csc_matrix(X, dtype=np.float64)
    if ones:
        last = csc_matrix(np.ones((X.shape[0], 1)))
        columns = hstack([columns, last], format="csc")
    columns.indices = columns.indices.astype(np.int32, copy=False)
    columns.indptr = columns.indptr.astype(np.int32, copy=False)
    return columns
