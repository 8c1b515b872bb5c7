"""Numbers that others published, and the worked numbers of the source notes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import (
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
    make_circles,
)
from sklearn.preprocessing import StandardScaler

from sksoftmax import (
    SoftmaxRegressionClassifier,
    cross_entropy,
    hardmax,
    log_softmax,
    softmax,
)
from sksoftmax.optimizers import SGD, minimize


def log_likelihood(model, X, y, weights=None):
    """Sum over rows of the log-probability of the observed class."""
    observed = np.searchsorted(model.classes_, y)
    losses = model.predict_log_proba(X)[np.arange(len(y)), observed]
    return losses.sum() if weights is None else losses @ weights


def contrasts(model):
    """Coefficients, intercept last, of every class minus those of the first class."""
    table = np.column_stack([model.coef_, model.intercept_])
    return table[1:] - table[0]


@pytest.fixture(scope="module")
def glmnet3(load_table):
    table = load_table("glmnet3.csv.gz")
    X = np.column_stack([table[name] for name in ("x1", "x2", "x3", "x4")])
    return X.astype(float), table["y"].astype(int)


# UCLA's programme choice data: nnet 7.3-18, fitted to convergence
# (tests/data/reference.R).
HSBDEMO = [
    [-0.53329101, -1.162832, -0.05792841, 2.85218624],
    [0.29139312, -0.98267033, -0.11360264, 5.21820016],
]


def test_hsbdemo_gives_the_coefficients_and_log_likelihood_of_r(hsbdemo, exact):
    X, y = hsbdemo
    model = exact(alpha=0.0).fit(X, y)
    assert_array_equal(model.classes_, ["academic", "general", "vocation"])
    assert_allclose(contrasts(model), HSBDEMO, rtol=1e-6)
    assert_allclose(log_likelihood(model, X, y), -179.981726, rtol=0, atol=1e-6)


# Stata 11 on the American National Election Study of 1996, PID 0 as base: class Anes of
# statsmodels/discrete/tests/results/results_discrete.py.
ANES96 = [
    [-0.01153598, 0.29771435, -0.024945, 0.08249144, 0.00519655, -0.37340167],
    [-0.08875065, 0.39166864, -0.02289784, 0.18104276, 0.04787398, -2.2509132],
    [-0.1059667, 0.57345051, -0.01485121, -0.00715242, 0.05757516, -3.6655835],
    [-0.0915567, 1.2787718, -0.00868135, 0.19982796, 0.08449838, -7.6138431],
    [-0.0932846, 1.3469616, -0.01790407, 0.21693885, 0.08095841, -7.0604782],
    [-0.14088069, 2.0700801, -0.00943265, 0.3219257, 0.10889408, -12.105751],
]


def test_anes96_gives_the_published_coefficients_and_log_likelihood(anes96, exact):
    X, y = anes96
    model = exact(alpha=0.0).fit(X, y)
    assert_allclose(contrasts(model), ANES96, rtol=1e-6, atol=2e-8)
    # Stata stopped 6.4e-8 below the maximum.
    assert_allclose(log_likelihood(model, X, y), -1461.922747312, rtol=0, atol=1e-7)


def test_intercepts_alone_give_the_published_null_log_likelihood(anes96, exact):
    _, y = anes96
    constant = np.zeros((len(y), 1))
    model = exact(alpha=0.0).fit(constant, y)
    assert_allclose(
        log_likelihood(model, constant, y), -1750.34670999, rtol=0, atol=1e-7
    )


# Of Stata's sysdsn1: white (251, 208, 36) and nonwhite (43, 69, 9) by outcome.
NONWHITE = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
OUTCOME = np.array([1, 2, 3, 1, 2, 3])
COUNTS = np.array([251.0, 208.0, 36.0, 43.0, 69.0, 9.0])


def test_weighted_counts_give_the_closed_form(exact):
    model = exact(alpha=0.0).fit(NONWHITE, OUTCOME, sample_weight=COUNTS)
    white, nonwhite = np.log(COUNTS[:3]), np.log(COUNTS[3:])
    const = (white - white[0])[1:]
    closed_form = np.column_stack([(nonwhite - nonwhite[0])[1:] - const, const])
    assert_allclose(contrasts(model), closed_form, rtol=1e-6)


@pytest.mark.parametrize("X", [NONWHITE, 0 * NONWHITE], ids=["model", "null"])
def test_weighted_counts_give_the_entropies_of_their_shares(exact, X):
    model = exact(alpha=0.0).fit(X, OUTCOME, sample_weight=COUNTS)
    found = log_likelihood(model, X, OUTCOME, COUNTS)
    table = COUNTS.reshape(2, 3)
    if not X.any():
        table = table.sum(axis=0, keepdims=True)
    shares = table / table.sum(axis=1, keepdims=True)
    assert_allclose(found, np.sum(table * np.log(shares)), rtol=1e-10)


# R's glmnet on Spark MLlib's multinomial test data; rows are classes, intercept last.
GLMNET_UNPENALISED = [
    [0.2509677, -0.0391594, 0.1476664, 0.3681082, -2.2449338],
    [-0.3327489, 0.8893666, -0.2306948, -0.4442330, 0.3778931],
    [0.0817812, -0.8502072, 0.0830284, 0.0761248, 1.8670407],
]
GLMNET_L2 = [
    [0.15715048, 0.01992903, 0.12428858, 0.22130317, -1.65488543],
    [-0.1974768, 0.2776373, -0.1869445, -0.2510320, 1.1297533],
    [0.04032627, -0.29756637, 0.06265594, 0.02972883, 0.52513212],
]


def test_glmnet_s_unpenalised_coefficients_are_ours(glmnet3, exact):
    X, y = glmnet3
    model = exact(alpha=0.0).fit(X, y)
    found = np.column_stack([model.coef_, model.intercept_])
    assert_allclose(found, GLMNET_UNPENALISED, rtol=0, atol=1e-5)


def test_glmnet_s_penalised_coefficients_are_ours(glmnet3, exact, objective):
    X, y = glmnet3
    model = exact(alpha=0.1).fit(X, y)
    published = np.array(GLMNET_L2)
    assert_allclose(model.coef_, published[:, :4], rtol=0, atol=2e-5)
    # glmnet stopped with the mean of p - y at 4e-6, and intercepts correct to 1e-4: ...
    assert_allclose(model.intercept_, published[:, 4], rtol=0, atol=1.1e-4)
    # ... our objective is the lower one.
    log_P = log_softmax(X @ published[:, :4].T + published[:, 4])
    theirs = -log_P[np.arange(len(y)), y].mean() + 0.05 * np.sum(published[:, :4] ** 2)
    assert 0 < theirs - objective(model, X, np.eye(3)[y]) < 1e-9


def test_spark_s_data_have_the_published_log_likelihood(glmnet3, exact):
    X, y = glmnet3
    model = exact(alpha=0.0).fit(X, y)
    assert_allclose(log_likelihood(model, X, y), -9882.163758, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("load", "optimum"),
    [
        (load_iris, 31.3787682608),
        (load_wine, 12.0903357739),
        (load_digits, 113.4799547803),
    ],
)
def test_the_optimum_of_a_standardised_set_has_ten_digits(
    exact, objective, load, optimum
):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    # Sum of cross-entropies + 1/2 ||W||^2 = n F(w) at alpha = 1/n.
    n = len(y)
    model = exact(alpha=1 / n).fit(X, y)
    found = n * objective(model, X, np.eye(len(set(y)))[y])
    assert_allclose(found, optimum, rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_quasi_separable_set_comes_to_its_limit():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionClassifier(alpha=0.0, max_iter=2000).fit(X, y)
    # The likelihood has a supremum, not a maximum; the coefficients run to infinity.
    assert_allclose(log_likelihood(model, X, y), -5.94927, rtol=0, atol=1e-4)


# From here on: the worked numbers of the notes.
LOGITS = np.array([5.0, 2.0, -1.0, 3.0])


def test_softmax_of_the_notes_example():
    assert_array_equal(np.round(softmax(LOGITS), 3), [0.842, 0.042, 0.002, 0.114])
    # The notes print .02 for the third entry; it is .0021.
    assert_array_equal(np.round(softmax(LOGITS)[2], 4), 0.0021)


def test_the_exponentials_of_the_notes_example_sum_to_176_3():
    exponentials = np.exp(LOGITS)
    assert_allclose(exponentials / softmax(LOGITS), 176.3, rtol=0, atol=0.05)
    assert_allclose(LOGITS - log_softmax(LOGITS), np.log(exponentials.sum()))


def test_hardmax_of_the_notes_example():
    assert_array_equal(hardmax(LOGITS), [1, 0, 0, 0])


def test_loss_of_the_notes_example():
    loss = cross_entropy([0.0, 1.0, 0.0, 0.0], [0.3, 0.2, 0.1, 0.4])
    assert np.ndim(loss) == 0
    assert_allclose(loss, -np.log(0.2), rtol=1e-15)


@pytest.mark.parametrize(
    "y", [[0.0, 1.0, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4]], ids=["hard", "soft"]
)
def test_the_derivative_of_the_loss_in_logit_space_is_p_minus_y(y):
    Y = np.tile(y, (4, 1))
    step = 1e-5 * np.eye(4)
    above = cross_entropy(Y, softmax(LOGITS + step))
    below = cross_entropy(Y, softmax(LOGITS - step))
    assert_allclose((above - below) / 2e-5, softmax(LOGITS) - y, rtol=0, atol=1e-9)


def parabola(w):
    """The notes' cost function, with its minimum at w = -5."""
    return w**2 + 10 * w + 25


@pytest.mark.parametrize("grad", [lambda w: 2 * w + 10, None], ids=["by hand", "none"])
def test_sgd_in_float32_prints_the_notes_minimum(grad):
    if grad is None:
        pytest.importorskip("scipy.differentiate", reason="comes with scipy 1.15")
    w = minimize(parabola, np.float32(0), SGD(learning_rate=0.01), 1000, grad=grad)
    assert w.dtype == np.float32
    assert str(w) == "-4.9999886"


def test_three_classes_without_hidden_layers_have_linear_boundaries():
    X, y = make_blobs(n_samples=150, centers=3, cluster_std=3.0, random_state=0)
    model = SoftmaxRegressionClassifier().fit(X, y)
    assert broken_chords(model, X) == 0


def test_a_hidden_layer_bends_the_boundaries():
    X, y = make_circles(n_samples=150, noise=0.05, factor=0.4, random_state=0)
    model = SoftmaxRegressionClassifier((10,), activation="tanh", solver="lbfgs")
    assert model.fit(X, y).score(X, y) == 1.0
    # Chords of the outer ring run through the disc of the inner class.
    assert broken_chords(model, X) > 0


def broken_chords(model, X):
    """Count pairs of one predicted class whose midpoint is given another class.

    Linear boundaries make every region an intersection of half-planes, thus convex.
    """
    first, second = np.triu_indices(len(X), k=1)
    predicted = model.predict(X)
    same = predicted[first] == predicted[second]
    middle = model.predict((X[first[same]] + X[second[same]]) / 2)
    return np.sum(middle != predicted[first[same]])
