"""How often predictions of probability p come true."""

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_array, check_consistent_length

from sksoftmax._data.targets import check_weights, encode
from sksoftmax._utils.errors import check_choice, error_context
from sksoftmax._utils.missing import no_missing
from sksoftmax.plotting._axes import axes_for, column_of, import_pyplot, line_style


@dataclass(eq=False, repr=False)
class ReliabilityDisplay:
    """Reliability diagram for any number of classes.

    Make one with `from_estimator` or `from_predictions`. The diagram of one class is
    that of scikit-learn's `CalibrationDisplay`. With more than two classes and no
    `class_of_interest` it shows how often the likeliest class is the right one, given
    its probability (Guo et al. 2017).

    Parameters
    ----------
    prob_true : ndarray of shape (n_bins,)
        Observed rate of the predicted class, in each bin that is not empty.
    prob_pred : ndarray of shape (n_bins,)
        Mean of the predicted probabilities in these bins.
    shares : ndarray of shape (n_bins,)
        Fraction of the total sample weight in these bins.
    class_of_interest : int, float, bool or str, default=None
        The class that is predicted; None stands for the likeliest.
    estimator_name : str, default=None
        Name in the legend.

    Attributes
    ----------
    line_ : matplotlib.lines.Line2D
        The curve.
    points_ : matplotlib.collections.PathCollection
        The bins; their areas grow with `shares`.
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        The axes of the plot and their figure.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : The same for two classes.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks,
    ICML, section 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plotting import ReliabilityDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SoftmaxRegressionClassifier().fit(X[::2], y[::2])
    >>> display = ReliabilityDisplay.from_estimator(model, X[1::2], y[1::2])
    >>> display.calibration_error < 0.03
    True
    """

    prob_true: ArrayLike
    prob_pred: ArrayLike
    shares: ArrayLike
    _: KW_ONLY
    class_of_interest: object = None
    estimator_name: str | None = None

    @property
    def calibration_error(self):
        """Expected calibration error: mean distance of rate and probability, float."""
        distances = np.abs(np.subtract(self.prob_true, self.prob_pred))
        return float(np.dot(self.shares, distances))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_bins: int = 10,
        strategy: str = "uniform",
        class_of_interest=None,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the diagram of a classifier, best on data that it was not fitted on.

        Parameters
        ----------
        estimator : estimator instance
            A fitted classifier with `predict_proba`, of any package.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to predict.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Their labels or soft labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights, >= 0.
        n_bins : int, default=10
            Number of bins.
        strategy : {"uniform", "quantile"}, default="uniform"
            Whether bins have the same width or hold the same weight.
        class_of_interest : int, float, bool or str, default=None
            The class that is predicted. None stands for the second of two classes, and
            for the likeliest of more than two.
        name : str, default=None
            Name in the legend; None stands for the name of the estimator's class.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Properties of the line.

        Returns
        -------
        display : ReliabilityDisplay
            The bins and what was drawn.

        Raises
        ------
        ImportError, ValueError
            If matplotlib is missing, or a parameter or the data are invalid.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            classes=estimator.classes_,
            sample_weight=sample_weight,
            n_bins=n_bins,
            strategy=strategy,
            class_of_interest=class_of_interest,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_bins: int = 10,
        strategy: str = "uniform",
        classes: ArrayLike | None = None,
        class_of_interest=None,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the diagram of predicted probabilities.

        Use it if the probabilities do not come from a scikit-learn estimator.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels or soft labels.
        y_prob : array-like of shape (n_samples, n_classes)
            Predicted probabilities, columns in the order of `classes`.
        sample_weight, n_bins, strategy : optional
            As in `from_estimator`.
        classes : array-like of shape (n_classes,), default=None
            Sorted classes; None stands for those in y_true.
        class_of_interest, name, ax, **kwargs : optional
            As in `from_estimator`, but without a name none is shown.

        Returns
        -------
        display : ReliabilityDisplay
            As in `from_estimator`.

        Raises
        ------
        ImportError, ValueError
            As in `from_estimator`.
        """
        _check_bins(n_bins, strategy)
        targets = encode(y_true, _check_classes(classes), name="y_true")
        P = _check_probabilities(y_prob, targets)
        s = check_weights(sample_weight, P.shape[0])
        column = column_of(class_of_interest, targets.classes)
        columns = P.argmax(axis=1) if column is None else np.full(P.shape[0], column)
        rows = np.arange(P.shape[0])
        happened, p = targets.Y[rows, columns], P[rows, columns]
        display = cls(
            *_binned(happened, p, s, n_bins, strategy),
            class_of_interest=None if column is None else targets.classes[column],
            estimator_name=name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, name: str | None = None, **kwargs) -> Self:
        """Draw the diagram.

        Parameters
        ----------
        ax, name, **kwargs : optional
            As in `from_estimator`; the default name is `estimator_name`.

        Returns
        -------
        display : ReliabilityDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_for(self, ax)
        perfect = "perfectly calibrated"
        if perfect not in ax.get_legend_handles_labels()[1]:
            ax.plot([0, 1], [0, 1], color="0.4", linestyle=":", label=perfect)
        error = f"calibration error {self.calibration_error:.3f}"
        name = self.estimator_name if name is None else name
        label = error if name is None else f"{name}, {error}"
        style = line_style({"label": label}, kwargs)
        (self.line_,) = ax.plot(self.prob_pred, self.prob_true, **style)
        self.points_ = ax.scatter(
            self.prob_pred,
            self.prob_true,
            s=10.0 + 300.0 * np.asarray(self.shares),
            color=self.line_.get_color(),
            alpha=0.6,
            linewidth=0.0,
        )
        one = self.class_of_interest
        what = "the likeliest class" if one is None else f"class {one}"
        ax.set(
            xlabel=f"Mean predicted probability of {what}",
            ylabel=f"Observed rate of {what}",
            aspect="equal",
        )
        ax.legend()
        return self


def _check_classes(classes):
    if classes is None:
        return None
    classes = np.asarray(classes)
    if np.array_equal(np.unique(classes), classes):
        return classes
    raise ValueError(
        "classes must be sorted and distinct, as the columns of y_prob are; got"
        f" {classes.tolist()}."
    )


def _check_probabilities(y_prob, targets):
    with error_context("y_prob"), no_missing("y_prob", y_prob):
        P = check_array(y_prob, dtype=np.float64, input_name="y_prob")
    with error_context("y_true and y_prob"):
        check_consistent_length(targets.Y, P)
    if P.shape[1] != targets.classes.size:
        raise ValueError(
            f"y_prob must have one column for each class: it has {P.shape[1]}, and the"
            f" classes are {targets.classes.tolist()}. Pass classes if y_true lacks"
            " some."
        )
    if P.min() < 0.0 or P.max() > 1.0:
        raise ValueError(
            f"y_prob must be in [0, 1], got {P.min():.3g} to {P.max():.3g}."
        )
    return P


def _check_bins(n_bins, strategy):
    if not (isinstance(n_bins, Integral) and n_bins >= 1):
        raise ValueError(f"n_bins must be an integer >= 1, got {n_bins!r}.")
    check_choice("strategy", strategy, ("uniform", "quantile"))


def _binned(happened, p, s, n_bins, strategy):
    """Rate, mean probability and fraction of the weight of the bins with weight."""
    inner = np.linspace(0.0, 1.0, n_bins + 1)[1:-1]
    if strategy == "quantile":
        inner = np.quantile(p, inner, weights=s, method="inverted_cdf")
    numbers = np.searchsorted(inner, p)
    weights = np.bincount(numbers, s, n_bins)
    filled = weights > 0
    weights = weights[filled]
    rates = np.bincount(numbers, s * happened, n_bins)[filled] / weights
    means = np.bincount(numbers, s * p, n_bins)[filled] / weights
    return rates, means, weights / weights.sum()
