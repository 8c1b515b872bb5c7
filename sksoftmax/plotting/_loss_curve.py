"""How the loss fell during a fit."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sksoftmax import _solvers
from sksoftmax.plotting._axes import axes_for, import_pyplot, last_step, line_style


class LossCurveDisplay:
    """Loss after each iteration or epoch, in training and on validation data.

    Make one with `from_estimator`. The two curves are not the same function: that of
    the training is the objective, penalty included, that of the validation is the mean
    cross-entropy alone.

    Parameters
    ----------
    loss_curve : array-like of shape (n_iter,)
        The objective after each iteration, in nats.
    validation_loss_curve : array-like of shape (n_iter,), default=None
        Mean cross-entropy on validation data after each iteration, in nats.
    best_iter : int, default=None
        Number of the iteration to mark, 1 being the first.
    unit : str, default="iteration"
        What the axis counts, "iteration" or "epoch".
    estimator_name : str, default=None
        Name in the legend.

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D
        The curve of the training and, if there is one, that of the validation.
    best_ : matplotlib.lines.Line2D or None
        The mark at `best_iter`, on the last of the curves.
    ax_ : matplotlib.axes.Axes
        What was drawn into.
    figure_ : matplotlib.figure.Figure
        The figure of these axes.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by number of samples.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plotting import LossCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SoftmaxRegressionClassifier((32,), early_stopping=True, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(model.fit(X, y))
    >>> display.ax_.get_xlabel(), len(display.lines_)
    ('Epoch', 2)
    """

    def __init__(
        self,
        loss_curve: ArrayLike,
        *,
        validation_loss_curve: ArrayLike | None = None,
        best_iter: int | None = None,
        unit: str = "iteration",
        estimator_name: str | None = None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.best_iter = best_iter
        self.unit = unit
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, *, name: str | None = None, ax=None, **kwargs
    ) -> Self:
        """Draw the curves that a fit has recorded.

        Parameters
        ----------
        estimator : estimator instance
            A fitted classifier of this package, or a pipeline or search with one.
        name : str, default=None
            Name in the legend, for several displays on the same axes.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Properties of both lines.

        Returns
        -------
        display : LossCurveDisplay
            The numbers and what was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator records no curve.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        classifier = last_step(estimator)
        check_is_fitted(classifier)
        if not hasattr(classifier, "optimality_"):
            raise TypeError(
                f"{cls.__name__} draws loss_curve_ in nats as"
                " SoftmaxRegressionClassifier records it, which"
                f" {type(classifier).__name__} does not; for other curves call"
                f" {cls.__name__}(loss_curve).plot()."
            )
        display = cls(
            classifier.loss_curve_,
            validation_loss_curve=getattr(classifier, "validation_loss_curve_", None),
            best_iter=classifier.best_iter_,
            unit="epoch" if classifier.solver_ in _solvers.MINIBATCH else "iteration",
            estimator_name=name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, name: str | None = None, **kwargs) -> Self:
        """Draw the curves.

        With validation data the line of the training is dashed; all lines of one
        display have one colour, so that several can share axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in the legend; None stands for `estimator_name`.
        **kwargs : dict
            Properties of both lines.

        Returns
        -------
        display : LossCurveDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is no curve to draw.
        """
        curves = self._curves()
        ax = axes_for(self, ax)
        name = self.estimator_name if name is None else name
        prefix = "" if name is None else f"{name}: "
        is_short = self.unit == "iteration" and len(curves[0][1]) < 30
        self.lines_, style = [], {"marker": "." if is_short else ""}
        for label, curve in curves:
            dashed = label == "training" and len(curves) > 1
            style["linestyle"] = "--" if dashed else "-"
            style["label"] = prefix + label
            numbers = np.arange(1, len(curve) + 1)
            (line,) = ax.plot(numbers, curve, **line_style(style, kwargs))
            style["color"] = line.get_color()
            self.lines_.append(line)
        self.best_ = self._mark_best(ax, curves[-1][1], style["color"], prefix)
        ax.set(xlabel=self.unit.capitalize(), ylabel="Loss (nats)")
        if ax.get_xscale() == "linear":
            ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
        return self

    def _curves(self):
        """Pairs of label and curve."""
        curves = [
            ("training", self.loss_curve),
            ("validation", self.validation_loss_curve),
        ]
        curves = [
            (label, np.asarray(curve, dtype=float))
            for label, curve in curves
            if curve is not None and len(curve)
        ]
        if curves:
            return curves
        raise ValueError(
            "There is no loss curve to draw: loss_curve is"
            f" {self.loss_curve!r}. A fitted SoftmaxRegressionClassifier has one in"
            " loss_curve_, and with X_val and y_val passed to fit, or with"
            " early_stopping=True, also validation_loss_curve_."
        )

    def _mark_best(self, ax, curve, color, prefix):
        if not self.best_iter or self.best_iter > len(curve):
            return None
        (mark,) = ax.plot(
            self.best_iter,
            curve[self.best_iter - 1],
            marker="o",
            markersize=8,
            markerfacecolor="none",
            markeredgewidth=1.5,
            color=color,
            linestyle="none",
            label=f"{prefix}best, {self.unit} {self.best_iter}",
        )
        return mark
