"""Which runtimes compute exported models, and how close to `predict_proba` they come.

    python benchmarks/runtimes.py [--out docs/benchmarks]

Each model is exported in float32 and float64, and run by each runtime that is
installed. The figure is the largest difference from the probabilities of the
classifier. Writes runtimes.md.
"""

import argparse
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from _markdown import table
from sklearn.datasets import load_wine

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax.export import to_onnx

MODELS = {"no hidden layers": ((), "relu")} | {
    f"(16, 8), {activation}": ((16, 8), activation) for activation in ACTIVATIONS
}


def onnxruntime(path, X):
    """Answers of ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})


def reference(path, X):
    """Answers of the reference evaluator of the package onnx."""
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(path).run(None, {"X": X})


def openvino(path, X):
    """Answers of OpenVINO on the processor."""
    import openvino

    compiled = openvino.compile_model(path, "CPU")
    result = compiled(X)
    return [result[output] for output in compiled.outputs]


def tract(path, X):
    """Answers of tract."""
    import tract

    model = tract.onnx().load(path)
    kind = {4: "f32", 8: "f64"}[X.dtype.itemsize]
    model.set_input_fact(0, f"{X.shape[0]},{X.shape[1]},{kind}")
    answers = model.into_model().into_runnable().run([X])
    return [answer.to_numpy() for answer in answers]


RUNTIMES = {
    "onnxruntime": ("onnxruntime", onnxruntime),
    "onnx.reference": ("onnx", reference),
    "openvino": ("openvino", openvino),
    "tract": ("tract", tract),
}


def main():
    """Run all, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="docs/benchmarks")
    folder = Path(parser.parse_args().out)
    installed = {
        f"{name} {version(package)}": run
        for name, (package, run) in RUNTIMES.items()
        if find_spec(package)
    }
    X, y = load_wine(return_X_y=True)
    rows = []
    for name, (sizes, activation) in MODELS.items():
        model = SoftmaxRegressionClassifier(sizes, activation=activation, max_iter=30)
        model.set_params(random_state=0).fit(X, np.array(["a", "b", "c"])[y])
        for dtype in (np.float32, np.float64):
            figures = [difference(run, model, X, dtype) for run in installed.values()]
            rows.append([name, np.dtype(dtype).name, *figures])
    model = SoftmaxRegressionClassifier().fit(X, np.array(["a", "b", "c"])[y])
    rows.append(
        ["labels as text", "", *(text(run, model, X) for run in installed.values())]
    )
    lines = [
        "# Exported models in other runtimes",
        "",
        "Written by `python benchmarks/runtimes.py`. The figures are the largest",
        "differences of probabilities from `predict_proba`, on the unscaled wine data.",
        "An error stands by its name.",
        "",
        table(["model", "export", *installed], rows),
    ]
    report = "\n".join(lines) + "\n"
    print(report)
    (folder / "runtimes.md").write_text(report)


def difference(run, model, X, dtype):
    """The largest difference of probabilities, or the kind of error."""
    X = X.astype(dtype)
    exported = to_onnx(model, X, outputs=("probabilities",), dtype=dtype)
    try:
        (P,) = answers(run, exported, X)
    except Exception as error:  # each has its own
        return type(error).__name__
    return f"{np.abs(P - model.predict_proba(X)).max():.0e}"


def text(run, model, X):
    """Whether a runtime returns labels that are text."""
    exported = to_onnx(model, X, outputs=("label",))
    try:
        (labels,) = answers(run, exported, X)
    except Exception as error:
        return type(error).__name__
    return "right" if np.array_equal(labels, model.predict(X)) else "wrong"


def answers(run, exported, X):
    """The outputs of an exported model for X."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        onnx.save(exported, path)
        return run(path, X)


if __name__ == "__main__":
    main()
