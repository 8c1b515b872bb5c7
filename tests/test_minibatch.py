"""Mini-batch training: epochs against transcriptions, when it stops, how it goes on."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._data.chunks import Chunks
from sksoftmax._data.minibatches import Inputs, batch_rows
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.batch_objective import BatchObjective
from sksoftmax._objective.objective import Objective
from sksoftmax._solvers import (
    Patience,
    Progress,
    Training,
    fits,
    minibatch,
    start_state,
)
from sksoftmax._utils.threads import Threads
from sksoftmax.optimizers import SGD, Adam

N_ROWS, N_FEATURES, N_CLASSES, ALPHA = 60, 3, 3, 0.05
SCHEMES = {
    "adam": {"optimizer": Adam(0.05)},
    "sgd": {"optimizer": SGD(0.3)},
    "momentum": {"optimizer": SGD(0.05, momentum=0.9, nesterov=True)},
    "invscaling": {"optimizer": SGD(0.3), "schedule": "invscaling"},
    "dropout": {"optimizer": Adam(0.05), "dropout": 0.4},
    "in order": {"optimizer": Adam(0.05), "shuffle": False},
}
each_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())


@pytest.fixture
def data(rng):
    X = rng.standard_normal((N_ROWS, N_FEATURES))
    codes = (X + rng.gumbel(size=X.shape)).argmax(axis=1)
    return SimpleNamespace(
        X=X, Y=np.eye(N_CLASSES)[codes], s=rng.uniform(0.5, 2.0, size=N_ROWS)
    )


@pytest.fixture
def make(data):
    """The objective of the data, for mini-batches of some network."""

    def make(*sizes, dtype=np.float64):
        n_units = (N_FEATURES, *sizes, N_CLASSES)
        network = Network(n_units, ACTIVATIONS["tanh"], True)
        penalty = L2Penalty((ALPHA * network.weight_mask()).astype(dtype))
        s = data.s / data.s.mean()
        inputs = Inputs(np.zeros(N_FEATURES), np.ones(N_FEATURES), dtype, True)
        rows = batch_rows(data.X.astype(dtype), data.Y, s, inputs)
        return BatchObjective(network, rows, penalty)

    return make


@pytest.fixture
def exact_value(data):
    """F of all data, from the objective that full-batch solvers minimise."""

    def value(objective, w):
        chunks = Chunks(data.X, data.Y, data.s, Threads())
        whole = Objective(objective.network, chunks, objective.penalty, data.s.sum())
        return whole.value(w)

    return value


def train(objective, w=None, *, callback=None, state=None, max_iter=5, **settings):
    """Run minibatch; settings are those of Training and Patience."""
    settings = {
        "optimizer": SGD(0.1),
        "batch_size": 20,
        "shuffle": True,
        "dropout": 0.0,
        "schedule": "constant",
        "max_iter": max_iter,
        "n_epochs": 1000,
        "tolerance": 0.0,
        "restore_best": False,
    } | settings
    patience = {
        key: settings.pop(key) for key in ("n_epochs", "tolerance", "restore_best")
    }
    training = Training(**settings)
    if w is None:
        w = start_of(objective)
    return minibatch(
        objective,
        Progress.begin(w, state or start_state(training, w, seed=7)),
        training=training,
        patience=Patience(**patience),
        callback=callback or (lambda n_iter, w, value: value),
    )


def start_of(objective):
    return objective.network.initial(np.random.default_rng(0))


def plain_value_and_grad(data, w, rows):
    """Estimates of J and the gradient of F from rows, no hidden layers, by formula."""
    A = np.hstack([data.X[rows], np.ones((len(rows), 1))])
    W = w.reshape(-1, N_CLASSES)
    log_P = scipy.special.log_softmax(A @ W, axis=1)
    s = data.s[rows] / data.s.sum() * N_ROWS / len(rows)
    penalised = np.vstack([W[:-1], np.zeros(N_CLASSES)])
    value = -s @ np.sum(data.Y[rows] * log_P, axis=1)
    grad = A.T @ (s[:, None] * (np.exp(log_P) - data.Y[rows])) + ALPHA * penalised
    return value, grad.ravel()


# Epochs


@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
@pytest.mark.parametrize("batch_size", [1, 20, 25, 60])
def test_an_epoch_steps_through_the_rows_in_batches(data, make, batch_size, schedule):
    w, values, sizes = np.zeros((N_FEATURES + 1) * N_CLASSES), [], []
    for step, start in enumerate(range(0, N_ROWS, batch_size), start=1):
        rows = np.arange(start, min(start + batch_size, N_ROWS))
        value, grad = plain_value_and_grad(data, w, rows)
        w = w - 0.1 / (step**0.5 if schedule == "invscaling" else 1.0) * grad
        values.append(value)
        sizes.append(len(rows))
    result = train(
        make(),
        np.zeros_like(w),
        batch_size=batch_size,
        schedule=schedule,
        shuffle=False,
        max_iter=1,
    )
    assert_allclose(result.w, w, rtol=1e-11, atol=1e-14)
    mean = np.average(values, weights=sizes)
    penalty = ALPHA / 2 * np.sum(w[: N_FEATURES * N_CLASSES] ** 2)
    assert_allclose(result.value, mean + penalty, rtol=1e-12)


def test_with_one_batch_an_epoch_is_a_step_down_the_whole_gradient(data, make):
    w = np.zeros((N_FEATURES + 1) * N_CLASSES)
    for _ in range(500):
        w = w - 0.5 * plain_value_and_grad(data, w, np.arange(N_ROWS))[1]
    result = train(
        make(), np.zeros_like(w), batch_size=N_ROWS, optimizer=SGD(0.5), max_iter=500
    )
    assert_allclose(result.w, w, atol=1e-9)
    # The limit of such steps is the optimum, where the gradient is zero.
    _, grad = plain_value_and_grad(data, result.w, np.arange(N_ROWS))
    assert np.abs(grad).max() < 1e-6


@each_scheme
def test_training_lowers_the_objective(make, exact_value, scheme):
    objective = make(5)
    w = start_of(objective)
    result = train(objective, w, max_iter=30, **scheme)
    assert exact_value(objective, result.w) < exact_value(objective, w) - 0.05


@each_scheme
def test_single_precision_stays_single_precision(make, scheme):
    objective = make(5, dtype=np.float32)
    w = start_of(objective).astype(np.float32)
    result = train(objective, w, **scheme)
    assert result.w.dtype == np.float32
    assert type(result.value) is float


# The callback


@each_scheme
def test_the_callback_gets_every_epoch_and_its_w(make, scheme):
    objective = make(5)
    w = start_of(objective)
    before, seen = w.copy(), []

    def callback(n_iter, w, value):
        seen.append((n_iter, w, w.copy(), value))
        return value

    result = train(objective, w, callback=callback, **scheme)
    numbers, points, copies, values = zip(*seen, strict=True)
    assert numbers == (1, 2, 3, 4, 5)
    assert result.n_iter == 5
    assert_array_equal(points, copies)  # nothing goes on writing into them
    assert_array_equal(points[-1], result.w)
    assert values[-1] == result.value
    assert all(type(value) is float for value in values)
    assert_array_equal(w, before)


def test_epochs_are_the_same_whether_or_not_they_are_watched(make):
    quiet = train(make(5))
    watched = train(make(5), callback=lambda n_iter, w, value: 1.0 / n_iter)
    assert_array_equal(quiet.w, watched.w)


# When it stops


@pytest.mark.parametrize(
    ("watched", "n_iter"),
    [
        # The best of the last two must be lower than the best before by more than .1.
        ([5.0, 4.0, 3.0, 2.95, 2.95, 9.9], 5),
        ([5.0, 4.0, 4.5, 3.8, 3.85, 3.75, 9.9], 6),
        ([5.0, 5.0, 5.0, 5.0], 3),
        ([5.0, 4.0, 3.0, 2.0, 1.0], 5),
    ],
    ids=str,
)
def test_training_stops_when_the_last_epochs_are_hardly_better(make, watched, n_iter):
    result = train(
        make(5),
        n_epochs=2,
        tolerance=0.1,
        max_iter=len(watched),
        callback=lambda n_iter, w, value: watched[n_iter - 1],
    )
    assert result.n_iter == n_iter
    assert result.converged == (n_iter < len(watched))
    assert result.tolerance == 0.1
    best_of_last, best_before = (
        min(watched[n_iter - 2 : n_iter]),
        min(watched[: n_iter - 2]),
    )
    assert_allclose(result.optimality, max(best_before - best_of_last, 0.0))


def test_training_does_not_converge_before_there_are_enough_epochs(make):
    result = train(make(5), n_epochs=10, tolerance=1.0, max_iter=10)
    assert result.n_iter == 10
    assert not result.converged


@pytest.mark.parametrize("restore_best", [True, False])
def test_training_that_only_made_it_worse_has_not_converged(make, restore_best):
    # It may have where the best epoch is returned: there, validation losses rise.
    watched = [5.0, 6.0, 7.0, 80.0, 900.0]
    result = train(
        make(5),
        n_epochs=2,
        tolerance=0.1,
        restore_best=restore_best,
        callback=lambda n_iter, w, value: watched[n_iter - 1],
    )
    assert result.converged == restore_best


@pytest.mark.parametrize("restore_best", [True, False])
def test_the_best_epoch_is_returned_if_that_is_wanted(make, restore_best):
    points, watched = [], [3.0, 1.0, 2.0, 2.5]

    def callback(n_iter, w, value):
        points.append((w, value))
        return watched[n_iter - 1]

    result = train(make(5), callback=callback, restore_best=restore_best, max_iter=4)
    w, value = points[1 if restore_best else 3]
    assert_array_equal(result.w, w)
    assert result.value == value
    assert result.n_iter == 4


# Schedules


def rates_of(make, **settings):
    """The factor on the learning rate in each step."""
    factors = []

    class Spy(SGD):
        def step(self, grad, state, w, factor=1.0):
            factors.append(factor)
            return super().step(grad, state, w, factor)

    settings = {"optimizer": Spy(0.1), "batch_size": 20} | settings
    result = train(make(), **settings)
    return factors, result


def test_cosine_falls_from_one_to_nearly_zero_over_all_epochs(make):
    factors, _ = rates_of(make, schedule="cosine", max_iter=4)
    assert_allclose(factors, [0.5 + 0.5 * np.cos(np.pi * t / 12) for t in range(12)])


def test_invscaling_is_the_root_of_the_number_of_the_step(make):
    factors, _ = rates_of(make, schedule="invscaling", max_iter=2)
    assert_allclose(factors, 1 / np.sqrt(np.arange(1, 7)))


def test_adaptive_divides_by_five_where_others_stop_until_the_rate_is_tiny(make):
    settings = {"n_epochs": 2, "tolerance": 0.1, "max_iter": 100, "batch_size": N_ROWS}
    settings["callback"] = lambda n_iter, w, value: 1.0
    factors, result = rates_of(make, schedule="adaptive", **settings)
    # From .1, eight divisions by five lead under 1e-6; each takes three epochs.
    expected = np.repeat(5.0 ** -np.arange(9), 3)
    assert_allclose(factors, expected)
    assert result.n_iter == 27
    assert result.converged


# Divergence


def test_training_that_leaves_the_finite_numbers_has_diverged(make):
    result = train(make(5), optimizer=SGD(1e200), max_iter=50)
    assert result.diverged
    assert not result.converged
    assert np.isfinite(result.w).all()


def test_the_best_epoch_before_the_divergence_is_returned(make):
    objective, points = make(), []
    take = objective.rows.take

    def spoil_later(rows, buffer, targets):
        X = take(rows, buffer, targets)
        return X if len(points) < 3 else np.full_like(X, np.inf)

    def callback(n_iter, w, value):
        points.append((w, value))
        return value

    objective.rows.take = spoil_later
    result = train(objective, callback=callback, max_iter=50)
    assert result.diverged
    assert len(points) == 3
    best = min(points, key=lambda point: point[1])
    assert_array_equal(result.w, best[0])
    assert result.value == best[1]


@pytest.mark.parametrize("max_iter", [1, 2])
def test_a_last_step_out_of_the_finite_numbers_is_a_divergence_too(
    data, make, max_iter
):
    data.X *= 1e5
    result = train(make(), optimizer=SGD(1e305), max_iter=max_iter, batch_size=N_ROWS)
    assert np.isfinite(result.w).all()
    assert result.diverged


# Going on


@each_scheme
@pytest.mark.parametrize("sizes", [(), (5,)], ids=str)
def test_training_in_two_parts_is_training_in_one(make, scheme, sizes):
    objective = make(*sizes)
    whole = train(objective, max_iter=5, **scheme)
    first = train(objective, max_iter=2, **scheme)
    second = train(objective, first.w, state=first.state, max_iter=3, **scheme)
    assert_array_equal(second.w, whole.w)
    assert second.value == whole.value


def test_a_state_is_not_changed_by_going_on_from_it(make):
    objective = make(5)
    first = train(objective, optimizer=Adam(0.05), max_iter=2)
    second = train(objective, first.w, state=first.state, optimizer=Adam(0.05))
    again = train(objective, first.w, state=first.state, optimizer=Adam(0.05))
    assert_array_equal(second.w, again.w)


def test_the_order_of_rows_is_the_seed_s_and_new_each_epoch(make):
    objective = make()
    orders = []
    take = objective.rows.take

    def watch(rows, buffer, targets):
        orders.append(rows)
        return take(rows, buffer, targets)

    objective.rows.take = watch
    results = []
    for seed in (7, 7, 8):
        training = Training(SGD(0.1), N_ROWS, shuffle=True, dropout=0.0, max_iter=2)
        w = start_of(objective)
        state = start_state(training, w, seed=seed)
        results.append(train(objective, w, state=state, batch_size=N_ROWS, max_iter=2))
    first, second, *others = orders
    assert (first != second).any()
    assert_array_equal(np.sort(first), np.arange(N_ROWS))
    assert_array_equal(others[:2], [first, second])
    assert (others[2] != first).any()
    assert_array_equal(results[0].w, results[1].w)


@pytest.mark.parametrize(
    ("held", "now", "expected"),
    [
        (Adam(), Adam(0.5), True),
        (SGD(0.1), SGD(0.1, momentum=0.9), True),
        (SGD(0.1), Adam(), False),
        (Adam(), SGD(0.1), False),
    ],
    ids=str,
)
def test_a_state_fits_the_same_optimizer_on_as_many_parameters(held, now, expected):
    w = np.zeros(4)
    state = start_state(scheme_of(held), w, seed=0)
    assert fits(state, scheme_of(now), w) == expected
    assert not fits(state, scheme_of(now), np.zeros(5))


def scheme_of(optimizer):
    return Training(optimizer, 10, shuffle=True, dropout=0.0, max_iter=1)
