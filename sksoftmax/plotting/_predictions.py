"""Predicted probabilities along a column, with bands."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax.inference import Predictions, predictions
from sksoftmax.inference._contrasts import shown_label
from sksoftmax.inference._population import values_along
from sksoftmax.plotting._axes import add_legend, axes_for, import_pyplot, line_style
from sksoftmax.plotting._whiskers import MARKERS, chosen_classes, spread

# Groups that share axes are told apart by their lines, or by how dots are filled.
_LINES = "-", "--", ":", "-."
_FILLS = "full", "none", "left", "right"


@dataclass(eq=False, repr=False)
class PredictionDisplay:
    """Predicted probabilities of each class along a column, with confidence bands.

    Make one of `Predictions`, or with `from_estimator`. A number makes curves with
    bands, a factor dots with whiskers. If other columns have several values too, each
    combination of them has axes of its own, or a line style where axes are given.

    Parameters
    ----------
    predictions : sksoftmax.inference.Predictions
        The probabilities; their `index` has the columns.
    feature : str, default=None
        Column for the horizontal axis; None stands for the one with the most values.

    Attributes
    ----------
    lines_ : list of matplotlib artists
        The curve or the dots of each class, group after group.
    bands_ : list of matplotlib.collections.Collection
        The bands, for a number.
    axes_ : ndarray of matplotlib.axes.Axes
        The axes of the groups.
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        The first of them and their figure.

    See Also
    --------
    MarginalEffectsDisplay : Draws changes of probabilities.
    sklearn.inspection.PartialDependenceDisplay : Draws averages without intervals, of
        any model.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plotting import PredictionDisplay
    >>> wine = load_wine(as_frame=True)
    >>> X, y = wine.data[["malic_acid", "ash"]], wine.target
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> display = PredictionDisplay.from_estimator(model, X, y, "ash")
    >>> len(display.lines_), len(display.bands_)
    (3, 3)
    """

    predictions: Predictions
    _: KW_ONLY
    feature: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X: ArrayLike,
        y: ArrayLike,
        feature: str,
        *,
        sample_weight: ArrayLike | None = None,
        at: Mapping | None = None,
        grid_resolution: int = 50,
        predictions_kw: dict | None = None,
        classes: Sequence | None = None,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the probabilities of a fitted model, averaged over the samples.

        Parameters
        ----------
        estimator, X, y : as in `sksoftmax.inference.predictions`
            The fitted model, and the data that it was fitted on.
        feature : str
            Column of X for the horizontal axis: it is set to values between its least
            and its largest, or to each of its levels.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights of the fit.
        at : dict, default=None
            Values of other columns, as in `predictions`; several values make groups.
        grid_resolution : int, default=50
            Number of values of a number.
        predictions_kw : dict, default=None
            Other arguments of `predictions`, such as X_profiles and cov_type.
        classes : sequence of labels, default=None
            Classes to draw; None stands for all.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Properties of all lines.

        Returns
        -------
        display : PredictionDisplay
            The probabilities and what was drawn.

        Raises
        ------
        ImportError, ValueError, TypeError
            If matplotlib is missing, or as in `predictions`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        options = dict(predictions_kw or {})
        profiles = options.pop("X_profiles", None)
        values = values_along(estimator, X, feature, grid_resolution)
        found = predictions(
            estimator,
            profiles,
            X,
            y,
            sample_weight,
            at={feature: values, **(at or {})},
            **options,
        )
        display = cls(found, feature=feature)
        return display.plot(classes=classes, ax=ax, **kwargs)

    def plot(self, *, classes: Sequence | None = None, ax=None, **kwargs) -> Self:
        """Draw the probabilities.

        Parameters
        ----------
        classes, ax, **kwargs : optional
            As in `from_estimator`.

        Returns
        -------
        display : PredictionDisplay
            This display.

        Raises
        ------
        ImportError, ValueError
            If matplotlib is missing, a class unknown, or no column left to draw along.
        """
        result = self.predictions
        rows = chosen_classes(result.classes, classes)
        feature = self._feature()
        x = np.asarray(result.index[feature])
        levels = None
        if x.dtype.kind not in "iuf":
            levels = list(dict.fromkeys(x.tolist()))
            x = np.array([levels.index(level) for level in x.tolist()], dtype=float)
        groups = self._groups(feature)
        self._make_axes(len(groups), ax)
        n_shared = len(groups) // self.axes_.size  # groups in the same axes
        shifts = spread(n_shared * len(rows)).reshape(n_shared, -1)
        self.lines_, self.bands_ = [], []
        for number, (name, places) in enumerate(groups.items()):
            own = self.axes_[number % self.axes_.size]
            if self.axes_.size > 1:
                own.set_title(name, fontsize="medium")
                number, name = 0, ""
            styles = [self._style(row, number, name) for row in rows]
            values = result.probability[rows][:, places]
            ends = result.conf_int[rows][:, places]
            styles = [line_style(style, kwargs) for style in styles]
            if levels is None:
                self._draw_curves(own, x[places], (values, ends), styles)
            else:
                moved = x[places] + shifts[number][:, None]
                self._draw_dots(own, moved, (values, ends), styles)
        for own in self.axes_:
            own.set(xlabel=feature, ylim=(0.0, 1.0))
            if levels is not None:
                own.set_xticks(range(len(levels)), levels)
        self.ax_.set_ylabel("Probability")
        shown = self.lines_[: len(rows)] if self.axes_.size > 1 else self.lines_
        add_legend(self, shown, is_ours=ax is None)
        return self

    def _make_axes(self, n_groups, ax):
        """Axes beside each other, one for each group, unless there are some."""
        if ax is None and n_groups > 1:
            plt = import_pyplot("PredictionDisplay.plot")
            self.figure_, axes = plt.subplots(
                1,
                n_groups,
                sharey=True,
                figsize=(min(2.0 + 3.2 * n_groups, 16.0), 4.8),
                layout="constrained",
            )
            self.axes_, self.ax_ = axes, axes[0]
        else:
            self.axes_ = np.array([axes_for(self, ax)])

    def _style(self, row, number, name):
        """The style of a class in one of the groups that share axes."""
        label = str(self.predictions.classes[row])
        return {
            "color": f"C{row % 10}",
            "marker": MARKERS[row % len(MARKERS)],
            "linestyle": _LINES[number % len(_LINES)],
            "fillstyle": _FILLS[number % len(_FILLS)],
            "label": f"{label}, {name}" if name else label,
        }

    def _draw_curves(self, ax, x, numbers, styles):
        order = np.argsort(x, kind="stable")
        for values, ends, style in zip(*numbers, styles, strict=True):
            style["marker"] = ""
            (line,) = ax.plot(x[order], values[order], **style)
            self.lines_.append(line)
            self.bands_.append(
                ax.fill_between(
                    x[order],
                    *ends[order].T,
                    color=line.get_color(),
                    alpha=0.15,
                    linewidth=0.0,
                )
            )

    def _draw_dots(self, ax, x, numbers, styles):
        for at, values, ends, style in zip(x, *numbers, styles, strict=True):
            style = {**style, "linestyle": "none", "markersize": 5.0}
            errors = np.abs(ends.T - values)
            self.lines_.append(ax.errorbar(at, values, yerr=errors, **style))

    def _feature(self):
        """The column for the horizontal axis."""
        result = self.predictions
        if result.is_difference:
            raise ValueError(
                "predictions holds differences; draw probabilities, without contrasts."
            )
        if self.feature is not None:
            if self.feature not in result.index:
                raise ValueError(
                    f"feature must be one of {list(result.index)}, which the"
                    f" predictions differ by; got {self.feature!r}."
                )
            return self.feature
        sizes = {name: len(set(values)) for name, values in result.index.items()}
        if not sizes:
            raise ValueError(
                "predictions has one average; pass at or by to have several."
            )
        return max(sizes, key=sizes.get)

    def _groups(self, feature):
        """The places of each combination of the other columns that differ."""
        index = {
            name: list(values)
            for name, values in self.predictions.index.items()
            if name != feature and len(set(values)) > 1
        }
        groups = {}
        for place in range(len(self.predictions.terms)):
            label = {name: values[place] for name, values in index.items()}
            groups.setdefault(shown_label(label), []).append(place)
        return groups
