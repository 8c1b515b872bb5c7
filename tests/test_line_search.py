"""The line search: Armijo's condition, minima along convex functions, no way down."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from sksoftmax._solvers.line_search import ARMIJO, LineSearch, halve, interpolate

# Functions phi(t) and their slopes, convex and falling at t = 0.
CONVEX = {
    "parabola": (lambda t: (t - 0.4) ** 2, lambda t: 2.0 * (t - 0.4)),
    "far parabola": (lambda t: (t - 1e-3) ** 2, lambda t: 2.0 * (t - 1e-3)),
    "log-sum-exp": (
        lambda t: np.logaddexp(9.0 * t, -30.0 * t),
        lambda t: (9.0 * np.exp(39.0 * t) - 30.0) / (1.0 + np.exp(39.0 * t)),
    ),
    "steep behind a flat": (
        lambda t: t**20 * 1e3 - 0.1 * t,
        lambda t: 2e4 * t**19 - 0.1,
    ),
    "steep before a flat": (
        lambda t: np.exp(-200.0 * t) + 0.1 * t**2,
        lambda t: 0.2 * t - 200.0 * np.exp(-200.0 * t),
    ),
    "kink of two lines": (
        lambda t: max(-t, 5.0 * (t - 0.3) - 0.3),
        lambda t: -1.0 if t < 0.3 else 5.0,
    ),
}
# Others, which fall at t = 0 and then do what they want.
OTHERS = {
    "waves": (lambda t: np.sin(20.0 * t - 3.0), lambda t: 20 * np.cos(20.0 * t - 3.0)),
    "wall": (lambda t: -t if t < 0.01 else np.inf, lambda t: -1.0),
    "no numbers": (lambda t: -t if t < 0.01 else np.nan, lambda t: -1.0),
    "overflow": (lambda t: -t if t < 0.01 else -np.inf + np.inf, lambda t: -1.0),
}
each_convex = pytest.mark.parametrize("name", CONVEX)
each_shortening = pytest.mark.parametrize("shorten", [halve, interpolate])


def falling(name):
    """Value, slope, and the line search at t = 0."""
    value, slope = (CONVEX | OTHERS)[name]
    return value, slope, LineSearch(float(value(0.0)), float(slope(0.0)))


@each_shortening
@pytest.mark.parametrize("name", [*CONVEX, *OTHERS][:-1])
def test_a_step_that_is_found_fulfils_armijo_s_condition(name, shorten):
    value, _, search = falling(name)
    if name == "waves":
        search = LineSearch(search.value, -1.0)  # a slope that is wrong by its sign
    seen = []

    def evaluate(t):
        seen.append(t)
        return value(t), "what else is known there"

    t, trial, n_failed = search.backtrack(evaluate, shorten, max_trials=40)
    assert value(t) <= search.value + ARMIJO * t * search.slope
    assert trial == (value(t), "what else is known there")
    assert n_failed == len(seen) - 1
    assert seen[0] == 1.0
    assert t == seen[-1]
    # All that are longer do not.
    assert not any(search.is_sufficient(value(longer), longer) for longer in seen[:-1])


@each_shortening
def test_each_trial_is_a_tenth_to_half_of_the_one_before(shorten):
    for change in (1e-3, 1.0, 1e9, np.inf, np.nan):
        assert 0.0999 <= shorten(0.7, change, -1.0) / 0.7 <= 0.5


def test_interpolation_finds_the_minimum_of_a_parabola():
    value, slope, search = falling("parabola")
    assert interpolate(1.0, value(1.0) - search.value, slope(0.0)) == pytest.approx(0.4)


@each_shortening
@pytest.mark.parametrize(
    "phi", [lambda t: t, lambda t: t**0.5, lambda t: np.inf, lambda t: np.nan]
)
def test_without_a_way_down_there_is_no_step(phi, shorten):
    trials = []

    def evaluate(t):
        trials.append(t)
        return (phi(t),)

    search = LineSearch(0.0, -1.0)
    assert search.backtrack(evaluate, shorten, max_trials=7) is None
    assert len(trials) == 7


def test_no_predicted_decrease_asks_for_no_rise():
    search = LineSearch(1.0, 0.0)
    assert search.is_sufficient(1.0)
    assert not search.is_sufficient(np.nextafter(1.0, 2.0))
    assert not search.is_sufficient(np.nan)


def test_the_first_step_can_be_a_shorter_one():
    t, _, n_failed = LineSearch(0.0, -1.0).backtrack(
        lambda t: (-t if t < 0.3 else 1.0,), halve, first=0.5, max_trials=9
    )
    assert (t, n_failed) == (0.25, 1)


@each_convex
def test_the_minimum_along_a_convex_function_is_found(name):
    value, slope, search = falling(name)
    calls = []

    def phi(t):
        calls.append(t)
        return value(t), slope(t)

    t = search.minimize(phi, phi(1.0)[1])
    assert 0.0 < t <= 1.0
    assert value(t) <= search.value
    assert len(calls) <= 52
    if name != "kink of two lines":  # a kink has no small slope
        assert abs(slope(t)) <= 0.1 * abs(search.slope)
    lowest = minimize_scalar(value, bounds=(0.0, 1.0), method="bounded").fun
    # The slope grows, so what is left is at most the slope times the way there.
    assert value(t) - lowest <= 0.1 * abs(search.slope)


def test_a_function_that_falls_all_along_has_its_minimum_at_the_end():
    search = LineSearch(0.0, -3.0)
    assert search.minimize(lambda t: (t * (t - 3.0), 2.0 * t - 3.0), -1.0) == 1.0


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_minimum_is_found_where_the_full_step_gives_no_number(bad):
    def phi(t):
        return (bad, bad) if t > 0.02 else ((t - 0.004) ** 2, 2.0 * (t - 0.004))

    t = LineSearch(0.004**2, -0.008).minimize(phi, phi(1.0)[1])
    assert_allclose(t, 0.004, rtol=0.11)


def test_a_step_is_lengthened_to_where_a_linear_slope_ends():
    search = LineSearch(1.0, -2.0)
    assert search.longer(-1.5) == pytest.approx(4.0)  # the slope falls by 0.5 per step
    assert search.longer(-1.9999) == 10.0
    assert search.longer(-2.0) == 10.0
    assert search.longer(-2.1) == 10.0  # of a function that is not convex


def test_a_step_that_left_little_slope_or_is_small_is_not_lengthened():
    search = LineSearch(1.0, -2.0)
    assert search.longer(-0.39) is None
    assert search.longer(1.0) is None
    assert search.longer(np.nan) is None
    assert LineSearch(1000.0, -2.0).longer(-1.5) is None
    assert LineSearch(0.0, 0.0).longer(-1.0) is None
