"""Validation of X, and the operations that differ between dense and CSR.

This is the only file that looks at the type of X. Dense arrays stay as they are in
memory order and precision; sparse input becomes CSR.
"""

from mmap import mmap

import numpy as np
from scipy.sparse import csr_array, csr_matrix, hstack, issparse, vstack
from sklearn.utils.validation import validate_data

from sksoftmax._data.row_view import RowView
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import no_missing
from sksoftmax.data._table import Table, refuse_unread

# In the names of joblib's folders for arguments of its workers.
_OF_JOBLIB = "joblib_memmapping_folder"

_FORMS = {
    "accept_sparse": "csr",
    "accept_large_sparse": True,
    "dtype": [np.float64, np.float32],
}


def check_X(estimator, X, *, reset, name="X"):
    """X as a float array or CSR matrix; reset=True records its features.

    Names and number of features go to `estimator` (or are compared with it).
    """
    if is_plain(X) and has_finite_sum(X):  # spares a fit of few rows 100 us
        if reset:
            vars(estimator).pop("feature_names_in_", None)
            estimator.n_features_in_ = X.shape[1]
        if has_features_of(estimator, X):
            return X
    if is_dask(X):  # which validation would silently read into memory
        raise TypeError(
            f"{name} is a dask collection, which {type(estimator).__name__} cannot use"
            f" here: pass {name}.compute()."
        )
    refuse_unread(name, X)
    with error_context(name), no_missing(name, X):
        return _canonical(validate_data(estimator, X, reset=reset, **_FORMS))


def check_features(estimator, X, *, reset):
    """Record number and names of the features of X, or compare them, as `check_X`."""
    with error_context("X"):
        validate_data(estimator, X, reset=reset, skip_check_array=True)


def is_plain(X):
    """Whether `check_X` would return X itself, unless an entry is not finite."""
    if type(X) not in (np.ndarray, csr_matrix, csr_array):
        return False
    is_table = X.ndim == 2 and X.dtype in _FORMS["dtype"] and min(X.shape) > 0
    return is_table and (type(X) is np.ndarray or X.has_canonical_format)


def has_features_of(estimator, X):
    """Whether a table without names has the features that an estimator has recorded."""
    recorded = vars(estimator)
    has_names = "feature_names_in_" in recorded
    return not has_names and recorded.get("n_features_in_") == X.shape[1]


def has_finite_sum(X):
    """Whether the sum of all entries is finite; then all of them are."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def convert_X(X):
    """X in the form that `check_X` gives, without looking at its entries again."""
    if issparse(X):
        X = _canonical(X.tocsr())
    elif hasattr(X, "column_names"):  # of Arrow: column by column is twice as fast
        X = np.array([X.column(name).to_numpy() for name in X.column_names]).T
    elif not isinstance(X, np.ndarray):
        X = np.asarray(X)
    return X if X.dtype in _FORMS["dtype"] else X.astype(np.float64)


def _canonical(X):
    """X with its stored entries in order, each once; an array as it is.

    Of a CSR matrix that has them otherwise a copy: scipy would put the caller's in
    order, and what is not linear in the entries must not see one in parts.
    """
    if issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def is_in_file(X):
    """Whether X is a table in a file of the user's, and no copy that joblib has made.

    joblib hands large arrays to its workers as files. There they are what they were.
    """
    if issparse(X):
        owners = _owners(X.data) if X.format == "csr" else []
    else:
        owners = _owners(X) if isinstance(X, np.memmap) and X.ndim == 2 else []
    return any(isinstance(owner, mmap) for owner in owners) and not any(
        _OF_JOBLIB in str(getattr(owner, "filename", "")) for owner in owners
    )


def _owners(array):
    """An array, what it is a view of, and so on, down to who owns the memory."""
    owners = [array]
    while isinstance(owners[-1], np.ndarray) and owners[-1].base is not None:
        owners.append(owners[-1].base)
    return owners


def is_table(X):
    """Whether X is a `Table` of `sksoftmax.data`."""
    return isinstance(X, Table)


def is_dask(X):
    """Whether X is a dask collection; asked without importing dask."""
    return type(X).__module__.split(".")[0] in ("dask", "dask_expr")


def in_memory(values):
    """Values of a dask collection as an array; anything else as it is."""
    return values.compute() if is_dask(values) else values


def is_dask_frame(X):
    """Whether a dask collection has columns with names, or is one of them."""
    return not hasattr(X, "chunks")


def float_dtype(X):
    """The dtype that a dask collection has where it is checked, block by block."""
    try:
        found = np.result_type(*(X.dtypes if is_dask_frame(X) else [X.dtype]))
    except TypeError:  # of pandas' own
        found = np.float64
    return np.dtype(np.float32 if found == np.float32 else np.float64)


def join_columns(parts):
    """Several X beside each other."""
    if issparse(parts[0]):
        return hstack(parts, format="csr")
    return np.concatenate(parts, axis=1)


def without_file(X):
    """A memory-mapped X as a plain array over the same memory: cheaper to slice."""
    return X if issparse(X) else np.asarray(X)


def are_batches(X):
    """Whether X is made of batches: something to call or iterate over, not a table."""
    if callable(X):
        return True
    if any(hasattr(X, name) for name in ("__array__", "__dask_graph__", "shape")):
        return False
    if isinstance(X, list | tuple):
        return bool(X) and all(
            isinstance(batch, tuple) and hasattr(batch[0], "shape") for batch in X
        )
    return hasattr(X, "__iter__") and not isinstance(X, str | bytes | dict | set)


def n_bytes(value):
    """Bytes of the arrays in a value, which may be in tuples and lists."""
    if isinstance(value, tuple | list):
        return sum(map(n_bytes, value))
    if issparse(value):
        return n_bytes([value.data, value.indices, value.indptr])
    return getattr(value, "nbytes", 0)


def n_bytes_in_file(X):
    """Bytes that the entries take in memory if X is in a user's file; 0 of others."""
    if not is_in_file(X):
        return 0
    itemsize = 4 if X.dtype == np.float32 else 8
    return itemsize * (X.nnz if issparse(X) else X.size)


def is_dense(X):
    """Whether X is an array rather than a CSR matrix."""
    return not issparse(X)


def take_rows(X, rows):
    """Rows of X chosen by a mask or by numbers; X itself where a mask takes all."""
    if rows.dtype == bool and rows.all():
        return X
    return X[rows]


def viewed(X):
    """All rows of an array as a view; a CSR matrix, or a view, as it is."""
    if issparse(X) or isinstance(X, RowView):
        return X
    # In another order `take` would copy all of an array, each time.
    return RowView(np.ascontiguousarray(X), np.arange(X.shape[0]))


def array_and_numbers(X):
    """The array that rows are taken of and, of a view, the numbers of its rows there.

    An array, with None for the numbers, is all of its rows.
    """
    if isinstance(X, RowView):
        return X.X, X.numbers
    return np.ascontiguousarray(X), None


def take_columns(X, columns):
    """Columns of X chosen by numbers."""
    return X[:, columns]


def in_double(X):
    """X in double precision where it is an array; a CSR matrix stays as it is."""
    return X if issparse(X) else X.astype(np.float64, copy=False)


# Fraction of stored entries from which an array takes no more memory than a CSR matrix
# in double precision, with 12 bytes an entry.
_FULL = 2.0 / 3.0


def unpacked(X):
    """X as an array if it is a CSR matrix with few zeros, else as it is.

    Products with an array take a tenth of the time.
    """
    if is_dense(X) or X.nnz < _FULL * X.shape[0] * X.shape[1]:
        return X
    return X.toarray()


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


def no_rows(n_features, dtype, *, is_dense):
    """An X without rows."""
    return (np.zeros if is_dense else csr_matrix)((0, n_features), dtype=dtype)


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


def stored_by_column(X):
    """Entries of a CSR matrix that are not zero, one column after the other.

    Their number in each column, and the row and the value, in double precision, of
    each.
    """
    columns = X.tocsc()
    if not columns.data.all():
        columns.eliminate_zeros()
    values = columns.data.astype(np.float64, copy=False)
    return np.diff(columns.indptr), columns.indices, values


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
    if issparse(X):
        centre = np.zeros_like(centre)
    return rescaled(X, centre, scale, np.float32)


def sum_of_squares(X):
    """Of all entries; infinite where that overflows, which single precision cannot."""
    if X.dtype != np.float64:
        return 0.0
    values = X.data if issparse(X) else X
    axes = "ij"[: values.ndim]
    with np.errstate(over="ignore"):
        return float(np.einsum(f"{axes},{axes}->", values, values))


def largest_entry(X):
    """Column and size of the entry of largest size."""
    sizes = abs(X).max(axis=0)
    sizes = sizes.toarray().ravel() if issparse(X) else sizes
    return int(sizes.argmax()), float(sizes.max())


# Rows that are converted at a time: the temporary double-precision copies stay small.
_ROWS_AT_ONCE = 2048


def centre_of_full_columns(X, centre):
    """The centre of those columns of CSR of which every entry is stored; else zero.

    They may be centred and stay sparse. One that is far from zero would lose its digits
    if what is subtracted from all rows came later.
    """
    n_rows, n_columns = X.shape
    is_full = np.bincount(X.indices, minlength=n_columns) == n_rows
    return np.where(is_full, centre, 0.0)


def rescaled_apart(X, centre, factor):
    """A sparse U and numbers u of its columns: (X - centre) * factor is U - u."""
    shift = centre_of_full_columns(X, centre)
    data = (X.data.astype(np.float64) - shift[X.indices]) * factor[X.indices]
    U = csr_matrix((data, X.indices, X.indptr), shape=X.shape)
    return U, (centre - shift) * factor


def rescaled(X, centre, factor, dtype):
    """(X - centre) * factor, a new array or CSR; of a view of rows another view.

    A CSR matrix whose centre is not zero becomes an array.
    """
    if isinstance(X, RowView):
        return X.scaled(centre, factor, dtype)
    if issparse(X) and not centre.any():
        data = (X.data * factor[X.indices]).astype(dtype)
        return csr_matrix((data, X.indices, X.indptr), shape=X.shape)
    out = np.empty(X.shape, dtype)
    for start in range(0, X.shape[0], _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        rows = X[part].toarray() if issparse(X) else X[part]
        out[part] = (rows - centre) * factor
    return out
