"""The solvers, and the only place that knows their names.

A full-batch solver is a function of (objective, w, *, tol, null_value, max_iter,
callback): an exact one for smooth objectives, a sparse one for sparse penalties;
a mini-batch solver is an optimizer in the hands of `minibatch`. Both return a `Result`.
"""

from sksoftmax._solvers.cg import conjugate_gradients
from sksoftmax._solvers.lbfgs import lbfgs
from sksoftmax._solvers.minibatch import (
    Patience,
    Training,
    fits,
    minibatch,
    start_state,
)
from sksoftmax._solvers.newton import newton
from sksoftmax._solvers.prox_newton import prox_newton
from sksoftmax._solvers.result import Iterate, Result, Stop, halted
from sksoftmax._solvers.schedules import SCHEDULES
from sksoftmax.optimizers import SGD, Adam

__all__ = [
    "EXACT",
    "FULL_BATCH",
    "MINIBATCH",
    "SCHEDULES",
    "SGD",
    "SPARSE",
    "Adam",
    "Iterate",
    "Patience",
    "Result",
    "Stop",
    "Training",
    "conjugate_gradients",
    "fits",
    "halted",
    "minibatch",
    "resolve",
    "start_state",
]

EXACT = {"lbfgs": lbfgs, "newton": newton}
SPARSE = {"prox-newton": prox_newton}
FULL_BATCH = EXACT | SPARSE
MINIBATCH = {"adam", "sgd"}


def resolve(name, *, is_linear, is_sparse=False):
    """The solver that "auto" stands for: the convex one if it can be had.

    Raises ValueError where the penalty makes weights zero (`is_sparse`, l1_ratio > 0
    and alpha > 0) and the network or the solver named cannot, or the other way round.
    """
    if is_sparse and not is_linear:
        raise ValueError(
            "l1_ratio > 0 needs hidden_layer_sizes=(): with hidden layers the problem"
            " is not convex, and which weights are zero depends on the start."
        )
    if name == "auto":
        if is_sparse:
            return "prox-newton"
        return "newton" if is_linear else "adam"
    if is_sparse and name not in SPARSE:
        raise ValueError(
            f"solver={name!r} cannot make weights zero, as l1_ratio > 0 asks for; use"
            " solver='auto' or 'prox-newton', or l1_ratio=0."
        )
    if name in SPARSE and not is_sparse:
        raise ValueError(
            f"solver={name!r} is for sparse penalties, l1_ratio > 0 and alpha > 0, and"
            " for no hidden layers; use solver='auto'."
        )
    return name
