"""Sparse penalties: optimality, published numbers, other solvers, invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax, xlogy
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sparse_oracle import distance_to_subdifferential, objective_of, penalty_of
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.in_memory import check_training
from sksoftmax._fit.alpha_grid import alpha_grid


def sparse_model(**parameters):
    return SoftmaxRegressionClassifier(**{"l1_ratio": 1.0, "alpha": 0.02, **parameters})


def alpha_max(X, Y, l1_ratio=1.0, *, grouped=False):
    G = X.T @ (Y - Y.mean(axis=0)) / len(X)
    norms = np.linalg.norm(G, axis=1) if grouped else np.abs(G)
    return norms.max() / l1_ratio


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


CASES = {
    "lasso": {},
    "elastic_net": {"l1_ratio": 0.5},
    "grouped": {"grouped": True},
    "grouped_elastic_net": {"grouped": True, "l1_ratio": 0.3},
    "little_penalty": {"alpha": 1e-4},
    "without_intercept": {"fit_intercept": False},
}
each_case = pytest.mark.parametrize("parameters", CASES.values(), ids=CASES)


@each_case
def test_zero_is_in_the_subdifferential(wine, parameters):
    X, y = wine
    model = sparse_model(**parameters).fit(X, y)
    assert model.converged_
    assert distance_to_subdifferential(model, X, np.eye(3)[y]) < 1e-9


@each_case
def test_weighted_soft_labels_have_zero_in_the_subdifferential(rng, parameters):
    X, s = rng.standard_normal((60, 7)), rng.uniform(0.1, 3.0, 60)
    Y = rng.dirichlet(np.full(4, 0.4), 60)
    model = sparse_model(**parameters).fit(X, Y, s)
    assert distance_to_subdifferential(model, X, Y, s) < 1e-9
    assert_allclose(model.loss_, objective_of(model, X, Y, s), rtol=1e-13)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_features_in_any_units_have_zero_in_the_subdifferential(
    rng, grouped, fit_intercept
):
    units = 10.0 ** np.linspace(-8, 8, 9)
    X = rng.standard_normal((100, 9)) * units
    y = np.argmax(X / units @ rng.standard_normal((9, 3)), axis=1)
    model = sparse_model(grouped=grouped, fit_intercept=fit_intercept).fit(X, y)
    assert model.converged_
    assert 0 < np.count_nonzero(model.coef_.any(axis=0)) < 9
    U = softmax(X @ model.coef_.T + model.intercept_, axis=1) - np.eye(3)[y]
    W, G = model.coef_.T, X.T @ U / 100
    norms = np.linalg.norm if grouped else lambda A, **_: np.abs(A)
    options = {"axis": 1, "keepdims": True} if grouped else {}
    size = norms(W, **options)
    direction = W / np.where(size > 0, size, 1)
    on = np.broadcast_to(size > 0, W.shape)
    # In the units of each feature, where its weight's are the inverse.
    assert np.abs((G + 0.02 * direction) / units[:, None])[on].max() < 1e-9
    excess = norms(G, **options) - 0.02
    assert (excess / units[:, None])[size == 0].max() < 1e-9


# R's glmnet on Spark MLlib's data: rows are classes, the intercept last.
GLMNET_L1 = [
    [0, 0, 0.01933812, 0.03666044, -0.44893320],
    [-0.0577182, 0, -0.2081718, -0.1304592, 0.7376760],
    [0, 0, 0, 0, -0.2887428],
]


def test_glmnet_s_lasso_is_ours(load_table):
    table = load_table("glmnet3.csv.gz")
    X = np.column_stack([table[name] for name in ("x1", "x2", "x3", "x4")])
    X, y = X.astype(float), table["y"].astype(int)
    model = sparse_model(alpha=0.05).fit(X, y)
    found, published = (
        np.column_stack([model.coef_, model.intercept_]),
        np.array(GLMNET_L1),
    )
    assert_array_equal(found == 0.0, published == 0.0)
    # glmnet stopped with one of these 1.2e-4 from its optimum, the others within 8e-5:
    assert_allclose(found, published, rtol=0, atol=1.2e-4)
    assert np.sum(np.abs(found - published) > 1e-4) == 1
    # our objective is the lower one.
    log_P = log_softmax(X @ published[:, :4].T + published[:, 4], axis=1)
    theirs = -log_P[np.arange(len(y)), y].mean() + 0.05 * np.abs(published[:, :4]).sum()
    assert 0 < theirs - model.loss_ < 1e-8


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_saga_gets_to_the_same_objective_and_no_lower(wine, l1_ratio):
    X, y = wine
    model = sparse_model(alpha=0.03, l1_ratio=l1_ratio).fit(X, y)
    saga = LogisticRegression(
        l1_ratio=l1_ratio,
        C=1 / (0.03 * len(X)),
        solver="saga",
        tol=1e-9,
        max_iter=50_000,
        **({} if l1_ratio_is_enough() else {"penalty": "elasticnet"}),
    ).fit(X, y)
    Z = X @ saga.coef_.T + saga.intercept_
    theirs = -log_softmax(Z, axis=1)[np.arange(len(y)), y].mean()
    theirs += penalty_of(model, saga.coef_.T)
    assert 0 <= theirs - model.loss_ + 1e-14 < 1e-9
    assert_array_equal(np.abs(saga.coef_) > 1e-6, model.coef_ != 0.0)


def l1_ratio_is_enough():
    """Whether scikit-learn reads the penalty from l1_ratio (1.8 and later)."""
    return LogisticRegression().get_params()["penalty"] == "deprecated"


def split_optimum(X, Y, alpha, l1_ratio, fit_intercept):
    """Minimum of F by L-BFGS-B on W = U - V with U, V >= 0."""
    (n, p), K = X.shape, Y.shape[1]

    def value_and_grad(x):
        U, V = x[: 2 * p * K].reshape(2, p, K)
        W, b = U - V, x[2 * p * K :]
        Z = X @ W + b
        F = -np.sum(Y * log_softmax(Z, axis=1)) / n
        F += alpha * ((1 - l1_ratio) / 2 * np.sum(W**2) + l1_ratio * (U + V).sum())
        D = (softmax(Z, axis=1) - Y) / n
        G = X.T @ D + alpha * (1 - l1_ratio) * W
        grad_b = D.sum(axis=0) * fit_intercept
        return F, np.concatenate(
            [(G + alpha * l1_ratio).ravel(), (alpha * l1_ratio - G).ravel(), grad_b]
        )

    return minimize(
        value_and_grad,
        np.zeros(2 * p * K + K),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * p * K) + [(None, None)] * K,
        options={"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-10},
    ).fun


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    l1_ratio=st.sampled_from([0.2, 0.9, 1.0]),
    share=st.sampled_from([0.5, 0.1, 0.01]),
    max_iter=st.sampled_from([1, 2, 4, 200]),
    fit_intercept=st.booleans(),
)
def test_the_certificate_is_never_below_the_distance_from_the_minimum(
    seed, l1_ratio, share, max_iter, fit_intercept
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 5))
    Y = np.eye(3)[np.argmax(X[:, :3] + rng.gumbel(size=(40, 3)), axis=1)]
    alpha = share * alpha_max(X, Y, l1_ratio)
    model = sparse_model(
        alpha=alpha, l1_ratio=l1_ratio, max_iter=max_iter, fit_intercept=fit_intercept
    )
    fit_quietly(model, X, Y)
    least = split_optimum(X, Y, alpha, l1_ratio, fit_intercept)
    assert model.loss_ - least <= model.optimality_ + 1e-13
    if max_iter == 200:
        assert model.converged_
        shares = Y.mean(axis=0) if fit_intercept else np.full(3, 1 / 3)
        null_value = -xlogy(Y.mean(axis=0), shares).sum()
        assert model.loss_ - least <= 1e-8 * (null_value - least) + 1e-13


def fit_quietly(model, X, Y):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, Y)


def test_a_fit_that_may_not_go_on_says_so(wine):
    with pytest.warns(ConvergenceWarning, match="prox-newton"):
        model = sparse_model(alpha=1e-4, max_iter=1).fit(*wine)
    assert not model.converged_
    full = sparse_model(alpha=1e-4).fit(*wine)
    assert 0 < model.loss_ - full.loss_ <= model.optimality_


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
def test_from_alpha_max_on_all_weights_are_zero(wine, grouped, l1_ratio):
    X, y = wine
    Y = np.eye(3)[y]
    largest = alpha_max(X, Y, l1_ratio, grouped=grouped)
    make = {"l1_ratio": l1_ratio, "grouped": grouped}
    at = sparse_model(alpha=largest * (1 + 1e-9), **make).fit(X, y)
    assert not at.coef_.any()
    assert at.converged_
    assert_allclose(at.predict_proba(X), np.tile(Y.mean(axis=0), (len(X), 1)))
    assert sparse_model(alpha=0.99 * largest, **make).fit(X, y).coef_.any()


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_largest_alpha_is_where_the_first_weight_appears(wine, grouped, fit_intercept):
    X, y = wine
    model = sparse_model(
        grouped=grouped, fit_intercept=fit_intercept, label_smoothing=0.1, l1_ratio=0.7
    )
    training = check_training(model, X, y, np.arange(len(y)) % 3)
    largest = alpha_grid(model, training, 2)[0]
    s = np.arange(len(y)) % 3
    assert not model.set_params(alpha=largest * 1.0001).fit(X, y, s).coef_.any()
    assert model.set_params(alpha=largest * 0.9999).fit(X, y, s).coef_.any()


def planted(rng):
    """Data in which features 0 to 4 of 40 tell three classes apart."""
    X = rng.standard_normal((800, 40))
    W = np.zeros((40, 3))
    W[:5] = rng.permuted(np.tile([-2.0, 0.0, 2.0], (5, 1)), axis=1)
    y = np.argmax(X @ W + rng.gumbel(size=(800, 3)), axis=1)
    return X, y


@pytest.mark.parametrize("grouped", [False, True])
def test_the_planted_support_is_found(rng, grouped):
    X, y = planted(rng)
    model = sparse_model(alpha=0.06, grouped=grouped).fit(X, y)
    assert_array_equal(np.flatnonzero(model.coef_.any(axis=0)), np.arange(5))


def test_the_grouped_penalty_takes_a_feature_for_all_classes_or_none():
    X, y = load_digits(return_X_y=True)
    model = sparse_model(alpha=0.3, grouped=True).fit(X, y)
    n_used = np.count_nonzero(model.coef_, axis=0)
    assert set(n_used) == {0, 10}
    assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)


def test_without_l1_the_elastic_net_tends_to_the_l2_fit(wine):
    X, y = wine
    ridge = SoftmaxRegressionClassifier(alpha=0.02, tol=1e-14).fit(X, y)
    model = sparse_model(l1_ratio=1e-9).fit(X, y)
    assert_allclose(model.coef_, ridge.coef_, atol=1e-6)
    assert_array_equal(
        sparse_model(l1_ratio=0.0).fit(X, y).coef_,
        SoftmaxRegressionClassifier(alpha=0.02).fit(X, y).coef_,
    )


def test_the_median_of_each_feature_over_an_odd_number_of_classes_is_zero(wine):
    model = sparse_model(alpha=1e-3).fit(*wine)
    assert_array_equal(np.median(model.coef_, axis=0), 0.0)


def test_two_classes_share_their_weights_and_match_the_l1_of_scikit_learn(wine):
    X, y = wine[0], (wine[1] == 1).astype(int)
    model = sparse_model().fit(X, y)
    assert_allclose(model.coef_[0], -model.coef_[1], rtol=1e-14)
    other = LogisticRegression(
        C=1 / (0.02 * len(X)),
        solver="saga",
        tol=1e-10,
        max_iter=100_000,
        **({"l1_ratio": 1.0} if l1_ratio_is_enough() else {"penalty": "l1"}),
    ).fit(X, y)
    assert_allclose(2 * model.coef_[1], other.coef_[0], atol=1e-5)


@pytest.mark.parametrize("grouped", [False, True])
def test_weights_are_repetitions(wine, rng, grouped):
    X, y = wine
    s = rng.integers(0, 4, len(y))
    weighted = sparse_model(grouped=grouped).fit(X, y, s)
    repeated = sparse_model(grouped=grouped).fit(np.repeat(X, s, 0), np.repeat(y, s))
    assert_allclose(weighted.coef_, repeated.coef_, atol=1e-8)


@pytest.mark.parametrize("grouped", [False, True])
def test_sparse_data_and_dense_data_give_the_same(rng, grouped):
    X, y = planted(rng)
    X[np.abs(X) < 1.0] = 0.0
    dense = sparse_model(grouped=grouped).fit(X, y)
    sparse = sparse_model(grouped=grouped).fit(csr_array(X), y)
    assert_allclose(sparse.coef_, dense.coef_, atol=1e-8)
    assert_array_equal(sparse.coef_ == 0.0, dense.coef_ == 0.0)


def test_class_weights_and_label_smoothing_are_those_of_the_targets(wine):
    X, y = wine
    factors = {0: 1.0, 1: 2.0, 2: 0.5}
    by_class = sparse_model(class_weight=factors).fit(X, y)
    by_row = sparse_model().fit(X, y, np.array([1.0, 2.0, 0.5])[y])
    assert_allclose(by_class.coef_, by_row.coef_, atol=1e-9)
    smoothed = sparse_model(label_smoothing=0.2).fit(X, y)
    soft = sparse_model().fit(X, 0.8 * np.eye(3)[y] + 0.2 / 3)
    assert_allclose(smoothed.coef_, soft.coef_, atol=1e-9)


@pytest.mark.parametrize("class_weight", [{0: 1e3, 1: 1e-4}, {1: 1e-4, 2: 1e3}])
@pytest.mark.parametrize("alpha", [1e-3, 1e-6, 1e-10])
@pytest.mark.parametrize("parameters", [CASES["lasso"], CASES["grouped_elastic_net"]])
def test_a_class_that_outweighs_all_others_is_no_obstacle(
    wine, class_weight, alpha, parameters
):
    """Losses of certain rows are rounded, and their curvature cancels."""
    X, y = wine
    s = np.array([class_weight.get(k, 1.0) for k in y])
    model = sparse_model(**parameters | {"alpha": alpha}, class_weight=class_weight)
    model.fit(X, y)  # a warning would be an error
    assert model.coef_.any()
    distance = distance_to_subdifferential(model, X, np.eye(3)[y], s)
    assert distance < 1e-3 * alpha * model.l1_ratio + 1e-13


def test_single_precision_stays_single_precision_with_the_same_zeros(wine):
    X, y = wine[0].astype(np.float32), wine[1]
    single, double = sparse_model().fit(X, y), sparse_model().fit(X.astype(float), y)
    assert single.coef_.dtype == np.float32
    assert_array_equal(single.coef_ == 0.0, double.coef_ == 0.0)
    assert_allclose(single.coef_, double.coef_, atol=1e-6)


def test_one_class_has_zero_weights(wine):
    model = sparse_model().fit(wine[0], np.ones(len(wine[0])))
    assert model.converged_
    assert not model.coef_.any()


def test_a_class_without_weight_leaves_the_others_as_they_are(wine, rng):
    X, y = wine
    X, y = np.vstack([X, X[:5]]), np.append(y, np.full(5, 3))
    s = (y != 3).astype(float)
    model, fewer = sparse_model().fit(X, y, s), sparse_model().fit(X[y != 3], y[y != 3])
    assert_allclose(model.coef_[:3], fewer.coef_, atol=1e-9)
    assert_array_equal(model.coef_[:3] == 0.0, fewer.coef_ == 0.0)
    far = 1e3 * rng.standard_normal((1000, X.shape[1]))
    assert model.predict_proba(far)[:, 3].max() <= 2.3e-16


def test_a_warm_start_follows_the_path_to_the_cold_optimum(wine):
    X, y = wine
    warm = sparse_model(warm_start=True)
    for alpha in (0.1, 0.05, 0.02):
        warm.set_params(alpha=alpha).fit(X, y)
    cold = sparse_model(alpha=0.02).fit(X, y)
    assert warm.n_iter_ <= cold.n_iter_
    assert_allclose(warm.coef_, cold.coef_, atol=1e-7)
    again = warm.fit(X, y)
    assert again.n_iter_ == 1
    assert_array_equal(again.coef_ == 0.0, cold.coef_ == 0.0)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_number_of_threads_does_not_change_a_bit(rng, grouped):
    X = rng.standard_normal((20_000, 30))
    y = np.argmax(X[:, :5] + rng.gumbel(size=(20_000, 5)), axis=1)
    fits = []
    for limit in (1, 2, 3):
        with threadpool_limits(limit):
            fits.append(sparse_model(alpha=0.01, grouped=grouped).fit(X, y).coef_)
    assert_array_equal(fits[0], fits[1])
    assert_array_equal(fits[0], fits[2])


def test_hidden_layers_are_refused_with_a_reason(wine):
    with pytest.raises(ValueError, match="l1_ratio > 0 needs hidden_layer_sizes"):
        sparse_model(hidden_layer_sizes=(3,)).fit(*wine)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam", "sgd"])
def test_solvers_for_smooth_penalties_are_refused(wine, solver):
    with pytest.raises(ValueError, match=f"solver='{solver}'.*l1_ratio"):
        sparse_model(solver=solver).fit(*wine)
    sparse_model(solver=solver, l1_ratio=0.0, tol=1.0).fit(*wine)


@pytest.mark.parametrize("parameters", [{"l1_ratio": 0.0}, {"alpha": 0.0}])
def test_the_sparse_solver_is_for_sparse_penalties_only(wine, parameters):
    with pytest.raises(ValueError, match=r"prox-newton.*l1_ratio > 0 and alpha > 0"):
        sparse_model(solver="prox-newton", **parameters).fit(*wine)


@pytest.mark.parametrize("l1_ratio", [-0.1, 1.1, "1", None, np.nan])
def test_an_l1_ratio_outside_its_range_is_an_error_that_names_it(l1_ratio):
    with pytest.raises(ValueError, match=r"'l1_ratio' parameter .* must be a float"):
        sparse_model(l1_ratio=l1_ratio).fit(*load_iris(return_X_y=True))


def test_partial_fit_is_not_offered(wine):
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        sparse_model().partial_fit(*wine)


def test_without_alpha_the_ratio_has_no_effect(wine):
    X, y = wine[0], wine[1].copy()
    y[::3] = 0  # overlapping classes
    model = sparse_model(alpha=0.0).fit(X, y)
    assert model.solver_ == "newton"


def test_the_certificate_is_a_plain_number(wine):
    assert type(sparse_model().fit(*wine).optimality_) is float
