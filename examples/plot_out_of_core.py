"""
Data larger than memory
=======================

`fit` also takes a table in a file, or batches from a function. It reads them in passes,
a few rows at a time, and finds the same optimum.
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
# The table has 400,000 rows of 50 features in single precision, 80 MB. It is written in
# parts. It stands for a table that does not fit into memory: if it were a hundred times
# as long, nothing below would need more memory.

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
# With `mmap_mode` NumPy leaves the table in the file. The fit allocates memory for
# chunks of rows, for a subsample and for a few vectors of parameters. This measures it:

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
# For any other file format, write a function that reads it. Each pass calls it once. It
# returns a new iterator over `(X, y)`.

for number, start in enumerate(range(0, n_rows, 100_000)):
    rows = slice(start, start + 100_000)
    np.savez(path / f"{number}.npz", X=X[rows], y=y[rows])


def read_batches():
    """One pass over the files."""
    for number in range(4):
        with np.load(path / f"{number}.npz") as file:
            yield file["X"], file["y"]


by_batches = SoftmaxRegressionClassifier().fit(read_batches)
difference = np.abs(by_batches.coef_ - model.coef_).max() / np.abs(model.coef_).max()
print(f"largest difference of a coefficient: {difference:.0e} of the largest")

# %%
# Distance from the minimum after each pass
# -----------------------------------------
# An epoch of a mini-batch method is a pass too. Newton's method converges in less than
# twenty passes, and reports it. After twelve epochs "adam" is still on its way.
# Distances are in nats, because the loss has natural logarithms.

adam = SoftmaxRegressionClassifier(solver="adam", max_iter=12, random_state=0)
adam.fit(read_batches)
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
