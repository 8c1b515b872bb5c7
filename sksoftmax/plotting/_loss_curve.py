"""How the loss fell during a fit."""

from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax import _solvers
from sksoftmax.plotting._axes import axes_for, fitted_classifier, line_style


@dataclass(eq=False, repr=False)
class LossCurveDisplay:
    """Loss after each iteration or epoch, in training and on validation data.

    Make one with `from_estimator`. The two curves show different functions: the
    training curve is the objective with its penalty, the validation curve is the mean
    cross-entropy alone.

    Parameters
    ----------
    loss_curve : array-like of shape (n_iter,)
        Objective after each iteration, in nats, the unit of natural logarithms.
    validation_loss_curve : array-like of shape (n_iter,), default=None
        Mean cross-entropy on validation data after each iteration, in nats.
    best_iter : int, default=None
        Number of the iteration to mark, counted from 1.
    unit : {"iteration", "epoch"}, default="iteration"
        What the horizontal axis counts.
    estimator_name : str, default=None
        Name in the legend.

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D
        The training curve and, if there is one, the validation curve.
    best_ : matplotlib.lines.Line2D or None
        The mark at `best_iter`, on the last of the curves.
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        The axes of the plot and their figure.

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

    loss_curve: ArrayLike
    _: KW_ONLY
    validation_loss_curve: ArrayLike | None = None
    best_iter: int | None = None
    unit: str = "iteration"
    estimator_name: str | None = None

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
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Properties of both lines.

        Returns
        -------
        display : LossCurveDisplay
            The curves and what was drawn.

        Raises
        ------
        ImportError, NotFittedError, TypeError
            If matplotlib is missing, or the estimator is not fitted or has no curve.
        """
        classifier = fitted_classifier(cls, estimator)
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

        With validation data the training curve is dashed. All lines of one display
        have one colour, so that several displays can share axes.

        Parameters
        ----------
        ax, name, **kwargs : optional
            As in `from_estimator`; without a name `estimator_name` is used.

        Returns
        -------
        display : LossCurveDisplay
            This display.

        Raises
        ------
        ImportError, ValueError
            If matplotlib is missing, or there is no curve to draw.
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
        curves = {"training": self.loss_curve, "validation": self.validation_loss_curve}
        found = [
            (label, np.asarray(curve, dtype=float))
            for label, curve in curves.items()
            if curve is not None and len(curve)
        ]
        if found:
            return found
        raise ValueError(
            f"There is no loss curve to draw: loss_curve is {self.loss_curve!r}. A"
            " fitted SoftmaxRegressionClassifier has one in loss_curve_, and with X_val"
            " and y_val passed to fit, or with early_stopping=True, also"
            " validation_loss_curve_."
        )

    def _mark_best(self, ax, curve, color, prefix):
        """The mark at `best_iter`, or None."""
        if not self.best_iter or self.best_iter > len(curve):
            return None
        style = {"marker": "o", "ms": 8, "mfc": "none", "mew": 1.5, "ls": "none"}
        label = f"{prefix}best, {self.unit} {self.best_iter}"
        point = self.best_iter, curve[self.best_iter - 1]
        return ax.plot(*point, color=color, label=label, **style)[0]
