"""Tables in files: the oracle is the fit in memory; errors name file and row group."""

import gzip

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import dump_svmlight_file

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import minibatches
from sksoftmax.data import (
    Table,
    _table,
    from_arrays,
    from_arrow,
    from_parquet,
    from_svmlight,
)
from sksoftmax.data._table import Part

FEATURES = ["height", "weight (kg)", "age"]


@pytest.fixture
def frame(rng):
    X = rng.normal(size=(300, 3)) * [1.0, 30.0, 0.1] + [0.0, 70.0, 5.0]
    logits = (X - X.mean(axis=0)) / X.std(axis=0)
    frame = pd.DataFrame(X, columns=FEATURES)
    numbers = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    frame["kind"] = np.array(["ash", "elm", "oak"])[numbers]
    frame["times"] = rng.integers(0, 3, size=len(frame))
    return frame


@pytest.fixture
def model():
    return SoftmaxRegressionClassifier(tol=1e-12)


@pytest.fixture
def fitted(frame):
    model = SoftmaxRegressionClassifier(tol=1e-12)
    return model.fit(frame[FEATURES], frame["kind"], frame["times"])


@pytest.fixture
def folder(frame, tmp_path):
    """Two files, the first of two row groups, each read by itself."""
    frame[:200].to_parquet(tmp_path / "a.parquet", row_group_size=120, index=False)
    frame[200:].to_parquet(tmp_path / "b.parquet", index=False)
    return tmp_path


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(_table, "PART_BYTES", 1024)


def of(source, read=from_parquet, **roles):
    return read(source, target="kind", sample_weight="times", columns=FEATURES, **roles)


def in_folder(frame, folder):
    return of(folder)


def in_listed_files(frame, folder):
    return of(sorted(folder.iterdir()))


def in_dataset(frame, folder):
    return of(ds.dataset(folder))


def in_memory_dataset(frame, folder):
    return of(ds.dataset(pa.Table.from_pandas(frame)))


def in_partitions(frame, folder):
    """Hive's folders, whose names hold the weights."""
    path = folder / "hive"
    frame.to_parquet(path, partition_cols=["times"])
    return of(ds.dataset(path, partitioning="hive"))


def in_csv(frame, folder):
    frame.to_csv(folder / "rows.csv", index=False)
    return of(ds.dataset(folder / "rows.csv", format="csv"))


def in_record_batches(frame, folder):
    table = pa.Table.from_pandas(frame)
    return of(lambda: table.to_reader(90), from_arrow)


def in_polars_frames(frame, folder):
    frames = [pl.from_pandas(frame[:120]), pl.from_pandas(frame[120:])]
    return of(lambda: iter(frames), from_arrow)


TABLES = [
    in_folder,
    in_listed_files,
    in_dataset,
    in_memory_dataset,
    in_partitions,
    in_csv,
    in_record_batches,
    in_polars_frames,
]


@pytest.mark.parametrize("make", TABLES)
def test_a_table_has_the_fit_of_its_rows_in_memory(frame, folder, model, fitted, make):
    table = make(frame, folder)
    model.fit(table)
    assert model.converged_
    assert_allclose(model.coef_, fitted.coef_, rtol=1e-8, atol=1e-8)
    assert_array_equal(model.classes_, ["ash", "elm", "oak"])
    assert_array_equal(model.feature_names_in_, FEATURES)
    P, expected = model.predict_proba(table), fitted.predict_proba(frame[FEATURES])
    if make is in_partitions:  # which puts rows of one weight together
        P, expected = np.sort(P, axis=0), np.sort(expected, axis=0)
    assert_allclose(P, expected, rtol=1e-6)
    assert model.predict(table).shape == (len(frame),)


def test_a_lazy_frame_is_a_table_where_polars_gives_batches(frame, model, fitted):
    query = pl.from_pandas(frame).lazy().filter(pl.col("age") > 0)
    if not hasattr(query, "collect_batches"):
        with pytest.raises(TypeError, match=r"a LazyFrame of polars 1\.34 or later"):
            of(query, from_arrow)
        return
    model.fit(of(query, from_arrow))
    assert_allclose(model.coef_, fitted.coef_, rtol=1e-8, atol=1e-8)


def test_shards_are_one_above_the_other(frame, folder, model, fitted):
    X, y, s = (frame[names].to_numpy() for names in (FEATURES, "kind", "times"))
    paths = [folder / "0.npy", folder / "1.npy"]
    np.save(paths[0], X[:130])
    np.save(paths[1], X[130:])
    cut = [130]
    model.fit(from_arrays(paths, np.split(y, cut), np.split(s, cut)))
    assert_allclose(model.coef_, fitted.coef_, rtol=1e-8, atol=1e-8)
    P = model.predict_proba(from_arrays(paths))
    assert_allclose(P, model.predict_proba(X))


def test_hdf5_is_read_in_its_chunks(frame, folder, model, fitted):
    with h5py.File(folder / "rows.h5", "w") as file:
        data = frame[FEATURES].to_numpy()
        X = file.create_dataset("X", data=data, chunks=(64, 3))
        table = from_arrays(X, frame["kind"], frame["times"])
        assert [part.name for part in table.parts][:2] == [
            "rows 0 to 63",
            "rows 64 to 127",
        ]
        model.fit(table)
    assert_allclose(model.coef_, fitted.coef_, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_svmlight_files_are_read_in_parts(frame, folder, model, suffix):
    X, y = frame[FEATURES].to_numpy(copy=True), frame["times"].to_numpy()
    X[::2, 0] = 0.0
    path = folder / f"rows.svm{suffix}"
    with (gzip.open if suffix else open)(path, "wb") as file:
        dump_svmlight_file(X, y, file, zero_based=False)
    table = from_svmlight(path, n_features=3)
    assert (len(table.parts) > 5) == (not suffix)
    expected = SoftmaxRegressionClassifier(tol=1e-12).fit(X, y)
    assert_allclose(model.fit(table).coef_, expected.coef_, rtol=1e-6, atol=1e-8)


def test_several_targets_are_soft_labels(frame, folder, model, rng):
    Y = pd.DataFrame(rng.dirichlet(np.ones(3), size=len(frame)), columns=[*"pqr"])
    pd.concat([frame[FEATURES], Y], axis=1).to_parquet(folder / "soft.parquet")
    table = from_parquet(folder / "soft.parquet", target=["p", "q", "r"])
    expected = SoftmaxRegressionClassifier(tol=1e-12).fit(frame[FEATURES], Y)
    assert_allclose(model.fit(table).coef_, expected.coef_, rtol=1e-6, atol=1e-8)
    assert_array_equal(model.classes_, ["p", "q", "r"])


def test_categories_may_be_labels(frame, folder, model):
    frame["kind"] = frame["kind"].astype("category")
    frame.to_parquet(folder / "coded.parquet")
    model.fit(of(folder / "coded.parquet"))
    assert_array_equal(model.classes_, ["ash", "elm", "oak"])


def test_row_groups_come_in_random_order_in_each_epoch(folder, monkeypatch):
    monkeypatch.setattr(minibatches, "LARGEST_WINDOW", 1)  # else rows are shuffled
    order = []

    def recorded(part):
        def read(with_labels):
            order.append(part.name)
            return part.read(with_labels)

        return Part(part.name, read)

    table = Table(recorded(part) for part in of(folder).parts)
    SoftmaxRegressionClassifier((4,), max_iter=4, random_state=0).fit(table)
    first, *epochs = (tuple(order[i : i + 3]) for i in range(0, len(order), 3))
    assert all(sorted(epoch) == sorted(first) for epoch in epochs)
    assert len(set(epochs)) > 1


def test_validation_data_may_be_a_table(folder):
    model = SoftmaxRegressionClassifier(alpha=0.0, tol=1e-12)
    model.fit(of(folder), X_val=of(folder))
    assert_allclose(model.validation_loss_curve_[-1], model.loss_, rtol=1e-8)


def test_predictions_of_no_rows_have_the_shape_of_others(frame, folder, fitted):
    frame[:0].to_parquet(folder / "empty.parquet")
    table = from_parquet(folder / "empty.parquet", columns=FEATURES)
    assert fitted.predict_proba(table).shape == (0, 3)


# Errors


def test_an_error_names_file_and_row_group(frame, folder, model):
    frame.loc[150, "age"] = np.nan
    frame[:200].to_parquet(folder / "a.parquet", row_group_size=120, index=False)
    message = r"a\.parquet, row group 1: Input X contains null in row 30, column 'age'"
    with pytest.raises(ValueError, match=message):
        model.fit(of(folder))
    assert not hasattr(model, "coefs_")
    with pytest.raises(ValueError, match=message):
        SoftmaxRegressionClassifier().fit(
            frame[FEATURES].dropna(), frame["kind"].drop(150)
        ).predict(of(folder))


def test_a_file_without_a_column_is_named(frame, folder):
    frame.drop(columns="age").to_parquet(folder / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet has no column 'age'"):
        of(folder)


def test_a_file_that_changes_between_passes_is_named(frame, folder, model):
    table = of(folder)
    frame[200:299].to_parquet(folder / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet has changed since"):
        model.fit(table)


def test_text_is_no_feature(folder):
    with pytest.raises(TypeError, match=r"column 'kind' has values of type .*string"):
        from_parquet(folder, target="times")


@pytest.mark.parametrize(
    "roles",
    [
        {"target": "sort"},
        {"columns": ["age", "sort"]},
        {"sample_weight": "sort", "columns": ["age"]},
    ],
)
def test_a_name_that_is_no_column_is_named(folder, roles):
    with pytest.raises(ValueError, match=r"column 'sort' does not exist.*'height'"):
        from_parquet(folder, **roles)


def test_a_table_needs_a_feature(folder):
    with pytest.raises(ValueError, match="columns must name at least one feature"):
        from_parquet(folder, columns=[])


def test_other_columns_than_those_of_the_fit_are_refused(folder, fitted):
    table = from_parquet(folder, columns=["age", "height", "weight (kg)"])
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(table)


def test_a_reader_that_is_exhausted_after_a_pass_is_refused(frame):
    reader = pa.Table.from_pandas(frame).to_reader()
    with pytest.raises(
        TypeError, match="a function that returns an iterator of record"
    ):
        of(reader, from_arrow)


def test_a_source_without_record_batches_is_refused():
    with pytest.raises(ValueError, match="no record batches"):
        of(lambda: iter([]), from_arrow)


def test_record_batches_are_counted_in_errors(frame, model):
    frame.loc[250, "times"] = -1
    table = pa.Table.from_pandas(frame)
    with pytest.raises(ValueError, match=r"record batch 2: sample_weight must be >= 0"):
        model.fit(of(lambda: table.to_reader(100), from_arrow))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([np.ones((3, 2))], [np.ones(2)]), "shard 0: X has 3 rows, and y has 2"),
        (([np.ones((3, 2))] * 2, [np.ones(3)]), "X has 2 shards, and y has 1"),
        ((np.ones((3, 2)), None, np.ones(4)), "X has 3 rows, and sample_weight has 4"),
    ],
)
def test_shards_of_different_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(*arguments)


@pytest.mark.parametrize("shard", [np.ones(3), [[1.0, 2.0]]], ids=["1-d", "list"])
def test_shards_must_be_arrays_of_two_dimensions(shard):
    with pytest.raises(TypeError, match=r"shard 1 of X must be an array of two dim"):
        from_arrays([np.ones((3, 2)), shard])


def test_labels_are_in_the_table(frame, folder, model):
    with pytest.raises(ValueError, match="y must be None"):
        model.fit(of(folder), frame["kind"])


@pytest.mark.parametrize(
    ("unread", "message"),
    [
        (lambda folder: ds.dataset(folder), "FileSystemDataset.*from_parquet"),
        (lambda folder: folder / "a.parquet", "Path.*from_parquet"),
        (lambda folder: str(folder), "str, which .*from_parquet"),
        (lambda folder: pl.LazyFrame({"age": [1.0]}), "LazyFrame.*from_arrow"),
    ],
    ids=["dataset", "path", "text", "query"],
)
def test_what_has_to_be_read_first_is_told_by_whom(
    frame, folder, model, fitted, unread, message
):
    X = unread(folder)
    with pytest.raises(TypeError, match=message):
        model.fit(X, frame["kind"])
    with pytest.raises(TypeError, match=message):
        fitted.predict(X)


def test_no_files_are_no_table():
    with pytest.raises(ValueError, match="path must name at least one file"):
        from_parquet([])


def test_a_column_of_another_type_in_one_file_is_told_with_the_file(
    frame, folder, model
):
    frame["age"] = "old"
    frame[200:].to_parquet(folder / "b.parquet", index=False)
    with pytest.raises(ValueError, match=r"b\.parquet, row group 0: .*'old'"):
        model.fit(of(folder))


def test_a_column_has_one_role(folder):
    with pytest.raises(ValueError, match="column 'age' is named as a feature and as"):
        from_parquet(folder, target="age", columns=FEATURES)


def test_a_filtered_dataset_is_read_as_record_batches(frame, folder, model, fitted):
    rows = ds.dataset(folder).filter(ds.field("times") > 0)
    with pytest.raises(ValueError, match=r"from_arrow\(dataset\.to_batches"):
        of(rows)
    model.fit(of(rows.to_batches, from_arrow))
    assert_allclose(model.coef_, fitted.coef_, rtol=1e-8, atol=1e-8)


def test_shards_that_would_have_to_be_unpickled_are_refused(folder):
    np.save(folder / "X.npy", np.array([[{}], [{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        from_arrays(folder / "X.npy")
