"""Gradient optimizers as pairs of pure functions, and a loop that runs them.

An optimizer is a frozen set of numbers with `init(w) -> state` and
`update(grad, state, w) -> (w, state)`, neither of which changes its arguments. Its
mathematics is in `step`, which works in place: `update` is `step` on copies, and the
mini-batch solvers call `step` itself.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._utils.errors import error_context
from sksoftmax._utils.parameters import as_floats

__all__ = ["SGD", "Adam", "minimize"]


class _Optimizer:
    """The methods of both optimizers; each has its own `_init` and `_step`."""

    def init(self, w: np.ndarray) -> tuple:
        """State before the first step.

        Parameters
        ----------
        w : ndarray
            Where the first step starts.

        Returns
        -------
        state : tuple
            Zeros: the velocity of SGD; two moments and the number of steps of Adam.
        """
        return self._init(w)

    def step(
        self, grad: np.ndarray, state: tuple, w: np.ndarray, factor: float = 1.0
    ) -> tuple:
        """One step in place: w and the arrays of state change, and grad is used up.

        Parameters
        ----------
        grad : ndarray
            Gradient at w; afterwards its entries mean nothing.
        state : tuple
            From `init` or the last step.
        w : ndarray
            Parameters.
        factor : float, default=1.0
            Of the learning rate, which a schedule may lower.

        Returns
        -------
        state : tuple
            The state after the step, made of the same arrays.
        """
        return self._step(grad, state, w, factor)

    def update(self, grad: np.ndarray, state: tuple, w: np.ndarray) -> tuple:
        """One step.

        Parameters
        ----------
        grad : ndarray
            Gradient at w.
        state : tuple
            From `init` or the last step.
        w : ndarray
            Parameters.

        Returns
        -------
        w : ndarray
            The parameters after the step.
        state : tuple
            The state after it.
        """
        dtype = np.result_type(grad, w, np.float32)
        state = tuple(x if isinstance(x, int) else np.array(x, dtype) for x in state)
        w = np.array(w, dtype)
        return w, self.step(np.array(grad, dtype), state, w)


@dataclass(frozen=True)
class SGD(_Optimizer):
    """Gradient descent, with momentum or Nesterov's momentum on request.

    velocity <- momentum * velocity - learning_rate * grad, then w <- w + velocity;
    Nesterov's form steps by momentum * velocity - learning_rate * grad instead.

    Parameters
    ----------
    learning_rate : float
        Step per unit of gradient, >= 0.
    momentum : float, default=0.0
        Fraction of the last step that is kept, in [0, 1).
    nesterov : bool, default=False
        Whether to look ahead along the velocity.

    Raises
    ------
    ValueError, TypeError
        If one of them is no such number.

    References
    ----------
    Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and
    momentum in deep learning, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.optimizers import SGD
    >>> sgd = SGD(learning_rate=0.1)
    >>> w = np.array([1.0])
    >>> w, state = sgd.update(2 * w, sgd.init(w), w)
    >>> w
    array([0.8])
    """

    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        """Refuse numbers out of range."""
        _check_number("learning_rate", self.learning_rate)
        _check_number("momentum", self.momentum, below=1.0)
        if not isinstance(self.nesterov, bool | np.bool_):
            raise TypeError(f"nesterov must be True or False, got {self.nesterov!r}.")

    def _init(self, w):
        return (np.zeros_like(w),)

    def _step(self, grad, state, w, factor):
        (velocity,) = state
        velocity *= self.momentum
        grad *= self.learning_rate * factor
        velocity -= grad
        if self.nesterov:
            w -= grad
            np.multiply(velocity, self.momentum, out=grad)
            w += grad
        else:
            w += velocity
        return state


@dataclass(frozen=True)
class Adam(_Optimizer):
    """Steps scaled by running moments of the gradient, corrected for their start at 0.

    Parameters
    ----------
    learning_rate : float, default=0.001
        Size of a step in each parameter, about, >= 0.
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay of the first and the second moment, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment, >= 0.

    Raises
    ------
    ValueError, TypeError
        If one of them is no such number.

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization, ICLR, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.optimizers import Adam
    >>> adam = Adam(learning_rate=0.1)
    >>> w = np.array([1.0])
    >>> w, state = adam.update(2 * w, adam.init(w), w)
    >>> w.round(6)
    array([0.9])
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        """Refuse numbers out of range."""
        _check_number("learning_rate", self.learning_rate)
        _check_number("beta_1", self.beta_1, below=1.0)
        _check_number("beta_2", self.beta_2, below=1.0)
        _check_number("epsilon", self.epsilon)

    def _init(self, w):
        return np.zeros_like(w), np.zeros_like(w), 0

    def _step(self, grad, state, w, factor):
        mean, square, n_steps = state
        n_steps += 1
        # Kept are the sums m / (1 - beta_1) and v / (1 - beta_2), m and v the paper's:
        # that spares two products a step. Constants move into the rate and epsilon.
        root = math.sqrt((1.0 - self.beta_2**n_steps) / (1.0 - self.beta_2))
        rate = self.learning_rate * factor * root
        rate *= (1.0 - self.beta_1) / (1.0 - self.beta_1**n_steps)
        epsilon = self.epsilon * root
        mean *= self.beta_1
        mean += grad
        square *= self.beta_2
        grad *= grad
        square += grad
        np.sqrt(square, out=grad)
        grad += epsilon
        np.divide(mean, grad, out=grad)
        grad *= rate
        w -= grad
        return mean, square, n_steps


def _check_number(name, value, *, below=np.inf):
    if not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    with error_context(name):  # an int beyond the floats
        inside = 0.0 <= float(value) < below
    if not inside:
        raise ValueError(f"{name} must be in [0, {below:g}), got {value!r}.")


def minimize(
    fun: Callable,
    w0: ArrayLike,
    optimizer: SGD | Adam,
    n_steps: int,
    grad: Callable | None = None,
) -> np.ndarray:
    """Run an optimizer on a function for a number of steps.

    Parameters
    ----------
    fun : callable
        fun(w) -> float. Without `grad` it must also accept w with extra axes behind the
        first, as `scipy.differentiate` calls it: plain array arithmetic does.
    w0 : array-like
        Start, a number or an array; float32 stays float32, any other type becomes
        float64.
    optimizer : SGD or Adam
        What makes the steps.
    n_steps : int
        Number of steps, >= 0.
    grad : callable, optional
        grad(w) -> array of w's shape. Where it is missing, derivatives are taken by
        `scipy.differentiate`, to about 1e-8 relative in float64.

    Returns
    -------
    w : ndarray of the shape of w0
        Where the last step ended.

    Raises
    ------
    ValueError, TypeError
        If n_steps is no integer >= 0, `fun` or `grad` is no function, `optimizer` is
        none, `grad` is missing and w0 has more than one axis, or `grad` returns another
        shape than w's.

    Examples
    --------
    Minimise w^2 + 10 w + 25 in single precision; the minimum is at -5:

    >>> import numpy as np
    >>> from sksoftmax.optimizers import SGD, minimize
    >>> def cost(w):
    ...     return w**2 + 10 * w + 25
    >>> def slope(w):
    ...     return 2 * w + 10
    >>> print(minimize(cost, np.float32(0), SGD(0.01), 1000, grad=slope))
    -4.9999886
    >>> minimize(cost, 0.0, SGD(0.01), 1000).round(6)
    np.float64(-5.0)
    """
    w = np.array(as_floats("w0", w0))
    if not isinstance(n_steps, int | np.integer):
        raise TypeError(f"n_steps must be an integer, got {n_steps!r}.")
    if n_steps < 0:
        raise ValueError(f"n_steps must be >= 0, got {n_steps}.")
    for name, given in (("fun", fun), ("grad", grad)):
        if not (callable(given) or (given is None and name == "grad")):
            raise TypeError(f"{name} must be a function, got {given!r}.")
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise TypeError(f"optimizer must have init and update, got {optimizer!r}.")
    if isinstance(optimizer, type):
        raise TypeError(f"optimizer must be an instance, got the class {optimizer!r}.")
    if grad is None:
        grad = _numerical_gradient(fun, w)
    state = optimizer.init(w)
    for _ in range(n_steps):
        g = np.asarray(grad(w), dtype=w.dtype)
        if g.shape != w.shape:
            raise ValueError(
                f"grad must return an array of w's shape {w.shape}, got {g.shape}."
            )
        w, state = optimizer.update(g, state, w)
    return w


def _numerical_gradient(fun, w0):
    """Derivative of fun, in float64 whatever the precision of the steps."""
    if w0.ndim > 1:
        raise ValueError(
            f"w0 must be a number or a 1-d array if grad is not given, got {w0.ndim}-d."
        )
    try:
        from scipy.differentiate import derivative, jacobian
    except ModuleNotFoundError:  # scipy < 1.15
        from scipy.optimize import approx_fprime

        return lambda w: approx_fprime(
            np.atleast_1d(np.asarray(w, dtype=np.float64)),
            lambda x: float(fun(x if w0.ndim else x[0])),
        ).reshape(w0.shape)
    differentiate = jacobian if w0.ndim else derivative
    return lambda w: differentiate(fun, np.asarray(w, dtype=np.float64)).df
