"""Energy and area of an ADC that nobody has built: the published fit to a survey of those that were."""

from __future__ import annotations

from math import ceil, exp, log, log10

from neuromorph.errors import MappingError

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


def _positive(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise MappingError(f"ADC fit: {name} is {value!r}; it must be above 0", name=name, value=value)
