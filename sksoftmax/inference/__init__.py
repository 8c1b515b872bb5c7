"""Standard errors, tests, intervals and marginal effects of a fitted model.

`summary` returns the table of coefficients with standard errors, tests, intervals and
statistics of fit. The other functions test hypotheses, or compute how probabilities
change with a feature.
"""

from sksoftmax.inference._compare import Comparison, compare
from sksoftmax.inference._effects import MarginalEffects, marginal_effects
from sksoftmax.inference._firth import BiasReduced, firth
from sksoftmax.inference._formula_model import FormulaModel, from_formula
from sksoftmax.inference._goodness_of_fit import GoodnessOfFit, hosmer_lemeshow_test
from sksoftmax.inference._hypotheses import (
    HypothesisTest,
    likelihood_ratio_test,
    wald_test,
)
from sksoftmax.inference._iia import iia_test
from sksoftmax.inference._influence import Influence, influence
from sksoftmax.inference._predictions import Predictions, predictions
from sksoftmax.inference._summary import Summary, summary
from sksoftmax.inference._table_of_tests import TableOfTests
from sksoftmax.inference._term_tests import term_tests

__all__ = [
    "BiasReduced",
    "Comparison",
    "FormulaModel",
    "GoodnessOfFit",
    "HypothesisTest",
    "Influence",
    "MarginalEffects",
    "Predictions",
    "Summary",
    "TableOfTests",
    "compare",
    "firth",
    "from_formula",
    "hosmer_lemeshow_test",
    "iia_test",
    "influence",
    "likelihood_ratio_test",
    "marginal_effects",
    "predictions",
    "summary",
    "term_tests",
    "wald_test",
]
