"""Coefficients by the strength of the penalty."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax.plotting._alphas import mark_alphas, path_of, scale_alphas
from sksoftmax.plotting._axes import axes_for, column_of, line_style


@dataclass(eq=False, repr=False)
class CoefficientPathDisplay:
    """Coefficients as the penalty falls, with one line per feature.

    Make one with `from_estimator`. The lines are the coefficients of one class. With
    more than two classes and no `class_of_interest` they are the norms of each
    feature's coefficients over the classes. Only features on the same scale can be
    compared.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Strengths of the penalty.
    coefs : array-like of shape (n_alphas, n_classes, n_features)
        Coefficients at each alpha.
    classes : sequence of length n_classes
        Names of the classes.
    feature_names : sequence of str of length n_features, default=None
        Names of the features; None stands for x0, x1, ...
    alpha : float, default=None
        Strength to mark as the best.
    alpha_1se : float, default=None
        Strength to mark as within one standard error of the best.

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D
        The lines of the features, in their order.
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        The axes of the plot and their figure.

    See Also
    --------
    sksoftmax.SoftmaxRegressionClassifierCV : The estimator that fits such paths.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksoftmax import SoftmaxRegressionClassifierCV
    >>> from sksoftmax.plotting import CoefficientPathDisplay
    >>> wine = load_wine()
    >>> model = SoftmaxRegressionClassifierCV(l1_ratios=1.0, grouped=True, cv="alo")
    >>> model = make_pipeline(StandardScaler(), model).fit(wine.data, wine.target)
    >>> display = CoefficientPathDisplay.from_estimator(
    ...     model, feature_names=wine.feature_names
    ... )
    >>> len(display.lines_)
    13
    """

    alphas: ArrayLike
    coefs: ArrayLike
    _: KW_ONLY
    classes: Sequence
    feature_names: Sequence | None = None
    alpha: float | None = None
    alpha_1se: float | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        l1_ratio: float | None = None,
        class_of_interest=None,
        feature_names: Sequence | None = None,
        n_labels: int = 10,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the path that a fit has recorded.

        Parameters
        ----------
        estimator : estimator instance
            A fitted `SoftmaxRegressionClassifierCV`, or a pipeline or search with one.
        l1_ratio : float, default=None
            Which path to draw; None stands for that of the chosen `l1_ratio_`.
        class_of_interest : int, float, bool or str, default=None
            Class of the coefficients. None stands for the second of two classes, and
            for the norms over more than two.
        feature_names : sequence of str of length n_features, default=None
            Names of the features; None stands for those that the classifier has seen.
        n_labels : int, default=10
            Number of features with names and colours: those with the largest
            coefficients at any alpha.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Properties of all lines.

        Returns
        -------
        display : CoefficientPathDisplay
            The path and what was drawn.

        Raises
        ------
        ImportError, NotFittedError, TypeError
            If matplotlib is missing, or the estimator is not fitted or has no path.
        ValueError
            If l1_ratio or class_of_interest is unknown, or the number of names wrong.
        """
        classifier, row, marks = path_of(cls, estimator, l1_ratio)
        if feature_names is None:
            feature_names = getattr(classifier, "feature_names_in_", None)
        display = cls(
            classifier.alphas_[row],
            classifier.coefs_path_[row],
            classes=classifier.classes_,
            feature_names=feature_names,
            **marks,
        )
        return display.plot(
            class_of_interest=class_of_interest, n_labels=n_labels, ax=ax, **kwargs
        )

    def plot(
        self, *, class_of_interest=None, n_labels: int = 10, ax=None, **kwargs
    ) -> Self:
        """Draw the path, from the strongest penalty on the left to the weakest.

        Parameters
        ----------
        class_of_interest, n_labels, ax, **kwargs : optional
            As in `from_estimator`.

        Returns
        -------
        display : CoefficientPathDisplay
            This display.

        Raises
        ------
        ImportError, ValueError
            As in `from_estimator`.
        """
        column = column_of(class_of_interest, self.classes)
        values, label = self._values(column)
        names = self._names(values.shape[1])
        ax = axes_for(self, ax)
        # The largest are named, in the order of their size, and drawn over the others.
        order = np.argsort(-np.abs(values).max(axis=0), kind="stable")
        named = {feature: rank for rank, feature in enumerate(order[:n_labels])}
        self.lines_ = []
        for feature, curve in enumerate(values.T):
            style = {"color": "0.8", "linewidth": 1.0, "zorder": 1.5}
            if feature in named:
                style = {"color": f"C{named[feature]}", "label": names[feature]}
            style["marker"] = "" if len(curve) > 1 else "."
            (line,) = ax.plot(self.alphas, curve, **line_style(style, kwargs))
            self.lines_.append(line)
        marks = mark_alphas(ax, self.alpha, self.alpha_1se)
        scale_alphas(ax, self.alphas)
        ax.set(xlabel="alpha", ylabel=label)
        # On the left coefficients are near zero, so there is space for the legend.
        handles = [self.lines_[feature] for feature in named] + marks
        ax.legend(handles=handles, loc="upper left", fontsize="small")
        return self

    def _values(self, column):
        """What is drawn, shape (n_alphas, n_features), and the label of its axis."""
        coefs = np.asarray(self.coefs)
        if column is None:
            return np.linalg.norm(coefs, axis=1), "Norm of the coefficients"
        return coefs[:, column], f"Coefficient of class {self.classes[column]}"

    def _names(self, n_features):
        if self.feature_names is None:
            return [f"x{j}" for j in range(n_features)]
        if len(self.feature_names) == n_features:
            return list(self.feature_names)
        raise ValueError(
            f"feature_names must hold {n_features} names, got"
            f" {len(self.feature_names)}."
        )
