"""Export of a fitted classifier as an ONNX model."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils.validation import check_is_fitted

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._classifier_cv import SoftmaxRegressionClassifierCV
from sksoftmax._data.arrays import check_X
from sksoftmax._utils.errors import optional_package
from sksoftmax.export._graph import (
    SOFTMAXES,
    OnnxGraph,
    add_logits,
    add_output,
    labels_of,
)

if TYPE_CHECKING:
    from onnx import ModelProto

CLASSIFIERS = (SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV)

# The first opset whose Softmax and LogSoftmax work along one axis, and the file format
# of its time, so that old runtimes can read it.
_OPSET, _IR_VERSION = 13, 7


def to_onnx(
    model: SoftmaxRegressionClassifier | SoftmaxRegressionClassifierCV,
    X: ArrayLike | None = None,
    *,
    outputs: tuple = ("label", "probabilities"),
    dtype: DTypeLike | None = None,
) -> "ModelProto":
    """Export a fitted classifier as an ONNX model.

    The model has one input, "X" of shape (n_samples, n_features), and the `outputs`:

    - "label", shape (n_samples,): int64 or string, as `predict` returns it.
    - "probabilities", shape (n_samples, n_classes), as `predict_proba` returns it.
    - "log_probabilities" and "logits", shape (n_samples, n_classes); the logits of two
      classes are two columns.

    All operators are standard ones of opset 13, of those that many runtimes have in
    both precisions. OpenVINO computes in single precision whatever `dtype` is. A
    runtime without strings can read a model that does not output "label".

    Parameters
    ----------
    model : SoftmaxRegressionClassifier or SoftmaxRegressionClassifierCV
        A fitted classifier. For a pipeline see `register_skl2onnx`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Samples like those to predict; one row is enough. The input has their precision,
        float32 or float64, or without them that of `coefs_`.
    outputs : sequence of str, default=("label", "probabilities")
        What the model returns, in this order.
    dtype : {np.float32, np.float64}, default=None
        Precision of the arithmetic and of the outputs. None stands for that of
        `predict_proba`: float64, unless both X and `coefs_` are float32. If `dtype` and
        X are float32, the model contains no float64, as many accelerators require.
        Probabilities are then off by about 1e-7 times the size of the terms of a logit,
        which is large for features far from zero.

    Returns
    -------
    onnx_model : onnx.ModelProto
        For ``onnx.save``; ``SerializeToString()`` makes bytes of it.

    Raises
    ------
    ImportError, NotFittedError, TypeError
        If onnx is missing, or the model is not fitted or no classifier of this package.
    ValueError
        If `outputs` or `dtype` is not as above, X does not suit the model, the classes
        are neither strings nor whole numbers, or weights overflow in float32.

    See Also
    --------
    register_skl2onnx : Lets skl2onnx convert whole pipelines.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.export import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegressionClassifier((8,), random_state=0).fit(X, y)
    >>> onnx_model = to_onnx(model, X[:1])
    >>> [node.op_type for node in onnx_model.graph.node]
    ['MatMul', 'Add', 'Relu', 'MatMul', 'Add', 'ArgMax', 'Gather', 'Softmax']

    Any ONNX runtime computes the predictions:

    >>> from onnxruntime import InferenceSession
    >>> session = InferenceSession(onnx_model.SerializeToString())
    >>> labels, P = session.run(None, {"X": X})
    >>> labels[:3].tolist(), bool(abs(P - model.predict_proba(X)).max() < 1e-6)
    ([0, 0, 0], True)
    """
    _check_model(model)
    with optional_package("onnx", "onnx", caller="to_onnx"):
        import onnx
    names = _checked_outputs(outputs)
    given = (model.coefs_[0] if X is None else check_X(model, X, reset=False)).dtype
    precision = _precision(model, given, dtype)
    graph = OnnxGraph(onnx)
    x = "X" if given == precision else graph.cast("X", precision, "X_cast")
    labels = labels_of(model.classes_)
    Z = add_logits(graph, model, x, precision)
    for name in names:
        add_output(graph, name, Z, labels)
    n_features, n_classes = model.coefs_[0].shape[0], labels.size
    graph_outputs = [
        graph.value(name, labels.dtype, ["n_samples"])
        if name == "label"
        else graph.value(name, precision, ["n_samples", n_classes])
        for name in names
    ]
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            type(model).__name__,
            [graph.value("X", given, ["n_samples", n_features])],
            graph_outputs,
            graph.constants,
        ),
        producer_name="sksoftmax",
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )


def _check_model(model):
    if isinstance(model, CLASSIFIERS):
        check_is_fitted(model)
        return
    raise TypeError(
        "to_onnx exports a SoftmaxRegressionClassifier or"
        f" SoftmaxRegressionClassifierCV, got {type(model).__name__}. A search has one"
        " in best_estimator_. skl2onnx converts pipelines, after"
        " sksoftmax.export.register_skl2onnx()."
    )


def _precision(model, given, dtype):
    """The precision to compute in: `dtype`, or that of `predict_proba`."""
    if dtype is None:
        return np.result_type(given, model.coefs_[0])
    if (precision := np.dtype(dtype)) in (np.float32, np.float64):
        return precision
    raise ValueError(f"dtype must be np.float32 or np.float64, got {dtype!r}.")


def _checked_outputs(outputs):
    allowed = ("label", "logits", *SOFTMAXES)
    names = list(outputs)
    if names and len(set(names)) == len(names) and set(names) <= set(allowed):
        return names
    raise ValueError(
        f"outputs must be some of {', '.join(map(repr, allowed))}, each once; got"
        f" {outputs!r}."
    )
