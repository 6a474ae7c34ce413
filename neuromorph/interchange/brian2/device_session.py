"""The runs of one Brian 2 network on one of our targets, one after the other.

Before a run the network is taken in as Brian 2 holds it at that moment, so whatever a script changed between two runs
counts. What Brian 2 does not hold goes from run to run in a checkpoint: events on their way, refractory neurons.
After a run one more step is made and forgotten, which shows what the arrivals at its start have added: in Brian 2 they
belong to the run's last step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError
from neuromorph.interchange.brian2 import device_monitors as monitors_of
from neuromorph.interchange.brian2.build import take_in
from neuromorph.interchange.brian2.device_groups import carry_over, check_idle, prepared, write_back
from neuromorph.interchange.brian2.device_monitors import KINDS, Recorded
from neuromorph.interchange.brian2.device_probes import leaving
from neuromorph.interchange.brian2.moment import fired
from neuromorph.interchange.brian2.schedule import Schedule
from neuromorph.interchange.brian2.walk import SPIKE_SOURCES, whole
from neuromorph.language import Neuron
from neuromorph.units import second

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import Checkpoint
    from neuromorph.engine.target import Program, Target
    from neuromorph.network import Network
    from neuromorph.trace import Trace

Array = npt.NDArray[Any]
Happened = Mapping[tuple[str, str], tuple[Array, Array]]
"""Steps and neurons by group and event."""
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
    schedule : Schedule
    namespace : mapping
    first, last : int
        Its first step, and the one after its last.
    seed : int
    """

    objects: tuple[Any, ...]
    schedule: Schedule
    namespace: Mapping[str, Any]
    first: int
    last: int
    seed: int

    @property
    def dt(self) -> float:
        """Length of a step in seconds."""
        return self.schedule.dt


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
        network = self._network(task, watching)
        groups = {o.name: o for o in task.objects if _holds_neurons(o)}
        self.program = program = self.target.compile(network, task.dt * second)
        program.restore(self._start(program.state(), task, groups))
        step = task.first
        before: Happened = {}
        most = max(ROW_BYTES // max(8 * sum(network.populations[r.population].size for r in network.recordings), 1), 1)
        while step < task.last and (steps := pace(step, min(most, task.last - step))):
            seen = Seen(program.run(steps, progress=False), network, before)
            monitors_of.fill(watching, seen.recorded(task, step, step + steps, task.last))
            before, step = seen.last(step + steps - 1), step + steps
        state = program.state()
        seen = Seen(program.run(1, progress=False), network, before)
        monitors_of.fill(watching, seen.recorded(task, step, step + 1, step))
        after = program.state()
        for name, group in groups.items():
            write_back(group, state.populations[name], after.populations[name])
        self.carried = Carried(state, task.dt)
        return step

    def _network(self, task: Task, watching: list[Any]) -> Network:
        """Our network, recording what monitors want."""
        kept = [o for o in task.objects if o.active or _holds_neurons(o)]
        given = SimpleNamespace(objects=kept, schedule=task.schedule.slots)
        made = take_in(given, task.namespace, task.seed, "brian2", prepared, lambda group: ())
        problems = []
        for monitor in watching:
            population = made[whole(monitor.source).name]
            made.record(population, *monitors_of.recordable(monitor))
            if not isinstance(population.neuron, Neuron) or type(monitor).__name__ == "StateMonitor":
                continue
            event = str(getattr(monitor, "event", "spike"))
            if event != leaving(population.neuron, whole(monitor.source)):
                known = {state.name for state in population.neuron.states}
                if fired(event) in known:
                    made.record(population, fired(event))
                else:
                    problems.append(f"{monitor.name}: it watches {event}, which {population.name} does not show")
        if problems:
            raise CheckError("this Brian 2 network cannot run here", problems)
        return made

    def _start(self, fresh: Checkpoint, task: Task, groups: Mapping[str, Any]) -> Checkpoint:
        """The state of a new program, with what the last run left on its way."""
        carried = self.carried
        if carried is None:
            return replace(fresh, step=task.first)
        old, problems, populations = carried.state.populations, [], dict(fresh.populations)
        if carried.dt != task.dt:
            problems = check_idle(carried.state, carried.dt, task.dt)
        else:
            if carried.state.step != task.first:
                problems.append(
                    f"its last run ended before step {carried.state.step}, the next begins with {task.first}: go on "
                    "from there, or restore() what was stored"
                )
            for name, group in groups.items():
                populations[name], lost = carry_over(group, fresh.populations[name], old.get(name))
                problems += lost
        if problems:
            raise CheckError("this Brian 2 network cannot go on", problems)
        return replace(fresh, step=task.first, populations=populations)


@dataclass(frozen=True)
class Seen:
    """What a stretch of a run has recorded.

    Attributes
    ----------
    trace : Trace
    network : Network
    before : mapping
        Events of the step before the stretch.
    """

    trace: Trace
    network: Network
    before: Happened

    def recorded(self, task: Task, first: int, last: int, end: int) -> Recorded:
        """The same as monitors want it."""
        return Recorded(first, last, task.first, end, task.schedule, partial(self.events, first), self.rows)

    def rows(self, group: str, state: str) -> Array:
        """A state of a group, (steps, neurons)."""
        return self.trace.state(group, state).data

    def events(self, first: int, group: str, event: str) -> tuple[Array, Array]:
        """Steps and neurons of an event, the step before the stretch included."""
        if (group, fired(event)) in self.trace.recorded_states:
            steps, ids = np.nonzero(self.rows(group, fired(event)))
            steps = steps + first
        else:
            found = self.trace.events(group)
            assert found.steps is not None  # the trace is our own
            steps, ids = found.steps, found.ids
        old = self.before.get((group, event))
        return (steps, ids) if old is None else (np.concatenate([old[0], steps]), np.concatenate([old[1], ids]))

    def last(self, step: int) -> Happened:
        """Events of the last step."""
        kinds = [(name, "spike") for name in self.trace.recorded_events]
        kinds += [(n, s.removesuffix("_fired")) for n, s in self.trace.recorded_states if s.endswith("_fired")]
        found = {}
        first = step + 1 - self.trace.meta.steps
        for name, event in kinds:
            steps, ids = self.events(first, name, event)
            found[name, event] = steps[steps == step], ids[steps == step]
        return found


def _holds_neurons(thing: Any) -> bool:
    return type(thing).__name__ in SPIKE_SOURCES
