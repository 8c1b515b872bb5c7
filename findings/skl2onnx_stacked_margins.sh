#!/usr/bin/env bash
# skl2onnx 1.20.0. Expected: a StackingClassifier with stack_method="decision_function"
# around LogisticRegression becomes an ONNX model that answers as it does, for two classes
# as for three. Seen: for two classes the conversion succeeds, and ONNX Runtime cannot run
# the model, because it hands two margins on where scikit-learn hands one.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "skl2onnx==1.20.0 scikit-learn==1.9.1 onnxruntime==1.30.0" <<'PYTHON'
import numpy as np
from onnxruntime import InferenceSession
from skl2onnx import to_onnx
from sklearn.datasets import load_wine
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression

X, y = load_wine(return_X_y=True)
X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)


def outcome(n_classes):
    rows = y < n_classes
    model = StackingClassifier(
        [("inner", LogisticRegression())], cv=2, stack_method="decision_function"
    ).fit(X[rows], y[rows])
    exported = to_onnx(model, X[:1], options={"zipmap": False})
    try:
        answer = InferenceSession(exported.SerializeToString()).run(None, {"X": X})[1]
    except Exception as error:
        return str(error)
    return float(np.abs(answer - model.predict_proba(X)).max())


two, three = outcome(2), outcome(3)
print("two classes:", two)
print("three classes: probabilities differ by", three)
assert "coefficients size" in two
assert three < 1e-5
PYTHON
