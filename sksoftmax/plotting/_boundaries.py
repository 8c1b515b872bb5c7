"""Regions and boundaries of a classifier of two features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._data.targets import hard_labels
from sksoftmax._utils.missing import refuse_missing
from sksoftmax.plotting._axes import import_pyplot


def plot_decision_boundaries(
    estimator,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    colors: Sequence | None = None,
    ax=None,
    **kwargs,
):
    """Draw a classifier's probabilities over a plane, its boundaries and samples.

    Each region has the colour of its likeliest class, paler where it is less certain.
    Black lines show where two classes are equally likely. scikit-learn's
    `DecisionBoundaryDisplay` draws the regions; two classes look as more do here, and
    samples have the colours of their regions.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier with `predict_proba` and two features, of any package.
    X : array-like of shape (n_samples, 2)
        Samples; their range is that of the plot.
    y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        Labels or soft labels of the samples. None draws no samples.
    colors : sequence of matplotlib colors of length n_classes, default=None
        Colours of the classes; None stands for matplotlib's colours of lines.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into; None makes a figure.
    **kwargs : dict
        Parameters of `DecisionBoundaryDisplay.from_estimator`, such as
        `grid_resolution` (200 here), `eps` (a tenth of the narrower range), `xlabel`
        and `ylabel`.

    Returns
    -------
    display : sklearn.inspection.DecisionBoundaryDisplay
        What was drawn, with `ax_` and `figure_`.

    Raises
    ------
    ImportError, ValueError
        If matplotlib is missing, X has not two features, or a class has no colour.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plotting import plot_decision_boundaries
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X = X[["petal length (cm)", "petal width (cm)"]]
    >>> model = SoftmaxRegressionClassifier().fit(X, y)
    >>> display = plot_decision_boundaries(model, X, y)
    >>> display.ax_.get_xlabel()
    'petal length (cm)'
    """
    plt = import_pyplot("plot_decision_boundaries")
    from matplotlib.colors import LinearSegmentedColormap, to_hex
    from sklearn.inspection import DecisionBoundaryDisplay

    classes = estimator.classes_
    if colors is None:
        colors = _default_colors(plt, len(classes))
    colors = [to_hex(color) for color in colors]
    if len(colors) != len(classes):
        raise ValueError(
            f"colors must hold {len(classes)} colours, one for each class, got"
            f" {len(colors)}."
        )
    refuse_missing("X", X)
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    settings = {
        "response_method": "predict_proba",
        "plot_method": "pcolormesh",
        "grid_resolution": 200,
        "eps": _margin(X),
        "alpha": 0.5,
        "vmin": 1.0 / len(classes),
        "vmax": 1.0,
        "rasterized": True,
        "zorder": -1,
    }
    if len(classes) == 2:
        fade = LinearSegmentedColormap.from_list("two", [colors[0], "white", colors[1]])
        settings.update(vmin=0.0, cmap=fade)
    else:
        settings["multiclass_colors"] = colors
    display = DecisionBoundaryDisplay.from_estimator(
        estimator, X, ax=ax, **{**settings, **kwargs}
    )
    _draw_boundaries(display)
    if y is not None:
        _draw_samples(ax, np.asarray(X), hard_labels(y, classes), classes, colors)
    return display


def _default_colors(plt, n_classes):
    """The colours of lines, or of a colour map if there are too few."""
    cycle = plt.rcParams["axes.prop_cycle"].by_key().get("color", [])
    if n_classes <= len(cycle):
        return cycle[:n_classes]
    return list(plt.get_cmap("turbo")(np.linspace(0.0, 1.0, n_classes)))


def _margin(X):
    """A tenth of the narrower range, or 1 if that has no width."""
    margin = 0.1 * np.ptp(np.asarray(X), axis=0).min()
    return margin if margin > 0.0 else 1.0


def _draw_boundaries(display):
    """Draw lines where the lead of a class over all others is zero."""
    P = display.response
    P = np.stack([1.0 - P, P], axis=-1) if P.ndim == 2 else P
    for k in range(1 if P.shape[-1] == 2 else P.shape[-1]):
        lead = P[..., k] - np.delete(P, k, axis=-1).max(axis=-1)
        if lead.min() < 0.0 < lead.max():
            style = {"colors": "black", "linewidths": 0.8, "zorder": 0}
            display.ax_.contour(display.xx0, display.xx1, lead, levels=[0.0], **style)


def _draw_samples(ax, X, labels, classes, colors):
    """Draw dots in the colours of their classes, whole also at the plot's edge."""
    style = {"s": 16, "edgecolor": "white", "linewidth": 0.5, "clip_on": False}
    for name, color in zip(classes, colors, strict=True):
        ax.scatter(*X[labels == name].T, color=color, label=name, **style)
    ax.legend()
