"""Robust covariance: explicit formulas, refits without rows, and other conventions."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import fractional_matrix_power
from scipy.stats import chi2

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import summary, wald_test

ROBUST = ["HC0", "HC1", "HC2", "HC3"]


@pytest.fixture(scope="module")
def rows():
    """Few rows, so that leverage matters; three classes that overlap."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((40, 2)) * [1.0, 100.0]
    y = np.argmax(rng.gumbel(size=(40, 3)) + X[:, :1] * [0, 0.5, -0.5], axis=1)
    return X, y


def pieces(model, X, y, s):
    """Design of each row for contrasts with class 0, its residuals, and the Hessian."""
    D, P = np.column_stack([X, np.ones(len(X))]), model.predict_proba(X)[:, 1:]
    designs = [np.kron(np.eye(P.shape[1]), d) for d in D]
    E = np.eye(P.shape[1] + 1)[y][:, 1:] - P
    W = [w * (np.diag(p) - np.outer(p, p)) for w, p in zip(s, P, strict=True)]
    H = sum(Z.T @ w @ Z for Z, w in zip(designs, W, strict=True))
    return designs, E, W, H


@pytest.mark.parametrize("cov_type", ROBUST)
def test_robust_covariances_have_their_formulas(rows, exact, rng, cov_type):
    X, y = rows
    s = rng.uniform(0.5, 2.0, len(y))
    s /= s.mean()
    model = exact(alpha=0.0).fit(X, y, s)
    designs, E, W, H = pieces(model, X, y, s)
    inverse, meat = np.linalg.inv(H), 0.0
    for Z, e, weight, w in zip(designs, E, s, W, strict=True):
        kept = np.eye(2) - w @ Z @ inverse @ Z.T
        power = {"HC2": -0.5, "HC3": -1.0}.get(cov_type, 0.0)
        u = weight * Z.T @ fractional_matrix_power(kept, power).real @ e
        meat = meat + np.outer(u, u)
    if cov_type == "HC1":
        meat = meat * 40 / (40 - 6)
    result = summary(model, X, y, s, base=0, cov_type=cov_type)
    assert_allclose(result.covariance, inverse @ meat @ inverse, rtol=1e-6, atol=1e-10)


def test_two_classes_have_the_leverage_of_logistic_regression(rows, exact):
    X, y = rows[0], (rows[1] > 0).astype(int)
    model = exact(alpha=0.0).fit(X, y)
    D, p = np.column_stack([X, np.ones(len(X))]), model.predict_proba(X)[:, 1]
    inverse = np.linalg.inv(D.T * (p * (1 - p)) @ D)
    h = p * (1 - p) * np.einsum("ij,jk,ik->i", D, inverse, D)
    assert_allclose(h.sum(), 3)
    for cov_type, power in (("HC2", 1), ("HC3", 2)):
        weights = (y - p) ** 2 / (1 - h) ** power
        expected = inverse @ (D.T * weights) @ D @ inverse
        result = summary(model, X, y, base=0, cov_type=cov_type)
        assert_allclose(result.covariance, expected, rtol=1e-6, atol=1e-10)


def test_hc3_is_nearest_to_the_spread_of_fits_without_one_row(anes96, exact):
    X, y = anes96[0][::10, 2:4], np.minimum(anes96[1][::10], 2)
    model = exact(alpha=0.0).fit(X, y)
    full = {kind: summary(model, X, y, base=0, cov_type=kind) for kind in ROBUST}
    changes = []
    for i in range(len(y)):
        model.fit(np.delete(X, i, axis=0), np.delete(y, i))
        coef = np.column_stack([model.coef_, model.intercept_])
        changes.append((coef[1:] - coef[0] - full["HC3"].coef).ravel())
    jackknife = np.sqrt(np.square(changes).sum(axis=0))
    errors = {k: np.abs(full[k].se.ravel() / jackknife - 1).max() for k in ROBUST}
    assert errors["HC3"] < 0.06
    assert min(errors, key=errors.get) == "HC3"


@pytest.mark.parametrize("cov_type", ROBUST)
def test_the_base_changes_no_robust_contrast(rows, exact, cov_type):
    X, y = rows
    model = exact(alpha=0.0).fit(X, y)
    zero, two = (summary(model, X, y, base=k, cov_type=cov_type) for k in (0, 2))
    assert_allclose(zero.se[1], two.se[0], rtol=1e-8)  # 2 against 0, 0 against 2
    contrast = np.kron([[-1, 1]], np.eye(3))  # 2 against 1, in terms of base 0
    variances = np.diag(contrast @ zero.covariance @ contrast.T)
    assert_allclose(two.se[1], np.sqrt(variances), rtol=1e-6)


def test_clusters_of_two_ways_add_both_and_subtract_their_intersection(
    hsbdemo, exact, rng
):
    X, y = hsbdemo
    model = exact(alpha=0.0).fit(X, y)
    firm = rng.integers(0, 60, len(y)).astype(str)
    year = rng.integers(0, 50, len(y))
    both = np.array([f"{a} {b}" for a, b in zip(firm, year, strict=True)])

    def covariance(groups):
        return summary(
            model, X, y, base="academic", cov_type="cluster", groups=groups
        ).covariance

    expected = covariance(firm) + covariance(year) - covariance(both)
    assert np.linalg.eigvalsh(expected).min() > 0
    frame = pd.DataFrame({"firm": firm, "year": year})
    for groups in (frame, np.column_stack([firm, year])):
        assert_allclose(covariance(groups), expected, rtol=1e-8, atol=1e-12)


def test_clusters_of_two_ways_have_no_negative_variance(hsbdemo, exact):
    X, y = hsbdemo
    model = exact(alpha=0.0).fit(X, y)
    row = np.arange(len(y))
    groups = np.column_stack([row % 2, row // 100])
    result = summary(model, X, y, cov_type="cluster", groups=groups)
    values = np.linalg.eigvalsh(result.covariance)
    assert values.min() > -1e-10 * values.max()
    assert np.isfinite(result.se).all()


@pytest.mark.parametrize(
    ("small_sample", "of_rows", "of_clusters"),
    [
        (None, 200 / 192, 20 / 19 * 199 / 192),
        ("R", 200 / 192, 20 / 19),
        ("Stata", 200 / 199, 20 / 19),
        ("statsmodels", 1.0, 20 / 19 * 199 / 192),
    ],
)
def test_small_sample_factors_are_those_of_the_named_package(
    hsbdemo, exact, small_sample, of_rows, of_clusters
):
    X, y = hsbdemo
    model = exact(alpha=0.0).fit(X, y)
    plain = summary(model, X, y, cov_type="HC0", small_sample=small_sample)
    rows = summary(model, X, y, cov_type="HC1", small_sample=small_sample)
    assert_allclose(rows.covariance, of_rows * plain.covariance, rtol=1e-10)
    groups, D = np.arange(200) % 20, np.column_stack([X, np.ones(200)])
    clusters = summary(
        model, X, y, base="academic", cov_type="cluster", groups=groups,
        small_sample=small_sample,
    )  # fmt: skip
    codes = np.unique(y, return_inverse=True)[1]
    _, E, _, H = pieces(model, X, codes, np.ones(200))
    scores = (E[:, :, None] * D[:, None]).reshape(200, -1)
    sums = np.zeros((20, 8))
    np.add.at(sums, groups, scores)
    inverse = np.linalg.inv(H)
    expected = of_clusters * inverse @ sums.T @ sums @ inverse
    assert_allclose(clusters.covariance, expected, rtol=1e-5, atol=1e-12)


def test_a_row_that_is_fitted_whatever_its_target_is_named(exact):
    # The second column is for row 5 alone, and its soft label is matched.
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(30), np.arange(30) == 5])
    Y = rng.dirichlet(np.ones(2) * 5, 30)
    model = exact(alpha=0.0).fit(X, Y)
    with pytest.raises(ValueError, match=r"cov_type='HC3' .* for row 5"):
        summary(model, X, Y, cov_type="HC3")
    assert np.isfinite(summary(model, X, Y, cov_type="HC1").se).all()


def clustered(rng):
    """Forty clusters of ten rows with a feature and a taste of their own."""
    group = np.repeat(np.arange(40), 10)
    X, taste = rng.standard_normal((40, 1))[group], rng.standard_normal((40, 3))[group]
    return X, (taste + rng.gumbel(size=(400, 3))).argmax(axis=1), group


def test_under_clusters_wald_s_test_has_its_level_and_the_likelihood_ratio_has_not():
    rng = np.random.default_rng(8)
    wald, ratio = [], []
    for _ in range(40):
        X, y, groups = clustered(rng)
        model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
        result = summary(model, X, y, cov_type="cluster", groups=groups)
        wald.append(result.model_test.p_value < 0.05)
        ratio.append(result.lr_test.statistic > chi2.ppf(0.95, 2))
        assert np.isnan(result.lr_test.p_value)
    assert np.mean(wald) < 0.2
    assert np.mean(ratio) > 0.25


def test_what_is_no_likelihood_is_marked_in_the_header(hsbdemo, exact):
    X, y = hsbdemo
    model = exact(alpha=0.0).fit(X, y)
    groups = {"cov_type": "cluster", "groups": np.arange(200) // 5}
    s = np.linspace(0.5, 1.5, 200)
    Y = 0.9 * np.equal.outer(y, model.classes_) + 0.1 / 3
    for header, is_valid in (
        (summary(model, X, y).header, True),
        (summary(model, X, y, cov_type="HC3").header, True),
        (summary(model, X, y, **groups).header, False),
        (summary(exact(alpha=0.0).fit(X, y, s), X, y, s).header, False),
        (summary(exact(alpha=0.0).fit(X, Y), X, Y).header, False),
    ):
        shown = dict(header)
        for name in ("AIC", "BIC"):
            assert shown[name].endswith("(not valid)") != is_valid
        assert (shown["P(> LR chi2)"] == "not valid") != is_valid
        assert "Wald chi2(6)" in shown or header == summary(model, X, y).header


def test_more_hypotheses_than_clusters_are_told_from_contradictions(hsbdemo, exact):
    X, y = hsbdemo
    model = exact(alpha=0.0).fit(X, y)
    groups = np.arange(200) // 50
    result = summary(model, X, y, cov_type="cluster", groups=groups)
    with pytest.raises(ValueError, match="6 hypotheses has rank 3, as with few clust"):
        wald_test(result, ["x0", "x1", "x2"])
    assert np.isnan(result.model_test.p_value)
    assert dict(result.header)["P(> Wald chi2)"] == "not valid"
