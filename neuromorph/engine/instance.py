"""A compiled network with its own memory, ready to run chunks of steps on one or several threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredPopulation

from .items import DRIVE
from .layout import initial_buffers
from .memory import Array, Memory, allocate
from .recording import Recorder
from .schedule import Compiled, Tables, base_tables, call, count_item, fixed_kernel

if TYPE_CHECKING:
    from neuromorph.trace import Sink

CHUNK_SECONDS = 0.1
"""Wall time between looks at progress and Ctrl-C."""
FOREVER = np.iinfo(np.int64).max
OFFSET, NEXT = DRIVE.index("offset"), DRIVE.index("next")


@dataclass(frozen=True)
class Work:
    """What a run does: tables and driver's item of each thread, and the items that count events of populations."""

    tables: tuple[Tables, ...]
    items: tuple[npt.NDArray[np.int64], ...]
    counters: Mapping[int, npt.NDArray[np.int64]]


class Instance:
    """Memory of a network and the tables that run it.

    Parameters
    ----------
    compiled : Compiled
    threads : int
        How many threads share the work of a step.
    window : int, optional
        Steps that run before their events are delivered, if fewer than :attr:`Compiled.window`.

    Attributes
    ----------
    reached : int
        The next step, also where handing over what the last chunk recorded failed.
    """

    def __init__(self, compiled: Compiled, threads: int, window: int | None = None) -> None:
        self.compiled = compiled
        self.threads = threads
        self.window = window or compiled.window
        self.reached = 0
        rows = compiled.event_rows(self.window, threads)
        self.memories: tuple[Memory, ...] = tuple(
            allocate(population, layout, compiled.dtype, compiled.reach(k), threads, compiled.graded(k), rows)
            for k, (population, layout) in enumerate(zip(compiled.populations, compiled.layouts, strict=True))
        )
        self._stop = np.full(1, FOREVER, np.int64)
        self._barrier = np.zeros(16, np.int64)  # arrivals and generation, on cache lines of their own
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    @cached_property
    def recorder(self) -> Recorder:
        """Buffers and work items of all that the network records."""
        return Recorder(self.compiled, self.memories, self._stop, self.window)

    def tables(self, record: bool, totals: Mapping[int, Array] | None = None, window: tuple[int, int] = (0, 0)) -> Work:
        """Tables of a run.

        Parameters
        ----------
        record : bool
            Whether it records what the network records.
        totals : mapping of population to int64 (neurons,), optional
            Where to count events of steps ``window[0] <= step < window[1]``.
        """
        tables = self.base()
        if record:
            self.recorder.join(tables)
        counters = {k: count_item(self.memories[k], total, window) for k, total in (totals or {}).items()}
        tables[0].observers += [(fixed_kernel("count").address, item) for item in counters.values()]
        items = [table.seal(self.window, self.threads, self._barrier, self._stop) for table in tables]
        return Work(tuple(tables), tuple(items), counters)

    def base(self) -> list[Tables]:
        """Tables of each thread that run the network and record nothing."""
        return base_tables(self.compiled, self.memories, self.threads)

    @cached_property
    def recording(self) -> Work:
        """Tables of a run that records."""
        return self.tables(record=True)

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight."""
        self.reached = 0
        for memory in self.memories:
            memory.reset()

    def run(self, first: int, last: int, offset: int, work: Work) -> int:
        """Run steps from ``first`` to ``last`` or until a recorder's buffer is full; gives the next step."""
        items = work.items
        self._stop[0] = FOREVER
        for item in items:
            item[OFFSET] = offset
        drive = fixed_kernel("drive")
        others = [self._pool.submit(call, drive, first, last, item) for item in items[1:]] if self._pool else []
        try:
            call(drive, first, last, items[0])
        finally:
            wait(others)  # also when Ctrl-C arrived meanwhile: no thread may run on in memory that we flush
        for other in others:
            other.result()
        return int(items[0][NEXT])

    def chunks(self, sink: Sink, first: int, last: int, offset: int, work: Work) -> Iterator[tuple[int, float]]:
        """Run steps [first, last) in chunks of about 0.1 s, each handed to the sink; yields (next step, seconds)."""
        length = 16
        while first < last:
            began = perf_counter()
            self.recorder.begin(first + offset)
            after = self.run(first, min(last, first + self.recorder.limit(length)), offset, work)
            self.reached = after
            try:
                self.recorder.flush(sink, first + offset, after + offset)
            except BaseException:
                self.recorder.clear()
                raise
            seconds = perf_counter() - began
            length = max(1, min(length * 8, int((after - first) * CHUNK_SECONDS / max(seconds, 1e-6))))
            first = after
            yield first, seconds

    @property
    def nbytes(self) -> int:
        """Bytes of states, parameters, rings and event lists."""
        return sum(memory.nbytes for memory in self.memories)

    def set_values(self, k: int, population: LoweredPopulation, names: Sequence[str]) -> None:
        """Take new parameters and initial states of a population; of its present states, only those named change."""
        layout, memory = self.compiled.layouts[k], self.memories[k]
        assert layout is not None
        floats, ints = initial_buffers(population, layout)
        memory.initial_floats[:], memory.initial_ints[:] = floats, ints
        for place in (*layout.params, *(state for state in layout.states if state.name in names)):
            part = slice(place.offset, place.offset + (memory.stride if place.per_neuron else 1))
            (memory.ints if place.ints else memory.floats)[part] = (ints if place.ints else floats)[part]

    def adopt(self, other: Instance) -> None:
        """Take over the states and the events in flight of another instance of the same network."""
        self.reached = other.reached
        for k, (mine, theirs) in enumerate(zip(self.memories, other.memories, strict=True)):
            mine.float_ring[:] = theirs.float_ring
            mine.int_ring[:] = theirs.int_ring
            mine.fired[:], mine.counts[:] = theirs.fired, theirs.counts
            if mine.values is not None and theirs.values is not None:
                mine.values[:] = theirs.values
            layout, source = self.compiled.layouts[k], other.compiled.layouts[k]
            if layout is None or source is None:
                continue
            for to, of in zip(layout.states, source.states, strict=True):
                size = self.compiled.populations[k].size
                take = (theirs.ints if of.ints else theirs.floats)[of.offset : of.offset + size]
                (mine.ints if to.ints else mine.floats)[to.offset : to.offset + size] = take
