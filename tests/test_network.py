"""The network: logits by plain loops, derivatives by differences and the adjoint."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import softmax

from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import (
    Network,
    in_gauge,
    insert_absent_classes,
    project_onto_gauge,
)

EVERY_SHAPE = [(4, 3), (4, 5, 3), (4, 5, 2, 3)]
each_shape = pytest.mark.parametrize("n_units", EVERY_SHAPE, ids=str)
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
with_and_without_intercept = pytest.mark.parametrize(
    "fit_intercept", [True, False], ids=["intercept", "no intercept"]
)
dense_and_sparse = pytest.mark.parametrize("store", [np.asarray, csr_array])


def make(n_units, activation="tanh", fit_intercept=True):
    return Network(n_units, ACTIVATIONS[activation], fit_intercept)


def parameters(network, rng):
    return 0.7 * rng.standard_normal(network.n_params)


def logits_by_loops(network, X, w):
    """Unit by unit; w is read off as the class docstring lays it out."""
    numbers = iter(w)
    H = X.tolist()
    n_layers = len(network.n_units) - 1
    for layer in range(n_layers):
        n_in, n_out = network.n_units[layer : layer + 2]
        W = [[next(numbers) for _ in range(n_out)] for _ in range(n_in)]
        b = [next(numbers) if network.fit_intercept else 0.0 for _ in range(n_out)]
        Z = [
            [b[k] + sum(h[j] * W[j][k] for j in range(n_in)) for k in range(n_out)]
            for h in H
        ]
        H = network.activation.value(np.array(Z)).tolist()
    return np.array(Z)


# Columns that are centred by the network


@with_and_without_intercept
@each_shape
def test_a_centre_is_subtracted_from_inputs(rng, n_units, fit_intercept):
    X, centre = rng.standard_normal((20, 4)), rng.standard_normal(4)
    plain = make(n_units, fit_intercept=fit_intercept)
    network = replace(plain, centre=centre)
    w, v = parameters(network, rng), parameters(network, rng)
    Z, tape = network.linearize(csr_array(X), w)
    expected, plain_tape = plain.linearize(X - centre, w)
    assert_allclose(Z, expected, atol=1e-13)
    assert_allclose(network.jvp(tape, v), plain.jvp(plain_tape, v), atol=1e-13)
    expected = plain.vjp(plain_tape, Z.copy())
    assert_allclose(network.vjp(tape, Z.copy()), expected, atol=1e-12)


# Layout of the parameters


@with_and_without_intercept
@each_shape
def test_unpack_and_pack_are_inverse_to_each_other(rng, n_units, fit_intercept):
    network = make(n_units, fit_intercept=fit_intercept)
    w = parameters(network, rng)
    layers = network.unpack(w)
    assert [W.shape for W, _ in layers] == list(pairwise(n_units))
    if fit_intercept:
        assert [b.shape for _, b in layers] == [(n,) for n in n_units[1:]]
    else:
        assert [b for _, b in layers] == [None] * len(layers)
    assert_array_equal(network.pack(layers), w)


def test_unpack_gives_views(rng):
    network = make((4, 5, 3))
    w = parameters(network, rng)
    for number, (W, b) in enumerate(network.unpack(w)):
        W[:], b[:] = number, number
    assert_array_equal(np.sort(w), np.repeat([0.0, 1.0], [4 * 5 + 5, 5 * 3 + 3]))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_stacked_layers_are_views_of_weights_over_intercepts(rng, fit_intercept):
    network = Network((3, 4, 2), ACTIVATIONS["tanh"], fit_intercept)
    w = rng.normal(size=network.n_params)
    for view, (W, b) in zip(network.stacked(w), network.unpack(w), strict=True):
        assert_array_equal(view, np.vstack([W, b]) if fit_intercept else W)
        assert np.shares_memory(view, w)


@pytest.mark.parametrize(("n_logits", "n_free"), [(1, 1), (2, 1), (3, 2), (5, 4)])
def test_all_logits_but_one_are_free(n_logits, n_free):
    for n_units in ((7, n_logits), (7, 9, n_logits)):
        assert Network(n_units, ACTIVATIONS["tanh"], True).n_free_logits == n_free


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pack_takes_any_memory_order_and_gives_the_precision_asked_for(rng, dtype):
    network = make((4, 3))
    w = parameters(network, rng).astype(np.float32)
    ((W, b),) = network.unpack(w)
    packed = network.pack([(np.asfortranarray(W), b)], dtype)
    assert packed.dtype == dtype
    assert_array_equal(packed, w)


@with_and_without_intercept
@each_shape
def test_the_mask_is_one_at_weights_and_zero_at_intercepts(n_units, fit_intercept):
    network = make(n_units, fit_intercept=fit_intercept)
    for W, b in network.unpack(network.weight_mask()):
        assert (W == 1.0).all()
        assert b is None or (b == 0.0).all()


@each_shape
def test_a_tape_is_restored_from_what_was_kept_of_it(rng, n_units):
    network, X = make(n_units), rng.standard_normal((20, n_units[0]))
    w, v = rng.standard_normal((2, network.n_params))
    Z, tape = network.linearize(X, w)
    kept = network.kept(tape)
    assert not any(np.shares_memory(part, X) for part in [*kept[0], *kept[1]])
    restored = network.restored(kept, X, w)
    assert_array_equal(network.jvp(restored, v), network.jvp(tape, v))
    assert_array_equal(network.vjp(restored, Z), network.vjp(tape, Z))


@dense_and_sparse
@each_shape
def test_logits_and_their_changes_are_in_the_order_that_the_loss_wants(
    rng, n_units, store
):
    network = make(n_units)
    X = store(rng.standard_normal((20, n_units[0])))
    w, v = rng.standard_normal((2, network.n_params))
    Z, tape = network.linearize(X, w)
    assert Z.flags.f_contiguous
    assert network.jvp(tape, v).flags.f_contiguous


def test_only_a_network_without_hidden_layers_is_linear():
    assert [make(n_units).is_linear for n_units in EVERY_SHAPE] == [True, False, False]


def test_initial_weights_have_glorot_s_variance_and_intercepts_are_zero(rng):
    network = make((300, 200, 100))
    for W, b in network.unpack(network.initial(rng)):
        variance = 2.0 / sum(W.shape)
        assert_allclose(W.var(), variance, rtol=0.03)
        assert np.abs(W).max() <= np.sqrt(3.0 * variance)
        assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)
        assert not b.any()


def test_initial_weights_are_the_generator_s():
    network = make((4, 5, 3))
    one, same, other = (network.initial(np.random.default_rng(i)) for i in (0, 0, 1))
    assert_array_equal(one, same)
    assert (one != other).any()


# Logits and their derivatives


@dense_and_sparse
@with_and_without_intercept
@each_activation
@each_shape
def test_logits_are_those_of_plain_loops(
    rng, n_units, activation, fit_intercept, store
):
    network = make(n_units, activation, fit_intercept)
    X, w = rng.standard_normal((6, 4)), parameters(network, rng)
    expected = logits_by_loops(network, X, w)
    layers = network.unpack(w)
    assert_allclose(network.logits(store(X), layers), expected, atol=1e-14)
    Z, _ = network.linearize(store(X), w)
    assert_allclose(Z, expected, atol=1e-14)


@dense_and_sparse
@with_and_without_intercept
@each_activation
@each_shape
def test_jvp_is_the_difference_quotient_of_the_logits(
    rng, finite_differences, n_units, activation, fit_intercept, store
):
    network = make(n_units, activation, fit_intercept)
    X = rng.standard_normal((6, 4))
    w, v = parameters(network, rng), parameters(network, rng)
    jacobian = finite_differences(lambda w: logits_by_loops(network, X, w), w)
    _, tape = network.linearize(store(X), w)
    assert_allclose(network.jvp(tape, v), jacobian @ v, atol=1e-9)


@dense_and_sparse
@with_and_without_intercept
@each_activation
@each_shape
def test_vjp_is_the_adjoint_of_jvp(rng, n_units, activation, fit_intercept, store):
    network = make(n_units, activation, fit_intercept)
    X, dZ = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    w, v = parameters(network, rng), parameters(network, rng)
    _, tape = network.linearize(store(X), w)
    forwards = np.vdot(dZ, network.jvp(tape, v))
    backwards = np.vdot(network.vjp(tape, dZ.copy()), v)
    assert_allclose(backwards, forwards, rtol=1e-12)


@dense_and_sparse
@each_activation
@each_shape
def test_single_precision_stays_single_precision(rng, n_units, activation, store):
    network = make(n_units, activation)
    X = store(rng.standard_normal((6, 4)).astype(np.float32))
    w = parameters(network, rng).astype(np.float32)
    Z, tape = network.linearize(X, w)
    assert Z.dtype == network.jvp(tape, w).dtype == np.float32
    assert network.vjp(tape, Z).dtype == np.float32


@each_shape
def test_data_and_parameters_stay_as_they_were(rng, n_units):
    network = make(n_units)
    X, w, v = rng.standard_normal((6, 4)), *rng.standard_normal((2, network.n_params))
    before = X.copy(), w.copy(), v.copy()
    network.logits(X, network.unpack(w))
    Z, tape = network.linearize(X, w)
    network.jvp(tape, v)
    network.vjp(tape, Z)
    for array, as_it_was in zip((X, w, v), before, strict=True):
        assert_array_equal(array, as_it_was)


# The symmetric gauge and classes without weight


def last_layer(rng, n_classes):
    return rng.standard_normal((4, n_classes)) + 3.0, rng.standard_normal(n_classes)


def test_centring_makes_classes_sum_to_zero_and_keeps_probabilities(rng):
    W, b = last_layer(rng, 3)
    centred_W, centred_b = project_onto_gauge(W, b)
    assert_allclose(centred_W.sum(axis=1), 0.0, atol=1e-14)
    assert_allclose(centred_b.sum(), 0.0, atol=1e-14)
    X = rng.standard_normal((10, 4))
    expected = softmax(X @ W + b, axis=1)
    assert_allclose(softmax(X @ centred_W + centred_b, axis=1), expected, rtol=1e-13)


def test_centring_is_the_shortest_of_equal_layers(rng):
    # A shift by c per row of W solves min ||W - c 1^T||, a least-squares problem.
    W, b = last_layer(rng, 3)
    shift, *_ = np.linalg.lstsq(np.ones((3, 1)), np.vstack([W, b]).T, rcond=None)
    centred_W, centred_b = project_onto_gauge(W, b)
    assert_allclose(np.vstack([centred_W, centred_b]), (np.vstack([W, b]).T - shift).T)


def test_the_gauge_of_weights_is_their_projection_onto_rows_that_sum_to_zero(rng):
    W = rng.standard_normal((4, 3)) + 3.0
    before, projection = W.copy(), np.eye(3) - np.full((3, 3), 1 / 3)
    assert_allclose(in_gauge(W), W @ projection, rtol=1e-13)
    assert_array_equal(W, before)


def test_one_logit_for_two_classes_has_no_gauge(rng):
    W = rng.standard_normal((4, 1))
    result = in_gauge(W)
    assert_array_equal(result, W)
    result[:] = 0.0
    assert W.all()


@pytest.mark.parametrize("absent", [[0], [4], [1, 3], [0, 1, 3, 4]], ids=str)
def test_absent_classes_have_no_probability_and_leave_the_others_as_they_were(
    rng, absent
):
    present = ~np.isin(np.arange(5), absent)
    W, b = last_layer(rng, present.sum())
    # Also far out, where one class has it all or all have nearly the same.
    X = np.vstack([rng.standard_normal((50, 4)) * 10.0**power for power in (-8, 0, 8)])
    full_W, full_b = insert_absent_classes(W, b, present)
    P = softmax(X @ full_W + full_b, axis=1)
    assert P[:, ~present].max() <= np.finfo(float).eps * (1 + 1e-12)
    expected = softmax(X @ W + b, axis=1)
    assert_allclose(P[:, present], expected, rtol=1e-6, atol=1e-15)
    assert_allclose(full_W.sum(axis=1), 0.0, atol=1e-13)
    assert_allclose(full_b.sum(), 0.0, atol=1e-13)


def test_layers_without_absent_classes_keep_their_precision(rng):
    W, b = (array.astype(np.float32) for array in last_layer(rng, 2))
    full_W, full_b = insert_absent_classes(W, b, np.array([True, False, True]))
    assert full_W.dtype == full_b.dtype == np.float32


def test_absent_classes_leave_the_gauge_of_a_sparse_penalty(rng):
    W, b = last_layer(rng, 2)
    present = np.array([True, False, True])
    full_W, full_b = insert_absent_classes(W, b, present, centred=False)
    assert_array_equal(full_W[:, present], W)
    assert_allclose(full_W[:, 1], (W[:, 0] + W[:, 1]) / 2.0)
    centred_W, centred_b = insert_absent_classes(W, b, present)
    X = rng.standard_normal((20, 4))
    assert_allclose(
        softmax(X @ full_W + full_b, axis=1),
        softmax(X @ centred_W + centred_b, axis=1),
    )
