"""What keeps a crossbar from being exact: one field for each physical effect, all off unless switched on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any

from neuromorph.errors import TargetError


@dataclass(frozen=True)
class Verify:
    """Write-and-verify: program, read, and program again the cells that are too far off.

    A round is one programming as the device's preset publishes it. Where read noise is on, the reads see it.

    Attributes
    ----------
    tolerance : float
        A cell within so many levels of its target is left as it is.
    rounds : int
        Programmings of a cell at most; what the last one left stays.
    """

    tolerance: float = 0.5
    rounds: int = 10

    def __post_init__(self) -> None:
        if not (isfinite(self.tolerance) and self.tolerance > 0.0):
            raise TargetError(f"Verify: tolerance is {self.tolerance} levels; it must be above 0")
        if isinstance(self.rounds, bool) or not isinstance(self.rounds, int) or not 1 <= self.rounds <= 255:
            raise TargetError(f"Verify: rounds is {self.rounds!r}; it must be a whole number from 1 to 255")


@dataclass(frozen=True)
class Effects:
    """Which physical effects a crossbar has. The default has none.

    Attributes
    ----------
    quantise : bool
        Weights are rounded to the machine's ``weight_bits``, and cells hold whole levels. Off: the lowest digit of a
        weight holds the fraction too.
    programming : bool
        A cell does not get the conductance that it was given: the programming error of the machine's device.
    verify : Verify, optional
        Cells that programming left too far off are programmed again. Needs ``programming``.
    read_noise : bool
        Every read sees another conductance: Gaussian, with the device's standard deviation at the cell's conductance.
    drift : bool
        Conductances change with ``time``: drift or retention loss, mean and spread, of the machine's device.
    time : float
        Seconds since programming was done.
    compensate : bool
        Global drift compensation: one digital factor for each array, the ratio of two reads of known inputs, right
        after programming and at ``time``: row by row at code 1, the magnitudes of all results added. Needs ``drift``.
    stuck_low, stuck_high : float
        Shares of cells, from 0 to 1, that stay at the lowest or the highest conductance whatever is written.
    on_off : bool
        The lowest conductance is the machine's ``g_min``. Off: a cell can be switched off completely, ``g_min`` = 0.
    dac, adc : bool
        Converters have finite bits and ranges.
    adc_offset : float
        Standard deviation over the converters of their offset, in steps of the converter (LSB).
    adc_gain : float
        Standard deviation over the converters of their gain, relative to 1.
    wires : bool
        IR drop along the wires of an array, from the machine's ``r_row`` and ``r_column``, exact for linear cells.
    temperature : float, optional
        Temperature of the cells, K. None: that at which the device's coefficients were measured.
    """

    quantise: bool = False
    programming: bool = False
    verify: Verify | None = None
    read_noise: bool = False
    drift: bool = False
    time: float = 0.0
    compensate: bool = False
    stuck_low: float = 0.0
    stuck_high: float = 0.0
    on_off: bool = False
    dac: bool = False
    adc: bool = False
    adc_offset: float = 0.0
    adc_gain: float = 0.0
    wires: bool = False
    temperature: float | None = None

    def __post_init__(self) -> None:
        for name in ("stuck_low", "stuck_high"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise TargetError(f"Effects: {name} is {getattr(self, name)}; it is a share of the cells, from 0 to 1")
        if self.stuck_low + self.stuck_high > 1.0:
            raise TargetError(
                f"Effects: stuck_low {self.stuck_low} and stuck_high {self.stuck_high} are together more than all cells"
            )
        for name, unit in (("time", " s"), ("adc_offset", " LSB"), ("adc_gain", "")):
            if not (isfinite(getattr(self, name)) and getattr(self, name) >= 0.0):
                raise TargetError(f"Effects: {name} is {getattr(self, name)}{unit}; it must be at least 0")
        if self.temperature is not None and not (isfinite(self.temperature) and self.temperature > 0.0):
            raise TargetError(f"Effects: temperature is {self.temperature} K; it must be above 0")
        if self.verify is not None and not self.programming:
            raise TargetError("Effects: verify without programming: nothing is off target; set programming=True")
        if self.compensate and not self.drift:
            raise TargetError("Effects: compensate without drift: there is nothing to compensate; set drift=True")

    def __str__(self) -> str:
        """The names of the effects that are on, or "none"."""
        return ", ".join(self.on()) or "none"

    @classmethod
    def none(cls) -> Effects:
        """No effect at all."""
        return cls()

    def on(self) -> tuple[str, ...]:
        """Names of the effects that are on, in the order of the fields; ``time`` is no effect but says when."""
        return tuple(name for name, value, default in self._items() if name != "time" and value != default)

    def with_(self, **changes: Any) -> Effects:
        """A copy with other values of some fields.

        Raises
        ------
        TargetError
            For a name that is no effect, or values that do not go together.
        """
        self._known(changes)
        return replace(self, **changes)

    def only(self, *names: str) -> Effects:
        """These effects as they are here, and none of the others; what one of them needs stays with it.

        ``verify`` brings ``programming``, ``compensate`` brings ``drift``; ``time`` stays.

        Raises
        ------
        TargetError
            For a name that is no effect, or one that is off here.
        """
        self._known(names)
        off = [name for name in names if name not in self.on()]
        if off:
            raise TargetError(f"Effects: {', '.join(off)} is off; on are {self}. Switch it on first, with with_(...)")
        wanted = set(names) | {_NEEDS[name] for name in names if name in _NEEDS} | {"time"}
        return Effects(**{name: value for name, value, _ in self._items() if name in wanted})

    def without(self, *names: str) -> Effects:
        """A copy with some effects off, and with those off that need them.

        Raises
        ------
        TargetError
            For a name that is no effect.
        """
        self._known(names)
        out = set(names) | {name for name, needed in _NEEDS.items() if needed in names}
        return Effects(**{name: value for name, value, _ in self._items() if name not in out})

    def _items(self) -> Iterator[tuple[str, Any, Any]]:
        return ((f.name, getattr(self, f.name), f.default) for f in fields(self))

    @staticmethod
    def _known(names: Any) -> None:
        known = [f.name for f in fields(Effects)]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise TargetError(f"Effects: no effect {', '.join(map(repr, unknown))}; there are {', '.join(known)}")


_NEEDS = {"verify": "programming", "compensate": "drift"}
