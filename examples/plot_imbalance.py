"""
Imbalanced classes
==================

If a class is rare, a classifier that never predicts it is right most of the time. Class
weights are the common remedy. This example shows what they do to probabilities, and how
to get good decisions and good probabilities from one model.
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
frequencies = np.bincount(y) / len(y)
print("frequencies of the classes", frequencies.round(3))

# %%
# Weights
# -------
# ``class_weight="balanced"`` multiplies the weight of each row by S / (K S_k). S_k is
# the total weight of its class and S that of all K classes, so all classes get the same
# weight. The model then finds the rare classes more often. Its probabilities are right
# for a population where all classes are equally frequent. In this one the log-loss gets
# worse.

plain = SoftmaxRegressionClassifier().fit(X, y)
balanced = SoftmaxRegressionClassifier(class_weight="balanced").fit(X, y)
predicted = {
    "plain": plain.predict_proba(X_test),
    "balanced": balanced.predict_proba(X_test),
}

# %%
# Costs
# -----
# Another way keeps the probabilities and changes the decision. Let the cost of missing
# a class be inversely proportional to its frequency. Then the best decision is the
# class with the largest p_k / frequency_k. This needs no other fit.

predicted["plain, decided by costs"] = predicted["plain"] / frequencies
labels = {name: P.argmax(axis=1) for name, P in predicted.items()}

# %%
# Probabilities of the weighted model can be corrected: ``with_class_prior`` puts the
# frequencies back that the weights removed.

model = balanced.with_class_prior(frequencies, training_prior=[1, 1, 1])
corrected = model.predict_proba(X_test)
predicted["balanced, corrected"] = corrected
labels["balanced, corrected"] = corrected.argmax(axis=1)

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
# So fit without weights if you need probabilities, and put the costs of errors into the
# decision. Use class weights if you need labels only, or if rows were sampled by class
# and the weights undo that.
