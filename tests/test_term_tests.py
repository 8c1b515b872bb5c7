"""Type II and III tables: R's car, fits without a term, and Wald's tests."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import (
    from_formula,
    likelihood_ratio_test,
    summary,
    term_tests,
    wald_test,
)

TERMS = {"a": "a", "f": ["f2", "f3"], "a:f": ["a:f2", "a:f3"], "b": ["b"]}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    n = 300
    f = rng.integers(0, 3, n)
    X = pd.DataFrame(
        {"a": rng.normal(40, 8, n), "f2": f == 1, "f3": f == 2, "b": rng.random(n)}
    ).astype(float)
    X["a:f2"], X["a:f3"] = X["a"] * X["f2"], X["a"] * X["f3"]
    Z = np.column_stack([0.05 * X["a"], 0.5 * X["f2"] + 2, 0.02 * X["a:f3"] + X["b"]])
    return X, (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)


@pytest.fixture(scope="module")
def model(data, exact):
    return exact(alpha=0.0).fit(*data)


def loglik(columns, data):
    X, y = data[0][columns], data[1]
    model = SoftmaxRegressionClassifier(alpha=0.0, tol=1e-12).fit(X, y)
    return summary(model, X, y)


def test_women_s_labour_force_has_the_table_of_car(load_table, exact):
    # Anova(multinom(partic ~ hincome + children)): M. Friendly, Psychology 6136,
    # "Fit models for women's labor force participation", section "Anova tests",
    # euclid.psych.yorku.ca/www/psy6136/R/output/wlf-glogit.html. car 3.1-1 and
    # nnet 7.3-18 give the same (tests/data/reference.R).
    table = load_table("womenlf.csv")
    names = ["hincome", "childrenpresent"]
    X = np.column_stack([table[name].astype(float) for name in names])
    y = table["partic"]
    tests = term_tests(exact(alpha=0.0).fit(X, y), X, y)
    assert list(tests.statistic.round(3)) == [15.153, 63.559]
    assert list(tests.df) == [2, 2]
    assert f"{tests.p_value[0]:.7f}" == "0.0005123"
    assert f"{tests.p_value[1]:.3e}" == "1.579e-14"


def test_type_two_leaves_out_the_terms_that_contain_a_term(data, model):
    tests = term_tests(model, *data, terms=TERMS)
    everything = loglik(list(data[0]), data)
    main = loglik(["a", "f2", "f3", "b"], data)
    expected = [
        likelihood_ratio_test(loglik(["f2", "f3", "b"], data), main),
        likelihood_ratio_test(loglik(["a", "b"], data), main),
        likelihood_ratio_test(main, everything),
        likelihood_ratio_test(
            loglik(["a", "f2", "f3", "a:f2", "a:f3"], data), everything
        ),
    ]
    assert tests.labels == ["a", "f", "a:f", "b"]
    assert list(tests.df) == [test.df for test in expected] == [2, 4, 4, 2]
    assert_allclose(tests.statistic, [t.statistic for t in expected], atol=1e-6)
    assert_allclose(tests.p_value, [t.p_value for t in expected], rtol=1e-5)


def test_type_three_leaves_out_one_term_of_the_whole_model(data, model):
    tests = term_tests(model, *data, terms=TERMS, kind="III")
    everything = loglik(list(data[0]), data)
    for number, columns in enumerate(TERMS.values()):
        others = [name for name in data[0] if name not in np.atleast_1d(columns)]
        expected = likelihood_ratio_test(loglik(others, data), everything)
        assert_allclose(tests.statistic[number], expected.statistic, atol=1e-6)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1"])
def test_wald_s_tests_of_type_three_are_those_of_the_summary(data, model, cov_type):
    tests = term_tests(
        model, *data, terms=TERMS, kind="III", test="wald", cov_type=cov_type
    )
    result = summary(model, *data, cov_type=cov_type)
    for number, columns in enumerate(TERMS.values()):
        expected = wald_test(result, list(np.atleast_1d(columns)))
        assert_allclose(tests.statistic[number], expected.statistic, rtol=1e-8)
        assert tests.df[number] == expected.df


def test_wald_s_tests_of_type_two_are_conditional_on_the_terms_that_contain(
    data, model
):
    """The estimate of a, given that a:f is zero, is that of the quadratic model."""
    tests = term_tests(model, *data, terms=TERMS, test="wald")
    result = summary(model, *data, base=0)
    places = {name: result.terms.index(name) for name in data[0]}
    at = lambda *names: [7 * k + places[n] for k in range(2) for n in names]  # noqa: E731
    tested, zero = at("a"), at("a:f2", "a:f3")
    V, b = result.covariance, result.coef.ravel()
    projection = V[np.ix_(tested, zero)] @ np.linalg.inv(V[np.ix_(zero, zero)])
    given = b[tested] - projection @ b[zero]
    V_given = V[np.ix_(tested, tested)] - projection @ V[np.ix_(zero, tested)]
    expected = given @ np.linalg.solve(V_given, given)
    assert_allclose(tests.statistic[0], expected, rtol=1e-6)


def test_without_terms_each_column_is_one(data, model):
    tests = term_tests(model, *data)
    assert tests.labels == list(data[0])
    assert list(tests.df) == [2] * 6
    frame = tests.to_frame()
    assert_allclose(frame["statistic"], tests.statistic)
    assert "Type II likelihood-ratio tests" in str(tests)
    assert tests.to_markdown().count("\n") == 7


def test_the_terms_of_a_formula_are_known(data):
    pytest.importorskip("formulaic")
    X, y = data
    frame = X[["a", "b"]].assign(
        f=np.select([X["f2"] == 1, X["f3"] == 1], ["two", "x3"], "one"), y=y
    )
    fit = from_formula("y ~ a * C(f) + b", frame)
    found = term_tests(*fit.arguments).to_frame()
    model = SoftmaxRegressionClassifier(alpha=0.0, tol=1e-12).fit(X, y)
    expected = term_tests(model, X, y, terms=TERMS).to_frame()
    names = {"a": "a", "C(f)": "f", "a:C(f)": "a:f", "b": "b"}
    assert set(found.index) == set(names)
    for theirs, ours in names.items():
        assert_allclose(found.loc[theirs], expected.loc[ours], rtol=1e-4)


@pytest.mark.parametrize("drop", ["first", "if_binary"])
def test_the_factors_that_an_encoder_makes_are_known(data, drop):
    X, y = data
    levels = np.select([X["f2"] == 1, X["f3"] == 1], ["two", "x_3"], "one")
    frame = X[["a", "b"]].assign(f=levels, g=np.where(X["b"] > 0.5, "u", "v"))
    encoder = OneHotEncoder(drop=drop)
    columns = make_column_transformer((encoder, ["f", "g"]), remainder="passthrough")
    classifier = SoftmaxRegressionClassifier(alpha=0.0, fit_intercept=drop == "first")
    pipeline = make_pipeline(columns, classifier).fit(frame, y)
    tests = term_tests(pipeline, frame, y)
    assert tests.labels == ["f", "g", "remainder__a", "remainder__b"]
    assert list(tests.df) == [4 if drop == "first" else 6, 2, 2, 2]


def test_a_model_without_a_constant_may_lose_its_only_column(data, exact):
    X, y = data[0][["b"]], data[1]
    model = exact(alpha=0.0, fit_intercept=False).fit(X, y)
    tests = term_tests(model, X, y)
    expected = 2 * (summary(model, X, y).loglik + len(y) * np.log(3))
    assert_allclose(tests.statistic, expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"a": "age"}, r"terms\['a'\] must name columns among .* got \['age'\]"),
        ({"a": []}, r"terms\['a'\] must name columns"),
        ({"a": "a", "b": ["a", "b"]}, r"has the columns \['a'\] more than once"),
        ({"a": "intercept"}, "must name columns"),
        ({}, "terms must hold at least one term"),
        (["a"], "terms must be a dict"),
    ],
)
def test_terms_that_name_no_columns_are_refused(data, model, terms, message):
    with pytest.raises((ValueError, TypeError), match=message):
        term_tests(model, *data, terms=terms)


def test_what_has_no_likelihood_ratio_is_refused(data, model):
    X, y = data
    with pytest.raises(ValueError, match="cov_type='HC0' needs test='wald'"):
        term_tests(model, X, y, cov_type="HC0")
    s = np.linspace(0.5, 1.5, len(y))
    weighted = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y, s)
    with pytest.raises(ValueError, match=r"test='lr' needs a likelihood without impo"):
        term_tests(weighted, X, y, s)
    assert np.isfinite(term_tests(weighted, X, y, s, test="wald").statistic).all()
    with pytest.raises(ValueError, match="kind must be one of"):
        term_tests(model, X, y, kind="I")
