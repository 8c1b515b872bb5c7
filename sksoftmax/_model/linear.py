"""Softmax regression without hidden layers: the pass over a chunk, in one function.

It is what `network` and `loss` do one after the other. X has shape (n_rows, p), flat w
is W, row by row, and b; the other symbols are those of `loss`.
"""

import numpy as np

from sksoftmax._data.arrays import product, transposed_product
from sksoftmax._kernels import kernel
from sksoftmax._model.loss import loss_grad, loss_hessp


@kernel
def linear_pass(X, w, sY, s, fit_intercept):
    """L, its gradient by w and sP."""
    Z = _logits(X, w, fit_intercept)
    value, dZ, sP = loss_grad(Z, sY, s)
    return value, _transposed(X, dZ, w, fit_intercept), sP


@kernel
def linear_hessp(X, sP, s, v, fit_intercept):
    """The Hessian of L by w, of which sP are the probabilities, times v."""
    V = _logits(X, v, fit_intercept)
    return _transposed(X, loss_hessp(sP, s, V), v, fit_intercept)


def _logits(X, w, fit_intercept):
    W = w.reshape(X.shape[1] + fit_intercept, -1)
    Z = product(X, W[: X.shape[1]])
    if fit_intercept:
        Z += W[-1]
    return Z


def _transposed(X, dZ, w, fit_intercept):
    W = np.empty((X.shape[1] + fit_intercept, dZ.shape[1]), w.dtype)
    W[: X.shape[1]] = transposed_product(X, dZ)
    if fit_intercept:
        W[-1] = dZ.sum(axis=0, dtype=np.float64)
    return W.ravel()
