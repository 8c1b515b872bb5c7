"""Hidden layers as users meet them: raw features, early stopping, divergence."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


def network(sizes=(20,), **params):
    settings = {"learning_rate_init": 0.02, "max_iter": 60, "random_state": 0}
    return SoftmaxRegressionClassifier(sizes, **(settings | params))


# Raw features


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "newton"])
def test_raw_features_are_as_good_as_scaled_ones(wine, solver):
    model = network(solver=solver, learning_rate_init=0.05)
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    assert (
        cross_val_score(model, *wine).mean()
        > cross_val_score(linear, *wine).mean() - 0.03
    )


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "newton"])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_units_of_the_features_do_not_change_predictions(wine, rng, solver, form):
    X, y = wine
    units = 10.0 ** rng.integers(-6, 6, size=X.shape[1])
    shift = 0.0 if form is csr_array else 3.0 * units
    settings = {"solver": solver, "max_iter": 5, "tol": 0.0}
    P = network(**settings).fit(form(X), y).predict_proba(form(X))
    other = form(X * units + shift)
    assert_allclose(
        network(**settings).fit(other, y).predict_proba(other), P, atol=1e-6
    )


def test_single_precision_with_offsets_is_as_good_as_double(wine):
    X, y = wine
    X = StandardScaler().fit_transform(X) + 1e3
    double = network().fit(X, y)
    single = network().fit(X.astype(np.float32), y)
    assert single.coefs_[0].dtype == np.float32
    P = single.predict_proba(X.astype(np.float32))
    assert_allclose(P, double.predict_proba(X), atol=5e-2)
    assert single.score(X.astype(np.float32), y) > 0.97


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_constant_features_get_zero_weights(wine, form):
    X = np.column_stack(
        [wine[0], np.full(len(wine[0]), 0.0 if form is csr_array else 7)]
    )
    model = network().fit(form(X), wine[1])
    assert_array_equal(model.coefs_[0][-1], np.zeros(20))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_rows_of_weight_zero_are_as_if_they_were_not_there(wine, solver):
    X, y = wine
    X = np.vstack([X, 1e6 + X[:20]])
    y = np.append(y, y[:20])
    s = np.append(np.ones(len(y) - 20), np.zeros(20))
    model = network(solver=solver, max_iter=4).fit(X, y, sample_weight=s)
    expected = network(solver=solver, max_iter=4).fit(X[:-20], y[:-20])
    for found, array in zip(model.coefs_, expected.coefs_, strict=True):
        assert_array_equal(found, array)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_keeps_the_transformation_of_its_first_batch(wine, solver):
    X, y = wine
    model = network(solver=solver).partial_fit(X[::2], y[::2], classes=[0, 1, 2])
    held = [array.copy() for array in model._state["scaling"]]
    for _ in range(60):
        model.partial_fit(X[1::2], y[1::2])
    assert_array_equal(model._state["scaling"], held)
    assert model.score(X, y) > 0.95


def test_partial_fit_learns_row_by_row_where_the_first_has_no_spread(wine):
    X, y = wine
    X = StandardScaler().fit_transform(X)
    model = network(learning_rate_init=0.005)
    for i in np.random.default_rng(0).permutation(np.repeat(np.arange(len(y)), 3)):
        model.partial_fit(X[[i]], y[[i]], classes=[0, 1, 2])
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_validation_data_may_be_sparse_where_the_training_data_are_dense(wine, solver):
    X, y = wine
    model = network(solver=solver, max_iter=5)
    dense = clone(model).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    model.fit(X[::2], y[::2], X_val=csr_array(X[1::2]), y_val=y[1::2])
    assert_allclose(model.validation_loss_curve_, dense.validation_loss_curve_)


@pytest.mark.parametrize("in_batches", [False, True])
def test_a_training_on_dense_rows_goes_on_with_sparse_ones(wine, in_batches):
    X, y = wine
    sparse = csr_array(X)
    settings = {"warm_start": True, "max_iter": 5, "shuffle": False}
    one, other = (network(**settings).fit(X, y) for _ in range(2))
    one.fit(X, y).partial_fit(X, y)
    other.fit([(sparse, y)]) if in_batches else other.fit(sparse, y)
    other.partial_fit(sparse, y)
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-6)


def test_a_training_that_goes_on_without_intercepts_has_none(wine):
    model = network(alpha=1e-3, warm_start=True).fit(*wine)
    model.set_params(fit_intercept=False)
    model.fit(*wine)
    assert not any(b.any() for b in model.intercepts_)
    log_P = model.predict_log_proba(wine[0])
    loss = -log_P[np.arange(log_P.shape[0]), wine[1]].mean()
    assert abs(loss - model.loss_) < 0.05  # the mean over the last epoch, and after it


# Early stopping


def test_curves_of_early_stopping_have_an_entry_an_epoch(wine):
    model = network(early_stopping=True, n_iter_no_change=5).fit(*wine)
    curves = (
        model.loss_curve_,
        model.validation_loss_curve_,
        model.validation_score_curve_,
    )
    assert [len(curve) for curve in curves] == [model.n_iter_] * 3
    assert model.best_iter_ == np.argmin(model.validation_loss_curve_) + 1


def test_the_best_epoch_comes_back_with_its_loss_and_score(wine):
    X, y = wine
    model = network(early_stopping=True)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    log_P = model.predict_log_proba(X[1::2])
    loss = -log_P[np.arange(len(log_P)), y[1::2]].mean()
    best = model.best_iter_ - 1
    assert_allclose(loss, model.validation_loss_curve_[best], rtol=1e-6)
    assert_allclose(model.score(X[1::2], y[1::2]), model.validation_score_curve_[best])


def test_partial_fit_refuses_early_stopping(wine):
    model = network(early_stopping=True)
    with pytest.raises(ValueError, match="early_stopping=False"):
        model.partial_fit(*wine, classes=[0, 1, 2])
    assert not hasattr(model, "coefs_")


def test_a_warm_start_holds_out_the_same_rows(wine):
    settings = {"early_stopping": True, "warm_start": True, "random_state": None}
    np.random.seed(0)  # what random_state=None draws from
    model = network(**settings, max_iter=40).fit(*wine)
    best = min(model.validation_loss_curve_)
    model.fit(*wine)
    # Other rows would have been trained on, and their loss lower or higher by far.
    assert_allclose(model.validation_loss_curve_[0], best, atol=0.02)


def test_a_class_of_two_rows_stays_in_training(wine):
    X, y = wine
    rows = np.r_[:59, 59:130, 176:178]
    model = network(early_stopping=True, max_iter=3).fit(X[rows], y[rows])
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.coefs_[-1].shape == (20, 3)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_to_look_at_validation_data_does_not_change_the_training(wine, solver):
    """Nor does it end, or is it called diverged, where it overfits them."""
    X, y = wine
    noisy = np.random.default_rng(0).permutation(y[1::2])
    model = network(solver=solver, learning_rate="constant", max_iter=30)
    blind = clone(model).fit(X[::2], y[::2])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X[::2], y[::2], X_val=X[1::2], y_val=noisy)
    assert not any("diverged" in str(w.message) for w in caught)
    assert model.loss_curve_ == blind.loss_curve_
    assert model.validation_loss_curve_[-1] > 1.5 * model.validation_loss_curve_[0]
    for one, other in zip(model.coefs_, blind.coefs_, strict=True):
        assert_array_equal(one, other)


# Divergence


@pytest.mark.parametrize(
    ("solver", "rate"), [("sgd", 1e6), ("sgd", 1e30), ("adam", 1e200)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_divergence_is_one_warning_and_finite_coefficients(
    wine, solver, rate, dtype, early_stopping
):
    X, y = wine
    model = network(
        solver=solver, learning_rate_init=rate, early_stopping=early_stopping, tol=0.0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X.astype(dtype), y)
    assert [w.category for w in caught] == [ConvergenceWarning]
    assert "learning rate was too large" in str(caught[0].message)
    assert "lower learning_rate_init" in str(caught[0].message)
    assert all(np.isfinite(a).all() for a in model.coefs_ + model.intercepts_)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("sizes", [(), (5,)], ids=str)
def test_a_batch_that_diverges_is_told_and_does_not_spoil_the_next(wine, solver, sizes):
    X = StandardScaler().fit_transform(wine[0])
    settings = {"solver": solver, "learning_rate_init": 1e-3}
    model, spared = network(sizes, **settings), network(sizes, **settings)
    for each in (model, spared):
        each.partial_fit(X, wine[1], classes=[0, 1, 2])
    with pytest.warns(ConvergenceWarning, match="learning rate was too large"):
        model.partial_fit(1e200 * X, wine[1])
    for each in (model, spared):
        each.partial_fit(X, wine[1])
    assert model.loss_ == spared.loss_
    assert_array_equal(model.coefs_[0], spared.coefs_[0])


def test_a_warm_start_after_a_divergence_does_not_go_on_with_its_velocity(wine):
    X = StandardScaler().fit_transform(wine[0])
    model = network((), solver="sgd", learning_rate_init=1e4, warm_start=True)
    model.fit(X, wine[1])
    model.set_params(learning_rate_init=1e-2, max_iter=20).fit(X, wine[1])
    assert model.loss_ < 0.2


def test_a_batch_larger_than_the_data_is_clipped_with_a_warning(wine):
    with pytest.warns(UserWarning, match="batch_size=500 .* batch_size=178"):
        network(batch_size=500, max_iter=2).fit(*wine)


# Sizes and bits


def test_a_pickle_is_hardly_larger_than_the_parameters():
    X, y = load_digits(return_X_y=True)
    model = network((300, 100), max_iter=1, early_stopping=True).fit(X, y)
    size = sum(array.nbytes for array in model.coefs_ + model.intercepts_)
    assert len(pickle.dumps(model)) <= 1.2 * size + 10_000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_do_not_depend_on_the_number_of_threads(dtype):
    X, y = load_digits(return_X_y=True)
    X = X.astype(dtype)
    models = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            model = network((256, 128), max_iter=2, early_stopping=True, dropout=0.2)
            models.append(model.fit(X, y))
    for one, other in zip(models[0].coefs_, models[1].coefs_, strict=True):
        assert_array_equal(one, other)


def test_a_penalty_of_the_start_that_is_large_is_no_divergence():
    model = SoftmaxRegressionClassifier((16,), alpha=10.0, random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(*load_iris(return_X_y=True))
    assert "diverged" not in str(caught[0].message)
    assert model.loss_ == model.loss_curve_[-1] < 0.1 * model.loss_curve_[0]


def test_a_training_that_goes_on_near_its_end_may_rise_a_little(wine):
    settings = {"dropout": 0.5, "learning_rate": "constant", "warm_start": True}
    model = network((16,), **settings)
    for _ in range(5):
        model.fit(*wine)
        assert model.loss_ == model.loss_curve_[-1]


def test_a_warm_start_recovers_from_a_rate_far_too_large(wine):
    model = network((8,), solver="sgd", learning_rate_init=100.0, warm_start=True)
    model.fit(*wine)
    assert np.isfinite(model.loss_)  # of the start
    model.set_params(learning_rate_init=1e-2, max_iter=60)
    assert model.fit(*wine).score(*wine) > 0.9


def test_validation_data_of_one_class_have_curves_too(wine):
    X = wine[0]
    y = np.zeros(len(X))
    model = SoftmaxRegressionClassifier().fit(X[::2], y[::2], X_val=X, y_val=y)
    assert model.validation_loss_curve_ == [0.0]
    assert model.validation_score_curve_ == [1.0]


@pytest.mark.parametrize("rate", [10.0, 1e10])
def test_a_rate_so_large_that_nothing_is_learned_is_told(rate):
    X, y = load_wine(return_X_y=True)
    settings = {"alpha": 1e-3, "learning_rate_init": rate, "random_state": 0}
    model = SoftmaxRegressionClassifier((20,), **settings)
    with pytest.warns(ConvergenceWarning, match="lower learning_rate_init"):
        model.fit(X, y)
    assert not model.converged_
    assert all(np.isfinite(W).all() for W in model.coefs_)


def test_a_rate_so_small_that_nothing_is_learned_is_not_called_done():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegressionClassifier((20,), learning_rate_init=1e-6, random_state=0)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        model.fit(X, y)


def test_the_optimizer_goes_on_when_the_precision_of_x_alternates(rng):
    X = rng.normal(size=(120, 4)).astype(np.float32)
    y = (X[:, :3] + rng.gumbel(size=(120, 3))).argmax(axis=1)
    double, mixed = network(), network()
    for number in range(10):
        double.partial_fit(X.astype(np.float64), y, classes=[0, 1, 2])
        mixed.partial_fit(
            X.astype(np.float32 if number % 2 else np.float64), y, classes=[0, 1, 2]
        )
    assert mixed._state["step"] == double._state["step"]
    assert_allclose(mixed.loss_curve_, double.loss_curve_, rtol=1e-3)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("n_rows", [150, 700])
def test_the_penalty_is_a_prior_that_does_not_depend_on_the_rows(solver, n_rows):
    X, y = load_digits(return_X_y=True)
    s = np.ones(len(y))
    s[n_rows:] = 0.0  # as if they were not there
    automatic = network((4,), solver=solver, max_iter=3)
    automatic.fit(X, y, s)
    given = clone(automatic).set_params(alpha=min(3 / n_rows, 1e-2)).fit(X, y, s)
    assert automatic.alpha == "auto"
    assert automatic.alpha_ == given.alpha_ == min(3 / n_rows, 1e-2)
    for one, other in zip(automatic.coefs_, given.coefs_, strict=True):
        assert_array_equal(one, other)


def test_the_penalty_has_one_default_without_hidden_layers(wine):
    assert SoftmaxRegressionClassifier().fit(*wine).alpha_ == 1e-3
    assert SoftmaxRegressionClassifier(alpha=0.5).fit(*wine).alpha_ == 0.5
    assert SoftmaxRegressionClassifier(solver="adam").fit(*wine).alpha_ == 1e-3
    assert network((4,), solver="lbfgs", max_iter=2).fit(*wine).alpha_ == 1e-3


def test_a_training_without_end_has_one_penalty_however_many_rows_come(wine):
    X, y = wine
    model = network((4,))
    for rows in (slice(0, 178, 2), slice(1, 178, 2)):
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        assert model.alpha_ == 1e-3
    assert model.fit(X, y).alpha_ == 1e-2
    assert model.partial_fit(X, y).alpha_ == 1e-2
