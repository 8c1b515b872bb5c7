"""Reliability diagrams, against scikit-learn's for two classes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer, load_digits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.plotting import ReliabilityDisplay

pytestmark = pytest.mark.usefixtures("draws")


@pytest.fixture(scope="module")
def predictions():
    """Labels and probabilities of digits that the model has not seen."""
    X, y = load_digits(return_X_y=True)
    model = SoftmaxRegressionClassifier(alpha=1.0).fit(X[::3], y[::3])
    return y[1::3], model.predict_proba(X[1::3])


@pytest.mark.parametrize("n_bins", [1, 7, 10])
def test_one_class_against_the_rest_is_scikit_learn_s_curve(predictions, n_bins):
    y, P = predictions
    display = ReliabilityDisplay.from_predictions(
        y, P, class_of_interest=3, n_bins=n_bins
    )
    expected = calibration_curve(y == 3, P[:, 3], n_bins=n_bins)
    np.testing.assert_allclose(display.line_.get_ydata(), expected[0], rtol=1e-12)
    np.testing.assert_allclose(display.line_.get_xdata(), expected[1], rtol=1e-12)


def test_of_many_classes_the_likeliest_is_judged_by_being_right(predictions):
    y, P = predictions
    display = ReliabilityDisplay.from_predictions(y, P)
    right = P.argmax(axis=1) == y
    expected = calibration_curve(right, P.max(axis=1), n_bins=10)
    np.testing.assert_allclose(display.prob_true, expected[0], rtol=1e-12)
    np.testing.assert_allclose(display.prob_pred, expected[1], rtol=1e-12)


def test_of_two_classes_the_second_is_predicted():
    X, y = load_breast_cancer(return_X_y=True)
    model = SoftmaxRegressionClassifier().fit(X[::2], y[::2])
    display = ReliabilityDisplay.from_estimator(model, X[1::2], y[1::2])
    P = model.predict_proba(X[1::2])
    expected = calibration_curve(y[1::2], P[:, 1], n_bins=10)
    np.testing.assert_allclose(display.prob_true, expected[0], rtol=1e-12)
    assert "class 1" in display.ax_.get_xlabel()


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_weights_are_repetitions(predictions, strategy):
    y, P = predictions
    counts = np.random.default_rng(0).integers(0, 4, size=y.size)
    weighted = ReliabilityDisplay.from_predictions(
        y, P, sample_weight=counts, strategy=strategy
    )
    repeated = ReliabilityDisplay.from_predictions(
        y.repeat(counts), P.repeat(counts, axis=0), strategy=strategy
    )
    for name in ("prob_true", "prob_pred", "shares"):
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), rtol=1e-12
        )


def test_quantiles_hold_equal_shares(predictions):
    y, P = predictions
    display = ReliabilityDisplay.from_predictions(y, P, strategy="quantile", n_bins=5)
    np.testing.assert_allclose(display.shares, 0.2, atol=2 / y.size)


def test_the_calibration_error_of_a_worked_example():
    # Two bins: three quarters of the rows at .6, all right; the rest at .9, wrong.
    P = np.array([[0.6, 0.4, 0.0]] * 3 + [[0.05, 0.9, 0.05]])
    display = ReliabilityDisplay.from_predictions([0, 0, 0, 2], P, classes=[0, 1, 2])
    assert display.calibration_error == pytest.approx(0.75 * 0.4 + 0.25 * 0.9)
    text = display.line_.get_label()
    assert text == "calibration error 0.525"


def test_labels_drawn_from_the_probabilities_are_calibrated(rng):
    P = rng.dirichlet(np.ones(3), size=50_000)
    y = (rng.random((50_000, 1)) > P.cumsum(axis=1)).sum(axis=1)
    display = ReliabilityDisplay.from_predictions(y, P, n_bins=5)
    assert display.calibration_error < 0.01


def test_soft_labels_count_by_their_shares(rng):
    P = rng.dirichlet(np.ones(3), size=200)
    display = ReliabilityDisplay.from_predictions(P, P)
    np.testing.assert_allclose(display.prob_true, display.prob_pred, rtol=1e-9)


def test_several_share_axes_and_one_diagonal(predictions):
    _, ax = plt.subplots()
    for name in ("a", "b"):
        ReliabilityDisplay.from_predictions(*predictions, ax=ax, name=name)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == 3
    assert labels.count("perfectly calibrated") == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_bins": 0}, "n_bins must be an integer >= 1, got 0"),
        ({"n_bins": 2.5}, "n_bins must be an integer >= 1, got 2.5"),
        ({"strategy": "kmeans"}, "strategy must be one of .*'uniform', 'quantile'"),
        ({"class_of_interest": "x"}, "class_of_interest must be one of"),
        ({"sample_weight": [1.0]}, "sample_weight"),
        ({"classes": range(9, -1, -1)}, "classes must be sorted"),
    ],
)
def test_a_wrong_parameter_is_named(predictions, parameters, message):
    with pytest.raises(ValueError, match=message):
        ReliabilityDisplay.from_predictions(*predictions, **parameters)


def test_probabilities_that_do_not_suit_the_labels_are_refused(predictions):
    y, P = predictions
    with pytest.raises(ValueError, match="one column for each class: it has 9"):
        ReliabilityDisplay.from_predictions(y, P[:, :9])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ReliabilityDisplay.from_predictions(y[1:], P)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        ReliabilityDisplay.from_predictions(y, np.log(P))


def test_labels_are_called_what_the_caller_calls_them():
    P = [[0.5, 0.5]] * 3
    with pytest.raises(ValueError, match="y_true contains NaN"):
        ReliabilityDisplay.from_predictions([0, 1, np.nan], P)
    with pytest.raises(ValueError, match="y_true and y_prob"):
        ReliabilityDisplay.from_predictions([0, 1], P)
