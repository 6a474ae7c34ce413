"""Converters at the borders of an array: codes that drive rows, codes that column sums become.

All values are in level units: 1 is the difference of two neighbouring conductance levels times an input code of 1. The
scalar functions are compiled, and both the event-driven kernels and the batched product call them, so that a sum
becomes the same code in both. They compute in float64.

Successive approximation, ramps and counting oscillators are linear: the same codes, found in other ways. What
integrates and fires gives pulses, and keeps what is left for the next read. The integer rule of one chip is in
:mod:`.wtm2101_kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit

from neuromorph.errors import MappingError

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """The function compiled by Numba; compiled code can call it too."""
    return cast(_Function, njit(cache=True, error_model="numpy")(function))


class AdcRange(NamedTuple):
    """What a linear ADC resolves: ``lo + code * step`` for codes 0 to ``top``.

    Attributes
    ----------
    lo, step : float
        In level units. A step of 0 is an ideal converter, which gives back what it gets.
    top : int
        Largest code.
    """

    lo: float
    step: float
    top: int


IDEAL = AdcRange(0.0, 0.0, 0)
"""The converter that gives back what it gets."""


def adc_range(lowest: float, highest: float, bits: int | None, whole: bool = True) -> AdcRange:
    """The range of an ADC that covers all sums from the lowest to the highest.

    Zero is a code of it, so that a column without current reads as exactly 0 and a tile that is not read at all is as
    good as one that is.

    Parameters
    ----------
    lowest, highest : float
        Sums in level units, ``lowest <= 0 <= highest``.
    bits : int or None
        None is an ideal converter.
    whole : bool
        Sums of ideal cells are whole numbers. Then the step is 1 where the bits suffice for that, and the sums come out
        exactly; it is never below 1.

    Returns
    -------
    AdcRange

    Raises
    ------
    MappingError
        If the range does not contain 0, is empty or not finite, or there are no bits.
    """
    if bits is None:
        return IDEAL
    if bits < 1 or not -math.inf < lowest <= 0.0 <= highest < math.inf or lowest == highest:
        raise MappingError(
            f"range of an ADC of {bits} bits: expected at least 1 bit and finite lowest <= 0 <= highest that differ, "
            f"got {lowest:g} to {highest:g}; give the smallest and the largest sum that the columns can have",
            bits=bits,
            lowest=lowest,
            highest=highest,
        )
    top = 2**bits - 1
    if whole and math.ceil(highest) - math.floor(lowest) <= top:
        return AdcRange(float(math.floor(lowest)), 1.0, top)
    first, last = int(lowest < 0.0), top - int(highest > 0.0)  # places that the code for 0 may have
    if first > last:
        raise MappingError(
            f"range of an ADC of {bits} bit: sums from {lowest:g} to {highest:g} need three codes, one of them for 0; "
            "take at least 2 bits",
            bits=bits,
            lowest=lowest,
            highest=highest,
        )
    share = top * -lowest / (highest - lowest)
    step, below = min(
        (max(-lowest / max(k, 1), highest / max(top - k, 1)), k)
        for k in (min(max(k0, first), last) for k0 in (math.floor(share), math.ceil(share)))
    )
    return AdcRange(-below * step, step, top)


@_compiled
def adc_code(a: float, lo: float, step: float, top: int) -> Any:
    """Code of a linear ADC: the nearest one, of two equally near ones the even one; 0 or `top` beyond the range.

    Parameters
    ----------
    a, lo, step : float64
        Column sum, lowest value and step (above 0), in level units.
    top : int64
        Largest code.
    """
    x = np.rint((a - lo) / step)
    x = x if x > 0.0 else 0.0
    return np.int64(x if x < top else top)


@_compiled
def adc_saturates(a: float, lo: float, step: float, top: int) -> Any:
    """Whether a sum is beyond the range of a linear ADC: its nearest code would be below 0 or above `top`."""
    x = np.rint((a - lo) / step)
    return step != 0.0 and (x < 0.0 or x > top)


@_compiled
def quantise_adc(a: float, lo: float, step: float, top: int) -> float:
    """What a linear ADC makes of a sum, ``lo + adc_code(a) * step``; the sum itself if `step` is 0.

    Parameters
    ----------
    a, lo, step, top
        As for :func:`adc_code`.

    Returns
    -------
    float64
        In level units.
    """
    if step == 0.0:
        return a
    x = np.rint((a - lo) / step)
    x = x if x > 0.0 else 0.0
    x = x if x < top else np.float64(top)
    return lo + x * step


@_compiled
def distort(a: float, step: float, offset: float, gain: float) -> float:
    """What an imperfect ADC sees of a sum.

    Parameters
    ----------
    a, step : float64
        Column sum and step of the ADC, in level units.
    offset : float64
        In steps.
    gain : float64
        Relative error of the gain; 0 is none.
    """
    return a * (1.0 + gain) + offset * step


@_compiled
def adaptive_bits(span: int, bits: int) -> int:
    """Bits that a conversion has to resolve when a read can give no more than ``span + 1`` different codes.

    This is ``min(bits, ceil(log2(span + 1)))``: 0 for a read that can only give one code.

    Parameters
    ----------
    span : int64
        Largest possible sum less the smallest possible one of this read, in steps of the ADC, rounded up.
    bits : int64
        Of the ADC.
    """
    need = 0
    while need < bits and span >> need:
        need += 1
    return need


@_compiled
def pulses(charge: float, quantum: float, most: int) -> tuple[Any, Any]:
    """Pulses of an integrate-and-fire converter and the charge that it keeps.

    A comparator takes away a quantum at every pulse, of either sign, until less than a quantum is left (a first-order
    sigma-delta modulator): ``charge = pulses * quantum + residue`` with ``abs(residue) < quantum``, unless the counter
    is full; then all that is left stays for the next read.

    Parameters
    ----------
    charge, quantum : float64
        Charge kept plus charge of this read, and charge of a pulse (above 0), in level units.
    most : int64
        Pulses that one read can count.

    Returns
    -------
    pulses : int64
        Negative where the charge is.
    residue : float64
        In level units.
    """
    n = np.trunc(charge / quantum)
    n = n if n < most else np.float64(most)
    n = n if n > -most else np.float64(-most)
    return np.int64(n), charge - n * quantum


class Dac(NamedTuple):
    """How values drive rows: as codes, digit by digit in phases.

    Attributes
    ----------
    scale : float
        Value of code 1, above 0.
    bits : int or None
        Of a code's magnitude; None drives values as they are, in one phase.
    phase_bits : int or None
        Of one phase; None drives all bits in one.
    negative : {"clipped", "signed", "split"}
        Negative values become 0, negative voltages, or codes in further phases of their own, whose sums are
        subtracted.
    """

    scale: float = 1.0
    bits: int | None = None
    phase_bits: int | None = None
    negative: Literal["clipped", "signed", "split"] = "signed"

    @property
    def most(self) -> int:
        """Largest code."""
        return 0 if self.bits is None else 2**self.bits - 1

    @property
    def phases(self) -> int:
        """Phases that values of one sign take."""
        return 1 if self.bits is None or self.phase_bits is None else -(-self.bits // self.phase_bits)


@_compiled
def dac_code(value: float, scale: float, least: int, most: int) -> Any:
    """Code that an event's value drives a row with: the nearest, of two equally near ones the even one.

    Parameters
    ----------
    value, scale : float64
        Value of the event, and value of code 1 (above 0).
    least, most : int64
        Smallest code (0, or ``-most`` for signed inputs) and largest one.
    """
    x = np.rint(value / scale)
    x = x if x > least else np.float64(least)
    return np.int64(x if x < most else most)


@_compiled
def dac_digit(code: int, phase: int, bits: int) -> int:
    """What a DAC of `bits` bits drives a row with in a phase: a digit of the code's magnitude, with its sign.

    The code is the sum of ``dac_digit(code, p, bits) << p * bits`` over the phases p.

    Parameters
    ----------
    code : int64
    phase : int64
        0 is the lowest digit.
    bits : int64
    """
    digit = (abs(code) >> (phase * bits)) & ((1 << bits) - 1)
    return digit if code >= 0 else -digit
