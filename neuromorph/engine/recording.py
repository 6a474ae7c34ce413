"""Recording of a compiled run: buffers that kernels fill for a chunk of steps, written to a sink between chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .items import RECORD_EVENTS, RECORD_STATE, make_item
from .layout import Place
from .memory import Array, Memory, address
from .plastic.compile import plastic_kernel
from .plastic.memory import PlasticMemory
from .plastic.recording import record_items
from .schedule import Compiled, Tables, fixed_kernel

if TYPE_CHECKING:
    from neuromorph.lowering.plastic import StateRecord
    from neuromorph.trace import Sink

EVENTS = 1 << 16
"""Least number of events that a buffer holds."""
BYTES = 1 << 24
"""Bytes of a state buffer, unless two rows need more: with one, chunks would be of one step."""


@dataclass(frozen=True)
class EventBuffer:
    """Events of one population: (steps, ids, values), how many there are, and how many a window can bring."""

    population: str
    steps: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint32]
    values: Array | None
    length: npt.NDArray[np.int64]
    most: int

    def flush(self, sink: Sink) -> int:
        """Hand the events over; how many there were."""
        n = int(self.length[0])
        if n:
            sink.events(self.population, self.steps[:n], self.ids[:n], None if self.values is None else self.values[:n])
        self.length[0] = 0
        return n

    def item(self, memory: Memory, threads: int, wide: int, stop: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The item that fills the buffer with what so many threads list."""
        return make_item(
            RECORD_EVENTS,
            fired=address(memory.fired),
            values=address(memory.values),
            counts=address(memory.counts),
            starts=address(memory.bounds(threads)),
            segments=threads,
            stride=memory.stride,
            steps_out=address(self.steps),
            ids_out=address(self.ids),
            values_out=address(self.values),
            length=address(self.length),
            capacity=len(self.steps),
            most=self.most,
            stop=address(stop),
            wide=wide,
            event_mask=memory.event_mask,
        )


@dataclass(frozen=True)
class StateBuffer:
    """Rows of one variable of a population or projection, and the number of the first of them."""

    owner: str
    variable: str
    every: int
    rows: Array
    first_row: npt.NDArray[np.int64]

    def begin(self, first: int) -> None:
        """The next chunk begins at step ``first`` of the time axis."""
        self.first_row[0] = -(-first // self.every)

    def flush(self, sink: Sink, first: int, last: int) -> None:
        """Hand over the rows of steps [first, last)."""
        start = -(-first // self.every)
        rows = -(-last // self.every) - start
        if rows > 0:
            sink.states(self.owner, self.variable, start * self.every, self.every, self.rows[:rows])


class Recorder:
    """Everything that a compiled network records, and the work items that do it.

    Parameters
    ----------
    memories : one for each population
    plastic : one for each projection whose synapses change
    stop : int64 (1,)
        Where recorders name the last step of a chunk when a buffer fills.
    window : int
        Steps between two meetings of the threads: so many more may follow a window in which a recorder names the last.
    """

    def __init__(
        self,
        compiled: Compiled,
        memories: Sequence[Memory],
        plastic: Sequence[PlasticMemory],
        stop: npt.NDArray[np.int64],
        window: int,
    ) -> None:
        self._compiled, self._memories, self._stop = compiled, memories, stop
        self._events = {
            k: _event_buffer(population.name, memories[k], window)
            for k, population in enumerate(compiled.populations)
            if population.record_events
        }
        self._states = [
            (k, _state_buffer(compiled, k, memories[k], variable, every))
            for k, population in enumerate(compiled.populations)
            for variable, every in population.record_states
        ]
        self._synapses = [
            (memory, record, _synapse_buffer(memory, record)) for memory in plastic for record in memory.lowered.records
        ]
        self.events = list(self._events.values())
        self.states = [*(buffer for _, buffer in self._states), *(buffer for _, _, buffer in self._synapses)]

    def join(self, tables: Sequence[Tables]) -> None:
        """Add the work to the tables of each thread."""
        threads = len(tables)
        for thread, table in enumerate(tables):
            table.updates += [
                (fixed_kernel("record_state").address, self._state_item(k, buffer, thread, threads))
                for k, buffer in self._states
            ]
            table.keep.append(self)
        for synapses, record, buffer in self._synapses:
            bounds = self._memories[synapses.lowered.post].bounds(threads)
            items = record_items(synapses, record, buffer.rows, buffer.first_row, bounds)
            lowered = synapses.lowered
            for table, (item, keep) in zip(tables, items, strict=True):
                calls = table.deliveries[lowered.post] if lowered.program.late else table.after
                calls.append((plastic_kernel("record_picked").address, item))
                table.keep += keep
        tables[0].observers += [
            (
                fixed_kernel("record_events").address,
                buffer.item(self._memories[k], threads, self._compiled.wide, self._stop),
            )
            for k, buffer in self._events.items()
        ]

    def _state_item(self, k: int, buffer: StateBuffer, thread: int, threads: int) -> npt.NDArray[np.int64]:
        memory, place = self._memories[k], _place(self._compiled, k, buffer.variable)
        source, bounds = memory.ints if place.ints else memory.floats, memory.bounds(threads)
        return make_item(
            RECORD_STATE,
            lo=int(bounds[thread]),
            hi=int(bounds[thread + 1]),
            size=memory.size,
            source=address(source) + place.offset * source.itemsize,
            every=buffer.every,
            out=address(buffer.rows),
            first_row=address(buffer.first_row),
            wide=source.itemsize // 4,
        )

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
            buffer.length[0] = 0


def _event_buffer(population: str, memory: Memory, window: int) -> EventBuffer:
    most = window * memory.size
    capacity = max(EVENTS, 3 * most)
    values = None if memory.values is None else np.empty(capacity, memory.values.dtype)
    steps, ids = np.empty(capacity, np.int64), np.empty(capacity, np.uint32)
    return EventBuffer(population, steps, ids, values, np.zeros(1, np.int64), most)


def _place(compiled: Compiled, k: int, variable: str) -> Place:
    layout = compiled.layouts[k]
    assert layout is not None
    return layout.place(variable)


def _state_buffer(compiled: Compiled, k: int, memory: Memory, variable: str, every: int) -> StateBuffer:
    kind = (memory.ints if _place(compiled, k, variable).ints else memory.floats).dtype
    return _rows(compiled.populations[k].name, variable, every, memory.size, kind)


def _synapse_buffer(memory: PlasticMemory, record: StateRecord) -> StateBuffer:
    lowered, kind = memory.lowered, memory.synapse.dtype
    name = lowered.program.states[record.state].name
    return _rows(lowered.name, name, record.every, len(record.indices), kind)


def _rows(owner: str, variable: str, every: int, size: int, kind: np.dtype[Any]) -> StateBuffer:
    rows = np.empty((max(2, BYTES // (kind.itemsize * max(size, 1))), size), kind)
    return StateBuffer(owner, variable, every, rows, np.zeros(1, np.int64))
