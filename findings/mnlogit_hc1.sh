#!/usr/bin/env bash
# statsmodels 0.15.0, MNLogit. Expected: cov_type="HC1" multiplies the covariance of "HC0"
# by n / (n - k), as in OLS of the same package and in R's sandwich, and "HC2" and "HC3"
# use leverages or are refused. Seen: all four are equal.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "statsmodels==0.15.0 numpy==2.4.6 pandas" <<'PYTHON'
import numpy as np
import statsmodels.api as sm

rng = np.random.default_rng(0)
X = sm.add_constant(rng.normal(size=(60, 2)))
y = (X + rng.gumbel(size=(60, 3))).argmax(axis=1)


def errors(model, cov_type, **options):
    return np.ravel(model.fit(cov_type=cov_type, **options).bse)


logit, linear = sm.MNLogit(y, X), sm.OLS(y, X)
for kind in ("HC1", "HC2", "HC3"):
    ratio = errors(logit, kind, disp=False) / errors(logit, "HC0", disp=False)
    linear_ratio = errors(linear, kind) / errors(linear, "HC0")
    print(f"{kind} / HC0: MNLogit {ratio.max():.6f}, OLS {linear_ratio.max():.6f}")
    assert np.allclose(ratio, 1.0, rtol=1e-12) and linear_ratio.min() > 1.01
PYTHON
