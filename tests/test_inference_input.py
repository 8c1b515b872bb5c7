"""Inference refuses, with a sentence, what has no standard errors."""

import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._objective import separating_direction
from sksoftmax.inference import (
    _problem,
    likelihood_ratio_test,
    marginal_effects,
    summary,
    wald_test,
)

N = 200
_rng = np.random.default_rng(0)
X = _rng.standard_normal((N, 3))
y = np.argmax(X + 2 * _rng.gumbel(size=(N, 3)), axis=1)


def fit(X=X, y=y, sample_weight=None, **parameters):
    """A model that may warn of what inference is to find out by itself."""
    model = SoftmaxRegressionClassifier(**{"alpha": 0.0, **parameters})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sample_weight)


@pytest.fixture(scope="module")
def model():
    return fit()


@pytest.fixture(scope="module")
def result(model):
    return summary(model, X, y)


def test_a_pipeline_with_another_classifier_is_told_what_it_must_end_in():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    message = r"or a pipeline or search that ends in one; got LogisticRegression\."
    with pytest.raises(TypeError, match=message):
        summary(pipeline, X, y)


def test_an_unfitted_model_is_refused():
    with pytest.raises(NotFittedError):
        summary(SoftmaxRegressionClassifier(), X, y)


def test_hidden_layers_are_refused():
    network = fit(hidden_layer_sizes=(4,), random_state=0, max_iter=5)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(4,\)"):
        summary(network, X, y)


@pytest.mark.parametrize("grouped", [False, True])
def test_an_l1_penalty_is_refused(grouped):
    model = fit(alpha=0.01, l1_ratio=0.5, grouped=grouped)
    with pytest.raises(ValueError, match=r"L1 penalty.*alpha=0\.01, l1_ratio=0\.5"):
        summary(model, X, y)


def test_without_alpha_an_l1_ratio_is_no_obstacle(result):
    other = summary(fit(alpha=0.0, l1_ratio=0.5), X, y)
    assert_array_equal(other.se, result.se)


def test_a_chosen_penalty_counts_as_given():
    chosen = SoftmaxRegressionClassifierCV(cv="alo", tol=1e-12).fit(X, y)
    given = fit(alpha=chosen.alpha_, tol=1e-12)
    ours, theirs = summary(chosen, X, y), summary(given, X, y)
    assert_allclose(ours.se, theirs.se, rtol=1e-6)
    assert_allclose(ours.df, theirs.df, rtol=1e-6)
    assert ours.alpha == chosen.alpha_
    assert "have chosen alpha" in str(ours)
    assert "have chosen alpha" not in str(theirs)
    with pytest.raises(ValueError, match=r"has alpha=.*, must be 0"):
        summary(chosen, X, y, interval="profile")


def test_a_chosen_l1_penalty_is_refused():
    chosen = SoftmaxRegressionClassifierCV(alphas=3, l1_ratios=0.5, cv="alo").fit(X, y)
    with pytest.raises(ValueError, match=r"L1 penalty.*l1_ratio=0\.5"):
        summary(chosen, X, y)


def test_label_smoothing_is_refused():
    with pytest.raises(ValueError, match=r"label_smoothing=0\.1, must be 0"):
        summary(fit(label_smoothing=0.1), X, y)


def test_a_model_that_has_not_converged_is_refused():
    with pytest.raises(ValueError, match="need a model that has converged"):
        summary(fit(max_iter=1), X, y)


def test_separation_of_a_class_is_named():
    flowers, species = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[species]
    with pytest.raises(ValueError, match=r"separate samples .* \['setosa'\]"):
        summary(fit(flowers, names), flowers, names)


@pytest.mark.parametrize("apart", [True, False])
def test_where_separation_is_not_decided_the_next_step_tells_it(monkeypatch, apart):
    monkeypatch.setattr(separating_direction, "MOST_PARAMETERS", 0)
    X = np.random.default_rng(5).standard_normal((60, 3))
    y = (X[:, 1] > 0.0).astype(int)
    if not apart:
        y[::7] = 1 - y[::7]
    model = SoftmaxRegressionClassifier(alpha=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of separation: the fit knows no more
        model.fit(X, y)
    if not apart:
        assert np.isfinite(summary(model, X, y).se).all()
        return
    with pytest.raises(ValueError, match=r"\[0, 1\] .* \(through 'x1'\)"):
        summary(model, X, y)


def test_complete_separation_is_named():
    wine, cultivar = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match=r"classes \[0, 1, 2\] from other"):
        summary(fit(wine, cultivar), wine, cultivar)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_feature_that_only_one_class_has_is_named(k):
    # All other samples overlap: only the coefficient of the mark is infinite.
    mark = (y == k) & (np.arange(N) % 5 == 0)
    marked = np.column_stack([X, mark])
    with pytest.raises(ValueError, match=rf"classes \[{k}\] .*\(through 'x3'\)"):
        summary(fit(marked, y), marked, y)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_feature_that_only_one_class_lacks_is_named(k):
    # The two classes that have the mark stay mixed; the third is ruled out by it.
    mark = (y != k) & (np.arange(N) % 4 == 0)
    marked = np.column_stack([X, mark])
    with pytest.raises(ValueError, match=r"from other classes \(through 'x3'\)"):
        summary(fit(marked, y), marked, y)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_separation_that_has_lost_all_curvature_is_named(seed, n_classes):
    # L-BFGS goes so far along the mark that the Hessian there is rounding.
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((150, 3))
    logits = features @ rng.standard_normal((3, n_classes))
    labels = np.argmax(logits + rng.gumbel(size=(150, n_classes)), axis=1)
    mark = (labels == 0) & (rng.random(150) < 0.3)
    marked = np.column_stack([features * [0.1, 1, 10] + [20, 50, 0], mark])
    model = fit(marked, labels, solver="lbfgs", max_iter=1000)
    with pytest.raises(ValueError, match=r"classes \[0\] from other .*'x3'"):
        summary(model, marked, labels)


def test_a_maximum_that_is_flat_but_finite_has_standard_errors():
    # Two samples overlap, by a ten-thousandth of the spread.
    x = np.sort(np.random.default_rng(0).uniform(-1, 1, 2000))
    x = np.append(x[np.abs(x) > 5e-4], [-1e-4, 1e-4])
    labels = (x > 0) ^ (np.abs(x) < 2e-4)
    model = fit(x[:, None], labels, tol=1e-12)
    p = model.predict_proba(x[:, None])[:, 1]
    A = np.column_stack([x, np.ones_like(x)])
    se = np.sqrt(np.diag(np.linalg.inv(A.T * (p * (1 - p)) @ A)))
    assert se[0] > 1000
    assert_allclose(summary(model, x[:, None], labels, base=0).se[0], se, rtol=1e-6)


def test_dependent_columns_are_named():
    wide = np.column_stack([X, X[:, 0], np.full(N, 7.0), X[:, 1] - 2 * X[:, 2]])
    with pytest.raises(ValueError, match="not identified") as caught:
        summary(fit(wide, y), wide, y)
    for clause in (
        "'x3' is a combination of 'x0'",
        "'x4' is constant",
        "'x5' is a combination of 'x1', 'x2'",
    ):
        assert clause in str(caught.value)


def test_dependent_columns_are_allowed_with_a_penalty():
    wide = np.column_stack([X, X[:, 0], np.full(N, 7.0)])
    assert np.isfinite(summary(fit(wide, y, alpha=0.1), wide, y).se).all()


@pytest.mark.parametrize(
    ("other_X", "other_y", "other_weight"),
    [
        (X + 0.01 * np.abs(X), y, None),
        (X[:, ::-1], y, None),
        (X, np.roll(y, 1), None),
        (X, y, np.linspace(0.9, 1.1, N)),
        (X[:-1], y[:-1], None),
    ],
    ids=["X", "columns", "y", "weights", "rows"],
)
def test_other_data_than_those_of_the_fit_are_refused(
    model, other_X, other_y, other_weight
):
    with pytest.raises(ValueError, match="not the data that the model was fitted on"):
        summary(model, other_X, other_y, other_weight)


def test_a_fit_by_mini_batches_is_refused_because_it_stops_short():
    model = fit(solver="adam", max_iter=50, tol=1.0, random_state=0)
    assert model.converged_
    with pytest.raises(ValueError, match=r"stopped short.*solver='newton'"):
        summary(model, X, y)


def test_classes_without_weight_are_named():
    s = np.where(y == 1, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"classes \[1\] have no weight"):
        summary(fit(sample_weight=s), X, y, s)


def test_one_class_alone_is_refused():
    ones = np.ones(N)
    with pytest.raises(ValueError, match="needs two classes"):
        summary(fit(X, ones), X, ones)


def test_an_unknown_base_is_told_the_classes(model):
    with pytest.raises(ValueError, match=r"base .* \[0, 1, 2\] .* got 'x'"):
        summary(model, X, y, base="x")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cov_type": "HC4"}, "cov_type must be one of .* got 'HC4'"),
        ({"cov_type": "cluster"}, "cov_type='cluster' needs groups"),
        ({"groups": np.arange(N)}, "cov_type='nonrobust' does not use groups"),
        (
            {"cov_type": "cluster", "groups": np.arange(N - 1)},
            "groups must have one entry for each of the 200 samples, got 199",
        ),
        ({"cov_type": "cluster", "groups": np.ones(N)}, "at least two groups"),
        ({"cov_type": "cluster", "groups": "id"}, "an entry for each sample, got 'id'"),
        (
            {"cov_type": "cluster", "groups": np.r_[np.nan, np.ones(N - 1)]},
            "groups contains NaN in row 0",
        ),
        (
            {"cov_type": "cluster", "groups": np.ones((N, 3))},
            "groups must have one column, or two .* got 3 columns",
        ),
        ({"weights": "analytic"}, "weights must be one of .* got 'analytic'"),
        ({"confidence_level": 95}, r"confidence_level must be in \(0, 1\), got 95"),
    ],
)
@pytest.mark.parametrize("function", [summary, marginal_effects])
def test_bad_parameters_are_named(model, function, parameters, message):
    with pytest.raises(ValueError, match=message):
        function(model, X, y, **parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"interval": "bootstrap"}, "interval must be one of .* got 'bootstrap'"),
        ({"interval": "profile", "cov_type": "HC0"}, "got cov_type='HC0'"),
        ({"small_sample": "SAS"}, "small_sample must be one of .* got 'SAS'"),
    ],
)
def test_bad_parameters_of_a_summary_are_named(model, parameters, message):
    with pytest.raises(ValueError, match=message):
        summary(model, X, y, **parameters)


def test_profile_intervals_need_a_likelihood_without_penalty():
    with pytest.raises(ValueError, match=r"has alpha=0\.1, must be 0"):
        summary(fit(alpha=0.1), X, y, interval="profile")


def test_effects_are_overall_or_at_the_mean(model):
    with pytest.raises(ValueError, match=r"at must be one of .* got 'median'"):
        marginal_effects(model, X, y, at="median")


def test_hc1_needs_more_observations_than_coefficients():
    s = np.zeros(N)
    s[[np.flatnonzero(y == k)[i] for k in range(3) for i in range(2)]] = 1.0
    few = fit(sample_weight=s, alpha=0.1)
    with pytest.raises(ValueError, match=r"needs more observations .* got 6 and 8"):
        summary(few, X, y, s, cov_type="HC1")
    assert np.isfinite(
        summary(few, X, y, s, cov_type="HC1", small_sample="Stata").se
    ).all()


@pytest.mark.parametrize(
    ("hypothesis", "value", "message"),
    [
        ("age", 0.0, "must name terms among .* got .'age'."),
        ([], 0.0, "must have 12 columns"),
        ("x0", 1.0, "value needs a matrix"),
        (np.eye(3), 0.0, r"must have 12 columns.* got shape \(3, 3\)"),
        (np.zeros((1, 12)), 0.0, "must involve"),
        (np.eye(12)[[0, 0]], [0.0, 1.0], "contradict"),
    ],
)
def test_bad_hypotheses_are_named(result, hypothesis, value, message):
    with pytest.raises(ValueError, match=message):
        wald_test(result, hypothesis, value)


def test_the_likelihood_ratio_refuses_what_has_no_chi_squared_distribution(result):
    small = X[:, :2]
    penalised = summary(fit(alpha=0.1), X, y)
    with pytest.raises(ValueError, match=r"full has alpha=0\.1"):
        likelihood_ratio_test(result, penalised)
    with pytest.raises(ValueError, match="special case of full"):
        likelihood_ratio_test(result, summary(fit(small), small, y))
    s = np.linspace(0.5, 1.5, N)
    weighted = summary(fit(small, y, s), small, y, s)
    with pytest.raises(ValueError, match="restricted has importance weights"):
        likelihood_ratio_test(weighted, result)
    Y = 0.9 * np.eye(3)[y] + 0.1 / 3
    with pytest.raises(ValueError, match="full has soft labels"):
        likelihood_ratio_test(result, summary(fit(X, Y), X, Y))
    grouped = {"cov_type": "cluster", "groups": np.arange(N) // 4}
    with pytest.raises(ValueError, match="restricted has clusters"):
        likelihood_ratio_test(summary(fit(small), small, y, **grouped), result)


@pytest.mark.parametrize("hard", [np.eye(3)[y], np.eye(3, dtype=bool)[y]])
def test_targets_of_zeros_and_ones_are_labels(result, hard):
    found = summary(fit(X, hard.astype(float)), X, hard.astype(float))
    assert found.not_valid == ""
    assert found.notes == []
    assert found.lr_test.p_value == result.lr_test.p_value


def test_the_likelihood_ratio_refuses_other_rows_targets_and_weights(result):
    small = X[:, :2]

    def restricted(X, y, counts=None):
        model = fit(X, y, counts)
        return summary(model, X, y, counts, weights="frequency")

    with pytest.raises(ValueError, match="row by row: 199 rows and 200"):
        likelihood_ratio_test(restricted(small[1:], y[1:]), result)
    # The numbers of rows in each class are the same.
    first, second = np.flatnonzero(y == 0)[0], np.flatnonzero(y == 1)[0]
    swapped = y.copy()
    swapped[[first, second]] = 1, 0
    with pytest.raises(ValueError, match=rf"row {min(first, second)} has another"):
        likelihood_ratio_test(restricted(small, swapped), result)
    counts = np.ones(N)
    counts[7] = 2
    with pytest.raises(ValueError, match="row 7 has weight 2 and 1"):
        likelihood_ratio_test(restricted(small, y, counts), result)
    counts[7] = 0
    with pytest.raises(ValueError, match="row 7 has another target or no weight"):
        likelihood_ratio_test(restricted(small, y, counts), result)
    once = likelihood_ratio_test(restricted(small, y, np.ones(N)), result)
    assert once == likelihood_ratio_test(summary(fit(small), small, y), result)


@pytest.mark.parametrize("bad", [["a"], ["a", "b", "a"], ["a", "b", "intercept"], 3])
def test_names_that_do_not_fit_the_columns_are_refused(model, bad):
    with pytest.raises(ValueError, match="feature_names must be 3 different names"):
        summary(model, X, y, feature_names=bad)


def test_without_pandas_the_error_names_the_extra(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"sksoftmax\[inference\]"):
        result.to_frame()


@pytest.mark.parametrize("bad", [None, "summary", 3.0, fit])
def test_what_is_no_summary_is_named(result, bad):
    with pytest.raises(TypeError, match="summary must be"):
        wald_test(bad, "x0")
    with pytest.raises(TypeError, match="restricted must be"):
        likelihood_ratio_test(bad, result)
    with pytest.raises(TypeError, match="full must be"):
        likelihood_ratio_test(result, bad)


@pytest.mark.parametrize("bad", [None, len, 1j, [[1], [1, 2]], 10**400, [np.nan] * 12])
def test_a_hypothesis_that_is_no_matrix_of_numbers_is_named(result, bad):
    with pytest.raises((ValueError, TypeError), match="hypothesis"):
        wald_test(result, bad)


@pytest.mark.parametrize("bad", ["a", np.inf, np.nan, 10**400, [1.0, 2.0], {}, [[1]]])
def test_a_value_of_a_hypothesis_that_is_no_number_is_named(result, bad):
    with pytest.raises((ValueError, TypeError), match="value"):
        wald_test(result, np.eye(12)[:1], bad)


@pytest.mark.parametrize(
    "name", ["cov_type", "weights", "interval", "groups", "base", "confidence_level"]
)
@pytest.mark.parametrize("value", [np.array(["HC0", "HC1"]), {"a": 1}, 10**400])
def test_a_choice_that_is_none_is_named(model, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        summary(model, X, y, **{name: value})


def test_a_level_may_be_any_number():
    level = np.longdouble(0.5)
    found = summary(fit(), X, y, confidence_level=level)
    expected = summary(fit(), X, y, confidence_level=0.5)
    assert_array_equal(found.conf_int, expected.conf_int)


def test_frequencies_are_whole_numbers():
    s = np.where(np.arange(N) == 7, 1.5, 2.0)
    model = fit(sample_weight=s)
    with pytest.raises(ValueError, match=r"whole numbers .* row 7 has 1\.5"):
        summary(model, X, y, s, weights="frequency")
    by_word = summary(model, X, y, s, weights="importance")
    assert summary(model, X, y, s).n == by_word.n == N
    assert_array_equal(summary(model, X, y, s).se, by_word.se)


@pytest.mark.parametrize("infer", [summary, marginal_effects])
def test_whole_weights_ask_for_the_word(infer):
    s = np.where(y == 0, 1.0, 2.0)
    model = fit(sample_weight=s)
    with pytest.raises(ValueError, match=r"say what they are\. Pass weights='freq"):
        infer(model, X, y, s)


def test_weights_of_zero_and_one_mean_the_same_either_way():
    s = (np.arange(N) % 3 > 0).astype(float)
    model = fit(sample_weight=s)
    for weights in ("frequency", "importance"):
        given = summary(model, X, y, s, weights=weights)
        assert_array_equal(summary(model, X, y, s).se, given.se)


def test_importance_weights_may_be_of_any_size():
    s = np.full(N, 2.0**-1040)
    found = summary(fit(sample_weight=s), X, y, s)
    assert_allclose(found.se, summary(fit(), X, y).se, rtol=1e-6)


@pytest.mark.parametrize("infer", [summary, marginal_effects])
def test_a_hessian_too_large_for_memory_is_refused_before_it_is_made(
    model, infer, monkeypatch
):
    monkeypatch.setattr(_problem, "LARGEST", 7)
    message = "here in 8 free parameters; it is for up to 7"
    with pytest.raises(ValueError, match=message):
        infer(model, X, y)


def test_fifty_thousand_parameters_are_refused_at_once():
    wide = np.zeros((N, 25_000))
    wide[:, :3] = X
    with pytest.raises(ValueError, match="here in 50002 free parameters"):
        summary(fit(wide, y, alpha=0.1), wide, y)


def test_coefficients_that_single_precision_has_rounded_are_told_the_cure():
    """The features' offset is large, and the intercepts' rounding with it."""
    X32 = (X + 1e6).astype(np.float32)
    with pytest.raises(ValueError, match="fit it on X in double precision"):
        summary(fit(X32), X32, y)


@pytest.mark.parametrize("name", ["intercept", "const"])
def test_a_column_of_that_name_is_no_intercept(name):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0], name: X[:, 1]})
    test = summary(fit(frame, fit_intercept=False), frame, y).lr_test
    assert test.df == 4
