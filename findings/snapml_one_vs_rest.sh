#!/usr/bin/env bash
# snapml 1.17.2, LogisticRegression of three classes. Expected: the softmax model, as in
# scikit-learn. Seen: one model for each class against the others; probabilities are
# their sigmoids, divided by their sum.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "snapml==1.17.2 scikit-learn==1.9.1 numpy==2.4.6" <<'PYTHON'
import numpy as np
from scipy.special import expit, softmax
from snapml import LogisticRegression

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 3))
y = (X @ rng.normal(size=(3, 3)) + rng.gumbel(size=(400, 3))).argmax(axis=1)
model = LogisticRegression(fit_intercept=True, max_iter=1000, tol=1e-9).fit(X, y)
Z = X @ np.asarray(model.coef_).T + np.asarray(model.intercept_).ravel()
P = model.predict_proba(X)
sigmoids = expit(Z) / expit(Z).sum(axis=1, keepdims=True)
print("distance from sigmoids over their sum:", np.abs(P - sigmoids).max())
print("distance from the softmax:", np.abs(P - softmax(Z, axis=1)).max())
assert np.abs(P - sigmoids).max() < 1e-6
assert np.abs(P - softmax(Z, axis=1)).max() > 0.01
PYTHON
