"""Whole paths of sparse fits against adelie and glmnet, at the same accuracy.

Fifty alphas from the least at which all weights are zero down to a hundredth of it. A
peer runs with the loosest of its settings that has every objective of the path within
1e-6 of the least that anyone found. Ours runs with tol=1e-6, which bounds the gap, as
warm-started fits and as the path of a cross-validation.
"""

import numpy as np
from _datasets import problem
from _path_peers import adelie_path, glmnet_path, has_adelie, has_glmnet
from scipy.special import log_softmax

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

TARGET = 1e-6  # relative distance from the least objective
TOL = 1e-6  # of ours
N_ALPHAS, SPAN = 50, 1e-2
BUDGET = 200.0  # processor seconds after which a peer gets no tighter setting

_SETTINGS = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14)

# Name of the set, and whether rows of weights are penalised together.
ROWS = [
    ("200 x 5000, 5 classes", True),
    ("500 x 2000, 4 classes", True),
    ("200 x 5000, 5 classes", False),
    ("500 x 2000, 4 classes", False),
    ("digits", True),
    ("letter", True),
]


def load(name):
    """X with standardised columns, and y."""
    if name.startswith("200"):
        return _drawn((200, 5000, 5), n_factors=0, n_used=20, seed=0)
    if name.startswith("500"):
        return _drawn((500, 2000, 4), n_factors=40, n_used=30, seed=1)
    data = problem(name)
    return _standardised(data.X), data.y


def _drawn(shape, *, n_factors, n_used, seed):
    n, p, K = shape
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if n_factors:
        factors = rng.standard_normal((n, n_factors))
        X += 0.5 * factors @ rng.standard_normal((n_factors, p))
    W = np.zeros((p, K))
    W[rng.choice(p, n_used, replace=False)] = rng.standard_normal((n_used, K))
    y = (X @ W + rng.gumbel(size=(n, K))).argmax(axis=1)
    return _standardised(X), y


def _standardised(X):
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def alphas_of(X, y, grouped):
    """The alphas of the path, descending."""
    null = np.bincount(y) / len(y)
    gradient = X.T @ (np.eye(len(null))[y] - null) / len(y)
    sizes = np.linalg.norm(gradient, axis=1) if grouped else np.abs(gradient)
    return sizes.max() * np.geomspace(1.0, SPAN, N_ALPHAS)


def objectives(X, y, alphas, grouped, fits):
    """F of each fit (W, b), nats."""
    values = []
    for alpha, (W, b) in zip(alphas, fits, strict=True):
        used = W.any(axis=1)
        Z = X[:, used] @ W[used] + b
        loss = -log_softmax(Z, axis=1)[np.arange(len(y)), y].mean()
        norm = np.linalg.norm(W, axis=1).sum() if grouped else np.abs(W).sum()
        values.append(loss + alpha * norm)
    return np.array(values)


def warm_fits(X, y, alphas, grouped, tol=TOL):
    """(W, b) of fits with warm_start=True."""
    model = SoftmaxRegressionClassifier(
        l1_ratio=1.0, grouped=grouped, warm_start=True, tol=tol
    )
    fits = []
    for alpha in alphas:
        model.set_params(alpha=alpha).fit(X, y)
        fits.append((model.coef_.T.copy(), model.intercept_.copy()))
    return fits


def two_paths(X, y, alphas, grouped):
    """Cross-validation with one fold, whose training rows are all rows: two paths."""
    everyone = np.arange(len(y))
    SoftmaxRegressionClassifierCV(
        alphas=alphas,
        l1_ratios=1.0,
        grouped=grouped,
        tol=TOL,
        cv=[(everyone, everyone)],
    ).fit(X, y)


def race(name, grouped, seconds_of):
    """A row of the table; seconds_of(fn, repeats) gives (processor seconds, result)."""
    X, y = load(name)
    alphas = alphas_of(X, y, grouped)
    best = objectives(X, y, alphas, grouped, warm_fits(X, y, alphas, grouped, 1e-10))
    ours, fits = seconds_of(lambda: warm_fits(X, y, alphas, grouped), 3)
    error = _error(objectives(X, y, alphas, grouped, fits), best)
    both, _ = seconds_of(lambda: two_paths(X, y, alphas, grouped), 3)
    row = {
        "set": f"{'grouped' if grouped else 'L1'}, {name}",
        "ours, s": f"{ours:.2f}",
        "as a path, s": f"{both / 2:.2f}",
        "error": f"{error:.0e}",
    }
    peers = {}
    if grouped and has_adelie():
        peers["adelie"] = adelie_path
    if has_glmnet():
        peers["glmnet"] = glmnet_path
    ratios = []
    for peer in ("adelie", "glmnet"):
        cells = dict.fromkeys((f"{peer}, s", f"{peer} tol"), "-")
        if peer in peers:
            seconds, tol, error = _loosest(peers[peer], (X, y, alphas, grouped), best)
            more = "" if error <= TARGET else "> "
            cells = {f"{peer}, s": f"{more}{seconds:.2f}", f"{peer} tol": f"{tol:.0e}"}
            ratios.append(seconds / (both / 2))
        row |= cells
    print(row, ratios, flush=True)
    return row | {"ratio": f"{min(ratios):.2f}" if ratios else "-"}


def _loosest(fit, data, best):
    """Seconds, setting and error of a peer at the loosest setting that is accurate."""
    for tol in _SETTINGS:
        seconds, _, fits = fit(*data, tol)
        X, y, alphas, grouped = data
        n_fits = len(fits)
        values = objectives(X, y, alphas[:n_fits], grouped, fits)
        error = _error(values, best[:n_fits]) if n_fits == len(alphas) else np.inf
        if error <= TARGET or seconds > BUDGET:
            break
    return seconds, tol, error


def _error(values, best):
    """The largest relative distance from the least objectives."""
    return float(((values - best) / best).max())
