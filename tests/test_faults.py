"""Faults in the middle of a fit: afterwards the estimator is as before, or consistent.

Faults are put where they could occur: at the calls of the loss, at any line of the
package, in what prints, and from outside by SIGKILL. A fit writes nothing to a disk, so
none can be full.
"""

import copy
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

import sksoftmax
from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._fit.history import History
from sksoftmax._objective import batch_objective as _backprop
from sksoftmax._objective import duality as _duality
from sksoftmax._objective import objective as _objective
from sksoftmax._utils import threads as _threads

PACKAGE = str(Path(sksoftmax.__file__).parent)
X, y = load_iris(return_X_y=True)

SETTINGS = {
    "newton": {"solver": "newton"},
    "lbfgs": {"solver": "lbfgs"},
    "prox-newton": {"l1_ratio": 0.5, "alpha": 1e-2},
    "adam": {"solver": "adam", "max_iter": 3},
    "adam, hidden": {"hidden_layer_sizes": (5,), "max_iter": 3},
    "lbfgs, hidden": {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 9},
}
each_solver = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
exact_solvers = [name for name in SETTINGS if "adam" not in name]
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sksoftmax.exceptions.InterruptionWarning"),
]


@cache
def blas_controllers():
    return threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers


def blas_limits():
    return [controller.num_threads for controller in blas_controllers()]


@pytest.fixture(autouse=True)
def _surroundings_stay():
    """BLAS has three threads, that there be something to restore; each fit does it."""
    before = blas_limits()
    for controller in blas_controllers():
        controller.set_num_threads(3)
    limits, n_threads = blas_limits(), threading.active_count()
    yield
    after = blas_limits(), threading.active_count()
    for controller, n in zip(blas_controllers(), before, strict=True):
        controller.set_num_threads(n)
    assert after == (limits, n_threads)


def new_model(settings, **more):
    return SoftmaxRegressionClassifier(random_state=0, **settings, **more)


def state_of(model):
    """All attributes as bytes: equal to the last bit or not at all."""
    return {name: pickle.dumps(value) for name, value in vars(model).items()}


# At each call of the loss, which every evaluation of every objective makes.

LOSSES = [
    (_objective, "linear_pass"),
    (_objective, "linear_hessp"),
    (_duality, "linear_pass"),
    (_objective, "loss"),
    (_objective, "loss_grad"),
    (_objective, "loss_hessp"),
    (_backprop, "batch_loss_grad"),
]


@contextmanager
def failing_loss(call, error):
    """The loss raises an error at the given call, from 1; gives the list of calls."""
    calls = []

    def failing(original):
        def function(*args, **kwargs):
            calls.append(original.__name__)
            if len(calls) == call:
                raise error
            return original(*args, **kwargs)

        return function

    with pytest.MonkeyPatch.context() as patch:
        for module, name in LOSSES:
            patch.setattr(module, name, failing(getattr(module, name)))
        yield calls


def every_call(action):
    """Numbers of the calls of the loss that an action makes."""
    with failing_loss(0, None) as calls:
        action()
    assert len(calls) >= 5
    return range(1, len(calls) + 1)


def halted_states(model, action):
    """States after an action that Ctrl-C has ended after each of its iterations.

    They are without the number of passes, which depends on where in one it came.
    """
    original, states = History.__call__, []
    for last in range(1, 1000):
        calls = []

        def interrupted(self, *args, calls=calls, last=last):
            calls.append(None)
            watched = original(self, *args)
            if len(calls) == last:
                raise KeyboardInterrupt
            return watched

        halted = copy.deepcopy(model)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(History, "__call__", interrupted)
            with suppress(KeyboardInterrupt):
                action(halted)
        if len(calls) < last:
            break
        states.append(without_passes(state_of(halted)))
    return states


def without_passes(state):
    return {name: value for name, value in state.items() if name != "n_passes_"}


@each_solver
def test_a_fit_that_fails_at_any_call_leaves_the_estimator_as_it_was(settings):
    model = new_model(settings).fit(X[:, :3], y)
    before = state_of(model)
    for call in every_call(lambda: copy.deepcopy(model).fit(X, y)):
        with failing_loss(call, MemoryError), pytest.raises(MemoryError):
            model.fit(X, y)
        assert state_of(model) == before


@each_solver
def test_a_fit_interrupted_at_any_call_is_that_of_its_last_iteration(settings):
    model = new_model(settings).fit(X[:, :3], y)
    before = state_of(model)
    allowed = halted_states(model, lambda model: model.fit(X, y))
    n_kept = 0
    for call in every_call(lambda: copy.deepcopy(model).fit(X, y)):
        hit = copy.deepcopy(model)
        try:
            with failing_loss(call, KeyboardInterrupt):
                hit.fit(X, y)
        except KeyboardInterrupt:
            assert state_of(hit) == before
            assert not n_kept  # once there is an iterate, there always is
        else:
            assert without_passes(state_of(hit)) in allowed
            n_kept += 1
    assert n_kept


@pytest.mark.parametrize("name", ["adam", "adam, hidden"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_training_resumes_after_a_failed_part_as_if_it_had_not_been(name, error):
    model = new_model(SETTINGS[name]).partial_fit(X[::2], y[::2], np.unique(y))
    expected = copy.deepcopy(model).partial_fit(X, y)
    before = state_of(model)
    for call in every_call(lambda: copy.deepcopy(model).partial_fit(X, y)):
        with failing_loss(call, error), pytest.raises(error):
            model.partial_fit(X, y)
        assert state_of(model) == before
    assert state_of(model.partial_fit(X, y)) == state_of(expected)


@pytest.mark.parametrize("name", exact_solvers)
def test_a_warm_start_goes_on_from_any_interruption_to_the_same_minimum(name):
    settings = {**SETTINGS[name], "max_iter": 1000, "tol": 1e-12}
    if "hidden" in name:
        settings["tol"] = 1e-4  # the minimum that is near: it need not be the lowest
    whole = new_model(settings).fit(X, y)
    kept = 0
    for call in every_call(lambda: new_model(settings).fit(X, y)):
        model = new_model(settings, warm_start=True)
        with failing_loss(call, KeyboardInterrupt), suppress(KeyboardInterrupt):
            model.fit(X, y)
        if hasattr(model, "coefs_"):
            kept += 1
            assert model.n_iter_ == len(model.loss_curve_) > 0
            assert model.loss_ == model.loss_curve_[-1] >= whole.loss_ * (1 - 1e-12)
            assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
        if call % 5 == 0 and "hidden" not in name:
            assert_allclose(model.fit(X, y).coef_, whole.coef_, atol=1e-5)
    assert kept > 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_error_in_a_thread_of_the_pool_is_raised_once_all_have_stopped(rng, error):
    tall = rng.normal(size=(40_000, 10))
    labels = rng.integers(3, size=40_000)
    model = new_model({}).fit(X, y)
    before = state_of(model)
    for call in (1, 5, 12):
        with failing_loss(call, error), pytest.raises(error):
            model.fit(tall, labels)
        assert blas_limits() == [3] * len(blas_limits())
        assert state_of(model) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_failed_choice_of_a_penalty_leaves_the_estimator_as_it_was(error):
    model = SoftmaxRegressionClassifierCV(cv=2).fit(X[:, :3], y)
    before = state_of(model)
    for call in every_call(lambda: copy.deepcopy(model).fit(X, y))[::40]:
        with failing_loss(call, error), pytest.raises(error):
            model.fit(X, y)
        assert state_of(model) == before


# Anywhere: Python raises KeyboardInterrupt where a function begins or one in C returns.


class Fault:
    """Raises an error at the given such point, from 1, in files of the package."""

    def __init__(self, point=0, error=None, files=PACKAGE):
        self.point, self.error, self.files = point, error, files
        self.n_points, self.place = 0, None

    def __call__(self, frame, event, arg):
        file = frame.f_code.co_filename
        if event in ("call", "c_return") and file.startswith(self.files):
            self.n_points += 1
            if self.n_points == self.point:
                self.place = f"{Path(file).name}:{frame.f_lineno}, {event}"
                sys.setprofile(None)
                raise self.error

    def during(self, action):
        """Run an action, and put up with the error, if it is ours."""
        earlier = sys.getprofile()
        sys.setprofile(self)
        try:
            action()
        except (KeyboardInterrupt, MemoryError, AttributeError) as error:
            # available_if makes an AttributeError of any error of what it asks.
            if self.error not in (type(error), type(error.__cause__)):
                raise
        finally:
            sys.setprofile(earlier)


def faults(action, error, *, step=1, files=PACKAGE):
    """Faults at each step-th point that an action comes by."""
    count = Fault(files=files)
    count.during(action)
    assert count.n_points >= 5
    for point in range(1, count.n_points + 1, step):
        yield Fault(point, error, files)


WAYS = {
    "newton": (new_model({}), "fit"),
    "adam": (new_model({"solver": "adam", "max_iter": 2}), "fit"),
    "hidden": (new_model({"hidden_layer_sizes": 3, "max_iter": 1}), "fit"),
    "prox-newton": (new_model({"l1_ratio": 0.5, "alpha": 0.1}), "fit"),
    "partial": (new_model({"hidden_layer_sizes": 3}), "partial_fit"),
    "path": (SoftmaxRegressionClassifierCV(alphas=[0.1, 1.0], cv="alo"), "fit"),
}
each_way = pytest.mark.parametrize(("unfitted", "method"), WAYS.values(), ids=WAYS)


def check_faults(unfitted, method, error, **where):
    """Whether after each fault a model is as before or as it would have been after.

    Interrupted, a fit may also have kept its last iterate.
    """
    model = copy.deepcopy(unfitted).fit(X, y)

    def refitted(model):
        return getattr(model, method)(X[::2], y[::2])

    allowed = [state_of(model), state_of(refitted(copy.deepcopy(model)))]
    halted = []
    if error is KeyboardInterrupt and method == "fit":
        halted = halted_states(model, refitted)
    once = copy.deepcopy(model)
    for fault in faults(lambda: refitted(once), error, **where):
        hit = copy.deepcopy(model)
        fault.during(lambda hit=hit: refitted(hit))
        state = state_of(hit)
        assert state in allowed or without_passes(state) in halted, fault.place


@each_way
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_fault_anywhere_leaves_the_old_fit_or_the_new_one_or_an_iterate(
    unfitted, method, error
):
    check_faults(unfitted, method, error, step=23)


@each_way
def test_an_interrupt_while_a_fit_is_taken_over_is_no_exception(unfitted, method):
    files = tuple(f"{PACKAGE}{os.sep}{name}" for name in ("_classifier", "_prediction"))
    check_faults(unfitted, method, KeyboardInterrupt, files=files)


def test_an_interrupt_while_blas_is_limited_gives_it_its_threads_back():
    model = new_model({}).fit(X, y)
    files = _threads.__file__, threadpoolctl.__file__
    for fault in faults(lambda: model.fit(X, y), KeyboardInterrupt, files=files):
        fault.during(lambda: model.fit(X, y))
        assert blas_limits() == [3] * len(blas_limits()), fault.place
        with _threads.fit_threads() as threads:
            assert threads.n_threads == 3, fault.place
            assert blas_limits() == [1] * len(blas_limits())


# In what prints


class BrokenPipe(io.StringIO):
    """A terminal that is gone after some lines."""

    def __init__(self, n_lines):
        super().__init__()
        self.n_lines = n_lines

    def write(self, text):
        if self.getvalue().count("\n") >= self.n_lines:
            raise BrokenPipeError("nobody reads this")
        return super().write(text)


@each_solver
@pytest.mark.parametrize("n_lines", [0, 2])
def test_a_line_that_cannot_be_printed_fails_the_fit_as_a_whole(settings, n_lines):
    model = new_model(settings, verbose=1).set_params(verbose=0).fit(X[:, :3], y)
    model.set_params(verbose=1)
    before = state_of(model)
    with redirect_stdout(BrokenPipe(n_lines)), pytest.raises(BrokenPipeError):
        model.fit(X, y)
    assert state_of(model) == before


# From outside

TRAINING = """
import os, pickle, sys
import numpy as np
from sklearn.datasets import load_iris
from sksoftmax import SoftmaxRegressionClassifier

X, y = load_iris(return_X_y=True)
checkpoint = sys.argv[1]
model, done = SoftmaxRegressionClassifier((8,), random_state=0), 0
if os.path.exists(checkpoint):
    with open(checkpoint, "rb") as file:
        model, done = pickle.load(file)
for number in range(done, 12):
    rows = slice(number % 5, None, 5)
    model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    with open(checkpoint + ".new", "wb") as file:
        pickle.dump((model, number + 1), file)
    os.replace(checkpoint + ".new", checkpoint)
    print(number, flush=True)
"""


def train(checkpoint, kill_after=None):
    """Run the training in a process of its own; SIGKILL comes after some batches."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(checkpoint)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    with process:
        for line in process.stdout:
            if kill_after is not None and int(line) >= kill_after:
                process.send_signal(signal.SIGKILL)
                break
    return process.returncode


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_training_killed_between_checkpoints_ends_where_it_would_have(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(whole) == 0
    assert train(killed, kill_after=2) == -signal.SIGKILL
    assert train(killed, kill_after=7) == -signal.SIGKILL
    assert train(killed) == 0
    (expected, _), (model, done) = (
        pickle.loads(path.read_bytes()) for path in (whole, killed)
    )
    assert done == 12
    assert model.loss_curve_ == expected.loss_curve_
    for W, same in zip(model.coefs_, expected.coefs_, strict=True):
        assert_array_equal(W, same)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
