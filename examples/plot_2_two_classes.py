"""
Two classes are logistic regression
===================================

With two classes softmax regression is logistic regression. The formula shows it, and so
do fits of this package and of scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from sksoftmax import SoftmaxRegressionClassifier, softmax

# %%
# The formula
# -----------
# Divide numerator and denominator of the second probability by exp(z_1):
#
# .. math::
#
#     \frac{e^{z_1}}{e^{z_0} + e^{z_1}} = \frac{1}{1 + e^{-(z_1 - z_0)}}
#
# This is the logistic function of the difference of the two logits.

Z = np.random.default_rng(0).normal(size=(1000, 2))
difference = np.abs(softmax(Z)[:, 1] - expit(Z[:, 1] - Z[:, 0]))
print(f"largest difference {difference.max():.1e}")

# %%
# The fit
# -------
# Is a tumour benign, given its radius? There is one row of coefficients per class. Only
# the difference of the two matters, so the fit returns the pair that sums to zero.

X, y = load_breast_cancer(return_X_y=True)
X = X[:, :1]
model = SoftmaxRegressionClassifier().fit(X, y)
print("coefficients", model.coef_.ravel().round(4))
print("intercepts  ", model.intercept_.round(4))

# %%
# Logistic regression has the difference u alone. Here the penalty is on the pair
# (-u/2, u/2), whose squared norm is half of that of u. scikit-learn also sums losses
# instead of averaging them. So its C is 2 / (alpha n).

C = 2 / (model.alpha_ * len(X))
logistic = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10).fit(X, y)
print("difference          ", (model.coef_[1] - model.coef_[0]).round(6))
print("logistic regression ", logistic.coef_[0].round(6))
gap = np.abs(model.predict_proba(X) - logistic.predict_proba(X)).max()
print(f"probabilities differ by at most {gap:.0e}")

# %%
# Where the two logits cross, both probabilities are one half. `decision_function`, the
# difference of the logits, is zero there. The marks above the curves are the samples.

radius = np.linspace(6, 28, 200)[:, None]
P = model.predict_proba(radius)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
Z = radius * model.coef_.T + model.intercept_
for k, (name, color) in enumerate([("malignant", "#e69f00"), ("benign", "#0072b2")]):
    left.plot(radius, Z[:, k], color=color, label=name)
    right.plot(radius, P[:, k], color=color)
    rug = X[y == k, 0]
    right.plot(rug, np.full(rug.size, 1.08 + 0.06 * k), "|", color=color)
boundary = radius[np.abs(model.decision_function(radius)).argmin()]
for ax in (left, right):
    ax.axvline(boundary, color="0.5", lw=0.8, ls="--")
    ax.set_xlabel("mean radius")
left.set(title="Two logits, straight lines", ylabel="logit")
right.set(title="Two probabilities, logistic curves", ylabel="probability")
left.legend(frameon=False)
