"""Which classes are separated, so that their coefficients have no finite optimum."""

from dataclasses import replace

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.settings import resolve_solver

# Where F is below this fraction of F of the best model without features, classes may be
# separated: the first where a solver has converged, the second where it has not.
_LOW, _LOW_UNCONVERGED = 1e-3, 0.1

# Most iterations of the decision. Newton's method has told separation after at most 60
# on digits.
_MOST_ITERATIONS = 100


def separated_classes(problem, result):
    """Mask of the classes whose coefficients have no finite optimum.

    What the solver found on its way counts. Where it found nothing, and F is low or a
    row is sure not to be of some class, classes may still be separated, if only in
    part: the solver may have stopped early, or small weights may hide it. Then Newton's
    method decides with all rows of weight one. The answer does not depend on the
    weights, but how soon it shows does.
    """
    objective = problem.objective
    none = np.zeros(problem.targets.classes.size, dtype=bool)
    if problem.settings.alpha > 0 or result.w is None or not problem.is_linear:
        return none
    found = _found(objective, result, none)
    if found.any() or result.halted_by is not None:
        return found
    low = _LOW if result.converged else _LOW_UNCONVERGED
    is_low = result.value <= low * problem.null_value
    if not is_low and _is_decided(problem):
        return none
    chunks = objective.chunks.unweighted()
    if chunks is None or not (is_low or objective.has_sure_rows(result.w)):
        return none
    return _decide(problem, chunks, none)


def _is_decided(problem):
    """Whether the fit itself was by Newton's method, with equal weights."""
    if resolve_solver(problem.settings) != "newton":
        return False
    extremes = problem.objective.chunks.collect(_chunk_weights, reads_X=False)
    least, largest = zip(*extremes, strict=True)
    return min(least) == max(largest)


def _chunk_weights(chunk):
    return chunk.s.min(), chunk.s.max()


def _found(objective, result, none):
    """The mask as far as a solver's result shows it, also by the last step."""
    if result.separated:
        return ~none
    return none if result.step is None else objective.separates(result.step)


def _decide(problem, chunks, none):
    """The mask that Newton's method finds on chunks of rows of weight one.

    It starts anew: w may be so far away that all curvature there is rounding.
    """
    targets = replace(problem.targets, s=np.ones(chunks.n_rows))
    problem = replace(problem, targets=targets).on(chunks)
    objective = problem.objective
    result = _solvers.FULL_BATCH["newton"](
        objective,
        np.zeros(problem.network.n_params),
        tol=1e-8,
        null_value=problem.null_value,
        max_iter=_MOST_ITERATIONS,
        callback=lambda n_iter, w, value: None,
    )
    return _found(objective, result, none)
