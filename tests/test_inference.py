"""Inference: published tables, statsmodels, and what must not change the answer."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_iris

from sksoftmax.inference import (
    likelihood_ratio_test,
    marginal_effects,
    summary,
    wald_test,
)


@pytest.fixture(scope="module")
def hsbdemo(hsbdemo):
    """With classes as numbers, which statsmodels takes."""
    X, y = hsbdemo
    return X, np.unique(y, return_inverse=True)[1]


@pytest.fixture(scope="module")
def flowers():
    """Two classes, on features at very different scales."""
    X, y = load_iris(return_X_y=True)
    return X[50:, :2] * [1e-3, 1e3], y[50:] - 1


@pytest.fixture(params=["hsbdemo", "anes96", "flowers"])
def data(request):
    return request.getfixturevalue(request.param)


def statsmodels_fit(X, y, **cov):
    """MNLogit at its optimum, intercept last, so that columns are ours."""
    mnlogit = pytest.importorskip("statsmodels.discrete.discrete_model").MNLogit
    # From standardised columns its Newton method arrives; then back to those of X.
    centre, scale = X.mean(axis=0), X.std(axis=0)
    ones = np.ones((len(y), 1))
    start = mnlogit(y, np.hstack([(X - centre) / scale, ones]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions warn of keywords of their own
        params = start.fit(method="newton", disp=0, maxiter=100, tol=1e-13).params
        params[:-1] /= scale[:, None]
        params[-1] -= centre @ params[:-1]
        return mnlogit(y, np.hstack([X, ones])).fit(
            start_params=params, method="newton", disp=0, maxiter=0, **cov
        )


@pytest.fixture
def statsmodels(data):
    return statsmodels_fit(*data)


# R's nnet 7.3-18, fitted to convergence (tests/data/reference.R).
HSBDEMO_SE = [
    [0.44373214, 0.51421945, 0.02141095, 1.16643914],
    [0.47637371, 0.59556694, 0.0222199, 1.16354897],
]


def test_hsbdemo_has_the_standard_errors_of_r(hsbdemo, exact):
    X, y = hsbdemo
    result = summary(exact(alpha=0.0).fit(X, y), X, y, base=0)
    assert_allclose(result.se, HSBDEMO_SE, rtol=1e-6)
    assert_allclose(result.aic, 375.9635, rtol=0, atol=5e-5)


# Stata 11, nine decimals: logpopul, selfLR, age, educ, income and the constant. From
# class Anes of statsmodels/discrete/tests/results/results_discrete.py.
ANES96_SE = [
    [0.034282365, 0.093626795, 0.006524858, 0.073586579, 0.017633693, 0.629837631],
    [0.039161555, 0.108238691, 0.007914461, 0.085289356, 0.022280929, 0.763189949],
    [0.057038229, 0.158548133, 0.011331313, 0.126291323, 0.033614208, 1.156541492],
    [0.043790276, 0.128896585, 0.008418748, 0.094125055, 0.026196363, 0.957580960],
    [0.039351655, 0.117186010, 0.007611015, 0.085007009, 0.022976079, 0.844363828],
    [0.042138047, 0.143408908, 0.008133862, 0.091097992, 0.025300888, 1.059954821],
]  # fmt: skip


def test_anes96_has_stata_s_standard_errors_and_statistics(anes96, exact):
    X, y = anes96
    result = summary(exact(alpha=0.0).fit(X, y), X, y, base=0)
    assert_allclose(result.se, ANES96_SE, rtol=1e-6)
    assert_allclose(result.loglik, -1461.922747312, rtol=0, atol=1e-6)
    assert_allclose(result.loglik_null, -1750.34670999, rtol=0, atol=1e-6)
    assert_allclose(result.lr_test.statistic, 576.8479253554, rtol=1e-8)
    assert result.lr_test.df == 30
    assert_allclose(result.lr_test.p_value, 1.8223179e-102, rtol=1e-6)
    assert_allclose(result.pseudo_r2["McFadden"], 0.1647810465387, rtol=1e-8)
    assert_allclose([result.aic, result.bic], [2995.84549462, 3170.45003661], rtol=1e-9)


# Of Stata's sysdsn1: white and nonwhite patients by outcome.
NONWHITE = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
OUTCOME = np.array([1, 2, 3, 1, 2, 3])
COUNTS = np.array([251.0, 208.0, 36.0, 43.0, 69.0, 9.0])


def test_weighted_counts_have_the_standard_errors_of_log_ratios(exact):
    model = exact(alpha=0.0).fit(NONWHITE, OUTCOME, COUNTS)
    result = summary(model, NONWHITE, OUTCOME, COUNTS, base=1, weights="frequency")
    assert result.n == 616
    # In a saturated model of counts a log ratio has variance 1/a + 1/b.
    white, nonwhite = (1 / c[1:] + 1 / c[0] for c in COUNTS.reshape(2, 3))
    variance = np.column_stack([white + nonwhite, white])
    assert_allclose(np.square(result.se), variance, rtol=1e-6)
    table = COUNTS.reshape(2, 3)
    columns, rows = table.sum(axis=0), table.sum(axis=1, keepdims=True)
    assert_allclose(result.loglik, np.sum(table * np.log(table / rows)), rtol=1e-9)
    null = np.sum(columns * np.log(columns / columns.sum()))
    assert_allclose(result.loglik_null, null, rtol=1e-9)


def test_the_table_is_that_of_statsmodels(data, statsmodels, exact):
    X, y = data
    result = summary(exact(alpha=0.0).fit(X, y), X, y, base=0, confidence_level=0.9)
    z = statsmodels.params / statsmodels.bse
    assert_allclose(result.coef, statsmodels.params.T, rtol=1e-6)
    assert_allclose(result.se, statsmodels.bse.T, rtol=1e-6)
    assert_allclose(result.z, z.T, rtol=1e-5)
    assert_allclose(result.p_value, statsmodels.pvalues.T, rtol=1e-4, atol=1e-12)
    intervals = statsmodels.conf_int(alpha=0.1)
    assert_allclose(result.conf_int, intervals, rtol=1e-5, atol=1e-7)
    assert_allclose(result.loglik, statsmodels.llf, rtol=1e-9)
    assert_allclose(result.loglik_null, statsmodels.llnull, rtol=1e-8)
    assert_allclose(result.pseudo_r2["McFadden"], statsmodels.prsquared, rtol=1e-6)
    assert_allclose([result.aic, result.bic], [statsmodels.aic, statsmodels.bic])


@pytest.mark.parametrize("cov_type", ["HC0", "HC1", "cluster"])
def test_robust_covariances_are_those_of_statsmodels(data, exact, cov_type):
    X, y = data
    groups = np.arange(len(y)) % 23
    n, k = len(y), (X.shape[1] + 1) * (len(set(y)) - 1)
    cov, factor = {"cov_type": "HC0"}, 1.0
    if cov_type == "cluster":
        cov = {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
    elif cov_type == "HC1":  # statsmodels gives HC0 for it
        factor = np.sqrt(n / (n - k))
    theirs = statsmodels_fit(X, y, **cov)
    result = summary(
        exact(alpha=0.0).fit(X, y),
        X,
        y,
        base=0,
        cov_type=cov_type,
        groups=groups if cov_type == "cluster" else None,
    )
    assert_allclose(result.se, factor * theirs.bse.T, rtol=1e-6)


@pytest.mark.parametrize("at", ["overall", "mean"])
def test_marginal_effects_are_those_of_statsmodels(data, statsmodels, exact, at):
    X, y = data
    effects = marginal_effects(exact(alpha=0.0).fit(X, y), X, y, at=at, discrete=False)
    theirs = statsmodels.get_margeff(at=at)
    p = X.shape[1]
    assert_allclose(effects.effect.T, theirs.margeff[:p], rtol=1e-5)
    assert_allclose(effects.se.T, theirs.margeff_se[:p], rtol=1e-5)


def test_wald_s_test_of_a_feature_is_that_of_statsmodels(data, statsmodels, exact):
    X, y = data
    n_free, q = len(set(y)) - 1, X.shape[1] + 1
    result = summary(exact(alpha=0.0).fit(X, y), X, y)
    for j in range(X.shape[1]):
        R = np.kron(np.eye(n_free), np.eye(q)[j])
        theirs = statsmodels.wald_test(R, scalar=True, use_f=False)
        ours = wald_test(result, f"x{j}")
        assert_allclose(ours.statistic, theirs.statistic, rtol=1e-5)
        assert_allclose(ours.p_value, theirs.pvalue, rtol=1e-4)
        assert ours.df == n_free


def test_the_likelihood_ratio_of_nested_models_is_that_of_statsmodels(anes96, exact):
    X, y = anes96
    full = summary(exact(alpha=0.0).fit(X, y), X, y)
    small = summary(exact(alpha=0.0).fit(X[:, :3], y), X[:, :3], y)
    statistic = 2 * (statsmodels_fit(X, y).llf - statsmodels_fit(X[:, :3], y).llf)
    test = likelihood_ratio_test(small, full)
    assert_allclose(test.statistic, statistic, rtol=1e-8)
    assert test.df == 12


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1", "HC2", "HC3", "cluster"])
@pytest.mark.parametrize("class_weight", [None, {0: 2.0, 1: 0.5}])
def test_frequency_weights_are_repeated_rows(
    hsbdemo, exact, rng, cov_type, class_weight
):
    X, y = hsbdemo
    counts = rng.integers(0, 4, len(y))
    groups = np.arange(len(y)) % 17 if cov_type == "cluster" else None
    model = exact(alpha=0.0, class_weight=class_weight).fit(X, y, counts)
    ours = summary(
        model, X, y, counts, weights="frequency", cov_type=cov_type, groups=groups
    )
    rows = np.repeat(np.arange(len(y)), counts)
    groups = None if groups is None else groups[rows]
    repeated = summary(model, X[rows], y[rows], cov_type=cov_type, groups=groups)
    assert ours.n == repeated.n == counts.sum()
    assert_allclose(ours.se, repeated.se, rtol=1e-10)
    assert_allclose(ours.loglik, repeated.loglik, rtol=1e-12)
    assert_allclose(ours.bic, repeated.bic, rtol=1e-12)


def test_the_unit_of_importance_weights_does_not_matter(hsbdemo, exact, rng):
    X, y = hsbdemo
    s = rng.uniform(0.5, 2.0, len(y))
    for cov_type in ("nonrobust", "HC0"):
        small, large = (
            summary(
                exact(alpha=0.0).fit(X, y, factor * s),
                X,
                y,
                factor * s,
                weights="importance",
                cov_type=cov_type,
            )
            for factor in (1e-3, 1e3)
        )
        assert small.n == large.n == len(y)
        assert_allclose(small.se, large.se, rtol=1e-6)


def test_importance_weights_enter_the_sandwich_squared(hsbdemo, exact, rng):
    X, y = hsbdemo
    s = rng.uniform(0.5, 2.0, len(y))
    model = exact(alpha=0.0).fit(X, y, s)
    result = summary(model, X, y, s, base=2, weights="importance", cov_type="HC0")
    D, P = np.column_stack([X, np.ones(len(y))]), model.predict_proba(X)
    scores = np.einsum("i,ik,ij->ikj", s, P - np.eye(3)[y], D)[:, :2].reshape(-1, 8)
    bread = sum(
        w * np.kron(np.diag(p[:2]) - np.outer(p[:2], p[:2]), np.outer(d, d))
        for w, p, d in zip(s, P, D, strict=True)
    )
    inverse = np.linalg.inv(bread)
    assert_allclose(
        result.covariance, inverse @ scores.T @ scores @ inverse, rtol=1e-5, atol=1e-12
    )


def test_soft_labels_are_weighted_labels_of_one_cluster(hsbdemo, exact, rng):
    X, y = hsbdemo
    Y = 0.7 * np.eye(3)[y] + 0.3 * rng.dirichlet(np.ones(3), len(y))
    model = exact(alpha=0.0).fit(X, Y)
    rows, labels = np.repeat(np.arange(len(y)), 3), np.tile(np.arange(3), len(y))
    stacked = X[rows], labels, Y.ravel()
    # Three rows of mean weight one stand for one of weight one.
    expected = np.sqrt(3) * summary(model, *stacked).se
    assert_allclose(summary(model, X, Y).se, expected, rtol=1e-8)
    clustered = summary(model, *stacked, cov_type="cluster", groups=rows)
    n, k = len(y), 8
    factor = np.sqrt(n / (n - 1) * (3 * n - 1) / (3 * n - k))
    robust = summary(model, X, Y, cov_type="HC0")
    assert_allclose(factor * robust.se, clustered.se, rtol=1e-8)


def test_tests_and_contrasts_do_not_depend_on_the_base(hsbdemo, exact):
    X, y = hsbdemo
    model = exact(alpha=0.0).fit(X, y)
    results = [summary(model, X, y, base=base) for base in (None, 0, 1, 2)]
    for result in results[1:]:
        assert_allclose(
            wald_test(result, ["x0", "x2"]).statistic,
            wald_test(results[0], ["x0", "x2"]).statistic,
            rtol=1e-9,
        )
    assert_allclose(results[1].coef[0], -results[2].coef[0], rtol=1e-9)
    assert_allclose(results[1].se[0], results[2].se[0], rtol=1e-9)
    # The symmetric gauge is model.coef_, and its matrices agree with contrasts.
    assert_allclose(results[0].coef[:, :3], model.coef_, rtol=1e-12)
    contrast = np.kron([[-1, 1, 0], [-1, 0, 1]], np.eye(4))
    assert_allclose(
        contrast @ results[0].covariance @ contrast.T, results[1].covariance, rtol=1e-6
    )
    same = wald_test(results[0], contrast, results[1].coef.ravel())
    assert same.df == 8
    assert same.statistic < 1e-12


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_standard_errors_change_with_the_units_of_features_alone(
    anes96, exact, cov_type
):
    X, y = anes96
    scale, shift = np.array([1e-8, 1e8, 1.0, 1e-4, 1e4]), [0, 1e9, -50.0, 1.0, -1e6]
    moved = X * scale + shift
    plain = summary(exact(alpha=0.0).fit(X, y), X, y, cov_type=cov_type)
    other = summary(exact(alpha=0.0).fit(moved, y), moved, y, cov_type=cov_type)
    assert_allclose(other.se[:, :5] * scale, plain.se[:, :5], rtol=1e-6)
    assert_allclose(other.loglik, plain.loglik, rtol=1e-9)


def test_sparse_data_give_the_dense_table(hsbdemo, exact):
    X, y = hsbdemo
    dense = summary(exact(alpha=0.0).fit(X, y), X, y)
    sparse = summary(exact(alpha=0.0).fit(csr_array(X), y), csr_array(X), y)
    assert_allclose(sparse.se, dense.se, rtol=1e-8)
    assert_array_equal(sparse.terms, dense.terms)


def test_penalised_covariance_is_the_inverse_of_the_penalised_hessian(
    hsbdemo, exact, finite_differences
):
    X, y = hsbdemo
    X = X * [1.0, 3.0, 0.1]
    n, alpha = len(y), 0.02
    result = summary(exact(alpha=alpha).fit(X, y), X, y, base=2)
    D = np.column_stack([X, np.ones(n)])

    def gradient(v):  # of n F, over contrasts with the last class
        theta = np.vstack([v.reshape(2, 4), np.zeros(4)])
        E = np.exp(D @ theta.T)
        G = (E / E.sum(axis=1, keepdims=True) - np.eye(3)[y]).T @ D
        centred = theta - theta.mean(axis=0)
        return (G + n * alpha * centred * [1, 1, 1, 0])[:2].ravel()

    H = finite_differences(gradient, result.coef.ravel())
    assert_allclose(result.covariance, np.linalg.inv(H), rtol=1e-5, atol=1e-9)
    assert 2 < result.df < 8
    assert np.isnan(result.lr_test.p_value)
    assert "not frequentist" in " ".join(str(result).split())


@pytest.mark.parametrize("at", ["overall", "mean"])
def test_the_delta_method_s_derivative_is_right(hsbdemo, exact, finite_differences, at):
    X, y = hsbdemo
    s = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    model = exact(alpha=0.01).fit(X, y, s)
    ours = marginal_effects(model, X, y, s, at=at, discrete=False)
    result = summary(model, X, y, s, base=0)
    rows = np.average(X, axis=0, weights=s)[None] if at == "mean" else X
    weights = np.ones(1) if at == "mean" else s

    def effects(v):
        theta = np.vstack([np.zeros(4), v.reshape(2, 4)])
        E = np.exp(rows @ theta[:, :3].T + theta[:, 3])
        P = E / E.sum(axis=1, keepdims=True)
        each = P[:, :, None] * (theta[:, :3] - (P @ theta[:, :3])[:, None])
        return np.average(each, axis=0, weights=weights).ravel()

    v = result.coef.ravel()
    J = finite_differences(effects, v)
    assert_allclose(ours.effect.ravel(), effects(v), rtol=1e-8)
    variances = np.diag(J @ result.covariance @ J.T)
    assert_allclose(np.square(ours.se.ravel()), variances, rtol=1e-5)
    assert_allclose(ours.effect.sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "cluster"])
def test_many_rows_in_pieces_give_the_covariance_of_whole_matrices(
    exact, rng, cov_type
):
    # Several blocks of rows; one group takes half of the rows, over several pieces.
    n, p, K = 5000, 60, 4
    X = rng.standard_normal((n, p)) + 3.0
    y = np.argmax(X[:, :K] + 2 * rng.gumbel(size=(n, K)), axis=1)
    groups = np.where(rng.random(n) < 0.5, "all", rng.integers(0, 40, n).astype(str))
    model = exact(alpha=0.0).fit(X, y)
    given = groups if cov_type == "cluster" else None
    result = summary(model, X, y, base=3, cov_type=cov_type, groups=given)

    D, P = np.column_stack([X, np.ones(n)]), model.predict_proba(X)[:, :-1]
    q, n_free = p + 1, K - 1
    H = np.zeros((n_free, q, n_free, q))
    for k in range(n_free):
        for m in range(n_free):
            H[k, :, m] = (D * (P[:, k] * ((k == m) - P[:, m]))[:, None]).T @ D
    covariance = np.linalg.inv(H.reshape(n_free * q, -1))
    if cov_type != "nonrobust":
        U = ((P - np.eye(K)[y][:, :-1])[:, :, None] * D[:, None]).reshape(n, -1)
        if cov_type == "cluster":
            names, codes = np.unique(groups, return_inverse=True)
            sums, G = np.zeros((names.size, U.shape[1])), names.size
            np.add.at(sums, codes, U)
            U = sums * np.sqrt(G / (G - 1) * (n - 1) / (n - n_free * q))
        covariance = covariance @ U.T @ U @ covariance
    se = np.sqrt(np.diag(covariance)).reshape(n_free, q)
    assert_allclose(result.se, se, rtol=1e-6)


def test_single_precision_data_are_taken(hsbdemo, exact):
    X, y = hsbdemo
    single = X.astype(np.float32)
    double = summary(exact(alpha=0.0).fit(X, y), X, y)
    result = summary(exact(alpha=0.0).fit(single, y), single, y)
    assert_allclose(result.se, double.se, rtol=1e-5)


@pytest.mark.parametrize("name", ["ones", "all dummies", "a sum"])
def test_a_column_of_ones_is_an_intercept(hsbdemo, exact, name):
    X, y = hsbdemo
    ones = np.ones(len(y))
    low = 1.0 - X[:, 0] - X[:, 1]
    D = {
        "ones": np.column_stack([X, ones]),
        "all dummies": np.column_stack([X, low]),
        "a sum": np.column_stack([X, 1e5 - 3 * X[:, 2] + X[:, 0]]),
    }[name]
    model = exact(alpha=0.0, fit_intercept=False).fit(D, y)
    usual_model = exact(alpha=0.0).fit(X, y)
    result, usual = summary(model, D, y, base=0), summary(usual_model, X, y, base=0)
    assert result.lr_test.df == usual.lr_test.df == 6
    assert_allclose(result.loglik_null, usual.loglik_null, rtol=1e-12)
    assert_allclose(result.lr_test.p_value, usual.lr_test.p_value, rtol=1e-5)
    assert_allclose(result.model_test.statistic, usual.model_test.statistic, rtol=1e-5)
    assert result.model_test.df == 6
    assert result.terms == ["x0", "x1", "x2", "x3"]
    if name != "ones":
        return
    assert_allclose(result.se, usual.se, rtol=1e-6)
    for at in ("overall", "mean"):
        effects = marginal_effects(model, D, y, at=at)
        expected = marginal_effects(usual_model, X, y, at=at)
        assert_allclose(effects.se[:, :3], expected.se, rtol=1e-6)


def test_without_any_constant_the_null_model_is_uniform(hsbdemo, exact):
    X, y = hsbdemo
    D = np.column_stack([X, np.linspace(1.0, 1.001, len(y))])
    result = summary(exact(alpha=0.0, fit_intercept=False).fit(D, y), D, y)
    assert result.lr_test.df == result.model_test.df == 8
    assert_allclose(result.loglik_null, -len(y) * np.log(3), rtol=1e-12)
