"""What is observed while a solver runs: the curves, and what verbose prints."""

from dataclasses import KW_ONLY, dataclass, field
from time import perf_counter
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
    passes over `chunks`: on large data they are the cost. Epochs have a number of all,
    `max_epochs`, and with it an estimate of the time that is left. A `monitor` gets
    layers(w); if it asks to stop, that raises `Stop`. A training that goes on has the
    `records` of its `n_before` earlier epochs.
    """

    validation: object
    verbose: int
    _: KW_ONLY
    chunks: object = None
    monitor: object = None
    layers: object = None
    watches_validation: bool = False
    unit: str = "iteration"  # or "epoch"
    max_epochs: int | None = None  # where that is known
    records: list = field(default_factory=list)
    n_before: int = 0
    started: float = field(default_factory=perf_counter)
    w: np.ndarray | None = None  # the last iterate

    def __call__(self, n_iter, w, value):
        record = Record(value)
        if self.validation is not None:
            record = Record(value, *self.validation.value_and_accuracy(w))
        self._keep(w, record)
        if self.verbose:
            print(self._line(n_iter, record))
        watched = record.validation_loss if self._watches_other_rows else value
        if self.monitor is not None and self.monitor(lambda: self.layers(w)):
            raise Stop(watched)
        return watched

    def _line(self, n_iter, record):
        columns = [f"{self.unit} {n_iter:4d}", f"loss {record.loss:.8f}"]
        if self.max_epochs is not None:
            width = len(str(self.max_epochs))
            columns[0] = f"{self.unit} {n_iter:{width}d}/{self.max_epochs}"
        if self.validation is not None:
            columns.append(f"validation loss {record.validation_loss:.8f}")
            columns.append(f"validation accuracy {record.accuracy:.4f}")
        if self.chunks is not None:
            columns.append(f"passes {self.chunks.n_passes:.1f}")
        if self.unit == "epoch":
            seconds = perf_counter() - self.started
            columns.append(f"seconds {seconds:.1f}")
            if self.max_epochs is not None:
                left = seconds / (n_iter - self.n_before) * (self.max_epochs - n_iter)
                columns.append(f"left {left:.1f}")
        return "   ".join(columns)

    def close(self, reason):
        """Print why there are no more iterations."""
        print(f"ended after {self.unit} {len(self.records)}: {reason}.")

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


@dataclass(eq=False)
class PathProgress:
    """Tells of each path of a cross-validation that has ended.

    `verbose` prints a line. A `monitor` is told of a task with this name.
    """

    n_paths: int
    verbose: int
    monitor: object = None
    n_ended: int = 0

    def __call__(self, settings, fold):
        """Tell that the path of these settings on the rows of a fold has ended."""
        self.n_ended += 1
        if self.verbose:
            rows = "all rows" if fold is None else f"without fold {fold}"
            print(
                f"path {self.n_ended:4d} of {self.n_paths}   l1_ratio"
                f" {settings.l1_ratio:g}   {rows}"
            )
        if self.monitor is not None:
            self.monitor.tell("path")
