"""Time and memory of inference, in fits, and against statsmodels' MNLogit.

    python benchmarks/inference.py [--rows 100000] [--out docs/benchmarks]

20 features, of which four are columns of zeros and ones, and 5 classes. Contestants
take turns; times are medians of processor seconds with one BLAS thread. statsmodels
takes one turn. Writes inference.md.
"""

import argparse
import time
import tracemalloc
import warnings
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import statsmodels
from _markdown import table
from _measure import environment, pinned
from statsmodels.discrete.discrete_model import MNLogit

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import marginal_effects, predictions, summary

N_FEATURES, N_BINARY, N_CLASSES, N_PROFILES, N_ROUNDS = 20, 4, 5, 50, 5

# Rows of the effects of statsmodels, which take 16 seconds for so many.
FEWER = 20_000


def main():
    """Measure, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--out", default="docs/benchmarks")
    arguments = parser.parse_args()
    folder = Path(arguments.out)
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y = data(arguments.rows)
        rows = in_fits(X, y)
        against = against_statsmodels(X, y)
        peaks = memory(X, y)
    lines = [
        "# Inference",
        "",
        "Written by `python benchmarks/inference.py`.",
        "",
        *[f"- {text}" for text in environment()],
        f"- statsmodels {statsmodels.__version__}",
        "",
        f"{arguments.rows:,} rows, {N_FEATURES} features, {N_CLASSES} classes; of the",
        f"features {N_BINARY} are columns of zeros and ones.",
        "Each call checks the data, and forms the covariance.",
        "",
        table(list(rows[0]), [list(row.values()) for row in rows]),
        "",
        "Against statsmodels, both with derivatives for all columns:",
        "",
        table(list(against[0]), [list(row.values()) for row in against]),
        "",
        f"Peak memory beyond the data, which are {X.nbytes / 1e6:.0f} MB:",
        "",
        table(list(peaks[0]), [list(row.values()) for row in peaks]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inference.md").write_text("\n".join(lines) + "\n")


def data(n_rows):
    """X and y."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, N_FEATURES))
    X[:, :N_BINARY] = X[:, :N_BINARY] > 0.3
    W = rng.standard_normal((N_FEATURES, N_CLASSES)) / 2
    return X, (X @ W + rng.gumbel(size=(n_rows, N_CLASSES))).argmax(axis=1)


def calls(X, y):
    """What is timed, by name; the fit is the first."""
    fitted = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    return {
        "fit": lambda: SoftmaxRegressionClassifier(alpha=0).fit(X, y),
        "summary": lambda: summary(fitted, X, y),
        "summary, HC1": lambda: summary(fitted, X, y, cov_type="HC1"),
        "effects": lambda: marginal_effects(fitted, X, y),
        "effects, derivatives": lambda: marginal_effects(fitted, X, y, discrete=False),
        f"{N_PROFILES} predictions": lambda: predictions(fitted, X[:N_PROFILES], X, y),
        "shares at 5 values": lambda: predictions(
            fitted, None, X, y, at={"x9": [-2, -1, 0, 1, 2]}
        ),
    }


def timed(call):
    """Processor seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def in_fits(X, y):
    """A line per call: seconds, and ratio to the fit of the same round."""
    contestants = calls(X, y)
    times = {name: [] for name in contestants}
    for turn in range(N_ROUNDS + 1):
        for name, call in contestants.items():
            seconds = timed(call)
            if turn:
                times[name].append(seconds)
    rows = []
    for name, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, times["fit"], strict=True)]
        row = {
            "call": name,
            "seconds": f"{median(seconds):.3f}",
            "fits": f"{median(ratios):.2f}",
        }
        print(*row.values(), flush=True)
        rows.append(row)
    return rows


def against_statsmodels(X, y):
    """A line per task, one turn each."""
    rows = []
    ones = np.ones((len(y), 1))
    for name, n_rows, ours, theirs in (
        ("fit and summary", len(y), summarized, lambda fit: fit.summary()),
        ("fit and effects", FEWER, derived, lambda fit: fit.get_margeff().summary()),
    ):
        some, labels = X[:n_rows], y[:n_rows]
        design = np.hstack([some, ones[:n_rows]])
        own = median(timed(partial(ours, some, labels)) for _ in range(3))
        other = timed(partial(their_call, labels, design, theirs))
        row = {
            "task": name,
            "rows": f"{n_rows:,}",
            "ours, s": f"{own:.2f}",
            "statsmodels, s": f"{other:.2f}",
            "ratio": f"{other / own:.1f}",
        }
        print(*row.values(), flush=True)
        rows.append(row)
    return rows


def their_call(y, design, ask):
    """Fit by statsmodels, and what is asked of the fit."""
    ask(MNLogit(y, design).fit(method="newton", disp=0, maxiter=50))


def summarized(X, y):
    """Fit and summarize."""
    summary(SoftmaxRegressionClassifier(alpha=0).fit(X, y), X, y)


def derived(X, y):
    """Fit, and average derivatives."""
    model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    marginal_effects(model, X, y, discrete=False)


def memory(X, y):
    """A line per call: MB above what there was."""
    rows = []
    for name, call in calls(X, y).items():
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append({"call": name, "MB": f"{peak / 1e6:.0f}"})
        print(*rows[-1].values(), flush=True)
    return rows


if __name__ == "__main__":
    main()
