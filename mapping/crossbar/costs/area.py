"""Silicon that a plan takes: arrays, converters, drivers, tiles and chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..machine.adc_fit import adc_area
from .energy import require_prices

if TYPE_CHECKING:
    from ..machine.machine import CrossbarMachine
    from ..plan.plan import Plan


@dataclass(frozen=True)
class Area:
    """Square metres.

    Attributes
    ----------
    used : dict of str to float
        Of the arrays that hold something, and the cores and tiles that they lie in: cells, drivers, sensing, ADCs,
        cores, tiles.
    chip : dict of str to float
        Of one whole chip, used or not; chip: what lies outside its tiles.
    chips : int
    assumed : tuple of str
        Names of the assumed numbers that it rests on.
    """

    used: dict[str, float]
    chip: dict[str, float]
    chips: int
    assumed: tuple[str, ...]

    @property
    def total(self) -> float:
        """Of what is used."""
        return sum(self.used.values())

    @property
    def chips_total(self) -> float:
        """Of the chips as a whole."""
        return self.chips * sum(self.chip.values())


def area(plan: Plan) -> Area:
    """Area of what a plan uses, and of its chips.

    Raises
    ------
    MappingError
        If the machine has no prices.
    """
    machine = plan.machine
    require_prices(machine)
    of_tile = np.bincount(plan.tile_of_array) if plan.arrays else np.zeros(0, np.int64)
    cores, tiles = int((-(-of_tile // machine.arrays_per_core)).sum()), int((of_tile > 0).sum())
    names = [f"area.{part}" for part in ("cell", "row", "column", "adc", "core", "tile", "chip")]
    assumed = tuple(n for n in names if machine.constants[n].status == "assumption" and machine.constants[n].value)
    return Area(parts(machine, plan.arrays, cores, tiles), chip_area(machine), plan.chips, assumed)


def chip_area(machine: CrossbarMachine) -> dict[str, float]:
    """Area of one chip by part, m2."""
    require_prices(machine)
    cores = machine.cores_per_tile * machine.tiles
    whole = parts(machine, machine.arrays, cores, machine.tiles)
    return whole | {"chip": machine.constants.si("area.chip")}


def parts(machine: CrossbarMachine, arrays: int, cores: int, tiles: int) -> dict[str, float]:
    """Area of so many arrays, cores and tiles, m2.

    An ADC of other bits than the machine file's is larger or smaller as in the fit of :mod:`.adc_fit`.
    """
    c = machine.constants
    bits, full = machine.adc.bits, c.count("adc.bits")
    rate, node = 1.0 / c.si("adc.time"), c.si("technology.node")
    scaled = 1.0 if bits in (None, full) else adc_area(bits, rate, node) / adc_area(full, rate, node)
    return {
        "cells": arrays * machine.rows * machine.columns * c.si("area.cell"),
        "drivers": arrays * machine.rows * c.si("area.row"),
        "sensing": arrays * machine.columns * c.si("area.column"),
        "ADCs": arrays * machine.converters * c.si("area.adc") * scaled,
        "cores": cores * c.si("area.core"),
        "tiles": tiles * c.si("area.tile"),
    }
