"""Pipelines converted by skl2onnx, with the converter that it is given."""

import numpy as np
import onnx
import pytest
import skl2onnx
from onnxruntime import InferenceSession
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import (
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.export import register_skl2onnx

PARITY = 1e-6


@pytest.fixture(autouse=True, scope="module")
def _registered():
    register_skl2onnx()


def run(exported, X):
    """What ONNX Runtime returns for X."""
    return InferenceSession(exported.SerializeToString()).run(None, {"X": X})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("label", [int, str])
@pytest.mark.parametrize(
    "classifier",
    [
        SoftmaxRegressionClassifier(),
        SoftmaxRegressionClassifier((5,), activation="selu", random_state=0),
        SoftmaxRegressionClassifierCV(cv="alo"),
    ],
    ids=["linear", "hidden", "chosen penalty"],
)
def test_a_pipeline_predicts_what_it_did(classifier, label, dtype):
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), classifier)
    model.fit(X, np.array([label(k) for k in y]))
    X = X.astype(dtype)
    exported = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    onnx.checker.check_model(exported, full_check=True)
    labels, P = run(exported, X)
    assert labels.tolist() == model.predict(X).tolist()
    assert P.dtype == dtype
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=PARITY)


AROUND = {
    "calibrated": lambda inner: CalibratedClassifierCV(inner, cv=2),
    "calibrated once": lambda inner: CalibratedClassifierCV(
        inner, cv=2, ensemble=False
    ),
    "stacked": lambda inner: StackingClassifier([("inner", inner)], cv=2),
    "stacked margins": lambda inner: StackingClassifier(
        [("inner", inner)], cv=2, stack_method="decision_function"
    ),
    "bagged": lambda inner: BaggingClassifier(inner, 3, random_state=0),
    "one against the rest": OneVsRestClassifier,
    "voted": lambda inner: VotingClassifier(
        [("inner", inner)], voting="soft", flatten_transform=False
    ),
}


# skl2onnx 1.20 cannot stack the margins of two classes, LogisticRegression's neither.
AROUND_CASES = [
    (name, n) for name in AROUND for n in (2, 3) if (name, n) != ("stacked margins", 2)
]


@pytest.mark.parametrize(("name", "n_classes"), AROUND_CASES)
@pytest.mark.parametrize("hidden_layer_sizes", [(), (5,)])
def test_models_around_a_classifier_predict_what_they_did(
    name, hidden_layer_sizes, n_classes
):
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)[y < n_classes].astype(np.float32)
    inner = SoftmaxRegressionClassifier(hidden_layer_sizes, random_state=0)
    model = AROUND[name](inner).fit(X, y[y < n_classes])
    exported = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    labels, P = run(exported, X)
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=PARITY)
    assert labels.tolist() == model.predict(X).tolist()


def test_columns_of_mixed_types_are_converted_with_the_classifier():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(3, size=60), rng.normal(size=(60, 2))])
    y = np.where(X[:, 0] == 1, "a", np.where(X[:, 1] > 0, "b", "c"))
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), [0]), (StandardScaler(), [1, 2])
    )
    model = make_pipeline(columns, SoftmaxRegressionClassifier()).fit(X, y)
    exported = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    labels, P = run(exported, X)
    assert labels.tolist() == model.predict(X).tolist()
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=PARITY)


def test_integers_are_converted_before_they_are_multiplied():
    X, y = load_breast_cancer(return_X_y=True)
    X = X.astype(np.int64)
    model = SoftmaxRegressionClassifier().fit(X, y)
    _, P = run(skl2onnx.to_onnx(model, X[:1], options={"zipmap": False}), X)
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=PARITY)


def test_the_options_of_its_classifiers_work():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32)
    names = np.array(["u", "v", "w"])
    model = SoftmaxRegressionClassifier().fit(X, names[y])
    _, maps = run(skl2onnx.to_onnx(model, X), X)
    expected = dict(zip(names, model.predict_proba(X)[0], strict=True))
    assert maps[0] == pytest.approx(expected, abs=PARITY)
    options = {"zipmap": False, "nocl": True}
    numbers, _ = run(skl2onnx.to_onnx(model, X, options=options), X)
    assert names[numbers].tolist() == model.predict(X).tolist()
