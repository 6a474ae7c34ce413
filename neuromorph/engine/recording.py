"""Recording of a compiled run: buffers that kernels fill for a chunk of steps, written to a sink between chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .items import RECORD_EVENTS, RECORD_STATE, make_item
from .memory import Array, Memory, address
from .schedule import Compiled, Tables, fixed_kernel

if TYPE_CHECKING:
    from neuromorph.trace import Sink

EVENTS = 1 << 16
"""Least number of events that a buffer holds."""
BYTES = 1 << 24
"""Bytes of a state buffer, unless one row needs more."""
LENGTH, OUT, FIRST_ROW = RECORD_EVENTS.index("length"), RECORD_STATE.index("out"), RECORD_STATE.index("first_row")


@dataclass(frozen=True)
class EventBuffer:
    """Events of one population: (steps, ids, values), and the item that counts them."""

    population: str
    steps: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint32]
    values: Array | None
    item: npt.NDArray[np.int64]

    def flush(self, sink: Sink) -> int:
        """Hand the events over; how many there were."""
        n = int(self.item[LENGTH])
        if n:
            sink.events(self.population, self.steps[:n], self.ids[:n], None if self.values is None else self.values[:n])
        self.item[LENGTH] = 0
        return n


@dataclass(frozen=True)
class StateBuffer:
    """Rows of one variable, and the items of the threads that fill it."""

    population: str
    variable: str
    every: int
    rows: Array
    items: tuple[npt.NDArray[np.int64], ...]

    def begin(self, first: int) -> None:
        """The next chunk begins at step ``first`` of the time axis."""
        for item in self.items:
            item[FIRST_ROW] = -(-first // self.every)

    def flush(self, sink: Sink, first: int, last: int) -> None:
        """Hand over the rows of steps [first, last)."""
        start = -(-first // self.every)
        rows = -(-last // self.every) - start
        if rows > 0:
            sink.states(self.population, self.variable, start * self.every, self.every, self.rows[:rows])


class Recorder:
    """Everything that a compiled network records, and the work items that do it.

    Parameters
    ----------
    memories : one for each population
    stop : int64 (1,)
        Where recorders name the last step of a chunk when a buffer fills.
    window : int
        Steps between two meetings of the threads: so many more may follow a window in which a recorder names the last.
    """

    def __init__(
        self, compiled: Compiled, memories: Sequence[Memory], stop: npt.NDArray[np.int64], window: int
    ) -> None:
        self.events = [
            _event_buffer(population.name, memory, compiled.wide, stop, window)
            for population, memory in zip(compiled.populations, memories, strict=True)
            if population.record_events
        ]
        self.states = [
            _state_buffer(compiled, k, memories[k], variable, every)
            for k, population in enumerate(compiled.populations)
            for variable, every in population.record_states
        ]

    def join(self, tables: Sequence[Tables]) -> None:
        """Add the work to the tables of each thread."""
        for thread, table in enumerate(tables):
            table.updates += [(fixed_kernel("record_state").address, buffer.items[thread]) for buffer in self.states]
            table.keep.append(self)
        tables[0].observers += [(fixed_kernel("record_events").address, buffer.item) for buffer in self.events]

    def limit(self, steps: int) -> int:
        """The longest chunk, of at most ``steps`` steps, whose states fit into the buffers."""
        return min([steps, *((len(buffer.rows) - 1) * buffer.every + 1 for buffer in self.states)])

    def begin(self, first: int) -> None:
        """The next chunk begins at step ``first`` of the time axis."""
        for buffer in self.states:
            buffer.begin(first)

    def flush(self, sink: Sink, first: int, last: int) -> int:
        """Hand over what steps [first, last) of the time axis left; the number of events."""
        for buffer in self.states:
            buffer.flush(sink, first, last)
        return sum(buffer.flush(sink) for buffer in self.events)

    def clear(self) -> None:
        """Forget what has not been handed over."""
        for buffer in self.events:
            buffer.item[LENGTH] = 0


def _event_buffer(population: str, memory: Memory, wide: int, stop: npt.NDArray[np.int64], window: int) -> EventBuffer:
    most = window * int(memory.bounds[-1])
    capacity = max(EVENTS, 3 * most)
    steps, ids = np.empty(capacity, np.int64), np.empty(capacity, np.uint32)
    values = None if memory.values is None else np.empty(capacity, memory.values.dtype)
    item = make_item(
        RECORD_EVENTS,
        fired=address(memory.fired),
        values=address(memory.values),
        counts=address(memory.counts),
        starts=address(memory.bounds),
        segments=len(memory.counts),
        stride=memory.stride,
        steps_out=address(steps),
        ids_out=address(ids),
        values_out=address(values),
        length=0,
        capacity=capacity,
        most=most,
        stop=address(stop),
        wide=wide,
        event_mask=memory.event_mask,
    )
    return EventBuffer(population, steps, ids, values, item)


def _state_buffer(compiled: Compiled, k: int, memory: Memory, variable: str, every: int) -> StateBuffer:
    layout, population = compiled.layouts[k], compiled.populations[k]
    assert layout is not None
    place = layout.place(variable)
    source = memory.ints if place.ints else memory.floats
    rows = np.empty((max(1, BYTES // (source.itemsize * population.size)), population.size), source.dtype)
    items = tuple(
        make_item(
            RECORD_STATE,
            lo=int(memory.bounds[thread]),
            hi=int(memory.bounds[thread + 1]),
            size=population.size,
            source=address(source) + place.offset * source.itemsize,
            every=every,
            out=address(rows),
            first_row=0,
            wide=source.itemsize // 4,
        )
        for thread in range(len(memory.bounds) - 1)
    )
    return StateBuffer(population.name, variable, every, rows, items)
