"""Curves of losses and paths of coefficients: what is drawn, against single fits."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.plotting import (
    CoefficientPathDisplay,
    CVScoreDisplay,
    LossCurveDisplay,
)

pytestmark = pytest.mark.usefixtures("draws")


@pytest.fixture(scope="module")
def stopped():
    """A network whose training was stopped by its validation loss."""
    model = SoftmaxRegressionClassifier((16,), early_stopping=True, random_state=0)
    return model.fit(*load_digits(return_X_y=True))


@pytest.fixture(scope="module")
def path():
    """Paths on standardised wine, for two values of l1_ratio."""
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegressionClassifierCV(
        alphas=5, l1_ratios=[0.0, 0.5], cv="alo", tol=1e-12
    )
    return model.fit(StandardScaler().fit_transform(X), y)


def test_the_lines_are_the_recorded_curves(stopped):
    display = LossCurveDisplay.from_estimator(stopped)
    training, validation = display.lines_
    np.testing.assert_array_equal(training.get_ydata(), stopped.loss_curve_)
    np.testing.assert_array_equal(
        validation.get_ydata(), stopped.validation_loss_curve_
    )
    assert training.get_xdata()[[0, -1]].tolist() == [1, stopped.n_iter_]
    assert display.figure_ is display.ax_.figure


def test_the_mark_is_at_the_lowest_validation_loss(stopped):
    (x,), (y,) = LossCurveDisplay.from_estimator(stopped).best_.get_data()
    assert y == min(stopped.validation_loss_curve_)
    assert stopped.validation_loss_curve_[x - 1] == y


def test_epochs_and_iterations_are_called_so(stopped):
    display = LossCurveDisplay.from_estimator(stopped)
    assert display.ax_.get_xlabel() == "Epoch"
    X, y = load_iris(return_X_y=True)
    display = LossCurveDisplay.from_estimator(SoftmaxRegressionClassifier().fit(X, y))
    assert display.ax_.get_xlabel() == "Iteration"
    assert len(display.lines_) == 1


def test_several_share_axes_in_different_colours(stopped):
    figure, ax = plt.subplots()
    for name in ("a", "b"):
        display = LossCurveDisplay.from_estimator(stopped, ax=ax, name=name)
    assert display.figure_ is figure
    assert len({line.get_color() for line in ax.get_lines()}) == 2
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "a: training"
    assert labels[-1] == f"b: best, epoch {stopped.best_iter_}"


def test_keywords_are_properties_of_the_lines(stopped):
    display = LossCurveDisplay.from_estimator(stopped, c="k", lw=3)
    assert {line.get_color() for line in display.lines_} == {"k"}
    assert {line.get_linewidth() for line in display.lines_} == {3}


@pytest.mark.parametrize("wrap", ["pipeline", "search"])
def test_the_classifier_is_found_inside(wrap):
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier())
    if wrap == "search":
        grid = {"softmaxregressionclassifier__alpha": [1e-3]}
        model = GridSearchCV(model, grid, cv=2)
    display = LossCurveDisplay.from_estimator(model.fit(X, y))
    final = model.best_estimator_[-1] if wrap == "search" else model[-1]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), final.loss_curve_)


def test_a_curve_from_elsewhere_can_be_drawn():
    display = LossCurveDisplay([3.0, 2.0, 1.5]).plot()
    assert display.lines_[0].get_ydata().tolist() == [3.0, 2.0, 1.5]
    assert display.best_ is None


def test_an_estimator_without_a_curve_is_told_how_to_get_one():
    other = LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))
    with pytest.raises(TypeError, match=r"LogisticRegression.*loss_curve\)\.plot"):
        LossCurveDisplay.from_estimator(other)


def test_an_empty_curve_is_told_how_to_get_one():
    with pytest.raises(ValueError, match=r"loss_curve_.*early_stopping=True"):
        LossCurveDisplay([]).plot()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_the_lines_go_through_the_coefficients_of_single_fits(path, l1_ratio):
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    display = CoefficientPathDisplay.from_estimator(
        path, l1_ratio=l1_ratio, class_of_interest=2
    )
    alphas = display.lines_[0].get_xdata()
    values = np.array([line.get_ydata() for line in display.lines_])
    for k in (1, 3):
        single = SoftmaxRegressionClassifier(
            alpha=alphas[k], l1_ratio=l1_ratio, tol=1e-12
        )
        np.testing.assert_allclose(values[:, k], single.fit(X, y).coef_[2], atol=1e-4)


def test_without_a_class_of_many_norms_are_drawn(path):
    display = CoefficientPathDisplay.from_estimator(path, l1_ratio=0.0)
    expected = np.sqrt(np.square(path.coefs_path_[0]).sum(axis=1))
    values = np.array([line.get_ydata() for line in display.lines_])
    np.testing.assert_allclose(values.T, expected, rtol=1e-12)


def test_without_a_class_of_two_the_second_is_drawn():
    X, y = load_breast_cancer(return_X_y=True)
    model = SoftmaxRegressionClassifierCV(alphas=3, cv="alo").fit(X, y == 1)
    display = CoefficientPathDisplay.from_estimator(model)
    np.testing.assert_array_equal(
        display.lines_[4].get_ydata(), model.coefs_path_[0, :, 1, 4]
    )
    assert display.ax_.get_ylabel() == "Coefficient of class True"


def test_the_largest_have_names_in_order_of_their_size(path):
    names = [f"feature {j}" for j in range(13)]
    display = CoefficientPathDisplay.from_estimator(
        path, l1_ratio=0.5, feature_names=names, n_labels=3
    )
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    sizes = np.array([line.get_ydata().max() for line in display.lines_])
    assert texts[:3] == [names[j] for j in np.argsort(-sizes)[:3]]


def test_the_chosen_alphas_are_marked_on_the_chosen_path_only(path):
    other = path.l1_ratios_[path.l1_ratios_ != path.l1_ratio_][0]
    for l1_ratio, expected in {
        None: {path.alpha_, path.alpha_1se_},
        other: set(),
    }.items():
        display = CoefficientPathDisplay.from_estimator(path, l1_ratio=l1_ratio)
        marks = set(display.ax_.get_lines()) - set(display.lines_)
        assert {mark.get_xdata()[0] for mark in marks} == expected


def test_weak_penalties_are_on_the_right_and_zero_the_last(hsbdemo):
    model = SoftmaxRegressionClassifierCV(alphas=[1.0, 0.1, 0.0], cv=3).fit(*hsbdemo)
    ax = CoefficientPathDisplay.from_estimator(model).ax_
    pixels = ax.transData.transform([(alpha, 0.0) for alpha in model.alphas_[0]])
    assert (np.diff(pixels[:, 0]) > 0).all()


def test_an_estimator_without_a_path_is_told_what_has_one():
    model = SoftmaxRegressionClassifier().fit(*load_iris(return_X_y=True))
    with pytest.raises(TypeError, match="fit a SoftmaxRegressionClassifierCV"):
        CoefficientPathDisplay.from_estimator(model)


def test_an_unfitted_estimator_is_named_as_such():
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(SoftmaxRegressionClassifier())
    with pytest.raises(NotFittedError):
        CoefficientPathDisplay.from_estimator(SoftmaxRegressionClassifierCV())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"l1_ratio": 0.3}, r"l1_ratio must be one of \[0.0, 0.5\], got 0.3"),
        (
            {"class_of_interest": 7},
            r"class_of_interest must be one of \[0, 1, 2\], got 7",
        ),
        ({"feature_names": ["a"]}, "feature_names must hold 13 names, got 1"),
    ],
)
def test_a_wrong_parameter_is_named(path, parameters, message):
    with pytest.raises(ValueError, match=message):
        CoefficientPathDisplay.from_estimator(path, **parameters)


def test_scores_are_drawn_with_one_standard_error(path):
    display = CVScoreDisplay.from_estimator(path, l1_ratio=0.5)
    x, y = display.line_.get_data()
    np.testing.assert_array_equal(x, path.alphas_[1])
    np.testing.assert_array_equal(y, -path.mean_scores_[1])  # losses, as by name
    (bars,) = display.errorbar_.lines[2]
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(np.diff(ends)[:, 0] / 2, path.score_errors_[1])
    used = path.coefs_path_[1].any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(display.n_features, used)
    (above,) = display.ax_.child_axes
    assert [label.get_text() for label in above.get_xticklabels()] == [*map(str, used)]


def test_the_chosen_alphas_are_marked_on_their_path_only(path):
    for row, l1_ratio in enumerate(path.l1_ratios_):
        display = CVScoreDisplay.from_estimator(path, l1_ratio=l1_ratio)
        at = {line.get_label(): line.get_xdata()[0] for line in display.ax_.lines}
        if l1_ratio == path.l1_ratio_:
            assert at["best alpha"] == path.alpha_
            assert at.get("within 1 std. error", path.alpha_) == path.alpha_1se_
            assert path.alphas_[row].min() < path.alpha_
        else:
            assert "best alpha" not in at


def test_scores_of_which_more_is_better_are_drawn_as_they_are():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 2)), rng.integers(2, size=60)
    model = SoftmaxRegressionClassifierCV([0.1, 0.0], scoring=None, cv=3).fit(X, y)
    display = CVScoreDisplay.from_estimator(model, color="red")
    np.testing.assert_array_equal(display.line_.get_ydata(), model.mean_scores_[0])
    assert display.ax_.get_ylabel() == "accuracy"
    assert display.line_.get_color() == "red"
    assert display.ax_.get_xscale() == "symlog"  # alpha = 0 has a place
    _, ax = plt.subplots()
    assert CVScoreDisplay([1.0], [0.5], [0.1]).plot(ax=ax).ax_ is ax
    with pytest.raises(TypeError, match="CVScoreDisplay draws coefs_path_"):
        CVScoreDisplay.from_estimator(SoftmaxRegressionClassifier().fit(X, y))
