"""What every target and every compiled program can do, and what a batch of runs returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import Checkpoint
    from neuromorph.engine.inputs import SampleInputs
    from neuromorph.engine.live_inputs import Fired, Given
    from neuromorph.engine.plastic.synapse_values import SynapseValues
    from neuromorph.network import Network, Population, Projection
    from neuromorph.progress import Progress
    from neuromorph.trace import Trace
    from neuromorph.units import Quantity


class Report(Protocol):
    """The numbers of a compiled program, readable in a terminal and in a notebook."""

    def __str__(self) -> str: ...

    def _repr_html_(self) -> str: ...


class LiveLoop(Protocol):
    """A program that is run step by step."""

    def step(self, inputs: Mapping[str | Population, Given] | None = None, steps: int = 1) -> Mapping[str, Fired]:
        """Run one step, or several of which the first has the inputs.

        Parameters
        ----------
        inputs : mapping of live source to events
            What each source emits; sources that are left out emit nothing. Either an array of all its neurons (0: no
            event; else an event, of this value if the source is graded) or a tuple (indices,), for graded sources
            (indices, values); indices ascend. A Lookup without ids is given the id of a row.
        steps : int

        Returns
        -------
        mapping of population to Fired
            Events of the outputs in these steps, as views that the next call changes.

        Raises
        ------
        TargetError
            An unknown source, or inputs that do not fit it; no step has been run then.
        """
        ...

    def state(self, population: str | Population, name: str) -> npt.NDArray[Any]:
        """A state after the last step, (neurons,), in SI units; also a named intermediate that the network records.

        Raises
        ------
        TargetError
            The population has no such state.
        """
        ...


class Program(Protocol):
    """A network compiled for one target; it keeps its states between runs.

    Attributes
    ----------
    last_trace : Trace or None
        What the last run recorded; after Ctrl-C, everything up to it.
    """

    last_trace: Trace | None

    def run(
        self,
        duration: Quantity | int,
        *,
        out: str | PathLike[str] | None = None,
        progress: bool = True,
        reset: bool = False,
        checkpoint: str | PathLike[str] | None = None,
        every: Quantity | int | None = None,
    ) -> Trace:
        """Run on for ``duration`` (a time, or a number of steps) and return what was recorded.

        Parameters
        ----------
        duration : Quantity or int
            A time, rounded to whole steps, or a number of steps.
        out : path, optional
            Stream the trace to this HDF5 file instead of keeping it in memory.
        progress : bool
            Show progress when the output is a terminal.
        reset : bool
            Start again from the initial states first; otherwise the run continues where the last one ended.
        checkpoint : path, optional
            Write the state to this file at the end of the run, also after Ctrl-C.
        every : Quantity or int, optional
            Write it after every so much time or so many steps, too: what a crash can cost.
        """
        ...

    def live(self, outputs: Sequence[str | Population] = ()) -> LiveLoop:
        """Run step by step: give events to the network's :class:`Live` sources and look at what comes of them.

        Parameters
        ----------
        outputs : sequence of str or Population
            Populations whose events are wanted.
        """
        ...

    def state(self) -> Checkpoint:
        """The complete state, to :meth:`restore` here or in another program of the same network.

        It holds states, events in flight, values that were set and the step, on which random numbers depend: the
        future of a restored program is that of this one, bit for bit.
        """
        ...

    def checkpoint(self, path: str | PathLike[str]) -> None:
        """Write the complete state to an HDF5 file, which appears whole or not at all.

        Raises
        ------
        CheckpointError
            The file cannot be written, or is there and not a checkpoint.
        """
        ...

    def restore(self, source: Checkpoint | str | PathLike[str]) -> None:
        """Go to a state that was saved, also by another process or target of the same arithmetic.

        Several programs can go on from one checkpoint, with parameters changed by :meth:`set` or not. Costs are
        counted anew from here.

        Raises
        ------
        CheckpointError
            It cannot be read, or it is of another network, step length or arithmetic.
        """
        ...

    def reset(self) -> None:
        """Go back to step 0: initial states, no events in flight, the same random numbers again."""
        ...

    def set(self, population: str | Population | Projection, **values: Any) -> None:
        """Change parameters or initial states, without compiling again.

        A parameter holds from the next step; an initial state takes effect at once and at every later reset.

        Parameters
        ----------
        population : str, Population or Projection
            A projection for the values of its synapses, if they change; a name that both have is the population's.
        **values
            As the model takes them, but for the weight, which is the projection's.
        """
        ...

    def run_batch(
        self,
        inputs: Mapping[str, SampleInputs],
        duration: Quantity | int,
        *,
        window: tuple[int, int] | None = None,
        progress: bool = True,
        out: str | PathLike[str] | None = None,
    ) -> Batch:
        """Run every sample from the initial states: reset, set the sample's values, run ``duration``.

        Parameters
        ----------
        inputs : mapping of population name to what its samples set
            For a population of neurons a mapping of parameters and states to arrays (samples, n); (samples, 1) where
            all neurons share the value, or (samples,) for a parameter that they share anyway. For a source of events
            one EventSource for each sample, or an array (samples, steps, n) as for :meth:`EventSource.from_dense`; for
            a Lookup an array of ids (samples, steps), or one Lookup for each sample. What is not given is the same in
            every sample, and so is the noise.
        duration : Quantity or int
            Length of one sample.
        window : (first, last), optional
            Count the events of steps ``first <= step < last`` of each sample; default: all.
        out : path, optional
            Record everything to this file, the samples one after another on one time axis.
        """
        ...

    def synapses(self, projection: str | Projection) -> SynapseValues:
        """The synapses of a projection as they are now: ends, delays, weights and, if they change, their states.

        Raises
        ------
        NetworkError
            There is no such projection.
        """
        ...

    def report(self) -> Report:
        """Memory, compile times and costs."""
        ...

    def source(self) -> str:
        """The generated code."""
        ...


class Target(Protocol):
    """Something that networks run on; constructed by the user with its options."""

    def compile(self, network: Network, dt: Quantity, *, progress: bool | Progress = True) -> Program:
        """Check and lower the network and build it for this target.

        Parameters
        ----------
        network : Network
        dt : Quantity
            Length of a step.
        progress : bool or Progress
            Where to show how far it is; True: in a terminal.

        Raises
        ------
        CheckError
            The network breaks rules, or asks for what this target cannot do; every problem is listed.
        """
        ...


@dataclass(frozen=True)
class Batch:
    """What a batch of runs gives.

    Attributes
    ----------
    counts : dict of str to int64 (samples, n)
        Events of each neuron inside ``window``, by population.
    steps : int
        Steps of one sample.
    window : (first, last)
        Steps of a sample that were counted, ``first <= step < last``.
    trace : Trace or None
        Everything recorded, if ``out`` was given: sample b runs from step ``b * steps``.
    """

    counts: Mapping[str, npt.NDArray[np.int64]]
    steps: int
    window: tuple[int, int]
    trace: Trace | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(self.counts.values()))) if self.counts else 0

    def predictions(self, population: str) -> npt.NDArray[np.intp]:
        """Neuron of ``population`` with most events, for each sample (the lowest index of equals), shape (samples,)."""
        if population not in self.counts:
            have = ", ".join(self.counts) or "none"
            raise TargetError(f"events of {population!r} were not counted; counted populations: {have}")
        best: npt.NDArray[np.intp] = np.argmax(self.counts[population], axis=1)
        return best


def check_choice(target: object, name: str, *allowed: object) -> None:
    """Refuse an option of a target that is none of those allowed.

    Raises
    ------
    TargetError
    """
    value = getattr(target, name)
    if value not in allowed:
        *most, last = map(repr, allowed)
        kind, choices = type(target).__name__, f"{', '.join(most)} or {last}"
        raise TargetError(f"{kind}: {name} is {value!r}; it can be {choices}", **{name: value})


def check_weights(target: object, name: str = "weights") -> None:
    """Refuse a target's ``weights`` if they are neither a way to store weights nor a mapping of projections to such.

    Raises
    ------
    TargetError
    """
    from neuromorph.network.quantise import NARROW

    value = getattr(target, name)
    if not isinstance(value, Mapping):
        check_choice(target, name, None, *NARROW)
        return
    for projection, how in value.items():
        if how not in NARROW:
            raise TargetError(
                f"{type(target).__name__}: {name} of projection {projection} are {how!r}; they can be "
                f"{', '.join(NARROW)}; a projection that is not named keeps its own",
                **{name: value},
            )


def seconds_of(time: Quantity, subject: str) -> float:
    """A time in seconds. Plain numbers are refused: other simulators take them as milliseconds.

    Raises
    ------
    TargetError
        ``time`` has no unit, or is the language's symbol for the step.
    UnitError
        ``time`` is a quantity of another dimension.
    """
    from neuromorph.language import Expr
    from neuromorph.units import second, si_value

    if isinstance(time, int | float | np.number):
        raise TargetError(f"{subject} {time} has no unit; write a time, e.g. {time} * ms")
    if isinstance(time, Expr):
        raise TargetError(f"{subject} is {time!r}, a symbol for equations; write a time, e.g. 0.1 * ms")
    return float(si_value(time, second.dim, subject))


def step_seconds(dt: Quantity) -> float:
    """Length of a step in seconds, checked to be positive.

    Raises
    ------
    UnitError, TargetError
    """
    seconds = seconds_of(dt, "dt")
    if not (seconds > 0.0 and np.isfinite(seconds)):
        raise TargetError(f"dt is {seconds} s; a step must be longer than 0 and finite, e.g. 1 * ms", dt=seconds)
    return seconds


def duration_steps(duration: Quantity | int, dt: float) -> int:
    """Number of steps in ``duration``: an int as it is, a time rounded to whole steps of ``dt`` seconds.

    Raises
    ------
    TargetError
        Negative, not finite, 2**63 steps or more, a float without a unit, or a time of less than half a step.
    UnitError
        A quantity that is not a time.
    """
    if isinstance(duration, (int, np.integer)) and not isinstance(duration, bool):
        if not 0 <= duration < 2**63:
            raise TargetError(
                f"duration is {duration} steps; it must not be negative, and less than 2**63", duration=int(duration)
            )
        return int(duration)
    if isinstance(duration, (bool, float, np.floating)):
        raise TargetError(
            f"duration {duration!r} has no unit; write a time, e.g. {duration} * second, or a whole number of steps",
            duration=duration,
        )
    seconds = seconds_of(duration, "duration")
    if not (seconds >= 0.0 and np.isfinite(seconds)):
        raise TargetError(f"duration is {seconds} s; it must be finite and not negative", duration=seconds)
    steps = round(seconds / dt)
    if steps >= 2**63:
        raise TargetError(f"duration {seconds} s is 2**63 steps of {dt} s or more", duration=seconds, dt=dt)
    if steps == 0 and seconds > 0.0:
        raise TargetError(f"duration {seconds} s is less than half a step of {dt} s", duration=seconds, dt=dt)
    return steps


def checkpoint_steps(path: object, every: Quantity | int | None, dt: float) -> int | None:
    """Steps between two checkpoints of a run; None: only at its end.

    Raises
    ------
    TargetError
        ``every`` without a path, or not at least one step.
    """
    if every is None:
        return None
    if path is None:
        raise TargetError(f"every={every!r}, and nowhere to write checkpoints; give run(..., checkpoint=path) too")
    steps = duration_steps(every, dt)
    if steps == 0:
        raise TargetError("every=0: write a checkpoint after at least one step")
    return steps


def check_window(window: Sequence[int] | None, steps: int) -> tuple[int, int]:
    """The window of steps to count, ``(0, steps)`` by default.

    Raises
    ------
    TargetError
        Not ``0 <= first < last <= steps``.
    """
    if window is None:
        return 0, steps
    first, last = (int(bound) for bound in window)
    if not 0 <= first <= last <= steps:
        raise TargetError(
            f"window ({first}, {last}) is not inside a sample of {steps} steps: it needs 0 <= first <= last <= {steps}",
            window=(first, last),
            steps=steps,
        )
    return first, last
