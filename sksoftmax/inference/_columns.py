"""Tables of users by their columns: look one up, replace some, take rows."""

import numpy as np

from sksoftmax._data.arrays import in_double, is_dense, slice_rows, take_rows
from sksoftmax._utils.missing import column_names


class ArrayColumns:
    """An array or a CSR matrix whose columns have names."""

    def __init__(self, table, names):
        self.raw, self.names = table, list(names)
        self._number = {name: j for j, name in enumerate(self.names)}

    def __len__(self):
        return self.raw.shape[0]

    def rows(self, start, stop):
        """Some rows, as an array."""
        return self._like(slice_rows(self.raw, start, stop))

    def take(self, rows):
        """Rows by their numbers, as an array."""
        return self._like(take_rows(self.raw, rows))

    def column(self, name):
        """A column as an array."""
        values = self.raw[:, [self._number[name]]]
        return (values if is_dense(values) else values.toarray())[:, 0]

    def is_numeric(self, name):
        """Whether the entries of a column are numbers."""
        return _is_numeric(self.raw.dtype) or _are_floats(self.column(name))

    def replaced(self, values):
        """A table with other values in some columns: arrays, or one for all rows."""
        if not values:
            return self
        changed = self.raw.copy() if is_dense(self.raw) else self.raw.toarray()
        kinds = {np.asarray(value).dtype.kind for value in values.values()}
        if changed.dtype.kind in "iu" and "f" in kinds:
            changed = changed.astype(np.float64)
        for name, value in values.items():
            changed[:, self._number[name]] = value
        return ArrayColumns(changed, self.names)

    def _like(self, rows):
        rows = rows if is_dense(rows) else rows.toarray()
        rows = in_double(rows) if rows.dtype.kind == "f" else rows
        return ArrayColumns(rows, self.names)


class FrameColumns:
    """A data frame of pandas or polars."""

    def __init__(self, frame):
        self.raw, self.names = frame, list(frame.columns)

    def __len__(self):
        return len(self.raw)

    def rows(self, start, stop):
        """Some rows."""
        return FrameColumns(_positions(self.raw)[start:stop])

    def take(self, rows):
        """Rows by their numbers."""
        return FrameColumns(_positions(self.raw)[rows])

    def column(self, name):
        """A column as an array."""
        column = self.raw[name]
        if _is_numeric(column.dtype):
            return column.to_numpy().astype(np.float64, copy=False)
        return np.asarray(column)

    def is_numeric(self, name):
        """Whether the entries of a column are numbers."""
        return _is_numeric(self.raw[name].dtype)

    def replaced(self, values):
        """A table with other values in some columns: arrays, or one for all rows."""
        if not values:
            return self
        columns = {name: self._filled(name, v) for name, v in values.items()}
        if hasattr(self.raw, "with_columns"):
            return FrameColumns(self.raw.with_columns(**columns))
        changed = self.raw.copy(deep=False)
        for name, column in columns.items():
            changed[name] = column
        return FrameColumns(changed)

    def _filled(self, name, value):
        """A column of the type of the present one, unless that would lose digits."""
        column = self.raw[name]
        values = np.broadcast_to(np.asarray(value), len(self.raw)).copy()
        if hasattr(self.raw, "with_columns"):  # polars
            filled = type(column)(name, values)
            is_float = _is_numeric(column.dtype) and values.dtype.kind == "f"
            return filled if is_float else filled.cast(column.dtype)
        is_float = _is_numeric(column.dtype) and values.dtype.kind == "f"
        dtype = None if is_float else column.dtype
        return type(column)(values, index=column.index, dtype=dtype)


def columns_of(table, names=None):
    """The columns of a table; names are those of an array's, or None for x0, x1, ..."""
    if column_names(table) is not None:
        if not hasattr(table, "assign") and not hasattr(table, "with_columns"):
            table = table.to_pandas()  # of arrow and others
        return FrameColumns(table)
    if not hasattr(table, "shape"):
        table = np.asarray(table)
    if names is None:
        names = [f"x{j}" for j in range(table.shape[1])]
    return ArrayColumns(table, names)


def _positions(frame):
    """What takes rows by position."""
    return frame.iloc if hasattr(frame, "iloc") else frame


def _is_numeric(dtype):
    """Whether a dtype is one of numbers; booleans are none."""
    if hasattr(dtype, "is_numeric"):  # of polars
        return dtype.is_numeric()
    return getattr(dtype, "kind", "O") in "iuf"


def _are_floats(values):
    """Whether the entries of a column of objects are all numbers."""
    return all(type(value) in (int, float) for value in values.tolist())
