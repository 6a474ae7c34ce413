"""Cells and converters that are as wide as a number format needs them."""

from __future__ import annotations

from dataclasses import replace

from neuromorph.errors import MappingError
from neuromorph.formats import Int, NumberFormat, Spark

from .machine import CrossbarMachine, InputCode

NIBBLE = 4
"""Bits that SPARK stores numbers by."""


def with_formats(
    machine: CrossbarMachine,
    *,
    weights: NumberFormat | None = None,
    events: NumberFormat | None = None,
    cell_bits: int = NIBBLE,
) -> CrossbarMachine:
    """A machine whose cells hold every weight of a format, and whose DACs drive every event value of one.

    Cells get ``2**cell_bits`` levels, and weights as many of them as the largest magnitude has digits of ``cell_bits``
    bits: with four bits, a SPARK magnitude of 0 to 255 is a low and a high nibble in two cells, and that of an int of 8
    bits as well; an int of 4 bits takes one. Cells of a weight are fixed in number, so a short code of SPARK saves no
    cell: its high nibble is 0 and conducts nothing (``g_min`` where the effect ``on_off`` is on).

    Magnitudes of events are driven by digits of ``cell_bits`` bits, each in a phase of its own. With SPARK, they are
    stored and sent as codes of 4 and 8 bits, and what the code loses they lose. A read whose rows are all below 16 has
    one phase.

    Weights are in the format if the target is told so: ``Crossbar(with_formats(machine, weights=Spark()),
    weights="spark")``. ADCs stay as they are, as their width follows from sums.

    Parameters
    ----------
    machine : CrossbarMachine
    weights : Int or Spark, optional
        Default: as they are. Signs are the machine's ``encoding``, so ``sign`` of SPARK decides the largest magnitude
        alone.
    events : Int or Spark, optional
        Default: as they are. Their scale is the machine's: the largest magnitude gets the largest code.
    cell_bits : int
        Of a cell and of a phase's digit.

    Returns
    -------
    CrossbarMachine

    Raises
    ------
    MappingError
        For another format, or a machine that cannot be, such as one whose device has no such levels.
    """
    made = machine
    if weights is not None:
        made = replace(
            made, weight_bits=_magnitude_bits(machine, "weights", weights) + 1, cell_bits=cell_bits,
            cell_levels=2**cell_bits,
        )  # fmt: skip
    if events is not None:
        code: InputCode = "binary"
        if isinstance(events, Spark):
            code = "spark" if events.rounding == "paper" else "spark-nearest"
        bits = _magnitude_bits(machine, "events", events)
        made = replace(made, input_bits=bits, input_code=code, dac=replace(made.dac, bits=min(cell_bits, bits)))
    return made


def _magnitude_bits(machine: CrossbarMachine, what: str, format: NumberFormat) -> int:
    """Bits of the largest magnitude, without a sign."""
    if isinstance(format, Int):
        return format.bits - 1
    if isinstance(format, Spark) and format.sign != "twos_complement":
        return 8
    raise MappingError(
        f"crossbar machine {machine.name}: {what} of format {format.name}; cells and DACs hold whole magnitudes: give "
        "Int(bits) or Spark(), whose sign is a plane or none",
        machine=machine.name,
    )
