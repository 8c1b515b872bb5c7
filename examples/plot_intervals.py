"""
Coefficients with confidence intervals
======================================

How uncertain is a coefficient? This example computes standard errors, tests and
intervals for a fitted model, and marginal effects, which are easier to explain.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import marginal_effects, summary, wald_test

# %%
# The fit
# -------
# Three measurements distinguish three cultivars of wine. Inference is about the
# likelihood, so fit without a penalty. Then pass the model and the data of the fit.

wine = load_wine(as_frame=True)
X = wine.data[["malic_acid", "ash", "magnesium"]]
y = wine.target_names[wine.target]
model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
result = summary(model, X, y, base="class_0")
print(result)

# %%
# How to read the table
# ---------------------
# A coefficient is the change of the log-odds against the base class if the feature
# grows by one unit and the others stay fixed. Its exponential multiplies the odds.

print("odds ratios of malic_acid", np.exp(result.coef[:, 0]).round(2))

# %%
# A feature has one coefficient per class. A test of its effect has to test all of them
# together:

for feature in X.columns:
    print(wald_test(result, feature))

# %%
# The picture shows the estimates with their 95 % intervals. The unit is the standard
# deviation of each feature, so that the features can be compared. Profile-likelihood
# intervals need not be symmetric. Here they differ little from Wald intervals.

profile = summary(model, X, y, base="class_0", interval="profile")
scale = X.std().to_numpy()
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for k, ax in enumerate(axes):
    for shift, table, color, name in [
        (0.1, result, "#0072b2", "Wald"),
        (-0.1, profile, "#e69f00", "profile likelihood"),
    ]:
        low, high = (table.conf_int[k, :3] * scale[:, None]).T
        middle = table.coef[k, :3] * scale
        ax.errorbar(
            middle,
            np.arange(3) + shift,
            xerr=[middle - low, high - middle],
            fmt="o",
            color=color,
            capsize=3,
            label=name,
        )
    ax.axvline(0, color="0.5", lw=0.8, ls="--")
    ax.set(title=f"{result.classes[k]} against class_0", xlabel="log-odds")
axes[0].set_yticks(np.arange(3), X.columns)
axes[0].margins(y=0.15)
figure.legend(
    *axes[0].get_legend_handles_labels(),
    loc="outside lower center",
    ncols=2,
    frameon=False,
)

# %%
# Marginal effects
# ----------------
# By how much does the probability of each class change with a feature, on average over
# the samples? The effects sum to zero over the classes and do not depend on a base
# class.

effects = marginal_effects(model, X, y)
print(effects)

# %%
# If the model is an approximation
# --------------------------------
# By default standard errors assume that the model is right. ``cov_type="HC0"`` and
# ``"HC1"`` do not, and ``"cluster"`` allows dependence within groups of rows.

robust = summary(model, X, y, base="class_0", cov_type="HC0")
print("model-based", result.se[0].round(3))
print("HC0        ", robust.se[0].round(3))
