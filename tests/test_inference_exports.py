"""Tables in LaTeX, Markdown and HTML."""

import re
import sys
from html import unescape

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import (
    hosmer_lemeshow_test,
    influence,
    marginal_effects,
    summary,
    wald_test,
)

N = 80


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.standard_normal((N, 2)), columns=["a_b|c & 5%", "<i>$x$</i>"])
    latent = np.column_stack([2 * X, np.zeros(N)]) + rng.gumbel(size=(N, 3))
    return X, np.array(["one_1", "two*", "three"])[latent.argmax(axis=1)]


@pytest.fixture(scope="module")
def model(data):
    return SoftmaxRegressionClassifier(alpha=0.0).fit(*data)


@pytest.fixture(scope="module")
def result(model, data):
    return summary(model, *data, base="three")


def test_html_has_a_row_for_each_coefficient(result):
    rows = re.findall(r"<tr.*?>(.*?)</tr>", result.to_html(decimals=5), re.DOTALL)
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows[1:]]
    assert_allclose([float(row[2]) for row in cells], result.coef.ravel(), atol=6e-6)
    assert [unescape(row[1]) for row in cells] == 2 * result.terms


def test_html_escapes_names(result):
    html = result.to_html()
    assert "<i>" not in html
    assert "&lt;i&gt;$x$&lt;/i&gt;" in html


def test_markdown_has_a_cell_for_each_number(result):
    lines = result.to_markdown().splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert {len(row) for row in cells} == {8}
    assert cells[1][0].startswith(":-")
    assert cells[1][2].endswith("-:")
    found = [float(row[2]) for row in cells[2:]]
    assert_allclose(found, result.coef.ravel(), atol=6e-4)
    assert r"a_b\|c & 5%" in cells[2][1]
    assert r"two\*" in lines[5]


def test_latex_escapes_names_and_balances_its_environments(result):
    text = result.to_latex(stars=True, caption="50% & more", label="tab:one")
    assert r"a\_b\textbar{}c \& 5\%" in text
    assert r"\textless{}i\textgreater{}\$x\$\textless{}/i\textgreater{}" in text
    assert r"\caption{50\% \& more}" in text
    assert r"\label{tab:one}" in text
    stack = []
    for word, name in re.findall(r"\\(begin|end){(\w+)}", text):
        if word == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    assert "tablenotes" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + result.coef.size
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {7}


def test_without_caption_and_notes_latex_is_a_tabular(result):
    assert result.to_latex().startswith(r"\begin{tabular}")


@pytest.mark.parametrize("stars", [True, (0.5, 0.1)])
def test_stars_mark_p_values_below_the_levels(result, stars):
    levels = (0.05, 0.01, 0.001) if stars is True else stars
    lines = result.to_markdown(stars=stars).splitlines()
    cells = [line.split(" | ")[2] for line in lines[2 : 2 + result.coef.size]]
    counts = [cell.count("*") for cell in cells]
    expected = [sum(p < level for level in levels) for p in result.p_value.ravel()]
    assert counts == expected
    assert max(counts) > min(counts)
    for number, level in enumerate(levels, start=1):
        assert number * "*" + f" p < {level:g}" in lines[-1]


def test_effects_are_exported_too(model, data):
    effects = marginal_effects(model, *data)
    assert effects.to_markdown().count("\n") == 1 + effects.effect.size
    assert "effect" in effects.to_latex()


def test_all_other_results_are_exported(model, data, result):
    single = wald_test(result, "a_b|c & 5%")
    assert single.to_frame()["statistic"].item() == single.statistic
    assert r"No effect of a\_b\textbar{}c \& 5\% & " in single.to_latex()
    fit = hosmer_lemeshow_test(model, *data, n_groups=4)
    assert fit.to_markdown().endswith(f"p = {fit.p_value:.4f}")
    assert fit.to_html().count("<tr") == 1 + len(fit.observed)
    rows = influence(model, *data)
    assert rows.to_latex().count(r"\\") == 1 + N
    assert f"{rows.cook[3]:.5f}" in rows.to_markdown(decimals=5)


def test_notes_follow_the_table(data):
    X, y = data
    model = SoftmaxRegressionClassifier(alpha=0.1).fit(X, y)
    result = summary(model, X, y)
    assert result.to_markdown().endswith("not frequentist.")
    assert "<p>Estimates are penalised" in result.to_html()
    assert r"\item Estimates are penalised" in result.to_latex()


@pytest.mark.parametrize("bad", ["0.05", 0.05, (0.01, 0.05), (2.0,), (0.05, 0.05)])
def test_levels_that_do_not_fall_are_refused(result, bad):
    with pytest.raises((ValueError, TypeError), match="stars"):
        result.to_html(stars=bad)


@pytest.mark.parametrize("bad", [-1, 2.5, "3", None])
def test_a_number_of_decimals_that_is_none_is_refused(result, bad):
    with pytest.raises(ValueError, match="decimals must be in 0 to 15"):
        result.to_html(decimals=bad)


@pytest.mark.parametrize(
    ("package", "method"),
    [("pandas", "to_html"), ("jinja2", "to_latex"), ("tabulate", "to_markdown")],
)
def test_a_missing_package_is_named_with_its_extra(
    result, monkeypatch, package, method
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{method} needs {package}.*\[inference\]"):
        getattr(result, method)()
