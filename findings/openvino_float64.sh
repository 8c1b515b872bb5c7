#!/usr/bin/env bash
# OpenVINO 2026.4.1 on the processor. Expected: a model whose tensors are all double is
# computed in double precision, or refused. Seen: output and element type say double, and
# the values are those of single precision: probabilities are off by 1e-8 or more.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6" <<'PYTHON'
import numpy as np
import openvino
from onnx import TensorProto, helper, numpy_helper, save
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(0)
W, X = rng.normal(size=(4, 3)), rng.normal(size=(50, 4))
nodes = [
    helper.make_node("MatMul", ["X", "W"], ["Z"]),
    helper.make_node("Softmax", ["Z"], ["P"], axis=1),
]
graph = helper.make_graph(
    nodes,
    "softmax",
    [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 4])],
    [helper.make_tensor_value_info("P", TensorProto.DOUBLE, [None, 3])],
    [numpy_helper.from_array(W, "W")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
save(model, "softmax.onnx")
compiled = openvino.compile_model("softmax.onnx", "CPU")
P = compiled(X)[compiled.output(0)]
E = np.exp(X @ W)
E /= E.sum(axis=1, keepdims=True)
reference = ReferenceEvaluator(model).run(None, {"X": X})[0]
print("output:", P.dtype, compiled.output(0).element_type)
print(f"off by {np.abs(P - E).max():.0e}; onnx.reference by {np.abs(reference - E).max():.0e}")
assert P.dtype == np.float64 and np.abs(reference - E).max() < 1e-14
assert 1e-9 < np.abs(P - E).max() < 1e-6
PYTHON
