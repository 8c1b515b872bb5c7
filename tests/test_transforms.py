"""Transforms change the coordinates of a fit and no prediction."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.in_memory import check_rows
from sksoftmax._data.statistics import statistics_of
from sksoftmax._fit.transforms import (
    ClassSubset,
    Composition,
    FeatureScaling,
    OneLogit,
    PenaltyGauge,
    RowSpace,
    SymmetricGauge,
    standardization,
)

# Scaling of features

N = 50


def inputs_for(X, s, **options):
    return standardization(statistics_of(X, s), X.dtype, **options)


@pytest.fixture
def X(rng):
    return rng.standard_normal((N, 4)) * [1.0, 1e-6, 1e8, 3.0] + [0.0, 5.0, -1e9, 1e3]


@pytest.fixture
def s(rng):
    return rng.integers(0, 4, size=N).astype(float)


def test_dense_features_have_weighted_mean_zero_and_deviation_one(X, s):
    U = inputs_for(X, s, centred=True).apply(X, np.float64)
    expected = StandardScaler().fit(X, sample_weight=s).transform(X)
    assert_allclose(U, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_weights_mean_repetition(X, s, centred, store):
    X[::3, 0] = 0.0
    times = s.astype(int)
    weighted = inputs_for(store(X), s, centred=centred)
    repeated = np.repeat(X, times, axis=0)
    expected = inputs_for(store(repeated), np.ones(times.sum()), centred=centred)
    # No range: rows of weight zero may have set the unit of the sums.
    assert_allclose(weighted.centre, expected.centre, rtol=1e-9, atol=1e-9)
    assert_allclose(weighted.factor, expected.factor, rtol=1e-9)


@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_without_a_centre_what_is_not_zero_has_root_mean_square_one(rng, X, s, store):
    X[rng.random(X.shape) < 0.6] = 0.0
    inputs = inputs_for(store(X), s, centred=False)
    assert_array_equal(inputs.centre, np.zeros(4))
    for column in inputs.apply(X, np.float64).T:
        there = column != 0
        assert_allclose(np.average(column[there] ** 2, weights=s[there]), 1.0)


@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("zeros", [0.0, 0.3, 0.9])
def test_the_scale_is_no_less_than_the_deviation_of_what_is_not_zero(
    rng, X, s, store, zeros
):
    X[rng.random(X.shape) < zeros] = 0.0
    inputs = inputs_for(store(X), s, centred=True)
    U = (X - inputs.centre) * inputs.factor
    for column, values in zip(U.T, X.T, strict=True):
        there = values != 0
        deviation = np.average(column**2, weights=s) ** 0.5
        of_others = np.average(column[there] ** 2, weights=s[there]) ** 0.5
        assert_allclose(max(deviation, of_others), 1.0, rtol=1e-6)
        assert abs(np.average(column, weights=s)) < 1e-6


@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_a_rare_feature_is_not_blown_up(store):
    X = np.zeros((1000, 2))
    X[:3, 0], X[:600, 1] = 5.0, 5.0
    inputs = inputs_for(store(X), np.ones(1000), centred=True)
    U = (X - inputs.centre) * inputs.factor
    assert_allclose(U[0], [1.0, 0.4 / (0.6 * 0.4) ** 0.5])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -1e-9, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_features_are_zero(value, dtype):
    value = min(value, float(np.finfo(dtype).max))
    X = np.full((N, 1), value, dtype)
    for constant in (0.0, 1.0):
        inputs = inputs_for(X, np.ones(N), centred=True, constant=constant)
        assert_array_equal(inputs.apply(X, dtype), np.zeros((N, 1), dtype))
    assert inputs.factor > 0


def test_the_largest_numbers_do_not_overflow():
    X = np.array([[1e308], [-1e308], [0.0]])
    U = inputs_for(X, np.ones(3), centred=True).apply(X / 2, np.float64)
    assert_allclose(U.ravel(), [0.5, -0.5, 0.0])


def test_offsets_cancel_before_rounding_to_single_precision(rng):
    X = 1e8 + rng.standard_normal((N, 1))
    U = inputs_for(X, np.ones(N), centred=True).apply(X, np.float32)
    assert_allclose(U, StandardScaler().fit_transform(X), atol=1e-6)


@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_folded_layers_do_on_x_what_layers_did_on_inputs(rng, X, s, store):
    inputs = inputs_for(store(X), s, centred=True)
    W, b = rng.standard_normal((4, 3)), rng.standard_normal(3)
    last = (np.ones((3, 2)), np.zeros(2))
    (folded_W, folded_b), later = inputs.back([(W, b), last])
    assert later is last
    Z = inputs.apply(store(X), np.float64) @ W + b
    assert_allclose(store(X) @ folded_W + folded_b, Z, atol=1e-6)
    ((again_W, again_b),) = inputs.forward([(folded_W, folded_b)])
    assert_allclose(again_W, W, rtol=1e-12)
    assert_allclose(again_b, b, atol=1e-6)


def test_sparse_rows_are_centred_as_dense_rows_are_where_those_were_first(X, s):
    inputs = inputs_for(X, s, centred=True)
    U = inputs.apply(csr_array(X), np.float64)
    assert_array_equal(U, inputs.apply(X, np.float64))


def test_silenced_features_get_no_weights(rng):
    inputs = FeatureScaling(np.array([3.0, 0.0]), np.array([0.0, 2.0]))
    ((W, b),) = inputs.back([(np.ones((2, 3)), np.zeros(3))])
    assert_array_equal(W, [[0.0] * 3, [2.0] * 3])
    assert_array_equal(b, np.zeros(3))
    assert np.isfinite(inputs.forward([(W, b)])[0][0]).all()


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_scaling_by_statistics_of_parts_is_that_of_all_rows(rng, X, s, store, centred):
    X[rng.random(X.shape) < 0.4] = 0.0
    X[:, 3] = 0.1
    parts = [
        statistics_of(store(X[a:b]), s[a:b]) for a, b in pairwise([0, 0, 7, 30, N])
    ]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    inputs = standardization(total, X.dtype, centred=centred)
    expected = inputs_for(store(X), s, centred=centred)
    assert_allclose(inputs.centre, expected.centre, rtol=1e-9, atol=1e-9)
    assert_allclose(inputs.factor, expected.factor, rtol=1e-9)


# The space of the rows

N_ROWS, N_FEATURES = 12, 50


@pytest.fixture
def wide(rng):
    return rng.standard_normal((N_ROWS, N_FEATURES))


def expanded(space, V):
    """The weights that a layer with weights V has in the user's coordinates."""
    ((W, _),) = space.back([(V, np.zeros(V.shape[1]))])
    return W


def reduced(space, W):
    """The weights in the space of the rows."""
    ((V, _),) = space.forward([(W, np.zeros(W.shape[1]))])
    return V


def reduced_rows(space, X):
    """Rows in the space of the rows of the training data."""
    dataset = check_rows(SoftmaxRegressionClassifier(), (X, np.arange(len(X)), None))
    return space.dataset(dataset).X


def scaled(X, factor):
    """X with one column in another unit."""
    X = X.copy()
    X[:, 0] *= factor
    return X


# Powers of ten between a unit and another; timestamps in seconds are near 1e9.
each_factor = pytest.mark.parametrize("factor", [1.0, 1e-6, 1e3, 1e6, 1e9])


@each_factor
def test_coordinates_keep_the_products_of_rows(wide, factor):
    X = scaled(wide, factor)
    A = RowSpace(X).coordinates
    assert A.shape[1] <= N_ROWS
    norms = np.linalg.norm(X, axis=1)
    expected = X @ X.T / np.outer(norms, norms)
    assert_allclose(A @ A.T / np.outer(norms, norms), expected, atol=1e-12)


@each_factor
def test_expanded_weights_have_the_same_logits_and_the_same_norm(rng, wide, factor):
    X = scaled(wide, factor)
    space = RowSpace(X)
    V = rng.standard_normal((space.coordinates.shape[1], 3))
    W = expanded(space, V)
    assert W.shape == (N_FEATURES, 3)
    assert_allclose(X @ W, space.coordinates @ V, rtol=1e-7, atol=1e-7)
    assert_allclose(np.linalg.norm(W, axis=0), np.linalg.norm(V, axis=0), rtol=1e-7)


@each_factor
def test_no_direction_that_tells_rows_apart_is_lost(wide, factor):
    X = wide
    # Rows are independent, so any values at all are the logits of some weights.
    A = RowSpace(scaled(X, factor)).coordinates
    V, *_ = np.linalg.lstsq(A, np.eye(N_ROWS), rcond=1e-14)
    assert_allclose(A @ V, np.eye(N_ROWS), atol=1e-4)


def test_reducing_takes_expanded_weights_back(rng, wide):
    X = wide
    space = RowSpace(X)
    V = rng.standard_normal((space.coordinates.shape[1], 3))
    assert_allclose(reduced(space, expanded(space, V)), V, atol=1e-12)


def test_other_rows_get_the_logits_that_expanded_weights_give_them(rng, wide):
    X = wide
    space = RowSpace(X)
    V = rng.standard_normal((space.coordinates.shape[1], 3))
    others = rng.standard_normal((5, N_FEATURES))
    assert_allclose(reduced_rows(space, X), space.coordinates, atol=1e-12)
    expected = others @ expanded(space, V)
    assert_allclose(reduced_rows(space, others) @ V, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_repeated_rows_and_rows_of_zeros_do_no_harm(rng, wide, dtype):
    X = np.vstack([wide, wide[:5], np.zeros((2, N_FEATURES))]).astype(dtype)
    space = RowSpace(X)
    V = rng.standard_normal((N_ROWS + 7, 3))
    assert_allclose(X @ expanded(space, V), space.coordinates @ V, atol=1e-5)


# All of them


def dataset_of(X, y):
    return check_rows(SoftmaxRegressionClassifier(), (X, y, None))


TRANSFORMS = {
    "classes": lambda X: ClassSubset(np.array([True, False, True])),
    "classes, sparse": lambda X: ClassSubset(np.array([True, False, True]), False),
    "scaling": lambda X: FeatureScaling(X.mean(axis=0), 1.0 / X.std(axis=0)),
    "rows": lambda X: RowSpace(X),
    "gauge": lambda X: SymmetricGauge(),
    "penalty's gauge": lambda X: PenaltyGauge(),
    "several": lambda X: Composition(
        (
            ClassSubset(np.array([True, False, True])),
            FeatureScaling(X.mean(axis=0), 1.0 / X.std(axis=0)),
            OneLogit(),
        )
    ),
}


def one_logit_or_all(Z):
    return np.hstack([np.zeros_like(Z), Z]) if Z.shape[1] == 1 else Z


@pytest.mark.parametrize("make", TRANSFORMS.values(), ids=TRANSFORMS)
def test_layers_that_go_back_predict_what_they_predicted(rng, make):
    X = rng.standard_normal((5, 12)) + 3.0
    transform = make(X)
    data = dataset_of(X, np.array([0, 2, 2, 0, 0]))
    data = data._replace(targets=_with_three_classes(data.targets))
    U = transform.dataset(data).X
    layers = transform.forward([(rng.standard_normal((12, 3)), rng.standard_normal(3))])
    ((W, b),) = layers
    ((back_W, back_b),) = transform.back(layers)
    P = softmax(one_logit_or_all(U @ W + b), axis=1)
    back_P = softmax(X @ back_W + back_b, axis=1)
    if P.shape[1] == 2:  # a class without weight gets its column again
        assert back_P[:, 1].max() < 1e-15
        back_P = back_P[:, [0, 2]]
    assert_allclose(back_P, P, rtol=1e-9)


def _with_three_classes(targets):
    Y = np.zeros((targets.Y.shape[0], 3))
    Y[:, [0, 2]] = targets.Y
    return type(targets)(np.arange(3), Y, targets.s)


@pytest.mark.parametrize("make", TRANSFORMS.values(), ids=TRANSFORMS)
def test_what_went_back_comes_forward_again(rng, make):
    X = rng.standard_normal((5, 12)) + 3.0
    transform = make(X)
    start = [(rng.standard_normal((12, 3)), rng.standard_normal(3))]
    layers = transform.forward(transform.back(transform.forward(start)))
    for ours, expected in zip(
        transform.back(layers)[0],
        transform.back(transform.forward(start))[0],
        strict=True,
    ):
        assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


def test_one_logit_stands_for_two_centred_columns(rng):
    W, b = rng.standard_normal((4, 2)), rng.standard_normal(2)
    one = OneLogit()
    ((one_W, one_b),) = one.forward([(W, b)])
    assert one_W.shape == (4, 1)
    X = rng.standard_normal((10, 4))
    P = softmax(X @ W + b, axis=1)
    assert_allclose((X @ one_W + one_b)[:, 0], np.log(P[:, 1] / P[:, 0]))
    ((both_W, both_b),) = one.back([(one_W, one_b)])
    ((centred_W, centred_b),) = SymmetricGauge().back([(W, b)])
    assert_allclose(both_W, centred_W, atol=1e-15)
    assert_allclose(both_b, centred_b, atol=1e-15)


def test_the_penalty_of_one_logit_is_that_of_both_columns(rng):
    one_W = rng.standard_normal((4, 1))
    ((W, _),) = OneLogit().back([(one_W, np.zeros(1))])
    assert_allclose(OneLogit.penalty_factor * np.sum(one_W**2), np.sum(W**2))
