"""Missing values: NaN, NaT, None, NA of pandas, nulls of arrow and masked entries.

They are looked for before arrays are made of the data. A conversion to floats takes a
missing date for a number, NumPy drops masks, and labels that do not sort have an error
that does not say why.
"""

from contextlib import contextmanager

import numpy as np

# Entries that are looked at together, so that masks of large data stay small.
_AT_ONCE = 2**22


@contextmanager
def no_missing(name, values):
    """Refuse missing values of an argument that is converted in this block.

    Numbers are looked at only if the conversion fails: it checks them itself, and the
    error here adds the place.
    """
    if not _converts_safely(values):
        refuse_missing(name, values)
    try:
        yield
    except (TypeError, ValueError, OverflowError):
        refuse_missing(name, values)
        raise


def refuse_missing(name, values):
    """Refuse missing values: the error names the row and the column of the first."""
    names = column_names(values)
    if names is None or len(set(names)) < len(names):  # which column would a name be?
        names = [None]
    for column in names:
        found = _first_missing(values if column is None else values[column])
        if found is None:
            continue
        value, row, *others = found
        shown = "a masked entry" if value is np.ma.masked else str(value)
        shown = "NaN" if shown == "nan" else shown
        where = "".join(f", column {number}" for number in others)
        where = where if column is None else f", column {column!r}"
        raise ValueError(
            f"Input {name} contains {shown} in row {row}{where}. Fill in missing"
            " values, or leave out their rows."
        )


def column_names(table):
    """Names of the columns of a data frame or an arrow table, None of anything else."""
    kind = type(table)  # of the table itself a column may have one of these names
    for attribute in ("column_names", "columns"):
        if hasattr(kind, attribute) and hasattr(kind, "__array__"):
            return getattr(table, attribute)
    return None


def _converts_safely(values):
    """Whether what is missing becomes NaN when values become numbers."""
    if type(values) is np.ndarray:  # nearly always: small fits are spared 2 us
        return _is_numeric(values.dtype)
    if np.ma.isMaskedArray(values):
        return False
    if column_names(values) is None:
        dtypes = [getattr(values, "dtype", None)]
    else:
        dtypes = getattr(values, "dtypes", [None])
    return _is_sparse(values) or all(map(_is_numeric, dtypes))


def _is_numeric(dtype):
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biufSU"
    return hasattr(dtype, "is_numeric") and dtype.is_numeric()  # of polars


def _is_sparse(values):
    return hasattr(type(values), "tocoo")


def _first_missing(values):
    """The first missing value and its indices, or None."""
    if values is np.ma.masked:
        return values, 0
    if hasattr(type(values), "is_null"):  # arrow and polars: converted, it may be lost
        nulls = np.asarray(values.is_null())
        if nulls.any():
            return "null", nulls.argmax()
    if _is_sparse(values):
        values = values.tocsr()
    elif isinstance(values, list | tuple) and any(map(np.ma.isMaskedArray, values)):
        values = np.ma.array(values)
    else:
        values = np.asanyarray(values)
    if values.ndim == 0:
        return None
    n_rows, n_entries = values.shape[0], getattr(values, "nnz", values.size)
    step = max(n_rows * _AT_ONCE // max(n_entries, 1), 1)
    for start in range(0, n_rows, step):
        for value, row, *others in _missing_entries(values[start : start + step]):
            return value, start + row, *others
    return None


def _missing_entries(part):
    """Each missing entry of an array or a CSR matrix, with its indices."""
    if _is_sparse(part):
        part = part.tocoo()
        for i in np.flatnonzero(_is_missing(part.data)):
            yield part.data[i], part.row[i], part.col[i]
    else:
        for place in np.argwhere(_is_missing(part) | np.ma.getmaskarray(part)):
            yield part[tuple(place)], *place


def _is_missing(entries):
    """Mask of the entries that are missing, masks left aside."""
    entries = np.asarray(entries)
    if entries.dtype.kind == "f":
        return np.isnan(entries)
    if entries.dtype.kind in "mM":
        return np.isnat(entries)
    if entries.dtype.kind in "biucSUV":
        return np.zeros(entries.shape, dtype=bool)
    return np.frompyfunc(_is_no_value, 1, 1)(entries.astype(object)).astype(bool)


def _is_no_value(value):
    if value is None or value is np.ma.masked:
        return True
    try:
        return bool(value != value)  # NaN and NaT differ from themselves
    except TypeError:  # of pandas' NA, which is neither true nor false
        return True
    except (ValueError, ArithmeticError):  # of arrays, and of Decimal("sNaN")
        return False
