"""The one place that chooses a penalty: every kind of fit takes it from there."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._fit import problem
from sksoftmax._model.penalties import L2Penalty

N_FEATURES, N_CLASSES = 40, 3
FACTORS = np.geomspace(0.5, 2.0, N_FEATURES)  # of each feature's penalty
ALPHA = 0.05


class ThricePenalty(L2Penalty):
    """R(w) = 3/2 sum_j strength_j w_j^2."""

    def __init__(self, strength):
        super().__init__(3 * strength)


class FactorPenalty(L2Penalty):
    """R(W) = 1/2 sum_j strength_j factor_j ||W_j.||^2."""

    is_rotation_invariant = False

    def __init__(self, strength):
        strength = strength.copy()
        strength[: N_FEATURES * N_CLASSES] *= np.repeat(FACTORS, N_CLASSES)
        super().__init__(strength)


@pytest.fixture
def choose(monkeypatch):
    """Put a penalty in the place of the L2 penalty."""
    return lambda kind: monkeypatch.setattr(problem, "L2Penalty", kind)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(90, N_FEATURES))
    return X, (X[:, :3] + rng.gumbel(size=(90, 3))).argmax(axis=1)


@pytest.mark.parametrize("sizes", [(), (5,)], ids=["linear", "hidden"])
@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam", "sgd"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_solver_minimises_the_penalty_that_was_chosen(
    data, choose, solver, sizes
):
    def fit(alpha):
        model = SoftmaxRegressionClassifier(
            sizes, alpha=alpha, solver=solver, max_iter=20, random_state=0
        )
        return model.fit(*data)

    expected = fit(3 * ALPHA)
    choose(ThricePenalty)
    found = fit(ALPHA)
    assert_allclose(found.loss_, expected.loss_, rtol=1e-9)
    for W, W_expected in zip(found.coefs_, expected.coefs_, strict=True):
        assert_allclose(W, W_expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("n_rows", [90, 15], ids=["tall", "wide"])
def test_a_penalty_that_is_not_rotation_invariant_has_no_row_space(
    data, choose, solver, n_rows
):
    """A factor on a feature's penalty is a scale of the feature."""
    X, y = (part[:n_rows] for part in data)
    model = SoftmaxRegressionClassifier(alpha=ALPHA, solver=solver, tol=1e-12)
    expected = model.fit(X / np.sqrt(FACTORS), y).coef_ / np.sqrt(FACTORS)
    choose(FactorPenalty)
    assert_allclose(model.fit(X, y).coef_, expected, atol=1e-6)
