"""Tables of effects and of probabilities, with columns that say where they hold."""

from dataclasses import dataclass

from sksoftmax._utils.errors import optional_package
from sksoftmax.inference._tables import CoefficientTable


@dataclass(frozen=True, repr=False)
class MarginTable(CoefficientTable):
    """Estimates by class and term; `index` says what the terms are."""

    index: dict
    header: list

    def to_frame(self):
        """The table as a pandas data frame.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by class and term. The columns of `index` come before the numbers.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with optional_package("pandas", "inference", caller="to_frame"):
            import pandas as pd
        frame = super().to_frame()
        labels = pd.DataFrame(self.index, index=range(len(self.terms)))
        labels = pd.concat([labels] * len(self.classes)).set_index(frame.index)
        return pd.concat([labels, frame], axis=1)

    def _row_title(self, row):
        return f"P(y = {self.classes[row]})"
