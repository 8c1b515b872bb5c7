"""What hidden layers see of X, and that folding it back changes no prediction."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.preprocessing import StandardScaler

from sksoftmax._data.scaling import FeatureScaling, identity, moments_of, standardise

N = 50


def inputs_for(X, s, **options):
    return standardise(moments_of(X, s), X.dtype, **options)


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


def test_without_a_centre_the_root_mean_square_is_one(X, s):
    inputs = inputs_for(X, s, centred=False)
    assert_array_equal(inputs.centre, np.zeros(4))
    U = inputs.apply(X, np.float64)
    assert_allclose(np.average(U**2, axis=0, weights=s), np.ones(4), rtol=1e-9)


def test_stored_entries_of_sparse_features_have_root_mean_square_one(rng, X, s):
    X[rng.random(X.shape) < 0.6] = 0.0
    U = inputs_for(csr_array(X), s, centred=True).apply(csr_array(X), np.float64)
    U = U.toarray()
    assert_array_equal(U == 0, X == 0)
    for column in U.T:
        there = column != 0
        assert_allclose(np.average(column[there] ** 2, weights=s[there]), 1.0)


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
    assert_allclose(U.ravel(), np.array([1, -1, 0]) * np.sqrt(1.5) / 2)


def test_offsets_cancel_before_rounding_to_single_precision(rng):
    X = 1e8 + rng.standard_normal((N, 1))
    U = inputs_for(X, np.ones(N), centred=True).apply(X, np.float32)
    assert_allclose(U, StandardScaler().fit_transform(X), atol=1e-6)


@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_folded_layers_do_on_x_what_layers_did_on_inputs(rng, X, s, store):
    inputs = inputs_for(store(X), s, centred=True)
    W, b = rng.standard_normal((4, 3)), rng.standard_normal(3)
    last = (np.ones((3, 2)), np.zeros(2))
    (folded_W, folded_b), later = inputs.fold([(W, b), last])
    assert later is last
    Z = inputs.apply(store(X), np.float64) @ W + b
    assert_allclose(store(X) @ folded_W + folded_b, Z, atol=1e-6)
    ((again_W, again_b),) = inputs.unfold([(folded_W, folded_b)])
    assert_allclose(again_W, W, rtol=1e-12)
    assert_allclose(again_b, b, atol=1e-6)


def test_sparse_rows_are_centred_as_dense_rows_are_where_those_were_first(X, s):
    inputs = inputs_for(X, s, centred=True)
    U = inputs.apply(csr_array(X), np.float64, ones=True)
    assert_array_equal(U, inputs.apply(X, np.float64, ones=True))


def test_silenced_features_get_no_weights(rng):
    inputs = FeatureScaling(np.array([3.0, 0.0]), np.array([0.0, 2.0]))
    ((W, b),) = inputs.fold([(np.ones((2, 3)), np.zeros(3))])
    assert_array_equal(W, [[0.0] * 3, [2.0] * 3])
    assert_array_equal(b, np.zeros(3))
    assert np.isfinite(inputs.unfold([(W, b)])[0][0]).all()


@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_ones_come_last(X, store):
    U = identity(4).apply(store(X), np.float64, ones=True)
    U = csr_array(U).toarray()
    assert_array_equal(U, np.hstack([X, np.ones((N, 1))]))


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_moments_of_parts_add_up_to_those_of_all_rows(rng, X, s, store, centred):
    X[rng.random(X.shape) < 0.4] = 0.0
    X[:, 3] = 0.1
    parts = [moments_of(store(X[a:b]), s[a:b]) for a, b in pairwise([0, 0, 7, 30, N])]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    inputs = standardise(total, X.dtype, centred=centred)
    expected = inputs_for(store(X), s, centred=centred)
    assert_allclose(inputs.centre, expected.centre, rtol=1e-9, atol=1e-9)
    assert_allclose(inputs.factor, expected.factor, rtol=1e-9)
