"""How close cv="alo" comes to fits without each row, and what it costs.

    python benchmarks/leave_one_out.py [--sets iris wine ...] [--out docs/benchmarks]

On each set, and for each kind of penalty, a path of alphas is scored by cv="alo" and by
as many fits as there are rows and alphas (`LeaveOneOut` of scikit-learn as cv). The
first are compared with the second. Writes leave-one-out.md.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from _markdown import table
from _measure import environment, pinned
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import LeaveOneOut
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._data.in_memory import check_training
from sksoftmax._fit.path import fit_path

PENALTIES = {
    "L2": {},
    "L1": {"l1_ratios": 1.0},
    "elastic net": {"l1_ratios": 0.5},
    "grouped": {"l1_ratios": 1.0, "grouped": True},
}


def main():
    """Fit, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=SETS)
    parser.add_argument("--penalties", nargs="*", default=["L2", "L1"])
    parser.add_argument("--out", default="docs/benchmarks")
    arguments = parser.parse_args()
    rows = []
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with few members in folds
        for penalty in arguments.penalties:
            for name in arguments.sets:
                rows.append(compare(name, penalty))
                print(*rows[-1].values(), flush=True)
    lines = [
        "# Leave-one-out",
        "",
        "Written by `python benchmarks/leave_one_out.py`.",
        "",
        *[f"- {text}" for text in environment()],
        "",
        'The mean loss by cv="alo" against that of fits without each row, on a path of',
        "20 alphas with the L2 penalty and of 8 with others. Sets are standardised.",
        '"1se" is `alpha_1se_`. The last columns divide processor times: cv="alo" by',
        'the path alone, and the fits without a row by cv="alo".',
        "",
        table(list(rows[0]), [list(map(str, row.values())) for row in rows]),
    ]
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "leave-one-out.md").write_text("\n".join(lines) + "\n")


def compare(name, penalty):
    """One row of the table."""
    X, y = SETS[name]()
    parameters = PENALTIES[penalty]
    n_alphas = 20 if penalty == "L2" else 8
    ours = SoftmaxRegressionClassifierCV(n_alphas, cv="alo", **parameters)
    seconds = took(lambda: ours.fit(X, y))
    alphas = ours.alphas_[0]
    exact = SoftmaxRegressionClassifierCV(alphas, cv=LeaveOneOut(), **parameters)
    seconds_exact = took(lambda: exact.fit(X, y))
    settings = SoftmaxRegressionClassifier(
        l1_ratio=parameters.get("l1_ratios", 0.0),
        grouped=parameters.get("grouped", False),
    )
    training = check_training(settings, X, y, None)
    seconds_path = took(lambda: fit_path(settings, training, alphas))
    error = ours.mean_scores_[0] / exact.mean_scores_[0] - 1.0
    best = exact.mean_scores_[0].argmax()
    return {
        "penalty": penalty,
        "set": name,
        "n x p x K": " x ".join(map(str, (*X.shape, y.max() + 1))),
        "loss": f"{-exact.mean_scores_[0, best]:.4f}",
        "error at the best alpha, %": f"{100 * error[best]:+.2f}",
        "largest error, %": f"{100 * np.abs(error).max():.1f}",
        "same alpha_": yes(ours.alpha_ == exact.alpha_),
        "same 1se": yes(ours.alpha_1se_ == exact.alpha_1se_),
        "alo / path": f"{seconds / seconds_path:.1f}",
        "fits / alo": f"{seconds_exact / seconds:.1f}",
    }


def yes(condition):
    """In words."""
    return "yes" if condition else "no"


def took(call):
    """Processor seconds of a call, the lesser of two if it is short."""
    seconds = []
    while len(seconds) < 2 and sum(seconds) < 1.0:
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def standardised(X, y):
    """Features of variance one, and classes from 0; constant columns are left out."""
    X = X[:, X.std(axis=0) > 0]
    return StandardScaler().fit_transform(X), np.unique(y, return_inverse=True)[1]


def some(load, seed, n_rows):
    """Random rows of a set of scikit-learn's."""
    X, y = load(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(y))[:n_rows]
    return standardised(X[rows], y[rows])


def simulated(seed, shape, n_used, size, n_factors=0):
    """Normal features, some common factors, and n_used features that matter."""
    n, p, n_classes = shape
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if n_factors:
        factors = rng.standard_normal((n_factors, p))
        X += 0.5 * rng.standard_normal((n, n_factors)) @ factors
    B = np.zeros((p, n_classes))
    B[:n_used] = size * rng.standard_normal((n_used, n_classes))
    return standardised(X, drawn(X @ B, rng))


def one_hot():
    """Eight factors of six levels each."""
    rng = np.random.default_rng(7)
    X = np.hstack([np.eye(6)[rng.integers(6, size=150)] for _ in range(8)])
    return standardised(X, drawn(X @ rng.standard_normal((48, 3)), rng))


def counts():
    """Counts with very different means."""
    rng = np.random.default_rng(8)
    X = rng.poisson(rng.gamma(0.5, 1.0, 40), (140, 40)).astype(float)
    return standardised(X, drawn(0.7 * X @ rng.standard_normal((40, 4)), rng))


def drawn(Z, rng):
    """Classes with the logits Z."""
    return (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)


SETS = {
    "iris": lambda: standardised(*load_iris(return_X_y=True)),
    "wine": lambda: standardised(*load_wine(return_X_y=True)),
    "cancer": lambda: some(load_breast_cancer, 5, 150),
    "digits 150": lambda: some(load_digits, 0, 150),
    "digits 220": lambda: some(load_digits, 1, 220),
    "wide": lambda: simulated(0, (80, 200, 3), 5, 1.0),
    "wide factors": lambda: simulated(1, (60, 500, 4), 8, 1.0, 5),
    "noise": lambda: simulated(2, (120, 10, 4), 10, 0.5),
    "strong": lambda: simulated(3, (150, 6, 3), 6, 3.0),
    "two classes": lambda: simulated(4, (100, 20, 2), 5, 1.0),
    "one-hot": one_hot,
    "counts": counts,
}


if __name__ == "__main__":
    main()
