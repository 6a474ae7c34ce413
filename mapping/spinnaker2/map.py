"""From a lowered network to PEs: partition, placement, keys, routes, tables, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.progress import Progress, Silent

from ..hypergraph import Hypergraph, Limits
from ..machine import Machine, spinnaker2, valid_chips
from ..partition import balanced, copies_per_spike, part_bytes
from ..partition import partition as run_partition
from ..place import place as run_place
from ..place import traffic
from ..route import Fanout, RouteCheck, Routing, check_routes, fanout, route_network
from .costs import neuron_work
from .decoder import Decoder
from .decoder_costs import DecoderLayout, decoder_layout, decoder_room, stored_bytes
from .dram import Dram, dram_layout, require_room
from .formats import entry_bytes_for, key_bits, plan
from .given import given_partition, given_placement
from .layout import Layout, offsets, with_directory, with_neurons
from .memory import Rates, hypergraph, neuron_rates, region_bytes
from .options import LayoutOptions
from .plastic.costs import target_work
from .plastic.footprints import with_footprints

Partitioner = str | npt.NDArray[np.int32] | Callable[[Hypergraph, Limits, int], npt.NDArray[np.int32]]
"""A method of :func:`neuromorph.mapping.partition.partition`, the part of every neuron, or an algorithm."""
Placer = str | npt.NDArray[np.int32]
"""A method of :func:`neuromorph.mapping.place.place`, or the global PE index of every part."""

_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class Mapping:
    """A network on a machine.

    Attributes
    ----------
    lowered : LoweredNetwork
    machine : Machine
    layout : Layout
    part : int32 (n,)
        Part of every neuron, populations one after another.
    parts : int
        PEs in use.
    placement : int32 (parts,)
        Global PE index of each part.
    fanout : Fanout
        Parts that each neuron must reach.
    routing : Routing
        Keys, multicast trees and tables.
    check : RouteCheck
        What the independent checker found.
    regions : int64 (parts, regions)
        Bytes of each part by region, in the order of :data:`.layout.REGIONS`.
    copies_per_spike : float
        Mean number of other PEs that an event must reach.
    dram : Dram
        Tables in the chips' DRAM.
    decoder : DecoderLayout or None
        Which PEs decode.
    method : str
        Partition method.
    tried : tuple of (method, copies per spike, parts)
    seconds : dict of str to float
        Time of each stage.
    """

    lowered: LoweredNetwork
    machine: Machine
    layout: Layout
    part: npt.NDArray[np.int32]
    parts: int
    placement: npt.NDArray[np.int32]
    fanout: Fanout
    routing: Routing
    check: RouteCheck
    regions: npt.NDArray[np.int64]
    copies_per_spike: float
    dram: Dram
    decoder: DecoderLayout | None
    method: str
    tried: tuple[tuple[str, float, int], ...]
    seconds: dict[str, float]

    @cached_property
    def bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each part, int64 (parts,)."""
        return np.asarray(self.regions.sum(1), np.int64)

    @cached_property
    def chip(self) -> npt.NDArray[np.int32]:
        """Chip of each part, int32 (parts,)."""
        return np.asarray(self.placement // self.machine.pes_per_chip, np.int32)

    @cached_property
    def held(self) -> npt.NDArray[np.int64]:
        """Neurons of each population on each part, int64 (populations, parts)."""
        first = offsets(self.lowered)
        return np.array(
            [np.bincount(self.part[a:b], minlength=self.parts) for a, b in pairwise(first)],
            np.int64,
        ).reshape(len(self.lowered.populations), self.parts)

    @property
    def chips(self) -> int:
        """Chips that hold neurons."""
        return len(np.unique(self.chip))

    def pe_name(self, part: int) -> str:
        """Where a part is, in words."""
        machine = self.machine
        chip, pe = divmod(int(self.placement[part]), machine.pes_per_chip)
        x, y = (int(v) for v in machine.chip_xy[chip])
        return f"PE {pe} of chip {chip} ({x}, {y})"


def map_network(
    lowered: LoweredNetwork,
    *,
    chips: int | None = None,
    seed: int = 0,
    partition: Partitioner = "portfolio",
    place: Placer = "portfolio",
    options: LayoutOptions | None = None,
    rates: Rates | None = None,
    positions: list[npt.NDArray[np.float64] | None] | None = None,
    constants: dict[str, float] | None = None,
    decoder: Decoder | None = None,
    pes: int | None = None,
    progress: Progress | None = None,
) -> Mapping:
    """Put a network on SpiNNaker2.

    Parameters
    ----------
    lowered : LoweredNetwork
    chips : int, optional
        Chips of the machine; default: as many as the network needs.
    seed : int
        The same seed gives the same mapping.
    partition, place
        Methods, or the result itself.
    options : LayoutOptions, optional
    rates : mapping of population name to events a step, optional
        What the traffic is weighted with; default: every neuron alike.
    positions : arrays (size, up to 3) or None, by population, optional
    constants : dict, optional
        Other machine constants, dots as double underscores.
    decoder : Decoder, optional
    pes : int, optional
        PEs that the neurons are spread over; default: as few as hold them.
    progress : Progress, optional

    Raises
    ------
    MappingError
        If the network does not fit: names population, PE, bytes by region, and what would make it fit.
    """
    from .advice import does_not_fit, single_bytes, table_overflow, too_many_parts

    progress = progress or Silent()
    options = options or LayoutOptions()
    lowered = with_footprints(lowered)
    if pes is not None and options.rows == "auto":  # room to spare goes into rows that are found faster
        try:
            return map_network(
                lowered, chips=chips, seed=seed, partition=partition, place=place, pes=pes, rates=rates,
                options=replace(options, rows="indexed"), positions=positions, constants=constants, decoder=decoder,
                progress=progress,
            )  # fmt: skip
        except MappingError:
            progress.note("indexed rows do not fit so few PEs")
    seconds: dict[str, float] = {}
    watch = _Watch(progress, seconds)
    machine = _machine(chips, constants)
    fewest = require_room(lowered, stored_bytes(decoder) if decoder is not None else 0, machine, chips)
    machine = machine if fewest <= machine.chips else _machine(valid_chips(fewest), constants)
    for _ in range(_ROUNDS):
        watch("layout")
        if decoder is not None and decoder.pes == "all":
            options = replace(options, decoder=decoder_room(decoder, len(machine.usable_pes)))
        layout = plan(lowered, machine, options)
        watch("hypergraph")
        graph = hypergraph(lowered, layout, rates, positions)
        watch("partition")
        try:
            if pes is None:
                part, method, tried = _partition(partition, graph, lowered, layout, seed, progress)
            else:
                part, method, tried = _spread(pes, graph, lowered, layout, machine, rates)
        except MappingError:
            if graph.n_vertices and int(single_bytes(graph).max()) > layout.limits.bytes:
                raise does_not_fit(lowered, layout, graph, machine, chips) from None
            raise
        part = with_neurons(lowered, part)
        parts = int(part.max()) + 1 if len(part) else 0
        if chips is None:
            machine = _machine(valid_chips(max(fewest, -(-parts // int(machine.usable.sum())))), constants)
        elif parts > len(machine.usable_pes):
            raise too_many_parts(lowered, layout, graph, machine, part, parts)
        fan = fanout(graph, part)
        early = _directory(options, _heard(fan.part, np.diff(fan.ptr), fan.parts, parts))
        if early > options.directory:
            if part_bytes(graph, part, parts).max() > with_directory(layout, early).limits.bytes:
                options = replace(options, directory=early)
                continue
            layout, options = with_directory(layout, early), replace(options, directory=early)
        watch("placement")
        placement = _place(place, fan, machine, seed, parts)
        watch("keys, routes, tables")
        try:
            routing = route_network(fan, placement, machine)
        except MappingError as error:
            raise table_overflow(lowered, layout, machine, error, parts) from None
        grown = _grown(options, lowered, layout, part, routing, parts)
        if grown is not None and grown.key_bits == options.key_bits:
            roomier = with_directory(layout, grown.directory, grown.directory_entry)
            if part_bytes(graph, part, parts).max() <= roomier.limits.bytes:
                layout, grown = roomier, None
        if grown is None:
            break
        options = grown
    else:
        raise MappingError(
            f"{lowered.name}: the look-up directory still grew after {_ROUNDS} mappings "
            f"({options.directory} entries); give LayoutOptions(directory=...) a higher start",
            directory=options.directory,
        )
    watch("check")
    sources = np.repeat(np.arange(fan.n, dtype=np.int32), np.diff(fan.ptr))
    regions = region_bytes(lowered, layout, part, parts, fan.parts, sources)
    used = regions.sum(1)
    if parts and used.max() > layout.sram:
        raise MappingError(
            f"{lowered.name}: partition {method!r} puts {int(used.max())} bytes on one PE of {layout.sram}",
            bytes=int(used.max()),
            limit=layout.sram,
        )
    check = check_routes(fan, routing.keys.key, routing.tables, placement, machine)
    placed = None if decoder is None else decoder_layout(decoder, lowered, machine, placement, layout)
    nothing = np.zeros(0, np.int32)
    dram = dram_layout(
        lowered, part, placement, machine, nothing if placed is None else placed.pes,
        nothing.astype(np.int64) if placed is None else placed.table_bytes,
    )  # fmt: skip
    watch(None)
    return Mapping(
        lowered, machine, layout, part, parts, placement, fan, routing, check, regions,
        copies_per_spike(graph, part), dram, placed, method, tried, seconds,
    )  # fmt: skip


def _machine(chips: int | None, constants: dict[str, float] | None) -> Machine:
    given: dict[str, Any] = dict(constants or {})  # no name of a constant is that of another argument
    return spinnaker2(chips, **given)


class _Watch:
    """Times stages and shows them."""

    def __init__(self, progress: Progress, seconds: dict[str, float]) -> None:
        self._progress, self._seconds = progress, seconds
        self._stage: str | None = None
        self._began = 0.0

    def __call__(self, stage: str | None) -> None:
        now = perf_counter()
        if self._stage is not None:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._began
        self._stage, self._began = stage, now
        if stage is not None:
            self._progress.stage(f"mapping: {stage}")


def _partition(
    method: Partitioner, graph: Hypergraph, lowered: LoweredNetwork, layout: Layout, seed: int, progress: Progress
) -> tuple[npt.NDArray[np.int32], str, tuple[tuple[str, float, int], ...]]:
    if isinstance(method, str):
        found = run_partition(graph, layout.limits, method=method, seed=seed, progress=progress.note)
        return found.part, found.method, found.tried
    part = np.asarray(method(graph, layout.limits, seed) if callable(method) else method)
    return given_partition(part, lowered, layout), "given", ()


def _spread(
    pes: int, graph: Hypergraph, lowered: LoweredNetwork, layout: Layout, machine: Machine, rates: Rates | None
) -> tuple[npt.NDArray[np.int32], str, tuple[tuple[str, float, int], ...]]:
    """So many parts of about equal work, predicted from the rates."""
    work = neuron_work(lowered, layout, machine.constants, rates)
    work += target_work(lowered, machine.constants, neuron_rates(lowered, rates))
    try:
        return balanced(graph, layout.limits, pes, work), "balanced", ()
    except MappingError as error:
        raise MappingError(f"{lowered.name}: pes={pes}: {error}", **error.__dict__) from None


def _place(method: Placer, fan: Fanout, machine: Machine, seed: int, parts: int) -> npt.NDArray[np.int32]:
    if isinstance(method, str):
        return run_place(traffic(fan), machine, seed=seed, method=method)
    return given_placement(np.asarray(method), parts, machine)


def _heard(
    source: npt.NDArray[np.int32], copies: npt.NDArray[np.int64], receiver: npt.NDArray[np.int32], parts: int
) -> int:
    """Most parts that one part hears from: sender ``source[i]`` has the next ``copies[i]`` receivers."""
    if not len(receiver):
        return 0
    pairs = np.repeat(source.astype(np.int64), copies) * parts + receiver
    if parts * parts <= max(1 << 26, len(pairs)):
        met = np.zeros(parts * parts, bool)
        met[pairs] = True
        return int(met.reshape(parts, parts).sum(0).max())
    return int(np.bincount(np.unique(pairs) % parts).max())


def _directory(options: LayoutOptions, heard: int) -> int:
    """Entries to make room for; some more than needed, since the next partition will differ."""
    return options.directory if heard <= options.directory else -(-heard * 17 // 16 // 8) * 8


def _grown(
    options: LayoutOptions,
    lowered: LoweredNetwork,
    layout: Layout,
    part: npt.NDArray[np.int32],
    routing: Routing,
    parts: int,
) -> LayoutOptions | None:
    """Options with more room for the directory or wider keys if this mapping needs them; None if it does not."""
    keys = routing.keys
    heard = _heard(keys.source, np.diff(keys.ptr), keys.parts, parts)
    bits = np.maximum(1, np.ceil(np.log2((~keys.part_mask).astype(np.float64) + 1.0))).astype(np.int64)
    needed = [int(bits[part[a:b]].max()) for a, b in pairwise(offsets(lowered))]
    room = options.key_bits or (key_bits(layout.neurons_per_pe),) * len(needed)
    short = any(
        entry_bytes_for(source.mode, n, source.bit_rows) > entry_bytes_for(source.mode, r, source.bit_rows)
        for source, n, r in zip(layout.sources, needed, room, strict=True)
    )
    # A 4-byte directory entry tells parts apart by few bits of their keys, the bits within the smallest part left out.
    spread = int((keys.part_base.astype(np.int64) + (~keys.part_mask).astype(np.int64)).max(initial=0))
    wide = (
        options.directory_entry < 8
        and spread >> int(np.log2((~keys.part_mask).min(initial=2**32 - 1) + 1.0)) >= 2**layout.directory_key_bits
    )
    if heard <= options.directory and not short and not wide:
        return None
    wider = tuple(max(n, r) for n, r in zip(needed, room, strict=True)) if short else options.key_bits
    entry = 8 if wide else options.directory_entry
    return replace(options, directory=_directory(options, heard), key_bits=wider, directory_entry=entry)
