"""Decision boundaries: lines where two classes are equally likely."""

import builtins

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.datasets import load_iris
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression

from sksoftmax import SoftmaxRegressionClassifier, plotting
from sksoftmax.plotting import plot_decision_boundaries

pytestmark = pytest.mark.usefixtures("draws")


@pytest.fixture(scope="module", params=["two classes", "three classes", "network"])
def case(request):
    """A model with its data: two features with names, labels that are strings."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    X, y = X.iloc[:, 2:], y.map({0: "u", 1: "v", 2: "w"})
    if request.param == "two classes":
        X, y = X[50:], y[50:]
    sizes = (8,) if request.param == "network" else ()
    return SoftmaxRegressionClassifier(sizes, random_state=0).fit(X, y), X, y


def lines_of(ax):
    """Points of the lines that contours have drawn."""
    return np.concatenate(
        [
            path.vertices
            for artist in ax.collections
            if artist.get_array() is not None and artist.get_array().size == 1
            for path in artist.get_paths()
        ]
    )


def test_on_the_lines_the_two_likeliest_classes_are_equally_likely(case):
    model, X, _ = case
    display = plot_decision_boundaries(model, X, grid_resolution=400)
    points = type(X)(lines_of(display.ax_), columns=X.columns)
    assert len(points) > 100
    P = np.sort(model.predict_proba(points), axis=1)
    assert np.quantile(P[:, -1] - P[:, -2], 0.99) < 0.05


def test_the_picture_is_scikit_learn_s_display(case):
    model, X, y = case
    display = plot_decision_boundaries(model, X, y)
    assert isinstance(display, DecisionBoundaryDisplay)
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlabel() == "petal length (cm)"
    assert display.xx0.min() < X.iloc[:, 0].min()
    assert display.xx1.max() > X.iloc[:, 1].max()


def test_the_samples_have_the_colours_of_their_classes(case):
    model, X, y = case
    colors = ["#0072b2", "#e69f00", "#009e73"][: len(model.classes_)]
    ax = plot_decision_boundaries(model, X, y, colors=colors).ax_
    handles, labels = ax.get_legend_handles_labels()
    assert labels == model.classes_.tolist()
    for handle, label, color in zip(handles, labels, colors, strict=True):
        assert to_hex(handle.get_facecolor()[0]) == color
        assert len(handle.get_offsets()) == (y == label).sum()


def test_soft_labels_are_drawn_as_their_likeliest_class():
    X, y = load_iris(return_X_y=True)
    X, Y = X[:, 2:], 0.8 * np.eye(3)[y] + 0.2 / 3
    model = SoftmaxRegressionClassifier().fit(X, Y)
    handles, _ = plot_decision_boundaries(model, X, Y).ax_.get_legend_handles_labels()
    assert [len(handle.get_offsets()) for handle in handles] == [50, 50, 50]


def test_parameters_of_the_display_are_passed_on():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression().fit(X[:, 2:], y)  # any classifier will do
    figure, ax = plt.subplots()
    display = plot_decision_boundaries(
        model, X[:, 2:], ax=ax, grid_resolution=20, eps=3.0, xlabel="length"
    )
    assert display.figure_ is figure
    assert display.xx0.shape == (20, 20)
    assert display.xx0.min() == X[:, 2].min() - 3.0
    assert ax.get_xlabel() == "length"


def test_more_classes_than_colours_of_lines_are_all_different():
    angles = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False).repeat(5)
    X, y = np.column_stack([np.cos(angles), np.sin(angles)]), np.arange(60) // 5
    ax = plot_decision_boundaries(SoftmaxRegressionClassifier().fit(X, y), X, y).ax_
    handles, _ = ax.get_legend_handles_labels()
    assert len({to_hex(handle.get_facecolor()[0]) for handle in handles}) == 12


def test_data_with_other_than_two_features_are_refused():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionClassifier().fit(X, y)
    with pytest.raises(ValueError, match="n_features must be equal to 2"):
        plot_decision_boundaries(model, X, y)


def test_a_colour_for_each_class_is_asked_for(case):
    model, X, _ = case
    with pytest.raises(ValueError, match=r"colors must hold . colours.* got 1"):
        plot_decision_boundaries(model, X, colors=["red"])


def test_a_missing_matplotlib_is_named_with_its_extra(case, monkeypatch):
    def import_all_but_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(f"No module named {name!r}")
        return real_import(name, *args, **kwargs)

    model, X, y = case
    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", import_all_but_matplotlib)
    for draw in (
        lambda: plot_decision_boundaries(model, X),
        lambda: plotting.LossCurveDisplay.from_estimator(model),
        lambda: plotting.LossCurveDisplay([1.0]).plot(),
        lambda: plotting.CoefficientPathDisplay.from_estimator(model),
        lambda: plotting.CVScoreDisplay.from_estimator(model),
        lambda: plotting.ReliabilityDisplay.from_estimator(model, X, y),
    ):
        with pytest.raises(ImportError, match=r"pip install 'sksoftmax\[plot\]'"):
            draw()
