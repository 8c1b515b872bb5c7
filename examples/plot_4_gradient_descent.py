"""
Gradient descent in one dimension
=================================

This is the smallest possible training: find the w that minimises w² + 10w + 25, which
is (w + 5)², by steps against the derivative. The derivative comes from a formula, from
automatic differentiation, and from difference quotients.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksoftmax.optimizers import SGD, Adam, minimize


def cost(w):
    """(w + 5)², written out."""
    return w**2 + 10 * w + 25


# %%
# The derivative by hand
# ----------------------
# The derivative is 2w + 10. Each step subtracts a hundredth of it, so the distance to
# -5 shrinks by a factor of 0.98. The arithmetic is in single precision, as in
# deep-learning frameworks. After 1000 steps w is as close to -5 as this precision
# allows.


def derivative(w):
    """Derivative of the cost, by hand."""
    return 2 * w + 10


w = minimize(
    cost, np.float32(0), SGD(learning_rate=0.01), n_steps=1000, grad=derivative
)
print(w)

# %%
# The loop inside takes four lines. An optimizer is a pair of functions, `init` and
# `update`. Neither changes its arguments.

optimizer = SGD(learning_rate=0.01)
w = np.float32(0)
state = optimizer.init(w)
for _ in range(1000):
    w, state = optimizer.update(np.float32(derivative(w)), state, w)
print(w)

# %%
# Automatic differentiation
# -------------------------
# A program can compute the derivative along with the value. A *dual number* holds both,
# and each operation applies its rule of differentiation. The cost above then computes
# its own derivative, without a change. Frameworks do the same for every array
# operation. They go backwards through the operations, which is cheaper if many
# parameters lead to one cost.


class Dual:
    """A value and its derivative by w."""

    def __init__(self, value, slope=0):
        self.value, self.slope = value, slope

    def __add__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __rmul__(self, factor):
        return Dual(factor * self.value, factor * self.slope)

    def __pow__(self, n):
        return Dual(self.value**n, n * self.value ** (n - 1) * self.slope)


def differentiated(w):
    """Derivative of the cost, by automatic differentiation."""
    return cost(Dual(w, slope=1)).slope


print("derivative at 3:", differentiated(3.0))
print(minimize(cost, np.float32(0), SGD(0.01), 1000, grad=differentiated))

# %%
# Difference quotients
# --------------------
# Without `grad`, `minimize` estimates derivatives from values of the cost alone. This
# is convenient, and accurate to about eight digits.

print(minimize(cost, 0.0, SGD(0.01), 1000))

# %%
# The learning rate
# -----------------
# A step with learning rate r multiplies the distance to the minimum by 1 - 2r. Small
# rates are slow. Large rates jump across the minimum, and from 1 on nothing converges.
# Momentum keeps part of the last step. Adam's steps have about the size of the learning
# rate, whatever the size of the derivative.


def journey(optimizer, n_steps=60):
    """Every w from the first to the last step."""
    w = np.float64(0)
    state = optimizer.init(w)
    ws = [w]
    for _ in range(n_steps):
        w, state = optimizer.update(np.float64(derivative(w)), state, w)
        ws.append(w)
    return np.array(ws)


optimizers = {
    "rate 0.01": SGD(0.01),
    "rate 0.1": SGD(0.1),
    "rate 0.95": SGD(0.95),
    "rate 0.01, momentum 0.9": SGD(0.01, momentum=0.9),
    "Adam, rate 0.5": Adam(0.5),
}
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
colors = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"]
for (name, optimizer), color in zip(optimizers.items(), colors, strict=True):
    ax.plot(journey(optimizer), color=color, label=name)
ax.axhline(-5, color="0.5", lw=0.8, ls="--")
ax.set(xlabel="step", ylabel="w")
ax.legend(frameon=False)
