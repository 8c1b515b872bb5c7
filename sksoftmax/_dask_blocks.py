"""Blocks of rows on the workers of a dask cluster.

The data are parts, each of which stays on a worker as the `Blocks` of its rows. A verb
sends its function and plain arguments, has each worker use the same verb on its parts,
and adds up what comes back in a tree. Only w and vectors of its size travel; what `map`
returns stays beside its part. All of it is tasks that dask can run again, so a worker
that dies costs time and nothing else; sums are formed in the order of the parts, so
what is run again has the same bits.
"""

from asyncio import CancelledError
from concurrent.futures import CancelledError as FutureCancelledError
from contextlib import contextmanager
from itertools import chain
from operator import itemgetter

from sksoftmax._blocks import PerBlock, add_up
from sksoftmax._stream_blocks import SurveyedBlocks
from sksoftmax._threads import fit_threads

# Sums of at most so many are formed by one task: two levels do for 256 parts.
_FAN_IN = 16


class PerPart(list):
    """One future per part, of the `PerBlock` of its blocks: what `map` returns."""


class DaskBlocks(SurveyedBlocks):
    """Blocks of rows that workers hold, with the verbs of `Blocks`.

    Parameters
    ----------
    client : distributed.Client
    parts : list of Future
        Of a (number, `Blocks`) each.
    layout : Layout
    threads : Threads
        For what is done with samples, here.
    """

    def __init__(self, client, parts, layout, threads):
        super().__init__(layout, threads)
        self._client, self._parts = client, parts

    def map(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block; what it returns stays on the workers."""
        return PerPart(self._on_parts("map", fn, args, reads_X))

    def collect(self, fn, *args, reads_X=True):
        """fn(block, *args) for every block, as a list in this process."""
        with understood(self._client):
            parts = self._on_parts("collect", fn, args, reads_X)
            return list(chain.from_iterable(self._client.gather(parts)))

    def sum(self, fn, *args, reads_X=True):
        """Sum of fn(block, *args) over the blocks, in block order."""
        return self._total(self._on_parts("sum", fn, args, reads_X))

    def map_sum(self, fn, *args, reads_X=True):
        """Both in one sweep, for an fn that returns (term, value)."""
        pairs = self._on_parts("map_sum", fn, args, reads_X)
        with understood(self._client):
            totals = self._client.map(itemgetter(0), pairs, pure=False)
            values = self._client.map(itemgetter(1), pairs, pure=False)
        return self._total(totals), PerPart(values)

    def _on_parts(self, verb, fn, args, reads_X):
        """Futures of the verb on each part."""
        self._n_reads += reads_X
        own = [arg for arg in args if isinstance(arg, PerPart)]
        plain = [None if isinstance(arg, PerPart) else arg for arg in args]
        places = [i for i, arg in enumerate(args) if isinstance(arg, PerPart)]
        with understood(self._client):
            # One task has the arguments, for they may be large and parts many. It is no
            # scattered data, which a dying worker would take along.
            call = self._client.submit(Call, verb, fn, plain, places, pure=False)
            return self._client.map(_run, self._parts, *own, call=call, pure=False)

    def _total(self, terms):
        with understood(self._client):
            while len(terms) > 1:
                groups = [
                    terms[start : start + _FAN_IN]
                    for start in range(0, len(terms), _FAN_IN)
                ]
                terms = self._client.map(add_up, groups, pure=False)
            return terms[0].result()


class Call:
    """A verb with its function and arguments, as it is sent to the parts."""

    def __init__(self, verb, fn, args, places):
        self.verb, self.fn, self.args, self.places = verb, fn, args, places

    def on(self, blocks, own):
        """Result of the verb on some blocks; own are their arguments."""
        args = list(self.args)
        for place, values in zip(self.places, own, strict=True):
            args[place] = PerBlock(values)  # which dask may have sent as a list
        return getattr(blocks, self.verb)(self.fn, *args)


def _run(part, *own, call):
    number, blocks = part
    with fit_threads(), noted(number):
        return call.on(blocks, own)


@contextmanager
def noted(number):
    """Let any error say in which block of the dask collection it happened."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This happened in block {number} of the dask data.")
        raise


@contextmanager
def understood(client):
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
