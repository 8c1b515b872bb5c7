"""Clocks: interleaved timings, the machine's own limits, and peak memory."""

import os
import platform
import statistics
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import scipy
import sklearn
from _opponents import fit_quietly, timed_fit, weights_of
from scipy import sparse
from threadpoolctl import ThreadpoolController


def n_cores():
    return len(os.sched_getaffinity(0))


@cache
def _controller():
    return ThreadpoolController()


@contextmanager
def pinned(n_threads):
    """Limit BLAS and OpenMP, for every contestant alike."""
    with _controller().limit(limits=n_threads):
        yield


@dataclass
class Contestant:
    """A way to fit, its timings, and what the oracle said of each fit."""

    name: str
    make: object  # () -> estimator
    repeat: bool = True  # False: one timing is enough, it is far from the best
    runs: list = field(default_factory=list)  # seconds
    gap: float = -np.inf  # the worst relative suboptimality of all runs
    model: object = None  # of the last run

    @property
    def seconds(self):
        return statistics.median(self.runs)

    def run(self, oracle):
        """Fit once, under the clock and then before the oracle."""
        self.model = self.make()
        self.runs.append(timed_fit(self.model, oracle.problem))
        gap = oracle.suboptimality(*weights_of(self.model))
        self.gap = max(self.gap, gap)


def time_interleaved(contestants, oracle, budget=6.0, at_most=50):
    """Round after round, every contestant once a round, so that drifts hit all alike.

    Each has run once before. Those runs warmed up and are dropped unless they were
    slow; then there are as many rounds as the budget in seconds allows, at least two
    (one where a round takes over 30 s).
    """
    contestants = [contestant for contestant in contestants if contestant.repeat]
    seconds = sum(contestant.runs[0] for contestant in contestants)
    if seconds < 1.0:
        for contestant in contestants:
            contestant.runs.clear()
    at_least = 2 if seconds < 30 else 1
    for _ in range(int(np.clip(budget / seconds, at_least, at_most))):
        for contestant in contestants:
            contestant.run(oracle)


def peak_memory(make, problem):
    """Peak bytes a fit allocates through Python and numpy, on top of the data."""
    tracemalloc.start()
    try:
        fit_quietly(make(), problem)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@dataclass(frozen=True)
class Machine:
    """What the machine can do at best with some number of threads."""

    n_threads: int
    bandwidth: float  # bytes read a second
    gemm: float  # float64 operations a second


def measure_machine(n_threads):
    """Best of a few: reading 400 MB with every thread, and a GEMM of 1500 x 1500."""
    data = np.ones(50_000_000)
    parts = np.array_split(data, n_threads)
    ones = np.ones(len(parts[0]) // 64)

    def read(part):
        # A matrix-vector product with a vector that stays in the cache.
        rows = part[: len(ones) * 64].reshape(64, -1)
        return rows @ ones

    A = np.random.default_rng(0).standard_normal((1500, 1500))
    with pinned(1), ThreadPoolExecutor(n_threads) as pool:
        access = _best(lambda: list(pool.map(read, parts)))
    with pinned(n_threads):
        multiplying = _best(lambda: A @ A)
    return Machine(n_threads, data.nbytes / access, 2 * 1500**3 / multiplying)


def _best(fn, repeats=7):
    return min(_seconds(fn) for _ in range(repeats))


def _seconds(fn):
    started = time.perf_counter()
    fn()
    return time.perf_counter() - started


def pass_against_limit(value_and_grad, w, problem, machine):
    """Seconds of one call of value_and_grad(w), and the machine's limit for it.

    One pass reads X once and multiplies by it twice, X @ W and X.T @ dZ: no less than
    the larger of bytes / bandwidth and 4 n p K / GEMM peak (sparse: non-zeros for n p).
    """
    X = problem.X
    entries = X.nnz if sparse.issparse(X) else X.size
    bytes_limit = problem.data_bytes / machine.bandwidth
    flops_limit = 4 * entries * problem.n_classes / machine.gemm
    value_and_grad(w)
    seconds = statistics.median(_seconds(lambda: value_and_grad(w)) for _ in range(7))
    return seconds, max(bytes_limit, flops_limit)


def environment():
    """Versions and machine, one line each."""
    blas = sorted(
        {
            f"{lib.internal_api} {lib.version} ({lib.architecture})"
            for lib in _controller().select(user_api="blas").lib_controllers
        }
    )
    return [
        f"{_processor()}, {n_cores()} cores, {platform.system()}",
        (
            f"Python {platform.python_version()}, numpy {np.__version__}, scipy"
            f" {scipy.__version__}, scikit-learn {sklearn.__version__}"
        ),
        f"BLAS: {', '.join(blas)}",
    ]


def _processor():
    try:
        with open("/proc/cpuinfo") as info:
            lines = [line for line in info if line.startswith("model name")]
        return lines[0].split(":", 1)[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
