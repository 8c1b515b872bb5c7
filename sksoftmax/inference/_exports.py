"""Tables for papers and web pages: LaTeX, Markdown and HTML, by pandas."""

from html import escape
from numbers import Real

import numpy as np

from sksoftmax._utils.errors import error_context, optional_package

# Levels of one, two and three stars, as in Stata's esttab.
STAR_LEVELS = (0.05, 0.01, 0.001)

_LATEX = str.maketrans(
    {
        **{c: f"\\{c}" for c in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)

_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*<|"})


class Exports:
    """A table that can be written in other formats.

    A subclass has `notes`, a list of sentences, and `_texts(stars, decimals)`: a data
    frame of strings with a plain index, and the number of its columns that are labels.
    """

    def to_latex(self, *, stars=False, decimals=3, caption=None, label=None):
        r"""The table in LaTeX, for booktabs and, with notes, threeparttable.

        Parameters
        ----------
        stars : bool or tuple of float, default=False
            Whether stars mark p-values below 0.05, 0.01 and 0.001; or other levels.
        decimals : int, default=3
            Number of decimals.
        caption, label : str, default=None
            Of the table.

        Returns
        -------
        text : str
            A table environment if there are a caption, a label or notes, and else a
            tabular environment. Names are escaped.

        Raises
        ------
        ImportError
            If pandas or jinja2 are not installed.
        ValueError, TypeError
            If a parameter is invalid.
        """
        frame, n_labels = self._checked_texts(stars, decimals, "to_latex")
        with optional_package("jinja2", "inference", caller="to_latex"):
            import jinja2  # noqa: F401  pandas uses it
        alignment = "l" * n_labels + "r" * (frame.shape[1] - n_labels)
        body = _mapped(frame, _latex).to_latex(
            index=False, escape=False, column_format=alignment
        )
        notes = [_latex(note) for note in self._all_notes(stars)]
        if not (notes or caption or label):
            return body
        lines = [r"\begin{table}", r"\centering"]
        lines += [rf"\caption{{{_latex(caption)}}}"] if caption else []
        lines += [rf"\label{{{label}}}"] if label else []
        if notes:
            items = [rf"\item {note}" for note in notes]
            inside = [r"\begin{tablenotes}", *items, r"\end{tablenotes}"]
            lines += [r"\begin{threeparttable}", body.rstrip(), *inside]
            lines += [r"\end{threeparttable}"]
        else:
            lines.append(body.rstrip())
        return "\n".join([*lines, r"\end{table}", ""])

    def to_markdown(self, *, stars=False, decimals=3):
        """The table in Markdown, as GitHub and pandoc read it.

        Parameters
        ----------
        stars, decimals : as in `to_latex`
            Marks of p-values, and number of decimals.

        Returns
        -------
        text : str
            The table, and notes below it.

        Raises
        ------
        ImportError
            If pandas or tabulate are not installed.
        ValueError, TypeError
            If a parameter is invalid.
        """
        frame, n_labels = self._checked_texts(stars, decimals, "to_markdown")
        with optional_package("tabulate", "inference", caller="to_markdown"):
            import tabulate  # noqa: F401  pandas uses it
        n_numbers = frame.shape[1] - n_labels
        labels = _mapped(frame.iloc[:, :n_labels], _markdown)
        table = labels.join(frame.iloc[:, n_labels:]).to_markdown(
            index=False,
            disable_numparse=True,
            colalign=("left",) * n_labels + ("right",) * n_numbers,
        )
        return "\n\n".join([table, *self._all_notes(stars)])

    def to_html(self, *, stars=False, decimals=3):
        """The table in HTML, without styles.

        Parameters
        ----------
        stars, decimals : as in `to_latex`
            Marks of p-values, and number of decimals.

        Returns
        -------
        text : str
            A table element, and notes as paragraphs. Names are escaped.

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError, TypeError
            If a parameter is invalid.
        """
        frame, _ = self._checked_texts(stars, decimals, "to_html")
        table = frame.to_html(index=False, escape=True, border=0, justify="left")
        notes = [f"<p>{escape(note)}</p>" for note in self._all_notes(stars)]
        return "\n".join([table, *notes])

    def _checked_texts(self, stars, decimals, caller):
        if not (isinstance(decimals, int | np.integer) and 0 <= decimals <= 15):
            raise ValueError(f"decimals must be in 0 to 15, got {decimals!r}.")
        with optional_package("pandas", "inference", caller=caller):
            return self._texts(_star_levels(stars), int(decimals))

    def _all_notes(self, stars):
        levels = _star_levels(stars)
        legend = ", ".join(
            f"{'*' * (number + 1)} p < {level:g}" for number, level in enumerate(levels)
        )
        return [*self.notes, *([f"Stars: {legend}."] if legend else [])]


def _star_levels(stars):
    """The levels of one, two and more stars; none for False."""
    if isinstance(stars, bool | np.bool_):
        return STAR_LEVELS if stars else ()
    with error_context("stars"):
        levels = tuple(stars)
        valid = all(isinstance(x, Real) and 0 < x < 1 for x in levels)
    if not (valid and list(levels) == sorted(set(levels), reverse=True)):
        raise ValueError(
            "stars must be True, False or levels that fall, such as"
            f" {STAR_LEVELS}; got {stars!r}."
        )
    return levels


def texts_of(frame, decimals, label):
    """A data frame of numbers as one of strings, with its index under a label."""
    frame = frame.map(lambda x: f"{x:.{decimals}f}")
    frame.columns = [
        " ".join(map(str, name)) if isinstance(name, tuple) else name
        for name in frame.columns
    ]
    frame.insert(0, label, [str(name) for name in frame.index])
    return frame, 1


def starred(text, p_value, levels):
    """The text with a star for each level that the p-value is below."""
    return text + "*" * sum(bool(p_value < level) for level in levels)


def _mapped(frame, write):
    """The frame with its cells and heads written for a format."""
    return frame.map(write).rename(columns=write)


def _latex(text):
    return str(text).translate(_LATEX)


def _markdown(text):
    return str(text).translate(_MARKDOWN)
