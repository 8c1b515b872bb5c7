"""
A path of penalties, chosen by leaving one out
==============================================

How strong should the penalty be? Fit a path of penalties and score each fit on rows
that it has not seen. Approximate leave-one-out does this from the path itself, without
other fits.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import LeaveOneOut
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifierCV

wine = load_wine()
X = StandardScaler().fit_transform(wine.data)
y = wine.target

# %%
# Approximate and exact
# ---------------------
# Exact leave-one-out of n rows takes n fits per alpha. The approximation takes one
# Newton step per row from the fit of all rows, with a Hessian that is inverted once.

start = time.perf_counter()
alo = SoftmaxRegressionClassifierCV(alphas=np.geomspace(1, 1e-4, 20), cv="alo").fit(
    X, y
)
seconds = time.perf_counter() - start
start = time.perf_counter()
exact = SoftmaxRegressionClassifierCV(
    alphas=np.geomspace(1, 1e-4, 20), cv=LeaveOneOut()
).fit(X, y)
print(f"approximate {seconds:.2f} s, alpha {alo.alpha_:.2g}")
print(f"exact       {time.perf_counter() - start:.2f} s, alpha {exact.alpha_:.2g}")

# %%
# The picture shows the mean loss of a left-out row, with its standard error, in nats
# (natural logarithms). `alpha_` has the least loss. `alpha_1se_` is the strongest
# penalty that is not distinguishably worse. Below the best alpha the two curves part.
# There the fit almost separates the classes, and a few rows determine the boundary.
# Without one of them, one Newton step is not enough.

figure, ax = plt.subplots(layout="constrained")
loss, error = -alo.mean_scores_[0], alo.score_errors_[0]
ax.fill_between(alo.alphas_[0], loss - error, loss + error, color="#0072b2", alpha=0.2)
ax.semilogx(alo.alphas_[0], loss, color="#0072b2", label="approximate leave-one-out")
ax.semilogx(
    exact.alphas_[0], -exact.mean_scores_[0], ".", color="#d55e00", label="exact"
)
ax.axvline(alo.alpha_, color="0.3", lw=0.8, ls="--", label="alpha_")
ax.axvline(alo.alpha_1se_, color="0.3", lw=0.8, ls=":", label="alpha_1se_")
ax.set(xlabel="alpha", ylabel="log-loss, nats", ylim=(0, 0.8))
ax.legend(frameon=False)

# %%
# Sparse paths
# ------------
# With the grouped penalty a feature has coefficients for all classes or for none. The
# path begins at the least alpha for which all coefficients are zero. Then features
# enter one after the other. Each line is the norm of a feature's coefficients.

sparse = SoftmaxRegressionClassifierCV(l1_ratios=1.0, grouped=True, alphas=60).fit(X, y)
norms = np.linalg.norm(sparse.coefs_path_[0], axis=1)
chosen = np.linalg.norm(sparse.coef_, axis=0) > 0
print(f"{chosen.sum()} of {chosen.size} features at alpha = {sparse.alpha_:.2g}")
entered = norms[(norms > 0).any(axis=1).argmax()] > 0
print("first to enter:", np.array(wine.feature_names)[entered])

figure, ax = plt.subplots(layout="constrained")
colors = plt.colormaps["tab20"].colors
for j in np.argsort(-norms[-1]):
    ax.semilogx(
        sparse.alphas_[0], norms[:, j], color=colors[j], label=wine.feature_names[j]
    )
ax.axvline(sparse.alpha_, color="0.3", lw=0.8, ls="--")
ax.axvline(sparse.alpha_1se_, color="0.3", lw=0.8, ls=":")
ax.invert_xaxis()
ax.set(xlabel="alpha", ylabel="norm of the coefficients")
ax.legend(frameon=False, fontsize="x-small", ncols=2)

# %%
# Fit with `alpha_1se_` if fewer features are worth a slightly larger loss.

few = (norms[np.argmin(np.abs(sparse.alphas_[0] - sparse.alpha_1se_))] > 0).sum()
print(f"{few} features at alpha_1se_ = {sparse.alpha_1se_:.2g}")
