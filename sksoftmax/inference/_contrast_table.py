"""Coefficients as contrasts of classes, and as ratios."""

from dataclasses import dataclass, field

import numpy as np

from sksoftmax.inference._covariance import Estimates
from sksoftmax.inference._tables import CoefficientTable


@dataclass(frozen=True, repr=False)
class ContrastTable(CoefficientTable):
    """Coefficients against a base class or the mean of all classes."""

    coef: np.ndarray
    base: object
    estimates: Estimates = field(repr=False)

    _estimate = "coef"

    @property
    def covariance(self):
        """Covariance of coef row by row, shape (coef.size, coef.size)."""
        return self.estimates.covariance

    @property
    def ratio(self):
        """exp(coef), shape (n_rows, n_terms): relative risk ratios against the base.

        A ratio is the factor by which one unit of a term multiplies the probability of
        a class relative to that of the base class.
        """
        with np.errstate(over="ignore"):
            return np.exp(self.coef)

    @property
    def ratio_se(self):
        """Standard errors of the ratios by the delta method, ratio * se."""
        with np.errstate(over="ignore"):
            return self.ratio * self.se

    @property
    def ratio_conf_int(self):
        """Ends of the intervals of the ratios, exp of those of the coefficients."""
        with np.errstate(over="ignore"):
            return np.exp(self.conf_int)

    def _row_title(self, row):
        against = "the mean of all classes" if self.base is None else self.base
        return f"{self.classes[row]} (against {against})"
