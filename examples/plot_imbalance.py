"""
Imbalanced classes
==================

Where one class is rare, a classifier that never predicts it is right most of the time.
Class weights are the common remedy. This example shows what they do to probabilities,
and how to have good decisions and good probabilities at once.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import ConfusionMatrixDisplay, balanced_accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier

X, y = make_classification(
    n_samples=20_000,
    n_features=10,
    n_informative=6,
    n_classes=3,
    weights=[0.9, 0.08, 0.02],
    class_sep=0.8,
    flip_y=0,
    random_state=1,
)
X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
shares = np.bincount(y) / len(y)
print("shares of the classes", shares.round(3))

# %%
# Weights
# -------
# ``class_weight="balanced"`` multiplies the weight of each row by S / (K S_k), so that
# all classes weigh the same. The rare classes are found more often. The probabilities
# are then those of a world where all classes are equally frequent, and the log-loss in
# this one suffers.

plain = SoftmaxRegressionClassifier().fit(X, y)
balanced = SoftmaxRegressionClassifier(class_weight="balanced").fit(X, y)
predicted = {
    "plain": plain.predict_proba(X_test),
    "balanced": balanced.predict_proba(X_test),
}

# %%
# Costs
# -----
# The other way leaves the probabilities alone and changes the decision. If missing a
# class costs in inverse proportion to its share, the best decision is the class with
# the largest p_k / share_k. That needs no other fit.

predicted["plain, decided by costs"] = predicted["plain"] / shares
labels = {name: P.argmax(axis=1) for name, P in predicted.items()}

# %%
# And from the weighted model there is a way back: multiply by the shares that the
# weights took out, and normalise.

back = predicted["balanced"] * shares
predicted["balanced, taken back"] = back / back.sum(axis=1, keepdims=True)
labels["balanced, taken back"] = back.argmax(axis=1)

for name, P in predicted.items():
    loss = "   -" if "costs" in name else f"{log_loss(y_test, P):.3f}"
    score = balanced_accuracy_score(y_test, labels[name])
    print(f"{name:24} balanced accuracy {score:.3f}  log-loss {loss}")

figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for ax, name in zip(axes, labels, strict=False):
    ConfusionMatrixDisplay.from_predictions(
        y_test,
        labels[name],
        normalize="true",
        values_format=".2f",
        cmap="Blues",
        colorbar=False,
        ax=ax,
    )
    ax.set_title(name)

# %%
# So: fit without weights for probabilities, and put the costs of errors into the
# decision. Use class weights where only labels are wanted, or where rows were sampled
# by class and the weights undo that.
