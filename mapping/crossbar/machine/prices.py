"""Prices of a machine file: what each number means, and the check that a file tells all of them."""

from __future__ import annotations

from collections.abc import Mapping

from neuromorph.errors import MappingError

from ...constants import Constants

PRICED = ("energy", "power", "time", "area")
"""Sections of a machine file whose numbers are prices."""

PRICES: Mapping[str, str] = {
    "energy.row_pulse": "a row driven once: driver, DAC and wire; for pulses, each bit of a digit",
    "energy.read": "a read of an array (one phase), whatever is driven",
    "energy.read_bit": "the same for each bit of the phase's digit",
    "energy.sense_bit": "a column sampled, for each bit of the phase's digit",
    "energy.sense_code": "a column integrated, for each unit of the digit's largest code",
    "energy.adc": "a conversion at adc.bits; fewer bits as adc.scaling says",
    "energy.comparison": "a decision of an integrate-and-fire comparator",
    "energy.comparator_pulse": "a pulse that it gives: counting, and taking the charge away",
    "energy.shift_add": "adding one converted digit of a column to the others",
    "energy.partial_add": "adding the sums of two arrays",
    "energy.input_bit": "a bit of an input's code, from the buffer to an array",
    "energy.output_bit": "a bit of a result, into the buffer",
    "energy.hop_bit": "a bit over one hop of the network on chip",
    "energy.link_bit": "a bit from chip to chip",
    "energy.add": "an addition of 32 bits in a digital neuron",
    "energy.multiply": "a multiplication of 32 bits there",
    "energy.register_bit": "a bit of state or parameter, read or written",
    "power.array": "static, of each array in use",
    "power.tile": "static, of each tile in use",
    "power.chip": "static, of each chip in use",
    "time.phase": "a phase: driving and settling, beside time.code",
    "time.code": "added for each unit of the phase's largest code",
    "time.pulse": "for which a cell conducts, for each unit of the code",
    "time.overlap": "1: arrays settle for the next phase while converters work; 0: one after the other",
    "time.hop": "a hop of the network on chip",
    "time.operation": "an operation of a digital neuron on one lane; chip.lanes work side by side in a tile",
    "area.cell": "a cell",
    "area.row": "a row's driver and DAC",
    "area.column": "what senses a column, ADC apart",
    "area.adc": "an ADC, and what adds its codes",
    "area.core": "a core beside its arrays",
    "area.tile": "a tile beside its cores",
    "area.chip": "a chip beside its tiles",
}
"""Every price, and what it is for."""

UNITS_OF: Mapping[str, tuple[str, ...]] = {
    "energy": ("J", "nJ", "pJ", "fJ"),
    "power": ("W", "mW", "uW"),
    "time": ("s", "ms", "us", "ns"),
    "area": ("mm2", "um2"),
}
"""Units of each section."""

NEEDED = ("adc.bits", "adc.time", "adc.scaling", "technology.node", "chip.lanes")
"""What prices refer to."""


def check_prices(c: Constants) -> None:
    """See that a machine file tells all prices or none, in units of their kind.

    Raises
    ------
    MappingError
        With everything that is wrong.
    """
    told = [name for name in c if name.split(".")[0] in PRICED]
    if not told:
        return
    found = [f"{name} is missing ({meaning})" for name, meaning in PRICES.items() if name not in c]
    found += [f"{name} is missing, which prices refer to" for name in NEEDED if name not in c]
    found += [f"{name} is no price" for name in told if name not in PRICES]
    for name in told:
        units = ("",) if name == "time.overlap" else UNITS_OF[name.split(".")[0]]
        if name in PRICES and c[name].unit not in units:
            found.append(f"{name} is in {c[name].unit!r}; it must be in {' or '.join(map(repr, units))}")
    if found:
        raise MappingError(f"machine file {c.machine}: {'; '.join(found)}", machine=c.machine)
