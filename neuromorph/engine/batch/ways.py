"""Ways to run the samples of a batch: one after another, or a group of them side by side in lanes.

Each thread has a memory of its own and runs samples, or groups of samples, of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from neuromorph.engine.instance import Instance, Work
from neuromorph.engine.items import BATCH, COUNT, make_item
from neuromorph.engine.layout import Layout, Place
from neuromorph.engine.memory import Array, address
from neuromorph.engine.replay import event_fields, event_slice, woven
from neuromorph.engine.schedule import call, fixed_kernel
from neuromorph.lowering.program import Replay

TOTALS, FIRST, LAST = (COUNT.index(name) for name in ("totals", "first", "last"))
Counts = Mapping[int, npt.NDArray[np.int64]]
"""Events (samples, neurons) of each population that is counted."""


@dataclass(frozen=True)
class Setting:
    """A parameter or state whose values each sample sets.

    Attributes
    ----------
    population : int
    slot : int
        Position among parameters, then states.
    values : (samples, neurons)
        As they are stored.
    """

    population: int
    slot: int
    values: Array

    def place(self, layout: Layout | None) -> Place:
        """Where the values go."""
        assert layout is not None
        return (*layout.params, *layout.states)[self.slot]


@dataclass(frozen=True)
class Part:
    """Some samples of a batch, ready to be run.

    Attributes
    ----------
    first, count : int
    settings : list of Setting
    events : dict of population to list of EventList or EventTable
        What sources emit in each sample, where samples differ in it.
    """

    first: int
    count: int
    settings: list[Setting]
    events: dict[int, list[Replay]]


def begin_sample(instance: Instance, settings: Sequence[Setting], values: Sequence[Array]) -> None:
    """Bring a memory to the initial states of a sample, which sets ``values`` (one array for each setting)."""
    instance.reset()
    for setting, array in zip(settings, values, strict=True):
        place, memory = setting.place(instance.compiled.layouts[setting.population]), instance.memories
        buffer = memory[setting.population].ints if place.ints else memory[setting.population].floats
        buffer[place.offset : place.offset + len(array)] = array
    for plastic in instance.plastic:  # they look at the states of populations
        plastic.reset(instance.memories, instance.compiled.layouts)


@dataclass
class _Worker:
    """One thread's memory and tables."""

    instance: Instance
    work: Work
    copies: list[tuple[int, int, int]]
    keep: list[Array]

    def replayed(self, population: int) -> npt.NDArray[np.int64]:
        """What a source emits, in its item: populations come first, in order."""
        replay = self.instance.compiled.populations[population].replay
        assert replay is not None
        return self.work.tables[0].updates[population][1][event_slice(replay)]


def _worker(instance: Instance, counted: Counts) -> _Worker:
    totals = {k: np.zeros(instance.compiled.populations[k].size, np.int64) for k in counted}
    work = instance.tables(record=False, totals=totals)
    pairs: list[tuple[Array, Array]] = []
    for memory in instance.memories:
        pairs += [(memory.initial_floats, memory.floats), (memory.initial_ints, memory.ints)]
        pairs += [(np.zeros_like(ring), ring) for ring in (memory.float_ring, memory.int_ring)]
    for plastic in instance.plastic:
        pairs += plastic.restored()
    pairs += [(np.zeros_like(array), array) for array in instance.cleared]
    copies = [(address(source), address(target), source.nbytes // 4) for source, target in pairs]
    return _Worker(instance, work, copies, [source for source, _ in pairs])


@dataclass
class Way:
    """How samples are run.

    Attributes
    ----------
    instances : list of Instance
        One for each thread, made for ``lanes`` samples at a time.
    lanes : int
    seconds : float
        Of a sample's step, as measured; 0 before.
    """

    instances: list[Instance]
    lanes: int
    seconds: float = 0.0
    _workers: list[_Worker] = field(default_factory=list)

    def run(self, part: Part, begin: int, end: int, steps: int, window: tuple[int, int], counts: Counts) -> None:
        """Run samples [begin, end) of a part and count their events."""
        self._workers += [_worker(instance, counts) for instance in self.instances[len(self._workers) :]]
        groups = -(-(end - begin) // self.lanes)
        compiled = self.instances[0].compiled
        arranged = [self._arranged(setting.values[begin:end], groups) for setting in part.settings]
        keep: list[object] = [arranged]
        replays = {}
        for k, samples in part.events.items():
            replays[k], arrays = self._replays(samples[begin:end], groups, compiled.dtype)
            keep.append(arrays)
        totals = {k: np.zeros((groups, compiled.populations[k].size), np.int64) for k in counts}
        numbers = np.arange(part.first + begin, part.first + end, self.lanes)
        keep.append(numbers)
        items = []
        for worker in self._workers:
            sets = [(address(numbers), address(worker.instance.sample), 2)]
            for setting, values in zip(part.settings, arranged, strict=True):
                place = setting.place(compiled.layouts[setting.population])
                memory = worker.instance.memories[setting.population]
                buffer = memory.ints if place.ints else memory.floats
                target = address(buffer) + place.offset * buffer.itemsize
                sets.append((address(values), target, values[0].nbytes // 4))
            for k, fields in replays.items():
                sets.append((address(fields), address(worker.replayed(k)), fields[0].nbytes // 4))
            counters = [(address(worker.work.counters[k]), address(t), t.strides[0]) for k, t in totals.items()]
            for item in worker.work.counters.values():
                item[[FIRST, LAST]] = window
            tables = [np.array(rows or np.zeros((0, 3)), np.int64) for rows in (worker.copies, sets, counters)]
            keep += tables
            items.append(
                make_item(
                    BATCH,
                    drive=address(worker.work.items[0]),
                    steps=steps,
                    copies=address(tables[0]),
                    n_copies=len(tables[0]),
                    rows=address(tables[1]),
                    n_rows=len(sets),
                    totals=address(tables[2]),
                    n_totals=len(counters),
                )
            )
        if self.instances[0].plastic:
            self._drive_each(part, arranged, replays, totals, steps)
        else:
            self._drive(items, groups)
        for k, total in totals.items():
            self._collect(total, counts[k][part.first + begin : part.first + end])

    def _drive(self, items: list[npt.NDArray[np.int64]], groups: int) -> None:
        kernel, threads = fixed_kernel("drive_batch"), len(items)
        cuts = [groups * k // threads for k in range(threads + 1)]
        if threads == 1:
            call(kernel, 0, groups, items[0])
            return
        with ThreadPoolExecutor(threads) as pool:
            jobs = [pool.submit(call, kernel, cuts[k], cuts[k + 1], item) for k, item in enumerate(items)]
        for job in jobs:
            job.result()

    def _drive_each(
        self,
        part: Part,
        values: list[Array],
        replays: Mapping[int, npt.NDArray[np.int64]],
        totals: Counts,
        steps: int,
    ) -> None:
        """As :meth:`_drive` where more than buffers has to be reset: the states of plastic synapses."""
        samples = len(next(iter(totals.values()), values[0] if values else next(iter(replays.values()))))
        threads = len(self._workers)

        def run(number: int) -> None:
            worker = self._workers[number]
            for sample in range(samples * number // threads, samples * (number + 1) // threads):
                begin_sample(worker.instance, part.settings, [array[sample] for array in values])
                for k, fields in replays.items():
                    worker.replayed(k)[:] = fields[sample]
                for k, item in worker.work.counters.items():
                    item[TOTALS] = address(totals[k][sample])
                call(fixed_kernel("drive"), 0, steps, worker.work.items[0])

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, range(threads)))

    def _arranged(self, values: Array, groups: int) -> Array:
        """Values (samples, n) as the groups take them, (groups, n * lanes); the last sample fills its group up."""
        if self.lanes == 1:
            return np.ascontiguousarray(values)
        if len(values) < groups * self.lanes:
            values = np.concatenate([values, np.repeat(values[-1:], groups * self.lanes - len(values), axis=0)])
        return np.ascontiguousarray(values.reshape(groups, self.lanes, -1).swapaxes(1, 2)).reshape(groups, -1)

    def _collect(self, totals: Array, counts: Array) -> None:
        """Write totals (groups, n * lanes) into counts (samples, n)."""
        lanes, full = self.lanes, len(counts) // self.lanes
        woven = totals.reshape(len(totals), counts.shape[1], lanes).swapaxes(1, 2)
        counts[: full * lanes].reshape(full, lanes, counts.shape[1])[:] = woven[:full]
        if full < len(totals):
            counts[full * lanes :] = woven[full, : len(counts) - full * lanes]

    def _replays(
        self, samples: list[Replay], groups: int, dtype: str
    ) -> tuple[npt.NDArray[np.int64], list[list[Array]]]:
        """Fields :data:`EVENTS` for each group."""
        samples = samples + samples[-1:] * (groups * self.lanes - len(samples))
        lists = samples
        if self.lanes > 1:
            lists = [woven(samples[g * self.lanes : (g + 1) * self.lanes]) for g in range(groups)]
        made = [event_fields(events, dtype) for events in lists]
        return np.array([fields for fields, _ in made]), [arrays for _, arrays in made]
