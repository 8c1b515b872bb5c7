"""Features in units far from one, and such as separate classes, or all but do.

The oracle of the units is the same problem on the standardised feature, whose weight is
penalised less by the square of the unit: F is the same function of the probabilities.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._solvers.cg import Accuracy, solve_newton_system
from sksoftmax.exceptions import SeparationWarning

ALPHA = 1e-3


def minimum(Z, y, units):
    """The least F for the features 1 + units times Z, found on Z.

    A shift of the feature moves the intercepts alone, which have no penalty.
    """
    Y = np.eye(y.max() + 1)[y]
    strength = ALPHA / units**2

    def value_and_grad(w):
        W, b = w[: -Y.shape[1]].reshape(-1, Y.shape[1]), w[-Y.shape[1] :]
        log_P = log_softmax(Z @ W + b, axis=1)
        D = (np.exp(log_P) - Y) / len(y)
        value = -np.sum(Y * log_P) / len(y) + 0.5 * np.sum(strength[:, None] * W**2)
        grad = np.vstack([Z.T @ D + strength[:, None] * W, D.sum(axis=0)])
        return value, grad.ravel()

    w = np.zeros((Z.shape[1] + 1) * Y.shape[1])
    options = {"maxiter": 20000, "maxfun": 20000, "ftol": 0.0, "gtol": 1e-10}
    return minimize(value_and_grad, w, jac=True, method="L-BFGS-B", options=options).fun


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("unit", [1e9, 1e11, 1e13, 1e16])
@pytest.mark.parametrize("offset", [0.0, 1.7, 50.0])
def test_a_feature_in_huge_units_is_fitted_like_the_others(rng, solver, unit, offset):
    """Its mean up to fifty times its deviation, as with times since 1970."""
    X, y = load_iris(return_X_y=True)
    z = rng.standard_normal(150) + 0.5 * y
    units = np.array([1.0, 1.0, 1.0, 1.0, unit])
    Z = np.column_stack([X - X.mean(axis=0), z])
    raw = np.column_stack([X, unit * (offset + z)])
    model = SoftmaxRegressionClassifier(alpha=ALPHA, solver=solver, max_iter=5000)
    model.fit(raw, y)  # a ConvergenceWarning would be an error
    assert_allclose(model.loss_, minimum(Z, y, units), rtol=1e-7)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_a_warm_start_from_another_gauge_ends_at_the_same_minimum(rng, solver):
    """What all classes share costs a penalty, and the solvers leave it as it is."""
    X, y = load_iris(return_X_y=True)
    cold = SoftmaxRegressionClassifier(alpha=ALPHA, solver=solver).fit(X, y)
    warm = SoftmaxRegressionClassifier(alpha=0.1, solver=solver, warm_start=True)
    warm.fit(X, y)
    warm.coefs_[0][:] += 0.1 * rng.standard_normal((4, 1))
    warm.set_params(alpha=ALPHA).fit(X, y)
    assert_allclose(warm.loss_, cold.loss_, rtol=1e-7)
    assert_allclose(warm.coef_, cold.coef_, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_a_dummy_that_only_one_class_has_is_separation(rng, solver):
    """Which has no finite coefficient, though most rows are not told apart."""
    x, dummy = rng.standard_normal(200), np.arange(200) < 10
    y = (x + rng.logistic(size=200) > 0) | dummy
    model = SoftmaxRegressionClassifier(alpha=0, solver=solver, max_iter=1000)
    with pytest.warns(SeparationWarning, match="no finite optimum"):
        model.fit(np.column_stack([x, dummy]), y)
    assert not model.converged_


def test_the_certificate_holds_where_classes_are_all_but_separated():
    """F falls as the sum of a fast and a slow exponential, which shows later."""
    X = [[0.71, 0.73], [-1.4, -1.09], [0.31, -0.49], [0.23, -0.17], [1.06, 1.13]]
    X = np.array([*X, [-1.83, 1.36], [-0.48, -1.13]])
    y = [0, 1, 0, 0, 0, 1, 0]
    for alpha in (6e-11, 1e-10):
        model = SoftmaxRegressionClassifier(alpha=alpha).fit(X, y)
        best = SoftmaxRegressionClassifier(alpha=alpha, tol=1e-14, max_iter=1000)
        assert model.converged_
        assert model.loss_ - best.fit(X, y).loss_ <= model.optimality_


@pytest.mark.parametrize("standardised", [False, True])
def test_separated_digits_are_told_within_few_passes(standardised):
    """Some rows are certain of a wrong class on the way, where Newton's steps fail."""
    X, y = load_digits(return_X_y=True)
    if standardised:
        X = StandardScaler().fit_transform(X)
    model = SoftmaxRegressionClassifier(alpha=0)
    with pytest.warns(SeparationWarning, match="no finite optimum"):
        model.fit(X, y)
    assert model.loss_ <= 1e-5 * np.log(10)
    assert model.n_passes_ < 100
    assert len(model.loss_curve_) == model.n_iter_


def test_a_metric_that_is_none_certifies_nothing():
    class Wrong:
        is_exact, max_products, lowest = False, 10, 1.0

        def solve(self, r):
            return np.array([1.0, -1.0]) * r

    step = solve_newton_system(
        lambda v: v,
        np.array([1.0, 2.0]),
        Wrong(),
        Accuracy(tolerance=1e-8, scale=1.0),
    )
    assert step.gap == np.inf


@pytest.mark.parametrize("parameters", [{}, {"solver": "lbfgs"}, {"l1_ratio": 0.5}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [100.0, 2024.0, 1.7e18])
def test_a_constant_column_changes_nothing(parameters, dtype, value):
    """Whatever it holds: the rounding of its mean must not pass for a slope."""
    X, y = load_iris(return_X_y=True)
    X = X.astype(dtype)
    model = SoftmaxRegressionClassifier(alpha=ALPHA, **parameters)
    expected = clone(model).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    X = np.column_stack([X, np.full(150, value, dtype)])
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert_allclose(model.loss_, expected.loss_, rtol=1e-7)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X[:, :4]), atol=1e-4)
    found, wanted = model.validation_loss_curve_, expected.validation_loss_curve_
    assert_allclose(found[-1], wanted[-1], rtol=1e-4)
    assert not model.coef_[:, 4].any()


@pytest.mark.parametrize("parameters", [{"l1_ratios": 0.5}, {"cv": "alo"}, {}])
def test_paths_do_not_see_a_constant_column(parameters):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionClassifierCV(alphas=3, **parameters)
    expected = clone(model).fit(X, y)
    model.fit(np.column_stack([X, np.full(150, 1.7e18)]), y)
    assert_allclose(model.alphas_, expected.alphas_)
    assert_allclose(model.mean_scores_, expected.mean_scores_, rtol=1e-5)
    assert_allclose(model.coef_[:, :4], expected.coef_, atol=1e-4)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_a_column_of_little_spread_far_from_zero_is_fitted(rng, solver):
    X, y = load_iris(return_X_y=True)
    t = rng.standard_normal(150) + y
    model = SoftmaxRegressionClassifier(alpha=ALPHA, solver=solver, max_iter=1000)
    expected = clone(model).fit(np.column_stack([X, 1024.0 * t]), y)
    moved = 2.0**43 + np.round(1024.0 * t, 3)
    model.fit(np.column_stack([X, moved]), y)
    assert_allclose(model.loss_, expected.loss_, rtol=1e-4)


@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("parameters", [{}, {"solver": "lbfgs"}, {"l1_ratio": 1.0}])
def test_features_whose_squares_overflow_are_named(store, parameters):
    X, y = load_iris(return_X_y=True)
    X[3, 2] = 1e155
    for model in (
        SoftmaxRegressionClassifier(**parameters),
        SoftmaxRegressionClassifierCV(alphas=3),
    ):
        with pytest.raises(
            ValueError, match=r"X is too large in column 2, up to 1e\+155"
        ):
            model.fit(store(X), y)


def test_rows_without_weight_may_hold_anything_on_a_path(rng):
    X, y = rng.standard_normal((60, 3)), np.arange(60) % 3
    X[:, 2] += 1e9
    expected = SoftmaxRegressionClassifierCV(alphas=3, cv="alo").fit(X, y)
    X = np.vstack([X, np.full((1, 3), 1e160)])
    model = SoftmaxRegressionClassifierCV(alphas=3, cv="alo")
    model.fit(X, np.append(y, 0), np.append(np.ones(60), 0.0))
    assert_allclose(model.alphas_, expected.alphas_)


def test_large_weights_of_large_features_are_refused_by_name(rng):
    X, y = 1e60 * rng.standard_normal((60, 3)), np.arange(60) % 3
    with pytest.raises(ValueError, match="X is too large in column"):
        SoftmaxRegressionClassifier().fit(X, y, np.full(60, 1e190))


def test_wide_tables_with_a_constant_column_are_fitted_in_the_space_of_their_rows(rng):
    X, y = rng.standard_normal((30, 200)), np.arange(30) % 3
    expected = SoftmaxRegressionClassifier(alpha=ALPHA).fit(X, y)
    X = np.column_stack([X, np.full(30, 1e12)])
    model = SoftmaxRegressionClassifier(alpha=ALPHA).fit(X, y)
    assert_allclose(model.loss_, expected.loss_, rtol=1e-7)
    assert_allclose(model.coef_[:, :200], expected.coef_, atol=1e-4)
