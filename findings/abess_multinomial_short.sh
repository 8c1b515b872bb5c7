#!/usr/bin/env bash
# abess 0.4.11, MultinomialRegression with all features and no penalty. Expected: the
# coefficients of maximum likelihood. Seen: by default its inner solver stops after 10
# iterations, up to 28 % short of them, without a word; they are right to three
# digits with primary_model_fit_max_iter=1000.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "abess==0.4.11 scikit-learn==1.9.1 numpy==2.4.6" <<'PYTHON'
import numpy as np
from abess import MultinomialRegression
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 3))
y = (X @ rng.normal(size=(3, 3)) + rng.gumbel(size=(400, 3))).argmax(axis=1)


def contrasts(coef):
    return coef[1:] - coef[0]


exact = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
exact = contrasts(exact.coef_)
errors = []
for settings in ({}, {"primary_model_fit_max_iter": 1000}):
    model = MultinomialRegression(support_size=3, **settings).fit(X, y)
    error = np.abs(contrasts(np.asarray(model.coef_).T) / exact - 1.0).max()
    print(settings or "defaults", f"largest relative error {error:.4f}")
    errors.append(error)
assert errors[0] > 0.1 and errors[1] < 0.01
PYTHON
