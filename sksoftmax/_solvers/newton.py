"""Truncated Newton: conjugate gradients inside, one pass over the data per step.

Quasi-Newton steps go first, as long as a sample of the rows, and then their own first
steps, show that they get to the minimum soon. Newton's method takes the last step and
says how far the minimum can be: by a duality gap, or by an estimate without a ridge.
"""

from functools import partial
from typing import NamedTuple

from sksoftmax._solvers.newton_iterations import (
    PASSES_PER_ITERATION,
    Criterion,
    NewtonIterations,
)
from sksoftmax._solvers.quasi_newton import (
    LimitedMemory,
    PhaseLimits,
    quasi_newton_phase,
)
from sksoftmax._solvers.result import Iterate, absolute_tolerance


def newton(objective, w, *, tol, null_value, max_iter, callback):
    """Minimise a smooth convex F(w), and say how far it can be from its minimum.

    The arguments are those of a `Solver`. The steps:

    1. Minimise F on samples of the rows, from small to large; each minimum is where the
       next minimisation starts.
    2. Where the samples showed that the minimum is near, take quasi-Newton steps
       (`quasi_newton_phase`) as long as it is.
    3. Iterate: solve the Newton system H d = -g by preconditioned conjugate gradients,
       as exactly as progress so far deserves (Dembo, Eisenstat and Steihaug 1982, SIAM
       J. Numer. Anal. 19:400; their forcing sequence eta_k is in
       `solve_newton_system`), and step to w + d. Where that does not lower F enough,
       step to the minimum along d.
    4. Stop after the step that leaves a duality gap within the tolerance, where there
       is a ridge on every weight. Elsewhere stop after the step at which half the
       squared Newton decrement g.H^-1.g was within the tolerance. It estimates
       F(w) - min F before that step, so that what is reported bounds the distance
       after it from above, to second order.
    """
    w = objective.project_onto_gauge(w)  # no step changes what all classes share
    learned = _Learned()
    for sample, tolerance in objective.subsamples(w):
        w, learned = _minimise_sample(sample, w, learned, tolerance, null_value)
    precondition = objective.preconditioner(learned.precondition)
    criterion = Criterion(
        partial(absolute_tolerance, tol, null_value),
        null_value,
        objective.value_and_gap if objective.has_dual else None,
        objective.n_passes + PASSES_PER_ITERATION * max_iter,
    )
    now, n_iter, memory = Iterate.at(objective, w), 0, None
    if learned.is_near and precondition.suits_quasi_newton:
        precondition.update(now.hessian)
        memory = LimitedMemory(precondition, learned.memory)
        limits = PhaseLimits(criterion.of_phase(objective), max_iter // 2)
        now, n_iter, _ = quasi_newton_phase(objective, now, memory, limits, callback)
    iterations = NewtonIterations(objective, precondition, criterion, callback)
    return iterations.run(now, range(n_iter + 1, max_iter + 1), memory)


class _Learned(NamedTuple):
    """What the minimum on fewer rows shows about the next one."""

    precondition: object = None
    memory: LimitedMemory | None = None
    is_near: bool = True  # within a few quasi-Newton steps


# Passes over a sample in which quasi-Newton steps must get to its minimum, to a
# thousandth of the distance between that and the minimum of all rows.
_SAMPLE_STEPS = 20


def _minimise_sample(sample, w, learned, tolerance, null_value):
    """A w within the tolerance of the minimum on some rows, and what was learned."""
    now = Iterate.at(sample, w)
    precondition, memory, is_near = learned
    if is_near:
        precondition = sample.preconditioner(precondition, weak=True)
        precondition.update(now.hessian)
        memory = LimitedMemory(precondition, memory)
        limits = PhaseLimits(lambda value: 1e-3 * tolerance, _SAMPLE_STEPS)
        now, _, is_near = quasi_newton_phase(sample, now, memory, limits)
    if not is_near:
        precondition = sample.preconditioner(precondition)
        criterion = Criterion(lambda value: tolerance, null_value)
        iterations = NewtonIterations(sample, precondition, criterion)
        now = iterations.run(now, range(1, 21))
    return now.w, _Learned(precondition, memory, is_near)
