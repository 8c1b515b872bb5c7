"""Threads of a fit: how many it may use, and what becomes of BLAS's own."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from sksoftmax._utils.threads import Threads, fit_threads

WAIT = 30  # seconds until a test that hangs gives up


@cache
def blas_controllers():
    return ThreadpoolController().select(user_api="blas").lib_controllers


def blas_limits():
    """The number of threads of every BLAS in the process."""
    return [controller.num_threads for controller in blas_controllers()]


def let_any_thread_set_limits():
    # In recent versions of threadpoolctl the first thread to set a limit of OpenBLAS
    # controls it: what others set is ignored without a word until it gives control up.
    for controller in blas_controllers():
        if hasattr(controller, "clear_controlling_thread"):
            controller.clear_controlling_thread(force=True)


@pytest.fixture(autouse=True)
def three_blas_threads():
    """Three threads for BLAS, whatever the machine has."""
    let_any_thread_set_limits()
    with threadpool_limits(3, user_api="blas"):
        let_any_thread_set_limits()
        if set(blas_limits()) != {3}:
            pytest.skip("this BLAS does not let its threads be set")
        yield
        let_any_thread_set_limits()


def run_and_join(*targets):
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert not any(thread.is_alive() for thread in threads)


# The limit on BLAS


def test_a_fit_gets_the_threads_of_blas_while_blas_has_one():
    with fit_threads() as threads:
        assert threads.n_threads == 3
        assert set(blas_limits()) == {1}
    assert set(blas_limits()) == {3}


def test_a_fit_within_limits_keeps_to_them():
    with threadpool_limits(2, user_api="blas"), fit_threads() as threads:
        assert threads.n_threads == 2
    with threadpool_limits(1, user_api="blas"):
        with fit_threads() as threads:
            assert threads.n_threads == 1
        assert set(blas_limits()) == {1}


def test_every_blas_of_the_process_gets_its_own_limit_back():
    blas_controllers()[0].set_num_threads(2)
    before = blas_limits()
    with fit_threads() as threads:
        assert threads.n_threads == max(before)
        assert set(blas_limits()) == {1}
    assert blas_limits() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_limit_is_restored_after_an_exception(error):
    with pytest.raises(error), fit_threads():
        raise error
    assert set(blas_limits()) == {3}


def test_the_limit_is_restored_after_an_exception_in_a_thread_of_the_pool():
    def fail(task):
        raise ValueError(task)

    with pytest.raises(ValueError, match="1"), fit_threads() as threads:
        threads.map(fail, [1, 2, 3])
    assert set(blas_limits()) == {3}


def test_a_fit_inside_a_fit_gets_one_thread():
    with fit_threads():
        with fit_threads() as threads:
            assert threads.n_threads == 1
            assert set(blas_limits()) == {1}
        assert set(blas_limits()) == {1}
    assert set(blas_limits()) == {3}


def test_the_last_of_overlapping_fits_restores_the_limit():
    first_is_inside, first_is_out = threading.Event(), threading.Event()
    second_is_inside, second_is_out = threading.Event(), threading.Event()
    seen = {}

    def first():
        with fit_threads() as threads:
            first_is_inside.set()
            assert second_is_inside.wait(WAIT)
            seen["first"] = threads.n_threads
        seen["between"] = blas_limits()
        first_is_out.set()
        second_is_out.wait(WAIT)  # as a worker of a pool outlives its task

    def second():
        assert first_is_inside.wait(WAIT)
        with fit_threads() as threads:
            second_is_inside.set()
            assert first_is_out.wait(WAIT)
            seen["second"] = threads.n_threads
        seen["after"] = blas_limits()
        second_is_out.set()

    run_and_join(first, second)
    assert set(seen["between"]) == {1}
    assert set(seen["after"]) == {3}
    assert (seen["first"], seen["second"]) == (3, 1)


def test_another_thread_can_limit_blas_after_a_fit():
    seen = []

    def limit():
        with threadpool_limits(2, user_api="blas"):
            seen.extend(blas_limits())

    with fit_threads():
        pass
    run_and_join(limit)
    assert set(seen) == {2}


def test_a_fit_that_cannot_limit_blas_uses_no_more_threads_than_blas_may():
    # What a worker asks of BLAS is ignored while the main thread controls it.
    used = []

    def fit():
        with fit_threads() as threads:
            used.append(threads.n_threads * max(blas_limits()))

    with threadpool_limits(3, user_api="blas"):
        run_and_join(fit)
        assert set(blas_limits()) == {3}
    assert used[0] <= 3


def test_many_fits_in_many_threads_leave_the_limit_as_it_was():
    inside, after = set(), []
    all_are_out = threading.Barrier(4, timeout=WAIT)

    def fit_often():
        for _ in range(50):
            with fit_threads() as threads:
                inside.update(threads.map(lambda _: max(blas_limits()), range(3)))
        all_are_out.wait()
        after.extend(blas_limits())
        all_are_out.wait()

    run_and_join(*[fit_often] * 4)
    assert inside == {1}
    assert set(after) == {3}


# After a fork


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
# Python 3.12 and later warn of any fork where there are threads.
many_threads_may_fork = pytest.mark.filterwarnings(
    "ignore:.*multi-threaded, use of fork:DeprecationWarning"
)


def succeeds_in_a_fork(check):
    """Whether check() is true in a child process, within the time allowed."""
    child = os.fork()
    if child == 0:  # nothing of pytest may run here, so _exit comes in any case
        outcome = 2
        try:
            outcome = 0 if check() else 1
        finally:
            os._exit(outcome)
    deadline = threading.Timer(WAIT, os.kill, (child, 9))
    deadline.start()
    _, status = os.waitpid(child, 0)
    deadline.cancel()
    return os.waitstatus_to_exitcode(status) == 0


def fits_as_usual():
    with fit_threads() as threads:
        inside = threads.n_threads == 3 and set(blas_limits()) == {1}
        inside = inside and threads.map(abs, [-1, -2, -3]) == [1, 2, 3]
    return inside and set(blas_limits()) == {3}


@forks
@many_threads_may_fork
def test_a_fork_after_a_fit_can_fit():
    assert fits_as_usual()
    assert succeeds_in_a_fork(fits_as_usual)
    assert fits_as_usual()


@forks
@many_threads_may_fork
def test_a_fork_inside_a_fit_can_fit_and_leaves_the_parent_s_limit_alone():
    def fits():
        with fit_threads() as threads:
            return threads.map(abs, [-1, -2]) == [1, 2]

    with fit_threads():
        assert succeeds_in_a_fork(fits)
        assert set(blas_limits()) == {1}
    assert set(blas_limits()) == {3}


@forks
@many_threads_may_fork
def test_a_fork_during_a_fit_in_another_thread_can_fit():
    is_inside, may_leave = threading.Event(), threading.Event()

    def fit():
        with fit_threads() as threads:
            threads.map(abs, [1, 2, 3])
            is_inside.set()
            may_leave.wait(WAIT)

    def fits():
        with fit_threads() as threads:
            return threads.map(abs, [-1, -2]) == [1, 2]

    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    assert is_inside.wait(WAIT)
    try:
        assert succeeds_in_a_fork(fits)
    finally:
        may_leave.set()
        thread.join(WAIT)
    assert set(blas_limits()) == {3}


# The pool


@pytest.fixture
def pool():
    threads = Threads(3)
    yield threads
    threads.close()


def test_results_come_in_the_order_of_the_tasks(pool):
    later = threading.Event()

    def task(number):
        if number == 0:
            later.wait(WAIT)  # ends after the task behind it
        later.set()
        return number

    assert pool.map(task, range(5)) == list(range(5))


def test_as_many_tasks_run_at_once_as_there_are_threads(pool):
    together = threading.Barrier(3, timeout=WAIT)
    assert sorted(pool.map(lambda _: together.wait(), range(3))) == [0, 1, 2]


@pytest.mark.parametrize(("n_threads", "n_tasks"), [(1, 5), (3, 1), (3, 0)])
def test_no_thread_is_started_where_there_is_nothing_to_share(n_threads, n_tasks):
    before = threading.active_count()
    threads = Threads(n_threads)
    names = threads.map(lambda _: threading.current_thread().name, range(n_tasks))
    assert names == [threading.current_thread().name] * n_tasks
    assert threading.active_count() == before
    threads.close()


def test_a_pool_goes_on_after_an_error(pool):
    with pytest.raises(ZeroDivisionError):
        pool.map(lambda number: 1 / number, [1, 0, 2])
    assert pool.map(lambda number: 1 / number, [1, 2]) == [1.0, 0.5]


def test_no_thread_outlives_the_fit():
    before = threading.active_count()
    with fit_threads() as threads:
        threads.map(np.sin, list(np.eye(8)))
    assert threading.active_count() == before


def test_without_a_thread_to_start_the_caller_does_all_tasks(monkeypatch):
    def refuse(self, fn, task):
        if task > 2:
            raise RuntimeError("can't start new thread")
        return submit(self, fn, task)

    submit = ThreadPoolExecutor.submit
    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    threads = Threads(2)
    try:
        assert threads.map(lambda task: task * task, list(range(6))) == [
            task * task for task in range(6)
        ]
        assert threads.n_threads == 1
    finally:
        threads.close()


FIT_LATE = """
import atexit, sys, threading, warnings
import numpy as np
from threadpoolctl import threadpool_limits
from sksoftmax import SoftmaxRegressionClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(60_000, 20))
y = (X[:, :3] + rng.gumbel(size=(60_000, 3))).argmax(axis=1)
expected = SoftmaxRegressionClassifier().fit(X, y).coef_

def fit():
    with threadpool_limits(2):
        model = SoftmaxRegressionClassifier().fit(X, y)
    same = np.array_equal(model.coef_, expected)
    print("same" if same and model.predict(X).size else "other", flush=True)

def fit_after_the_main_thread():
    threading.main_thread().join()
    fit()

if sys.argv[1] == "atexit":
    atexit.register(fit)
else:
    threading.Thread(target=fit_after_the_main_thread).start()
"""


@pytest.mark.parametrize("when", ["atexit", "after the main thread"])
def test_fits_work_while_the_interpreter_ends(when):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIT_LATE, when],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stdout.split() == ["same"], run.stderr
