"""Mini-batch training: epochs of optimizer steps until nothing improves."""

from dataclasses import dataclass

import numpy as np

from sksoftmax._solvers.result import Result, Stop
from sksoftmax._solvers.schedules import CUT, LOWEST_RATE, PLANNED, SCHEDULES


@dataclass(frozen=True)
class Training:
    """How mini-batches are made and stepped on."""

    optimizer: object  # init/update pair, see sksoftmax.optimizers
    batch_size: int
    shuffle: bool
    dropout: float  # fraction of hidden units that a step leaves out
    schedule: str = "constant"  # of the learning rate, an entry of SCHEDULES


@dataclass(frozen=True)
class Patience:
    """When to stop: the best of the last epochs is hardly better than the best before.

    A training that ends above the null value has learned nothing.
    """

    n_epochs: int  # number of epochs that count as the last
    tolerance: float  # largest improvement that is hardly one, nats
    restore_best: bool  # whether to return the best epoch rather than the last
    null_value: float = np.inf  # F of the model without features, nats

    def improvement(self, watched, since=0):
        """Improvement of the last epochs on those before, in nats.

        It is infinite while there are too few epochs, counted from epoch `since`.
        """
        if len(watched) - since <= self.n_epochs:
            return np.inf
        return max(min(watched[: -self.n_epochs]) - min(watched[-self.n_epochs :]), 0.0)

    def has_learned(self, watched):
        """Whether the last epoch is about as good as the null model, or better."""
        return bool(watched) and watched[-1] <= 1.1 * self.null_value

    def has_leapt(self, watched, first_loss):
        """Whether steps were too long, so that a plateau may be one far up.

        They were where the training loss is watched and ends above the first epoch's by
        a tenth of the null value. They were as well where nothing was learned and the
        loss of the first epoch, without the penalty, was far above the null value.
        """
        if not watched:
            return False
        unit = self.null_value if np.isfinite(self.null_value) else watched[0]
        rose = not self.restore_best and watched[-1] > watched[0] + 0.1 * unit
        far = first_loss > 10.0 * self.null_value
        return rose or (far and not self.has_learned(watched))


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


def minibatch(objective, w, *, training, patience, max_iter, state, callback):
    """Lower F(w) by steps of an optimizer, each with the gradient of some rows.

    1. An epoch takes all mini-batches in a random order; the optimizer makes a step for
       each, at the learning rate times the factor of the schedule.
    2. Stop where the watched number has improved by no more than the tolerance over the
       last epochs. The schedule "adaptive" divides the rate by five first, until it is
       tiny; planned schedules go on to their end.
    3. Where training diverged, return to what was best before.

    Parameters
    ----------
    objective : BatchObjective
        Has `batches(w, batch_size, dropout)`, which returns an object with `grad` and
        `epoch(rng, shuffle)`, and `penalty`.
    w : ndarray of shape (n_params,)
        Initial point.
    training : Training
    patience : Patience
    max_iter : int
        Epochs, at most.
    state : dict
        From `start_state`, or to continue an earlier call from its Result.
    callback : callable
        callback(n_iter, w, value) -> the number to watch, nats. value is the mean over
        the epoch's batches, each before its step, plus the penalty at the end.

    Returns
    -------
    Result
        w of the last epoch, or of the best where patience restores that. After a
        divergence see `_recovered`.
    """
    start, before, w, state = w, state, w.copy(), _own(state, w.dtype)
    batches = objective.batches(
        w, batch_size=training.batch_size, dropout=training.dropout
    )
    planned = training.schedule in PLANNED
    watched, best = [], (np.inf, start, np.nan)
    rate, since, halted_by, first_loss = 1.0, 0, None, np.nan
    for n_iter in range(1, max_iter + 1):
        progress = n_iter - 1, max_iter, rate
        mean_loss, before_steps = _epoch(batches, w, training, state, progress)
        if n_iter == 1:
            first_loss = mean_loss
            origin = start, before_steps + objective.penalty.value(start), before
        now = w.copy()
        with np.errstate(over="ignore", invalid="ignore"):  # of huge weights
            value = mean_loss + objective.penalty.value(now)
        # A second moment that is infinite would stop Adam for ever where it is.
        diverged = not _all_finite(value, now, *state["optimizer"])
        if diverged:
            improvement = np.inf
            break
        try:
            watched.append(callback(n_iter, now, value))
        except Stop as stop:
            watched.append(stop.watched)
            halted_by = Stop
        if watched[-1] < best[0]:
            best = (watched[-1], now, value)
        improvement = patience.improvement(watched, since)
        if halted_by:
            break
        if improvement > patience.tolerance or (planned and not patience.restore_best):
            continue
        lowered = rate * training.optimizer.learning_rate
        if training.schedule != "adaptive" or lowered <= LOWEST_RATE:
            break
        rate, since = rate / CUT, len(watched)
    diverged = diverged or patience.has_leapt(watched, first_loss)
    learned = patience.has_learned(watched)
    # Rates that fall to zero make a plateau of anything.
    if diverged or (planned and not learned):
        improvement = np.inf
    if diverged:
        now, value, state = _recovered(best, origin, training, state)
    elif patience.restore_best:
        _, now, value = best
    return Result(
        now,
        value,
        improvement,
        patience.tolerance,
        len(watched),
        diverged=diverged,
        halted_by=halted_by,
        completed=planned and learned and len(watched) == max_iter,
        state=state,
    )


def _recovered(best, origin, training, state):
    """Where to continue after a divergence: w, its value, and a state.

    The best epoch with a new state, because the old one would lead to the same
    divergence; or the origin, if all epochs are far above it.
    """
    watched, w, value = best
    if not watched <= 10.0 * origin[1]:
        start, loss, before = origin
        return start, loss, dict(before)
    return w, value, {**state, "step": 0, "optimizer": training.optimizer.init(w)}


def _all_finite(*parts):
    return all(np.isfinite(part).all() for part in parts)


def _own(state, dtype):
    """A copy of a state, with arrays of its own, in the precision of w."""
    optimizer = tuple(
        part if isinstance(part, int) else part.astype(dtype)
        for part in state["optimizer"]
    )
    return {**state, "optimizer": optimizer}


def _epoch(batches, w, training, state, progress):
    """Mean loss of an epoch's batches, and loss of the first; changes w and state.

    progress is the number of epochs done, the number of all epochs, and a factor on the
    learning rate.
    """
    # The order and the masks of an epoch depend on the seed and its number alone: a
    # training that is continued makes the same ones as one that was not interrupted.
    rng = np.random.default_rng([state["seed"], state["epoch"]])
    n_done, max_iter, rate = progress
    schedule, take_step = SCHEDULES[training.schedule], training.optimizer.step
    optimizer, step = state["optimizer"], state["step"]
    total, seen, n_rows, first = 0.0, 0, batches.n_rows, np.nan
    # Divergence is seen in the value.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for value, size in batches.epoch(rng, shuffle=training.shuffle):
            step += 1
            factor = schedule(step, (n_done + seen / n_rows) / max_iter)
            optimizer = take_step(batches.grad, optimizer, w, rate * factor)
            first = value if not seen else first
            total += value * size
            seen += size
    state.update(epoch=state["epoch"] + 1, step=step, optimizer=optimizer)
    return total / n_rows, first
