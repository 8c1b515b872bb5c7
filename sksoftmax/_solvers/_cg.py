"""Conjugate gradients on the Newton system H d = -g."""

import numpy as np


def newton_direction(hessp, grad, *, rtol, max_iter):
    """Approximate Newton direction and squared Newton decrement.

    Conjugate gradients (Hestenes and Stiefel 1952) started at zero: after every iteration
    -g.d is the squared decrement g.H^-1.g restricted to the Krylov space so far, so it
    grows towards the true one. It is this growth that stops the iteration, because it
    does not depend on the units of the parameters, as the residual does.

    Parameters
    ----------
    hessp : callable
        v -> H v, H positive semi-definite.
    grad : ndarray of shape (n_params,)
    rtol : float
        Stop when ten iterations together added less than this share.
    max_iter : int

    Returns
    -------
    direction : ndarray of shape (n_params,)
    squared_decrement : float
        -g.d >= 0; half of it estimates F(w) - F*.
    """
    direction = np.zeros_like(grad)
    residual = -grad
    conjugate = residual.copy()
    rho = float(residual @ residual)
    gains = []
    for _ in range(max_iter):
        if rho == 0.0:
            break
        product = hessp(conjugate)
        curvature = float(conjugate @ product)
        if curvature <= np.finfo(grad.dtype).eps * float(conjugate @ conjugate) * 1e-6:
            break
        length = rho / curvature
        direction += length * conjugate
        residual -= length * product
        gains.append(length * rho)
        if len(gains) > 10 and sum(gains[-10:]) <= rtol * sum(gains):
            break
        rho, rho_before = float(residual @ residual), rho
        conjugate *= rho / rho_before
        conjugate += residual
    return direction, sum(gains)
