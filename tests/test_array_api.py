"""Arrays of other libraries, with array API dispatch on: NumPy computes, and right."""

import os
import subprocess
import sys

import pytest
import scipy
from sklearn.utils.fixes import parse_version

SCRIPT = """
import array_api_strict as xp
import numpy as np
from sklearn import config_context
from sklearn.datasets import load_iris
from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

X, y = load_iris(return_X_y=True)
s = np.linspace(0.5, 1.5, 150)
sX, sy, ss = xp.asarray(X), xp.asarray(y), xp.asarray(s)
for make in (
    SoftmaxRegressionClassifier,
    lambda: SoftmaxRegressionClassifier((3,), max_iter=5, random_state=0),
    lambda: SoftmaxRegressionClassifierCV(3, cv=2),
):
    expected = make().fit(X, y, s)
    with config_context(array_api_dispatch=True):
        model = make().fit(sX, sy, ss)
        P, score = model.predict_proba(sX), model.score(sX, sy, ss)
    assert type(P) is np.ndarray
    np.testing.assert_array_equal(P, expected.predict_proba(X))
    assert score == expected.score(X, y, s)
with config_context(array_api_dispatch=True):
    model = SoftmaxRegressionClassifier((3,), random_state=0)
    model.partial_fit(sX, sy, xp.asarray(np.arange(3)), ss)
print("done")
"""


@pytest.mark.skipif(
    parse_version(scipy.__version__) < parse_version("1.14"),
    reason="scikit-learn dispatches with scipy 1.14 or newer",
)
def test_arrays_of_other_libraries_give_what_numpy_arrays_do():
    # A process of its own, because SciPy reads the variable when it is imported.
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.stdout == "done\n", run.stderr
