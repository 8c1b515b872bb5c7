"""Marginal effects with their intervals: dots and whiskers."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Self

from numpy.typing import ArrayLike

from sksoftmax.inference import MarginalEffects, marginal_effects
from sksoftmax.plotting._axes import import_pyplot
from sksoftmax.plotting._whiskers import chosen_classes, chosen_terms, draw_whiskers


@dataclass(eq=False, repr=False)
class MarginalEffectsDisplay:
    """Marginal effects on the probability of each class, with confidence intervals.

    Make one of `MarginalEffects`, or with `from_estimator`. Only effects in the same
    unit can be compared: see `discrete={"x": "sd"}` of `marginal_effects`.

    Parameters
    ----------
    effects : sksoftmax.inference.MarginalEffects
        The effects.

    Attributes
    ----------
    containers_ : list of matplotlib.container.ErrorbarContainer
        The dots and whiskers of each class.
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        The axes of the plot and their figure.

    See Also
    --------
    PredictionDisplay : Draws probabilities in the place of their changes.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.plotting import MarginalEffectsDisplay
    >>> wine = load_wine(as_frame=True)
    >>> X, y = wine.data[["malic_acid", "ash"]], wine.target
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> display = MarginalEffectsDisplay.from_estimator(model, X, y)
    >>> len(display.containers_)
    3
    """

    effects: MarginalEffects

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        effects_kw: dict | None = None,
        classes: Sequence | None = None,
        terms: Sequence | None = None,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the effects of a fitted model.

        Parameters
        ----------
        estimator, X, y, sample_weight : as in `sksoftmax.inference.marginal_effects`
            The fitted model, and the data that it was fitted on.
        effects_kw : dict, default=None
            Other arguments of `marginal_effects`.
        classes : sequence of labels, default=None
            Classes to draw; None stands for all.
        terms : sequence of str, default=None
            Terms to draw, in this order; None stands for all.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Properties of the dots and whiskers.

        Returns
        -------
        display : MarginalEffectsDisplay
            The effects and what was drawn.

        Raises
        ------
        ImportError, ValueError, TypeError
            If matplotlib is missing, or as in `marginal_effects`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        effects = marginal_effects(estimator, X, y, sample_weight, **(effects_kw or {}))
        return cls(effects).plot(classes=classes, terms=terms, ax=ax, **kwargs)

    def plot(
        self,
        *,
        classes: Sequence | None = None,
        terms: Sequence | None = None,
        ax=None,
        **kwargs,
    ) -> Self:
        """Draw the effects, a line for each term and a colour for each class.

        Parameters
        ----------
        classes, terms, ax, **kwargs : optional
            As in `from_estimator`.

        Returns
        -------
        display : MarginalEffectsDisplay
            This display.

        Raises
        ------
        ImportError, ValueError
            If matplotlib is missing, or a class or term unknown.
        """
        effects = self.effects
        rows = chosen_classes(effects.classes, classes)
        columns = chosen_terms(effects.terms, terms)
        table = SimpleNamespace(
            names=[effects.terms[j] for j in columns],
            labels=[effects._row_title(row) for row in rows],
            values=effects.effect[rows][:, columns],
            ends=effects.conf_int[rows][:, columns],
        )
        self.containers_ = draw_whiskers(
            self, table, reference=0.0, ax=ax, style=kwargs
        )
        level = f"{100 * effects.confidence_level:g}% interval"
        self.ax_.set_xlabel(f"Change of the probability, with {level}")
        return self
