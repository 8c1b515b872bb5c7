"""The table of a summary as data frame, text and HTML."""

import pickle
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import marginal_effects, summary

N = 60


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.standard_normal((N, 2)), columns=["<b>age</b>", "income"])
    latent = np.column_stack([X, np.zeros(N)]) + rng.gumbel(size=(N, 3))
    return X, np.array(["a & b", "c", "<script>"])[latent.argmax(axis=1)]


@pytest.fixture(scope="module")
def model(data):
    return SoftmaxRegressionClassifier(alpha=0.0, tol=1e-14).fit(*data)


@pytest.fixture(scope="module")
def result(model, data):
    return summary(model, *data, base="c")


def test_the_data_frame_has_a_row_for_each_class_and_term(result):
    frame = result.to_frame()
    assert frame.index.names == ["class", "term"]
    assert list(frame.columns) == ["coef", "se", "z", "p_value", "ci_low", "ci_high"]
    for row, label in enumerate(result.classes):
        for column, term in enumerate(result.terms):
            line = frame.loc[(label, term)]
            assert line["coef"] == result.coef[row, column]
            assert line["se"] == result.se[row, column]
            assert_array_equal(
                line[["ci_low", "ci_high"]], result.conf_int[row, column]
            )


def test_effects_make_a_data_frame_too(model, data):
    effects = marginal_effects(model, *data)
    frame = effects.to_frame()
    assert_array_equal(frame["effect"], effects.effect.ravel())
    assert list(frame.index.unique("term")) == ["<b>age</b>", "income"]


def test_the_text_has_every_number_and_no_line_is_too_long(result):
    text = str(result)
    assert max(map(len, text.splitlines())) == 78
    for values in (result.coef, result.se, result.conf_int):
        for value in values.ravel():
            assert f"{value:.4f}" in text
    assert f"{result.loglik:.3f}" in text
    assert "a & b (against c)" in text


def test_long_names_do_not_break_the_columns(data):
    X, y = data
    X = X.set_axis(["a" * 70, "income"], axis=1)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    lines = str(summary(model, X, y)).splitlines()
    rules = {len(line) for line in lines if set(line) <= {"=", "-"}}
    assert len(rules) == 1
    assert max(map(len, lines)) <= rules.pop()


class Cells(HTMLParser):
    """The texts of the cells, and the names of the tags."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.depth = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.depth.append(tag)

    def handle_endtag(self, tag):
        assert self.depth.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_html_shows_names_as_text_and_closes_its_tags(result):
    cells = Cells()
    cells.feed(result._repr_html_())
    assert cells.depth == []
    assert not cells.tags & {"b", "script"}
    assert "<b>age</b>" in cells.texts
    assert "<script> (against c)" in cells.texts
    for value in result.coef.ravel():
        assert f"{value:.4f}" in cells.texts


def test_a_summary_survives_pickling(result):
    assert str(pickle.loads(pickle.dumps(result))) == str(result)


def test_notes_say_where_model_based_standard_errors_are_rough(data):
    X, y = data
    s = np.linspace(0.5, 1.5, N)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y, s)
    rough = summary(model, X, y, s, weights="importance")
    robust = summary(model, X, y, s, weights="importance", cov_type="HC0")
    assert "Use cov_type=" in rough._repr_html_()
    assert robust.notes == []
    Y = pd.DataFrame(0.8 * (y[:, None] == model.classes_) + 0.2 / 3)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, Y)
    assert "proportions" in str(summary(model, X, Y))
