"""Approximate leave-one-out beside models that are really fitted without the row."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.model_selection import LeaveOneOut as LeaveOneOutFolds
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._data.in_memory import check_training
from sksoftmax._fit import leave_one_out as _alo
from sksoftmax._fit import left_out_step
from sksoftmax._fit.leave_one_out import LeaveOneOut
from sksoftmax._fit.path import fit_path


def approximate_losses(settings, X, y, s=None):
    """Loss of each row by the model without it, from one fit."""
    training = check_training(copy.copy(settings), X, y, s)
    _, (left,) = fit_path(settings, training, [settings.alpha], LeaveOneOut())
    assert_allclose(left.chances, 1.0)
    Y = np.asarray(training.targets.Y)[training.targets.s > 0]
    return -np.sum(Y * log_softmax(left.Z_without, axis=1), axis=1)


@pytest.mark.parametrize("grouped", [False, True])
def test_without_weights_and_intercepts_no_row_changes_anything(grouped):
    X, y = standardised(load_wine)
    settings = SoftmaxRegressionClassifier(
        alpha=10.0, l1_ratio=1.0, grouped=grouped, fit_intercept=False
    )
    assert_allclose(approximate_losses(settings, X, y), np.log(3), rtol=1e-14)


def true_losses(settings, X, y, s=None, groups=None):
    """The same by as many fits."""
    groups = np.arange(len(X)) if groups is None else groups
    losses = np.zeros(len(X))
    Y = y if y.ndim == 2 else np.eye(y.max() + 1)[y]
    for train, test in LeaveOneGroupOut().split(X, y, groups):
        model = copy.copy(settings).fit(
            X[train], y[train], s if s is None else s[train]
        )
        losses[test] = -np.sum(Y[test] * model.predict_log_proba(X[test]), axis=1)
    return losses


def standardised(load, **options):
    X, y = load(return_X_y=True, **options)
    return StandardScaler().fit_transform(X), y


def some_digits():
    X, y = load_digits(n_class=5, return_X_y=True)
    return X[:150, 20:44] / 16.0, y[:150]


def some_cancer():
    X, y = standardised(load_breast_cancer)
    return X[::4, :10], y[::4]


DATA = {
    "iris": lambda: load_iris(return_X_y=True),
    "standardised_iris": lambda: standardised(load_iris),
    "wine": lambda: standardised(load_wine),
    "digits": some_digits,
    "breast_cancer": some_cancer,
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_losses_are_those_of_real_refits(rng, data, weighted):
    X, y = data()
    s = rng.uniform(0.5, 2.0, len(X)) if weighted else None
    settings = SoftmaxRegressionClassifier(alpha=0.01)
    true, approximate = (
        losses(settings, X, y, s) for losses in (true_losses, approximate_losses)
    )
    mean = np.average(true, weights=s)
    assert_allclose(np.average(approximate, weights=s), mean, rtol=0.02)
    assert np.corrcoef(true, approximate)[0, 1] > 0.999
    fitted = settings.fit(X, y, s).predict_log_proba(X)[np.arange(len(y)), y]
    assert mean > 1.05 * np.average(-fitted, weights=s)  # there is a difference to find


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_the_chosen_alpha_is_as_good_as_that_of_real_refits(data):
    X, y = data()
    chosen = SoftmaxRegressionClassifierCV(cv="alo").fit(X, y)
    best = np.argmax(chosen.alphas_[0] == chosen.alpha_)
    losses = [
        true_losses(SoftmaxRegressionClassifier(alpha=alpha), X, y).mean()
        for alpha in chosen.alphas_[0, [best - 2, best, best + 2]]
    ]
    assert losses[1] < 1.05 * min(losses)
    assert_allclose(-chosen.mean_scores_.max(), losses[1], rtol=0.01)


def some_irises(step=3):
    X, y = standardised(load_iris)
    return X[::step], y[::step]


def wide_data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((24, 30))
    Z = 2.0 * X[:, :3] @ rng.standard_normal((3, 3)) + rng.gumbel(size=(24, 3))
    return X, Z.argmax(axis=1)


KINDS = {
    "ridge": {},
    "lasso": {"l1_ratio": 1.0},
    "elastic_net": {"l1_ratio": 0.5},
    "grouped": {"l1_ratio": 1.0, "grouped": True},
}


@pytest.mark.parametrize("data", [lambda: some_irises(5), wide_data])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_penalties_are_chosen_as_with_real_refits(kind, data):
    # One step alone is wrong by 10 % to 150 % of the loss at the last alpha.
    X, y = data()
    parameters = {f"{name}s": [kind[name]] for name in kind if name == "l1_ratio"}
    parameters |= {"alphas": 4, "grouped": kind.get("grouped", False)}
    ours = SoftmaxRegressionClassifierCV(cv="alo", **parameters).fit(X, y)
    exact = SoftmaxRegressionClassifierCV(cv=LeaveOneOutFolds(), **parameters)
    exact.fit(X, y)
    assert_allclose(ours.mean_scores_, exact.mean_scores_, rtol=0.01)
    assert_allclose(ours.score_errors_, exact.score_errors_, rtol=0.03, atol=1e-3)
    assert ours.alpha_ == exact.alpha_
    assert ours.alpha_1se_ == exact.alpha_1se_


@pytest.mark.parametrize("kind", ["weights", "two classes", "no intercept", "CSR"])
def test_rows_for_which_one_step_is_too_short_are_fitted_again(rng, kind):
    X, y = some_irises()
    s = rng.uniform(0.5, 2.0, len(y)) if kind == "weights" else None
    settings = SoftmaxRegressionClassifier(alpha=1e-5)
    if kind == "two classes":
        X, y = X[y > 0], y[y > 0] - 1
    settings.fit_intercept = kind != "no intercept"
    true = true_losses(settings, X, y, s)
    if kind == "CSR":
        X = csr_array(X)
    approximate = approximate_losses(settings, X, y, s)
    mean = np.average(true, weights=s)
    assert_allclose(np.average(approximate, weights=s), mean, rtol=0.01)
    large = true > 3.0 * mean  # these hold the boundary
    assert_allclose(approximate[large], true[large], rtol=0.02)


def test_one_step_alone_is_too_short_for_these(monkeypatch):
    X, y = some_irises()
    settings = SoftmaxRegressionClassifier(alpha=1e-5)
    exact = approximate_losses(settings, X, y).mean()
    monkeypatch.setattr(_alo, "_WRONG", np.inf)
    assert not 0.9 < approximate_losses(settings, X, y).mean() / exact < 1.1


def test_the_only_row_of_a_class_keeps_its_step(monkeypatch):
    X, y = some_irises()
    y = np.where(np.arange(50) == 7, 3, y)
    settings = SoftmaxRegressionClassifier(alpha=1e-5)
    losses = approximate_losses(settings, X, y)
    monkeypatch.setattr(_alo, "_WRONG", np.inf)
    steps = approximate_losses(settings, X, y)
    assert losses[7] == steps[7]
    assert (losses != steps).any()


CASES = {
    "ridge": {"alpha": 0.01},
    "without_intercept": {"alpha": 0.01, "fit_intercept": False},
    "lasso": {"alpha": 0.01, "l1_ratio": 1.0},
    "elastic_net": {"alpha": 0.01, "l1_ratio": 0.5},
    "grouped": {"alpha": 0.02, "l1_ratio": 1.0, "grouped": True},
    "balanced": {"alpha": 0.01, "class_weight": {0: 3.0, 1: 1.0, 2: 0.5}},
    "smoothed": {"alpha": 0.01, "label_smoothing": 0.1},
}


@pytest.mark.parametrize("parameters", CASES.values(), ids=CASES)
def test_every_penalty_leaves_rows_out(parameters):
    X, y = standardised(load_iris)
    settings = SoftmaxRegressionClassifier(**parameters)
    approximate = approximate_losses(settings, X, y)
    true = true_losses(settings, X, y)
    assert_allclose(approximate.mean(), true.mean(), rtol=0.02)
    assert np.corrcoef(true, approximate)[0, 1] > 0.99


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_two_classes_leave_out_alike_with_one_logit_and_with_two_columns(
    rng, fit_intercept, monkeypatch
):
    # By one step: which rows at the edge are fitted again is a matter of rounding.
    monkeypatch.setattr(_alo, "_WRONG", np.inf)
    # Under a trace of the L1 norm there is a column for each class, under none there
    # is one logit for both.
    X, y = some_cancer()
    Y = np.column_stack([0.8 * (y == 0) + 0.1, 0.8 * (y == 1) + 0.1])
    settings = SoftmaxRegressionClassifier(
        alpha=1e-3, fit_intercept=fit_intercept, tol=1e-13
    )
    s = rng.uniform(0.5, 2.0, len(y))
    one = approximate_losses(settings, X, Y, s)
    settings.l1_ratio = 1e-9
    assert_allclose(one, approximate_losses(settings, X, Y, s), rtol=1e-5)


def test_lasso_with_an_even_number_of_classes_leaves_rows_out(rng):
    # All classes of a feature may have weights then, along which nothing has curvature.
    X = rng.standard_normal((120, 3))
    y = np.argmax(X @ rng.standard_normal((3, 4)) + rng.gumbel(size=(120, 4)), axis=1)
    settings = SoftmaxRegressionClassifier(alpha=0.003, l1_ratio=1.0)
    assert settings.fit(X, y).coef_.all(axis=0).any()
    true = true_losses(settings, X, y)
    assert_allclose(approximate_losses(settings, X, y).mean(), true.mean(), rtol=0.01)


def test_soft_labels_leave_rows_out(rng):
    X = rng.standard_normal((80, 4))
    Y = rng.dirichlet(np.ones(3), 80)
    settings = SoftmaxRegressionClassifier(alpha=0.01)
    true = true_losses(settings, X, Y)
    approximate = approximate_losses(settings, X, Y)
    assert_allclose(approximate, true, atol=0.02 * true.mean())


def test_wide_data_leave_rows_out(rng):
    X = rng.standard_normal((40, 200))
    y = np.argmax(X[:, :3] + 0.5 * rng.standard_normal((40, 3)), axis=1)
    settings = SoftmaxRegressionClassifier(alpha=10.0)
    true = true_losses(settings, X, y)
    assert_allclose(approximate_losses(settings, X, y), true, rtol=2e-3)


def test_sparse_data_leave_out_what_dense_data_do(rng):
    X, y = load_iris(return_X_y=True)
    for l1_ratio in (0.0, 1.0):
        settings = SoftmaxRegressionClassifier(alpha=0.01, l1_ratio=l1_ratio)
        assert_allclose(
            approximate_losses(settings, csr_array(X), y),
            approximate_losses(settings, X, y),
            rtol=1e-5,
        )


def test_the_error_falls_with_the_square_of_the_number_of_rows(rng):
    # One Newton step from the optimum, which is 1/n away, ends 1/n^2 away.
    X = rng.standard_normal((400, 2))
    y = np.argmax(X @ rng.standard_normal((2, 3)) + rng.gumbel(size=(400, 3)), axis=1)
    settings = SoftmaxRegressionClassifier(alpha=0.1, tol=1e-14)
    errors = [
        np.abs(
            approximate_losses(settings, X[:n], y[:n])
            - true_losses(settings, X[:n], y[:n])
        ).mean()
        for n in (50, 400)
    ]
    assert errors[1] < 1.5 * errors[0] / 8**2


def test_with_an_overwhelming_penalty_only_the_intercepts_move(rng):
    # The null model without row i has the other rows' shares, up to second order.
    X, y = rng.standard_normal((500, 2)), rng.integers(3, size=500)
    settings = SoftmaxRegressionClassifier(alpha=1e8)
    counts = np.bincount(y)[y]
    assert_allclose(
        approximate_losses(settings, X, y), -np.log((counts - 1) / 499), rtol=1e-4
    )
    settings.fit_intercept = False
    assert_allclose(approximate_losses(settings, X, y), np.log(3), rtol=1e-8)


def test_weights_are_repeated_rows_that_are_left_out_together(rng):
    X, y = load_iris(return_X_y=True)
    s = rng.integers(0, 3, 150)
    settings = SoftmaxRegressionClassifier(alpha=0.01)
    approximate = approximate_losses(settings, X, y, s)
    rows = np.repeat(np.arange(150), s)
    true = true_losses(settings, X[rows], y[rows], groups=rows)
    first = np.unique(rows, return_index=True)[1]
    assert_allclose(approximate, true[first], atol=0.02 * true.mean())


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e-3, 1e155])
def test_the_unit_of_the_weights_does_not_matter(unit):
    X, y = load_iris(return_X_y=True)
    settings = SoftmaxRegressionClassifier(alpha=0.01)
    assert_allclose(
        approximate_losses(settings, X, y, np.full(150, unit)),
        approximate_losses(settings, X, y),
        rtol=1e-6,
    )


def test_a_sample_of_the_rows_estimates_the_mean_of_all(rng, monkeypatch):
    X = rng.standard_normal((6000, 5))
    y = np.argmax(X @ rng.standard_normal((5, 4)) + rng.gumbel(size=(6000, 4)), axis=1)
    X[:20] *= 10.0  # rows that count for more than others
    settings = SoftmaxRegressionClassifier()
    training = check_training(settings, X, y, None)
    weights = rng.uniform(0.5, 2.0, 6000)

    def path_of_means():
        _, observed = fit_path(settings, training, [0.1, 1e-3], LeaveOneOut())
        return observed, np.array(
            [
                left.mean(
                    lambda Z, Y: np.sum(Y * log_softmax(Z, axis=1), axis=1),
                    np.asarray(training.targets.Y),
                    weights,
                )
                for left in observed
            ]
        )

    sampled, means = path_of_means()
    monkeypatch.setattr(_alo, "_ROWS_LEFT_OUT", 10_000)
    everyone, exact = path_of_means()
    for left, all_left in zip(sampled, everyone, strict=True):
        assert 850 < left.rows.size < 1150
        assert all_left.rows.size == 6000
    Y = np.asarray(training.targets.Y)
    within = [
        np.average(np.sum(Y * log_softmax(left.Z, axis=1), axis=1), weights=weights)
        for left in everyone
    ]
    assert_allclose(means[:, 0] - within, exact[:, 0] - within, rtol=0.2)
    assert_allclose(means[:, 0], exact[:, 0], rtol=1e-3)
    assert_allclose(means[:, 1], exact[:, 1], rtol=0.2)


def test_a_hessian_too_large_to_invert_is_refused(monkeypatch):
    X, y = load_iris(return_X_y=True)
    monkeypatch.setattr(left_out_step, "LARGEST", 9)
    with pytest.raises(ValueError, match=r"cv='alo' inverts .* 10 parameters"):
        SoftmaxRegressionClassifierCV(cv="alo").fit(X, y)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy"])
@pytest.mark.parametrize("penalty", [{}, {"l1_ratios": 0.5}], ids=["L2", "elastic net"])
def test_scores_count_targets_of_a_class_whose_factor_is_zero(rng, scoring, penalty):
    X, Y = rng.normal(size=(60, 2)), rng.dirichlet([1, 1, 1], size=60)
    settings = {
        "alphas": [0.1],
        "class_weight": {0: 0.0, 1: 1.0, 2: 2.0},
        "scoring": scoring,
        **penalty,
    }
    refits = [(np.delete(np.arange(60), i), [i]) for i in range(60)]
    ours = SoftmaxRegressionClassifierCV(cv="alo", **settings).fit(X, Y)
    exact = SoftmaxRegressionClassifierCV(cv=refits, **settings).fit(X, Y)
    assert_allclose(ours.mean_scores_, exact.mean_scores_, rtol=0.02)
