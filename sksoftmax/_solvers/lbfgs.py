"""Full-batch L-BFGS: scipy's iterations, with our test of convergence."""

from dataclasses import replace

from scipy.optimize import minimize

from sksoftmax._solvers.cg import solve_newton_system
from sksoftmax._solvers.result import Result, absolute_tolerance

# scipy can only stop L-BFGS on the largest entry of its gradient, which depends on the
# units of the features. So we stop it from its callback, which asks for the Newton
# decrement every so many iterations: that costs several passes over the data.
_CHECK_EVERY = 10


def lbfgs(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a smooth F(w) by L-BFGS; the arguments are those of a `Solver`.

    1. Divide w by the scale that makes the diagonal of the first Hessian one.
    2. Run scipy's L-BFGS (Liu and Nocedal 1989, On the limited memory BFGS method for
       large scale optimization, Math. Program. 45:503).
    3. Every few iterations, solve a Newton system. Stop where half the squared Newton
       decrement, an estimate of F(w) - min F, is within the tolerance.
    4. Take that Newton step as well, if it lowers F.
    """
    w = objective.project_onto_gauge(w)  # no step changes what all classes share
    precondition = objective.preconditioner()
    scale = precondition.unit_scale(objective.value_grad_hessp(w)[2])
    n_iter = 0

    def judge(w):
        value, grad, hessian = objective.value_grad_hessp(w)
        tolerance = absolute_tolerance(tol, null_value, value)
        precondition.update(hessian)
        step = solve_newton_system(
            hessian, grad, precondition, tolerance=tolerance, scale=value, shrinkage=0.0
        )
        precondition.learn(step)
        return Result(w, value, step.gap, tolerance, n_iter, step=step.direction)

    def scaled(u):
        value, grad = objective.value_and_grad(scale * u)
        return value, scale * grad

    def watch(intermediate_result):
        nonlocal latest, n_iter
        n_iter += 1
        latest = scale * intermediate_result.x
        callback(n_iter, latest, float(intermediate_result.fun))
        if n_iter % _CHECK_EVERY == 0 and judge(latest).converged:
            raise StopIteration

    latest = w
    minimize(
        scaled,
        w / scale,
        jac=True,
        method="L-BFGS-B",
        options={
            "gtol": 0.0,
            "ftol": 0.0,
            "maxiter": max_iter,
            "maxfun": 20 * max_iter,
        },
        callback=watch,
    )
    result = judge(latest)
    if not result.converged or n_iter >= max_iter:
        return result
    return _step_down(objective, result, callback)


def _step_down(objective, result, callback):
    """The result after the Newton step that the gap comes from, if F is lower there.

    Then half the squared decrement bounds the gap to the minimum from above. Before the
    step, in nearly separable problems, that gap can be twice as large.
    """
    w = result.w + result.step
    value = objective.value(w)
    if not value < result.value:
        return result
    callback(result.n_iter + 1, w, value)
    return replace(result, w=w, value=value, n_iter=result.n_iter + 1)
