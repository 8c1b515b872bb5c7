"""`Table`: rows that each pass reads again, part by part."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

# Bytes of a part if the format leaves a choice.
PART_BYTES = 2**25


class Part(NamedTuple):
    """Rows of a table that are read together.

    Attributes
    ----------
    name : str or None
        What error messages call it. None for a sequence of record batches, whose number
        is known after a pass.
    read : callable
        (with_labels) -> iterator of (X, y, sample_weight): one of them if the part has
        a name. Without labels, y and sample_weight may be None.
    """

    name: str | None
    read: Callable


class Table:
    """Rows of features, labels and weights that each pass reads again, part by part.

    `from_parquet` and the other functions of this module make it. Pass it to `fit` as
    X, without y. Predictions take it too.

    Parameters
    ----------
    parts : sequence of Part
        All rows, in order.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.data import from_arrays
    >>> table = from_arrays(np.ones((5, 2)), np.arange(5))
    >>> table
    <Table of 1 part>
    >>> [y.tolist() for X, y, sample_weight in table]
    [[0, 1, 2, 3, 4]]
    """

    def __init__(self, parts: Sequence[Part]):
        self.parts = tuple(parts)

    def __repr__(self):
        if not self.is_cut:
            return "<Table of record batches>"
        return f"<Table of {len(self.parts)} part{'s' * (len(self.parts) != 1)}>"

    def __iter__(self) -> Iterator[tuple]:
        """X, y and sample_weight of each part."""
        return self.read(self.parts)

    @property
    def is_cut(self) -> bool:
        """Whether the parts are known, and can be read in any order."""
        return all(part.name is not None for part in self.parts)

    def read(self, parts: Sequence[Part], *, with_labels: bool = True) -> Iterator:
        """X, y and sample_weight of some of the parts.

        Parameters
        ----------
        parts : sequence of Part
            Some of `parts`, in any order.
        with_labels : bool, default=True
            Whether y and sample_weight are read.

        Yields
        ------
        rows : tuple
            X, y and sample_weight of one part.
        """
        for part in parts:
            yield from part.read(with_labels)

    def name_of(self, number: int) -> str:
        """What error messages call the rows that a pass reads as number `number`.

        Parameters
        ----------
        number : int
            Counted from 0.

        Returns
        -------
        name : str
            Such as a file and a row group.
        """
        if self.is_cut and number < len(self.parts):
            return self.parts[number].name
        return f"record batch {number}"


def paths_of(path):
    """One path or several as a list of strings."""
    several = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not several:
        raise ValueError("path must name at least one file, got an empty list.")
    return [os.fspath(one) for one in several]


def refuse_unread(name, source):
    """Refuse a file or a query where rows are needed, and name the function for it."""
    kind = type(source)
    library = kind.__module__.split(".")[0]
    if isinstance(source, str | os.PathLike):
        reader = "from_parquet"
    elif (library, kind.__name__) == ("polars", "LazyFrame") or "duckdb" in library:
        reader = "from_arrow"
    elif library == "pyarrow" and hasattr(source, "get_fragments"):
        reader = "from_parquet"
    else:
        return
    raise TypeError(
        f"{name} is a {kind.__name__}, which has to be read first: pass"
        f" sksoftmax.data.{reader}({name}, target=..., columns=...) in its place."
    )


def refuse_changed(name, before, now):
    """Refuse a file whose size or date has changed since the table was made."""
    if before != now:
        raise ValueError(
            f"{name} has changed since the table was made: its size or date is"
            " another. Each pass must read the same rows."
        )
