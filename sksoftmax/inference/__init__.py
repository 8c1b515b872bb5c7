"""Statistical inference for a fitted softmax regression.

`summary` is the table of coefficients with standard errors, tests, intervals and
statistics of fit; the others test hypotheses or translate to changes of probabilities.
"""

from sksoftmax.inference._effects import MarginalEffects, marginal_effects
from sksoftmax.inference._hypotheses import (
    HypothesisTest,
    likelihood_ratio_test,
    wald_test,
)
from sksoftmax.inference._summary import Summary, summary

__all__ = [
    "HypothesisTest",
    "MarginalEffects",
    "Summary",
    "likelihood_ratio_test",
    "marginal_effects",
    "summary",
    "wald_test",
]
