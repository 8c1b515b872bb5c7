"""
Coefficients with confidence intervals
======================================

How much a coefficient may be trusted: standard errors, tests and intervals for a fitted
model, and marginal effects, which are easier to say in a sentence.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import marginal_effects, summary, wald_test

# %%
# The fit
# -------
# Three cultivars of wine by three measurements. Inference is about the likelihood, so
# fit without a penalty. Then pass the model and the data of the fit.

wine = load_wine(as_frame=True)
X = wine.data[["malic_acid", "ash", "magnesium"]]
y = wine.target_names[wine.target]
model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
result = summary(model, X, y, base="class_0")
print(result)

# %%
# Reading it
# ----------
# A coefficient is the change of the log-odds against the base class by one unit of the
# feature, the others held fixed; its exponential multiplies the odds.

print("odds ratios of malic_acid", np.exp(result.coef[:, 0]).round(2))

# %%
# A feature has one coefficient for each class. Whether it has any effect is one
# question about all of them:

for feature in X.columns:
    print(wald_test(result, feature))

# %%
# A picture of the table: estimates with their 95 % intervals, in units of the feature's
# standard deviation so that they compare. Those of the profile likelihood need not be
# symmetric; here they differ little from Wald's.

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
# the samples? These sum to zero over classes and depend on no base class.

effects = marginal_effects(model, X, y)
print(effects)

# %%
# If the model is an approximation
# --------------------------------
# Standard errors by default assume that the model is right. ``cov_type="HC0"`` and
# ``"HC1"`` do not, and ``"cluster"`` allows dependence within groups of rows.

robust = summary(model, X, y, base="class_0", cov_type="HC0")
print("model-based", result.se[0].round(3))
print("HC0        ", robust.se[0].round(3))
