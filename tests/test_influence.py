"""Residuals, leverage and influence: their definitions, and fits without a row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax.inference import influence, summary


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((120, 2)) * [1.0, 50.0]
    y = np.argmax(rng.gumbel(size=(120, 3)) + X[:, :1] * [0, 0.5, -0.5], axis=1)
    return X, np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="module")
def model(rows, exact):
    return exact(alpha=0.0).fit(*rows)


def test_residuals_have_their_definitions(rows, model):
    X, y = rows
    P, Y = model.predict_proba(X), np.equal.outer(y, model.classes_)
    found = influence(model, X, y)
    assert_allclose(found.residual, Y - P, atol=1e-8)
    assert_allclose(found.pearson, (Y - P) / np.sqrt(P * (1 - P)), rtol=1e-6)
    deviance = -2 * summary(model, X, y).loglik
    assert_allclose(np.square(found.deviance).sum(), deviance)
    assert_allclose(np.square(found.deviance), -2 * np.log(P[Y]), rtol=1e-6)


def test_leverages_add_up_to_the_number_of_coefficients(rows, model):
    found = influence(model, *rows)
    assert_allclose(found.leverage.sum(), 6)
    assert (found.leverage > 0).all()


def test_influence_is_that_of_one_newton_step_without_the_row(rows, model):
    X, y = rows
    D, P = np.column_stack([X, np.ones(len(X))]), model.predict_proba(X)[:, 1:]
    E = np.equal.outer(y, model.classes_)[:, 1:] - P
    Z = [np.kron(np.eye(2), d) for d in D]
    W = [np.diag(p) - np.outer(p, p) for p in P]
    H = sum(z.T @ w @ z for z, w in zip(Z, W, strict=True))
    found = influence(model, X, y, base="a", coef_change=True)
    for i in range(0, 120, 7):
        others = H - Z[i].T @ W[i] @ Z[i]
        change = np.linalg.solve(others, Z[i].T @ E[i])
        assert_allclose(found.coef_change[i].ravel(), change, rtol=1e-5, atol=1e-8)
        assert_allclose(found.cook[i], change @ H @ change / 6, rtol=1e-5)


def test_influence_is_near_what_fits_without_the_row_say(rows, model, exact):
    X, y = rows
    found = influence(model, X, y, base="b", coef_change=True)
    full = summary(model, X, y, base="b")
    for i in np.argsort(found.cook)[-5:]:
        others = np.delete(X, i, axis=0), np.delete(y, i)
        change = (
            full.coef - summary(exact(alpha=0.0).fit(*others), *others, base="b").coef
        )
        error = np.abs(found.coef_change[i] - change) / full.se
        assert error.max() < 0.15 * np.abs(change / full.se).max()


def test_a_row_of_frequency_two_is_left_out_as_a_whole(rows, exact):
    X, y = rows
    counts = np.ones(120)
    counts[3] = 2.0
    model = exact(alpha=0.0).fit(X, y, counts)
    found = influence(model, X, y, counts, weights="frequency", coef_change=True)
    counts[3] = 0.0
    without = exact(alpha=0.0).fit(X, y, counts)
    change = model.coef_ - without.coef_
    assert_allclose(found.coef_change[3, :, :2], change, rtol=0.2)


def test_rows_without_weight_have_no_influence(rows, exact):
    X, y = rows
    s = np.where(np.arange(120) < 100, 1.0, 0.0)
    model = exact(alpha=0.0).fit(X, y, s)
    found = influence(model, X, y, s, coef_change=True)
    fewer = influence(model, X[:100], y[:100], coef_change=True)
    for name in ("residual", "pearson", "deviance", "leverage", "cook", "coef_change"):
        values = getattr(found, name)
        assert np.isnan(values[100:]).all()
        assert_allclose(values[:100], getattr(fewer, name))


def test_soft_labels_have_the_deviance_beyond_their_own_entropy(rows, exact):
    X, y = rows
    Y = 0.8 * np.equal.outer(y, ["a", "b", "c"]) + 0.2 / 3
    model = exact(alpha=0.0).fit(X, Y)
    found = influence(model, X, Y)
    divergence = (Y * np.log(Y / model.predict_proba(X))).sum(axis=1)
    assert_allclose(np.square(found.deviance), 2 * divergence, rtol=1e-6, atol=1e-12)


def test_the_data_frame_has_a_row_for_each_sample(rows, model):
    found = influence(model, *rows)
    frame = found.to_frame()
    assert len(frame) == 120
    assert_allclose(frame["residual b"], found.residual[:, 1])
    assert list(frame.columns[-3:]) == ["deviance", "leverage", "cook"]
    assert found.coef_change is None
