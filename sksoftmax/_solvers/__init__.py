"""The registry of the solvers: the only place that knows their names.

A full-batch solver is a `Solver` of the table `EXACT`, for smooth penalties, or
`SPARSE`, for penalties that make weights zero. A mini-batch solver is an optimizer of
the table `MINIBATCH`, which `minibatch` runs. All of them return a `Result`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sksoftmax._solvers import lbfgs, newton, prox_newton
from sksoftmax._solvers.cg import conjugate_gradients
from sksoftmax._solvers.epochs import (
    Patience,
    Training,
    minibatch,
)
from sksoftmax._solvers.progress import Progress, fits, start_state
from sksoftmax._solvers.result import Iterate, Result, Stop, halted
from sksoftmax._solvers.schedules import SCHEDULES
from sksoftmax.optimizers import SGD, Adam

__all__ = [
    "EXACT",
    "FULL_BATCH",
    "MINIBATCH",
    "SCHEDULES",
    "SPARSE",
    "Iterate",
    "Patience",
    "Progress",
    "Result",
    "Solver",
    "Stop",
    "Training",
    "conjugate_gradients",
    "fits",
    "halted",
    "make_optimizer",
    "minibatch",
    "resolve",
    "start_state",
]


@dataclass(frozen=True)
class Solver:
    """A full-batch solver and what it needs of an objective.

    `needs` has the names of methods and properties; `is_sparse` says whether the solver
    is for penalties that make weights zero, and for no others. `run` has the arguments
    of a call.
    """

    name: str
    run: Callable
    needs: frozenset
    is_sparse: bool = False

    def __call__(self, objective, w, *, tol, null_value, max_iter, callback):
        """Minimise an objective, if it has all that the solver needs.

        Parameters
        ----------
        objective : Objective
        w : ndarray of shape (n_params,)
            Initial point.
        tol : float
            Converged when the solver's measure of F(w) - min F is at most
            tol * (null_value - F(w)).
        null_value : float
            F of the model without features, nats.
        max_iter : int
        callback : callable
            callback(n_iter, w, value), after every iteration.

        Returns
        -------
        Result
        """
        if missing := self.missing(objective):
            fit = [s.name for s in FULL_BATCH.values() if not s.missing(objective)]
            raise TypeError(
                f"solver={self.name!r} needs an objective with {', '.join(missing)};"
                f" {type(objective).__name__} has none. Solvers that it suits:"
                f" {', '.join(map(repr, fit)) or 'none'}."
            )
        return self.run(
            objective,
            w,
            tol=tol,
            null_value=null_value,
            max_iter=max_iter,
            callback=callback,
        )

    def missing(self, objective):
        """What the solver needs and the objective does not have, in words."""
        # The class is asked, because the value of a property may take a pass.
        kind = type(objective)
        names = [f"`{need}`" for need in sorted(self.needs) if not hasattr(kind, need)]
        if objective.penalty.is_sparse != self.is_sparse:
            names.append(f"a {'sparse' if self.is_sparse else 'smooth'} penalty")
        return names


_ALL = frozenset({"project_onto_gauge", "value_grad_hessp"})
_SMOOTH = _ALL | {"preconditioner", "value", "along", "is_separated"}
_SMOOTH |= {"has_dual", "value_and_gap", "n_passes"}
_SPARSE = _ALL | {"value_and_grad", "along", "subsamples", "at_best_intercepts", "gap"}
_SPARSE |= {"restricted", "entries", "scale", "model", "product_cost"}
_SPARSE |= {"residual_model", "with_best_intercepts", "last_features"}

EXACT = {
    solver.name: solver
    for solver in (
        Solver("lbfgs", lbfgs.lbfgs, _SMOOTH | {"value_and_grad"}),
        Solver("newton", newton.newton, _SMOOTH | {"subsamples", "scaled_up"}),
    )
}
SPARSE = {
    "prox-newton": Solver(
        "prox-newton", prox_newton.prox_newton, _SPARSE, is_sparse=True
    )
}
FULL_BATCH = EXACT | SPARSE

# Name -> the optimizer that the settings of an estimator ask for.
MINIBATCH = {
    "adam": lambda settings: Adam(settings.learning_rate_init),
    "sgd": lambda settings: SGD(
        settings.learning_rate_init, settings.momentum, settings.nesterovs_momentum
    ),
}


def make_optimizer(name, settings):
    """The optimizer of a mini-batch solver, as the settings of an estimator ask for."""
    if name not in MINIBATCH:
        raise ValueError(f"solver must be one of {sorted(MINIBATCH)}, got {name!r}.")
    return MINIBATCH[name](settings)


def resolve(name, *, is_linear, is_sparse=False):
    """The name of the solver to use: of a convex one where "auto" can have one.

    Parameters
    ----------
    name : str
        A registered solver, or "auto".
    is_linear : bool
        Whether there are no hidden layers.
    is_sparse : bool
        Whether the penalty makes weights zero: l1_ratio > 0 and alpha > 0.

    Raises
    ------
    ValueError
        If no solver has that name, if it is not for such a penalty, or if the penalty
        is sparse and there are hidden layers.
    """
    if is_sparse and not is_linear:
        raise ValueError(
            "l1_ratio > 0 needs hidden_layer_sizes=(): with hidden layers the problem"
            " is not convex, and which weights are zero depends on the start."
        )
    if name == "auto":
        return ("prox-newton" if is_sparse else "newton") if is_linear else "adam"
    if name not in FULL_BATCH and name not in MINIBATCH:
        names = ["auto", *FULL_BATCH, *MINIBATCH]
        raise ValueError(f"solver must be one of {names}, got {name!r}.")
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
