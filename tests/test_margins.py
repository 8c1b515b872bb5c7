"""Predicted probabilities with intervals, and averages of them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from delta_method import DeltaMethod, probabilities
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from scipy.special import expit, logit
from scipy.stats import norm

from sksoftmax.inference import marginal_effects, predictions, summary


@pytest.fixture(scope="module")
def students(load_table):
    """Programmes of students by social class and writing score: X and labels."""
    table = load_table("hsbdemo.csv")
    dummies = {name: (table["ses"] == name) * 1.0 for name in ("middle", "high")}
    return pd.DataFrame({**dummies, "write": table["write"].astype(float)}), table[
        "prog"
    ]


@pytest.fixture(scope="module")
def model(students, exact):
    return exact(alpha=0.0).fit(*students)


@pytest.fixture(scope="module")
def oracle(model, students):
    coef = summary(model, *students, base="academic").coef
    return DeltaMethod(coef, np.column_stack([students[0], np.ones(200)]))


def test_profiles_have_the_probabilities_of_r(model, students):
    """tests/data/reference.R: predict() of nnet 7.3-18, fitted to convergence."""
    X, y = students
    profiles = pd.DataFrame({"middle": [0, 1, 0], "high": [0, 0, 1]})
    profiles = profiles.assign(write=X["write"].mean())
    of_r = [  # low, middle, high; academic, general, vocation
        [0.439684135, 0.358192664, 0.202123200],
        [0.477748780, 0.228333763, 0.293917457],
        [0.700902048, 0.178493208, 0.120604744],
    ]
    result = predictions(model, profiles, X, y)
    assert_allclose(result.probability.T, of_r, rtol=1e-6)
    assert result.terms == ["middle=0, high=0", "middle=1, high=0", "middle=0, high=1"]


def test_probabilities_of_the_insured_are_those_of_r(load_table, exact):
    """tests/data/reference.R: size, mean, deviation and range of fitted() of nnet."""
    table = load_table("sysdsn1.csv")
    names = ["age", "male", "nonwhite", "isite2", "isite3"]
    complete = np.all([table[name] != "" for name in ["insure", *names]], axis=0)
    X = np.column_stack([table[name][complete].astype(float) for name in names])
    y = table["insure"][complete]
    p = predictions(exact(alpha=0.0).fit(X, y), None, X, y).probability[0]
    found = p.size, p.mean(), p.std(ddof=1), p.min(), p.max()
    of_r = (615, 0.476422747, 0.103227865, 0.169814171, 0.719389989)
    assert_allclose(found, of_r, rtol=1e-6)


def test_profiles_have_the_standard_errors_of_the_delta_method(model, students, oracle):
    X, y = students
    rows = X.iloc[::9]
    result = predictions(model, rows, X, y, confidence_level=0.9)
    D = np.column_stack([rows, np.ones(len(rows))])
    value, se = oracle.of(lambda theta: probabilities(theta, D))
    assert_allclose(result.probability, value.T, rtol=1e-8)
    assert_allclose(result.se, se.T, rtol=1e-6)
    eta, se = oracle.of(lambda theta: logit(probabilities(theta, D)))
    ends = expit(np.stack([eta - norm.ppf(0.95) * se, eta + norm.ppf(0.95) * se]))
    assert_allclose(result.conf_int, ends.transpose(2, 1, 0), rtol=1e-6)


def test_without_profiles_every_row_of_x_is_predicted(model, students):
    X, y = students
    result = predictions(model, None, X, y)
    assert_allclose(result.probability.T, model.predict_proba(X), rtol=1e-10)
    assert list(result.index["row"][:2]) == [0, 1]


def test_intervals_of_extreme_probabilities_stay_inside_and_keep_their_digits(
    model, students, oracle
):
    X, y = students
    profile = np.array([[0.0, 0.0, 900.0], [0.0, 0.0, 9000.0]])
    result = predictions(model, pd.DataFrame(profile, columns=X.columns), X, y)
    assert (result.conf_int >= 0).all()
    assert (result.conf_int <= 1).all()
    D = np.column_stack([profile, np.ones(2)])
    value, se = oracle.of(lambda theta: probabilities(theta, D)[:1, 1])
    assert value[0] < 1e-20
    assert_allclose(result.se[1, :1], se, rtol=1e-4)
    assert np.isfinite(result.se).all()


@pytest.mark.parametrize("s", [None, "weights"])
def test_margins_are_averages_over_rows_with_set_values(students, exact, s):
    X, y = students
    s = None if s is None else np.random.default_rng(2).uniform(0.5, 2.0, len(y))
    model = exact(alpha=0.0).fit(X, y, s)
    coef = summary(model, X, y, s, base="academic").coef
    scaled = None if s is None else s * len(s) / s.sum()
    oracle = DeltaMethod(coef, np.column_stack([X, np.ones(200)]), scaled)
    result = predictions(model, None, X, y, s, at={"write": [40, 60]})
    assert result.index == {"write": [40.0, 60.0]}
    for column, value in enumerate((40, 60)):
        D = oracle.D.copy()
        D[:, 2] = value
        mean, se = oracle.of(lambda theta, D=D: oracle.mean(theta, D))
        assert_allclose(result.probability[:, column], mean, rtol=1e-8)
        assert_allclose(result.se[:, column], se, rtol=1e-6)
        margin = norm.ppf(0.975) * se / (mean * (1 - mean))
        ends = expit([logit(mean) - margin, logit(mean) + margin])
        assert_allclose(result.conf_int[:, column].T, ends, rtol=1e-6)


def test_the_average_of_the_fit_is_the_share_of_each_class(model, students):
    """With intercepts the score equations say so."""
    X, y = students
    result = predictions(model, None, X, y, average=True)
    shares = np.unique(y, return_counts=True)[1] / len(y)
    assert_allclose(result.probability[:, 0], shares, rtol=1e-8)
    assert result.terms == ["average"]
    assert np.isnan(result.p_value).all()


def test_the_shares_of_subgroups_of_a_dummy_are_those_of_the_data(model, students):
    X, y = students
    result = predictions(model, None, X, y, by="high")
    for column, value in enumerate((0, 1)):
        share = np.mean(y[X["high"] == value] == "academic")
        assert_allclose(result.probability[0, column], share, rtol=1e-8)


def test_contrasts_of_margins_are_discrete_effects(model, students):
    X, y = students
    options = {"at": {"middle": [0, 1]}, "contrasts": "reference"}
    ours = predictions(model, None, X, y, **options)
    effects = marginal_effects(model, X, y)
    assert_allclose(ours.probability[:, 0], effects.effect[:, 0], rtol=1e-10)
    assert_allclose(ours.se[:, 0], effects.se[:, 0], rtol=1e-8)
    assert_allclose(ours.p_value[:, 0], effects.p_value[:, 0], rtol=1e-6)
    assert "Differences of predicted probabilities" in str(ours)


def test_contrasts_of_profiles_are_differences_of_their_probabilities(
    model, students, oracle
):
    X, y = students
    rows = X.iloc[[0, 3, 7]]
    result = predictions(model, rows, X, y, contrasts="sequential")
    D = np.column_stack([rows, np.ones(3)])
    value, se = oracle.of(lambda theta: np.diff(probabilities(theta, D), axis=0))
    assert_allclose(result.probability, value.T, rtol=1e-7)
    assert_allclose(result.se, se.T, rtol=1e-6)


def test_averages_of_given_rows_have_equal_weights(model, students):
    X, y = students
    rows = X.iloc[:30]
    result = predictions(model, rows, X, y, average=True)
    mean = model.predict_proba(rows).mean(axis=0)
    assert_allclose(result.probability[:, 0], mean, rtol=1e-10)
    by = predictions(model, rows, X, y, by=np.arange(30) % 2)
    mean = model.predict_proba(rows[1::2]).mean(axis=0)
    assert_allclose(by.probability[:, 1], mean, rtol=1e-10)


def test_at_the_mean_one_row_is_predicted(model, students):
    X, y = students
    result = predictions(model, None, X, y, at="mean")
    P = model.predict_proba(X.mean().to_frame().T)
    assert_allclose(result.probability[:, 0], P[0], rtol=1e-10)


@pytest.mark.parametrize("kind", ["array", "list", "csr", "polars", "reordered"])
def test_profiles_of_any_kind_have_the_same_probabilities(students, exact, kind):
    X, y = students
    rows = X.iloc[:5]
    if kind in ("polars", "reordered"):
        model = exact(alpha=0.0).fit(X, y)
        given = rows[["write", "high", "middle"]]
        given = given if kind == "reordered" else pl.from_pandas(rows)
    else:
        X = X.to_numpy()
        model = exact(alpha=0.0).fit(X, y)
        makes = {"array": np.asarray, "list": lambda X: X.to_numpy().tolist()}
        given = makes.get(kind, csr_array)(rows)
    result = predictions(model, given, X, y)
    P = model.predict_proba(rows if hasattr(X, "columns") else rows.to_numpy())
    assert_allclose(result.probability.T, P, rtol=1e-10)


def test_two_classes_have_mirrored_intervals(students, exact):
    X, y = students
    y = np.where(y == "academic", "academic", "other")
    model = exact(alpha=0.0).fit(X, y)
    result = predictions(model, X.iloc[:4], X, y)
    assert_allclose(result.se[0], result.se[1], rtol=1e-10)
    assert_allclose(result.conf_int[0], 1 - result.conf_int[1, :, ::-1], rtol=1e-10)


def test_the_frame_has_a_line_for_each_class_and_profile(model, students):
    X, y = students
    result = predictions(model, X.iloc[:2], X, y)
    frame = result.to_frame()
    columns = ["middle", "high", "write"]
    assert list(frame.columns) == [*columns, "probability", "se", "ci_low", "ci_high"]
    assert_allclose(frame.loc["general", "write"], X["write"][:2])
    assert_allclose(frame["probability"], result.probability.ravel())
    assert "prob." in str(result)
    assert r"\begin{tabular}" in result.to_latex()
    average = predictions(model, None, X, y, average=True).to_frame()
    assert average.shape == (3, 4)


def test_intervals_cover_the_truth_as_often_as_they_say(exact):
    """150 samples, three intervals each: the error of the share is below 1.8 %."""
    rng = np.random.default_rng(5)
    theta = np.array([[1.0, -0.5], [-0.8, 0.4]])
    profile = np.array([[0.7]])
    truth = probabilities(theta, np.array([[0.7, 1.0]]))[0]
    covered = []
    for _ in range(150):
        X = rng.standard_normal((150, 1))
        P = probabilities(theta, np.column_stack([X, np.ones(150)]))
        y = (P.cumsum(axis=1) < rng.random((150, 1))).sum(axis=1)
        result = predictions(exact(alpha=0.0).fit(X, y), profile, X, y)
        low, high = result.conf_int[:, 0].T
        covered.append((low < truth) & (truth < high))
    assert abs(np.mean(covered) - 0.95) < 0.04
