"""Physical units: dimensions, units and quantities.

A quantity is a number (or an array) in SI units that remembers its dimension and the unit it was written in. Units are
checked where an expression is written and stripped once, when a network is compiled.

Examples
--------
>>> from neuromorph.units import Mohm, mV, ms, nA
>>> 20 * ms
20 ms
>>> 10 * Mohm * (2 * nA) + 1 * mV
21 mV
>>> (20 * ms) / ms
20.0
"""

# ruff: noqa: N816  (mV is how the unit is spelled)
# Own code, for pint and astropy.units take longer to import than all of this package may.

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from neuromorph.errors import UnitError

Number: TypeAlias = "float | np.number[Any]"
Array: TypeAlias = npt.NDArray[np.float64]

_BASE = ("m", "kg", "s", "A", "K", "mol", "cd")


def _rational(x: object) -> Fraction:
    """A small fraction equal to ``x`` up to rounding: exponents of dimensions are never wild."""
    return Fraction(x).limit_denominator(1000) if isinstance(x, int | float | Fraction) else Fraction(float(str(x)))


@dataclass(frozen=True, slots=True)
class Dimension:
    """A physical dimension: rational exponents of m, kg, s, A, K, mol and cd.

    ``Dimension()`` is dimensionless. Dimensions multiply, divide and take rational powers.
    """

    exponents: tuple[Fraction | int, ...] = (0, 0, 0, 0, 0, 0, 0)

    def __mul__(self, other: Dimension) -> Dimension:
        if self is other or other.exponents.count(0) != 7:
            return Dimension(tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True)))
        return self

    def __truediv__(self, other: Dimension) -> Dimension:
        return Dimension(tuple(a - b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __pow__(self, power: Fraction | float | int) -> Dimension:
        p = _rational(power)
        return Dimension(tuple(a * p for a in self.exponents))

    @property
    def is_none(self) -> bool:
        """True if dimensionless."""
        return not any(self.exponents)

    @property
    def symbol(self) -> str:
        """SI symbol, e.g. ``V`` or ``m*s^-2``; ``1`` if dimensionless."""
        if self in _KINDS:
            return _KINDS[self][1]
        return "*".join(_power(b, e) for b, e in zip(_BASE, self.exponents, strict=True) if e) or "1"

    def __str__(self) -> str:
        if self.is_none:
            return "dimensionless"
        return f"{_KINDS[self][0]} ({self.symbol})" if self in _KINDS else self.symbol

    def __repr__(self) -> str:
        return f"<Dimension {self}>"


def _power(name: str, exponent: Fraction | int) -> str:
    return (
        name
        if exponent == 1
        else f"{name}^{exponent}"
        if Fraction(exponent).denominator == 1
        else f"{name}^({exponent})"
    )


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

_KINDS: dict[Dimension, tuple[str, str]] = {
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

Factors: TypeAlias = tuple[tuple[str, "Fraction | int"], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: ``value in SI units = value in this unit * scale``.

    A number or an array times a unit is a :class:`Quantity`; units multiply, divide and take powers among themselves.

    Attributes
    ----------
    name : str
        As printed, e.g. ``mV`` or ``nS/ms``; empty if dimensionless with scale 1.
    scale : float
    dim : Dimension
    """

    name: str
    scale: float
    dim: Dimension
    factors: Factors = field(default=(), compare=False, repr=False)

    __array_ufunc__ = None  # NumPy operands defer to the reflected methods below

    def __post_init__(self) -> None:
        if not self.factors and self.name:
            object.__setattr__(self, "factors", ((self.name, 1),))

    @overload
    def __mul__(self, other: Unit) -> Unit: ...
    @overload
    def __mul__(self, other: Number | Quantity | npt.NDArray[Any] | Sequence[float]) -> Quantity: ...
    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Unit):
            return _compose(self, other, 1)
        return self.__rmul__(other)

    def __rmul__(self, other: Number | Quantity | npt.NDArray[Any] | Sequence[float]) -> Quantity:
        if isinstance(other, Quantity):
            return NotImplemented
        value = _numeric(other)
        return NotImplemented if value is None else Quantity(value * self.scale, self.dim, self)

    @overload
    def __truediv__(self, other: Unit) -> Unit: ...
    @overload
    def __truediv__(self, other: Number | npt.NDArray[Any]) -> Quantity: ...
    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Unit):
            return _compose(self, other, -1)
        value = _numeric(other)
        return NotImplemented if value is None else Quantity(self.scale / value, self.dim, self)

    def __rtruediv__(self, other: Number | npt.NDArray[Any] | Sequence[float]) -> Quantity:
        value = _numeric(other)
        inverse = _compose(one, self, -1)
        return NotImplemented if value is None else Quantity(value / self.scale, inverse.dim, inverse)

    def __pow__(self, power: Fraction | float | int) -> Unit:
        p = _rational(power)
        return _unit_from(self.scale ** float(p), self.dim**p, tuple((n, e * p) for n, e in self.factors))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name or "1"


def _join(factors: Factors) -> str:
    above = [_power(n, e) for n, e in factors if e > 0]
    below = [_power(n, -e) for n, e in factors if e < 0]
    return "/".join(["*".join(above) or ("1" if below else ""), *below])


def _unit_from(scale: float, dim: Dimension, factors: Factors) -> Unit:
    """A standard unit of this scale and dimension if there is one (nA*Mohm is mV), else one that is spelled out."""
    if len(factors) > 1 or any(e not in (0, 1) for _, e in factors):
        for unit in STANDARD:
            if (
                unit.dim == dim
                and math.isclose(unit.scale, scale, rel_tol=1e-12)
                and unit.name not in ("Hz", "kHz", "MHz")
            ):
                return unit
    return Unit(_join(factors), scale, dim, factors)


def _compose(a: Unit, b: Unit, sign: int) -> Unit:
    powers = dict(a.factors)
    for name, exponent in b.factors:
        powers[name] = powers.get(name, 0) + sign * exponent
    factors = tuple((n, e) for n, e in powers.items() if e)
    scale = a.scale * b.scale if sign > 0 else a.scale / b.scale
    return _unit_from(scale, a.dim * b.dim if sign > 0 else a.dim / b.dim, factors)


def _numeric(x: object) -> Any:
    """``x`` as a float or a float64 array; None if it is not a plain number."""
    if isinstance(x, bool | np.bool_):
        return None
    if isinstance(x, int | float | np.number):
        return float(x)
    if isinstance(x, list | tuple) or (isinstance(x, np.ndarray) and not hasattr(x, "dim")):
        array = np.asarray(x)
        if array.dtype.kind in "iuf":
            return float(array) if array.ndim == 0 else array.astype(np.float64)
    return None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Quantity:
    """A number, or an array of numbers, with a dimension.

    Sums and comparisons need equal dimensions; a product or quotient that is dimensionless is a plain number.

    Attributes
    ----------
    value : float or ndarray of float64
        In SI units.
    dim : Dimension
    unit : Unit
        The unit it was written in, used to print it.

    Raises
    ------
    UnitError
        From sums and comparisons of different dimensions.
    """

    value: Any
    dim: Dimension
    unit: Unit

    __array_ufunc__ = None

    # --- products -------------------------------------------------------------------------------------------------
    def __mul__(self, other: Any) -> Any:
        o = _as_quantity(other)
        return NotImplemented if o is None else _result(self.value * o.value, _compose(self.unit, o.unit, 1))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        o = _as_quantity(other)
        return NotImplemented if o is None else _result(self.value / o.value, _compose(self.unit, o.unit, -1))

    def __rtruediv__(self, other: Any) -> Any:
        o = _as_quantity(other)
        return NotImplemented if o is None else _result(o.value / self.value, _compose(o.unit, self.unit, -1))

    def __pow__(self, power: Fraction | float | int) -> Any:
        return _result(self.value ** float(power), self.unit**power)

    # --- sums -----------------------------------------------------------------------------------------------------
    def __add__(self, other: Quantity | Unit) -> Quantity:
        o = self._same(other, "add", "to")
        return NotImplemented if o is None else Quantity(self.value + o.value, self.dim, self.unit)

    def __radd__(self, other: Any) -> Quantity:
        return self.__add__(other)

    def __sub__(self, other: Quantity | Unit) -> Quantity:
        o = self._same(other, "subtract", "from")
        return NotImplemented if o is None else Quantity(self.value - o.value, self.dim, self.unit)

    def __rsub__(self, other: Any) -> Quantity:
        o = self._same(other, "subtract", "from")
        return NotImplemented if o is None else Quantity(o.value - self.value, self.dim, self.unit)

    def __neg__(self) -> Quantity:
        return Quantity(-self.value, self.dim, self.unit)

    def __pos__(self) -> Quantity:
        return self

    def __abs__(self) -> Quantity:
        return Quantity(abs(self.value), self.dim, self.unit)

    # --- comparisons ----------------------------------------------------------------------------------------------
    def __lt__(self, other: Any) -> Any:
        o = self._same(other, "compare", "with")
        return NotImplemented if o is None else self.value < o.value

    def __le__(self, other: Any) -> Any:
        o = self._same(other, "compare", "with")
        return NotImplemented if o is None else self.value <= o.value

    def __gt__(self, other: Any) -> Any:
        o = self._same(other, "compare", "with")
        return NotImplemented if o is None else self.value > o.value

    def __ge__(self, other: Any) -> Any:
        o = self._same(other, "compare", "with")
        return NotImplemented if o is None else self.value >= o.value

    def __eq__(self, other: object) -> Any:
        o = _as_quantity(other)
        if o is None:
            return NotImplemented
        return self.value == o.value if o.dim == self.dim else False

    def __ne__(self, other: object) -> Any:
        o = _as_quantity(other)
        if o is None:
            return NotImplemented
        return self.value != o.value if o.dim == self.dim else True

    def __hash__(self) -> int:
        return hash((self.value, self.dim))

    def _same(self, other: object, verb: str, joint: str) -> Quantity | None:
        o = _as_quantity(other)
        if o is not None and o.dim != self.dim:
            raise UnitError(
                f"cannot {verb} {o} ({o.dim}) {joint} {self} ({self.dim}); give both the same dimension",
                left=self.dim,
                right=o.dim,
            )
        return o

    # --- views ----------------------------------------------------------------------------------------------------
    def to(self, unit: Unit) -> Any:
        """The number in ``unit``.

        Raises
        ------
        UnitError
            If ``unit`` has another dimension.
        """
        if unit.dim != self.dim:
            raise UnitError(
                f"cannot express {self} ({self.dim}) in {unit!r} ({unit.dim})", left=self.dim, right=unit.dim
            )
        return self.value / unit.scale

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    @property
    def size(self) -> int:
        return int(np.size(self.value))

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Quantity]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index: Any) -> Quantity:
        value = self.value[index]
        return Quantity(float(value) if np.ndim(value) == 0 else value, self.dim, self.unit)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        raise UnitError(f"{self} is a {self.dim}, not a plain number; divide it by a unit, as in x / {self.unit}")

    def __array__(self, *_: Any, **__: Any) -> npt.NDArray[Any]:
        raise UnitError(f"{self} is a {self.dim}, not a plain array; divide it by a unit, as in x / {self.unit}")

    def __format__(self, spec: str) -> str:
        number = self.value / self.unit.scale
        if np.ndim(number):
            with np.printoptions(threshold=8, precision=6):
                text = str(np.asarray(number))
        else:
            text = format(number, spec or ".12g")
        return f"{text} {self.unit}".rstrip()

    def __str__(self) -> str:
        return format(self, "")

    __repr__ = __str__


def _result(value: Any, unit: Unit) -> Any:
    """A quantity, or a plain number where nothing is left of the units."""
    return value if unit.dim.is_none else Quantity(value, unit.dim, unit)


def _brian_dimension(x: object) -> Dimension | None:
    """Dimension of a Brian 2 quantity (known by its ``dim._dims``), else None."""
    dims = getattr(getattr(x, "dim", None), "_dims", None)
    return None if dims is None else Dimension(tuple(_rational(float(d)) for d in dims))


def _as_quantity(x: object) -> Quantity | None:
    """Whatever can take part in the arithmetic of quantities, as a Quantity; None for anything else."""
    if isinstance(x, Quantity):
        return x
    if isinstance(x, Unit):
        return Quantity(x.scale, x.dim, x)
    dim = _brian_dimension(x)
    if dim is not None:
        array = np.array(x, dtype=np.float64, subok=False)
        return Quantity(float(array) if array.ndim == 0 else array, dim, si_unit(dim))
    value = _numeric(x)
    return None if value is None else Quantity(value, NONE, one)


def as_quantity(x: object, subject: str = "value") -> Quantity:
    """``x`` as a quantity (a plain number is dimensionless).

    Parameters
    ----------
    x : number, array, Quantity, Unit or Brian 2 quantity
    subject : str
        What ``x`` is, for the message.

    Raises
    ------
    UnitError
        If ``x`` is nothing of the kind.
    """
    quantity = _as_quantity(x)
    if quantity is None:
        raise UnitError(f"{subject}: expected a number or a quantity, got {type(x).__name__} {x!r:.80}")
    return quantity


def dimension_of(x: object) -> Dimension:
    """Dimension of a number, array, quantity, unit, expression or Brian 2 quantity.

    Raises
    ------
    UnitError
        If ``x`` is none of these.
    """
    dim = getattr(x, "dim", None)
    return dim if isinstance(dim, Dimension) else as_quantity(x).dim


def si_value(x: object, dim: Dimension, subject: str = "value") -> Any:
    """Number in SI units of a quantity that must have dimension ``dim``.

    Parameters
    ----------
    x : number, array, Quantity, Unit or Brian 2 quantity
    dim : Dimension
        The dimension expected.
    subject : str
        What ``x`` is, for the message.

    Returns
    -------
    float or ndarray of float64

    Raises
    ------
    UnitError
        If ``x`` has another dimension or is not a quantity.
    """
    quantity = as_quantity(x, subject)
    if quantity.dim != dim:
        hint = f"; write it with a unit, as in {quantity} * {example_unit(dim)}" if quantity.dim.is_none else ""
        raise UnitError(
            f"{subject}: expected {dim}, got {quantity} ({quantity.dim}){hint}", expected=dim, got=quantity.dim
        )
    return quantity.value


def si_unit(dim: Dimension) -> Unit:
    """The coherent SI unit of a dimension."""
    for unit in STANDARD:
        if unit.dim == dim and unit.scale == 1.0:
            return unit
    factors = tuple((b, e) for b, e in zip(_BASE, dim.exponents, strict=True) if e)
    return Unit(_join(factors), 1.0, dim, factors)


def example_unit(dim: Dimension) -> Unit:
    """The unit in which neuroscience mostly writes a dimension, for hints and defaults."""
    return _CUSTOMARY.get(dim) or si_unit(dim)


def readable_unit(value: float, dim: Dimension) -> Unit:
    """The standard unit in which ``value`` (SI) has the fewest digits before and after the point."""
    candidates = [u for u in STANDARD if u.dim == dim and u.name not in ("min", "cm", "g")]
    if not candidates or value == 0 or not math.isfinite(value):
        return example_unit(dim)
    fitting = [u for u in candidates if 1 - 1e-12 <= abs(value) / u.scale < 1000]
    return max(fitting or candidates, key=lambda u: u.scale)


one = Unit("", 1.0, NONE)

second = Unit("s", 1.0, TIME)
ms = Unit("ms", 1e-3, TIME)
us = Unit("us", 1e-6, TIME)
ns = Unit("ns", 1e-9, TIME)
minute = Unit("min", 60.0, TIME)
Hz = Unit("Hz", 1.0, FREQUENCY)
kHz = Unit("kHz", 1e3, FREQUENCY)
MHz = Unit("MHz", 1e6, FREQUENCY)
volt = Unit("V", 1.0, VOLTAGE)
mV = Unit("mV", 1e-3, VOLTAGE)
uV = Unit("uV", 1e-6, VOLTAGE)
amp = Unit("A", 1.0, CURRENT)
mA = Unit("mA", 1e-3, CURRENT)
uA = Unit("uA", 1e-6, CURRENT)
nA = Unit("nA", 1e-9, CURRENT)
pA = Unit("pA", 1e-12, CURRENT)
ohm = Unit("ohm", 1.0, RESISTANCE)
kohm = Unit("kohm", 1e3, RESISTANCE)
Mohm = Unit("Mohm", 1e6, RESISTANCE)
Gohm = Unit("Gohm", 1e9, RESISTANCE)
siemens = Unit("S", 1.0, CONDUCTANCE)
mS = Unit("mS", 1e-3, CONDUCTANCE)
uS = Unit("uS", 1e-6, CONDUCTANCE)
nS = Unit("nS", 1e-9, CONDUCTANCE)
pS = Unit("pS", 1e-12, CONDUCTANCE)
farad = Unit("F", 1.0, CAPACITANCE)
uF = Unit("uF", 1e-6, CAPACITANCE)
nF = Unit("nF", 1e-9, CAPACITANCE)
pF = Unit("pF", 1e-12, CAPACITANCE)
coulomb = Unit("C", 1.0, CHARGE)
nC = Unit("nC", 1e-9, CHARGE)
pC = Unit("pC", 1e-12, CHARGE)
metre = Unit("m", 1.0, LENGTH)
cm = Unit("cm", 1e-2, LENGTH)
mm = Unit("mm", 1e-3, LENGTH)
um = Unit("um", 1e-6, LENGTH)
nm = Unit("nm", 1e-9, LENGTH)
kilogram = Unit("kg", 1.0, MASS)
kelvin = Unit("K", 1.0, TEMPERATURE)
mole = Unit("mol", 1.0, AMOUNT)
joule = Unit("J", 1.0, ENERGY)
mJ = Unit("mJ", 1e-3, ENERGY)
uJ = Unit("uJ", 1e-6, ENERGY)
nJ = Unit("nJ", 1e-9, ENERGY)
pJ = Unit("pJ", 1e-12, ENERGY)
watt = Unit("W", 1.0, POWER)
mW = Unit("mW", 1e-3, POWER)
uW = Unit("uW", 1e-6, POWER)

STANDARD: tuple[Unit, ...] = tuple(u for u in list(globals().values()) if isinstance(u, Unit) and u.name)
_CUSTOMARY = {TIME: ms, VOLTAGE: mV, CURRENT: nA, RESISTANCE: Mohm, CONDUCTANCE: nS, CAPACITANCE: pF, LENGTH: um}
