"""Tables that pyarrow, polars or DuckDB read, with columns by name."""

from functools import partial
from typing import Any, NamedTuple

from sksoftmax._utils.errors import error_context, optional_package
from sksoftmax.data import _table
from sksoftmax.data._table import Part, Table, paths_of, refuse_changed


def from_parquet(
    path: Any,
    *,
    target: str | list[str] | None = None,
    columns: list[str] | None = None,
    sample_weight: str | None = None,
) -> Table:
    """A table in parquet files, for `fit` and predictions.

    A part is a row group, or several small ones of a file. One part is in memory at a
    time. Files are not cached: each pass reads them again.

    Parameters
    ----------
    path : path-like, list of path-like or pyarrow.dataset.Dataset
        A file, a folder, several files; or a dataset of pyarrow, which may also be in
        other formats or on other file systems.
    target : str or list of str, default=None
        Column of labels. Several columns are soft labels. Predictions need none.
    columns : list of str, default=None
        Columns of features, which must be numbers. None for all that have no other use.
    sample_weight : str, default=None
        Column of sample weights.

    Returns
    -------
    table : Table
        Pass it to `fit` as X, without y, or to `predict_proba`.

    Raises
    ------
    ImportError
        Without pyarrow, which the extra `files` installs.
    TypeError
        If a feature is not a column of numbers.
    ValueError
        If a column is missing, in all files or in one. In a pass: if a file has
        changed.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.data import from_parquet
    >>> frame = load_iris(as_frame=True).frame
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     frame[:70].to_parquet(f"{folder}/a.parquet")
    ...     frame[70:].to_parquet(f"{folder}/b.parquet")
    ...     table = from_parquet(folder, target="target")
    ...     model = SoftmaxRegressionClassifier().fit(table)
    ...     P = model.predict_proba(table)
    >>> table
    <Table of 2 parts>
    >>> P.shape
    (150, 3)
    """
    with optional_package("pyarrow", "files", caller="from_parquet"):
        import pyarrow.dataset as ds
    if not isinstance(path, ds.Dataset):
        paths = paths_of(path)
        path = ds.dataset(paths if len(paths) > 1 else paths[0], format="parquet")
    roles = _Roles.of(path.schema, columns, target, sample_weight)
    parts = []
    for number, fragment in enumerate(_fragments(path)):
        name = f"file {fragment.path}" if _is_file(fragment) else f"fragment {number}"
        _refuse_missing_columns(ds, fragment, roles, name)
        parts.extend(_parts_of(fragment, path.schema, roles, name))
    return Table(parts)


def from_arrow(
    source: Any,
    *,
    target: str | list[str] | None = None,
    columns: list[str] | None = None,
    sample_weight: str | None = None,
) -> Table:
    """A table that another library reads as Arrow record batches.

    Parameters
    ----------
    source : callable, polars.LazyFrame or duckdb.DuckDBPyRelation
        A function without arguments that returns a new iterator of the same record
        batches each time, such as a `pyarrow.RecordBatchReader`; or a query. Each pass
        runs the query again. Its rows must come in the same order each time.
    target : str or list of str, default=None
        Column of labels. Several columns are soft labels. Predictions need none.
    columns : list of str, default=None
        Columns of features, which must be numbers. None for all that have no other use.
    sample_weight : str, default=None
        Column of sample weights.

    Returns
    -------
    table : Table
        Pass it to `fit` as X, without y, or to `predict_proba`.

    Raises
    ------
    ImportError
        Without pyarrow, which the extra `files` installs.
    TypeError
        If the source is something else, or a feature is not a column of numbers.
    ValueError
        If a column is missing, or there are no rows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.data import from_arrow
    >>> flowers = pa.table(load_iris(as_frame=True).frame)
    >>> table = from_arrow(lambda: flowers.to_reader(50), target="target")
    >>> SoftmaxRegressionClassifier().fit(table).feature_names_in_[:2]
    array(['sepal length (cm)', 'sepal width (cm)'], dtype=object)
    """
    with optional_package("pyarrow", "files", caller="from_arrow"):
        import pyarrow as pa
    open_batches = _opener(source)

    def tables():
        for batch in open_batches():
            if hasattr(batch, "to_arrow"):  # a data frame of polars
                batch = batch.to_arrow()
            is_batch = isinstance(batch, pa.RecordBatch)
            yield pa.Table.from_batches([batch]) if is_batch else pa.table(batch)

    first = next(tables(), None)
    if first is None:
        raise ValueError("source has no record batches.")
    roles = _Roles.of(first.schema, columns, target, sample_weight)

    def read(with_labels):
        for table in tables():
            yield roles.take(table, with_labels=with_labels)

    return Table([Part(None, read)])


class _Roles(NamedTuple):
    """What the columns of an Arrow table are for."""

    columns: list
    targets: list
    is_soft: bool  # whether the targets are columns of probabilities
    weight: str | None

    @classmethod
    def of(cls, schema, columns, target, sample_weight):
        """From names that a user gave, checked against a schema."""
        is_soft = not (target is None or isinstance(target, str))
        targets = list(target) if is_soft else [target] * (target is not None)
        others = [*targets, *([] if sample_weight is None else [sample_weight])]
        if columns is None:
            columns = [name for name in schema.names if name not in others]
        for name in others:
            if name in columns:
                raise ValueError(
                    f"column {name!r} is named as a feature and as the target or the"
                    " sample weight."
                )
        for name in (*columns, *others):
            if schema.names.count(name) != 1:
                problem = "occurs twice" if name in schema.names else "does not exist"
                raise ValueError(
                    f"column {name!r} {problem}: the table has {schema.names}."
                )
        if not columns:
            raise ValueError("columns must name at least one feature.")
        for name in columns:
            _refuse_other_than_numbers(name, schema.field(name).type)
        return cls(list(columns), targets, is_soft, sample_weight)

    def names(self, *, with_labels):
        """The columns to read."""
        others = [*self.targets, self.weight] if with_labels else []
        return [*self.columns, *(name for name in others if name is not None)]

    def take(self, table, *, with_labels):
        """X, y and sample_weight of an Arrow table."""
        X, y, s = table.select(self.columns), None, None
        if with_labels and self.targets:
            y = table.select(self.targets)
            y = y if self.is_soft else _decoded(y.column(0))
        if with_labels and self.weight is not None:
            s = table.column(self.weight)
        return X, y, s


def _refuse_other_than_numbers(name, kind):
    from pyarrow import types

    if not (
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    ):
        raise TypeError(
            f"column {name!r} has values of type {kind}, not numbers: encode it, for"
            " example with sklearn.preprocessing.OneHotEncoder, or leave it out of"
            " `columns`."
        )


def _decoded(column):
    """A column with values where it has codes of a dictionary."""
    from pyarrow import types

    is_coded = types.is_dictionary(column.type)
    return column.cast(column.type.value_type) if is_coded else column


def _fragments(dataset):
    """The files of a dataset, or the tables of one in memory."""
    try:
        return list(dataset.get_fragments())
    except ValueError as error:
        raise ValueError(
            "path is a filtered dataset, whose files pyarrow does not tell: pass"
            " from_arrow(dataset.to_batches, ...) instead."
        ) from error


def _is_file(fragment):
    return hasattr(fragment, "filesystem")


def _refuse_missing_columns(ds, fragment, roles, file):
    """Refuse a file without a column, which Arrow would read as nulls."""
    present = {*fragment.physical_schema.names}
    present.update(ds.get_partition_keys(fragment.partition_expression))
    for name in roles.names(with_labels=True):
        if name not in present:
            raise ValueError(f"{file} has no column {name!r}.")


def _parts_of(fragment, schema, roles, file):
    """The parts of one file: row groups of parquet, the whole of another format."""
    stamp = _stamp(fragment)

    def read(piece, name, with_labels):
        refuse_changed(file, stamp, _stamp(fragment))
        names = roles.names(with_labels=with_labels)
        with error_context(name):
            table = piece.to_table(schema=schema, columns=names)
        yield roles.take(table, with_labels=with_labels)

    if not hasattr(fragment, "row_groups"):
        return [Part(file, partial(read, fragment, file))]
    parts = []
    for group in _grouped(fragment.row_groups):
        ids = [row_group.id for row_group in group]
        where = f"row group {ids[0]}"
        if len(ids) > 1:
            where = f"row groups {ids[0]} to {ids[-1]}"
        piece, name = fragment.subset(row_group_ids=ids), f"{file}, {where}"
        parts.append(Part(name, partial(read, piece, name)))
    return parts


def _grouped(row_groups):
    """Row groups that are read together: small ones, up to the size of a part."""
    group, size = [], 0
    for row_group in row_groups:
        if group and size + row_group.total_byte_size > _table.PART_BYTES:
            yield group
            group, size = [], 0
        group.append(row_group)
        size += row_group.total_byte_size
    if group:
        yield group


def _stamp(fragment):
    """Size and date of a file; None in memory."""
    if not _is_file(fragment):
        return None
    info = fragment.filesystem.get_file_info(fragment.path)
    return info.size, info.mtime_ns


def _opener(source):
    """() -> iterator of record batches or data frames of a source."""
    if hasattr(source, "collect_batches"):  # a LazyFrame of polars
        return partial(source.collect_batches, maintain_order=True)
    for name in ("to_arrow_reader", "fetch_record_batch"):  # of DuckDB, new and old
        if hasattr(source, name):
            return getattr(source, name)
    if callable(source):
        return source
    raise TypeError(
        "source must be a function that returns an iterator of record batches, a"
        " LazyFrame of polars 1.34 or later, or a relation of DuckDB, got"
        f" {type(source).__name__!r}."
    )
