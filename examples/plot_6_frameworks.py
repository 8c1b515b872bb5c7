"""
Choosing a framework
====================

This example trains the same small network in this package, in scikit-learn, and in
PyTorch and Keras/TensorFlow if they are installed. It measures how much one has to
write, how long the training takes, how accurate the network is, and what has to be
installed under which licence.
"""

import inspect
import os
import subprocess
import sys
import time
import warnings
from importlib.metadata import metadata, packages_distributions
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

X, y = load_digits(return_X_y=True)
X = StandardScaler().fit_transform(X).astype(np.float32)
X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
print(f"{len(X)} rows to train on, {len(X_test)} to test")

# %%
# The network
# -----------
# The network has 64 pixels as inputs, 100 hidden units with relu, and 10 classes. Adam
# trains it with its usual learning rate on batches of 32 rows, for 10 epochs and
# without a penalty. Each function below trains it and returns predictions for the test
# rows.


def with_sksoftmax():
    model = SoftmaxRegressionClassifier(
        (100,),
        alpha=0,
        learning_rate="constant",
        learning_rate_init=1e-3,
        batch_size=32,
        max_iter=10,
        tol=0,
        random_state=0,
    )
    return quietly(model).predict(X_test)


def with_sklearn():
    model = MLPClassifier(
        (100,), alpha=0, batch_size=32, max_iter=10, tol=0, random_state=0
    )
    return quietly(model).predict(X_test)


def with_torch():
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = torch.nn.Sequential(
        torch.nn.Linear(64, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loss = torch.nn.CrossEntropyLoss()
    rows, labels = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(10):
        for batch in torch.randperm(len(rows)).split(32):
            optimizer.zero_grad()
            loss(net(rows[batch]), labels[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return net(torch.from_numpy(X_test)).argmax(dim=1).numpy()


def with_keras():
    import keras

    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    net.fit(X, y, batch_size=32, epochs=10, verbose=0)
    return net.predict(X_test, verbose=0).argmax(axis=1)


def quietly(model):
    """Fit without the warning that 10 epochs are too few to converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


# %%
# Measurements
# ------------
# Lines are those of the functions above. A process of its own times the import, and
# training begins when everything is imported. All packages are limited to one thread,
# except for TensorFlow, which takes no limit from outside. The size is that of the
# package's folder, without its dependencies.

CANDIDATES = {
    "sksoftmax": (with_sksoftmax, ["sksoftmax"]),
    "scikit-learn": (with_sklearn, ["sklearn"]),
    "PyTorch": (with_torch, ["torch"]),
    "Keras/TensorFlow": (with_keras, ["keras", "tensorflow"]),
}
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # or TensorFlow comments on the processor


def measure(train, modules):
    """Lines, seconds, accuracy, size and licence of a candidate."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)
    import_seconds = time.perf_counter() - start
    for module in modules:
        __import__(module)
    with threadpool_limits(1):
        start = time.perf_counter()
        predicted = train()
        seconds = time.perf_counter() - start
    return {
        "lines": len(inspect.getsource(train).splitlines()) - 1,
        "import, s": import_seconds,
        "training, s": seconds,
        "accuracy": np.mean(predicted == y_test),
        "size, MB": sum(map(size_of, modules)),
        "licence": " + ".join(sorted(set(map(licence_of, modules)))),
    }


def size_of(module):
    """Megabytes of a package's folder."""
    folder = Path(find_spec(module).origin).parent
    return (
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    )


def licence_of(module):
    """The licence in the package's metadata."""
    about = metadata(packages_distributions()[module][0])
    return about["License-Expression"] or about["License"]


measured = {
    name: measure(train, modules)
    for name, (train, modules) in CANDIDATES.items()
    if all(map(find_spec, modules))
}


def short(value):
    """Format with three digits and without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


for name, row in measured.items():
    print(name)
    for what, value in row.items():
        print(f"  {what:12}", value if what == "licence" else short(value))

# %%
# The same in a picture. Less is better in all panels but the last.

figure, axes = plt.subplots(1, 5, figsize=(11, 2.6), sharey=True, layout="constrained")
order = ["lines", "size, MB", "import, s", "training, s", "accuracy"]
names = list(measured)
for ax, what in zip(axes, order, strict=True):
    values = [measured[name][what] for name in names]
    bars = ax.barh(names, values, color="#0072b2")
    ax.bar_label(bars, fmt=short, padding=2)
    ax.set(title=what, xticks=[])
    ax.margins(x=0.35)
axes[0].invert_yaxis()

# %%
# Which one?
# ----------
# - For a table of numbers, dense layers and a scikit-learn pipeline, use an estimator
#   of this package or of scikit-learn. It takes a few lines.
# - Without hidden layers, use a convex solver. It gets to the optimum, while epochs of
#   Adam only come close to it. Only the penalty has to be tuned.
# - For convolutions, attention, your own losses or a GPU, use PyTorch or Keras. They
#   differentiate whatever you write.
#
# All of them are open source under permissive licences.
