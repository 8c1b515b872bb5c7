"""What y becomes: targets, weights, class weights, smoothing and the hold-out."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import DataConversionWarning
from sklearn.preprocessing import label_binarize
from sklearn.utils.class_weight import compute_class_weight

from sksoftmax._data.targets import (
    Targets,
    check_weights,
    class_factors,
    encode,
    hard_labels,
    hold_out,
    smooth,
    weigh,
)

LABELS = {
    "integers": [3, 1, 2, 3, 1],
    "negative": [-1, 5, -7, 5, -7],
    "floats": [1.0, 3.0, 2.0, 2.0, 1.0],
    "strings": ["b", "a", "c", "a", "b"],
    "objects": np.array(["b", "a", "c", "a", "b"], dtype=object),
    "unsigned": np.array([9, 0, 255, 9, 0], dtype=np.uint8),
    "pandas": pd.Series(["b", "a", "c", "a", "b"], index=[5, 4, 3, 2, 1]),
    "categorical": pd.Series(["b", "a", "c", "a", "b"], dtype="category"),
    "polars": pl.Series(["b", "a", "c", "a", "b"]),
}


@pytest.fixture
def soft(rng):
    """Soft targets of 60 rows and 3 classes, every fourth of which is hard."""
    Y = rng.dirichlet([1.0, 2.0, 0.5], size=60)
    Y[::4] = np.eye(3)[rng.integers(3, size=15)]
    return Targets(np.arange(3), Y, rng.uniform(0.5, 2.0, size=60))


def hard(codes, s=None):
    codes = np.asarray(codes)
    Y = np.eye(codes.max() + 1)[codes]
    return Targets(np.arange(Y.shape[1]), Y, np.ones(len(codes)) if s is None else s)


# Labels


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS.keys())
def test_labels_become_sorted_classes_and_one_hot_rows(y):
    targets = encode(y)
    classes = np.unique(np.asarray(y))
    assert_array_equal(targets.classes, classes)
    assert targets.classes.dtype == classes.dtype
    assert_array_equal(targets.Y, label_binarize(y, classes=classes))
    assert_array_equal(targets.s, np.ones(5))
    assert_array_equal(targets.labels, y)


@pytest.mark.parametrize("y", [[True, False, True], ["no", "yes", "no"]], ids=str)
def test_two_classes_have_two_columns(y):
    targets = encode(y)
    assert_array_equal(targets.Y, np.array(y)[:, None] == targets.classes)
    assert targets.Y.shape == (3, 2)


def test_one_class_has_one_column_of_ones():
    targets = encode(["only"] * 3)
    assert_array_equal(targets.classes, ["only"])
    assert_array_equal(targets.Y, np.ones((3, 1)))


def test_labels_are_encoded_against_classes_that_are_given():
    targets = encode(["b", "d", "b"], np.array(["a", "b", "c", "d"]))
    assert_array_equal(targets.classes, ["a", "b", "c", "d"])
    assert_array_equal(targets.Y, [[0, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]])


def test_labels_that_are_not_among_the_classes_are_named():
    with pytest.raises(ValueError, match=r"y_val has the labels \[5, 9\].*\[1, 2\]"):
        encode([1, 9, 5], np.array([1, 2]), name="y_val")


def test_a_column_of_labels_is_flattened_with_a_warning():
    with pytest.warns(DataConversionWarning):
        targets = encode(np.array([[1], [2]]))
    assert_array_equal(targets.Y, np.eye(2))


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (None, ValueError, "requires y to be passed"),
        ([1.5, 2.5], ValueError, "continuous"),
        (np.array(["a", 1], dtype=object), TypeError, "y must hold labels"),
        (np.array(["a", None], dtype=object), ValueError, "y contains None in row 1"),
        ([np.nan, 1.0], ValueError, "NaN"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
    ],
    ids=range(6),
)
def test_what_is_not_labels_is_refused(y, error, words):
    with pytest.raises(error, match=words):
        encode(y)


# Soft labels


def test_soft_rows_stay_as_they_are_and_number_their_classes(soft):
    targets = encode(soft.Y)
    assert_array_equal(targets.classes, [0, 1, 2])
    assert_allclose(targets.Y, soft.Y, rtol=1e-15)
    assert_array_equal(targets.s, np.ones(60))
    assert_array_equal(targets.labels, soft.Y.argmax(axis=1))


@pytest.mark.parametrize(
    "frame", [pd.DataFrame, pl.DataFrame, pa.table, pa.RecordBatch.from_pydict]
)
def test_columns_of_a_frame_name_the_classes_and_are_sorted(soft, frame):
    columns = dict(zip(["b", "c", "a"], soft.Y.T, strict=True))
    targets = encode(frame(columns))
    assert_array_equal(targets.classes, ["a", "b", "c"])
    assert_allclose(targets.Y, soft.Y[:, [2, 0, 1]], rtol=1e-15)


def test_rows_rounded_to_single_precision_are_made_to_sum_to_one(soft):
    targets = encode(soft.Y.astype(np.float32))
    assert targets.Y.dtype == np.float64
    assert_allclose(targets.Y.sum(axis=1), 1.0, rtol=1e-15)
    assert_allclose(targets.Y, soft.Y, atol=1e-7)


def test_soft_rows_take_over_classes_that_are_given(soft):
    classes = np.array(["x", "y", "z"])
    assert_array_equal(encode(soft.Y, classes).classes, classes)
    frame = pd.DataFrame(soft.Y, columns=["z", "y", "x"])
    assert_allclose(encode(frame, classes).Y, soft.Y[:, ::-1], rtol=1e-15)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([[0.5, 0.5], [0.6, 0.5]], "row 1 sums to 1.1"),
        ([[0.5, 0.5], [1.5, -0.5]], "must be >= 0, got -0.5"),
        ([[0.5, 0.5], [np.nan, 1.0]], "NaN"),
        ([[0, 1], [1, 1]], "row 1 sums to 2"),
        (pd.DataFrame([[0.5, 0.5]], columns=["a", "a"]), "different names"),
    ],
    ids=range(5),
)
def test_rows_that_are_not_probabilities_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        encode(y)


@pytest.mark.parametrize("columns", [["x", "y"], ["x", "y", "w"]], ids=str)
def test_columns_that_are_not_the_classes_are_refused(columns):
    frame = pd.DataFrame([[0.5, 0.5, 0.0][: len(columns)]], columns=columns)
    with pytest.raises(ValueError, match="for the classes"):
        encode(frame, np.array(["x", "y", "z"]))


def test_the_hard_label_of_a_soft_row_is_its_largest_class():
    classes = np.array(["a", "b", "c"])
    soft_rows = [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]
    assert_array_equal(hard_labels(soft_rows, classes), ["b", "a"])
    labels = ["c", "not seen"]
    assert hard_labels(labels, classes) is labels


# Weights


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, [1, 1, 1]), (2, [2, 2, 2]), ([0, 1, 2], [0, 1, 2]), ([1e-300, 0, 0],) * 2],
    ids=str,
)
def test_weights_are_floats_one_a_sample(given, expected):
    s = check_weights(given, 3)
    assert s.dtype == np.float64
    assert_array_equal(s, expected)


def test_weights_are_a_copy():
    given = np.ones(3)
    check_weights(given, 3)[:] = 5.0
    assert_array_equal(given, np.ones(3))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, 2], r"shape \(3,\); got \(2,\)"),
        (np.ones((3, 1)), r"shape \(3,\); got \(3, 1\)"),
        ([1, -1, 1], "must be >= 0, got -1"),
        ([0, 0, 0], "must not be zero for all"),
        ([1, np.nan, 1], "NaN"),
        ([1, np.inf, 1], "infinity"),
    ],
    ids=range(6),
)
def test_bad_weights_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        check_weights(given, 3, name="sample_weight")


@pytest.mark.parametrize("name", ["sample_weight", "sample_weight_val"])
def test_bad_weights_are_called_by_their_name(name):
    with pytest.raises(ValueError, match=f"^{name} must be >= 0"):
        check_weights([-1.0], 1, name=name)


# Class weights


def test_balanced_factors_are_scikit_learn_s(rng):
    codes = rng.choice(3, size=50, p=[0.2, 0.7, 0.1])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=codes)
    assert_allclose(class_factors(hard(codes), "balanced"), expected, rtol=1e-14)


def test_balanced_factors_give_equal_mass_to_classes_and_keep_the_sum(soft):
    weighed = weigh(soft, class_factors(soft, "balanced"))
    assert_allclose(weighed.shares, 1 / 3, rtol=1e-14)
    assert_allclose(weighed.total_weight, soft.total_weight, rtol=1e-14)


def test_balancing_leaves_out_a_class_without_weight():
    targets = hard([0, 0, 1, 2], s=np.array([1.0, 1.0, 2.0, 0.0]))
    factors = class_factors(targets, "balanced")
    assert np.isfinite(factors).all()
    weighed = weigh(targets, factors)
    assert_allclose(weighed.shares, [0.5, 0.5, 0.0])
    assert_allclose(weighed.total_weight, targets.total_weight)


def test_a_dictionary_names_classes_and_the_others_weigh_one():
    targets = encode(["a", "b", "c"])
    assert_array_equal(class_factors(targets, {"c": 3, "a": 0}), [0.0, 1.0, 3.0])
    assert_array_equal(class_factors(targets, {}), [1.0, 1.0, 1.0])
    assert class_factors(targets, None) is None


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({"a": 1.0, "z": 2.0}, "must name classes"),
        ({"a": -1.0}, "numbers >= 0"),
        ({"a": np.nan}, "numbers >= 0"),
        ({"a": np.inf}, "numbers >= 0"),
    ],
    ids=str,
)
def test_bad_class_weights_are_refused(class_weight, words):
    with pytest.raises(ValueError, match=words):
        class_factors(encode(["a", "b"]), class_weight)


def test_a_weighed_soft_row_counts_as_its_classes_stacked(soft):
    # The loss is linear in s_i y_ik: each of these gets the factor of its class.
    factors = np.array([0.5, 0.0, 3.0])
    weighed = weigh(soft, factors)
    expected = soft.s[:, None] * soft.Y * factors
    assert_allclose(weighed.s[:, None] * weighed.Y, expected, rtol=1e-14, atol=1e-16)
    assert_allclose(weighed.Y.sum(axis=1), 1.0, rtol=1e-14)


def test_factors_that_leave_no_weight_are_refused():
    with pytest.raises(ValueError, match="no sample with a positive weight"):
        weigh(hard([0, 0, 1], s=np.array([1.0, 1.0, 0.0])), np.array([0.0, 1.0]))


def test_no_factors_change_nothing(soft):
    assert weigh(soft, None) is soft


# Targets


def test_the_null_value_with_intercept_is_the_lowest_cost_of_a_constant(soft):
    def cost(logits):
        log_p = scipy.special.log_softmax(logits)
        return np.average(-soft.Y @ log_p, weights=soft.s)

    lowest = scipy.optimize.minimize(cost, np.zeros(3), tol=1e-12, method="BFGS").fun
    assert_allclose(soft.null_value(True), lowest, rtol=1e-9)
    assert_allclose(soft.null_value(True), scipy.stats.entropy(soft.shares), rtol=1e-14)
    assert_allclose(soft.null_value(False), cost(np.zeros(3)), rtol=1e-14)


def test_shares_and_presence_count_weights():
    targets = hard([0, 1, 2, 2], s=np.array([3.0, 0.0, 1.0, 0.0]))
    assert_allclose(targets.shares, [0.75, 0.0, 0.25])
    assert_array_equal(targets.present, [True, False, True])
    assert targets.total_weight == 4.0


def test_rows_and_columns_are_taken_by_masks():
    targets = hard([0, 1, 2, 0], s=np.array([1.0, 0.0, 3.0, 4.0]))
    taken = targets.take(np.array([True, False, True, True]))
    assert_array_equal(taken.Y, np.eye(3)[[0, 2, 0]])
    assert_array_equal(taken.s, [1.0, 3.0, 4.0])
    restricted = taken.restrict(np.array([True, False, True]))
    assert_array_equal(restricted.classes, [0, 2])
    assert_array_equal(restricted.Y, np.eye(2)[[0, 1, 0]])


def test_a_class_with_weight_is_not_lost_in_silence():
    with pytest.raises(ValueError, match=r"y_val has weight on the classes \[2\]"):
        hard([0, 1, 2]).restrict(np.array([True, True, False]))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.9])
def test_smoothing_mixes_in_the_uniform_distribution(soft, label_smoothing):
    # Szegedy et al. (2016), Rethinking the Inception architecture, section 7.
    expected = (1 - label_smoothing) * soft.Y + label_smoothing * np.full(
        (60, 3), 1 / 3
    )
    smoothed = smooth(soft, label_smoothing)
    assert_allclose(smoothed.Y, expected, rtol=1e-14)
    assert_array_equal(smoothed.s, soft.s)


# The hold-out


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("sizes", [[100, 100, 100], [200, 50, 10]], ids=str)
def test_each_class_gives_its_share_of_the_hold_out(rng, sizes, fraction):
    codes = rng.permutation(np.repeat(np.arange(3), sizes))
    held = hold_out(hard(codes), fraction, rng)
    assert held.sum() == round(fraction * len(codes))
    # Within a row for the rounding, and for the row of each class that has to stay.
    expected = fraction * np.array(sizes)
    given = np.bincount(codes[held], minlength=3)
    assert np.abs(given - expected).max() <= 1 + fraction * 2


def test_a_row_of_every_class_stays(rng):
    codes = np.array([0] * 20 + [1, 2, 2])
    for _ in range(50):
        held = hold_out(hard(codes), 0.5, rng)
        assert set(codes[~held]) == {0, 1, 2}


def test_a_row_of_a_class_that_is_nowhere_the_likeliest_stays(rng):
    Y = np.eye(4)[rng.integers(3, size=30)]
    Y[7] = [0.6, 0.0, 0.0, 0.4]
    targets = Targets(np.arange(4), Y, np.ones(30))
    for _ in range(50):
        held = hold_out(targets, 0.5, rng)
        assert held.sum() == 15
        assert not held[7]


def test_soft_rows_are_spread_by_their_largest_class(rng, soft):
    codes = soft.Y.argmax(axis=1)
    held = hold_out(soft, 0.5, rng)
    expected = np.bincount(codes) / 2
    assert np.abs(np.bincount(codes[held]) - expected).max() <= 2


def test_the_hold_out_is_the_generator_s_and_any_row_may_be_in_it():
    targets = hard(np.arange(40) % 2)
    masks = [hold_out(targets, 0.25, np.random.default_rng(i)) for i in range(60)]
    again = hold_out(targets, 0.25, np.random.default_rng(0))
    assert_array_equal(again, masks[0])
    assert np.any(masks, axis=0).all()


def test_at_least_one_row_is_held_out(rng):
    assert hold_out(hard([0, 0, 1, 1]), 0.01, rng).sum() == 1


@pytest.mark.parametrize("codes", [[0, 1, 2], [0, 1, 2, 2]], ids=str)
def test_too_few_rows_to_hold_out_are_an_error_that_says_what_to_do(rng, codes):
    with pytest.raises(ValueError, match="pass X_val and y_val"):
        hold_out(hard(codes), 0.5, rng)
