"""The reference engine: what one step of a network means, in NumPy.

In step t, every population does the following; ``x`` are its states.

1. The sum at each port is everything that arrives in this step, added one by one: by step of sending, then projection,
   then source neuron, then place in the row.
2. Jumps: ``x <- x + jump``, all from the old values.
3. Advance: every ``.dot`` is integrated over dt and every ``.next`` evaluated, all from the values after the jumps; a
   port's sum is constant over the step.
4. The event's condition is tested on the new states, unless the neuron is refractory. States in ``hold`` keep their
   value, without jump or advance, while it is. A neuron that fires in step t is refractory in the steps t + 1 to t + n,
   n = refractory time / dt, rounded.
5. Where it fires, the event's value is taken from the new states; then all resets are made from them.
6. What is recorded of the step are the states now, and named intermediates as step 4 saw them.

Then each event is sent: along a synapse of delay d it adds ``weight * value`` to the port's sum of step t + d. Ints are
32 bits wide where they are stored and 64 bits in between. Steps 2 to 5 are a population's step program
(:mod:`neuromorph.lowering`), which this engine evaluates operation by operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.engine.run_meta import run_meta
from neuromorph.engine.target import Batch, check_window, duration_steps, step_seconds
from neuromorph.errors import NetworkError, TargetError
from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.listing import text
from neuromorph.lowering.program import Float, LoweredNetwork, LoweredPopulation
from neuromorph.network.synapses import Synapses
from neuromorph.progress import Progress, progress_for

if TYPE_CHECKING:
    from neuromorph.engine.report import CPUReport
    from neuromorph.network import Network, Population
    from neuromorph.trace import Sink, Trace
    from neuromorph.units import Quantity

Array = npt.NDArray[Any]


class RunningPopulation:
    """States of a population, the sums that will arrive, and the events of the step just done.

    Parameters
    ----------
    lowered : LoweredPopulation
    dtype : {"float32", "float64"}
    slots : int
        Longest delay in steps.
    """

    def __init__(self, lowered: LoweredPopulation, dtype: Float, slots: int) -> None:
        self.lowered = lowered
        self.dtype = np.dtype(dtype)
        self._slots = slots
        self._ids = lowered.first_id + np.arange(lowered.size)
        self.load(lowered)
        self.reset()

    def load(self, lowered: LoweredPopulation) -> None:
        """Take other parameter values."""
        self.lowered = lowered
        self._params = [v.astype(self.dtype) if v.dtype.kind == "f" else v for v in lowered.param_values]

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight."""
        program = self.lowered.program
        slots = () if program is None else program.states
        self.states = [self._stored(s.type, v) for s, v in zip(slots, self.lowered.state_init, strict=True)]
        ports = () if program is None else program.ports
        types = [np.int64 if port.type is Type.INT else self.dtype for port in ports]
        self.sums: list[Array] = [np.zeros((self._slots, self.lowered.size), t) for t in types]
        self.observed: dict[str, Array] = {}
        self._nothing()

    def set_state(self, name: str, values: Array) -> None:
        """Give one state other values at once."""
        program = self.lowered.program
        assert program is not None
        k = [slot.name for slot in program.states].index(name)
        self.states[k] = self._stored(program.states[k].type, values)

    def _stored(self, type_: Type, values: Array) -> Array:
        kept: Array = np.broadcast_to(values, (self.lowered.size,))
        return kept.astype(np.int64).astype(np.int32) if type_ is Type.INT else kept.astype(self.dtype)

    def _nothing(self) -> None:
        self.fired = np.zeros(0, np.int64)
        self.values: Array | None = None

    def advance(self, step: int, seed: int) -> None:
        """Do one step; leaves its events in ``fired`` (ascending) and ``values`` (None: all 1)."""
        if self.lowered.replay is not None:
            self._replay(step)
            return
        program = self.lowered.program
        assert program is not None  # one of the two is always there
        arrived = [sums[step % self._slots].copy() for sums in self.sums]
        for sums in self.sums:
            sums[step % self._slots] = 0
        states = [s.astype(np.int64) if s.dtype.kind == "i" else s for s in self.states]
        results = evaluate(program, states, self._params, arrived, step=step, seed=seed, ids=self._ids)
        self.states = [
            self._stored(slot.type, results[k]) for slot, k in zip(program.states, program.new_states, strict=True)
        ]
        self.observed = {name: np.broadcast_to(results[k], (self.lowered.size,)) for name, k in program.observables}
        self._nothing()
        if program.fired is not None:
            self.fired = np.flatnonzero(np.broadcast_to(results[program.fired], (self.lowered.size,)))
            if program.value is not None:
                self.values = np.broadcast_to(results[program.value], (self.lowered.size,))[self.fired]

    def _replay(self, step: int) -> None:
        replay = self.lowered.replay
        self._nothing()
        if replay is not None and step + 1 < len(replay.step_ptr):
            part = slice(replay.step_ptr[step], replay.step_ptr[step + 1])
            self.fired = replay.indices[part].astype(np.int64)
            self.values = None if replay.values is None else replay.values[part].astype(self.dtype)

    def value_of(self, name: str) -> Array:
        """A state or observable after the step."""
        program = self.lowered.program
        assert program is not None
        for slot, state in zip(program.states, self.states, strict=True):
            if slot.name == name:
                return state
        value = self.observed[name]
        return value if value.dtype.kind == "f" else value.astype(np.int32)


def deliver(synapses: Synapses, sums: Array, step: int, fired: Array, values: Array | None) -> None:
    """Add the events of one step to the sums of the port, one by one in order of source and place in the row.

    Parameters
    ----------
    synapses : Synapses
    sums : (slots, n_post)
        Of the port; the sum of step t is row ``t % slots``.
    step : int
        In which the events were sent.
    fired : int (events,)
        Source neurons, ascending.
    values : (events,) or None
    """
    if not len(fired):
        return
    if synapses.row_ptr is None or synapses.targets is None:
        places = (fired[:, None] * synapses.n_post + np.arange(synapses.n_post)).ravel()
        targets = np.tile(np.arange(synapses.n_post), len(fired))
        lengths = np.full(len(fired), synapses.n_post)
    else:
        begin, end = synapses.row_ptr[fired], synapses.row_ptr[fired + 1]
        lengths = end - begin
        places = np.arange(lengths.sum()) + np.repeat(begin - np.cumsum(lengths) + lengths, lengths)
        targets = synapses.targets[places].astype(np.int64)
    number = sums.dtype.type
    kind = places if synapses.weight_index is None else synapses.weight_index[places]
    weights = np.broadcast_to(synapses.weights, places.shape) if synapses.weights.ndim == 0 else synapses.weights[kind]
    added = weights.astype(sums.dtype)
    if synapses.weight_scale is not None:
        added = added * number(synapses.weight_scale)
    if values is not None:
        added = added * np.repeat(values.astype(sums.dtype), lengths)
    delays = synapses.delays.astype(np.int64)
    arrival = (step + (delays if delays.ndim == 0 else delays[places])) % len(sums)
    np.add.at(sums, (arrival, targets), added)  # unbuffered: adds in the order of the arrays


@dataclass(frozen=True)
class Reference:
    """The NumPy engine that defines what a network does; slow, for small networks and comparisons.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Width of all floats.
    weights : {"int8", "int16"}, optional
        Quantise float weights to this width, symmetrically for each projection.
    """

    dtype: Float = "float64"
    weights: Literal["int8", "int16"] | None = None

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float64"):
            raise TargetError(f"Reference: dtype is {self.dtype!r}; it can be 'float32' or 'float64'", dtype=self.dtype)

    def compile(self, network: Network, dt: Quantity) -> ReferenceProgram:
        """Check and lower a network.

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        """
        from neuromorph.lowering.network import lower

        began = perf_counter()
        lowered = lower(network, step_seconds(dt), self.dtype, self.weights)
        return ReferenceProgram(self, network, lowered, {"build": perf_counter() - began})


class ReferenceProgram:
    """A network ready to run in NumPy; see :class:`neuromorph.engine.target.Program`.

    Attributes
    ----------
    dt : float
        Length of a step in seconds.
    step : int
        Number of the next step.
    """

    def __init__(
        self, target: Reference, network: Network, lowered: LoweredNetwork, seconds: Mapping[str, float]
    ) -> None:
        self.target = target
        self.network = network
        self.lowered = lowered
        self.dt = lowered.dt
        self.step = 0
        self.populations = [RunningPopulation(p, lowered.dtype, lowered.max_delay) for p in lowered.populations]
        self._seconds = dict(seconds)
        self._neurons = [population.neuron for population in network.populations]

    def reset(self) -> None:
        """Go back to step 0; see :meth:`Program.reset`."""
        self.step = 0
        for population in self.populations:
            population.reset()

    def advance(self) -> None:
        """Run one step."""
        for population in self.populations:
            population.advance(self.step, self.lowered.seed)
        for synapses in self.lowered.projections:
            source, sums = self.populations[synapses.pre], self.populations[synapses.post].sums[synapses.port]
            deliver(synapses, sums, self.step, source.fired, source.values)
        self.step += 1

    def run(
        self,
        duration: Quantity | int,
        *,
        out: str | PathLike[str] | None = None,
        progress: bool | Progress = True,
        reset: bool = False,
    ) -> Trace:
        """Run on for ``duration``; see :meth:`Program.run`."""
        from neuromorph.trace import FileSink, MemorySink

        steps = duration_steps(duration, self.dt)
        if reset:
            self.reset()
        sink = MemorySink() if out is None else FileSink(out)
        first = self.step
        sink.open(run_meta(self.network, self.lowered, steps, first, target=repr(self.target)))
        try:
            with progress_for(progress) as shown:
                shown.stage(f"running {self.network.name}", steps)
                for _ in self._recorded(sink, steps, 0):
                    shown.advance()
        finally:
            sink.close(self.step - first)
        return sink.trace()

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
            yield

    def set(self, population: str | Population, **values: Any) -> None:
        """Change parameters or initial states; see :meth:`Program.set`."""
        name = population if isinstance(population, str) else population.name
        names = [each.lowered.name for each in self.populations]
        if name not in names:
            have = ", ".join(names)
            raise NetworkError(f"{self.network.name} has no population {name!r}; it has {have}", known=names)
        index = names.index(name)
        running, neuron = self.populations[index], self._neurons[index]
        if not isinstance(neuron, Neuron):
            raise NetworkError(f"population {name} replays events: it has no parameters or states to set")
        self._change(index, neuron(**values))
        lowered = running.lowered
        assert lowered.program is not None
        for slot, initial in zip(lowered.program.states, lowered.state_init, strict=True):
            if slot.name in values:
                running.set_state(slot.name, initial)

    def _change(self, index: int, neuron: Neuron) -> None:
        """Give a population the values of another copy of its neuron."""
        from neuromorph.lowering.neuron import lower_neuron

        old, dtype = self.populations[index].lowered, self.lowered.dtype
        assert old.program is not None  # neurons have one
        observe = tuple(name for name, _ in old.program.observables)
        made = lower_neuron(neuron, self.dt, dtype, old.size, observe=observe, seed=self.lowered.seed, index=index)
        self._neurons[index] = neuron
        self.populations[index].load(
            replace(old, program=made.program, state_init=made.state_init, param_values=made.param_values)
        )

    def run_batch(
        self,
        inputs: Mapping[str, Mapping[str, npt.NDArray[Any]]],
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
        samples = _samples(inputs)
        other = ReferenceProgram(self.target, self.network, self.lowered, {})
        for k, neuron in enumerate(self._neurons):
            if isinstance(neuron, Neuron):
                other._change(k, neuron)
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
                    for name, values in inputs.items():
                        other.set(name, **{variable: array[sample] for variable, array in values.items()})
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


def _samples(inputs: Mapping[str, Mapping[str, npt.NDArray[Any]]]) -> int:
    lengths = {f"{name}.{key}": len(array) for name, arrays in inputs.items() for key, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        said = ", ".join(f"{subject} has {n}" for subject, n in lengths.items()) or "no inputs were given"
        raise TargetError(f"run_batch needs inputs with one number of samples: {said}", lengths=lengths)
    return next(iter(lengths.values()))
