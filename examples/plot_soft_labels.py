"""
Soft labels from several annotators
===================================

If annotators disagree, the majority's label does not say how many disagreed. Targets
may be probabilities, so the fractions of the votes can be the targets.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksoftmax import SoftmaxRegressionClassifier, cross_entropy, softmax

# %%
# Votes
# -----
# The samples are simulated, so the true probabilities are known. Three classes overlap.
# Each of five annotators gives one label, drawn from these probabilities.

rng = np.random.default_rng(0)
W = np.array([[2.0, -1.0, -1.0], [0.0, 1.5, -1.5]])
X, X_test = rng.normal(size=(150, 2)), rng.normal(size=(5000, 2))
truth, truth_test = softmax(X @ W), softmax(X_test @ W)
votes = np.array([rng.multinomial(5, p / p.sum()) for p in truth])
fractions = votes / 5
print(votes[:4])

# %%
# Three ways to use them
# ----------------------
# - the majority's label: one row per sample
# - the fractions as soft labels: one row per sample
# - one row for each class, with the votes as weights: three rows per sample

majority = SoftmaxRegressionClassifier().fit(X, votes.argmax(axis=1))
soft = SoftmaxRegressionClassifier().fit(X, fractions)
stacked = SoftmaxRegressionClassifier().fit(
    np.repeat(X, 3, axis=0), np.tile(np.arange(3), len(X)), sample_weight=votes.ravel()
)

# %%
# The last two are the same model. Their objectives are equal because the cross-entropy
# is linear in the target. Soft labels need a third of the rows.

gap = np.abs(soft.predict_proba(X) - stacked.predict_proba(X)).max()
print(f"soft and stacked differ by at most {gap:.0e}")

# %%
# The model that was trained on majorities is too certain, because a majority of five is
# right more often than one annotator. The fractions say how often each label is given,
# so the probabilities are right. Losses are in nats: logarithms are natural.

models = {"majority": majority, "fractions": soft}
for name, model in models.items():
    P = model.predict_proba(X_test)
    excess = cross_entropy(truth_test, P) - cross_entropy(truth_test, truth_test)
    print(
        f"{name:9} accuracy on the likeliest class"
        f" {np.mean(P.argmax(1) == truth_test.argmax(1)):.3f},"
        f" loss above the truth's {excess.mean():.4f} nats"
    )

figure, axes = plt.subplots(
    1, 2, figsize=(8, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    P = model.predict_proba(X_test)
    for k, color in enumerate(["#0072b2", "#e69f00", "#009e73"]):
        ax.plot(truth_test[:, k], P[:, k], ".", ms=2, color=color, label=f"class {k}")
    ax.plot([0, 1], [0, 1], color="0.3", lw=0.8)
    ax.set(title=f"trained on {name}", xlabel="true probability")
axes[0].set_ylabel("predicted probability")
axes[0].legend(frameon=False, markerscale=5)

# %%
# Unequal numbers of annotators
# -----------------------------
# Sample weights multiply the loss of a row. If some samples have twenty annotators and
# others two, weight each row by its number of votes. The fit then maximises the
# likelihood of all votes.

n_votes = rng.integers(1, 30, size=len(X))
votes = np.array(
    [rng.multinomial(n, p / p.sum()) for n, p in zip(n_votes, truth, strict=True)]
)
fractions = votes / n_votes[:, None]
for name, weight in {"unweighted": None, "by votes": n_votes}.items():
    model = SoftmaxRegressionClassifier().fit(X, fractions, sample_weight=weight)
    excess = cross_entropy(truth_test, model.predict_proba(X_test)) - cross_entropy(
        truth_test, truth_test
    )
    print(f"{name:11} loss above the truth's {excess.mean():.4f} nats")
