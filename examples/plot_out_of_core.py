"""
Data larger than memory
=======================

The same `fit`, the same optimum: a table in a file is read in passes, a slice of rows
at a time, and so are batches that a function hands out.
"""

import tempfile
import tracemalloc
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sksoftmax import SoftmaxRegressionClassifier

# %%
# A table in a file
# -----------------
# 400,000 rows of 50 features in single precision, 80 MB, written in parts. It stands
# for one that does not fit into memory; nothing below would need more of that if it
# were a hundred times as long.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name)
n_rows, n_features, n_classes = 400_000, 50, 4
rng = np.random.default_rng(0)
truth = rng.normal(size=(n_features, n_classes)) / np.sqrt(n_features)
X = np.lib.format.open_memmap(
    path / "X.npy", mode="w+", dtype=np.float32, shape=(n_rows, n_features)
)
y = np.empty(n_rows, np.int8)
for start in range(0, n_rows, 50_000):
    rows = slice(start, start + 50_000)
    X[rows] = rng.normal(size=(50_000, n_features))
    y[rows] = (3 * X[rows] @ truth + rng.gumbel(size=(50_000, n_classes))).argmax(
        axis=1
    )
X.flush()

# %%
# `mmap_mode` makes NumPy leave the table where it is. What the fit allocates itself is
# measured here: blocks of rows, a sample of them, a few vectors of parameters.

X = np.load(path / "X.npy", mmap_mode="r")
tracemalloc.start()
model = SoftmaxRegressionClassifier(verbose=1).fit(X, y)
peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
print(f"{model.n_passes_:.1f} passes, at most {peak / 2**20:.0f} MiB of its own")
print(f"F is within {model.optimality_:.0e} nats of its minimum")

# %%
# Batches
# -------
# Whoever can read a format can write a function that does so. It is called once for
# each pass and returns a new iterator over `(X, y)`.

for number, start in enumerate(range(0, n_rows, 100_000)):
    rows = slice(start, start + 100_000)
    np.savez(path / f"{number}.npz", X=X[rows], y=y[rows])


def shards():
    """One pass over the shards."""
    for number in range(4):
        with np.load(path / f"{number}.npz") as shard:
            yield shard["X"], shard["y"]


by_batches = SoftmaxRegressionClassifier().fit(shards)
difference = np.abs(by_batches.coef_ - model.coef_).max() / np.abs(model.coef_).max()
print(f"largest difference of a coefficient: {difference:.0e} of the largest")

# %%
# How far it is after how many passes
# -----------------------------------
# An epoch of a stochastic method is a pass too. Newton's method needs a dozen passes to
# be there, and says so; after as many epochs "adam" is still on its way.

adam = SoftmaxRegressionClassifier(solver="adam", max_iter=12, random_state=0)
adam.fit(shards)
figure, ax = plt.subplots(layout="constrained")
passes = np.linspace(model.n_passes_ / model.n_iter_, model.n_passes_, model.n_iter_)
for name, x, curve in (
    ("newton", passes, model.loss_curve_),
    ("adam", np.arange(1, adam.n_iter_ + 1), adam.loss_curve_),
):
    ax.semilogy(x, np.maximum(np.array(curve) - model.loss_, 1e-12), "o-", label=name)
ax.set(xlabel="passes over the data", ylabel="F - its minimum, nats (1e-12: none)")
ax.legend(frameon=False)

folder.cleanup()
