"""Errors of networks that do not fit, with changes that would make them fit and the computed effect of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.quantise import quantise, spark
from neuromorph.network.synapses import Synapses

from ..hypergraph import Hypergraph
from ..machine import Machine, valid_chips
from .formats import plan
from .layout import REGIONS, Layout, offsets, ring_slots
from .memory import hypergraph, region_bytes
from .options import LayoutOptions


@dataclass(frozen=True)
class Change:
    """One change and what the layout says about it.

    Attributes
    ----------
    what : str
        For people.
    lowered, options
        The network and options after the change.
    bytes : int or None
        Bytes of the largest PE (or neuron) after it.
    parts : int or None
        PEs that the network then needs, if every neuron fits.
    fits : bool
        Whether it is enough by itself.
    chips : int or None
        Chips that hold those PEs.
    """

    what: str
    lowered: LoweredNetwork
    options: LayoutOptions
    bytes: int | None
    parts: int | None
    fits: bool
    chips: int | None


def single_bytes(graph: Hypergraph) -> npt.NDArray[np.int64]:
    """Bytes, in units of the layout's grain, that each neuron needs on a PE of its own, int64 (n,)."""
    n = graph.n_vertices
    rows = np.bincount(graph.net_pins, weights=np.repeat(graph.net_bytes, np.diff(graph.net_ptr)), minlength=n).astype(
        np.int64
    )
    owner = np.repeat(np.arange(n), np.diff(graph.group_ptr))
    groups = np.bincount(owner, weights=graph.group_bytes[graph.vertex_groups], minlength=n).astype(np.int64)
    return np.asarray(graph.vertex_bytes + rows + groups, np.int64)


def _changes(lowered: LoweredNetwork, layout: Layout) -> list[tuple[str, LoweredNetwork, LayoutOptions]]:
    options = layout.options
    found: list[tuple[str, LoweredNetwork, LayoutOptions]] = []
    floats = [s.weights.dtype.kind == "f" and s.weights.ndim > 0 for s in lowered.projections]
    if any(floats) and not lowered.plastic:  # whose weights stay as they are
        found.append(('narrower weights: weights="int16"', _with(lowered, _int16), options))
        found.append(('narrower weights: weights="int8"', _with(lowered, _int8), options))
        found.append(('narrower weights: weights="spark"', _with(lowered, _spark), options))
    longest = max((max(ports, default=0) for ports in ring_slots(lowered)), default=0) - 1
    if longest > 1:
        half = max(1, longest // 2)
        found.append((f"shorter delays: at most {half} steps instead of {longest}", _shorter(lowered, half), options))
    if options.record and any(p.record_events or p.record_states for p in lowered.populations):
        found.append(("record nothing: record=False", lowered, replace(options, record=False)))
    if options.flush > 1 and options.record:
        found.append(("smaller recording buffer: flush=1", lowered, replace(options, flush=1)))
    if options.fifo > 64:
        found.append(("smaller event FIFO: fifo=64", lowered, replace(options, fifo=64)))
    if options.rows != "packed":
        found.append(('sparser look-up: rows="packed"', lowered, replace(options, rows="packed")))
    if options.neurons_per_pe is not None:
        found.append(("neurons_per_pe=None", lowered, replace(options, neurons_per_pe=None)))
    return found


def _int16(synapses: Synapses) -> Synapses:
    return quantise(synapses, 16) if synapses.weights.dtype.kind == "f" else synapses


def _int8(synapses: Synapses) -> Synapses:
    return quantise(synapses, 8) if synapses.weights.dtype.kind == "f" else synapses


def _spark(synapses: Synapses) -> Synapses:
    return spark(synapses) if synapses.weights.dtype.kind == "f" else synapses


def _with(lowered: LoweredNetwork, change: Callable[[Synapses], Synapses]) -> LoweredNetwork:
    return replace(lowered, projections=tuple(change(s) for s in lowered.projections))


def _shorter(lowered: LoweredNetwork, longest: int) -> LoweredNetwork:
    def clip(s: Synapses) -> Synapses:
        return replace(s, delays=np.minimum(s.delays, longest).astype(s.delays.dtype))

    return replace(_with(lowered, clip), max_delay=min(lowered.max_delay, longest))


def changes_that_help(
    lowered: LoweredNetwork,
    layout: Layout,
    machine: Machine,
    room: int | None,
    known: npt.NDArray[np.int32] | None = None,
) -> tuple[Change, ...]:
    """Try each change by laying the network out again, and all of them together.

    Parameters
    ----------
    room : int or None
        PEs that there are; None: as many as needed.
    known : int32 (n,), optional
        A partition of the network as it is: where it still holds after a change, the change needs no more PEs.
    """
    trials = _changes(lowered, layout)
    together, options = lowered, layout.options
    for what, changed, chosen in trials:
        if what.startswith("narrower"):
            together = _with(together, _int8)
        if what.startswith("shorter"):
            together = _shorter(together, changed.max_delay)
        if what.startswith("sparser"):
            options = replace(options, rows="packed")
        options = replace(options, record=options.record and chosen.record, fifo=min(options.fifo, chosen.fifo))
    results = [_judge(what, changed, chosen, machine, room, known) for what, changed, chosen in trials]
    if len(trials) > 1 and not any(r.fits for r in results):
        narrow = " (int8 weights)" if any(what.startswith("narrower") for what, _, _ in trials) else ""
        results.append(_judge(f"all of these together{narrow}", together, options, machine, room, known))
    return tuple(results)


def _judge(
    what: str,
    lowered: LoweredNetwork,
    options: LayoutOptions,
    machine: Machine,
    room: int | None,
    known: npt.NDArray[np.int32] | None,
) -> Change:
    from ..partition import part_bytes, partition

    layout = plan(lowered, machine, options)
    graph = hypergraph(lowered, layout)
    limits = layout.limits
    largest = layout.whole_bytes(int(single_bytes(graph).max())) + layout.fixed_bytes
    if limits.bytes <= 0 or largest > layout.sram:
        return Change(what, lowered, options, largest, None, False, None)
    found = partition(graph, limits, method="sequential")
    size = found.bytes
    if known is not None and known.max() + 1 < found.parts and np.bincount(known).max() <= limits.vertices:
        before = part_bytes(graph, known, int(known.max()) + 1)
        size = before if before.max() <= limits.bytes else size
    chips = valid_chips(-(-len(size) // int(machine.usable.sum())))
    fits = room is None or len(size) <= room
    fullest = layout.whole_bytes(int(size.max())) + layout.fixed_bytes
    return Change(what, lowered, options, fullest, len(size), fits, chips)


def does_not_fit(
    lowered: LoweredNetwork, layout: Layout, graph: Hypergraph, machine: Machine, chips: int | None
) -> MappingError:
    """The error for a neuron that is too large for a PE of its own, whatever the number of chips."""
    alone = single_bytes(graph)
    worst = int(alone.argmax())
    first = offsets(lowered)
    k = int(np.searchsorted(first, worst, "right")) - 1
    population = lowered.populations[k]
    # The neuron alone on part 0, everything else on part 1: the table's first row is its PE.
    part = np.ones(graph.n_vertices, np.int32)
    part[worst] = 0
    sources = np.repeat(np.arange(graph.n_nets), np.diff(graph.net_ptr))[graph.net_pins == worst]
    row = region_bytes(lowered, layout, part, 2, np.zeros(len(sources), np.int32), graph.net_source[sources])[0]
    need = layout.whole_bytes(int(alone[worst])) + layout.fixed_bytes
    changes = changes_that_help(lowered, layout, machine, None if chips is None else len(machine.usable_pes))
    message = (
        f"population {population.name}: neuron {worst - int(first[k])} alone needs {need:,} bytes of a PE's "
        f"{layout.sram:,}: {_regions(row)}"
    )
    more = []
    heard = len(np.unique(graph.net_source[sources]))
    per_source = sum(int(row[REGIONS.index(name)]) for name in ("synapses", "rows"))
    room = heard * (layout.sram - need + per_source) // max(per_source, 1)
    if 0 < room < heard:
        more.append(f"fewer synapses: from {room:,} of its {heard:,} sources")
    return _error(message, changes, layout, row, *more, population=population.name, bytes=need, limit=layout.sram)


def too_many_parts(
    lowered: LoweredNetwork, layout: Layout, graph: Hypergraph, machine: Machine,
    part: npt.NDArray[np.int32], parts: int,
) -> MappingError:  # fmt: skip
    """The error for a network that needs more PEs than the machine has."""
    from ..partition import part_bytes

    per_chip = int(machine.usable.sum())
    needed = valid_chips(-(-parts // per_chip))
    size = part_bytes(graph, part, parts)
    worst = int(size.argmax())
    layer = np.bincount(graph.layer[part == worst], minlength=len(lowered.populations))
    population = lowered.populations[int(layer.argmax())]
    inside = np.flatnonzero(part == worst)
    member = np.zeros(graph.n_vertices, bool)
    member[inside] = True
    hit = member[graph.net_pins]
    sources = np.unique(np.repeat(graph.net_source, np.diff(graph.net_ptr))[hit])
    two = np.where(member, 0, 1).astype(np.int32)
    row = region_bytes(lowered, layout, two, 2, np.zeros(len(sources), np.int32), sources)[0]
    changes = changes_that_help(lowered, layout, machine, len(machine.usable_pes), part)
    message = (
        f"{lowered.name} needs {parts:,} PEs, but {machine.chips} chip{'s have' if machine.chips > 1 else ' has'} "
        f"{len(machine.usable_pes):,}. The fullest PE (part {worst}: {len(inside)} neurons, most of population "
        f"{population.name}) holds {int(row.sum()):,} of {layout.sram:,} bytes: {_regions(row)}"
    )
    more = f"more chips: chips={needed} has {needed * per_chip:,} PEs"
    return _error(
        message, changes, layout, row, more,
        population=population.name, pe=worst, parts=parts, pes=len(machine.usable_pes), chips=needed,
    )  # fmt: skip


def table_overflow(
    lowered: LoweredNetwork, layout: Layout, machine: Machine, error: MappingError, parts: int
) -> MappingError:
    """The error for a table or a key space that is too small even with one block of keys for each PE.

    Tables then need at most one entry for each PE in use, so changes that need fewer PEs help.
    """
    limit = getattr(error, "limit", None)
    if limit is None:
        return error
    trials = [c for c in changes_that_help(lowered, layout, machine, limit) if c.parts is not None and c.parts < parts]
    lines = [
        f"{c.what}: {c.parts:,} PEs instead of {parts:,}, so at most {c.parts:,} entries a chip: "
        f"{'fits' if c.fits else 'may still be too many'}"
        for c in sorted(trials, key=lambda c: c.parts or 0)
    ] or ["nothing in the layout needs fewer PEs: split the network, or raise neurons_per_pe if it is set"]
    text = "\n".join(f"  - {line}" for line in lines)
    return MappingError(
        f"{lowered.name} on {parts:,} PEs: {error}\nWhat would change that:\n{text}",
        **{**error.__dict__, "changes": tuple(trials), "parts": parts},
    )


def _regions(row: npt.NDArray[np.int64]) -> str:
    pairs = sorted(zip(REGIONS, row.tolist(), strict=True), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {size:,}" for name, size in pairs if size)


def _error(
    message: str,
    changes: tuple[Change, ...],
    layout: Layout,
    row: npt.NDArray[np.int64],
    *first: str,
    chips: int | None = None,
    **numbers: object,
) -> MappingError:
    """An error with one line for each change; ``chips`` would do without any."""
    lines = [f"{text}: fits" for text in first]
    now = int(row.sum())
    for change in sorted(changes, key=lambda c: (not c.fits, c.parts if c.parts is not None else 1 << 40)):
        if change.parts is None and change.bytes == now:
            continue
        if change.parts is None:
            effect = f"still {change.bytes:,} bytes for one neuron"
        else:
            fewer = change.chips is not None and (chips is None or change.chips < chips)
            verdict = "fits" if change.fits else f"fits chips={change.chips}" if fewer else "not enough"
            effect = f"{change.parts:,} PEs, the fullest with {change.bytes:,} bytes: {verdict}"
        lines.append(f"{change.what}: {effect}")
    text = "\n".join(f"  - {line}" for line in lines)
    regions = {name: int(size) for name, size in zip(REGIONS, row, strict=True)}
    return MappingError(
        f"{message}\nWhat would change that:\n{text}", regions=regions, changes=changes, chips=chips, **numbers
    )
