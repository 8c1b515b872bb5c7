"""The generalized Hosmer-Lemeshow test: other computations, and simulation."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import hosmer_lemeshow_test

N = 400
COEF = np.array([[0.0, 0.5, -0.5], [0.0, -0.4, 0.8]])


def draw(rng, n=N):
    X = rng.standard_normal((n, 2))
    Z = X @ COEF + [0.0, 0.3, -0.2]
    return X, np.array(["a", "b", "c"])[(Z + rng.gumbel(size=Z.shape)).argmax(axis=1)]


def fit(X, y, sample_weight=None, **parameters):
    return SoftmaxRegressionClassifier(alpha=0.0, **parameters).fit(X, y, sample_weight)


@pytest.mark.parametrize("base", ["a", "b", "c"])
@pytest.mark.parametrize("n_groups", [10, 5])
def test_the_statistic_is_that_of_a_pivot_table(rng, base, n_groups):
    X, y = draw(rng)
    model = fit(X, y)
    P = pd.DataFrame(model.predict_proba(X), columns=model.classes_)
    group = pd.qcut(1 - P[base], n_groups, labels=False)
    observed = pd.get_dummies(y).groupby(group).sum()
    expected = P.groupby(group).sum()
    test = hosmer_lemeshow_test(model, X, y, base=base, n_groups=n_groups)
    assert_array_equal(test.observed, observed)
    assert_allclose(test.expected, expected, rtol=1e-6)
    statistic = ((observed - expected) ** 2 / expected).to_numpy().sum()
    assert_allclose(test.statistic, statistic, rtol=1e-6)
    assert test.df == (n_groups - 2) * 2
    assert_allclose(test.p_value, chi2.sf(statistic, test.df), rtol=1e-5)
    frame = test.to_frame()
    assert_array_equal(frame["observed"], observed)
    assert list(frame.columns[:3]) == [("observed", k) for k in "abc"]


def test_a_model_that_holds_is_rejected_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    tests = [hosmer_lemeshow_test(fit(*d), *d) for d in (draw(rng) for _ in range(30))]
    mean = np.mean([test.statistic for test in tests])
    assert abs(mean - 16) < 4
    assert np.mean([test.p_value < 0.05 for test in tests]) < 0.2


def test_a_model_that_lacks_a_square_is_rejected(rng):
    X = rng.uniform(-2, 2, (1000, 1))
    Z = np.column_stack([np.zeros(1000), X + X**2 - 1])
    y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    assert hosmer_lemeshow_test(fit(X, y), X, y).p_value < 1e-4
    squared = np.column_stack([X, X**2])
    assert hosmer_lemeshow_test(fit(squared, y), squared, y).p_value > 0.01


def test_counts_are_repeated_rows(rng):
    X, y = draw(rng, n=150)
    counts = rng.integers(0, 4, 150)
    rows = np.repeat(np.arange(150), counts)
    ours = hosmer_lemeshow_test(fit(X, y, counts), X, y, counts, n_groups=4)
    repeated = hosmer_lemeshow_test(fit(X[rows], y[rows]), X[rows], y[rows], n_groups=4)
    assert_allclose(ours.statistic, repeated.statistic, rtol=1e-6)


def test_rows_of_equal_probability_are_in_one_group(rng):
    X, y = draw(rng)
    X = np.round(X[:, :1])  # about seven different rows
    model = fit(X, y)
    test = hosmer_lemeshow_test(model, X, y)
    values, counts = np.unique(X, return_counts=True)
    order = np.argsort(-model.predict_proba(values[:, None])[:, 0])
    edges = np.cumsum(counts[order])
    assert set(np.cumsum(test.observed.sum(axis=1))) <= set(edges)


def test_what_has_no_such_test_is_refused(rng):
    X, y = draw(rng)
    s = np.linspace(0.5, 1.5, N)
    with pytest.raises(ValueError, match=r"whole numbers in sample_weight.* row 0"):
        hosmer_lemeshow_test(fit(X, y, s), X, y, s)
    model = fit(X, y, class_weight="balanced")
    with pytest.raises(ValueError, match="likelihood without importance weights"):
        hosmer_lemeshow_test(model, X, y)
    Y = 0.9 * np.eye(3)[np.unique(y, return_inverse=True)[1]] + 0.1 / 3
    with pytest.raises(ValueError, match="likelihood without soft labels"):
        hosmer_lemeshow_test(fit(X, Y), X, Y)
    penalised = SoftmaxRegressionClassifier(alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match=r"without a penalty.* alpha=0\.1"):
        hosmer_lemeshow_test(penalised, X, y)
    sign = (X[:, :1] > 0).astype(float)
    with pytest.raises(ValueError, match="class 'a' make only 2 groups"):
        hosmer_lemeshow_test(fit(sign, y), sign, y)
    with pytest.raises(ValueError, match="base must be one of the classes"):
        hosmer_lemeshow_test(fit(X, y), X, y, base="d")


@pytest.mark.parametrize("bad", [2, 2.5, "10", None])
def test_a_number_of_groups_that_is_none_is_refused(rng, bad):
    X, y = draw(rng, n=100)
    with pytest.raises(ValueError, match="n_groups must be an integer >= 3"):
        hosmer_lemeshow_test(fit(X, y), X, y, n_groups=bad)
