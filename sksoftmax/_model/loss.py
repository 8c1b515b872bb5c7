"""Softmax, hardmax and cross-entropy: public functions, and the loss of the objective.

Z are logits (rows are samples), P = softmax(Z), Y targets; a loss is in nats.
Everything is formed from log-softmax, so that no probability is rounded to zero before
its logarithm is taken.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from sksoftmax._data.one_hot import sum_of_products
from sksoftmax._kernels import kernel
from sksoftmax._utils.parameters import as_floats


def softmax(Z: ArrayLike) -> np.ndarray:
    """Probabilities of logits: exp(Z_ik) / sum_j exp(Z_ij).

    Parameters
    ----------
    Z : array-like of shape (..., n_classes)
        Logits. -inf stands for a class that is ruled out.

    Returns
    -------
    P : ndarray of shape (..., n_classes)
        Probabilities; they sum to 1 over the last axis. float32 stays float32, any
        other type becomes float64.

    Raises
    ------
    ValueError
        If there is no class, or a row has NaN, +inf or no finite logit.

    See Also
    --------
    log_softmax : Its logarithm, accurate where probabilities are tiny.

    Examples
    --------
    >>> from sksoftmax import softmax
    >>> softmax([5, 2, -1, 3]).round(4)
    array([0.842 , 0.0419, 0.0021, 0.114 ])
    """
    return class_probabilities(Z, False)


def log_softmax(Z: ArrayLike) -> np.ndarray:
    """Log-probabilities of logits: Z_ik - log sum_j exp(Z_ij).

    Parameters
    ----------
    Z : array-like of shape (..., n_classes)
        Logits. -inf stands for a class that is ruled out.

    Returns
    -------
    log_P : ndarray of shape (..., n_classes)
        Natural logarithms of the probabilities, finite wherever Z and its differences
        are. float32 stays float32, any other type becomes float64.

    Raises
    ------
    ValueError
        If there is no class, or a row has NaN, +inf or no finite logit.

    See Also
    --------
    softmax : The probabilities themselves.

    Examples
    --------
    >>> from sksoftmax import log_softmax
    >>> log_softmax([10_000.0, 0.0])
    array([     0., -10000.])
    """
    return class_probabilities(Z, True)


@kernel
def class_probabilities(Z, logarithms):
    """Softmax of logits, or its logarithm."""
    log_P = _shifted(Z)
    E = np.exp(log_P)
    sums = E.sum(axis=-1, keepdims=True)
    if logarithms:
        log_P -= np.log(sums)
        return log_P
    E /= sums
    return E


def hardmax(Z: ArrayLike) -> np.ndarray:
    """One-hot rows: 1 at the largest entry (the first of equals), 0 elsewhere.

    Parameters
    ----------
    Z : array-like of shape (..., n_classes)
        Logits, or anything else that can be compared.

    Returns
    -------
    H : ndarray of shape (..., n_classes)
        Zeros and ones, float64 (float32 for float32 input).

    Raises
    ------
    ValueError
        If there is no class or a row has NaN.

    Examples
    --------
    >>> from sksoftmax import hardmax
    >>> hardmax([5, 2, -1, 3])
    array([1., 0., 0., 0.])
    """
    Z = _check_logits(Z)
    if np.isnan(Z).any():
        raise ValueError("Z must not have NaN.")
    H = np.zeros_like(Z)
    np.put_along_axis(H, Z.argmax(axis=-1, keepdims=True), 1.0, axis=-1)
    return H


def cross_entropy(Y: ArrayLike, P: ArrayLike) -> np.ndarray | float:
    """Cross-entropy of each row: -sum_k Y_ik log P_ik, in nats.

    Parameters
    ----------
    Y : array-like of shape (n_samples, n_classes) or (n_classes,)
        Targets: one-hot rows or rows of probabilities.
    P : array-like of the same shape
        Predicted probabilities.

    Returns
    -------
    losses : ndarray of shape (n_samples,), or float for a single row
        Loss of each row; inf where a class with Y > 0 has P = 0, and a class with Y = 0
        contributes nothing whatever its P.

    Raises
    ------
    ValueError
        If the shapes differ or are not 1-d or 2-d, or an entry is negative, infinite or
        NaN.

    Examples
    --------
    >>> from sksoftmax import cross_entropy
    >>> round(cross_entropy([0, 1, 0, 0], [0.3, 0.2, 0.1, 0.4]), 4)
    1.6094
    """
    Y, P = _check_logits(Y, "Y"), _check_logits(P, "P")
    if Y.shape != P.shape or Y.ndim > 2:
        raise ValueError(
            "Y and P must have the same shape, (n_samples, n_classes) or (n_classes,);"
            f" got {Y.shape} and {P.shape}."
        )
    for name, values in (("Y", Y), ("P", P)):
        if not ((values >= 0) & (values < np.inf)).all():
            raise ValueError(f"{name} must hold numbers >= 0, without NaN or infinity.")
    losses = -xlogy(Y, P).sum(axis=-1) + 0.0  # + 0.0 turns -0.0 into 0.0
    return float(losses) if losses.ndim == 0 else losses


def _check_logits(Z, name="Z"):
    Z = as_floats(name, Z)
    if Z.ndim == 0 or Z.shape[-1] == 0:
        raise ValueError(f"{name} must have at least one class on its last axis.")
    return Z


def _shifted(Z):
    """Z minus its row maxima, a new array: exp of it cannot overflow."""
    Z = _check_logits(Z)
    largest = Z.max(axis=-1, keepdims=True)
    if not np.isfinite(largest).all():
        raise ValueError("Each row of Z needs a finite logit, and no NaN or +inf.")
    with np.errstate(over="ignore"):  # a logit that far below the largest: -inf
        return Z - largest


# The loss as the objective uses it: L(Z) = sum_i s_i d(softmax(z_i), y_i), its gradient
# and its Hessian in logit space. Two conventions keep the sweeps over (n_rows,
# n_classes) few. Targets and probabilities are weighted, sY = s Y and sP = s P, so that
# dL/dZ is sP - sY. And arrays should be in column-major order: then every inner loop
# runs along the rows of a chunk instead of along its few classes (twice as fast for 9
# features and 7 classes).
#
# Z may lack the column of the first of two classes, which then is the reference: its
# logit is zero. sP and dL/dZ lack it too, and `loss_hessp` has the same formula: for
# one class against another p - p p is the second derivative.


def all_logits(Z, n_classes):
    """Logits of all classes, (n_rows, n_classes): zeros beside Z for a reference."""
    return np.hstack([np.zeros_like(Z), Z]) if Z.shape[1] < n_classes else Z


def targets_beside(Z, sY):
    """The columns of sY of the classes that Z has columns for."""
    n_without = sY.shape[1] - Z.shape[1]
    return np.asarray(sY)[:, n_without:] if n_without else sY


def loss(Z, sY, s):
    """L(Z), a float. Z is overwritten."""
    exponentials = _exponentials if Z.shape[1] == sY.shape[1] else _logistic
    return exponentials(Z, sY, s)[0]


@kernel
def loss_grad(Z, sY, s):
    """L, dL/dZ = sP - sY and sP, from one log-softmax. Z is overwritten, by sP."""
    if Z.shape[1] < sY.shape[1]:
        value, P = _logistic(Z, sY, s)
        P *= s[:, None]
        return value, P - targets_beside(P, sY), P
    value, sums = _exponentials(Z, sY, s)
    Z *= (s / sums)[:, None]
    return value, Z - sY, Z


def batch_loss_grad(Z, sY, s, scratch):
    """L as a float; Z becomes dL/dZ. For mini-batches, which are small: few calls.

    Z and sY are transposed, shape (n_classes, n_rows), and scratch has shape (n_rows,).
    """
    np.maximum.reduce(Z, axis=0, out=scratch)
    np.subtract(Z, scratch, out=Z)
    value = -np.vdot(sY, Z)
    np.exp(Z, out=Z)
    np.add.reduce(Z, axis=0, out=scratch)
    value += np.dot(s, np.log(scratch))
    np.divide(s, scratch, out=scratch)
    np.multiply(Z, scratch, out=Z)
    np.subtract(Z, sY, out=Z)
    return float(value)


def loss_hessp(sP, s, V):
    """(d2L/dZ2) V: row i is s_i (diag(p_i) - p_i p_i^T) v_i. V is overwritten."""
    means = np.einsum("ik,ik->i", sP, V)
    means /= s
    V -= means[:, None]
    V *= sP
    return V


def _exponentials(Z, sY, s):
    """L, and the row sums of exp(Z - row maxima), with which Z is overwritten."""
    Z -= Z.max(axis=1, keepdims=True)
    value = -sum_of_products(sY, Z)
    sums = np.exp(Z, out=Z).sum(axis=1)
    return float(value + s @ np.log(sums)), sums


def _logistic(Z, sY, s):
    """L beside a reference class, and P of the other, with which Z is overwritten.

    log(1 + e^z) = max(z, 0) + log(1 + e^-|z|). Of a row that is certain of its class
    the first part cancels exactly against the target's.
    """
    z = Z[:, 0]
    value = s * np.maximum(z, 0.0)
    value -= np.asarray(sY)[:, 1] * z
    positive = z > 0.0
    np.exp(-np.abs(z), out=z)
    sums = 1.0 + z
    value += s * np.log(sums)
    z[positive] = 1.0
    z /= sums
    return float(value.sum()), Z
