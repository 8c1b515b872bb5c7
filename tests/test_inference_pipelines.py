"""Inference for pipelines: the same numbers as for designs by hand."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import (
    from_formula,
    marginal_effects,
    predictions,
    summary,
    term_tests,
    wald_test,
)

DUMMIES = ["middle", "high"]


def encoded(**options):
    encoder = OneHotEncoder(
        categories=[["low", *DUMMIES]], drop="first", sparse_output=False
    )
    return make_column_transformer((encoder, ["ses"]), **options)


def fitted(students, *steps):
    model = SoftmaxRegressionClassifier(alpha=0.0, tol=1e-14, max_iter=10_000)
    return make_pipeline(*steps, model).fit(
        students[["ses", "write"]], students["prog"]
    )


@pytest.fixture(
    scope="module", params=["passthrough", "scaled", "pandas", "imputed", "search"]
)
def pipeline(request, students):
    """Pipelines that make the same model of the columns ses and write."""
    X = students[["ses", "write"]]
    if request.param == "passthrough":
        return fitted(students, encoded(remainder="passthrough"))
    if request.param == "scaled":
        return fitted(students, encoded(remainder="passthrough"), StandardScaler())
    if request.param == "pandas":
        step = encoded(remainder="passthrough", verbose_feature_names_out=False)
        return fitted(students, step.set_output(transform="pandas"))
    if request.param == "imputed":
        encoder = OneHotEncoder(drop="first", categories=[["low", *DUMMIES]])
        factor = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
        return fitted(
            students,
            ColumnTransformer(
                [("f", factor, [0]), ("n", SimpleImputer(), [1])], sparse_threshold=0.0
            ),
        )
    search = GridSearchCV(
        make_pipeline(
            encoded(remainder="passthrough"),
            SoftmaxRegressionClassifier(alpha=0.0, tol=1e-14),
        ),
        {"softmaxregressionclassifier__alpha": [0.0]},
        cv=2,
    )
    return search.fit(X, students["prog"])


def test_effects_of_a_pipeline_are_those_of_its_columns(students, by_hand, pipeline):
    X, y, model = by_hand
    expected = marginal_effects(model, X, y, groups_of_columns={"ses": DUMMIES})
    found = marginal_effects(pipeline, students[["ses", "write"]], y)
    assert found.terms == ["ses: middle - low", "ses: high - low", "write"]
    order = [expected.index["variable"].index("ses"), 2, 0]
    order = [expected.terms.index(f"ses: {name} - reference") for name in DUMMIES]
    order.append(expected.terms.index("write"))
    assert_allclose(found.effect, expected.effect[:, order], rtol=1e-6, atol=1e-10)
    assert_allclose(found.se, expected.se[:, order], rtol=1e-6)


def test_predictions_of_a_pipeline_take_raw_profiles(students, by_hand, pipeline):
    X, y, model = by_hand
    raw = students[["ses", "write"]]
    profiles = pd.DataFrame({"ses": ["low", "high"], "write": [40.0, 60.0]})
    dummies = pd.DataFrame([[0.0, 0.0, 40.0], [0.0, 1.0, 60.0]], columns=X.columns)
    found = predictions(pipeline, profiles, raw, y)
    expected = predictions(model, dummies, X, y)
    assert found.terms == ["ses=low, write=40", "ses=high, write=60"]
    assert_allclose(found.probability, expected.probability, rtol=1e-7)
    assert_allclose(found.se, expected.se, rtol=1e-6)
    margins = predictions(pipeline, None, raw, y, at={"ses": ["low", "high"]})
    setting = pd.DataFrame({"middle": [0.0, 0.0], "high": [0.0, 1.0]})
    expected = predictions(model, None, X, y, at=setting)
    assert_allclose(margins.probability, expected.probability, rtol=1e-7)
    assert_allclose(margins.se, expected.se, rtol=1e-6)


def test_summaries_and_tests_of_a_pipeline_name_its_columns(
    students, by_hand, pipeline
):
    _, y, model = by_hand
    result = summary(pipeline, students[["ses", "write"]], y, base="academic")
    *names, last, intercept = result.terms
    assert [name.rpartition("_")[2] for name in names] == DUMMIES
    assert last.rpartition("__")[2] == "write"
    assert intercept == "intercept"
    expected = wald_test(summary(model, by_hand[0], y), "write")
    assert_allclose(wald_test(result, last).statistic, expected.statistic, rtol=1e-6)


def test_by_names_raw_columns(students, by_hand, pipeline):
    X, y, model = by_hand
    found = marginal_effects(pipeline, students[["ses", "write"]], y, by="ses")
    expected = marginal_effects(model, X, y, by=students["ses"].to_numpy())
    assert found.index["ses"][:3] == ["high", "low", "middle"]
    assert_allclose(
        found.effect[:, -3:], expected.effect[:, -3:], rtol=1e-6, atol=1e-10
    )
    assert_allclose(found.se[:, -3:], expected.se[:, -3:], rtol=1e-6)


def test_at_the_mean_factors_have_their_most_frequent_level(
    students, by_hand, pipeline
):
    X, y, model = by_hand
    raw = students[["ses", "write"]]
    found = marginal_effects(pipeline, raw, y, at="mean")
    at = {"middle": 1, "high": 0, "write": X["write"].mean()}
    expected = marginal_effects(model, X, y, at=at)
    assert_allclose(found.effect[:, -1], expected.effect[:, -1], rtol=1e-6)
    assert_allclose(found.se[:, -1], expected.se[:, -1], rtol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_columns_have_the_same_effects_through_a_step_that_changes_nothing(exact, seed):
    """Two ways to the same numbers: moves of working rows, and rows made again."""
    rng = np.random.default_rng(seed)
    n, p, n_classes = rng.integers([60, 2, 2], [200, 5, 5])
    X = rng.standard_normal((n, p)) * rng.choice([1, 100, 0.01], p)
    X[:, 1:] = np.where(rng.random(p - 1) < 0.5, rng.random((n, 1)) < 0.5, X[:, 1:])
    y = (rng.gumbel(size=(n, n_classes)) + X[:, :1] / X[:, :1].std()).argmax(axis=1)
    s = np.where(rng.random(n) < 0.1, 0, rng.uniform(0.5, 2.0, n))
    model = exact(alpha=0.01, fit_intercept=bool(seed % 2)).fit(X, y, s)
    pipeline = make_pipeline(FunctionTransformer(), model)
    at = {"x0": X[:2, 0].tolist()}
    for options in (
        {"at": ["overall", "mean", at][seed % 3]},
        {"at": at, "by": rng.integers(0, 2, n), "contrasts": "sequential"},
        {"at": at, "discrete": {"x0": "sd"}},
        {"at": at, "discrete": False, "elasticity": ["eyex", "eydx", "dyex"][seed % 3]},
    ):
        direct = marginal_effects(model, X, y, s, **options)
        through = marginal_effects(pipeline, X, y, s, **options)
        assert direct.terms == through.terms
        for a, b in ((direct.effect, through.effect), (direct.se, through.se)):
            assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(a).max())


def powers_by_hand(students, exact):
    X = np.column_stack([students["write"], students["write"] ** 2])
    model = exact(alpha=0.0).fit(X, students["prog"])
    P, w = model.predict_proba(X), X[:, :1]
    slopes = model.coef_[:, 0] + 2.0 * w * model.coef_[:, 1]
    means = np.sum(P * slopes, axis=1, keepdims=True)
    return np.mean(P * (slopes - means), axis=0)


def test_powers_of_a_column_are_one_variable(students, exact):
    expected = powers_by_hand(students, exact)
    raw, y = students[["write"]].to_numpy(), students["prog"]
    steps = PolynomialFeatures(2, include_bias=False), StandardScaler()
    model = make_pipeline(*steps, exact(alpha=0.0)).fit(raw, y)
    effects = marginal_effects(model, raw, y)
    assert effects.terms == ["x0"]
    assert_allclose(effects.effect[:, 0], expected, rtol=1e-6)
    formula = from_formula("prog ~ write + I(write ** 2)", students, estimator=exact())
    formula = from_formula(
        "prog ~ write + I(write ** 2)", students, estimator=exact(alpha=0.0)
    )
    assert_allclose(formula.marginal_effects().effect[:, 0], expected, rtol=1e-6)


def test_columns_that_a_pipeline_drops_have_no_effect(students):
    step = make_column_transformer((StandardScaler(), ["write"]))
    raw, y = students[["ses", "write"]], students["prog"]
    model = make_pipeline(step, SoftmaxRegressionClassifier(alpha=0.0)).fit(raw, y)
    assert marginal_effects(model, raw, y).terms == ["write"]
    by = marginal_effects(model, raw, y, by="ses")
    assert by.index["ses"] == ["high", "low", "middle"]


def test_pipelines_without_names_number_their_columns(students):
    raw, y = students[["write"]].to_numpy(), students["prog"]
    step = FunctionTransformer(np.log)
    model = make_pipeline(step, SoftmaxRegressionClassifier(alpha=0.0)).fit(raw, y)
    assert summary(model, raw, y).terms == ["x0", "intercept"]
    effects = marginal_effects(model, raw, y, elasticity="dyex")
    logs = np.log(raw)
    plain = SoftmaxRegressionClassifier(alpha=0.0).fit(logs, y)
    expected = marginal_effects(plain, logs, y)  # dp / d log x
    assert_allclose(effects.effect, expected.effect, rtol=1e-6)
    assert_allclose(effects.se, expected.se, rtol=1e-6)


def test_pipelines_of_polars_frames_are_taken(students, by_hand):
    _, y, _ = by_hand
    raw = students[["ses", "write"]]
    model = fitted(students, encoded(remainder="passthrough"))
    expected = marginal_effects(model, raw, y, by="ses")
    found = marginal_effects(model, pl.from_pandas(raw), y, by="ses")
    assert_allclose(found.effect, expected.effect, rtol=1e-10)
    profiles = pl.DataFrame({"ses": ["low"], "write": [50]})
    margins = predictions(model, profiles, raw, y)
    assert margins.terms == ["profile 0"]


# Levels that no row of the fit had


UNKNOWN = (
    r"Column '%s' has the values \[%s\], which the data of the fit have not\. Levels of"
    r" this factor are \[%s\]\."
)


@pytest.fixture(scope="module")
def two_factors(students):
    """Rows with two factors and a number, and the programmes."""
    third = np.arange(len(students)) % 3
    raw = students[["ses", "write"]].assign(
        town=np.array(["x", "y", "z"], dtype=object)[third]
    )
    return raw, students["prog"]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.from_pandas, np.asarray])
@pytest.mark.parametrize("number", [0, 2])
def test_unknown_levels_are_named_with_their_column(two_factors, kind, number):
    raw, y = two_factors
    step = make_column_transformer(
        (OneHotEncoder(drop="first"), [0, 2]), remainder="passthrough"
    )
    model = make_pipeline(step, SoftmaxRegressionClassifier(alpha=0.1))
    model.fit(raw.to_numpy() if kind is np.asarray else raw, y)
    profiles = raw.iloc[:3].copy()
    profiles.iloc[1, number] = "none"
    levels = ["'low', 'middle', 'high'", "", "'x', 'y', 'z'"][number]
    levels = ", ".join(sorted(levels.split(", ")))
    name = f"x{number}" if kind is np.asarray else raw.columns[number]
    message = UNKNOWN % (name, "'none'", levels)
    rows = kind(profiles)
    for call in (
        lambda: predictions(model, rows, kind(raw), y),
        lambda: predictions(model, rows, kind(raw), y, average=True),
    ):
        with pytest.raises(ValueError, match=f"X_profiles: {message}"):
            call()
    with pytest.raises(ValueError, match=message):
        summary(model, rows, y[:3])
    with pytest.raises(ValueError, match=message):
        marginal_effects(model, rows, y[:3])
    with pytest.raises(ValueError, match=rf"at\['{name}'\] must be one of"):
        marginal_effects(model, kind(raw), y, at={name: "none"})


def test_unknown_levels_are_named_where_all_columns_are_encoded(two_factors):
    raw, y = two_factors
    numbers = raw[["ses"]].assign(size=raw["town"].map({"x": 1, "y": 2, "z": 3}))
    steps = OneHotEncoder(), SoftmaxRegressionClassifier(alpha=0.1)
    model = make_pipeline(*steps).fit(numbers, y)
    for value, shown in ((7, "7.0"), (2.5, "2.5")):
        with pytest.raises(ValueError, match=UNKNOWN % ("size", shown, "1, 2, 3")):
            predictions(model, numbers.head(2).assign(size=value), numbers, y)
    # Numbers where the encoder knows text, for which it has a TypeError.
    with pytest.raises(ValueError, match=r"Column 'ses' has the values \[1.0\]"):
        predictions(model, numbers.head(2).assign(ses=1), numbers, y)
    many = numbers.head(20).assign(ses=[f"level {i}" for i in range(20)])
    with pytest.raises(ValueError, match=r"'level 9'\] and others, which the data"):
        predictions(model, many, numbers, y)
    hole = numbers.head(2).assign(ses=["low", np.nan])
    with pytest.raises(ValueError, match="Input column 'ses' contains NaN in row 1"):
        predictions(model, hole, numbers, y)


def test_errors_of_other_steps_stay_as_they_are(students):
    def refuse(X):
        if len(X) < 5:
            raise ValueError("five rows at least")
        return X

    raw, y = students[["ses", "write"]], students["prog"]
    steps = FunctionTransformer(refuse), encoded(remainder="passthrough")
    model = fitted(students, *steps)
    with pytest.raises(ValueError, match="X_profiles: five rows at least"):
        predictions(model, raw.head(2).assign(ses="none"), raw, y)


def test_profiles_of_pipelines_need_numbers_where_the_fit_had_them(students):
    raw, y = students[["ses", "write"]], students["prog"]
    model = fitted(students, encoded(remainder="passthrough"))
    text = raw.head(2).assign(write=["40", "forty"])
    with pytest.raises(ValueError, match="X_profiles, column 'write': could not"):
        predictions(model, text, raw, y)
    for value in (np.nan, np.inf):
        rows = raw.head(2).assign(write=[40.0, value])
        with pytest.raises(ValueError, match=r"X_profiles: its columns \['write'\]"):
            predictions(model, rows, raw, y)
    logs = make_column_transformer((FunctionTransformer(np.log), ["write"]))
    model = fitted(students, logs)
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match="X_profiles: the values are outside of what"),
    ):
        predictions(model, raw.head(2).assign(write=-1.0), raw, y)


def test_profiles_may_miss_what_a_pipeline_fills_in(students):
    raw, y = students[["ses", "write"]], students["prog"]
    step = make_column_transformer((SimpleImputer(strategy="mean"), ["write"]))
    model = fitted(students, step)
    mean = raw["write"].mean()
    found = predictions(model, raw.head(1).assign(write=np.nan), raw, y)
    expected = predictions(model, raw.head(1).assign(write=mean), raw, y)
    assert_allclose(found.probability, expected.probability, rtol=1e-12)


# Encoders behind other steps


def behind(students, *steps):
    """Both columns, and a third that is text too."""
    raw = students.assign(town=np.array(["x", "y"])[np.arange(len(students)) % 2])
    raw = raw[["write", "ses", "town"]]
    model = SoftmaxRegressionClassifier(alpha=0.0, tol=1e-14, max_iter=10_000)
    return raw, make_pipeline(*steps, model).fit(raw, students["prog"])


def test_factors_are_found_behind_steps_that_change_the_order(students):
    y, drop = students["prog"], OneHotEncoder(drop="first")
    _, direct = behind(
        students,
        make_column_transformer((drop, ["ses", "town"]), remainder="passthrough"),
    )
    fill = SimpleImputer(strategy="most_frequent")
    first = make_column_transformer((fill, ["town", "ses"]), (SimpleImputer(), [0]))
    named = make_column_transformer(
        ("passthrough", ["town", "ses"]), remainder="passthrough"
    ).set_output(transform="pandas")
    names = ["passthrough__ses", "passthrough__town"]
    for steps in (
        (first, make_column_transformer((drop, [0, 1]), remainder=StandardScaler())),
        (named, make_column_transformer((drop, names), remainder="passthrough")),
        (None, "passthrough", named, make_column_transformer((drop, names))),
    ):
        raw, model = behind(students, *steps)
        found = marginal_effects(model, raw, y)
        factors = ["ses: low - high", "ses: middle - high", "town: y - x"]
        assert found.terms == ["write", *factors]
        if None not in steps:
            expected = marginal_effects(direct, raw, y)
            assert_allclose(found.effect, expected.effect, rtol=1e-6, atol=1e-10)
            assert_allclose(found.se, expected.se, rtol=1e-6)
            df = term_tests(model, raw, y).to_frame()["df"]
            assert sorted(df) == [2, 2, 4]  # the dummies of ses are one term
        at = predictions(model, None, raw, y, at={"ses": "low", "town": "x"})
        own = model.predict_proba(raw.assign(ses="low", town="x")).mean(axis=0)
        assert_allclose(at.probability[:, 0], own, rtol=1e-10)


def test_levels_that_a_step_has_made_are_not_those_of_the_column(students):
    """Numbers of bins, and text in capitals, which X does not have."""
    raw, y = students[["write"]], students["prog"]
    bins = KBinsDiscretizer(3, encode="ordinal", strategy="uniform")
    steps = bins, OneHotEncoder(drop="first")
    model = make_pipeline(*steps, SoftmaxRegressionClassifier(alpha=0)).fit(raw, y)
    found = marginal_effects(model, raw, y, discrete={"write": (40, 60)})
    assert found.terms == ["write: 60 - 40"]
    high, low = (model.predict_proba(raw * 0.0 + x).mean(axis=0) for x in (60, 40))
    assert_allclose(found.effect[:, 0], high - low, rtol=1e-10)

    def upper(X):
        return X.apply(lambda column: column.str.upper())

    raw = students[["ses"]]
    step = FunctionTransformer(upper, feature_names_out="one-to-one")
    model = make_pipeline(
        step, OneHotEncoder(drop="first"), SoftmaxRegressionClassifier(alpha=0)
    ).fit(raw, y)
    found = marginal_effects(model, raw, y)
    assert found.terms == ["ses: low - high", "ses: middle - high"]
    high, low = (model.predict_proba(raw.assign(ses=x)) for x in ("high", "low"))
    assert_allclose(found.effect[:, 0], (low - high).mean(axis=0), rtol=1e-8)


def test_profiles_without_rows_are_refused_and_arrays_have_the_names_of_x(students):
    raw, y = students[["write"]], students["prog"]
    model = fitted(students, make_column_transformer((StandardScaler(), [1])))
    both = students[["ses", "write"]]
    with pytest.raises(ValueError, match="X_profiles must have a row for each"):
        predictions(model, both.head(0), both, y)
    plain = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(alpha=0.0))
    plain.fit(raw.to_numpy(), y)
    found = predictions(plain, [[40.0], [60.0]], raw.to_numpy(), y)
    assert found.terms == ["x0=40", "x0=60"]


@pytest.mark.parametrize("dtype", ["string", object])
def test_missing_levels_that_are_filled_in_are_no_levels(students, dtype):
    raw = students[["ses", "write"]].copy()
    raw["ses"] = raw["ses"].astype(dtype).where(raw.index % 7 > 0, None)
    raw["ses"] = raw["ses"].where(
        raw["ses"].notna(), np.nan if dtype is object else pd.NA
    )
    fill = SimpleImputer(strategy="most_frequent", missing_values=pd.NA)
    if dtype is object:
        fill.set_params(missing_values=np.nan)
    factor = make_pipeline(fill, OneHotEncoder(drop="first"))
    step = make_column_transformer((factor, ["ses"]), remainder="passthrough")
    model = fitted(raw.assign(prog=students["prog"]), step)
    found = marginal_effects(model, raw, students["prog"])
    assert found.terms == ["ses: low - high", "ses: middle - high", "write"]
    with pytest.raises(ValueError, match=r"Column 'ses' has the values \['none'\]"):
        predictions(model, raw.head(3).assign(ses="none"), raw, students["prog"])


@pytest.mark.parametrize(
    "columns",
    [["ses"], [1], [-1], slice("ses", None), slice(1, 2), [False, True]],
)
def test_columns_of_a_step_may_be_chosen_in_all_ways(students, by_hand, columns):
    raw, y = students[["write", "ses"]], students["prog"]
    encoder = OneHotEncoder(drop="first", categories=[["low", *DUMMIES]])
    step = ColumnTransformer([("f", encoder, columns)], remainder="passthrough")
    model = make_pipeline(step, SoftmaxRegressionClassifier(alpha=0.0, tol=1e-14))
    found = marginal_effects(model.fit(raw, y), raw, y)
    assert found.terms == ["write", "ses: middle - low", "ses: high - low"]
    expected = marginal_effects(by_hand[2], *by_hand[:2])
    column = expected.terms.index("write")
    assert_allclose(found.effect[:, 0], expected.effect[:, column], rtol=1e-6)
