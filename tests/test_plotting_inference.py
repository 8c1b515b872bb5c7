"""Displays of inference hold the numbers of the results that they draw."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import marginal_effects, predictions, summary
from sksoftmax.plotting import (
    CoefficientDisplay,
    MarginalEffectsDisplay,
    PredictionDisplay,
)

pytestmark = pytest.mark.usefixtures("draws")


@pytest.fixture(scope="module")
def students(load_table):
    table = pd.DataFrame(load_table("hsbdemo.csv"))
    return table.assign(write=table["write"].astype(float))


@pytest.fixture(scope="module")
def X(students):
    return students[["ses", "write"]]


@pytest.fixture(scope="module")
def y(students):
    return students["prog"]


@pytest.fixture(scope="module")
def model(X, y):
    columns = make_column_transformer(
        (OneHotEncoder(drop="first"), ["ses"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    classifier = SoftmaxRegressionClassifier(alpha=0)
    return make_pipeline(columns, classifier).fit(X, y)


def whiskers_of(container):
    """Places, values and ends of dots with whiskers in a direction."""
    dots, _, (bars,) = container
    return *dots.get_data(), np.array(bars.get_segments())


def test_dots_are_coefficients_and_whiskers_their_intervals(model, X, y):
    result = summary(model, X, y, base="academic")
    display = CoefficientDisplay(result).plot()
    for row, container in enumerate(display.containers_):
        values, places, bars = whiskers_of(container)
        assert_allclose(values, result.coef[row, :3])
        assert_allclose(bars[:, :, 0], result.conf_int[row, :3])
        assert_allclose(bars[:, 0, 1], places)
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == result.terms[:3]
    assert display.ax_.get_xlabel() == "Coefficient, with 95% interval"
    handles = display.figure_.legends[0].get_texts()
    assert [text.get_text() for text in handles] == [
        "general (against academic)",
        "vocation (against academic)",
    ]
    # The first term is above the others, and no two dots are on one place.
    assert display.ax_.yaxis_inverted()
    places = np.concatenate([whiskers_of(c)[1] for c in display.containers_])
    assert len(set(places)) == 6


def test_ratios_are_drawn_on_a_logarithmic_axis(model, X, y):
    display = CoefficientDisplay.from_estimator(
        model,
        X,
        y,
        summary_kw={"base": "academic", "confidence_level": 0.9},
        exponentiate=True,
        terms=["write", "intercept"],
    )
    result = display.summary
    values, _, bars = whiskers_of(display.containers_[1])
    assert_allclose(values, np.exp(result.coef[1, 2:]))
    assert_allclose(bars[:, :, 0], np.exp(result.conf_int[1, 2:]))
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel() == "Relative risk ratio, with 90% interval"
    (reference,) = (line for line in display.ax_.lines if line.get_linestyle() == "--")
    assert list(reference.get_xdata()) == [1.0, 1.0]


def test_a_summary_of_ratios_is_drawn_as_ratios(model, X, y):
    result = summary(model, X, y, base="academic", exponentiate=True)
    assert CoefficientDisplay(result).plot().ax_.get_xscale() == "log"
    plain = CoefficientDisplay(result).plot(exponentiate=False)
    assert plain.ax_.get_xscale() == "linear"


def test_dots_are_effects_and_whiskers_their_intervals(model, X, y):
    display = MarginalEffectsDisplay.from_estimator(
        model,
        X,
        y,
        effects_kw={"discrete": {"write": "sd"}, "cov_type": "HC1"},
        classes=["vocation", "general"],
        terms=["write: +sd", "ses: low - high"],
        color="k",
    )
    effects = marginal_effects(model, X, y, discrete={"write": "sd"}, cov_type="HC1")
    columns = [effects.terms.index(t) for t in ("write: +sd", "ses: low - high")]
    for row, container in zip((2, 1), display.containers_, strict=True):
        values, _, bars = whiskers_of(container)
        assert_allclose(values, effects.effect[row, columns])
        assert_allclose(bars[:, :, 0], effects.conf_int[row, columns])
        assert container[0].get_color() == "k"


def test_curves_are_margins_and_bands_their_intervals(model, X, y):
    display = PredictionDisplay.from_estimator(model, X, y, "write", grid_resolution=7)
    grid = np.linspace(X["write"].min(), X["write"].max(), 7)
    expected = predictions(model, None, X, y, at={"write": grid})
    for row, (line, band) in enumerate(
        zip(display.lines_, display.bands_, strict=True)
    ):
        assert_allclose(line.get_xdata(), grid)
        assert_allclose(line.get_ydata(), expected.probability[row])
        (path,) = band.get_paths()
        for end in expected.conf_int[row].ravel():
            assert np.isclose(path.vertices[:, 1], end).any()
    assert display.ax_.get_ylim() == (0.0, 1.0)
    assert display.ax_.get_xlabel() == "write"


def test_a_factor_has_dots_at_its_levels(model, X, y):
    display = PredictionDisplay.from_estimator(model, X, y, "ses", classes=["general"])
    labels = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert labels == ["high", "low", "middle"]
    expected = predictions(model, None, X, y, at={"ses": labels})
    dots, _, (bars,) = display.lines_[0]
    assert_allclose(dots.get_ydata(), expected.probability[1])
    segments = np.array(bars.get_segments())
    assert_allclose(segments[:, :, 1], expected.conf_int[1])
    assert display.bands_ == []


def test_each_combination_of_other_columns_has_axes(model, X, y):
    at = {"write": [40, 50, 60], "ses": ["low", "high"]}
    result = predictions(model, None, X, y, at=at)
    display = PredictionDisplay(result).plot()
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["ses=low", "ses=high"]
    assert len(display.lines_) == 6
    assert_allclose(display.lines_[4].get_ydata(), result.probability[1, 1::2])
    _, ax = plt.subplots()
    together = PredictionDisplay(result, feature="write").plot(ax=ax)
    assert together.ax_ is ax
    assert list(together.axes_) == [ax]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "academic, ses=low"
    assert {line.get_linestyle() for line in together.lines_} == {"-", "--"}
    by_class = PredictionDisplay(result, feature="ses").plot(ax=plt.subplots()[1])
    places = np.concatenate([line[0].get_xdata() for line in by_class.lines_])
    assert len(set(places)) == places.size == 18


def test_profiles_and_subgroups_can_be_drawn(model, X, y):
    frame = pd.DataFrame({"ses": ["low"] * 3, "write": [60.0, 40.0, 50.0]})
    display = PredictionDisplay(predictions(model, frame, X, y)).plot()
    assert_array_equal(display.lines_[0].get_xdata(), [40.0, 50.0, 60.0])
    by = PredictionDisplay(predictions(model, None, X, y, by="ses")).plot()
    assert by.ax_.get_xlabel() == "ses"


def test_what_cannot_be_drawn_is_named(model, X, y):
    at = {"write": [40, 50]}
    result = predictions(model, None, X, y, at=at)
    with pytest.raises(ValueError, match=r"feature must be one of \['write'\].*'ses'"):
        PredictionDisplay(result, feature="ses").plot()
    with pytest.raises(ValueError, match=r"classes must hold some of .* got 'art'"):
        PredictionDisplay(result).plot(classes=["art"])
    changes = predictions(model, None, X, y, at=at, contrasts="reference")
    with pytest.raises(ValueError, match="without contrasts"):
        PredictionDisplay(changes).plot()
    with pytest.raises(ValueError, match="has one average"):
        PredictionDisplay(predictions(model, None, X, y, average=True)).plot()
    with pytest.raises(ValueError, match="feature names the column 'age'"):
        PredictionDisplay.from_estimator(model, X, y, "age")
    with pytest.raises(ValueError, match=r"terms must hold some of .*got \['age'\]"):
        CoefficientDisplay.from_estimator(model, X, y, terms=["age"])


def test_curves_along_a_column_of_an_array_are_drawn(X, y):
    scores = X[["write"]].to_numpy()
    model = SoftmaxRegressionClassifier(alpha=0).fit(scores, y)
    display = PredictionDisplay.from_estimator(model, scores, y, "x0")
    assert len(display.lines_[0].get_xdata()) == 50
