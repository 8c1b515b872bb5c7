"""What is observed while a solver runs: the curves, and what verbose prints."""

from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from sksoftmax._solvers import Stop


@dataclass(eq=False)
class History:
    """The solver's callback: it records, and returns the number to watch.

    That is F or, with `watches_validation`, the value of the objective `validation`,
    which otherwise is only recorded. `verbose` prints a line per iteration, with the
    passes over `chunks`: on large data they are the cost. A `monitor` gets layers(w);
    if it asks to stop, that raises `Stop`.
    """

    validation: object
    verbose: int
    _: KW_ONLY
    chunks: object = None
    monitor: object = None
    layers: object = None
    watches_validation: bool = False
    w: np.ndarray | None = None  # the last iterate
    loss_curve: list = field(default_factory=list)
    validation_loss_curve: list = field(default_factory=list)
    validation_score_curve: list = field(default_factory=list)

    def __call__(self, n_iter, w, value):
        self.w = w
        self.loss_curve.append(value)
        line = f"iteration {n_iter:4d}   loss {value:.8f}"
        watched = value
        if self.validation is not None:
            loss, accuracy = self.validation.value_and_accuracy(w)
            self.validation_loss_curve.append(loss)
            self.validation_score_curve.append(accuracy)
            line += f"   validation loss {loss:.8f}   accuracy {accuracy:.4f}"
            if self.watches_validation:
                watched = loss
        if self.verbose:
            if self.chunks is not None:
                line += f"   passes {self.chunks.n_passes:.1f}"
            print(line)
        if self.monitor is not None and self.monitor(lambda: self.layers(w)):
            raise Stop(watched)
        return watched
