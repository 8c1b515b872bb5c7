"""Rows that are held out of a table in a file, by the weights of the others."""

from dataclasses import replace

import numpy as np

from sksoftmax._data.chunks import stacked_parts
from sksoftmax._data.in_memory import InMemoryDataset
from sksoftmax._data.targets import Targets, hold_out


def hold_out_of_file(dataset, fraction, rng):
    """Two datasets: the table without some rows, and these rows in memory.

    They are the rows that would be held out of the same table in memory. In the first
    one they have the weight zero, so that passes leave them out.
    """
    plain, weighted = (_targets(dataset, encoder) for encoder in _encoders(dataset))
    held = np.zeros(plain.s.size, dtype=bool)
    with_weight = weighted.s > 0
    held[with_weight] = hold_out(weighted.take(with_weight), fraction, rng)
    s = np.where(held, 0.0, plain.s)
    summary = replace(
        dataset.summary, counts=(s > 0).astype(float) @ plain.Y, mass=s @ plain.Y
    )
    source = dataset.source.weighed
    training = replace(dataset, source=source(s), summary=summary)
    chosen = replace(dataset, source=source(np.where(held, plain.s, 0.0)))
    X, Y, s = stacked_parts([batch.rows() for batch in chosen.batches()])
    targets = Targets(dataset.encoder.kept_classes, Y, s)
    return training, InMemoryDataset(X, targets, dataset.factors)


def _encoders(dataset):
    """The encoder without the factors of classes, and with them."""
    return dataset.encoder._replace(factors=None), dataset.encoder


def _targets(dataset, encoder):
    """The targets of all rows; X is not read."""
    parts = [batch.targets(encoder) for batch in dataset.batches()]
    return Targets(
        encoder.classes,
        np.concatenate([part.Y for part in parts]),
        np.concatenate([part.s for part in parts]),
    )
