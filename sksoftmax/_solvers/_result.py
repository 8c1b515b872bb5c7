"""What a solver returns, and the callback it reports to."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Result:
    """The outcome of a solver.

    A solver takes the objective first and the start w second, calls
    `callback(n_iter, w, value)` at the end of every iteration, and neither prints nor
    warns.
    """

    w: np.ndarray  # (n_params,)
    value: float  # F(w), nats
    optimality: float  # the number that was compared with tol, nats
    target: float  # what it was compared with, nats
    n_iter: int
    diverged: bool = False  # the value left the finite numbers
    state: dict = field(default_factory=dict)  # what continuing from here needs

    @property
    def converged(self):
        """Whether the solver got what tol asks for."""
        return bool(self.optimality <= self.target and not self.diverged)
