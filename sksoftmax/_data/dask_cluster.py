"""A dask cluster during one fit: its tasks, their results, and their end."""

import sys
from asyncio import CancelledError
from concurrent.futures import CancelledError as FutureCancelledError
from contextlib import ExitStack, contextmanager
from traceback import clear_frames
from weakref import WeakSet

from sksoftmax._data.arrays import n_bytes

# Bytes of arguments that are sent with the tasks of one call; more are sent once, and
# fetched. A task costs about a millisecond of the scheduler's time.
_SMALL = 2**20

_WARN_AT = "distributed.admin.large-graph-warning-threshold"


class Cluster:
    """A client, with the calls that a fit makes, until `close`.

    Then no result is kept on the workers for the fit. Futures that are not used any
    more go by themselves, but the traceback of an error holds those in use.
    """

    def __init__(self, client, stack):
        self._client = client
        self._stack = stack  # closed with the cluster
        self._futures = WeakSet()

    @classmethod
    def in_use(cls):
        """The cluster of the client in use, None where there is none.

        In a task it is the task's own cluster. Until `close` the task does not count
        as one of its worker's, which waits for tasks that need a worker.
        """
        distributed = sys.modules.get("distributed")
        if distributed is None:
            return None
        thread = distributed.threadpoolexecutor.thread_state
        is_in_pool = getattr(thread, "proceed", True)  # which it can leave only once
        with ExitStack() as stack:
            try:
                client = stack.enter_context(
                    distributed.worker_client(separate_thread=is_in_pool)
                )
            except ValueError:  # not in a task
                try:
                    client = distributed.default_client()
                except ValueError:
                    return None
            if client.asynchronous:
                raise ValueError(
                    "The dask client in use is asynchronous, and a fit waits for its"
                    " results: use one with asynchronous=False, or run the fit in a"
                    " thread, as asyncio.to_thread does."
                )
            return cls(client, stack.pop_all())

    @property
    def n_threads(self):
        """Threads of all workers together."""
        return sum(self._threads().values())

    def _threads(self):
        return self._client.nthreads()

    def compute(self, collections):
        """A future of each dask collection."""
        with self._context():
            return self._keep(self._client.compute(collections))

    def map(self, fn, shared, *lists):
        """Futures of fn(shared, *items) for the items of lists.

        shared is no keyword argument, of which `Client.map` makes a task if it has
        100 kB, with the keyword as its key. The next call with that keyword would wait
        for ever, or get the value of this one.
        """
        import dask

        n_tasks = len(lists[0])
        with self._context():
            if n_bytes(shared) * n_tasks > _SMALL:
                # One task has it, not scattered data, which a dying worker would take
                # along. dask warns of 10 MB in a task.
                with dask.config.set({_WARN_AT: "1TB"}):
                    shared = self._client.submit(_same, shared, pure=False)
                    self._keep([shared])
            return self._keep(
                self._client.map(fn, [shared] * n_tasks, *lists, pure=False)
            )

    def gather(self, futures):
        """The results of futures."""
        with self._context():
            return self._client.gather(futures)

    def wait(self, futures):
        """Wait until futures have a result or an error."""
        import distributed

        with self._context():
            distributed.wait(futures)

    def error(self, future):
        """The exception that a future has ended with, None where it has a result."""
        if future.status == "finished":
            return None
        with self._context():
            return future.exception()

    def places_of(self, futures):
        """The worker of each result, its bytes, and the threads of all workers."""
        with self._context():
            places = self._client.who_has(futures)
            keys = [future.key for future in futures]
            sizes = self._client.nbytes(keys, summary=False)
            owners = [next(iter(places.get(key, ())), None) for key in keys]
            return owners, [sizes[key] for key in keys], self._threads()

    def release(self, futures):
        """Let dask forget results, which it computes again if it needs them."""
        for future in futures:
            future.release()

    def close(self):
        """Release all results, and be a task again in a task."""
        for future in list(self._futures):
            future.release()
        self._stack.close()

    def _keep(self, futures):
        self._futures.update(futures)
        return futures

    @contextmanager
    def _context(self):
        """Say what it means if dask lets go of the data."""
        try:
            yield
        except KeyboardInterrupt as error:
            # The frames of dask hold futures that did not come back from there.
            clear_frames(error.__traceback__)
            raise
        except (Exception, CancelledError) as error:
            gone = isinstance(error, FutureCancelledError | CancelledError)
            if not gone and self._client.status not in ("closing", "closed"):
                raise
            raise RuntimeError(
                "The dask client or its cluster was closed during the fit, or the data"
                " were persisted by another client. The estimator is as it was before."
            ) from error


def _same(shared):
    return shared
