"""A model of a formula: design, fit and inference in one line."""

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._utils.missing import refuse_missing
from sksoftmax.inference._effects import marginal_effects
from sksoftmax.inference._formula import FormulaTransformer, as_pandas, parsed
from sksoftmax.inference._predictions import predictions
from sksoftmax.inference._summary import summary


class FormulaModel:
    """A fitted model of a formula, and its data.

    `from_formula` makes it. Its methods are the functions of the same names, with the
    pipeline and the data filled in. Other functions take `*model.arguments`.

    Parameters
    ----------
    formula : str
        The formula.
    pipeline : sklearn.pipeline.Pipeline
        The steps "formula", which makes the design matrix, and "classifier".
    data : pandas.DataFrame
        The data.
    target : str
        The column with the classes.
    sample_weight : array-like of shape (n_samples,) or None
        The weights.

    See Also
    --------
    from_formula : Makes it.
    """

    def __init__(self, formula, pipeline, data, target, sample_weight):
        self.formula, self.pipeline = formula, pipeline
        self.data, self.target, self.sample_weight = data, target, sample_weight

    @property
    def arguments(self):
        """Pipeline, data, targets and weights, as functions of inference take them."""
        return self.pipeline, self.data, self.data[self.target], self.sample_weight

    @property
    def classifier(self):
        """The fitted classifier."""
        return self.pipeline[-1]

    @property
    def design(self):
        """The design matrix, without its constant, as a data frame."""
        return self.pipeline[:-1].transform(self.data)

    def summary(self, **options):
        """The table of coefficients.

        Parameters
        ----------
        **options : dict
            As in `summary`. The default base is the first class, as in R.

        Returns
        -------
        summary : Summary
            The table.
        """
        options.setdefault("base", self._first_class())
        return summary(*self.arguments, **self._resolved(options))

    def marginal_effects(self, **options):
        """How probabilities change with the columns of the data.

        Parameters
        ----------
        **options : dict
            As in `marginal_effects`.

        Returns
        -------
        effects : MarginalEffects
            The effects.
        """
        return marginal_effects(*self.arguments, **self._resolved(options))

    def predictions(self, X_profiles=None, **options):
        """Predicted probabilities with intervals.

        Parameters
        ----------
        X_profiles : data frame, default=None
            Rows to predict, with the columns that the formula names; None stands for
            the data.
        **options : dict
            As in `predictions`.

        Returns
        -------
        predictions : Predictions
            The probabilities.
        """
        pipeline, *data = self.arguments
        return predictions(pipeline, X_profiles, *data, **self._resolved(options))

    def _resolved(self, options):
        """With columns of the data in the place of their names."""
        groups = options.get("groups")
        if isinstance(groups, list) and all(isinstance(name, str) for name in groups):
            columns = [_column_or_values(self.data, g, "groups") for g in groups]
            groups = np.column_stack([np.asarray(c, dtype=object) for c in columns])
        else:
            groups = _column_or_values(self.data, groups, "groups")
        return options if groups is None else {**options, "groups": groups}

    def _first_class(self):
        """The first class: of an ordered column its first level."""
        classes = list(self.classifier.classes_)
        dtype = self.data[self.target].dtype
        levels = getattr(dtype, "categories", ())
        ordered = [level for level in levels if level in classes]
        return (ordered or classes)[0]

    def __repr__(self):
        return f"FormulaModel({self.formula!r}, {len(self.data)} rows)"


def from_formula(
    formula: str,
    data,
    sample_weight=None,
    *,
    estimator=None,
    context: dict | None = None,
) -> FormulaModel:
    """Fit a model that a formula describes, with the factors coded as R codes them.

    Parameters
    ----------
    formula : str
        Target and terms: "y ~ x + C(region) * income". Columns of text are factors, and
        so is what stands in C(). The first level of a factor is its reference.
        Levels that no row has are left out, as by R's glm. A constant is part of the
        model unless the formula has "0 +" or "- 1".
    data : pandas.DataFrame, or a data frame of another package
        The columns that the formula names.
    sample_weight : str or array-like of shape (n_samples,), default=None
        Weights, or the column of data that holds them.
    estimator : SoftmaxRegressionClassifier, default=None
        What to fit. None stands for a fit without a penalty, ``alpha=0``. Whether there
        is an intercept, the formula says.
    context : dict, default=None
        Functions and values that the formula names, besides those of formulaic: np,
        log, exp, poly, bs, scale and others.

    Returns
    -------
    model : FormulaModel
        The fit, with methods for inference.

    Raises
    ------
    ImportError
        If formulaic is not installed.
    ValueError, TypeError
        If the formula cannot be read, names a column that data does not have, or one
        with missing values.

    See Also
    --------
    summary, marginal_effects, predictions : What its methods are.

    References
    ----------
    Wilkinson and Rogers (1973), Symbolic description of factorial models for analysis
    of variance, Applied Statistics 22:392. Wardrop, formulaic,
    https://matthewwardrop.github.io/formulaic.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax.inference import from_formula
    >>> iris = load_iris(as_frame=True).frame.rename(columns={"sepal width (cm)": "w"})
    >>> model = from_formula("target ~ w + I(w ** 2)", iris)
    >>> model.marginal_effects(at="mean").effect.round(3)
    array([[ 0.918],
           [-0.833],
           [-0.085]])
    """
    frame = as_pandas(data, "data")
    target, _ = parsed(formula, frame)
    if target is None:
        raise ValueError(
            f"formula={formula!r} has no target; write 'y ~ ...' with a column of data."
        )
    refuse_missing(f"data, column {target!r},", frame[target])
    sample_weight = _column_or_values(frame, sample_weight, "sample_weight")
    transformer = FormulaTransformer(formula, context)
    design = transformer.fit_transform(frame)
    if target in transformer.variables_:
        raise ValueError(
            f"formula={formula!r} names its target {target!r} on the right side too."
        )
    if estimator is None:
        estimator = SoftmaxRegressionClassifier(alpha=0)
    classifier = clone(estimator).set_params(fit_intercept=transformer.has_constant_)
    classifier.fit(design, frame[target], sample_weight=sample_weight)
    pipeline = Pipeline([("formula", transformer), ("classifier", classifier)])
    return FormulaModel(formula, pipeline, frame, target, sample_weight)


def _column_or_values(frame, given, parameter):
    """A column of the data, if a parameter gives its name; else what it gives."""
    if not isinstance(given, str):
        return given
    if given not in frame.columns:
        raise ValueError(
            f"{parameter}={given!r} is no column of data; columns are"
            f" {list(frame.columns)}."
        )
    return frame[given].to_numpy()
