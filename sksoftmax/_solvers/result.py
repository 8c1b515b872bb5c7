"""What solvers return: iterates on the way, the result, and when it has converged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Iterate(NamedTuple):
    """A point w, and F and its derivatives there."""

    w: np.ndarray  # (n_params,)
    value: float  # F(w), nats
    grad: np.ndarray  # (n_params,)
    hessian: Callable  # v -> H v

    @classmethod
    def at(cls, objective, w):
        """The iterate at w; takes one pass over the data."""
        return cls(w, *objective.value_grad_hessp(w))


@dataclass(frozen=True)
class Result:
    """The outcome of a solver.

    A solver takes the objective first and the initial w second. It calls
    `callback(n_iter, w, value)` at the end of every iteration, which may raise `Stop`.
    It neither prints nor warns.
    """

    w: np.ndarray  # (n_params,)
    value: float  # F(w), nats
    optimality: float  # measure of the distance from the optimum, nats
    tolerance: float  # largest optimality at which the solver has converged, nats
    n_iter: int
    diverged: bool = False  # steps were too long: F rose or is not finite
    halted_by: type | None = None  # Stop or KeyboardInterrupt
    separated: bool = False  # F has no minimum, only the infimum 0
    is_costly: bool = False  # it has cost what max_iter stands for, and stopped
    completed: bool = False  # a schedule that leads to an end has come to it
    is_over: bool = False  # a training that more epochs would not improve
    step: np.ndarray | None = None  # the last step of a Newton method
    state: dict = field(default_factory=dict)  # what continuing from here needs

    @property
    def converged(self):
        """Whether the result is as close to the optimum as tol asks for."""
        return bool(
            (
                self.completed
                or (self.optimality <= self.tolerance and not self.halted_by)
            )
            and not (self.diverged or self.separated)
        )


class Stop(Exception):  # noqa: N818, it is none
    """A callback asks the solver to stop where it is.

    `minibatch` catches it and returns its result; other solvers let it through.
    """

    def __init__(self, watched):
        super().__init__(watched)
        self.watched = watched  # what the callback would have returned


def halted(w, loss_curve, by):
    """The result of a solver that was halted after its last whole iteration."""
    return Result(w, loss_curve[-1], np.inf, 0.0, len(loss_curve), halted_by=by)


def absolute_tolerance(tol, null_value, value):
    """Largest optimality at which a solver has converged, in nats.

    It is tol times what the model explains, plus the rounding error of F, below which
    no difference can be seen.
    """
    return tol * max(null_value - value, 0.0) + rounding_error(null_value)


_EPS = float(np.finfo(float).eps)


def rounding_error(value):
    """Rounding error of F near a value of it, in nats.

    It is relative to the value, and no less than the rounding of the logarithm of a sum
    between 1 and n_classes. Where rows are all but certain that is more than F itself,
    and where F is below 1e-15 at its start no difference can be seen.
    """
    return _EPS * (4.0 * value + 2.0)
