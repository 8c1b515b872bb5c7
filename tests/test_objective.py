"""The objective: its value by the formula, its derivatives by finite differences.

The data have weights, soft labels and several blocks, and a penalty is on: no mistake
in S, in the penalty or at the end of a block goes unseen.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix

from sksoftmax._data import chunks as _chunks
from sksoftmax._data.chunks import Chunks
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.objective import Objective
from sksoftmax._utils.threads import Threads

N_ROWS, N_FEATURES, N_CLASSES, ALPHA = 150, 4, 3, 0.3

# Without hidden layers no activation is used.
NETWORKS = [((), "relu")]
NETWORKS += [(sizes, name) for sizes in ((4,), (4, 3)) for name in ACTIVATIONS]
each_network = pytest.mark.parametrize(
    ("sizes", "activation"), NETWORKS, ids=lambda value: str(value)
)
some_networks = pytest.mark.parametrize("sizes", [(), (4,), (4, 3)], ids=str)
with_and_without_intercept = pytest.mark.parametrize(
    "fit_intercept", [True, False], ids=["intercept", "no intercept"]
)
dense_and_sparse = pytest.mark.parametrize("store", [np.asarray, csr_array])


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    """Blocks as small as they come: three of them."""
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 1)


@pytest.fixture
def data(few_rows):
    data = few_rows(N_ROWS, N_FEATURES, N_CLASSES)
    data.s[4] = 1e-3
    return data


def make(data, sizes=(), activation="tanh", fit_intercept=True, dtype=np.float64):
    """The objective of some data, and a point w and a direction v for it."""
    n_units = (N_FEATURES, *sizes, N_CLASSES)
    network = Network(n_units, ACTIVATIONS[activation], fit_intercept)
    chunks = Chunks(data.X, data.Y.astype(dtype), data.s.astype(dtype), Threads())
    penalty = L2Penalty((ALPHA * network.weight_mask()).astype(dtype))
    # A seed for which no pre-activation is so near to zero that the points of a
    # difference quotient lie on both sides of the kink of relu or selu.
    rng = np.random.default_rng(3)
    w, v = 0.7 * rng.standard_normal((2, network.n_params))
    return Objective(network, chunks, penalty, data.s.sum()), w, v


def stored(data, store):
    return SimpleNamespace(**{**vars(data), "X": store(data.X)})


def plain_logits(network, X, w):
    """The forward pass, layer by layer."""
    *hidden, (W_last, b_last) = network.unpack(w)
    H = X
    for W, b in hidden:
        H = network.activation.value(H @ W + (0.0 if b is None else b))
    return H @ W_last + (0.0 if b_last is None else b_last)


def plain_value(network, data, w):
    """F(w) by its formula: weighted mean of the losses, and all W, no b."""
    log_P = scipy.special.log_softmax(plain_logits(network, data.X, w), axis=1)
    cost = np.average(-np.sum(data.Y * log_P, axis=1), weights=data.s)
    return cost + ALPHA / 2 * sum(np.sum(W**2) for W, _ in network.unpack(w))


@dense_and_sparse
@with_and_without_intercept
@each_network
def test_value_is_the_formula_s_in_all_three_verbs(
    data, sizes, activation, fit_intercept, store
):
    objective, w, _ = make(stored(data, store), sizes, activation, fit_intercept)
    expected = plain_value(objective.network, data, w)
    assert_allclose(objective.value(w), expected, rtol=1e-13)
    assert_allclose(objective.value_and_grad(w)[0], expected, rtol=1e-13)
    assert_allclose(objective.value_grad_hessp(w)[0], expected, rtol=1e-13)


@dense_and_sparse
@with_and_without_intercept
@each_network
def test_gradient_is_the_difference_quotient_of_the_value(
    data, finite_differences, sizes, activation, fit_intercept, store
):
    objective, w, _ = make(stored(data, store), sizes, activation, fit_intercept)
    expected = finite_differences(lambda w: plain_value(objective.network, data, w), w)
    assert_allclose(objective.value_and_grad(w)[1], expected, atol=1e-10)
    assert_allclose(objective.value_grad_hessp(w)[1], expected, atol=1e-10)


@dense_and_sparse
@with_and_without_intercept
def test_hessp_without_hidden_layers_is_the_difference_quotient_of_the_gradient(
    data, finite_differences, fit_intercept, store
):
    objective, w, v = make(stored(data, store), fit_intercept=fit_intercept)
    hessian = finite_differences(lambda w: objective.value_and_grad(w)[1], w)
    _, _, hessp = objective.value_grad_hessp(w)
    assert_allclose(hessp(v), hessian @ v, atol=1e-10)


@dense_and_sparse
@with_and_without_intercept
@each_network
def test_hessp_is_the_gauss_newton_matrix_times_v(
    data, finite_differences, sizes, activation, fit_intercept, store
):
    objective, w, v = make(stored(data, store), sizes, activation, fit_intercept)
    network = objective.network
    J = finite_differences(lambda w: plain_logits(network, data.X, w), w)
    P = scipy.special.softmax(plain_logits(network, data.X, w), axis=1)
    H = np.einsum("ik,kl->ikl", P, np.eye(N_CLASSES)) - np.einsum("ik,il->ikl", P, P)
    shares = data.s / data.s.sum()
    gauss_newton = np.einsum("i,ika,ikl,ilb->ab", shares, J, H, J, optimize=True)
    expected = gauss_newton @ v + ALPHA * network.weight_mask() * v
    _, _, hessp = objective.value_grad_hessp(w)
    assert_allclose(hessp(v), expected, atol=1e-10)


@some_networks
def test_hessp_may_be_called_again_and_in_any_order(data, sizes):
    objective, w, v = make(data, sizes)
    _, _, hessp = objective.value_grad_hessp(w)
    first = hessp(v)
    objective.value_grad_hessp(-w)
    assert_allclose(hessp(w) + hessp(-2 * w), -hessp(w), rtol=1e-12, atol=1e-15)
    assert_allclose(hessp(v), first, rtol=1e-14, atol=1e-16)


@some_networks
def test_arguments_and_data_stay_as_they_were(data, sizes):
    objective, w, v = make(data, sizes)
    arrays = (w, v, data.X, data.Y, data.s)
    before = [array.copy() for array in arrays]
    objective.value(w)
    objective.value_and_grad(w)
    _, _, hessp = objective.value_grad_hessp(w)
    hessp(v)
    for array, as_it_was in zip(arrays, before, strict=True):
        assert_array_equal(array, as_it_was)


@some_networks
def test_rows_of_weight_zero_count_in_no_value_and_no_gradient(data, sizes):
    data.s[::3] = 0.0
    objective, w, _ = make(data, sizes)
    value, grad = objective.value_and_grad(w)
    rows = data.s > 0
    others = SimpleNamespace(X=data.X[rows], Y=data.Y[rows], s=data.s[rows])
    expected_value, expected_grad = make(others, sizes)[0].value_and_grad(w)
    values = [value, objective.value(w)]
    assert_allclose(values, expected_value, rtol=1e-13)
    assert_allclose(grad, expected_grad, atol=1e-14)


@dense_and_sparse
@with_and_without_intercept
@some_networks
def test_along_is_the_value_and_the_slope_on_a_line(data, sizes, fit_intercept, store):
    objective, w, v = make(stored(data, store), sizes, fit_intercept=fit_intercept)
    phi = objective.along(w, v)
    for t in (0.0, 1.0, -0.5, 0.0):
        value, grad = objective.value_and_grad(w + t * v)
        assert_allclose(phi(t), (value, grad @ v), rtol=1e-11)


def test_only_the_ratios_of_weights_count(data):
    objective, w, _ = make(data)
    heavier, _, _ = make(SimpleNamespace(X=data.X, Y=data.Y, s=1e6 * data.s))
    assert_allclose(heavier.value(w), objective.value(w), rtol=1e-13)


@some_networks
def test_logits_of_ten_thousand_give_finite_derivatives(data, sizes):
    objective, w, v = make(data, sizes, "relu")
    w *= 10.0 ** (4 / (1 + len(sizes)))
    value, grad, hessp = objective.value_grad_hessp(w)
    assert_allclose(value, plain_value(objective.network, data, w), rtol=1e-13)
    assert np.isfinite(grad).all()
    assert np.isfinite(hessp(v)).all()


@pytest.mark.parametrize(
    "store", [np.asarray, np.asfortranarray, csr_array, csr_matrix]
)
@some_networks
def test_single_precision_rows_lose_nothing_beside_double_precision_parameters(
    data, sizes, store
):
    data.X = data.X.astype(np.float32)
    objective, w, _ = make(stored(data, store), sizes)
    data.X = data.X.astype(np.float64)
    value, grad = objective.value_and_grad(w)
    expected_value, expected_grad = make(data, sizes)[0].value_and_grad(w)
    assert_allclose(value, expected_value, rtol=1e-12)
    assert_allclose(grad, expected_grad, rtol=1e-10, atol=1e-12)


@some_networks
def test_accuracy_is_the_weighted_share_of_rows_that_are_right(data, sizes):
    objective, w, _ = make(data, sizes)
    Z = plain_logits(objective.network, data.X, w)
    right = Z.argmax(axis=1) == data.Y.argmax(axis=1)
    value, accuracy = objective.value_and_accuracy(w)
    assert_allclose(accuracy, np.average(right, weights=data.s), rtol=1e-13)
    assert_allclose(value, objective.value(w), rtol=1e-14)


def test_one_logit_for_two_classes_is_as_accurate_as_two(rng):
    X, s = rng.standard_normal((40, 2)), rng.uniform(0.2, 3.0, size=40)
    own = rng.integers(0, 2, size=40)
    chunks, found = Chunks(X, np.eye(2)[own], s, Threads()), []
    for n_logits, W in ((1, [[1.0], [-2.0]]), (2, [[0.0, 1.0], [0.0, -2.0]])):
        network = Network((2, n_logits), ACTIVATIONS["identity"], False)
        no_penalty = L2Penalty(np.zeros(network.n_params))
        objective = Objective(network, chunks, no_penalty, s.sum())
        found.append(objective.value_and_accuracy(np.ravel(W)))
    assert_allclose(*found, rtol=1e-14)
    right = (X @ [1.0, -2.0] > 0) == (own == 1)
    assert_allclose(found[0][1], np.average(right, weights=s), rtol=1e-13)


def test_centred_weights_sum_to_zero_over_classes_and_mean_the_same(rng):
    X = rng.standard_normal((5, 2))
    network = Network((2, 3), ACTIVATIONS["tanh"], True)
    chunks = Chunks(X, np.eye(3)[[0, 1, 2, 0, 1]], np.ones(5), Threads())
    objective = Objective(network, chunks, L2Penalty(network.weight_mask()), 5.0)
    w = rng.standard_normal(9)
    before, centred = w.copy(), objective.project_onto_gauge(w)
    assert_array_equal(w, before)
    assert_allclose(centred.reshape(3, 3).sum(axis=1), 0.0, atol=1e-15)
    Z, other = (plain_logits(network, X, v) for v in (w, centred))
    assert_allclose(np.ptp(Z - other, axis=1), 0.0, atol=1e-14)
    assert objective.value(centred) < objective.value(w)


@pytest.mark.parametrize("n_units", [(2, 1), (2, 4, 3)], ids=str)
def test_one_logit_and_hidden_layers_have_no_gauge(rng, n_units):
    network = Network(n_units, ACTIVATIONS["tanh"], True)
    objective = Objective(network, None, None, 1.0)
    w = rng.standard_normal(network.n_params)
    assert_array_equal(objective.project_onto_gauge(w), w)


# Separation


def objective_on_a_line(x, own, s=None, *, alpha=0.0, sizes=()):
    """Rows at numbers x, of the classes 0 and 1."""
    X, Y = np.array(x, dtype=float)[:, None], np.eye(2)[own]
    s = np.ones(len(own)) if s is None else np.array(s)
    network = Network((1, *sizes, 2), ACTIVATIONS["tanh"], True)
    penalty = L2Penalty(alpha * network.weight_mask())
    return Objective(network, Chunks(X, Y, s, Threads()), penalty, float(s.sum()))


def told_apart(objective, size):
    """F where the logits of the point at x differ by 2 size x, and is_separated."""
    W, b = np.array([[-size, size]]), np.zeros(2)
    value = objective.value(objective.network.pack([(W, b)]))
    return value, objective.is_separated(value, np.log(2.0))


def test_classes_are_separated_where_no_row_can_be_wrong():
    objective = objective_on_a_line([-1, 1, 0.5], [0, 1, 1])
    value, separated = told_apart(objective, 20.0)
    assert value < 1e-5 * np.log(2.0)
    assert separated is True
    # The rows are all right here too, but F may yet fall a good deal.
    value, separated = told_apart(objective, 8.0)
    assert 1e-5 * np.log(2.0) < value < 1e-3
    assert separated is False


@pytest.mark.parametrize("n_more", [0, 200])
def test_a_wrong_row_of_hardly_any_weight_keeps_classes_from_being_separated(n_more):
    x = np.append([-1.0, 1.0, 0.01], np.ones(n_more))
    s = np.append([1.0, 1.0, 1e-8], np.ones(n_more))
    more = [1] * n_more
    # At a size of 20 the third row is wrong by a probability of 0.4, or as much right.
    wrong = objective_on_a_line(x, [0, 1, 0, *more], s)
    value, separated = told_apart(wrong, 20.0)
    assert value < 1e-5 * np.log(2.0)
    assert separated is False
    right = objective_on_a_line(x, [0, 1, 1, *more], s)
    assert told_apart(right, 20.0)[1] is True


def test_how_far_to_follow_depends_on_the_null_model():
    objective = objective_on_a_line([-1, 1], [0, 1])
    assert objective.is_separated(0.9e-5 * 0.01, 0.01) is True
    assert objective.is_separated(1.1e-5 * 0.01, 0.01) is False


def test_there_is_a_minimum_where_there_is_a_penalty():
    objective = objective_on_a_line([-1, 1], [0, 1], alpha=1e-12)
    assert told_apart(objective, 20.0)[1] is False
    hidden = objective_on_a_line([-1, 1], [0, 1], sizes=(2,))
    assert hidden.is_separated(1e-9, np.log(2.0)) is False


def test_what_does_not_look_at_x_reads_no_rows_of_it():
    objective = objective_on_a_line([-1, 1, 0.5], [0, 1, 1])
    w, d = np.array([-1.0, 1.0, 0.0, 0.0]), np.array([0.5, 0.0, 1.0, 0.0])
    phi = objective.along(w, d)
    phi(0.0)  # the first may form the logits
    before = objective.chunks.rows_read
    phi(0.5)
    objective.is_separated(1e-9, 1.0)
    assert objective.chunks.rows_read == before


def leads_by_loops(X, own, W, b):
    """Least lead of each class's rows over every other class."""
    Z = X @ W + b
    return [
        min(z[k] - max(np.delete(z, k)) for z in Z[own == k]) for k in range(Z.shape[1])
    ]


@pytest.mark.parametrize("one_logit", [False, True])
def test_a_direction_separates_the_classes_whose_rows_all_gain(one_logit):
    X = np.array([[-2.0], [-1.0], [0.0], [0.0], [3.0]])
    own = np.array([0, 0, 1, 1, 1]) if one_logit else np.array([0, 0, 1, 2, 2])
    network = Network((1, 1 if one_logit else 3), ACTIVATIONS["tanh"], True)
    n_classes = own.max() + 1
    chunks = Chunks(X, np.eye(n_classes)[own], np.ones(5), Threads())
    objective = Objective(network, chunks, L2Penalty(np.zeros(network.n_params)), 5.0)
    W, b = np.array([[-1.0, 0.0, 0.0]]), np.array([-0.5, 0.0, 0.0])
    if one_logit:
        W, b = np.array([[1.0]]), np.array([0.5])
        full = np.hstack([np.zeros((1, 1)), W]), np.append(0.0, b)
    else:
        full = W, b
    leads = leads_by_loops(X, own, *full)
    expected = np.array(leads) > 0.0
    assert expected.any()
    assert min(leads) >= 0.0
    found = objective.separates(network.pack([(W, b)]))
    assert_array_equal(found, expected)
    # Backwards every class falls behind.
    assert not objective.separates(-network.pack([(W, b)])).any()


def test_a_direction_along_which_one_row_falls_behind_separates_nothing():
    d = np.array([-1.0, 1.0, 0.0, 0.0])
    wrong = objective_on_a_line([-1, 1, 0.5], [0, 1, 0])
    assert not wrong.separates(d).any()
    x, own = np.repeat([-1.0, 1.0], 200), np.repeat([0, 1], 200)
    x[3] = 0.5  # one block of several
    assert not objective_on_a_line(x, own).separates(d).any()
    right = objective_on_a_line([-1, 1, 0.5], [0, 1, 1])
    for length in (1e-6, 1.0, 1e6):  # which means nothing
        assert right.separates(length * d).all()


@pytest.mark.parametrize("one", [-1.0, 10.0], ids=["leads", "falls behind"])
def test_leads_are_compared_with_the_largest_of_all_chunks(one):
    x = np.append(np.full(100, -1.0), np.full(100, 1e6))
    x[3] = one  # little against the other class, be it ahead or behind
    objective = objective_on_a_line(x, np.repeat([0, 1], 100))
    assert_array_equal(
        objective.separates(np.array([-1.0, 1.0, 0.0, 0.0])), [False, True]
    )


def test_a_row_of_several_classes_keeps_them_level_and_the_others_behind():
    """Along d the classes 0 and 1 gain on 2 alike; along e they part."""
    X = np.array([[1.0, 1.0], [1.0, 2.0], [-1.0, 1.0]])
    network = Network((2, 3), ACTIVATIONS["tanh"], False)
    d = np.array([[1.0, 1.0, -1.0], [0.0, 0.0, 0.0]]).ravel()
    e = np.array([[1.0, 1.0, -1.0], [0.5, -0.5, 0.0]]).ravel()

    def separates(first_row, direction):
        Y = np.array([first_row, [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        chunks = Chunks(X, Y, np.ones(3), Threads())
        no_penalty = L2Penalty(np.zeros(network.n_params))
        return Objective(network, chunks, no_penalty, 3.0).separates(direction)

    assert_array_equal(separates([0.9, 0.1, 0.0], d), [False, False, True])
    assert_array_equal(separates([0.9, 0.1, 0.0], e), [False] * 3)
    assert_array_equal(separates([1.0, 0.0, 0.0], e), [True, True, True])
    assert_array_equal(separates([0.5, 0.2, 0.3], d), [False] * 3)


def test_where_rows_of_every_class_are_level_those_of_which_some_gain_count():
    """Quasi-complete separation: the third row of each class stays on the boundary."""
    x, own = [-1.0, -2.0, 0.0, 0.0, 1.0, 2.0], [0, 0, 0, 1, 1, 1]
    d = np.array([-1.0, 1.0, 0.0, 0.0])
    for length in (1e-6, 1.0, 1e6):  # which means nothing
        found = objective_on_a_line(x, own).separates(length * d)
        assert_array_equal(found, [True, True])
    assert not objective_on_a_line(x, own).separates(0.0 * d).any()
    x[2] = 0.1
    assert not objective_on_a_line(x, own).separates(d).any()


def test_a_row_of_several_classes_proves_no_separation():
    X = np.array([[-1.0], [1.0]])
    Y = np.array([[1.0 - 1e-9, 1e-9], [0.0, 1.0]])
    network = Network((1, 2), ACTIVATIONS["tanh"], True)
    no_penalty = L2Penalty(np.zeros(network.n_params))
    objective = Objective(network, Chunks(X, Y, np.ones(2), Threads()), no_penalty, 2.0)
    value, separated = told_apart(objective, 8.0)
    assert value < 1e-5 * np.log(2.0)
    assert separated is False


# Samples of the rows


@pytest.mark.parametrize(("n_logits", "n_free"), [(1, 3), (3, 6)])
def test_samples_grow_eightfold_and_ask_for_a_tenth_of_their_own_error(
    rng, n_logits, n_free
):
    X, n_rows = rng.standard_normal((70_000, 2)), 70_000
    Y = np.eye(max(n_logits, 2))[rng.integers(max(n_logits, 2), size=n_rows)]
    network = Network((2, n_logits), ACTIVATIONS["tanh"], True)
    penalty = L2Penalty(ALPHA * network.weight_mask())
    s = rng.uniform(0.5, 2.0, n_rows)
    objective = Objective(network, Chunks(X, Y, s, Threads()), penalty, s.sum())
    start, w = np.zeros(network.n_params), rng.standard_normal(network.n_params)
    samples = list(objective.subsamples(start))
    for (sample, tolerance), size in zip(samples, (2000, 16_000), strict=True):
        assert abs(sample.chunks.n_rows - size) < 5 * np.sqrt(size)
        # The minimum of m rows is n_free / 2m from that of all, in the mean.
        assert_allclose(tolerance, 0.1 * n_free / (2 * size))
        # Of a sum of m losses, each of a standard deviation of about one.
        assert abs(sample.value(w) - objective.value(w)) < 5 / np.sqrt(size)
        assert sample.penalty is penalty
    assert list(objective.subsamples(w)) == []
    assert list(objective.subsamples(np.where(np.arange(w.size) == 1, w, 0.0))) == []
    few = Chunks(X[:7900], Y[:7900], s[:7900], Threads())
    few = Objective(network, few, penalty, s[:7900].sum())
    assert list(few.subsamples(start)) == []


def test_a_sample_has_ten_rows_for_each_free_parameter(rng):
    X, Y = rng.standard_normal((13_000, 150)), np.eye(3)[rng.integers(3, size=13_000)]
    network = Network((150, 3), ACTIVATIONS["tanh"], True)
    chunks = Chunks(X, Y, np.ones(13_000), Threads())
    penalty = L2Penalty(np.zeros(network.n_params))
    objective = Objective(network, chunks, penalty, 13_000.0)
    ((sample, _),) = objective.subsamples(np.zeros(network.n_params))
    assert abs(sample.chunks.n_rows - 10 * 151 * 2) < 5 * np.sqrt(3020)


def test_an_intercept_is_no_warm_start(rng):
    X, Y = rng.standard_normal((9000, 2)), np.eye(3)[rng.integers(3, size=9000)]
    network = Network((2, 3), ACTIVATIONS["tanh"], True)
    chunks = Chunks(X, Y, np.ones(9000), Threads())
    penalty = L2Penalty(np.zeros(network.n_params))
    objective = Objective(network, chunks, penalty, 9000.0)
    null_model = network.pack([(np.zeros((2, 3)), np.array([0.1, 0.2, -0.3]))])
    assert len(list(objective.subsamples(null_model))) == 1


def test_another_penalty_makes_another_objective_on_the_same_data(data):
    objective, w, _ = make(data)
    other = objective.with_penalty(L2Penalty(np.zeros(w.size)))
    assert other.chunks is objective.chunks
    assert_allclose(objective.value(w) - other.value(w), objective.penalty.value(w))
