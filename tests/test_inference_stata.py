"""Stata's example of mlogit: its table, relative risk ratios, and tests."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax.inference import summary, wald_test

NAMES = ["age", "male", "nonwhite", "isite2", "isite3"]

# Coefficient, standard error and ends of the interval, of Prepaid and Uninsure against
# Indemnity, in the order of NAMES with the constant last: Stata's output for `webuse
# sysdsn1` and `mlogit insure age male nonwhite i.site`, as niqlow keeps it in
# examples/misc/RunMLogitTest.ox. R has the same digits (tests/data/reference.R).
MLOGIT = np.array(
    [
        [
            [-0.011745, 0.0061946, -0.0238862, 0.0003962],
            [0.5616934, 0.2027465, 0.1643175, 0.9590693],
            [0.9747768, 0.2363213, 0.5115955, 1.437958],
            [0.1130359, 0.2101903, -0.2989296, 0.5250013],
            [-0.5879879, 0.2279351, -1.034733, -0.1412433],
            [0.2697127, 0.3284422, -0.3740222, 0.9134476],
        ],
        [
            [-0.0077961, 0.0114418, -0.0302217, 0.0146294],
            [0.4518496, 0.3674867, -0.268411, 1.17211],
            [0.2170589, 0.4256361, -0.6171725, 1.05129],
            [-1.211563, 0.4705127, -2.133751, -0.2893747],
            [-0.2078123, 0.3662926, -0.9257327, 0.510108],
            [-1.286943, 0.5923219, -2.447872, -0.1260134],
        ],
    ]
)


@pytest.fixture(scope="module")
def insurance(load_table):
    """The 615 complete rows."""
    table = load_table("sysdsn1.csv")
    X = np.column_stack([np.where(table[k] == "", "nan", table[k]) for k in NAMES])
    X = X.astype(float)
    complete = np.isfinite(X).all(axis=1) & (table["insure"] != "")
    return X[complete], table["insure"][complete]


@pytest.fixture(scope="module")
def model(insurance, exact):
    return exact(alpha=0.0).fit(*insurance)


@pytest.fixture(scope="module")
def result(model, insurance):
    return summary(model, *insurance, base="Indemnity", feature_names=NAMES)


def test_the_table_is_stata_s(result):
    assert result.n == 615
    assert_allclose(result.coef, MLOGIT[:, :, 0], rtol=1e-5)
    assert_allclose(result.se, MLOGIT[:, :, 1], rtol=1e-5)
    assert_allclose(result.conf_int, MLOGIT[:, :, 2:], rtol=1e-5, atol=1e-7)
    assert_allclose(result.loglik, -534.36165, rtol=0, atol=6e-6)
    assert_allclose(result.loglik_null, -555.85446, rtol=0, atol=6e-6)
    assert round(result.lr_test.statistic, 2) == 42.99
    assert result.lr_test.df == 10
    assert round(result.pseudo_r2["McFadden"], 4) == 0.0387


def test_relative_risk_ratios_are_stata_s(result, model, insurance):
    # Stata's `rrr`: exp(b), its error by the delta method, and exp of the ends.
    coef, se, low, high = np.moveaxis(MLOGIT, -1, 0)
    ratio = np.exp(coef)
    assert_allclose(result.ratio, ratio, rtol=1e-5)
    assert_allclose(result.ratio_se, ratio * se, rtol=1e-5)
    ends = np.exp(np.stack([low, high], axis=-1))
    assert_allclose(result.ratio_conf_int, ends, rtol=1e-5)
    shown = summary(
        model, *insurance, base="Indemnity", feature_names=NAMES, exponentiate=True
    )
    frame = shown.to_frame()
    columns = ["ratio", "se", "z", "p_value", "ci_low", "ci_high"]
    assert list(frame.columns) == columns
    assert_allclose(frame["ratio"], ratio.ravel(), rtol=1e-5)
    assert_allclose(frame["se"], (ratio * se).ravel(), rtol=1e-5)
    assert_allclose(frame["ci_low"], ends[:, :, 0].ravel(), rtol=1e-5)
    assert_allclose(shown.z, coef / se, rtol=1e-4)
    assert_allclose(shown.coef, result.coef)
    assert "1.7536" in str(shown)  # male, Prepaid


def test_wald_s_test_of_the_sites_is_that_of_r(result):
    """tests/data/reference.R: linearHypothesis of car 3.1-1 and nnet 7.3-18."""
    test = wald_test(result, ["isite2", "isite3"])
    assert test.df == 4
    assert_allclose(test.statistic, 19.74012, rtol=1e-6)
    assert_allclose(test.p_value, 0.00056198, rtol=1e-5)


def test_robust_errors_and_their_wald_test_have_stata_s_factor(model, insurance):
    X, y = insurance
    stata = summary(model, X, y, cov_type="HC1", small_sample="Stata")
    plain = summary(model, X, y, cov_type="HC0")
    factor = 615 / 614
    assert_allclose(stata.covariance, factor * plain.covariance, rtol=1e-9)
    # Stata shows Wald's test of all but the constants in the place of the LR.
    R = np.kron([[-1, 1, 0], [-1, 0, 1]], np.eye(6)[:5])
    missed = R @ stata.coef.ravel()
    V = R @ stata.covariance @ R.T
    assert_allclose(stata.model_test.statistic, missed @ np.linalg.solve(V, missed))
    assert stata.model_test.df == 10
    header = dict(stata.header)
    assert header["Wald chi2(10)"] == f"{stata.model_test.statistic:.3f}"
    assert "Wald chi2(10)" not in dict(summary(model, X, y).header)


def test_tjur_s_r2_is_a_difference_of_mean_probabilities(result, model, insurance):
    X, y = insurance
    P = model.predict_proba(X)
    for k, label in enumerate(model.classes_):
        own = y == label
        expected = P[own, k].mean() - P[~own, k].mean()
        assert_allclose(result.tjur_r2[label], expected, rtol=1e-6)
    adjusted = 1 - (result.loglik - 12) / result.loglik_null
    assert_allclose(result.pseudo_r2["McFadden adjusted"], adjusted)
