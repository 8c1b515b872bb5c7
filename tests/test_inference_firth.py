"""Bias-reduced estimates, against R's brglm2, closed forms and other derivatives."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import chi2
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import firth, wald_test

# Agresti (2002), Categorical Data Analysis, table 7.1: what 219 alligators had eaten,
# by lake and size, males and females together. Fish, invertebrates, reptiles, birds,
# other; small ones first.
FOODS = ["Fish", "Invertebrate", "Reptile", "Bird", "Other"]
ALLIGATORS = {
    "Hancock": [[23, 4, 2, 2, 8], [7, 0, 1, 3, 5]],
    "Oklawaha": [[5, 11, 1, 0, 3], [13, 8, 6, 1, 0]],
    "Trafford": [[5, 11, 2, 1, 5], [8, 7, 6, 3, 5]],
    "George": [[16, 19, 1, 2, 3], [17, 1, 0, 1, 3]],
}

# R 4.2.2, brglm2 0.9: brmultinom(foodchoice ~ size + lake, weights=freq, ref=1,
# type="AS_mean", epsilon=1e-12): large size, the lakes but Hancock, and the intercept.
R_COEF = {
    "Invertebrate": [
        -1.4019623711,
        2.461142021,
        2.6413664549,
        1.5600445423,
        -1.6488998959,
    ],
    "Reptile": [0.3209487184, 1.122673846, 1.5789899082, -0.9800181995, -2.2497495188],
    "Bird": [0.5828767701, -1.035911394, 0.4049036629, -0.6213168672, -1.9017497754],
    "Other": [-0.3147752551, -0.719261622, 0.6714380812, -0.7792789081, -0.7211704606],
}
R_SE = {
    "Invertebrate": [0.3962267044, 0.6476905320, 0.6594134189, 0.6003568959],
    "Reptile": [0.5565974452, 0.7559185790, 0.7512502144, 1.0218117660],
    "Bird": [0.6084642187, 1.0133767680, 0.7570326844, 0.7436453911],
    "Other": [0.4443759879, 0.7056589519, 0.5601029251, 0.5521476232],
}


def fit(X, y, s=None, **params):
    """A fit that may warn of separation."""
    model = SoftmaxRegressionClassifier(alpha=0, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, s)


def alligators():
    X, y, counts = [], [], []
    for number, rows in enumerate(ALLIGATORS.values()):
        for size, row in enumerate(rows):
            lake = np.eye(4)[number, 1:]
            X += [[size, *lake]] * 5
            y += FOODS
            counts += row
    return np.array(X, float), np.array(y), np.array(counts, float)


def test_multinomial_estimates_are_those_of_brglm2():
    X, y, counts = alligators()
    assert counts.sum() == 219
    model = fit(X, y, counts)
    result = firth(model, X, y, counts, base="Fish", interval="wald")
    assert result.n == 219
    for row, food in enumerate(result.classes):
        assert_allclose(result.coef[row], R_COEF[food], rtol=2e-8)
        assert_allclose(result.se[row, :-1], R_SE[food], rtol=1e-7)


def penalised_loss(theta, X, Y, s, n_classes):
    """Minus the log-likelihood and half the log determinant of the information."""
    theta = np.vstack([theta.reshape(n_classes - 1, -1), np.zeros(X.shape[1])])
    logp = log_softmax(X @ theta.T, axis=1)
    P = np.exp(logp)[:, :-1]
    variances = np.einsum("na,ab->nab", P, np.eye(n_classes - 1))
    variances -= np.einsum("na,nb->nab", P, P)
    information = np.einsum("nab,ni,nj->aibj", s[:, None, None] * variances, X, X)
    size = theta[:-1].size
    determinant = np.linalg.slogdet(information.reshape(size, size))[1]
    return -s @ (Y * logp).sum(axis=1) - 0.5 * determinant


def small_table(seed, n_classes, n=25, separated=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2)) * [1.0, 5.0] + [0.0, 20.0]
    Z = X @ rng.standard_normal((2, n_classes))
    y = (Z - Z.mean(axis=0) + rng.gumbel(size=Z.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    if separated:
        X[:, 0] = (y == 0) & (rng.random(n) < 0.4)
        X[np.flatnonzero(y == 0)[0], 0] = 1.0
    return X, y, rng.integers(1, 4, n).astype(float)


@pytest.mark.parametrize("separated", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_estimates_maximise_the_penalised_likelihood(n_classes, separated):
    X, y, s = small_table(n_classes, n_classes, separated=separated)
    result = firth(fit(X, y, s), X, y, s, base=n_classes - 1, interval="wald")
    scale = np.array([1.0, 5.0, 1.0])
    A = np.c_[X - [0.0, 20.0], np.ones(len(X))] / scale
    at = result.coef.copy()
    at[:, -1] += at[:, :-1] @ [0.0, 20.0]
    at *= scale
    Y = np.eye(n_classes)[y]

    def loss(theta):
        return penalised_loss(theta, A, Y, s, n_classes)

    found = minimize(loss, np.zeros(at.size), options={"gtol": 1e-4})
    assert loss(at.ravel()) <= found.fun + 1e-9
    assert found.fun <= loss(at.ravel()) + 1e-4
    # Its derivative by central differences vanishes.
    for j in range(at.size):
        step = np.zeros(at.size)
        step[j] = 1e-3
        slope = (loss(at.ravel() + step) - loss(at.ravel() - step)) / 2e-3
        assert abs(slope) < 1e-4
    # The information scales with the determinant of the change of variables.
    units = (n_classes - 1) * np.log(scale).sum()
    assert_allclose(result.penalised_loglik, units - loss(at.ravel()), rtol=1e-9)


@pytest.mark.parametrize("n_classes", [3, 4])
def test_the_adjusted_score_removes_the_bias_of_order_one_over_n(n_classes):
    """Cox and Snell's bias b from third derivatives: the adjustment is minus I b.

    Of a canonical model with score U the bias is b_r = -I^rs I^tu K_stu / 2 with the
    third derivatives -K of the log-likelihood (Cox and Snell 1968, JRSS-B 30:248,
    equation 20), here by differences of the information.
    """
    X, y, s = small_table(7, n_classes)
    result = firth(fit(X, y, s), X, y, s, base=n_classes - 1, interval="wald")
    A, Y = np.c_[X, np.ones(len(X))], np.eye(n_classes)[y]
    theta = result.coef

    def score_and_information(theta):
        Z = np.c_[A @ theta.T, np.zeros(len(A))]
        P = np.exp(log_softmax(Z, axis=1))
        score = ((s[:, None] * (Y - P))[:, :-1].T @ A).ravel()
        parts = [
            w * np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
            for x, p, w in zip(A, P[:, :-1], s, strict=True)
        ]
        return score, sum(parts)

    score, information = score_and_information(theta)
    inverse = np.linalg.inv(information)
    adjustment = np.zeros(theta.size)
    for j in range(theta.size):
        step = np.zeros(theta.size)
        step[j] = 1e-5
        up = score_and_information(theta + step.reshape(theta.shape))[1]
        down = score_and_information(theta - step.reshape(theta.shape))[1]
        adjustment[j] = 0.5 * np.trace(inverse @ (up - down)) / 2e-5
    bias = -inverse @ adjustment
    assert_allclose(score, information @ bias, atol=1e-5 * np.abs(adjustment).max())


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_of_groups_alone_half_an_observation_is_added_to_each_cell(n_classes):
    """Jeffreys' prior of each group is Dirichlet's with parameters 1/2."""
    rng = np.random.default_rng(n_classes)
    counts = rng.integers(0, 6, (3, n_classes)).astype(float)
    counts[0, :2] = 0, 9
    counts[1] += 1
    X = np.repeat(np.eye(3)[:, 1:], n_classes, axis=0)
    y = np.tile(np.arange(n_classes), 3)
    model = fit(X, y, counts.ravel())
    result = firth(model, X, y, counts.ravel(), interval="wald")
    smoothed = counts + 0.5
    expected = smoothed / smoothed.sum(axis=1, keepdims=True)
    assert_allclose(result.model.predict_proba(np.eye(3)[:, 1:]), expected, rtol=1e-8)


def test_profile_intervals_and_p_values_are_those_of_the_penalised_likelihood():
    X, y, s = small_table(3, 3)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    result = firth(fit(X, y, s), X, y, s, base=2)
    A, Y = np.c_[X, np.ones(len(X))], np.eye(3)[y]
    drop = 0.5 * chi2.ppf(0.95, 1)
    least = penalised_loss(result.coef, A, Y, s, 3)

    def on_profile(row, term, value):
        """The least loss with one coefficient held."""
        free = np.ones(6, dtype=bool)
        free[3 * row + term] = False

        def loss(rest):
            theta = np.full(6, value)
            theta[free] = rest
            return penalised_loss(theta, A, Y, s, 3)

        start = result.coef.ravel()[free]
        return minimize(loss, start, options={"gtol": 1e-4}).fun

    for row, term in ((0, 0), (1, 1)):
        for end in result.conf_int[row, term]:
            assert_allclose(on_profile(row, term, end) - least, drop, atol=1e-5)
        ratio = 2.0 * (on_profile(row, term, 0.0) - least)
        assert_allclose(result.z[row, term] ** 2, ratio, atol=1e-5)
        assert_allclose(result.p_value[row, term], chi2.sf(ratio, 1), rtol=1e-4)
    assert (np.sign(result.z) == np.sign(result.coef)).all()


@pytest.mark.parametrize(("seed", "n", "n_classes"), [(80, 23, 2), (96, 21, 3)])
def test_estimates_in_flat_places_are_found(seed, n, n_classes):
    """Scoring takes over 500 steps to the start of the second try."""
    rng = np.random.default_rng(seed)
    # Of many random tables, whose sizes were drawn first, the two that were refused.
    rng.integers(6, 25), rng.integers(1, 3), rng.integers(2, 4)
    X = rng.standard_normal((n, 2))
    X[:, 0] = np.round(2.0 * X[:, 0])
    noisy = X[:, 0] + 0.3 * rng.standard_normal(n)
    y = n_classes - 1 - np.digitize(noisy, [-0.7, 0.7][: n_classes - 1])
    result = firth(fit(X, y), X, y, base=n_classes - 1, interval="wald")
    A, Y = np.c_[X, np.ones(n)], np.eye(n_classes)[y]
    least = penalised_loss(result.coef, A, Y, np.ones(n), n_classes)
    found = minimize(penalised_loss, result.coef.ravel(), (A, Y, np.ones(n), n_classes))
    assert_allclose(least, found.fun, atol=1e-7)
    assert_allclose(result.coef.ravel(), found.x, atol=2e-3)


def test_ends_in_flat_places_are_found():
    """Six separated rows: scoring needs over a hundred steps near the upper end."""
    X, y = np.arange(6.0)[:, None], np.array([2, 2, 1, 1, 0, 0])
    result = firth(fit(X, y), X, y, base=2)
    assert np.isfinite(result.conf_int).all()
    A, Y = np.c_[X, np.ones(6)], np.eye(3)[y]
    end = result.conf_int[1, 0, 1]

    def loss(rest):
        return penalised_loss(np.array([*rest[:2], end, rest[2]]), A, Y, np.ones(6), 3)

    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000, "maxfev": 4000}
    start = [end + 1.0, -2.0 * end, -1.5 * end]
    least = minimize(loss, start, method="Nelder-Mead", options=options).fun
    least -= penalised_loss(result.coef, A, Y, np.ones(6), 3)
    assert_allclose(least, 0.5 * chi2.ppf(0.95, 1), atol=1e-5)


def test_counts_are_repetition():
    X, y, s = small_table(5, 3)
    rows = np.repeat(np.arange(len(y)), s.astype(int))
    counted = firth(fit(X, y, s), X, y, s, interval="wald")
    model = fit(X[rows], y[rows])
    repeated = firth(model, X[rows], y[rows], interval="wald")
    for name in ("coef", "se", "z", "conf_int", "loglik", "penalised_loglik"):
        assert_allclose(getattr(counted, name), getattr(repeated, name), rtol=1e-6)


def test_estimates_do_not_depend_on_base_units_and_intercept_of_the_columns():
    X, y, _ = small_table(6, 3, separated=True)
    model = fit(X, y)
    plain = firth(model, X, y, interval="wald")
    based = firth(model, X, y, base=1, interval="wald")
    assert_allclose(plain.coef[[0, 2]] - plain.coef[1], based.coef, atol=1e-8)
    moved = X * [1e-6, 1e6] + [0.0, 1e9]
    other = firth(fit(moved, y), moved, y, interval="wald")
    assert_allclose(other.coef[:, :2] * [1e-6, 1e6], plain.coef[:, :2], rtol=1e-5)
    assert_allclose(
        other.model.predict_proba(moved), plain.model.predict_proba(X), atol=1e-6
    )
    piped = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(alpha=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        piped.fit(X, y)
    scaled = firth(piped, X, y, interval="wald")
    assert_allclose(scaled.p_value[:, :2], plain.p_value[:, :2], rtol=1e-6)
    bare = firth(fit(X, y, fit_intercept=False), X, y, interval="wald")
    assert bare.terms == ["x0", "x1"]
    assert np.isfinite(bare.coef).all()


def test_completely_separated_classes_have_finite_estimates_and_tests():
    X = np.arange(12.0)[:, None]
    y = np.repeat(["a", "b", "c"], 4)
    result = firth(fit(X, y), X, y, base="a")
    assert np.isfinite(result.coef).all()
    assert (result.se > 0).all()
    assert (result.conf_int[:, 0, 0] > 0).all()
    assert wald_test(result, "x0").df == 2
    assert "bias-reduced" in str(result)
    assert "b (against a)" in result._repr_html_()
    frame = result.to_frame()
    assert frame.loc[("c", "x0"), "coef"] == result.coef[1, 0]
    assert (result.model.predict(X) == y).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 0.1}, "alpha=0.1, must be 0"),
        ({"class_weight": "balanced"}, "class_weight='balanced', must be None"),
        ({"label_smoothing": 0.1}, "label_smoothing"),
    ],
)
def test_models_that_maximise_no_likelihood_are_refused(params, message):
    X, y, _ = small_table(1, 2)
    model = SoftmaxRegressionClassifier(**{"alpha": 0} | params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    with pytest.raises(ValueError, match=message):
        firth(model, X, y)


def test_what_no_count_can_be_is_refused():
    X, y, s = small_table(1, 3)
    model = fit(X, y)
    with pytest.raises(ValueError, match=r"whole numbers in sample_weight.*row 0 has"):
        firth(model, X, y, s + 0.5)
    soft = np.eye(3)[y]
    soft[4] = 0.5, 0.5, 0.0
    with pytest.raises(ValueError, match=r"needs labels; row 4 of y"):
        firth(fit(X, soft), X, soft)
    with pytest.raises(ValueError, match="interval"):
        firth(model, X, y, interval="likelihood")
    with pytest.raises(ValueError, match="base"):
        firth(model, X, y, base=7)
    twice = np.c_[X, X[:, 0]]
    with pytest.raises(ValueError, match=r"'x[02]' is a combination"):
        firth(fit(twice, y), twice, y)


def test_too_many_parameters_are_refused():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((600, 501)), np.arange(600) % 2
    with pytest.raises(ValueError, match="up to 500 free parameters; here are 502"):
        firth(fit(X, y, max_iter=1), X, y)
