#!/usr/bin/env bash
# river 0.26.1, SoftmaxRegression. Expected: an intercept, as LogisticRegression of the same
# package has, so that the class shares are learnt where the features are zero. Seen: there
# is none, and such rows have equal probabilities however rare a class is.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "river==0.26.1" <<'PYTHON'
from river import linear_model

softmax, logistic = linear_model.SoftmaxRegression(), linear_model.LogisticRegression()
for i in range(2000):
    x, y = {"a": 0.0}, i % 10 == 0  # nine of ten rows are of the class False
    softmax.learn_one(x, y)
    logistic.learn_one(x, y)
for model in (softmax, logistic):
    P = model.predict_proba_one({"a": 0.0})
    print(type(model).__name__, {label: round(p, 3) for label, p in P.items()})
assert softmax.predict_proba_one({"a": 0.0}) == {False: 0.5, True: 0.5}
assert logistic.predict_proba_one({"a": 0.0})[False] > 0.85
PYTHON
