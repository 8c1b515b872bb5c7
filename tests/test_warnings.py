"""Warnings point at the line that called, through whatever is between."""

import inspect
import warnings

import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

X, y = load_iris(return_X_y=True)
short = SoftmaxRegressionClassifier(max_iter=1)
batch = SoftmaxRegressionClassifier(solver="adam", batch_size=500)
separable = SoftmaxRegressionClassifier(alpha=0.0)
path = SoftmaxRegressionClassifierCV(max_iter=1, cv=2)

CALLS = {
    "short": lambda: short.fit(X, y),
    "separable": lambda: separable.fit(X, y),
    "path": lambda: path.fit(X, y),
    "pipeline": lambda: make_pipeline(StandardScaler(), short).fit(X, y),
    "batch": lambda: batch.fit(X, y),
    "partial": lambda: batch.partial_fit(X, y, [0, 1, 2]),
    "column": lambda: SoftmaxRegressionClassifier().fit(X, y[:, None]),
    "columns of classes": lambda: SoftmaxRegressionClassifier().fit(
        X, y, classes=[[0], [1], [2]]
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_warning_points_at_the_line_of_the_call(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert len(caught) == 1
    place = caught[0].filename, caught[0].lineno
    assert place == (__file__, inspect.getsourcelines(call)[1])
