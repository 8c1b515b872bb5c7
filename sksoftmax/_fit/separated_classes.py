"""Which classes are separated, so that their coefficients have no finite optimum."""

from functools import partial
from typing import NamedTuple

import numpy as np

from sksoftmax._fit.penalty_factors import unpenalised
from sksoftmax._objective.separating_direction import decide
from sksoftmax._objective.separation import gains_along


class Separated(NamedTuple):
    """What is separated, and through which features."""

    classes: np.ndarray  # mask, (K,)
    columns: np.ndarray  # numbers of columns of X; none where all act together


def separated_classes(problem, result):
    """The `Separated` classes of a fit, none of them if there is an optimum.

    Where a solver has come to F = 0 all classes are. Elsewhere that classes overlap is
    proved, or a direction that separates is found, whatever the solver, its tolerance
    and the weights of the rows are. Where that would take too long, the last step of
    the solver counts.
    """
    none = np.zeros(problem.targets.classes.size, dtype=bool)
    nowhere = np.zeros(0, dtype=np.intp)
    if result.w is None or not problem.is_linear:
        return Separated(none, nowhere)
    if problem.settings.alpha > 0:
        return _through_unpenalised(problem, none, nowhere)
    if result.separated:
        return Separated(~none, nowhere)
    if result.halted_by is not None:
        return Separated(none, nowhere)
    objective = problem.objective
    network = objective.network
    logits_of = partial(network.logits, layers=network.unpack(result.w))
    decision = decide(objective.chunks, problem.settings.fit_intercept, logits_of)
    if not decision.is_made:
        return Separated(_by_last_step(objective, result, none), nowhere)
    if decision.D is None:
        return Separated(none, nowhere)
    gains = gains_along(objective.chunks, decision.logits_along)
    return Separated(gains.gaining(gains.least), decision.columns())


def _through_unpenalised(problem, none, nowhere):
    """The classes that features with a penalty factor of zero separate, in memory."""
    chunks, network = problem.objective.chunks, problem.network
    free = unpenalised(problem.settings, network.n_units[0])
    if not free.size or not hasattr(chunks, "restricted"):
        return Separated(none, nowhere)
    chunks = chunks.restricted(free)
    decision = decide(
        chunks,
        problem.settings.fit_intercept,
        lambda X: np.zeros((X.shape[0], network.n_units[-1])),
    )
    if not decision.is_made or decision.D is None:
        return Separated(none, nowhere)
    gains = gains_along(chunks, decision.logits_along)
    return Separated(gains.gaining(gains.least), free[decision.columns()])


def _by_last_step(objective, result, none):
    return none if result.step is None else objective.separates(result.step)
