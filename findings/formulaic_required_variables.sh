#!/usr/bin/env bash
# formulaic 1.2.2, Formula.required_variables. Expected: the columns that the data must
# have, as for "y ~ log(x)", which gives x and y. Seen: what stands inside of a stateful
# transform (scale, center, poly, bs) is left out until the formula was evaluated, though
# an evaluation without that column fails.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "formulaic==1.2.2 pandas" <<'PYTHON'
import pandas as pd
from formulaic import Formula
from formulaic.errors import FactorEvaluationError

data = pd.DataFrame({"x": [1.0, 2.0, 4.0, 7.0, 11.0]})
for text in ("log(x)", "scale(x)", "center(x)", "poly(x, 2)", "bs(x, df=4)"):
    formula = Formula(text)
    before = sorted(map(str, formula.required_variables))
    spec = formula.get_model_matrix(data).model_spec
    after = sorted(map(str, spec.required_variables))
    print(f"{text}: before {before}, after {after}")
    assert after == ["x"] and (before == ["x"]) == (text == "log(x)")
    try:
        formula.get_model_matrix(data.rename(columns={"x": "z"}))
    except FactorEvaluationError:
        continue
    raise AssertionError("evaluated without x")
PYTHON
