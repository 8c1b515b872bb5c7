"""Mini-batch training: epochs of optimizer steps until nothing improves."""

from dataclasses import dataclass, replace

import numpy as np

from sksoftmax._solvers.progress import own
from sksoftmax._solvers.result import Result, Stop
from sksoftmax._solvers.schedules import CUT, LOWEST_RATE, PLANNED, SCHEDULES


@dataclass(frozen=True)
class Training:
    """How mini-batches are made and stepped on."""

    optimizer: object  # init/update pair, see sksoftmax.optimizers
    batch_size: int
    shuffle: bool
    dropout: float  # fraction of hidden units that a step leaves out
    max_iter: int  # epochs of the whole training, at most
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


def minibatch(objective, progress, *, training, patience, callback, save=None):
    """Lower F(w) by steps of an optimizer, each with the gradient of some rows.

    1. An epoch takes all mini-batches in a random order; the optimizer makes a step for
       each, at the learning rate times the factor of the schedule.
    2. Stop where the watched number has improved by no more than the tolerance over the
       last epochs. The schedule "adaptive" divides the rate by five first, until it is
       tiny; planned schedules go on to their end.
    3. Where training diverged, return to what was best before.

    A KeyboardInterrupt ends it after its last whole epoch, if it has one.

    Parameters
    ----------
    objective : BatchObjective
        Has `batches(w, batch_size, dropout)`, which returns an object with `grad` and
        `epoch(rng, shuffle)`, and `penalty`.
    progress : Progress
        From `Progress.begin`, or that of a training that goes on: its epochs count.
    training : Training
    patience : Patience
    callback : callable
        callback(n_iter, w, value) -> the number to watch, nats. value is the mean over
        the epoch's batches, each before its step, plus the penalty at the end.
    save : callable, optional
        save(progress), after each epoch.

    Returns
    -------
    Result
        w of the last epoch, or of the best where patience restores that. After a
        divergence see `_recovered`; otherwise its state has the progress, too.
    """
    w, state = progress.w.copy(), own(progress.state, progress.w.dtype)
    batches = objective.batches(
        w, batch_size=training.batch_size, dropout=training.dropout
    )
    now, diverged, halted_by = progress, False, None
    try:
        while not now.is_over and len(now.watched) < training.max_iter:
            mean_loss, first = _epoch(batches, w, training, state, now)
            if not now.watched:
                origin_loss = first + objective.penalty.value(now.origin)
                now = replace(now, first_loss=mean_loss, origin_loss=origin_loss)
            reached = w.copy()
            with np.errstate(over="ignore", invalid="ignore"):  # of huge weights
                value = mean_loss + objective.penalty.value(reached)
            # A second moment that is infinite would stop Adam for ever where it is.
            diverged = not _all_finite(value, reached, *state["optimizer"])
            if diverged:
                break
            try:
                watched = callback(len(now.watched) + 1, reached, value)
            except Stop as stop:
                watched, halted_by = stop.watched, Stop
            after = now.after(reached, value, watched, own(state, w.dtype))
            # In one step, so that an interrupt finds a whole epoch.
            now = _judged(after, training, patience)
            if save is not None:
                save(now)
            if halted_by:
                break
    except KeyboardInterrupt:
        if not now.watched:
            raise
        halted_by = KeyboardInterrupt
    is_whole = len(now.watched) >= training.max_iter
    if now.is_over or (is_whole and halted_by is KeyboardInterrupt):
        halted_by = None  # it came too late
    if halted_by is None or is_whole:
        diverged = diverged or patience.has_leapt(now.watched, now.first_loss)
    result = _result(now, training, patience, diverged=diverged)
    return replace(result, halted_by=halted_by)


def _judged(now, training, patience):
    """The progress after an epoch, with the rate of the next, or that it is over."""
    planned = training.schedule in PLANNED
    improvement = patience.improvement(now.watched, now.since)
    if improvement > patience.tolerance or (planned and not patience.restore_best):
        return now
    lowered = now.rate * training.optimizer.learning_rate
    if training.schedule != "adaptive" or lowered <= LOWEST_RATE:
        return replace(now, is_over=True)
    return replace(now, rate=now.rate / CUT, since=len(now.watched))


def _result(now, training, patience, *, diverged):
    """The `Result` of a training that ended after these epochs."""
    planned = training.schedule in PLANNED
    # Of the rate that the last epoch had: a cut is no reason to begin counting anew.
    since = now.since if now.since < len(now.watched) else 0
    improvement = patience.improvement(now.watched, since)
    learned = patience.has_learned(now.watched)
    # Rates that fall to zero make a plateau of anything.
    if diverged or (planned and not learned):
        improvement = np.inf
    if diverged:
        w, value, state = _recovered(now, training)
    elif patience.restore_best:
        w, value, state = now.best, now.best_value, now.as_state()
    else:
        w, value, state = now.w, now.values[-1], now.as_state()
    return Result(
        w,
        value,
        improvement,
        patience.tolerance,
        len(now.watched),
        diverged=diverged,
        completed=planned and learned and len(now.watched) >= training.max_iter,
        is_over=now.is_over,
        state=state,
    )


def _recovered(now, training):
    """Where to continue after a divergence: w, its value, and a state.

    The best epoch with a new state, because the old one would lead to the same
    divergence; or the origin, if all epochs are far above it.
    """
    if not now.best_watched <= 10.0 * now.origin_loss:
        return now.origin, now.origin_loss, dict(now.origin_state)
    state = {**now.state, "step": 0, "optimizer": training.optimizer.init(now.w)}
    return now.best, now.best_value, state


def _all_finite(*parts):
    return all(np.isfinite(part).all() for part in parts)


def _epoch(batches, w, training, state, now):
    """Mean loss of an epoch's batches, and loss of the first; changes w and state.

    now is the `Progress` before it.
    """
    # The order and the masks of an epoch depend on the seed and its number alone: a
    # training that is continued makes the same ones as one that was not interrupted.
    rng = np.random.default_rng([state["seed"], state["epoch"]])
    schedule, take_step = SCHEDULES[training.schedule], training.optimizer.step
    optimizer, step = state["optimizer"], state["step"]
    n_done, total, seen, n_rows, first = (
        len(now.watched),
        0.0,
        0,
        batches.n_rows,
        np.nan,
    )
    # Divergence is seen in the value.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for value, size in batches.epoch(rng, shuffle=training.shuffle):
            step += 1
            factor = schedule(step, (n_done + seen / n_rows) / training.max_iter)
            optimizer = take_step(batches.grad, optimizer, w, now.rate * factor)
            first = value if not seen else first
            total += value * size
            seen += size
    state.update(epoch=state["epoch"] + 1, step=step, optimizer=optimizer)
    return total / n_rows, first
