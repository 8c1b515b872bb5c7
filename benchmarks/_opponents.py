"""The opponents: scikit-learn's solvers, each at its cheapest setting for a target.

Every solver visits the same iterates whatever its tol, so its cheapest setting is the
smallest max_iter whose iterate passes the oracle, with tol = 0: an opponent that stops
exactly in time, which no user has. lbfgs and the two Newton solvers are searched in
one instrumented fit that watches the iterates; the others by doubling and bisection.
"""

import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from unittest import mock

import numpy as np
import scipy.optimize
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._linear_loss import LinearModelLoss

try:
    from sklearnex.linear_model import LogisticRegression as IntelexLogisticRegression
except ImportError:
    IntelexLogisticRegression = None

TARGETS = (1e-6, 1e-9)
WATCHED = ("newton-cholesky", "newton-cg", "lbfgs")
UNWATCHED = ("sag", "saga")
INTELEX = "lbfgs (intelex)"  # scikit-learn-intelex, where it is installed
LONGEST = 60.0  # seconds that a search gives one solver, at one thread
SOLVERS = (*WATCHED, *UNWATCHED, INTELEX)


def logistic_regression(problem, solver="lbfgs", **settings):
    """scikit-learn's estimator of the same objective.

    It minimises C sum(losses) + 1/2 ||w||^2. Three classes or more: C = 1 / (alpha n).
    Two: one vector w, which is (-w/2, w/2) here, so ||W||^2 = ||w||^2 / 2 and
    C = 2 / (alpha n).
    """
    estimator = LogisticRegression
    if solver == INTELEX:
        estimator, solver = IntelexLogisticRegression, "lbfgs"
    factor = 2 if problem.n_classes == 2 else 1
    C = factor / (problem.alpha * problem.n_samples)
    if solver in UNWATCHED:
        settings["random_state"] = 0
    return estimator(C=C, solver=solver, **settings)


def weights_of(model):
    """(W, b) of a fitted model, (n_features, n_classes) and (n_classes,)."""
    return two_class_columns(model.coef_.T, model.intercept_)


def two_class_columns(W, b):
    """A binary model's single vector w as the columns -w/2 and w/2."""
    if W.shape[1] > 1:
        return W, b
    return np.hstack([-W, W]) / 2, np.append(-b, b) / 2


@dataclass
class Search:
    """What the search found for one solver."""

    solver: str
    max_iter: dict = field(default_factory=dict)  # target -> smallest that reaches it
    seconds: dict = field(default_factory=dict)  # target -> rough, to pick who is timed
    note: str = ""


class _EnoughError(Exception):
    """Raised inside a watched fit to end it."""


class _Watch:
    """Sees each iterate of a fit, notes which passes a target, ends the fit in time."""

    def __init__(self, oracle, search, limit):
        self.oracle, self.search, self.limit = oracle, search, limit
        self.n_iter = 0
        self.started = time.perf_counter()
        self.judging = 0.0

    def __call__(self, w):
        entered = time.perf_counter()
        elapsed = entered - self.started - self.judging
        gap = self.oracle.suboptimality(*self._weights(w))
        for target in TARGETS:
            if gap <= target and target not in self.search.max_iter:
                self.search.max_iter[target] = self.n_iter
                self.search.seconds[target] = elapsed
        self.n_iter += 1
        self.judging += time.perf_counter() - entered
        if gap <= min(TARGETS):
            raise _EnoughError
        if elapsed > self.limit:
            self.search.note = f"at {gap:.0e} after {elapsed:.0f} s"
            raise _EnoughError

    def _weights(self, w):
        problem = self.oracle.problem
        n_columns = 1 if problem.n_classes == 2 else problem.n_classes
        w = w.reshape(n_columns, -1, order="F")
        return two_class_columns(w[:, :-1].T, w[:, -1])


@contextmanager
def _watched(solver, watch):
    """Let watch see every iterate: lbfgs calls back, the others ask for a Hessian."""
    if solver == "lbfgs":
        minimize = scipy.optimize.minimize

        def minimize_and_watch(fun, x0, **kwargs):
            watch(x0)
            return minimize(fun, x0, **{**kwargs, "callback": lambda xk: watch(xk)})

        with mock.patch.object(scipy.optimize, "minimize", minimize_and_watch):
            yield
        return
    cholesky = solver == "newton-cholesky"
    name = "gradient_hessian" if cholesky else "gradient_hessian_product"
    original = getattr(LinearModelLoss, name)

    def at_iterate(self, coef, *args, **kwargs):
        watch(coef)
        return original(self, coef, *args, **kwargs)

    with mock.patch.object(LinearModelLoss, name, at_iterate):
        yield


def search_watched(oracle, solver, limit):
    """Find max_iter for every target in one fit of at most about limit seconds."""
    search = Search(solver)
    problem = oracle.problem
    if solver == "newton-cholesky" and (refusal := _too_large(problem, limit)):
        search.note = refusal
        return search
    model = logistic_regression(problem, solver, max_iter=1_000_000, tol=0.0)
    watch = _Watch(oracle, search, limit)
    # The error is how the watch ends a fit that has told all.
    with suppress(_EnoughError), _watched(solver, watch):
        fit_quietly(model, problem)
        if min(TARGETS) not in search.max_iter:
            gap = oracle.suboptimality(*weights_of(model))
            search.note = f"gives up at {gap:.0e}"
    return search


def _too_large(problem, limit):
    """Why a dense Hessian is out of the question, or an empty string."""
    n_pairs = problem.n_classes * (problem.n_classes + 1) / 2
    n_bytes = 8 * problem.n_params**2
    if n_bytes > 2e9:
        return f"its Hessian takes {n_bytes / 1e9:.0f} GB"
    if sparse.issparse(problem.X):
        return ""
    # 1e11 is above what two cores do; a first iteration cannot be interrupted.
    flops = 2 * n_pairs * problem.n_samples * problem.n_features**2
    seconds = (flops + problem.n_params**3 / 3) / 1e11
    return f"at least {seconds:.0f} s an iteration" if 3 * seconds > limit else ""


def search_unwatched(oracle, solver, limit):
    """Double max_iter until a target passes, then bisect to one part in sixteen."""
    search = Search(solver)
    tried = {}

    def try_(max_iter):
        model = logistic_regression(oracle.problem, solver, max_iter=max_iter, tol=0.0)
        seconds = timed_fit(model, oracle.problem)
        tried[max_iter] = (oracle.suboptimality(*weights_of(model)), seconds)
        return tried[max_iter]

    max_iter = 1
    while True:
        gap, seconds = try_(max_iter)
        if gap <= min(TARGETS):
            break
        if 2 * seconds > limit:
            search.note = f"at {gap:.0e} after {seconds:.1f} s"
            break
        max_iter *= 2
    for target in TARGETS:
        passing = [m for m, (gap, _) in tried.items() if gap <= target]
        if not passing:
            break
        high = min(passing)
        low = max([m for m in tried if m < high], default=0)
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            low, high = (low, middle) if try_(middle)[0] <= target else (middle, high)
        search.max_iter[target], search.seconds[target] = high, tried[high][1]
    return search


def search_all(oracle):
    """Search every solver; a limit keeps hopeless ones from eating the hour."""
    searches, best = [], np.inf
    for solver in WATCHED:
        limit = min(LONGEST, max(10.0, 30 * best))
        searches.append(search_watched(oracle, solver, limit))
        best = min(best, searches[-1].seconds.get(TARGETS[0], np.inf))
    for solver in UNWATCHED:
        # Cheap to reject: their cost is known after each doubling.
        limit = min(LONGEST, max(0.1, 3 * best))
        searches.append(search_unwatched(oracle, solver, limit))
    return searches


def with_intelex(searches):
    """The searches, and lbfgs's again for scikit-learn-intelex if installed.

    Its iterates are those of lbfgs, and it obeys threadpoolctl's limits.
    """
    if IntelexLogisticRegression is None:
        return searches
    lbfgs = next(search for search in searches if search.solver == "lbfgs")
    return [*searches, replace(lbfgs, solver=INTELEX)]


def fit_quietly(model, problem):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(problem.X, problem.y)


def timed_fit(model, problem):
    """Seconds of one fit; warnings cost what a silent caller pays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        model.fit(problem.X, problem.y)
        return time.perf_counter() - started
