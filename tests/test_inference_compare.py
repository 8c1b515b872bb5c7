"""Models side by side."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import (
    compare,
    firth,
    likelihood_ratio_test,
    marginal_effects,
    summary,
)

N = 90
_rng = np.random.default_rng(2)
X = pd.DataFrame(_rng.standard_normal((N, 3)), columns=["age", "b", "c"])
y = np.array(["u", "v", "w"])[
    (X.to_numpy() + _rng.gumbel(size=(N, 3))).argmax(axis=1)
]  # fmt: skip


def fitted(columns, rows=slice(None), sample_weight=None, **options):
    data = X[columns][rows], y[rows]
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(*data, sample_weight)
    return summary(model, *data, sample_weight, base="u", **options)


@pytest.fixture(scope="module")
def models():
    return {"one": fitted(["age"]), "two": fitted(["b", "age"])}


def test_each_model_has_its_column_of_estimates_and_statistics(models):
    frame = compare(models).to_frame()
    for name, model in models.items():
        for row, label in enumerate(model.classes):
            for column, term in enumerate(model.terms):
                place = (f"{label} (against u)", term)
                assert frame.loc[place, (name, "coef")] == model.coef[row, column]
                assert frame.loc[place, (name, "se")] == model.se[row, column]
        found = frame.xs("", level="class")[(name, "coef")]
        assert found["AIC"] == model.aic
        assert found["BIC"] == model.bic
        assert found["Observations"] == N
    assert np.isnan(frame.loc[("v (against u)", "b"), ("one", "coef")])
    terms = [term for title, term in frame.index if title.startswith("v")]
    assert terms == ["age", "b", "intercept"]


@pytest.mark.parametrize("below", ["se", "z", "p_value", "conf_int", None])
def test_what_stands_below_an_estimate_is_a_choice(models, below):
    text, two = str(compare(models, below=below)), models["two"]
    for row, column in np.ndindex(*two.coef.shape):
        assert f"{two.coef[row, column]:.4f}" in text
        if below in ("se", "z", "p_value"):
            value = getattr(two, below)[row, column]
            assert f"({value:.4f})" in text or value < 1e-3
        elif below == "conf_int":
            assert "[{:.4f}, {:.4f}]".format(*two.conf_int[row, column]) in text


def test_models_are_numbered_or_named(models):
    numbered = compare(list(models.values()))
    assert list(numbered.summaries) == ["(1)", "(2)"]
    named = compare(list(models.values()), names=["first", "second"])
    assert "first" in named.to_markdown().splitlines()[0]
    assert list(compare(models["one"]).summaries) == ["(1)"]


def test_ratios_are_compared_as_ratios():
    models = [fitted(["age"], exponentiate=True), fitted(["b"], exponentiate=True)]
    frame = compare(models).to_frame()
    assert (
        frame.loc[("v (against u)", "age"), ("(1)", "ratio")] == models[0].ratio[0, 0]
    )
    with pytest.raises(ValueError, match=r"the same, got \['coef', 'ratio'\]"):
        compare([models[0], fitted(["age"])])


def test_stars_and_formats_are_those_of_other_tables(models):
    comparison = compare(models)
    p = models["two"].p_value
    starred = comparison.to_markdown(stars=(0.5,))
    rows = [line for line in starred.splitlines() if "Stars" not in line]
    n_starred = sum(line.count("*") for line in rows)
    assert n_starred == (p < 0.5).sum() + (models["one"].p_value < 0.5).sum()
    html = comparison._repr_html_()
    assert '<th scope="col">one</th>' in html
    n_lines = sum(line.startswith("|") for line in rows) - 1  # but for the rule
    assert html.count("<tr>") == html.count("</tr>") == n_lines
    assert comparison.to_latex().startswith(r"\begin{tabular}{llrr}")


def test_models_of_other_observations_are_noted(models):
    fewer = fitted(["age"], rows=slice(1, None))
    weighted = fitted(["age"], sample_weight=np.linspace(0.5, 1.5, N))
    text = str(compare({**models, "fewer": fewer, "weighted": weighted}))
    assert "one and fewer do not have the same observations (90 rows and 89)" in text
    assert "weighted has importance weights: there are no valid AIC and BIC." in text
    frame = compare({"weighted": weighted}).to_frame()
    assert np.isnan(frame.loc[("", "AIC"), ("weighted", "coef")])


def test_other_tables_of_estimates_are_compared_too():
    few, all_columns = X[["age"]], X[["age", "b"]]
    effects = [
        marginal_effects(SoftmaxRegressionClassifier(alpha=0.0).fit(data, y), data, y)
        for data in (few, all_columns)
    ]
    comparison = compare(effects)
    frame = comparison.to_frame()
    place = ("P(y = v)", "age")
    assert frame.loc[place, ("(2)", "effect")] == effects[1].effect[1, 0]
    assert "AIC" not in str(comparison)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(few, y)
    reduced = firth(model, few, y, base="u")
    both = compare({"ml": fitted(["age"]), "firth": reduced}).to_frame()
    place = ("v (against u)", "age")
    assert both.loc[place, ("firth", "coef")] == reduced.coef[0, 0]
    assert np.isnan(both.loc[("", "AIC"), ("firth", "coef")])
    with pytest.raises(ValueError, match="models must all show the same"):
        compare([reduced, effects[0]])
    assert_allclose(reduced.ratio, np.exp(reduced.coef))
    with pytest.raises(TypeError, match="full must be a result of summary, got Bias"):
        likelihood_ratio_test(fitted(["age"]), reduced)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "at least one"),
        (([1],), r"models\[0\] must be a result of summary, got int"),
        (("ab",), r"models\[0\] must be a result of summary, got str"),
    ],
)
def test_what_are_no_models_is_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        compare(*arguments)


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_names_that_are_not_one_for_each_model_are_refused(models, names):
    with pytest.raises(ValueError, match="names must be 2 different names"):
        compare(list(models.values()), names=names)
    with pytest.raises(ValueError, match="below must be one of"):
        compare(models, below="coef")
