"""Time to an accuracy: SoftmaxRegressionClassifier against scikit-learn's solvers.

    python benchmarks/convex.py [--quick] [--sets iris,wine-std] [--threads 1,all]

Ours runs at its defaults. Theirs run at the cheapest setting with which an oracle sees
them reach a relative suboptimality of 1e-6 and of 1e-9. Both have the same number of
BLAS threads. Writes a table and a performance profile.
"""

import argparse
import time
from pathlib import Path

from _datasets import DEFAULT, QUICK, problem
from _limits import passes_against_limit
from _measure import measure_machine, n_cores, peak_memory, pinned
from _opponents import TARGETS, logistic_regression
from _race import ours, race
from _records import recall
from _report import summary_line, write_report
from _scaling import scaling
from _stopping import stopping


def main():
    """Race, measure, report."""
    arguments = _parse()
    started = time.perf_counter()
    rows = []
    for name in arguments.sets:
        rows += _race_everywhere(name, arguments.threads)
    machines = [measure_machine(n_threads) for n_threads in arguments.threads]
    passes = passes_against_limit(arguments.sets, machines)
    stops = stopping(arguments.sets)
    grown = [] if arguments.quick else scaling(max(arguments.threads))
    write_report(Path(arguments.out), rows, machines, passes, stops, grown)
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes; see {arguments.out}")


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sets only")
    parser.add_argument("--sets", type=lambda text: text.split(","))
    parser.add_argument("--threads", default="1,all", help="as in 1,all")
    parser.add_argument("--out", default="docs/benchmarks")
    arguments = parser.parse_args()
    arguments.sets = arguments.sets or (QUICK if arguments.quick else DEFAULT)
    counts = [n_cores() if t == "all" else int(t) for t in arguments.threads.split(",")]
    arguments.threads = sorted(set(counts))
    return arguments


def _race_everywhere(name, thread_counts):
    """Rows of one problem, one for each number of threads."""
    data = problem(name)
    with pinned(1):
        oracle, searches = recall(data)
    rows = []
    for n_threads in thread_counts:
        with pinned(n_threads):
            rows.append(race(oracle, searches, n_threads))
        print(summary_line(rows[-1]), flush=True)
    last = rows[-1]
    best = last.best(TARGETS[0])
    with pinned(last.n_threads):
        last.peak_memory = peak_memory(lambda: ours(data), data)
        if best is not None and best.seconds < 20:
            last.peak_memory_best = peak_memory(
                lambda: logistic_regression(
                    data, best.solver, max_iter=best.max_iter, tol=0.0
                ),
                data,
            )
    return rows


if __name__ == "__main__":
    main()
