"""Tests of IIA: R's estimates, an independent computation, and simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import chi2

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import iia_test, summary


@pytest.fixture(scope="module")
def insurance(load_table):
    """Age and sex, without the rows that lack them."""
    table = load_table("sysdsn1.csv")
    complete = (table["age"] != "") & (table["insure"] != "")
    X = np.column_stack([table[k][complete].astype(float) for k in ("age", "male")])
    return X, table["insure"][complete]


def test_hausman_s_tests_are_those_of_r_s_estimates(insurance, exact):
    """tests/data/reference.R: multinom of nnet 7.3-18 against glm without a class."""
    model = exact(alpha=0.0).fit(*insurance)
    tests = iia_test(model, *insurance)
    assert tests.labels == ["Indemnity", "Prepaid", "Uninsure"]
    assert list(tests.df) == [3, 3, 3]
    # multinom stops where its statistics have five digits.
    assert_allclose(tests.statistic[1:], [-0.178943, 0.0770987], rtol=5e-5)
    assert_allclose(tests.p_value[2], 0.994436264, rtol=1e-6)
    assert np.isnan(tests.p_value[1])
    assert "negative statistic" in str(tests)


def drawn(rng, n=600):
    X = rng.standard_normal((n, 2))
    Z = X @ np.array([[0.0, 0.5, -0.5, 0.3], [0.0, -0.4, 0.8, 0.1]])
    return X, (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)


def loss(theta, X, codes):
    D = np.column_stack([X, np.ones(len(X))])
    Z = np.column_stack([np.zeros(len(X)), D @ theta.reshape(-1, 3).T])
    top = Z.max(axis=1)
    log_sum = top + np.log(np.exp(Z - top[:, None]).sum(axis=1))
    return np.sum(log_sum - Z[np.arange(len(X)), codes])


def test_small_and_hsiao_s_statistic_is_a_likelihood_ratio_on_a_half(rng):
    X, y = drawn(rng)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    tests = iia_test(model, X, y, method="small-hsiao", random_state=5)
    first = np.random.RandomState(5).binomial(np.ones(600, dtype=np.int64), 0.5) == 1

    def fitted(X, codes, K):
        start = np.zeros(3 * (K - 1))
        return minimize(loss, start, (X, codes), method="BFGS", options={"gtol": 1e-6})

    one, two = (fitted(X[h], y[h], 4).x.reshape(3, 3) for h in (first, ~first))
    mean = np.vstack([np.zeros(3), np.sqrt(0.5) * one + (1 - np.sqrt(0.5)) * two])
    for omitted in range(4):
        rows = ~first & (y != omitted)
        codes = np.unique(y[rows], return_inverse=True)[1]
        best = fitted(X[rows], codes, 3).fun
        others = np.delete(mean, omitted, axis=0)
        at_mean = loss((others[1:] - others[0]).ravel(), X[rows], codes)
        assert_allclose(tests.statistic[omitted], 2 * (at_mean - best), atol=1e-4)
        expected = chi2.sf(tests.statistic[omitted], 6)
        assert_allclose(tests.p_value[omitted], expected, rtol=1e-8)
    assert list(tests.df) == [6] * 4


def test_hausman_s_statistic_has_its_formula(rng):
    X, y = drawn(rng)
    tests = iia_test(SoftmaxRegressionClassifier(alpha=0.0).fit(X, y), X, y)
    full = summary(
        SoftmaxRegressionClassifier(alpha=0, tol=1e-12).fit(X, y), X, y, base=3
    )
    rows = y != 1
    fewer = SoftmaxRegressionClassifier(alpha=0, tol=1e-12).fit(X[rows], y[rows])
    fewer = summary(fewer, X[rows], y[rows], base=3)
    same = np.r_[0:3, 6:9]  # classes 0 and 2 against 3
    d = fewer.coef.ravel() - full.coef.ravel()[same]
    V = fewer.covariance - full.covariance[np.ix_(same, same)]
    assert_allclose(tests.statistic[1], d @ np.linalg.solve(V, d), rtol=1e-3)


def test_counts_are_repeated_rows(rng):
    X, y = drawn(rng)
    counts = rng.integers(1, 3, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y, counts)
    ours = iia_test(model, X, y, counts)
    repeated = iia_test(model, X[rows], y[rows])
    assert_allclose(ours.statistic, repeated.statistic, rtol=1e-4)


@pytest.mark.parametrize("method", ["hausman", "small-hsiao"])
def test_close_substitutes_are_found(method):
    # Two buses share their error: without one its riders take the other.
    rng = np.random.default_rng(4)
    X = rng.standard_normal((6000, 1))
    car, bus = X[:, 0] + rng.gumbel(size=6000), rng.gumbel(size=6000)
    blue = X[:, 0] + 0.05 * rng.gumbel(size=6000)
    red = 0.05 * rng.gumbel(size=6000)
    y = np.where(car > bus + np.maximum(blue, red), 0, 1 + (red > blue))
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    tests = iia_test(model, X, y, method=method, random_state=0)
    assert np.nanmin(tests.p_value) < 1e-3


def test_a_class_without_which_there_is_no_estimate_is_noted(rng):
    # Classes 0 and 2 do not overlap; class 1 overlaps with both.
    low, all_over, high = (
        rng.uniform(*ends, 50) for ends in ((-3, -1), (-3, 3), (1, 3))
    )
    X, y = np.r_[low, all_over, high][:, None], np.repeat([0, 1, 2], 50)
    tests = iia_test(SoftmaxRegressionClassifier(alpha=0.0).fit(X, y), X, y)
    assert list(np.isnan(tests.statistic)) == [False, True, False]
    assert list(np.isnan(tests.df)) == [False, True, False]
    assert "Without 1: The features separate" in tests.notes[0]


def test_the_table_is_exported(insurance, exact):
    tests = iia_test(exact(alpha=0.0).fit(*insurance), *insurance)
    frame = tests.to_frame()
    assert_allclose(frame["statistic"], tests.statistic)
    assert frame.index.name == "omitted"
    assert tests.to_markdown().count("\n") > 4
    assert "Uninsure & 0.077" in tests.to_latex()


def test_what_has_no_such_test_is_refused(rng):
    X, y = drawn(rng)
    two = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y > 1)
    with pytest.raises(ValueError, match="IIA needs three classes"):
        iia_test(two, X, y > 1)
    penalised = SoftmaxRegressionClassifier(alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="iia_test needs a likelihood without a pen"):
        iia_test(penalised, X, y)
    with pytest.raises(ValueError, match="method must be one of"):
        iia_test(penalised, X, y, method="hm")
