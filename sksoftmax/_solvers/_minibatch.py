"""Mini-batch training: epochs of optimizer steps until nothing improves."""

from dataclasses import dataclass, replace

import numpy as np

from sksoftmax._solvers._result import Result


@dataclass(frozen=True)
class Training:
    """How mini-batches are made and stepped on."""

    optimizer: object  # init/update pair, see sksoftmax.optimizers
    batch_size: int
    shuffle: bool
    dropout: float  # share of hidden units that a step leaves out
    power: float  # the learning rate falls as step ** -power; 0 keeps it


@dataclass(frozen=True)
class Patience:
    """When to stop: the best of the last epochs is hardly better than the best before.

    n_epochs is how many count as the last, target (nats) how much is "hardly";
    restore_best says whether to return to the best epoch at the end.
    """

    n_epochs: int
    target: float
    restore_best: bool

    def improvement(self, watched):
        """By how much the last epochs improved on those before; inf while too few."""
        if len(watched) <= self.n_epochs:
            return np.inf
        return max(min(watched[: -self.n_epochs]) - min(watched[-self.n_epochs :]), 0.0)


def start_state(training, w, seed):
    """State before the first epoch: all that continuing an optimisation needs."""
    return {
        "seed": seed,
        "epoch": 0,
        "step": 0,
        "optimizer": training.optimizer.init(w),
    }


def fits(state, training, w):
    """Whether a state can go on from w: the same optimizer on as many parameters."""
    fresh, held = training.optimizer.init(w), state["optimizer"]
    return len(fresh) == len(held) and all(
        np.shape(a) == np.shape(b) and np.result_type(a) == np.result_type(b)
        for a, b in zip(fresh, held, strict=True)
    )


def minibatch(objective, w, *, training, patience, max_iter, state, callback):
    """Minimise by mini-batch steps.

    Parameters
    ----------
    objective : Objective
        Needs minibatches and batch_value_and_grad.
    w : ndarray of shape (n_params,)
        Start.
    training : Training
    patience : Patience
    max_iter : int
        Epochs, at most.
    state : dict
        From `start_state`, or from the Result of an earlier call to continue it.
    callback : callable
        callback(n_iter, w, value) -> the number to watch, nats.

    Returns
    -------
    Result
        w of the last epoch, or of the best if patience says so or if training diverged.
    """
    watched, best = [], (np.inf, w, np.nan)
    for n_iter in range(1, max_iter + 1):
        w, value, state = _epoch(objective, w, training, state)
        diverged = not (np.isfinite(value) and np.isfinite(w).all())
        if not diverged:
            watched.append(callback(n_iter, w, value))
            if watched[-1] < best[0]:
                best = (watched[-1], w, value)
        improvement = patience.improvement(watched)
        if diverged or improvement <= patience.target:
            break
    # To end higher than the first epoch did is no plateau either.
    diverged = diverged or (not patience.restore_best and watched[-1] > watched[0])
    if patience.restore_best or diverged:
        _, w, value = best
    return Result(
        w,
        value,
        improvement,
        patience.target,
        len(watched),
        diverged=diverged,
        state=state,
    )


def _epoch(objective, w, training, state):
    """One epoch from w: the new w, the mean of its batches' values, the new state."""
    # The order and the masks of an epoch depend on the seed and its number alone: a
    # training that is continued makes the same ones as one that was not interrupted.
    rng = np.random.default_rng([state["seed"], state["epoch"]])
    drop = _dropout(training.dropout, rng, w.dtype) if training.dropout else None
    optimizer, step = state["optimizer"], state["step"]
    values, sizes = [], []
    batches = objective.minibatches(
        training.batch_size, rng if training.shuffle else None
    )
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # divergence is seen in the value
        for batch in batches:
            step += 1
            value, grad = objective.batch_value_and_grad(w, batch, drop)
            w, optimizer = _at_rate(training, step).update(grad, optimizer, w)
            values.append(value)
            sizes.append(batch.s.size)
    state = {**state, "epoch": state["epoch"] + 1, "step": step, "optimizer": optimizer}
    return w, float(np.average(values, weights=sizes)), state


def _at_rate(training, step):
    optimizer = training.optimizer
    if not training.power:
        return optimizer
    rate = optimizer.learning_rate * step**-training.power
    return replace(optimizer, learning_rate=rate)


def _dropout(rate, rng, dtype):
    """Factors of inverted dropout (Srivastava et al. 2014), of mean one."""
    kept = dtype.type(1.0 / (1.0 - rate))
    return lambda shape: (rng.random(shape) >= rate) * kept
