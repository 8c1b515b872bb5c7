"""Plots of fitted models, as scikit-learn's displays; needs the extra `plot`.

A display holds the numbers of a plot. `from_estimator` computes them and draws. `plot`
draws them again, into `ax` if it is given, else into a new figure. `ax_` and `figure_`
are the axes and the figure of the last drawing.
"""

from sksoftmax.plotting._boundaries import plot_decision_boundaries
from sksoftmax.plotting._coefficient_path import CoefficientPathDisplay
from sksoftmax.plotting._coefficients import CoefficientDisplay
from sksoftmax.plotting._cv_scores import CVScoreDisplay
from sksoftmax.plotting._effects import MarginalEffectsDisplay
from sksoftmax.plotting._loss_curve import LossCurveDisplay
from sksoftmax.plotting._predictions import PredictionDisplay
from sksoftmax.plotting._reliability import ReliabilityDisplay

__all__ = [
    "CVScoreDisplay",
    "CoefficientDisplay",
    "CoefficientPathDisplay",
    "LossCurveDisplay",
    "MarginalEffectsDisplay",
    "PredictionDisplay",
    "ReliabilityDisplay",
    "plot_decision_boundaries",
]
