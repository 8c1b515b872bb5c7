"""The estimator that chooses its penalty, beside scikit-learn's way of doing so."""

import pickle

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.exceptions import UnsetMetadataPassedError as UnsetMetadata
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import get_scorer, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.exceptions import SeparationWarning

ALPHAS = [1.0, 0.1, 0.03, 0.01, 1e-3]


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def grid_search(model, **parameters):
    """What scikit-learn does for the same parameters."""
    l1_ratios = np.atleast_1d(model.l1_ratios)
    base = SoftmaxRegressionClassifier(
        grouped=model.grouped,
        fit_intercept=model.fit_intercept,
        class_weight=model.class_weight,
    )
    grid = {"alpha": ALPHAS, "l1_ratio": l1_ratios}
    return GridSearchCV(
        base,
        grid,
        cv=model.cv,
        scoring=model.scoring,
        error_score="raise",
        **parameters,
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"l1_ratios": [0.5, 1.0]},
        {"l1_ratios": 1.0, "grouped": True},
        {"fit_intercept": False, "class_weight": "balanced"},
        {"scoring": "accuracy", "cv": StratifiedKFold(3, shuffle=True, random_state=0)},
        {"scoring": "roc_auc_ovr"},
        {"scoring": get_scorer("neg_brier_score"), "cv": 3},
    ],
    ids=str,
)
def test_the_answer_is_that_of_a_grid_search(wine, parameters):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(ALPHAS, **parameters).fit(X, y)
    search = grid_search(model).fit(X, y)
    means = search.cv_results_["mean_test_score"].reshape(len(ALPHAS), -1).T
    assert_allclose(model.mean_scores_, means, rtol=1e-5)
    # Among equals both take the first, but the orders differ.
    if np.count_nonzero(means == means.max()) == 1:
        assert model.alpha_ == search.best_params_["alpha"]
        assert model.l1_ratio_ == search.best_params_["l1_ratio"]
        best = search.best_estimator_
        assert_allclose(model.predict_proba(X), best.predict_proba(X), atol=1e-4)
        assert_allclose(model.coef_, best.coef_, atol=2e-3)
    folds = [search.cv_results_[f"split{i}_test_score"] for i in range(3)]
    folds = np.reshape(folds, (3, len(ALPHAS), -1)).T
    assert_allclose(model.scores_[:, :, :3], folds, rtol=1e-5)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_of_two_classes_too_the_answer_is_that_of_a_grid_search(wine, l1_ratio):
    X, y = wine[0][:, :3], wine[1] == 1
    model = SoftmaxRegressionClassifierCV(ALPHAS, l1_ratios=l1_ratio).fit(X, y)
    search = grid_search(model).fit(X, y)
    means = search.cv_results_["mean_test_score"]
    assert_allclose(model.mean_scores_[0], means, rtol=1e-5)
    best = search.best_estimator_
    assert model.alpha_ == best.alpha
    assert_allclose(model.coef_, best.coef_, atol=1e-3)


def test_before_fit_there_are_no_coefficients():
    with pytest.raises(AttributeError, match=r"coef_ .* this one is not fitted yet"):
        _ = SoftmaxRegressionClassifierCV().coef_


def test_scores_are_of_fits_without_the_fold_and_the_model_of_all_rows(wine):
    X, y = wine
    folds = list(StratifiedKFold(5).split(X, y))
    model = SoftmaxRegressionClassifierCV(ALPHAS, cv=folds).fit(X, y)
    # C = 1 / (alpha n) depends on the fold's number of rows, so one fold at a time.
    for i, (train, test) in enumerate(folds):
        for j, alpha in enumerate(ALPHAS):
            other = SoftmaxRegressionClassifier(alpha=alpha).fit(X[train], y[train])
            loss = log_loss(y[test], other.predict_proba(X[test]))
            assert_allclose(model.scores_[0, j, i], -loss, rtol=1e-5)
    C = 1 / (model.alpha_ * len(X))
    reference = LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(X, y)
    assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=1e-4)


def test_the_path_holds_the_fits_of_all_rows(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(ALPHAS, l1_ratios=[0.0, 1.0]).fit(X, y)
    assert model.coefs_path_.shape == (2, 5, 3, 13)
    assert model.intercepts_path_.shape == (2, 5, 3)
    assert model.scores_.shape == (2, 5, 5)
    for i, l1_ratio in enumerate(model.l1_ratios_):
        for j, alpha in enumerate(model.alphas_[i]):
            fit = SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=l1_ratio).fit(X, y)
            assert_allclose(model.coefs_path_[i, j], fit.coef_, atol=2e-3)
            assert_allclose(model.intercepts_path_[i, j], fit.intercept_, atol=2e-3)
    best = np.argwhere(model.mean_scores_ == model.mean_scores_.max())[0]
    assert_allclose(model.coefs_path_[tuple(best)], model.coef_, atol=1e-14)
    assert_allclose(model.intercepts_path_[tuple(best)], model.intercept_, atol=1e-14)
    assert (model.l1_ratio_, model.alpha_) == (
        model.l1_ratios_[best[0]],
        model.alphas_[tuple(best)],
    )


@pytest.mark.parametrize("l1_ratio", [0.2, 1.0])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_grid_starts_where_the_first_weight_appears(wine, l1_ratio, grouped):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(3, l1_ratios=l1_ratio, grouped=grouped)
    (alphas,) = model.fit(X, y).alphas_
    assert_allclose(alphas, alphas[0] * np.array([1.0, 1e-2, 1e-4]))
    fit = SoftmaxRegressionClassifier(l1_ratio=l1_ratio, grouped=grouped)
    assert not fit.set_params(alpha=1.0001 * alphas[0]).fit(X, y).coef_.any()
    assert fit.set_params(alpha=0.999 * alphas[0]).fit(X, y).coef_.any()


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_ridge_grid_starts_at_one_degree_of_freedom(rng, fit_intercept):
    X, y = rng.standard_normal((90, 3)) + 2.0, rng.integers(3, size=90)
    X[:, 0] *= 1000.0
    s = rng.uniform(0.5, 2.0, 90)
    model = SoftmaxRegressionClassifierCV(2, fit_intercept=fit_intercept).fit(X, y, s)
    q = s @ np.eye(3)[y] / s.sum() if fit_intercept else np.full(3, 1 / 3)
    centred = X - (s @ X / s.sum() if fit_intercept else 0.0)
    curvature = np.kron(np.diag(q) - np.outer(q, q), centred.T @ (centred * s[:, None]))
    largest = np.trace(curvature / s.sum())
    of_features = np.diag(curvature / s.sum()).reshape(3, 3).sum(axis=0)
    smallest = 1e-6 * 3 * np.median(of_features)
    assert_allclose(model.alphas_, [[largest, smallest]])
    h = np.linalg.eigvalsh(curvature / s.sum())
    assert np.sum(h / (h + largest)) <= 1.0
    sparse = clone(model).fit(csr_array(X), y, s)
    assert_allclose(sparse.alphas_, model.alphas_)


def test_alpha_1se_is_the_largest_within_a_standard_error(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV().fit(X, y)
    scores = model.scores_[0]
    best = scores.mean(axis=1).argmax()
    error = np.std(scores[best], ddof=1) / np.sqrt(5)
    enough = scores.mean(axis=1) >= scores[best].mean() - error
    assert model.alpha_1se_ == model.alphas_[0][enough].max() > model.alpha_
    assert_allclose(model.score_errors_[0, best], error)
    assert_allclose(model.mean_scores_[0], scores.mean(axis=1))


def test_given_alphas_are_sorted(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV([0.01, 1.0, 0.0, 0.1], cv="alo")
    with pytest.warns(SeparationWarning, match=r"in 1 of 4 fits.*alphas > 0"):
        model.fit(X, y)
    assert_array_equal(model.alphas_, [[1.0, 0.1, 0.01, 0.0]])


def test_a_path_may_end_without_a_penalty(rng):
    X, y = rng.standard_normal((90, 3)), rng.integers(3, size=90)
    model = SoftmaxRegressionClassifierCV([0.1, 0.0], l1_ratios=[0.0, 1.0], cv="alo")
    model.fit(X, y)
    plain = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    for i in range(2):
        P = plain.predict_proba(X)
        Z = X @ model.coefs_path_[i, 1].T + model.intercepts_path_[i, 1]
        assert_allclose(np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True), P, atol=1e-3)


def test_soft_labels_are_scored_by_cross_entropy(rng):
    X, Y = rng.standard_normal((60, 3)), rng.dirichlet(np.ones(3), 60)
    model = SoftmaxRegressionClassifierCV([0.1]).fit(X, Y)
    losses = []
    for train, test in StratifiedKFold(5).split(X, Y.argmax(axis=1)):
        fit = SoftmaxRegressionClassifier(alpha=0.1).fit(X[train], Y[train])
        log_P = fit.predict_log_proba(X[test])
        losses.append(np.sum(Y[test] * log_P, axis=1).mean())
    assert_allclose(model.scores_[0, 0], losses, rtol=1e-6)
    log_P = model.predict_log_proba(X)
    assert_allclose(model.score(X, Y), np.sum(Y * log_P, axis=1).mean())
    model.set_params(scoring="balanced_accuracy").fit(X, Y)
    expected = get_scorer("balanced_accuracy")(model, X, Y.argmax(axis=1))
    assert_allclose(model.score(X, Y), expected)


def test_score_is_that_of_scoring(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV([0.1], cv=3).fit(X, y)
    assert_allclose(model.score(X, y), -log_loss(y, model.predict_proba(X)))
    s = np.linspace(0, 1, len(y))
    expected = -log_loss(y, model.predict_proba(X), sample_weight=s)
    assert_allclose(model.score(X, y, s), expected)
    model.set_params(scoring=None)
    assert model.score(X, y) == np.mean(model.predict(X) == y)
    with pytest.raises(NotFittedError):
        clone(model).score(X, y)


def test_weights_act_in_fits_and_in_scores(wine, rng):
    X, y = wine
    s = rng.uniform(0.1, 2.0, len(y))
    model = SoftmaxRegressionClassifierCV([0.1], cv=3).fit(X, y, s)
    for (train, test), score in zip(
        StratifiedKFold(3).split(X, y), model.scores_[0, 0], strict=True
    ):
        fit = SoftmaxRegressionClassifier(alpha=0.1).fit(X[train], y[train], s[train])
        loss = log_loss(y[test], fit.predict_proba(X[test]), sample_weight=s[test])
        assert_allclose(score, -loss, rtol=1e-6)


def test_groups_reach_the_splitter_without_routing(wine):
    X, y = wine
    groups = np.arange(len(y)) % 4
    model = SoftmaxRegressionClassifierCV(ALPHAS, cv=GroupKFold(4))
    model.fit(X, y, groups=groups)
    search = grid_search(model).fit(X, y, groups=groups)
    means = search.cv_results_["mean_test_score"]
    assert_allclose(model.mean_scores_[0], means, rtol=1e-5)
    with pytest.raises(ValueError, match="groups are for a splitter"):
        model.set_params(cv="alo").fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="colour"):
        model.fit(X, y, colour=groups)


@pytest.mark.parametrize("weigh_scores", [False, True])
def test_routing_sends_metadata_to_those_that_ask(wine, rng, weigh_scores):
    X, y = wine
    s, groups = rng.uniform(0.1, 2.0, len(y)), np.arange(len(y)) % 4
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_log_loss")
        scorer.set_score_request(sample_weight=weigh_scores)
        model = SoftmaxRegressionClassifierCV(ALPHAS, cv=GroupKFold(4), scoring=scorer)
        model.fit(X, y, sample_weight=s, groups=groups)
        search = grid_search(model)
        search.estimator.set_fit_request(sample_weight=True)
        search.fit(X, y, sample_weight=s, groups=groups)
        means = search.cv_results_["mean_test_score"]
        assert_allclose(model.mean_scores_[0], means, rtol=1e-5)
        alo = SoftmaxRegressionClassifierCV(ALPHAS, cv="alo", scoring=scorer)
        alo.fit(X, y, sample_weight=s)
        if weigh_scores:
            assert_allclose(
                model.score(X, y, sample_weight=s),
                search.score(X, y, sample_weight=s),
                rtol=1e-4,
            )
    plain = SoftmaxRegressionClassifierCV(ALPHAS, cv="alo").fit(X, y, s)
    assert np.allclose(alo.scores_, plain.scores_) == weigh_scores


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of scikit-learn's own defaults
def test_routing_asks_for_the_scorer_s_wish_as_scikit_learn_does(wine):
    # From scikit-learn 1.8 on it is an error that the scorer says nothing; before, the
    # scorer went without weights.
    X, y = wine

    def refuses(model):
        try:
            model.fit(X, y, sample_weight=np.ones(len(y)))
        except UnsetMetadata as error:
            return "sample_weight" in str(error)
        return False

    with config_context(enable_metadata_routing=True):
        theirs = LogisticRegressionCV(cv=3, scoring="neg_log_loss", max_iter=10_000)
        expected = refuses(theirs)
        assert refuses(SoftmaxRegressionClassifierCV([0.1], cv=3)) == expected


@pytest.mark.parametrize("cv", [4, "alo"])
def test_backends_of_joblib_give_the_same_bits(wine, cv):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(5, l1_ratios=[0.0, 1.0], cv=cv).fit(X, y)
    for backend in ("threading", "loky"):
        with parallel_config(backend=backend, n_jobs=2):
            other = clone(model).fit(X, y)
        assert_array_equal(other.scores_, model.scores_)
        assert_array_equal(other.coefs_path_, model.coefs_path_)


def test_leave_one_out_scores_accuracy(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV([1.0], cv="alo", scoring="accuracy")
    model.fit(X, y)
    hits = 0
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        fit = SoftmaxRegressionClassifier(alpha=1.0).fit(X[rest], y[rest])
        hits += fit.predict(X[[i]])[0] == y[i]
    assert_allclose(model.scores_, hits / len(y))
    variance = hits * (len(y) - hits) / (len(y) * (len(y) - 1))
    assert_allclose(model.score_errors_, np.sqrt(variance / len(y)))


def test_names_of_classes_and_features_are_kept():
    pd = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["a", "b", "c"])[y]
    model = SoftmaxRegressionClassifierCV(3, cv=3).fit(X, pd.Series(names))
    assert list(model.feature_names_in_) == list(X.columns)
    assert list(model.classes_) == ["a", "b", "c"]
    assert set(model.predict(X)) == {"a", "b", "c"}
    assert model.decision_function(X).shape == (150, 3)


def test_a_fitted_estimator_can_be_copied_and_stored(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(3, cv="alo", l1_ratios=[0.0, 0.5]).fit(X, y)
    assert clone(model).get_params() == model.get_params()
    stored = pickle.loads(pickle.dumps(model))
    assert_array_equal(stored.predict_proba(X), model.predict_proba(X))


def test_float32_stays_float32(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(3, cv=3).fit(X.astype(np.float32), y)
    assert model.coef_.dtype == model.coefs_path_.dtype == np.float32


def test_one_warning_counts_the_fits_that_did_not_converge(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(3, cv=3, max_iter=1, tol=0.0)
    with pytest.warns(
        ConvergenceWarning, match="of 12 fits did not converge"
    ) as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"l1_ratios": [0.5, 1.5]}, r"l1_ratios must hold .* \[0, 1\]; got"),
        ({"l1_ratios": []}, "l1_ratios must hold at least one"),
        ({"l1_ratios": ["much"]}, "l1_ratios must hold at least one"),
        ({"alphas": []}, "alphas must hold at least one"),
        ({"alphas": [0.1, -1.0]}, r"alphas must hold .* >= 0, finite; got"),
        ({"alphas": [np.nan]}, "alphas must hold"),
        ({"alphas": [[0.1]]}, "alphas must hold"),
        ({"alphas": 0}, "'alphas' parameter"),
        ({"cv": "loo"}, "'cv' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"cv": 80}, "cv=80 is more than the samples of any class"),
        ({"cv": []}, "gives no folds"),
        ({"cv": "alo", "scoring": "roc_auc_ovr"}, "cv='alo' .* scoring='roc_auc_ovr'"),
        ({"scoring": "speed"}, "'scoring' parameter"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(wine, parameters, message):
    X, y = wine
    model = SoftmaxRegressionClassifierCV([0.1], cv=3).fit(X, y)
    before = pickle.dumps(vars(model))
    bad = clone(model).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        bad.fit(X, y)
    assert pickle.dumps(vars(model)) == before
    assert not hasattr(bad, "classes_")


def test_a_class_that_a_training_fold_lacks_is_named(wine):
    X, y = wine
    y = np.array(["red", "white", "rosé"])[y]
    folds = [(np.flatnonzero(y != "white"), np.arange(9))]
    with pytest.raises(ValueError, match=r"cv leaves .* of fold 0 .* \['white'\]"):
        SoftmaxRegressionClassifierCV(cv=folds).fit(X, y)
    weights = (y != "white").astype(float)
    SoftmaxRegressionClassifierCV(3, cv=folds).fit(X, y, weights)


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_class_of_one_sample_is_not_advised_to_have_fewer_folds(rng):
    X, y = rng.standard_normal((41, 2)), [*"ab"] * 20 + ["once"]
    model = SoftmaxRegressionClassifierCV(alphas=2, cv=2)
    with pytest.raises(ValueError, match=r"\['once'\]; one has a single sample"):
        model.fit(X, y)
    assert model.set_params(cv="alo").fit(X, y).classes_.size == 3


def test_one_class_alone_is_refused(wine):
    X, y = wine
    with pytest.raises(ValueError, match="two classes with weight"):
        SoftmaxRegressionClassifierCV().fit(X, y, (y == 1).astype(float))


def test_folds_that_weigh_nothing_are_refused(wine):
    X, y = wine
    weights = np.ones(len(y))
    weights[:10] = 0.0
    folds = [(np.arange(10, len(y)), np.arange(10))]
    with pytest.raises(ValueError, match="sample_weight is zero for all rows"):
        SoftmaxRegressionClassifierCV(3, cv=folds).fit(X, y, weights)


def test_constant_features_have_a_grid_too():
    X, y = np.ones((30, 2)), np.arange(30) % 3
    for l1_ratio in (0.0, 1.0):
        model = SoftmaxRegressionClassifierCV(3, l1_ratios=l1_ratio, cv=3).fit(X, y)
        assert_allclose(model.predict_proba(X), 1 / 3)
        assert_array_equal(model.alphas_.argsort(), [[2, 1, 0]])


@pytest.mark.parametrize(
    "cv",
    [
        [],
        [[1], [2, 3]],
        [1.0, 2.0],
        np.ones((2, 2)),
        {"a": 1},
        [([0, 1, 2], [10_000])],
        [([0, 1, 2], [])],
        [([True, False], [1])],
    ],
)
def test_a_cv_that_gives_no_row_numbers_is_named(cv):
    X, y = load_iris(return_X_y=True)
    with pytest.raises((ValueError, TypeError), match=r"\bcv\b"):
        SoftmaxRegressionClassifierCV(cv=cv).fit(X, y)


def test_pairs_that_can_be_read_once_are_read_once(wine):
    folds = list(StratifiedKFold(3).split(*wine))
    expected = SoftmaxRegressionClassifierCV(alphas=3, cv=folds).fit(*wine)
    with config_context(enable_metadata_routing=True):
        model = SoftmaxRegressionClassifierCV(alphas=3, cv=(pair for pair in folds))
        assert_array_equal(model.fit(*wine).scores_, expected.scores_)


def test_rows_to_be_scored_may_lack_classes(wine):
    X, y = wine
    model = SoftmaxRegressionClassifierCV(alphas=3).fit(X, y)
    expected = model.predict_log_proba(X[:59])[:, 0].mean()
    assert_allclose(model.score(X[:59], y[:59]), expected)
    model.set_params(scoring="accuracy")
    assert model.score(X[:2], [y[0], 17]) == 0.5  # of no class, so wrong


def test_a_scorer_of_the_same_name_is_called(wine):
    def accuracy_score(y_true, y_pred):
        return 0.25

    model = SoftmaxRegressionClassifierCV(
        alphas=2, cv=2, scoring=make_scorer(accuracy_score)
    )
    assert_array_equal(model.fit(*wine).scores_, np.full((1, 2, 2), 0.25))
