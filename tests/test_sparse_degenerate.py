"""Sparse fits in which rounding, or directions without curvature, could win."""

from unittest.mock import Mock

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine, make_classification
from sklearn.preprocessing import StandardScaler
from sparse_oracle import distance_to_subdifferential

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._model.sparse_penalties import ElasticNetPenalty
from sksoftmax._objective.quadratic import DenseModel


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def test_where_a_path_begins_rounding_is_no_lack_of_convergence(load_table):
    table = load_table("glmnet3.csv.gz")
    X = np.column_stack([table[name] for name in ("x1", "x2", "x3", "x4")])
    # At the least alpha for which all weights are zero, F is the null model's, and
    # what tol asks for is nothing but rounding; a warning is an error here.
    model = SoftmaxRegressionClassifierCV(1, l1_ratios=1.0, cv=2)
    model.fit(X.astype(float), table["y"].astype(int))
    assert model.converged_
    assert not model.coef_.any()


def test_directions_that_change_nothing_do_not_stop_a_fit_of_two_classes():
    X, y = make_classification(n_samples=100, n_features=20, random_state=42)
    model = SoftmaxRegressionClassifier(alpha=0.01, l1_ratio=1.0).fit(X, y)
    assert model.converged_
    assert distance_to_subdifferential(model, X, np.eye(2)[y]) < 1e-6 * model.alpha


def test_features_of_all_scales_with_few_rows_converge():
    """Without curvature a step is as long as the penalty lets it be."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 150)) * 10.0 ** rng.uniform(-3, 3, 150)
    for n_classes in (2, 3):
        model = SoftmaxRegressionClassifier(alpha=0.01, l1_ratio=1.0, tol=1e-9)
        y = np.arange(30) % n_classes
        model.fit(X, y)  # a warning would be an error
        distance = distance_to_subdifferential(model, X, np.eye(n_classes)[y])
        assert distance < 1e-6 * model.alpha


@pytest.mark.parametrize("grouped", [False, True])
def test_repeated_and_constant_columns_do_no_harm(wine, grouped):
    X, y = wine
    more = np.column_stack([X, X[:, 0], X[:, 3], np.full(len(X), 7.0)])
    model = SoftmaxRegressionClassifier(alpha=0.02, l1_ratio=1.0, grouped=grouped)
    plain = clone(model).fit(X, y)
    model.fit(more, y)
    assert model.converged_
    assert_allclose(model.loss_, plain.loss_, rtol=1e-8)
    assert not model.coef_[:, -1].any()


@pytest.mark.parametrize("seed", range(3))
def test_few_rows_that_are_all_but_interpolated_are_no_obstacle(seed, monkeypatch):
    """Most directions change no probability, and Newton's steps are long along them."""
    X, y = np.random.default_rng(seed).standard_normal((30, 60)), np.arange(30) % 6
    count = Mock(side_effect=DenseModel.solve)
    monkeypatch.setattr(DenseModel, "solve", lambda *args: count(*args))
    model = SoftmaxRegressionClassifier(alpha=1e-7, l1_ratio=1.0)
    model.fit(X, y)  # a warning would be an error
    assert distance_to_subdifferential(model, X, np.eye(6)[y]) < 1e-6 * model.alpha
    # Each is a Cholesky factorization, and there should be a few for each of 20 models.
    assert count.call_count < 250


def test_a_fit_does_not_begin_with_weights_that_have_no_effect():
    """What the first step puts into the null space, others would have to take out."""
    rng = np.random.default_rng(30)
    X = rng.standard_normal((30, 150))
    Z = X @ rng.standard_normal((150, 12)) + 10.0 * rng.gumbel(size=(30, 12))
    model = SoftmaxRegressionClassifier(alpha=1e-7, l1_ratio=1.0)
    model.fit(X, Z.argmax(axis=1))
    Y = Z.argmax(axis=1)[:, None] == model.classes_
    assert distance_to_subdifferential(model, X, Y) < 1e-6 * model.alpha
    assert model.n_iter_ < 40


@pytest.mark.parametrize(("l1_ratio", "grouped"), [(1.0, False), (0.3, True)])
def test_a_warm_start_follows_the_path_to_almost_no_penalty(wine, l1_ratio, grouped):
    X, y = wine
    model = SoftmaxRegressionClassifier(l1_ratio=l1_ratio, grouped=grouped)
    model.set_params(warm_start=True)
    for alpha in np.geomspace(0.1, 1e-10, 10):
        model.set_params(alpha=alpha).fit(X, y)  # a warning would be an error
        assert model.n_iter_ <= 12
    cold = clone(model).fit(X, y)
    assert abs(model.loss_ - cold.loss_) <= 1e-8 * np.log(3)


@pytest.mark.parametrize(("seed", "alpha"), [(68, 3e-6), (137, 3e-6), (43, 3e-7)])
def test_data_that_are_all_but_separated_are_followed_to_the_end(seed, alpha):
    """The last of F is along weak directions, and the last steps have to be exact."""
    X = np.round(np.random.default_rng(seed).standard_normal((40, 12)))
    y = np.arange(40) % 4
    model = SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=1.0, max_iter=60)
    model.fit(X, y)  # a warning would be an error
    assert distance_to_subdifferential(model, X, np.eye(4)[y]) < 1e-6 * model.alpha


@pytest.mark.parametrize("weight", [1e-300, 1e-200, 1e160])
def test_the_unit_of_sample_weights_is_free(wine, weight):
    X, y = wine
    model = SoftmaxRegressionClassifier(alpha=0.02, l1_ratio=1.0)
    plain = clone(model).fit(X, y)
    model.fit(X, y, np.full(len(y), weight))
    assert_allclose(model.coef_, plain.coef_, atol=1e-7)


def test_a_model_without_numbers_has_a_step_of_zero():
    """No damping makes a matrix with infinite entries definite."""
    model = DenseModel.__new__(DenseModel)
    model.matrix, model.n_weights = np.array([[1.0, np.inf], [np.inf, 1.0]]), 2
    model._features, model._n_classes = np.arange(2), 3
    model._ridge = np.zeros(2)
    penalty = ElasticNetPenalty(1.0, 1.0, n_classes=3, n_weights=2)
    free = np.ones(2, dtype=bool)
    step = model.solve(free, np.ones(2), penalty, np.ones(2), 1e-9)
    assert_array_equal(step, 0.0)


@pytest.mark.parametrize("grouped", [False, True])
def test_large_tables_without_intercepts_may_have_no_weights_at_all(rng, grouped):
    """The sample that a fit begins with has nothing to do then."""
    X = rng.normal(size=(10_000, 3))
    y = (X + rng.gumbel(size=(10_000, 3))).argmax(axis=1)
    model = SoftmaxRegressionClassifier(
        alpha=10.0, l1_ratio=1.0, grouped=grouped, fit_intercept=False
    )
    model.fit(X, y)
    assert not model.coef_.any()
    assert_allclose(model.loss_, np.log(3))
