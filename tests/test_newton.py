"""The default solver from outside: exact, certified, in any units, and honest.

The oracle is a damped Newton method with value and gradient in extended precision, in
standardised coordinates; only its directions come from double precision.
"""

import os
import warnings
from typing import NamedTuple

import joblib
import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from threadpoolctl import ThreadpoolController, threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._objective import objective
from sksoftmax.exceptions import SeparationWarning

LONG = np.longdouble
EPS = np.finfo(float).eps


class Problem(NamedTuple):
    """Softmax regression; every one of the K classes has rows."""

    X: np.ndarray
    y: np.ndarray  # 0 .. K - 1
    s: np.ndarray
    alpha: float = 0.0
    fit_intercept: bool = True

    @property
    def n_classes(self):
        return self.y.max() + 1

    @property
    def null_value(self):
        """F of the best model without features."""
        if not self.fit_intercept:
            return np.log(self.n_classes)
        shares = np.bincount(self.y, self.s) / self.s.sum()
        return -float(shares @ np.log(shares))

    def fit(self, **params):
        """The fitted model, and the warnings of convergence; all others are errors."""
        model = SoftmaxRegressionClassifier(
            alpha=self.alpha, fit_intercept=self.fit_intercept, **params
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            model.fit(self.X, self.y, sample_weight=self.s)
        return model, caught

    def value_at(self, model):
        """F of a fitted model, in extended precision."""
        X = self.X.toarray() if scipy.sparse.issparse(self.X) else self.X
        W = np.asarray(model.coef_.T, LONG)
        Z = X.astype(LONG) @ W + model.intercept_
        losses, _ = losses_and_probabilities(Z, self.y)
        cost = losses @ self.s.astype(LONG) / self.s.sum(dtype=LONG)
        return cost + LONG(self.alpha) / 2 * np.sum(np.square(W))

    def optimum(self):
        """F*, in extended precision."""
        X, s = self.X.astype(LONG), self.s.astype(LONG)
        shares = s / s.sum()
        if self.fit_intercept:
            X = X - shares @ X
        size = np.sqrt(np.mean(np.square(X), axis=0))
        size[size == 0] = 1
        strength = LONG(self.alpha) / np.square(size)
        A = X / size
        if self.fit_intercept:
            A = np.column_stack([A, np.ones_like(s)])
            strength = np.append(strength, LONG(0))
        return minimum(A, self.y, shares, strength[:, None])


def losses_and_probabilities(Z, y):
    Z = Z - Z.max(axis=1, keepdims=True)
    E = np.exp(Z)
    sums = E.sum(axis=1)
    return np.log(sums) - Z[np.arange(y.size), y], E / sums[:, None]


def minimum(A, y, shares, strength):
    """Least value over V of shares . loss(A V) + sum(strength V^2) / 2."""
    V = np.zeros((A.shape[1], y.max() + 1), LONG)

    def value_and_probabilities(V):
        losses, P = losses_and_probabilities(A @ V, y)
        return shares @ losses + np.sum(strength * V * V) / 2, P

    value, P = value_and_probabilities(V)
    for _ in range(500):
        residual = P - np.eye(P.shape[1])[y]
        grad = A.T @ (shares[:, None] * residual) + strength * V
        direction = newton_direction(grad, A, P, shares, strength)
        slope = np.sum(grad * direction)
        t = LONG(1)
        new_value, new_P = value_and_probabilities(V + direction)
        while new_value > value + LONG(1e-4) * t * slope and t > 1e-12:
            t /= 2
            new_value, new_P = value_and_probabilities(V + t * direction)
        if new_value >= value:
            break
        V, value, P = V + t * direction, new_value, new_P
        if -slope < 1e-18 * value:
            break
    return value


def newton_direction(grad, A, P, shares, strength):
    """Solution of H d = -grad from eigenvectors, in units of a unit diagonal."""
    A, P, shares = A.astype(float), P.astype(float), shares.astype(float)
    n_classes = P.shape[1]
    C = np.einsum("ik,kl->ikl", P, np.eye(n_classes)) - P[:, :, None] * P[:, None]
    H = np.einsum("i,ia,ikl,ib->akbl", shares, A, C, A, optimize=True)
    H = H.reshape(grad.size, -1)
    H += np.diag(np.repeat(strength.astype(float), n_classes))
    unit = 1 / np.sqrt(np.where(H.diagonal() > 0, H.diagonal(), 1.0))
    values, vectors = np.linalg.eigh(H * unit * unit[:, None])
    parts = vectors.T @ (unit * grad.ravel().astype(float))
    d = vectors @ (parts / np.maximum(values, 1e-13))
    return -(unit * d).reshape(grad.shape)


def is_separated(problem):
    """Whether some direction leaves no row's own logit behind another, and gains some.

    Then F has no minimum at alpha = 0 (Albert and Anderson 1984, Biometrika 71:1).
    """
    A = problem.X
    if problem.fit_intercept:
        A = np.column_stack([A - A.mean(axis=0), np.ones(len(A))])
    A = A / np.maximum(np.abs(A).max(axis=0), 1e-300)
    E = np.eye(problem.n_classes)
    pairs = zip(A, problem.y, strict=True)
    leads = np.concatenate(
        [np.kron(a, E[k] - np.delete(E, k, axis=0)) for a, k in pairs]
    )
    best = linprog(-leads.sum(axis=0), -leads, np.zeros(len(leads)), bounds=(-1, 1))
    return -best.fun > 1e-6


# Random problems


@st.composite
def problems(draw, alphas):
    """Problems that are hard in several respects at once."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes = draw(st.integers(2, 4))
    n_rows = draw(st.sampled_from([6, 15, 40, 120]))
    n_features = draw(st.integers(1, 5))
    X = rng.normal(size=(n_rows, n_features))
    slopes = draw(st.sampled_from([0.0, 1.0, 4.0])) * rng.normal(
        size=(n_features, n_classes)
    )
    y = np.argmax(X @ slopes + rng.gumbel(size=(n_rows, n_classes)), axis=1)
    y[:n_classes] = np.arange(n_classes)
    if draw(st.booleans()):
        X = X.round()
    if draw(st.booleans()):
        X += 10.0 * rng.normal(size=n_features)
    if draw(st.booleans()):
        X = np.column_stack([X, X[:, 0]])
    if draw(st.booleans()):
        X = np.column_stack(
            [X, np.full(n_rows, draw(st.sampled_from([0.0, 1.0, 0.1])))]
        )
    X = X * 10.0 ** rng.uniform(*draw(st.sampled_from([(0, 0), (-6, 6)])), X.shape[1])
    s = 10.0 ** rng.uniform(*draw(st.sampled_from([(0, 0), (-2, 2)])), n_rows)
    return Problem(X, y, s, draw(st.sampled_from(alphas)), draw(st.booleans()))


each_random = settings(
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)


def assert_certified(problem, model):
    """The gap to the optimum is no more than reported, but for rounding of F."""
    rounding = 8 * EPS * problem.null_value
    gap = float(problem.value_at(model) - problem.optimum())
    assert gap <= model.optimality_ + rounding


@each_random
@given(problems([1e-8, 1e-5, 1e-3, 0.1, 10.0]))
def test_with_a_penalty_every_problem_converges_and_the_certificate_holds(problem):
    model, caught = problem.fit()
    assert model.converged_
    assert not caught
    assert_certified(problem, model)


@each_random
@given(problems([0.0]))
def test_without_a_penalty_a_fit_converges_or_says_that_classes_are_separated(problem):
    model, caught = problem.fit()
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    if caught:
        assert [warning.category for warning in caught] == [SeparationWarning]
        assert is_separated(problem)
    else:
        assert model.converged_
        assert not is_separated(problem)
        assert_certified(problem, model)


@each_random
@given(problems([0.0, 1e-3]), st.sampled_from([1e-6, 1e-8, 1e-10]))
def test_converged_means_within_tol_of_what_the_model_explains(problem, tol):
    model, _ = problem.fit(tol=tol)
    if model.converged_:
        optimum = problem.optimum()
        target = tol * float(problem.null_value - optimum)
        rounding = 8 * EPS * problem.null_value
        assert problem.value_at(model) - optimum <= target + rounding


@each_random
@given(problems([0.0]))
def test_without_a_penalty_units_and_origins_of_the_features_do_not_matter(problem):
    if not problem.fit_intercept or is_separated(problem):
        return
    units = 2.0 ** np.linspace(-30, 30, problem.X.shape[1])
    shifts = np.linspace(-3, 3, problem.X.shape[1]) * problem.X.std(axis=0)
    moved = problem._replace(X=(problem.X + shifts) * units)
    ours, _ = problem.fit(tol=1e-12)
    theirs, _ = moved.fit(tol=1e-12)
    assert_allclose(
        theirs.predict_proba(moved.X), ours.predict_proba(problem.X), atol=1e-4
    )
    assert_allclose(theirs.loss_, ours.loss_, rtol=0, atol=1e-11)


# Separation


def test_separated_classes_are_named():
    X = np.array([[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]])
    y = np.array(["low", "low", "low", "high", "high", "high"])
    model = SoftmaxRegressionClassifier(alpha=0)
    with pytest.warns(SeparationWarning, match=r"\['high', 'low'\]"):
        model.fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert not model.converged_
    assert_array_equal(model.predict(X), y)


def test_setosa_alone_is_separated_from_the_other_irises():
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    model = SoftmaxRegressionClassifier(alpha=0)
    with pytest.warns(SeparationWarning, match=r"\['setosa'\]"):
        model.fit(X, names)
    assert np.isfinite(model.coef_).all()
    # What is left to learn is versicolor against virginica, which has an optimum.
    others = Problem(X[y > 0], y[y > 0] - 1, np.ones(100))
    assert_allclose(model.loss_, float(others.optimum()) * 100 / 150, atol=1e-7)


# Hard tables. Each has an optimum, and all are to be fitted without a warning.


def labels(rng, X, n_classes, slope=1.0):
    Z = slope * X @ rng.normal(size=(X.shape[1], n_classes))
    return np.argmax(Z + rng.gumbel(size=Z.shape), axis=1)


def plain(rng, n_rows=400, n_features=5, n_classes=3, alpha=0.0):
    X = rng.normal(size=(n_rows, n_features))
    return Problem(X, labels(rng, X, n_classes), np.ones(n_rows), alpha)


def units_from_1e_minus_8_to_1e8(rng):
    problem = plain(rng)
    return problem._replace(X=problem.X * [1e-8, 1e-4, 1.0, 1e4, 1e8])


def offsets_of_1e5(rng):
    problem = plain(rng)
    return problem._replace(X=problem.X + 1e5)


def copies_of_a_column(rng):
    problem = plain(rng)
    return problem._replace(X=problem.X[:, [0, 0, 0, 1, 2]] * [1, -2, 1e4, 1, 1])


def a_constant_column_that_is_not_a_binary_number(rng):
    problem = plain(rng)
    X = np.column_stack([problem.X, np.full(400, 1e6 / 3)])
    return problem._replace(X=X, s=rng.uniform(0.1, 3.0, size=400))


def nearly_collinear_columns_far_from_zero(rng):
    problem = plain(rng)
    almost = problem.X[:, :2] + 1e-5 * rng.normal(size=(400, 2))
    return problem._replace(X=np.column_stack([problem.X, almost]) + 1e3)


def polynomial_of_a_year(rng):
    year = rng.integers(1950, 2025, size=400).astype(float)
    X = np.column_stack([year, year**2])
    y = labels(rng, (year[:, None] - 1987) / 20, 3)
    return Problem(X, y, np.ones(400))


def outliers_of_a_million(rng):
    problem = plain(rng)
    X = problem.X.copy()
    X[:3] *= 1e6
    return problem._replace(X=X, alpha=1e-3)


def weights_from_a_millionth_to_a_million(rng):
    return plain(rng)._replace(s=10.0 ** rng.uniform(-6, 6, size=400), alpha=1e-4)


def confident_rows(rng):
    X = rng.normal(size=(400, 5))
    return Problem(X, labels(rng, X, 3, slope=30.0), np.ones(400), alpha=1e-6)


def more_features_than_rows(rng):
    return plain(rng, n_rows=30, n_features=80, alpha=1e-3)


def two_rows_of_a_class_in_20_000(rng):
    problem = plain(rng, n_rows=20_000, n_features=4, alpha=1e-6)
    y = np.where(problem.y == 2, 1, problem.y)
    y[[77, 19_000]] = 2
    return problem._replace(y=y)


def heavy_tails_and_a_rare_class(rng):
    X = rng.standard_t(1.5, size=(20_000, 5))
    y = labels(rng, X, 2)
    y[rng.choice(20_000, size=4, replace=False)] = 2
    return Problem(X, y, np.ones(20_000), alpha=1e-4)


HARD = [
    units_from_1e_minus_8_to_1e8,
    offsets_of_1e5,
    copies_of_a_column,
    a_constant_column_that_is_not_a_binary_number,
    nearly_collinear_columns_far_from_zero,
    polynomial_of_a_year,
    outliers_of_a_million,
    weights_from_a_millionth_to_a_million,
    confident_rows,
    more_features_than_rows,
    two_rows_of_a_class_in_20_000,
    heavy_tails_and_a_rare_class,
]


@pytest.mark.parametrize("make", HARD)
def test_hard_tables_are_fitted_exactly(rng, make):
    problem = make(rng)
    model, caught = problem.fit()
    assert not caught
    assert model.converged_
    assert_certified(problem, model)


def test_large_tables_begin_on_samples_and_end_at_the_optimum(rng):
    problem = plain(rng, n_rows=30_000, n_features=6, n_classes=4)
    model, _ = problem.fit()
    assert model.converged_
    assert model.n_iter_ <= 5  # passes over all rows; a cold start takes more
    assert_certified(problem, model)


@pytest.mark.parametrize("alpha", [1e-4, 1e-2])
def test_sparse_text_of_many_features_is_fitted_exactly(rng, alpha):
    # Too large for the oracle. With a penalty on everything, F is alpha-strongly convex
    # and F(w) - F* at most ||gradient||^2 / (2 alpha).
    words = rng.zipf(1.3, size=90_000).clip(max=2000) - 1
    entries = np.ones(90_000), (np.repeat(np.arange(3000), 30), words)
    X = scipy.sparse.csr_array(entries, shape=(3000, 2000))
    problem = Problem(X, labels(rng, X, 4), np.ones(3000), alpha, fit_intercept=False)
    tight, _ = problem.fit(tol=1e-13)
    residual = tight.predict_proba(X) - np.eye(4)[problem.y]
    grad = X.T @ residual / 3000 + alpha * tight.coef_.T
    assert np.sum(np.square(grad)) / (2 * alpha) <= 1e-11
    model, caught = problem.fit()
    assert not caught
    gap = float(problem.value_at(model) - problem.value_at(tight))
    assert gap <= model.optimality_ + 8 * EPS * problem.null_value


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_single_precision_data_are_fitted_as_exactly_as_they_are_given(rng, scale):
    problem = plain(rng, n_rows=2000)
    single = problem._replace(X=(scale * problem.X).astype(np.float32))
    model, caught = single.fit()
    assert not caught
    assert model.coef_.dtype == np.float32
    # Coefficients rounded to 24 bits: half of H (w eps)^2 in relative terms.
    gap = float(single.value_at(model) - single.optimum())
    assert gap <= model.optimality_ + 100 * np.finfo(np.float32).eps ** 2


# Threads and processes


def large_problem(rng):
    # Of a size from which threads pay.
    X = rng.normal(size=(12_000, 60)) * 10.0 ** rng.uniform(-2, 2, size=60)
    return Problem(X, labels(rng, X / X.std(axis=0), 8), np.ones(12_000), 1e-4)


def coefficients(problem, n_threads):
    with threadpool_limits(n_threads, user_api="blas"):
        return problem.fit()[0].coef_


def test_coefficients_have_the_same_bits_for_any_number_of_threads(rng):
    problem = large_problem(rng)
    expected = coefficients(problem, 1)
    for n_threads in (2, 3, 8):
        assert_array_equal(coefficients(problem, n_threads), expected)


def blas_limits():
    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    return [controller.num_threads for controller in controllers]


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_grid_search_in_parallel_gives_the_scores_of_one_in_turn(rng, backend):
    problem = plain(rng, n_rows=3000, n_features=40, n_classes=5)
    search = GridSearchCV(
        SoftmaxRegressionClassifier(),
        {"alpha": [1e-6, 1e-3, 1e-1]},
        cv=3,
        scoring="neg_log_loss",
    )
    before = blas_limits()
    in_turn = search.fit(problem.X, problem.y).cv_results_["mean_test_score"]
    with joblib.parallel_backend(backend, n_jobs=2):
        search.set_params(n_jobs=2).fit(problem.X, problem.y)
    assert_array_equal(search.cv_results_["mean_test_score"], in_turn)
    assert blas_limits() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_forked_after_a_fit_fits_the_same_model(rng):
    problem = large_problem(rng)
    with threadpool_limits(2, user_api="blas"):
        expected = problem.fit()[0].coef_
        child = os.fork()
        if child == 0:
            same = np.array_equal(problem.fit()[0].coef_, expected)
            os._exit(0 if same else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("n_calls", [1, 3])
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(rng, monkeypatch, n_calls):
    problem = large_problem(rng)
    model, _ = plain(rng).fit()
    before = dict(vars(model))
    calls = iter(range(n_calls))
    original = objective.linear_pass

    def interrupt(*args, **kwargs):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    limits = blas_limits()
    monkeypatch.setattr(objective, "linear_pass", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(problem.X, problem.y)
    monkeypatch.undo()
    assert vars(model) == before
    assert blas_limits() == limits
