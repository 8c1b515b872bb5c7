"""Missing values are refused in every form, and the error says where they are."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csc_array, csr_array
from sklearn.model_selection import GroupKFold

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._utils import missing
from sksoftmax._utils.missing import no_missing, refuse_missing
from sksoftmax.inference import summary
from sksoftmax.plotting import ReliabilityDisplay, plot_decision_boundaries

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
da = pytest.importorskip("dask.array")

N_ROWS, ROW = 60, 37
y = np.arange(N_ROWS) % 3
X = np.random.default_rng(0).normal(size=(N_ROWS, 2)) + y[:, None]
DATES = (100 * X).astype("M8[D]")
WORDS = np.array(["bus", "car", "tram"])[y]
HOLE = np.arange(N_ROWS) == ROW


def with_hole(array, value, dtype=None):
    """A copy with a missing value in one row, of a table in its last column."""
    array = np.array(array, dtype=dtype)
    array[(ROW, -1)[: array.ndim]] = value
    return array


NO_DAYS = with_hole(np.datetime64("2020-01-01") + y, np.datetime64("NaT"))
NO_DATES = with_hole(DATES, np.datetime64("NaT"))
FRAME = pd.DataFrame(NO_DATES.astype("M8[ns]"), columns=["a", "b"])
MASKED = np.ma.array(X, mask=HOLE[:, None] & [False, True])

TABLES = {
    "floats": with_hole(X, np.nan),
    "half floats": with_hole(X.astype("f2"), np.nan),
    "long floats": with_hole(X.astype("g"), np.nan),
    "dates": NO_DATES,
    "durations": NO_DATES - DATES[0, 0],
    "dates in a list": [list(row) for row in NO_DATES],
    "objects": with_hole(X, None, object),
    "objects, NA": with_hole(X, pd.NA, object),
    "list": with_hole(X, None, object).tolist(),
    "masked": MASKED,
    "list of masked": list(MASKED),
    "masked dates": np.ma.array(DATES, mask=MASKED.mask),
    "csr": csr_array(with_hole(X, np.nan)),
    "csc": csc_array(with_hole(X, np.nan)),
    "coo": coo_array(with_hole(X, np.nan)),
    "frame": pd.DataFrame(with_hole(X, np.nan), columns=["a", "b"]),
    "frame of dates": FRAME,
    "frame, some dates": FRAME.assign(a=X[:, 0]),
    "frame of durations": FRAME - FRAME.iloc[0],
    "frame with zones": FRAME.apply(lambda column: column.dt.tz_localize("UTC")),
    "frame of periods": FRAME.apply(lambda column: column.dt.to_period("D")),
    "frame, Float64": pd.DataFrame(X, columns=["a", "b"]).astype("Float64").mask(
        MASKED.mask
    ),
    "frame, arrow": FRAME.astype("timestamp[ns][pyarrow]"),
    "frame of categories": pd.DataFrame({"b": with_hole(y, None, object)}).astype(
        "category"
    ),
    "polars": pl.DataFrame({"b": with_hole(X[:, 0], None, object).tolist()}),
    "polars dates": pl.from_pandas(FRAME[["b"]]),
    "polars flags": pl.DataFrame({"b": with_hole(y > 0, None, object).tolist()}),
    "arrow": pa.table({"b": with_hole(y, None, object).tolist()}),
    "arrow dates": pa.Table.from_pandas(FRAME),
    "arrow batch": pa.RecordBatch.from_pandas(FRAME),
}  # fmt: skip
each_table = pytest.mark.parametrize("bad", TABLES.values(), ids=TABLES)

COLUMNS = {
    "floats": with_hole(y, np.nan, float),
    "words": with_hole(WORDS, None, object),
    "words, NaN": with_hole(WORDS, np.nan, object),
    "words, NA": with_hole(WORDS, pd.NA, object),
    "dates": NO_DAYS,
    "durations": NO_DAYS - NO_DAYS[0],
    "list": with_hole(WORDS, None, object).tolist(),
    "masked": np.ma.array(y, mask=HOLE),
    "masked words": np.ma.array(WORDS, mask=HOLE),
    "strings": np.array(
        with_hole(WORDS, None, object), np.dtypes.StringDType(na_object=None)
    ),
    "Series": pd.Series(WORDS).mask(HOLE),
    "Series, object": pd.Series(WORDS, dtype=object).mask(HOLE, None),
    "Series, string": pd.Series(WORDS, dtype="string").mask(HOLE),
    "Series, Int64": pd.Series(y, dtype="Int64").mask(HOLE),
    "Series, flags": pd.Series(y > 0, dtype="boolean").mask(HOLE),
    "Series of categories": pd.Series(WORDS, dtype="category").mask(HOLE),
    "Categorical": pd.Categorical(pd.Series(WORDS).mask(HOLE)),
    "Series of dates": pd.Series(NO_DAYS),
    "Series, arrow": pd.Series(WORDS, dtype="string[pyarrow]").mask(HOLE),
    "polars": pl.Series(with_hole(WORDS, None, object).tolist()),
    "polars ints": pl.Series(with_hole(y, None, object).tolist()),
    "arrow": pa.array(with_hole(WORDS, None, object).tolist()),
    "chunked arrow": pa.chunked_array([with_hole(y, None, object).tolist()]),
}
each_column = pytest.mark.parametrize("bad", COLUMNS.values(), ids=COLUMNS)

WEIGHTS = {name: COLUMNS[name] for name in ("floats", "durations", "masked", "arrow")}
WEIGHTS |= {name: COLUMNS[name] for name in ("Series, Int64", "polars ints")}
each_weight = pytest.mark.parametrize("bad", WEIGHTS.values(), ids=WEIGHTS)

NETWORK = SoftmaxRegressionClassifier((3,), max_iter=1)
MODELS = [
    SoftmaxRegressionClassifier(),
    SoftmaxRegressionClassifier(l1_ratio=0.5),
    SoftmaxRegressionClassifierCV(cv=2),
    NETWORK,
]
each_model = pytest.mark.parametrize("model", MODELS, ids=range(4))


def refuses(call, name, row=ROW):
    with pytest.raises(ValueError, match=rf"\b{name} contains .* in row {row}\b") as e:
        call()
    assert "missing" in str(e.value)


@each_table
@each_model
def test_features_in_fits(model, bad):
    refuses(lambda: model.fit(bad, y), "X")


@each_table
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_features_in_validation_partial_fits_and_predictions(bad):
    model = SoftmaxRegressionClassifier().fit(X, y)
    refuses(lambda: model.fit(X, y, X_val=bad, y_val=y), "X_val")
    refuses(lambda: NETWORK.partial_fit(bad, y, [0, 1, 2]), "X")
    if np.shape(bad)[1] == 1:
        model.fit(X[:, :1], y)
    if hasattr(bad, "shape"):
        refuses(lambda: model.fit([(bad, y)]), "batch 0: Input X")
    for method in (model.predict, model.predict_proba):
        refuses(lambda method=method: method(bad), "X")


@each_column
@each_model
def test_labels_in_fits(model, bad):
    refuses(lambda: model.fit(X, bad), "y")


@each_column
def test_labels_everywhere_else(bad):
    good = bad_free(bad)
    model = SoftmaxRegressionClassifier().fit(X, good)
    refuses(lambda: model.fit([(X, bad)]), "batch 0: Input y")
    refuses(lambda: model.fit(X, good, X_val=X, y_val=bad), "y_val")
    refuses(lambda: NETWORK.partial_fit(X, bad, model.classes_), "y")
    refuses(lambda: model.score(X, bad), "y")
    refuses(lambda: model.fit(X, good, classes=bad), "classes")
    refuses(lambda: model.fit(da.from_array(X, chunks=20), bad), "y", row=r"\d+")
    refuses(lambda: summary(model, X, good, cov_type="cluster", groups=bad), "groups")


def bad_free(bad):
    """Labels of the same type without a missing one."""
    values = np.ma.getdata(bad) if np.ma.isMaskedArray(bad) else np.asarray(bad)
    values = np.array(values)
    values[ROW] = values[ROW - 3]
    return np.array(values.tolist()) if values.dtype.kind in "OT" else values


@each_column
def test_groups_of_cross_validation(bad):
    model = SoftmaxRegressionClassifierCV(cv=GroupKFold(2))
    refuses(lambda: model.fit(X, y, groups=bad), "groups")


@pytest.mark.parametrize("culprit", ["y", "sample_weight"])
def test_masked_dask_arrays_beside_arrays_in_memory(culprit):
    masked = da.from_array(COLUMNS["masked"], chunks=20)
    data = {"y": y, culprit: masked}
    refuses(lambda: SoftmaxRegressionClassifierCV(cv=2).fit(X, **data), culprit)
    partial = {"classes": [0, 1, 2], **data}
    refuses(lambda: NETWORK.partial_fit(X, **partial), culprit)


@each_weight
@each_model
def test_weights_in_fits(model, bad):
    refuses(lambda: model.fit(X, y, bad), "sample_weight")


@each_weight
def test_weights_everywhere_else(bad):
    model = SoftmaxRegressionClassifier().fit(X, y)
    refuses(lambda: model.fit([(X, y, bad)]), "batch 0: Input sample_weight")
    refuses(lambda: model.score(X, y, bad), "sample_weight")
    refuses(
        lambda: NETWORK.partial_fit(X, y, [0, 1, 2], sample_weight=bad), "sample_weight"
    )
    refuses(
        lambda: model.fit(X, y, X_val=X, y_val=y, sample_weight_val=bad),
        "sample_weight_val",
    )


ZEROS = [None if hole else 0.0 for hole in HOLE]
SOFT = {
    "floats": with_hole(np.eye(3)[y], np.nan),
    "masked": np.ma.array(np.eye(3)[y], mask=HOLE[:, None] & [False, False, True]),
    "frame": pd.DataFrame(np.eye(3)[y]).mask(HOLE[:, None] & [False, True, True]),
    "polars": pl.DataFrame({"a": 1.0 - HOLE, "b": ZEROS}),
    "arrow": pa.table({"a": 1.0 - HOLE, "b": ZEROS}),
}  # fmt: skip


@pytest.mark.parametrize("bad", SOFT.values(), ids=SOFT)
@each_model
def test_soft_labels(model, bad):
    refuses(lambda: model.fit(X, bad), "y")
    refuses(lambda: SoftmaxRegressionClassifier().fit([(X, bad)]), "batch 0: Input y")


def test_dask_blocks_with_a_missing_date_are_named():
    bad, good = (da.from_array(a, chunks=(20, 2)) for a in (NO_DATES, X))
    fit = SoftmaxRegressionClassifier().fit
    refuses(lambda: fit(bad, y), "block 1: Input X", ROW - 20)
    model = SoftmaxRegressionClassifier().fit(good, y)
    refuses(lambda: model.predict(bad).compute(), "X", ROW - 20)


@pytest.mark.parametrize("bad", [NO_DATES, MASKED, FRAME], ids=range(3))
def test_plots(bad):
    pytest.importorskip("matplotlib").use("agg")
    model = SoftmaxRegressionClassifier().fit(X, y)
    refuses(lambda: plot_decision_boundaries(model, bad), "X")
    refuses(lambda: plot_decision_boundaries(model, X, COLUMNS["masked"]), "y")
    P = np.ma.array(model.predict_proba(X), mask=HOLE[:, None] & [True] * 3)
    refuses(lambda: ReliabilityDisplay.from_predictions(y, P), "y_prob")


@pytest.fixture
def in_file(tmp_path, small_files_are_read):
    """Put an array into a file and map it."""

    def in_file(array):
        file = np.memmap(tmp_path / "X", array.dtype, "w+", shape=array.shape)
        file[:] = array
        return file

    return in_file


@pytest.mark.parametrize("bad", [NO_DATES, TABLES["floats"]], ids=["dates", "floats"])
def test_rows_of_a_file_are_counted_from_its_begin(in_file, bad, monkeypatch):
    monkeypatch.setattr("sksoftmax._data.sources._BATCH_BYTES", 200)
    monkeypatch.setattr(missing, "_AT_ONCE", 30)
    refuses(lambda: SoftmaxRegressionClassifier().fit(in_file(bad), y), "X")
    model = SoftmaxRegressionClassifier().fit(X, y)
    refuses(lambda: model.fit(X, y, X_val=in_file(bad), y_val=y), "X_val")


def test_a_file_is_not_read_to_its_end_for_another_error(in_file, monkeypatch):
    monkeypatch.setattr("sksoftmax._data.chunked.refuse_missing", None)
    with pytest.raises(ValueError, match=r"batch 0: y has the labels \[2\]"):
        SoftmaxRegressionClassifier().fit(in_file(X), y, classes=[0, 1])


@each_column
def test_labels_of_a_file(in_file, bad):
    refuses(lambda: SoftmaxRegressionClassifier().fit(in_file(X), bad), "y")


@each_weight
def test_weights_of_a_file(in_file, bad):
    refuses(
        lambda: SoftmaxRegressionClassifier().fit(in_file(X), y, bad), "sample_weight"
    )


def test_the_column_of_a_table_is_named():
    with pytest.raises(ValueError, match="X contains NaT in row 37, column 'b'"):
        refuse_missing("X", FRAME)
    with pytest.raises(ValueError, match="X contains NaN in row 37, column 1"):
        refuse_missing("X", TABLES["floats"])


def test_columns_may_have_any_name():
    frame = pd.DataFrame(X, columns=["column_names", "tocoo"])
    refuse_missing("X", frame)
    refuse_missing("X", frame.set_axis(["a", "a"], axis=1))
    SoftmaxRegressionClassifier().fit(frame, y)


@pytest.mark.parametrize(
    "values", [X, csr_array(X), pd.DataFrame(X), pl.DataFrame(X), WORDS], ids=range(5)
)
def test_numbers_and_words_are_not_looked_at_before_the_conversion(values, monkeypatch):
    monkeypatch.setattr(missing, "refuse_missing", None)
    with no_missing("X", values):
        pass
