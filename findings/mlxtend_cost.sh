#!/usr/bin/env bash
# mlxtend 0.24.0, SoftmaxRegression. Expected: cost_ is the function whose gradient the
# steps follow. Seen: the steps follow the gradient of sum_i d_i + l2/2 ||w||^2, and cost_
# is (mean_i d_i + l2 ||w||^2) / 2. Where training has converged the cost still falls.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "mlxtend==0.24.0 numpy==2.4.6 scikit-learn==1.9.1" <<'PYTHON'
import numpy as np
from mlxtend.classifier import SoftmaxRegression

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = (X + rng.gumbel(size=(60, 3))).argmax(axis=1)
l2, eta = 1.0, 0.01
model = SoftmaxRegression(eta=eta, epochs=3000, l2=l2, minibatches=1, random_seed=1)
model.fit(X, y)
Z = X @ model.w_ + model.b_
log_P = Z - np.logaddexp.reduce(Z, axis=1, keepdims=True)
mean_loss = -log_P[np.arange(60), y].mean()
grad = X.T @ (np.exp(log_P) - np.eye(3)[y])
descended = np.abs(grad + l2 * model.w_).max()
reported = np.abs(grad / 60 + 2 * l2 * model.w_).max()
print(f"gradient of the sum of losses + l2/2 ||w||^2 at the end: {descended:.1e}")
print(f"gradient of twice the reported cost there: {reported:.2f}")
cost = (mean_loss + l2 * np.square(model.w_).sum()) / 2
print(f"cost_[-1] {model.cost_[-1]:.6f}, (mean loss + l2 ||w||^2) / 2 {cost:.6f}")
assert descended < 1e-6 and reported > 0.5 and abs(cost - model.cost_[-1]) < 1e-6
PYTHON
