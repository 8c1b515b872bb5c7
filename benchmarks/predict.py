"""Time and memory of `predict_proba`, against LogisticRegression and MLPClassifier.

    python benchmarks/predict.py [--out docs/benchmarks]

64 features and 10 classes. Contestants take turns; times are medians of processor
seconds with one BLAS thread. Writes predict.md.
"""

import argparse
import time
import tracemalloc
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from _markdown import table
from _measure import environment, pinned
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from sksoftmax import SoftmaxRegressionClassifier

N_FEATURES, N_CLASSES, N_ROUNDS = 64, 10, 41

LAYERS = (), (100,), (256, 256)

N_LARGE = 1_000_000  # rows that the memory is measured with

# Rows of a call, and calls that are timed together.
SIZES = {1: 200, 36_000: 1}


def main():
    """Measure, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="docs/benchmarks")
    folder = Path(parser.parse_args().out)
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # networks are trained for two epochs
        rows = [compared(n_rows, sizes) for n_rows in SIZES for sizes in LAYERS]
        answer, peak = memory(N_LARGE)
    lines = [
        "# Predictions",
        "",
        "Written by `python benchmarks/predict.py`.",
        "",
        *[f"- {text}" for text in environment()],
        "",
        table(list(rows[0]), [list(row.values()) for row in rows]),
        "",
        f"Of {N_LARGE:,} rows, hidden layers of (256, 256): the answer takes",
        f"{answer:.0f} MB, and memory rises by {peak:.0f} MB at most.",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predict.md").write_text("\n".join(lines) + "\n")


def data(n_rows):
    """X and y."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, N_FEATURES))
    return X, (X[:, :N_CLASSES] + rng.gumbel(size=(n_rows, N_CLASSES))).argmax(axis=1)


def compared(n_rows, sizes):
    """A line of the table."""
    X, y = data(2000)
    theirs = MLPClassifier(sizes, max_iter=2) if sizes else LogisticRegression()
    models = SoftmaxRegressionClassifier(sizes), theirs
    if sizes:
        models[0].set_params(max_iter=2)
    for model in models:
        model.fit(X, y)
    X, _ = data(n_rows)
    times = [[], []]
    for turn in range(N_ROUNDS + 1):
        for i in (0, 1) if turn % 2 else (1, 0):
            start = time.process_time()
            for _ in range(SIZES[n_rows]):
                models[i].predict_proba(X)
            times[i].append((time.process_time() - start) / SIZES[n_rows])
    ours, others = (1e6 * median(seconds[1:]) for seconds in times)
    ratio = median(a / b for a, b in zip(times[0][1:], times[1][1:], strict=True))
    row = {
        "rows": f"{n_rows:,}",
        "hidden layers": str(sizes),
        "ours, us": f"{ours:.0f}",
        "theirs, us": f"{others:.0f}",
        "ratio": f"{ratio:.2f}",
        "opponent": type(theirs).__name__,
    }
    print(*row.values(), flush=True)
    return row


def memory(n_rows):
    """MB of an answer, and by how much memory rises while it is formed."""
    X, y = data(2000)
    model = SoftmaxRegressionClassifier((256, 256), max_iter=2).fit(X, y)
    X, _ = data(n_rows)
    tracemalloc.start()
    answer = model.predict_proba(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(answer.nbytes / 1e6, peak / 1e6)
    return answer.nbytes / 1e6, peak / 1e6


if __name__ == "__main__":
    main()
