"""Bad input of effects, predictions and formulas: the error names it."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inference import from_formula, marginal_effects, predictions

WINE = load_wine(as_frame=True)
X = WINE.data[["ash", "magnesium", "hue"]].assign(
    old=WINE.data["alcohol"] > 13, new=WINE.data["alcohol"] <= 12.3
)
X = X.astype(float)
Y = WINE.target
N = len(Y)


@pytest.fixture(scope="module")
def model():
    return SoftmaxRegressionClassifier(alpha=0.01).fit(X, Y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"at": {"hues": 1}}, r"at names the column 'hues', .*columns are 'ash', "),
        ({"at": {"hue": "a"}}, r"at\['hue'\] must be finite numbers, got 'a'"),
        ({"at": {"hue": [1, np.nan]}}, r"at\['hue'\] must be finite .* got nan"),
        ({"at": {"hue": []}}, "at must hold at least one value"),
        ({"at": pd.DataFrame({"color": [1.0]})}, "at names the column 'color'"),
        ({"at": {"ash": range(200), "hue": range(200)}}, "make 40000 combinations"),
        ({"by": "color"}, "by names the column 'color', which X has not"),
        ({"by": ["hue", "color"]}, "by names the column 'color'"),
        ({"by": np.zeros(N - 1)}, "one entry for each of the 178 samples.*got 177"),
        ({"by": np.zeros((N, 2))}, r"one entry for .* got ndarray of shape \(178, 2\)"),
        ({"by": [[1], [2, 3]]}, "by: .*inhomogeneous"),
        ({"by": np.r_[np.nan, np.ones(N - 1)]}, "by contains NaN in row 0"),
        ({"by": [None, *"a" * (N - 1)]}, "by contains None in row 0"),
        ({"contrasts": "all"}, r"contrasts must be one of \('reference'"),
        ({"contrasts": "pairwise"}, "compares cells, and there is only one"),
        ({"contrasts": [[1, 2]]}, r"with 1 columns, .* got shape \(1, 2\)"),
    ],
)
def test_bad_cells_are_named(model, parameters, message):
    with pytest.raises(ValueError, match=message):
        marginal_effects(model, X, Y, **parameters)
    with pytest.raises(ValueError, match=message):
        predictions(model, None, X, Y, average=True, **parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"discrete": "yes"}, "discrete must be 'auto', False, a list .* got 'yes'"),
        ({"discrete": True}, "discrete must be 'auto', False, a list .* got True"),
        ({"discrete": None}, "discrete must be 'auto', False, a list .* got None"),
        ({"discrete": [["hue"], ["hue", 1]]}, r"discrete names .* \['hue'\]"),
        ({"discrete": ["hues"]}, "discrete names the column 'hues'"),
        ({"discrete": {"hue": 0}}, r"discrete\['hue'\] must be 'unit', .* got 0"),
        ({"discrete": {"hue": (1, 1)}}, r"a pair of two values, got \(1, 1\)"),
        ({"discrete": {"hue": "iqr"}}, "got 'iqr'"),
        ({"elasticity": "xx"}, "elasticity must be True, False, .* got 'xx'"),
        (
            {"groups_of_columns": {"age": ["old", "hues"]}},
            r"groups_of_columns\['age'\] names the column 'hues'",
        ),
        ({"groups_of_columns": {"age": ["old", "hue"]}}, "'hue' has other values"),
        ({"groups_of_columns": {"age": ["old"]}}, "two columns or more"),
        ({"groups_of_columns": {"hue": ["old", "new"]}}, "another name than 'hue'"),
        (
            {"groups_of_columns": {"a": ["old", "new"], "b": ["new", "old"]}},
            "each in one group only",
        ),
    ],
)
def test_bad_changes_are_named(model, parameters, message):
    with pytest.raises(ValueError, match=message):
        marginal_effects(model, X, Y, **parameters)


def test_dummies_that_a_row_has_two_of_are_no_factor(model):
    both = X.assign(new=X["old"])
    other = SoftmaxRegressionClassifier(alpha=0.01).fit(both, Y)
    with pytest.raises(ValueError, match=r"which a row has one at most; row \d+ has 2"):
        marginal_effects(other, both, Y, groups_of_columns={"age": ["old", "new"]})


@pytest.mark.parametrize(
    ("name", "value"), [("at", 3), ("groups_of_columns", ["old", "new"])]
)
def test_what_is_no_dict_is_named(model, name, value):
    with pytest.raises(TypeError, match=f"{name} must be"):
        marginal_effects(model, X, Y, **{name: value})


def test_an_elasticity_of_columns_that_change_by_steps_is_refused(model):
    binary = X[["old"]]
    other = SoftmaxRegressionClassifier(alpha=0.01).fit(binary, Y)
    with pytest.raises(ValueError, match=r"all of \['old'\] change by steps"):
        marginal_effects(other, binary, Y, elasticity=True)


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        (
            X[["ash", "hue"]],
            r"X_profiles lacks the columns \['magnesium', 'old', 'new'",
        ),
        (X.assign(hue=np.nan), "Input X_profiles contains NaN in row 0, column 'hue'"),
    ],
)
def test_bad_profiles_are_named(model, profiles, message):
    with pytest.raises(ValueError, match=message):
        predictions(model, profiles, X, Y)


def test_profiles_of_another_width_are_told_the_columns():
    arrays = X.to_numpy()
    model = SoftmaxRegressionClassifier(alpha=0.01).fit(arrays, Y)
    with pytest.raises(ValueError, match=r"has 3 columns, and X has 5: 'x0', 'x1'"):
        predictions(model, arrays[:, :3], arrays, Y)
    for no_table in (arrays[0], {"ash": 2.0}, X.iloc[0]):
        with pytest.raises(ValueError, match=r"X_profiles must be a table .* got"):
            predictions(model, no_table, arrays, Y)


def test_values_outside_of_what_a_pipeline_is_defined_for_are_named():
    raw = X[["ash", "hue"]]
    model = make_pipeline(FunctionTransformer(np.log), SoftmaxRegressionClassifier())
    model.fit(raw, Y)
    message = r"make NaN or infinity of X with other values of \['ash'\]"
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match=message),
    ):
        marginal_effects(model, raw, Y, discrete={"ash": -5})


def test_effects_of_a_column_that_a_pipeline_fills_are_refused():
    raw = X[["ash", "hue"]].copy()
    raw.loc[7, "ash"] = np.nan
    model = make_pipeline(SimpleImputer(), SoftmaxRegressionClassifier()).fit(raw, Y)
    assert predictions(model, None, raw, Y, average=True).probability.shape == (3, 1)
    with pytest.raises(ValueError, match=r"X, column 'ash', contains NaN in row 7"):
        marginal_effects(model, raw, Y)


@pytest.fixture(scope="module")
def regions():
    """A factor in words, a number, and the classes."""
    names = np.array(["east", "north", "west"])[np.arange(N) % 3]
    return pd.DataFrame({"region": names, "ash": X["ash"], "kind": Y})


def test_levels_that_no_row_has_are_named(regions):
    raw = regions[["region"]]
    model = make_pipeline(OneHotEncoder(), SoftmaxRegressionClassifier(alpha=0.01))
    model.fit(raw, Y)
    message = r"at\['region'\] must be one of \['east', 'north', 'west'\].* got 'south'"
    with pytest.raises(ValueError, match=message):
        marginal_effects(model, raw, Y, at={"region": "south"})
    with pytest.raises(ValueError, match="it is a factor"):
        marginal_effects(model, raw, Y, discrete={"region": 1})
    profile = pd.DataFrame({"region": ["south"]})
    with pytest.raises(ValueError, match="south"):
        predictions(model, profile, raw, Y)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("kind ~ ashes", "names 'ashes', which is no column of data; columns are"),
        ("kind ~ ash + foo(region)", "names 'foo', which is no column of data"),
        ("kinds ~ ash", r"left side of formula='kinds ~ ash' must be one column"),
        ("ash", "has no target; write 'y ~ ...'"),
        ("kind ~ 1", "names no column of data"),
        ("kind ~ ash +", "cannot be read"),
    ],
)
def test_a_formula_that_names_no_column_is_told_the_columns(regions, formula, message):
    with pytest.raises(ValueError, match=message):
        from_formula(formula, regions)


def test_a_formula_that_cannot_be_read_is_told_without_codes_of_a_terminal(regions):
    with pytest.raises(ValueError, match=r"`\+\*` is incorrectly used") as caught:
        from_formula("kind ~ ash +* region", regions)
    assert str(caught.value).isprintable()


def test_missing_values_of_columns_in_a_formula_are_named(regions):
    holes = regions.assign(ash=regions["ash"].where(regions.index != 4))
    with pytest.raises(ValueError, match=r"column 'ash', contains NaN in row 4"):
        from_formula("kind ~ scale(ash)", holes)
    holes = regions.assign(kind=regions["kind"].where(regions.index != 3))
    with pytest.raises(ValueError, match=r"column 'kind', contains NaN in row 3"):
        from_formula("kind ~ region", holes)
    from_formula("ash_is_high ~ region", holes.assign(ash_is_high=X["ash"] > 2))


def test_levels_that_a_formula_has_not_seen_are_named(regions):
    model = from_formula("kind ~ region + ash", regions)
    profile = pd.DataFrame({"region": ["east", "south"], "ash": [2.0, 2.0]})
    with pytest.raises(ValueError, match=r"'region' has the values \['south'\]"):
        model.predictions(profile)
    hole = profile.assign(region=["east", np.nan])
    with pytest.raises(ValueError, match="column 'region' contains NaN in row 1"):
        model.predictions(hole)
    with pytest.raises(ValueError, match=r"X_profiles lacks the columns \['ash'\]"):
        model.predictions(profile[["region"]])


def test_unknown_columns_of_weights_and_groups_are_named(regions):
    with pytest.raises(ValueError, match="sample_weight='school' is no column of data"):
        from_formula("kind ~ ash", regions, "school")
    model = from_formula("kind ~ ash", regions)
    for groups in ("school", ["region", "school"]):
        with pytest.raises(ValueError, match="groups='school' is no column of data"):
            model.summary(cov_type="cluster", groups=groups)


def test_what_is_no_formula_or_frame_is_named(regions):
    with pytest.raises(TypeError, match="formula must be a str"):
        from_formula(3, regions)
    with pytest.raises(TypeError, match=r"data must be a data frame.* got ndarray"):
        from_formula("kind ~ ash", np.zeros((3, 2)))


def test_without_formulaic_the_error_names_the_extra(regions, monkeypatch):
    monkeypatch.setitem(sys.modules, "formulaic", None)
    with pytest.raises(ImportError, match=r"sksoftmax\[formula\]"):
        from_formula("kind ~ ash", regions)
