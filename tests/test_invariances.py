"""What must not change the answer, and what must change it in a known way."""

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_array, csr_array, csr_matrix
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, log_softmax

N, K = 120, 3


@pytest.fixture
def problem(rng):
    """Features of unequal scale, some of them zero, and noisy labels."""
    X = rng.standard_normal((N, 4)) * [1, 10, 0.1, 3] + [0, 5, 0, -2]
    X[rng.random((N, 4)) < 0.3] = 0
    y = np.argmax(X[:, :3] + rng.gumbel(size=(N, 3)) * [1, 2, 1], axis=1)
    return X, y


def fit_few_steps(X, y, sizes=(), fit_intercept=True, **data):
    """A few full-batch steps on a network with a fixed start: a short, smooth path."""
    model = SoftmaxRegressionClassifier(
        sizes,
        activation="tanh",
        solver="lbfgs",
        max_iter=10,
        tol=1e-15,
        random_state=3,
        fit_intercept=fit_intercept,
    )
    return model.fit(X, y, **data)


def fit_tightly(X, y, sizes=(), **data):
    """The optimum where there is one; a few equal steps with hidden layers."""
    if sizes:
        return fit_few_steps(X, y, sizes, **data)
    return SoftmaxRegressionClassifier(tol=1e-12, max_iter=10_000).fit(X, y, **data)


def assert_same_model(model, expected, rtol=1e-5):
    """Every array of parameters is the same."""
    assert_array_equal(model.classes_, expected.classes_)
    for found, array in zip(
        model.coefs_ + model.intercepts_,
        expected.coefs_ + expected.intercepts_,
        strict=True,
    ):
        assert_allclose(found, array, rtol=rtol, atol=rtol)


# With a hidden layer the ten steps end short of the optimum, as they should.
few_steps_warn = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)
with_and_without_hidden_layers = pytest.mark.parametrize(
    "sizes", [(), (4,)], ids=["linear", "hidden"]
)


def long_indices(X):
    X = csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@few_steps_warn
@with_and_without_hidden_layers
@pytest.mark.parametrize(
    "store", [csr_matrix, csr_array, csc_array, long_indices, np.asfortranarray]
)
def test_the_way_x_is_stored_does_not_change_the_model(problem, store, sizes):
    X, y = problem
    # Hidden layers see dense features centred and sparse ones not, but where there are
    # no intercepts, and with no zeros in X, both are divided by the root mean square.
    settings = {}
    if sizes:
        X, settings = np.where(X == 0, 0.1, X), {"fit_intercept": False}
    model = fit_tightly(store(X), y, sizes, **settings)
    expected = fit_tightly(X, y, sizes, **settings)
    assert_same_model(model, expected)
    assert_allclose(model.predict_proba(store(X)), model.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@few_steps_warn
def test_mini_batches_of_sparse_rows_are_those_of_dense_rows(problem, solver):
    X, y = problem
    settings = {"solver": solver, "max_iter": 5, "batch_size": 16, "random_state": 0}
    # Without intercepts and zeros, hidden layers see dense and sparse features alike.
    X, settings["fit_intercept"] = np.where(X == 0, 0.1, X), False
    dense = SoftmaxRegressionClassifier((4,), **settings).fit(X, y)
    sparse = SoftmaxRegressionClassifier((4,), **settings).fit(csr_array(X), y)
    assert_same_model(sparse, dense)


@few_steps_warn
@with_and_without_hidden_layers
def test_weights_act_as_repeated_rows(problem, rng, sizes):
    X, y = problem
    times = rng.integers(0, 4, size=N)
    weighted = fit_tightly(X, y, sizes, sample_weight=times)
    repeated = fit_tightly(np.repeat(X, times, axis=0), np.repeat(y, times), sizes)
    assert_same_model(weighted, repeated)


@few_steps_warn
@with_and_without_hidden_layers
def test_only_the_ratios_of_weights_count(problem, rng, sizes):
    X, y = problem
    s = rng.uniform(0.5, 2, size=N)
    expected = fit_tightly(X, y, sizes, sample_weight=s)
    for factor in (1e-6, 1e6, 1e-290, 1e190):
        model = fit_tightly(X, y, sizes, sample_weight=factor * s)
        assert_same_model(model, expected)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@few_steps_warn
def test_mini_batches_take_weights_below_the_normal_numbers(problem, solver):
    X, y = problem
    settings = {"solver": solver, "max_iter": 3, "random_state": 0}
    expected = SoftmaxRegressionClassifier((4,), **settings).fit(X, y)
    model = SoftmaxRegressionClassifier((4,), **settings)
    assert_same_model(model.fit(X, y, sample_weight=np.full(N, 2.0**-1040)), expected)


@few_steps_warn
@with_and_without_hidden_layers
def test_rows_of_weight_zero_act_as_removed_rows(problem, rng, sizes):
    X, y = problem
    keep = rng.random(N) < 0.7
    junk = np.where(keep[:, None], X, 1e3)
    weighted = fit_tightly(junk, y, sizes, sample_weight=keep.astype(float))
    assert_same_model(weighted, fit_tightly(X[keep], y[keep], sizes))


def test_a_class_without_weight_keeps_a_column_of_negligible_probability(
    problem, exact
):
    X, y = problem
    model = exact().fit(X, y, sample_weight=(y != 1).astype(float))
    others = exact().fit(X[y != 1], y[y != 1])
    assert_array_equal(model.classes_, [0, 1, 2])
    assert_array_equal(model.coef_[1], 0)
    P = model.predict_proba(100 * X)
    assert np.all(P[:, 1] <= 2.3e-16)
    assert_allclose(P[:, [0, 2]], others.predict_proba(100 * X), atol=1e-4)
    assert_allclose(model.coef_[[0, 2]], others.coef_, rtol=1e-5)
    assert_allclose(model.intercept_.sum(), 0, atol=1e-12)


def test_new_names_of_the_classes_permute_the_columns(problem, exact):
    X, y = problem
    names = np.array(["middle", "small", "large"])
    model = exact().fit(X, y)
    renamed = exact().fit(X, names[y])
    order = np.argsort(names)
    assert_array_equal(renamed.classes_, names[order])
    assert_allclose(renamed.coef_, model.coef_[order], rtol=1e-5, atol=1e-7)
    assert_allclose(renamed.intercept_, model.intercept_[order], rtol=1e-5, atol=1e-7)
    assert_array_equal(renamed.predict(X), names[model.predict(X)])


def test_the_order_of_rows_does_not_matter(problem, exact, rng):
    X, y = problem
    s = rng.random(N)
    order = rng.permutation(N)
    shuffled = exact().fit(X[order], y[order], sample_weight=s[order])
    assert_same_model(shuffled, exact().fit(X, y, sample_weight=s))


def stacked(X, Y, s):
    """Every row once per class, with the class as label and weight s_i y_ik."""
    n, n_classes = Y.shape
    labels = np.repeat(np.arange(n_classes), n)
    return np.tile(X, (n_classes, 1)), labels, (s[:, None] * Y).T.ravel()


@few_steps_warn
@with_and_without_hidden_layers
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 2: 0.5}])
@pytest.mark.parametrize("weighted", [True, False])
def test_soft_labels_act_as_stacked_hard_labels(
    problem, rng, class_weight, weighted, sizes
):
    X, _ = problem
    Y = rng.dirichlet([0.5, 1.0, 2.0], size=N)
    s = rng.uniform(0.1, 3, size=N) if weighted else np.ones(N)
    settings = {"class_weight": class_weight, "random_state": 0, "tol": 1e-12}
    settings |= {"solver": "lbfgs", "max_iter": 10} if sizes else {"max_iter": 10_000}
    model = SoftmaxRegressionClassifier(sizes, **settings)
    soft = model.fit(X, Y, sample_weight=s if weighted else None)
    hard = SoftmaxRegressionClassifier(sizes, **settings)
    X_rows, labels, weights = stacked(X, Y, s)
    hard.fit(X_rows, labels, sample_weight=weights)
    assert_same_model(soft, hard)


@few_steps_warn
@with_and_without_hidden_layers
def test_soft_labels_of_zeros_and_ones_act_as_labels(problem, sizes):
    X, y = problem
    soft = fit_tightly(X, np.eye(K)[y], sizes)
    assert_same_model(soft, fit_tightly(X, y, sizes))


@few_steps_warn
@with_and_without_hidden_layers
def test_label_smoothing_acts_as_smoothed_soft_labels(problem, sizes):
    X, y = problem
    settings = {"solver": "lbfgs", "max_iter": 5, "random_state": 0}
    model = SoftmaxRegressionClassifier(sizes, label_smoothing=0.1, **settings)
    smooth = 0.9 * np.eye(K)[y] + 0.1 / K
    expected = SoftmaxRegressionClassifier(sizes, **settings).fit(X, smooth)
    assert_same_model(model.fit(X, y), expected)


@pytest.mark.parametrize("share", [1e-8, 1e-6, 1e-3, 0.1])
def test_smoothed_labels_that_features_separate_have_a_finite_optimum(share):
    """Probabilities are the shares there: slopes of log((2 - share) / share) / 2."""
    model = SoftmaxRegressionClassifier(alpha=0, label_smoothing=share, tol=0)
    model.fit([[-1.0], [1.0]], [0, 1])  # a SeparationWarning would be an error
    assert model.converged_
    slope = np.log((2.0 - share) / share) / 2.0
    assert_allclose(model.coef_, [[-slope], [slope]], rtol=1e-4)


@pytest.fixture(scope="module")
def trained_by_batch_size():
    """Objective and squared norm, at three batch sizes, of nets trained to the end."""
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    results = {}
    for batch_size in (10, 50, 150):
        model = SoftmaxRegressionClassifier(
            (6,),
            # A linear hidden layer: no local minima that a start could fall into.
            activation="identity",
            alpha=0.02,
            solver="adam",
            batch_size=batch_size,
            # Steps that shrink, so that mini-batches settle instead of rattling on.
            learning_rate="invscaling",
            learning_rate_init=0.2,
            max_iter=600,
            n_iter_no_change=600,
            tol=0.0,
            random_state=0,
        ).fit(X, y)
        results[batch_size] = model, X, np.eye(K)[y]
    return results


@few_steps_warn
def test_the_effect_of_alpha_does_not_depend_on_the_batch_size(
    trained_by_batch_size, objective
):
    norms = [
        np.sqrt(sum(np.sum(W**2) for W in model.coefs_))
        for model, _, _ in trained_by_batch_size.values()
    ]
    values = [objective(*trained) for trained in trained_by_batch_size.values()]
    # A penalty divided by the rows of the batch changes the norm by a factor of two.
    assert_allclose(norms, norms[-1], rtol=0.005)
    assert_allclose(values, values[-1], rtol=0.005)


@few_steps_warn
def test_mini_batches_reach_the_optimum_of_a_linear_hidden_layer(
    trained_by_batch_size, objective
):
    # min over W1 W2 = M of alpha/2 (||W1||^2 + ||W2||^2) is alpha times the nuclear
    # norm of M, so that the optimality of M has a condition without W1 and W2: the
    # gradient in M has spectral norm alpha, and its product with M is -alpha ||M||_*.
    model, X, Y = trained_by_batch_size[150]
    M = model.coefs_[0] @ model.coefs_[1]
    grad = X.T @ (model.predict_proba(X) - Y) / len(X)
    alpha = model.alpha
    assert_allclose(np.linalg.norm(grad, 2), alpha, rtol=0.01)
    assert_allclose(np.sum(grad * M), -alpha * np.linalg.norm(M, "nuc"), rtol=0.01)


@few_steps_warn
@with_and_without_hidden_layers
@pytest.mark.parametrize("n_classes", [2, 3])
def test_logits_of_ten_thousand_have_finite_log_probabilities(
    problem, n_classes, sizes
):
    X, y = problem
    model = fit_few_steps(X, y % n_classes, sizes)
    if sizes:
        # A bounded activation bounds the logits: it is the last layer that grows.
        model.coefs_[-1] = 1e5 * model.coefs_[-1]
    else:
        X = 1e5 * X
    Z = model.decision_function(X)
    assert np.abs(Z).max() > 1e4
    if n_classes == 2:
        Z = np.column_stack([-Z / 2, Z / 2])
    log_P = model.predict_log_proba(X)
    assert np.isfinite(log_P).all()
    assert_allclose(log_P, scipy.special.log_softmax(Z, axis=1), rtol=1e-9, atol=1e-9)
    assert_allclose(model.predict_proba(X), np.exp(log_P), rtol=1e-9)


def test_log_softmax_of_ten_thousand_is_finite():
    assert_array_equal(log_softmax([1e4, 0.0, -1e4]), [0.0, -1e4, -2e4])
    assert_array_equal(log_softmax(np.float32([1e4, 0.0, -1e4])), [0.0, -1e4, -2e4])


def test_features_of_ten_thousand_are_fitted_without_overflow(problem):
    X, y = problem
    model = SoftmaxRegressionClassifier(max_iter=10_000).fit(1e4 * X, y)
    assert model.converged_
    assert np.isfinite(model.predict_log_proba(1e4 * X)).all()


@few_steps_warn
@with_and_without_hidden_layers
@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "adam"])
def test_single_precision_stays_single_precision(problem, store, solver, sizes):
    X, y = problem
    settings = {"solver": solver, "random_state": 0, "alpha": 0.1, "max_iter": 50}
    X_single = store(X.astype(np.float32))
    model = SoftmaxRegressionClassifier(sizes, **settings).fit(X_single, y)
    assert {array.dtype for array in model.coefs_ + model.intercepts_} == {
        np.dtype(np.float32)
    }
    outputs = (model.predict_proba, model.predict_log_proba, model.decision_function)
    assert all(output(X_single).dtype == np.float32 for output in outputs)
    double = SoftmaxRegressionClassifier(sizes, **settings).fit(store(X), y)
    assert double.predict_proba(store(X)).dtype == np.float64
    assert_allclose(
        model.predict_proba(X_single), double.predict_proba(store(X)), atol=5e-3
    )


@few_steps_warn
@with_and_without_hidden_layers
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("store", [np.array, np.asfortranarray, csr_array])
def test_what_is_fitted_may_be_read_only_and_is_not_changed(
    problem, rng, store, solver, sizes
):
    X, _ = problem
    X, Y, s = store(X), rng.dirichlet(np.ones(K), size=N), rng.random(N)
    arrays = [Y, s, *((X.data, X.indices, X.indptr) if store is csr_array else (X,))]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    model = SoftmaxRegressionClassifier(
        sizes, solver=solver, class_weight="balanced", max_iter=3, random_state=0
    )
    model.fit(X, Y, sample_weight=s)
    model.predict_proba(X)
    model.set_params(class_weight={0: 2.0})
    if hasattr(model, "partial_fit"):
        model.partial_fit(X, Y, sample_weight=s)
    for array, copy in zip(arrays, copies, strict=True):
        assert_array_equal(array, copy)


def test_random_state_has_no_effect_without_hidden_layers(problem):
    X, y = problem
    models = [
        SoftmaxRegressionClassifier(random_state=seed).fit(X, y)
        for seed in (0, 1, None)
    ]
    for model in models[1:]:
        assert_array_equal(model.coef_, models[0].coef_)
        assert_array_equal(model.intercept_, models[0].intercept_)


@few_steps_warn
@pytest.mark.parametrize(
    ("solver", "dropout"),
    [("lbfgs", 0.0), ("adam", 0.0), ("adam", 0.3), ("sgd", 0.0), ("sgd", 0.3)],
)
def test_one_random_state_gives_one_network_to_the_last_bit(solver, dropout):
    X, y = load_wine(return_X_y=True)
    settings = {"solver": solver, "dropout": dropout, "max_iter": 5}
    first, again, other = (
        SoftmaxRegressionClassifier((5,), random_state=seed, **settings).fit(X, y)
        for seed in (7, 7, 8)
    )
    for a, b, c in zip(first.coefs_, again.coefs_, other.coefs_, strict=True):
        assert_array_equal(a, b)
        assert not np.array_equal(a, c)


@few_steps_warn
def test_fit_does_not_touch_the_global_generator(problem):
    X, y = problem
    before = np.random.get_state()[1].copy()
    SoftmaxRegressionClassifier((2,), solver="lbfgs", random_state=0).fit(X, y)
    assert_array_equal(np.random.get_state()[1], before)
