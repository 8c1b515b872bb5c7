"""A pass in array API operations, by PyTorch on the CPU, against a pass over blocks.

    python benchmarks/array_api.py

Whether fits should run on arrays of other libraries as they are. Value and gradient of
softmax regression, two ways, interleaved, medians of seven, all threads.
"""

import time

import numpy as np
import torch
from _measure import environment, n_cores

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.in_memory import check_training
from sksoftmax._fit.prepare import with_weight
from sksoftmax._utils.threads import fit_threads

SIZES = [(300_000, 54, 7), (100_000, 784, 10), (20_000, 16, 26)]


def main():
    """Measure and print."""
    print("\n".join(environment()), f"torch {torch.__version__}", sep="\n")
    torch.set_num_threads(n_cores())
    for n_rows, n_features, n_classes in SIZES:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n_rows, n_features))
        y = rng.integers(0, n_classes, n_rows)
        w = 0.01 * rng.standard_normal((n_features + 1) * n_classes)
        with fit_threads() as threads:
            by_chunks, by_torch = _by_chunks(X, y, w, threads), _by_torch(X, y, w)
            assert np.isclose(by_chunks(), float(by_torch()))
            ours, theirs = _medians(by_chunks, by_torch)
        print(
            f"{n_rows} x {n_features} x {n_classes}: blocks {1e3 * ours:.1f} ms,"
            f" torch {1e3 * theirs:.1f} ms, ratio {theirs / ours:.1f}"
        )


def _by_chunks(X, y, w, threads):
    settings = SoftmaxRegressionClassifier(alpha=0.0)
    training = check_training(settings, X, y, None)
    problem = with_weight(settings, training).problem(settings)
    objective = problem.on(training.chunks(threads)).objective
    return lambda: objective.value_and_grad(w)[0]


def _by_torch(X, y, w):
    n_classes = y.max() + 1
    X, Y = torch.tensor(X), torch.eye(n_classes, dtype=torch.float64)[torch.tensor(y)]
    W = torch.tensor(w.reshape(-1, n_classes))

    def value_and_grad():
        log_P = torch.log_softmax(X @ W[:-1] + W[-1], 1)
        value = -(Y * log_P).sum() / len(Y)
        dZ = (torch.exp(log_P) - Y) / len(Y)
        value_and_grad.grad = X.T @ dZ, dZ.sum(0)
        return value

    return value_and_grad


def _medians(*functions, n_repeats=7):
    times = [[] for _ in functions]
    for _ in range(n_repeats):
        for function, own in zip(functions, times, strict=True):
            started = time.perf_counter()
            function()
            own.append(time.perf_counter() - started)
    return map(np.median, times)


if __name__ == "__main__":
    main()
