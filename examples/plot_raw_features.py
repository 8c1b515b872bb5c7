"""
Raw features, scaled features
=============================

Features rarely have comparable units. Most solvers of logistic regression then need a
`StandardScaler`, or stop before the optimum. This example measures how far from the
optimum they stop, and what scaling changes if the solver does not need it.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier

X, y = load_wine(return_X_y=True)
spread = X.std(axis=0)
print(f"standard deviations from {spread.min():.2g} to {spread.max():.3g}")

# %%
# The same optimum, or not
# ------------------------
# With C = 1 / (alpha n) both packages minimise the same function. The distance to its
# minimum is in nats per sample, because the loss has natural logarithms.

alpha = 1e-3
model = SoftmaxRegressionClassifier(alpha=alpha).fit(X, y)
print(f"sksoftmax: {model.n_iter_} iterations, {model.n_passes_:.0f} passes over X")
print(f"           at most {model.optimality_:.0e} nats above the minimum")


def objective(logistic):
    """The function that both minimise, in nats."""
    loss = -logistic.predict_log_proba(X)[np.arange(len(y)), y].mean()
    return loss + alpha / 2 * np.sum(logistic.coef_**2)


budgets = [10, 30, 100, 300, 1000, 3000]
gaps = []
for max_iter in budgets:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        logistic = LogisticRegression(C=1 / (alpha * len(X)), max_iter=max_iter)
        gaps.append(objective(logistic.fit(X, y)) - model.loss_)
    print(f"lbfgs, max_iter={max_iter}: {gaps[-1]:.1e} nats above the minimum")

figure, ax = plt.subplots(layout="constrained")
ax.loglog(
    budgets, gaps, "o-", color="#e69f00", label="LogisticRegression, raw features"
)
ax.axhline(
    model.optimality_,
    color="#0072b2",
    label=f"SoftmaxRegressionClassifier, raw, {model.n_iter_} iterations",
)
ax.set(xlabel="max_iter", ylabel="nats above the minimum", ylim=(1e-10, 10))
ax.legend(frameon=False, loc="center left")

# %%
# What scaling still changes
# --------------------------
# The penalty is on the coefficients of the features as they are. A feature with small
# values needs large coefficients, so it is penalised more. Scaling then does not help
# the solver; it decides which features may have large coefficients. Cross-validation
# tells whether that improves predictions.

for label, candidate in {
    "raw, alpha=1e-3": SoftmaxRegressionClassifier(),
    "scaled, alpha=1e-3": make_pipeline(
        StandardScaler(), SoftmaxRegressionClassifier()
    ),
    "raw, alpha=1e-5": SoftmaxRegressionClassifier(alpha=1e-5),
    "scaled, alpha=1e-2": make_pipeline(
        StandardScaler(), SoftmaxRegressionClassifier(alpha=1e-2)
    ),
}.items():
    losses = -cross_val_score(candidate, X, y, scoring="neg_log_loss")
    print(f"{label:20} log-loss {losses.mean():.3f}")

# %%
# Without a penalty the unit of a feature does not matter. These two features do not
# separate the classes, so the optimum is finite.

few = X[:, [0, 2]]
raw = SoftmaxRegressionClassifier(alpha=0).fit(few, y)
grams = SoftmaxRegressionClassifier(alpha=0).fit(few * [1, 1e6], y)
gap = np.abs(raw.predict_proba(few) - grams.predict_proba(few * [1, 1e6])).max()
print(f"probabilities differ by at most {gap:.0e}")

# %%
# Hidden layers
# -------------
# Networks are trained on standardised inputs. When training ends, the transformation is
# folded into the first layer. So units do not matter here either, and the penalty is on
# the weights of the standardised features.

network = SoftmaxRegressionClassifier((20,), random_state=0)
P = network.fit(X, y).predict_proba(X)
Q = network.fit(X / spread, y).predict_proba(X / spread)
print(f"network: probabilities differ by at most {np.abs(P - Q).max():.0e}")
