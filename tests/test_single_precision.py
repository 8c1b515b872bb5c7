"""Hessian products in single precision, against the same in double precision."""

import numpy as np
import pytest
import scipy.sparse

from sksoftmax._data import chunks as _chunks
from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.objective import Objective
from sksoftmax._objective.single_precision import SingleCopy, is_worth_copying
from sksoftmax._utils.threads import Threads

SINGLE = np.finfo(np.float32).eps


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 2**14)


def objective_of(X, n_classes, fit_intercept=True, sizes=()):
    rng = np.random.default_rng(1)
    n_rows, n_features = X.shape
    network = Network(
        (n_features, *sizes, n_classes), ACTIVATIONS["tanh"], fit_intercept
    )
    Y = np.eye(n_classes)[rng.integers(0, n_classes, size=n_rows)]
    s = rng.uniform(0.1, 2.0, size=n_rows)
    chunks = Chunks(X, Y, s, Threads())
    penalty = L2Penalty(np.zeros(network.n_params))
    return Objective(network, chunks, penalty, s.sum())


def plain(rng):
    return rng.normal(size=(500, 6))


def units(rng):
    return plain(rng) * [1e-8, 1e-4, 1.0, 1.0, 1e4, 1e8]


def offsets_of_a_million(rng):
    return plain(rng) + 1e6


def offsets_in_all_units(rng):
    return (plain(rng) + 1e6) * [1e-8, 1e-4, 1.0, 1.0, 1e4, 1e8]


def constant_columns(rng):
    X = plain(rng)
    X[:, 1], X[:, 2], X[:, 3] = 0.0, 0.1, 1e6 / 3
    return X


def sparse(rng):
    X = rng.random((500, 40)) * (rng.random((500, 40)) < 0.1)
    return scipy.sparse.csr_array(X * np.logspace(-8, 8, 40))


def single_precision(rng):
    return plain(rng).astype(np.float32)


DATA = [
    plain,
    units,
    offsets_of_a_million,
    offsets_in_all_units,
    constant_columns,
    sparse,
    single_precision,
]


def typical_directions(rng, X, n_classes, fit_intercept):
    """Directions that move logits by about one, from all columns and from each."""
    dense = X.toarray() if scipy.sparse.issparse(X) else X.astype(float)
    centre = dense.mean(axis=0) if fit_intercept else 0.0 * dense[0]
    size = np.sqrt(np.mean((dense - centre) ** 2, axis=0))
    live = size > 1e-12 * np.abs(centre)
    for chosen in [live, *(live & (np.arange(live.size) == j) for j in (0, 4, 5))]:
        V = rng.normal(size=(dense.shape[1], n_classes))
        V *= (chosen / np.where(live, size, 1.0))[:, None]
        parts = [V]
        if fit_intercept:
            parts.append((rng.normal(size=n_classes) - centre @ V)[None])
        yield np.concatenate(parts).ravel()


# Without intercepts nothing is centred, and offsets keep their digits.
WITH_AND_WITHOUT = [(make, True) for make in DATA] + [
    (make, False) for make in DATA if "offsets" not in make.__name__
]


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize(("make", "fit_intercept"), WITH_AND_WITHOUT)
def test_products_agree_with_double_precision_to_single(
    rng, make, fit_intercept, n_classes
):
    """To single precision of the product's own size: the root of v.H v times H_jj."""
    X = make(rng)
    objective = objective_of(X, n_classes, fit_intercept)
    w = np.zeros(objective.network.n_params)
    if fit_intercept:
        w[-n_classes:] = rng.normal(size=n_classes)
    _, _, hessian = objective.value_grad_hessp(w)
    copy = SingleCopy(objective)
    states = copy.in_single(hessian.states)
    unit = np.eye(w.size)
    diagonal = np.array([e @ hessian(e) for e in unit]) * objective.total_weight
    for v in typical_directions(rng, X, n_classes, fit_intercept):
        exact = hessian(v) * objective.total_weight
        size = np.sqrt(np.abs(v @ exact) * diagonal)
        error = np.abs(copy.product(states, v) - exact)
        assert (error <= 100 * SINGLE * size + 1e-300).all()


@pytest.mark.parametrize("make", [plain, offsets_in_all_units, sparse])
def test_products_are_symmetric_and_not_negative(rng, make):
    X = make(rng)
    objective = objective_of(X, 4)
    w = np.zeros(objective.network.n_params)
    copy = SingleCopy(objective)
    states = copy.in_single(objective.value_grad_hessp(w)[2].states)
    directions = list(typical_directions(rng, X, 4, True))
    products = [copy.product(states, v) for v in directions]
    G = np.array(directions) @ np.array(products).T
    size = np.sqrt(np.outer(G.diagonal(), G.diagonal()))
    assert (G.diagonal() > 0).all()
    assert (np.abs(G - G.T) <= 100 * SINGLE * size).all()


def test_the_data_stay_as_they_were(rng):
    X = plain(rng)
    before = X.copy()
    X.flags.writeable = False
    objective = objective_of(X, 3)
    v = rng.normal(size=objective.network.n_params)
    v.flags.writeable = False
    copy = SingleCopy(objective)
    hessian = objective.value_grad_hessp(np.zeros_like(v))[2]
    copy.product(copy.in_single(hessian.states), v)
    assert np.array_equal(X, before)


def test_small_data_and_hidden_layers_are_not_copied(rng):
    large = rng.normal(size=(20_000, 10))
    assert is_worth_copying(objective_of(large, 5))
    assert not is_worth_copying(objective_of(large[:100], 5))
    assert not is_worth_copying(objective_of(large, 5, sizes=(3,)))


def test_data_are_copied_when_they_are_multiplied_by_for_the_seventh_time(rng):
    objective = objective_of(rng.normal(size=(20_000, 10)), 5)
    copies = copies_before_products(objective, 8)
    assert copies[:6] == [None] * 6
    assert isinstance(copies[6], SingleCopy)
    assert copies[7] is copies[6]
    small = objective_of(rng.normal(size=(100, 10)), 5)
    assert copies_before_products(small, 9) == [None] * 9


def copies_before_products(objective, n_products):
    """The copy before each of some products with the Hessian."""
    v = np.ones(objective.network.n_params)
    _, _, hessian = objective.value_grad_hessp(v)
    copies = []
    for _ in range(n_products):
        objective.single_copy()  # to ask for it is no product
        copies.append(objective.single_copy())
        hessian(v)
    return copies


def test_the_hessian_takes_to_the_copy_and_hardly_changes(rng):
    objective = objective_of(rng.normal(size=(20_000, 10)), 5)
    w, v = rng.normal(size=(2, objective.network.n_params))
    _, _, hessian = objective.value_grad_hessp(w)
    products = np.array([hessian(v) for _ in range(9)])
    assert (products[:6] == products[0]).all()
    assert (products[6:] == products[6]).all()
    error = np.abs(products[6] - products[0]).max() / np.abs(products[0]).max()
    assert 0 < error < 100 * SINGLE
