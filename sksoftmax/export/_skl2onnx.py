"""Conversion of pipelines: the converter for skl2onnx."""

import numpy as np

from sksoftmax._utils.errors import optional_package
from sksoftmax.export._graph import OnnxGraph, add_logits, add_output, labels_of
from sksoftmax.export._to_onnx import CLASSIFIERS


def register_skl2onnx() -> None:
    """Teach skl2onnx to convert both classifiers, alone and within a pipeline.

    Call it once before a conversion. The options "zipmap", "nocl",
    "output_class_labels" and "raw_scores" are those of skl2onnx's own classifiers, so
    that models around a classifier, such as `CalibratedClassifierCV`, have what they
    ask for. Inputs in float32
    become float64 where `predict_proba` does so, and probabilities have the precision
    of the input.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    to_onnx : Exports a classifier alone, without skl2onnx.

    Examples
    --------
    >>> from skl2onnx import to_onnx
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.export import register_skl2onnx
    >>> register_skl2onnx()
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier())
    >>> onnx_model = to_onnx(model.fit(X, y), X[:1], options={"zipmap": False})
    >>> [output.name for output in onnx_model.graph.output]
    ['label', 'probabilities']
    """
    with optional_package("skl2onnx", "skl2onnx", caller="register_skl2onnx"):
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import (
            calculate_linear_classifier_output_shapes,
        )
    for classifier in CLASSIFIERS:
        update_registered_converter(
            classifier,
            f"Sksoftmax{classifier.__name__}",
            calculate_linear_classifier_output_shapes,
            _convert,
            options={
                "zipmap": [True, False, "columns"],
                "nocl": [True, False],
                "output_class_labels": [False, True],
                "raw_scores": [True, False],
            },
        )


def _convert(scope, operator, container):
    """Add the nodes of a classifier to a container; skl2onnx calls this."""
    import onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.common.utils_classifier import get_label_classes

    model = operator.raw_operator
    (source,), (label, probabilities) = operator.inputs, operator.outputs
    variables = {"X": source, "label": label, "P": probabilities}
    names = {name: variable.full_name for name, variable in variables.items()}
    graph = Skl2onnxGraph(onnx, scope, container, names)
    given = np.float32 if isinstance(source.type, FloatTensorType) else np.float64
    precision = np.result_type(given, model.coefs_[0])
    # Integers need the Cast. Runtimes drop it where the types agree.
    Z = add_logits(graph, model, graph.cast("X", precision, "X_cast"), precision)
    add_output(graph, "label", Z, labels_of(get_label_classes(scope, model)))
    if container.get_options(model, {"raw_scores": False})["raw_scores"]:
        scores = _add_margins(graph, Z, model, precision)
    else:
        scores = add_output(graph, "probabilities", Z)
    is_double = isinstance(probabilities.type, DoubleTensorType)
    graph.cast(scores, np.float64 if is_double else np.float32, "P")


def _add_margins(graph, Z, model, precision):
    """Add what `decision_function` answers; for two classes beside its negative."""
    if model.classes_.size != 2:
        return Z
    differences = np.array([[1.0, -1.0], [-1.0, 1.0]], precision)
    differences = graph.constant("differences", differences)
    return graph.node("MatMul", [Z, differences], "margins")


class Skl2onnxGraph(OnnxGraph):
    """A part of a graph that skl2onnx collects, under names that it assigns."""

    def __init__(self, onnx, scope, container, names):
        super().__init__(onnx)
        self._scope, self._container = scope, container
        self._names = names

    def constant(self, name, array):
        self._container.add_initializer(
            self._name(name), self._type(array.dtype), array.shape, array.ravel()
        )
        return name

    def node(self, operator, inputs, output, **attributes):
        self._container.add_node(
            operator,
            [self._name(name) for name in inputs],
            self._name(output),
            name=self._scope.get_unique_operator_name(output),
            **attributes,
        )
        return output

    def _name(self, name):
        if name not in self._names:
            self._names[name] = self._scope.get_unique_variable_name(name)
        return self._names[name]
