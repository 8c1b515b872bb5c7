"""What is X? Validation, and the operations that differ between dense and CSR.

This is the only room that looks at the type of X. Dense arrays stay as they are in
memory order and precision; sparse input becomes CSR.
"""

import numpy as np
from scipy.sparse import issparse, vstack
from sklearn.utils.validation import validate_data

_FORMS = {
    "accept_sparse": "csr",
    "accept_large_sparse": True,
    "dtype": [np.float64, np.float32],
}


def check_X(estimator, X, *, reset):
    """X as a float array or CSR matrix; reset=True records its features.

    Names and number of features go to `estimator` (or are compared with it).
    """
    return validate_data(estimator, X, reset=reset, **_FORMS)


def is_dense(X):
    """Whether X is an array rather than a CSR matrix."""
    return not issparse(X)


def take_rows(X, rows):
    """Rows of X chosen by a mask or by numbers; X itself where a mask takes all."""
    if rows.dtype == bool and rows.all():
        return X
    return X[rows]


def take_columns(X, columns):
    """Columns of X chosen by numbers."""
    return X[:, columns]


def slice_rows(X, start, stop):
    """Rows start to stop of X as a view, also of a CSR matrix."""
    if not issparse(X):
        return X[start:stop]
    stop = min(stop, X.shape[0])
    first, last = X.indptr[start], X.indptr[stop]
    # Through the constructor scipy would copy what is a small part of a larger array.
    part = type(X)((stop - start, X.shape[1]), dtype=X.dtype)
    part.data, part.indices = X.data[first:last], X.indices[first:last]
    part.indptr = X.indptr[start : stop + 1] - first
    return part


def stack_rows(parts):
    """Several X on top of each other."""
    return vstack(parts, format="csr") if issparse(parts[0]) else np.concatenate(parts)


def stored_per_row(X):
    """Mean number of stored entries of a row."""
    return X.nnz / max(X.shape[0], 1) if issparse(X) else X.shape[1]


def product(X, W):
    """X @ W in column-major order, which the loss works along."""
    if issparse(X):
        return np.asfortranarray(X @ W)
    return (W.T @ X.T).T


def transposed_product(X, dZ):
    """X.T @ dZ; the product with the long side of X last is BLAS's faster one."""
    if issparse(X):
        return X.T @ dZ
    return (dZ.T @ X).T


def squares(X, centre):
    """(X - centre)^2, elementwise; a CSR matrix is not centred."""
    if not issparse(X):
        # In place: memory for a second array costs ten times what squaring does.
        differences = X - centre
        return np.square(differences, out=differences)
    # Shares the structure, which X.multiply(X) would build again.
    return type(X)((X.data * X.data, X.indices, X.indptr), shape=X.shape, copy=False)


def weighted_sums(X, s):
    """Sum of each column, rows weighted by s."""
    return X.T @ s


def dense_with_ones(X, centre, ones):
    """X - centre as a dense float64 array, with a last column of ones if asked for.

    A CSR matrix is not centred.
    """
    augmented = np.ones((X.shape[0], X.shape[1] + ones))
    if issparse(X):
        augmented[:, : X.shape[1]] = X.toarray()
    else:
        np.subtract(X, centre, out=augmented[:, : X.shape[1]])
    return augmented


def standardised(X, centre, scale):
    """(X - centre) * scale in single precision; a CSR matrix is not centred."""
    if not issparse(X):
        return ((X - centre) * scale).astype(np.float32)
    data = (X.data * scale[X.indices]).astype(np.float32)
    return type(X)((data, X.indices, X.indptr), shape=X.shape, copy=False)
