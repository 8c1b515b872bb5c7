"""Checked samples: X, y and weights of training and of validation data together."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.utils.class_weight import compute_sample_weight

from sksoftmax._data.in_memory import check_rows, check_training, check_validation


class Estimator(BaseEstimator):
    def __init__(self, class_weight=None, label_smoothing=0.0):
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing


@pytest.fixture
def data(rng):
    y = np.array(["a", "b", "b", "c", "b", "a"])
    return rng.standard_normal((6, 3)), y, rng.uniform(0.5, 2.0, size=6)


@pytest.fixture
def training(data):
    return check_training(Estimator(class_weight={"a": 2.0, "c": 0.0}), *data)


# Training data


@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 2.0, "c": 0.0}])
def test_class_weights_multiply_sample_weights(data, class_weight):
    X, y, s = data
    sample = check_training(Estimator(class_weight), X, y, s)
    expected = s
    if class_weight == "balanced":
        # scikit-learn's n / (n_classes n_k), with weights for the counts.
        expected = s * s.sum() / (3 * np.array([s[y == label].sum() for label in y]))
    elif class_weight is not None:
        expected = s * compute_sample_weight({"b": 1.0} | class_weight, y)
    assert_allclose(sample.targets.s, expected, rtol=1e-14)
    assert_array_equal(sample.targets.Y, y[:, None] == np.array(["a", "b", "c"]))


def test_features_are_recorded_unless_told_not_to(data):
    estimator = Estimator()
    check_rows(estimator, data)
    assert estimator.n_features_in_ == 3
    X, y, s = data
    with pytest.raises(ValueError, match="X has 2 features"):
        check_rows(estimator, (X[:, :2], y, s), reset=False)


def test_labels_are_encoded_against_classes_that_are_given(data):
    classes = np.array(["a", "b", "c", "d"])
    sample = check_training(Estimator(), *data, classes=classes)
    assert_array_equal(sample.targets.classes, classes)
    assert sample.targets.Y.shape == (6, 4)


def test_soft_rows_are_weighed_by_their_classes(data):
    X, _, s = data
    Y = np.array([[0.25, 0.75]] * 6)
    sample = check_training(Estimator({0: 2.0, 1: 4.0}), X, Y, s)
    assert_allclose(sample.targets.s, 3.5 * s)
    assert_allclose(sample.targets.Y, [[1 / 7, 6 / 7]] * 6)


@pytest.mark.parametrize("short", [1, 2])
def test_lengths_that_differ_are_refused(data, short):
    data = list(data)
    data[short] = data[short][:5]
    with pytest.raises(ValueError, match=r"inconsistent numbers|shape \(6,\)"):
        check_training(Estimator(), *data)


def test_what_was_given_stays_as_it_was(data):
    before = [array.copy() for array in data]
    check_training(Estimator("balanced"), *data).smooth(0.1)
    for array, as_it_was in zip(data, before, strict=True):
        assert_array_equal(array, as_it_was)


# Validation data


def test_validation_data_are_weighted_as_the_training_data_are(data, training):
    X, y, s = data
    validation = check_validation(Estimator(), training, X, y, s)
    assert_allclose(validation.targets.s, training.targets.s)
    assert_array_equal(validation.targets.Y, training.targets.Y)


def test_balanced_validation_weights_are_those_of_the_training_classes(data):
    X, y, s = data
    estimator = Estimator("balanced")
    training = check_training(estimator, X, y, s)
    rows = np.array([1, 3])  # on their own these two would be balanced
    validation = check_validation(estimator, training, X[rows], y[rows], s[rows])
    assert_allclose(validation.targets.s, training.targets.s[rows])


def test_validation_labels_have_the_columns_of_the_training_classes(data, training):
    X, _, _ = data
    validation = check_validation(Estimator(), training, X[:1], ["b"], None)
    assert_array_equal(validation.targets.classes, ["a", "b", "c"])
    assert_array_equal(validation.targets.Y, [[0, 1, 0]])


def test_no_validation_data_are_none(training):
    assert check_validation(Estimator(), training, None, None, None) is None


@pytest.mark.parametrize(
    ("X_val", "y_val", "sample_weight_val", "words"),
    [
        (None, ["a"], None, "y_val is provided, but X_val was not"),
        (None, None, [1.0], "sample_weight_val is provided, but X_val was not"),
        (np.ones((1, 3)), None, None, "X_val is provided, but y_val was not"),
        (np.ones((1, 3)), ["z"], None, r"y_val has the labels \['z'\]"),
        (np.ones((1, 3)), ["a"], [-1.0], "sample_weight_val must be >= 0"),
        (np.ones((2, 3)), ["a"], None, "inconsistent numbers of samples"),
        (np.ones((1, 2)), ["a"], None, "X has 2 features"),
    ],
    ids=range(7),
)
def test_bad_validation_data_are_refused(data, X_val, y_val, sample_weight_val, words):
    estimator = Estimator()
    training = check_training(estimator, *data)
    with pytest.raises(ValueError, match=words):
        check_validation(estimator, training, X_val, y_val, sample_weight_val)


# The sample


@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_a_sample_is_taken_apart_by_rows_and_by_classes(data, store):
    X, y, s = data
    sample = check_training(Estimator(), store(X), y, s)
    keep = y != "a"
    taken = sample.take(keep)
    taken_X = taken.X if store is np.asarray else taken.X.toarray()
    assert_array_equal(taken_X, X[keep])
    assert_array_equal(taken.targets.s, s[keep])
    restricted = taken.restrict(taken.targets.present)
    assert_array_equal(restricted.targets.classes, ["b", "c"])
    assert_array_equal(restricted.targets.labels, y[keep])


def test_smoothing_keeps_the_rest(data):
    X, y, s = data
    sample = check_training(Estimator(), X, y, s)
    smoothed = sample.smooth(0.3)
    expected = np.where(np.asarray(sample.targets.Y) == 1.0, 0.8, 0.1)
    assert_allclose(smoothed.targets.Y, expected)
    assert smoothed.X is sample.X
    assert_array_equal(smoothed.targets.s, s)
