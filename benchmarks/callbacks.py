"""What scikit-learn's callbacks cost: fits of 100 iterations with one and without.

    python benchmarks/callbacks.py

Runs on digits, interleaved, and prints medians and their ratio.
"""

import time
import warnings

import numpy as np
from _measure import environment, pinned
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import SoftmaxRegressionClassifier

N_ITERATIONS, N_REPEATS = 100, 15


class Listener:
    """A callback that listens and does nothing."""

    def setup(self, estimator, context):
        """Begin."""

    def teardown(self, estimator, context):
        """End."""

    def on_fit_task_begin(self, estimator, context):
        """Listen."""

    def on_fit_task_end(self, estimator, context):
        """Listen."""


def main():
    """Measure and print."""
    print("\n".join(environment()))
    X, y = load_digits(return_X_y=True)
    models = {
        "lbfgs": SoftmaxRegressionClassifier(
            solver="lbfgs", alpha=1e-6, tol=0.0, max_iter=N_ITERATIONS
        ),
        "adam, 100 hidden units": SoftmaxRegressionClassifier(
            (100,), max_iter=N_ITERATIONS, random_state=0
        ),
    }
    for name, model in models.items():
        times = {"without": [], "with": []}
        with pinned(1):
            for _ in range(N_REPEATS):
                times["without"].append(_seconds(model.set_callbacks(), X, y))
                times["with"].append(_seconds(model.set_callbacks(Listener()), X, y))
        medians = {kind: np.median(values) for kind, values in times.items()}
        more = medians["with"] / medians["without"] - 1.0
        print(
            f"{name}: {medians['without']:.3f} s without, {medians['with']:.3f} s with"
            f" a callback, {100.0 * more:+.1f} %, over {model.n_iter_} iterations"
        )


def _seconds(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        started = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
