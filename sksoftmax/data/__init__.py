"""Tables in files and databases, read part by part in each pass of a fit."""

from sksoftmax.data._arrays import from_arrays, from_svmlight
from sksoftmax.data._arrow import from_arrow, from_parquet
from sksoftmax.data._table import Table

__all__ = ["Table", "from_arrays", "from_arrow", "from_parquet", "from_svmlight"]
