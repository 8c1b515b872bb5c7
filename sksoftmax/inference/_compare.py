"""Several models side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import combinations

import numpy as np

from sksoftmax._utils.errors import check_choice, optional_package
from sksoftmax.inference._exports import Exports, starred
from sksoftmax.inference._fit_statistics import FitStatistics
from sksoftmax.inference._tables import STYLE, CoefficientTable, as_text

_BELOW = ("se", "z", "p_value", "conf_int")


@dataclass(frozen=True, repr=False)
class Comparison(Exports):
    """Estimates and statistics of fit of several models, a column for each.

    Parameters
    ----------
    summaries : dict of Summary
        The models by name; other tables of estimates have no statistics of fit.
    cells : dict of dict
        By model, and by class and term: the estimate, its standard error, z, p and the
        ends of its interval.
    below : str or None
        What stands below each estimate, as in `compare`.
    notes : list of str
        Where models cannot be compared.
    """

    summaries: dict
    cells: dict
    below: str | None
    notes: list = field(default_factory=list)

    @property
    def rows(self):
        """Pairs of a class, with its base, and a term, in the order of the table."""
        pairs = dict.fromkeys(pair for cells in self.cells.values() for pair in cells)
        titles = list(dict.fromkeys(title for title, _ in pairs))
        return sorted(pairs, key=lambda x: (titles.index(x[0]), x[1] == "intercept"))

    def to_frame(self):
        """The estimates and statistics of fit as a pandas data frame of numbers.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by class and term; below them are the statistics of fit, whose class
            is empty. Columns are the models and, for each, its estimate and error.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with optional_package("pandas", "inference", caller="to_frame"):
            import pandas as pd
        empty, rows, names = (np.nan, np.nan), self.rows, self._statistics
        columns = {}
        for name, cells in self.cells.items():
            numbers = np.array([cells.get(row, empty)[:2] for row in rows])
            known = _statistics(self.summaries[name])
            values = [known.get(statistic, np.nan) for statistic in names]
            columns[name, self._estimate] = [*numbers[:, 0], *values]
            columns[name, "se"] = [*numbers[:, 1], *np.full(len(names), np.nan)]
        lines = [*rows, *(("", statistic) for statistic in names)]
        index = pd.MultiIndex.from_tuples(lines, names=["class", "term"])
        return pd.DataFrame(columns, index=index)

    @property
    def _estimate(self):
        """What the estimates are."""
        return next(iter(self.summaries.values()))._shown()[0]

    @property
    def _statistics(self):
        """Names of the statistics of fit."""
        known = (_statistics(summary) for summary in self.summaries.values())
        return list(dict.fromkeys(name for values in known for name in values))

    def _lines(self, stars, decimals):
        """The table as lists of strings: class, term, and a text for each model."""
        lines, last = [], None
        for title, term in self.rows:
            cells = [found.get((title, term)) for found in self.cells.values()]
            head = title if title != last else ""
            last = title
            texts = [
                "" if x is None else starred(as_text(x[0], decimals), x[3], stars)
                for x in cells
            ]
            lines.append([head, term, *texts])
            if self.below is not None:
                lines.append(["", "", *(self._below(cell, decimals) for cell in cells)])
        known = [_statistics(summary) for summary in self.summaries.values()]
        for name in self._statistics:
            values = (values.get(name, np.nan) for values in known)
            lines.append(["", name, *(_statistic(name, x, decimals) for x in values)])
        return lines

    def _below(self, cell, decimals):
        if cell is None:
            return ""
        _, se, z, p, low, high = cell
        if self.below == "conf_int":
            return f"[{as_text(low, decimals)}, {as_text(high, decimals)}]"
        return f"({as_text({'se': se, 'z': z, 'p_value': p}[self.below], decimals)})"

    def _texts(self, stars, decimals):
        import pandas as pd

        heads = ["class", "term", *self.summaries]
        return pd.DataFrame(self._lines(stars, decimals), columns=heads), 2

    def __str__(self):
        """The table in plain text."""
        lines = [["", "", *self.summaries], *self._lines((), 4)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rule, first_statistic = "=" * (sum(widths) + 2 * len(widths)), len(lines)
        first_statistic -= len(self._statistics)
        texts = []
        for number, (title, term, *cells) in enumerate(lines):
            texts += [rule] * (number in (0, 1, first_statistic))
            labels = f"{title:<{widths[0]}}  {term:<{widths[1]}}"
            pairs = zip(cells, widths[2:], strict=True)
            texts.append(labels + "".join(f"  {x:>{width}}" for x, width in pairs))
        return "\n".join([*(text.rstrip() for text in texts), rule, *self.notes])

    __repr__ = __str__

    def _repr_html_(self):
        """The table as HTML; names are escaped."""
        heads = "<th></th><th></th>" + "".join(
            f'<th scope="col">{escape(name)}</th>' for name in self.summaries
        )
        body = ""
        for title, term, *cells in self._lines((), 4):
            labels = f'<th scope="row">{escape(title)}</th>'
            labels += f'<th scope="row">{escape(term)}</th>'
            texts = "".join(f"<td>{escape(text)}</td>" for text in cells)
            body += f"<tr>{labels}{texts}</tr>"
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
        div = '<div class="sksoftmax-table">'
        return f"{STYLE}{div}<table>{table}</table>{notes}</div>"


def compare(models, *, names=None, below="se") -> Comparison:
    """Several models side by side, for one table of a paper.

    Parameters
    ----------
    models : list of Summary or dict of Summary
        Results of `summary`, or these by name. Other tables of estimates are taken too,
        such as those of `marginal_effects`, if all are of one kind.
    names : list of str, default=None
        Names of the models, if they are a list. None numbers them.
    below : {"se", "z", "p_value", "conf_int", None}, default="se"
        What stands below each estimate.

    Returns
    -------
    comparison : Comparison
        To print, or to write with `to_latex`, `to_markdown`, `to_html` or `to_frame`.

    Raises
    ------
    ValueError, TypeError
        If there is no model, a model is no table of estimates, names are too few or not
        different, or models show different things, such as ratios and coefficients.

    See Also
    --------
    likelihood_ratio_test : Tests a model against a larger one.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import compare, summary
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[50:, :2], y[50:]
    >>> model = SoftmaxRegressionClassifier(alpha=0)
    >>> small = summary(model.fit(X[:, :1], y), X[:, :1], y, base=1)
    >>> large = summary(model.fit(X, y), X, y, base=1)
    >>> print(compare([small, large], names=["length", "both"]))
    ===================================================
                                     length      both
    ===================================================
    2 (against 1)  x0                2.0129    1.9024
                                   (0.4654)  (0.5169)
                   x1                          0.4047
                                             (0.8628)
                   intercept       -12.5708  -13.0460
                                   (2.9069)  (3.0974)
    ===================================================
                   Observations         100       100
                   Coefficients           2         3
                   Log-likelihood  -55.2733  -55.1629
                   McFadden R2       0.2026    0.2042
                   AIC             114.5465  116.3257
                   BIC             119.7569  124.1412
    ===================================================
    """
    if below is not None:
        check_choice("below", below, _BELOW)
    if isinstance(models, Mapping):
        names, models = list(map(str, models)), list(models.values())
    models = list(models) if isinstance(models, list | tuple) else [models]
    if not models:
        raise ValueError("models must hold at least one result of summary.")
    for number, summary in enumerate(models):
        if not isinstance(summary, CoefficientTable):
            raise TypeError(
                f"models[{number}] must be a result of summary, got"
                f" {type(summary).__name__}."
            )
    if names is None:
        names = [f"({number})" for number in range(1, len(models) + 1)]
    names = list(map(str, names))
    if len(names) != len(models) or len(set(names)) < len(names):
        raise ValueError(
            f"names must be {len(models)} different names, one for each model; got"
            f" {names}."
        )
    shown = sorted({summary._shown()[0] for summary in models})
    if len(shown) > 1:
        raise ValueError(
            f"models must all show the same, got {shown}: pass the same exponentiate to"
            " each summary, and compare tables of one kind."
        )
    summaries = dict(zip(names, models, strict=True))
    cells = {name: _cells(summary) for name, summary in summaries.items()}
    return Comparison(summaries, cells, below, _notes(summaries))


def _cells(summary):
    """The numbers of a summary by class and term."""
    numbers = summary._numbers()
    return {
        (summary._row_title(row), term): numbers[row, column]
        for row in range(len(summary.classes))
        for column, term in enumerate(summary.terms)
    }


def _notes(summaries):
    notes = []
    summaries = {k: x for k, x in summaries.items() if isinstance(x, FitStatistics)}
    for (one, a), (other, b) in combinations(summaries.items(), 2):
        difference = a.observations.difference(b.observations)
        if difference:
            notes.append(
                f"{one} and {other} do not have the same observations ({difference}):"
                " their log-likelihoods, AIC and BIC cannot be compared."
            )
    for name, summary in summaries.items():
        if summary.not_valid:
            notes.append(
                f"{name} has {summary.not_valid}: there are no valid AIC and BIC."
            )
    return notes


def _statistics(summary):
    """Statistics of fit by name, nan where they are not valid; or none."""
    if not isinstance(summary, FitStatistics):
        return {}
    valid = not summary.not_valid
    return {
        "Observations": summary.n,
        "Coefficients": summary.df,
        "Log-likelihood": summary.loglik,
        "McFadden R2": summary.pseudo_r2["McFadden"],
        "AIC": summary.aic if valid else np.nan,
        "BIC": summary.bic if valid else np.nan,
    }


def _statistic(name, value, decimals):
    if np.isnan(value):
        return ""
    if name in ("Observations", "Coefficients"):
        return f"{value:g}"
    return f"{value:.{decimals}f}"
