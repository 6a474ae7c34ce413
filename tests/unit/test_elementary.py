"""Elementary functions written as primitive ops: accuracy against 50 digits, limits, and the bits of their inverses."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.language.expr import Type
from neuromorph.lowering import StepProgram, elementary, verify
from neuromorph.lowering.builder import Builder, Value
from neuromorph.lowering.evaluate import evaluate

WIDTHS = ["float32", "float64"]
N = 700


def run(function: Callable[..., Value], dtype: str, *arguments: np.ndarray) -> np.ndarray:
    builder = Builder(dtype)
    result = function(*(builder.leaf("port", Type.FLOAT, k) for k in range(len(arguments))))
    ports = tuple(_slot(k) for k in range(len(arguments)))
    program = StepProgram(dtype, tuple(builder.ops), (), (), ports, (), None, None, (("result", result.number),))
    verify(program)
    return np.asarray(evaluate(program, [], [], [a.astype(dtype) for a in arguments])[result.number])


def _slot(k):
    from neuromorph.lowering import Slot

    return Slot(f"x{k}", Type.FLOAT)


def ulps(result: np.ndarray, reference: list, dtype: str) -> np.ndarray:
    """Error in units in the last place of the exact result; subnormal results have a fixed unit."""
    info = np.finfo(dtype)
    errors = []
    for got, exact in zip(result, reference, strict=True):
        exponent = int(mpmath.floor(mpmath.log(abs(exact), 2))) if exact else info.minexp
        unit = mpmath.mpf(2) ** (max(exponent, info.minexp) - info.nmant)
        errors.append(float(abs(mpmath.mpf(float(got)) - exact) / unit))
    return np.array(errors)


def arguments(low: float, high: float, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(11)
    small = rng.uniform(-1, 1, N) * 10.0 ** rng.uniform(-7, 0, N)
    return np.concatenate([rng.uniform(low, high, N), small]).astype(dtype)


RANGE = {"float32": (-87.3, 88.3), "float64": (-708.3, 709.4)}  # exp is normal and below 2**127.5 or 2**1023.5
CASES = {
    "exp": (elementary.exp, mpmath.exp, 1.0),
    "expm1": (elementary.expm1, mpmath.expm1, 0.99),
    "sigmoid": (elementary.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), 1.0),
    "tanh": (elementary.tanh, mpmath.tanh, 0.3),
    "phi1": (elementary.phi1, lambda x: mpmath.expm1(x) / x if x else mpmath.mpf(1), 0.99),
    "sin": (elementary.sin, mpmath.sin, 1.0),
    "cos": (elementary.cos, mpmath.cos, 1.0),
}


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("name", CASES)
def test_accuracy(name, dtype):
    function, reference, part = CASES[name]
    low, high = (bound * part for bound in RANGE[dtype])
    x = arguments(low, high, dtype)
    with mpmath.workdps(50):
        errors = ulps(run(function, dtype, x), [reference(mpmath.mpf(float(v))) for v in x], dtype)
    assert errors.max() <= elementary.ULPS[name][WIDTHS.index(dtype)], (x[errors.argmax()], errors.max())


DOUBLES = {
    "exp": np.exp,
    "expm1": np.expm1,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "phi1": lambda x: np.expm1(x) / x,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
}


@pytest.mark.parametrize("name", DOUBLES)
def test_stated_accuracy_is_the_largest_error_among_many_float32(name):
    rng, n = np.random.default_rng(3), 1_000_000
    low, high = RANGE["float32"] if name not in ("tanh", "phi1", "expm1") else (-25, 25)
    x = np.concatenate([rng.uniform(low, high, n), rng.uniform(-3, 3, n)])
    x = (np.exp(x) if name == "log" else x[x != 0]).astype(np.float32)
    exact = DOUBLES[name](x.astype(np.float64))
    unit = np.ldexp(1.0, np.maximum(np.frexp(exact)[1] - 1, -126) - 23)
    worst = np.max(np.abs(run(getattr(elementary, name), "float32", x) - exact) / unit)
    stated = elementary.ULPS[name][0]
    assert 0.8 * stated < worst <= stated


@pytest.mark.parametrize("dtype", WIDTHS)
def test_accuracy_of_log(dtype):
    low, high = RANGE[dtype]
    near = 1 + arguments(0, 0, dtype).astype(np.float64) / 50
    with np.errstate(under="ignore"):
        x = np.concatenate([np.exp(arguments(low, high, dtype).astype(np.float64)), near]).astype(dtype)
    x = x[x > 0]
    with mpmath.workdps(50):
        exact = [mpmath.log(mpmath.mpf(float(v))) for v in x]
        errors = ulps(run(elementary.log, dtype, x), exact, dtype)
    assert errors.max() <= elementary.ULPS["log"][WIDTHS.index(dtype)], (x[errors.argmax()], errors.max())


@pytest.mark.parametrize("dtype", WIDTHS)
def test_accuracy_of_power(dtype):
    rng = np.random.default_rng(5)
    x = np.exp(rng.uniform(-20, 20, N)).astype(dtype)
    spread = rng.uniform(*RANGE[dtype], N) * 0.98 / np.log(x.astype(np.float64))
    y = np.where(rng.random(N) < 0.5, spread, rng.uniform(-3, 3, N)).astype(dtype)
    with mpmath.workdps(50):
        exact = [mpmath.power(mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(x, y, strict=True)]
        errors = ulps(run(elementary.power, dtype, x, y), exact, dtype)
    assert errors.max() <= elementary.ULPS["power"][WIDTHS.index(dtype)], (x[errors.argmax()], y[errors.argmax()])


@pytest.mark.parametrize("dtype", WIDTHS)
def test_limits(dtype):
    inf, nan = np.inf, np.nan
    special = np.array([nan, inf, -inf, 0.0, 1e30, -1e30])
    expected = {
        "exp": [nan, inf, 0, 1, inf, 0],
        "sigmoid": [nan, 1, 0, 0.5, 1, 0],
        "tanh": [nan, 1, -1, 0, 1, -1],
    }
    for name, values in expected.items():
        assert np.array_equal(run(CASES[name][0], dtype, special), values, equal_nan=True), name
    assert np.array_equal(
        run(elementary.log, dtype, np.array([nan, inf, 0.0, -1.0, 1.0, -inf])),
        [nan, inf, -inf, nan, 0, nan],
        equal_nan=True,
    )
    assert run(elementary.phi1, dtype, np.array([0.0, -inf]))[0] == 1.0


@pytest.mark.parametrize("dtype", WIDTHS)
def test_limits_of_power(dtype):
    x, y = (g.ravel() for g in np.meshgrid([0.0, 1.0, 2.0, np.inf, np.nan], [0.0, 1.0, -2.0, np.inf, -np.inf]))
    with np.errstate(all="ignore"):
        assert np.array_equal(run(elementary.power, dtype, x, y), np.power(x, y), equal_nan=True)
    assert np.isnan(run(elementary.power, dtype, np.array([-2.0]), np.array([0.5])))
    assert np.isnan(run(elementary.power, dtype, np.array([2.0]), np.array([np.nan])))


@pytest.mark.parametrize("dtype", WIDTHS)
def test_exp_ends_at_half_the_least_and_the_greatest_power_of_two(dtype):
    least, greatest = (-126.5, 127.5) if dtype == "float32" else (-1022.5, 1023.5)
    x = np.array([least - 0.01, least + 0.01, greatest - 0.01, greatest + 0.01]) * np.log(2.0)
    y = run(elementary.exp, dtype, x)
    assert y[0] == 0
    assert 0 < y[1] < y[2] < np.inf
    assert y[3] == np.inf


@pytest.mark.parametrize("dtype", WIDTHS)
@given(st.floats(-30, 30), st.floats(0, 1e-3))
def test_monotone_where_it_must_be(dtype, x, gap):
    pair = np.array([x, x + gap])
    for name in ("sigmoid", "tanh", "exp"):
        low, high = run(CASES[name][0], dtype, pair)
        assert low <= high + 4 * np.finfo(dtype).eps * abs(high)
        assert name == "exp" or abs(high) <= 1


@given(st.floats(0.01, 5), st.booleans(), st.integers(-8, 8))
def test_integer_power_is_repeated_multiplication(size, negative, exponent):
    x = -size if negative else size
    got = run(lambda v: elementary.integer_power(v, exponent) + 0.0 * v, "float64", np.array([x]))[0]
    assert got == pytest.approx(x**exponent, rel=1e-14)


@pytest.mark.parametrize("dtype", WIDTHS)
def test_normal_pair_is_normal(dtype):
    from scipy import stats

    from neuromorph import random

    builder = Builder(dtype)
    words = tuple(builder.leaf("random", Type.INT, k) for k in range(4))
    pair = elementary.normal_pair(words)
    program = StepProgram(dtype, tuple(builder.ops), (), (), (), (), None, None)
    values = evaluate(program, [], [], [], seed=3, ids=np.arange(40_000))
    a, b = (values[v.number] for v in pair)
    assert a.dtype == np.dtype(dtype)
    assert np.all(np.isfinite(a))
    for sample in (a, b):
        assert stats.kstest(sample.astype(float), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02
    assert abs(np.corrcoef(a**2, b**2)[0, 1]) < 0.02
    u1 = (random.bits(3, np.arange(40_000), 0, 0) + 0.5) * 2.0**-32
    assert np.allclose(a**2 + b**2, -2 * np.log(u1), rtol=1e-5, atol=1e-6)
