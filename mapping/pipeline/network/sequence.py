"""A running network whose groups of populations make their steps in the order of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.instance import Instance, Work
from neuromorph.engine.items import DRIVE, RECORD_STATE, make_item
from neuromorph.engine.memory import Array, Memory, address
from neuromorph.engine.schedule import Call, Compiled, Tables, base_tables
from neuromorph.native import Kernel, compile_kernel
from neuromorph.progress import Progress

from .order import Order

ENDLESS = 1 << 40
"""Steps of the engine's window: all that a run has, so that what is behind catches up at its end alone."""
SOURCE = RECORD_STATE.index("source")
LOOK = ("fired", "counts", "event_mask", "stride", "products", "n_products", "series", "columns", "column", "first")


def sequence_kernel(name: str, progress: Progress | None = None) -> Kernel:
    """A kernel of ``sequence_kernels.py``; compiled once."""
    return compile_kernel(_text(), f"pipeline kernel {name}", progress, name)


@cache
def _text() -> str:
    return Path(__file__).with_name("sequence_kernels.py").read_text()


@dataclass
class SequenceTables(Tables):
    """Tables of the engine, taken apart by the group of populations that each call serves.

    Attributes
    ----------
    order : Order
    memories : sequence of Memory
        One for each population.
    looks : mapping of population to call
        Counters of events.
    """

    order: Order = field(default_factory=lambda: Order((), (), (), ()))
    memories: Sequence[Memory] = ()
    looks: Mapping[int, Call] = field(default_factory=dict)
    tally: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))

    def seal(self, window: int, threads: int, barrier: Array, stop: Array) -> npt.NDArray[np.int64]:
        """The driver's item: it begins a step where it would update, and catches up where it would deliver."""
        calls, groups = self._grouped()
        pairs = np.array([(function, address(item)) for function, item in calls] or np.zeros((0, 2)), np.int64)
        item = np.array([len(groups), address(groups), address(pairs), address(self.tally)], np.int64)
        first, last = (
            np.array([[sequence_kernel(name).address, address(item)]], np.int64) for name in ("advance", "drain")
        )
        one = np.array([0, 1], np.int64)
        self.keep += [calls, groups, pairs, item, first, last, one, barrier, stop]
        return make_item(
            DRIVE,
            threads=1,
            barrier=address(barrier),
            stop=address(stop),
            window=ENDLESS,
            updates=address(first),
            n_updates=1,
            deliveries=address(last),
            groups=address(one),
            n_groups=1,
            offset=0,
            next=0,
        )

    def _grouped(self) -> tuple[list[Call], npt.NDArray[np.int64]]:
        """Calls by group, and (first call, last call, level, next step) of each group in topological order."""
        states = self.updates[len(self.memories) :]
        state_of = [self._holder(int(item[SOURCE])) for _, item in states]
        fired = {address(memory.fired): k for k, memory in enumerate(self.memories)}
        seen_of = [fired[int(item[0])] for _, item in self.observers]  # recorders and counters begin with `fired`
        calls: list[Call] = []
        rows = []
        for number, group in enumerate(self.order.groups):
            first = len(calls)
            calls += [self.updates[k] for k in group]
            calls += [call for call, k in zip(states, state_of, strict=True) if k in group]
            calls += [call for k in group for call in self.deliveries[k]]
            calls += [call for call, k in zip(self.observers, seen_of, strict=True) if k in group]
            calls += [self.looks[k] for k in group if k in self.looks]
            rows.append((first, len(calls), self.order.level[number], 0))
        return calls, np.array(rows or np.zeros((0, 4)), np.int64)

    def _holder(self, place: int) -> int:
        """The population in whose memory an address is."""
        for k, memory in enumerate(self.memories):
            for array in (memory.floats, memory.ints):
                if address(array) <= place < address(array) + array.nbytes:
                    return k
        raise KeyError(place)


@dataclass(frozen=True, eq=False)
class Watched:
    """What is counted in every step: events of every population, and what they are to the products that they go to.

    Attributes
    ----------
    products : for each population a tuple of (work of each source or None)
        int32 (sources,); None where every event is the same work, 1.
    series : bool
        Whether every step is kept, not only the sums.
    """

    products: tuple[tuple[npt.NDArray[np.int32] | None, ...], ...]
    series: bool

    @property
    def columns(self) -> int:
        """Of a row: for each population its events, then the work of its products."""
        return sum(1 + len(each) for each in self.products)

    def first(self, population: int) -> int:
        """The column of a population's events."""
        return sum(1 + len(each) for each in self.products[:population])


class SequenceInstance(Instance):
    """One running copy of a network in the order of a pipeline; neurons and sums are the CPU engine's.

    Groups of populations that do not reach one another back are levels of a pipeline: while the inputs make step t,
    level l makes step t - l, from the events of that step, which have come by then. Runs end when all levels have made
    the last step.

    Attributes
    ----------
    tally : int64 (2,)
        Steps that levels made while others made another one; steps that were begun.
    counted : int
        Steps since the last reset, those of batches left out.
    totals : int64 (columns,)
        Sums of what was counted since the last reset, in columns of :class:`Watched`.
    series : list of int64 (steps, columns)
        The same step by step, if it is kept.
    """

    def __init__(self, compiled: Compiled, order: Order, watched: Watched) -> None:
        super().__init__(compiled, 1, window=max(1, order.depth))
        self.order = order
        self.tally = np.zeros(2, np.int64)
        self._watched = watched
        self._rows = np.zeros((0, watched.columns), np.int64)
        self._first = np.zeros(1, np.int64)
        self._items: dict[int, npt.NDArray[np.int64]] = {}
        self._keep: list[Any] = []
        self.counted = 0
        self.totals = np.zeros(watched.columns, np.int64)
        self.series: list[npt.NDArray[np.int64]] = []
        for k in range(len(compiled.populations)):
            self._items[k] = self._look_item(k)

    def base(self, threads: int) -> list[Tables]:
        """Tables that run the network and record nothing."""
        made = base_tables(self.compiled, self.memories, threads)[0]
        looks = {k: (sequence_kernel("look").address, item) for k, item in self._items.items()}
        own = SequenceTables(
            updates=made.updates,
            deliveries=made.deliveries,
            keep=[*made.keep, self._keep, self],
            order=self.order,
            memories=self.memories,
            looks=looks,
            tally=self.tally,
        )
        return [own]

    def run(self, first: int, last: int, offset: int, work: Work) -> int:
        """Run steps [first, last) and keep what was counted."""
        self._room(last - first)
        self._first[0] = first
        after = super().run(first, last, offset, work)
        self._first[0] = 1 << 62  # samples of batches are not counted
        rows = self._rows[: after - first]
        self.counted += len(rows)
        self.totals += rows.sum(axis=0)
        if self._watched.series:
            self.series.append(rows.copy())
        return after

    def reset(self) -> None:
        """Back to the initial states, with nothing counted."""
        super().reset()
        self.series.clear()
        self.counted = 0
        self.totals[:] = 0
        self.tally[:] = 0

    def _length(self, steps: int) -> int:
        """Steps of a chunk: no more than the buffers of events hold whatever comes, as levels stop apart."""
        room = [len(buffer.steps) // max(buffer.most // self.window, 1) for buffer in self.recorder.events]
        return max(1, min([super()._length(steps), *room]))

    def _room(self, steps: int) -> None:
        """Rows for so many steps."""
        if steps > len(self._rows):
            self._rows = np.zeros((steps, self._rows.shape[1]), np.int64)
            for item in self._items.values():
                item[LOOK.index("series")] = address(self._rows)
                item[len(LOOK)] = len(self._rows)

    def _look_item(self, k: int) -> npt.NDArray[np.int64]:
        memory, products = self.memories[k], self._watched.products[k]
        table = np.array([(0 if each is None else address(each), 1) for each in products] or [(0, 0)], np.int64)
        self._keep += [table, products]
        item = make_item(
            LOOK,
            fired=address(memory.fired),
            counts=address(memory.counts),
            event_mask=memory.event_mask,
            stride=memory.stride,
            products=address(table),
            n_products=len(products),
            series=0,
            columns=self._watched.columns,
            column=self._watched.first(k),
            first=address(self._first),
        )
        return np.append(item, 0)
