"""Preconditioned conjugate gradients on the Newton system H d = -g."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal


def conjugate_gradients(product, rhs, solve):
    """Preconditioned conjugate gradients on A x = rhs from x = 0, step by step.

    Parameters
    ----------
    product : callable
        v -> A v, A positive semi-definite.
    rhs : ndarray of shape (n,)
    solve : callable
        r -> M^-1 r.

    Yields
    ------
    x : ndarray of shape (n,)
        The solution so far, always the same array; zero at first.
    length : float
        Of the step that led there, 0 at first.
    rest : float
        r.M^-1.r of the residual r. The generator ends by itself where a direction has
        no curvature; else it goes on for ever.
    """
    x, residual = np.zeros_like(rhs), rhs.copy()
    conjugate = z = solve(residual)
    rest = float(residual @ z)
    yield x, 0.0, rest
    while True:
        Av = product(conjugate)
        curvature = float(conjugate @ Av)
        if not curvature > 0.0:
            return
        length = rest / curvature
        x += length * conjugate
        residual -= length * Av
        z = solve(residual)
        rest, before = float(residual @ z), rest
        yield x, length, rest
        conjugate = z + rest / before * conjugate


class NewtonStep(NamedTuple):
    """An approximate solution d of H d = -g and what it says about F."""

    direction: np.ndarray  # (n_params,)
    gap: float  # half the squared Newton decrement, an estimate of F(w) - F*, nats


# A direction need only be as exact as the quadratic model it minimises. With the error
# of a solve at eta and the decrement itself as eta, convergence is superlinear; 0.3 is
# where early iterations stop (over seven of the benchmark sets 0.1 took 8 % more
# passes, 0.5 took 2 % more). Where the last step left more than such an eta explains,
# the model was at fault, and its square is what a Newton step can do at best (digits
# with alpha = 1e-5: 135 passes in the place of 225).
_COARSEST = 0.3


def solve_newton_system(hessian, grad, precondition, *, tolerance, scale, shrinkage):
    """Solve H d = -g by conjugate gradients started at zero.

    After each iteration -g.d is the squared decrement g.H^-1.g restricted to the Krylov
    space so far; the rest is at most r.M^-1.r of the residual r over the lowest
    eigenvalue of M^-1 H. All of these are free of the units of the parameters, and so
    are all tests here.

    Parameters
    ----------
    hessian : callable
        v -> H v, H positive semi-definite.
    grad : ndarray of shape (n_params,)
    precondition : object
        Its solve(r) applies M^-1; `is_exact` says that M is H, so that one solve will
        do; `max_products` is how many products with H are worth it before a better M
        is; `lowest`, the lowest eigenvalue of M^-1 H seen so far, is kept up to date.
    goal : float
        Gap, in nats, under which nobody asks for more.
    scale : float
        Of F, in nats: makes the squared decrement a pure number.
    shrinkage : float
        What the last step left of its gap, 0 before the first.

    Returns
    -------
    NewtonStep
    """
    if precondition.is_exact:
        step = precondition.solve(-grad)
        # Where rounding makes it no way down, it is one of no certainty either.
        return NewtonStep(step, 0.5 * abs(float(grad @ step)))
    decrement, lengths, rests = 0.0, [], []
    enough = 0.1 * tolerance * precondition.lowest
    floor = shrinkage**2
    steps = conjugate_gradients(hessian, -grad, precondition.solve)
    for x, length, rest in steps:
        direction = x
        if rests:
            lengths.append(length)
            decrement += length * rests[-1]
        rests.append(rest)
        exact = rest <= enough or len(lengths) >= precondition.max_products
        eta = min(_COARSEST**2, max(decrement / scale, floor))
        if exact or (lengths and rest <= eta * rests[0]):
            break
    precondition.n_products += len(lengths)
    if lengths:
        lowest = _lowest_ritz_value(lengths, np.divide(rests[1:], rests[:-1]))
        lowest = max(lowest, np.finfo(float).eps)  # rounding can make it less than zero
        precondition.lowest = min(precondition.lowest, lowest)
    else:
        direction = precondition.solve(-grad)  # good enough, and so is its step
    if min(rests) < -1e-8 * abs(rests[0]) or rests[0] < 0.0:
        return NewtonStep(direction, np.inf)  # M^-1 is not positive: it tells nothing
    # The bound on the rest is only as good as the eigenvalue: it counts twice.
    rest = max(rest, 0.0) / precondition.lowest
    return NewtonStep(direction, 0.5 * decrement + rest)


def _lowest_ritz_value(lengths, ratios):
    """Lowest eigenvalue of M^-1 H seen by conjugate gradients (Golub and Meurant 1997).

    Step lengths a and residual ratios b make up the Lanczos matrix: 1/a_j + b_j-1/a_j-1
    on its diagonal and sqrt(b_j)/a_j beside it.
    """
    a, b = np.array(lengths), np.array(ratios[:-1])
    diagonal = 1.0 / a
    diagonal[1:] += b / a[:-1]
    beside = np.sqrt(np.maximum(b, 0.0)) / a[:-1]
    return float(
        eigvalsh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))[0]
    )
