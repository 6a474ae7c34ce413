"""Many samples through one compiled network: each from the initial states, with values and events of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.compile import with_populations
from neuromorph.engine.inputs import Given, SampleInputs, read_inputs
from neuromorph.engine.interrupt import deferred_interrupt
from neuromorph.engine.layout import int32_values
from neuromorph.engine.memory import address
from neuromorph.engine.replay import event_fields, event_slice
from neuromorph.engine.run_meta import run_meta
from neuromorph.engine.target import Batch, check_window, duration_steps
from neuromorph.lowering.program import LoweredPopulation
from neuromorph.progress import Progress, progress_for

from .choice import Batching
from .ways import TOTALS, Part, Setting, begin_sample

if TYPE_CHECKING:
    from neuromorph.engine.cpu import CPUProgram
    from neuromorph.engine.schedule import Compiled
    from neuromorph.units import Quantity

GROUP_VALUES = 1 << 19
"""Input values that are converted at a time: as many as a cache holds."""
CHUNK_SECONDS = 0.2
"""Wall time between looks at progress and Ctrl-C."""


def run_batch(
    program: CPUProgram,
    inputs: Mapping[str, SampleInputs],
    duration: Quantity | int,
    window: tuple[int, int] | None,
    progress: bool | Progress,
    out: str | PathLike[str] | None,
) -> Batch:
    """See :meth:`Program.run_batch`."""
    steps = duration_steps(duration, program.dt)
    counted = check_window(window, steps)
    given = read_inputs(program, inputs)
    samples = given.samples
    batching = _batching(program, given)
    counts = {
        k: np.zeros((samples, population.size), np.int64)
        for k, population in enumerate(batching.compiled.populations)
        if population.record_events
    }
    job = _Job(program, batching, given, steps, counted, counts)
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
    names = {batching.compiled.populations[k].name: count for k, count in counts.items()}
    return Batch(names, steps, counted, trace)


def _batching(program: CPUProgram, given: Given) -> Batching:
    """What the program knows of batches like this one: of the same compiled network, with the same inputs."""
    inputs = frozenset((k, name) for k, arrays in given.values.items() for name in arrays)
    known = program.batching
    if known is None or known.reason or known.base is not program.compiled or known.inputs != inputs:
        known = program.batching = Batching(program, _compiled_for(program, given), inputs)
    return known


def _compiled_for(program: CPUProgram, given: Given) -> Compiled:
    """The compiled network with the inputs' parameters given per neuron."""
    compiled = program.compiled
    changed = {}
    for index, values in given.values.items():
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
    batching: Batching
    given: Given
    steps: int
    window: tuple[int, int]
    counts: dict[int, npt.NDArray[np.int64]]

    def _parts(self) -> Iterator[Part]:
        """The samples in parts whose inputs are lowered together."""
        values = sum(array.shape[1] for arrays in self.given.values.values() for array in arrays.values())
        length = max(1, GROUP_VALUES // max(values, 1))
        for first in range(0, self.given.samples, length):
            count = min(length, self.given.samples - first)
            settings = []
            for index, arrays in self.given.values.items():
                part = {name: array[first : first + count] for name, array in arrays.items()}
                settings += self._settings(index, relower(self.program, index, part))
            events = {k: lists[first : first + count] for k, lists in self.given.events.items()}
            yield Part(first, count, settings, events)

    def _settings(self, index: int, lowered: LoweredPopulation) -> list[Setting]:
        compiled = self.batching.compiled
        layout, population = compiled.layouts[index], compiled.populations[index]
        assert layout is not None
        settings = []
        values = (*lowered.param_values, *lowered.state_init)
        base = (*population.param_values, *population.state_init)
        places = (*layout.params, *layout.states)
        for slot, (place, value, usual) in enumerate(zip(places, values, base, strict=True)):
            array = np.asarray(value)
            if not place.per_neuron:
                continue
            array = array.reshape(-1, population.size)
            if np.array_equal(array[0], np.broadcast_to(usual, array.shape[1:])) and (array == array[0]).all():
                continue  # the same in every sample, and so in the initial memory
            stored = int32_values(population, place, array) if place.ints else array.astype(compiled.dtype)
            settings.append(Setting(index, slot, np.ascontiguousarray(stored)))
        return settings

    def plain(self) -> Iterator[int]:
        """Run without recording; yields samples done."""
        batching, program = self.batching, self.program
        share = 1  # samples, or groups of them, that a thread runs before the next look at progress
        for part in self._parts():
            done = 0
            while done < part.count:
                way, most = batching.next(part.count - done)
                room = min(share, program.batch_room(self.steps))
                n = min(way.lanes * len(way.instances) * room, most, part.count - done)
                began = perf_counter()
                way.run(part, done, done + n, self.steps, self.window, self.counts)
                seconds = perf_counter() - began
                program.count(n * self.steps, seconds)
                batching.tell(way, n * self.steps, seconds)
                share = max(1, min(share * 8, int(share * CHUNK_SECONDS / max(seconds, 1e-6))))
                done += n
                yield n

    def recorded(self, sink: Any) -> Iterator[int]:
        """Run one sample after another into a sink; yields samples done."""
        program, compiled = self.program, self.batching.compiled
        instance = program.instance(compiled, program.threads)
        totals = {k: count[0] for k, count in self.counts.items()}
        work = instance.tables(record=True, totals=totals, window=self.window)
        for part in self._parts():
            for sample in range(part.count):
                begin_sample(instance, part.settings, [setting.values[sample] for setting in part.settings])
                keep = []
                for k, lists in part.events.items():
                    fields, arrays = event_fields(lists[sample], compiled.dtype)
                    keep.append(arrays)
                    for table in work.tables:
                        table.updates[k][1][event_slice(lists[sample])] = fields
                at = part.first + sample
                instance.sample[0] = at
                for k, item in work.counters.items():
                    item[TOTALS] = address(self.counts[k][at])
                for _, seconds in instance.chunks(sink, 0, self.steps, at * self.steps, work):
                    program.count(0, seconds)
                program.count(self.steps, 0.0)
                yield 1
