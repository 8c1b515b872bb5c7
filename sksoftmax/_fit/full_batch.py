"""Fits by solvers that use all rows in each iteration, in float64."""

from dataclasses import replace

from sksoftmax import _solvers
from sksoftmax._fit.prepare import scaling_for, with_suitable_features
from sksoftmax._fit.problem import FitResult
from sksoftmax._fit.separated_classes import separated_classes
from sksoftmax._fit.settings import (
    hidden_sizes,
    is_sparse,
    max_iter_of,
    resolve_solver,
    tol_of,
)
from sksoftmax._fit.transforms import logits_for
from sksoftmax._utils.threads import fit_threads


def fit_full_batch(settings, prepared, validation, start, monitor=None):
    """Fit by the full-batch solver of the settings; returns a `FitResult`."""
    with fit_threads() as threads:
        prepared, logits = _suited(settings, prepared, validation, start)
        chunks = prepared.dataset.chunks(threads)
        problem = prepared.problem(settings, logits).on(chunks)
        history = problem.history(validation, threads, monitor)
        try:
            fitted = solve(problem, problem.initial_w(start), history)
        except (_solvers.Stop, KeyboardInterrupt) as halt:
            if not history.records:
                raise
            result = _solvers.halted(history.w, history.loss_curve, type(halt))
            fitted = _fit_result(problem, result, history, chunks.n_passes)
    # The passes of the summary of data that are not in memory count as well.
    return fitted._replace(n_passes=chunks.n_passes)


def _suited(settings, prepared, validation, start):
    """The data as they suit the arithmetic, and the transform of the logits."""
    if hidden_sizes(settings):
        scaling = scaling_for(settings, prepared.dataset, start.state)
        return prepared.with_scaling(scaling), None
    in_memory = validation is None or validation.is_in_memory
    prepared = with_suitable_features(
        settings, prepared, settings.alpha, may_change=in_memory
    )
    n_classes = prepared.dataset.targets.classes.size
    return prepared, logits_for(n_classes, is_sparse=is_sparse(settings))


def solve(problem, w, history):
    """Minimise the objective of a problem from w by the solver of its settings.

    Returns
    -------
    FitResult
        Its passes are those of this call.
    """
    settings, chunks = problem.settings, problem.objective.chunks
    solver, before = resolve_solver(settings), chunks.n_passes
    result = _solvers.FULL_BATCH[solver](
        problem.objective,
        w,
        tol=tol_of(settings, is_convex=problem.is_linear),
        null_value=problem.null_value,
        max_iter=max_iter_of(settings),
        callback=history,
    )
    return _fit_result(problem, result, history, chunks.n_passes - before)


def _fit_result(problem, result, history, n_passes):
    found = separated_classes(problem, result)
    separated = problem.targets.classes[found.classes].tolist()
    if separated:
        result = replace(result, separated=True)
    layers, solver = problem.layers(result.w), resolve_solver(problem.settings)
    separating = found.columns.tolist()
    return FitResult(layers, result, history, solver, separated, n_passes, separating)
