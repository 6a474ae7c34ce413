"""Compiled: one value becomes the code that drives a row, one column sum what its converter makes of it.

Both the kernels of runs, event by event, and the batched product (:mod:`.array`) call these functions, so that a sum
becomes the same code in both. They compute in float64, in level units.

Successive approximation, ramps and counting oscillators are linear: the same codes, found in other ways. What
integrates and fires gives pulses, and keeps what is left for the next read. The integer rule of one chip is in
:mod:`.wtm2101_kernels`.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.formats.tables import spark_table

SPARK_PAPER = spark_table("paper").astype(np.int64)
SPARK_NEAREST = spark_table("nearest").astype(np.int64)
"""What a code from 0 to 255 becomes in SPARK and back, with either rounding."""
BINARY, SPARK, NEAREST = range(1, 4)
"""How codes of rows are stored, as :data:`..machine.machine.InputCode` lists them; 0: they are not rounded."""


@njit(error_model="numpy")
def adc_code(a, lo, step, top):
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


@njit(error_model="numpy")
def adc_saturates(a, lo, step, top):
    """Whether a sum is beyond the range of a linear ADC: its nearest code would be below 0 or above `top`."""
    x = np.rint((a - lo) / step)
    return step != 0.0 and (x < 0.0 or x > top)


@njit(error_model="numpy")
def quantise_adc(a, lo, step, top):
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


@njit(error_model="numpy")
def distort(a, step, offset, gain):
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


@njit(error_model="numpy")
def adaptive_bits(span, bits):
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


@njit(error_model="numpy")
def pulses(charge, quantum, most):
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


@njit(error_model="numpy")
def dac_code(value, scale, least, most):
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


@njit(error_model="numpy")
def stored_code(code, rounding):
    """The code that a row is driven with if it was stored in SPARK on its way: the magnitude's, with its sign.

    Parameters
    ----------
    code : int64
        From -255 to 255 where it is stored in SPARK.
    rounding : int64
        ``BINARY``, ``SPARK`` or ``NEAREST``.
    """
    if rounding < SPARK:
        return code
    kept = SPARK_PAPER[abs(code)] if rounding == SPARK else SPARK_NEAREST[abs(code)]
    return kept if code >= 0 else -kept


@njit(error_model="numpy")
def dac_digit(code, phase, bits):
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
