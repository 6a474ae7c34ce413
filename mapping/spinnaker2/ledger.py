"""Everything that is counted during a run: arrays that compiled kernels fill, and the work items that do it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuromorph.engine.memory import Memory, address
from neuromorph.native import Kernel, compile_kernel

if TYPE_CHECKING:
    from .map import Mapping as Mapped
    from .network_costs import PacketCosts
    from .plastic.costs import PlasticWork

Array = npt.NDArray[Any]

PHASES = ("update", "send", "receive", "input", "recurrent", "record", "dma", "plasticity")
"""What a PE does in a step: the rows of every table of cycles. Synapses are applied in ``input``, those of a loop of
populations in ``recurrent``; ``dma`` sets transfers up and waits for rows of tables; ``plasticity`` is what states of
synapses take."""

SERIES = (
    "time",
    "busiest_part",
    "busiest_cycles",
    "packets",
    "copies",
    "dropped",
    "synaptic_events",
    "max_link_load",
    "chip_link_packets",
    "max_router_load",
    "late_parts",
    "step",
    "crowded_parts",
    "network",
    "receive_cycles",
    "recurrent_events",
    "core",
    "busy",
    "packet_energy",
    "plastic_cycles",
    "input_cycles",
    "recurrent_cycles",
    "last_part",
    *(f"last_{name}" for name in PHASES),
    "last_wait",
    "last_network",
)
"""What is known of every step, times in ns: packets are sent by sources, copies arrive at PEs; a crowded part got more
packets than its FIFO holds; ``network`` is the time that the busiest link needs for its packets; ``core`` joules of
busy PEs, ``busy`` their time together, ``packet_energy`` joules of NoC and links. The PE that is done last spends
``last_<phase>`` on each phase and waits ``last_wait`` for packets; ``last_network`` is what the busiest link takes
beyond that."""
LAYERS = ("events", "packets", "input_events", "recurrent_events")
"""What is known of every step and population: synaptic events are those onto its neurons."""

BINS, WORST = 64, 8
"""Time resolution of load maps, and how many of the longest steps are kept in detail."""
MAX_DROPS = 1 << 22
"""Packets that one step can drop; the rest of such a step is delivered."""
SERIES_ROWS = 8192
"""Steps whose numbers a ledger holds until they are taken from it."""
MAX_LATE = 15
"""Whole steps by which a packet of a late PE can be late."""
LATENESS = ("late", "lag")
"""What a step leaves to the next one: by how much each PE is late, in ns and in whole steps."""
LEVELS = ("low", "high")
DVFS: Mapping[str, int] = {"low": 0, "high": 1, "auto": 2}

NUMBERS = (
    "parts",
    "populations",
    "projections",
    "links",
    "fifo",
    "dropping",
    "ticked",
    "level",
    "send_cycles",
    "bins",
    "worst",
    "series_rows",
    "drop_rows",
    "worded",
    "counters",
)
"""Plain numbers among the arguments of the step kernels; all others are arrays."""

ARRAYS: Mapping[str, tuple[str, str]] = {
    "table": ("int64", "(populations, 5)"),  # fired, counts, stride, first vertex, mask of the rows
    "part": ("int32", "MANY"),
    "group": ("int32", "MANY"),
    "before": ("int64", "MANY"),  # cycles until the neuron is updated
    "g_ptr": ("int64", "MANY"),
    "g_parts": ("int32", "MANY"),
    "g_cost": ("int64", "MANY"),  # cycles to receive a packet and find its row
    "g_latency": ("float64", "MANY"),  # ns
    "g_source": ("int32", "MANY"),
    "g_links_ptr": ("int64", "MANY"),
    "g_links": ("int32", "MANY"),
    "link_class": ("int8", "MANY"),  # 1: chip link, 2: event router
    "link_ns": ("float64", "MANY"),  # time between two packets
    "g_energy": ("float64", "MANY"),  # joules of a packet
    "w_group": ("int32", "MANY"),  # groups that send values in every step, for synapses that look at neurons
    "w_words": ("int64", "MANY"),  # how many
    "plastic_cycles": ("int64", "MANY"),  # of plastic synapses, events or not
    "counter_cycles": ("int64", "MANY"),
    "counted": ("int64", "(counters, parts)"),  # events that act on plastic synapses, and synapses that they visit
    "post": ("int32", "MANY"),  # target of each projection
    "loop": ("int8", "MANY"),  # whether it is part of a loop of populations
    "joule": ("float64", "MANY"),  # of a cycle, by level
    "update_cycles": ("int64", "MANY"),
    "record_cycles": ("int64", "MANY"),
    "dma_cycles": ("int64", "MANY"),
    "service": ("float64", "MANY"),  # mean cycles of a packet and its synapses
    "ns": ("float64", "MANY"),  # of a cycle, by level
    "times": ("float64", "MANY"),  # tick, barrier, wake-up, ns
    "sent": ("int64", "MANY"),
    "packets": ("int64", "MANY"),
    "receive": ("int64", "MANY"),
    "chosen": ("int64", "MANY"),
    "done": ("float64", "MANY"),
    "arrival": ("float64", "MANY"),
    "work": ("int64", f"({len(PHASES)}, parts)"),
    "g_count": ("int64", "MANY"),
    "touched": ("int32", "MANY"),
    "link_load": ("int64", "MANY"),
    "synapses": ("int64", "(projections, parts)"),
    "synapse_cycles": ("int64", "MANY"),  # of each projection
    "cycles_seen": ("int64", "(2, parts)"),  # of input and recurrent synapses, before this step
    "projection_seen": ("int64", "MANY"),
    "lag": ("int64", "MANY"),
    "late": ("float64", "MANY"),
    "drops": ("int64", "drop_rows"),
    "special": ("int64", "MANY"),
    "cells": ("int64", "MANY"),
    "cycles": ("int64", f"(2, {len(PHASES)}, parts)"),
    "spikes": ("int64", "(populations, parts)"),
    "received": ("int64", "MANY"),
    "g_total": ("int64", "MANY"),
    "dropped": ("int64", "MANY"),
    "late_steps": ("int64", "MANY"),
    "crowded": ("int64", "MANY"),  # steps that brought more packets than the FIFO holds
    "clock": ("float64", "MANY"),
    "part_bins": ("int64", "(bins, parts)"),
    "link_bins": ("int64", "(bins, links)"),
    "series": ("float64", f"(series_rows, {len(SERIES)})"),
    "layers": ("int32", f"(series_rows, populations, {len(LAYERS)})"),
    "active_steps": ("int64", "MANY"),  # steps in which each population emitted anything
    "worst_step": ("int64", "MANY"),
    "worst_time": ("float64", "MANY"),
    "worst_work": ("int64", f"(worst, {len(PHASES)}, parts)"),
    "worst_links": ("int64", "(worst, links)"),
    "stop": ("int64", "MANY"),
}
"""Element type and shape of every array that the step kernels read or write."""

FIELDS = (*NUMBERS, *ARRAYS)


@cache
def step_kernel(name: str) -> Kernel:
    """``send_packets`` or ``settle`` as a kernel of (step, offset, item): opens the item and calls the function."""
    from . import step_kernels

    function = getattr(step_kernels, name)
    wanted = list(inspect.signature(function.py_func).parameters)
    shapes = [shape for argument in wanted[1:] for shape in ARRAYS.get(argument, ("", ""))[1:]]
    numbers = [n for n in NUMBERS if n in wanted or any(n in shape for shape in shapes)]
    lines = [
        f'"""Opens the ledger for :func:`{name}`."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.engine.lowlevel import pointer",
        "from neuromorph.native.arrays import carray",
        f"from neuromorph.mapping.spinnaker2.step_kernels import {name}",
        "",
        "MANY = 1 << 62",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {len(FIELDS)}, np.int64)",
        *(f"    {n} = item[{FIELDS.index(n)}]" for n in numbers),
    ]
    for argument in wanted[1:]:
        if argument in ARRAYS:
            dtype, shape = ARRAYS[argument]
            lines.append(f"    {argument} = carray(pointer(item[{FIELDS.index(argument)}]), {shape}, np.{dtype})")
    lines.append(f"    {name}({', '.join(wanted)})")
    return compile_kernel("\n".join(lines) + "\n", f"SpiNNaker2 {name}")


class Rows(NamedTuple):
    """Consecutive steps.

    Attributes
    ----------
    series : float64 (steps, columns)
        Columns :data:`SERIES`.
    layers : int32 (steps, populations, columns)
        Columns :data:`LAYERS`.
    """

    series: npt.NDArray[np.float64]
    layers: npt.NDArray[np.int32]


@dataclass
class Ledger:
    """The arrays of a run and the item that points at them.

    Attributes
    ----------
    arrays : dict of str to array
        By the names of :data:`ARRAYS`.
    item : int64 (fields,)
    """

    arrays: dict[str, Array]
    item: npt.NDArray[np.int64]

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def reset(self) -> None:
        """Forget everything counted, not what is late."""
        stops = self.arrays["cells"][5]
        for name in (
            "cycles", "spikes", "received", "g_total", "dropped", "late_steps", "crowded", "clock", "part_bins",
            "link_bins",
            "worst_step", "worst_time", "worst_work", "worst_links", "synapses", "cycles_seen", "counted",
            "projection_seen", "active_steps", "cells",
        ):  # fmt: skip
            self.arrays[name][...] = 0
        self.arrays["cells"][[2, 5]] = 1, stops

    def catch_up(self) -> None:
        """Forget what is late: a run that starts again finds all PEs idle."""
        for name in LATENESS:
            self.arrays[name][...] = 0

    def rows(self, at_least: int) -> None:
        """Make room in the series for that many steps and the two that a full buffer still takes."""
        length = max(at_least, 2) + 3
        made = {
            "series": np.zeros((length, len(SERIES))),
            "layers": np.zeros((length, *self.arrays["layers"].shape[1:]), np.int32),
        }
        self.arrays |= made
        for name, array in made.items():
            self.item[FIELDS.index(name)] = address(array)
        self.item[FIELDS.index("series_rows")] = length

    def take(self) -> Rows:
        """What is known of the steps since the last call."""
        n = int(self.arrays["cells"][0])
        self.arrays["cells"][0] = 0
        return Rows(np.array(self.arrays["series"][:n]), np.array(self.arrays["layers"][:n]))


def open_ledger(
    mapped: Mapped,
    costs: PacketCosts,
    memories: tuple[Memory, ...],
    stop: npt.NDArray[np.int64],
    *,
    ticked: bool,
    dropping: bool,
    level: str,
    tick: float,
    plastic: PlasticWork,
) -> Ledger:
    """Allocate the counters of a mapped network.

    Parameters
    ----------
    tick : float
        Seconds.
    """
    from .costs import synapse_cycles
    from .layout import offsets
    from .pipeline import recurrent

    constants, parts = mapped.machine.constants, mapped.parts
    first = offsets(mapped.lowered)
    groups, links = mapped.routing.keys.n_groups, len(costs.links)
    table = np.array(
        [
            (address(memory.fired), address(memory.counts), memory.stride, first[k], memory.event_mask)
            for k, memory in enumerate(memories)
        ],
        np.int64,
    )
    members = np.bincount(mapped.routing.keys.group[mapped.routing.keys.group >= 0], minlength=max(groups, 1))
    sizes = np.diff(mapped.routing.keys.ptr)
    heard = np.bincount(mapped.routing.keys.parts, weights=np.repeat(members[:groups], sizes), minlength=parts)
    fifo = mapped.layout.options.fifo
    drop_rows = int(min(MAX_DROPS, np.maximum(heard - fifo, 0).sum())) if dropping else 0
    wake = constants.si("cycles.step") / constants.si(f"level.{'low' if level == 'low' else 'high'}.clock")
    numbers = {
        "parts": parts,
        "populations": len(memories),
        "projections": len(mapped.lowered.projections),
        "links": links,
        "fifo": fifo,
        "dropping": int(dropping),
        "ticked": int(ticked),
        "level": DVFS[level],
        "send_cycles": constants.count("cycles.packet_send"),
        "bins": BINS,
        "worst": WORST,
        "series_rows": 1,
        "drop_rows": drop_rows,
        "worded": len(costs.word_groups),
        "counters": len(plastic.counter_cycles),
    }
    given: dict[str, Array] = {
        "table": table,
        "part": mapped.part,
        "group": mapped.routing.keys.group,
        "before": costs.before,
        "g_ptr": mapped.routing.keys.ptr,
        "g_parts": mapped.routing.keys.parts,
        "g_cost": costs.receive,
        "g_latency": costs.latency,
        "g_source": mapped.routing.keys.source,
        "g_links_ptr": costs.links_ptr,
        "g_links": costs.link_index,
        "link_class": costs.link_class,
        "link_ns": costs.link_service * 1e9,
        "update_cycles": costs.update,
        "record_cycles": costs.record,
        "dma_cycles": costs.dma,
        "g_energy": costs.energy_noc + costs.energy_links,
        "w_group": costs.word_groups,
        "w_words": costs.words,
        "plastic_cycles": plastic.cycles,
        "counter_cycles": plastic.counter_cycles,
        "post": np.array([s.post for s in mapped.lowered.projections], np.int32),
        "loop": recurrent(mapped.lowered).astype(np.int8),
        "synapse_cycles": np.array([synapse_cycles(s, mapped.layout, constants) for s in mapped.lowered.projections]),
        "joule": np.array([constants.si(f"level.{name}.energy_per_cycle") for name in LEVELS]),
        "service": costs.service,
        "ns": 1e9 / np.array([constants.si(f"level.{name}.clock") for name in LEVELS]),
        "times": np.array([tick * 1e9, costs.barrier, wake * 1e9]),
        "stop": stop,
    }
    sizes_of = {
        "n_groups": max(groups, 1), "cells": 8, "special": 2, "clock": 1, "worst_step": WORST, "worst_time": WORST,
        "g_count": max(groups, 1), "touched": max(groups, 1), "g_total": max(groups, 1), "link_load": max(links, 1),
        "projection_seen": max(numbers["projections"], 1), "active_steps": max(len(memories), 1),
    }  # fmt: skip
    scope: dict[str, Any] = {**numbers, "links": max(links, 1)}
    arrays: dict[str, Array] = {}
    for name, (dtype, shape) in ARRAYS.items():
        if name in given:
            arrays[name] = np.ascontiguousarray(given[name], dtype)
        elif name in sizes_of:
            arrays[name] = np.zeros(sizes_of[name], dtype)
        elif shape == "MANY":
            arrays[name] = np.zeros(parts, dtype)
        else:
            dims = [scope.get(d.strip(), d.strip()) for d in shape.strip("()").split(",")]
            arrays[name] = np.zeros([max(1, int(d)) for d in dims], dtype)
    arrays["stop"] = stop
    item = np.array([numbers[n] for n in NUMBERS] + [address(arrays[name]) for name in ARRAYS], np.int64)
    ledger = Ledger(arrays, item)
    ledger.reset()
    ledger.rows(SERIES_ROWS)
    return ledger
