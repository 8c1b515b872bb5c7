"""Pipelines converted by skl2onnx, with the converter that it is given."""

import numpy as np
import onnx
import pytest
import skl2onnx
from onnxruntime import InferenceSession
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
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
