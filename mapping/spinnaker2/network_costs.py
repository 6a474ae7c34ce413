"""What packets cost on their way: latency and links of every key group, cycles to receive and find a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..machine import LINK_CLASSES, Machine
from ..noc import timing
from ..route import link_steps
from .costs import synapse_cycles, update_schedule
from .layout import PAYLOAD_BITS, offsets
from .plastic.costs import source_cycles
from .plastic.footprints import Footprint, view_words

if TYPE_CHECKING:
    from .image import Image
    from .map import Mapping

NOC, FROM_TILE, TO_TILE, BOARD, LONG, ROUTER = range(len(LINK_CLASSES))


@dataclass(frozen=True)
class PacketCosts:
    """Costs of a mapped network that do not change during a run.

    Attributes
    ----------
    before, update, record, dma : int64
        See :class:`.costs.Schedule`.
    receive : int64, one for each (group, part) of the keys
        Cycles to take a packet from the FIFO and find its row.
    again : int64, likewise
        Of them: finding the row among those of the PE that sent the packet, once that PE is known.
    latency : float64, likewise
        Nanoseconds from the sending PE to the receiving one through an idle network.
    service : float64 (parts,)
        Mean cycles for a packet and its synapses, if every source sends once.
    links : int32 (used,)
        Link ids that any packet passes.
    link_class : int8 (used,)
        0: NoC, 1: chip link, 2: event router.
    link_service : float64 (used,)
        Seconds between two packets over the link at full rate.
    links_ptr : int64 (groups + 1,), link_index : int32
        Links that a packet of each group passes, as positions in ``links``; twice where two copies pass.
    energy_noc, energy_links : float64 (groups,)
        Joules for one packet in NoC and routers, and on chip links.
    word_groups : int32, words : int64
        Groups that send values in every step, for synapses that look at neurons, and how many.
    barrier : float
        Nanoseconds that closing a step takes once the last PE is done.
    """

    before: npt.NDArray[np.int64]
    update: npt.NDArray[np.int64]
    record: npt.NDArray[np.int64]
    dma: npt.NDArray[np.int64]
    receive: npt.NDArray[np.int64]
    again: npt.NDArray[np.int64]
    latency: npt.NDArray[np.float64]
    service: npt.NDArray[np.float64]
    links: npt.NDArray[np.int32]
    link_class: npt.NDArray[np.int8]
    link_service: npt.NDArray[np.float64]
    links_ptr: npt.NDArray[np.int64]
    link_index: npt.NDArray[np.int32]
    energy_noc: npt.NDArray[np.float64]
    energy_links: npt.NDArray[np.float64]
    word_groups: npt.NDArray[np.int32]
    words: npt.NDArray[np.int64]
    barrier: float


def packet_costs(mapped: Mapping, image: Image, level: str = "high") -> PacketCosts:
    """Work out the static costs of every key group and part; PEs close steps at the low or (else) the high level."""
    from .kernels import hop_times, part_latency

    machine, keys, routes = mapped.machine, mapped.routing.keys, mapped.routing.routes
    c = machine.constants
    clock = c.si(f"level.{'low' if level == 'low' else 'high'}.clock")
    waits = np.ceil(mapped.dram.wait * clock).astype(np.int64)
    schedule = update_schedule(mapped.lowered, mapped.layout, mapped.part, mapped.parts, c, waits)
    ptr, link, parent = link_steps(routes, machine, np.arange(keys.n_groups, dtype=np.int64))
    words = _words(mapped)
    graded = words.any() or any(p.graded for p in mapped.lowered.populations)
    speed = timing(machine, PAYLOAD_BITS if graded else 0)
    times = hop_times(link, parent, ptr, speed.latency * 1e9)
    latency = part_latency(ptr, link, times, keys.ptr, keys.parts, entrances(mapped))
    passed = np.bincount(link, minlength=machine.links) > 0
    used, index = np.flatnonzero(passed), (np.cumsum(passed) - 1)[link]
    kind = machine.link_class[used]
    receive, again, service = _receive_cycles(mapped, image)
    bits = _packet_bits(mapped, words)
    noc_bit, link_bit = energy_per_bit(machine, ptr, link)
    return PacketCosts(
        before=schedule.before,
        update=schedule.update,
        record=schedule.record,
        dma=schedule.dma,
        receive=receive,
        again=again,
        latency=latency,
        service=service,
        links=used.astype(np.int32),
        link_class=np.select([(kind == BOARD) | (kind == LONG), kind == ROUTER], [1, 2], 0).astype(np.int8),
        link_service=speed.service[used],
        links_ptr=ptr,
        link_index=index.astype(np.int32),
        energy_noc=bits * noc_bit,
        energy_links=link_bits(machine, bits) * link_bit,
        word_groups=np.flatnonzero(words).astype(np.int32),
        words=words[words > 0],
        barrier=_barrier(mapped, "low" if level == "low" else "high"),
    )


def energy_per_bit(
    machine: Machine, ptr: npt.NDArray[np.int64], link: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Joules for one bit on its way along a tree: in NoC and routers, and on chip links; float64 (trees,) each.

    Parameters
    ----------
    ptr : int64 (trees + 1,), link : int32
        Link ids of the hops of each tree, as :func:`~neuromorph.mapping.route.link_steps` lists them.
    """
    c, trees = machine.constants, len(ptr) - 1
    tree = np.repeat(np.arange(trees), np.diff(ptr))
    hops = {k: np.bincount(tree[machine.link_class[link] == k], minlength=trees) for k in range(len(LINK_CLASSES))}
    noc = (hops[NOC] + hops[FROM_TILE] + hops[TO_TILE]) * c.si("energy.noc_bit_hop")
    noc += hops[ROUTER] * c.si("energy.router_bit")
    links = hops[BOARD] * c.si("energy.board_link_bit") + hops[LONG] * c.si("energy.long_link_bit")
    return np.asarray(noc, np.float64), np.asarray(links, np.float64)


def link_bits(machine: Machine, bits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bits that a chip link sends for a packet of so many bits: whole blocks, with what checks them."""
    c = machine.constants
    block = c.count("link.board_packet")
    return np.asarray(np.ceil((bits + c.count("link.overhead")) / block) * block, np.float64)


def entrances(mapped: Mapping) -> npt.NDArray[np.int64]:
    """Link into the tile of each part."""
    from ..machine import EJECT, LINKS_PER_CELL

    machine = mapped.machine
    chip, pe = np.divmod(mapped.placement, machine.pes_per_chip)
    cell = machine.tile_cell[pe // machine.pes_per_tile].astype(np.int64)
    return np.asarray(chip * machine.links_per_chip + cell * LINKS_PER_CELL + EJECT, np.int64)


def _words(mapped: Mapping) -> npt.NDArray[np.int64]:
    """Values that the neurons of each group send in every step to synapses that look at them, int64 (groups,)."""
    lowered, keys = mapped.lowered, mapped.routing.keys
    each = np.repeat(view_words(lowered), np.diff(offsets(lowered)))
    sends = keys.group >= 0
    found: Any = np.bincount(keys.group[sends], weights=each[sends], minlength=keys.n_groups)
    return np.asarray(found, np.int64)


def _packet_bits(mapped: Mapping, words: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Bits of a packet of each group: header and key, and a payload if any of them carries a value."""
    lowered, keys = mapped.lowered, mapped.routing.keys
    graded = np.repeat([p.graded for p in lowered.populations], np.diff(offsets(lowered)))
    payload: npt.NDArray[np.bool_] = words > 0
    sends = keys.group >= 0
    np.logical_or.at(payload, keys.group[sends], graded[sends])
    return np.asarray(mapped.machine.constants.count("packet.header") + PAYLOAD_BITS * payload, np.float64)


def _barrier(mapped: Mapping, level: str) -> float:
    """A PE tells a master that it is done, and the master tells all: twice the longest way through an idle machine."""
    machine = mapped.machine
    c = machine.constants
    chips = np.unique(mapped.placement // machine.pes_per_chip)
    apart = int(machine.chip_distance[np.ix_(chips, chips)].max())
    tiles = np.unique(mapped.placement % machine.pes_per_chip // machine.pes_per_tile)
    hops = int(machine.router_distance[tiles].max()) * 2 + 2
    hop = c.si("noc.cycles_per_hop") / c.si("noc.clock")
    slowest = c.si("link.long_latency") if machine.boards > 1 else c.si("link.board_latency")
    router = (apart + 1) * c.si("router.pipeline") / c.si("router.clock")
    software = (c.si("cycles.packet_send") + c.si("cycles.packet_receive")) / c.si(f"level.{level}.clock")
    return 2e9 * (hops * hop + apart * slowest + router + software)


def _receive_cycles(
    mapped: Mapping, image: Image
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Cycles to receive a packet of each (group, part), those of the search for its row among the rows of its PE, and
    mean cycles of a packet with its synapses by part.

    The directory is searched by halves. Then an indexed table is searched by halves; packed rows are passed one by
    one, half of them on average.
    """
    c, keys, parts = mapped.machine.constants, mapped.routing.keys, mapped.parts
    level, load, field = c.count("cycles.lookup_level"), c.count("cycles.load"), c.count("cycles.bit_field")
    size = np.diff(keys.ptr)
    source = np.repeat(keys.source, size).astype(np.int64)
    pair = source * parts + keys.parts
    pairs, number = np.unique(pair, return_inverse=True)
    directory = np.bincount(pairs % parts, minlength=parts)
    rows = _rows_by_pair(mapped, pairs)
    row_count = np.bincount(mapped.fanout.parts, minlength=parts)
    passing, work = np.zeros(parts), np.zeros(parts)
    changing = {plastic.index: plastic for plastic in mapped.lowered.plastic}
    for rows_p, synapses in zip(image.rows, mapped.lowered.projections, strict=True):
        if isinstance(synapses, Footprint) and synapses.seen:
            continue
        held = np.diff(rows_p.image_begin)
        passing += held * (load + field * mapped.layout.sources[synapses.pre].bit_rows)
        work += held * synapse_cycles(synapses, mapped.layout, c)
        if synapses.index in changing:
            visit, event = source_cycles(changing[synapses.index], c)
            work += held * visit + np.bincount(rows_p.part, minlength=parts) * event
    per_row = passing / np.maximum(row_count, 1)
    first = offsets(mapped.lowered)
    member = np.full(keys.n_groups, 0, np.int64)
    sends = np.flatnonzero(keys.group >= 0)
    member[keys.group[sends[::-1]]] = sends[::-1]
    population = np.searchsorted(first, member, "right") - 1
    packed = np.array([s.mode == "packed" for s in mapped.layout.sources])[population]
    in_block = rows[number]
    search = level * np.ceil(np.log2(np.maximum(in_block, 1)))
    scan = 0.5 * in_block * (level + per_row[keys.parts])
    find = level * np.ceil(np.log2(np.maximum(directory, 1)))[keys.parts]
    again = np.where(np.repeat(packed, size), scan, search)
    receive = np.ceil(c.count("cycles.packet_receive") + find + again).astype(np.int64)
    weight = np.bincount(keys.group[sends], minlength=keys.n_groups)[np.repeat(np.arange(keys.n_groups), size)]
    packets = np.bincount(keys.parts, weights=weight, minlength=parts)
    cycles: Any = np.bincount(keys.parts, weights=weight * receive, minlength=parts)
    service = (cycles + work) / np.maximum(packets, 1)
    return receive, np.ceil(again).astype(np.int64), service


def _rows_by_pair(mapped: Mapping, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Rows that a part holds of the neurons of another, for each (sender * parts + receiver) of ``pairs``."""
    parts = mapped.parts
    owner = np.repeat(mapped.part.astype(np.int64), np.diff(mapped.fanout.ptr))
    owner *= parts
    owner += mapped.fanout.parts
    if parts * parts <= max(1 << 26, len(owner)):
        return np.bincount(owner, minlength=parts * parts)[pairs].astype(np.float64)
    return np.bincount(np.searchsorted(pairs, owner), minlength=len(pairs)).astype(np.float64)
