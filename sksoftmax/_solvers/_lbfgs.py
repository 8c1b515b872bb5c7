"""Full-batch L-BFGS: scipy's iteration, our judgement of convergence."""

import numpy as np
from scipy.optimize import minimize

from sksoftmax._solvers._cg import newton_direction
from sksoftmax._solvers._result import Result

# L-BFGS stops on the largest entry of its gradient, which means something else in every
# unit of the features. So it runs in rounds: each ends at a gradient a hundredth of the
# last, and after each the Newton decrement, which has no unit but nats, decides.
_ROUND = 1e-2


def lbfgs(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a smooth objective by L-BFGS.

    Liu and Nocedal (1989), On the limited memory BFGS method for large scale
    optimization, Mathematical Programming 45:503, as scipy implements it.

    Parameters
    ----------
    objective : Objective
        Needs value_and_grad and value_grad_hessp.
    w : ndarray of shape (n_params,)
        Start.
    tol : float
        Converged when half the squared Newton decrement <= tol * (null_value - F(w)).
    null_value : float
        F of the model without features, nats.
    max_iter : int
    callback : callable

    Returns
    -------
    Result
    """
    n_iter = 0

    def count(intermediate_result):
        nonlocal n_iter
        n_iter += 1
        callback(n_iter, intermediate_result.x, float(intermediate_result.fun))

    value, grad, hessp = objective.value_grad_hessp(w)
    gradient_size, stalled = np.abs(grad).max(initial=0.0), False
    while True:
        _, squared_decrement = newton_direction(hessp, grad, rtol=0.05, max_iter=1000)
        target = optimality_target(tol, null_value, value)
        if squared_decrement <= 2.0 * target or stalled or n_iter >= max_iter:
            return Result(w, value, 0.5 * squared_decrement, target, n_iter)
        gradient_size *= _ROUND
        options = {
            "gtol": gradient_size,
            "ftol": 0.0,
            "maxiter": max_iter - n_iter,
            "maxfun": 20 * max_iter,
        }
        w = minimize(
            objective.value_and_grad,
            w,
            jac=True,
            method="L-BFGS-B",
            options=options,
            callback=count,
        ).x
        last_value = value
        value, grad, hessp = objective.value_grad_hessp(w)
        stalled = value >= last_value


def optimality_target(tol, null_value, value):
    """What tol asks of the optimality: tol times what the model explains, in nats.

    The second term is the rounding error of F itself, below which nothing can be told.
    """
    return tol * max(null_value - value, 0.0) + 4.0 * np.finfo(float).eps * null_value
