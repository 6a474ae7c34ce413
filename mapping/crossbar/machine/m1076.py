"""Mythic M1076: its operations of 4, 8 and 16 bits as machines, what its tiles hold, and what its host link allows.

The vendor publishes that tiles compute in INT4, INT8 and INT16 with cells whose charge is controlled to about 8 bits;
how wider numbers are put together is not published. Here INT16 slices a weight over two pairs of cells and an input
over two reads, and INT4 spreads its few levels over the whole range of a cell, where errors weigh least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neuromorph.errors import MappingError

from .machine import CrossbarMachine, load_machine

Operation = Literal["int4", "int8", "int16"]


@dataclass(frozen=True)
class _Format:
    weight_bits: int
    cell_bits: int
    input_bits: int


_FORMATS: dict[str, _Format] = {"int4": _Format(4, 3, 4), "int8": _Format(8, 7, 8), "int16": _Format(16, 8, 16)}


def m1076(operation: Operation = "int8") -> CrossbarMachine:
    """The chip with weights and inputs of an operation; its ADCs keep their bits.

    Parameters
    ----------
    operation : {"int4", "int8", "int16"}

    Raises
    ------
    MappingError
        There is no such operation.
    """
    if operation not in get_args(Operation):
        raise MappingError(f"M1076: no operation {operation!r}; there are {', '.join(get_args(Operation))}")
    form = _FORMATS[operation]
    return load_machine(
        "m1076",
        weight_bits=form.weight_bits,
        cell_bits=form.cell_bits,
        cell_levels=2**form.cell_bits,
        input_bits=form.input_bits,
    )


def capacity(machine: CrossbarMachine) -> int:
    """Weights that one chip holds: all tiles, full."""
    return machine.arrays * machine.rows * machine.weight_columns


def host_rate(machine: CrossbarMachine, bytes_in: float, bytes_out: float) -> float:
    """Inferences in a second that the host's link allows, both ways at once.

    Parameters
    ----------
    machine : CrossbarMachine
        With the constant ``host.bandwidth``.
    bytes_in, bytes_out : float
        Of one inference: what the host sends, and what it gets.

    Raises
    ------
    MappingError
        If nothing travels, or the machine has no such constant.
    """
    most = max(bytes_in, bytes_out)
    if not (bytes_in >= 0 and bytes_out >= 0 and most > 0):
        raise MappingError(f"M1076: {bytes_in} bytes in and {bytes_out} out; give what an inference moves, above 0")
    return machine.constants.si("host.bandwidth") / most
