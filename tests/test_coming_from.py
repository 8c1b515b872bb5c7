"""What the pages for users of other packages claim, against those packages."""

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.inference import marginal_effects, summary


@pytest.fixture(scope="module")
def anes():
    """Party identification on three features, one of them 0 or 1."""
    data = sm.datasets.anes96.load_pandas()
    return data.exog[["selfLR", "age"]].assign(vote=data.data["vote"]), data.endog


@pytest.fixture(scope="module")
def model(anes):
    return SoftmaxRegressionClassifier(alpha=0).fit(*anes)


def their_fit(X, y, **options):
    return sm.MNLogit(y, sm.add_constant(X)).fit(
        disp=False, method="newton", tol=1e-12, maxiter=100, **options
    )


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1", "cluster"])
def test_standard_errors_are_those_of_mnlogit_but_for_the_factor(anes, model, cov_type):
    X, y = anes
    groups, options = None, {}
    if cov_type == "cluster":
        groups = np.arange(len(y)) // 10
        options = {"cov_kwds": {"groups": groups}}
    theirs = their_fit(X, y, cov_type=cov_type, **options)
    ours = summary(model, X, y, base=0, cov_type=cov_type, groups=groups)
    n, k = len(y), ours.se.size
    factor = np.sqrt(n / (n - k)) if cov_type == "HC1" else 1.0
    constant_last = np.roll(theirs.bse.to_numpy(), -1, axis=0).T
    assert_allclose(ours.se, factor * constant_last, rtol=1e-6)


def test_effects_of_a_0_1_column_are_no_derivatives_as_they_are_there(anes, model):
    X, y = anes
    ours = marginal_effects(model, X, y, discrete=False).effect
    margins = their_fit(X, y).get_margeff().margeff
    assert_allclose(ours, margins.T, rtol=1e-6, atol=1e-9)
    low, high = (model.predict_proba(X.assign(vote=x)).mean(axis=0) for x in (0, 1))
    assert np.abs(ours[:, -1] - (high - low)).max() > 0.01
    effect = marginal_effects(model, X, y).effect[:, -1]
    assert_allclose(effect, high - low, rtol=1e-8)


def test_weighted_means_of_fold_scores_are_those_of_r():
    X, y = load_iris(return_X_y=True)
    folds = list(KFold(7, shuffle=True, random_state=0).split(X))  # 21 and 22 rows
    chosen = SoftmaxRegressionClassifierCV(alphas=[0.1], cv=folds).fit(X, y)
    losses = np.empty(len(y))
    for train, test in folds:
        fold = SoftmaxRegressionClassifier(alpha=0.1).fit(X[train], y[train])
        own = fold.predict_log_proba(X[test])
        losses[test] = -own[np.arange(test.size), y[test]]
    sizes = [test.size for _, test in folds]
    ours = np.average(chosen.scores_, axis=-1, weights=sizes)
    assert_allclose(-ours[0, 0], losses.mean(), rtol=1e-6)
    assert abs(chosen.mean_scores_[0, 0] - ours[0, 0]) > 1e-4


def test_a_lasso_of_an_even_number_of_classes_has_other_solutions_of_the_same_value():
    X, y = load_iris(return_X_y=True)
    X, y = X[:100], y[:100]
    model = SoftmaxRegressionClassifier(alpha=0.05, l1_ratio=1.0, tol=1e-10).fit(X, y)
    used = model.coef_.any(axis=0)
    assert used.any()
    # All weight on one of the two classes, as glmnet may have it.
    shifted = model.coef_ - model.coef_.min(axis=0)
    P = model.predict_proba(X)
    Z = X @ shifted.T + model.intercept_
    assert_allclose(np.exp(Z - np.logaddexp.reduce(Z, axis=1, keepdims=True)), P)
    assert_allclose(np.abs(shifted).sum(), np.abs(model.coef_).sum())
    assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-12)
