"""Activation functions of the hidden layers, each beside its derivative.

A new activation is one entry of `ACTIVATIONS`: `value` maps the pre-activations Z to H;
`derivative` gets both, because it is cheaper from H for most and from Z for some.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit


class Activation(NamedTuple):
    """H = value(Z) and dH/dZ = derivative(Z, H), elementwise."""

    value: Callable
    derivative: Callable


def _silu_derivative(Z, H):
    sigmoid = expit(Z)
    return sigmoid + H * (1.0 - sigmoid)


# Klambauer et al. (2017), Self-normalizing neural networks, NeurIPS 30: the constants
# for which zero mean and unit variance are a fixed point of a layer.
_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


def _selu(Z):
    return _SELU_SCALE * np.where(
        Z > 0, Z, _SELU_ALPHA * np.expm1(np.minimum(Z, 0.0))
    ).astype(Z.dtype, copy=False)


def _selu_derivative(Z, H):
    return np.where(Z > 0, Z.dtype.type(_SELU_SCALE), H + _SELU_SCALE * _SELU_ALPHA)


ACTIVATIONS = {
    "identity": Activation(lambda Z: Z, lambda Z, H: np.ones_like(H)),
    "logistic": Activation(expit, lambda Z, H: H * (1.0 - H)),
    "tanh": Activation(np.tanh, lambda Z, H: 1.0 - H * H),
    "relu": Activation(lambda Z: np.maximum(Z, 0.0), lambda Z, H: H > 0),
    "selu": Activation(_selu, _selu_derivative),
    "silu": Activation(lambda Z: Z * expit(Z), _silu_derivative),
}
