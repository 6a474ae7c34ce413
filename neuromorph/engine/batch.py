"""Many samples through one compiled network: each from the initial states, with values of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredPopulation
from neuromorph.progress import Progress, progress_for

from .compile import with_populations
from .inputs import Inputs, read_inputs
from .instance import Instance, Work
from .interrupt import deferred_interrupt
from .items import BATCH, COUNT, make_item
from .layout import int32_values
from .memory import Array, address
from .run_meta import run_meta
from .schedule import Compiled, call, fixed_kernel
from .target import Batch, check_window, duration_steps

if TYPE_CHECKING:
    from neuromorph.units import Quantity

    from .cpu import CPUProgram

GROUP_VALUES = 1 << 22
"""Input values that are converted at a time."""
CHUNK_SECONDS = 0.2
"""Wall time between looks at progress and Ctrl-C."""
TOTALS = COUNT.index("totals")


@dataclass(frozen=True)
class Row:
    """A variable whose value each sample sets: all samples' values, and where in which population they go."""

    population: int
    ints: bool
    offset: int
    values: Array  # (samples, n) as stored


def run_batch(
    program: CPUProgram,
    inputs: Mapping[str, Mapping[str, npt.NDArray[Any]]],
    duration: Quantity | int,
    window: tuple[int, int] | None,
    progress: bool | Progress,
    out: str | PathLike[str] | None,
) -> Batch:
    """See :meth:`Program.run_batch`."""
    steps = duration_steps(duration, program.dt)
    counted = check_window(window, steps)
    given, samples = read_inputs(program, inputs)
    compiled = _compiled_for(program, given)
    counts = {
        k: np.zeros((samples, population.size), np.int64)
        for k, population in enumerate(compiled.populations)
        if population.record_events
    }
    job = _Job(program, compiled, given, samples, steps, counted, counts)
    trace = None
    with progress_for(progress) as shown, deferred_interrupt() as interrupted:
        shown.stage(f"running {samples:,} samples of {program.network.name}", samples)
        if out is not None:
            from neuromorph.trace import FileSink

            sink = FileSink(out)
            sink.open(run_meta(program.network, program.lowered, samples * steps, **program.provenance()))
            work = job.recorded(sink)
        else:
            work = job.plain()
        done = 0
        try:
            for ready in work:
                shown.advance(ready)
                done += ready
                if out is not None:
                    program.write_costs(sink, done=False)
                if interrupted():
                    break
        finally:
            if out is not None:
                program.write_costs(sink, done=True)
                sink.close(done * steps)
                trace = program.last_trace = sink.trace()
        if done < samples:
            raise KeyboardInterrupt(f"stopped after {done} of {samples} samples")
    return Batch({compiled.populations[k].name: count for k, count in counts.items()}, steps, counted, trace)


def _compiled_for(program: CPUProgram, given: Inputs) -> Compiled:
    """The compiled network with the inputs' parameters given per neuron."""
    compiled = program.compiled
    changed = {}
    for index, values in given.items():
        made = relower(program, index, {name: array[:1] for name, array in values.items()})
        if made.program != compiled.populations[index].program:
            changed[index] = made
    return with_populations(compiled, changed, progress_for(False)) if changed else compiled


def relower(program: CPUProgram, index: int, values: Mapping[str, npt.NDArray[Any]]) -> LoweredPopulation:
    """A population lowered with the inputs (samples, n), as if every sample had neurons of its own.

    So derived parameters and initial states are computed by the lowering itself, for all samples at once.
    """
    from neuromorph.lowering.values import initial_states, parameter_values

    neuron, population = program.neuron_of(index), program.lowered.populations[index]
    samples = len(next(iter(values.values())))
    params = parameter_values(neuron, population.size, program.lowered.seed, index)
    known = initial_states(neuron, params, population.size, program.dt, program.lowered.seed, index) | params
    merged = {}
    for name in {**dict(neuron.values), **values}:
        if name in values:
            merged[name] = np.ascontiguousarray(values[name]).reshape(-1)
        else:
            merged[name] = np.tile(known[name], samples) if known[name].ndim else known[name]
    return program.relowered(index, replace(neuron, values=tuple(merged.items())), samples)


@dataclass(frozen=True)
class _Job:
    """A batch to run."""

    program: CPUProgram
    compiled: Compiled
    given: Inputs
    samples: int
    steps: int
    window: tuple[int, int]
    counts: dict[int, npt.NDArray[np.int64]]

    def _groups(self) -> Iterator[tuple[int, int, list[Row]]]:
        """Groups of samples (first, number, rows that they set); each group's inputs are lowered together."""
        values = sum(array.shape[1] for arrays in self.given.values() for array in arrays.values())
        length = max(1, GROUP_VALUES // max(values, 1))
        for first in range(0, self.samples, length):
            rows = []
            for index, arrays in self.given.items():
                part = {name: array[first : first + length] for name, array in arrays.items()}
                rows += self._rows(index, relower(self.program, index, part))
            yield first, min(length, self.samples - first), rows

    def _rows(self, index: int, lowered: LoweredPopulation) -> list[Row]:
        layout, population = self.compiled.layouts[index], self.compiled.populations[index]
        assert layout is not None
        rows = []
        values = (*lowered.param_values, *lowered.state_init)
        base = (*population.param_values, *population.state_init)
        for place, value, usual in zip((*layout.params, *layout.states), values, base, strict=True):
            array = np.asarray(value)
            if not place.per_neuron:
                continue
            array = array.reshape(-1, population.size)
            if np.array_equal(array, np.broadcast_to(usual, array.shape)):
                continue  # the same in every sample, and so in the initial memory
            stored = int32_values(population, place, array) if place.ints else array.astype(self.compiled.dtype)
            rows.append(Row(index, place.ints, place.offset, np.ascontiguousarray(stored)))
        return rows

    def plain(self) -> Iterator[int]:
        """Run without recording, each thread its own samples in its own memory; yields samples done."""
        threads = min(self.samples, self.program.target.threads or self.program.cores)
        workers = [_Worker(self, self.program.instance(self.compiled, 1)) for _ in range(threads)]
        chunk, most = 1, self.program.batch_room(self.steps)
        with ThreadPoolExecutor(threads) as pool:
            for first, count, rows in self._groups():
                items = [worker.item(first, rows) for worker in workers]
                done = 0
                while done < count:
                    began = perf_counter()
                    n = min(min(chunk, most) * threads, count - done)
                    cuts = [done + n * k // threads for k in range(threads + 1)]
                    jobs = [
                        pool.submit(call, fixed_kernel("drive_batch"), cuts[k], cuts[k + 1], item)
                        for k, (item, _) in enumerate(items)
                    ]
                    for each in jobs:
                        each.result()
                    seconds = perf_counter() - began
                    self.program.count(n * self.steps, seconds)
                    chunk = max(1, min(chunk * 8, int(chunk * CHUNK_SECONDS / max(seconds, 1e-6))))
                    done += n
                    yield n

    def recorded(self, sink: Any) -> Iterator[int]:
        """Run one sample after another into a sink; yields samples done."""
        instance = self.program.instance(self.compiled, self.program.threads)
        totals = {k: count[0] for k, count in self.counts.items()}
        work = instance.tables(record=True, totals=totals, window=self.window)
        for first, count, rows in self._groups():
            for sample in range(first, first + count):
                instance.reset()
                for row in rows:
                    memory = instance.memories[row.population]
                    buffer = memory.ints if row.ints else memory.floats
                    buffer[row.offset : row.offset + row.values.shape[1]] = row.values[sample - first]
                for k, item in work.counters.items():
                    item[TOTALS] = address(self.counts[k][sample])
                for _, seconds in instance.chunks(sink, 0, self.steps, sample * self.steps, work):
                    self.program.count(0, seconds)
                self.program.count(self.steps, 0.0)
                yield 1


class _Worker:
    """One thread's memory and tables."""

    def __init__(self, job: _Job, instance: Instance) -> None:
        self._job = job
        self._instance = instance
        totals = {k: count[0] for k, count in job.counts.items()}
        self._work: Work = instance.tables(record=False, totals=totals, window=job.window)
        self._copies: list[tuple[Array, Array]] = []
        for memory in instance.memories:
            self._copies += [(memory.initial_floats, memory.floats), (memory.initial_ints, memory.ints)]
            self._copies += [(np.zeros_like(ring), ring) for ring in (memory.float_ring, memory.int_ring)]

    def item(self, first: int, rows: list[Row]) -> tuple[npt.NDArray[np.int64], list[Any]]:
        """The batch item for samples from ``first`` on, and what its addresses point into."""
        instance, counts = self._instance, self._job.counts
        copies = [(address(source), address(target), source.nbytes // 4) for source, target in self._copies]
        sets = []
        for row in rows:
            memory = instance.memories[row.population]
            buffer = memory.ints if row.ints else memory.floats
            target = address(buffer) + row.offset * buffer.itemsize
            sets.append((address(row.values), target, row.values[0].nbytes // 4))
        totals = [
            (address(item), address(counts[k]) + first * counts[k].strides[0], counts[k].strides[0])
            for k, item in self._work.counters.items()
        ]
        tables = [np.array(table or np.zeros((0, 3)), np.int64) for table in (copies, sets, totals)]
        item = make_item(
            BATCH,
            drive=address(self._work.items[0]),
            steps=self._job.steps,
            copies=address(tables[0]),
            n_copies=len(copies),
            rows=address(tables[1]),
            n_rows=len(sets),
            totals=address(tables[2]),
            n_totals=len(totals),
        )
        return item, [*tables, rows]
