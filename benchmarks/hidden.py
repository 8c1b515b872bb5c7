"""Hidden layers: seconds per epoch and to a validation loss, against other packages.

    python benchmarks/hidden.py [--threads 1,all] [--nets 20-32-3,16-100-26]

Every package trains the same networks on the same rows with the same batches and
optimizer. Runs are interleaved; figures are medians. Writes hidden.md and hidden.png.
"""

import argparse
import pickle
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from _frameworks import (
    NETS,
    CompiledTorch,
    Ours,
    ScikitLearn,
    Skorch,
    Torch,
    installed,
    limit_torch,
)
from _hidden_report import write_report
from _measure import n_cores, pinned

# Seconds per epoch are (median of the longer - of the shorter trainings) / difference:
# what a training costs once, as validation, cancels. The longer is long enough that the
# noise of the shorter does not tell.
SHORT, LONG, ROUNDS = 1, 9, 5

# Epochs within which MLPClassifier sets the validation loss that all have to reach.
EPOCHS_TO_TARGET = 20


def main():
    """Time, report."""
    arguments = _parse()
    started = time.perf_counter()
    nets = [net for net in NETS if arguments.nets is None or net.name in arguments.nets]
    contestants, missing = installed(
        [Ours, ScikitLearn, Torch, CompiledTorch, Skorch], nets[0]
    )
    epochs, targets = {}, {}
    for n_threads in arguments.threads:
        limit_torch(n_threads)
        with pinned(n_threads):
            for net in nets:
                for dtype in (np.float32, np.float64):
                    key = net, np.dtype(dtype).name, n_threads
                    rivals = contestants if dtype == np.float32 else contestants[:3]
                    epochs[key] = seconds_per_epoch(rivals, net, dtype)
                    print(key[0].name, *key[1:], _line(epochs[key]), flush=True)
                targets[net, n_threads] = seconds_to_target(contestants[:3], net)
    sizes = {net: pickled_bytes(net) for net in nets}
    write_report(Path(arguments.out), epochs, targets, sizes, missing)
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes; see {arguments.out}")


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=lambda text: text.split(","))
    parser.add_argument("--threads", default="1,all", help="as in 1,all")
    parser.add_argument("--out", default="docs/benchmarks")
    arguments = parser.parse_args()
    counts = [n_cores() if t == "all" else int(t) for t in arguments.threads.split(",")]
    arguments.threads = sorted(set(counts))
    return arguments


def seconds_per_epoch(contestants, net, dtype):
    """Median seconds of an epoch by name of the package."""
    X, y = net.data(dtype)
    models = [contestant(net, dtype) for contestant in contestants]
    for model in models:
        model.train(X, y, 1)
    runs = defaultdict(list)
    for _ in range(ROUNDS):
        for model in models:
            for n_epochs in (SHORT, LONG):
                seconds = _seconds(model.train, X, y, n_epochs)
                runs[model.name, n_epochs].append(seconds)
    medians = {key: statistics.median(seconds) for key, seconds in runs.items()}
    return {
        model.name: (medians[model.name, LONG] - medians[model.name, SHORT])
        / (LONG - SHORT)
        for model in models
    }


def seconds_to_target(contestants, net):
    """Seconds of training by name until the validation loss is MLPClassifier's.

    Its lowest within a number of epochs, and one percent above. None where a package
    needs three times as many epochs.
    """
    X, y = net.data(np.float32, net.n_rows + 2000)
    training, validation = (X[2000:], y[2000:]), (X[:2000], y[:2000])
    curves = {}
    for contestant in contestants:
        model, curve, seconds = contestant(net, np.float32), [], 0.0
        for _ in range(3 * EPOCHS_TO_TARGET):
            seconds += _seconds(model.epoch, *training)
            curve.append((seconds, model.log_loss(*validation)))
        curves[contestant.name] = curve
    losses = [loss for _, loss in curves["MLPClassifier"][:EPOCHS_TO_TARGET]]
    target = 1.01 * min(losses)
    return target, {
        name: next((seconds for seconds, loss in curve if loss <= target), None)
        for name, curve in curves.items()
    }


def pickled_bytes(net):
    """Bytes of a pickled fit in float32, and those of its parameters."""
    X, y = net.data(np.float32, 1000)
    model = Ours(net, np.float32).train(X, y, 1)
    return len(pickle.dumps(model)), 4 * net.n_params


def _seconds(fn, *args):
    started = time.perf_counter()
    fn(*args)
    return time.perf_counter() - started


def _line(seconds):
    ours = seconds["sksoftmax"]
    others = (
        f"{name} {s / ours:.2f}x" for name, s in seconds.items() if name != "sksoftmax"
    )
    return f"{1e3 * ours:.1f} ms, {', '.join(others)}"


if __name__ == "__main__":
    main()
