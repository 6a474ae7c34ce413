"""Units and quantities: numbers, or arrays, that know their dimension and the unit they were written in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from neuromorph.dimension import FREQUENCY, NONE, Dimension, power_text, rational
from neuromorph.errors import UnitError

Number: TypeAlias = "float | np.number[Any]"
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
        p = rational(power)
        return _unit_from(self.scale ** float(p), self.dim**p, tuple((n, e * p) for n, e in self.factors))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name or "1"


def _join(factors: Factors) -> str:
    above = [power_text(n, e) for n, e in factors if e > 0]
    below = [power_text(n, -e) for n, e in factors if e < 0]
    return "/".join(["*".join(above) or ("1" if below else ""), *below])


def _unit_from(scale: float, dim: Dimension, factors: Factors) -> Unit:
    """A standard unit of this scale and dimension if there is one (nA*Mohm is mV), else one that is spelled out."""
    spelled_out = len(factors) > 1 or any(e not in (0, 1) for _, e in factors)
    if spelled_out and dim != FREQUENCY:  # 1/ms stays so: a rate is not always an event rate in Hz
        for unit in _standard.get(dim, ()):
            if math.isclose(unit.scale, scale, rel_tol=1e-12):
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
        if isinstance(other, int) and other == 0:  # where sum() begins
            return self
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
        if not isinstance(unit, Unit):
            raise UnitError(f"cannot express {self} in {unit!r:.40}; give a unit, as in x.to({self.unit})")
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
        raise UnitError(
            f"{self} is a {self.dim}, not a plain array; NumPy works on numbers: divide by a unit before and multiply "
            f"by it after, as in np.mean(x / {self.unit}) * {self.unit}"
        )

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
    dim = getattr(x, "dim", None)
    dims = None if isinstance(dim, Dimension) else getattr(dim, "_dims", None)
    return None if dims is None else Dimension(tuple(rational(float(d)) for d in dims))


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


def standard(name: str, scale: float, dim: Dimension, *, customary: bool = False) -> Unit:
    """Make a standard unit: one that results of arithmetic are printed in.

    ``customary`` says that neuroscience mostly writes this dimension in it.
    """
    unit = Unit(name, scale, dim)
    _standard.setdefault(dim, []).append(unit)
    if customary:
        _customary[dim] = unit
    return unit


def si_unit(dim: Dimension) -> Unit:
    """The coherent SI unit of a dimension."""
    for unit in _standard.get(dim, ()):
        if unit.scale == 1.0:
            return unit
    over, under = dim.named
    factors = (*over, *((name, -e) for name, e in under))
    return Unit(_join(factors), 1.0, dim, factors)


def example_unit(dim: Dimension) -> Unit:
    """The unit in which neuroscience mostly writes a dimension, for hints and defaults."""
    return _customary.get(dim) or si_unit(dim)


def readable_unit(value: float, dim: Dimension) -> Unit:
    """The standard unit in which ``value`` (SI) has the fewest digits before and after the point."""
    candidates = [u for u in _standard.get(dim, ()) if u.name not in ("min", "cm")]
    if not candidates or value == 0 or not math.isfinite(value):
        return example_unit(dim)
    fitting = [u for u in candidates if 1 - 1e-12 <= abs(value) / u.scale < 1000]
    return max(fitting or candidates, key=lambda u: u.scale)


one = Unit("", 1.0, NONE)
"""The unit of plain numbers."""

# Filled by neuromorph.units, which gives the standard units their names.
_standard: dict[Dimension, list[Unit]] = {}
_customary: dict[Dimension, Unit] = {}
