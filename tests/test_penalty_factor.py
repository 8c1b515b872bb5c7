"""Factors of the penalty by feature: optimality conditions, and problems of old."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.datasets import load_iris

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.exceptions import SeparationWarning
from sksoftmax.inference import summary

FACTORS = np.array([0.5, 3.0, 1.0, 8.0])

PENALTIES = {
    "L2": {},
    "L1": {"l1_ratio": 1.0},
    "elastic net": {"l1_ratio": 0.4},
    "grouped": {"l1_ratio": 1.0, "grouped": True},
    "grouped elastic net": {"l1_ratio": 0.4, "grouped": True},
}


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 4))
    Z = X @ rng.standard_normal((4, 3)) + rng.gumbel(size=(90, 3))
    return X, Z.argmax(axis=1), rng.uniform(0.5, 2.0, 90)


def violation(model, X, y, s, factors):
    """The largest violation of the optimality conditions, relative to alpha."""
    P = model.predict_proba(X)
    residual = P - np.eye(P.shape[1])[y]
    G, W = (s[:, None] * X).T @ residual / s.sum(), model.coef_.T
    alpha, r, v = model.alpha, model.l1_ratio, factors[:, None]
    G = G + alpha * (1 - r) * v * W
    if r and model.grouped:
        norms = np.linalg.norm(W, axis=1, keepdims=True)
        used = norms[:, 0] > 0
        outside = np.linalg.norm(G[~used], axis=1) - alpha * r * factors[~used]
        inside = G[used] + alpha * r * v[used] * W[used] / norms[used]
    elif r:
        used = W != 0.0
        V = np.broadcast_to(v, W.shape)
        outside = np.abs(G[~used]) - alpha * r * V[~used]
        inside = G[used] + alpha * r * V[used] * np.sign(W[used])
    else:
        inside, outside = G, np.zeros(0)
    worst = max(np.abs(inside).max(initial=0.0), outside.max(initial=0.0))
    return max(worst, np.abs(s @ residual).max() / s.sum()) / alpha


@pytest.mark.parametrize("home", [np.asarray, csr_array])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
def test_fits_meet_the_optimality_conditions(noisy, penalty, n_classes, home):
    X, y, s = noisy
    y = np.minimum(y, n_classes - 1)
    model = SoftmaxRegressionClassifier(
        alpha=0.03, penalty_factor=FACTORS, tol=1e-13, **penalty
    )
    model.fit(home(X), y, s)
    assert model.converged_
    assert violation(model, X, y, s, FACTORS) < 1e-4
    plain = copy.copy(model).set_params(penalty_factor=None).fit(X, y, s)
    assert violation(plain, X, y, s, FACTORS) > 1e-2


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_features_with_a_factor_of_zero_have_no_penalty(noisy, solver):
    X, y, s = noisy
    factors = np.array([0.0, 1.0, 0.0, 2.0])
    model = SoftmaxRegressionClassifier(
        alpha=10.0, penalty_factor=factors, solver=solver, tol=1e-13
    ).fit(X, y, s)
    assert model.converged_
    assert violation(model, X, y, s, factors) < 1e-6
    strong = SoftmaxRegressionClassifier(alpha=1e8, penalty_factor=factors)
    alone = SoftmaxRegressionClassifier(alpha=0.0).fit(X[:, [0, 2]], y, s)
    coef = strong.fit(X, y, s).coef_
    assert_allclose(coef[:, [0, 2]], alone.coef_, rtol=1e-5)


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
def test_factors_of_one_number_are_a_factor_of_alpha(noisy, penalty):
    X, y, s = noisy
    model = SoftmaxRegressionClassifier(alpha=0.01, tol=1e-12, **penalty)
    model.set_params(penalty_factor=np.full(4, 3.0)).fit(X, y, s)
    other = SoftmaxRegressionClassifier(alpha=0.03, tol=1e-12, **penalty)
    assert_allclose(model.coef_, other.fit(X, y, s).coef_, atol=1e-6)


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
def test_the_gap_bounds_the_distance_to_the_minimum(noisy, penalty):
    X, y, s = noisy
    model = SoftmaxRegressionClassifier(
        alpha=0.01, penalty_factor=FACTORS, tol=0.02, **penalty
    ).fit(X, y, s)
    best = copy.copy(model).set_params(tol=1e-13).fit(X, y, s)
    assert model.loss_ - best.loss_ <= model.optimality_
    assert best.optimality_ < 1e-12


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
def test_paths_take_factors_into_account(noisy, penalty):
    X, y, s = noisy
    parameters = dict(penalty)
    l1_ratio = parameters.pop("l1_ratio", 0.0)
    model = SoftmaxRegressionClassifierCV(
        3, l1_ratios=[l1_ratio], penalty_factor=FACTORS, cv=3, **parameters
    ).fit(X, y, s)
    for alpha, coef in zip(model.alphas_[0], model.coefs_path_[0], strict=True):
        one = SoftmaxRegressionClassifier(
            alpha=alpha, penalty_factor=FACTORS, **penalty
        ).fit(X, y, s)
        assert_allclose(coef, one.coef_, atol=2e-3)
    if l1_ratio:  # the first alpha is the least with all weights zero
        one.set_params(alpha=1.001 * model.alphas_[0, 0]).fit(X, y, s)
        assert not one.coef_.any()
        one.set_params(alpha=0.99 * model.alphas_[0, 0]).fit(X, y, s)
        assert one.coef_.any()


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_leave_one_out_takes_factors_into_account(noisy, l1_ratio):
    X, y = noisy[0][:40], noisy[1][:40]
    rows = np.arange(40)
    folds = [(np.delete(rows, i), [i]) for i in rows]
    settings = {"l1_ratios": [l1_ratio], "penalty_factor": FACTORS}
    ours, exact = (
        SoftmaxRegressionClassifierCV([0.01], cv=cv, **settings).fit(X, y)
        for cv in ("alo", folds)
    )
    assert_allclose(ours.mean_scores_, exact.mean_scores_, rtol=0.01)


def test_batches_are_fitted_as_arrays_are(noisy):
    X, y, s = noisy
    batches = [(X[a : a + 30], y[a : a + 30], s[a : a + 30]) for a in (0, 30, 60)]
    model = SoftmaxRegressionClassifier(alpha=0.1, penalty_factor=FACTORS, tol=1e-12)
    coef = model.fit(batches).coef_
    assert_allclose(coef, model.fit(X, y, s).coef_, rtol=1e-5)


def test_wide_data_have_factors_too(noisy):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((20, 60)), np.arange(20) % 3
    factors = rng.uniform(0.2, 4.0, 60)
    model = SoftmaxRegressionClassifier(alpha=0.1, penalty_factor=factors, tol=1e-13)
    assert violation(model.fit(X, y), X, y, np.ones(20), factors) < 1e-5


def test_trainings_and_warm_starts_have_factors(noisy):
    X, y, s = noisy
    model = SoftmaxRegressionClassifier(
        alpha=0.1, penalty_factor=FACTORS, l1_ratio=0.5, warm_start=True
    ).fit(X, y, s)
    assert model.fit(X, y, s).n_iter_ == 1
    trained = SoftmaxRegressionClassifier(
        alpha=1.0, penalty_factor=[1, 1, 1, 1e3], solver="adam", random_state=0
    ).fit(X, y)
    assert np.abs(trained.coef_[:, 3]).max() < 0.05 * np.abs(trained.coef_).max()


def test_names_of_features_have_factors(noisy):
    pd = pytest.importorskip("pandas")
    X, y, _ = noisy
    table = pd.DataFrame(X, columns=list("abcd"))
    named = {"d": 8.0, "a": 0.5, "b": 3.0}
    for model in (
        SoftmaxRegressionClassifier(alpha=0.1),
        SoftmaxRegressionClassifierCV([0.1], cv=2),
    ):
        by_name = copy.copy(model).set_params(penalty_factor=named).fit(table, y)
        by_place = copy.copy(model).set_params(penalty_factor=FACTORS).fit(X, y)
        assert_allclose(by_name.coef_, by_place.coef_, rtol=1e-9)
    with pytest.raises(ValueError, match="penalty_factor names 'e'"):
        by_name.set_params(penalty_factor={"e": 1.0}).fit(table, y)
    with pytest.raises(ValueError, match="X has no feature names"):
        by_name.set_params(penalty_factor=named).fit(X, y)


def test_features_without_a_penalty_that_separate_are_told():
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X, y == 0])
    model = SoftmaxRegressionClassifier(penalty_factor=[1.0, 1, 1, 1, 0])
    with pytest.warns(SeparationWarning, match=r"\[0\]|\[0, 1, 2\]"):
        model.fit(X, y)
    model.set_params(penalty_factor=[0.0, 1, 1, 1, 1]).fit(X, y)


@pytest.mark.parametrize("make", [SoftmaxRegressionClassifier, None])
@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([1.0, 1.0], r"each of the 4 features, got .* \(2,\)"),
        ([1.0, -1.0, 1.0, 1.0], "finite numbers >= 0, got -1.0 for feature 1"),
        ([1.0, 1.0, np.inf, 1.0], "got inf for feature 2"),
        ([np.nan, 1.0, 1.0, 1.0], "NaN"),
        ([0.0] * 4, "zero for every feature"),
        (["a"] * 4, "penalty_factor"),
    ],
)
def test_bad_factors_are_named(noisy, factors, message, make):
    X, y, _ = noisy
    make = make or (lambda **given: SoftmaxRegressionClassifierCV([0.1], **given))
    with pytest.raises(ValueError, match=message):
        make(penalty_factor=factors).fit(X, y)


def test_what_has_no_factors_says_so(noisy):
    X, y, _ = noisy
    model = SoftmaxRegressionClassifier((3,), penalty_factor=FACTORS)
    with pytest.raises(ValueError, match="penalty_factor needs hidden_layer_sizes"):
        model.fit(X, y)
    model = SoftmaxRegressionClassifier(l1_ratio=0.5, penalty_factor=[0.0, 1, 1, 1])
    with pytest.raises(ValueError, match="above zero with l1_ratio > 0, got 0"):
        model.fit(X, y)
    model = SoftmaxRegressionClassifier(penalty_factor=FACTORS).fit(X, y)
    with pytest.raises(ValueError, match="this one has penalty_factor"):
        summary(model, X, y)
