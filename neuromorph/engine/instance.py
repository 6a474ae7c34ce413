"""A compiled network with its own memory, ready to run chunks of steps on one or several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.plastic import PlasticProjection
from neuromorph.lowering.program import LoweredPopulation

from .items import DRIVE
from .layout import initial_buffers
from .memory import Array, Memory, allocate
from .pace import Pace, thread_choices
from .plastic.memory import PlasticMemory, allocate_plastic
from .plastic.saved import load_memory, state_of_memory
from .plastic.tables import join
from .readings import read_states
from .recording import Recorder
from .schedule import Compiled, Tables, base_tables, count_item, fixed_kernel, window_of

if TYPE_CHECKING:
    from neuromorph.trace import Sink

CHUNK_SECONDS = 0.1
"""Wall time between looks at progress and Ctrl-C."""
FIRST_CHUNK = 16
"""Steps that run before anything is known of their pace."""
FOREVER = np.iinfo(np.int64).max
OFFSET, NEXT = DRIVE.index("offset"), DRIVE.index("next")


@dataclass(frozen=True)
class Team:
    """Threads that share a run: tables and driver's item of each, and the items that count events of populations."""

    tables: tuple[Tables, ...]
    items: tuple[npt.NDArray[np.int64], ...]
    counters: Mapping[int, npt.NDArray[np.int64]]

    @cached_property
    def drives(self) -> tuple[Callable[[int, int], None], ...]:
        """The driver of each thread, as a function of the first step and the one after the last."""
        return tuple(fixed_kernel("drive").bound(item) for item in self.items)


class Work:
    """What a run does, for each number of threads that may share it; made when first needed.

    Parameters
    ----------
    make : function of threads
    first : int
        The number of threads that ``tables``, ``items`` and ``counters`` are for; the only one of an instance that was
        given its number.
    """

    def __init__(self, make: Callable[[int], Team], first: int) -> None:
        self._make, self._first = make, first
        self._teams: dict[int, Team] = {}

    def team(self, threads: int) -> Team:
        """The work of so many threads."""
        if threads not in self._teams:
            self._teams[threads] = self._make(threads)
        return self._teams[threads]

    @property
    def tables(self) -> tuple[Tables, ...]:
        """Tables of each thread."""
        return self.team(self._first).tables

    @property
    def items(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The driver's item of each thread."""
        return self.team(self._first).items

    @property
    def counters(self) -> Mapping[int, npt.NDArray[np.int64]]:
        """Items that count events of populations."""
        return self.team(self._first).counters


class Instance:
    """Memory of a network and the tables that run it.

    Parameters
    ----------
    compiled : Compiled
    threads : int or None
        How many threads share the work of a step; None: measured while it runs.
    window : int, optional
        Steps that run before their events are delivered; default: see :func:`~.schedule.window_of`.

    Attributes
    ----------
    reached : int
        The next step, also where handing over what the last chunk recorded failed.
    stop : int64 (1,)
        Where recorders name the last step of a chunk.
    pace : Pace
        How many threads share the work now, and what was measured.
    sample : int64 (1,)
        Number of the present sample of a batch, for targets whose noise differs between samples; 0 in other runs.
    """

    def __init__(self, compiled: Compiled, threads: int | None, window: int | None = None) -> None:
        self.compiled = compiled
        choices = (1,) if compiled.readings else thread_choices(threads)
        self.window = window or max(window_of(compiled, n) for n in choices)
        self.pace = Pace(choices, self.window)
        self.reached = 0
        most = self.pace.choices[-1]
        rows = compiled.event_rows(self.window, most)
        self.memories: tuple[Memory, ...] = tuple(
            allocate(population, layout, compiled.dtype, compiled.reach(k), most, compiled.graded(k), rows)
            for k, (population, layout) in enumerate(zip(compiled.populations, compiled.layouts, strict=True))
        )
        self.plastic: tuple[PlasticMemory, ...] = tuple(
            allocate_plastic(each, self.memories, compiled.layouts, most, self.window) for each in compiled.plastic
        )
        self.stop = np.full(1, FOREVER, np.int64)
        self.sample = np.zeros(1, np.int64)
        self._barrier = np.zeros(16, np.int64)  # arrivals and generation, on cache lines of their own
        self._chunk = FIRST_CHUNK  # steps of the next chunk
        self._listed = self.pace.threads  # how many threads wrote the event lists that memories hold

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max(1, self.pace.choices[-1] - 1))

    @cached_property
    def recorder(self) -> Recorder:
        """Buffers and work items of all that the network records."""
        return Recorder(self.compiled, self.memories, self.plastic, self.stop, self.window)

    def tables(
        self,
        record: bool,
        totals: Mapping[int, Array] | None = None,
        window: tuple[int, int] = (0, 0),
        observe: Callable[[list[Tables]], None] | None = None,
    ) -> Work:
        """Tables of a run.

        Parameters
        ----------
        record : bool
            Whether it records what the network records.
        totals : mapping of population to int64 (neurons,), optional
            Where to count events of steps ``window[0] <= step < window[1]``.
        observe : function of the tables of all threads, optional
            Adds what else shall look on.
        """

        def make(threads: int) -> Team:
            tables = self.base(threads)
            if record:
                self.recorder.join(tables)
            if observe is not None:
                observe(tables)
            counters = {k: count_item(self.memories[k], threads, total, window) for k, total in (totals or {}).items()}
            tables[0].observers += [(fixed_kernel("count").address, item) for item in counters.values()]
            steps = min(self.window, window_of(self.compiled, threads))
            items = [table.seal(steps, threads, self._barrier, self.stop) for table in tables]
            return Team(tuple(tables), tuple(items), counters)

        return Work(make, self.pace.choices[0])

    def base(self, threads: int) -> list[Tables]:
        """Tables of each of so many threads that run the network and record nothing."""
        tables = base_tables(self.compiled, self.memories, threads)
        join(tables, self.compiled, self.memories, self.plastic)
        read_states(tables[0], self.compiled, self.memories)
        return tables

    @property
    def cleared(self) -> Sequence[Array]:
        """Arrays besides those of the memories that a new sample must find all zero."""
        return ()

    @cached_property
    def recording(self) -> Work:
        """Tables of a run that records."""
        return self.tables(record=True)

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight."""
        self.reached = 0
        for memory in self.memories:
            memory.reset()
        for plastic in self.plastic:
            plastic.reset(self.memories, self.compiled.layouts)

    def run(self, first: int, last: int, offset: int, work: Work) -> int:
        """Run steps from ``first`` to ``last`` or until a recorder's buffer is full; gives the next step."""
        threads = self.pace.threads
        team = work.team(threads)
        if threads != self._listed:
            for memory in self.memories:
                memory.join_segments(self._listed)
            for plastic in self.plastic:
                plastic.share()
            self._listed = threads
        for plastic in self.plastic if first == 0 else ():
            plastic.look(self.memories, self.compiled.layouts)
        self.stop[0] = FOREVER
        for item in team.items:
            item[OFFSET] = offset
        others = [self._pool.submit(drive, first, last) for drive in team.drives[1:]]
        try:
            team.drives[0](first, last)
        finally:
            if others:
                wait(others)  # also when Ctrl-C arrived meanwhile: no thread may run on in memory that we flush
        for other in others:
            other.result()
        return int(team.items[0][NEXT])

    def chunks(self, sink: Sink, first: int, last: int, offset: int, work: Work) -> Iterator[tuple[int, float]]:
        """Run steps [first, last) in chunks of about 0.1 s, each handed to the sink; yields (next step, seconds)."""
        while first < last:
            self.recorder.begin(first + offset)
            steps = self._length(self._chunk)
            work.team(self.pace.threads)  # which may have to be made, and is not what is timed
            began = perf_counter()
            after = self.run(first, min(last, first + steps), offset, work)
            self.pace.ran(after - first, perf_counter() - began)
            self.reached = after
            try:
                self.recorder.flush(sink, first + offset, after + offset)
            except BaseException:
                self.recorder.clear()
                raise
            seconds = perf_counter() - began
            self._chunk = max(1, min(self._chunk * 8, int((after - first) * CHUNK_SECONDS / max(seconds, 1e-6))))
            first = after
            yield first, seconds

    def _length(self, steps: int) -> int:
        """Steps of a chunk of about so many: whole windows, as many as may be recorded, and no more than are timed."""
        whole = -(-min(steps, self.pace.room) // self.window) * self.window
        return self.recorder.limit(whole)

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

    def set_synapses(self, number: int, lowered: PlasticProjection, names: Sequence[str]) -> None:
        """The same for the synapses of a plastic projection."""
        made = self.plastic[number].changed(lowered, names)
        self.plastic = (*self.plastic[:number], made, *self.plastic[number + 1 :])

    def synapse_states(self) -> dict[int, list[Array]]:
        """Present states of each plastic projection, by its index in the network."""
        return {each.lowered.index: each.states() for each in self.plastic}

    def plastic_states(self, step: int) -> dict[str, dict[str, Array]]:
        """What a checkpoint before ``step`` keeps of each plastic projection, by name."""
        layouts = self.compiled.layouts
        return {
            each.lowered.name: state_of_memory(each, self.memories, layouts, step, self._listed)
            for each in self.plastic
        }

    def load_plastic(self, step: int, saved: Mapping[str, Mapping[str, Array]]) -> None:
        """Put back what :meth:`plastic_states` gave; the populations have to be restored first."""
        for each in self.plastic:
            load_memory(each, self.memories, self.compiled.layouts, step, saved[each.lowered.name])

    def adopt(self, other: Instance) -> None:
        """Take over the states, the events in flight and the pace of another instance of the same network."""
        self.reached, self.pace = other.reached, other.pace
        for changing, changed in zip(self.plastic, other.plastic, strict=True):
            changing.take(changed)
        for k, (mine, theirs) in enumerate(zip(self.memories, other.memories, strict=True)):
            mine.float_ring[:] = theirs.float_ring
            mine.int_ring[:] = theirs.int_ring
            theirs.join_segments(other._listed)
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
