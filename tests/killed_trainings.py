"""Trainings in child processes that SIGKILL ends, and that are resumed after it.

    python killed_trainings.py FOLDER writes STEP     in every STEP-th file operation
    python killed_trainings.py FOLDER moments NUMBER  at so many random moments

Exits with 1 if a resumed training does not end with the bits of the whole one. The last
line that is printed begins with the number of kills.
"""

import io
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

from sksoftmax import SoftmaxRegressionClassifier, callbacks

X, y = load_iris(return_X_y=True)


def fit(path, n_epochs):
    """The bits of a training, which goes on from the file if it is there."""
    model = SoftmaxRegressionClassifier(
        (4,), max_iter=n_epochs, early_stopping=True, dropout=0.1, random_state=0
    )
    model.set_callbacks(callbacks.Checkpoint(path)).fit(X, y)
    curves = [np.array(model.loss_curve_), np.array(model.validation_loss_curve_)]
    parts = model.coefs_ + model.intercepts_ + curves
    return b"".join(part.tobytes() for part in parts)


class Operations:
    """Counts what is done to files; in the middle of the last one comes SIGKILL."""

    def __init__(self, last=None):
        self.last, self.count = last, 0

    def __call__(self, operation, *args):
        self.count += 1
        if self.count == self.last:
            if operation.__name__ == "write":  # half of it is written
                operation(memoryview(args[0]).cast("B")[: len(args[0]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return operation(*args)


def watched(operations):
    """Let these operations do what a checkpoint does to its file."""

    class File(io.FileIO):
        def write(self, data):
            return operations(super().write, data)

        def flush(self):
            return operations(super().flush)

    fsync, replace = os.fsync, os.replace
    callbacks.open = File
    os.fsync = lambda number: operations(fsync, number)
    os.replace = lambda *paths: operations(replace, *paths)


def in_child(action):
    """The process of a child that does it, and ends with 1 if it returns False."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 1 if action() is False else 0
        finally:
            os._exit(code)
    return child


def killed_at_writes(folder, step):
    """The places of kills, and files as they were left there."""
    counted = Operations()

    def count():
        watched(counted)
        fit(folder / "counted.npz", 3)
        (folder / "count").write_text(str(counted.count))

    os.waitpid(in_child(count), 0)
    n_operations = int((folder / "count").read_text())
    for last in range(1, n_operations + 1, step):
        path = folder / f"{last}.npz"

        def die(last=last, path=path):
            watched(Operations(last))
            fit(path, 3)

        _, status = os.waitpid(in_child(die), 0)
        yield f"operation {last}", path, status


def killed_at_moments(folder, number):
    """The same at random moments."""
    path = folder / "timed.npz"
    start = time.perf_counter()
    os.waitpid(in_child(lambda: fit(path, 30) and None), 0)
    seconds = time.perf_counter() - start
    rng = np.random.default_rng()
    for kill in range(number):
        path, status = folder / f"{kill}.npz", 0
        while not status:  # unless it was faster
            path.unlink(missing_ok=True)
            moment = rng.uniform(0.0, seconds)
            child = in_child(lambda path=path: fit(path, 30) and None)
            time.sleep(moment)
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        yield f"{1000 * moment:.1f} of {1000 * seconds:.1f} ms", path, status


def main(folder, way, number):
    """Kill, resume and compare."""
    warnings.simplefilter("ignore")
    folder, n_found = Path(folder), 0
    killed, n_epochs = {
        "writes": (killed_at_writes, 3),
        "moments": (killed_at_moments, 30),
    }[way]
    whole = fit(folder / "whole.npz", n_epochs)
    n_kills = 0
    for place, path, status in killed(folder, int(number)):
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            sys.exit(f"no kill at {place}: {status}")
        n_kills += 1
        n_found += path.exists()
        child = in_child(lambda path=path: fit(path, n_epochs) == whole)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"other bits after a kill at {place}")
    print(f"{n_kills} kills, {n_found} of which left a checkpoint")


if __name__ == "__main__":
    main(*sys.argv[1:])
