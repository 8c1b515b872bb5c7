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
    with pytest.raises(ValueError, match=r"y: .* a minimum of 1 sample is required"):
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
