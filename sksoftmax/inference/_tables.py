"""Tables of estimates, as arrays, data frame, text and HTML."""

from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from numbers import Real
from textwrap import wrap

import numpy as np
from scipy.special import ndtr, ndtri

from sksoftmax._utils.errors import optional_package
from sksoftmax.inference._exports import Exports, starred

_CELL = 10  # width of a column of numbers, in characters

STYLE = (
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


@dataclass(frozen=True, repr=False)
class CoefficientTable(Exports):
    """Estimates by class and term, with their standard errors and Wald tests.

    A subclass has a `_title`, a `header` above the table, and in `_estimate` the name
    of the attribute with the estimates. `_tested` is whether z and p-values are shown.
    """

    classes: np.ndarray
    terms: list
    se: np.ndarray
    z: np.ndarray
    p_value: np.ndarray
    conf_int: np.ndarray
    confidence_level: float
    notes: list

    _tested = True

    def to_frame(self):
        """The table as a pandas data frame.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by class and term.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with optional_package("pandas", "inference", caller="to_frame"):
            import pandas as pd
        index = pd.MultiIndex.from_product(
            [self.classes.tolist(), self.terms], names=["class", "term"]
        )
        columns = [self._shown()[0], "se", "z", "p_value", "ci_low", "ci_high"]
        numbers = self._numbers().reshape(-1, len(columns))
        frame = pd.DataFrame(numbers, index=index, columns=columns)
        return frame if self._tested else frame.drop(columns=["z", "p_value"])

    def _texts(self, stars, decimals):
        """The table as strings, for other formats, and the number of label columns."""
        import pandas as pd

        lines = []
        for title, terms, numbers in self._sections():
            heads = [title] + [""] * (len(terms) - 1)
            for head, term, line in zip(heads, terms, numbers, strict=True):
                first, *others = self._cells(line, decimals)
                lines.append([head, term, starred(first, line[3], stars), *others])
        test = ["z", "p"] if self._tested else []
        heads = [self._shown()[0], "se", *test, *self._heads()[-2:]]
        return pd.DataFrame(lines, columns=["class", "term", *heads]), 2

    def _shown(self):
        """Name of the estimates that are shown, themselves, their errors and ends."""
        return self._estimate, getattr(self, self._estimate), self.se, self.conf_int

    def __str__(self):
        """The table in plain text, at least 78 characters wide."""
        sections = list(self._sections())
        longest = max(len(term) for _, terms, _ in sections for term in terms)
        numbers_width = len(self._heads()) * _CELL
        width = numbers_width + min(100 - numbers_width, max(18, longest + 3))
        width = max(width, 78)
        label = width - numbers_width
        lines = [self._title.center(width).rstrip(), "=" * width]
        column = (width - 3) // 2
        for pairs in _in_two_columns(self.header):
            cells = (f"{a}:{b:>{column - len(a) - 1}}" if a else "" for a, b in pairs)
            lines.append("   ".join(cells).rstrip())
        heads = "".join(f"{name:>{_CELL}}" for name in self._heads())
        lines += ["=" * width, " " * label + heads]
        for title, terms, numbers in sections:
            lines += ["-" * width, title]
            for term, line in zip(terms, numbers, strict=True):
                text = "".join(f" {cell:>{_CELL - 1}}" for cell in self._cells(line))
                lines.append(f"  {_shortened(term, label - 3):<{label - 2}}{text}")
        lines.append("=" * width)
        for note in self.notes:
            lines += wrap(note, width, break_long_words=False, break_on_hyphens=False)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self):
        """The table as HTML; names of users' classes and columns are escaped."""
        parts = [STYLE, '<div class="sksoftmax-table">']
        parts.append(f"<table><caption>{escape(self._title)}</caption><tbody>")
        for pairs in _in_two_columns(self.header):
            cells = "".join(
                f'<th scope="row">{escape(name)}</th><td>{escape(value)}</td>'
                for name, value in pairs
            )
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</tbody></table><table><thead><tr><th></th>")
        parts += [f'<th scope="col">{escape(name)}</th>' for name in self._heads()]
        parts.append("</tr></thead>")
        n_columns = len(self._heads()) + 1
        for title, terms, numbers in self._sections():
            parts.append(
                f'<tbody><tr><th scope="rowgroup" colspan="{n_columns}">'
                f"{escape(title)}</th></tr>"
            )
            for term, line in zip(terms, numbers, strict=True):
                cells = "".join(f"<td>{cell}</td>" for cell in self._cells(line))
                parts.append(f'<tr><th scope="row">{escape(term)}</th>{cells}</tr>')
            parts.append("</tbody>")
        parts.append("</table>")
        parts += [f"<p>{escape(note)}</p>" for note in self.notes]
        return "".join([*parts, "</div>"])

    def _sections(self):
        """For each section its title, its terms and their numbers, (n_terms, 6)."""
        for row, numbers in enumerate(self._numbers()):
            yield self._row_title(row), self.terms, numbers

    def _numbers(self):
        """All columns of the table, shape (n_rows, n_terms, 6)."""
        _, estimate, se, conf_int = self._shown()
        columns = np.stack([estimate, se, self.z, self.p_value], axis=-1)
        return np.concatenate([columns, conf_int], axis=-1)

    def _heads(self):
        """Heads of the columns of numbers."""
        level = f"{100 * self.confidence_level:g}%"
        ends = [f"{level} low", f"{level} high"]
        test = ["z", "P>|z|"] if self._tested else []
        return [self._shown()[0], "std err", *test, *ends]

    def _cells(self, line, decimals=4):
        """The texts of the numbers of a line."""
        b, se, z, p, *ends = line
        test = [f"{z:.3f}", "<0.001" if p < 1e-3 else f"{p:.3f}"]
        b, se, *ends = (as_text(x, decimals) for x in (b, se, *ends))
        return [b, se, *(test if self._tested else []), *ends]


def wald_columns(estimate, se, confidence_level):
    """What follows from estimates and standard errors, by the names of the columns."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = estimate / se
    margin = ndtri(0.5 + confidence_level / 2.0) * se
    return {
        "se": se,
        "z": z,
        "p_value": 2.0 * ndtr(-np.abs(z)),
        "conf_int": np.stack([estimate - margin, estimate + margin], axis=-1),
        "confidence_level": confidence_level,
    }


def check_level(confidence_level):
    """The level as a float between 0 and 1."""
    if not (isinstance(confidence_level, Real) and 0 < confidence_level < 1):
        raise ValueError(
            f"confidence_level must be in (0, 1), got {confidence_level!r}."
        )
    return float(confidence_level)


def as_text(x, decimals=4):
    """So many decimals, or three digits and an exponent if x is very small or large."""
    smallest, largest = 10.0 ** min(1 - decimals, 0), 10.0 ** (7 - decimals)
    if x == 0 or not np.isfinite(x) or smallest <= abs(x) < largest:
        return f"{x:.{decimals}f}"
    return f"{x:.2e}"


def _in_two_columns(header):
    """Its entries in pairs; the left column is filled first, the right one padded."""
    half = (len(header) + 1) // 2
    return zip_longest(header[:half], header[half:], fillvalue=("", ""))


def _shortened(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."
