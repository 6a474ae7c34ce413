"""Converters at the borders of an array: what values drive rows as, and which column sums an ADC tells apart.

All sums are in level units: 1 is the difference of two neighbouring conductance levels times an input code of 1. How
single values and sums are converted is in :mod:`.converter_kernels`.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from neuromorph.errors import MappingError


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
