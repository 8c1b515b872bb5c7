"""Sparse fits, cross-validated paths and approximate leave-one-out.

    python benchmarks/path.py [--out docs/benchmarks]

One BLAS thread; seconds of the processor. Four tables: an L1 fit to a relative gap of
1e-6 against saga, whole paths against adelie and glmnet where these are installed,
5-fold cross-validation against LogisticRegressionCV, and approximate against true
leave-one-out. Writes path.md. The variable ADELIE of the environment is the python of
an environment with that package, which needs numpy 1.
"""

import argparse
import time
import warnings
from pathlib import Path
from statistics import geometric_mean, median

import numpy as np
from _datasets import problem
from _markdown import table
from _measure import environment, pinned
from _path_race import ROWS, race
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

TARGET = 1e-6
BUDGET = 30.0  # processor seconds that saga gets for one fit

L1_SETS = ["glmnet3", "digits", "letter", "wide", "text"]
CV_SETS = ["iris", "wine", "cancer", "digits-std", "letter-std"]
CV_ROWS = 5000
ACCURATE = 1e-5  # nats, of a mean log-loss
ALO_SETS = ["iris", "wine", "cancer-std", "anes96", "glmnet3", "digits-std"]
ALO_ROWS = 300


def main():
    """Measure, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="docs/benchmarks")
    folder = Path(parser.parse_args().out)
    with pinned(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # saga stops where it is told to
        tables = [
            _table(
                "An L1 fit against saga",
                "`>`: saga was stopped after 20 to 30 s. `gap` is its distance from our"
                " minimum then, relative to what the model explains.",
                [row for name in L1_SETS for row in sparse_fits(name)],
            ),
            _table(
                "Paths of fifty alphas against adelie and glmnet",
                "Standardised features; alphas from the largest of interest to 1 % of"
                " it. Ours runs with tol=1e-6. A peer runs with its loosest setting"
                " whose objectives are all within 1e-6 of the least, relatively. `>`:"
                " no setting was, or time was out. An error is ours. The ratio is"
                " the time of the faster peer over that of our path.",
                [race(*row, processor_seconds) for row in ROWS],
            ),
            _table(
                "Five-fold cross-validation of 20 alphas against LogisticRegressionCV",
                f"The first {CV_ROWS} rows. An error is the largest difference over"
                " alphas between the mean log-loss and that of fits with tol=1e-13."
                " Ours runs with its defaults. Theirs runs with the faster solver and"
                f" the loosest tol that has an error of at most {ACCURATE:.0e}, or else"
                " with tol=1e-10.",
                [cross_validation(name) for name in CV_SETS],
            ),
            _table(
                "Approximate against true leave-one-out over 20 alphas",
                f"The first {ALO_ROWS} rows after shuffling. `over path` is the time"
                " relative to 20 warm-started fits without scores.",
                [leave_one_out(name) for name in ALO_SETS],
            ),
        ]
    lines = ["# Benchmark of paths", "", "Written by `python benchmarks/path.py`.", ""]
    lines += [f"- {line}" for line in environment()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "path.md").write_text(
        "\n".join(lines) + "\n\n" + "\n\n".join(tables) + "\n"
    )


def processor_seconds(fn, repeats=1):
    """Median processor seconds, and the last result."""
    runs = []
    for _ in range(repeats):
        started = time.process_time()
        result = fn()
        runs.append(time.process_time() - started)
    return median(runs), result


def _rows_of(name, n_rows):
    """The first rows of a shuffled set, with all classes in them."""
    data = problem(name)
    rows = np.random.default_rng(0).permutation(data.n_samples)[:n_rows]
    return data.X[rows], data.y[rows]


def largest_alpha(X, y):
    """The least alpha at which all L1 weights are zero."""
    return SoftmaxRegressionClassifierCV(1, l1_ratios=1.0, cv=2).fit(X, y).alphas_[0, 0]


def l1_value(X, y, alpha, W, b):
    """F with the L1 penalty, nats."""
    logits = X @ W + b
    losses = -log_softmax(logits, axis=1)[np.arange(len(y)), y]
    return losses.mean() + alpha * np.abs(W).sum()


def null_value(y):
    """F of the model without features, nats."""
    shares = np.bincount(y) / len(y)
    return -(shares * np.log(shares)).sum()


def sparse_fits(name):
    """Rows of the table at a tenth and a hundredth of the largest alpha."""
    data = problem(name)
    X, y = data.X, data.y
    largest, null = largest_alpha(X, y), null_value(y)
    for part in (10, 100):
        alpha = largest / part

        def fit(alpha=alpha):
            return SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=1.0).fit(X, y)

        ours, model = processor_seconds(fit, 3)
        least = model.loss_
        value = l1_value(X, y, alpha, model.coef_.T, model.intercept_)
        seconds, gap = _saga(X, y, alpha, least, null)
        reached = gap <= TARGET
        print(name, part, ours, seconds, gap, flush=True)
        yield {
            "set": name,
            "alpha": f"max/{part}",
            "ours, s": f"{ours:.3f}",
            "not zero": str(np.count_nonzero(model.coef_)),
            "F - loss_": f"{value - least:.0e}",
            "saga, s": f"{'' if reached else '> '}{seconds:.2f}",
            "gap": f"{gap:.0e}",
            "ratio": f"{'' if reached else '> '}{seconds / ours:.1f}",
        }


def _saga(X, y, alpha, least, null):
    """Seconds to the target at the smallest number of sweeps, or when time was out."""
    n_sweeps, C = 10, 1.0 / (alpha * len(y))
    while True:
        saga = LogisticRegression(
            C=C, l1_ratio=1.0, solver="saga", tol=0.0, max_iter=n_sweeps, random_state=0
        )
        seconds, _ = processor_seconds(lambda saga=saga: saga.fit(X, y))
        gap = l1_value(X, y, alpha, saga.coef_.T, saga.intercept_) - least
        gap /= null - least
        if gap <= TARGET or seconds > BUDGET / 1.5:
            return seconds, gap
        n_sweeps = int(1.5 * n_sweeps)


def cross_validation(name):
    """A row of the table of cross-validation."""
    X, y = _rows_of(name, CV_ROWS)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    ours, model = processor_seconds(
        lambda: SoftmaxRegressionClassifierCV(cv=folds).fit(X, y)
    )
    n_training = len(y) - len(y) // 5
    factor = 2 if y.max() == 1 else 1
    Cs = factor / (model.alphas_[0] * n_training)
    exact = SoftmaxRegressionClassifierCV(cv=folds, tol=1e-13).fit(X, y)
    small = (X.shape[1] + 1) * (y.max() + 1) < 300
    solvers = ("newton-cholesky", "lbfgs") if small else ("lbfgs",)
    seconds, error, solver, tol = min(
        _logistic_regression_cv(X, y, folds, Cs, solver, exact) for solver in solvers
    )
    print(name, ours, seconds, error, solver, tol, flush=True)
    return {
        "set": name,
        "ours, s": f"{ours:.2f}",
        "error": f"{_error(model.mean_scores_[0], exact):.0e}",
        "theirs, s": f"{seconds:.2f}",
        "their error": f"{error:.0e}",
        "by": f"{solver}, tol={tol:.0e}",
        "ratio": f"{seconds / ours:.1f}",
    }


def _logistic_regression_cv(X, y, folds, Cs, solver, exact):
    """(seconds, error, solver, tol) at the loosest tol that is accurate enough."""
    for tol in (1e-4, 1e-6, 1e-8, 1e-10):
        theirs = LogisticRegressionCV(
            Cs=Cs,
            cv=folds,
            solver=solver,
            scoring="neg_log_loss",
            tol=tol,
            max_iter=10_000,
            use_legacy_attributes=False,
        )
        seconds, _ = processor_seconds(lambda theirs=theirs: theirs.fit(X, y))
        scores = np.asarray(theirs.scores_).squeeze().mean(axis=0)
        error = _error(scores, exact)
        if error <= ACCURATE:
            break
    return seconds, error, solver, tol


def _error(scores, exact):
    """The largest error of a mean log-loss over the alphas, nats."""
    return np.abs(scores - exact.mean_scores_[0]).max()


def leave_one_out(name):
    """A row of the table of leave-one-out."""
    X, y = _rows_of(name, ALO_ROWS)
    seconds, model = processor_seconds(
        lambda: SoftmaxRegressionClassifierCV(cv="alo").fit(X, y), 3
    )
    alphas = model.alphas_[0]

    def path():
        warm = SoftmaxRegressionClassifier(warm_start=True)
        for alpha in alphas:
            warm.set_params(alpha=alpha).fit(X, y)

    unscored, _ = processor_seconds(path, 3)
    started = time.process_time()
    losses = np.array([_true_losses(X, y, alphas, i) for i in range(len(y))]).mean(
        axis=0
    )
    exact = time.process_time() - started
    chosen = int(np.argmin(np.abs(alphas - model.alpha_)))
    approximate = -model.mean_scores_[0, chosen]
    print(name, approximate, losses[chosen], seconds / unscored, flush=True)
    return {
        "set": name,
        "approximate loss": f"{approximate:.5f}",
        "true loss": f"{losses[chosen]:.5f}",
        "error": f"{100 * (approximate / losses[chosen] - 1):+.2f} %",
        "alpha chosen": f"{model.alpha_:.2e}",
        "by true": f"{alphas[losses.argmin()]:.2e}",
        "s": f"{seconds:.3f}",
        "over path": f"{seconds / unscored:.2f}",
        "true, s": f"{exact:.1f}",
    }


def _true_losses(X, y, alphas, i):
    """Losses of row i under the models without it, one per alpha."""
    others = np.arange(len(y)) != i
    # alpha counts against the mean loss: without a row, the same total penalty.
    factor = len(y) / (len(y) - 1)
    model = SoftmaxRegressionClassifier(warm_start=True)
    losses = []
    for alpha in alphas:
        model.set_params(alpha=alpha * factor).fit(X[others], y[others])
        log_P = model.predict_log_proba(X[i : i + 1])[0]
        losses.append(-log_P[np.searchsorted(model.classes_, y[i])])
    return losses


def _table(title, note, rows):
    body = table(list(rows[0]), [list(row.values()) for row in rows])
    ratios = [row["ratio"].lstrip("> ") for row in rows if "ratio" in row]
    ratios = [float(ratio) for ratio in ratios if ratio != "-"]
    mean = ""
    if ratios:
        mean = f"\n\nGeometric mean of the ratios: {geometric_mean(ratios):.1f}."
    return f"## {title}\n\n{note}\n\n{body}{mean}"


if __name__ == "__main__":
    main()
