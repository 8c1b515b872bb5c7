"""dask partitions that are cut, ordered or filled otherwise than others."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier

da = pytest.importorskip("dask.array")
pytest.importorskip("pyarrow")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

NAMES = list("abcd")


def between(first, last, *collections):
    """Rows of data frames and series; others leave partitions without rows behind."""
    return [
        part.map_partitions(
            lambda rows: rows[(rows.index >= first) & (rows.index < last)]
        )
        for part in collections
    ]


@pytest.fixture
def table(rng):
    """A data frame of 200 rows, their labels and their weights."""
    X = pd.DataFrame(rng.normal(size=(200, 4)), columns=NAMES)
    scores = X[NAMES[:3]].to_numpy() + rng.gumbel(size=(200, 3))
    y = pd.Series(np.array(["low", "middle", "top"])[scores.argmax(axis=1)])
    return X, y, pd.Series(rng.uniform(0.5, 2.0, size=200))


def in_parts(table, change, sizes=(50, 50, 50, 50)):
    """A dask data frame whose partitions are change(number, rows)."""
    stops = np.cumsum(sizes)

    def part(number):
        return change(number, table[stops[number] - sizes[number] : stops[number]])

    return dd.from_map(
        part, range(len(sizes)), meta=table.iloc[:0], enforce_metadata=False
    )


# Columns


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[list("dcba")], "feature names should match"),
        (lambda rows: rows[list("abc")], "missing:\n- d|unseen at fit time:\n- d"),
        (lambda rows: rows.rename(columns={"b": "e"}), "feature names should match"),
        (lambda rows: rows.assign(e=1.0), "unseen at fit time:\n- e|missing:\n- e"),
    ],
    ids=["order", "missing", "renamed", "one more"],
)
def test_columns_are_compared_in_each_partition(
    table, scheduler, number, change, message
):
    X, y, _ = table
    dX = in_parts(X, lambda i, rows: change(rows) if i == number else rows)
    dy = da.from_array(y.to_numpy(), chunks=50)
    model = SoftmaxRegressionClassifier()
    with pytest.raises(ValueError, match=rf"block {number or 1}: (.|\n)*({message})"):
        model.fit(dX, dy)
    assert not hasattr(model, "coefs_")
    model.fit(X, y)
    with pytest.raises(ValueError, match=rf"block {number}: (.|\n)*({message})"):
        model.predict(dX).compute()
    with pytest.raises(ValueError, match=rf"block {number}: (.|\n)*({message})"):
        model.fit(X, y, X_val=dX, y_val=dy)


def test_partitions_may_have_different_types(table, exact, scheduler):
    X, y, _ = table
    X = (4.0 * X).round()
    kinds = ["f4", "i8", "f8", "Int16"]
    dX = in_parts(X, lambda number, rows: rows.astype(kinds[number]))
    dy = in_parts(y, lambda number, rows: rows.astype(["O", "category"][number % 2]))
    model, oracle = exact().fit(dX, dy), exact().fit(X, y)
    assert_allclose(model.coef_, oracle.coef_, rtol=1e-7, atol=1e-9)
    assert_array_equal(model.predict(dX).compute(), oracle.predict(X))


# Cuts


@pytest.mark.filterwarnings("ignore:Dask currently has limited support")
@pytest.mark.parametrize("sizes", [(120, 80), (60, 0, 140, 0)])
@pytest.mark.parametrize("known", [False, True])
def test_partitions_may_be_cut_differently(table, scheduler, sizes, known):
    X, y, s = table
    soft = pd.get_dummies(y, dtype=float)
    model = SoftmaxRegressionClassifier(alpha=0.1, tol=1e-10)
    expected = model.fit(X, y, s).coef_
    dX = dd.from_pandas(X, npartitions=len(sizes))
    dX = dX.to_dask_array(lengths=True) if known else dX

    def cut(values):
        return in_parts(values, lambda number, rows: rows, sizes)

    like_X = dd.from_pandas(y, npartitions=len(sizes))
    for labels, weights in [
        (cut(y), cut(s)),
        (cut(soft), cut(s)),
        (cut(soft).to_dask_array(lengths=sizes), cut(s)),
        (cut(y).to_dask_array(), s),
        (y, cut(s)),
        (soft, cut(s)),
        (like_X, cut(s).to_dask_array(lengths=sizes)),
        (cut(y.astype("category")), cut(s)),
    ]:
        found = model.fit(dX, labels, weights).coef_
        assert_allclose(found, expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_and_validation_data_may_be_cut_differently(table, scheduler):
    X, y, s = table
    dX = dd.from_pandas(X, npartitions=2)
    dy, ds = (in_parts(part, lambda _, rows: rows, (120, 80)) for part in (y, s))
    model = SoftmaxRegressionClassifier((3,), max_iter=3, shuffle=False, random_state=0)
    expected = model.fit(X, y, s, X_val=X, y_val=y).validation_loss_curve_
    found = model.fit(dX, dy, ds, X_val=dX, y_val=dy).validation_loss_curve_
    assert_allclose(found, expected, rtol=1e-7)
    assert model.score(dX, dy, ds) == pytest.approx(model.score(X, y, s))


def test_different_numbers_of_rows_are_told(table, scheduler):
    X, y, s = table
    dX = dd.from_pandas(X, npartitions=2)
    for labels, weights in [
        (dd.from_pandas(y[3:], npartitions=2), None),
        (dd.from_pandas(y, npartitions=2), dd.from_pandas(s[:-3], npartitions=2)),
    ]:
        with pytest.raises(ValueError, match=r"inconsistent .*: \[200, 197\]"):
            SoftmaxRegressionClassifier().fit(dX, labels, weights)


# Partitions without rows


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
@pytest.mark.parametrize("form", ["frame", "array", "sparse"])
def test_partitions_without_rows_are_predicted(table, scheduler, method, form):
    from scipy.sparse import csr_matrix

    X, y, _ = table
    X = X if form == "frame" else X.to_numpy()
    model = SoftmaxRegressionClassifier().fit(X, y)
    dX = dd.from_pandas(table[0], npartitions=4)
    for bounds in ((0, 60), (70, 190), (500, 600)):
        (late,) = between(*bounds, dX)
        if form != "frame":
            late = late.to_dask_array()
        if form == "sparse":
            late = late.map_blocks(csr_matrix)
        found = getattr(model, method)(late).compute()
        expected = getattr(model, method)(X)[slice(*bounds)]
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        if method == "predict":
            assert_array_equal(found, expected)
        else:
            assert_allclose(found, expected)


def test_score_is_of_the_rows_that_are_left(table, scheduler):
    X, y, s = table
    model = SoftmaxRegressionClassifier().fit(X, y)
    dX, dy, ds = (dd.from_pandas(part, npartitions=4) for part in table)
    late = model.score(*between(70, 200, dX, dy, ds))
    assert late == pytest.approx(model.score(X[70:], y[70:], s[70:]))
    with pytest.raises(ValueError, match="X and y have no rows"):
        model.score(*between(500, 600, dX, dy))


@pytest.mark.parametrize("sizes", [(), (3,)])
def test_data_without_any_rows_are_refused(table, scheduler, sizes):
    dX, dy, _ = (dd.from_pandas(part, npartitions=4) for part in table)
    nothing = between(500, 600, dX, dy)
    with pytest.raises(ValueError, match="no rows"):
        SoftmaxRegressionClassifier(sizes).fit(*nothing)
    with pytest.raises(ValueError, match=r"no rows|0 sample"):
        SoftmaxRegressionClassifier(sizes).fit(
            dX, dy, X_val=nothing[0], y_val=nothing[1]
        )
