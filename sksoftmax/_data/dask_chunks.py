"""Chunks of rows on the workers of a dask cluster.

A worker keeps groups of consecutive partitions of the user's collection, each partition
as its `Chunks`. A verb sends its function and plain arguments, has each worker use the
same verb on its groups, and adds up what comes back in a tree. Only w and vectors of
its size travel; what `map` returns stays beside its group. All of it is tasks that dask
can run again, so a worker that dies costs time and nothing else.

Sums have the same bits whatever the cluster is. Terms are added in pairs of neighbours,
pairs of pairs and so on, and a group has a power of two of partitions. So a cluster
decides only where the lower levels of one and the same tree end.
"""

from contextlib import contextmanager
from itertools import chain

from sksoftmax._data.chunks import PerChunk, add_up
from sksoftmax._data.streamed_chunks import RemoteChunks
from sksoftmax._utils.threads import fit_threads

# Sums of at most so many are formed by one task, or at last here: a power of two, as
# the tree demands.
_FAN_IN = 8

# Groups for each thread of the cluster: with two, a thread that is late has half a
# group less to do. A task costs about a millisecond of the scheduler's time.
_GROUPS_PER_THREAD = 2


class PerGroup(list):
    """One future per group, of what `map` returned for its partitions."""


def group_size(n_partitions, n_threads):
    """Partitions of a group: a power of two that leaves groups for all threads."""
    size = 1
    while -(-n_partitions // size) > _GROUPS_PER_THREAD * max(n_threads, 1):
        size *= 2
    return size


class DaskChunks(RemoteChunks):
    """Chunks of rows that workers hold, with the verbs of `Chunks`.

    Groups are futures of lists of (number of a partition, its `Chunks`).
    """

    def __init__(self, cluster, groups, summary, threads):
        super().__init__(summary, threads)
        self._cluster, self._groups = cluster, groups

    def map(self, fn, *args, reads_X=True):
        """fn(chunk, *args) for every chunk; what it returns stays on the workers."""
        return PerGroup(self._on_groups("map", fn, args, reads_X))

    def collect(self, fn, *args, reads_X=True):
        """fn(chunk, *args) for every chunk, as a list in this process."""
        groups = self._cluster.gather(self._on_groups("collect", fn, args, reads_X))
        return list(chain.from_iterable(chain.from_iterable(groups)))

    def sum(self, fn, *args, reads_X=True):
        """Sum of fn(chunk, *args) over the chunks, in their order."""
        return self._total(self._on_groups("sum", fn, args, reads_X))

    def map_sum(self, fn, *args, reads_X=True):
        """Both in one sweep, for an fn that returns (term, value)."""
        pairs = self._on_groups("map_sum", fn, args, reads_X)
        totals, values = (self._cluster.map(_entry, i, pairs) for i in range(2))
        return self._total(totals), PerGroup(values)

    def _on_groups(self, verb, fn, args, reads_X):
        """Futures of the verb on each group."""
        self._n_reads += reads_X
        own = [arg for arg in args if isinstance(arg, PerGroup)]
        args = [PerGroup if isinstance(arg, PerGroup) else arg for arg in args]
        return self._cluster.map(_run, (verb, fn, args), self._groups, *own)

    def _total(self, terms):
        while len(terms) > _FAN_IN:
            lists = [
                terms[start : start + _FAN_IN]
                for start in range(0, len(terms), _FAN_IN)
            ]
            terms = self._cluster.map(_add_pairs, None, lists)
        return add_pairs(self._cluster.gather(terms))


def add_pairs(terms):
    """Sum of numbers, arrays or tuples of them, pair by pair, pairs of pairs and so on.

    Of a list that is cut into pieces of a power of two it is the sum of their sums, bit
    for bit.
    """
    while len(terms) > 1:
        terms = [add_up(terms[i : i + 2]) for i in range(0, len(terms), 2)]
    return terms[0]


def _add_pairs(_, terms):
    return add_pairs(terms)


def _entry(i, pair):
    return pair[i]


def _run(call, group, *own):
    """The verb on every partition of a group.

    In the arguments `PerGroup` itself stands for what its partitions have: own.
    """
    verb, fn, args = call
    results = []
    with fit_threads():
        for (number, chunks), *values in zip(group, *own, strict=True):
            values = map(PerChunk, values)  # dask may have sent lists
            of_chunks = [next(values) if arg is PerGroup else arg for arg in args]
            with partition_context(number):
                results.append(getattr(chunks, verb)(fn, *of_chunks))
    if verb == "sum":
        return add_pairs(results)
    if verb == "map_sum":
        totals, values = zip(*results, strict=True)
        return add_pairs(totals), list(values)
    return results


@contextmanager
def partition_context(number):
    """Let any error say in which block of the dask collection it happened."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This happened in block {number} of the dask data.")
        raise
