#!/usr/bin/env bash
# tract 0.23.9. Expected: Gemm with a bias is MatMul and Add, in any precision, and Sigmoid
# is 1 / (1 + exp(-x)). Seen: in double precision Gemm with a bias and Sigmoid are refused,
# and the operators that they stand for run.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "tract==0.23.9 onnx==1.23.2 numpy==2.4.6" <<'PYTHON'
import numpy as np
import tract
from onnx import TensorProto, helper, numpy_helper, save

rng = np.random.default_rng(0)
W, b, X = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(5, 4))
one = np.ones(1)
node = helper.make_node
graphs = {
    "Gemm": [node("Gemm", ["X", "W", "b"], ["Z"])],
    "MatMul, Add": [node("MatMul", ["X", "W"], ["Y"]), node("Add", ["Y", "b"], ["Z"])],
    "Sigmoid": [node("MatMul", ["X", "W"], ["Y"]), node("Sigmoid", ["Y"], ["Z"])],
    "Neg, Exp, Add, Div": [
        node("MatMul", ["X", "W"], ["Y"]),
        node("Neg", ["Y"], ["N"]),
        node("Exp", ["N"], ["E"]),
        node("Add", ["E", "one"], ["D"]),
        node("Div", ["one", "D"], ["Z"]),
    ],
}


def runs(nodes, dtype, kind):
    constants = {"W": W, "b": b, "one": one}
    used = {name for n in nodes for name in n.input} & constants.keys()
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("X", element, [5, 4])],
        [helper.make_tensor_value_info("Z", element, [5, 3])],
        [numpy_helper.from_array(constants[name].astype(dtype), name) for name in used],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "m.onnx")
    try:
        model = tract.onnx().load("m.onnx")
        model.set_input_fact(0, f"5,4,{kind}")
        model.into_model().into_runnable().run([X.astype(dtype)])
    except tract.TractError:
        return False
    return True


found = {
    name: (runs(nodes, np.float32, "f32"), runs(nodes, np.float64, "f64"))
    for name, nodes in graphs.items()
}
for name, (single, double) in found.items():
    print(f"{name}: float32 {single}, float64 {double}")
assert all(single for single, _ in found.values())
assert [double for _, double in found.values()] == [False, True, False, True]
PYTHON
