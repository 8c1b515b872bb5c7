"""What the estimator promises in public: results, their shapes, and how fits go on."""

import pickle

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier

unfinished = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def wine_halves(wine):
    """Rows to train on and rows to validate with, noisy enough to be overfitted."""
    X, y = wine
    noisy = np.random.default_rng(0).random(len(y)) < 0.3
    y = np.where(noisy, (y + 1) % 3, y)
    return train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)


def network(sizes=(5,), **params):
    """A model whose mini-batches come in the order of the rows."""
    settings = {"solver": "adam", "random_state": 0, "shuffle": False} | params
    return SoftmaxRegressionClassifier(sizes, **settings)


def assert_same_parameters(model, expected):
    for found, array in zip(
        model.coefs_ + model.intercepts_,
        expected.coefs_ + expected.intercepts_,
        strict=True,
    ):
        assert_allclose(found, array, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_attributes_without_hidden_layers(wine, n_classes):
    X, y = wine
    model = SoftmaxRegressionClassifier()
    assert model.fit(X, y % n_classes) is model
    assert_array_equal(model.classes_, range(n_classes))
    assert model.coef_.shape == (n_classes, 13)
    assert model.intercept_.shape == (n_classes,)
    assert_allclose(model.coefs_[0], model.coef_.T, rtol=1e-12, atol=1e-15)
    assert_allclose(model.intercepts_[0], model.intercept_, rtol=1e-12, atol=1e-15)
    assert len(model.coefs_) == len(model.intercepts_) == 1
    assert model.n_features_in_ == 13
    assert isinstance(model.n_iter_, int)
    assert isinstance(model.solver_, str)
    assert model.converged_ is True
    assert 0 <= model.optimality_ <= 1e-8 * np.log(n_classes)


@unfinished
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_coefficients_and_intercepts_sum_to_zero_over_classes(rng, alpha, n_classes):
    X = rng.standard_normal((200, 3)) + np.array([0, 1, 100])
    y = rng.integers(n_classes, size=200)
    model = SoftmaxRegressionClassifier(alpha=alpha).fit(X, y)
    scale = np.abs(model.intercept_).max()
    assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)
    assert_allclose(model.intercept_.sum(), 0, atol=1e-12 * max(1, scale))


@unfinished
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
def test_attributes_with_hidden_layers(wine, n_classes, solver):
    X, y = wine
    model = SoftmaxRegressionClassifier((5, 4), solver=solver, max_iter=3)
    model.fit(X, y % n_classes)
    shapes = [(13, 5), (5, 4), (4, n_classes)]
    assert [W.shape for W in model.coefs_] == shapes
    assert [b.shape for b in model.intercepts_] == [(5,), (4,), (n_classes,)]
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "intercept_")
    assert model.solver_ == solver


@unfinished
@pytest.mark.parametrize("sizes", [5, [5], np.array([5])])
def test_hidden_layer_sizes_may_be_a_number_a_list_or_an_array(wine, sizes):
    model = SoftmaxRegressionClassifier(sizes, max_iter=2).fit(*wine)
    assert [W.shape for W in model.coefs_] == [(13, 5), (5, 3)]


@unfinished
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda z: np.maximum(z, 0)),
        ("tanh", np.tanh),
        ("logistic", scipy.special.expit),
        ("identity", lambda z: z),
        # Constants of Klambauer et al. (2017), Self-normalizing neural networks.
        (
            "selu",
            lambda z: (
                1.0507009873554805
                * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
            ),
        ),
        ("silu", lambda z: z * scipy.special.expit(z)),
    ],
)
def test_predictions_are_the_layers_applied_in_turn(wine, name, function):
    X, y = wine
    model = SoftmaxRegressionClassifier((5, 4), activation=name, max_iter=3)
    model.fit(X, y)
    Z = X
    for layer, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        Z = (Z if layer == 0 else function(Z)) @ W + b
    assert_allclose(model.decision_function(X), Z, rtol=1e-9, atol=1e-12)
    assert_allclose(model.predict_proba(X), scipy.special.softmax(Z, axis=1), rtol=1e-9)


@unfinished
@pytest.mark.parametrize("sizes", [(), (4,)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_agree_with_one_another(wine, sizes, n_classes):
    X, y = wine
    names = np.array(["a", "b", "c"])
    model = SoftmaxRegressionClassifier(sizes, max_iter=20).fit(X, names[y % n_classes])
    P, Z = model.predict_proba(X), model.decision_function(X)
    assert P.shape == (178, n_classes)
    assert_allclose(P.sum(axis=1), 1)
    assert_allclose(model.predict_log_proba(X), np.log(P), rtol=1e-9, atol=1e-15)
    assert_array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])
    if n_classes == 2:
        assert Z.shape == (178,)
        assert_allclose(P[:, 1], scipy.special.expit(Z))
        assert_array_equal(model.predict(X), model.classes_[(Z > 0).astype(int)])
    else:
        assert Z.shape == (178, n_classes)
        assert_allclose(P, scipy.special.softmax(Z, axis=1))


def test_score_is_weighted_accuracy(wine, rng):
    X, y = wine
    s = rng.random(178)
    model = SoftmaxRegressionClassifier(alpha=1.0).fit(X[:, :2], y)
    expected = accuracy_score(y, model.predict(X[:, :2]), sample_weight=s)
    assert model.score(X[:, :2], y, sample_weight=s) == expected < 1


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"],
        np.array(["no", "yes"], dtype=object),
        [False, True],
        [-3, 7],
        [-1.0, 2.0],
        np.array([200, 201], dtype=np.uint8),
        np.array(["1999-12-31", "2000-01-01"], dtype="datetime64[D]"),
    ],
    ids=["str", "object", "bool", "negative", "float", "uint8", "datetime64"],
)
@pytest.mark.parametrize("sizes", [(), (3,)])
def test_classes_are_sorted_labels_of_their_own_type(wine, labels, sizes):
    X, y = wine
    labels = np.asarray(labels)
    settings = {"solver": "lbfgs", "alpha": 0.1, "max_iter": 1000, "random_state": 0}
    model = SoftmaxRegressionClassifier(sizes, **settings)
    model.fit(X, labels[(y == 0).astype(int)])
    assert model.classes_.dtype == model.predict(X).dtype == labels.dtype
    assert_array_equal(model.classes_, labels)
    expected = SoftmaxRegressionClassifier(sizes, **settings).fit(X, y == 0)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(model.predict(X), labels[expected.predict(X).astype(int)])


@pytest.mark.parametrize("kind", ["category", "string", "object", "boolean", "Int64"])
def test_labels_of_pandas_types_are_labels(wine, kind):
    pandas = pytest.importorskip("pandas")
    X, y = wine
    plain = y == 0 if kind == "boolean" else y if kind == "Int64" else y.astype(str)
    model = SoftmaxRegressionClassifier().fit(X, pandas.Series(plain).astype(kind))
    expected = SoftmaxRegressionClassifier().fit(X, plain)
    assert_array_equal(model.predict(X), expected.predict(X))
    assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_a_frame_of_soft_labels_name_the_classes(wine, rng, library):
    frames = pytest.importorskip(library)
    X, _ = wine
    Y = rng.dirichlet(np.ones(3), size=178)
    frame = frames.DataFrame(dict(zip(["b", "c", "a"], Y.T, strict=True)))
    named = SoftmaxRegressionClassifier().fit(X, frame)
    plain = SoftmaxRegressionClassifier().fit(X, Y)
    assert_array_equal(plain.classes_, [0, 1, 2])
    assert_array_equal(named.classes_, ["a", "b", "c"])
    assert_allclose(named.predict_proba(X), plain.predict_proba(X)[:, [2, 0, 1]], 1e-4)


def test_class_weights_may_be_keyed_by_names(wine):
    X, y = wine
    names = np.array(["low", "mid", "top"])
    named = SoftmaxRegressionClassifier(class_weight={"mid": 5.0}).fit(X, names[y])
    plain = SoftmaxRegressionClassifier(class_weight={1: 5.0}).fit(X, y)
    assert_array_equal(named.coef_, plain.coef_)


@unfinished
@pytest.mark.parametrize(
    ("sizes", "solver"),
    [((), "auto"), ((), "lbfgs"), ((5,), "lbfgs"), ((5,), "adam"), ((5,), "sgd")],
)
def test_the_loss_curve_has_a_value_an_iteration_and_ends_at_the_loss(
    wine, objective, sizes, solver
):
    X, y = wine
    model = SoftmaxRegressionClassifier(
        sizes, solver=solver, max_iter=7, random_state=0
    )
    model.fit(X, y)
    assert len(model.loss_curve_) == model.n_iter_ <= 7
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    if solver in ("auto", "lbfgs"):
        assert_allclose(model.loss_, model.loss_curve_[-1])
        assert_allclose(model.loss_, objective(model, X, np.eye(3)[y]))


@unfinished
def test_validation_data_stop_the_training_at_their_best_loss(wine_halves):
    X, X_val, y, y_val = wine_halves
    model = network((20,), early_stopping=True, learning_rate_init=0.02, max_iter=500)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    curve = model.validation_loss_curve_
    assert len(curve) == len(model.loss_curve_) == model.n_iter_ < 500
    assert model.best_iter_ == np.argmin(curve) + 1
    assert model.n_iter_ == model.best_iter_ + model.n_iter_no_change
    # The parameters are those of the best epoch, not of the last.
    assert_allclose(log_loss(y_val, model.predict_proba(X_val)), min(curve))
    assert min(curve) < curve[-1]


@unfinished
def test_validation_weights_weigh_the_validation_loss(wine_halves, rng):
    X, X_val, y, y_val = wine_halves
    s = rng.uniform(0, 5, size=len(y_val))
    model = network((20,), early_stopping=True, learning_rate_init=0.02, max_iter=500)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=s)
    found = log_loss(y_val, model.predict_proba(X_val), sample_weight=s)
    assert_allclose(min(model.validation_loss_curve_), found)


@unfinished
def test_validation_labels_may_be_soft_and_of_fewer_classes(wine_halves):
    X, X_val, y, y_val = wine_halves
    settings = {"early_stopping": True, "max_iter": 5}
    hard = network((5,), **settings).fit(X, y, X_val=X_val, y_val=y_val)
    soft = network((5,), **settings).fit(X, y, X_val=X_val, y_val=np.eye(3)[y_val])
    assert_allclose(soft.validation_loss_curve_, hard.validation_loss_curve_)
    few = y_val != 2
    network((5,), **settings).fit(X, y, X_val=X_val[few], y_val=y_val[few])


@unfinished
def test_early_stopping_sets_a_fraction_of_the_rows_aside(wine_halves):
    X, _, y, _ = wine_halves
    settings = {"early_stopping": True, "learning_rate_init": 0.02, "max_iter": 500}
    model = network((20,), validation_fraction=0.3, **settings).fit(X, y)
    assert model.n_iter_ < 500
    assert len(model.validation_loss_curve_) == model.n_iter_
    assert model.best_iter_ == np.argmin(model.validation_loss_curve_) + 1


@unfinished
@pytest.mark.parametrize("sizes", [(), (5,)])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_continues_where_fit_stopped(wine, sizes, solver):
    settings = {"solver": solver, "batch_size": 32, "learning_rate": "constant"}
    # A fit keeps momentum and moments for the next one only if a warm start is planned.
    model = network(sizes, max_iter=1, warm_start=True, **settings).fit(*wine)
    for _ in range(3):
        assert model.partial_fit(*wine) is model
    assert_same_parameters(model, network(sizes, max_iter=4, **settings).fit(*wine))
    assert len(model.loss_curve_) == model.n_iter_ == 4


@unfinished
@pytest.mark.parametrize("sizes", [(), (5,)])
def test_partial_fit_from_nothing_is_fit(wine, sizes):
    model = network(sizes, alpha=1e-3)
    for _ in range(3):
        model.partial_fit(*wine, classes=[0, 1, 2])
    same = clone(model).set_params(max_iter=3, learning_rate="constant").fit(*wine)
    assert_same_parameters(model, same)


def test_partial_fit_without_hidden_layers_approaches_the_optimum(
    wine, objective, exact
):
    X, y = wine
    Y = np.eye(3)[y]
    model = SoftmaxRegressionClassifier(
        alpha=0.05, learning_rate_init=0.01, random_state=0
    )
    for _ in range(200):
        model.partial_fit(X, y, classes=[0, 1, 2])
    optimum = objective(exact(alpha=0.05).fit(X, y), X, Y)
    assert 0 < objective(model, X, Y) - optimum < 1e-3


def test_partial_fit_takes_batches_that_lack_a_class(wine):
    X, y = wine
    model = SoftmaxRegressionClassifier((5,), random_state=0)
    for k in range(3):
        rows = y == k
        model.partial_fit(X[rows], y[rows], classes=[2, 0, 1] if k == 0 else None)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (178, 3)


def test_partial_fit_takes_soft_labels_and_weights(wine, rng):
    X, _ = wine
    Y, s = rng.dirichlet(np.ones(3), size=178), rng.random(178)
    model = network(()).partial_fit(X, Y, sample_weight=s)
    assert_array_equal(model.classes_, [0, 1, 2])
    scaled = network(()).partial_fit(X, Y, sample_weight=10 * s)
    assert_same_parameters(model, scaled)


def test_solvers_of_whole_data_have_no_partial_fit():
    assert not hasattr(SoftmaxRegressionClassifier(solver="lbfgs"), "partial_fit")
    for solver in ("auto", "adam", "sgd"):
        assert hasattr(SoftmaxRegressionClassifier(solver=solver), "partial_fit")


@unfinished
@pytest.mark.parametrize("sizes", [(), (5,)])
def test_fit_starts_afresh(wine, sizes):
    model = network(sizes, max_iter=3).fit(*wine).partial_fit(*wine).fit(*wine)
    assert_same_parameters(model, network(sizes, max_iter=3).fit(*wine))
    assert model.n_iter_ == len(model.loss_curve_) == 3


def test_a_warm_start_at_the_optimum_has_nothing_to_do(wine):
    X, y = wine
    model = SoftmaxRegressionClassifier(warm_start=True).fit(X, y)
    cold, P = model.n_iter_, model.predict_proba(X)
    assert model.fit(X, y).n_iter_ <= 1 < cold
    assert_allclose(model.predict_proba(X), P, atol=1e-6)


def test_a_warm_start_reaches_the_same_optimum_in_fewer_iterations(wine, exact):
    X, y = wine
    model = exact(alpha=1e-2, warm_start=True).fit(X, y)
    model.set_params(alpha=0.9e-2).fit(X, y)
    cold = exact(alpha=0.9e-2).fit(X, y)
    assert model.n_iter_ < cold.n_iter_
    assert_allclose(model.coef_, cold.coef_, atol=2e-6)


@unfinished
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
def test_a_warm_start_with_hidden_layers_goes_on_from_the_last_loss(
    wine, objective, solver
):
    X, y = wine
    model = network((5,), solver=solver, warm_start=True, max_iter=5).fit(X, y)
    first = objective(model, X, np.eye(3)[y])
    second = objective(model.fit(X, y), X, np.eye(3)[y])
    cold = network((5,), solver=solver, max_iter=5).fit(X, y)
    assert second < first == pytest.approx(objective(cold, X, np.eye(3)[y]))


@unfinished
def test_dropout_is_for_training_only(wine):
    X, y = wine
    model = network((30,), dropout=0.4, learning_rate_init=0.01, max_iter=200).fit(X, y)
    assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    assert model.score(X, y) > 0.95
    plain = network((30,), learning_rate_init=0.01, max_iter=200).fit(X, y)
    assert not np.allclose(plain.coefs_[0], model.coefs_[0])


def test_one_convergence_warning_at_most(wine):
    with pytest.warns() as caught:
        network(max_iter=2, learning_rate="constant").fit(*wine)
    assert [warning.category for warning in caught] == [ConvergenceWarning]


@pytest.mark.parametrize("max_iter", [7, 12])
def test_a_cosine_schedule_runs_all_its_epochs_and_ends_converged(wine, max_iter):
    model = network((5,), max_iter=max_iter, tol=1e9, n_iter_no_change=2).fit(*wine)
    assert model.n_iter_ == len(model.loss_curve_) == max_iter
    assert model.converged_


def test_auto_is_sixty_epochs(wine):
    assert network((5,)).fit(*wine).n_iter_ == 60


def test_predictions_need_a_fit(wine):
    with pytest.raises(NotFittedError):
        SoftmaxRegressionClassifier().predict_proba(wine[0])


def test_a_clone_has_the_parameters_and_nothing_else(wine):
    model = SoftmaxRegressionClassifier((3,), alpha=0.5, solver="lbfgs", tol=1e-3)
    copy = clone(model.fit(*wine))
    assert copy.get_params() == model.get_params()
    assert vars(copy).keys() == model.get_params().keys()


@unfinished
@pytest.mark.parametrize("sizes", [(), (5,)])
def test_a_pickle_predicts_the_same_and_goes_on_the_same(wine, sizes):
    X, y = wine
    model = network(sizes, max_iter=3, warm_start=True).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert_same_parameters(copy.partial_fit(X, y), model.partial_fit(X, y))


@unfinished
@pytest.mark.parametrize("sizes", [(), (5,)])
def test_the_fitted_state_is_small_and_plain(wine, sizes):
    X, y = wine
    model = SoftmaxRegressionClassifier(sizes, max_iter=3, random_state=0).fit(X, y)
    twice = clone(model).fit(np.tile(X, (2, 1)), np.tile(y, 2))
    assert abs(len(pickle.dumps(twice)) - len(pickle.dumps(model))) < 200
    fitted = {k: v for k, v in vars(model).items() if k not in model.get_params()}
    assert all(is_plain(value) for value in fitted.values())


def is_plain(value):
    """Whether a value is made of arrays, strings and numbers alone."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return isinstance(value, np.ndarray | np.generic | str | float | int | None)


@pytest.mark.parametrize(
    "settings",
    [{"solver": "newton"}, {"solver": "lbfgs"}, {"l1_ratio": 1.0}],
    ids=["newton", "lbfgs", "prox-newton"],
)
@pytest.mark.parametrize("unit", [1e2, 1e3, 1e8])
def test_a_warm_start_that_is_certain_and_wrong_is_no_worse_than_a_cold_one(
    rng, settings, unit
):
    """As from weights of features in other units; there is no curvature to go by."""
    X, y = rng.standard_normal((40, 5)), np.arange(40) % 3
    cold = SoftmaxRegressionClassifier(alpha=0.01, **settings).fit(X, y)
    warm = clone(cold).set_params(warm_start=True).fit(X, y)
    warm.coefs_[0][:] = unit * rng.standard_normal((5, 3))
    warm.intercepts_[0][:] = [10.0 * unit, 0.0, 0.0]
    warm.fit(X, y)  # a warning would be an error
    assert_allclose(warm.loss_, cold.loss_, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sizes", [(), (3,)], ids=str)
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_rows_too_large_for_finite_logits_are_named(rng, sizes, method):
    X, y = 1e-3 * rng.standard_normal((40, 5)), np.arange(40) % 3
    settings = {"activation": "identity", "solver": "lbfgs", "alpha": 1e-9}
    model = SoftmaxRegressionClassifier(sizes, random_state=0, **settings)
    model.fit(X, y)
    X[7] = 1e308 * np.sign(X[7])
    with pytest.raises(ValueError, match="X is too large in row 7"):
        getattr(model, method)(X)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam"])
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_the_last_validation_score_of_two_classes_is_the_score(rng, solver):
    X = rng.normal(size=(300, 4))
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    model = SoftmaxRegressionClassifier(solver=solver, max_iter=20, random_state=0)
    model.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    last = model.validation_score_curve_[-1]
    assert_allclose(model.score(X[200:], y[200:]), last)
