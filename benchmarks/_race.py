"""One problem, one number of threads: everyone timed side by side."""

from dataclasses import dataclass, field

from _measure import Contestant, time_interleaved
from _opponents import TARGETS, logistic_regression

from sksoftmax import SoftmaxRegressionClassifier


@dataclass
class Time:
    """Seconds of an opponent to a target."""

    solver: str
    max_iter: int
    seconds: float
    estimated: bool  # far behind: its share of the search's times, not timed here


@dataclass
class Row:
    """The outcome of a race."""

    name: str
    shape: tuple
    n_threads: int
    seconds: float  # ours, as are gap, n_passes, n_iter and converged
    gap: float
    n_passes: float | None
    n_iter: int
    converged: bool
    default_seconds: float  # of LogisticRegression with nothing but C set
    default_gap: float
    times: dict = field(default_factory=dict)  # target -> [Time], fastest first
    notes: dict = field(default_factory=dict)  # solver -> why it has no time
    peak_memory: int | None = None  # bytes, ours
    peak_memory_best: int | None = None  # bytes, the best opponent's

    def best(self, target):
        """The fastest opponent that reaches the target, or None."""
        return next(iter(self.times.get(target, [])), None)

    def ratio(self, target):
        """Opponent's seconds over ours; None where either does not reach it."""
        best = self.best(target)
        return best.seconds / self.seconds if best and self.gap <= target else None

    def time_of(self, solver, target):
        return next((t for t in self.times.get(target, []) if t.solver == solver), None)


def ours(problem):
    """Our estimator at its defaults, the penalty apart."""
    return SoftmaxRegressionClassifier(alpha=problem.alpha)


def race(oracle, searches, n_threads):
    """Time ours, scikit-learn's default, and the opponents that are near the best."""
    problem = oracle.problem
    us = Contestant("sksoftmax", lambda: ours(problem))
    default = Contestant("default", lambda: logistic_regression(problem))
    us.run(oracle)
    default.run(oracle)
    rivals, absent = {}, {}
    for target in TARGETS:
        rivals[target], absent[target] = _rivals(oracle, searches, target)
    everyone = [us, default, *(rival for group in rivals.values() for rival in group)]
    time_interleaved(everyone, oracle)
    model = us.model
    return Row(
        name=problem.name,
        shape=problem.shape,
        n_threads=n_threads,
        seconds=us.seconds,
        gap=us.gap,
        n_passes=getattr(model, "n_passes_", None),
        n_iter=model.n_iter_,
        converged=model.converged_,
        default_seconds=default.seconds,
        default_gap=default.gap,
        times={t: _times(rivals[t], absent[t], t) for t in TARGETS},
        notes={search.solver: search.note for search in searches if search.note},
    )


def _times(rivals, absent, target):
    times = [
        Time(rival.name, rival.model.max_iter, rival.seconds, estimated=False)
        for rival in rivals
        if rival.gap <= target
    ]
    fastest = min((time.seconds for time in times), default=0.0)
    for search, ratio in absent:
        max_iter = search.max_iter[target]
        times.append(Time(search.solver, max_iter, ratio * fastest, estimated=True))
    return sorted(times, key=lambda time: time.seconds)


def _rivals(oracle, searches, target):
    """Contestants for one target, and the searches of those too slow to be timed.

    Timed are those within twice the best of the search (1.2 times for the second
    target), and all that take less than 0.05 s; only the near ones more than once.
    """
    reached = [search for search in searches if target in search.max_iter]
    best = min((search.seconds[target] for search in reached), default=0.0)
    near = 2.0 if target == TARGETS[0] else 1.2
    rivals, absent = [], []
    for search in reached:
        seconds = search.seconds[target]
        if seconds > max(near * best, 0.05):
            absent.append((search, seconds / best))
            continue
        rival = _settled(oracle, search, target)
        if rival is None:
            search.note = f"short of {target:.0e} at the setting that was found"
            continue
        rivals.append(rival)
    fastest = min((rival.runs[0] for rival in rivals), default=0.0)
    for rival in rivals:
        rival.repeat = rival.runs[0] < max(2 * fastest, 0.05)
    return rivals, absent


def _settled(oracle, search, target):
    """A contestant whose first run reaches the target.

    Another number of threads rounds differently and may cost an iterate or two.
    """
    max_iter = search.max_iter[target]
    for _ in range(5):
        rival = Contestant(
            search.solver,
            lambda max_iter=max_iter: logistic_regression(
                oracle.problem, search.solver, max_iter=max_iter, tol=0.0
            ),
        )
        rival.run(oracle)
        if rival.gap <= target:
            return rival
        max_iter += max(1, max_iter // 50)
    return None
