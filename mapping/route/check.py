"""An independent judge: follow every packet from its source through the tables, and compare with what is required.

It uses the tables, the machine's links and the required destinations, and nothing that built them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import Machine
from .fanout import Fanout
from .tables import Table, lookup

_MAX_HOPS = 4096


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
    chunk: int = 1 << 16,
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
    chunk : int
        Packets followed at the same time, which bounds memory.

    Raises
    ------
    MappingError
        For two neurons with one key, a table over its size, a packet that no entry matches, that leaves by a link
        that does not exist, that comes to a chip twice, that misses a PE, or (without ``allow_extra``) reaches one too
        many. The message names the neuron, the key and the place.
    """
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
    deliveries = extra = look_ups = 0
    for at in range(0, len(senders), chunk):
        some = senders[at : at + chunk]
        who, pe, passed = _follow(some, key, tables, placement, fanout, machine)
        look_ups += passed
        more = _compare(some, who, pe, key, placement, fanout, machine, allow_extra)
        deliveries += len(who)
        extra += more
    return RouteCheck(len(senders), deliveries, extra, look_ups)


def _follow(
    some: npt.NDArray[np.int64],
    key: npt.NDArray[np.uint32],
    tables: Sequence[Table],
    placement: npt.NDArray[np.int32],
    fanout: Fanout,
    machine: Machine,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Deliveries (row in ``some``, PE) of all packets, and how often routers were passed."""
    who = np.arange(len(some))
    chip = (placement[fanout.part[some]] // machine.pes_per_chip).astype(np.int64)
    visited = np.zeros((len(some), machine.chips), bool)
    found_who, found_pe, passed = [], [], 0
    for _ in range(_MAX_HOPS):
        if len(who) == 0:
            break
        again = visited[who, chip]
        pairs = who * machine.chips + chip
        if again.any() or len(np.unique(pairs)) != len(pairs):
            bad = int(who[np.argmax(again)])
            raise MappingError(
                f"the packet of neuron {int(some[bad])}, key {int(key[some[bad]]):#010x}, comes to a chip twice "
                f"(chip {int(chip[np.argmax(again)])})",
                neuron=int(some[bad]),
                key=int(key[some[bad]]),
            )
        visited[who, chip] = True
        passed += len(who)
        next_who, next_chip = [], []
        order = np.argsort(chip, kind="stable")
        bounds = np.searchsorted(chip[order], np.arange(machine.chips + 1))
        for c in np.unique(chip).tolist():
            rows = who[order[bounds[c] : bounds[c + 1]]]
            entry = lookup(tables[c], key[some[rows]])
            if (entry < 0).any():
                bad = int(some[rows[np.argmax(entry < 0)]])
                raise MappingError(
                    f"chip {c}: no table entry matches key {int(key[bad]):#010x} of neuron {bad}",
                    chip=c,
                    neuron=bad,
                    key=int(key[bad]),
                )
            hit, pe = _pes_of(tables[c].pes[entry], machine.pes_per_chip)
            found_who.append(rows[hit])
            found_pe.append(pe + c * machine.pes_per_chip)
            for d in range(machine.neighbour.shape[1]):
                leaves = rows[(tables[c].links[entry] >> d & 1).astype(bool)]
                if len(leaves) == 0:
                    continue
                if machine.neighbour[c, d] < 0:
                    bad = int(some[leaves[0]])
                    raise MappingError(
                        f"chip {c}: key {int(key[bad]):#010x} leaves by link {d}, which does not exist",
                        chip=c,
                        link=d,
                        key=int(key[bad]),
                    )
                next_who.append(leaves)
                next_chip.append(np.full(len(leaves), machine.neighbour[c, d], np.int64))
        who = np.concatenate([np.empty(0, np.int64), *next_who])
        chip = np.concatenate([np.empty(0, np.int64), *next_chip])
    empty = np.empty(0, np.int64)
    return np.concatenate([empty, *found_who]), np.concatenate([empty, *found_pe]), passed


def _pes_of(words: npt.NDArray[np.uint64], pes_per_chip: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and PE numbers of the bits that are set."""
    masks, inverse = np.unique(words, axis=0, return_inverse=True)
    bits = np.unpackbits(np.ascontiguousarray(masks).astype("<u8").view(np.uint8), axis=1, bitorder="little")
    if bits[:, pes_per_chip:].any():
        raise MappingError(f"a table entry delivers to a PE beyond the {pes_per_chip} of a chip")
    row, pe = np.nonzero(bits)
    first = np.searchsorted(row, np.arange(len(masks) + 1))
    inverse = inverse.ravel()
    size = np.diff(first)[inverse]
    hit = np.repeat(np.arange(len(words)), size)
    start = np.repeat(first[:-1][inverse] - np.concatenate([[0], np.cumsum(size)])[:-1], size)
    return hit, pe[start + np.arange(len(hit))]


def _compare(
    some: npt.NDArray[np.int64],
    who: npt.NDArray[np.int64],
    pe: npt.NDArray[np.int64],
    key: npt.NDArray[np.uint32],
    placement: npt.NDArray[np.int32],
    fanout: Fanout,
    machine: Machine,
    allow_extra: bool,
) -> int:
    """Compare deliveries with what is required; returns how many were not."""
    size = np.diff(fanout.ptr)[some]
    offset = np.repeat(fanout.ptr[some] - np.concatenate([[0], np.cumsum(size)])[:-1], size)
    need = np.repeat(np.arange(len(some)), size) * machine.pes
    need += placement[fanout.parts[np.arange(len(offset)) + offset]]
    got = who * machine.pes + pe
    got.sort()
    need.sort()
    at = np.searchsorted(got, need)
    missing = (at == len(got)) | (got[np.minimum(at, len(got) - 1)] != need) if len(got) else np.ones(len(need), bool)
    if missing.any():
        row, lost = divmod(int(need[np.argmax(missing)]), machine.pes)
        raise MappingError(
            f"the packet of neuron {int(some[row])}, key {int(key[some[row]]):#010x}, does not reach PE {lost}",
            neuron=int(some[row]),
            key=int(key[some[row]]),
            pe=lost,
        )
    extra = len(got) - len(need)
    if extra and not allow_extra:
        row, more = divmod(int(np.setdiff1d(got, need)[0]), machine.pes)
        raise MappingError(
            f"the packet of neuron {int(some[row])}, key {int(key[some[row]]):#010x}, reaches PE {more}, "
            "which does not need it",
            neuron=int(some[row]),
            key=int(key[some[row]]),
            pe=more,
        )
    return extra
