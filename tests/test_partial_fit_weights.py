"""Weights in `partial_fit` are relative to the mean of all calls so far."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine

from sksoftmax import SoftmaxRegressionClassifier


def assert_same_parameters(model, other):
    for mine, theirs in zip(model.coefs_, other.coefs_, strict=True):
        assert_array_equal(mine, theirs)
    for mine, theirs in zip(model.intercepts_, other.intercepts_, strict=True):
        assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("size", "n_epochs"), [(1, 1), (10, 5), (300, 60)])
def test_weights_of_partial_fit_do_not_depend_on_the_size_of_a_call(size, n_epochs):
    """Ten times the weight on a rare class moves its mean probability as in a fit."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [270, 30]))
    X = rng.normal(size=(300, 2)) + 0.7 * y[:, None]
    s = np.where(y == 1, 10.0, 1.0)
    fitted = SoftmaxRegressionClassifier(alpha=0).fit(X, y, s)
    wanted = fitted.predict_proba(X)[:, 1].mean()
    by_row = SoftmaxRegressionClassifier(
        alpha=0, learning_rate_init=0.02, random_state=0, batch_size=min(size, 50)
    )
    by_class = clone(by_row).set_params(class_weight={1: 10.0})
    for i in np.tile(np.arange(0, 300, size), n_epochs):
        rows = slice(i, i + size)
        by_row.partial_fit(X[rows], y[rows], [0, 1], s[rows])
        if size > 1:
            by_class.partial_fit(X[rows], y[rows], [0, 1])
    assert abs(by_row.predict_proba(X)[:, 1].mean() - wanted) < 0.1
    if size > 1:
        assert_same_parameters(by_row, by_class)


def test_the_unit_of_weights_does_not_matter_in_partial_fit(rng):
    X, y = load_wine(return_X_y=True)
    s = rng.random(178)
    models = [SoftmaxRegressionClassifier(random_state=0) for _ in range(2)]
    for rows in np.array_split(rng.permutation(178), 5):
        for model, unit in zip(models, (1.0, 1024.0), strict=True):
            model.partial_fit(X[rows], y[rows], [0, 1, 2], unit * s[rows])
    assert_same_parameters(*models)


def test_partial_fit_cannot_balance_classes():
    model = SoftmaxRegressionClassifier(class_weight="balanced")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as raised:
        model.partial_fit([[0.0]], [0], [0, 1])
    assert "must be a dict of weights or None" in str(raised.value.__cause__)
