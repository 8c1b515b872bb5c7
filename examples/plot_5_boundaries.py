"""
Straight boundaries, and curved ones
====================================

Without hidden layers the boundaries between classes are straight lines. This example
shows why, when that is enough, and what hidden layers change.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba_array
from sklearn.datasets import make_blobs, make_circles

from sksoftmax import SoftmaxRegressionClassifier

COLORS = ["#0072b2", "#e69f00", "#009e73"]


def draw(ax, model, X, y, title):
    """Mix the colours of the classes by their probabilities; draw the boundaries."""
    reach = np.abs(X).max() * 1.05
    side = np.linspace(-reach, reach, 200)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    P = model.predict_proba(plane)
    n_classes = P.shape[1]
    picture = (P @ to_rgba_array(COLORS[:n_classes])[:, :3]).reshape(200, 200, 3)
    ax.imshow(picture, origin="lower", extent=(-reach, reach, -reach, reach), alpha=0.4)
    for k in range(n_classes):
        lead = (P[:, k] - np.delete(P, k, axis=1).max(axis=1)).reshape(200, 200)
        ax.contour(side, side, lead, levels=[0], colors="0.3", linewidths=0.8)
        ax.scatter(*X[y == k].T, s=14, color=COLORS[k], edgecolor="white", lw=0.4)
    ax.set(title=title, xticks=[], yticks=[])


# %%
# Three classes, three lines
# --------------------------
# Between classes j and k the boundary is where their logits are equal,
# :math:`x \cdot (w_j - w_k) + b_j - b_k = 0`: a line in the plane, a hyperplane in more
# dimensions. Three classes have three such lines, and they meet in one point.

X, y = make_blobs(
    n_samples=240, centers=[(-2, -1), (2, -1), (0, 2.2)], cluster_std=1, random_state=0
)
model = SoftmaxRegressionClassifier().fit(X, y)
for j, k in [(0, 1), (0, 2), (1, 2)]:
    u, v = model.coef_[j] - model.coef_[k]
    c = model.intercept_[j] - model.intercept_[k]
    print(f"between {j} and {k}: {u:+.2f} x1 {v:+.2f} x2 {c:+.2f} = 0")

figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
draw(ax, model, X, y, f"accuracy {model.score(X, y):.0%}")
for j, k in [(0, 1), (0, 2), (1, 2)]:
    u, v = model.coef_[j] - model.coef_[k]
    c = model.intercept_[j] - model.intercept_[k]
    ax.axline((0, -c / v), slope=-u / v, color="0.5", lw=0.8, ls=":")

# %%
# Where lines are not enough
# --------------------------
# No straight line separates a class from another class around it. The fit is still the
# best linear one, as `converged_` says. The linear model is wrong, not the fit.

X, y = make_circles(n_samples=300, factor=0.45, noise=0.09, random_state=0)
straight = SoftmaxRegressionClassifier().fit(X, y)
print(f"converged {straight.converged_}, accuracy {straight.score(X, y):.2f}")

# %%
# Hidden layers
# -------------
# A hidden layer computes new features from the old ones. The softmax layer has straight
# boundaries in these new features, and they are curves in the plane. A relu unit has a
# kink, so the boundary consists of straight pieces. With tanh it is smooth.

relu = SoftmaxRegressionClassifier((4,), learning_rate_init=0.05, random_state=0)
tanh = SoftmaxRegressionClassifier(
    (16,), activation="tanh", learning_rate_init=0.05, random_state=0
)
models = {"no hidden layer": straight, "4 units, relu": relu, "16 units, tanh": tanh}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    model.fit(X, y)
    draw(ax, model, X, y, f"{name}\naccuracy {model.score(X, y):.0%}")

# %%
# What it costs
# -------------
# The problem is no longer convex. Training starts from random weights, so another seed
# gives another model. Nothing can certify that the result is the best one.

for seed in range(4):
    model = SoftmaxRegressionClassifier(
        (4,), learning_rate_init=0.05, random_state=seed
    ).fit(X, y)
    print(f"seed {seed}: loss {model.loss_:.4f}, accuracy {model.score(X, y):.3f}")

# %%
# Features made by hand keep the problem convex. With the squares of the two coordinates
# as features, the circle is a straight line.

squares = np.hstack([X, X**2])
model = SoftmaxRegressionClassifier().fit(squares, y)
print(f"with squares: accuracy {model.score(squares, y):.2f}")
