"""Models of formulas: the same numbers as for designs by hand."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import from_formula, marginal_effects, summary

DUMMIES = ["middle", "high"]


@pytest.fixture(scope="module")
def formula_model(students, exact):
    formula = "prog ~ C(ses, contr.treatment('low')) + write"
    return from_formula(formula, students, estimator=exact(alpha=0.0))


def test_a_formula_has_r_s_coefficients(formula_model):
    """tests/data/reference.R: multinom of nnet 7.3-18, fitted to convergence."""
    result = formula_model.summary()
    assert result.base == "academic"
    *factor, write, intercept = result.terms
    assert [write, intercept] == ["write", "intercept"]
    assert ["high" in name for name in factor] == [True, False]
    of_r = [
        [-1.162832009, -0.533291015, -0.0579284106, 2.85218629],
        [-0.982670344, 0.291393119, -0.1136026420, 5.21820025],
    ]
    assert_allclose(result.coef, of_r, rtol=1e-6)


def test_a_formula_has_the_effects_of_a_design_by_hand(formula_model, by_hand):
    X, y, model = by_hand
    found = formula_model.marginal_effects(cov_type="HC1")
    assert found.terms == ["ses: high - low", "ses: middle - low", "write"]
    expected = marginal_effects(
        model, X, y, groups_of_columns={"ses": DUMMIES[::-1]}, cov_type="HC1"
    )
    order = [
        expected.terms.index("ses: high - reference"),
        expected.terms.index("ses: middle - reference"),
        expected.terms.index("write"),
    ]
    assert_allclose(found.effect, expected.effect[:, order], rtol=1e-6, atol=1e-10)
    assert_allclose(found.se, expected.se[:, order], rtol=1e-6)


def test_interactions_in_a_formula_move_with_their_columns(students, exact):
    model = from_formula("prog ~ ses * write", students, estimator=exact(alpha=0.0))
    found = model.marginal_effects()
    assert found.terms == ["ses: low - high", "ses: middle - high", "write"]
    high, low = (
        model.pipeline.predict_proba(students.assign(ses=level)).mean(axis=0)
        for level in ("middle", "high")
    )
    assert_allclose(found.effect[:, 1], high - low, rtol=1e-8)
    h = 1e-4
    up, down = (
        model.pipeline.predict_proba(students.assign(write=students["write"] + t))
        for t in (h, -h)
    )
    slopes = (up - down).mean(axis=0) / (2 * h)
    assert_allclose(found.effect[:, 2], slopes, rtol=1e-6)
    # The standard errors by differences of the average, for the first coefficient.
    assert (found.se > 0).all()


@pytest.mark.parametrize(
    "formula", ["prog ~ 0 + ses + write", "prog ~ ses + write - 1"]
)
def test_a_formula_without_constant_fits_none_and_codes_all_levels(
    students, by_hand, formula, exact
):
    model = from_formula(formula, students, estimator=exact(alpha=0.0))
    assert not model.classifier.fit_intercept
    assert model.design.shape[1] == 4
    P = model.pipeline.predict_proba(students)
    assert_allclose(P, by_hand[2].predict_proba(by_hand[0]), rtol=1e-6)


def test_a_formula_s_constant_is_the_intercept(students):
    for formula in ("prog ~ 1 + write", "prog ~ write"):
        model = from_formula(formula, students)
        assert model.classifier.fit_intercept
        assert list(model.design.columns) == ["write"]


def test_a_dot_stands_for_all_other_columns(students):
    model = from_formula("prog ~ .", students)
    assert model.pipeline[0].variables_ == ["ses", "write"]


def test_weights_and_groups_may_name_columns(students, exact):
    rng = np.random.default_rng(0)
    data = students.assign(
        w=rng.uniform(0.5, 2.0, len(students)), school=np.arange(len(students)) % 20
    )
    options = {"cov_type": "cluster", "groups": "school"}
    estimator = exact(alpha=0.0)
    model = from_formula("prog ~ write", data, "w", estimator=estimator)
    X = data[["write"]]
    plain = exact(alpha=0.0).fit(X, data["prog"], data["w"])
    options["groups"] = data["school"]
    expected = summary(plain, X, data["prog"], data["w"], base="academic", **options)
    options["groups"] = "school"
    assert_allclose(model.summary(**options).se, expected.se, rtol=1e-6)
    assert model.marginal_effects(by="school").effect.shape == (3, 20)


def test_the_first_level_of_an_ordered_target_is_the_base(students):
    order = ["vocation", "general", "academic"]
    data = students.assign(prog=pd.Categorical(students["prog"], order))
    assert from_formula("prog ~ write", data).summary().base == "vocation"


def test_frames_of_polars_have_formulas(students, formula_model):
    model = from_formula("prog ~ ses + write", pl.from_pandas(students))
    P = model.pipeline.predict_proba(students)
    expected = formula_model.pipeline.predict_proba(students)
    assert_allclose(P, expected, rtol=1e-4)
    profiles = pl.DataFrame({"ses": ["low"], "write": [50.0]})
    assert model.predictions(profiles).probability.shape == (3, 1)


def test_functions_of_the_context_may_be_used(students):
    model = from_formula(
        "prog ~ half(write)", students, context={"half": lambda x: x / 2}
    )
    expected = from_formula("prog ~ write", students).marginal_effects()
    assert_allclose(model.marginal_effects().effect, expected.effect, rtol=1e-4)


def test_a_model_of_a_formula_survives_pickling(formula_model, students):
    again = pickle.loads(pickle.dumps(formula_model))
    assert str(again.marginal_effects()) == str(formula_model.marginal_effects())
    assert repr(again) == repr(formula_model)


def test_a_study_from_formula_to_table_and_plot_has_twelve_lines_at_most():
    """The page is run by the suite; here its lines are counted."""
    page = Path(__file__).parents[1] / "docs" / "inference.md"
    text = page.read_text(encoding="utf-8")
    study = (
        text.partition("## A study")[2].partition("```python\n")[2].partition("```")[0]
    )
    for step in ("from_formula", "exponentiate", "HC1", "marginal_effects", "to_latex"):
        assert step in study
    assert "PredictionDisplay(shares).plot()" in study
    assert 0 < study.count(">>> ") + study.count("... ") <= 12


def test_splines_keep_the_knots_of_the_fit(students):
    model = from_formula("prog ~ bs(write, df=4)", students)
    P = model.pipeline.predict_proba(students)
    assert_allclose(model.pipeline.predict_proba(students.iloc[:7]), P[:7], rtol=1e-12)
    assert model.predictions(students.iloc[:2]).probability.shape == (3, 2)


# Columns that are not smooth everywhere


@pytest.mark.parametrize("term", ["bs(write, df=5)", "bs(write, knots=[50, 60])"])
def test_splines_have_effects_up_to_the_ends_of_the_data(students, exact, term):
    """Beyond the ends formulaic refuses values; at them slopes are one-sided."""
    estimator = exact(alpha=0.0)
    model = from_formula(f"prog ~ {term} + ses", students, estimator=estimator)
    x = students["write"]
    up, down = (np.clip(x + h, x.min(), x.max()) for h in (1e-4, -1e-4))
    rise = np.subtract(
        *(model.pipeline.predict_proba(students.assign(write=v)) for v in (up, down))
    )
    slopes = rise / (up - down).to_numpy()[:, None]
    found = model.marginal_effects()
    column = found.terms.index("write")
    assert_allclose(found.effect[:, column], slopes.mean(axis=0), rtol=1e-5)
    assert (found.se[:, column] > 0).all()
    last = model.marginal_effects(at={"write": float(x.max())})
    own = students.assign(write=x.max())
    rise = model.pipeline.predict_proba(own)
    rise = rise - model.pipeline.predict_proba(own.assign(write=x.max() - 1e-4))
    assert_allclose(last.effect[:, column], rise.mean(axis=0) / 1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="extend beyond"):
        model.marginal_effects(at={"write": 1000.0})


@pytest.mark.parametrize(
    ("right", "of_r"),
    [
        ("bs(write, df=4) + ses", -178.9751562),
        ("poly(write, 2) * ses", -173.0486417),
        ("I(write ** 2) + ses:write", -180.1773999),
    ],
)
def test_terms_span_the_same_models_as_in_r(students, exact, right, of_r):
    """Log-likelihoods of multinom, nnet 7.3-18, with reltol=1e-15."""
    model = from_formula(f"prog ~ {right}", students, estimator=exact(alpha=0.0))
    assert_allclose(model.summary().loglik, of_r, rtol=1e-9)


def test_infinite_slopes_and_jumps_are_refused(students):
    raw, y = students[["write"]], students["prog"]
    from_zero = raw - raw.min()
    model = SoftmaxRegressionClassifier(alpha=0.1)
    for step, X in (
        (FunctionTransformer(np.sqrt), from_zero),
        (FunctionTransformer(lambda X: (X >= 52) * 1.0), raw),  # some rows have 52
    ):
        pipeline = make_pipeline(step, model).fit(X, y)
        with (
            np.errstate(invalid="ignore"),
            pytest.raises(ValueError, match="column 'write' of X has no derivative"),
        ):
            marginal_effects(pipeline, X, y)
    assert marginal_effects(pipeline, raw, y, discrete={"write": 10}).effect.all()


def test_derivatives_of_jumps_between_the_rows_have_a_note(students):
    model = from_formula("prog ~ I(write > 50.5) + ses", students)
    found = model.marginal_effects()
    assert not found.effect[:, found.terms.index("write")].any()
    assert "jumps only: write. Use discrete" in found.notes[0]
    stepped = model.marginal_effects(discrete={"write": (50, 51)})
    assert stepped.notes == []
    assert stepped.effect.all()


# Formulas that are refused, and levels without rows


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("prog ~ write | ses", r"must have one right side, without '\|'"),
        ("prog ~ write + prog", "names its target 'prog' on the right side"),
        ("prog ~ day", "makes no numbers of the columns of types {'day': 'datetime64"),
        ("prog ~ span", "makes the column 'span' of type timedelta64.*, which is no"),
        ("prog ~ write", "data has more than one column 'write'"),
    ],
)
def test_formulas_that_cannot_be_used_say_why(students, formula, message):
    days = pd.date_range("2020-01-01", periods=len(students))
    data = students.assign(day=days, span=days - days[0])
    if "more than one" in message:
        data = pd.concat([data, data[["write"]]], axis=1)
    with pytest.raises(ValueError, match=message):
        from_formula(formula, data)


def test_levels_that_no_row_has_are_left_out(students, exact):
    """As R's glm does, so that a subset of a frame has a fit."""
    levels = ["none", "low", "middle", "high"]
    data = students.assign(ses=pd.Categorical(students["ses"], levels))
    some = data[data["ses"] != "middle"]
    model = from_formula("prog ~ ses + write", some, estimator=exact(alpha=0.0))
    assert list(model.design.columns) == ["ses[T.high]", "write"]
    assert model.marginal_effects().terms == ["ses: high - low", "write"]
    text = some.assign(ses=some["ses"].astype(str))
    formula = "prog ~ C(ses, contr.treatment('low')) + write"
    same = from_formula(formula, text, estimator=exact(alpha=0.0))
    assert_allclose(model.summary().coef, same.summary().coef, rtol=1e-6)
    with pytest.raises(ValueError, match=r"'ses' has the values \['middle'\]"):
        model.predictions(data[data["ses"] == "middle"].head(1))
