"""Fitted classifiers in formats that others read: ONNX, skl2onnx and skops.

Whatever is exported follows from coefs_, intercepts_, classes_ and the activation.
"""

from sksoftmax.export._skl2onnx import register_skl2onnx
from sksoftmax.export._to_onnx import CLASSIFIERS, to_onnx

__all__ = ["SKOPS_TRUSTED_TYPES", "register_skl2onnx", "to_onnx"]

# For skops.io.load(file, trusted=SKOPS_TRUSTED_TYPES): what a file with one of the
# classifiers holds that skops does not trust by itself.
SKOPS_TRUSTED_TYPES = [f"{cls.__module__}.{cls.__qualname__}" for cls in CLASSIFIERS]
