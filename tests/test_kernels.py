"""The compiled kernels against their twins in numpy, and their e^x and log x."""

import importlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier, show_versions
from sksoftmax._data import statistics
from sksoftmax._data.one_hot import OneHot
from sksoftmax._kernels import _load, kernel
from sksoftmax._model import linear, loss
from sksoftmax._objective import dense_hessian, inverses

try:
    compiled = importlib.import_module("sksoftmax._kernels.compiled")
except ImportError:
    compiled = None

needs_kernels = pytest.mark.skipif(compiled is None, reason="they were not built")
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])
each_layout = pytest.mark.parametrize(
    "layout",
    [
        np.ascontiguousarray,
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
        lambda X: unaligned(X),
    ],
    ids=["rows", "columns", "other rows", "other columns", "backwards", "unaligned"],
)
# Rows, features, logits: about one tile, several, none; wide; one and two classes.
SHAPES = [
    (1, 1, 3), (127, 4, 3), (128, 3, 2), (129, 5, 1), (700, 7, 26), (0, 4, 3),
    (0, 4, 1), (40, 90, 4), (40, 90, 1), (9, 2, 130),
]  # fmt: skip
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
with_and_without_intercept = pytest.mark.parametrize("ones", [True, False])


def unaligned(X):
    """X at an odd address, as in the records of a file."""
    records = np.zeros(X.shape[0], [("label", "i1"), ("x", X.dtype, X.shape[1:])])
    records["x"] = X
    return records["x"]


def twin(function):
    """What numpy does in the place of a kernel."""
    return getattr(function, "__wrapped__", function)


def rows_like(rng, shape, dtype=np.float64):
    """Random rows: X, sY with soft and hard targets, s, for that many logits."""
    n, p, m = shape
    n_classes = max(m, 2)
    Y = rng.dirichlet(np.ones(n_classes), n)
    Y[::2] = np.eye(n_classes)[rng.integers(n_classes, size=len(Y[::2]))]
    s = rng.uniform(0.1, 3.0, n)
    X = rng.standard_normal((n, p))
    arrays = X, np.asfortranarray(Y * s[:, None]), s
    return tuple(array.astype(dtype) for array in arrays)


def probabilities_like(rng, shape, s, dtype=np.float64):
    """Random sP for that many logits."""
    n, _, m = shape
    P = scipy.special.softmax(3.0 * rng.standard_normal((n, max(m, 2))), axis=1)
    return np.asfortranarray(P[:, -m:] * s[:, None], dtype)


# Elementary functions


@needs_kernels
def test_exponentials_have_all_digits(rng):
    x = -np.concatenate(
        [rng.exponential(1.0, 10_000), rng.uniform(0, 745, 10_000), [0.0, 1e-300]]
    )
    exact = np.exp(x.astype(np.longdouble))
    unit = np.spacing(exact.astype(float)).astype(np.longdouble)
    assert (np.abs(compiled.exp_negative(x) - exact) / unit).max() < 1.0


@needs_kernels
def test_exponentials_at_the_ends():
    x = np.array([0.0, -0.0, -745.1, -746.0, -1e308, -np.inf, np.nan])
    expected = [1.0, 1.0, 5e-324, 0.0, 0.0, 0.0, np.nan]
    assert_array_equal(compiled.exp_negative(x), expected)


@needs_kernels
def test_logarithms_of_sums_have_all_digits(rng):
    x = np.concatenate(
        [
            1.0 + 10.0 ** -rng.uniform(0, 16, 10_000),
            rng.uniform(1, 5000, 10_000),
            2.0 ** np.arange(60),
        ]
    )
    exact = np.log(x.astype(np.longdouble))
    unit = np.spacing(exact.astype(float)).astype(np.longdouble)
    assert (np.abs(compiled.log_of_sum(x) - exact) / unit).max() < 1.0


# Against their twins


@needs_kernels
@each_layout
@each_shape
@with_and_without_intercept
def test_a_pass_is_that_of_numpy(rng, shape, ones, layout):
    X, sY, s = rows_like(rng, shape)
    W = rng.standard_normal((shape[1] + ones, shape[2]))
    before = [array.copy() for array in (X, W, sY, s)]
    found = compiled.linear_pass(layout(X), W, sY, s)
    expected = twin(linear.linear_pass)(X, W, sY, s)
    for array, right in zip(found, expected, strict=True):
        assert_allclose(array, right, rtol=1e-12, atol=1e-12)
    for array, as_it_was in zip((X, W, sY, s), before, strict=True):
        assert_array_equal(array, as_it_was)


@needs_kernels
@each_dtype
@each_layout
@each_shape
@with_and_without_intercept
def test_a_product_with_the_hessian_is_that_of_numpy(rng, shape, ones, layout, dtype):
    X, _, s = rows_like(rng, shape, dtype)
    sP = probabilities_like(rng, shape, s, dtype)
    V = rng.standard_normal((shape[1] + ones, shape[2])).astype(dtype)
    found = compiled.linear_hessp(layout(X), sP, s, V)
    expected = twin(linear.linear_hessp)(X, sP, s, V)
    assert found.dtype == expected.dtype == dtype
    size = 1.0 + np.abs(expected).max()
    assert_allclose(found, expected, atol=100 * np.finfo(dtype).eps * size)


@needs_kernels
@each_layout
@each_shape
@with_and_without_intercept
def test_the_hessian_is_that_of_numpy(rng, shape, ones, layout):
    X, _, s = rows_like(rng, shape)
    sP, centre = probabilities_like(rng, shape, s), rng.standard_normal(shape[1])
    arguments = centre, ones, sP, s
    found = compiled.hessian_without_last_class(layout(X), *arguments)
    if found is NotImplemented:
        assert shape == (40, 90, 4)  # too wide
        return
    if not len(X):
        assert_array_equal(found, 0.0)
        return
    expected = twin(dense_hessian.hessian_without_last_class)(X, *arguments)
    size = np.abs(expected).max()
    assert_allclose(found, expected, rtol=1e-12, atol=1e-13 * size)
    assert_array_equal(found, found.T)


@needs_kernels
@each_shape
@with_and_without_intercept
def test_a_pass_with_labels_is_that_with_their_one_hot_rows(rng, shape, ones):
    X, _, s = rows_like(rng, shape)
    labels = OneHot(rng.integers(max(shape[2], 2), size=shape[0]), max(shape[2], 2), s)
    W = rng.standard_normal((shape[1] + ones, shape[2]))
    found = compiled.linear_pass(X, W, labels, s)
    same = compiled.linear_pass(X, W, np.asarray(labels), s)
    for array, to_the_bit in zip(found, same, strict=True):
        assert_array_equal(array, to_the_bit)
    for sY in (labels, np.asarray(labels)):
        expected = twin(linear.linear_pass)(X, W, sY, s)
        for array, right in zip(found, expected, strict=True):
            assert_allclose(array, right, rtol=1e-12, atol=1e-12)


HARD_LOGITS = {
    "huge": [1e15, 1e15 - 0.125, -1e15],
    "further apart than any float": [1.7e308, -1.7e308, 0.0],
    "equal": [3.0, 3.0, 3.0],
    "certain": [800.0, 0.0, -800.0],
    "nearly certain": [37.0, 0.0, -700.0],
    "subnormal": [0.0, -740.0, -744.0],
}


@needs_kernels
@pytest.mark.parametrize("row", HARD_LOGITS.values(), ids=HARD_LOGITS)
@pytest.mark.parametrize("n_logits", [1, 2, 3])
@pytest.mark.parametrize("target", [0, 1, -1])
def test_the_loss_at_hard_logits_is_that_of_numpy(row, n_logits, target):
    Z = np.repeat(np.array([row[:n_logits]]), 130, axis=0)
    s = np.full(130, 0.1)
    sY = np.zeros((130, max(n_logits, 2)), order="F")
    sY[:, target] = s
    labels = OneHot(sY.argmax(axis=1), sY.shape[1], s)
    for targets in (sY, labels):
        with np.errstate(over="ignore"):
            expected = twin(loss.loss_grad)(Z.copy(order="F"), targets, s)
        found = compiled.loss_grad(Z.copy(), targets, s)
        for array, right in zip(found, expected, strict=True):
            assert_allclose(array, right, rtol=1e-13, atol=5e-324)


@needs_kernels
def test_a_row_that_is_certain_of_its_class_costs_nothing():
    z = np.array([[1e6], [-1e6], [30.0]])
    s = np.array([0.1, 0.3, 0.7])
    sY = np.array([[0.0, 0.1], [0.3, 0.0], [0.0, 0.7]])
    assert compiled.loss_grad(z[:2].copy(), sY[:2], s[:2])[0] == 0.0
    value = compiled.loss_grad(z[2:].copy(), sY[2:], s[2:])[0]
    assert_allclose(value, 0.7 * np.exp(-30.0), rtol=1e-2)


@needs_kernels
@pytest.mark.parametrize("n_logits", [1, 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_have_no_loss(n_logits, bad):
    Z = np.zeros((200, n_logits))
    Z[150, -1] = bad
    sY = np.zeros((200, max(n_logits, 2)))
    sY[:, 0] = 1.0
    value, _, sP = compiled.loss_grad(Z, sY, np.ones(200))
    assert not np.isfinite(value)
    assert n_logits == 1 or np.isnan(sP[150]).all()


@needs_kernels
@each_layout
@each_dtype
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 10), (127, 2), (129, 3), (5, 700)], ids=str
)
def test_probabilities_are_those_of_scipy(rng, shape, dtype, layout):
    Z = layout(30.0 * rng.standard_normal(shape).astype(dtype))
    P, log_P = (compiled.class_probabilities(Z, flag) for flag in (False, True))
    assert P.dtype == log_P.dtype == dtype
    exact = np.asarray(Z, np.float64)
    eps = np.finfo(dtype).eps
    tiny = np.finfo(dtype).smallest_subnormal
    expected = scipy.special.softmax(exact, axis=1)
    assert_allclose(P, expected, rtol=8 * eps, atol=tiny)
    expected = scipy.special.log_softmax(exact, axis=1)
    assert_allclose(log_P, expected, rtol=8 * eps, atol=8 * eps)


@needs_kernels
@each_dtype
def test_probabilities_at_hard_logits_are_those_of_numpy(dtype):
    far = np.finfo(dtype).max
    rows = [[0, 0, -np.inf], [far, -far, 0], [-far, -far, -far], [-np.inf, 9, -700]]
    Z = np.array(rows, dtype)
    for flag in (False, True):
        with np.errstate(over="ignore", under="ignore"):
            expected = twin(loss.class_probabilities)(Z, flag)
        found = compiled.class_probabilities(Z, flag)
        assert_allclose(found, expected, rtol=1e-6 if dtype == np.float32 else 1e-14)


@needs_kernels
@pytest.mark.parametrize(
    "bad", [[0, np.nan], [np.nan, 0], [np.inf, 0], [0, np.inf], [-np.inf, -np.inf]]
)
def test_logits_without_probabilities_are_left_to_the_error_of_numpy(bad):
    Z = np.zeros((200, 2))
    Z[150] = bad
    for flag, function in ((False, loss.softmax), (True, loss.log_softmax)):
        assert compiled.class_probabilities(Z, flag) is NotImplemented
        with pytest.raises(ValueError, match="needs a finite logit"):
            function(Z)


@pytest.mark.parametrize("function", [loss.softmax, loss.log_softmax])
def test_masked_logits_are_refused_and_other_subclasses_are_arrays(rng, function):
    Z = rng.standard_normal((4, 3))
    with pytest.raises(ValueError, match=r"Z contains .*masked"):
        function(np.ma.array(Z, mask=Z[1, 1] == Z))
    assert_allclose(function(np.ma.array(Z)), function(Z), rtol=1e-14)
    assert_allclose(function(Z.view(np.memmap)), function(Z), rtol=1e-14)


@needs_kernels
def test_rows_without_weight_add_nothing(rng):
    X, sY, s = rows_like(rng, (300, 4, 3))
    W = rng.standard_normal((5, 3))
    s[::3], sY[::3] = 0.0, 0.0
    value, grad, sP = compiled.linear_pass(X, W, sY, s)
    kept = s > 0.0
    expected = compiled.linear_pass(X[kept], W, sY[kept], s[kept])
    assert_allclose(value, expected[0], rtol=1e-13)
    assert_allclose(grad, expected[1], atol=1e-12)
    assert_array_equal(sP[~kept], 0.0)


@needs_kernels
@each_layout
@pytest.mark.parametrize("shape", [(1, 1), (127, 3), (400, 2), (9, 700)], ids=str)
def test_statistics_of_columns_are_those_of_numpy(rng, shape, layout):
    X = rng.standard_normal(shape) + 100.0
    X[rng.uniform(size=shape) < 0.3] = 0.0
    X[:, 0] = 7.0
    s = rng.uniform(0.1, 3.0, 2 * len(X))[::2]
    found = compiled.moments_of(layout(X), s)
    if found is NotImplemented:  # numpy goes along columns, and reads what is unaligned
        placed = layout(X)
        assert placed.strides[1] != placed.itemsize or not placed.flags.aligned
        return
    expected = twin(statistics.moments_of)(X, s)
    for array, right in zip(found, expected, strict=True):
        assert_allclose(array, right, rtol=1e-12, atol=1e-12)
    weight, low, high, _, shift, squares, exponent = found
    assert_array_equal((low[0], high[0], shift[0], squares[0]), (7.0, 7.0, 0.0, 0.0))
    assert (weight, exponent) == (pytest.approx(s.sum()), 0)


@needs_kernels
@pytest.mark.parametrize("size", [1e-300, 1e-25, 1e25, 1e300])
def test_statistics_of_extreme_columns_are_left_to_numpy(rng, size):
    X = rng.standard_normal((50, 3)) * [1.0, size, 1.0]
    assert compiled.moments_of(X, np.ones(50)) is NotImplemented


@needs_kernels
@pytest.mark.parametrize("ridge", [0.0, 1e-9])
@pytest.mark.parametrize("kind", ["regular", "singular", "with a dead column"])
@pytest.mark.parametrize("n_classes", [1, 2, 4])
def test_a_newton_system_is_solved_as_by_numpy(rng, n_classes, kind, ridge):
    q = 5
    size = q * max(n_classes - 1, 1)
    A = rng.standard_normal((3 if kind == "singular" else 60, size))
    A *= 10.0 ** rng.uniform(-3, 3, size)
    if kind == "with a dead column":
        A[:, 1] = 0.0
    penalty = np.full((q, n_classes), 0.0 if kind != "regular" else 0.1)
    R = rng.standard_normal((q, n_classes))
    H, H_twin = A.T @ A, A.T @ A
    scale, factor = compiled.scaled_factor(H, 7.0, penalty, ridge)
    expected = twin(inverses.scaled_factor)(H_twin, 7.0, penalty, ridge)
    assert_allclose(scale, expected[0], rtol=1e-14)
    assert_allclose(H, H_twin, rtol=1e-13, atol=1e-15)
    if kind == "singular":  # the factor of rounding errors is arbitrary
        return
    assert_allclose(np.tril(factor), np.tril(expected[1]), rtol=1e-8, atol=1e-10)
    solution = compiled.solve_scaled(factor, scale, R)
    right = twin(inverses.solve_scaled)(expected[1], expected[0], R)
    assert_allclose(solution, right, rtol=1e-7)
    assert n_classes == 1 or not solution[:, -1].any()


@needs_kernels
def test_tiny_curvature_is_scaled_without_overflow(rng):
    A = 1e-158 * rng.standard_normal((60, 4))
    H, H_twin = A.T @ A, A.T @ A
    compiled.scaled_factor(H, 1.0, np.zeros((4, 2)), 0.0)
    twin(inverses.scaled_factor)(H_twin, 1.0, np.zeros((4, 2)), 0.0)
    assert_allclose(H.diagonal(), 1.0, rtol=1e-6)
    assert_allclose(H, H_twin, rtol=1e-13)


@needs_kernels
@pytest.mark.parametrize("n_classes", [1, 3])
@with_and_without_intercept
def test_centred_coordinates_are_those_of_numpy(rng, n_classes, ones):
    centre = 10.0 * rng.standard_normal(4)
    r = rng.standard_normal((4 + ones) * n_classes)
    R = compiled.into_centred(r, centre, ones)
    assert_allclose(R, twin(inverses.into_centred)(r, centre, ones), atol=1e-13)
    d = compiled.out_of_centred(R.copy(order="F"), centre, ones)
    assert_allclose(d, twin(inverses.out_of_centred)(R, centre, ones), atol=1e-12)


# The choice between the two


@needs_kernels
def test_a_row_may_have_any_stride(rng):
    X, sY, s = rows_like(rng, (1, 4, 3))
    W = rng.standard_normal((5, 3))
    row = np.broadcast_to(X[0], (1, 4))
    found = compiled.linear_pass(row, W, sY, s)
    expected = twin(linear.linear_pass)(X, W, sY, s)
    assert_allclose(found[1], expected[1], atol=1e-14)


def test_a_model_without_parameters_is_left_to_numpy():
    s, nothing = np.ones(3), np.zeros((0, 2))
    sY = np.column_stack([s, np.zeros(3)])
    value, grad, sP = linear.linear_pass(np.zeros((3, 0)), nothing, sY, s)
    assert_allclose(value, 3 * np.log(2.0))
    assert grad.shape == (0,)
    assert linear.linear_hessp(np.zeros((3, 0)), sP, s, nothing).shape == (0,)


def test_a_kernel_leaves_what_it_is_not_for_to_numpy(rng):
    _, sY, s = rows_like(rng, (30, 4, 3), np.float32)
    Z = rng.standard_normal((30, 3)).astype(np.float32)
    value, dZ, sP = loss.loss_grad(Z.copy(), sY, s)
    expected = twin(loss.loss_grad)(Z.copy(), sY, s)
    assert dZ.dtype == sP.dtype == np.float32
    assert value == expected[0]


def test_a_function_without_a_kernel_stays_as_it_is():
    def no_kernel_has_this_name():
        pass

    assert kernel(no_kernel_has_this_name) is no_kernel_has_this_name


def test_a_choice_of_kernels_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="SKSOFTMAX_KERNELS is 'fast'; allowed"):
        _load("fast")


def test_numpy_can_be_chosen():
    assert _load("numpy") is None


def test_compiled_kernels_can_be_asked_for(monkeypatch):
    for name in ("compiled", "coordinate_descent"):
        monkeypatch.setitem(sys.modules, f"sksoftmax._kernels.{name}", None)
    assert _load("auto") is None
    with pytest.raises(ImportError, match="C compiler"):
        _load("compiled")


def test_the_report_says_which_kernels_are_in_use():
    code = "import sksoftmax; sksoftmax.show_versions()"
    env = {**os.environ, "SKSOFTMAX_KERNELS": "numpy"}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = dict(line.split(maxsplit=1) for line in run.stdout.splitlines())
    assert lines["kernels"] == "numpy"
    assert {"python", "numpy", "scipy", "scikit-learn", "BLAS"} <= set(lines)


def test_the_report_goes_to_the_screen(capsys):
    show_versions()
    assert capsys.readouterr().out.startswith("python ")


@needs_kernels
def test_a_model_is_the_same_with_either(rng):
    X = rng.standard_normal((400, 5))
    y = (X @ rng.standard_normal((5, 4)) + rng.gumbel(size=(400, 4))).argmax(1)
    model = SoftmaxRegressionClassifier(tol=1e-12).fit(X, y)
    code = (
        "import sys, pickle; from sksoftmax import SoftmaxRegressionClassifier as S;"
        "X, y = pickle.load(sys.stdin.buffer);"
        "print(*S(tol=1e-12).fit(X, y).coef_.ravel().tolist())"
    )
    env = {**os.environ, "SKSOFTMAX_KERNELS": "numpy"}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        input=pickle.dumps((X, y)),
        capture_output=True,
        check=True,
    )
    other = np.array(run.stdout.split(), float)
    assert_allclose(model.coef_.ravel(), other, rtol=1e-6, atol=1e-8)
