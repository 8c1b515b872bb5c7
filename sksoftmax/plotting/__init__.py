"""Pictures of fits, in the manner of scikit-learn's displays; the extra is `plot`.

A display holds the numbers of a picture. Its `from_estimator` finds them and draws,
`plot` draws again, into `ax` if that is given, and `ax_` and `figure_` are what was
drawn into.
"""

from sksoftmax.plotting._boundaries import plot_decision_boundaries
from sksoftmax.plotting._coefficient_path import CoefficientPathDisplay
from sksoftmax.plotting._loss_curve import LossCurveDisplay
from sksoftmax.plotting._reliability import ReliabilityDisplay

__all__ = [
    "CoefficientPathDisplay",
    "LossCurveDisplay",
    "ReliabilityDisplay",
    "plot_decision_boundaries",
]
