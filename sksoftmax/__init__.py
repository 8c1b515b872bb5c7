"""Softmax regression for scikit-learn: exact, certified, hidden layers if wanted."""

from sksoftmax import data, exceptions, export, inference, optimizers, plotting
from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._classifier_cv import SoftmaxRegressionClassifierCV
from sksoftmax._model.loss import cross_entropy, hardmax, log_softmax, softmax
from sksoftmax._utils.versions import show_versions

__all__ = [
    "SoftmaxRegressionClassifier",
    "SoftmaxRegressionClassifierCV",
    "cross_entropy",
    "data",
    "exceptions",
    "export",
    "hardmax",
    "inference",
    "log_softmax",
    "optimizers",
    "plotting",
    "show_versions",
    "softmax",
]

__version__ = "0.1.0.dev0"
