"""Preconditioned conjugate gradients, and the Newton system H d = -g solved by them."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal


def conjugate_gradients(product, rhs, solve):
    """Iterates of preconditioned conjugate gradients on A x = rhs, from x = 0.

    Golub and Van Loan (2013), Matrix Computations, algorithm 11.5.1. Their p is our
    `conjugate`, their mu our `length`, and their r^T z, with z = M^-1 r, is the
    preconditioned residual: the square of the residual's norm in M^-1.

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
        Length of the step that led there, 0 at first.
    residual : float
        The preconditioned residual r.M^-1.r.
    r : ndarray of shape (n,)
        The residual rhs - A x, always the same array.

    The generator ends where a direction has no curvature; otherwise it never ends.
    """
    x, r = np.zeros_like(rhs), rhs.copy()
    conjugate = z = solve(r)
    residual = float(r @ z)
    yield x, 0.0, residual, r
    while True:
        Av = product(conjugate)
        curvature = float(conjugate @ Av)
        if not curvature > 0.0:
            return
        length = residual / curvature
        x += length * conjugate
        r -= length * Av
        z = solve(r)
        residual, before = float(r @ z), residual
        yield x, length, residual, r
        conjugate = z + residual / before * conjugate


class Accuracy(NamedTuple):
    """How exactly a Newton system is to be solved."""

    tolerance: float  # gap below which no more digits are needed, nats
    scale: float  # size of F, nats: makes the squared decrement a pure number
    shrinkage: float = 0.0  # gap after the last step over the gap before it
    # Whether a duality gap decides if a step was the last, as a ridge allows.
    is_certified: bool = False
    max_products: float = np.inf  # with H, before the whole fit has cost too much


class NewtonStep(NamedTuple):
    """An approximate solution d of H d = -g, and what solving it has shown."""

    direction: np.ndarray  # (n_params,)
    gap: float  # half the squared Newton decrement, an estimate of F(w) - F*, nats
    n_products: int = 0  # products with H that it took
    lowest: float = 1.0  # lowest eigenvalue of M^-1 H that was seen, at most 1
    gap_after: float = 0.0  # about the duality gap after the step, if asked for, nats


# A direction need only be as exact as the quadratic model it minimises. With the error
# of a solve at eta and the decrement itself as eta, convergence is superlinear; 0.3 is
# where early iterations stop (over seven of the benchmark sets 0.1 took 8 % more
# passes, 0.5 took 2 % more). Where the last step left more than such an eta explains,
# the model was at fault, and its square is what a Newton step can do at best (digits
# with alpha = 1e-5: 135 passes in the place of 225).
_LARGEST_FORCING_TERM = 0.3

# Part of the tolerance that the residual of the last step may take. The other part is
# for the error of the quadratic model.
_RESIDUAL_PART = 0.3

# Products after which conjugate gradients have seen the lowest eigenvalue. The estimate
# depends on it where no duality gap decides.
_PRODUCTS_TO_MEASURE = 5

# Products that are worth it beyond `max_products`, if only the duality gap is too
# large: another Newton step with a new preconditioner costs as much.
_EXTRA_PRODUCTS = 10


def solve_newton_system(hessian, grad, precondition, accuracy):
    """An approximate solution of the Newton system H d = -g, and the gap of F.

    Conjugate gradients start at zero. After each iteration -g.d is the squared
    decrement g.H^-1.g restricted to the Krylov space so far. What is left of it is at
    most the preconditioned residual over the lowest eigenvalue of M^-1 H. All of these
    are free of the units of the parameters, and so are all tests here. The iterations
    stop where

    1. what is left is a tenth of the tolerance, or
    2. the residual has fallen by the square of the forcing term eta (Dembo, Eisenstat
       and Steihaug 1982, SIAM J. Numer. Anal. 19:400), or
    3. a stronger preconditioner would be cheaper than more products.

    The last step has to be more exact, since what it leaves is certified. Where the
    estimate of the gap is near the tolerance, 1 and 2 do not suffice: the duality gap
    that the residual leads to has to be small as well. Without a duality gap the
    estimate has to rest on an eigenvalue that was seen.

    Parameters
    ----------
    hessian : callable
        v -> H v, H positive semi-definite.
    grad : ndarray of shape (n_params,)
    precondition : object
        Its `solve(r)` applies M^-1; `is_exact` says that M is H, so that one solve will
        do; `max_products` is how many products with H are worth it before a better M
        is; `lowest` is the lowest eigenvalue of M^-1 H seen so far; `ridge_gap(r)` is
        the duality gap that a residual r leads to. It is not changed: the caller tells
        it what was seen by `precondition.learn(step)`.
    accuracy : Accuracy

    Returns
    -------
    NewtonStep
    """
    if precondition.is_exact:
        return exactly_solved(grad, precondition.solve(-grad))
    decrement, lengths, residuals = 0.0, [], []
    is_enough = _Sufficiency(precondition, accuracy)
    steps = conjugate_gradients(hessian, -grad, precondition.solve)
    for x, length, residual, r in steps:
        direction = x
        if residuals:
            lengths.append(length)
            decrement += length * residuals[-1]
        residuals.append(residual)
        if is_enough(decrement, residuals, r):
            break
    lowest = precondition.lowest
    if lengths:
        seen = _lowest_ritz_value(lengths, np.divide(residuals[1:], residuals[:-1]))
        # Rounding can make it less than zero.
        lowest = min(lowest, max(seen, np.finfo(float).eps))
    else:
        direction = precondition.solve(-grad)  # good enough, and so is its step
    # The bound on what is left is only as good as the eigenvalue: it counts twice.
    gap = 0.5 * decrement + max(residual, 0.0) / lowest
    gap_after = precondition.ridge_gap(r) if accuracy.is_certified else 0.0
    if min(residuals) < -1e-8 * abs(residuals[0]) or residuals[0] < 0.0:
        gap = np.inf  # M^-1 is not positive: it tells nothing
    return NewtonStep(direction, gap, len(lengths), lowest, gap_after)


def exactly_solved(grad, direction):
    """The `NewtonStep` along a direction that solves H d = -g to rounding."""
    # Where rounding makes it no way down, it is one of no certainty either.
    return NewtonStep(direction, 0.5 * abs(float(grad @ direction)))


class _Sufficiency:
    """Whether the residuals of conjugate gradients are small enough to stop."""

    def __init__(self, precondition, accuracy):
        self._precondition, self._accuracy = precondition, accuracy
        self._is_last = False  # whether the step seems to be the last one

    def __call__(self, decrement, residuals, r):
        accuracy, n_products = self._accuracy, len(residuals) - 1
        most = self._precondition.max_products
        is_exact = self._is_exact(decrement, residuals, r)
        if self._is_last:
            most += _EXTRA_PRODUCTS
        return is_exact or n_products >= min(most, accuracy.max_products)

    def _is_exact(self, decrement, residuals, r):
        tolerance, scale, shrinkage, is_certified, _ = self._accuracy
        residual, lowest = residuals[-1], self._precondition.lowest
        eta_squared = min(
            _LARGEST_FORCING_TERM**2, max(decrement / scale, shrinkage**2)
        )
        if residual > 0.1 * tolerance * lowest and not (
            len(residuals) > 1 and residual <= eta_squared * residuals[0]
        ):
            return False
        gap = 0.5 * decrement + residual / lowest
        if is_certified:
            self._is_last = gap <= tolerance
            return not self._is_last or (
                self._precondition.ridge_gap(r) <= _RESIDUAL_PART * tolerance
            )
        if gap <= tolerance and residual > 1e-8 * residuals[0]:
            return len(residuals) > _PRODUCTS_TO_MEASURE
        return True


def _lowest_ritz_value(lengths, ratios):
    """Lowest eigenvalue of M^-1 H seen by conjugate gradients (Golub and Meurant 1997).

    Step lengths a and residual ratios b make up the Lanczos matrix: 1/a_j + b_j-1/a_j-1
    on its diagonal and sqrt(b_j)/a_j beside it.
    """
    a, b = np.array(lengths), np.array(ratios[:-1])
    diagonal = 1.0 / a
    diagonal[1:] += b / a[:-1]
    beside = np.sqrt(np.maximum(b, 0.0)) / a[:-1]
    if not (np.isfinite(diagonal).all() and np.isfinite(beside).all()):
        return 0.0  # the residuals are rounding
    return float(
        eigvalsh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))[0]
    )
