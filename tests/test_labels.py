"""Labels of several types meet: Python's own comparison is the oracle."""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._data.labels import (
    are_same,
    as_labels,
    class_index,
    join_classes,
    places_of,
)
from sksoftmax.inference import summary

BIG = 2**53
DAYS = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]")

# Pairs of three labels each that are equal, in the same order.
EQUAL = {
    "int64, uint64": ([BIG, BIG + 1, BIG + 2], "i8", "u8"),
    "int32, uint64": ([7, 8, 9], "i4", "u8"),
    "int8, uint8": ([-0, 1, 100], "i1", "u1"),
    "int64, float64": ([1, 2, BIG], "i8", "f8"),
    "int64, object": ([BIG, BIG + 1, BIG + 2], "i8", "O"),
    "text of two lengths": (["a", "b", "ccc"], "U3", "U9"),
    "text, object": (["a", "b", "ccc"], "U3", "O"),
    "text, StringDType": (["a", "b", "ccc"], "U3", "T"),
    "days, nanoseconds": (DAYS, "M8[D]", "M8[ns]"),
    "days, objects": (DAYS, "M8[D]", "O"),
    "months, seconds": (["2020-01", "2020-02", "2021-01"], "M8[M]", "M8[s]"),
    "hours, minutes": ([1, 2, 3], "m8[h]", "m8[m]"),
}


def both(values, one, other):
    first = np.array(values, one)
    return first, first.astype(other)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(90, 3))
    return X, (X + rng.gumbel(size=(90, 3))).argmax(axis=1)


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
@pytest.mark.parametrize("turned", [False, True])
def test_equal_labels_of_two_types_are_found_and_joined(pair, turned):
    ours, theirs = both(*pair)[:: -1 if turned else 1]
    assert_array_equal(places_of(ours, theirs), [0, 1, 2])
    assert_array_equal(places_of(ours[:2], theirs[::-1]), [-1, 1, 0])
    assert are_same(ours, theirs)
    assert not are_same(ours[1:], theirs[:2])
    joined = join_classes(ours[:2], theirs[1:])
    assert_array_equal(places_of(ours, joined), [0, 1, 2])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (np.array([BIG]), np.array([BIG + 1], "u8")),
        (np.array([BIG + 1]), np.array([float(BIG)])),
        (np.array([-1]), np.array([2**64 - 1], "u8")),
        (np.array([2**63 - 1]), np.array([2.0**63])),
        (np.array([1]), np.array(["1"])),
        (np.array(["a"]), np.array([b"a"])),
        (np.array(["1500-01-01"], "M8[D]"), np.array(["2084-07-20"], "M8[ns]")),
        (
            np.array(["1500-01-01"], "M8[D]").astype("M8[ns]"),
            np.array(["1500"], "M8[D]"),
        ),
        (np.array([1], "m8[D]"), np.array(["1970-01-02"], "M8[D]")),
        (np.array([1]), np.array([1], "m8[ns]")),
    ],
    ids=range(10),
)
def test_labels_that_only_look_equal_to_numpy_are_told_apart(ours, theirs):
    assert_array_equal(places_of(ours, theirs), [-1])
    assert_array_equal(places_of(theirs, ours), [-1])
    assert not are_same(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [([-5, BIG + 1], [BIG, BIG + 2]), ([BIG + 1], [2**63]), ([-1], [2**64 - 1])],
    ids=["small", "unsigned", "no common type"],
)
def test_classes_of_any_width_and_sign_are_joined_exactly(ours, theirs):
    joined = join_classes(np.array(ours, "i8"), np.array(theirs, "u8"))
    assert joined.tolist() == sorted(ours + theirs)


def test_dates_that_no_type_holds_are_refused():
    old, fine = np.array(["1500"], "M8[Y]"), np.array([1], "M8[ns]")
    with pytest.raises(TypeError, match=r"no type holds both .*\[Y\] and .*\[ns\]"):
        join_classes(old, fine)


@pytest.mark.parametrize("values", [[2**53, 2**53 + 1, 2**63], [-1, 0, 2**63]])
def test_ints_in_a_list_stay_as_they_are(values):
    assert as_labels(values).tolist() == values


@pytest.mark.parametrize(
    "name",
    [
        np.datetime64("2020-01-02"),
        np.datetime64("2020-01-02", "ns"),
        date(2020, 1, 2),
        datetime(2020, 1, 2),
        pd.Timestamp("2020-01-02"),
    ],
    ids=lambda name: type(name).__name__,
)
@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_a_class_may_be_called_by_any_type_of_date(name, unit):
    assert class_index(DAYS.astype(f"M8[{unit}]"), name) == 1


def test_other_names_are_those_of_their_own_type():
    durations = np.array([1, 2], "m8[h]")
    assert class_index(durations, timedelta(hours=2)) == 1
    assert class_index(durations, pd.Timedelta(hours=2)) == 1
    assert class_index(durations, 2) is None
    assert class_index(np.array(["a", "b"]), "b") == 1
    assert class_index(np.array([BIG, BIG + 1], "u8"), np.int64(BIG + 1)) == 1
    assert class_index(np.array([0, 1]), "1") is None
    assert class_index(np.array([0, 1]), [1]) is None


# Fits


@pytest.fixture(params=[("i8", "u8"), ("u8", "i8")], ids=str)
def huge(request, data):
    """X, and the same labels beyond 2^53 in two types."""
    X, y = data
    return X, *(np.asarray(y + BIG).astype(dtype) for dtype in request.param)


def test_announced_classes_of_another_width_are_the_same(data, huge):
    X, y, other = huge
    expected = SoftmaxRegressionClassifier().fit(*data)
    model = SoftmaxRegressionClassifier().fit(X, y, classes=np.unique(other))
    assert_allclose(model.coef_, expected.coef_)
    assert model.score(X, y) == model.score(X, other) == expected.score(*data)


def test_batches_and_validation_labels_of_another_width_are_the_same(data, huge):
    X, y, other = huge
    expected = SoftmaxRegressionClassifier().fit(*data, X_val=X, y_val=data[1])
    model = SoftmaxRegressionClassifier()
    batches = [(X[:45], y[:45]), (X[45:], other[45:])]
    model.fit(batches, X_val=[(X, other)])
    assert model.classes_.tolist() == [BIG, BIG + 1, BIG + 2]
    assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    model.fit(X, y, X_val=X, y_val=other)
    assert_allclose(model.validation_loss_curve_, expected.validation_loss_curve_)


def test_batches_whose_labels_no_integer_type_holds(data):
    X, y = data
    low, high = np.array([-BIG - 1, 2**63 - 1]), np.array([2**63 - 1, 2**63], "u8")
    rows = [X[y <= 1], X[y >= 1]]
    model = SoftmaxRegressionClassifier().fit(
        [(rows[0], low[y[y <= 1]]), (rows[1], high[y[y >= 1] - 1])]
    )
    assert model.classes_.tolist() == [-BIG - 1, 2**63 - 1, 2**63]
    whole = SoftmaxRegressionClassifier().fit(
        np.vstack(rows), np.r_[y[y <= 1], y[y >= 1]]
    )
    assert_allclose(model.coef_, whole.coef_, atol=1e-6)
    assert model.score(rows[1], high[y[y >= 1] - 1]) == whole.score(rows[1], y[y >= 1])


def test_trainings_go_on_with_labels_of_another_width(data, huge):
    X, y, other = huge
    model = SoftmaxRegressionClassifier(random_state=0, warm_start=True)
    expected = SoftmaxRegressionClassifier(random_state=0)
    model.partial_fit(X, y, classes=np.unique(other)).partial_fit(X, other)
    expected.partial_fit(*data, classes=[0, 1, 2]).partial_fit(*data)
    assert_array_equal(model.coef_, expected.coef_)
    assert model.partial_fit(X, y, classes=np.unique(y)).fit(X, other).converged_


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "balanced_accuracy"])
def test_a_chosen_penalty_is_scored_by_labels_of_another_width(data, huge, scoring):
    X, y, other = huge
    model = SoftmaxRegressionClassifierCV(2, cv=2, scoring=scoring)
    assert model.fit(X, y).score(X, other) == model.fit(*data).score(*data)


@pytest.mark.parametrize("with_client", [False, True])
def test_dask_labels_of_another_width_are_the_same(data, huge, with_client):
    da, distributed = (
        pytest.importorskip("dask.array"),
        pytest.importorskip("distributed"),
    )
    X, y, other = huge
    dX = da.from_array(X, chunks=(45, -1))
    dy = da.map_blocks(
        lambda _, block_info: [y[:45], other[45:]][block_info[0]["chunk-location"][0]],
        dX[:, 0],
        dtype=y.dtype,
        meta=y[:0],
    )
    expected = SoftmaxRegressionClassifier().fit(*data)
    if not with_client:
        model = SoftmaxRegressionClassifier().fit(dX, dy)
    else:
        with distributed.Client(
            n_workers=1, processes=False, dashboard_address=":0", silence_logs=60
        ):
            model = SoftmaxRegressionClassifier().fit(dX, dy)
    assert model.classes_.tolist() == [BIG, BIG + 1, BIG + 2]
    assert_allclose(model.coef_, expected.coef_, atol=1e-6)


# Names of classes


DATES = [
    DAYS,
    DAYS.astype("M8[ns]"),
    DAYS.astype("M8[us]"),
    np.array([1, 2, 3], "m8[ns]"),
]


@pytest.mark.parametrize("classes", DATES, ids=lambda classes: str(classes.dtype))
@pytest.mark.parametrize("keys", [np.unique, np.ndarray.tolist], ids=["numpy", "list"])
def test_class_weights_of_dates_are_those_of_numbers(data, classes, keys):
    X, y = data
    weights = [1.0, 20.0, 0.5]
    expected = SoftmaxRegressionClassifier(class_weight=dict(enumerate(weights)))
    named = dict(zip(keys(classes), weights, strict=True))
    model = SoftmaxRegressionClassifier(class_weight=named)
    assert_array_equal(model.fit(X, classes[y]).coef_, expected.fit(X, y).coef_)


def test_a_date_that_is_no_class_is_refused(data):
    X, y = data
    model = SoftmaxRegressionClassifier(class_weight={np.datetime64("2021"): 2.0})
    with pytest.raises(ValueError, match="class_weight must name classes of y"):
        model.fit(X, DAYS[y])


@pytest.mark.parametrize("classes", DATES, ids=lambda classes: str(classes.dtype))
def test_dates_are_named_as_base_and_as_the_class_of_a_picture(data, classes, draws):
    from sksoftmax.plotting import ReliabilityDisplay

    X, y = data
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, classes[y])
    by_number = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    table = summary(model, X, classes[y], base=model.classes_[1])
    assert_array_equal(table.coef, summary(by_number, X, y, base=1).coef)
    display = ReliabilityDisplay.from_estimator(
        model, X, classes[y], class_of_interest=model.classes_[1]
    )
    expected = ReliabilityDisplay.from_estimator(by_number, X, y, class_of_interest=1)
    assert_array_equal(display.line_.get_xydata(), expected.line_.get_xydata())
