"""What a loose tolerance saves of the time of a tight one."""

import time
import warnings
from dataclasses import dataclass

import numpy as np
from _datasets import problem
from _measure import pinned

from sksoftmax import SoftmaxRegressionClassifier

SETS = ("letter", "digits", "tall", "pixels-std", "text")
LOOSE, TIGHT = 1e-4, 1e-8


@dataclass
class Stop:
    """One problem, fitted to both tolerances on one thread."""

    name: str
    loose: float  # seconds of processor, as is tight
    tight: float
    loose_passes: float
    tight_passes: float
    converged: bool  # both

    @property
    def ratio(self):
        return self.loose / self.tight


def stopping(sets, budget=6.0):
    """A `Stop` for each of the sets: medians of alternating fits."""
    return [_stop(problem(name), budget) for name in sets if name in SETS]


def _stop(data, budget):
    seconds, models = {LOOSE: [], TIGHT: []}, {}
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        while len(seconds[TIGHT]) < 2 or time.perf_counter() - started < budget:
            for tol, times in seconds.items():
                models[tol] = SoftmaxRegressionClassifier(alpha=data.alpha, tol=tol)
                begun = time.process_time()
                models[tol].fit(data.X, data.y)
                times.append(time.process_time() - begun)
    return Stop(
        data.name,
        *(float(np.median(times)) for times in seconds.values()),
        *(model.n_passes_ for model in models.values()),
        all(model.converged_ for model in models.values()),
    )
