"""Prior correction: Bayes' rule, and a saturated model that knows the population."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

CLASSES = np.array(["ash", "elm", "oak"])


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(200, 3))
    return X, CLASSES[(X + rng.gumbel(size=X.shape)).argmax(axis=1)]


@pytest.mark.parametrize("sizes", [(), (5,)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_follow_bayes(rows, sizes, n_classes):
    X, y = rows
    kept = np.isin(y, CLASSES[:n_classes])
    X, y = X[kept], y[kept]
    model = SoftmaxRegressionClassifier(sizes, max_iter=20, random_state=0).fit(X, y)
    prior, training = np.array([5.0, 2.0, 3.0])[:n_classes], np.ones(n_classes)
    corrected = model.with_class_prior(prior, training_prior=training)
    P = model.predict_proba(X) * prior / training
    assert_allclose(corrected.predict_proba(X), P / P.sum(axis=1, keepdims=True))
    sums = [fit.intercepts_[-1].sum() for fit in (model, corrected)]
    assert_allclose(*sums, atol=1e-12)
    for W, W_corrected in zip(model.coefs_, corrected.coefs_, strict=True):
        assert_array_equal(W, W_corrected)


def test_a_sample_by_class_is_put_right(rng):
    # A cell of its own for each x: the weighted fit has no other shape than the plain.
    counts = np.array([[30, 7, 3], [12, 9, 20]])
    x, k = (part.ravel() for part in np.indices(counts.shape))
    X, y, s = x[:, None].astype(float), CLASSES[k], counts.ravel()
    plain = SoftmaxRegressionClassifier(alpha=0, tol=1e-13).fit(X, y, s)
    weights = {"ash": 0.2, "elm": 3.0, "oak": 1.0}
    weighted = SoftmaxRegressionClassifier(alpha=0, tol=1e-13, class_weight=weights)
    weighted.fit(X, y, s)
    shares = counts.sum(axis=0)
    training = shares * np.array([*weights.values()])
    corrected = weighted.with_class_prior(shares, training_prior=training)
    assert_allclose(corrected.predict_proba(X), plain.predict_proba(X), rtol=1e-5)


def test_the_model_itself_stays(rows):
    X, y = rows
    model = SoftmaxRegressionClassifierCV(alphas=[0.1], cv=2).fit(X, y)
    before = model.predict_proba(X)
    prior = dict(zip(CLASSES[::-1], [0.1, 0.2, 0.7], strict=True))
    corrected = model.with_class_prior(prior, training_prior=[1, 1, 1])
    assert_array_equal(model.predict_proba(X), before)
    assert corrected.predict_proba(X)[:, 0].mean() > before[:, 0].mean()
    assert_allclose(
        corrected.intercept_ - model.intercept_,
        np.log([0.7, 0.2, 0.1]) - np.log([0.7, 0.2, 0.1]).mean(),
    )


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (
            [0.5, 0.5],
            "class_prior must have one number for each of the 3 classes, got 2",
        ),
        ([0.5, 0.5, 0.0], "class_prior must be positive, and is 0 for class .*'oak'"),
        ([0.5, 0.7, -0.2], "class_prior must hold .*>= 0"),
        ([0.5, 0.7, np.nan], "class_prior must hold"),
        (
            {"ash": 1, "elm": 1},
            r"class_prior must name each of the classes.*\['ash', 'elm'\]",
        ),
        ({"ash": 1, "elm": 1, "yew": 1}, r"class_prior must name each.*'yew'"),
        ("balanced", "class_prior must hold"),
    ],
)
def test_frequencies_that_are_none_are_refused(rows, prior, message):
    model = SoftmaxRegressionClassifier().fit(*rows)
    with pytest.raises(ValueError, match=message):
        model.with_class_prior(prior, training_prior=[1, 1, 1])
    with pytest.raises(ValueError, match=message.replace("class_p", "training_p")):
        model.with_class_prior([1, 1, 1], training_prior=prior)
