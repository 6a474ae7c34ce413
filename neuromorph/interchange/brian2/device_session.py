"""The runs of one Brian 2 network on one of our targets, one after the other.

Before a run the network is taken in as Brian 2 holds it at that moment, so whatever a script changed between two runs
counts. What Brian 2 does not hold goes from run to run in a checkpoint: events on their way, refractory neurons.
After a run one more step is made and forgotten, which shows what the arrivals at its start have added: in Brian 2 they
belong to the run's last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError
from neuromorph.interchange.brian2 import device_monitors as monitors_of
from neuromorph.interchange.brian2.build import take_in
from neuromorph.interchange.brian2.device_groups import carry_over, check_idle, constant, prepared, shown, write_back
from neuromorph.interchange.brian2.device_monitors import KINDS, Recorded
from neuromorph.interchange.brian2.device_probes import silent, with_probes
from neuromorph.interchange.brian2.walk import SCHEDULE, SPIKE_SOURCES
from neuromorph.language import Neuron
from neuromorph.units import second

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import Checkpoint
    from neuromorph.engine.target import Program, Target
    from neuromorph.network import Network
    from neuromorph.trace import Trace

Array = npt.NDArray[Any]
Spikes = Mapping[str, tuple[Array, Array]]
"""Steps and neurons by group."""
ROW_BYTES = 1 << 26
"""Bytes of recorded rows after which monitors are filled."""
Pace = Callable[[int, int], int]
"""Given the next step and how many may be run in one go, how many shall be; 0 to stop."""


@dataclass(frozen=True)
class Task:
    """One run.

    Attributes
    ----------
    objects : tuple
        Brian 2's objects, without those inside of others.
    schedule : list of str
    namespace : mapping
    first, last : int
        Its first step, and the one after its last.
    dt : float
        Seconds.
    seed : int
    """

    objects: tuple[Any, ...]
    schedule: list[str]
    namespace: Mapping[str, Any]
    first: int
    last: int
    dt: float
    seed: int


@dataclass(frozen=True)
class Carried:
    """What goes from one run to the next: the program's state after the last step, and the step's length."""

    state: Checkpoint
    dt: float


class Session:
    """A Brian 2 network and what its last run left.

    Parameters
    ----------
    target : Target

    Attributes
    ----------
    program : Program or None
        Of the last run.
    carried : Carried or None
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.program: Program | None = None
        self.carried: Carried | None = None

    def run(self, task: Task, pace: Pace) -> int:
        """Run; the next step, which is ``task.last`` unless `pace` stopped it.

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        """
        watching = [o for o in task.objects if type(o).__name__ in KINDS and o.active]
        network, groups = self._network(task, watching)
        self.program = program = self.target.compile(network, task.dt * second)
        program.restore(self._start(program.state(), task, groups))
        step = task.first
        spikes: Spikes = {}
        most = max(ROW_BYTES // max(8 * sum(network.populations[r.population].size for r in network.recordings), 1), 1)
        while step < task.last and (steps := pace(step, min(most, task.last - step))):
            trace = program.run(steps, progress=False)
            recorded = _recorded(trace, task, (step, step + steps, task.last), spikes, groups)
            monitors_of.fill(watching, recorded)
            spikes = {name: _last(recorded.events(name), step + steps - 1) for name in trace.recorded_events}
            step += steps
        state = program.state()
        trace = program.run(1, progress=False)
        monitors_of.fill(watching, _recorded(trace, task, (step, step + 1, step), spikes, groups))
        after = program.state()
        for name, group in groups.items():
            neuron = network[name].neuron
            if isinstance(neuron, Neuron):
                write_back(group, neuron, task.dt, state.populations[name], after.populations[name])
        self.carried = Carried(state, task.dt)
        return step

    def _network(self, task: Task, watching: list[Any]) -> tuple[Network, dict[str, Any]]:
        """Our network with probes, recording what monitors want, and Brian 2's groups by name."""
        problems = monitors_of.problems(watching)
        if task.schedule != SCHEDULE:
            problems.append(f"its schedule is {task.schedule}, expected {SCHEDULE}")
        objects = [o for o in task.objects if type(o).__name__ not in KINDS and (o.active or _holds_neurons(o))]
        groups: dict[str, Any] = {}
        looks = {}

        def amend(group: Any, neuron: Neuron) -> Neuron:
            looks[group.name] = monitors_of.looks(group, watching)
            moving = prepared(group, neuron if group.active else silent(neuron), task.dt)
            return with_probes(moving, looks[group.name])

        def settle(group: Any) -> Iterable[str]:
            return monitors_of.looks(group, watching).now

        try:
            made = take_in(
                objects, task.namespace, task.seed, "brian2", amend, lambda g: monitors_of.looks(g, watching).now
            )
        except CheckError as error:
            problems = [*error.problems, *problems]
        if problems:
            raise CheckError("this Brian 2 network cannot run here", problems)
        for thing in objects:
            if any(p.name == thing.name for p in made.populations):
                groups[thing.name] = thing
        for name, look in looks.items():
            population = made[name]
            known = {state.name for state in population.neuron.states}
            made.record(population, *(probe for probe in look.probes if probe in known))
        return made, groups

    def _start(self, fresh: Checkpoint, task: Task, groups: Mapping[str, Any]) -> Checkpoint:
        """The state of a new program, with what the last run left on its way."""
        carried = self.carried
        if carried is None:
            return replace(fresh, step=task.first)
        if carried.dt != task.dt:
            problems = check_idle(carried.state, carried.dt, task.dt)
            populations = dict(fresh.populations)
        else:
            old, problems, populations = carried.state.populations, [], {}
            for name, state in fresh.populations.items():
                if name not in groups:  # what an array over time sends
                    populations[name] = state
                    continue
                populations[name], lost = carry_over(groups[name], state, old.get(name))
                problems += lost
        if problems:
            raise CheckError("this Brian 2 network cannot go on", problems)
        return replace(fresh, step=task.first, populations=populations)


def _recorded(
    trace: Trace, task: Task, steps: tuple[int, int, int], spikes: Spikes, groups: Mapping[str, Any]
) -> Recorded:
    known = set(trace.recorded_states)

    def rows(name: str, probe: str, variable: str) -> Array | None:
        if (name, probe) not in known:
            return None
        return shown(groups[name].variables[variable], variable, trace.state(name, probe).data, task.dt)

    def events(name: str) -> tuple[Array, Array]:
        found = trace.events(name)
        assert found.steps is not None  # the trace is our own
        before = spikes.get(name, (found.steps[:0], found.ids[:0]))
        return np.concatenate([before[0], found.steps]), np.concatenate([before[1], found.ids])

    def fixed(group: Any, name: str) -> Array:
        return constant(group, name, task.namespace)

    first, last, end = steps
    return Recorded(first, last, task.first, end, task.dt, events, rows, fixed)


def _last(events: tuple[Array, Array], step: int) -> tuple[Array, Array]:
    chosen = events[0] == step
    return events[0][chosen], events[1][chosen]


def _holds_neurons(thing: Any) -> bool:
    return type(thing).__name__ in SPIKE_SOURCES
