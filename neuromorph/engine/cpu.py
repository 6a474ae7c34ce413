"""The compiled CPU engine: generated kernels, driven through whole chunks of steps without Python between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

from neuromorph.errors import TargetError
from neuromorph.lowering.program import Float, LoweredNetwork, LoweredPopulation
from neuromorph.network.quantise import Weights
from neuromorph.progress import Progress, progress_for

from .checkpoint import Checkpoint
from .compile import compile_network, traffic_of, with_plastic, with_populations
from .delivery import Stored, store, stored_forecast
from .inputs import SampleInputs, population_index, settable
from .instance import Instance
from .interrupt import deferred_interrupt
from .memory_state import load_states, population_states
from .pace import available_cores
from .plastic.setting import given, plastic_number, restored_synapse, synapses_of, values_kept, with_values
from .plastic.synapse_values import SynapseValues, read_synapses
from .report import CPUReport, population_costs, projection_costs
from .restoring import checked, restored_neuron, stretches, take
from .run_meta import description, run_meta
from .schedule import Compiled
from .target import Batch, check_choice, check_weights, checkpoint_steps, duration_steps, step_seconds

if TYPE_CHECKING:
    from neuromorph.engine.batch.choice import Batching
    from neuromorph.language.neuron import Neuron
    from neuromorph.language.synapse import Synapse
    from neuromorph.network import Network, Population, Projection
    from neuromorph.network.synapses import Synapses
    from neuromorph.trace import Sink, Trace
    from neuromorph.units import Quantity

    from .live import LiveRun


@dataclass(frozen=True)
class CPU:
    """This computer's processor.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Width of all floats.
    threads : int, optional
        Threads that share the work of a step. Default: one or all cores, whichever is faster, as measured while runs
        go on. Results are the same bit for bit.
    weights : {"int4", "int8", "int16", "spark", "spark-nearest"} or mapping of projection to one, optional
        Narrow float weights, with one scale for each projection: ints of so many bits, or numbers that have a SPARK
        code, found by the published rounding or as the nearest. With a mapping, of the projections named.
    lanes : {1, 8, 16, 32, 64}, optional
        Samples of a batch that a thread runs side by side; 1: one after another. Default: measured while long batches
        run. Results are the same bit for bit.
    """

    dtype: Float = "float32"
    threads: int | None = None
    weights: Weights = None
    lanes: Literal[1, 8, 16, 32, 64] | None = None

    def __post_init__(self) -> None:
        check_choice(self, "dtype", "float32", "float64")
        check_choice(self, "lanes", None, 1, 8, 16, 32, 64)
        if self.threads is not None and (not isinstance(self.threads, int) or not 1 <= self.threads <= 1024):
            raise TargetError(f"CPU: threads is {self.threads!r}; give an int from 1 to 1024", threads=self.threads)
        check_weights(self)

    def compile(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> CPUProgram:
        """Check, lower, build and compile a network.

        Parameters
        ----------
        network : Network
        dt : Quantity
            Length of a step.
        allow_memory : bool
            Try even if the forecast says that the memory will not suffice.
        progress : bool or Progress
            Whether to show what compiles when the output is a terminal.

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        NetworkError
            The forecast exceeds the memory at hand.
        """
        from neuromorph.lowering.network import lower

        seconds = step_seconds(dt)
        with progress_for(progress) as shown:
            shown.stage(f"building {network.name}")
            began = perf_counter()
            stored: list[Stored] = []

            def take(synapses: Synapses, populations: tuple[LoweredPopulation, ...]) -> None:
                stored.append(store(synapses, traffic_of(populations, self.dtype, synapses), consume=True))

            if not allow_memory:
                stored_forecast(network, seconds, self.dtype).require()
            lowered = lower(network, seconds, self.dtype, self.weights, allow_memory=True, progress=shown, take=take)
            built = perf_counter()
            compiled = compile_network(lowered, shown, stored)
            done = perf_counter()
        return CPUProgram(self, network, lowered, compiled, {"build": built - began, "compile": done - built})


class CPUProgram:
    """A network compiled for the CPU; see :class:`neuromorph.engine.target.Program`.

    Attributes
    ----------
    dt : float
        Length of a step in seconds.
    step : int
        Number of the next step.
    compiled : Compiled
    about : dict
        The network's text and hash.
    cores : int
        How many samples of a batch may use.
    last_trace : Trace or None
        What the last run recorded; after Ctrl-C, everything up to it.
    batching : Batching or None
        How batches were run, for the next one and the report.
    """

    def __init__(
        self, target: CPU, network: Network, lowered: LoweredNetwork, compiled: Compiled, seconds: Mapping[str, float]
    ) -> None:
        self.target = target
        self.network = network
        self.lowered = lowered
        self.dt = lowered.dt
        self.step = 0
        self.cores = available_cores()
        self.about = description(network)
        self.last_trace: Trace | None = None
        self.compiled = compiled
        self._instance = self.instance(compiled, target.threads)
        self._neurons = {population.name: population.neuron for population in network.populations}
        self._synapses = synapses_of(self)
        self._seconds = dict(seconds)
        self._steps_run = 0
        self.batching: Batching | None = None

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
        """Run on for ``duration``; see :meth:`Program.run`.

        Ctrl-C ends the run after the present chunk of steps (about 0.1 s), closes the file and raises
        :class:`KeyboardInterrupt`; what was recorded is in the file and in :attr:`last_trace`.
        """
        from neuromorph.trace import FileSink, MemorySink

        steps = duration_steps(duration, self.dt)
        interval = checkpoint_steps(checkpoint, every, self.dt)
        self.before_run()
        if reset:
            self.reset()
        sink = MemorySink() if out is None else FileSink(out)
        sink.open(run_meta(self.network, self.lowered, steps, self.step, **self.provenance()))
        first = self.step
        with progress_for(progress) as shown, deferred_interrupt() as interrupted:
            shown.stage(f"running {self.network.name}", steps)
            try:
                for end in stretches(first, first + steps, interval):
                    for after, seconds in self._instance.chunks(sink, self.step, end, 0, self._instance.recording):
                        self.write_costs(sink, done=False)
                        shown.advance(after - self.step)
                        self.count(after - self.step, seconds)
                        self.step = after
                        if interrupted():
                            break
                    if checkpoint is not None:
                        sink.flush()  # so that trace and checkpoint leave no gap, whatever happens next
                        self.checkpoint(checkpoint)
                    if interrupted():
                        break
            finally:
                self.write_costs(sink, done=True)
                recorded, self.step = self.step - first, self._instance.reached
                sink.close(recorded)
                self.last_trace = sink.trace()
            stopped = interrupted() and self.step < first + steps
        if stopped:
            raise KeyboardInterrupt(
                f"stopped after {self.step - first} of {steps} steps; the trace up to there is kept"
            )
        return self.last_trace

    @property
    def threads(self) -> int:
        """Threads that share a step now."""
        return self._instance.pace.threads

    def instance(self, compiled: Compiled, threads: int | None) -> Instance:
        """A running copy of a compiled network; targets that run it another way give their own."""
        return Instance(compiled, threads)

    def count(self, steps: int, seconds: float) -> None:
        """Add to the steps and the time that the report tells."""
        self._steps_run += steps
        self._seconds["run"] = self._seconds.get("run", 0.0) + seconds

    def before_run(self) -> None:
        """For targets that count: forget what a batch has left before a run is counted."""

    def lanes_refused(self) -> str:
        """Why samples of a batch cannot run side by side; empty if they can."""
        return "each sample has weights of its own where synapses change" if self.lowered.plastic else ""

    def batch_room(self, steps: int) -> int:
        """Samples of so many steps that each thread of a batch may run before :meth:`count` is called."""
        return 1 << 62

    def reset(self) -> None:
        """Go back to step 0; see :meth:`Program.reset`."""
        self._instance.reset()
        self.step = 0

    def set(self, population: str | Population | Projection, **values: Any) -> None:
        """Change parameters or initial states; see :meth:`Program.set`.

        Nothing is compiled again, unless a parameter that all neurons shared gets a value for each or the reverse.

        Raises
        ------
        NetworkError, LanguageError, UnitError
            No such population or projection, parameter or state; a wrong shape or dimension.
        """
        number = plastic_number(self, population)
        if number is not None:
            present = self.compiled.plastic[number].lowered
            self._take_synapse(number, given(self, present, self._synapses[number], values), tuple(values))
            return
        index = self.index_of(population if isinstance(population, str) else population.name)
        self._take_neuron(index, self.neuron_of(index)(**values), tuple(values))

    def _take_neuron(self, index: int, neuron: Neuron, names: tuple[str, ...]) -> None:
        """Give a population another copy of its neuron; of its present states, only those named change."""
        name = self.lowered.populations[index].name
        made = self.relowered(index, neuron)
        old = self.compiled.populations[index]
        self._neurons[name] = neuron
        if made.program == old.program:
            self.compiled = replace(
                self.compiled,
                populations=(*self.compiled.populations[:index], made, *self.compiled.populations[index + 1 :]),
            )
            self._instance.set_values(index, made, names)
        else:
            self.compiled = with_populations(self.compiled, {index: made}, progress_for(False))
            changed = self.instance(self.compiled, self.target.threads)
            changed.adopt(self._instance)
            changed.set_values(index, made, names)
            self._instance = changed

    def _take_synapse(self, number: int, synapse: Synapse, names: tuple[str, ...]) -> None:
        """Give a plastic projection another copy of its model; of the present states, only those named change."""
        made = with_values(self, self.compiled.plastic[number].lowered, synapse)
        self._synapses[number] = synapse
        self.compiled = with_plastic(self.compiled, number, made)
        self._instance.set_synapses(number, made, names)

    @property
    def current(self) -> Instance:
        """The running copy of the network that :meth:`run` goes on with."""
        return self._instance

    def live(self, outputs: Sequence[str | Population] = ()) -> LiveRun:
        """Run step by step, with events given from outside; see :meth:`Program.live`."""
        from .live import LiveRun

        return LiveRun(self, outputs)

    def state(self) -> Checkpoint:
        """The complete state; see :meth:`Program.state`."""
        states = population_states(self.compiled, self._instance.memories, self.step)
        kept = values_kept(self, [each.lowered for each in self.compiled.plastic], self._synapses)
        plastic = {name: arrays | kept[name] for name, arrays in self._instance.plastic_states(self.step).items()}
        return take(self, list(self._neurons.values()), states, self.extra_state(), plastic)

    def checkpoint(self, path: str | PathLike[str]) -> None:
        """Write the complete state to a file; see :meth:`Program.checkpoint`."""
        self.state().save(path)

    def restore(self, source: Checkpoint | str | PathLike[str]) -> None:
        """Go to a state that was saved; see :meth:`Program.restore`."""
        saved = checked(self, source)
        self.reset()
        states = [saved.populations[population.name] for population in self.lowered.populations]
        for index, state in enumerate(states):
            present = self._neurons[self.lowered.populations[index].name]
            neuron = restored_neuron(self, index, state, present)
            if neuron is not None and neuron is not present:
                self._take_neuron(index, neuron, ())
        for number, (each, before) in enumerate(zip(self.compiled.plastic, synapses_of(self), strict=True)):
            synapse = restored_synapse(before, saved.plastic[each.lowered.name])
            if synapse is not self._synapses[number]:
                self._take_synapse(number, synapse, ())
        self.reset()
        load_states(self.compiled, self._instance.memories, saved.step, states)
        self._instance.load_plastic(saved.step, saved.plastic)
        self.load_extra(saved.extra)
        self.step = self._instance.reached = saved.step

    def extra_state(self) -> dict[str, npt.NDArray[Any]]:
        """For targets whose future depends on more than the network's state: arrays by name."""
        return {}

    def load_extra(self, extra: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what :meth:`extra_state` gave; other targets' arrays are of no concern."""

    def index_of(self, population: str | Population) -> int:
        """Position of a population of this program."""
        return population_index(self.lowered, population)

    def neuron_of(self, index: int) -> Neuron:
        """The neuron of a population with the values that it has now."""
        return settable(self.lowered, index, self._neurons[self.lowered.populations[index].name])

    def relowered(self, index: int, neuron: Any, copies: int = 1) -> LoweredPopulation:
        """A population lowered again with other values: ``copies`` times its size, one copy after another."""
        from neuromorph.lowering.check import require_values
        from neuromorph.lowering.neuron import lower_neuron

        population = self.lowered.populations[index]
        assert population.program is not None
        require_values(neuron, population.size * copies, self.dt, self.lowered.seed, index)
        made = lower_neuron(
            neuron,
            self.dt,
            self.lowered.dtype,
            population.size * copies,
            observe=tuple(name for name, _ in population.program.observables),
            seed=self.lowered.seed,
            index=index,
        )
        return replace(population, program=made.program, state_init=made.state_init, param_values=made.param_values)

    def provenance(self) -> dict[str, Any]:
        """What a trace says about where it comes from."""
        return {"about": self.about, "target": repr(self.target)}

    def write_costs(self, sink: Sink, *, done: bool) -> None:
        """For targets that count costs: write those since the last call, and sums once a run is ``done``."""

    def synapses(self, projection: str | Projection) -> SynapseValues:
        """The synapses of a projection as they are now; see :meth:`Program.synapses`."""
        return read_synapses(self, projection, self.compiled.projections, self._instance.synapse_states())

    def run_batch(
        self,
        inputs: Mapping[str, SampleInputs],
        duration: Quantity | int,
        *,
        window: tuple[int, int] | None = None,
        progress: bool | Progress = True,
        out: str | PathLike[str] | None = None,
    ) -> Batch:
        """Run every sample from the initial states; see :meth:`Program.run_batch`.

        The program's own run is left as it is: samples have their own memory. With several threads, each runs samples
        of its own. Where it is faster, a group of samples runs side by side, so that a weight is read once for all of
        them; with ``out``, samples run one after another.
        """
        from .batch import run_batch

        return run_batch(self, inputs, duration, window, progress, out)

    def report(self) -> CPUReport:
        """Memory by array, storage of each projection, compile times, and speed after a run."""
        instance = self._instance
        return CPUReport(
            target=repr(self.target),
            network=self.network.name,
            populations=population_costs(instance, {name: neuron.name for name, neuron in self._neurons.items()}),
            projections=projection_costs(instance),
            seconds=dict(self._seconds),
            steps=self._steps_run,
            threads=self.threads,
            measured=dict(instance.pace.measured),
            batches=str(self.batching or ""),
        )

    def source(self) -> str:
        """The generated code: a kernel for each population and each kind of projection."""
        compiled = self.compiled
        plastic = (kernel for each in compiled.plastic for kernel in each.kernels.values())
        kernels = {kernel.source: kernel.title for kernel in (*compiled.steps, *compiled.deliveries, *plastic)}
        return "\n\n".join(f"# --- {title}\n{source}" for source, title in kernels.items())

    def __repr__(self) -> str:
        return f"<CPUProgram {self.network.name}: {self.target}, at step {self.step}>"
