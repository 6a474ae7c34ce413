"""What lies in the chips' DRAM: tables that sources look up, and the table of a decoder.

Every PE has a table of its own on its chip, with the columns (a source's) or rows (a decoder's) that it works on, so a
row of its table is one transfer. Rows begin at the alignment of DRAM. A chip has several interfaces; a table lies
wholly at one of them, since a transfer cannot cross from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import EventTable, LoweredNetwork

from ..constants import Constants
from ..machine import Machine
from .layout import offsets
from .options import WORD

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dram:
    """Tables in DRAM and what reading a row takes.

    Attributes
    ----------
    row_bytes : int64 (populations, parts)
        Bytes that each PE reads for a row of each source that looks rows up.
    table_bytes : int64 (parts,)
        Bytes of the tables of each PE's source neurons.
    decoder_interface : int64 (decoder's PEs,)
        Interface (chip * interfaces + interface) at which the table of each of the decoder's PEs lies.
    used : int64 (chips, interfaces)
        Bytes in use.
    capacity : int
        Bytes of one interface.
    wait : float64 (parts,)
        Seconds until all PEs have their rows, which they ask for at once.
    """

    row_bytes: Ints
    table_bytes: Ints
    decoder_interface: Ints
    used: Ints
    capacity: int
    wait: npt.NDArray[np.float64]

    @property
    def total(self) -> int:
        """Bytes of all tables."""
        return int(self.used.sum())


def aligned(size: Ints | int, constants: Constants) -> Ints:
    """Bytes up to the next multiple of DRAM's alignment."""
    step = constants.count("memory.dram_alignment")
    return np.asarray(-(-np.asarray(size, np.int64) // step) * step)


def transfer_rate(constants: Constants) -> float:
    """Bytes a second of one interface, as assumed to be sustained."""
    whole = constants.si("memory.dram_bandwidth") * constants.si("memory.dram_efficiency")
    return whole / constants.count("memory.dram_interfaces")


def least_bytes(lowered: LoweredNetwork) -> int:
    """Bytes of all tables that sources look up, as if nothing had to be aligned."""
    return sum(WORD * p.replay.table.size for p in lowered.populations if isinstance(p.replay, EventTable))


def require_room(lowered: LoweredNetwork, decoder_bytes: int, machine: Machine, chips: int | None) -> int:
    """The fewest chips whose DRAM holds all tables.

    Raises
    ------
    MappingError
        If ``chips`` are given and too few.
    """
    needed, each = least_bytes(lowered) + decoder_bytes, machine.constants.count("memory.dram")
    fewest = max(1, -(-needed // each))
    if chips is not None and chips < fewest:
        raise MappingError(
            f"{lowered.name}: its tables take {needed:,} bytes of DRAM, of {chips * each:,} with chips={chips}; give "
            f"chips={fewest} or more, or fewer rows",
            bytes=needed,
            limit=chips * each,
            chips=fewest,
        )
    return fewest


def dram_layout(
    lowered: LoweredNetwork,
    part: npt.NDArray[np.int32],
    placement: npt.NDArray[np.int32],
    machine: Machine,
    decoder_pes: npt.NDArray[np.int32],
    decoder_bytes: Ints,
) -> Dram:
    """Give every table its place.

    Parameters
    ----------
    part : int32 (n,)
        Part of each neuron.
    placement : int32 (parts,)
        Global PE of each part.
    decoder_pes : int32 (pes,)
        Global PEs of a decoder.
    decoder_bytes : int64 (pes,)
        Bytes of the table of each.

    Raises
    ------
    MappingError
        If they do not fit the DRAM of a chip; the message names the chip, the bytes and what would help.
    """
    c, parts, first = machine.constants, len(placement), offsets(lowered)
    interfaces = c.count("memory.dram_interfaces")
    row_bytes = np.zeros((len(lowered.populations), parts), np.int64)
    table_bytes = np.zeros(parts, np.int64)
    for k, (population, (low, high)) in enumerate(zip(lowered.populations, pairwise(first), strict=True)):
        if isinstance(population.replay, EventTable):
            held = np.bincount(part[low:high], minlength=parts)
            row_bytes[k] = aligned(WORD * held, c)
            table_bytes += row_bytes[k] * len(population.replay.table)
    capacity = c.count("memory.dram") // interfaces
    used = np.zeros((machine.chips, interfaces), np.int64)
    place = _interfaces(placement // machine.pes_per_chip, table_bytes, row_bytes.sum(0), used, capacity)
    decoders = decoder_pes // machine.pes_per_chip
    decoder_interface = _interfaces(decoders, decoder_bytes, decoder_bytes, used, capacity)
    worst = int(used.max(1).argmax())
    if used[worst].max() > capacity:
        tables = ", ".join(
            f"population {p.name} {rows * len(p.replay.table):,}"
            for p, rows in zip(
                lowered.populations,
                row_bytes[:, placement // machine.pes_per_chip == worst].sum(1).tolist(),
                strict=True,
            )
            if isinstance(p.replay, EventTable) and rows
        )
        whole = int(used[worst].sum())
        raise MappingError(
            f"{lowered.name}: tables take {whole:,} bytes of DRAM on chip {worst}, which has {interfaces} x "
            f"{capacity:,} ({tables or 'a decoder'}); spread the source over more PEs and chips (neurons_per_pe, "
            'chips, place="spread"), or give fewer rows',
            bytes=whole,
            limit=interfaces * capacity,
            chip=worst,
        )
    asked = np.bincount(place, weights=row_bytes.sum(0), minlength=machine.chips * interfaces)
    wait = np.where(row_bytes.any(0), c.si("memory.dram_latency") + asked[place] / transfer_rate(c), 0.0)
    return Dram(row_bytes, table_bytes, decoder_interface, used, capacity, np.asarray(wait, np.float64))


def _interfaces(chip: npt.NDArray[np.int32], size: Ints, traffic: Ints, used: Ints, capacity: int) -> Ints:
    """Where each table goes (chip * interfaces + interface): where least is read from of those that have room.

    ``used`` (chips, interfaces) grows by what is placed, past the capacity where there is no room.
    """
    load = np.zeros_like(used)
    place = np.zeros(len(size), np.int64)
    for item in np.argsort(-size, kind="stable"):
        if size[item]:
            on = int(chip[item])
            full = used[on] + size[item] > capacity
            chosen = int(np.lexsort((used[on], load[on], full))[0])
            used[on, chosen] += size[item]
            load[on, chosen] += traffic[item]
            place[item] = on * used.shape[1] + chosen
    return place
