"""Scores of cross-validation by the strength of the penalty."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax.plotting._alphas import mark_alphas, path_of, scale_alphas
from sksoftmax.plotting._axes import axes_for, line_style


@dataclass(eq=False, repr=False)
class CVScoreDisplay:
    """Mean scores of rows that were left out, as the penalty falls.

    Make one with `from_estimator`. Bars are one standard error of the mean. Dotted and
    dashed lines mark the best alpha, and the largest whose score is within a standard
    error of the best. The numbers on top are those of features with coefficients.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Strengths of the penalty.
    mean_scores : array-like of shape (n_alphas,)
        Mean score at each alpha; more is better.
    score_errors : array-like of shape (n_alphas,)
        Standard errors of the means.
    n_features : sequence of int of length n_alphas, default=None
        Numbers of features with coefficients that are not zero.
    scoring : str, default=None
        Name of the scores. Of one that begins with ``neg_`` the negative is drawn.
    alpha : float, default=None
        Strength to mark as the best.
    alpha_1se : float, default=None
        Strength to mark as within one standard error of the best.

    Attributes
    ----------
    line_ : matplotlib.lines.Line2D
        The line through the means.
    errorbar_ : matplotlib.container.ErrorbarContainer
        The line with its bars.
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        The axes of the plot and their figure.

    See Also
    --------
    CoefficientPathDisplay : The coefficients at the same alphas.
    sksoftmax.SoftmaxRegressionClassifierCV : The estimator with such scores.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksoftmax import SoftmaxRegressionClassifierCV
    >>> from sksoftmax.plotting import CVScoreDisplay
    >>> model = SoftmaxRegressionClassifierCV()
    >>> model = make_pipeline(StandardScaler(), model).fit(*load_wine(return_X_y=True))
    >>> display = CVScoreDisplay.from_estimator(model)
    >>> len(display.line_.get_xdata())
    20
    """

    alphas: ArrayLike
    mean_scores: ArrayLike
    score_errors: ArrayLike
    _: KW_ONLY
    n_features: Sequence | None = None
    scoring: str | None = None
    alpha: float | None = None
    alpha_1se: float | None = None

    @classmethod
    def from_estimator(
        cls, estimator, *, l1_ratio: float | None = None, ax=None, **kwargs
    ) -> Self:
        """Draw the scores that a fit has recorded.

        Parameters
        ----------
        estimator : estimator instance
            A fitted `SoftmaxRegressionClassifierCV`, or a pipeline or search with one.
        l1_ratio : float, default=None
            Which path to draw; None stands for that of the chosen `l1_ratio_`.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Properties of the line.

        Returns
        -------
        display : CVScoreDisplay
            The scores and what was drawn.

        Raises
        ------
        ImportError, NotFittedError, TypeError
            If matplotlib is missing, or the estimator is not fitted or has no path.
        ValueError
            If l1_ratio is unknown.
        """
        classifier, row, marks = path_of(cls, estimator, l1_ratio)
        scoring = classifier.scoring or "accuracy"
        display = cls(
            classifier.alphas_[row],
            classifier.mean_scores_[row],
            classifier.score_errors_[row],
            n_features=classifier.coefs_path_[row].any(axis=1).sum(axis=1),
            scoring=scoring if isinstance(scoring, str) else None,
            **marks,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> Self:
        """Draw the scores, from the strongest penalty on the left to the weakest.

        Parameters
        ----------
        ax, **kwargs : optional
            As in `from_estimator`.

        Returns
        -------
        display : CVScoreDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        ax = axes_for(self, ax)
        sign, label = 1.0, self.scoring or "score"
        if label.startswith("neg_"):
            sign, label = -1.0, label.removeprefix("neg_")
        style = {"color": "C0", "marker": ".", "label": "mean, 1 std. error"}
        self.errorbar_ = ax.errorbar(
            self.alphas,
            sign * np.asarray(self.mean_scores),
            yerr=self.score_errors,
            capsize=2.0,
            elinewidth=0.8,
            **line_style(style, kwargs),
        )
        self.line_ = self.errorbar_.lines[0]
        marks = mark_alphas(ax, self.alpha, self.alpha_1se)
        scale_alphas(ax, self.alphas)
        ax.set(xlabel="alpha", ylabel=label.replace("_", " "))
        ax.legend(handles=[self.errorbar_, *marks], fontsize="small")
        if self.n_features is not None:
            self._count_features(ax)
        return self

    def _count_features(self, ax):
        """The numbers of features on a second axis above, at ten alphas or fewer."""
        counts = list(self.n_features)
        places = np.unique(np.linspace(0, len(counts) - 1, 10).astype(int))
        above = ax.secondary_xaxis("top")
        above.set_xticks(
            np.asarray(self.alphas)[places], [str(counts[place]) for place in places]
        )
        above.set_xticks([], minor=True)
        above.set_xlabel("features")
