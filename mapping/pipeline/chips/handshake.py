"""How PEs without a barrier know when to begin a step, and what that costs.

After its last packet of a step a PE sends one *end* to every PE that it reaches, so a receiver knows that it has all.
Where the receiver sends nothing back, it tells the sender when it has taken a step, by one packet for *room*; where it
does, its own ends say so, at least if two steps or more may wait. Keys say of which step a packet is, as far as may
wait: one bit for two. Packets of so many steps as the hardware's filters can tell apart wait in FIFOs of their own;
with more, the software puts each aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...noc import timing
from ...route import link_steps, route_parts
from ...route.fanout import Fanout
from ...spinnaker2.kernels import hop_times, part_latency
from ...spinnaker2.layout import offsets
from ...spinnaker2.network_costs import energy_per_bit, entrances, link_bits
from .work import stages_of

if TYPE_CHECKING:
    from ...spinnaker2.instance import Deployed
    from ...spinnaker2.map import Mapping

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ways:
    """PEs that another one waits for, and the nanoseconds until it hears of them.

    Attributes
    ----------
    ptr : int64 (parts + 1,), other : int32, latency : float64
    stage : int32
        Of the packets that are waited for; a PE that sends those of several stages is there several times.
    """

    ptr: Ints
    other: npt.NDArray[np.int32]
    latency: Floats
    stage: npt.NDArray[np.int32]

    @classmethod
    def of(cls, waiting: Ints, other: Ints, latency: Floats, parts: int, stage: Ints | None = None) -> Ways:
        """From pairs in any order."""
        order = np.lexsort((other, waiting))
        ptr = np.searchsorted(waiting[order], np.arange(parts + 1)).astype(np.int64)
        stages = np.zeros(len(order), np.int64) if stage is None else stage
        return cls(ptr, other[order].astype(np.int32), latency[order], stages[order].astype(np.int32))

    def within(self, member: npt.NDArray[np.int32]) -> Ways:
        """Only those of the same number as the one that waits."""
        waiting = np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))
        kept = member[waiting] == member[self.other]
        others, stages = self.other[kept].astype(np.int64), self.stage[kept].astype(np.int64)
        return Ways.of(waiting[kept], others, self.latency[kept], len(self.ptr) - 1, stages)


@dataclass(frozen=True, eq=False)
class Handshake:
    """What PEs wait for, and what saying so costs them in every step.

    Attributes
    ----------
    senders : Ways
        PEs whose packets each part waits for.
    room : Ways
        PEs whose room each part waits for.
    send, take : int64 (parts,)
        Cycles in every step: sending ends and room, and taking those of others.
    put_aside : int
        Cycles for each packet.
    packets : int
        Sent in every step.
    joules : float
        Of them on their way, in every step.
    entries : int64 (chips,)
        Entries that they need in the routing tables, beside those of the events.
    """

    senders: Ways
    room: Ways
    send: Ints
    take: Ints
    put_aside: int
    packets: int
    joules: float
    entries: Ints


def handshake(deployed: Deployed, depth: int) -> Handshake:
    """The handshake of a mapped network whose PEs keep the packets of so many steps.

    Raises
    ------
    MappingError
        If its packets need more routes than the tables have room for.
    """
    mapped = deployed.mapping
    parts, keys, c = mapped.parts, mapped.routing.keys, mapped.machine.constants
    source = np.repeat(keys.source, np.diff(keys.ptr)).astype(np.int64)
    pair, number = np.unique(source * parts + keys.parts, return_inverse=True)
    latency = np.zeros(len(pair))
    np.maximum.at(latency, number, deployed.costs.latency)
    sender, receiver = pair // parts, pair % parts
    apart = sender != receiver
    back = np.isin(receiver * parts + sender, pair)
    told = apart if depth == 1 else apart & ~back
    ends = _Told.of(mapped, sender[apart], receiver[apart])
    room = _Told.of(mapped, receiver[told], sender[told])
    latency[apart] = np.maximum(latency[apart], ends.latency)
    send, take = c.count("cycles.packet_send"), c.count("handshake.take")

    def each(which: Ints) -> Ints:
        return np.bincount(which, minlength=parts).astype(np.int64)

    return Handshake(
        senders=_with_stages(mapped, sender, receiver, latency),
        room=Ways.of(sender[told], receiver[told], room.latency, parts),
        send=send * ((each(sender[apart]) > 0).astype(np.int64) + (each(receiver[told]) > 0)),
        take=take * (each(receiver[apart]) + each(sender[told])),
        put_aside=aside(deployed, depth),
        packets=ends.packets + room.packets,
        joules=ends.joules + room.joules,
        entries=ends.entries + room.entries,
    )


def _with_stages(mapped: Mapping, sender: Ints, receiver: Ints, latency: Floats) -> Ways:
    """The pairs once for each stage whose packets go that way."""
    keys, parts, first = mapped.routing.keys, mapped.parts, offsets(mapped.lowered)
    lag, stage_of = stages_of(mapped.lowered)
    stage = np.repeat(stage_of, np.diff(first))
    sends = keys.group >= 0
    both = np.unique(keys.group[sends].astype(np.int64) * len(lag) + stage[sends])
    group, sent = both // len(lag), both % len(lag)
    reached = np.diff(keys.ptr)[group]
    place = (
        np.repeat(keys.ptr[group], reached)
        + np.arange(reached.sum())
        - np.repeat(np.cumsum(reached) - reached, reached)
    )
    pair = np.repeat(keys.source[group].astype(np.int64), reached) * parts + keys.parts[place]
    each = np.unique(pair * len(lag) + np.repeat(sent, reached))
    number = np.searchsorted(sender * parts + receiver, each // len(lag))
    return Ways.of(receiver[number], sender[number], latency[number], parts, each % len(lag))


def aside(deployed: Deployed, depth: int) -> int:
    """Cycles for each packet where so many steps may wait: none as long as the filters tell them apart."""
    c = deployed.mapping.machine.constants
    return c.count("handshake.put_aside") if depth > c.count("fifo.filters") else 0


@dataclass(frozen=True, eq=False)
class _Told:
    """One packet without a payload from each part to some others."""

    latency: Floats  # of each pair, ns
    packets: int
    joules: float
    entries: Ints

    @classmethod
    def of(cls, mapped: Mapping, source: Ints, target: Ints) -> _Told:
        machine, parts = mapped.machine, mapped.parts
        if not len(source):
            return cls(np.zeros(0), 0, 0.0, np.zeros(machine.chips, np.int64))
        order = np.lexsort((target, source))
        ptr = np.searchsorted(source[order], np.arange(parts + 1)).astype(np.int64)
        everyone = np.arange(parts, dtype=np.int32)
        fan = Fanout(everyone, ptr, target[order].astype(np.int32), np.ones(parts), parts)
        routing = route_parts(fan, mapped.placement, machine)
        keys = routing.keys
        hops, link, parent = link_steps(routing.routes, machine, np.arange(keys.n_groups, dtype=np.int64))
        times = hop_times(link, parent, hops, timing(machine).latency * 1e9)
        latency = part_latency(hops, link, times, keys.ptr, keys.parts, entrances(mapped))
        found = np.repeat(keys.source, np.diff(keys.ptr)).astype(np.int64) * parts + keys.parts
        by_pair = np.argsort(found)
        place = by_pair[np.searchsorted(found[by_pair], source * parts + target)]
        header = np.full(keys.n_groups, float(machine.constants.count("packet.header")))
        noc, links = energy_per_bit(machine, hops, link)
        joules = float((header * noc + link_bits(machine, header) * links).sum())
        return cls(latency[place], keys.n_groups, joules, routing.entries)
