"""One-hot rows as numbers of classes: they do what arrays do, in less memory."""

import pickle
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.chunks import Chunks
from sksoftmax._data.in_memory import check_training
from sksoftmax._data.one_hot import (
    OneHot,
    largest_of_class,
    stack_targets,
    sum_of_products,
    take_classes,
    times_factors,
    times_weights,
)
from sksoftmax._utils.threads import Threads


@pytest.fixture
def both(rng):
    """The same rows as numbers of 4 classes, and as an array."""
    codes = rng.integers(4, size=30)
    return OneHot(codes, 4), np.eye(4)[codes]


@pytest.fixture
def weights(rng):
    return rng.uniform(0.5, 2.0, 30)


def test_it_is_the_array_of_its_entries(both, weights):
    coded, array = both
    assert coded.shape == array.shape
    assert_array_equal(coded, array)
    weighted = coded * weights[:, None]
    assert_array_equal(weighted, array * weights[:, None])
    assert_array_equal(weighted / weights[:, None], array)
    assert_array_equal(pickle.loads(pickle.dumps(weighted)), weighted)


@pytest.mark.parametrize(
    "rows", [slice(3, 9), np.arange(30) % 3 == 0, np.array([4, 4, 0])], ids=str
)
def test_rows_are_taken_as_from_an_array(both, rows):
    coded, array = both
    assert_array_equal(coded[rows], array[rows])


def test_sums_and_products_are_those_of_the_array(both, weights, rng):
    coded, array = (Y * weights[:, None] for Y in both)
    s, factors = rng.uniform(size=30), rng.uniform(size=4)
    Z = np.asfortranarray(rng.standard_normal((30, 4)))
    assert_allclose(s @ coded, s @ array, rtol=1e-14)
    assert_allclose(coded @ factors, array @ factors, rtol=1e-14)
    assert_allclose(coded @ Z.T[:, :2], array @ Z.T[:, :2], rtol=1e-14)
    assert_array_equal(coded * Z, array * Z)
    assert_array_equal(coded * factors, array * factors)
    for axis in (0, 1):
        assert_allclose(coded.sum(axis=axis), array.sum(axis=axis), rtol=1e-14)
    assert_array_equal(coded.argmax(axis=1), array.argmax(axis=1))
    assert_allclose(sum_of_products(coded, Z), sum_of_products(array, Z), rtol=1e-13)
    difference = Z - coded
    assert_array_equal(difference, Z - array)
    assert difference.flags.f_contiguous
    assert not np.shares_memory(difference, Z)


def test_whatever_else_is_asked_for_is_that_of_the_array(both, rng):
    coded, array = both
    A, t = rng.standard_normal((4, 30)), rng.standard_normal((30, 4))
    for function in (
        lambda Y: Y > 0.5,
        lambda Y: (Y % 1.0).any(),
        lambda Y: A @ Y,
        lambda Y: Y.T @ t,
        lambda Y: Y + 0.3 * (t - Y),
        lambda Y: t.astype(np.float32) - Y,
        lambda Y: t[:1] - Y,
        lambda Y: 2.0 * Y,
        lambda Y: np.repeat(Y, 2, axis=0),
        lambda Y: np.sum(Y * t, axis=1),
        lambda Y: np.sum(Y),
        lambda Y: np.einsum("ik,ik->i", Y, t),
        lambda Y: np.argmax(Y, axis=0),
        lambda Y: np.empty_like(Y).shape,
        lambda Y: Y[:, 1:],
        lambda Y: Y[np.arange(30), 2],
        lambda Y: len(Y),
    ):
        assert_allclose(function(coded), function(array), rtol=1e-14)


def test_weights_and_factors_are_those_of_the_array(both, weights):
    coded, array = both
    assert_array_equal(times_weights(coded, weights), times_weights(array, weights))
    factors = np.array([0.0, 0.5, 2.0, 1.0])
    for found, expected in zip(
        times_factors(coded, factors), times_factors(array, factors), strict=True
    ):
        assert_array_equal(found, expected)


def test_columns_of_some_classes_are_those_of_the_array(both):
    coded, array = both
    kept = np.array([True, False, True, True])
    own = array[:, 1] == 0.0
    assert_array_equal(take_classes(coded, kept)[own], take_classes(array, kept)[own])
    unlikely = np.zeros(4, dtype=bool)
    assert_array_equal(largest_of_class(coded, np.ones(30), unlikely), [])


def test_parts_without_rows_do_not_count(both):
    coded, array = both
    for parts in (
        [coded[:7], np.zeros((0, 4)), coded[7:]],
        [np.zeros((0, 4)), coded],
        [array[:7], array[7:]],
    ):
        assert_array_equal(stack_targets(parts), array)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam"])
@pytest.mark.parametrize("n_classes", [2, 3, 30])
def test_labels_and_their_one_hot_rows_have_the_same_fit(rng, n_classes, solver):
    codes = np.r_[np.arange(n_classes), rng.integers(n_classes, size=200)]
    X = rng.standard_normal((codes.size, 4))
    X[:, 0] += codes / n_classes
    weights = rng.uniform(0.5, 2.0, codes.size)
    settings = {"alpha": 1e-2, "solver": solver, "random_state": 0, "tol": 1e-12}
    fits = [
        SoftmaxRegressionClassifier(**settings).fit(X, y, weights)
        for y in (codes, np.eye(n_classes)[codes])
    ]
    assert_allclose(fits[0].coef_, fits[1].coef_, rtol=1e-5, atol=1e-7)


def peak_of(function):
    """The most memory that a call takes, in bytes."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_labels_of_many_classes_stay_codes(rng):
    n_rows, n_classes = 5000, 2000
    y = np.r_[np.arange(n_classes), rng.integers(n_classes, size=n_rows - n_classes)]
    X = rng.standard_normal((n_rows, 3))
    settings = SoftmaxRegressionClassifier(class_weight="balanced")

    def chunks_of_labels():
        data = check_training(settings, X, y, None).with_weight()
        chunks = data.restrict(data.targets.present).chunks(Threads())
        assert isinstance(chunks, Chunks)
        return chunks.subsample(500)

    one_hot = 8 * n_rows * n_classes
    assert peak_of(chunks_of_labels) < 0.1 * one_hot
