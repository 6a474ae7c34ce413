"""An independent judge: follow every packet from its source through the tables, and compare with what is required.

It uses the tables, the machine's links and the required destinations, and nothing that built them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import Machine
from .fanout import Fanout
from .tables import Table
from .trees import WORDS


@dataclass(frozen=True)
class RouteCheck:
    """What the checker found: every packet arrived where it must, once.

    Attributes
    ----------
    packets : int
        Keys followed.
    deliveries : int
        Deliveries to PEs, over all keys.
    extra : int
        Deliveries to PEs that did not need the packet.
    look_ups : int
        Passages of event routers.
    """

    packets: int
    deliveries: int
    extra: int
    look_ups: int


def check_routes(
    fanout: Fanout,
    key: npt.NDArray[np.uint32],
    tables: Sequence[Table],
    placement: npt.NDArray[np.int32],
    machine: Machine,
    *,
    allow_extra: bool = True,
) -> RouteCheck:
    """Follow the packet of every neuron that has destinations.

    Parameters
    ----------
    fanout : Fanout
        Required destinations.
    key : uint32 (n,)
        Key that each neuron sends.
    tables : sequence of Table
        One for each chip; the first matching entry decides.
    placement : int32 (parts,)
        Global PE index of each part.
    machine : Machine
    allow_extra : bool
        Whether a packet may also reach PEs that do not need it (then they are counted).

    Raises
    ------
    MappingError
        For two neurons with one key, a table over its size, a packet that no entry matches, that leaves by a link
        that does not exist, that comes to a chip twice, that misses a PE, or (without ``allow_extra``) reaches one too
        many. The message names the neuron, the key and the place.
    """
    from . import _check_kernels as kernel

    for c, table in enumerate(tables):
        if len(table) > machine.router_entries:
            raise MappingError(
                f"chip {c}: its table has {len(table)} entries, its router holds {machine.router_entries}",
                chip=c,
                entries=len(table),
                limit=machine.router_entries,
            )
    senders = np.flatnonzero(np.diff(fanout.ptr) > 0)
    values, count = np.unique(key[senders], return_counts=True)
    if (count > 1).any():
        bad = values[count > 1][0]
        pair = senders[key[senders] == bad][:2].tolist()
        raise MappingError(f"neurons {pair[0]} and {pair[1]} share key {int(bad):#010x}", key=int(bad), neurons=pair)
    for c, table in enumerate(tables):
        if len(table) and int(_last_pe(table.pes).max()) >= machine.pes_per_chip:
            raise MappingError(f"chip {c}: a table entry delivers to a PE beyond its {machine.pes_per_chip}", chip=c)
    code, neuron, chip, detail, packets, deliveries, extra, look_ups = kernel.follow(
        fanout.ptr,
        fanout.parts,
        fanout.part,
        key,
        placement.astype(np.int64),
        machine.pes_per_chip,
        machine.neighbour,
        *_index(tables),
        allow_extra,
    )
    if code != kernel.FINE:
        packet = f"the packet of neuron {neuron}, key {int(key[neuron]):#010x},"
        pe = chip * machine.pes_per_chip + detail
        message = {
            kernel.NO_ENTRY: f"chip {chip}: no table entry matches key {int(key[neuron]):#010x} of neuron {neuron}",
            kernel.NO_LINK: f"chip {chip}: {packet} leaves by link {detail}, which does not exist",
            kernel.TWICE: f"{packet} comes to chip {chip} twice",
            kernel.MISSING: f"{packet} does not reach PE {pe}",
            kernel.SUPERFLUOUS: f"{packet} reaches PE {pe}, which does not need it",
        }[code]
        raise MappingError(message, neuron=neuron, key=int(key[neuron]), chip=chip, pe=pe)
    return RouteCheck(packets, deliveries, extra, look_ups)


def _last_pe(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Highest bit that is set in each row, -1 if none is."""
    bits = np.unpackbits(np.ascontiguousarray(words).astype("<u8").view(np.uint8), axis=1, bitorder="little")
    return np.where(bits.any(1), bits.shape[1] - 1 - bits[:, ::-1].argmax(1), -1).astype(np.int64)


def _index(tables: Sequence[Table]) -> tuple[Any, Any, Any, Any, Any, Any, Any, Any]:
    """All tables, searchable: for each chip its masks, for each mask the sorted keys with their first row."""
    mask_ptr, value_ptr = [0], [0]
    masks, values, rows = [np.empty(0, np.uint32)], [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
    for table in tables:
        own = np.unique(table.mask)
        masks.append(own)
        mask_ptr.append(mask_ptr[-1] + len(own))
        for mask in own:
            where = np.flatnonzero(table.mask == mask)
            value, first = np.unique(table.key[where], return_index=True)
            values.append(value)
            rows.append(where[first])
            value_ptr.append(value_ptr[-1] + len(value))
    return (
        np.array(mask_ptr, np.int64),
        np.concatenate(masks),
        np.array(value_ptr, np.int64),
        np.concatenate(values),
        np.concatenate(rows),
        np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int64),
        np.concatenate([np.empty(0, np.uint8), *(table.links for table in tables)]),
        np.concatenate([np.empty((0, WORDS), np.uint64), *(table.pes for table in tables)]),
    )
