"""When a training is written to its `Checkpoint`, and which training a file is of."""

import numpy as np

from sksoftmax._fit.settings import hidden_sizes
from sksoftmax._utils.threads import Threads

# What may be another when a training goes on.
_FREE = {"max_iter", "verbose", "warm_start"}


class Saver:
    """Writes a training to the checkpoint of its start; it does nothing without one.

    A state that was read from the checkpoint of another training is refused.
    """

    def __init__(self, start, settings, dataset):
        self._checkpoint, self._written = start.checkpoint, None
        if self._checkpoint is None:
            return
        self._identity = {
            "parameters": _parameters(settings),
            "classes": repr(dataset.targets.classes.tolist()),
            "rows and features": (dataset.n_rows, dataset.n_features),
            "sums": _sums(dataset),
        }
        if start.state and start.layers is None:  # it has been read
            self._check(start.state)
            self._written = len(start.state["training"]["watched"])

    def _check(self, state):
        held, own = state["identity"], self._identity
        path = str(self._checkpoint.path)
        advice = "Delete the file to train anew, or choose another path."
        for name, value in own["parameters"].items():
            before = held["parameters"].get(name)
            if before != value:
                raise ValueError(
                    f"The checkpoint {path!r} is of another training, with"
                    f" {name}={before}; here it is {value}. {advice}"
                )
        for name in ("classes", "rows and features"):
            if held[name] != own[name]:
                raise ValueError(
                    f"The checkpoint {path!r} is of a training on other data: its"
                    f" {name} are {held[name]}, and here {own[name]}. {advice}"
                )
        for before, now in zip(held["sums"], own["sums"], strict=True):
            # Where the same rows come in other chunks, sums differ by rounding.
            if not np.allclose(before, now, rtol=0.0, atol=1e-9 * np.abs(now).max()):
                raise ValueError(
                    f"The checkpoint {path!r} is of a training on other data. {advice}"
                )

    def after_epoch(self, progress, to_keep):
        """Write a `Progress`, if it is time; `to_keep` completes its state."""
        n_done = len(progress.watched)
        if self._checkpoint is not None and n_done % self._checkpoint.every == 0:
            self._write(n_done, to_keep(progress.as_state()))

    def at_end(self, result, state):
        """Write the state of a training that has ended or was halted, unless done."""
        if self._checkpoint is None or result.n_iter == self._written:
            return
        if "training" in state:  # none goes on after a divergence
            self._write(result.n_iter, state)

    def _write(self, n_done, state):
        self._checkpoint._write({**state, "identity": self._identity})
        self._written = n_done


def _parameters(settings):
    """What the parameters are that have to be the same, as text."""
    parameters = settings.get_params(deep=False)
    parameters["hidden_layer_sizes"] = hidden_sizes(settings)
    if not isinstance(settings.random_state, int):  # the file has the seed
        del parameters["random_state"]
    return {name: repr(parameters[name]) for name in parameters.keys() - _FREE}


def _sums(dataset):
    """By class, the sums of the weights and of a random combination of the features.

    They differ where rows, labels or weights do; two arrays of shape (n_classes,).
    """
    direction = np.random.default_rng(0).standard_normal(dataset.n_features)
    return dataset.chunks(Threads()).sum(_chunk_sums, direction)


def _chunk_sums(chunk, direction):
    return chunk.sY.sum(axis=0), chunk.sY.T @ np.asarray(chunk.X @ direction)
