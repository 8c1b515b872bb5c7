"""Fitted classifiers in formats that others read: ONNX, skl2onnx and skops.

All that is exported follows from `coefs_`, `intercepts_`, `classes_`, and activation.

A file of skops holds nothing but arrays, plain values and the names of classes, so it
can be read without running code from it. `SKOPS_TRUSTED_TYPES` are those to trust:

>>> import skops.io
>>> from sklearn.datasets import load_iris
>>> from sksoftmax import SoftmaxRegressionClassifier
>>> from sksoftmax.export import SKOPS_TRUSTED_TYPES
>>> X, y = load_iris(return_X_y=True)
>>> file = skops.io.dumps(SoftmaxRegressionClassifier().fit(X, y))
>>> model = skops.io.loads(file, trusted=SKOPS_TRUSTED_TYPES)
>>> model.predict(X[:3])
array([0, 0, 0])

For joblib nothing is needed from here: after ``joblib.load(path, mmap_mode="r")``
predictions read the weights where they are, and processes share them.
"""

from sksoftmax.export._skl2onnx import register_skl2onnx
from sksoftmax.export._to_onnx import CLASSIFIERS, to_onnx

__all__ = ["SKOPS_TRUSTED_TYPES", "register_skl2onnx", "to_onnx"]

SKOPS_TRUSTED_TYPES = [f"{cls.__module__}.{cls.__qualname__}" for cls in CLASSIFIERS]
