"""Units: the algebra of dimensions and quantities, NumPy, Brian 2 and every message."""

from __future__ import annotations

import doctest
import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph import units as u
from neuromorph.errors import UnitError
from neuromorph.units import Dimension, Mohm, Quantity, Unit, ms, mV, nA, nS, second

UNITS = [x for x in vars(u).values() if isinstance(x, Unit) and x.name]
some_unit = st.sampled_from(UNITS)
number = st.floats(min_value=1e-6, max_value=1e6) | st.floats(min_value=-1e6, max_value=-1e-6)
dimension = st.builds(
    lambda e: Dimension(tuple(e)), st.lists(st.fractions(-3, 3, max_denominator=4), min_size=7, max_size=7)
)


@given(dimension, dimension, dimension)
def test_dimensions_form_a_group(a: Dimension, b: Dimension, c: Dimension) -> None:
    assert (a * b) * c == a * (b * c)
    assert a * b == b * a
    assert a / a == Dimension() == a**0
    assert (a * b) / b == a
    assert (a * b) ** 2 == a**2 * b**2
    assert (a**0.5) ** 2 == a
    assert hash((a * b) / b) == hash(a)


@given(number, some_unit, number, some_unit)
def test_products_agree_with_si_numbers(x: float, a: Unit, y: float, b: Unit) -> None:
    for result, value, dim in (
        ((x * a) * (y * b), x * a.scale * (y * b.scale), a.dim * b.dim),
        ((x * a) / (y * b), x * a.scale / (y * b.scale), a.dim / b.dim),
        (x * (a * b), x * (a.scale * b.scale), a.dim * b.dim),
        (x * (a / b), x * (a.scale / b.scale), a.dim / b.dim),
        (y / b, y / b.scale, Dimension() / b.dim),
        ((x * a) ** 2, (x * a.scale) ** 2, a.dim**2),
    ):
        assert u.dimension_of(result) == dim
        assert u.as_quantity(result).value == pytest.approx(value, rel=1e-12)


@given(number, some_unit, number, some_unit)
def test_sums_and_comparisons_need_equal_dimensions(x: float, a: Unit, y: float, b: Unit) -> None:
    left, right = x * a, y * b
    if a.dim == b.dim:
        assert (left + right).value == left.value + right.value
        assert (left - right).unit == a
        assert (left < right) == (left.value < right.value)
        assert (left >= right) == (left.value >= right.value)
    else:
        for operation in (lambda: left + right, lambda: left - right, lambda: left < right, lambda: left >= right):
            with pytest.raises(UnitError) as caught:
                operation()
            assert str(a.dim) in str(caught.value)
            assert str(b.dim) in str(caught.value)
        assert left != right
        assert (left == right) is False


@given(number, some_unit)
def test_prints_in_the_unit_it_was_written_in(x: float, unit: Unit) -> None:
    text, _, name = str(x * unit).partition(" ")
    assert name == unit.name
    assert float(text) == pytest.approx(x, rel=1e-11)
    assert (x * unit).to(unit) == pytest.approx(x, rel=1e-15)


def test_plain_numbers_are_refused_with_both_dimensions() -> None:
    with pytest.raises(UnitError, match=r"cannot add 2 \(dimensionless\) to 18 ms \(time \(s\)\)"):
        18 * ms + 2
    with pytest.raises(UnitError, match="time"):
        2 + 18 * ms
    with pytest.raises(UnitError, match=r"is a time .* not a plain number"):
        float(18 * ms)
    with pytest.raises(UnitError, match=r"cannot express 18 ms \(time \(s\)\) in mV \(voltage \(V\)\)"):
        (18 * ms).to(mV)
    with pytest.raises(UnitError, match=r"cannot express 18 ms in 'ms'; give a unit, as in x\.to\(ms\)"):
        (18 * ms).to("ms")  # type: ignore[arg-type]


def test_sums_begin_at_nothing() -> None:
    assert sum([1 * ms, 2 * ms, 3 * ms]) == 6 * ms  # type: ignore[comparison-overlap]
    with pytest.raises(UnitError, match="cannot add 0"):
        1 * ms + 0


def test_dimensionless_results_are_plain_numbers() -> None:
    assert (20 * ms) / ms == pytest.approx(20)
    assert isinstance((20 * ms) / (5 * ms), float)
    assert isinstance((20 * ms) * (5 * u.Hz), float)
    assert np.exp(-(5 * ms) / (20 * ms)) == pytest.approx(np.exp(-0.25))


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (10 * Mohm * (2 * nA), "20 mV"),
        (3 * u.nF / (2 * u.uS), "1.5 ms"),
        (3 * nS * (2 * mV), "6 pA"),
        (4 / ms, "4 1/ms"),
        (2 * (mV / ms), "2 mV/ms"),
        (2 * nS / ms**2, "2 nS/ms^2"),
        (1 * u.uF / u.cm**2, "1 uF/cm^2"),
        (-65 * mV, "-65 mV"),
    ],
)
def test_derived_units_read_well(quantity: Quantity, text: str) -> None:
    assert str(quantity) == repr(quantity) == text


def test_format_applies_to_the_number_in_its_unit() -> None:
    assert f"{20 / 3 * ms:.2f}" == "6.67 ms"


def test_arrays() -> None:
    a = np.array([1, 2, 3]) * mV
    b = [1.0, 2.0, 3.0] * mV
    assert isinstance(a, Quantity)
    assert a.shape == (3,)
    assert a.size == len(a) == 3
    assert (a == b).all()
    assert (np.array([2.0, 2.0, 2.0]) * a).value.tolist() == [0.002, 0.004, 0.006]
    assert str(a[1]) == "2 mV"
    assert [str(x) for x in a] == ["1 mV", "2 mV", "3 mV"]
    assert (a > 1.5 * mV).tolist() == [False, True, True]
    assert np.float64(3) * mV == 3 * mV == 3 * np.float32(1) * mV
    assert str(abs(-a)) == "[1. 2. 3.] mV"
    with pytest.raises(UnitError, match=r"not a plain array; .* as in np\.mean\(x / mV\) \* mV"):
        np.asarray(a)
    with pytest.raises(TypeError):
        hash(a)


def test_si_value_names_the_subject() -> None:
    assert u.si_value(5 * ms, u.TIME, "tau") == 0.005
    assert u.si_value(ms, u.TIME, "tau") == 0.001
    assert u.si_value(3, u.NONE, "n") == 3.0
    assert u.si_value([1, 2] * mV, u.VOLTAGE, "v").tolist() == [0.001, 0.002]
    with pytest.raises(UnitError, match=r"tau: expected time \(s\), got 3 mV \(voltage \(V\)\)") as caught:
        u.si_value(3 * mV, u.TIME, "tau")
    assert caught.value.expected == u.TIME
    assert caught.value.got == u.VOLTAGE
    with pytest.raises(UnitError, match=r"got 3 \(dimensionless\); write it with a unit, as in 3 \* ms"):
        u.si_value(3, u.TIME, "tau")
    with pytest.raises(UnitError, match="tau: expected a number or a quantity, got str '3 ms'"):
        u.si_value("3 ms", u.TIME, "tau")
    with pytest.raises(UnitError, match="got bool True"):
        u.si_value(True, u.NONE, "n")


def test_brian2_quantities_are_accepted() -> None:
    brian2 = pytest.importorskip("brian2")
    assert u.si_value(5 * brian2.ms, u.TIME) == 5 * brian2.ms / brian2.second
    assert u.si_value([1, 2] * brian2.mV, u.VOLTAGE).tolist() == [0.001, 0.002]
    assert u.dimension_of(brian2.nS) == u.CONDUCTANCE
    assert u.dimension_of(brian2.second**-0.5) == u.FREQUENCY**0.5
    assert 20 * ms + 1 * brian2.ms == 21 * ms
    assert 20 * ms > 1 * brian2.ms
    assert (2 * nA) * (3 * brian2.Mohm) == 6 * mV
    with pytest.raises(UnitError, match="expected time"):
        u.si_value(5 * brian2.mV, u.TIME)


@pytest.mark.parametrize(
    ("value", "dim", "unit"),
    [(0.015, u.VOLTAGE, "mV"), (-65e-3, u.VOLTAGE, "mV"), (2e-4, u.TIME, "us"), (0, u.TIME, "ms")],
)
def test_readable_unit(value: float, dim: Dimension, unit: str) -> None:
    assert u.readable_unit(value, dim).name == unit


def test_dimension_texts() -> None:
    assert str(u.VOLTAGE) == "voltage (V)"
    assert str(Dimension()) == "dimensionless"
    assert str(u.FREQUENCY**0.5) == "1/s^(1/2)"
    assert u.si_unit(u.NONE / u.VOLTAGE / u.TIME).name == "1/V/s"
    assert (u.LENGTH / u.TIME).symbol == "m/s"
    assert (u.MASS * u.TEMPERATURE / u.AMOUNT).symbol == "kg*K*mol^-1"
    assert str(u.VOLTAGE / u.TIME) == "V/s"
    assert u.NONE.symbol == "1"
    assert u.si_unit(u.NONE).name == ""
    assert u.si_unit(u.CAPACITANCE / u.LENGTH**2).name == "F/m^2"
    assert u.si_unit(u.VOLTAGE).name == "V"
    assert u.si_unit(u.LENGTH / u.TIME).name == "m/s"
    assert Dimension((Fraction(1), 0, 0, 0, 0, 0, 0)) == u.LENGTH


def test_quantities_pickle() -> None:
    q = [1.0, 2.0] * mV
    again = pickle.loads(pickle.dumps(q))
    assert (again == q).all()
    assert again.unit == mV
    assert pickle.loads(pickle.dumps(nS / ms)) == nS / ms
    assert hash(1 * second) == hash(1000 * ms)


def test_examples_of_the_docstring() -> None:
    assert doctest.testmod(u).failed == 0


def test_import_is_light() -> None:
    code = "import sys, neuromorph.units; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"brian2", "pint", "astropy", "scipy", "numba", "sympy"} & set(loaded)
