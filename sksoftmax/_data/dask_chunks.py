"""Chunks of rows on the workers of a dask cluster.

A worker keeps some partitions of the user's collection, each as its `Chunks`. A verb is
one task per worker: it sends its function and plain arguments, has each worker use the
same verb on its partitions, and adds up what comes back. Only w and vectors of its size
travel. The rows are results of tasks that dask can run again, so a worker that dies
costs time and nothing else.

Sums have the same bits whatever the cluster is: see `pairs`.
"""

from itertools import chain, count
from weakref import WeakValueDictionary

from sksoftmax._data.dask_rows import Call, Value, merge, run
from sksoftmax._data.pairs import whole_sum
from sksoftmax._data.streamed_chunks import RemoteChunks

# Sums of at most so many workers are added by one task, or at last here.
_FAN_IN = 8


class PerWorker:
    """What `map` returned for the partitions of each worker, which has it or makes it.

    As long as this lives, workers keep it; call is how they make it.
    """

    def __init__(self, number, call, others):
        self.number, self.call = number, call
        self.others = others  # from which it is made


class DaskChunks(RemoteChunks):
    """Chunks of rows that workers hold, with the verbs of `Chunks`.

    rows are futures of `WorkerRows`, one per worker, of n_partitions in all.
    """

    # Samples are sent to this process, in which dask has them a second time for a
    # while. With 128 MiB the fits of `benchmarks/scale.py` need as many passes.
    largest_sample = 2**24

    def __init__(self, cluster, rows, n_partitions, summary, threads):
        super().__init__(summary, threads)
        self._cluster, self._rows, self._n_partitions = cluster, rows, n_partitions
        self._numbers, self._alive = count(), WeakValueDictionary()

    def map(self, fn, *args, reads_X=True):
        """fn(chunk, *args) for every chunk; computed where it is used first."""
        self._n_reads += reads_X
        return self._new_values("map", fn, args, reads_X)

    def collect(self, fn, *args, reads_X=True):
        """fn(chunk, *args) for every chunk, as a list in this process."""
        parts = self._cluster.gather(self._on_workers("collect", fn, args, reads_X))
        numbered = sorted(chain.from_iterable(parts), key=lambda part: part[0])
        return list(chain.from_iterable(values for _, values in numbered))

    def sum(self, fn, *args, reads_X=True):
        """Sum of fn(chunk, *args) over the chunks, in their order."""
        return self._total(self._on_workers("sum", fn, args, reads_X))

    def map_sum(self, fn, *args, reads_X=True):
        """Both in one sweep, for an fn that returns (term, value)."""
        values = self._new_values("map_sum", fn, args, reads_X)
        total = self._total(self._submit(values.call, values.number, reads_X))
        return total, values

    def _new_values(self, verb, fn, args, reads_X):
        others = [arg for arg in args if isinstance(arg, PerWorker)]
        call, number = _call(verb, fn, args, reads_X), next(self._numbers)
        values = self._alive[number] = PerWorker(number, call, others)
        return values

    def _on_workers(self, verb, fn, args, reads_X):
        return self._submit(_call(verb, fn, args, reads_X), None, reads_X)

    def _submit(self, call, number, reads_X):
        """Futures of the call on the rows of each worker."""
        self._n_reads += reads_X
        wanted = [arg.number for arg in call.args if isinstance(arg, Value)]
        earlier = []
        while wanted:
            values = self._alive[wanted.pop()]
            earlier.append((values.number, values.call))
            wanted += [other.number for other in values.others]
        shared = call, number, earlier, list(self._alive)
        return self._cluster.map(run, shared, self._rows)

    def _total(self, sums):
        while len(sums) > _FAN_IN:
            parts = [sums[i : i + _FAN_IN] for i in range(0, len(sums), _FAN_IN)]
            sums = self._cluster.map(merge, None, parts)
        sums = merge(None, self._cluster.gather(sums))
        return whole_sum(sums, self._n_partitions)


def _call(verb, fn, args, reads_X):
    own = [Value(arg.number) if isinstance(arg, PerWorker) else arg for arg in args]
    return Call(verb, fn, own, reads_X)
