"""
Calibration
===========

A model is calibrated if events with a predicted probability of 70 % happen 70 % of the
time. Softmax regression is calibrated on average over its training data. A network need
not be. This example measures calibration and repairs it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier

X, y = make_classification(
    n_samples=6000,
    n_features=12,
    n_informative=8,
    n_classes=3,
    class_sep=0.7,
    flip_y=0.15,
    random_state=0,
)
X, X_test, y, y_test = train_test_split(X, y, train_size=1000, random_state=0)

# %%
# Why softmax regression is right on average
# ------------------------------------------
# At the minimum the derivative by the intercepts is zero. This derivative is the mean
# of p - y. So the mean predicted probability of each class equals the fraction of
# training rows of that class.

linear = SoftmaxRegressionClassifier().fit(X, y)
print("mean probabilities", linear.predict_proba(X).mean(axis=0).round(6))
print("fractions of rows ", (np.bincount(y) / len(y)).round(6))

# %%
# Networks that are too certain
# -----------------------------
# A large network that trains for long on 1000 rows memorises them, noisy labels
# included. On new rows it is equally certain, and often wrong. Early stopping, label
# smoothing and the penalty are parameters that help. `CalibratedClassifierCV` with
# temperature scaling works on any classifier.

settings = {"learning_rate_init": 0.01, "max_iter": 100, "random_state": 0}
models = {
    "softmax regression": linear,
    "network": SoftmaxRegressionClassifier((100,), alpha=0, **settings),
    "early stopping": SoftmaxRegressionClassifier(
        (100,), alpha=0, early_stopping=True, **settings
    ),
    "label smoothing": SoftmaxRegressionClassifier(
        (100,), alpha=0, label_smoothing=0.2, **settings
    ),
    "penalty": SoftmaxRegressionClassifier((100,), alpha=0.03, **settings),
    "temperature": CalibratedClassifierCV(
        SoftmaxRegressionClassifier((100,), alpha=0, **settings),
        method="temperature",  # scikit-learn 1.8 or newer
        ensemble=False,
    ),
}

# %%
# A reliability curve of the likeliest class: the rows are sorted by the probability
# that the model gives to that class, and cut into ten groups of equal size. Each point
# is a group, with its mean probability and how often the model is right.


def reliability(P, y, n_groups=10):
    """Mean confidence and accuracy of groups of rows, and their mean distance."""
    sure, right = P.max(axis=1), P.argmax(axis=1) == y
    groups = np.array_split(np.argsort(sure), n_groups)
    confidence = np.array([sure[g].mean() for g in groups])
    accuracy = np.array([right[g].mean() for g in groups])
    return confidence, accuracy, np.abs(confidence - accuracy).mean()


figure, axes = plt.subplots(
    2, 3, figsize=(9, 6), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, model) in zip(axes.flat, models.items(), strict=True):
    P = model.fit(X, y).predict_proba(X_test)
    confidence, accuracy, error = reliability(P, y_test)
    ax.plot([0, 1], [0, 1], color="0.5", lw=0.8)
    ax.plot(confidence, accuracy, "o-", color="#0072b2", ms=4)
    ax.set_title(f"{name}\nerror {error:.3f}, log-loss {log_loss(y_test, P):.3f}")
figure.supxlabel("probability of the likeliest class")
figure.supylabel("fraction of right predictions")

# %%
# The strong penalty errs on the other side: the model is less certain than it could be.
# scikit-learn's `CalibrationDisplay` draws the same curve for a single class.
