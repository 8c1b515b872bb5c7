"""Mini-batch estimates: values by formula, gradients by finite differences."""

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax._data.minibatches import Inputs, batch_rows
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective import batch_objective as _backprop
from sksoftmax._objective.batch_objective import BatchObjective
from sksoftmax._utils.threads import Threads

N_ROWS, N_FEATURES, N_CLASSES, ALPHA = 60, 4, 3, 0.3

NETWORKS = [((), "relu")]
NETWORKS += [(sizes, name) for sizes in ((4,), (4, 3)) for name in ACTIVATIONS]
each_network = pytest.mark.parametrize(("sizes", "activation"), NETWORKS, ids=str)
some_networks = pytest.mark.parametrize("sizes", [(), (4,), (4, 3)], ids=str)
with_and_without_intercept = pytest.mark.parametrize(
    "fit_intercept", [True, False], ids=["intercept", "no intercept"]
)
dense_and_sparse = pytest.mark.parametrize("store", [np.asarray, csr_array])


@pytest.fixture
def data(few_rows):
    return few_rows(N_ROWS, N_FEATURES, N_CLASSES)


def make(data, sizes=(), activation="tanh", fit_intercept=True, **form):
    """The objective of some data and a point w; form is `store` and `dtype`."""
    store, dtype = form.get("store", np.asarray), form.get("dtype", np.float64)
    n_units = (N_FEATURES, *sizes, N_CLASSES)
    network = Network(n_units, ACTIVATIONS[activation], fit_intercept)
    penalty = L2Penalty((ALPHA * network.weight_mask()).astype(dtype))
    X, s = store(data.X.astype(dtype)), data.s / data.s.mean()
    inputs = Inputs(np.zeros(N_FEATURES), np.ones(N_FEATURES), dtype, fit_intercept)
    rows = batch_rows(X, data.Y, s, inputs)
    # A seed that keeps pre-activations off the kinks of relu and selu.
    w = 0.7 * np.random.default_rng(3).standard_normal(network.n_params)
    return BatchObjective(network, rows, penalty), w.astype(dtype)


def plain_losses(network, data, w, masks=()):
    """Weighted losses of the rows, by formula, without the penalty."""
    H, masks = data.X, iter(masks)
    *hidden, (W_last, b_last) = network.unpack(w)
    for W, b in hidden:
        H = network.activation.value(H @ W + (0.0 if b is None else b)) * next(masks, 1)
    log_P = scipy.special.log_softmax(
        H @ W_last + (0.0 if b_last is None else b_last), axis=1
    )
    return -data.s / data.s.mean() * np.sum(data.Y * log_P, axis=1)


def plain_penalty(network, w):
    return ALPHA / 2 * sum(np.sum(W**2) for W, _ in network.unpack(w))


def epoch(objective, w, batch_size, *, dropout=0.0, seed=0, shuffle=True):
    """[(value, n_batch, grad), ...] of an epoch in which w stays."""
    batches = objective.batches(w, batch_size=batch_size, dropout=dropout)
    rng = np.random.default_rng(seed)
    return [
        (value, size, batches.grad.copy())
        for value, size in batches.epoch(rng, shuffle=shuffle)
    ]


@dense_and_sparse
@with_and_without_intercept
@each_network
def test_gradient_is_the_difference_quotient_of_the_formula(
    data, finite_differences, sizes, activation, fit_intercept, store
):
    objective, w = make(data, sizes, activation, fit_intercept, store=store)
    network = objective.network

    def value(w, rows):
        return plain_losses(network, data, w)[rows].mean() + plain_penalty(network, w)

    # 60 rows in batches of 25: the last one has ten.
    for number, (loss, size, grad) in enumerate(epoch(objective, w, 25, shuffle=False)):
        rows = np.arange(25 * number, 25 * number + size)
        assert_allclose(loss, plain_losses(network, data, w)[rows].mean(), rtol=1e-12)
        expected = finite_differences(lambda w, rows=rows: value(w, rows), w)
        assert_allclose(grad, expected, atol=1e-10)


@pytest.mark.parametrize("batch_size", [1, 7, 25, 60])
@dense_and_sparse
@some_networks
def test_estimates_of_an_epoch_average_to_the_value_and_the_gradient(
    data, finite_differences, sizes, store, batch_size
):
    objective, w = make(data, sizes, store=store)
    losses, counts, grads = zip(*epoch(objective, w, batch_size), strict=True)
    shares = np.array(counts) / N_ROWS
    network = objective.network

    def cost(w):
        return plain_losses(network, data, w).mean() + plain_penalty(network, w)

    assert_allclose(shares @ losses + plain_penalty(network, w), cost(w), rtol=1e-12)
    assert_allclose(shares @ np.array(grads), finite_differences(cost, w), atol=1e-10)


@each_network
@with_and_without_intercept
def test_gradient_under_dropout_is_that_of_the_thinned_network(
    data, finite_differences, sizes, activation, fit_intercept
):
    objective, w = make(data, sizes, activation, fit_intercept)
    network, rate = objective.network, 0.2
    ((loss, _, grad),) = epoch(
        objective, w, N_ROWS, dropout=rate, seed=5, shuffle=False
    )
    # A unit stays where a uniform draw is over the rate, layer after layer.
    rng = np.random.default_rng(5)
    draws = [rng.random((size, N_ROWS)).T for size in sizes]
    masks = [(draw >= rate) / (1.0 - rate) for draw in draws]

    def subsample(w):
        return plain_losses(network, data, w, masks).mean() + plain_penalty(network, w)

    assert_allclose(loss + plain_penalty(network, w), subsample(w), rtol=1e-12)
    assert_allclose(grad, finite_differences(subsample, w), atol=1e-10)


@dense_and_sparse
@some_networks
def test_single_precision_batches_stay_single_precision(data, sizes, store):
    objective, w = make(data, sizes, store=store, dtype=np.float32)
    exact, w_exact = make(data, sizes, store=store)
    pairs = zip(epoch(objective, w, 25), epoch(exact, w_exact, 25), strict=True)
    for (loss, _, grad), (expected_loss, _, expected) in pairs:
        assert type(loss) is float
        assert grad.dtype == np.float32
        assert_allclose(loss, expected_loss, rtol=1e-5)
        assert_allclose(grad, expected, atol=1e-5)


@dense_and_sparse
def test_w_is_read_where_it_changes(data, store):
    objective, w = make(data, (4,), store=store)
    here = np.zeros_like(w)
    batches = objective.batches(here, batch_size=N_ROWS, dropout=0.0)
    list(batches.epoch(np.random.default_rng(0), shuffle=False))
    here[:] = w
    ((value, _),) = batches.epoch(np.random.default_rng(0), shuffle=False)
    ((expected, _, grad),) = epoch(objective, w, N_ROWS, shuffle=False)
    assert value == expected
    assert_array_equal(batches.grad, grad)


@some_networks
def test_rows_of_weight_zero_count_in_no_value_and_no_gradient(data, sizes):
    data.s[::3] = 0.0
    objective, w = make(data, sizes)
    ((value, _, grad),) = epoch(objective, w, N_ROWS)
    data.X[::3] = 7.0
    objective, w = make(data, sizes)
    ((expected, _, expected_grad),) = epoch(objective, w, N_ROWS)
    assert_allclose(value, expected, rtol=1e-13)
    assert_allclose(grad, expected_grad, atol=1e-14)


def test_units_are_dropped_at_the_rate_and_the_others_make_up_for_it(data):
    objective, w = make(data, (50, 40), "identity")
    batches = objective.batches(w, batch_size=20, dropout=0.4)
    masks = [
        [mask.copy() for mask in batches._passes[20][0].mask]
        for _ in batches.epoch(np.random.default_rng(0), shuffle=True)
    ]
    factors = np.concatenate([mask.ravel() for pair in masks for mask in pair])
    assert_allclose(np.unique(factors), [0.0, 1 / 0.6])
    # 5400 draws: the mean of the factors is 1 with a standard error of .011.
    assert abs(factors.mean() - 1.0) < 0.05
    assert (masks[0][0] != masks[1][0]).any()


@pytest.mark.parametrize("batch_size", [1, 7, 25, 60])
@dense_and_sparse
@some_networks
def test_a_batch_in_parts_has_the_same_estimates(
    data, monkeypatch, sizes, store, batch_size
):
    objective, w = make(data, sizes, store=store)
    whole = epoch(objective, w, batch_size)
    monkeypatch.setattr(_backprop, "_WORTH_PARTS", 0.0)
    for (loss, size, grad), (expected_loss, expected_size, expected) in zip(
        epoch(objective, w, batch_size), whole, strict=True
    ):
        assert size == expected_size
        assert_allclose(loss, expected_loss, rtol=1e-13)
        assert_allclose(grad, expected, atol=1e-14)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@dense_and_sparse
def test_parts_side_by_side_have_the_same_bits(data, monkeypatch, store, dropout):
    monkeypatch.setattr(_backprop, "_WORTH_PARTS", 0.0)
    objective, w = make(data, (6, 5), store=store)
    alone = epoch(objective, w, 25, dropout=dropout)
    objective.threads = Threads(2)
    together = epoch(objective, w, 25, dropout=dropout)
    objective.threads.close()
    for (loss, _, grad), (same_loss, _, same) in zip(alone, together, strict=True):
        assert loss == same_loss
        assert (grad == same).all()
