"""Partitions of dask collections, brought to the workers that a fit reads them on.

They stay where they are, or where dask loads them. If a worker would then have much
more to do than others, partitions move.
"""

from sksoftmax._data.dask_rows import partition_context
from sksoftmax._utils.warnings import warn

# How many times the mean bytes of a thread a worker may have for each of its threads.
# Moving rows takes as long as a few passes over them, of which a fit has twenty.
_EXCESS = 1.1


class Partitions:
    """Some partitions as users have them: (number, (X, y, sample_weight)) of each.

    dask takes it for an object without size. Its rows are, as a rule, those of
    collections that users have persisted, which dask counts already.
    """

    def __init__(self, members):
        self.members = members

    def __reduce__(self):
        return Partitions, (self.members,)


def load(cluster, partitions):
    """Futures of `Partitions`, one for each worker that has some."""
    if not cluster.n_threads:
        warn("The dask cluster has no workers; the fit waits for the first.")
    futures = cluster.compute(partitions)
    cluster.wait(futures)
    for number, future in enumerate(futures):
        error = cluster.error(future)
        if error is not None:
            with partition_context(number):
                raise error
    places = _places(*cluster.places_of(futures))
    lists = [[futures[number] for number in numbers] for numbers in places]
    loaded = cluster.map(_together, None, places, lists)
    cluster.wait(loaded)
    # They count as memory that dask may spill, and are in Partitions anyway.
    cluster.release(futures)
    return loaded


def _together(_, numbers, partitions):
    return Partitions(list(zip(numbers, partitions, strict=True)))


def _places(owners, sizes, n_threads):
    """Numbers of partitions for each worker, in order.

    owners has the worker of each partition, None where it has been lost since; sizes
    its bytes. n_threads has the threads of each worker.
    """
    numbers = {worker: [] for worker in n_threads}
    for number, owner in enumerate(owners):
        if owner not in numbers:
            owner = min(numbers, key=lambda worker: len(numbers[worker]))
        numbers[owner].append(number)
    load = {worker: sum(sizes[i] for i in own) for worker, own in numbers.items()}
    most = _EXCESS * sum(sizes) / max(sum(n_threads.values()), 1)
    while True:
        relative = {worker: load[worker] / n_threads[worker] for worker in load}
        full, free = max(relative, key=relative.get), min(relative, key=relative.get)
        room = (relative[full] - relative[free]) * n_threads[free] / 2
        movable = [i for i in numbers[full] if 0 < sizes[i] <= room]
        if relative[full] <= most or not movable:
            break
        moved = max(movable, key=lambda i: (sizes[i], i))
        numbers[full].remove(moved)
        numbers[free].append(moved)
        load[full] -= sizes[moved]
        load[free] += sizes[moved]
    return [sorted(own) for own in numbers.values() if own]
