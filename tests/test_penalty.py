"""The penalty: its definition, and its derivatives by finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._penalty import L2Penalty

STRENGTH = np.array([0.5, 0.5, 0.0, 2.0])


def test_the_value_is_half_the_weighted_sum_of_squares():
    assert L2Penalty(STRENGTH).value(np.array([1.0, -2.0, 9.0, 3.0])) == 10.25


def test_the_gradient_is_the_difference_quotient_of_the_value(rng, finite_differences):
    penalty, w = L2Penalty(STRENGTH), rng.standard_normal(4)
    assert_allclose(penalty.grad(w), finite_differences(penalty.value, w), atol=1e-10)


def test_hessp_is_the_difference_quotient_of_the_gradient(rng, finite_differences):
    penalty, w, v = L2Penalty(STRENGTH), *rng.standard_normal((2, 4))
    expected = finite_differences(penalty.grad, w) @ v
    assert_allclose(penalty.hessp(v), expected, atol=1e-10)


def test_a_parameter_of_strength_zero_is_free(rng):
    penalty, w = L2Penalty(STRENGTH), rng.standard_normal(4)
    shifted = w + np.array([0.0, 0.0, 1e6, 0.0])
    assert penalty.value(shifted) == penalty.value(w)
    assert penalty.grad(shifted)[2] == penalty.hessp(shifted)[2] == 0.0


@pytest.mark.parametrize("method", ["value", "grad", "hessp"])
def test_arguments_stay_as_they_were(rng, method):
    w = rng.standard_normal(4)
    before = w.copy()
    getattr(L2Penalty(STRENGTH), method)(w)
    assert_array_equal(w, before)


def test_single_precision_stays_single_precision():
    w = np.ones(4, np.float32)
    assert L2Penalty(STRENGTH.astype(np.float32)).grad(w).dtype == np.float32
