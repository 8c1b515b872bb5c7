#!/usr/bin/env bash
# statsmodels 0.15.0, results of MNLogit. Expected: summary_col puts two models side by
# side, influence has residuals and leverage, and margins of a dummy are discrete changes,
# as for Logit. Seen: each raises an error about shapes or a missing attribute.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "statsmodels==0.15.0 numpy==2.4.6 pandas" <<'PYTHON'
import numpy as np
import statsmodels.api as sm
from statsmodels.iolib.summary2 import summary_col

rng = np.random.default_rng(0)
X = sm.add_constant(np.column_stack([rng.normal(size=90), rng.random(90) < 0.5]))
y = (X @ rng.normal(size=(3, 4)) + rng.gumbel(size=(90, 4))).argmax(axis=1)
logit = sm.Logit(y > 1, X).fit(disp=False)
mnlogit = sm.MNLogit(y, X).fit(disp=False)
tasks = {
    "summary_col": lambda fit: summary_col([fit, fit]),
    "influence": lambda fit: fit.get_influence().summary_frame(),
    "margins of a dummy": lambda fit: fit.get_margeff(dummy=True),
}
for name, task in tasks.items():
    task(logit)
    try:
        task(mnlogit)
    except (ValueError, AttributeError) as error:
        print(f"{name}: Logit works, MNLogit {type(error).__name__}: {error}")
    else:
        raise AssertionError(f"{name} works for MNLogit")
PYTHON
