#!/usr/bin/env bash
# statsmodels 0.15.0, MNLogit. Expected: data whose classes are separated by a feature give
# an error, as those of Logit did, or large coefficients that did not converge. Seen: all
# coefficients and standard errors are nan, and `converged` is True.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "statsmodels==0.15.0 numpy==2.4.6 pandas" <<'PYTHON'
import warnings

import numpy as np
import statsmodels.api as sm

x = np.arange(30.0)
y = (x > 9).astype(int) + (x > 19)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of exp, that it overflows
    result = sm.MNLogit(y, sm.add_constant(x)).fit(disp=False, maxiter=100)
print("converged:", result.mle_retvals["converged"])
print("coefficients:", np.ravel(result.params))
assert result.mle_retvals["converged"]
assert np.isnan(result.params).all() and np.isnan(result.bse).all()
PYTHON
