"""Rows that a worker holds during a fit, and what `map` has returned for them.

These values stay beside the rows and not in results of dask, whose scheduler takes
milliseconds for each. So a pass is one task per worker. A worker that has rows and not
the values, because it took the place of another, computes the values again.
"""

from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from sksoftmax._data.chunks import PerChunk
from sksoftmax._data.pairs import add_neighbours
from sksoftmax._utils.threads import Threads, fit_threads


class Value(NamedTuple):
    """Stands in the arguments of a call for values that `map` has returned."""

    number: int


class Call(NamedTuple):
    """A verb of `Chunks` with its arguments, of which some may be a `Value`."""

    verb: str
    fn: object
    args: list
    reads_X: bool


class WorkerRows:
    """Some partitions of the data, each with its number and as `Chunks`.

    A pickle has no values, nor does one of dask when it moves rows or spills them.
    """

    def __init__(self, members):
        self._members = members
        self._values = {}  # by number: one per member
        self._lock = Lock()

    @property
    def numbers(self):
        """The number of each partition."""
        return [number for number, _ in self._members]

    def __reduce__(self):
        return WorkerRows, (self._members,)

    def run(self, call, earlier, n_threads):
        """What the verb returns of all members.

        earlier has the calls that values in the arguments are from, by their numbers.
        """
        with self._lock, fit_threads():
            threads = Threads(min(n_threads, len(self._members)))
            try:
                return self._results(call, earlier, threads)
            finally:
                threads.close()

    def keep(self, number, values):
        """Keep values of all members, which later calls have by this number."""
        self._values[number] = values

    def forget(self, alive):
        """Let go of values whose numbers are not among these."""
        for number in self._values.keys() - set(alive):
            del self._values[number]

    def _results(self, call, calls, threads):
        """What the verb returns of each member, those that are needed for it first."""
        for arg in call.args:
            if isinstance(arg, Value) and arg.number not in self._values:
                earlier = calls[arg.number]
                values = self._results(earlier, calls, threads)
                if earlier.verb == "map_sum":
                    values = [value for _, value in values]
                self._values[arg.number] = values

        def run(i):
            number, chunks = self._members[i]
            args = [
                PerChunk(self._values[arg.number][i]) if isinstance(arg, Value) else arg
                for arg in call.args
            ]
            with partition_context(number):
                return getattr(chunks, call.verb)(call.fn, *args, reads_X=call.reads_X)

        return threads.map(run, range(len(self._members)))


def run(shared, rows):
    """The task of a call on the rows of one worker; sums are those of neighbours.

    shared also has the number of the values of `map_sum`, and of all that may be used
    later.
    """
    from distributed import get_worker

    call, number, earlier, alive = shared
    rows.forget(alive)
    results = rows.run(call, dict(earlier), get_worker().state.nthreads)
    if call.verb == "collect":
        return list(zip(rows.numbers, results, strict=True))
    if call.verb == "map_sum":
        results, values = zip(*results, strict=True)
        rows.keep(number, values)
    terms = zip(rows.numbers, results, strict=True)
    return add_neighbours({(0, i): term for i, term in terms})


def merge(_, parts):
    """The sums of several workers, added up as far as they are neighbours."""
    return add_neighbours({key: term for part in parts for key, term in part.items()})


@contextmanager
def partition_context(number):
    """Let any error say in which block of the dask collection it happened."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This happened in block {number} of the dask data.")
        raise
