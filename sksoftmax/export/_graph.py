"""The network as an ONNX graph: its operators and constants.

The functions add to any graph that has `constant`, `node` and `cast`: the `OnnxGraph`
of this file, or that of skl2onnx. A new activation needs an entry in
`ONNX_ACTIVATIONS`.
"""

import numpy as np

from sksoftmax._model.activations import SELU_ALPHA, SELU_SCALE

SOFTMAXES = {"probabilities": "Softmax", "log_probabilities": "LogSoftmax"}


def add_logits(graph, model, x, precision):
    """Add the layers, and return the name of the logits.

    MatMul and Add run where Gemm with a bias in float64 does not: tract 0.23.
    """
    add_activation = ONNX_ACTIVATIONS[model._activation]
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    for number, layer in enumerate(layers, start=1):
        W, b = (_in_precision(array, precision) for array in layer)
        last = number == len(layers)
        W, b = graph.constant(f"W{number}", W), graph.constant(f"b{number}", b)
        product = graph.node("MatMul", [x, W], f"XW{number}")
        x = graph.node("Add", [product, b], "logits" if last else f"Z{number}")
        if not last:
            x = add_activation(graph, x, f"H{number}", precision)
    return x


def add_output(graph, name, Z, labels=None):
    """Add the operators from the logits to an output, and return its name."""
    if name == "label":
        number = graph.node("ArgMax", [Z], "class_number", axis=1, keepdims=0)
        classes = graph.constant("classes", labels)
        return graph.node("Gather", [classes, number], "label", axis=0)
    if name == "logits":
        return Z
    # Both work along an axis, and runtimes subtract the maximum of a row first.
    return graph.node(SOFTMAXES[name], [Z], name, axis=1)


def _one_operator(operator):
    """The function that adds an activation which is an operator of ONNX."""
    return lambda graph, Z, H, precision: graph.node(operator, [Z], H)


def _add_silu(graph, Z, H, precision):
    """Z / (1 + exp(-Z)), which is right where exp overflows: Z / inf is zero.

    ONNX Runtime 1.20 replaces Z * sigmoid(Z) by an operator that it has in float32
    only.
    """
    return graph.node("Div", [Z, _add_denominator(graph, Z, H, precision)], H)


def _add_logistic(graph, Z, H, precision):
    """1 / (1 + exp(-Z)): tract 0.23 has Sigmoid in float32 only."""
    below = _add_denominator(graph, Z, H, precision)
    return graph.node("Reciprocal", [below], H)


def _add_denominator(graph, Z, H, precision):
    one = graph.constant(f"{H}_one", np.array(1.0, precision))
    power = graph.node("Exp", [graph.node("Neg", [Z], f"{H}_negative")], f"{H}_exp")
    return graph.node("Add", [power, one], f"{H}_below")


def _add_selu(graph, Z, H, precision):
    """Elementary steps: ONNX has constants and kernels of Selu in float32 only."""

    def number(name, value):
        return graph.constant(f"{H}_{name}", np.array(value, precision))

    def step(operator, x, y, name):
        return graph.node(operator, [x, y], f"{H}_{name}")

    zero = number("zero", 0.0)
    below = graph.node("Exp", [step("Min", Z, zero, "negative")], f"{H}_exp")
    below = step("Sub", below, number("one", 1.0), "expm1")
    below = step("Mul", below, number("alpha", SELU_ALPHA), "below")
    both = step("Add", step("Max", Z, zero, "positive"), below, "unscaled")
    return graph.node("Mul", [both, number("scale", SELU_SCALE)], H)


ONNX_ACTIVATIONS = {
    "identity": lambda graph, Z, H, precision: Z,
    "logistic": _add_logistic,
    "relu": _one_operator("Relu"),
    "selu": _add_selu,
    "silu": _add_silu,
    "tanh": _one_operator("Tanh"),
}


class OnnxGraph:
    """The nodes and constants of a whole model, for `onnx.helper.make_graph`."""

    def __init__(self, onnx):
        self._onnx = onnx
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        """Add an array, and return its name."""
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def node(self, operator, inputs, output, **attributes):
        """Add an operator, and return the name of its output."""
        make = self._onnx.helper.make_node
        self.nodes.append(make(operator, inputs, [output], name=output, **attributes))
        return output

    def cast(self, x, dtype, output):
        """Add a conversion, and return the name of its output."""
        return self.node("Cast", [x], output, to=self._type(dtype))

    def value(self, name, dtype, shape):
        """The declaration of an input or output."""
        return self._onnx.helper.make_tensor_value_info(name, self._type(dtype), shape)

    def _type(self, dtype):
        return self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def labels_of(classes):
    """The classes as strings or int64, the two types that labels have in ONNX."""
    if classes.dtype.kind in "OU" and all(isinstance(name, str) for name in classes):
        return classes.astype(object)
    if classes.dtype.kind in "biuf":
        numbers = classes.astype(np.int64)
        if (numbers == classes).all():
            return numbers
    raise ValueError(
        f"Labels in ONNX are strings or whole numbers; got the classes {classes!r}."
    )


def _in_precision(array, precision):
    with np.errstate(over="ignore"):
        converted = array.astype(precision)
    if np.isfinite(converted).all():
        return converted
    raise ValueError(
        f"Weights of up to {np.abs(array).max():.2g} overflow in {precision}: scale the"
        " features, or export with dtype=np.float64."
    )
