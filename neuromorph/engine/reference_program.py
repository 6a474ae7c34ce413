"""The reference engine as a target: compiling, running, recording and batches around :mod:`.reference`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.engine.checkpoint import Checkpoint
from neuromorph.engine.inputs import SampleInputs, population_index, read_inputs, settable
from neuromorph.engine.interrupt import deferred_interrupt
from neuromorph.engine.plastic.reference import RunningPlastic
from neuromorph.engine.plastic.saved import load_reference, state_of_reference
from neuromorph.engine.plastic.setting import (
    given,
    plastic_number,
    restored_synapse,
    synapses_of,
    values_kept,
    with_values,
)
from neuromorph.engine.plastic.synapse_values import SynapseValues, read_synapses
from neuromorph.engine.reference import RunningPopulation, advance
from neuromorph.engine.restoring import checked, fill_ring, restored_neuron, ring_rows, stretches, take
from neuromorph.engine.run_meta import description, run_meta
from neuromorph.engine.target import (
    Batch,
    check_choice,
    check_weights,
    check_window,
    checkpoint_steps,
    duration_steps,
    step_seconds,
)
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.listing import text
from neuromorph.lowering.program import Float, LoweredNetwork
from neuromorph.network.quantise import Weights
from neuromorph.progress import Progress, progress_for

if TYPE_CHECKING:
    from neuromorph.engine.live_reference import ReferenceLive
    from neuromorph.engine.report import CPUReport
    from neuromorph.language.synapse import Synapse
    from neuromorph.network import Network, Population, Projection
    from neuromorph.trace import Sink, Trace
    from neuromorph.units import Quantity


@dataclass(frozen=True)
class Reference:
    """The NumPy engine that defines what a network does; slow, for small networks and comparisons.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Width of all floats.
    weights : {"int4", "int8", "int16", "spark", "spark-nearest"} or mapping of projection to one, optional
        Narrow float weights, with one scale for each projection: ints of so many bits, or numbers that have a SPARK
        code, found by the published rounding or as the nearest. With a mapping, of the projections named.
    """

    dtype: Float = "float64"
    weights: Weights = None

    def __post_init__(self) -> None:
        check_choice(self, "dtype", "float32", "float64")
        check_weights(self)

    def compile(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> ReferenceProgram:
        """Check and lower a network.

        Parameters
        ----------
        network : Network
        dt : Quantity
            Length of a step.
        allow_memory : bool
            Try even if the forecast says that the memory will not suffice.
        progress : bool or Progress
            Whether to show what is built when the output is a terminal.

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        NetworkError
            The forecast exceeds the memory at hand.
        """
        from neuromorph.lowering.network import lower

        began = perf_counter()
        with progress_for(progress) as shown:
            lowered = lower(
                network, step_seconds(dt), self.dtype, self.weights, allow_memory=allow_memory, progress=shown
            )
        return ReferenceProgram(self, network, lowered, {"build": perf_counter() - began})


class ReferenceProgram:
    """A network ready to run in NumPy; see :class:`neuromorph.engine.target.Program`.

    Attributes
    ----------
    dt : float
        Length of a step in seconds.
    step : int
        Number of the next step.
    last_trace : Trace or None
        What the last run recorded; after Ctrl-C, everything up to it.
    """

    def __init__(
        self, target: Reference, network: Network, lowered: LoweredNetwork, seconds: Mapping[str, float]
    ) -> None:
        self.target = target
        self.network = network
        self.lowered = lowered
        self.dt = lowered.dt
        self.step = 0
        self.about = description(network)
        self.last_trace: Trace | None = None
        self.populations = [RunningPopulation(p, lowered.dtype, lowered.max_delay) for p in lowered.populations]
        self.plastic = [RunningPlastic(p, lowered.dtype, self.populations) for p in lowered.plastic]
        self._seconds = dict(seconds)
        self._neurons = [population.neuron for population in network.populations]
        self._synapses = synapses_of(self)

    def reset(self) -> None:
        """Go back to step 0; see :meth:`Program.reset`."""
        self.step = 0
        for population in self.populations:
            population.reset()
        for plastic in self.plastic:
            plastic.reset()

    def advance(self) -> None:
        """Run one step."""
        lowered = self.lowered
        advance(self.populations, lowered.projections, self.step, lowered.seed, self.plastic, lowered.readings)
        self.step += 1

    def run(
        self,
        duration: Quantity | int,
        *,
        out: str | PathLike[str] | None = None,
        progress: bool | Progress = True,
        reset: bool = False,
        checkpoint: str | PathLike[str] | None = None,
        every: Quantity | int | None = None,
    ) -> Trace:
        """Run on for ``duration``; see :meth:`Program.run`. Ctrl-C ends the run after the present step."""
        from neuromorph.trace import FileSink, MemorySink

        steps = duration_steps(duration, self.dt)
        interval = checkpoint_steps(checkpoint, every, self.dt)
        if reset:
            self.reset()
        sink = MemorySink() if out is None else FileSink(out)
        first = self.step
        sink.open(run_meta(self.network, self.lowered, steps, first, about=self.about, target=repr(self.target)))
        with progress_for(progress) as shown, deferred_interrupt() as interrupted:
            shown.stage(f"running {self.network.name}", steps)
            try:
                for end in stretches(first, first + steps, interval):
                    for _ in self._recorded(sink, end - self.step, 0):
                        shown.advance()
                        if interrupted():
                            break
                    if checkpoint is not None:
                        sink.flush()
                        self.checkpoint(checkpoint)
                    if interrupted():
                        break
            finally:
                sink.close(self.step - first)
                self.last_trace = sink.trace()
        done = self.step - first
        if done < steps:
            raise KeyboardInterrupt(f"stopped after {done} of {steps} steps; the trace up to there is kept")
        return self.last_trace

    def _recorded(self, sink: Sink, steps: int, offset: int) -> Iterator[None]:
        """Run so many steps into a sink whose time axis is `offset` steps ahead; yields after each."""
        for _ in range(steps):
            time = self.step + offset
            self.advance()
            for population in self.populations:
                lowered = population.lowered
                if lowered.record_events and len(population.fired):
                    at = np.full(len(population.fired), time, np.int64)
                    sink.events(lowered.name, at, population.fired.astype(np.uint32), population.values)
                for name, every in lowered.record_states:
                    if time % every == 0:
                        sink.states(lowered.name, name, time, every, population.value_of(name)[None, :])
            for plastic in self.plastic:
                synapses = plastic.lowered
                for record in synapses.records:
                    if time % record.every == 0:
                        values = plastic.states[record.state][record.indices]
                        name = synapses.program.states[record.state].name
                        sink.states(synapses.name, name, time, record.every, values[None, :])
            yield

    def set(self, population: str | Population | Projection, **values: Any) -> None:
        """Change parameters or initial states; see :meth:`Program.set`."""
        number = plastic_number(self, population)
        if number is not None:
            synapse = given(self, self.plastic[number].lowered, self._synapses[number], values)
            self._change_synapse(number, synapse, tuple(values))
            return
        index = self.index_of(population if isinstance(population, str) else population.name)
        running, neuron = self.populations[index], self.neuron_of(index)
        self._change(index, neuron(**values))
        lowered = running.lowered
        assert lowered.program is not None
        for slot, initial in zip(lowered.program.states, lowered.state_init, strict=True):
            if slot.name in values:
                running.set_state(slot.name, initial)

    def live(self, outputs: Sequence[str | Population] = ()) -> ReferenceLive:
        """Run step by step, with events given from outside; see :meth:`Program.live`."""
        from neuromorph.engine.live_reference import ReferenceLive

        return ReferenceLive(self, outputs)

    def state(self) -> Checkpoint:
        """The complete state; see :meth:`Program.state`."""
        states = []
        for population in self.populations:
            program = population.lowered.program
            named = zip(() if program is None else program.states, population.states, strict=True)
            ports = zip(() if program is None else program.ports, population.sums, strict=True)
            arriving = {port.name: ring_rows(sums, self.step, population.lowered.size) for port, sums in ports}
            states.append(({slot.name: values.copy() for slot, values in named}, arriving))
        kept = values_kept(self, [each.lowered for each in self.plastic], self._synapses)
        plastic = {
            each.lowered.name: state_of_reference(each, self.step) | kept[each.lowered.name] for each in self.plastic
        }
        return take(self, self._neurons, states, plastic=plastic)

    def checkpoint(self, path: str | PathLike[str]) -> None:
        """Write the complete state to a file; see :meth:`Program.checkpoint`."""
        self.state().save(path)

    def restore(self, source: Checkpoint | str | PathLike[str]) -> None:
        """Go to a state that was saved; see :meth:`Program.restore`."""
        saved = checked(self, source)
        for index, population in enumerate(self.populations):
            state = saved.populations[population.lowered.name]
            neuron = restored_neuron(self, index, state, self._neurons[index])
            if neuron is not None and neuron is not self._neurons[index]:
                self._change(index, neuron)
            population.reset()
            program = population.lowered.program
            if program is None:
                continue
            population.states = [state.states[slot.name].copy() for slot in program.states]
            for port, sums in zip(program.ports, population.sums, strict=True):
                subject = f"population {population.lowered.name}, port {port.name}"
                fill_ring(sums, saved.step, state.arriving[port.name], subject)
        for k, (plastic, synapse) in enumerate(zip(self.plastic, synapses_of(self), strict=True)):
            arrays = saved.plastic[plastic.lowered.name]
            model = restored_synapse(synapse, arrays)
            if model is not self._synapses[k]:
                self._change_synapse(k, model, ())
            load_reference(plastic, saved.step, arrays)
        self.step = saved.step

    def index_of(self, population: str | Population) -> int:
        """Position of a population of this program."""
        return population_index(self.lowered, population)

    def neuron_of(self, index: int) -> Neuron:
        """The neuron of a population with the values that it has now."""
        return settable(self.lowered, index, self._neurons[index])

    def _change(self, index: int, neuron: Neuron) -> None:
        """Give a population the values of another copy of its neuron."""
        from neuromorph.lowering.check import require_values
        from neuromorph.lowering.neuron import lower_neuron

        old, dtype = self.populations[index].lowered, self.lowered.dtype
        require_values(neuron, old.size, self.dt, self.lowered.seed, index)
        assert old.program is not None  # neurons have one
        observe = tuple(name for name, _ in old.program.observables)
        made = lower_neuron(neuron, self.dt, dtype, old.size, observe=observe, seed=self.lowered.seed, index=index)
        self._neurons[index] = neuron
        self.populations[index].load(
            replace(old, program=made.program, state_init=made.state_init, param_values=made.param_values)
        )

    def _change_synapse(self, number: int, synapse: Synapse, names: Sequence[str]) -> None:
        """Give a plastic projection the values of another copy of its model."""
        running = self.plastic[number]
        running.load(with_values(self, running.lowered, synapse), names)
        self._synapses[number] = synapse

    def synapses(self, projection: str | Projection) -> SynapseValues:
        """The synapses of a projection as they are now; see :meth:`Program.synapses`."""
        states = {each.lowered.index: each.states for each in self.plastic}
        return read_synapses(self, projection, self.lowered.projections, states)

    def run_batch(
        self,
        inputs: Mapping[str, SampleInputs],
        duration: Quantity | int,
        *,
        window: tuple[int, int] | None = None,
        progress: bool | Progress = True,
        out: str | PathLike[str] | None = None,
    ) -> Batch:
        """Run every sample from the initial states; see :meth:`Program.run_batch`."""
        from neuromorph.trace import FileSink, MemorySink

        steps = duration_steps(duration, self.dt)
        first, last = check_window(window, steps)
        wanted = read_inputs(self, inputs)
        samples = wanted.samples
        other = ReferenceProgram(self.target, self.network, self.lowered, {})
        for k, neuron in enumerate(self._neurons):
            if isinstance(neuron, Neuron):
                other._change(k, neuron)
        for k, synapse in enumerate(self._synapses):
            other._change_synapse(k, synapse, ())
        counts = {
            p.lowered.name: np.zeros((samples, p.lowered.size), np.int64)
            for p in other.populations
            if p.lowered.record_events
        }
        sink = MemorySink() if out is None else FileSink(out)
        sink.open(run_meta(self.network, self.lowered, samples * steps, target=repr(self.target)))
        done = 0
        try:
            with progress_for(progress) as shown:
                shown.stage(f"running {samples:,} samples of {self.network.name}", samples)
                for sample in range(samples):
                    for k, arrays in wanted.values.items():
                        neuron, values = self.neuron_of(k), {name: array[sample] for name, array in arrays.items()}
                        other._change(k, replace(neuron, values=tuple({**dict(neuron.values), **values}.items())))
                    for k, lists in wanted.events.items():
                        population = other.populations[k]
                        population.load(replace(population.lowered, replay=lists[sample]))
                    other.reset()
                    for _ in other._recorded(sink, steps, sample * steps):
                        if first <= other.step - 1 < last:
                            for p in other.populations:
                                if p.lowered.record_events:
                                    counts[p.lowered.name][sample, p.fired] += 1
                        done += 1
                    shown.advance()
        finally:
            sink.close(done)
        return Batch(counts, steps, (first, last), None if out is None else sink.trace())

    def report(self) -> CPUReport:
        """Bytes of states, rings and synapses."""
        from neuromorph.engine.report import CPUReport, PopulationCost, ProjectionCost, array_bytes

        populations = tuple(
            PopulationCost(
                name=p.lowered.name,
                neuron=neuron.name,
                neurons=p.lowered.size,
                state_bytes=sum(a.nbytes for a in (*p.states, *p._params)),
                ring_bytes=sum(a.nbytes for a in p.sums),
                operations=len(p.lowered.program.ops) if p.lowered.program else 0,
                compile_seconds=0.0,
                from_cache=False,
            )
            for p, neuron in zip(self.populations, self._neurons, strict=True)
        )
        projections = tuple(
            ProjectionCost(s.name, "dense" if s.targets is None else "rows", s.count, array_bytes(s))
            for s in self.lowered.projections
        )
        return CPUReport(repr(self.target), self.network.name, populations, projections, self._seconds, self.step, 1)

    def source(self) -> str:
        """The step program of each population as a listing."""
        return "\n".join(
            f"# {p.lowered.name}\n{text(p.lowered.program)}" for p in self.populations if p.lowered.program is not None
        )

    def __repr__(self) -> str:
        return f"<ReferenceProgram {self.network.name}: {self.target}, at step {self.step}>"
