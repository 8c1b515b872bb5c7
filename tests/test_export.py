"""Exported models, run by ONNX Runtime and by onnx's own reference implementation."""

import builtins

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from onnxruntime import InferenceSession
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax.export import register_skl2onnx, to_onnx

PARITY = 1e-6
ALL_OUTPUTS = ("label", "probabilities", "log_probabilities", "logits")


def network(*sizes, **params):
    return SoftmaxRegressionClassifier(sizes, max_iter=20, random_state=0, **params)


LINEAR = SoftmaxRegressionClassifier()
# All on raw features: wine's are between 0.1 and 1700.
MODELS = {
    "linear, integers": (LINEAR, load_iris, int, np.float64),
    "linear, strings": (LINEAR, load_wine, str, np.float64),
    "linear, float32": (LINEAR, load_wine, int, np.float32),
    "linear, no intercept": (
        SoftmaxRegressionClassifier(fit_intercept=False),
        load_iris,
        str,
        np.float64,
    ),
    "linear, sparse weights": (
        SoftmaxRegressionClassifier(alpha=0.1, l1_ratio=1.0),
        load_iris,
        int,
        np.float64,
    ),
    "two classes": (LINEAR, load_breast_cancer, str, np.float64),
    "two classes, float32": (LINEAR, load_breast_cancer, int, np.float32),
    "chosen penalty": (
        SoftmaxRegressionClassifierCV(cv="alo"),
        load_wine,
        str,
        np.float64,
    ),
    "hidden, two classes": (network(6), load_breast_cancer, str, np.float64),
    "two hidden layers, float32": (network(6, 5), load_wine, int, np.float32),
    **{
        f"hidden, {name}": (network(8, 6, activation=name), load_wine, str, np.float64)
        for name in ACTIVATIONS
    },
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def fitted(request):
    """A fitted model and the features that it was fitted on."""
    model, load, label, dtype = request.param
    X, y = load(return_X_y=True)
    X = X.astype(dtype)
    return model.fit(X, np.array([label(k) for k in y])), X


def run(exported, X, names=None):
    """What ONNX Runtime returns for X."""
    session = InferenceSession(exported.SerializeToString())
    return session.run(names, {"X": X})


def test_there_are_the_twelve_models_of_the_promise():
    assert len(MODELS) >= 12


def test_onnx_runtime_predicts_what_the_model_predicts(fitted):
    model, X = fitted
    exported = to_onnx(model, X[:1])
    onnx.checker.check_model(exported, full_check=True)
    labels, P = run(exported, X)
    assert labels.tolist() == model.predict(X).tolist()
    assert P.dtype == X.dtype
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=PARITY)


def test_the_reference_implementation_agrees_on_every_output(fitted):
    model, X = fitted
    exported = to_onnx(model, X[:1], outputs=ALL_OUTPUTS)
    labels, P, log_P, Z = ReferenceEvaluator(exported).run(None, {"X": X[::10]})
    expected = model.predict_proba(X[::10])
    assert labels.tolist() == model.predict(X[::10]).tolist()
    np.testing.assert_allclose(P, expected, rtol=0, atol=PARITY)
    rtol = 1e-9 if X.dtype == np.float64 else 1e-3
    log_expected = model.predict_log_proba(X[::10])
    np.testing.assert_allclose(log_P, log_expected, rtol=rtol, atol=PARITY)
    decision = Z[:, 1] - Z[:, 0] if Z.shape[1] == 2 else Z
    expected = model.decision_function(X[::10])
    np.testing.assert_allclose(decision, expected, rtol=rtol, atol=1e-3 * rtol)


def test_a_model_consists_of_standard_operators_of_an_old_opset(fitted):
    exported = to_onnx(fitted[0])
    assert [(o.domain, o.version) for o in exported.opset_import] == [("", 13)]
    assert {node.domain for node in exported.graph.node} == {""}


@pytest.mark.parametrize("scale", [1e3, 1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_neither_overflow_nor_give_minus_infinity(scale, dtype):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionClassifier().fit(X, y)
    X = scale * X
    names = ["probabilities", "log_probabilities"]
    P, log_P = run(to_onnx(model, X, outputs=names, dtype=dtype), X)
    assert log_P.min() < -1e3  # of which the exponential is zero
    np.testing.assert_allclose(log_P, model.predict_log_proba(X), rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, atol=PARITY)


def test_float32_input_of_a_float64_model_is_computed_in_float64():
    X, y = load_wine(return_X_y=True)
    model = network(8).fit(X, y)
    X = X.astype(np.float32)
    exported = to_onnx(model, X)
    assert exported.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    _, P = run(exported, X)
    assert P.dtype == model.predict_proba(X).dtype == np.float64
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=1e-12)


def test_dtype_float32_keeps_float64_out_of_the_model():
    X, y = load_iris(return_X_y=True)
    model = network(8, activation="selu").fit(X, y)
    exported = to_onnx(model, X.astype(np.float32), dtype=np.float32)
    kinds = {tensor.data_type for tensor in exported.graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}
    _, P = run(exported, X.astype(np.float32))
    assert P.dtype == np.float32
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=1e-5)


def test_without_X_the_input_has_the_precision_of_the_coefficients():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32)
    model = SoftmaxRegressionClassifier().fit(X, y)
    (P,) = run(to_onnx(model, outputs=["probabilities"]), X)
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=PARITY)


@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_any_number_of_rows_may_come(n_rows):
    X, y = load_iris(return_X_y=True)
    exported = to_onnx(SoftmaxRegressionClassifier().fit(X, y), X)
    labels, P = run(exported, X[:n_rows])
    assert labels.shape == (n_rows,)
    assert P.shape == (n_rows, 3)


@pytest.mark.parametrize("labels", [[False, True], [1.0, 2.0], [-5, 2**40]])
def test_labels_that_are_whole_numbers_are_exported_as_integers(labels):
    X, y = load_breast_cancer(return_X_y=True)
    model = SoftmaxRegressionClassifier().fit(X, np.array(labels)[y])
    found, _ = run(to_onnx(model), X)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, model.predict(X))


def test_other_labels_are_refused():
    X, y = load_breast_cancer(return_X_y=True)
    model = SoftmaxRegressionClassifier().fit(X, np.array(["2020", "2021"], "M8[Y]")[y])
    with pytest.raises(ValueError, match="strings or whole numbers"):
        to_onnx(model)


@pytest.fixture(scope="module")
def model():
    return SoftmaxRegressionClassifier().fit(*load_iris(return_X_y=True))


def test_an_unfitted_model_is_named_as_such():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        to_onnx(SoftmaxRegressionClassifier(), np.zeros((1, 4)))


@pytest.mark.parametrize(
    "other",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()),
        GridSearchCV(SoftmaxRegressionClassifier(), {"alpha": [1.0]}),
    ],
    ids=lambda other: type(other).__name__,
)
def test_another_model_is_told_which_way_to_go(other):
    message = f"{type(other).__name__}.*best_estimator_.*register_skl2onnx"
    with pytest.raises(TypeError, match=message):
        to_onnx(other)


def test_X_with_other_features_is_refused(model):
    with pytest.raises(ValueError, match=r"3 features.*4 features"):
        to_onnx(model, np.zeros((1, 3)))


@pytest.mark.parametrize("outputs", [(), ("labels",), ("label", "label"), "label"])
def test_unknown_outputs_are_refused_with_those_that_are_known(model, outputs):
    with pytest.raises(ValueError, match="outputs must be some of 'label'"):
        to_onnx(model, outputs=outputs)


@pytest.mark.parametrize("dtype", [np.float16, int])
def test_other_precisions_are_refused(model, dtype):
    with pytest.raises(ValueError, match=r"dtype must be np\.float32 or"):
        to_onnx(model, dtype=dtype)


def test_weights_too_large_for_float32_are_refused():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionClassifier(alpha=0, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        model.fit(X * 1e-45, y)
    with pytest.raises(ValueError, match="overflow in float32"):
        to_onnx(model, dtype=np.float32)


@pytest.mark.parametrize(
    ("function", "package"), [("to_onnx", "onnx"), ("register", "skl2onnx")]
)
def test_a_missing_package_is_named_with_its_extra(
    model, function, package, monkeypatch
):
    def import_all_but_one(name, *args, **kwargs):
        if name == package:
            raise ImportError(f"No module named {name!r}")
        return real_import(name, *args, **kwargs)

    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", import_all_but_one)
    with pytest.raises(ImportError, match=rf"pip install 'sksoftmax\[{package}\]'"):
        to_onnx(model) if function == "to_onnx" else register_skl2onnx()
