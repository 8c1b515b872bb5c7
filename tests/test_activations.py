"""Activation functions and their derivatives, against formulas in fifty digits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax._model.activations import ACTIVATIONS

# Klambauer et al. (2017), Self-normalizing neural networks; more digits than floats.
SELU_SCALE = Decimal("1.05070098735548049341933498529460")
SELU_ALPHA = Decimal("1.67326324235437728481704298167510")

FORMULAS = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + (-z).exp()),
    "tanh": lambda z: ((2 * z).exp() - 1) / ((2 * z).exp() + 1),
    "relu": lambda z: max(z, Decimal(0)),
    "selu": lambda z: SELU_SCALE * (z if z > 0 else SELU_ALPHA * (z.exp() - 1)),
    "silu": lambda z: z / (1 + (-z).exp()),
}
POINTS = [1e-10, 1e-3, 0.7, 2.0, 30.0, 100.0, 745.0, 1e4]
POINTS = np.array([-z for z in reversed(POINTS)] + POINTS)
each_activation = pytest.mark.parametrize("name", FORMULAS)
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def value_and_derivative(name, Z):
    H = ACTIVATIONS[name].value(Z)
    return H, ACTIVATIONS[name].derivative(Z, H)


def test_every_activation_has_a_formula_here():
    assert ACTIVATIONS.keys() == FORMULAS.keys()


@each_dtype
@each_activation
def test_values_are_the_formula_s_to_the_last_digits(name, dtype):
    Z = POINTS.astype(dtype)
    with localcontext(prec=50):
        expected = [float(FORMULAS[name](Decimal(float(z)))) for z in Z]
    H, _ = value_and_derivative(name, Z)
    info = np.finfo(dtype)
    assert_allclose(H, expected, rtol=4 * info.eps, atol=info.smallest_normal)


@each_dtype
@each_activation
def test_derivatives_are_difference_quotients_of_the_formula(name, dtype):
    Z = POINTS.astype(dtype)
    with localcontext(prec=50):
        step = Decimal("1e-20")
        expected = [
            float((FORMULAS[name](z + step) - FORMULAS[name](z - step)) / (2 * step))
            for z in map(Decimal, map(float, Z))
        ]
    _, slope = value_and_derivative(name, Z)
    # silu's is 1 + z exp(-z) at 30, where one rounding error counts 30 times.
    assert_allclose(slope, expected, rtol=0, atol=32 * np.finfo(dtype).eps)


@each_activation
def test_a_derivative_at_zero_lies_between_those_on_its_sides(name):
    _, slope = value_and_derivative(name, np.array([-1e-12, 0.0, 1e-12]))
    below, at, above = slope.astype(float)
    assert min(below, above) - 1e-11 <= at <= max(below, above) + 1e-11


@each_activation
def test_single_precision_stays_single_precision(name):
    H, slope = value_and_derivative(name, np.ones((2, 3), np.float32))
    assert H.dtype == (slope * H).dtype == np.float32


@pytest.mark.parametrize("moment", [0, 1])
def test_selu_keeps_zero_mean_and_unit_variance(moment):
    # What its constants are made for: the fixed point under N(0, 1). Quadrature on each
    # side of the kink, where the integrand is smooth; beyond 40 it is below 1e-300.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    Z = 20.0 * (nodes + 1.0)
    density = 20.0 * weights * np.exp(-0.5 * Z**2) / math.sqrt(2.0 * math.pi)
    sides = [ACTIVATIONS["selu"].value(z) for z in (Z, -Z)]
    integral = sum(density @ H ** (moment + 1) for H in sides)
    assert_allclose(integral, [0.0, 1.0][moment], rtol=0, atol=1e-12)
