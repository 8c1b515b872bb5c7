"""Odd forms of X, y and sample weights: what they mean in plain NumPy, or why not.

Each table maps a name to a function of the plain array; one that is to be accepted
means the same numbers. Tables of refused forms add the words an error may use.
"""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

_rng = np.random.default_rng(0)
N, P, K = 45, 3, 3
y = np.arange(N) % K
# Whole numbers that every type of number can hold, and noise enough for an optimum.
X = _rng.integers(1, 9, (N, P)).astype(float)
X[:, 0] += y
Y = np.eye(K)[y] * 0.5 + np.eye(K)[_rng.integers(0, K, N)] * 0.5
s = _rng.integers(1, 4, N).astype(float)


def read_only(a):
    """A copy that cannot be written to."""
    a = a.copy()
    a.setflags(write=False)
    return a


def strided(a):
    """Every second row of an array twice as long."""
    return np.repeat(a, 2, axis=0)[::2]


def unaligned(a):
    """The same numbers at an address that is no multiple of 8."""
    buffer = np.zeros(a.nbytes + 1, np.uint8)
    out = np.frombuffer(buffer.data, np.float64, a.size, offset=1).reshape(a.shape)
    out = out.view()
    buffer[1:] = np.frombuffer(np.ascontiguousarray(a).tobytes(), np.uint8)
    return out


def subclass(a):
    """An instance of a subclass of ndarray."""
    return a.view(type("Odd", (np.ndarray,), {}))


def frame(a, dtype=None, columns=("a", "b", "c")):
    """A pandas data frame."""
    out = pd.DataFrame(a, columns=list(columns))
    return out if dtype is None else out.astype(dtype)


def csr_with(a, **changes):
    """CSR with some of its arrays changed."""
    out = sp.csr_array(a)
    for name, value in changes.items():
        setattr(out, name, value(getattr(out, name)))
    return out


def csr_with_duplicates(a):
    """CSR that stores each entry in two halves."""
    rows, columns = np.nonzero(a)
    values = a[rows, columns] / 2
    order = np.repeat(np.arange(rows.size), 2)
    indptr = np.r_[0, np.cumsum(2 * np.count_nonzero(a, axis=1))]
    return sp.csr_array((values[order], columns[order], indptr), shape=a.shape)


class Duck:
    """Has nothing but the array protocol."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return np.array(self.a, dtype=dtype)


NUMBER_TYPES = ["f2", "f4", "g", ">f8", ">f4", ">f2", "i1", "i2", "i4", "i8"]
NUMBER_TYPES += ["u1", "u2", "u4", "u8", ">i4", "O", "U8", "S8"]

GOOD_X = {
    "list": lambda X: X.tolist(),
    "tuples": lambda X: tuple(map(tuple, X.tolist())),
    "list of arrays": list,
    "Python ints": lambda X: X.astype(int).tolist(),
    **{dtype: lambda X, dtype=dtype: X.astype(dtype) for dtype in NUMBER_TYPES},
    "object ints": lambda X: X.astype(int).astype(object),
    "Fractions": lambda X: [[Fraction(int(x)) for x in row] for row in X],
    "Decimals": lambda X: [[Decimal(int(x)) for x in row] for row in X],
    "read-only": read_only,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "reversed": lambda X: X[::-1].copy()[::-1],
    "columns reversed": lambda X: X[:, ::-1].copy()[:, ::-1],
    "unaligned": unaligned,
    "subclass": subclass,
    "broadcast": lambda X: np.broadcast_to(X, (1, *X.shape))[0],
    "duck": Duck,
    "unmasked": np.ma.array,
    "csr": sp.csr_array,
    "csr_matrix": sp.csr_matrix,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "lil": sp.lil_array,
    "dok": sp.dok_array,
    "bsr": sp.bsr_array,
    "dia": sp.dia_array,
    "csr int": lambda X: sp.csr_array(X.astype(int)),
    "csr f4": lambda X: sp.csr_array(X.astype("f4")),
    "csr longdouble": lambda X: sp.csr_array(X.astype("g")),
    "csr >f8": lambda X: csr_with(X, data=lambda d: d.astype(">f8")),
    "csr int64": lambda X: csr_with(
        X, indices=lambda i: i.astype("i8"), indptr=lambda i: i.astype("i8")
    ),
    "csr read-only": lambda X: csr_with(X, data=read_only, indices=read_only),
    "csr duplicates": csr_with_duplicates,
    "coo duplicates": lambda X: csr_with_duplicates(X).tocoo(),
    "dates": lambda X: X.astype("M8[D]"),
    "durations": lambda X: X.astype("m8[D]"),
    "frame of dates as numbers": lambda X: frame(X.astype("M8[ns]")),
    "frame": frame,
    "frame int8": lambda X: frame(X, "int8"),
    "frame float16": lambda X: frame(X, "float16"),
    "frame Float64": lambda X: frame(X, "Float64"),
    "frame Int64": lambda X: frame(X, "Int64"),
    "frame UInt8": lambda X: frame(X, "UInt8"),
    "frame arrow": lambda X: frame(X, "double[pyarrow]"),
    "frame arrow ints": lambda X: frame(X, "int64[pyarrow]"),
    "frame mixed": lambda X: frame(X).astype({"a": "int8", "b": "Float32"}),
    "frame object": lambda X: frame(X, object),
    "frame categories": lambda X: frame(X).astype({"c": "category"}),
    "frame sparse": lambda X: frame(X, pd.SparseDtype("float", 0.0)),
    "frame of numbers": lambda X: frame(X, columns=(1, 2, 3)),
    "frame of dates": lambda X: frame(X, columns=pd.date_range("2020", periods=3)),
    "frame of levels": lambda X: pd.DataFrame(
        X, columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    ),
    "frame, odd index": lambda X: frame(X).set_index(np.zeros(len(X))),
    "polars": lambda X: pl.DataFrame(X, schema=["a", "b", "c"]),
    "polars ints": lambda X: pl.DataFrame(X.astype("i2"), schema=["a", "b", "c"]),
    "polars mixed": lambda X: pl.DataFrame(X, schema=["a", "b", "c"]).with_columns(
        pl.col("a").cast(pl.Int8), pl.col("b").cast(pl.Float32)
    ),
    "polars decimals": lambda X: pl.DataFrame(X, schema=["a", "b", "c"]).with_columns(
        pl.col("a").cast(pl.Decimal(10, 2))
    ),
    "arrow table": lambda X: pa.table(frame(X)),
    "arrow batch": lambda X: pa.RecordBatch.from_pandas(frame(X)),
    "masked nothing": lambda X: np.ma.array(X, mask=np.zeros(X.shape, bool)),
}


def with_entry(value, dtype=None):
    """A function that changes one entry of an array."""

    def change(a):
        a = a.astype(dtype) if dtype else a.copy()
        a[(5,) + (0,) * (a.ndim - 1)] = value
        return a

    return change


BAD_X = {
    "None": lambda X: None,
    "number": lambda X: 1.0,
    "text": lambda X: "X",
    "bytes": lambda X: b"X",
    "dict": lambda X: {"a": X[:, 0]},
    "set": lambda X: {1.0},
    "object": lambda X: object(),
    "class": lambda X: float,
    "range": lambda X: range(N),
    "empty list": lambda X: [],
    "list of empty": lambda X: [[]] * len(X),
    "ragged": lambda X: [*X.tolist()[:-1], [1.0]],
    "list of None": lambda X: [None] * len(X),
    "list of dicts": lambda X: [{"a": 1.0}] * len(X),
    "0-d": lambda X: np.array(1.0),
    "1-d": lambda X: X[:, 0],
    "3-d": lambda X: X[:, :, None],
    "4-d": lambda X: X[:, :, None, None],
    "no rows": lambda X: X[:0],
    "no columns": lambda X: X[:, :0],
    "NaN": with_entry(np.nan),
    "inf": with_entry(np.inf),
    "-inf": with_entry(-np.inf),
    "NaN in float32": with_entry(np.nan, "f4"),
    "NaN in float16": with_entry(np.nan, "f2"),
    "NaN in longdouble": with_entry(np.nan, "g"),
    "longdouble beyond float64": with_entry(np.longdouble("1e400"), "g"),
    "not a time": with_entry(np.datetime64("NaT"), "M8[D]"),
    "not a time in ns": with_entry(np.datetime64("NaT"), "M8[ns]"),
    "no duration": with_entry(np.timedelta64("NaT"), "m8[s]"),
    "masked dates": lambda X: np.ma.array(X.astype("M8[D]"), mask=X[0, 0] == X),
    "list of masked rows": lambda X: [np.ma.array(x, mask=x == X[0, 0]) for x in X],
    "frame with NaT": lambda X: frame(X.astype("M8[ns]")).mask(X[0, 0] == X),
    "frame with no duration": lambda X: frame(X.astype("m8[ns]")).mask(X[0, 0] == X),
    "arrow null": lambda X: pa.table(frame(X).mask(X[0, 0] == X)),
    "arrow null date": lambda X: pa.table(frame(X.astype("M8[ns]")).mask(X[0, 0] == X)),
    "object None": with_entry(None, object),
    "object NaN": with_entry(np.nan, object),
    "object pd.NA": with_entry(pd.NA, object),
    "object pd.NaT": with_entry(pd.NaT, object),
    "object text": with_entry("a", object),
    "object list": with_entry([1], object),
    "object complex": with_entry(1j, object),
    "object huge int": with_entry(10**400, object),
    "text entries": lambda X: np.full(X.shape, "a"),
    "bytes entries": lambda X: np.full(X.shape, b"a"),
    "complex": lambda X: X + 1j,
    "records": lambda X: np.zeros(N, dtype=[("a", "f8"), ("b", "f8")]),
    "void": lambda X: np.zeros((N, P), "V8"),
    "masked": lambda X: np.ma.array(X, mask=X[0, 0] == X),
    "NaN in csr": lambda X: sp.csr_array(with_entry(np.nan)(X)),
    "inf in csc": lambda X: sp.csc_array(with_entry(np.inf)(X)),
    "NaN in lil": lambda X: sp.lil_array(with_entry(np.nan)(X)),
    "complex csr": lambda X: sp.csr_array(X + 1j),
    "1-d coo": lambda X: sp.coo_array(X[:, 0]),
    "frame with NA": lambda X: frame(X, "Float64").mask(X[0, 0] == X),
    "frame with arrow null": lambda X: frame(X, "double[pyarrow]").mask(X[0, 0] == X),
    "frame with NaN": lambda X: frame(X).mask(X[0, 0] == X),
    "frame of text": lambda X: frame(X).astype(str) + "a",
    "frame of one date": lambda X: frame(X).assign(
        a=pd.date_range("2020", periods=len(X))
    ),
    "frame of periods": lambda X: frame(X).assign(
        a=pd.period_range("2020", periods=len(X))
    ),
    "frame of categories": lambda X: frame(X).assign(
        a=pd.Categorical(np.full(len(X), "a"))
    ),
    "frame of mixed names": lambda X: frame(X, columns=("a", 1, 2.0)),
    "frame without columns": lambda X: pd.DataFrame(index=range(len(X))),
    "series": lambda X: pd.Series(X[:, 0]),
    "index": lambda X: pd.Index(X[:, 0]),
    "polars null": lambda X: pl.DataFrame({"a": [None, *X[1:, 0]], "b": X[:, 1]}),
    "polars text": lambda X: pl.DataFrame({"a": ["a"] * len(X), "b": X[:, 1]}),
    "polars lists": lambda X: pl.DataFrame({"a": X.tolist(), "b": X[:, 1]}),
    "polars series": lambda X: pl.Series(X[:, 0]),
    "polars lazy": lambda X: pl.LazyFrame({"a": X[:, 0], "b": X[:, 1]}),
    "polars empty": lambda X: pl.DataFrame(),
    "arrow array": lambda X: pa.array(X[:, 0]),
    "generator": lambda X: (row for row in X),
    "function": lambda X: lambda: X,
    "fewer rows": lambda X: X[:-1],
    "more rows": lambda X: np.vstack([X, X]),
}

GOOD_Y = {
    "list": lambda y: y.tolist(),
    "tuple": lambda y: tuple(y.tolist()),
    **{
        dtype: lambda y, dtype=dtype: y.astype(dtype)
        for dtype in ["i1", "u1", "u8", ">i4", "f2", "f4", "f8", "g", ">f8", "U1"]
    },
    "large uint64": lambda y: y.astype("u8") + 2**63,
    "int64 beyond doubles": lambda y: y + 2**53,
    "uint64 beyond doubles": lambda y: y.astype("u8") + 2**53,
    "ints beyond doubles in a list": lambda y: (y + 2**53).tolist(),
    "tiny floats": lambda y: (y + 1) * np.float64(2.0),
    "read-only": read_only,
    "strided": strided,
    "reversed": lambda y: y[::-1].copy()[::-1],
    "subclass": subclass,
    "object text": lambda y: y.astype(str).astype(object),
    "text of odd letters": lambda y: np.array(["", " ", "é\n"])[y],
    "dates": lambda y: np.datetime64("2020-01-01") + y,
    "durations": lambda y: y.astype("m8[D]"),
    "dates in ns": lambda y: np.datetime64("2020-01-01", "ns") + y,
    "durations in ns": lambda y: y.astype("m8[ns]"),
    "unmasked": np.ma.array,
    "Series": pd.Series,
    "Series Int64": lambda y: pd.Series(y, dtype="Int64"),
    "Series Float64": lambda y: pd.Series(y, dtype="Float64"),
    "Series UInt8": lambda y: pd.Series(y, dtype="UInt8"),
    "Series str": lambda y: pd.Series(y.astype(str)),
    "Series string": lambda y: pd.Series(y.astype(str), dtype="string[python]"),
    "Series arrow text": lambda y: pd.Series(y.astype(str), dtype="string[pyarrow]"),
    "Series arrow ints": lambda y: pd.Series(y, dtype="int64[pyarrow]"),
    "Series dates": lambda y: pd.Series(np.datetime64("2020-01-01") + y),
    "Series categories": lambda y: pd.Series(
        np.array(list("abc"))[y], dtype="category"
    ),
    "Series int categories": lambda y: pd.Series(y, dtype="category"),
    "Series unused category": lambda y: pd.Series(
        pd.Categorical(y, categories=[9, 2, 1, 0])
    ),
    "Series odd index": lambda y: pd.Series(y, index=np.zeros(len(y))),
    "Index": pd.Index,
    "Categorical": pd.Categorical,
    "one column frame": lambda y: pd.DataFrame({"y": y}),
    "column": lambda y: y[:, None],
    "polars": pl.Series,
    "polars text": lambda y: pl.Series(y.astype(str)),
    "polars categories": lambda y: pl.Series(y.astype(str)).cast(pl.Categorical),
    "polars enum": lambda y: pl.Series(y.astype(str)).cast(pl.Enum(["0", "1", "2"])),
    "arrow": pa.array,
    "duck": Duck,
}

BAD_Y = {
    "large ints": lambda y: [10**30 + int(k) for k in y],
    "object floats and ints": lambda y: np.array(
        [int(k) if k else 0.0 for k in y], dtype=object
    ),
    "object bytes": lambda y: y.astype("S1").astype(object),
    "Decimals": lambda y: [Decimal(int(k)) for k in y],
    "Fractions": lambda y: [Fraction(int(k)) for k in y],
    "Series Periods": lambda y: pd.Series(pd.period_range("2020", periods=3)[y]),
    "bytes": lambda y: y.astype("S1"),
    "objects": lambda y: y.astype(object),
    "number": lambda y: 1,
    "text": lambda y: "y",
    "dict": lambda y: {"y": y},
    "set": lambda y: {0, 1, 2},
    "object": lambda y: object(),
    "function": lambda y: len,
    "generator": lambda y: (k for k in y),
    "empty": lambda y: [],
    "0-d": lambda y: np.array(1),
    "3-d": lambda y: y[:, None, None],
    "fewer": lambda y: y[:-1],
    "more": lambda y: np.r_[y, y],
    "NaN": with_entry(np.nan, float),
    "inf": with_entry(np.inf, float),
    "NaN in float32": with_entry(np.nan, "f4"),
    "NaN in longdouble": with_entry(np.nan, "g"),
    "object None": with_entry(None, object),
    "object NaN": with_entry(np.nan, object),
    "object pd.NA": with_entry(pd.NA, object),
    "text and None": lambda y: with_entry(None)(y.astype(str).astype(object)),
    "text and NaN": lambda y: with_entry(np.nan)(y.astype(str).astype(object)),
    "text and pd.NA": lambda y: with_entry(pd.NA)(y.astype(str).astype(object)),
    "text and numbers": with_entry("a", object),
    "lists": lambda y: [[0], [1, 2]] + [[0]] * (len(y) - 2),
    "object lists": with_entry([1], object),
    "object dicts": with_entry({}, object),
    "not a time": with_entry(np.datetime64("NaT"), "M8[D]"),
    "no duration": with_entry(np.timedelta64("NaT"), "m8[D]"),
    "continuous": lambda y: y + 0.5,
    "continuous float32": lambda y: (y + 0.1).astype("f4"),
    "continuous longdouble": lambda y: y.astype("g") / 3,
    "complex": lambda y: y + 1j,
    "masked": lambda y: np.ma.array(y, mask=y == 1),
    "sparse": lambda y: sp.csr_array(np.eye(K)[y]),
    "Series with NA": lambda y: pd.Series(y, dtype="Int64").mask(y == 1),
    "Series with arrow null": lambda y: pd.Series(y, dtype="int64[pyarrow]").mask(
        y == 1
    ),
    "Series with NaN": lambda y: pd.Series(y).mask(y == 1),
    "Series of text with NA": lambda y: pd.Series(y.astype(str), dtype="string").mask(
        y == 1
    ),
    "Series of dates with NaT": lambda y: pd.Series(y.astype("M8[ns]")).mask(y == 1),
    "polars null": lambda y: pl.Series([None, *y.tolist()[1:]]),
    "polars text null": lambda y: pl.Series([None, *y.astype(str).tolist()[1:]]),
    "polars list": lambda y: pl.Series([[int(k)] for k in y]),
    "arrow null": lambda y: pa.array([None, *y.tolist()[1:]]),
    "arrow null date": lambda y: pa.array(pd.Series(y.astype("M8[ns]")).mask(y == 1)),
    "dates in ns, one not a time": with_entry(np.datetime64("NaT"), "M8[ns]"),
    "masked text": lambda y: np.ma.array(y.astype(str), mask=y == 1),
}

GOOD_SOFT_Y = {
    "list": lambda Y: Y.tolist(),
    "tuples": lambda Y: tuple(map(tuple, Y)),
    **{
        dtype: lambda Y, dtype=dtype: Y.astype(dtype)
        for dtype in ["f2", "f4", "g", ">f8", "O", "U8"]
    },
    "read-only": read_only,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "subclass": subclass,
    "frame of numbers": lambda Y: pd.DataFrame(Y),
    "frame of text": frame,
    "frame Float64": lambda Y: frame(Y, "Float64"),
    "frame arrow": lambda Y: frame(Y, "double[pyarrow]"),
    "frame object": lambda Y: frame(Y, object),
    "polars": lambda Y: pl.DataFrame(Y, schema=["a", "b", "c"]),
    "arrow": lambda Y: pa.table(frame(Y)),
    "arrow batch": lambda Y: pa.RecordBatch.from_pandas(frame(Y)),
    "sums of 1 - 1e-7": lambda Y: Y * (1 - 1e-7),
    "subnormal": lambda Y: np.where(Y == 0, 5e-324, Y),
    "duck": Duck,
}

BAD_SOFT_Y = {
    "NaN": with_entry(np.nan),
    "inf": with_entry(np.inf),
    "-inf": with_entry(-np.inf),
    "negative": lambda Y: Y - [0.6, 0.0, -0.6],
    "sums of 2": lambda Y: 2 * Y,
    "sums of 0": lambda Y: 0 * Y,
    "1e300": with_entry(1e300),
    "1.7e308": lambda Y: np.full(Y.shape, 1.7e308),
    "complex": lambda Y: Y + 0j,
    "text": lambda Y: np.full(Y.shape, "a"),
    "object text": with_entry("a", object),
    "None": with_entry(None, object),
    "huge int": with_entry(10**400, object),
    "dates": lambda Y: Y.astype("M8[D]"),
    "masked": lambda Y: np.ma.array(Y, mask=Y == 0),
    "sparse": sp.csr_array,
    "frame of mixed names": lambda Y: frame(Y, columns=("a", 1, 2)),
    "frame of same names": lambda Y: frame(Y, columns=("a", "b", "a")),
    "frame of missing names": lambda Y: frame(Y, columns=("a", "b", None)),
    "frame of NaN names": lambda Y: frame(Y, columns=(1.0, 2.0, np.nan)),
    "frame with NA": lambda Y: frame(Y, "Float64").mask(Y == 0),
    "polars null": lambda Y: pl.DataFrame({"a": [None] * N, "b": Y[:, 0]}),
    "polars text": lambda Y: pl.DataFrame({"a": ["a"] * N, "b": Y[:, 0]}),
    "arrow null": lambda Y: pa.table(frame(Y).mask(Y == 0)),
    "arrow same names": lambda Y: pa.Table.from_arrays([*Y.T], names=["a", "b", "a"]),
}

GOOD_WEIGHTS = {
    "list": lambda s: s.tolist(),
    "tuple": lambda s: tuple(s.tolist()),
    **{
        dtype: lambda s, dtype=dtype: s.astype(dtype)
        for dtype in ["f2", "f4", "g", ">f8", "i1", "u1", "i8", "O", "U8"]
    },
    "read-only": read_only,
    "strided": strided,
    "subclass": subclass,
    "unmasked": np.ma.array,
    "Fractions": lambda s: [Fraction(int(x)) for x in s],
    "Series": pd.Series,
    "Series Float64": lambda s: pd.Series(s, dtype="Float64"),
    "Series Int64": lambda s: pd.Series(s, dtype="Int64"),
    "Series arrow": lambda s: pd.Series(s, dtype="double[pyarrow]"),
    "Series odd index": lambda s: pd.Series(s, index=np.zeros(len(s))),
    "Index": pd.Index,
    "polars": pl.Series,
    "arrow": pa.array,
    "duck": Duck,
    "dates": lambda s: s.astype("M8[D]"),
    "times 1e-300": lambda s: s * 1e-300,
    "times 1e190": lambda s: s * 1e190,
    "times 1e-310": lambda s: s * 2.0**-1040,
}

BAD_WEIGHTS = {
    "0": lambda s: 0,
    "-1": lambda s: -1.0,
    "number NaN": lambda s: np.nan,
    "number inf": lambda s: np.inf,
    "10**400": lambda s: 10**400,
    "text": lambda s: "balanced",
    "dict": lambda s: {0: 1.0},
    "set": lambda s: {1.0},
    "object": lambda s: object(),
    "function": lambda s: len,
    "empty": lambda s: [],
    "0-d": lambda s: np.array(1.0),
    "column": lambda s: s[:, None],
    "fewer": lambda s: s[:-1],
    "more": lambda s: np.r_[s, s],
    "huge": lambda s: s * 1e300,
    "negative": with_entry(-1.0),
    "all zero": lambda s: 0 * s,
    "NaN": with_entry(np.nan),
    "inf": with_entry(np.inf),
    "longdouble beyond float64": with_entry(np.longdouble("1e400"), "g"),
    "complex": lambda s: s + 1j,
    "None entry": with_entry(None, object),
    "text entry": with_entry("a", object),
    "list entry": with_entry([1], object),
    "huge int": with_entry(10**400, object),
    "texts": lambda s: np.full(s.shape, "a"),
    "records": lambda s: np.zeros(N, dtype=[("a", "f8")]),
    "masked": lambda s: np.ma.array(s, mask=s == 1),
    "sparse": lambda s: sp.csr_array(s[:, None]),
    "Series with NA": lambda s: pd.Series(s, dtype="Float64").mask(s == 1),
    "Series with NaN": lambda s: pd.Series(s).mask(s == 1),
    "polars null": lambda s: pl.Series([None, *s.tolist()[1:]]),
    "arrow null": lambda s: pa.array([None, *s.tolist()[1:]]),
    "not a time": with_entry(np.datetime64("NaT"), "M8[D]"),
    "no duration": with_entry(np.timedelta64("NaT"), "m8[D]"),
    "Series with pd.NA": lambda s: pd.Series(s.astype(object)).mask(s == 1, pd.NA),
}
