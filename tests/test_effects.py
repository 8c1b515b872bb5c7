"""Marginal effects, against the delta method by numerical differentiation."""

import numpy as np
import pandas as pd
import pytest
from delta_method import DeltaMethod, probabilities
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from sksoftmax.inference import marginal_effects, summary

REGIONS = ["regionBC", "regionOntario", "regionPrairie", "regionQuebec"]


@pytest.fixture(scope="module")
def women(load_table):
    """Women's labour force participation in 1977: X and y."""
    table = {name: x.astype(float) for name, x in load_table("womenlf.csv").items()}
    y = table.pop("partic").astype(int)
    return pd.DataFrame(table), y


@pytest.fixture(scope="module")
def weights(women):
    return np.random.default_rng(0).uniform(0.5, 2.0, len(women[1]))


@pytest.fixture(scope="module")
def model(women, weights, exact):
    return exact(alpha=0.0).fit(*women, weights)


@pytest.fixture(scope="module")
def oracle(model, women, weights):
    result = summary(model, *women, weights, base=0)
    D = np.column_stack([women[0], np.ones(len(women[1]))])
    return DeltaMethod(result.coef, D, weights * len(weights) / weights.sum())


def changed(D, X, **values):
    """The design with other values in some columns."""
    D = D.copy()
    for name, value in values.items():
        D[:, X.columns.get_loc(name)] = value
    return D


def test_children_have_the_effects_of_r_s_estimates(women, exact):
    """tests/data/reference.R: by the delta method, from multinom of nnet 7.3-18."""
    X, y = women
    model = exact(alpha=0.0).fit(X, y)
    column = X.columns.get_loc("childrenpresent")
    effects = marginal_effects(model, X, y)
    assert effects.terms[column] == "childrenpresent: 1 - 0"
    assert_allclose(effects.effect[0, column], -0.4850825655, rtol=1e-6)
    assert_allclose(effects.se[0, column], 0.0586446275, rtol=1e-5)
    derivative = marginal_effects(model, X, y, discrete=False)
    assert derivative.terms == list(X.columns)
    assert_allclose(derivative.effect[0, column], -0.3514116477, rtol=1e-6)
    assert_allclose(derivative.se[0, column], 0.0282541793, rtol=1e-5)


def check(effects, oracle, functions):
    """Each function of theta gives the effects of a term on all classes."""
    assert effects.effect.shape[1] == len(functions)
    assert_allclose(effects.effect.sum(axis=0), 0.0, atol=1e-12)
    for column, fn in enumerate(functions):
        value, se = oracle.of(fn)
        assert_allclose(effects.effect[:, column], value, rtol=1e-7, atol=1e-10)
        assert_allclose(effects.se[:, column], se, rtol=1e-6, atol=1e-9)


def derivative(oracle, X, name, D, rows=slice(None), scale=1.0):
    """The mean derivative of the probabilities by a column, as a function of theta."""
    j = X.columns.get_loc(name)

    def fn(theta):
        B = np.vstack([np.zeros(theta.shape[1]), theta])
        P = probabilities(theta, D)
        slopes = P * (B[:, j] - (P @ B[:, j])[:, None])
        slopes = slopes * np.reshape(scale, (-1, 1))
        return np.average(slopes[rows], axis=0, weights=oracle.s[rows])

    return fn


def difference(oracle, high, low, rows=slice(None)):
    return lambda theta: oracle.mean(theta, high, rows) - oracle.mean(theta, low, rows)


def test_columns_of_zeros_and_ones_change_from_zero_to_one(
    women, weights, model, oracle
):
    X, D = women[0], oracle.D
    functions = [derivative(oracle, X, "hincome", D)]
    functions += [
        difference(oracle, changed(D, X, **{name: 1}), changed(D, X, **{name: 0}))
        for name in X.columns[1:]
    ]
    check(marginal_effects(model, *women, weights), oracle, functions)


def test_at_the_mean_columns_of_zeros_and_ones_change_from_zero_to_one(
    women, weights, model, oracle
):
    X = women[0]
    mean = np.average(oracle.D, axis=0, weights=weights)[None]

    def at_mean(name):
        high, low = (changed(mean, X, **{name: value}) for value in (1, 0))
        return lambda theta: (probabilities(theta, high) - probabilities(theta, low))[0]

    effects = marginal_effects(model, *women, weights, at="mean")
    for column, name in enumerate(X.columns[1:], start=1):
        value, se = oracle.of(at_mean(name))
        assert_allclose(effects.effect[:, column], value, rtol=1e-7)
        assert_allclose(effects.se[:, column], se, rtol=1e-6)


def test_many_derivatives_at_once_are_those_of_single_columns(
    women, weights, model, oracle
):
    X = women[0]
    functions = [derivative(oracle, X, name, oracle.D) for name in X.columns]
    check(marginal_effects(model, *women, weights, discrete=False), oracle, functions)


def test_dummies_of_a_factor_change_together(women, weights, model, oracle):
    X, D = women[0], oracle.D
    none = dict.fromkeys(REGIONS, 0)
    effects = marginal_effects(
        model, *women, weights, groups_of_columns={"region": REGIONS}
    )
    assert effects.index["variable"][2:] == ["region"] * 4
    assert effects.terms[2] == "region: regionBC - reference"
    low = changed(D, X, **none)
    functions = [
        derivative(oracle, X, "hincome", D),
        difference(
            oracle, changed(D, X, childrenpresent=1), changed(D, X, childrenpresent=0)
        ),
        *(
            difference(oracle, changed(D, X, **{**none, name: 1}), low)
            for name in REGIONS
        ),
    ]
    check(effects, oracle, functions)


def test_of_dummies_for_all_levels_the_first_is_the_reference(women, exact):
    X, y = women
    X = X.assign(regionAtlantic=1 - X[REGIONS].sum(axis=1))
    names = ["regionAtlantic", *REGIONS]
    # With an intercept the dummies depend on each other: fit without.
    without = exact(alpha=0.0, fit_intercept=False).fit(X, y)
    ours = marginal_effects(without, X, y, groups_of_columns={"region": names})
    usual = X.drop(columns="regionAtlantic")
    expected = marginal_effects(
        exact(alpha=0.0).fit(usual, y), usual, y, groups_of_columns={"region": REGIONS}
    )
    assert ours.terms[-1] == "region: regionQuebec - regionAtlantic"
    assert_allclose(ours.effect, expected.effect, rtol=1e-6, atol=1e-9)
    assert_allclose(ours.se, expected.se, rtol=1e-6)


@pytest.mark.parametrize(
    ("step", "high", "low", "contrast"),
    [
        ("unit", lambda x, sd: x + 1, lambda x: x, "+1"),
        ("sd", lambda x, sd: x + sd, lambda x: x, "+sd"),
        (-2.5, lambda x, sd: x - 2.5, lambda x: x, "-2.5"),
        ((5, 20), lambda x, sd: 20, lambda x: 5, "20 - 5"),
    ],
)
def test_steps_of_a_number_are_differences(
    women, weights, model, oracle, step, high, low, contrast
):
    X, D = women[0], oracle.D
    x = X["hincome"].to_numpy()
    mean = np.average(x, weights=weights)
    sd = np.sqrt(np.average((x - mean) ** 2, weights=weights))
    effects = marginal_effects(model, *women, weights, discrete={"hincome": step})
    assert effects.index["contrast"][0] == contrast
    assert effects.index["contrast"][1] == "1 - 0"
    value, se = oracle.of(
        difference(
            oracle, changed(D, X, hincome=high(x, sd)), changed(D, X, hincome=low(x))
        )
    )
    assert_allclose(effects.effect[:, 0], value, rtol=1e-7)
    assert_allclose(effects.se[:, 0], se, rtol=1e-6)


def test_listed_columns_alone_change_by_one(women, weights, model):
    listed = marginal_effects(
        model, *women, weights, discrete=["hincome", "childrenpresent"]
    )
    contrasts = ["+1", "1 - 0"] + ["dP/dx"] * 4
    assert listed.index["contrast"] == contrasts


def test_effects_at_values_are_averages_of_rows_that_have_them(
    women, weights, model, oracle
):
    X = women[0]
    effects = marginal_effects(
        model,
        *women,
        weights,
        at={"hincome": [5, 25], "childrenpresent": 1},
        discrete=False,
    )
    assert effects.index["hincome"][:2] == [5.0, 25.0]
    assert effects.index["variable"][:3] == ["hincome", "hincome", "childrenpresent"]
    functions = [
        derivative(
            oracle, X, name, changed(oracle.D, X, hincome=value, childrenpresent=1)
        )
        for name in X.columns
        for value in (5, 25)
    ]
    check(effects, oracle, functions)


def test_effects_of_zeros_and_ones_hold_at_the_values_of_other_columns(
    women, weights, model, oracle
):
    X, D = women[0], changed(oracle.D, women[0], hincome=30)
    effects = marginal_effects(model, *women, weights, at={"hincome": 30})
    for column, name in enumerate(X.columns[1:], start=1):
        fn = difference(oracle, changed(D, X, **{name: 1}), changed(D, X, **{name: 0}))
        value, se = oracle.of(fn)
        assert_allclose(effects.effect[:, column], value, rtol=1e-7)
        assert_allclose(effects.se[:, column], se, rtol=1e-6)


def test_steps_begin_at_the_value_that_a_column_is_set_to(
    women, weights, model, oracle
):
    X, D = women[0], oracle.D
    effects = marginal_effects(
        model, *women, weights, at={"hincome": 10}, discrete={"hincome": 3}
    )
    fn = difference(oracle, changed(D, X, hincome=13), changed(D, X, hincome=10))
    assert_allclose(effects.effect[:, 0], oracle.of(fn)[0], rtol=1e-9)


def test_rows_of_a_frame_with_all_columns_are_profiles(women, weights, model):
    X = women[0]
    profiles = X.iloc[[3, 40]]
    effects = marginal_effects(model, *women, weights, at=profiles, discrete=False)
    P = model.predict_proba(profiles)
    W = model.coef_[:, 0]
    assert_allclose(effects.effect[:, :2], (P * (W - (P @ W)[:, None])).T, rtol=1e-10)


def test_columns_of_a_frame_are_set_row_by_row(women, weights, model):
    frame = pd.DataFrame({"hincome": [5.0, 25.0], "childrenpresent": [0.0, 1.0]})
    effects = marginal_effects(model, *women, weights, at=frame)
    for row, values in enumerate(frame.to_dict("records")):
        alone = marginal_effects(model, *women, weights, at=values)
        assert_allclose(effects.effect[:, row::2], alone.effect, rtol=1e-12)
        assert_allclose(effects.se[:, row::2], alone.se, rtol=1e-10)


def test_effects_in_subgroups_are_averages_over_them(women, weights, model, oracle):
    X, D = women[0], oracle.D
    child = X["childrenpresent"].to_numpy()
    effects = marginal_effects(
        model, *women, weights, by="childrenpresent", discrete=False
    )
    functions = [
        derivative(oracle, X, name, D, rows=child == value)
        for name in X.columns
        for value in (0, 1)
    ]
    check(effects, oracle, functions)
    named = pd.Series(np.where(child == 1, "yes", "no"), name="children")
    given = marginal_effects(model, *women, weights, by=named, discrete=False)
    assert given.index["children"][:2] == ["no", "yes"]
    assert_allclose(given.effect, effects.effect, rtol=1e-12)


def test_subgroups_of_two_columns_are_their_combinations(women, weights, model):
    names = ["childrenpresent", "regionOntario"]
    effects = marginal_effects(model, *women, weights, by=names)
    codes = women[0][names].to_numpy() @ [10, 1]
    expected = marginal_effects(model, *women, weights, by=codes)
    assert_allclose(effects.effect, expected.effect, rtol=1e-12)
    assert effects.index["regionOntario"][:4] == [0.0, 1.0, 0.0, 1.0]


def test_differences_of_subgroups_have_their_own_standard_errors(
    women, weights, model, oracle
):
    X, D = women[0], oracle.D
    child = X["childrenpresent"].to_numpy()
    parts = [derivative(oracle, X, "hincome", D, rows=child == v) for v in (0, 1)]
    effects = marginal_effects(
        model, *women, weights, by="childrenpresent", contrasts="reference"
    )
    value, se = oracle.of(lambda theta: parts[1](theta) - parts[0](theta))
    assert_allclose(effects.effect[:, 0], value, rtol=1e-7, atol=1e-12)
    assert_allclose(effects.se[:, 0], se, rtol=1e-6)
    assert effects.index["comparison"][0] == "(childrenpresent=1) - (childrenpresent=0)"


@pytest.mark.parametrize(
    ("contrasts", "matrix"),
    [
        ("reference", [[-1, 1, 0], [-1, 0, 1]]),
        ("sequential", [[-1, 1, 0], [0, -1, 1]]),
        ("pairwise", [[-1, 1, 0], [-1, 0, 1], [0, -1, 1]]),
        ([[0.5, -1, 0.5]], [[0.5, -1, 0.5]]),
    ],
)
def test_contrasts_are_combinations_of_cells(women, weights, model, contrasts, matrix):
    at = {"hincome": [5, 15, 25]}
    cells = marginal_effects(model, *women, weights, at=at)
    found = marginal_effects(model, *women, weights, at=at, contrasts=contrasts)
    by_cell = cells.effect.reshape(3, -1, 3)
    expected = np.einsum("cr,ktr->ktc", matrix, by_cell)
    assert_allclose(found.effect, expected.reshape(3, -1), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("elasticity", ["eyex", "eydx", "dyex", True])
def test_elasticities_are_derivatives_of_logarithms(
    women, weights, model, oracle, elasticity
):
    X, y = women
    D, x = oracle.D, X["hincome"].to_numpy()
    effects = marginal_effects(model, X, y, weights, elasticity=elasticity)
    assert effects.effect.shape == (3, 1)
    assert "childrenpresent, regionBC" in effects.notes[-1]
    if elasticity == "dyex":
        check(effects, oracle, [derivative(oracle, X, "hincome", D, scale=x)])
        return

    def fn(theta):
        B = np.vstack([np.zeros(theta.shape[1]), theta])[:, 0]
        slopes = B - (probabilities(theta, D) @ B)[:, None]
        slopes = slopes if elasticity == "eydx" else slopes * x[:, None]
        return np.average(slopes, axis=0, weights=oracle.s)

    value, se = oracle.of(fn)
    assert_allclose(effects.effect[:, 0], value, rtol=1e-8)
    assert_allclose(effects.se[:, 0], se, rtol=1e-6)


def test_simulated_coefficients_spread_as_the_delta_method_says(women, exact, rng):
    X, y = women
    model = exact(alpha=0.0).fit(X, y)
    result = summary(model, X, y, base=0)
    oracle = DeltaMethod(result.coef, np.column_stack([X, np.ones(len(y))]))
    D = oracle.D
    fn = difference(
        oracle, changed(D, X, childrenpresent=1), changed(D, X, childrenpresent=0)
    )
    spread = oracle.simulated(fn, 2000, rng)
    se = marginal_effects(model, X, y).se[:, 1]
    # 2000 draws know a standard deviation to 1.6 %; the rest is curvature.
    assert_allclose(se, spread, rtol=0.07)


@pytest.mark.parametrize("options", [{}, {"discrete": False}, {"by": "x1"}])
def test_sparse_data_have_the_effects_of_dense_data(women, weights, exact, options):
    X, y = women[0].to_numpy(), women[1]
    model = exact(alpha=0.01).fit(X, y, weights)
    dense = marginal_effects(model, X, y, weights, **options)
    sparse = marginal_effects(model, csr_array(X), y, weights, **options)
    assert_allclose(sparse.effect, dense.effect, rtol=1e-8, atol=1e-12)
    assert_allclose(sparse.se, dense.se, rtol=1e-7)
    assert sparse.terms == dense.terms


@pytest.mark.parametrize("n_classes", [2, 4])
def test_many_rows_in_chunks_have_the_effects_of_whole_matrices(exact, rng, n_classes):
    n = 12_000
    X = rng.standard_normal((n, 6)) + 2.0
    X[:, 2:4] = X[:, 2:4] > 2.0
    latent = X @ rng.standard_normal((6, n_classes)) / 2
    y = (latent + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    model = exact(alpha=0.0).fit(X, y)
    result = summary(model, X, y, base=0)
    oracle = DeltaMethod(result.coef, np.column_stack([X, np.ones(n)]))
    frame = pd.DataFrame(X)
    effects = marginal_effects(model, X, y)
    for j in (0, 2):
        fn = derivative(oracle, frame, j, oracle.D)
        if j == 2:
            high, low = oracle.D.copy(), oracle.D.copy()
            high[:, j], low[:, j] = 1, 0
            fn = difference(oracle, high, low)
        value, se = oracle.of(fn)
        assert_allclose(effects.effect[:, j], value, rtol=1e-6, atol=1e-9)
        assert_allclose(effects.se[:, j], se, rtol=1e-5)


def test_robust_errors_use_the_robust_covariance(women, exact):
    X, y = women
    model = exact(alpha=0.0).fit(X, y)
    effects = marginal_effects(model, X, y, cov_type="HC1")
    result = summary(model, X, y, base=0, cov_type="HC1")
    oracle = DeltaMethod(result.coef, np.column_stack([X, np.ones(len(y))]))
    oracle.covariance = result.covariance
    value, se = oracle.of(derivative(oracle, X, "hincome", oracle.D))
    assert_allclose(effects.effect[:, 0], value, rtol=1e-7)
    assert_allclose(effects.se[:, 0], se, rtol=1e-6)


def test_samples_without_weight_are_in_no_subgroup(women, exact):
    X, y = women
    s = np.where(X["regionBC"] == 1, 0.0, 1.0)
    model = exact(alpha=0.01).fit(X, y, s)
    kept = s > 0
    ours = marginal_effects(model, X, y, s, by="childrenpresent")
    fewer = exact(alpha=0.01).fit(X[kept], y[kept])
    expected = marginal_effects(fewer, X[kept], y[kept], by="childrenpresent")
    assert_allclose(ours.effect, expected.effect, rtol=1e-6, atol=1e-9)
    given = marginal_effects(model, X, y, s, by=X["childrenpresent"].to_numpy())
    assert_allclose(given.effect, ours.effect, rtol=1e-12)
