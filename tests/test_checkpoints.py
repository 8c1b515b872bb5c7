"""Checkpoints: trainings that are killed at any moment and resumed end with all bits.

The oracle is the training that was not killed. With SKSOFTMAX_TEST_LONG processes are
killed at every operation of every write, and 200 times at random moments.
"""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from effort import LONG
from sklearn.linear_model import LogisticRegression
from test_resumption import TRAININGS, X, interrupt_at, network, outcome, y

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.callbacks import Checkpoint
from sksoftmax.exceptions import InterruptionWarning

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class KilledError(Exception):
    """Stands for SIGKILL in this process: nothing is written after it."""


@contextmanager
def killed_after(n_writes):
    """The fit in here is killed after so many checkpoints."""
    write, numbers = Checkpoint._write, []

    def write_and_die(self, state):
        write(self, state)
        numbers.append(len(state["training"]["watched"]))
        if len(numbers) == n_writes:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "_write", write_and_die)
        with pytest.raises(KilledError):
            yield numbers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "training.npz"


def saved(path, every=1, **settings):
    return network(**settings).set_callbacks(Checkpoint(path, every))


@pytest.mark.parametrize(
    ("settings", "data", "more"), TRAININGS.values(), ids=TRAININGS
)
def test_a_training_that_was_killed_ends_as_one_that_was_not(
    path, settings, data, more
):
    whole = network().set_params(**settings).fit(*data, **more)
    for n_writes in (1, 2):
        with killed_after(n_writes):
            saved(path).set_params(**settings).fit(*data, **more)
    model = saved(path).set_params(**settings).fit(*data, **more)
    assert outcome(model) == outcome(whole)
    assert model._state == {}


@pytest.mark.parametrize(("every", "written"), [(1, [1, 2, 3, 4, 5, 6]), (4, [4, 6])])
def test_it_may_be_killed_after_any_write(path, every, written):
    whole = network(early_stopping=True).fit(X, y)
    for n_writes in range(1, len(written) + 1):
        with killed_after(n_writes) as numbers:
            saved(path, every, early_stopping=True).fit(X, y)
        assert numbers == written[:n_writes]
        model = saved(path, every, early_stopping=True).fit(X, y)
        assert outcome(model) == outcome(whole)
        path.unlink()


def test_a_random_seed_is_that_of_the_file(path):
    with killed_after(2):
        saved(path, random_state=None).fit(X, y)
    kept = path.read_bytes()
    one = saved(path, random_state=None).fit(X, y)
    path.write_bytes(kept)
    assert outcome(saved(path, random_state=None).fit(X, y)) == outcome(one)


@pytest.mark.parametrize(
    "settings", [{}, {"learning_rate": "constant", "tol": 1.0, "n_iter_no_change": 1}]
)
def test_of_a_training_that_has_ended_the_result_is_there_at_once(path, settings):
    first = saved(path, **settings).fit(X, y)
    with interrupt_at(1):  # no batch is read
        again = saved(path, **settings).fit(X, y)
    assert outcome(again) == outcome(first) == outcome(network(**settings).fit(X, y))


def test_a_larger_max_iter_makes_it_longer_and_a_smaller_one_is_refused(path):
    settings = {"learning_rate": "invscaling", "tol": 0.0}
    saved(path, **settings).fit(X, y)
    longer = saved(path, **settings, max_iter=9).fit(X, y)
    assert outcome(longer) == outcome(network(**settings, max_iter=9).fit(X, y))
    with pytest.raises(ValueError, match="max_iter=6 is less than the 9 epochs"):
        saved(path, **settings).fit(X, y)


def test_an_interrupted_training_is_written_as_well(path):
    model = saved(path, every=100)
    with interrupt_at(12), pytest.warns(InterruptionWarning):
        model.fit(X, y)
    model = saved(path, every=100).fit(X, y)
    assert outcome(model) == outcome(network().fit(X, y))


def test_a_warm_start_goes_on_from_its_own_fit_and_writes(path):
    expected = network(warm_start=True).fit(X, y).fit(X, y)
    model = saved(path, warm_start=True).fit(X, y)
    assert outcome(model.fit(X, y)) == outcome(expected)
    assert outcome(saved(path).fit(X, y)) == outcome(expected)


# Files of something else


@pytest.mark.parametrize(
    ("settings", "rows", "words"),
    [
        ({"alpha": 0.1}, slice(None), "with alpha=0.01; here it is 0.1"),
        ({"random_state": 1}, slice(None), "random_state=0; here it is 1"),
        ({"sizes": (5,)}, slice(None), r"hidden_layer_sizes=\(4,\)"),
        ({"early_stopping": True}, slice(None), "early_stopping=False"),
        ({}, slice(1, None), r"rows and features are \(150, 4\), and here \(149, 4\)"),
        ({}, slice(0, 100), "classes are"),
        ({}, np.r_[0, 0, 2:150], "of a training on other data"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused(path, settings, rows, words):
    saved(path).fit(X, y)
    before = path.read_bytes()
    model = saved(path, **settings)
    with pytest.raises(ValueError, match=words) as caught:
        model.fit(X[rows], y[rows])
    assert "Delete the file to train anew" in str(caught.value)
    assert not hasattr(model, "coefs_")
    assert path.read_bytes() == before


def test_other_labels_or_weights_of_the_same_totals_are_other_data(path):
    saved(path).fit(X, y)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="of a training on other data"):
        saved(path).fit(X, rng.permutation(y))
    s = rng.permutation(np.repeat([0.5, 1.5], 75))
    with pytest.raises(ValueError, match="of a training on other data"):
        saved(path).fit(X, y, s)


def npz_of(path, **arrays):
    np.savez(path, **arrays)
    return path.read_bytes()


def test_a_file_that_is_no_checkpoint_is_refused(path):
    saved(path).fit(X, y)
    whole = path.read_bytes()
    outline = np.frombuffer(json.dumps({"format": "other"}).encode(), np.uint8)
    wrong = {
        "text": b"notes",
        "nothing": b"",
        "cut": whole[: len(whole) // 2],
        "of another program": npz_of(path, a=np.zeros(3)),
        "of another format": npz_of(path, outline=outline),
        "code": npz_of(path, outline=np.array([{"a": 1}], dtype=object)),
    }
    for content in wrong.values():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"training\.npz' is no checkpoint"):
            saved(path).fit(X, y)
        assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_told_before_the_training(tmp_path):
    with interrupt_at(1), pytest.raises(FileNotFoundError, match=r"no folder .*gone"):
        saved(tmp_path / "gone" / "training.npz").fit(X, y)


def test_a_disk_that_is_full_leaves_the_last_checkpoint(path, monkeypatch):
    saved(path).fit(X, y)
    before = path.read_bytes()
    model = saved(path, max_iter=9)

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        model.fit(X, y)
    assert path.read_bytes() == before
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    ("every", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_an_interval_that_is_none_is_refused(path, every, error):
    with pytest.raises(error, match=f"every must be an integer >= 1, got {every}"):
        Checkpoint(path, every)


def test_solvers_of_all_rows_refuse_it(path):
    model = SoftmaxRegressionClassifier().set_callbacks(Checkpoint(path))
    with pytest.raises(ValueError, match=r"on mini-batches.*solver='newton'"):
        model.fit(X, y)
    assert not path.exists()


def test_two_checkpoints_are_refused(path):
    model = network().set_callbacks(Checkpoint(path), Checkpoint(path))
    with pytest.raises(ValueError, match="one Checkpoint, got 2"):
        model.fit(X, y)


def test_other_estimators_refuse_it(path):
    pytest.importorskip("sklearn.callback")  # from scikit-learn 1.9
    other = LogisticRegression()
    if not hasattr(other, "set_callbacks"):
        with pytest.raises(TypeError, match="LogisticRegression writes no checkpoints"):
            Checkpoint(path).setup(other, None)
        return
    with pytest.raises(TypeError, match="LogisticRegression writes no checkpoints"):
        other.set_callbacks(Checkpoint(path)).fit(X, y)


# From outside: SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("way", ["writes", "moments"])
def test_after_sigkill_a_resumed_training_has_the_bits_of_the_whole(tmp_path, way):
    program = Path(__file__).with_name("killed_trainings.py")
    every = {"writes": 1 if LONG else 20, "moments": 200 if LONG else 3}[way]
    done = subprocess.run(
        [sys.executable, program, tmp_path, way, str(every)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last = done.stdout.splitlines()
    n_kills = int(last.split()[0])
    assert n_kills >= (every if way == "moments" else 5)
