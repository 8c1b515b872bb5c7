"""Certificates: what converged_ and optimality_ promise, on problems that are hard.

The oracle is F in 80-bit arithmetic, at the lower of two much tighter fits; F there is
no less than min F, so the gaps below are never too large.
"""

import time
import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from scipy.optimize import linprog, minimize
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.objective import Objective
from sksoftmax._utils.threads import Threads
from sksoftmax.exceptions import SeparationWarning

LONG = np.longdouble
EPS = np.finfo(float).eps


def one_hot(y):
    return (y[:, None] == np.unique(y)).astype(float)


def F(model, X, Y, s, alpha):
    """The objective at a fitted model, in extended precision."""
    W, b = LONG(1) * model.coefs_[0], LONG(1) * model.intercepts_[0]
    Z = LONG(1) * X @ W + b
    Z -= Z.max(axis=1, keepdims=True)
    losses = np.log(np.exp(Z).sum(axis=1)) - (Y * Z).sum(axis=1)
    return s @ losses / s.sum(dtype=LONG) + LONG(alpha) / 2 * (W * W).sum()


def fit(X, y, s, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return SoftmaxRegressionClassifier(**params).fit(X, y, s)


def gap_and_tolerance(model, X, y, s, **params):
    """F minus the least F that is known, and what converged_ says that it is within."""
    Y = y if y.ndim == 2 else one_hot(y)
    dense = X.toarray() if scipy.sparse.issparse(X) else X
    tight = fit(X, y, s, tol=0, max_iter=2000, **(params | {"solver": "newton"}))
    here, there = (F(m, dense, Y, s, params["alpha"]) for m in (model, tight))
    null_value = np.log(Y.shape[1])
    if params.get("fit_intercept", True):
        shares = s @ Y / s.sum()
        null_value = -float(shares @ np.log(shares))
    tolerance = 1e-8 * (null_value - model.loss_) + 10 * EPS
    return float(here - there), tolerance


def assert_certified(X, y, s=None, **params):
    s = np.ones(X.shape[0]) if s is None else s
    model = fit(X, y, s, **params)
    gap, tolerance = gap_and_tolerance(model, X, y, s, **params)
    assert gap <= model.optimality_ + 10 * EPS
    if model.converged_:
        assert gap <= tolerance
    return model


def ordinary(seed):
    """Tables on which the quasi-Newton phase hands over an unmeasured eigenvalue."""
    rng = np.random.default_rng(seed)
    n, p, K = int(rng.integers(60, 500)), int(rng.choice([30, 60, 100])), 4
    X = rng.standard_normal((n, p))
    if seed % 2:
        X = X @ (np.eye(p) + rng.standard_normal((p, p)) / np.sqrt(p))
    Z = X @ rng.standard_normal((p, K)) / np.sqrt(p) * rng.choice([0.5, 2.0, 5.0])
    return X, (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize(
    ("seed", "alpha"),
    [(14, 1e-4), (35, 1e-3), (47, 1e-4), (49, 1e-3), (81, 1e-4), (97, 1e-4), (0, 1e-2)],
)
def test_the_certificate_of_ordinary_problems_is_a_bound(seed, alpha, solver):
    X, y = ordinary(seed)
    assert_certified(X, y, alpha=alpha, solver=solver)


@pytest.mark.parametrize("kind", ["csr", "weights", "no intercept", "soft", "binary"])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_the_certificate_is_a_bound_for_every_kind_of_data(kind, solver):
    X, y = ordinary(3)
    rng, s, params = np.random.default_rng(0), None, {"alpha": 1e-4}
    if kind == "csr":
        X = scipy.sparse.csr_array(X * (rng.random(X.shape) < 0.2))
    elif kind == "weights":
        s = 10.0 ** rng.uniform(-2, 2, y.size)
    elif kind == "no intercept":
        params["fit_intercept"] = False
    elif kind == "soft":
        y = 0.8 * one_hot(y) + 0.2 * rng.dirichlet(np.ones(4), y.size)
    else:
        y = (y > 1).astype(int)
    model = assert_certified(X, y, s, solver=solver, **params)
    assert model.converged_ or solver == "lbfgs"


def test_the_certificate_is_a_bound_in_the_space_of_the_rows():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 400)), np.arange(60) % 4
    assert assert_certified(X, y, alpha=1e-3).converged_


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("seed", [0, 1, 2, 35, 42, 96, 118, 259, 300, 312, 320, 394])
def test_all_but_separated_classes_have_a_certificate_that_holds(seed, solver):
    """Units and penalties over decades: F falls as exponentials do, some slowly."""
    rng = np.random.default_rng(seed)
    n, p, K = int(rng.integers(8, 60)), int(rng.integers(1, 4)), int(rng.integers(2, 4))
    X = rng.standard_normal((n, p))
    B = rng.standard_normal((p, K)) * rng.choice([1, 5, 50])
    y = np.unique(
        (X @ B + rng.gumbel(size=(n, K))).argmax(axis=1), return_inverse=True
    )[1]
    units, alpha = 10.0 ** rng.uniform(-3, 3, p), 10.0 ** rng.uniform(-14, -2)
    model = assert_certified(
        X * units, y, alpha=alpha * units.min() ** 2, solver=solver
    )
    assert model.converged_ or solver == "lbfgs"


def test_a_penalty_that_rounding_drowns_still_lets_a_fit_converge():
    """The slope by a feature in huge units is rounding; its weight does not matter."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((200, 3)) * [1.0, 1e13, 1.0]
    y = (X[:, 0] + rng.logistic(size=200) > 0).astype(int)
    assert assert_certified(X, y, alpha=1e-3).converged_


@pytest.mark.parametrize("seed", [0, 33, 39, 45, 46, 59])
def test_sparse_columns_far_from_zero_have_a_certificate_that_holds(seed):
    """Logits of large terms are rounded, which is no reason to doubt the slope."""
    rng = np.random.default_rng(seed)
    p, n_classes = int(rng.integers(3, 9)), int(rng.choice([3, 10, 20]))
    X = rng.standard_normal((140, p)) + 10.0 ** rng.uniform(3, 6)
    s, y = 10.0 ** rng.uniform(-6, 6, 140), np.arange(140) % n_classes
    X, alpha = scipy.sparse.csr_array(X), 10.0 ** rng.uniform(-8, -3)
    parts = [(X[rows], y[rows], s[rows]) for rows in (slice(0, 50), slice(50, 140))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SoftmaxRegressionClassifier(alpha=alpha).fit(parts)
    gap, tolerance = gap_and_tolerance(model, X, y, s, alpha=alpha)
    assert gap <= 2.0 * model.optimality_ + 10 * EPS
    assert not model.converged_ or gap <= tolerance


def objective_of(X, Y, s, alpha, fit_intercept=True, n_logits=None):
    network = Network(
        (X.shape[1], n_logits or Y.shape[1]), ACTIVATIONS["identity"], fit_intercept
    )
    penalty = L2Penalty(alpha * network.weight_mask())
    return Objective(network, Chunks(X, Y, s, Threads()), penalty, float(s.sum()))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n_classes", "n_logits"), [(3, 3), (2, 1), (2, 2)])
def test_the_duality_gap_bounds_f_at_any_point(rng, fit_intercept, n_classes, n_logits):
    X = rng.standard_normal((40, 3)) + np.array([0.0, 5.0, 0.0])
    Y, s = rng.dirichlet(np.ones(n_classes), 40), rng.uniform(0.5, 2.0, 40)
    objective = objective_of(X, Y, s, 0.1, fit_intercept, n_logits)
    found = minimize(
        objective.value_and_grad,
        np.zeros(objective.network.n_params),
        jac=True,
        options={"gtol": 1e-9},
    )
    w, least = found.x, found.fun
    d = rng.standard_normal(w.size)
    sizes, bounds = (1e-1, 1e-2, 1e-4), []
    for size in sizes:
        value, gap = objective.value_and_gap(w + size * d, 0.0)
        assert_allclose(value, objective.value(w + size * d), rtol=1e-14)
        assert value - least <= gap + 10 * EPS
        assert gap <= 1e4 * size**2
        bounds.append(gap)
    # Where the ranges of the features are known, one pass gives a weaker bound.
    objective.chunks.statistics()
    for size, gap in zip(sizes, bounds, strict=True):
        before = objective.n_passes
        _, weaker = objective.value_and_gap(w + size * d, np.inf)
        assert objective.n_passes == before + 1
        assert gap <= weaker + 10 * EPS
        assert weaker <= 1e5 * size**2


def test_a_penalty_on_some_weights_alone_gives_no_duality_gap(rng):
    X, Y = rng.standard_normal((10, 2)), rng.dirichlet(np.ones(3), 10)
    objective = objective_of(X, Y, np.ones(10), 0.1)
    assert objective.has_dual
    strength = 0.1 * objective.network.weight_mask()
    strength[0] = 0.0
    assert not objective.with_penalty(L2Penalty(strength)).has_dual


def fitted_without_penalty(X, y, s=None, **params):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SoftmaxRegressionClassifier(alpha=0, **params).fit(X, y, s)
    return model, any(issubclass(w.category, SeparationWarning) for w in caught)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("kind", ["wine", "linear", "binary", "csr", "quasi"])
def test_no_solver_calls_separated_classes_converged(kind, solver):
    rng = np.random.default_rng(136)
    X = rng.standard_normal((300, 3))
    y = (X @ rng.standard_normal((3, 5))).argmax(axis=1)
    if kind == "wine":
        X, y = load_wine(return_X_y=True)
        X = StandardScaler().fit_transform(X)
    elif kind == "binary":
        y = (y > 2).astype(int)
        X = np.c_[X, y + 0.1 * rng.random(300)]
    elif kind == "csr":
        X = scipy.sparse.csr_array(X)
    elif kind == "quasi":  # a dummy that only one class has
        y = np.arange(300) % 2
        X = np.c_[rng.standard_normal(300), (y == 0) & (rng.random(300) < 0.3)]
    model, has_warned = fitted_without_penalty(X, y, solver=solver)
    assert has_warned
    assert not model.converged_


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("kind", ["decades", "lognormal"])
def test_separation_does_not_depend_on_the_weights(kind, solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 20))
    y = (X @ rng.standard_normal((20, 3))).argmax(axis=1)
    s = np.exp(2 * rng.standard_normal(300))
    if kind == "decades":
        s = rng.choice([1e-6, 1.0, 1e6], 300)
    model, has_warned = fitted_without_penalty(X, y, s, solver=solver)
    assert has_warned
    assert not model.converged_


def are_separated(X, y):
    """By a linear program: some direction loses nothing and gains somewhere."""
    A, K = np.c_[X, np.ones(len(y))], y.max() + 1
    leads = np.zeros((len(y), K, K, A.shape[1]))
    for k in range(K):
        leads[np.arange(len(y)), k, y] += A
        leads[:, k, k] -= A
    leads = leads.reshape(len(y) * K, -1)
    found = linprog(
        -leads.sum(axis=0), A_ub=-leads, b_ub=np.zeros(len(leads)), bounds=(-1, 1)
    )
    return -found.fun > 1e-6


@pytest.mark.parametrize("decades", [0, 1, 3])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_separation_is_told_as_a_linear_program_tells_it(solver, decades):
    n_separated = 0
    for seed in range(30):
        rng = np.random.default_rng(1000 + seed)
        X = np.round(rng.standard_normal((40, 3)), seed % 3)
        Z = X @ rng.standard_normal((3, 3)) * rng.choice([1.0, 2.0, 5.0])
        y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
        y = np.unique(y, return_inverse=True)[1]
        truth, s = are_separated(X, y), 10.0 ** rng.uniform(-decades, decades, 40)
        model, has_warned = fitted_without_penalty(X, y, s, solver=solver)
        assert has_warned == truth
        assert not (truth and model.converged_)
        n_separated += truth
    assert 5 < n_separated < 25


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_a_low_objective_alone_is_no_separation(solver):
    """One wrong row of little weight has a finite optimum, however low."""
    rng = np.random.default_rng(5)
    x = np.sort(rng.standard_normal(100))
    y = (x > 0).astype(int)
    s = np.ones(100)
    X, y, s = np.r_[x, 1.0, -1.0][:, None], np.r_[y, 0, 1], np.r_[s, 1e-5, 1e-5]
    _, has_warned = fitted_without_penalty(X, y, s, solver=solver)
    assert not has_warned


def separated_table(seed):
    """Few rows, many features: every model of little penalty is all but certain."""
    rng = np.random.default_rng(seed)
    X = rng.poisson(rng.gamma(0.5, 1.0, size=120), size=(50, 120)).astype(float)
    y = (X[:, :3] @ rng.standard_normal((3, 4)) + rng.gumbel(size=(50, 4))).argmax(1)
    return X, y, 10.0 ** rng.uniform(-3, 3, 50)


@pytest.mark.parametrize(
    ("alpha", "l1_ratio", "grouped"),
    [(1e-8, 0.01, False), (1e-12, 1.0, False), (1e-10, 0.5, True)],
)
@pytest.mark.parametrize("seed", range(2))
def test_no_warning_of_numpy_leaves_a_sparse_fit(seed, alpha, l1_ratio, grouped):
    X, y, s = separated_table(seed)
    model = SoftmaxRegressionClassifier(
        alpha=alpha, l1_ratio=l1_ratio, grouped=grouped, class_weight="balanced"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, s)
    assert model.loss_ < 0.01


def ill_conditioned(rng):
    """Features in units over ten decades, that share their directions."""
    X = rng.standard_normal((60, 8)) @ rng.standard_normal((8, 80))
    X = (X + 1e-3 * rng.standard_normal((60, 80))) * 10.0 ** rng.uniform(-2, 4, 80)
    return X, rng.integers(0, 12, 60)


@pytest.mark.parametrize(
    "params",
    [
        {"alpha": 1e-9},
        {"alpha": 1e-9, "solver": "lbfgs"},
        {"alpha": 1e-9, "l1_ratio": 0.5},
        {"alpha": 1e-6, "l1_ratio": 0.5, "grouped": True},
    ],
    ids=["newton", "lbfgs", "elastic net", "grouped"],
)
def test_the_price_of_iterations_is_bounded(rng, params):
    """Work is counted, so this is not a matter of the machine but for its minute."""
    X, y = ill_conditioned(rng)
    start = time.process_time()
    model = fit(scipy.sparse.csr_array(X), y, None, max_iter=40, **params)
    assert time.process_time() - start < 60.0
    assert model.n_passes_ <= 100 * 40


def test_the_advice_fits_the_case(rng):
    X, y = ill_conditioned(rng)
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        SoftmaxRegressionClassifier(alpha=1e-6, max_iter=2).fit(X, y)
    sparse = scipy.sparse.csr_array(X * (rng.random(X.shape) < 0.5))
    model = SoftmaxRegressionClassifier(alpha=1e-12, max_iter=3, tol=1e-14)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(sparse, y)
    assert "max_iter" in str(caught[0].message)
