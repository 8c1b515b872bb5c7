"""Several tests in one table."""

from dataclasses import dataclass, field

import numpy as np

from sksoftmax._utils.errors import optional_package
from sksoftmax.inference._exports import Exports, starred
from sksoftmax.inference._tables import as_text


@dataclass(frozen=True, repr=False)
class TableOfTests(Exports):
    """Several tests whose statistics are chi-squared under their hypotheses.

    Parameters
    ----------
    title : str
        Kind of the tests.
    head : str
        What the labels are.
    labels : list
        What each test is about.
    statistic, df, p_value : ndarray of shape (n_tests,)
        The statistics, their degrees of freedom, and the probabilities of larger ones.
    notes : list of str
        Why numbers are missing.
    """

    title: str
    head: str
    labels: list
    statistic: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    notes: list = field(default_factory=list)

    def to_frame(self):
        """The tests as a pandas data frame.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by the labels.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with optional_package("pandas", "inference", caller="to_frame"):
            import pandas as pd
        columns = {name: getattr(self, name) for name in ("statistic", "df", "p_value")}
        return pd.DataFrame(columns, index=pd.Index(self.labels, name=self.head))

    def _lines(self, stars, decimals):
        numbers = zip(self.labels, self.statistic, self.df, self.p_value, strict=True)
        for label, statistic, df, p in numbers:
            shown = starred(as_text(statistic, decimals), p, stars)
            yield [str(label), shown, f"{df:g}", as_text(p, decimals)]

    def _texts(self, stars, decimals):
        import pandas as pd

        lines = list(self._lines(stars, decimals))
        return pd.DataFrame(lines, columns=[self.head, "chi2", "df", "p"]), 1

    def __str__(self):
        """The table in plain text."""
        lines = [[self.head, "chi2", "df", "p"], *self._lines((), 4)]
        width = max(len(label) for label, *_ in lines)
        texts = [
            f"{label:<{width}}" + "".join(f"{cell:>11}" for cell in cells)
            for label, *cells in lines
        ]
        return "\n".join([self.title, *texts, *self.notes])

    __repr__ = __str__
