"""Optimizers against transcriptions of the papers, and the loop that runs them."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import scipy.optimize
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._solvers import MINIBATCH, make_optimizer
from sksoftmax.optimizers import SGD, Adam, minimize

EVERY_OPTIMIZER = [
    SGD(0.05),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, nesterov=True),
    Adam(0.05),
    Adam(0.02, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
]
each_optimizer = pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=repr)

A = np.array([[3.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 2.0]])
c = np.array([1.0, -2.0, 0.5])
MINIMUM = np.linalg.solve(A, c)


def bowl(w):
    """1/2 w^T A w - c^T w, of w or of many w along the last axes."""
    return 0.5 * (w * np.tensordot(A, w, 1)).sum(axis=0) - np.tensordot(c, w, 1)


def slope(w):
    return A @ w - c


def path(optimizer, n_steps=30):
    """The points that an optimizer visits on its way down the bowl."""
    w, points = np.zeros(3), []
    state = optimizer.init(w)
    for _ in range(n_steps):
        w, state = optimizer.update(slope(w), state, w)
        points.append(w)
    return points


# The update equations


def test_sgd_steps_against_the_gradient():
    w, expected = np.zeros(3), []
    for _ in range(30):
        w = w - 0.05 * slope(w)
        expected.append(w)
    assert_allclose(path(SGD(0.05)), expected, rtol=1e-13)


def test_momentum_is_equations_1_and_2_of_sutskever_et_al():
    mu, epsilon = 0.9, 0.05
    theta, v, expected = np.zeros(3), np.zeros(3), []
    for _ in range(30):
        v = mu * v - epsilon * slope(theta)
        theta = theta + v
        expected.append(theta)
    assert_allclose(path(SGD(epsilon, momentum=mu)), expected, rtol=1e-12)


def test_nesterov_s_momentum_is_equations_3_and_4_of_sutskever_et_al():
    # There the gradient is taken at the point looked ahead to, theta + mu v. It is that
    # point which the optimizer calls w, so that gradients are always taken at w.
    mu, epsilon = 0.9, 0.05
    theta, v, expected = np.zeros(3), np.zeros(3), []
    for _ in range(30):
        v = mu * v - epsilon * slope(theta + mu * v)
        theta = theta + v
        expected.append(theta + mu * v)
    optimizer = SGD(epsilon, momentum=mu, nesterov=True)
    assert_allclose(path(optimizer), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("beta_1", "beta_2", "epsilon"),
    [(0.9, 0.999, 1e-8), (0.5, 0.9, 0.1), (0.0, 0.0, 1)],
)
def test_adam_is_algorithm_1_of_kingma_and_ba(beta_1, beta_2, epsilon):
    alpha, theta, expected = 0.05, [0.0] * 3, []
    m, v = [0.0] * 3, [0.0] * 3
    for t in range(1, 31):
        g = slope(np.array(theta))
        m = [beta_1 * m_i + (1 - beta_1) * g_i for m_i, g_i in zip(m, g, strict=True)]
        v = [
            beta_2 * v_i + (1 - beta_2) * g_i**2 for v_i, g_i in zip(v, g, strict=True)
        ]
        m_hat = [m_i / (1 - beta_1**t) for m_i in m]
        v_hat = [v_i / (1 - beta_2**t) for v_i in v]
        theta = [
            theta_i - alpha * m_i / (math.sqrt(v_i) + epsilon)
            for theta_i, m_i, v_i in zip(theta, m_hat, v_hat, strict=True)
        ]
        expected.append(theta)
    assert_allclose(path(Adam(alpha, beta_1, beta_2, epsilon)), expected, rtol=1e-11)


def test_defaults_of_adam_are_the_paper_s():
    assert Adam() == Adam(1e-3, 0.9, 0.999, 1e-8)


def test_the_first_step_of_adam_has_the_size_of_the_learning_rate(rng):
    grad = rng.standard_normal(5) * 10.0 ** np.arange(-3, 2)
    w, _ = Adam(0.1).update(grad, Adam(0.1).init(grad), np.zeros(5))
    assert_allclose(w, -0.1 * np.sign(grad), rtol=1e-4)


# What all optimizers promise


@pytest.mark.parametrize("name", MINIBATCH)
def test_every_optimizer_that_the_estimator_offers_is_tested_here(name):
    optimizer = make_optimizer(name, SoftmaxRegressionClassifier())
    assert type(optimizer) in map(type, EVERY_OPTIMIZER)


@each_optimizer
def test_nothing_that_is_passed_changes(rng, optimizer):
    w, grad = rng.standard_normal((2, 4))
    _, state = optimizer.update(grad, optimizer.init(w), w)
    arrays = [w, grad, *(part for part in state if isinstance(part, np.ndarray))]
    before = [array.copy() for array in arrays]
    optimizer.update(grad, state, w)
    for array, as_it_was in zip(arrays, before, strict=True):
        assert_array_equal(array, as_it_was)


@each_optimizer
def test_a_step_in_place_is_an_update_and_makes_no_new_arrays(rng, optimizer):
    w, grad = rng.standard_normal((2, 4))
    state, held = optimizer.init(w), optimizer.init(w)
    here = w.copy()
    for _ in range(3):
        w, state = optimizer.update(grad, state, w)
        arrays = [part for part in held if isinstance(part, np.ndarray)]
        held = optimizer.step(grad.copy(), held, here)
        assert_array_equal(here, w)
        kept = [part for part in held if isinstance(part, np.ndarray)]
        assert all(a is b for a, b in zip(arrays, kept, strict=True))


@each_optimizer
def test_a_factor_lowers_the_learning_rate_of_a_step(rng, optimizer):
    w, grad = rng.standard_normal((2, 4))
    slower = replace(optimizer, learning_rate=0.25 * optimizer.learning_rate)
    expected, _ = slower.update(grad, slower.init(w), w)
    optimizer.step(grad, optimizer.init(w), w, factor=0.25)
    assert_allclose(w, expected, rtol=1e-14)


@each_optimizer
def test_equal_arguments_give_equal_results(rng, optimizer):
    w, grad = rng.standard_normal((2, 4))
    first, state = optimizer.update(grad, optimizer.init(w), w)
    again, _ = optimizer.update(grad, optimizer.init(w), w)
    assert_array_equal(first, again)
    optimizer.update(-grad, state, first)
    assert_array_equal(optimizer.update(grad, optimizer.init(w), w)[0], first)


@each_optimizer
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_shapes_stay_and_single_precision_stays_single_precision(optimizer, shape):
    w = np.ones(shape, np.float32)
    state = optimizer.init(w)
    for _ in range(3):
        w, state = optimizer.update(np.full(shape, 0.5, np.float32), state, w)
    assert w.shape == shape
    assert w.dtype == np.float32


@each_optimizer
def test_configurations_are_frozen_and_compare_by_value(optimizer):
    with pytest.raises(FrozenInstanceError):
        optimizer.learning_rate = 1.0
    assert optimizer == type(optimizer)(**vars(optimizer))
    assert hash(optimizer) == hash(type(optimizer)(**vars(optimizer)))


# minimize


@each_optimizer
def test_minimize_finds_the_minimum_of_a_bowl(optimizer):
    w = minimize(bowl, np.zeros(3), optimizer, 1500, grad=slope)
    # At a constant rate Adam circles it, for ever, at less than half of its rate.
    atol = 1e-6 if type(optimizer) is SGD else optimizer.learning_rate / 2
    assert_allclose(w, MINIMUM, atol=atol)


@each_optimizer
def test_minimize_is_updates_one_after_another(optimizer):
    w = minimize(bowl, [0, 0, 0], optimizer, 7, grad=slope)
    assert_array_equal(w, path(optimizer)[6])


@each_optimizer
def test_numerical_derivatives_take_the_same_path(optimizer):
    expected = minimize(bowl, np.zeros(3), optimizer, 20, grad=slope)
    assert_allclose(minimize(bowl, np.zeros(3), optimizer, 20), expected, atol=1e-6)


def test_minimize_takes_functions_of_scipy():
    start = np.array([-1.2, 1.0])
    optimizer = Adam(0.01)
    found = minimize(scipy.optimize.rosen, start, optimizer, 50)
    expected = minimize(
        scipy.optimize.rosen, start, optimizer, 50, grad=scipy.optimize.rosen_der
    )
    assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("grad", [None, math.sinh], ids=["numerical", "exact"])
def test_minimize_takes_a_number(grad):
    w = minimize(np.cosh, 0.5, SGD(0.5), 30, grad=grad)
    assert np.shape(w) == ()
    assert_allclose(w, 0.0, atol=1e-8)


def test_minimize_takes_a_matrix_where_the_gradient_is_given(rng):
    w0 = rng.standard_normal((2, 3))
    w = minimize(lambda w: (w**2).sum(), w0, SGD(0.25), 60, grad=lambda w: 2 * w)
    assert_allclose(w, np.zeros((2, 3)), atol=1e-15)
    with pytest.raises(ValueError, match="got 2-d"):
        minimize(lambda w: (w**2).sum(), w0, SGD(0.25), 60)


@pytest.mark.parametrize(
    ("w0", "dtype"),
    [
        (np.zeros(3, np.float32), np.float32),
        (np.zeros(3), np.float64),
        ([0, 0, 0], np.float64),
        (np.zeros(3, np.float16), np.float64),
    ],
    ids=range(4),
)
@pytest.mark.parametrize("grad", [None, slope], ids=["numerical", "exact"])
def test_only_single_precision_stays_what_it_is(w0, dtype, grad):
    assert minimize(bowl, w0, Adam(), 2, grad=grad).dtype == dtype


def test_no_steps_give_the_start_and_never_the_same_array():
    w0 = np.zeros(3)
    w = minimize(bowl, w0, Adam(), 0)
    assert_array_equal(w, w0)
    assert not np.shares_memory(w, w0)
    minimize(bowl, w0, Adam(), 3, grad=slope)
    assert_array_equal(w0, np.zeros(3))


def test_a_negative_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="n_steps must be >= 0, got -1"):
        minimize(bowl, np.zeros(3), Adam(), -1)


BAD_NUMBERS = [-0.1, np.nan, np.inf, "fast", None, 1j, np.ones(2), 10**400]


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (SGD, "learning_rate"),
        (SGD, "momentum"),
        (Adam, "learning_rate"),
        (Adam, "beta_1"),
        (Adam, "beta_2"),
        (Adam, "epsilon"),
    ],
)
def test_a_number_that_no_optimizer_can_use_is_named(make, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        make(**{"learning_rate": 0.1} | {name: value})


@pytest.mark.parametrize(("make", "name"), [(SGD, "momentum"), (Adam, "beta_1")])
def test_a_decay_of_one_is_refused(make, name):
    with pytest.raises(ValueError, match=name):
        make(**{"learning_rate": 0.1, name: 1.0})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fun", 1.0),
        ("fun", None),
        ("w0", "here"),
        ("w0", [1j]),
        ("w0", [[1.0], [1.0, 2.0]]),
        ("w0", [10**400]),
        ("optimizer", "sgd"),
        ("optimizer", None),
        ("optimizer", SGD),
        ("n_steps", 2.5),
        ("n_steps", "10"),
        ("n_steps", None),
        ("grad", 3),
        ("grad", lambda w: np.ones(3)),
        ("grad", lambda w: 1.0),
    ],
)
def test_an_argument_that_minimize_cannot_use_is_named(name, value):
    arguments = {
        "fun": lambda w: (w * w).sum(axis=0),
        "w0": [1.0, 2.0],
        "optimizer": SGD(0.1),
        "n_steps": 3,
        "grad": lambda w: 2 * w,
    }
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
        minimize(**arguments | {name: value})
