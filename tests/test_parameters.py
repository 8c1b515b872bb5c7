"""Which parameters are checked: those that are not known to be valid."""

import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import InvalidParameterError

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._fit.settings import PARAMETER_CONSTRAINTS


class OtherDefaults(SoftmaxRegressionClassifier):
    """Another default than that of its base, and a parameter of its own."""

    def __init__(self, alpha=-1.0, own=-2.0):
        super().__init__(alpha=alpha)
        self.own = own


@pytest.mark.parametrize(
    "model", [SoftmaxRegressionClassifier(), SoftmaxRegressionClassifierCV()]
)
def test_all_defaults_are_allowed_by_scikit_learns_check(model):
    BaseEstimator._validate_params(model)


@pytest.mark.parametrize("name", PARAMETER_CONSTRAINTS)
def test_each_parameter_is_checked_that_is_not_its_default(name):
    model = clone(SoftmaxRegressionClassifier()).set_params(**{name: object()})
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of Softmax"):
        model._validate_params()


def test_the_defaults_of_a_subclass_are_checked():
    with pytest.raises(InvalidParameterError, match="'alpha' parameter of OtherD"):
        OtherDefaults()._validate_params()
    OtherDefaults(alpha=1.0)._validate_params()
