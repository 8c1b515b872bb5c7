"""Sparse fits with almost no penalty and few rows, where Newton's steps are hard.

    python benchmarks/weak_penalty.py [--out docs/benchmarks]

Times are processor seconds with one BLAS thread. Problems are random with fixed seeds:
250 small ones, and larger ones with 1,800 weights, each with a line of its own. Gaps
are duality gaps relative to F of the null model. The last column says how far saga is
from our F after as many seconds. Writes weak-penalty.md.
"""

import argparse
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from _markdown import table
from _measure import environment, pinned
from path import l1_value, null_value, processor_seconds
from sklearn.linear_model import LogisticRegression

from sksoftmax import SoftmaxRegressionClassifier

N_SMALL = 250
ROWS, N_FEATURES, N_CLASSES = (30, 100, 400, 1500), 150, 12
ALPHAS = (1e-4, 1e-5, 1e-6, 1e-7)


def main():
    """Measure, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="docs/benchmarks")
    folder = Path(parser.parse_args().out)
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tables say what did not converge
        small, large = small_problems(), large_problems()
    lines = [
        "# Sparse fits with almost no penalty",
        "",
        "Written by `python benchmarks/weak_penalty.py`.",
        "",
        *[f"- {line}" for line in environment()],
        "",
        f"## {N_SMALL} small problems",
        "",
        "Each has 6 to 49 rows, 1 to 19 features (whole numbers in every second",
        "problem), 2 to 4 classes, and an alpha from 1e-8 to 1e-3.",
        "",
        small,
        "",
        f"## {N_FEATURES} features, {N_CLASSES} classes",
        "",
        "The class of a row is the largest of noisy linear scores. Gaps are duality",
        "gaps relative to F of the null model. The last column is saga's distance from",
        "our F after as many seconds, relative to the same.",
        "",
        large,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weak-penalty.md").write_text("\n".join(lines) + "\n")


def small_problem(seed):
    """X, y and parameters."""
    rng = np.random.default_rng(seed)
    n, p, K = (int(rng.integers(*ends)) for ends in ((6, 50), (1, 20), (2, 5)))
    X = rng.standard_normal((n, p))
    parameters = {
        "alpha": 10.0 ** rng.uniform(-8, -3),
        "l1_ratio": float(rng.choice([1.0, 0.5])),
        "grouped": seed % 3 == 0,
    }
    return np.round(X) if seed % 2 else X, np.arange(n) % K, parameters


def small_problems():
    """One line about all small problems."""
    fits = []
    for seed in range(N_SMALL):
        X, y, parameters = small_problem(seed)
        fits.append(fit(X, y, **parameters))
    seconds, models = zip(*fits, strict=True)
    n_failed = sum(not model.converged_ for model in models)
    print(f"{N_SMALL} small: {sum(seconds):.1f} s, {n_failed} failed", flush=True)
    head = ["seconds", "the longest", "iterations, median", "most", "not converged"]
    iterations = [model.n_iter_ for model in models]
    row = [f"{sum(seconds):.1f}", f"{max(seconds):.2f}", f"{median(iterations):.0f}"]
    return table(head, [[*row, str(max(iterations)), str(n_failed)]])


def fit(X, y, **parameters):
    """Processor seconds, and the model."""
    model = SoftmaxRegressionClassifier(**{"l1_ratio": 1.0, **parameters})
    return processor_seconds(lambda: model.fit(X, y))


def large_problems():
    """A table of a line for each large problem and penalty."""
    rows = []
    for n in ROWS:
        rng = np.random.default_rng(n)
        X = rng.standard_normal((n, N_FEATURES))
        Z = X @ rng.standard_normal((N_FEATURES, N_CLASSES))
        y = np.argmax(Z + 10.0 * rng.gumbel(size=Z.shape), axis=1)
        y = np.unique(y, return_inverse=True)[1]
        for alpha in ALPHAS:
            rows += [large_row(X, y, alpha, grouped) for grouped in (False, True)]
    return table(list(rows[0]), [list(row.values()) for row in rows])


def large_row(X, y, alpha, grouped):
    """How one fit went, and saga in as much time, which has no grouped penalty."""
    seconds, model = fit(X, y, alpha=alpha, grouped=grouped)
    null = null_value(y)
    theirs = "" if grouped else f"{saga_gap(X, y, alpha, seconds, model) / null:.0e}"
    row = {
        "rows": str(len(y)),
        "alpha": f"{alpha:.0e}",
        "penalty": "grouped" if grouped else "L1",
        "seconds": f"{seconds:.2f}",
        "iterations": str(model.n_iter_),
        "not zero": str(np.count_nonzero(model.coef_)),
        "converged": "yes" if model.converged_ else "no",
        "gap": f"{model.optimality_ / null:.0e}",
        "saga's": theirs,
    }
    print(*row.values(), flush=True)
    return row


def saga_gap(X, y, alpha, limit, model):
    """How far from our F saga is when it has had at least as much time, nats."""
    n_sweeps, seconds = 10, 0.0
    while seconds < limit:
        saga = LogisticRegression(
            C=1.0 / (alpha * len(y)),
            l1_ratio=1.0,
            solver="saga",
            tol=0.0,
            max_iter=n_sweeps,
            random_state=0,
        )
        seconds, _ = processor_seconds(lambda saga=saga: saga.fit(X, y))
        n_sweeps = 1 + int(n_sweeps * max(1.1 * limit / seconds, 1.1))
    return l1_value(X, y, alpha, saga.coef_.T, saga.intercept_) - model.loss_


if __name__ == "__main__":
    main()
