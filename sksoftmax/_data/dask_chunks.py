"""Blocks of rows on the workers of a dask cluster.

The data are shards, each of which stays on a worker as the `Chunks` of some consecutive
parts of the user's collection. A verb sends its function and plain arguments, has each
worker use the same verb on its shards, and adds up what comes back in a tree. Only w
and vectors of its size travel; what `map` returns stays beside its shard. All of it is
tasks that dask can run again, so a worker that dies costs time and nothing else.

Sums have the same bits whatever the cluster is. Terms are added in pairs of neighbours,
pairs of pairs and so on, and a shard has a power of two of parts, so all that a cluster
decides is where the lower levels of one and the same tree end.
"""

from asyncio import CancelledError
from concurrent.futures import CancelledError as FutureCancelledError
from contextlib import contextmanager
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from sksoftmax._data.arrays import n_bytes
from sksoftmax._data.chunks import PerChunk, add_up
from sksoftmax._data.streamed_chunks import RemoteChunks
from sksoftmax._utils.threads import fit_threads

# Sums of at most so many are formed by one task, or at last here: a power of two, as
# the tree demands.
_FAN_IN = 8

# Shards for each thread of the cluster: with two, a thread that is late has half a
# shard less to do. A task costs about a millisecond of the scheduler's time.
_SHARDS_PER_THREAD = 2

# Bytes of arguments that are sent with each task; more are sent once, and fetched.
_SMALL = 2**20


class PerShard(list):
    """One future per shard, of what `map` returned for its parts."""


class Call(NamedTuple):
    """A verb, its function and arguments, and which of those come per shard."""

    verb: str
    fn: object
    args: list
    places: list


def shard_size(n_parts, n_threads):
    """Parts of a shard: a power of two that leaves enough shards for the threads."""
    size = 1
    while -(-n_parts // size) > _SHARDS_PER_THREAD * max(n_threads, 1):
        size *= 2
    return size


class DaskChunks(RemoteChunks):
    """Blocks of rows that workers hold, with the verbs of `Chunks`.

    Parameters
    ----------
    client : distributed.Client
    shards : list of Future
        Of a list of (number of a part, its `Chunks`) each.
    layout : Layout
    threads : Threads
        For what is done with samples, here.
    """

    def __init__(self, client, shards, layout, threads):
        super().__init__(layout, threads)
        self._client, self._shards = client, shards

    def map(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block; what it returns stays on the workers."""
        return PerShard(self._on_shards("map", fn, args, reads_X))

    def collect(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block, as a list in this process."""
        with client_context(self._client):
            shards = self._on_shards("collect", fn, args, reads_X)
            parts = chain.from_iterable(self._client.gather(shards))
            return list(chain.from_iterable(parts))

    def sum(self, fn, *args, reads_X=True):
        """Sum of fn(block, *args) over the blocks, in block order."""
        return self._total(self._on_shards("sum", fn, args, reads_X))

    def map_sum(self, fn, *args, reads_X=True):
        """Both in one sweep, for an fn that returns (term, value)."""
        pairs = self._on_shards("map_sum", fn, args, reads_X)
        with client_context(self._client):
            totals = self._client.map(itemgetter(0), pairs, pure=False)
            values = self._client.map(itemgetter(1), pairs, pure=False)
        return self._total(totals), PerShard(values)

    def _on_shards(self, verb, fn, args, reads_X):
        """Futures of the verb on each shard."""
        self._n_reads += reads_X
        own = [arg for arg in args if isinstance(arg, PerShard)]
        plain = [None if isinstance(arg, PerShard) else arg for arg in args]
        places = [i for i, arg in enumerate(args) if isinstance(arg, PerShard)]
        call = Call(verb, fn, plain, places)
        with client_context(self._client):
            if n_bytes(plain) * len(self._shards) > _SMALL:
                # One task has them, not scattered data, which a dying worker would take
                # along.
                call = self._client.submit(Call, *call, pure=False)
            return self._client.map(_run, self._shards, *own, call=call, pure=False)

    def _total(self, terms):
        with client_context(self._client):
            while len(terms) > _FAN_IN:
                groups = [
                    terms[start : start + _FAN_IN]
                    for start in range(0, len(terms), _FAN_IN)
                ]
                terms = self._client.map(add_pairs, groups, pure=False)
            return add_pairs(self._client.gather(terms))


def add_pairs(terms):
    """Sum of numbers, arrays or tuples of them, pair by pair, pairs of pairs and so on.

    Of a list that is cut into pieces of a power of two it is the sum of their sums, bit
    for bit.
    """
    while len(terms) > 1:
        terms = [add_up(terms[i : i + 2]) for i in range(0, len(terms), 2)]
    return terms[0]


def _run(shard, *own, call):
    """The verb on every part of a shard; own holds what those parts have each."""
    results = []
    with fit_threads():
        for i, (number, chunks) in enumerate(shard):
            args = list(call.args)
            for place, values in zip(call.places, own, strict=True):
                args[place] = PerChunk(values[i])  # dask may have sent it as a list
            with partition_context(number):
                results.append(getattr(chunks, call.verb)(call.fn, *args))
    if call.verb == "sum":
        return add_pairs(results)
    if call.verb == "map_sum":
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


@contextmanager
def client_context(client):
    """Say what it means if dask lets go of the data."""
    try:
        yield
    except (Exception, CancelledError) as error:
        gone = isinstance(error, FutureCancelledError | CancelledError)
        if not gone and client.status not in ("closing", "closed"):
            raise
        raise RuntimeError(
            "The dask client or its cluster was closed during the fit. The estimator is"
            " as it was before."
        ) from error
