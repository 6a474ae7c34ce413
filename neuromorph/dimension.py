"""Physical dimensions: rational exponents of the seven SI base units."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod
from typing import TypeAlias

Powers: TypeAlias = "tuple[tuple[str, Fraction | int], ...]"

BASE = ("m", "kg", "s", "A", "K", "mol", "cd")


def rational(x: Fraction | float | int) -> Fraction | int:
    """A small fraction (an int if whole) equal to ``x`` up to rounding: exponents of dimensions are never wild."""
    fraction = Fraction(x).limit_denominator(1000)
    return int(fraction) if fraction.denominator == 1 else fraction


@dataclass(frozen=True, slots=True)
class Dimension:
    """A physical dimension: rational exponents of m, kg, s, A, K, mol and cd.

    ``Dimension()`` is dimensionless. Dimensions multiply, divide and take rational powers.
    """

    exponents: tuple[Fraction | int, ...] = (0, 0, 0, 0, 0, 0, 0)

    def __mul__(self, other: Dimension) -> Dimension:
        return Dimension(tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __truediv__(self, other: Dimension) -> Dimension:
        return Dimension(tuple(a - b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __pow__(self, power: Fraction | float | int) -> Dimension:
        p = rational(power)
        return Dimension(tuple(rational(a * p) for a in self.exponents))

    @property
    def _dims(self) -> tuple[Fraction | int, ...]:
        # Brian 2 reads this of a right operand; without it, its products end in an AttributeError instead of advice.
        return self.exponents

    @property
    def is_none(self) -> bool:
        """True if dimensionless."""
        return not any(self.exponents)

    @property
    def symbol(self) -> str:
        """SI symbol, e.g. ``V`` or ``m*s^-2``; ``1`` if dimensionless."""
        over, under = self.named
        return "/".join(["*".join(power_text(n, e) for n, e in over) or "1", *(power_text(n, e) for n, e in under)])

    @property
    def named(self) -> tuple[Powers, Powers]:
        """Symbols and powers above and below the bar: V/s for volt per second, base units where nothing else fits."""
        return _named(self)

    def __str__(self) -> str:
        if self.is_none:
            return "dimensionless"
        return f"{KINDS[self][0]} ({self.symbol})" if self in KINDS else self.symbol

    def __repr__(self) -> str:
        return f"<Dimension {self}>"


def power_text(name: str, exponent: Fraction | int) -> str:
    """``ms``, ``ms^2`` or ``s^(1/2)``."""
    if exponent == 1:
        return name
    return f"{name}^{exponent}" if Fraction(exponent).denominator == 1 else f"{name}^({exponent})"


NONE = Dimension()
LENGTH, MASS, TIME, CURRENT, TEMPERATURE, AMOUNT, LUMINOSITY = (
    Dimension(tuple(int(i == k) for i in range(7))) for k in range(7)
)
FREQUENCY = NONE / TIME
CHARGE = CURRENT * TIME
ENERGY = MASS * LENGTH**2 / TIME**2
POWER = ENERGY / TIME
VOLTAGE = POWER / CURRENT
RESISTANCE = VOLTAGE / CURRENT
CONDUCTANCE = CURRENT / VOLTAGE
CAPACITANCE = CHARGE / VOLTAGE

KINDS: dict[Dimension, tuple[str, str]] = {
    LENGTH: ("length", "m"),
    MASS: ("mass", "kg"),
    TIME: ("time", "s"),
    CURRENT: ("current", "A"),
    TEMPERATURE: ("temperature", "K"),
    AMOUNT: ("amount", "mol"),
    LUMINOSITY: ("luminous intensity", "cd"),
    FREQUENCY: ("frequency", "Hz"),
    CHARGE: ("charge", "C"),
    ENERGY: ("energy", "J"),
    POWER: ("power", "W"),
    VOLTAGE: ("voltage", "V"),
    RESISTANCE: ("resistance", "ohm"),
    CONDUCTANCE: ("conductance", "S"),
    CAPACITANCE: ("capacitance", "F"),
}

_DIVISORS: tuple[tuple[tuple[Dimension, Fraction | int], ...], ...] = (
    ((TIME, 1),),
    ((TIME, 2),),
    ((TIME, Fraction(1, 2)),),
    ((LENGTH, 2),),
    ((LENGTH, 1),),
    ((VOLTAGE, 1),),
    ((VOLTAGE, 2),),
    ((CURRENT, 1),),
    ((VOLTAGE, 1), (TIME, 1)),
    ((CURRENT, 1), (TIME, 1)),
)


@cache
def _named(dim: Dimension) -> tuple[Powers, Powers]:
    if dim.is_none:
        return (), ()
    if dim in KINDS:
        return ((KINDS[dim][1], 1),), ()
    for kind in (VOLTAGE, CURRENT, CONDUCTANCE, CAPACITANCE, RESISTANCE, CHARGE, ENERGY, POWER, LENGTH):
        for power in (2, 3, Fraction(1, 2)):
            if dim == kind**power:
                return ((KINDS[kind][1], power),), ()
    for kind in (NONE, VOLTAGE, CURRENT, CONDUCTANCE, CAPACITANCE, RESISTANCE, CHARGE, ENERGY, POWER, LENGTH):
        for under in _DIVISORS:
            if dim * prod((d**p for d, p in under), start=NONE) == kind:
                over = () if kind.is_none else ((KINDS[kind][1], 1),)
                return over, tuple((KINDS[d][1], p) for d, p in under)
    return tuple((b, e) for b, e in zip(BASE, dim.exponents, strict=True) if e), ()
