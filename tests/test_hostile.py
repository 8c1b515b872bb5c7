"""Hostile input: each case ends in the right result, or in an error that names it.

The tables are in `hostile_parameters` and `hostile_data`. What is accepted must act as
the same numbers in plain form do; what is refused must be a ValueError or TypeError
with the name of the argument, and leave everything as it was. A RuntimeWarning is an
error, and so is a case of more than some seconds.
"""

import signal
import warnings
from copy import deepcopy
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pytest
from effort import LONG
from hostile_data import (
    BAD_SOFT_Y,
    BAD_WEIGHTS,
    BAD_X,
    BAD_Y,
    GOOD_SOFT_Y,
    GOOD_WEIGHTS,
    GOOD_X,
    GOOD_Y,
    X,
    Y,
    s,
    y,
)
from hostile_parameters import ODD_VALUES, PARAMETERS, PARAMETERS_CV, Refused
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from test_bad_input import same

from sksoftmax import (
    SoftmaxRegressionClassifier,
    SoftmaxRegressionClassifierCV,
    cross_entropy,
    hardmax,
    log_softmax,
    softmax,
)
from sksoftmax.inference import (
    likelihood_ratio_test,
    marginal_effects,
    summary,
    wald_test,
)
from sksoftmax.optimizers import SGD, Adam, minimize

SECONDS = 20
FEWEST_CASES = 500
KINDS = ["linear", "hidden", "sparse", "chosen"]
STEP = 1 if LONG else 5  # of five cases one, spread over all tables


def model_of(kind):
    """An estimator that is quick to fit."""
    if kind == "chosen":
        return SoftmaxRegressionClassifierCV(alphas=[0.1], cv=2)
    settings = {
        "linear": {},
        "sparse": {"alpha": 0.01, "l1_ratio": 0.5},
        # Without intercepts, dense and sparse X are standardised alike.
        "hidden": {"hidden_layer_sizes": (3,), "max_iter": 2, "fit_intercept": False},
    }[kind]
    return SoftmaxRegressionClassifier(random_state=0, **settings)


@cache
def fitted(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model_of(kind).fit(X, y)


@cache
def without_penalty():
    model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    return model, summary(model, X, y)


class Case(NamedTuple):
    """One call with one odd argument, and the same with what it means."""

    argument: str  # what an error must name
    call: object  # (model, value) -> arrays
    odd: object  # () -> value
    plain: object  # () -> value; None if the odd one is to be refused
    model: object = None  # () -> the estimator that must not change


def predictions(model):
    return model.predict_proba(X)


def always(value):
    """A function without arguments."""
    return lambda: value


def without_model(function):
    """A call of a function of the value alone."""
    return lambda _, value: function(value)


def table(name, call, good, bad, plain, model=None):
    """Cases of forms of an array: {id: Case}."""
    cases = {}
    for forms, meant in ((good, always(plain)), (bad, None)):
        for form, make in forms.items():
            key = f"{name[0]} {name[1]} {'as' if meant else 'not'} {form}"
            cases[key] = Case(name[1], call, partial(make, plain), meant, model)
    return cases


def fits(kind, argument):
    """A call that fits with one argument replaced."""

    def call(model, value):
        data = {"X": X, "y": y, argument: value}
        model = model_of(kind) if model is None else model
        return predictions(model.fit(**data))

    return call


def data_cases():
    cases = {}
    for kind in KINDS:
        model = partial(fitted, kind)
        fit = f"{kind} fit"
        cases |= table((fit, "X"), fits(kind, "X"), GOOD_X, BAD_X, X, model)
        cases |= table((fit, "y"), fits(kind, "y"), GOOD_Y, BAD_Y, y, model)
        cases |= table((fit, "soft y"), fits(kind, "y"), GOOD_SOFT_Y, BAD_SOFT_Y, Y)
        name = (fit, "sample_weight")
        call = fits(kind, "sample_weight")
        cases |= table(name, call, GOOD_WEIGHTS, BAD_WEIGHTS, s, model)
    cases |= method_cases() | validation_cases() | partial_fit_cases()
    return cases


def method_cases():
    def predicts(method):
        return lambda model, X: getattr(model, method)(X)

    def scores(model, X):
        return model.score(X, y)

    def scores_with_weights(model, s):
        return model.score(X, y, sample_weight=s)

    cases = {}
    rows = ("fewer rows", "more rows")
    bad = {form: make for form, make in BAD_X.items() if form not in rows}
    for kind in [kind for kind in KINDS if kind != "sparse"]:
        model = partial(fitted, kind)
        for method in ("predict_proba", "predict_log_proba", "decision_function"):
            name = (f"{kind} {method}", "X")
            cases |= table(name, predicts(method), GOOD_X, bad, X, model)
        cases |= table((f"{kind} score", "X"), scores, GOOD_X, BAD_X, X, model)
        name = (f"{kind} score", "sample_weight")
        call = scores_with_weights
        cases |= table(name, call, GOOD_WEIGHTS, BAD_WEIGHTS, s, model)
    return cases


def validation_cases():
    def call(argument):
        def fit(_, value):
            data = {"X_val": X, "y_val": y, argument: value}
            return model_of("hidden").fit(X, y, **data).validation_loss_curve_

        return fit

    good_y = {form: GOOD_Y[form] for form in ("list", "i1", "f4", "Series", "polars")}
    name = "sample_weight_val"
    return (
        table(("validate", "X_val"), call("X_val"), GOOD_X, BAD_X, X)
        | table(("validate", "y_val"), call("y_val"), good_y, BAD_Y, y)
        | table(("validate", name), call(name), GOOD_WEIGHTS, BAD_WEIGHTS, s)
    )


def partial_fit_cases():
    def call(argument):
        def partial_fit(_, value):
            data = {"X": X, "y": y, argument: value}
            model = SoftmaxRegressionClassifier(random_state=0)
            return predictions(model.partial_fit(**data, classes=[0, 1, 2]))

        return partial_fit

    name = "sample_weight"
    bad_y = {form: make for form, make in BAD_Y.items() if form != "number"}
    return (
        table(("partial_fit", "X"), call("X"), GOOD_X, BAD_X, X)
        | table(("partial_fit", "y"), call("y"), {}, bad_y, y)
        | table(("partial_fit", name), call(name), GOOD_WEIGHTS, BAD_WEIGHTS, s)
    )


def parameter_cases():
    cases = {}
    for make, parameters in (
        (SoftmaxRegressionClassifier, PARAMETERS),
        (SoftmaxRegressionClassifierCV, PARAMETERS_CV),
    ):
        for name, (rule, settings) in parameters.items():

            def call(_, value, make=make, name=name, settings=settings):
                return predictions(make(**settings | {name: value}).fit(X, y))

            for label, value in ODD_VALUES.items():
                if name == "scoring" and callable(value):
                    continue  # whose own error it is
                if name == "random_state" and value is None:
                    continue  # no two fits are the same
                try:
                    plain = always(rule(value))
                except Refused:
                    plain = None
                key = f"{make.__name__} {name}={label}"
                cases[key] = Case(name, call, always(value), plain)
    return cases


def function_cases():
    cases = {}
    shapes = ("range", "1-d", "3-d", "4-d", "no rows", "series", "index")
    shapes += ("fewer rows", "more rows", "-inf", "polars series", "arrow array")
    shapes += ("frame of mixed names",)
    bad = {form: make for form, make in BAD_X.items() if form not in shapes}
    finite = ("inf", "longdouble beyond float64")
    good = {
        k: make for k, make in GOOD_X.items() if type(make(X)).__module__[:5] != "scipy"
    }
    for function in (softmax, log_softmax, hardmax):
        call = without_model(function)
        refused = {
            k: v for k, v in bad.items() if k not in finite or function != hardmax
        }
        cases |= table((function.__name__, "Z"), call, good, refused, X)
    bad = {form: make for form, make in BAD_X.items() if form != "frame of mixed names"}
    cases |= table(
        ("cross_entropy", "Y"), lambda _, Z: cross_entropy(Z, X), good, bad, X
    )
    cases |= table(
        ("cross_entropy", "P"), lambda _, Z: cross_entropy(X, Z), good, bad, X
    )
    return cases


def bowl(w):
    return (w * w).sum(axis=0)


def odd_cases(name, call, accepts):
    """Cases of all odd values, of which some are accepted as themselves."""
    cases = {}
    for label, value in ODD_VALUES.items():
        if name[1] == "n_steps" and label in ("2**70", "10**400"):
            continue  # which takes its time
        odd = always(value)
        meant = odd if label in accepts else None
        cases[f"{name[0]} {name[1]}={label}"] = Case(name[1], call, odd, meant)
    return cases


SHARES = {"0", "0.5", "5e-324", "float16", "longdouble", "big-endian"}
NUMBERS = SHARES | {"True", "1", "1.0", "2", "2**70", "1e300", "int64", "uint8"}


def optimizer_cases():
    cases = {}
    for make, names in ((SGD, ("momentum",)), (Adam, ("beta_1", "beta_2", "epsilon"))):
        for name in ("learning_rate", *names):

            def call(_, value, make=make, name=name):
                optimizer = make(**{"learning_rate": 0.1} | {name: value})
                with np.errstate(all="ignore"):
                    return minimize(bowl, [1.0, 2.0], optimizer, 1, lambda w: 2 * w)

            accepts = NUMBERS if name in ("learning_rate", "epsilon") else SHARES
            cases |= odd_cases((make.__name__, name), call, accepts)
    arguments = {"optimizer": SGD(0.1), "n_steps": 2, "grad": lambda w: 2 * w}
    for name, accepts in (
        ("fun", {"class", "function"}),
        ("optimizer", set()),
        ("n_steps", {"True", "0", "1", "2", "int64", "uint8"}),
    ):

        def call(_, value, name=name):
            return minimize(**{"fun": bowl, "w0": [1.0], **arguments} | {name: value})

        cases |= odd_cases(("minimize", name), call, accepts)
    return cases


def inference_cases():
    cases = {}
    levels = SHARES - {"0"} | {"Fraction"}
    labels = {"None", "True", "0", "1", "1.0", "2", "int64", "uint8", "np.True_"}
    for function, names in (
        (summary, ("base", "cov_type", "groups", "weights", "interval")),
        (
            marginal_effects,
            (
                *("at", "discrete", "by", "contrasts", "elasticity"),
                *("groups_of_columns", "cov_type", "groups", "weights"),
            ),
        ),
    ):
        for name in (*names, "confidence_level"):

            def call(_, value, function=function, name=name):
                model = without_penalty()[0]
                return function(model, X, y, **{name: value}).se

            accepts = {
                "base": labels,
                "groups": {"None"},
                "discrete": {"empty list"},
                "by": {"None"},
                "contrasts": {"None"},
                "elasticity": {"True"},
                "groups_of_columns": {"None"},
                "weights": {"None"},
                "confidence_level": levels,
            }
            key = (function.__name__, name)
            cases |= odd_cases(key, call, accepts.get(name, set()))
        call = without_model(partial(function, X=X, y=y))
        cases |= odd_cases((function.__name__, "model"), call, set())

    def full():
        return without_penalty()[1]

    for name, call in {
        "summary": lambda _, value: wald_test(value, "x0"),
        "hypothesis": lambda _, value: wald_test(full(), value),
        "restricted": lambda _, value: likelihood_ratio_test(value, full()),
        "full": lambda _, value: likelihood_ratio_test(full(), value),
    }.items():
        cases |= odd_cases(("tests", name), call, set())
    return cases


ALL_CASES = (
    data_cases()
    | parameter_cases()
    | function_cases()
    | optimizer_cases()
    | inference_cases()
)
CASES = dict(list(ALL_CASES.items())[::STEP])


def arrays_of(value):
    return np.asarray(value, dtype=float)


def in_time(call, *arguments):
    """The result of a call; a TimeoutError where it takes too long."""

    def stop(*_):
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return call(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs alarms")
@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
    "ignore:X (has|does not have valid) feature names",
    "ignore:batch_size=",
    "ignore:The least populated class",
    "ignore:Determining the data types of a LazyFrame",  # polars 1.0
)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_odd_input_is_understood_or_refused_by_name(case):
    model = None if case.model is None else deepcopy(case.model())
    before = deepcopy(vars(model)) if model is not None else None
    if case.plain is None:
        with pytest.raises((ValueError, TypeError)) as caught:
            in_time(case.call, model, case.odd())
        assert case.argument.split()[-1] in str(caught.value)
        assert model is None or same(vars(model), before)
        return
    found = arrays_of(in_time(case.call, model, case.odd()))
    expected = arrays_of(in_time(case.call, deepcopy(model), case.plain()))
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_cases_are_counted(record_testsuite_property, capsys):
    n_refused = sum(case.plain is None for case in CASES.values())
    with capsys.disabled():
        print(f"\n{len(CASES)} hostile cases, {n_refused} to be refused")
    record_testsuite_property("hostile cases", len(CASES))
    assert len(CASES) >= FEWEST_CASES
    assert 0.3 < n_refused / len(CASES) < 0.9
