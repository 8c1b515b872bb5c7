"""Softmax, hardmax and cross-entropy at hard points, and the loss in logit space.

The oracle is arithmetic with fifty decimal digits, and scipy for arrays of any shape.
"""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import cross_entropy, hardmax, log_softmax, softmax
from sksoftmax._model.loss import batch_loss_grad, loss, loss_grad, loss_hessp

HARD_ROWS = {
    "ordinary": [0.3, -1.2, 2.5, 0.1],
    "far apart": [1e4, 0.0, -1e4],
    "large and close": [1e4, 1e4 - 1, 1e4 - 2],
    "very large and close": [1e15, 1e15 - 0.125],
    "all equal": [-3.0, -3.0, -3.0],
    "tied for the largest": [700.0, 700.0, -700.0],
    "nearly tied": [1e-17, 0.0],
    "one below all others": [5.0, 5.0, -1e4],
    "very negative": [-1e4, -1e4 - 3],
    "one class": [7.0],
}
hard_rows = pytest.mark.parametrize("row", HARD_ROWS.values(), ids=HARD_ROWS.keys())
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])
each_function = pytest.mark.parametrize("function", [softmax, log_softmax, hardmax])


def log_softmax_in_decimals(row):
    """Log-probabilities of one row of logits; call it within `localcontext`."""
    row = [Decimal(float(z)) for z in row]
    log_sum = sum((z - max(row)).exp() for z in row).ln() + max(row)
    return [z - log_sum for z in row]


# Public functions


@each_dtype
@hard_rows
def test_log_softmax_has_all_digits(row, dtype):
    Z = np.array(row, dtype)
    with localcontext(prec=50):
        expected = [float(log_p) for log_p in log_softmax_in_decimals(Z)]
    eps = np.finfo(dtype).eps
    assert_allclose(log_softmax(Z), expected, rtol=4 * eps, atol=4 * eps)


@each_dtype
@hard_rows
def test_softmax_has_all_digits_as_long_as_it_does_not_underflow(row, dtype):
    Z = np.array(row, dtype)
    with localcontext(prec=50):
        expected = [float(log_p.exp()) for log_p in log_softmax_in_decimals(Z)]
    # The exponential of a logit d below the largest loses d rounding errors of it.
    info = np.finfo(dtype)
    rtol = 4 * info.eps * (1 + min(abs(np.log(info.smallest_normal)), np.ptp(Z)))
    assert_allclose(softmax(Z), expected, rtol=rtol, atol=info.smallest_normal)


@hard_rows
def test_probabilities_sum_to_one(row):
    assert_allclose(softmax(row).sum(), 1.0, rtol=1e-15)


@each_function
@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 1, 2, 3), (0, 3), (2, 0, 3)])
def test_leading_axes_are_kept_and_rows_do_not_meet(rng, function, shape):
    Z = rng.standard_normal(shape)
    rows = [function(row) for row in Z.reshape(-1, 3)]
    result = function(Z)
    assert result.shape == shape
    assert_allclose(result.reshape(-1, 3), np.array(rows).reshape(-1, 3), rtol=1e-14)


@each_function
@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda Z: np.repeat(Z, 2, 0)[::2]]
)
def test_layout_in_memory_changes_nothing(rng, function, layout):
    Z = rng.standard_normal((5, 3))
    assert_allclose(function(layout(Z)), function(Z), rtol=1e-14)


@each_function
def test_the_argument_stays_as_it_was(rng, function):
    Z = rng.standard_normal((5, 3))
    before = Z.copy()
    function(Z)
    assert_array_equal(Z, before)


@each_function
@pytest.mark.parametrize(
    ("given", "expected"),
    [("f4", "f4"), ("f8", "f8"), ("f2", "f8"), ("i8", "f8"), ("u1", "f8"), ("?", "f8")],
)
def test_only_single_precision_stays_what_it_is(function, given, expected):
    assert function(np.array([[1, 0]], given)).dtype == expected


@each_dtype
def test_a_logit_of_minus_infinity_rules_its_class_out(dtype):
    Z = np.array([[-np.inf, 0.5, 0.5], [-np.inf, -np.inf, -1e4]], dtype)
    assert_array_equal(softmax(Z), [[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    half = dtype(np.log(0.5))
    expected = [[-np.inf, half, half], [-np.inf, -np.inf, 0.0]]
    assert_allclose(log_softmax(Z), expected, rtol=np.finfo(dtype).eps)
    assert_array_equal(hardmax(Z), [[0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize(
    "row", [[0.0, np.nan], [0.0, np.inf], [-np.inf, -np.inf]], ids=str
)
def test_rows_without_probabilities_are_refused(function, row):
    with pytest.raises(ValueError, match="finite logit"):
        function(np.array([[0.0, 0.0], row]))
    in_list = "Z contains NaN in row 1" if np.isnan(row).any() else "finite logit"
    with pytest.raises(ValueError, match=in_list):
        function([[0.0, 0.0], row])


@each_function
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 0), ()])
def test_an_axis_of_classes_is_needed(function, shape):
    with pytest.raises(ValueError, match="at least one class"):
        function(np.zeros(shape))


def test_hardmax_picks_the_first_among_equals():
    Z = [[2.0, 2.0, 1.0], [0.0, 5.0, 5.0], [0.0, -0.0, 0.0]]
    assert_array_equal(hardmax(Z), [[1, 0, 0], [0, 1, 0], [1, 0, 0]])


def test_hardmax_takes_infinities():
    Z = [[np.inf, 0.0], [-np.inf, 0.0], [-np.inf, -np.inf]]
    assert_array_equal(hardmax(Z), [[1, 0], [0, 1], [1, 0]])


def test_hardmax_refuses_nan():
    with pytest.raises(ValueError, match="NaN"):
        hardmax([[1.0, np.nan]])


@each_dtype
def test_cross_entropy_has_all_digits(dtype):
    Y = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [1e-30, 1.0, 0.0]], dtype)
    P = np.array([[0.1, 1e-30, 0.9], [1e-5, 1.0, 1e-5], [1e-30, 0.25, 0.75]], dtype)
    with localcontext(prec=50):
        expected = [
            float(
                -sum(Decimal(y) * Decimal(p).ln() for y, p in zip(*rows, strict=True))
            )
            for rows in zip(Y.tolist(), P.tolist(), strict=True)
        ]
    assert_allclose(cross_entropy(Y, P), expected, rtol=4 * np.finfo(dtype).eps)
    assert cross_entropy(Y, P).dtype == dtype


def test_cross_entropy_of_a_class_that_cannot_be_is_infinite():
    assert cross_entropy([0.5, 0.5], [1.0, 0.0]) == np.inf
    assert repr(cross_entropy([1.0, 0.0], [1.0, 0.0])) == "0.0"  # and not -0.0


def test_cross_entropy_of_a_row_is_a_float_and_of_no_rows_empty():
    assert type(cross_entropy([0, 1], [0.5, 0.5])) is float
    assert cross_entropy(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("Y", "P", "words"),
    [
        ([[1.0, 0.0]], [1.0, 0.0], "same shape"),
        ([[1.0, 0.0]], [[1.0, 0.0, 0.0]], "same shape"),
        (np.ones((1, 1, 1)), np.ones((1, 1, 1)), "same shape"),
        (1.0, 1.0, "at least one class"),
        ([], [], "at least one class"),
        ([-0.1, 1.1], [0.5, 0.5], "Y must hold numbers >= 0"),
        ([0.5, 0.5], [1.5, -0.5], "P must hold numbers >= 0"),
        (np.array([np.nan, 1.0]), [0.5, 0.5], "Y must hold numbers >= 0"),
        ([0.5, 0.5], np.array([np.nan, 1.0]), "P must hold numbers >= 0"),
        ([[0.5, 0.5], [np.nan, 1.0]], np.ones((2, 2)), "Y contains NaN in row 1"),
    ],
)
def test_cross_entropy_refuses_what_is_not_probabilities(Y, P, words):
    with pytest.raises(ValueError, match=words):
        cross_entropy(Y, P)


# The loss of the objective, L(Z) = sum_i s_i d(softmax(z_i), y_i). It takes s Y for the
# targets, gives s P for the probabilities, and may overwrite Z.


@pytest.fixture
def hard_batch(rng):
    """Logits up to 1e4, soft and hard labels, weights."""
    Z = [row for row in HARD_ROWS.values() if len(row) == 3]
    Z = np.vstack([Z, rng.standard_normal((6, 3))])
    Y = rng.dirichlet(np.ones(3), size=len(Z))
    Y[::2] = np.eye(3)[rng.integers(3, size=len(Y[::2]))]
    return Z, Y, rng.uniform(0.5, 2.0, size=len(Z))


@pytest.fixture
def smooth_batch(rng):
    Z, Y = rng.standard_normal((5, 4)), rng.dirichlet(np.ones(4), size=5)
    return Z, Y, np.array([1.0, 2.0, 0.5, 3.0, 1e-3])


def value_of(Z, Y, s):
    return loss(Z.copy(), s[:, None] * Y, s)


def value_and_grad_of(Z, Y, s):
    value, dZ, _ = loss_grad(Z.copy(), s[:, None] * Y, s)
    return value, dZ


def grad_of(Z, Y, s):
    return value_and_grad_of(Z, Y, s)[1]


def hessp_of(Z, s, V):
    return loss_hessp(s[:, None] * scipy.special.softmax(Z, axis=1), s, V.copy())


def test_both_losses_have_all_digits(hard_batch):
    with localcontext(prec=50):
        expected = -sum(
            Decimal(s_i) * Decimal(y) * log_p
            for z_i, y_i, s_i in zip(*(a.tolist() for a in hard_batch), strict=True)
            for y, log_p in zip(y_i, log_softmax_in_decimals(z_i), strict=True)
        )
    assert_allclose(value_of(*hard_batch), float(expected), rtol=1e-14)
    assert_allclose(value_and_grad_of(*hard_batch)[0], float(expected), rtol=1e-14)


def test_gradient_at_hard_points_is_weighted_p_minus_y(hard_batch):
    Z, Y, s = hard_batch
    expected = s[:, None] * (scipy.special.softmax(Z, axis=1) - Y)
    assert_allclose(grad_of(Z, Y, s), expected, rtol=1e-12, atol=1e-15)


def test_probabilities_come_weighted_with_the_gradient(hard_batch):
    Z, Y, s = hard_batch
    _, _, sP = loss_grad(Z.copy(), s[:, None] * Y, s)
    expected = s[:, None] * scipy.special.softmax(Z, axis=1)
    assert_allclose(sP, expected, rtol=1e-12, atol=1e-300)


def test_gradient_is_the_difference_quotient_of_the_loss(
    smooth_batch, finite_differences
):
    Z, Y, s = smooth_batch
    expected = finite_differences(
        lambda z: value_of(z.reshape(Z.shape), Y, s), Z.ravel()
    )
    assert_allclose(grad_of(Z, Y, s).ravel(), expected, atol=1e-10)


def test_hessp_is_the_difference_quotient_of_the_gradient(
    smooth_batch, finite_differences, rng
):
    Z, Y, s = smooth_batch
    V = rng.standard_normal(Z.shape)
    hessian = finite_differences(lambda z: grad_of(z.reshape(Z.shape), Y, s), Z.ravel())
    assert_allclose(hessp_of(Z, s, V), hessian @ V.ravel(), atol=1e-10)


def test_hessp_of_a_shift_of_all_classes_is_zero(hard_batch):
    Z, _, s = hard_batch
    assert_allclose(hessp_of(Z, s, np.ones(Z.shape)), 0.0, atol=1e-15)


def test_a_row_of_weight_zero_adds_nothing(smooth_batch):
    Z, Y, s = smooth_batch
    s[2] = 0.0
    value, dZ = value_and_grad_of(Z, Y, s)
    others = s > 0
    expected, _ = value_and_grad_of(Z[others], Y[others], s[others])
    assert_allclose([value, value_of(Z, Y, s)], expected, rtol=1e-14)
    assert_array_equal(dZ[2], 0.0)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_both_layouts_of_logits_give_the_same(smooth_batch, layout):
    Z, Y, s = smooth_batch
    P = scipy.special.softmax(Z, axis=1)
    value, dZ, _ = loss_grad(layout(Z.copy()), layout(s[:, None] * Y), s)
    expected = s @ -(Y * np.log(P)).sum(axis=1)
    assert_allclose(value, expected, rtol=1e-14)
    assert_allclose(loss(layout(Z.copy()), layout(s[:, None] * Y), s), expected)
    assert_allclose(dZ, s[:, None] * (P - Y), atol=1e-15)


def test_chunk_losses_stay_in_single_precision(smooth_batch):
    Z, Y, s = (array.astype(np.float32) for array in smooth_batch)
    value, dZ, sP = loss_grad(Z.copy(), s[:, None] * Y, s)
    assert dZ.dtype == sP.dtype == loss_hessp(sP, s, Z.copy()).dtype == np.float32
    assert_allclose(value, value_of(*smooth_batch), rtol=1e-6)


def test_targets_and_weights_stay_as_they_were(smooth_batch):
    Z, Y, s = smooth_batch
    sY = s[:, None] * Y
    before = [sY.copy(), s.copy()]
    loss(Z.copy(), sY, s)
    _, _, sP = loss_grad(Z.copy(), sY, s)
    before.append(sP.copy())
    loss_hessp(sP, s, Z.copy())
    for array, as_it_was in zip((sY, s, sP), before, strict=True):
        assert_array_equal(array, as_it_was)


# Two classes with one logit


def one_and_two_logits(rng, dtype=np.float64):
    """The same rows as one logit and as two, with soft targets and weights."""
    z = 3.0 * rng.standard_normal((12, 1))
    z[:4] = [[40.0], [-40.0], [1e4], [-1e4]]
    s = rng.uniform(0.1, 3.0, 12)
    share = np.r_[1.0, 0.0, 1.0, 0.0, rng.random(8)]
    sY = np.asfortranarray(np.column_stack([1.0 - share, share]) * s[:, None])
    two = np.hstack([-z / 2, z / 2])
    return tuple(a.astype(dtype) for a in (z, two, sY, s))


def test_one_logit_has_the_loss_of_two(rng):
    z, two, sY, s = one_and_two_logits(rng)
    assert_allclose(loss(z.copy(), sY, s), loss(two.copy(), sY, s), rtol=1e-14)


def test_one_logit_has_the_gradient_of_its_own_class(rng):
    z, two, sY, s = one_and_two_logits(rng)
    value, dz, sp = loss_grad(z.copy(), sY, s)
    expected_value, expected, sP = loss_grad(two.copy(), sY, s)
    assert_allclose(value, expected_value, rtol=1e-14)
    assert_allclose(dz, expected[:, 1:], atol=1e-15)
    assert_allclose(sp, sP[:, 1:], rtol=1e-14)


def test_the_gradient_of_one_logit_is_the_derivative_of_its_loss(
    rng, finite_differences
):
    z, _, sY, s = one_and_two_logits(rng)
    z[2:4] /= 1e4
    _, dz, _ = loss_grad(z.copy(), sY, s)
    derivative = finite_differences(lambda u: loss(u[:, None].copy(), sY, s), z[:, 0])
    assert_allclose(dz[:, 0], derivative, atol=1e-9)


def test_hessp_of_one_logit_is_the_derivative_of_its_gradient(rng, finite_differences):
    z, _, sY, s = one_and_two_logits(rng)
    v = rng.standard_normal((12, 1))
    _, _, sp = loss_grad(z.copy(), sY, s)
    derivative = finite_differences(
        lambda t: loss_grad(z + t[0] * v, sY, s)[1][:, 0], np.zeros(1)
    )
    assert_allclose(loss_hessp(sp, s, v.copy()), derivative, atol=1e-9)


def test_a_certain_row_of_one_logit_keeps_its_tiny_loss():
    sY, s = np.array([[0.0, 1.0]]), np.ones(1)
    assert loss(np.array([[1e6]]), sY, s) == 0.0
    assert_allclose(loss(np.array([[30.0]]), sY, s), np.exp(-30.0), rtol=1e-2)
    assert_allclose(loss(np.array([[-1e6]]), sY, s), 1e6)


@pytest.mark.parametrize("function", [softmax, log_softmax, hardmax])
@pytest.mark.parametrize(
    "Z",
    [
        ["a", "b"],
        [[1.0], [1.0, 2.0]],
        [1j, 2j],
        [10**400, 1],
        [None, object()],
        np.ma.array([1.0, 2.0], mask=[0, 1]),
    ],
)
def test_logits_that_are_no_numbers_are_named(function, Z):
    with pytest.raises((ValueError, TypeError), match=r"\bZ\b"):
        function(Z)


@pytest.mark.parametrize("bad", [["a", "b"], [1j, 0], [np.inf, 0.0], [10**400, 0]])
def test_probabilities_that_are_none_are_named(bad):
    with pytest.raises((ValueError, TypeError), match=r"\bY\b"):
        cross_entropy(bad, [0.5, 0.5])
    with pytest.raises((ValueError, TypeError), match=r"\bP\b"):
        cross_entropy([0.5, 0.5], bad)


def test_logits_further_apart_than_any_float_make_certain_of_a_class():
    Z = [1.7e308, -1.7e308]
    assert_array_equal(softmax(Z), [1.0, 0.0])
    assert_array_equal(log_softmax(Z), [0.0, -np.inf])


@each_dtype
def test_mini_batches_have_the_same_loss_and_gradient_at_hard_logits(hard_batch, dtype):
    Z, Y, s = (array.astype(dtype) for array in hard_batch)
    log_P = scipy.special.log_softmax(Z.astype(float), axis=1)
    dZ, sY = Z.T.copy(), (s[:, None] * Y).T.copy()
    value = batch_loss_grad(dZ, sY, s, np.empty_like(s))
    eps = np.finfo(dtype).eps
    assert_allclose(value, -np.sum(sY.T * log_P), rtol=20 * eps)
    assert_allclose(dZ.T, s[:, None] * np.exp(log_P) - sY.T, atol=20 * eps)
