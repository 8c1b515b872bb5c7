"""Softmax regression without hidden layers: the pass over a chunk, in one function.

It is what `network` and `loss` do one after the other. X has shape (n_rows, p). W has
the weights of the p features and, below them, the intercepts, if there are any; results
are flat, row by row. The other symbols are those of `loss`.
"""

import numpy as np

from sksoftmax._data.arrays import product, transposed_product
from sksoftmax._kernels import kernel
from sksoftmax._model.loss import loss_grad, loss_hessp


@kernel
def linear_pass(X, W, sY, s):
    """L, its gradient by W and sP."""
    value, dZ, sP = loss_grad(_logits(X, W), sY, s)
    return value, _gradient(X, dZ, W), sP


@kernel
def linear_hessp(X, sP, s, V):
    """The Hessian of L by W, of which sP are the probabilities, times V."""
    return _gradient(X, loss_hessp(sP, s, _logits(X, V)), V)


def _logits(X, W):
    p = X.shape[1]
    Z = product(X, W[:p])
    if len(W) > p:
        Z += W[p]
    return Z


def _gradient(X, dZ, W):
    p, grad = X.shape[1], np.empty_like(W)
    grad[:p] = transposed_product(X, dZ)
    if len(W) > p:
        grad[p] = dZ.sum(axis=0, dtype=np.float64)
    return grad.ravel()
