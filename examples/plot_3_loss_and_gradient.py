"""
Loss, cost and gradient, step by step
=====================================

What does a fit minimise, and by which gradient? This example computes both sample by
sample and then without loops. It checks the gradient against difference quotients, and
the minimum against the fit.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from sksoftmax import SoftmaxRegressionClassifier, cross_entropy, softmax

X, y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
Y = np.eye(3)[y]
n_samples, n_features = X.shape
n_classes = Y.shape[1]
alpha = 0.01

# %%
# One sample
# ----------
# Logits are z = x W + b, probabilities are p = softmax(z), and the loss is the
# cross-entropy of p with the target y. Its derivative by the logits is p - y, the
# prediction minus the target.

rng = np.random.default_rng(0)
W = rng.normal(size=(n_features, n_classes))
b = rng.normal(size=n_classes)

z = X[0] @ W + b
p = softmax(z)
print(f"loss {cross_entropy(Y[0], p):.6f}, dz {(p - Y[0]).round(4)}")

# %%
# Difference quotients need the loss alone: move each logit a little up and down. They
# give the same derivative.

step = 1e-6
moves = step * np.eye(n_classes)
up = [cross_entropy(Y[0], softmax(z + move)) for move in moves]
down = [cross_entropy(Y[0], softmax(z - move)) for move in moves]
print("difference quotients", ((np.array(up) - down) / (2 * step)).round(4))

# %%
# All samples, with a loop
# ------------------------
# The cost is the mean loss. A weight W_jk changes z_k by the factor x_j. So the
# gradient of one loss is the outer product of x and dz.

cost, dW, db = 0.0, np.zeros_like(W), np.zeros_like(b)
for x, target in zip(X, Y, strict=True):
    p = softmax(x @ W + b)
    dz = p - target
    cost += cross_entropy(target, p) / n_samples
    dW += np.outer(x, dz) / n_samples
    db += dz / n_samples
print(f"cost {cost:.6f}")

# %%
# All samples, without a loop
# ---------------------------
# The samples are the rows of X. A sum of outer products is a product of matrices. So
# three lines are enough, and they run at the speed of BLAS.


def cost_and_gradient(W, b):
    """Cost with its penalty, in nats (natural logarithms), and its derivatives."""
    P = softmax(X @ W + b)
    dZ = (P - Y) / n_samples
    cost = cross_entropy(Y, P).mean() + alpha / 2 * np.sum(W**2)
    return cost, X.T @ dZ + alpha * W, dZ.sum(axis=0)


full_cost, full_dW, full_db = cost_and_gradient(W, b)
print("cost agrees    ", np.isclose(full_cost, cost + alpha / 2 * np.sum(W**2)))
print("gradient agrees", np.allclose(full_dW, dW + alpha * W), np.allclose(full_db, db))

# %%
# How to check a gradient
# -----------------------
# A gradient is the limit of difference quotients. The error of central differences is
# proportional to the square of the step, until rounding dominates at tiny steps. So the
# error falls along a straight line and rises again. With a wrong gradient it would stay
# at the top.

direction = rng.normal(size=W.shape)
slope = np.sum(full_dW * direction)
sizes = np.geomspace(1e-10, 1, 31)
errors = []
for size in sizes:
    above = cost_and_gradient(W + size * direction, b)[0]
    below = cost_and_gradient(W - size * direction, b)[0]
    errors.append(abs((above - below) / (2 * size) - slope))
print(f"least error {min(errors):.0e}, of a slope of {slope:.4f}")

figure, ax = plt.subplots(layout="constrained")
ax.loglog(sizes, errors, "o-", color="#0072b2", label="error of the quotient")
ax.loglog(
    sizes, errors[-6] * (sizes / sizes[-6]) ** 2, "--", color="0.5", label="step²"
)
ax.set(xlabel="step", ylabel="error", ylim=(min(errors) / 10, None))
ax.legend(frameon=False)

# %%
# Downhill
# --------
# Steps against the gradient lead to the minimum. The estimator's fit is at the minimum:
# all derivatives vanish at its coefficients.

W, b = np.zeros_like(W), np.zeros_like(b)
costs = []
for _ in range(3000):
    value, dW, db = cost_and_gradient(W, b)
    costs.append(value)
    W -= 0.5 * dW
    b -= 0.5 * db

model = SoftmaxRegressionClassifier(alpha=alpha).fit(X, y)
_, dW, db = cost_and_gradient(model.coef_.T, model.intercept_)
print(f"3000 gradient steps {costs[-1]:.9f}")
print(f"the fit             {model.loss_:.9f}, after {model.n_iter_} iterations")
print(f"largest derivative at the fit {max(abs(dW).max(), abs(db).max()):.0e}")

figure, ax = plt.subplots(layout="constrained")
ax.loglog(np.arange(1, 3001), np.array(costs) - model.loss_, color="#0072b2")
ax.set(xlabel="gradient steps", ylabel="cost above the minimum, nats")
