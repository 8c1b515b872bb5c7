"""scikit-learn's meta-estimators around the classifier.

Each is compared with what it says it does, written out: fits by hand on the rows,
columns, targets and weights that it would pass on.
"""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401, for the import
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SequentialFeatureSelector,
)
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import balanced_accuracy_score, get_scorer, log_loss
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import shuffle

from sksoftmax import SoftmaxRegressionClassifier

X, y = shuffle(*load_iris(return_X_y=True), random_state=0)
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
WEIGHTS = np.random.default_rng(1).uniform(0.2, 2.0, len(y))


@pytest.fixture
def model():
    return SoftmaxRegressionClassifier(alpha=1e-2, tol=1e-12)


@pytest.fixture
def noisy(rng):
    """Iris with four columns of noise behind it."""
    return np.hstack([X, rng.normal(size=X.shape)])


# Pipelines


def test_a_pipeline_fits_on_what_its_steps_return(model):
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    by_hand = clone(model).fit(scaled, y)
    assert_allclose(pipeline.predict_proba(X), by_hand.predict_proba(scaled), atol=1e-9)


def test_columns_of_a_frame_are_transformed_each_in_its_way(model):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"length": X[:, 2], "wide": np.where(X[:, 3] > 1, "y", "n")})
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["length"]),
            ("words", OneHotEncoder(), ["wide"]),
        ]
    )
    pipeline = make_pipeline(columns, model).fit(frame, y)
    length = (X[:, 2] - X[:, 2].mean()) / X[:, 2].std()
    by_hand = np.column_stack([length, X[:, 3] <= 1, X[:, 3] > 1])
    expected = clone(model).fit(by_hand, y)
    assert_allclose(pipeline[-1].coef_, expected.coef_, atol=1e-7)
    assert_allclose(
        pipeline.predict_proba(frame.iloc[::-1]),
        expected.predict_proba(by_hand[::-1]),
        atol=1e-8,
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_of_a_frame_pass_through_a_pipeline(model, library):
    columns = dict(zip("abcd", X.T.copy(), strict=True))
    frame = pytest.importorskip(library).DataFrame(columns)
    pipeline = make_pipeline(StandardScaler(), model).set_output(transform=library)
    pipeline.fit(frame, y)
    assert_array_equal(pipeline[-1].feature_names_in_, list("abcd"))


# Searches


def test_a_grid_search_scores_as_a_loop_does(model):
    alphas = [1e-4, 1e-2, 1.0]
    search = GridSearchCV(
        model, {"alpha": alphas}, cv=FOLDS, scoring="neg_log_loss"
    ).fit(X, y)
    by_hand = [
        np.mean(
            [
                -log_loss(
                    y[test],
                    clone(model)
                    .set_params(alpha=alpha)
                    .fit(X[train], y[train])
                    .predict_proba(X[test]),
                )
                for train, test in FOLDS.split(X, y)
            ]
        )
        for alpha in alphas
    ]
    assert_allclose(search.cv_results_["mean_test_score"], by_hand, rtol=1e-7)
    assert search.best_params_["alpha"] == alphas[int(np.argmax(by_hand))]
    best = clone(model).set_params(**search.best_params_).fit(X, y)
    assert_allclose(search.best_estimator_.coef_, best.coef_, atol=1e-9)


def test_a_halving_search_keeps_the_penalty_that_lets_it_learn(model):
    search = HalvingGridSearchCV(
        model,
        {"alpha": [1e-2, 1e3, 1e4, 1e5]},
        factor=2,
        cv=FOLDS,
        scoring="neg_log_loss",
        random_state=0,
    ).fit(X, y)
    assert search.n_iterations_ > 1
    assert search.best_params_ == {"alpha": 1e-2}
    expected = clone(model).fit(X, y)
    assert_allclose(search.predict_proba(X), expected.predict_proba(X), atol=1e-9)


def test_cross_val_predict_predicts_each_row_without_it(model):
    P = cross_val_predict(model, X, y, cv=FOLDS, method="predict_proba")
    for train, test in FOLDS.split(X, y):
        by_hand = clone(model).fit(X[train], y[train])
        assert_allclose(P[test], by_hand.predict_proba(X[test]), atol=1e-9)


def test_curves_of_size_and_of_penalty_are_those_of_fits_by_hand(model):
    sizes, train_scores, _ = learning_curve(
        model, X, y, cv=FOLDS, train_sizes=[30, 90], scoring="neg_log_loss"
    )
    assert_array_equal(sizes, [30, 90])
    # The first rows of each fold's training set; more of them are harder to learn.
    train, _ = next(iter(FOLDS.split(X, y)))
    part = train[:90]
    by_hand = clone(model).fit(X[part], y[part])
    expected = -log_loss(y[part], by_hand.predict_proba(X[part]))
    assert_allclose(train_scores[1, 0], expected, rtol=1e-7)
    train_scores, _ = validation_curve(
        model,
        X,
        y,
        param_name="alpha",
        param_range=[1e-3, 1e-1, 10.0],
        cv=FOLDS,
        scoring="neg_log_loss",
    )
    assert (np.diff(train_scores.mean(axis=1)) < 0).all()


def test_displays_of_those_curves_show_them(model):
    pytest.importorskip("matplotlib").use("agg")
    from sklearn.model_selection import LearningCurveDisplay, ValidationCurveDisplay

    display = LearningCurveDisplay.from_estimator(
        model, X, y, cv=FOLDS, train_sizes=[50, 90]
    )
    assert_array_equal(display.lines_[0].get_xdata(), [50, 90])
    display = ValidationCurveDisplay.from_estimator(
        model, X, y, cv=FOLDS, param_name="alpha", param_range=[1e-3, 1.0]
    )
    assert_array_equal(display.lines_[0].get_xdata(), [1e-3, 1.0])


# Probabilities and thresholds


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8),
    reason="scikit-learn has temperature scaling from 1.8",
)
def test_temperature_scaling_cools_an_overconfident_model(rng):
    wide = np.hstack([X, rng.normal(size=(len(y), 60))])
    sure = SoftmaxRegressionClassifier(alpha=1e-6).fit(wide[::2], y[::2])
    calibrated = CalibratedClassifierCV(FrozenEstimator(sure), method="temperature")
    calibrated.fit(wide[1::4], y[1::4])
    rest, y_rest = wide[3::4], y[3::4]
    P = calibrated.predict_proba(rest)
    assert log_loss(y_rest, P) < 0.8 * log_loss(y_rest, sure.predict_proba(rest))
    assert_array_equal(P.argmax(axis=1), sure.predict(rest))
    # A power of the probabilities: log-ratios have one factor, the inverse temperature.
    ratios = np.log(P[:, 1:] / P[:, :1]) / (
        sure.predict_log_proba(rest)[:, 1:] - sure.predict_log_proba(rest)[:, :1]
    )
    assert_allclose(ratios, ratios[0, 0], rtol=1e-6)
    assert ratios[0, 0] < 1.0


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_undoes_a_shift_of_the_class_shares(model, method, rng):
    X, y = load_breast_cancer(return_X_y=True)
    model = model.set_params(class_weight={0: 100.0, 1: 1.0})
    calibrated = CalibratedClassifierCV(model, method=method, cv=FOLDS).fit(X, y)
    P = cross_val_predict(model, X, y, cv=FOLDS, method="predict_proba")
    share = np.mean(y == 0)
    assert abs(P[:, 0].mean() - share) > 3 * abs(
        calibrated.predict_proba(X)[:, 0].mean() - share
    )
    assert calibrated.score(X, y) > 0.9


def test_a_frozen_model_is_not_fitted_again(model):
    model.fit(X, y)
    before = model.coef_.copy()
    frozen = FrozenEstimator(model).fit(X[:50], y[:50])
    assert_array_equal(model.coef_, before)
    assert_array_equal(frozen.predict(X), model.predict(X))


def test_a_tuned_threshold_balances_the_classes():
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.flatnonzero((y == 1) | (np.arange(len(y)) % 8 == 0))
    X, y = X[rows, :3], y[rows]
    model = SoftmaxRegressionClassifier(tol=1e-10)
    tuned = TunedThresholdClassifierCV(model, cv=FOLDS, random_state=0).fit(X, y)
    plain = clone(model).fit(X, y)
    best = balanced_accuracy_score(y, tuned.predict(X))
    assert best > balanced_accuracy_score(y, plain.predict(X)) + 0.02
    P = plain.predict_proba(X)[:, 1]
    assert_array_equal(tuned.predict(X), (tuned.best_threshold_ <= P).astype(int))


def test_a_fixed_threshold_reads_the_decision_function(model):
    labels = (y == 2).astype(int)
    fixed = FixedThresholdClassifier(
        model, threshold=1.5, response_method="decision_function"
    ).fit(X, labels)
    z = clone(model).fit(X, labels).decision_function(X)
    assert 0 < np.sum(z >= 1.5) < np.sum(z >= 0.0)
    assert_array_equal(fixed.predict(X), (z >= 1.5).astype(int))


# Ensembles


def test_soft_voting_is_the_mean_of_the_probabilities(model):
    other = clone(model).set_params(alpha=1.0)
    vote = VotingClassifier([("a", model), ("b", other)], voting="soft").fit(X, y)
    means = [clone(m).fit(X, y).predict_proba(X) for m in (model, other)]
    assert_allclose(vote.predict_proba(X), np.mean(means, axis=0), atol=1e-9)


def test_stacking_fits_on_predictions_of_rows_left_out(model):
    stack = StackingClassifier(
        [("model", model)], final_estimator=clone(model), cv=FOLDS
    ).fit(X, y)
    P = cross_val_predict(model, X, y, cv=FOLDS, method="predict_proba")
    by_hand = clone(model).fit(P, y)
    assert_allclose(stack.final_estimator_.coef_, by_hand.coef_, atol=1e-7)


def test_bagging_fits_each_model_on_its_own_rows(model):
    bag = BaggingClassifier(model, n_estimators=4, random_state=0).fit(X, y)
    by_hand = []
    for rows, member in zip(bag.estimators_samples_, bag.estimators_, strict=True):
        # It counts rows that were drawn twice by weights; here they are repeated.
        expected = clone(model).fit(X[rows], y[rows])
        assert_allclose(member.coef_, expected.coef_, atol=1e-6)
        by_hand.append(expected.predict_proba(X))
    assert_allclose(bag.predict_proba(X), np.mean(by_hand, axis=0), atol=1e-7)


def test_boosting_raises_the_weights_of_rows_that_were_wrong(model):
    boost = AdaBoostClassifier(model, n_estimators=3, random_state=0).fit(X, y)
    # SAMME: Zhu, Zou, Rosset and Hastie (2009), Statistics and Its Interface 2:349.
    s = np.full(len(y), 1.0 / len(y))
    for member, factor in zip(boost.estimators_, boost.estimator_weights_, strict=True):
        expected = clone(model).fit(X, y, sample_weight=s)
        assert_allclose(member.coef_, expected.coef_, atol=1e-6)
        wrong = expected.predict(X) != y
        error = s @ wrong / s.sum()
        assert_allclose(factor, np.log((1 - error) / error) + np.log(2.0), rtol=1e-6)
        s = s * np.exp(factor * wrong)
        s /= s.sum()
    assert len(boost.estimators_) == 3


def test_one_against_the_rest_is_one_model_a_class(model):
    rest = OneVsRestClassifier(model).fit(X, y)
    P = np.column_stack(
        [clone(model).fit(X, y == k).predict_proba(X)[:, 1] for k in range(3)]
    )
    expected = P / P.sum(axis=1, keepdims=True)
    assert_allclose(rest.predict_proba(X), expected, atol=1e-8)


def test_one_against_one_is_a_vote_of_models_of_pairs(model):
    pairs = OneVsOneClassifier(model).fit(X, y)
    votes = np.zeros((len(y), 3))
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        rows = (y == i) | (y == j)
        second = clone(model).fit(X[rows], y[rows] == j).predict(X)
        votes[np.arange(len(y)), np.where(second, j, i)] += 1
    clear = votes.max(axis=1) == 2
    assert clear.mean() > 0.9
    assert_array_equal(pairs.predict(X)[clear], votes.argmax(axis=1)[clear])


def test_output_codes_are_told_apart(model):
    codes = OutputCodeClassifier(model, code_size=4, random_state=1).fit(X, y)
    bits = (codes.code_book_ > 0).T
    for member, bit in zip(codes.estimators_, bits, strict=True):
        if not bit.all() and bit.any():
            expected = clone(model).fit(X, bit[y])
            assert_allclose(member.decision_function(X), expected.decision_function(X))
    assert codes.score(X, y) > 0.8


@pytest.mark.parametrize("sparse", [False, True])
def test_several_outputs_are_a_model_each(model, sparse):
    labels = np.column_stack([y, np.where(X[:, 0] > 5.8, "long", "short")])
    data = pytest.importorskip("scipy.sparse").csr_array(X) if sparse else X
    several = MultiOutputClassifier(model).fit(data, labels)
    for column, P in zip(labels.T, several.predict_proba(data), strict=True):
        expected = clone(model).fit(X, column).predict_proba(X)
        assert_allclose(P, expected, atol=1e-8)


def test_a_chain_has_earlier_labels_as_features(model):
    labels = np.column_stack([y == 0, y == 2]).astype(int)
    chain = ClassifierChain(model).fit(X, labels)
    second = clone(model).fit(np.column_stack([X, labels[:, 0]]), labels[:, 1])
    assert_allclose(chain.estimators_[1].coef_, second.coef_, atol=1e-7)


def test_self_training_labels_what_it_is_sure_of(model):
    known = np.where(np.arange(len(y)) % 5 == 0, y, -1)
    trained = SelfTrainingClassifier(model, threshold=0.9).fit(X, known)
    newly = (known == -1) & (trained.transduction_ != -1)
    assert newly.sum() > 50
    assert np.mean(trained.transduction_[newly] == y[newly]) > 0.95


# Choices of features


def test_elimination_keeps_the_petals(model, noisy):
    # Their length and width separate the species best: Fisher (1936).
    chosen = RFE(model, n_features_to_select=2).fit(noisy, y)
    assert_array_equal(np.flatnonzero(chosen.support_), [2, 3])
    cautious = RFECV(model, cv=FOLDS, scoring="neg_log_loss").fit(noisy, y)
    assert cautious.support_[[2, 3]].all()
    scores = cautious.cv_results_["mean_test_score"]
    assert cautious.n_features_ == int(np.argmax(scores)) + 1 < 8


def test_sequential_selection_begins_with_the_petals(model, noisy):
    chosen = SequentialFeatureSelector(
        model, n_features_to_select=1, cv=FOLDS, scoring="neg_log_loss"
    ).fit(noisy, y)
    scores = [
        cross_validate(model, noisy[:, [j]], y, cv=FOLDS, scoring="neg_log_loss")
        for j in range(8)
    ]
    best = int(np.argmax([score["test_score"].mean() for score in scores]))
    assert_array_equal(np.flatnonzero(chosen.support_), [best])
    assert best in (2, 3)


@pytest.mark.parametrize("grouped", [False, True])
def test_selection_from_a_sparse_model_takes_what_is_not_zero(noisy, grouped):
    sparse = SoftmaxRegressionClassifier(alpha=0.1, l1_ratio=1.0, grouped=grouped)
    chosen = SelectFromModel(sparse, threshold=1e-12).fit(noisy, y)
    nonzero = (clone(sparse).fit(noisy, y).coef_ != 0).any(axis=0)
    assert 0 < nonzero.sum() < 4
    assert_array_equal(chosen.get_support(), nonzero)


def test_permuting_noise_matters_less_than_permuting_petals(model, noisy):
    model.fit(noisy, y)
    result = permutation_importance(
        model, noisy, y, scoring="neg_log_loss", n_repeats=5, random_state=0
    )
    assert result.importances_mean[[2, 3]].min() > 0.1
    assert result.importances_mean[4:].max() < 0.05


def test_partial_dependence_is_a_mean_of_probabilities(model):
    model.fit(X, y)
    result = partial_dependence(model, X, [2], grid_resolution=5, kind="average")
    for value, P in zip(result["grid_values"][0], result["average"].T, strict=True):
        moved = X.copy()
        moved[:, 2] = value
        assert_allclose(P, model.predict_proba(moved).mean(axis=0), atol=1e-12)


# Metadata routing


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_weights_are_routed_to_fits_and_scores(model):
    pipeline = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=False),
        model.set_fit_request(sample_weight=True),
    )
    scores = cross_validate(
        pipeline,
        X,
        y,
        cv=FOLDS,
        scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
        params={"sample_weight": WEIGHTS},
    )["test_score"]
    for score, (train, test) in zip(scores, FOLDS.split(X, y), strict=True):
        scaler = StandardScaler().fit(X[train])
        by_hand = SoftmaxRegressionClassifier(alpha=1e-2, tol=1e-12).fit(
            scaler.transform(X[train]), y[train], WEIGHTS[train]
        )
        right = by_hand.predict(scaler.transform(X[test])) == y[test]
        assert_allclose(score, np.average(right, weights=WEIGHTS[test]))


@pytest.mark.usefixtures("routing")
def test_weights_that_were_not_asked_for_are_refused(model):
    with pytest.raises(ValueError, match="sample_weight"):
        GridSearchCV(model, {"alpha": [1.0]}).fit(X, y, sample_weight=WEIGHTS)


@pytest.mark.usefixtures("routing")
def test_validation_data_go_through_the_steps_of_a_pipeline():
    network = SoftmaxRegressionClassifier(
        (4,), early_stopping=True, max_iter=20, tol=0.0, random_state=0
    )
    train, valid = slice(0, None, 2), slice(1, None, 2)
    pipeline = make_pipeline(
        StandardScaler(),
        clone(network).set_fit_request(X_val=True, y_val=True),
        transform_input=["X_val"],
    ).fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
    scaler = StandardScaler().fit(X[train])
    by_hand = network.fit(
        scaler.transform(X[train]),
        y[train],
        X_val=scaler.transform(X[valid]),
        y_val=y[valid],
    )
    assert_allclose(
        pipeline[-1].validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-12
    )


@pytest.mark.usefixtures("routing")
def test_batches_with_weights_are_routed_to_partial_fit():
    model = SoftmaxRegressionClassifier(random_state=0)
    by_hand = clone(model).partial_fit(X, y, np.unique(y), WEIGHTS)
    asking = model.set_partial_fit_request(sample_weight=True, classes=True)
    assert asking.get_metadata_routing().partial_fit.requests["sample_weight"] is True
    several = MultiOutputClassifier(asking)
    several.partial_fit(X, y[:, None], classes=[np.unique(y)], sample_weight=WEIGHTS)
    assert_allclose(several.estimators_[0].coef_, by_hand.coef_, atol=1e-12)
