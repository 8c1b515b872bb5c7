"""scikit-learn's own checks of an estimator, with no expected failures."""

import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

CONFIGURATIONS = [
    SoftmaxRegressionClassifier(),
    SoftmaxRegressionClassifier(alpha=0.0),
    SoftmaxRegressionClassifier(class_weight="balanced"),
    SoftmaxRegressionClassifier(l1_ratio=0.5),
    SoftmaxRegressionClassifier(l1_ratio=1.0, grouped=True),
    SoftmaxRegressionClassifier((10,), solver="lbfgs"),
    SoftmaxRegressionClassifier((10,), solver="adam"),
    SoftmaxRegressionClassifierCV(alphas=4, cv=3),
    SoftmaxRegressionClassifierCV(alphas=[0.1, 0.01], l1_ratios=[0.0, 1.0], cv=3),
    SoftmaxRegressionClassifierCV(alphas=4, cv="alo", class_weight="balanced"),
]


# The checks fit noise and separable toys, where running out of iterations is in order.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(CONFIGURATIONS)
def test_scikit_learn_accepts_the_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=repr)
def test_the_tag_says_that_sparse_data_are_welcome(estimator):
    # The tag switches the sparse checks on: without it they would pass by absence.
    assert get_tags(estimator).input_tags.sparse
    assert not get_tags(estimator).input_tags.allow_nan
    assert get_tags(estimator).classifier_tags.multi_class
