"""Coefficients with their intervals, or ratios: a forest plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Self

from numpy.typing import ArrayLike

from sksoftmax.inference import Summary, summary
from sksoftmax.plotting._axes import import_pyplot
from sksoftmax.plotting._whiskers import chosen_terms, draw_whiskers


@dataclass(eq=False, repr=False)
class CoefficientDisplay:
    """Coefficients with confidence intervals, or relative risk ratios.

    Make one of a `Summary`, or with `from_estimator`.

    Parameters
    ----------
    summary : sksoftmax.inference.Summary
        The coefficients.

    Attributes
    ----------
    containers_ : list of matplotlib.container.ErrorbarContainer
        The dots and whiskers of each class.
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        The axes of the plot and their figure.

    See Also
    --------
    MarginalEffectsDisplay : Draws changes of probabilities, which need no base class.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import summary
    >>> from sksoftmax.plotting import CoefficientDisplay
    >>> wine = load_wine(as_frame=True)
    >>> X, y = wine.data[["malic_acid", "ash"]], wine.target
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> display = CoefficientDisplay(summary(model, X, y, base=0)).plot()
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['malic_acid', 'ash']
    """

    summary: Summary

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        summary_kw: dict | None = None,
        exponentiate: bool | None = None,
        terms: Sequence | None = None,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the coefficients of a fitted model.

        Parameters
        ----------
        estimator, X, y, sample_weight : as in `sksoftmax.inference.summary`
            The fitted model, and the data that it was fitted on.
        summary_kw : dict, default=None
            Other arguments of `summary`, such as base and cov_type.
        exponentiate : bool, default=None
            Whether to draw relative risk ratios, exp(coef), on a logarithmic axis. None
            stands for what the summary shows.
        terms : sequence of str, default=None
            Terms to draw, in this order; None stands for all but the intercept.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Properties of the dots and whiskers.

        Returns
        -------
        display : CoefficientDisplay
            The summary and what was drawn.

        Raises
        ------
        ImportError, ValueError, TypeError
            If matplotlib is missing, or as in `summary`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        result = summary(estimator, X, y, sample_weight, **(summary_kw or {}))
        return cls(result).plot(exponentiate=exponentiate, terms=terms, ax=ax, **kwargs)

    def plot(
        self,
        *,
        exponentiate: bool | None = None,
        terms: Sequence | None = None,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the coefficients, a line for each term and a colour for each class.

        Parameters
        ----------
        exponentiate, terms, ax, **kwargs : optional
            As in `from_estimator`.

        Returns
        -------
        display : CoefficientDisplay
            This display.

        Raises
        ------
        ImportError, ValueError
            If matplotlib is missing, or a term unknown.
        """
        result = self.summary
        if exponentiate is None:
            exponentiate = result.exponentiate
        values, ends = result.coef, result.conf_int
        if exponentiate:
            values, ends = result.ratio, result.ratio_conf_int
        if terms is None:
            last = len(result.terms) - (result.fit_intercept)
            columns = list(range(last)) or [0]
        else:
            columns = chosen_terms(result.terms, terms)
        table = SimpleNamespace(
            names=[result.terms[j] for j in columns],
            labels=[result._row_title(row) for row in range(len(values))],
            values=values[:, columns],
            ends=ends[:, columns],
        )
        self.containers_ = draw_whiskers(
            self, table, reference=1.0 if exponentiate else 0.0, ax=ax, style=kwargs
        )
        name = "Relative risk ratio" if exponentiate else "Coefficient"
        if exponentiate:
            _scale_ratios(self.ax_)
        self.ax_.set_xlabel(f"{name}, with {100 * result.confidence_level:g}% interval")
        return self


def _scale_ratios(ax):
    """A logarithmic axis with ticks at 1, 2, 5 and their multiples."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
