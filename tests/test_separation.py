"""The decision whether classes are separated, against linear programs."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from effort import ALL, LONG
from numpy.testing import assert_array_equal
from scipy.optimize import linprog

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.chunks import Chunks
from sksoftmax._objective.separating_direction import decide
from sksoftmax._utils.threads import Threads
from sksoftmax.exceptions import SeparationWarning
from sksoftmax.inference import summary

N_TABLES = 7500 if ALL else 1500 if LONG else 150


def table(seed):
    """Features of six kinds, classes by noisy linear scores, weights over decades."""
    rng = np.random.default_rng([7, seed])
    n, p, n_classes = (int(rng.integers(a, b)) for a, b in ((8, 80), (1, 5), (2, 5)))
    X, kind = rng.standard_normal((n, p)), seed % 6
    if kind < 3:  # many ties
        X = np.round(X, kind)
    elif kind == 3:
        X = (X > 0.8).astype(float)
    elif kind == 4:
        X = np.c_[X, rng.random(n) < 0.15]
    else:
        X = X * 10.0 ** rng.uniform(-4, 4, p) + rng.choice([0, 10.0, 1e3])
    Z = standardised(X) @ rng.standard_normal((X.shape[1], n_classes))
    Z *= rng.choice([0.5, 1.0, 2.0, 5.0])
    y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    y = np.unique(y, return_inverse=True)[1]
    decades = rng.choice([0, 0, 1, 3])
    return X, y, 10.0 ** rng.uniform(-decades, decades, n)


def standardised(X):
    return (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12)


def are_separated(X, Y):
    """By one linear program of all rows: no loss, level own classes, and some gain."""
    A, n_classes = np.c_[standardised(X), np.ones(len(X))], Y.shape[1]
    leads, level = [], []
    for x, y in zip(A, Y, strict=True):
        own = np.flatnonzero(y)
        for k in range(n_classes):
            lead = np.zeros((n_classes, x.size))
            lead[own[0]] += x
            lead[k] -= x
            (level if k in own else leads).append(lead.ravel())
    if not leads:
        return False
    leads, level = np.array(leads), np.array(level)
    found = linprog(
        -leads.sum(axis=0),
        A_ub=-leads,
        b_ub=np.zeros(len(leads)),
        A_eq=level,
        b_eq=np.zeros(len(level)),
        bounds=(-1, 1),
    )
    return -found.fun > 1e-6


def told(X, y, s=None, **params):
    """Whether the fit warns of separation, and whether it claims to have converged."""
    model = SoftmaxRegressionClassifier(alpha=0, **params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y) if s is None else model.fit(X, y, s)
    warned = any(issubclass(w.category, SeparationWarning) for w in caught)
    return warned, model.converged_


@pytest.mark.parametrize("kind", range(6))
def test_every_table_is_decided_as_by_one_linear_program(kind):
    n_separated = 0
    for seed in range(kind, N_TABLES, 6):
        X, y, s = table(seed)
        if y.max() == 0:
            continue
        Y = np.eye(y.max() + 1)[y]
        truth = are_separated(X, Y)
        n_separated += truth
        solver = "lbfgs" if seed % 4 == 1 else "newton"
        warned, converged = told(X, y, s, solver=solver)
        assert warned == truth, seed
        assert not (truth and converged), seed
        # The null model is far from any optimum, so that programs have to decide.
        chunks = Chunks(X, Y, s, Threads())
        decision = decide(chunks, True, lambda X, Y=Y: np.zeros((len(X), Y.shape[1])))
        assert decision.is_made
        assert (decision.D is not None) == truth, seed
        if truth:
            assert_separates(decision.logits_along(X), y)
    assert 0 < n_separated < N_TABLES / 6


def assert_separates(Z, y):
    gains = Z[np.arange(len(y)), y][:, None] - Z
    assert gains.min() > -1e-11 * gains.max()
    assert gains.max() > 0.0


@pytest.mark.parametrize("form", ["array", "csr", "batches"])
def test_rows_of_several_classes_are_decided_as_by_one_linear_program(form):
    n_separated, seeds = 0, range(0, 600 if LONG else 60, 2)
    for seed in seeds:
        X, y, s = table(seed)
        rng = np.random.default_rng(seed)
        Y, n_classes = np.eye(y.max() + 1)[y], y.max() + 1
        mixed = rng.random(len(y)) < rng.choice([0.02, 0.1])
        Y[mixed] = (
            0.7 * Y[mixed]
            + 0.3 * np.eye(n_classes)[rng.integers(0, n_classes, mixed.sum())]
        )
        if n_classes < 2:
            continue
        truth = are_separated(X, Y)
        n_separated += truth
        if form == "batches":
            halves = np.array_split(np.arange(len(X)), 2)
            warned, converged = told([(X[i], Y[i], s[i]) for i in halves], None)
        else:
            data = scipy.sparse.csr_array(X) if form == "csr" else X
            warned, converged = told(data, Y, s)
        assert warned == truth, seed
        assert not (truth and converged), seed
    assert 0 < n_separated < len(seeds)


@pytest.mark.parametrize("sign", [1, -1], ids=["overlap", "gap"])
@pytest.mark.parametrize("size", [1e-3, 3e-5, 1e-7, 1e-9, 1e-11])
def test_an_overlap_or_a_gap_may_be_small(size, sign):
    """A line is separated where no row of a class lies among those of the other."""
    x = np.sort(np.random.default_rng(1).uniform(size=40))
    x[20] = x[19] - sign * size
    warned, converged = told(x[:, None], np.arange(40) >= 20)
    assert warned == (sign < 0)
    assert converged == (sign > 0)


def test_a_sharp_threshold_has_its_slope_and_standard_error():
    """Four of 20,000 rows overlap: R's glm gives 30445.48 with 16669."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=20_000)
    with np.errstate(over="ignore"):
        y = (rng.random(x.size) < 1 / (1 + np.exp(-2e4 * (x - 0.5)))).astype(int)
    model = SoftmaxRegressionClassifier(alpha=0, tol=1e-12).fit(x[:, None], y)
    result = summary(model, x[:, None], y, base=0)
    assert abs(result.coef[0, 0] / 30445.48 - 1) < 1e-4
    assert abs(result.se[0, 0] / 16669 - 1) < 1e-3


def test_a_separated_part_of_many_rows_is_found_on_few():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20_000, 10))
    y = (X @ rng.standard_normal((10, 4)) + rng.gumbel(size=(20_000, 4))).argmax(axis=1)
    mark = (y == 2) & (rng.random(20_000) < 0.005)
    with pytest.warns(SeparationWarning, match=r"\[2\] from others \(through column 3"):
        SoftmaxRegressionClassifier(alpha=0).fit(np.insert(X, 3, mark, axis=1), y)


def test_columns_that_depend_on_others_hide_no_overlap():
    rng = np.random.default_rng(4)
    X = np.eye(4)[rng.integers(0, 4, 3000)]  # they sum to the intercept
    y = rng.integers(0, 3, 3000)
    assert told(X, y) == (False, True)
    assert told(np.c_[X, X[:, 0]], y) == (False, True)
    y[X[:, 1] == 1] = 0
    assert told(X, y) == (True, False)


def test_a_warning_names_the_column_of_a_data_frame():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"age": rng.standard_normal(200), "mark": rng.random(200) < 0.2})
    y = np.where(X["mark"], "no", rng.choice(["no", "yes"], 200))
    with pytest.warns(SeparationWarning, match=r"\(through 'mark'\)"):
        SoftmaxRegressionClassifier(alpha=0).fit(X.astype(float), y)


def test_more_parameters_than_programs_are_for_are_left_to_the_solver():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((30, 600))
    chunks = Chunks(X, np.eye(2)[np.arange(30) % 2], np.ones(30), Threads())
    decision = decide(chunks, True, lambda X: np.zeros((len(X), 2)))
    assert not decision.is_made
    assert told(X, np.arange(30) % 2) == (True, False)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("logit", [np.nan, np.inf])
def test_logits_that_overflow_are_left_to_programs(logit):
    X, Y = np.arange(6.0)[:, None], np.eye(2)[[0, 0, 0, 1, 1, 1]]
    for labels, truth in ((Y, True), (Y[[0, 3, 1, 4, 2, 5]], False)):
        chunks = Chunks(X, labels, np.ones(6), Threads())
        decision = decide(chunks, True, lambda X: np.full((len(X), 2), logit))
        assert decision.is_made
        assert (decision.D is not None) == truth


def test_constant_columns_alone_separate_nothing():
    X, Y = np.ones((6, 2)), np.eye(2)[[0, 1, 0, 1, 1, 1]]
    for ones in (True, False):
        chunks = Chunks(X, Y, np.ones(6), Threads())
        decision = decide(chunks, ones, lambda X: np.zeros((len(X), 2)))
        assert decision.is_made
        assert decision.D is None


def test_the_columns_of_a_direction_are_those_of_x():
    X = np.c_[np.ones(6), [0.0, 1, 0, 1, 0, 1], [-3.0, -2, -1, 1, 2, 3]]
    chunks = Chunks(X, np.eye(2)[[0, 0, 0, 1, 1, 1]], np.ones(6), Threads())
    decision = decide(chunks, True, lambda X: np.zeros((len(X), 2)))
    assert 2 in decision.columns()
    assert_array_equal(
        np.diff(decision.logits_along(X)).ravel() > 0, [0, 0, 0, 1, 1, 1]
    )
