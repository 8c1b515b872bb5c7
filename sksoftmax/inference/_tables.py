"""Tables of estimates: arrays, data frame, text and HTML of the same numbers."""

from dataclasses import dataclass
from html import escape
from numbers import Real

import numpy as np
from scipy.special import ndtr, ndtri


@dataclass(frozen=True, repr=False)
class CoefficientTable:
    """Estimates by class and term, with what Wald's theory says of them."""

    classes: np.ndarray
    terms: list
    se: np.ndarray
    z: np.ndarray
    p_value: np.ndarray
    conf_int: np.ndarray
    confidence_level: float
    notes: list

    def to_frame(self):
        """The table as a pandas data frame, one row for each class and term.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by class and term.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas: pip install 'sksoftmax[inference]'. The arrays"
                " are attributes, and print shows them."
            ) from error
        index = pd.MultiIndex.from_product(
            [self.classes.tolist(), self.terms], names=["class", "term"]
        )
        columns = {
            self._estimate: self.estimate,
            "se": self.se,
            "z": self.z,
            "p_value": self.p_value,
            "ci_low": self.conf_int[..., 0],
            "ci_high": self.conf_int[..., 1],
        }
        return pd.DataFrame(
            {name: values.ravel() for name, values in columns.items()}, index=index
        )

    def __str__(self):
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self):
        return as_html(self)

    def _heads(self):
        """Heads of the columns of numbers."""
        level = f"{100 * self.confidence_level:g}%"
        return [
            self._estimate,
            "std err",
            "z",
            "P>|z|",
            f"{level} low",
            f"{level} high",
        ]

    def _cells(self, row):
        """The texts of the numbers of one class, a list for each term."""
        table = zip(
            self.estimate[row],
            self.se[row],
            self.z[row],
            self.p_value[row],
            *self.conf_int[row].T,
            strict=True,
        )
        return [
            [_number(b), _number(se), f"{z:.3f}", _p_value(p), _number(lo), _number(hi)]
            for b, se, z, p, lo, hi in table
        ]


def wald_columns(estimate, se, confidence_level):
    """What follows from estimates and standard errors: z, p_value and conf_int."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = estimate / se
    margin = ndtri(0.5 + confidence_level / 2.0) * se
    return {
        "z": z,
        "p_value": 2.0 * ndtr(-np.abs(z)),
        "conf_int": np.stack([estimate - margin, estimate + margin], axis=-1),
    }


def check_level(confidence_level):
    """It as a float; whether it is a number between 0 and 1."""
    if not (isinstance(confidence_level, Real) and 0 < confidence_level < 1):
        raise ValueError(
            f"confidence_level must be in (0, 1), got {confidence_level!r}."
        )
    return float(confidence_level)


def notes_of(problem, cov_type):
    """Sentences on what limits the use of the standard errors."""
    notes = []
    if problem.alpha > 0:
        notes.append(
            f"Estimates are penalised (alpha={problem.alpha:g}): they are shrunk"
            " towards zero, standard errors come from the curvature of the penalised"
            " likelihood, and intervals and p-values are not frequentist."
        )
    if problem.alpha_is_chosen:
        notes.append(
            f"These data have chosen alpha={problem.alpha:g}; standard errors take it"
            " as given."
        )
    if problem.weighted and cov_type == "nonrobust":
        notes.append(
            "Rows differ in importance: model-based standard errors, with the weights"
            " scaled to a mean of one, are rough. Use cov_type='HC0'."
        )
    if problem.soft and cov_type == "nonrobust":
        notes.append(
            "Soft labels count as proportions of one observation each: model-based"
            " standard errors take them for draws. Use cov_type='HC0'."
        )
    return notes


def _number(x):
    """Four decimals, or three digits with an exponent where those say nothing."""
    if x == 0 or not np.isfinite(x) or 1e-3 <= abs(x) < 1e3:
        return f"{x:.4f}"
    return f"{x:.2e}"


def _p_value(p):
    return "<0.001" if p < 1e-3 else f"{p:.3f}"


WIDTH = 78
_CELL = 10


def as_text(table):
    """The table in plain text, at least 78 characters wide."""
    names = [table._row_title(row) for row in range(len(table.classes))]
    label = max(WIDTH - 6 * _CELL, *(len(str(term)) + 3 for term in table.terms))
    label = min(label, 40)
    width = label + 6 * _CELL
    lines = [table._title.center(width).rstrip(), "=" * width]
    lines += _header_lines(table.header, width)
    heads = "".join(f"{name:>{_CELL}}" for name in table._heads())
    lines += ["=" * width, " " * label + heads]
    for row, name in enumerate(names):
        lines += ["-" * width, name]
        for term, cells in zip(table.terms, table._cells(row), strict=True):
            text = "".join(f" {cell:>{_CELL - 1}}" for cell in cells)
            lines.append(f"  {_shortened(term, label - 3):<{label - 2}}{text}")
    lines.append("=" * width)
    for note in table.notes:
        lines += _wrapped(note, width)
    return "\n".join(lines)


def _header_lines(header, width):
    """Pairs of name and value in two columns, down the left one first."""
    half = (len(header) + 1) // 2
    column = (width - 3) // 2
    cells = [f"{name}:{value:>{column - len(name) - 1}}" for name, value in header]
    left, right = cells[:half], [*cells[half:], ""][:half]
    return [f"{a}   {b}".rstrip() for a, b in zip(left, right, strict=True)]


def _shortened(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."


def _wrapped(text, width):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


_STYLE = (
    "<style>.sksoftmax-table table{border-collapse:collapse;margin:0 0 .8em;"
    "font-variant-numeric:tabular-nums}"
    ".sksoftmax-table caption{font-weight:bold;text-align:left;padding:.3em .7em}"
    ".sksoftmax-table td,.sksoftmax-table th{padding:.15em .7em;text-align:right}"
    ".sksoftmax-table th[scope=row]{text-align:left;font-weight:normal}"
    ".sksoftmax-table th[scope=rowgroup]{text-align:left;"
    "border-top:1px solid #8888;padding-top:.4em}"
    ".sksoftmax-table thead th{border-bottom:1px solid #8888}"
    ".sksoftmax-table p{max-width:45em;margin:.3em .7em}</style>"
)


def as_html(table):
    """The table as HTML, all that comes from users escaped."""
    parts = [_STYLE, '<div class="sksoftmax-table">']
    parts.append(f"<table><caption>{escape(table._title)}</caption><tbody>")
    header = [*table.header, *([("", "")] if len(table.header) % 2 else [])]
    half = len(header) // 2
    for pairs in zip(header[:half], header[half:], strict=True):
        cells = "".join(
            f'<th scope="row">{escape(name)}</th><td>{escape(value)}</td>'
            for name, value in pairs
        )
        parts.append(f"<tr>{cells}</tr>")
    parts.append("</tbody></table><table><thead><tr><th></th>")
    parts += [f'<th scope="col">{escape(name)}</th>' for name in table._heads()]
    parts.append("</tr></thead>")
    for row in range(len(table.classes)):
        parts.append(
            f'<tbody><tr><th scope="rowgroup" colspan="7">'
            f"{escape(table._row_title(row))}</th></tr>"
        )
        for term, cells in zip(table.terms, table._cells(row), strict=True):
            numbers = "".join(f"<td>{cell}</td>" for cell in cells)
            parts.append(f'<tr><th scope="row">{escape(term)}</th>{numbers}</tr>')
        parts.append("</tbody>")
    parts.append("</table>")
    parts += [f"<p>{escape(note)}</p>" for note in table.notes]
    return "".join([*parts, "</div>"])
