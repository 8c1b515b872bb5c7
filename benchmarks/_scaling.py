"""How the cost of a fit grows as the rows, the features or the classes double."""

from dataclasses import dataclass

from _datasets import Problem, correlated
from _measure import pinned
from _opponents import timed_fit
from _race import ours

BASE = {"n": 20_000, "p": 32, "K": 8}


@dataclass
class Growth:
    """One fit of ours on correlated features."""

    doubled: str  # "n", "p" or "K"
    shape: tuple
    seconds: float
    n_passes: float | None


def scaling(n_threads, factors=(1, 2, 4)):
    """Median of three fits for each size and each dimension that doubles."""
    growths = []
    with pinned(n_threads):
        for dimension in BASE:
            for factor in factors:
                size = {**BASE, dimension: BASE[dimension] * factor}
                X, y = correlated(*size.values())
                data = Problem(dimension, X, y, 1e-3)
                models = [ours(data) for _ in range(3)]
                seconds = sorted(timed_fit(model, data) for model in models)[1]
                n_passes = getattr(models[0], "n_passes_", None)
                growths.append(Growth(dimension, data.shape, seconds, n_passes))
    return growths
