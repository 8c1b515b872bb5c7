"""The same answers as scikit-learn and scipy, and a place in scikit-learn's tools."""

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import entropy
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sksoftmax import (
    SoftmaxRegressionClassifier,
    cross_entropy,
    hardmax,
    log_softmax,
    softmax,
)

ALPHA = 1e-2
# F within 1e-14 log K of its minimum and curvatures of at least ALPHA leave this much.
ATOL = 2e-6


def logistic(total_weight, n_classes, alpha=ALPHA, **params):
    """The LogisticRegression with our objective, solved as tightly as it can."""
    C = (2 if n_classes == 2 else 1) / (alpha * total_weight)
    return LogisticRegression(
        C=C, solver="newton-cholesky", tol=1e-11, max_iter=1000, **params
    )


@pytest.fixture(params=[2, 3], ids=["two classes", "three classes"])
def problem(request):
    """Standardised data with noisy labels, so that no class is separable."""
    rng = np.random.default_rng(0)
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    noisy = rng.random(150) < 0.1
    y = np.where(noisy, rng.integers(3, size=150), y) % request.param
    return X, y


def assert_same_model(ours, theirs, X):
    """Coefficients in our gauge, and probabilities."""
    W = np.column_stack([theirs.coef_, theirs.intercept_])
    if len(theirs.classes_) == 2:
        # Logistic regression has the difference of our two columns.
        W = np.vstack([-W, W]) / 2
    W = W - W.mean(axis=0)
    assert_array_equal(ours.classes_, theirs.classes_)
    assert_allclose(np.column_stack([ours.coef_, ours.intercept_]), W, atol=ATOL)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=ATOL)
    assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_optimum_is_logistic_regression_s(
    problem, exact, rng, fit_intercept, weighted
):
    X, y = problem
    s = rng.uniform(0.1, 3, size=150) if weighted else np.ones(150)
    ours = exact(alpha=ALPHA, fit_intercept=fit_intercept).fit(X, y, sample_weight=s)
    theirs = logistic(s.sum(), len(set(y)), fit_intercept=fit_intercept).fit(X, y, s)
    assert_same_model(ours, theirs, X)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.5, 1: 3.0}])
@pytest.mark.parametrize("weighted", [True, False])
def test_class_weights_are_logistic_regression_s(
    problem, exact, rng, class_weight, weighted
):
    X, y = problem
    s = rng.uniform(0.1, 3, size=150) if weighted else np.ones(150)
    factors = np.ones(3) if class_weight == "balanced" else np.array([0.5, 3.0, 1.0])
    total = s @ factors[y]
    ours = exact(alpha=ALPHA, class_weight=class_weight).fit(X, y, s)
    theirs = logistic(total, len(set(y)), class_weight=class_weight).fit(X, y, s)
    assert_same_model(ours, theirs, X)


def test_sparse_data_have_logistic_regression_s_optimum(problem, exact):
    X, y = problem
    X = np.where(np.abs(X) < 0.8, 0.0, X)
    ours = exact(alpha=ALPHA).fit(csr_array(X), y)
    theirs = logistic(150, len(set(y))).fit(X, y)
    assert_same_model(ours, theirs, X)


@pytest.mark.parametrize(
    "load", [load_iris, load_wine, load_breast_cancer, load_digits]
)
@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_converged_means_within_tol_of_the_optimum(objective, load, solver):
    X, y = load(return_X_y=True)
    n_classes = len(set(y))
    Y = np.eye(n_classes)[y]
    if load is load_digits:
        # The ten-digit optimum of the standardised set stands in for a second solver.
        X, alpha, optimum = StandardScaler().fit_transform(X), 1 / 1797, 113.4799547803
        optimum /= 1797
    else:
        alpha = 1e-3
        optimum = penalised_optimum(X, y, alpha)
    model = SoftmaxRegressionClassifier(alpha=alpha, solver=solver, max_iter=20_000)
    model.fit(X, y)
    assert model.converged_
    gap = objective(model, X, Y) - optimum
    # The tolerance is 1e-8 of what the features explain, at most of log K nats.
    assert -1e-12 < gap <= 1e-8 * np.log(n_classes)


def penalised_optimum(X, y, alpha):
    """F at LogisticRegression's solution of the same problem."""
    n_classes = len(set(y))
    model = logistic(len(y), n_classes, alpha=alpha).fit(X, y)
    norm = np.sum(model.coef_**2) / (2 if n_classes == 2 else 1)
    return log_loss(y, model.predict_proba(X)) + alpha / 2 * norm


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("max_iter", [3, 10])
def test_optimality_is_no_smaller_than_the_gap_of_an_unfinished_fit(
    objective, max_iter
):
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = SoftmaxRegressionClassifier(max_iter=max_iter, tol=0.0).fit(X, y)
    gap = objective(model, X, np.eye(3)[y]) - penalised_optimum(X, y, model.alpha_)
    # An estimate from the local quadratic model: right to a factor, not to digits.
    assert model.optimality_ > gap / 3


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_and_log_softmax_are_scipy_s(rng, shape, dtype):
    Z = (50 * rng.standard_normal(shape)).astype(dtype)
    rtol = 200 * np.finfo(dtype).eps
    assert softmax(Z).dtype == log_softmax(Z).dtype == dtype
    assert_allclose(softmax(Z), scipy.special.softmax(Z, axis=-1), rtol)
    # Near zero numpy's sums in single precision are right to an absolute error.
    expected = scipy.special.log_softmax(Z, axis=-1)
    assert_allclose(log_softmax(Z), expected, rtol, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4)])
def test_hardmax_is_one_at_numpy_s_argmax(rng, shape):
    Z = rng.integers(3, size=shape).astype(float)
    assert_array_equal(hardmax(Z), np.eye(4)[np.argmax(Z, axis=-1)])


def test_cross_entropy_of_labels_is_log_loss_by_row(rng):
    P = rng.dirichlet(np.ones(3), size=20)
    y = np.repeat([0, 1, 2, 0], 5)
    losses = cross_entropy(np.eye(3)[y], P)
    assert losses.shape == (20,)
    assert_allclose(losses.mean(), log_loss(y, P))
    s = rng.random(20)
    assert_allclose(np.average(losses, weights=s), log_loss(y, P, sample_weight=s))


def test_cross_entropy_of_soft_labels_is_entropy_plus_divergence(rng):
    Y, P = rng.dirichlet(np.ones(3), size=(2, 20))
    expected = entropy(Y, axis=1) + entropy(Y, P, axis=1)
    assert_allclose(cross_entropy(Y, P), expected)


def test_cross_entropy_counts_no_class_of_target_zero_and_probability_zero():
    assert cross_entropy([0.0, 1.0], [0.0, 1.0]) == 0
    assert cross_entropy([1.0, 0.0], [0.0, 1.0]) == np.inf


# Iris in three stratified folds: 100 training rows each, so one C serves all folds.
FOLDS = StratifiedKFold(3)
IRIS = load_iris(return_X_y=True)


def test_cross_val_score_of_a_pipeline_is_logistic_regression_s(exact):
    ours, theirs = (
        cross_val_score(
            make_pipeline(StandardScaler(), model),
            *IRIS,
            cv=FOLDS,
            scoring="neg_log_loss",
            error_score="raise",
        )
        for model in (exact(alpha=ALPHA), logistic(100, 3))
    )
    assert_allclose(ours, theirs, atol=ATOL)


def test_a_grid_search_over_alpha_is_logistic_regression_s_over_c(exact):
    alphas = np.array([1e-1, 1e-2, 1e-3])
    searches = [
        GridSearchCV(
            make_pipeline(StandardScaler(), model),
            grid,
            cv=FOLDS,
            scoring="neg_log_loss",
            error_score="raise",
        ).fit(*IRIS)
        for model, grid in [
            (exact(), {"softmaxregressionclassifier__alpha": alphas}),
            (logistic(100, 3), {"logisticregression__C": 1 / (alphas * 100)}),
        ]
    ]
    ours, theirs = (search.cv_results_["mean_test_score"] for search in searches)
    assert_allclose(ours, theirs, atol=ATOL)
    assert searches[0].best_index_ == searches[1].best_index_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_grid_search_goes_over_hidden_layers_too():
    model = SoftmaxRegressionClassifier(solver="lbfgs", random_state=0)
    grid = {"hidden_layer_sizes": [(), (4,), (4, 3)], "alpha": [1e-2]}
    X = StandardScaler().fit_transform(IRIS[0])
    search = GridSearchCV(model, grid, cv=FOLDS, error_score="raise").fit(X, IRIS[1])
    assert search.cv_results_["mean_test_score"].min() > 0.9
    sizes = search.best_params_["hidden_layer_sizes"]
    assert len(search.best_estimator_.coefs_) == len(sizes) + 1


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_probabilities_are_logistic_regression_s(exact, method):
    X, y = IRIS
    X = StandardScaler().fit_transform(X)
    # Two classes: both models have the same decision function, its origin included.
    y = np.where(y == 1, "versicolor", "other")
    ours, theirs = (
        CalibratedClassifierCV(model, method=method, cv=FOLDS)
        .fit(X, y)
        .predict_proba(X)
        for model in (exact(alpha=ALPHA), logistic(100, 2))
    )
    assert_allclose(ours, theirs, atol=ATOL)


def test_three_classes_can_be_calibrated(exact):
    X, y = IRIS
    model = CalibratedClassifierCV(exact(alpha=ALPHA), cv=FOLDS).fit(X, y)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, y) > 0.9


def test_one_against_the_rest_is_logistic_regression_s(exact):
    X = StandardScaler().fit_transform(IRIS[0])
    ours, theirs = (
        OneVsRestClassifier(model).fit(X, IRIS[1]).predict_proba(X)
        for model in (exact(alpha=ALPHA), logistic(150, 2))
    )
    assert_allclose(ours, theirs, atol=ATOL)


def test_cross_val_predict_gives_every_column(exact):
    P = cross_val_predict(exact(alpha=ALPHA), *IRIS, cv=FOLDS, method="predict_proba")
    assert P.shape == (150, 3)
    assert_allclose(P.sum(axis=1), 1)


def test_sample_weights_are_routed_through_cross_validation(exact, rng):
    X, y = IRIS
    s = rng.uniform(0.1, 3, size=150)
    with config_context(enable_metadata_routing=True):
        model = exact(alpha=ALPHA).set_fit_request(sample_weight=True)
        scoring = get_scorer("accuracy").set_score_request(sample_weight=True)
        found = cross_validate(
            make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model),
            X,
            y,
            cv=FOLDS,
            scoring=scoring,
            params={"sample_weight": s},
            error_score="raise",
        )
    for score, (train, test) in zip(
        found["test_score"], FOLDS.split(X, y), strict=True
    ):
        scaler = StandardScaler().fit(X[train])
        by_hand = logistic(s[train].sum(), 3).fit(
            scaler.transform(X[train]), y[train], s[train]
        )
        assert score == by_hand.score(scaler.transform(X[test]), y[test], s[test])


def test_a_pipeline_transforms_the_validation_data_it_routes():
    X, y = load_wine(return_X_y=True)
    train, valid = next(StratifiedKFold(5).split(X, y))
    settings = {"early_stopping": True, "max_iter": 300, "random_state": 0}
    model = SoftmaxRegressionClassifier((5,), learning_rate_init=0.01, **settings)
    scaler = StandardScaler().fit(X[train])
    with config_context(enable_metadata_routing=True):
        step = clone(model).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("softmax", step)], transform_input=["X_val"]
        )
        pipeline.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
    model.fit(
        scaler.transform(X[train]),
        y[train],
        X_val=scaler.transform(X[valid]),
        y_val=y[valid],
    )
    routed = pipeline["softmax"].validation_loss_curve_
    assert_array_equal(routed, model.validation_loss_curve_)


def test_requests_exist_for_every_argument_that_can_be_routed():
    with config_context(enable_metadata_routing=True):
        model = SoftmaxRegressionClassifier((2,))
        model.set_fit_request(
            sample_weight=True,
            classes=True,
            X_val=True,
            y_val=True,
            sample_weight_val=True,
        )
        model.set_partial_fit_request(classes=True, sample_weight=True)
        model.set_score_request(sample_weight=True)
        requests = model.get_metadata_routing()
    asked = {"sample_weight", "classes", "X_val", "y_val", "sample_weight_val"}
    assert requests.fit.requests == dict.fromkeys(asked, True)
    assert requests.partial_fit.requests == {"classes": True, "sample_weight": True}
    assert requests.score.requests == {"sample_weight": True}


def test_feature_names_come_from_a_data_frame(exact):
    pandas = pytest.importorskip("pandas")
    X, y = IRIS
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    frame = pandas.DataFrame(X, columns=names)
    model = exact(alpha=ALPHA).fit(frame, pandas.Series(y, index=frame.index + 7))
    assert_array_equal(model.feature_names_in_, names)
    assert not hasattr(exact(alpha=ALPHA).fit(X, y), "feature_names_in_")
    assert_allclose(model.coef_, exact(alpha=ALPHA).fit(X, y).coef_, atol=ATOL)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sizes", [(), (3,)])
def test_polars_frames_are_arrays_with_names(sizes):
    polars = pytest.importorskip("polars")
    X, y = IRIS
    frame = polars.DataFrame(X, schema=["a", "b", "c", "d"])
    settings = {"solver": "lbfgs", "max_iter": 10, "random_state": 0, "alpha": 0.1}
    named = SoftmaxRegressionClassifier(sizes, **settings).fit(
        frame, polars.Series(y.astype(str))
    )
    plain = SoftmaxRegressionClassifier(sizes, **settings).fit(X, y.astype(str))
    assert_array_equal(named.feature_names_in_, frame.columns)
    # A frame is stored by columns, which changes the order of sums and nothing else.
    assert_allclose(named.predict_proba(frame), plain.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_of_the_steps_before_reaches_the_model(exact, library):
    pytest.importorskip(library)
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), exact(alpha=ALPHA))
    named = clone(pipeline).set_output(transform=library).fit(X, y)
    assert_array_equal(named[-1].feature_names_in_, ["x0", "x1", "x2", "x3"])
    expected = pipeline.fit(X, y).predict_proba(X)
    assert_allclose(named.predict_proba(X), expected, atol=ATOL)


@pytest.mark.parametrize("sparse_output", [True, False])
def test_a_frame_of_mixed_types_goes_through_a_column_transformer(exact, sparse_output):
    pandas = pytest.importorskip("pandas")
    X, y = IRIS
    frame = pandas.DataFrame(X, columns=list("abcd"))
    frame["size"] = np.where(X[:, 0] > 6, "large", "small")
    columns = make_column_transformer(
        (StandardScaler(), list("abcd")),
        (OneHotEncoder(sparse_output=sparse_output), ["size"]),
        # A threshold of one keeps the encoder's choice.
        sparse_threshold=float(sparse_output),
    )
    ours = make_pipeline(columns, exact(alpha=ALPHA)).fit(frame, y)
    theirs = make_pipeline(clone(columns), logistic(150, 3)).fit(frame, y)
    assert_allclose(ours.predict_proba(frame), theirs.predict_proba(frame), atol=ATOL)
