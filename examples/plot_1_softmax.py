"""
Softmax and hardmax
===================

A classifier with K classes computes K numbers for each sample, its *logits*. This
example turns logits into probabilities, and probabilities into a loss. The numbers are
small enough to follow by hand.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksoftmax import cross_entropy, hardmax, log_softmax, softmax

# %%
# From logits to probabilities
# ----------------------------
# Take the exponential of each logit: all numbers are now positive. Divide by their sum:
# they now sum to one.

z = np.array([5.0, 2.0, -1.0, 3.0])
exponentials = np.exp(z)
print("exponentials", exponentials.round(2), "sum", exponentials.sum().round(1))
print("divided     ", (exponentials / exponentials.sum()).round(4))
print("softmax     ", softmax(z).round(4))

# %%
# Hardmax puts all probability on the largest logit. It says which class is largest, but
# not by how much. Softmax is its smooth version. It is differentiable, so a model with
# softmax can be trained by gradients.

print("hardmax     ", hardmax(z))

steps = {
    "logits z": z,
    "exp z": exponentials,
    "softmax(z)": softmax(z),
    "hardmax(z)": hardmax(z),
}
figure, axes = plt.subplots(1, 4, figsize=(10, 3), layout="constrained")
for ax, (title, values) in zip(axes, steps.items(), strict=True):
    bars = ax.bar(np.arange(1, 5), values, color="#0072b2")
    ax.bar_label(bars, fmt="{:.2g}")
    ax.margins(y=0.15)
    ax.axhline(0, color="0.3", lw=0.8)
    ax.set(title=title, xlabel="class", xticks=np.arange(1, 5))

# %%
# What does not change softmax
# ----------------------------
# A number added to all logits changes nothing: it multiplies every exponential, and
# their sum, by the same factor. This avoids overflow: subtract the largest logit first.

print(softmax(z + 100.0).round(4))
print(softmax([1000.0, 999.0, 998.0]).round(4))

# %%
# A factor does change the probabilities. Divide the logits by a *temperature*. A low
# temperature leads to hardmax, a high one to equal probabilities.

temperatures = np.geomspace(0.1, 100, 200)
P = softmax(z / temperatures[:, None])
figure, ax = plt.subplots(layout="constrained")
for k, color in enumerate(["#0072b2", "#e69f00", "#009e73", "#cc79a7"]):
    ax.semilogx(temperatures, P[:, k], color=color, label=f"class {k + 1}")
ax.axhline(0.25, color="0.6", lw=0.8, ls="--")
ax.set(xlabel="temperature", ylabel="probability", title="softmax(z / temperature)")
ax.legend(frameon=False)

# %%
# From probabilities to a loss
# ----------------------------
# The cross-entropy of a prediction p with the target y is minus the sum of y log p.
# With a one-hot y this is minus the logarithm of the probability of the true class,
# here -log 0.2. Its unit is the nat, because the logarithm is natural.

y = np.array([0.0, 1.0, 0.0, 0.0])
p = np.array([0.3, 0.2, 0.1, 0.4])
print(f"loss {cross_entropy(y, p):.4f}, -log 0.2 = {-np.log(0.2):.4f}")

# %%
# A very small probability underflows to zero, and its logarithm is lost. Log-softmax, z
# minus the logarithm of the sum of exponentials, keeps it. This package computes all
# losses from log-softmax.

far = [2000.0, 0.0]
print("softmax", softmax(far), "log-softmax", log_softmax(far))
