"""Energy and area of an ADC that nobody has built: the published fit to a survey of those that were."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, exp, log, log10
from typing import TYPE_CHECKING

from neuromorph.errors import MappingError

from ...constants import Constant, Constants

if TYPE_CHECKING:
    from .machine import CrossbarMachine

CITATION = "Andrulis, Chen, Emer, Sze, arXiv 2404.06553: fit of energy and area to Murmann's survey of ADCs"

_MERIT_BY_RATE = (213.780669, -2.87190304)
"""Bound on the figure of merit, dB: intercept, and slope by the natural logarithm of the rate in Hz."""
_MERIT_BY_BITS = (128.306829, 3.22051151)
"""The other bound, dB: intercept, and slope by bits, rounded up."""
_ENERGY = (26.0496216 - 1.47020222, 1.88003692, -2.82912561)
"""Logarithm of a factor on the energy: intercept, slopes by the logarithms of the node in nm and of the bits."""
_AREA = (1.34619164, 0.993279474, 0.180715384, 0.299124262)
"""Logarithm of the area in um2: intercept, slopes by the logarithms of node (nm), rate (Hz) and energy (pJ)."""

LEAST_BITS = 4.0
"""The fit starts here; fewer bits cost as much as these."""


def adc_energy(bits: float, rate: float, node: float) -> float:
    """Energy of one conversion, J: the best that the surveyed ADCs of this kind do.

    Parameters
    ----------
    bits : float
        Effective number of bits; below :data:`LEAST_BITS` it counts as so many.
    rate : float
        Conversions a second.
    node : float
        Technology node, m.

    Raises
    ------
    MappingError
        For a number that is not above 0.

    Notes
    -----
    Andrulis, Chen, Emer and Sze, "Modeling analog-digital-converter energy and area for compute-in-memory accelerator
    design", arXiv 2404.06553, with the coefficients of their estimator hwcomponents-adc; the survey is B. Murmann's.
    The smaller of two bounds on Schreier's figure of merit gives the energy; their tool counts a fifth of it as
    drawn all the time at full rate.
    """
    _positive(bits=bits, rate=rate, node=node)
    enob = max(float(bits), LEAST_BITS)
    by_rate = _MERIT_BY_RATE[0] + _MERIT_BY_RATE[1] * log(rate)
    merit = min(by_rate, _MERIT_BY_BITS[0] + _MERIT_BY_BITS[1] * ceil(enob))
    sndr = 20.0 * log10(2.0) * enob + 10.0 * log10(1.5)  # dB
    factor = exp(_ENERGY[0] + _ENERGY[1] * log(node * 1e9) + _ENERGY[2] * log(enob))
    return 0.5e-12 * factor * float(10.0 ** ((sndr - merit) / 10.0))


def adc_area(bits: float, rate: float, node: float, energy: float | None = None) -> float:
    """Area of an ADC, m2; parameters and source as for :func:`adc_energy`.

    Parameters
    ----------
    energy : float, optional
        Of one conversion, J, where it is known; default: that of the fit.
    """
    joules = adc_energy(bits, rate, node) if energy is None else energy
    _positive(bits=bits, rate=rate, node=node, energy=joules)
    by_rate = _AREA[2] * log(rate) + _AREA[3] * log(joules * 1e12)
    return exp(_AREA[0] + _AREA[1] * log(node * 1e9) + by_rate) * 1e-12


def with_fitted_adc(
    machine: CrossbarMachine, bits: int, *, rate: float | None = None, columns_per_converter: int | None = None
) -> CrossbarMachine:
    """A machine with another ADC, whose energy and area are those of the fit.

    Parameters
    ----------
    machine : CrossbarMachine
        With prices.
    bits : int
    rate : float, optional
        Conversions a second; default: as fast as before.
    columns_per_converter : int, optional
        Physical columns that share one; default: as many as before.

    Raises
    ------
    MappingError
        If the machine has no prices, or a number is impossible.
    """
    c = machine.constants
    if not machine.priced:
        raise MappingError(
            f"crossbar machine {machine.name} has no prices, so that an ADC of the fit has no place in it"
        )
    before = 1.0 / machine.adc.seconds if machine.adc.seconds else 0.0
    speed, node = (before if rate is None else rate), c.si("technology.node")
    joules, area = adc_energy(bits, speed, node), adc_area(bits, speed, node)
    told = f"fit at {bits} bits, {node * 1e9:g} nm, {speed / 1e6:g} MS/s"
    values: tuple[tuple[str, float | str, str], ...] = (
        ("adc.bits", bits, "bit"),
        ("adc.time", 1e9 / speed, "ns"),
        ("adc.scaling", "survey", ""),
        ("energy.adc", joules * 1e12, "pJ"),
        ("area.adc", area * 1e12, "um2"),
    )
    entries = dict(c.entries)
    for name, value, unit in values:
        entries[name] = Constant(name, value, unit, "survey", CITATION, "derived", told)
    shared = machine.adc.columns_per_converter if columns_per_converter is None else columns_per_converter
    adc = replace(machine.adc, bits=bits, kind="sar", seconds=1.0 / speed, columns_per_converter=shared)
    return replace(machine, constants=Constants(c.machine, entries), adc=adc)


def _positive(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise MappingError(f"ADC fit: {name} is {value!r}; it must be above 0", name=name, value=value)
