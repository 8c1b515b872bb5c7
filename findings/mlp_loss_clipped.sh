#!/usr/bin/env bash
# scikit-learn 1.9.1, MLPClassifier. Expected: loss_curve_ has the cross-entropy of the
# network. Seen: probabilities are clipped in the value, so no row counts for more than
# -log(2.2e-16) = 36 nats, while the gradient is that of the loss without clipping.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "scikit-learn==1.9.1 numpy==2.4.6" <<'PYTHON'
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, y = 1e4 * rng.normal(size=(90, 3)), np.arange(90) % 3
# One step so short that it changes nothing: loss_curve_[0] is the loss at coefs_.
model = MLPClassifier(
    (4,), solver="sgd", learning_rate_init=1e-30, max_iter=1, batch_size=90,
    alpha=0, momentum=0, random_state=0,
).fit(X, y)
(W, V), (b, c) = model.coefs_, model.intercepts_
Z = np.maximum(X @ W + b, 0) @ V + c
log_P = Z - np.logaddexp.reduce(Z, axis=1, keepdims=True)
losses = -log_P[np.arange(90), y]
clipped = np.minimum(losses, -np.log(np.finfo(float).eps))
print(f"reported {model.loss_curve_[0]:.4f} nats, mean cross-entropy {losses.mean():.1f}")
print(f"mean of the losses cut at 36.04 nats: {clipped.mean():.4f}")
assert losses.mean() > 1000 and abs(model.loss_curve_[0] - clipped.mean()) < 1e-6
PYTHON
