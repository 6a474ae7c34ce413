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

from neuromorph.dimension import (
    AMOUNT,
    CAPACITANCE,
    CHARGE,
    CONDUCTANCE,
    CURRENT,
    ENERGY,
    FREQUENCY,
    LENGTH,
    LUMINOSITY,
    MASS,
    NONE,
    POWER,
    RESISTANCE,
    TEMPERATURE,
    TIME,
    VOLTAGE,
    Dimension,
)
from neuromorph.quantity import (
    Number,
    Quantity,
    Unit,
    as_quantity,
    dimension_of,
    example_unit,
    one,
    readable_unit,
    si_unit,
    si_value,
    standard,
)

__all__ = [
    "AMOUNT",
    "CAPACITANCE",
    "CHARGE",
    "CONDUCTANCE",
    "CURRENT",
    "ENERGY",
    "FREQUENCY",
    "LENGTH",
    "LUMINOSITY",
    "MASS",
    "NONE",
    "POWER",
    "RESISTANCE",
    "TEMPERATURE",
    "TIME",
    "VOLTAGE",
    "Dimension",
    "Gohm",
    "Hz",
    "MHz",
    "Mohm",
    "Number",
    "Quantity",
    "Unit",
    "amp",
    "as_quantity",
    "cm",
    "coulomb",
    "dimension_of",
    "example_unit",
    "farad",
    "joule",
    "kHz",
    "kelvin",
    "kilogram",
    "kohm",
    "mA",
    "mJ",
    "mS",
    "mV",
    "mW",
    "metre",
    "minute",
    "mm",
    "mole",
    "ms",
    "nA",
    "nC",
    "nF",
    "nJ",
    "nS",
    "nm",
    "ns",
    "ohm",
    "one",
    "pA",
    "pC",
    "pF",
    "pJ",
    "pS",
    "readable_unit",
    "second",
    "si_unit",
    "si_value",
    "siemens",
    "standard",
    "uA",
    "uF",
    "uJ",
    "uS",
    "uV",
    "uW",
    "um",
    "us",
    "volt",
    "watt",
]

second = standard("s", 1.0, TIME)
ms = standard("ms", 1e-3, TIME, customary=True)
us = standard("us", 1e-6, TIME)
ns = standard("ns", 1e-9, TIME)
minute = standard("min", 60.0, TIME)
Hz = standard("Hz", 1.0, FREQUENCY)
kHz = standard("kHz", 1e3, FREQUENCY)
MHz = standard("MHz", 1e6, FREQUENCY)
volt = standard("V", 1.0, VOLTAGE)
mV = standard("mV", 1e-3, VOLTAGE, customary=True)
uV = standard("uV", 1e-6, VOLTAGE)
amp = standard("A", 1.0, CURRENT)
mA = standard("mA", 1e-3, CURRENT)
uA = standard("uA", 1e-6, CURRENT)
nA = standard("nA", 1e-9, CURRENT, customary=True)
pA = standard("pA", 1e-12, CURRENT)
ohm = standard("ohm", 1.0, RESISTANCE)
kohm = standard("kohm", 1e3, RESISTANCE)
Mohm = standard("Mohm", 1e6, RESISTANCE, customary=True)
Gohm = standard("Gohm", 1e9, RESISTANCE)
siemens = standard("S", 1.0, CONDUCTANCE)
mS = standard("mS", 1e-3, CONDUCTANCE)
uS = standard("uS", 1e-6, CONDUCTANCE)
nS = standard("nS", 1e-9, CONDUCTANCE, customary=True)
pS = standard("pS", 1e-12, CONDUCTANCE)
farad = standard("F", 1.0, CAPACITANCE)
uF = standard("uF", 1e-6, CAPACITANCE)
nF = standard("nF", 1e-9, CAPACITANCE)
pF = standard("pF", 1e-12, CAPACITANCE, customary=True)
coulomb = standard("C", 1.0, CHARGE)
nC = standard("nC", 1e-9, CHARGE)
pC = standard("pC", 1e-12, CHARGE)
metre = standard("m", 1.0, LENGTH)
cm = standard("cm", 1e-2, LENGTH)
mm = standard("mm", 1e-3, LENGTH)
um = standard("um", 1e-6, LENGTH, customary=True)
nm = standard("nm", 1e-9, LENGTH)
kilogram = standard("kg", 1.0, MASS)
kelvin = standard("K", 1.0, TEMPERATURE)
mole = standard("mol", 1.0, AMOUNT)
joule = standard("J", 1.0, ENERGY)
mJ = standard("mJ", 1e-3, ENERGY)
uJ = standard("uJ", 1e-6, ENERGY)
nJ = standard("nJ", 1e-9, ENERGY)
pJ = standard("pJ", 1e-12, ENERGY)
watt = standard("W", 1.0, POWER)
mW = standard("mW", 1e-3, POWER)
uW = standard("uW", 1e-6, POWER)
