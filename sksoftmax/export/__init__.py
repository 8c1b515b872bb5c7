"""Fitted classifiers in the formats of ONNX, skl2onnx and skops.

An export needs `coefs_`, `intercepts_`, `classes_` and the activation only.

A skops file holds arrays, plain values and the names of Python classes, and reading it
runs no code of the file. `SKOPS_TRUSTED_TYPES` lists the classes to trust:

>>> import skops.io
>>> from sklearn.datasets import load_iris
>>> from sksoftmax import SoftmaxRegressionClassifier
>>> from sksoftmax.export import SKOPS_TRUSTED_TYPES
>>> X, y = load_iris(return_X_y=True)
>>> file = skops.io.dumps(SoftmaxRegressionClassifier().fit(X, y))
>>> model = skops.io.loads(file, trusted=SKOPS_TRUSTED_TYPES)
>>> model.predict(X[:3])
array([0, 0, 0])

joblib needs nothing from here: after ``joblib.load(path, mmap_mode="r")`` predictions
read the weights from the file, and processes share them.
"""

from sksoftmax.export._skl2onnx import register_skl2onnx
from sksoftmax.export._to_onnx import CLASSIFIERS, to_onnx

__all__ = ["SKOPS_TRUSTED_TYPES", "register_skl2onnx", "to_onnx"]

SKOPS_TRUSTED_TYPES = [f"{cls.__module__}.{cls.__qualname__}" for cls in CLASSIFIERS]
