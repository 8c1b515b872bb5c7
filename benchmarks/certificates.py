"""How far the fits are from the minimum, and how far `optimality_` says that they are.

    python benchmarks/certificates.py [--ordinary 900] [--hard 5000] [--out docs/...]

Random problems with fixed seeds, each with a ridge, fitted by "newton" and, every
second one, by "lbfgs". The oracle is F in 80-bit arithmetic at the lower of two fits
with tol=0. F there is no less than min F, so what is called too low is too low. Without
a penalty, a linear program is the oracle of what fits say of separation. Writes
certificates.md.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse
from _markdown import table
from _measure import environment, pinned
from scipy.optimize import linprog

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.exceptions import SeparationWarning

LONG = np.longdouble

# Rounding of F, in units of eps times its size: differences below it prove nothing.
ROUNDING = 10.0 * np.finfo(float).eps

N_TABLES = 1250  # for separation, six times over

HARD = ["units", "counts", "separated", "weights", "soft", "sparse", "wide"]
HARD.append("no intercept")


def main():
    """Fit, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ordinary", type=int, default=900)
    parser.add_argument("--hard", type=int, default=5000)
    parser.add_argument("--out", default="docs/benchmarks")
    arguments = parser.parse_args()
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the table says what did not converge
        rows = [line("ordinary", ordinary, range(arguments.ordinary))]
        for number, kind in enumerate(HARD):
            seeds = range(number, arguments.hard, len(HARD))
            rows.append(line(kind, lambda seed, kind=kind: hard(seed, kind), seeds))
        separated = [
            separation_line(solver, decades)
            for solver in ("newton", "lbfgs")
            for decades in (0, 1, 3)
        ]
    lines = [
        "# Certificates",
        "",
        "Written by `python benchmarks/certificates.py`.",
        "",
        *[f"- {text}" for text in environment()],
        "",
        "A gap is F - min F, where F is computed in 80-bit arithmetic and min F is at",
        "most the F of two fits with tol=0.",
        "",
        table(list(rows[0]), [list(row.values()) for row in rows]),
        "",
        "## Separation",
        "",
        f"{N_TABLES} tables of 40 rows, 3 features, many of them rounded, and up to 3",
        "classes, without a penalty. Weights are within so many powers of ten of one.",
        "",
        table(list(separated[0]), [list(row.values()) for row in separated]),
    ]
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "certificates.md").write_text("\n".join(lines) + "\n")


def ordinary(seed):
    """X, y, weights and alpha: up to 1,000 rows, 300 features and 10 classes."""
    rng = np.random.default_rng([1, seed])
    n, p = int(rng.integers(40, 1000)), int(rng.choice([2, 5, 10, 30, 60, 100, 300]))
    X = rng.standard_normal((n, p))
    if seed % 4 == 1:
        X = (rng.random((n, p)) < rng.choice([0.05, 0.3])).astype(float)
    elif seed % 4 == 2:
        X = rng.poisson(rng.gamma(0.5, 1.0, size=p), size=(n, p)).astype(float)
    elif seed % 4 == 3:
        X = X @ (np.eye(p) + rng.standard_normal((p, p)) / np.sqrt(p))
    size = rng.choice([0.5, 2.0, 5.0])
    y = draw(rng, X, int(rng.choice([2, 3, 4, 6, 10])), size)
    return X, y, np.ones(n), float(rng.choice([1e-4, 1e-3, 1e-2]))


def hard(seed, kind):
    """The same with units, weights or penalties over decades, or few or sparse rows."""
    rng = np.random.default_rng([2, seed])
    n, p = int(rng.integers(8, 200)), int(rng.integers(1, 30))
    if kind == "wide":
        n, p = int(rng.integers(8, 40)), int(rng.integers(50, 200))
    X, s = rng.standard_normal((n, p)), np.ones(n)
    alpha = 10.0 ** rng.uniform(-10, 0)
    if kind == "counts":
        X = rng.poisson(10.0 ** rng.uniform(-2, 3, p), size=(n, p)).astype(float)
    size = 50.0 if kind == "separated" else float(rng.choice([1.0, 5.0]))
    y = draw(rng, X, int(rng.integers(2, 6)), size)
    if kind == "units":
        units = 10.0 ** rng.uniform(-3, 3, p)
        X, alpha = X * units, alpha * units.min() ** 2
    elif kind == "weights":
        s = 10.0 ** rng.uniform(-3, 3, n)
    elif kind == "soft":
        y = 0.7 * one_hot(y) + 0.3 * rng.dirichlet(np.ones(np.unique(y).size), n)
    elif kind == "sparse":
        X = scipy.sparse.csr_array(X * (rng.random(X.shape) < 0.2))
    return X, y, s, alpha


def draw(rng, X, n_classes, size):
    """Classes by noisy linear scores; at least two occur."""
    B = rng.standard_normal((X.shape[1], n_classes)) / np.sqrt(X.shape[1])
    scale = np.maximum(X.std(axis=0), 1e-300)
    Z = size * ((X - X.mean(axis=0)) / scale) @ B
    y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    y[:2] = 0, 1
    return y


def one_hot(y):
    """Rows of probabilities, one column for each class that occurs."""
    return (y[:, None] == np.unique(y)).astype(float)


def line(kind, problem, seeds):
    """What the fits of one kind of problems came to."""
    row = {"problems": kind, "fits": 0, "converged": 0, "gap > 2 optimality_": 0}
    row |= {"converged, gap > tolerance": 0, "largest gap / optimality_": 0.0}
    for i, seed in enumerate(seeds):
        X, y, s, alpha = problem(seed)
        for solver in ("newton", "lbfgs") if i % 2 else ("newton",):
            params = {"alpha": alpha, "fit_intercept": kind != "no intercept"}
            model = fit(X, y, s, solver=solver, **params)
            real, tolerance = compare(model, X, y, s, params)
            ratio = real / model.optimality_ if model.optimality_ else np.inf * real
            row["fits"] += 1
            row["converged"] += model.converged_
            row["gap > 2 optimality_"] += real > 2.0 * model.optimality_
            late = model.converged_ and real > tolerance
            row["converged, gap > tolerance"] += late
            row["largest gap / optimality_"] = max(
                row["largest gap / optimality_"], ratio if real else 0.0
            )
            if real > 2.0 * model.optimality_ or late:
                print(kind, seed, solver, real, model.optimality_, tolerance)
    row["largest gap / optimality_"] = f"{row['largest gap / optimality_']:.2g}"
    print(*row.values(), flush=True)
    return {name: str(value) for name, value in row.items()}


def fit(X, y, s, **params):
    """A fitted model."""
    return SoftmaxRegressionClassifier(**params).fit(X, y, s)


def compare(model, X, y, s, params):
    """F minus the least F that is known, less its rounding error; and the tolerance."""
    Y = one_hot(y) if y.ndim == 1 else y
    dense = X.toarray() if scipy.sparse.issparse(X) else X
    others = [
        fit(dense, y, s, tol=0.0, max_iter=most, solver=solver, **params)
        for most, solver in ((300, "newton"), (1000, "lbfgs"))
    ]
    value = float(objective(model, dense, Y, s))
    least = min(objective(other, dense, Y, s) for other in others)
    null_value = np.log(Y.shape[1])
    if params["fit_intercept"]:
        shares = s @ Y / s.sum()
        null_value = -float(shares @ np.log(shares))
    rounding = ROUNDING * max(null_value, value)
    tolerance = 1e-8 * max(null_value - value, 0.0) + rounding
    gap = float(objective(model, dense, Y, s) - least)
    return max(gap - rounding, 0.0), tolerance


def objective(model, X, Y, s):
    """F at a fitted model, in 80-bit arithmetic."""
    W, b = LONG(1) * model.coefs_[0], LONG(1) * model.intercepts_[0]
    Z = LONG(1) * X @ W + b
    Z -= Z.max(axis=1, keepdims=True)
    losses = np.log(np.exp(Z).sum(axis=1)) - (Y * Z).sum(axis=1)
    return s @ losses / s.sum(dtype=LONG) + LONG(model.alpha_) / 2 * (W * W).sum()


def separation_line(solver, decades):
    """How often a fit says of separation what a linear program says."""
    row = {"solver": solver, "powers of ten": decades, "separated": 0}
    row |= {"not told": 0, "converged": 0, "told falsely": 0}
    for seed in range(N_TABLES):
        rng = np.random.default_rng([3, seed])
        X = np.round(rng.standard_normal((40, 3)), seed % 3)
        Z = X @ rng.standard_normal((3, 3)) * rng.choice([1.0, 2.0, 5.0])
        y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
        y = np.unique(y, return_inverse=True)[1]
        s = 10.0 ** rng.uniform(-decades, decades, 40)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = fit(X, y, s, alpha=0.0, solver=solver)
        told = any(issubclass(w.category, SeparationWarning) for w in caught)
        separated = is_separated(X, y)
        row["separated"] += int(separated)
        row["not told"] += int(separated and not told)
        row["converged"] += int(separated and model.converged_)
        row["told falsely"] += int(told and not separated)
    print(*row.values(), flush=True)
    return {name: str(value) for name, value in row.items()}


def is_separated(X, y):
    """By a linear program: some direction loses nothing in any row and gains in one."""
    A, n_classes = np.c_[X, np.ones(len(y))], y.max() + 1
    leads = np.zeros((len(y), n_classes, n_classes, A.shape[1]))
    for k in range(n_classes):
        leads[np.arange(len(y)), k, y] += A
        leads[:, k, k] -= A
    leads = leads.reshape(len(y) * n_classes, -1)
    total = leads.sum(axis=0)
    found = linprog(-total, A_ub=-leads, b_ub=np.zeros(len(leads)), bounds=(-1, 1))
    return -found.fun > 1e-6


if __name__ == "__main__":
    main()
