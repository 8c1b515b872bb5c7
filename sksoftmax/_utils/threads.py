"""How many threads a fit may use, and the pool that runs them.

There is no n_jobs: a fit uses as many threads as BLAS was limited to when it began, so
OMP_NUM_THREADS, threadpoolctl.threadpool_limits and joblib's inner limits all apply.
While threads of ours work on blocks of rows, BLAS itself runs on one.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _blas_libraries():
    # Scanning the loaded libraries takes 2 ms, so it is done once per process.
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _set_blas_threads(n_threads):
    """Give each BLAS library its number of threads, if no other thread controls it.

    With threadpoolctl 3.7 and later the thread that first sets a limit keeps others
    from setting one until it gives up control. We do so at once, because the last of
    overlapping fits, in whatever thread, has to restore the limit.
    """
    for library, n in zip(_blas_libraries(), n_threads, strict=True):
        if library.num_threads != n:
            try:
                library.set_num_threads(n)
            finally:
                if hasattr(library, "clear_controlling_thread"):
                    library.clear_controlling_thread()


class _BlasLimit:
    """One BLAS thread while at least one fit is inside; the old limits afterwards.

    The limit belongs to the process: the first of overlapping fits in several threads
    saves and sets it, the last restores it. An interrupt may cut either short; `exit`
    undoes what there is of an `enter`, and may be repeated.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._saved = None
        self._inside = set()

    def enter(self, fit):
        """Limit BLAS to one thread; return how many the fit, any object, may start."""
        with self._lock:
            if self._inside:
                self._inside.add(fit)
                return 1
            saved = [library.num_threads for library in _blas_libraries()]
            n_threads = max(saved, default=1)
            self._saved = saved if n_threads > 1 else None
            self._inside.add(fit)
            if n_threads == 1:  # nothing to ask again, which takes 2 us a library
                return 1
            _set_blas_threads([1] * len(saved))
            if any(library.num_threads > 1 for library in _blas_libraries()):
                return 1  # another thread controls BLAS, which keeps its own threads
            return n_threads

    def exit(self, fit):
        """Undo the `enter` of a fit, if it came that far."""
        with self._lock:
            if fit not in self._inside:
                return
            if len(self._inside) == 1 and self._saved is not None:
                _set_blas_threads(self._saved)
            self._inside.discard(fit)


_blas_limit = _BlasLimit()


def _forget_other_threads():
    # A forked child has only the thread that forked: no other fit is inside, and a lock
    # held by another thread would never be released.
    global _blas_limit
    _blas_limit = _BlasLimit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


class Threads:
    """Runs independent tasks on up to `n_threads` threads, results in task order.

    The pool starts with the first map of several tasks and ends with the fit: small
    problems start no thread, and a fork can lose none.
    """

    def __init__(self, n_threads=1):
        self.n_threads = n_threads
        self._pool = None

    def map(self, fn, tasks):
        """[fn(task) for task in tasks]."""
        if self.n_threads == 1 or len(tasks) <= 1:
            return [fn(task) for task in tasks]
        # With few tasks this thread takes one itself: one thread fewer to wake up.
        n_own = 1 if len(tasks) <= self.n_threads else 0
        try:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.n_threads)
            others = [self._pool.submit(fn, task) for task in tasks[n_own:]]
        except RuntimeError:
            # No thread can start, as when the interpreter is shutting down.
            self.close()
            self.n_threads = 1
            return [fn(task) for task in tasks]
        try:
            own = [fn(task) for task in tasks[:n_own]]
            return own + [other.result() for other in others]
        finally:
            for other in others:
                other.cancel()
            wait(others)

    def close(self):
        """End the threads of the pool."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@contextmanager
def fit_threads():
    """Limit BLAS to one thread and yield the `Threads` that a fit may use instead."""
    limit, threads = _blas_limit, Threads()
    try:
        threads.n_threads = limit.enter(threads)
        yield threads
    finally:
        try:
            threads.close()
        finally:
            try:
                limit.exit(threads)
            except BaseException:  # an interrupt waits until it is through
                limit.exit(threads)
                raise
