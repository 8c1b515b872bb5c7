"""What is observed while a solver runs: the curves, and what verbose prints."""

from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple

import numpy as np

from sksoftmax._solvers import Stop


class Record(NamedTuple):
    """What was observed after an iteration; NaN where there are no validation data."""

    loss: float  # F, nats
    validation_loss: float = np.nan  # mean cross-entropy, nats
    accuracy: float = np.nan  # on the validation data


@dataclass(eq=False)
class History:
    """The solver's callback: it records, and returns the number to watch.

    That is F or, with `watches_validation`, the value of the objective `validation`,
    which otherwise is only recorded. `verbose` prints a line per iteration, with the
    passes over `chunks`: on large data they are the cost. A `monitor` gets layers(w);
    if it asks to stop, that raises `Stop`. A training that goes on has the `records` of
    its `n_before` earlier epochs.
    """

    validation: object
    verbose: int
    _: KW_ONLY
    chunks: object = None
    monitor: object = None
    layers: object = None
    watches_validation: bool = False
    records: list = field(default_factory=list)
    n_before: int = 0
    w: np.ndarray | None = None  # the last iterate

    def __call__(self, n_iter, w, value):
        record = Record(value)
        if self.validation is not None:
            record = Record(value, *self.validation.value_and_accuracy(w))
        self._keep(w, record)
        line = f"iteration {n_iter:4d}   loss {value:.8f}"
        if self.validation is not None:
            line += f"   validation loss {record.validation_loss:.8f}"
            line += f"   accuracy {record.accuracy:.4f}"
        if self.verbose:
            if self.chunks is not None:
                line += f"   passes {self.chunks.n_passes:.1f}"
            print(line)
        watched = record.validation_loss if self._watches_other_rows else value
        if self.monitor is not None and self.monitor(lambda: self.layers(w)):
            raise Stop(watched)
        return watched

    @property
    def _watches_other_rows(self):
        return self.watches_validation and self.validation is not None

    def _keep(self, w, record):
        """Take over an iteration, as a whole for whoever interrupts it."""
        vars(self).update(w=w, records=[*self.records, record])

    def cut(self, n_iter):
        """Forget what came after that iteration, which was the last whole one."""
        self.records = self.records[:n_iter]

    @property
    def loss_curve(self):
        """F after each iteration."""
        return [record.loss for record in self.records]

    @property
    def validation_loss_curve(self):
        """Mean cross-entropy on the validation data after each, or an empty list."""
        return self._curve("validation_loss")

    @property
    def validation_score_curve(self):
        """Accuracy on the validation data after each, or an empty list."""
        return self._curve("accuracy")

    def _curve(self, name):
        values = [getattr(record, name) for record in self.records]
        return [] if np.isnan(values).all() else values
