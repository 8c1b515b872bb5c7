"""Profile-likelihood intervals, against other ways to the ends."""

import itertools
import warnings

import numpy as np
import pytest
from effort import ALL, LONG
from numpy.testing import assert_allclose
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import chi2

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import _profile, summary

N = 60

# With SKSOFTMAX_TEST_LONG=all there are about 1,500 tables at each level.
SEEDS = range(106 if ALL else 15 if LONG else 1)
SIZES = (20, 40, 100) if LONG else (40,)
LEVELS = (0.95, 0.99) if LONG else (0.99,)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N, 2))
    latent = np.column_stack([X, np.zeros(N)]) + rng.gumbel(size=(N, 3))
    return X, latent.argmax(axis=1)


@pytest.fixture(scope="module")
def model(data):
    return SoftmaxRegressionClassifier(alpha=0.0, tol=1e-14).fit(*data)


def loss(theta, X, y):
    """Minus the log-likelihood of contrasts with the first class, and its gradient."""
    D = np.column_stack([X, np.ones(len(y))])
    Z = np.column_stack([np.zeros(len(y)), D @ theta.reshape(-1, D.shape[1]).T])
    Z = Z - Z.max(axis=1, keepdims=True)
    log_P = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    Y = np.eye(Z.shape[1])[y]
    return -np.sum(Y * log_P), ((np.exp(log_P) - Y)[:, 1:].T @ D).ravel()


def profile(c, index, start, X, y):
    """Minus the log-likelihood at its maximum with one coefficient held at c."""

    def free(v):
        value, grad = loss(np.insert(v, index, c), X, y)
        return value, np.delete(grad, index)

    start = np.delete(start, index)
    options = {"gtol": 1e-9, "maxiter": 1000}
    return minimize(free, start, jac=True, method="BFGS", options=options).fun


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_profile_intervals_end_where_the_likelihood_has_fallen_enough(
    model, data, level
):
    X, y = data
    result = summary(model, X, y, base=0, interval="profile", confidence_level=level)
    best = loss(result.coef.ravel(), X, y)[0]
    ends = result.conf_int.reshape(-1, 2)
    for index, coef in enumerate(result.coef.ravel()):
        assert ends[index, 0] < coef < ends[index, 1]
        for end in ends[index]:
            lost = profile(end, index, result.coef.ravel(), X, y) - best
            assert_allclose(2 * lost, chi2.ppf(level, 1), rtol=1e-6)


@pytest.mark.parametrize("counts", [(7.0, 5.0, 3.0, 5.0), (20.0, 1.0, 20.0, 20.0)])
def test_the_profile_of_a_table_of_counts_is_its_likelihood_interval(counts):
    X, y = np.array([[-1.0], [1.0], [-1.0], [1.0]]), np.array([0, 0, 1, 1])
    model = SoftmaxRegressionClassifier(alpha=0.0, tol=1e-14).fit(X, y, counts)
    result = summary(
        model, X, y, counts, base=0, weights="frequency", interval="profile"
    )
    best = loss_of_counts(*result.coef[0], counts)
    low, high = result.conf_int[0, 0]
    for end in (low, high):
        found = minimize_scalar(lambda b, end=end: loss_of_counts(end, b, counts))
        assert_allclose(2 * (found.fun - best), chi2.ppf(0.95, 1), rtol=1e-6)
    # The slope may be large more easily than small where few are at the top.
    assert high - result.coef[0, 0] > result.coef[0, 0] - low


def loss_of_counts(slope, intercept, counts):
    """Minus the log-likelihood of a table of two groups at -1 and 1."""
    low, high = intercept - slope, intercept + slope
    return (
        counts[0] * np.logaddexp(0, low)
        + counts[2] * np.logaddexp(0, -low)
        + counts[1] * np.logaddexp(0, high)
        + counts[3] * np.logaddexp(0, -high)
    )


def few_rows(seed, n_classes=2, n=20, strength=1.0):
    """Few rows of classes that, for many seeds, nearly do not overlap."""
    rng = np.random.default_rng(seed + 1000 * n_classes + n)
    X = rng.normal(size=(n, 2)).round(2)
    E = X @ (strength * rng.normal(size=(2, n_classes)))
    E += np.r_[0, rng.normal(size=n_classes - 1)]
    return X, (E + rng.gumbel(size=E.shape)).argmax(axis=1)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("level", LEVELS)
def test_no_table_of_few_rows_is_lost(n_classes, level):
    rng, n_tables = np.random.default_rng(0), 0
    for n, strength, seed in itertools.product(SIZES, (1.0, 3.0), SEEDS):
        X, y = few_rows(seed, n_classes, n, strength)
        if np.unique(y).size < n_classes:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of separation, which is refused below
            model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
        try:
            summary(model, X, y)
        except ValueError as error:
            if "separate" not in str(error):
                raise
            continue
        n_tables += 1
        result = summary(
            model, X, y, base=0, interval="profile", confidence_level=level
        )
        case = f"n={n}, strength={strength}, seed={seed}"
        assert np.isfinite(result.conf_int).all(), case
        assert (result.conf_int[..., 0] < result.coef).all(), case
        assert (result.coef < result.conf_int[..., 1]).all(), case
        if seed > 2:
            continue
        # One end of the table, by another minimiser.
        full = result.coef.ravel()
        index, side = rng.integers(full.size), rng.integers(2)
        end = result.conf_int.reshape(-1, 2)[index, side]
        starts = full, full * end / full[index]
        lowest = min(profile(end, index, start, X, y) for start in starts)
        fallen = 2 * (lowest + result.loglik)
        assert_allclose(fallen, chi2.ppf(level, 1), rtol=1e-5, err_msg=case)
    assert n_tables >= len(SEEDS)


def test_at_ends_far_away_the_likelihood_has_fallen_enough_without_derivatives():
    # The intervals reach five standard errors to one side; the Hessian is flat there.
    X, y = few_rows(4)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    result = summary(model, X, y, base=0, interval="profile")
    full, D = result.coef[0], np.column_stack([X, np.ones(20)])

    def lowest(index, c):
        """The loss with one coefficient at c, from two starts."""

        def free(v):
            z = D @ np.insert(v, index, c)
            return np.sum(np.logaddexp(0, z) - y * z)

        options = {"xatol": 1e-7, "fatol": 1e-10, "maxfev": 3000}
        return min(
            minimize(
                free, np.delete(start, index), method="Nelder-Mead", options=options
            ).fun
            for start in (full, full * c / full[index])
        )

    for index, end in np.ndindex(3, 2):
        fallen = lowest(index, result.conf_int[0, index, end]) + result.loglik
        assert_allclose(2 * fallen, chi2.ppf(0.95, 1), rtol=1e-6)


@pytest.mark.parametrize("level", [0.95, 0.99])
@pytest.mark.parametrize("seed", [4, 12, 18])
def test_intervals_of_nearly_separated_classes_are_finite(seed, level):
    X, y = few_rows(seed)
    model = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    result = summary(model, X, y, base=0, interval="profile", confidence_level=level)
    assert result.notes == []
    assert (result.conf_int[..., 0] < result.coef).all()
    assert (result.conf_int[..., 1] > result.coef).all()
    assert np.isfinite(result.conf_int).all()


def test_ends_that_are_not_found_leave_the_rest_of_the_table(model, data, monkeypatch):
    whole = summary(model, *data, base=0, interval="profile")
    monkeypatch.setattr(_profile, "_MAX_ENDS", 3)
    part = summary(model, *data, base=0, interval="profile")
    missing = np.isnan(part.conf_int)
    assert 0 < missing.sum() < missing.size
    assert_allclose(part.conf_int[~missing], whole.conf_int[~missing])
    assert_allclose(part.se, whole.se)
    row, term, _ = np.argwhere(missing)[0]
    assert f"{part.terms[term]!r} of {part.classes[row]}" in part.notes[-1]
    assert "nan" in str(part)


def test_ends_that_are_too_far_are_infinite(model, data, monkeypatch):
    monkeypatch.setattr(_profile, "_INFINITE", 2.05)
    result = summary(model, *data, base=0, interval="profile")
    far = np.isinf(result.conf_int)
    assert 0 < far.sum() < far.size
    assert (result.conf_int[..., 0][far[..., 0]] == -np.inf).all()
    assert (result.conf_int[..., 1][far[..., 1]] == np.inf).all()
    assert "inf" in result.notes[-1]


def test_what_is_no_likelihood_has_no_profile(data):
    X, y = data
    s = np.linspace(0.5, 1.5, N)
    weighted = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y, s)
    with pytest.raises(ValueError, match="without importance weights"):
        summary(weighted, X, y, s, interval="profile")
    Y = 0.8 * np.eye(3)[y] + 0.2 / 3
    soft = SoftmaxRegressionClassifier(alpha=0.0).fit(X, Y)
    with pytest.raises(ValueError, match="without soft labels"):
        summary(soft, X, Y, interval="profile")
