"""Standard errors, tests, intervals and marginal effects of a fitted model.

`summary` returns the table of coefficients with standard errors, tests, intervals and
statistics of fit. The other functions test hypotheses, or compute how probabilities
change with a feature.
"""

from sksoftmax.inference._compare import Comparison, compare
from sksoftmax.inference._effects import MarginalEffects, marginal_effects
from sksoftmax.inference._goodness_of_fit import GoodnessOfFit, hosmer_lemeshow_test
from sksoftmax.inference._hypotheses import (
    HypothesisTest,
    likelihood_ratio_test,
    wald_test,
)
from sksoftmax.inference._influence import Influence, influence
from sksoftmax.inference._summary import Summary, summary

__all__ = [
    "Comparison",
    "GoodnessOfFit",
    "HypothesisTest",
    "Influence",
    "MarginalEffects",
    "Summary",
    "compare",
    "hosmer_lemeshow_test",
    "influence",
    "likelihood_ratio_test",
    "marginal_effects",
    "summary",
    "wald_test",
]
