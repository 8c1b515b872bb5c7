"""Tables in arrays that are sliced where they are, and in svmlight files."""

import os
from functools import partial
from typing import Any

import numpy as np

from sksoftmax.data import _table
from sksoftmax.data._table import Part, Table, paths_of, refuse_changed


def from_arrays(X: Any, y: Any = None, sample_weight: Any = None) -> Table:
    """Arrays in one or several files, such as npy shards, zarr and HDF5.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), path-like, or list of these
        Anything with a `shape` from which rows can be sliced: `h5py.Dataset`,
        `zarr.Array`, an array. A path is that of an npy file. A list holds shards, one
        above the other.
    y, sample_weight : array-like, path-like, list of these or None, default=None
        Labels or soft labels, and weights, in shards as X is. Predictions need none.

    Returns
    -------
    table : Table
        Pass it to `fit` as X, without y, or to `predict_proba`.

    Raises
    ------
    TypeError
        If X is no array of two dimensions.
    ValueError
        If y or the weights have other shards than X.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.data import from_arrays
    >>> X, y = load_iris(return_X_y=True)
    >>> table = from_arrays([X[::2], X[1::2]], [y[::2], y[1::2]])
    >>> SoftmaxRegressionClassifier().fit(table).predict_proba(table).shape
    (150, 3)
    """
    shards, are_several = _listed(X)
    shards = [_opened(shard) for shard in shards]
    for number, shard in enumerate(shards):
        _refuse_other_than_table(shard, number)
    y, sample_weight = (
        _beside(shards, array if are_several or array is None else [array], name)
        for name, array in (("y", y), ("sample_weight", sample_weight))
    )
    parts = []
    for number, shard in enumerate(zip(shards, y, sample_weight, strict=True)):
        name = f"shard {number}, " if are_several else ""
        for start, stop in _edges(shard[0]):
            read = partial(_slice, shard, slice(start, stop))
            parts.append(Part(f"{name}rows {start} to {stop - 1}", read))
    return Table(parts)


def from_svmlight(
    path: Any, *, n_features: int, zero_based: bool = False, dtype: Any = np.float64
) -> Table:
    """Sparse rows in text files of the svmlight or libsvm format.

    Parameters
    ----------
    path : path-like or list of path-like
        Files. Those that end in .gz or .bz2 are read whole, others in parts of 32 MiB.
    n_features : int
        Number of features, which no part of a file tells.
    zero_based : bool, default=False
        Whether the first feature has the number 0. The format begins with 1.
    dtype : dtype, default=float64
        Of X.

    Returns
    -------
    table : Table
        Pass it to `fit` as X, without y, or to `predict_proba`.

    See Also
    --------
    sklearn.datasets.load_svmlight_file : Reads the parts.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import dump_svmlight_file, load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.data import from_svmlight
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/iris.svm"
    ...     dump_svmlight_file(*load_iris(return_X_y=True), path, zero_based=False)
    ...     table = from_svmlight(path, n_features=4)
    ...     model = SoftmaxRegressionClassifier().fit(table)
    >>> model.n_features_in_
    4
    """
    options = {"n_features": n_features, "zero_based": zero_based, "dtype": dtype}
    parts = []
    for file in paths_of(path):
        stamp = _stamp(file)
        size = stamp[0]
        is_packed = file.endswith((".gz", ".bz2"))
        for start in range(0, size, size if is_packed else _table.PART_BYTES):
            place = {} if is_packed else {"offset": start, "length": _table.PART_BYTES}
            read = partial(_svmlight, file, stamp, {**options, **place})
            parts.append(Part(f"file {file}, from byte {start}", read))
    return Table(parts)


def _listed(arrays):
    """Shards as a list, and whether they were one."""
    are_several = isinstance(arrays, list)
    return (arrays if are_several else [arrays]), are_several


def _opened(array):
    """An array of which rows can be sliced."""
    if isinstance(array, str | os.PathLike):
        return np.lib.format.open_memmap(array, mode="r")  # which unpickles nothing
    return np.asarray(array) if hasattr(array, "iloc") else array  # a pandas series


def _refuse_other_than_table(shard, number):
    if not hasattr(shard, "dtype") or len(shard.shape) != 2:
        raise TypeError(
            f"shard {number} of X must be an array of two dimensions, a path of one, or"
            f" have `shape` and `dtype` like one, got {type(shard).__name__!r}."
        )


def _beside(shards, arrays, name):
    """The shards of labels or weights, as long as those of X."""
    if arrays is None:
        return [None] * len(shards)
    arrays = [_opened(array) for array in arrays]
    if len(arrays) != len(shards):
        raise ValueError(f"X has {len(shards)} shards, and {name} has {len(arrays)}.")
    for number, (X, array) in enumerate(zip(shards, arrays, strict=True)):
        if len(array) != X.shape[0]:
            raise ValueError(
                f"shard {number}: X has {X.shape[0]} rows, and {name} has {len(array)}."
            )
    return arrays


def _edges(X):
    """First and last row of each part of a shard: whole chunks of its file, if any."""
    step = max(_table.PART_BYTES // max(X.dtype.itemsize * X.shape[1], 1), 1)
    chunk = (getattr(X, "chunks", None) or [1])[0]
    step = max(step // chunk, 1) * chunk
    return [
        (start, min(start + step, X.shape[0])) for start in range(0, X.shape[0], step)
    ]


def _slice(shard, rows, with_labels):
    wanted = shard if with_labels else (shard[0], None, None)
    yield tuple(None if array is None else array[rows] for array in wanted)


def _svmlight(file, stamp, options, with_labels):
    from sklearn.datasets import load_svmlight_file  # takes long to import

    refuse_changed(f"file {file}", stamp, _stamp(file))
    yield (*load_svmlight_file(file, **options), None)


def _stamp(file):
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns
