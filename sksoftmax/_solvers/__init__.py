"""The solvers, and the only place that knows their names.

An exact solver is a function of (objective, w, *, tol, null_value, max_iter, callback);
a mini-batch solver is an optimizer in the hands of `minibatch`. Both return a `Result`.
"""

from sksoftmax._solvers._lbfgs import lbfgs
from sksoftmax._solvers._minibatch import (
    Patience,
    Training,
    fits,
    minibatch,
    start_state,
)
from sksoftmax._solvers._newton import newton
from sksoftmax._solvers._result import Result
from sksoftmax._solvers._schedule import SCHEDULES
from sksoftmax.optimizers import SGD, Adam

__all__ = [
    "EXACT",
    "MINIBATCH",
    "SCHEDULES",
    "SGD",
    "Adam",
    "Patience",
    "Result",
    "Training",
    "fits",
    "minibatch",
    "resolve",
    "start_state",
]

EXACT = {"lbfgs": lbfgs, "newton": newton}
MINIBATCH = {"adam", "sgd"}


def resolve(name, *, is_linear):
    """The solver that "auto" stands for: the convex one if it can be had."""
    if name != "auto":
        return name
    return "newton" if is_linear else "adam"
