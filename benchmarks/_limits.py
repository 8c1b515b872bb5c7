"""One fused pass of ours against the limit of the machine."""

from dataclasses import dataclass

import numpy as np
from _datasets import problem
from _measure import pass_against_limit, pinned
from _race import ours

from sksoftmax._data.in_memory import check_training
from sksoftmax._fit.prepare import with_weight
from sksoftmax._utils.threads import fit_threads

# Where a pass takes long enough to be worth its speed.
SETS = ("digits", "letter", "glmnet3", "tall", "pixels", "onehot", "separable", "text")


@dataclass
class Pass:
    """Value and gradient, from one pass over the data."""

    name: str
    shape: tuple
    n_threads: int
    seconds: float
    limit: float  # seconds


def passes_against_limit(sets, machines):
    """A `Pass` for each of the sets that matter and each number of threads."""
    return [
        _one_pass(problem(name), machine)
        for name in sets
        if name in SETS
        for machine in machines
    ]


def _one_pass(data, machine):
    model = ours(data)
    training = check_training(model, data.X, data.y, None)
    rng = np.random.default_rng(0)
    # Logits of order one, whatever the units of the features.
    root_mean_square = np.sqrt(np.mean(np.square(training.X.data)))
    w = rng.standard_normal(data.n_params) / root_mean_square
    with pinned(machine.n_threads), fit_threads() as threads:
        problem = with_weight(model, training).problem(model)
        objective = problem.on(training.chunks(threads)).objective
        times = pass_against_limit(objective.value_and_grad, w, data, machine)
    return Pass(data.name, data.shape, machine.n_threads, *times)
