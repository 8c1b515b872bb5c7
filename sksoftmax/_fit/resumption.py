"""Trainings that go on where they were halted, to the last bit as if they had not been.

The state of a training that could go on has an entry "training": the rest of its
`Progress`, what was observed, and what the next fit has to agree with.
"""

import numpy as np

from sksoftmax import _solvers
from sksoftmax._fit.history import Record


def progress_at(problem, start, scheme, n_rows, *, is_part=False):
    """The `Progress` that a training begins with, and the records of its epochs.

    It has epochs where the training goes on: the one that `start` comes from has not
    ended by itself, there are epochs left of max_iter, and neither the number of rows,
    nor what is watched, nor the coefficients have been changed since. Elsewhere a new
    training begins at the coefficients, with the optimizer of the last one.
    """
    w, state = _initial_w(problem, start), start.state
    if not state or not _solvers.fits(state, scheme, w):
        state = _solvers.start_state(scheme, w, start.seed)
    training = state.get("training", {})
    if not is_part and training.get("agreed") == _agreement(problem, n_rows):
        progress = _solvers.Progress.of_state(state, w.dtype)
        if _goes_on(problem, start, progress, scheme):
            return progress, [Record(*record) for record in training["records"]]
    return _solvers.Progress.begin(w, without_training(state)), []


def state_to_keep(problem, state, history, scaling, n_rows):
    """The state that a solver returns, with all that `progress_at` asks for."""
    if not problem.is_linear:
        state = {**state, "scaling": (scaling.centre, scaling.factor)}
    if "training" not in state:
        return state
    rest = {
        **state["training"],
        "records": [tuple(record) for record in history.records],
        "agreed": _agreement(problem, n_rows),
    }
    return {**state, "training": rest}


def kept_state(settings, result):
    """What a fitted estimator keeps of the state: nothing, if that was all."""
    return result.state if settings.warm_start or result.halted_by else {}


def without_training(state):
    """The state of a training that has come to its end, for one that follows it."""
    return {name: value for name, value in state.items() if name != "training"}


def _agreement(problem, n_rows):
    return {"n_rows": n_rows, "early_stopping": problem.settings.early_stopping}


def _goes_on(problem, start, progress, scheme):
    n_done = len(progress.watched)
    if start.layers is None:  # from a checkpoint, also of a training that has ended
        if n_done > scheme.max_iter:
            raise ValueError(
                f"max_iter={scheme.max_iter} is less than the {n_done} epochs of the"
                f" checkpoint {str(start.checkpoint.path)!r}."
            )
        return True
    if progress.is_over or n_done >= scheme.max_iter:
        return False
    # The coefficients have been folded and rounded: w itself is needed, if it is
    # where they come from.
    w = progress.best if problem.settings.early_stopping else progress.w
    made = [part for layer in problem.layers(w) for part in layer]
    held = [part for layer in start.layers for part in layer]
    return all(
        np.array_equal(one.astype(other.dtype), other)
        for one, other in zip(made, held, strict=True)
    )


def _initial_w(problem, start):
    """W to begin with, in the precision of X."""
    if start.layers is not None:
        w = problem.pack(start.layers)
    elif problem.is_linear:
        w = np.zeros(problem.network.n_params)
    else:
        w = problem.network.initial(np.random.default_rng(start.seed))
    return w.astype(problem.dtype, copy=False)
