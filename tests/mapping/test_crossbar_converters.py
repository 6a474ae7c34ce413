"""Converters, exhaustively against a plain reference where they are small, by properties elsewhere."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neuromorph.errors import MappingError
from neuromorph.mapping.crossbar.converters.converter_kernels import (
    adaptive_bits,
    adc_code,
    adc_saturates,
    dac_code,
    dac_digit,
    distort,
    pulses,
    quantise_adc,
)
from neuromorph.mapping.crossbar.converters.converters import IDEAL, adc_range


def nearest(x: Fraction, least: int, most: int) -> int:
    """The code that is nearest, tried one by one; of two the even one."""
    return min(range(least, most + 1), key=lambda code: (abs(x - code), code % 2))


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize(("lo", "step"), [(0.0, 1.0), (-4.0, 1.0), (-3.0, 0.5), (-8.0, 4.0), (-0.75, 0.25)])
def test_adc_gives_the_nearest_code_of_every_sum(bits: int, lo: float, step: float) -> None:
    top = 2**bits - 1
    for k in range(-40 * 8, 40 * 8):
        a = k / 8  # every tie is among these
        x = (Fraction(a) - Fraction(lo)) / Fraction(step)
        code = nearest(x, 0, top)
        assert adc_code(a, lo, step, top) == code, a
        assert quantise_adc(a, lo, step, top) == lo + code * step
        assert adc_saturates(a, lo, step, top) == (x < Fraction(-1, 2) or round(x) > top)


def test_a_step_of_zero_is_an_ideal_converter() -> None:
    assert quantise_adc(-123.456, *IDEAL) == -123.456
    assert not adc_saturates(1e300, *IDEAL)
    assert adc_range(-3.0, 7.0, None) == IDEAL


@pytest.mark.parametrize("a", [math.inf, -math.inf, math.nan, 1e300, -1e300])
def test_no_sum_leaves_the_codes(a: float) -> None:
    assert adc_code(a, -4.0, 1.0, 7) in (0, 7)
    assert quantise_adc(a, -4.0, 1.0, 7) in (-4.0, 3.0)


@pytest.mark.parametrize("bits", range(1, 6))
def test_ranges_read_whole_sums_exactly_where_bits_suffice(bits: int) -> None:
    codes = 2**bits
    for lowest in range(-codes - 2, 1):
        for highest in range(codes + 3):
            if lowest == highest or (bits == 1 and lowest and highest):
                continue
            lo, step, top = adc_range(lowest, highest, bits)
            assert top == codes - 1
            assert (step == 1.0) == (highest - lowest <= top)
            assert quantise_adc(0.0, lo, step, top) == 0.0
            for a in range(lowest, highest + 1):
                assert not adc_saturates(a, lo, step, top)
                error = abs(quantise_adc(a, lo, step, top) - a)
                assert error == 0.0 if step == 1.0 else error <= step / 2 * (1 + 1e-12)


@given(st.floats(-1e6, 0.0), st.floats(0.0, 1e6), st.integers(2, 12), st.booleans())
def test_ranges_cover_their_sums_with_a_code_for_zero(lowest: float, highest: float, bits: int, whole: bool) -> None:
    assume(highest - lowest > 1e-6)
    lo, step, top = adc_range(lowest, highest, bits, whole)
    assert quantise_adc(0.0, lo, step, top) == 0.0
    assert lo <= lowest + step * 1e-9
    assert lo + top * step >= highest - step * 1e-9
    # the code for 0 costs at most one step of the range
    assert step <= max((highest - lowest) / (top - 1) * (1 + 1e-12), 1.0 if whole else 0.0)


@pytest.mark.parametrize(
    ("lowest", "highest", "bits"),
    [(1.0, 2.0, 8), (-2.0, -1.0, 8), (0.0, 0.0, 8), (0.0, math.inf, 8), (math.nan, 1.0, 8), (0.0, 1.0, 0)],
)
def test_ranges_without_zero_or_width_are_refused(lowest: float, highest: float, bits: int) -> None:
    with pytest.raises(MappingError, match=r"expected at least 1 bit and finite lowest <= 0 <= highest"):
        adc_range(lowest, highest, bits)


def test_one_bit_cannot_tell_three_values_apart() -> None:
    with pytest.raises(MappingError, match="take at least 2 bits"):
        adc_range(-1.0, 1.0, 1)


def test_errors_of_a_converter() -> None:
    assert distort(10.0, 2.0, 0.0, 0.0) == 10.0
    assert distort(10.0, 2.0, 1.5, 0.1) == pytest.approx(14.0)


@pytest.mark.parametrize("bits", range(9))
def test_adaptive_bits_are_those_that_tell_all_codes_apart(bits: int) -> None:
    for span in range(600):
        assert adaptive_bits(span, bits) == min(bits, math.ceil(math.log2(span + 1)))


@pytest.mark.parametrize(("bits", "phase_bits"), [(b, p) for b in range(1, 6) for p in range(1, b + 1)])
def test_digits_make_up_the_code_of_every_value(bits: int, phase_bits: int) -> None:
    most = 2**bits - 1
    phases = -(-bits // phase_bits)
    for k in range(-4 * (most + 2), 4 * (most + 2) + 1):
        value = k / 8  # in steps of a quarter of code 1
        for least in (0, -most):
            code = nearest(Fraction(value) * 2, least, most)
            assert dac_code(value, 0.5, least, most) == code
            digits = [dac_digit(code, phase, phase_bits) for phase in range(phases)]
            assert sum(d << p * phase_bits for p, d in enumerate(digits)) == code
            assert all(abs(d) < 2**phase_bits and d * code >= 0 for d in digits)


@pytest.mark.parametrize("most", [0, 1, 3, 100])
def test_pulses_and_residue_make_up_the_charge(most: int) -> None:
    for k in range(-200, 201):
        charge = k / 8
        for quantum in (0.25, 1.0, 2.5):
            n, residue = pulses(charge, quantum, most)
            exact = int(Fraction(charge) / Fraction(quantum))  # towards 0
            assert n == max(-most, min(most, exact))
            assert Fraction(residue) == Fraction(charge) - n * Fraction(quantum)


@settings(max_examples=50)
@given(st.lists(st.floats(-50.0, 50.0), max_size=40), st.floats(0.1, 10.0))
def test_integrate_and_fire_loses_no_charge(charges: list[float], quantum: float) -> None:
    """Over any number of reads, pulses differ from the whole charge by less than a quantum."""
    residue, count = 0.0, 0
    for charge in charges:
        n, residue = pulses(residue + charge, quantum, 1 << 20)
        count += n
        assert abs(residue) < quantum * (1 + 1e-12)
    assert count * quantum + residue == pytest.approx(sum(charges), abs=1e-9)
