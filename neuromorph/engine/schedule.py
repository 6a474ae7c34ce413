"""What runs when, as tables of (kernel, item) pairs for each thread; an item is a row of int64 that its kernel reads.

Steps run in *windows* of at most as many steps as the shortest delay of the network (:attr:`Compiled.window`): no event
that is sent in one arrives in it. So a thread does, for its own neurons and targets:

1. for each step of the window: ``arrivals``, ``updates``, ``after``;
2. meet the other threads, which is the only time that they wait for one another;
3. for each population, for each step of the window: the ``deliveries`` to it;
4. for each step of the window: ``observers`` (thread 0 records and counts).

While one thread does 3 and 4, another may already do 1 for the next window, but not beyond. What holds then:

- Event lists (``fired``, ``values``, ``counts``; row = step & ``event_mask``) of earlier windows are complete, and no
  row is written again while a thread may read it: there are rows for two windows, and more if something reads further
  back (:meth:`Compiled.event_rows`). Lists of the present window may be read from 3 on; in ``after``, a thread may
  read its own segment of the present step.
- Ring slots, states and parameters of neurons ``bounds[thread] <= i < bounds[thread + 1]`` are that thread's alone;
  ``bounds = memory.bounds(threads)``, for one memory serves any number of threads, one after another.

``arrivals`` come before the updates of a step. They may read the events that were sent at least a window ago, so at
least the shortest delay ago, and add to the sums of this step (ring slot = step & ``ring_mask``), after all that
``deliveries`` added to them. ``after`` comes when all populations have been updated in this thread's range; it may read
the events of this step in its own segment (``fired`` from ``bounds[thread]`` on, ``counts[thread]``). Both are empty
unless something joins them; their kernels are called like all others, ``kernel(step, offset, item)``.

The order of the sums at a target depends neither on windows nor on threads: by step of sending, then projection, then
source, then place in the row. How long windows are is a matter of speed alone (:func:`window_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CFUNCTYPE, c_int64
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredPopulation, LoweredReading
from neuromorph.native import Kernel, compile_kernel
from neuromorph.network.synapses import Synapses

from .delivery import Stored
from .items import COUNT, DRIVE, FOLLOW, STEP, make_item
from .layout import Layout
from .memory import Array, Memory, address
from .replay import event_fields, replay_item

MAX_WINDOW = 16
"""Most steps of a window: event lists have rows for two of them, and longer ones would save nothing more."""

WINDOW_BYTES = 1 << 18
"""Sums that a thread may put off reading for the sake of longer windows.

The slot that gets the sums of the longest delay is often the one that was read last, and still in the second-level
cache; after a window of many steps it no longer is. Measured with 100,000 neurons and a delay of 15 steps: in windows
of 15, steps take 9 % longer than one by one; with 10,000 neurons there is next to no difference.
"""

COUNTS_LINE = 8
"""Least rows of event lists that threads share: so each thread's counts have a cache line of their own."""

Call = tuple[int, npt.NDArray[np.int64]]
"""Address of a kernel, and its item."""

if TYPE_CHECKING:
    from .plastic.compile import CompiledPlastic

_C_KERNEL = CFUNCTYPE(None, c_int64, c_int64, c_int64)


@cache
def fixed_kernel(name: str) -> Kernel:
    """One of the kernels that do not depend on the network."""
    source = Path(__file__).with_name("fixed.py").read_text()
    return compile_kernel(source, f"engine kernel {name}", name=name)


@dataclass
class Tables:
    """The work of one thread; see the module.

    Attributes
    ----------
    arrivals, updates, after : list of (function, item)
        What a step does before threads meet, in this order.
    reads : dict of int to list of (function, item)
        What goes before an update, by the update's place.
    deliveries : list of lists of (function, item)
        One list for each population that they go to; it runs through all steps of a window before the next.
    observers : list of (function, item)
        What looks at the events of each step last.
    keep : list
        The arrays whose addresses are in the items.
    """

    arrivals: list[Call] = field(default_factory=list)
    reads: dict[int, list[Call]] = field(default_factory=dict)
    updates: list[Call] = field(default_factory=list)
    after: list[Call] = field(default_factory=list)
    deliveries: list[list[Call]] = field(default_factory=list)
    observers: list[Call] = field(default_factory=list)
    keep: list[Any] = field(default_factory=list)

    def seal(self, window: int, threads: int, barrier: Array, stop: Array) -> npt.NDArray[np.int64]:
        """The driver's item for this thread, one of ``threads`` that meet once in ``window`` steps."""
        updates = [call for k, update in enumerate(self.updates) for call in (*self.reads.get(k, ()), update)]
        updates = [*self.arrivals, *updates, *self.after]
        lists = [calls for calls in (*self.deliveries, self.observers) if calls]
        groups = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        packed = [_pack(updates), _pack([call for calls in lists for call in calls])]
        self.keep += [*packed, groups, barrier, stop]
        return make_item(
            DRIVE,
            threads=threads,
            barrier=address(barrier),
            stop=address(stop),
            window=window,
            updates=address(packed[0]),
            n_updates=len(updates),
            deliveries=address(packed[1]),
            groups=address(groups),
            n_groups=len(lists),
            offset=0,
            next=0,
        )


def _pack(pairs: list[Call]) -> npt.NDArray[np.int64]:
    return np.array([(function, address(item)) for function, item in pairs] or np.zeros((0, 2)), np.int64)


@dataclass(frozen=True)
class Compiled:
    """The parts of a compiled network that instances of its memory share.

    Attributes
    ----------
    layouts : one for each population, None for sources
    steps : kernel of each population
    projections, deliveries : stored synapses and their kernels
        On targets that deliver in another way, plain synapses and no kernels.
    plastic : tuple of CompiledPlastic
        Projections whose synapses change.
    readings : tuple of LoweredReading
        With any, one thread does all the work: a population reads what the others' neurons have become in this step.
    dtype : str
    seed : int
    """

    populations: tuple[LoweredPopulation, ...]
    layouts: tuple[Layout | None, ...]
    steps: tuple[Kernel, ...]
    projections: tuple[Stored | Synapses, ...]
    deliveries: tuple[Kernel, ...]
    dtype: str
    seed: int
    plastic: tuple[CompiledPlastic, ...] = ()
    readings: tuple[LoweredReading, ...] = ()

    @cached_property
    def window(self) -> int:
        """Steps that may run before their events must be delivered: the shortest delay, at most :data:`MAX_WINDOW`."""
        delays = [synapses.min_delay for synapses in self.projections if synapses.count]
        return min([MAX_WINDOW, *delays, *(each.lowered.min_delay for each in self.plastic)])

    def event_rows(self, window: int, threads: int) -> int:
        """Rows of the event lists: those of two windows, the one that is written and the one that is read.

        Plastic projections read what was sent their longest delay ago.
        """
        back = max([window, *(each.lowered.max_delay for each in self.plastic)])
        return max(1 << (window + back - 1).bit_length(), 2 if threads == 1 else COUNTS_LINE)

    @cached_property
    def expanded(self) -> tuple[Synapses, ...]:
        """The projections as plain rows."""
        return tuple(each.expanded() for each in self.projections)

    @property
    def wide(self) -> int:
        """4-byte words of a float."""
        return np.dtype(self.dtype).itemsize // 4

    def reach(self, population: int) -> int:
        """Longest delay of the projections onto the population, in steps; 1 if there are none."""
        return max([1, *(synapses.max_delay for synapses in self.projections if synapses.post == population)])

    def graded(self, population: int) -> bool:
        """Whether the population's events carry values."""
        return self.populations[population].graded


def window_of(compiled: Compiled, threads: int) -> int:
    """Steps between two meetings of so many threads: the shortest delay, or as many as leave the sums in the cache."""
    layouts = [layout for layout in compiled.layouts if layout is not None]
    width = np.dtype(compiled.dtype).itemsize
    sums = sum(each.stride * (width * len(each.float_ports) + 8 * len(each.int_ports)) for each in layouts)
    return max(1, min(compiled.window, WINDOW_BYTES * threads // max(sums, 1)))


def base_tables(compiled: Compiled, memories: Sequence[Memory], threads: int) -> list[Tables]:
    """Tables that run the network and record nothing, for each of ``threads`` threads."""
    tables = [Tables(deliveries=[[] for _ in memories]) for _ in range(threads)]
    replays = [None if p.replay is None else event_fields(p.replay, compiled.dtype) for p in compiled.populations]
    for thread, table in enumerate(tables):
        for k in range(len(memories)):
            item = _update_item(compiled, k, memories, thread, threads, replays[k])
            table.updates.append((compiled.steps[k].address, item))
        table.keep += [memories, replays, compiled]
    for synapses, kernel in zip(compiled.projections, compiled.deliveries, strict=True):
        if synapses.count == 0:
            continue
        assert isinstance(synapses, Stored)
        head = _delivery_head(compiled, synapses, memories, threads)
        for table, (lo, hi) in zip(tables, pairwise(memories[synapses.post].bounds(threads).tolist()), strict=True):
            items = synapses.form.items(head, synapses.traffic, lo, hi) if lo < hi else []
            table.deliveries[synapses.post] += [(kernel.address, item) for item in items]
    return tables


def _update_item(
    compiled: Compiled,
    k: int,
    memories: Sequence[Memory],
    thread: int,
    threads: int,
    replay: tuple[npt.NDArray[np.int64], list[Array]] | None,
) -> npt.NDArray[np.int64]:
    memory = memories[k]
    common = {
        "lo": int(memory.bounds(threads)[thread]),
        "hi": int(memory.bounds(threads)[thread + 1]),
        "fired": address(memory.fired),
        "counts": address(memory.counts[thread]),
        "event_mask": memory.event_mask,
    }
    population = compiled.populations[k]
    if population.follows is not None:
        owner, layout = memories[population.follows.population], compiled.layouts[population.follows.population]
        assert layout is not None  # neurons have states
        state = address(owner.ints) + owner.ints.itemsize * layout.place(population.follows.state).offset
        return make_item(FOLLOW, **common, state=state, stride=memory.stride)
    common["values"] = address(memory.values)
    if replay is not None and population.replay is not None:
        common |= {"stride": memory.stride, "wide": compiled.wide}
        return replay_item(population.replay, replay[0], population.size, common)
    return make_item(
        STEP,
        **common,
        seed=_signed(compiled.seed),
        first_id=population.first_id,
        floats=address(memory.floats),
        ints=address(memory.ints),
        float_ring=address(memory.float_ring),
        int_ring=address(memory.int_ring),
        ring_mask=memory.slots - 1,
        mask=address(memory.mask),
    )


def _signed(seed: int) -> int:
    """64 bits of a seed as an int64."""
    return (seed + 2**63) % 2**64 - 2**63


def _delivery_head(compiled: Compiled, synapses: Stored, memories: Sequence[Memory], threads: int) -> dict[str, int]:
    """What every item of a delivery begins with; see :data:`.delivery.HEAD`."""
    pre, post, layout = memories[synapses.pre], memories[synapses.post], compiled.layouts[synapses.post]
    assert layout is not None
    ints = synapses.port in layout.int_ports
    ports = layout.int_ports if ints else layout.float_ports
    return {
        "fired": address(pre.fired),
        "values": address(pre.values),
        "counts": address(pre.counts),
        "starts": address(pre.bounds(threads)),
        "segments": threads,
        "event_mask": pre.event_mask,
        "stride": pre.stride,
        "ring": address(post.int_ring if ints else post.float_ring),
        "ring_mask": post.slots - 1,
        "row": len(ports) * post.stride,
        "port": ports.index(synapses.port) * post.stride,
    }


def count_item(memory: Memory, threads: int, total: Array, window: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Item that counts a population's events, which so many threads list, in a window of steps."""
    return make_item(
        COUNT,
        fired=address(memory.fired),
        counts=address(memory.counts),
        starts=address(memory.bounds(threads)),
        segments=threads,
        stride=memory.stride,
        totals=address(total),
        first=window[0],
        last=window[1],
        event_mask=memory.event_mask,
    )


def call(kernel: Kernel, first: int, second: int, item: npt.NDArray[np.int64]) -> None:
    """Call a compiled kernel from Python; the interpreter's lock is free meanwhile."""
    _C_KERNEL(kernel.address)(first, second, address(item))
