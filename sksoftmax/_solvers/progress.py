"""How far a training on mini-batches has come: all that going on from there needs."""

from dataclasses import dataclass, fields, replace

import numpy as np


def start_state(training, w, seed):
    """The state before the first epoch: all that is needed to continue from there."""
    return {
        "seed": seed,
        "epoch": 0,
        "step": 0,
        "optimizer": training.optimizer.init(w),
    }


def fits(state, training, w):
    """Whether a training can continue from a state: same optimizer, same shape of w.

    The precision of w may be another one than before.
    """
    fresh, held = training.optimizer.init(w), state["optimizer"]
    return list(map(np.shape, fresh)) == list(map(np.shape, held))


def own(state, dtype):
    """A copy of a state, with arrays of its own, in the precision of w."""
    optimizer = tuple(
        part if isinstance(part, int) else part.astype(dtype)
        for part in state["optimizer"]
    )
    return {**state, "optimizer": optimizer}


@dataclass(frozen=True)
class Progress:
    """A training after a whole epoch, or before the first. Nothing in it changes."""

    state: dict  # see `start_state`
    w: np.ndarray  # after the last epoch
    best: np.ndarray  # w after the first epoch with the lowest watched number
    origin: np.ndarray  # w before the first epoch
    origin_state: dict  # the state before the first epoch
    best_watched: float = np.inf  # that number, nats
    best_value: float = np.nan  # F of that epoch, nats
    origin_loss: float = np.nan  # F at the origin, from the first batch, nats
    first_loss: float = np.nan  # of the first epoch, without the penalty, nats
    rate: float = 1.0  # factor on the learning rate, of "adaptive"
    since: int = 0  # number of the epoch after which the rate is this one
    watched: tuple = ()  # what the callback returned after each epoch, nats
    values: tuple = ()  # F of each epoch, nats
    is_over: bool = False  # nothing improves any more

    @classmethod
    def begin(cls, w, state):
        """The progress of a training that begins at w, from such a state."""
        return cls(state, w, w, w, state)

    def after(self, w, value, watched, state):
        """The progress after one epoch more."""
        longer = replace(
            self,
            state=state,
            w=w,
            watched=(*self.watched, watched),
            values=(*self.values, value),
        )
        if not watched < self.best_watched:
            return longer
        return replace(longer, best=w, best_watched=watched, best_value=value)

    def as_state(self):
        """The state, with the rest of the progress as its entry "training"."""
        rest = {name: value for name, value in vars(self).items() if name != "state"}
        return {**self.state, "training": rest}

    @classmethod
    def of_state(cls, state, dtype):
        """The progress that `as_state` has made a state of, in this precision of w."""
        names = [field.name for field in fields(cls) if field.name != "state"]
        rest = {name: state["training"][name] for name in names}
        for name in ("w", "best", "origin"):
            rest[name] = rest[name].astype(dtype, copy=False)
        plain = {name: value for name, value in state.items() if name != "training"}
        return cls(plain, **rest)
