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

from neuromorph.engine.interrupt import deferred_interrupt
from neuromorph.errors import CheckError
from neuromorph.interchange.brian2 import device_monitors as monitors_of
from neuromorph.interchange.brian2 import device_synapses as synapses_of
from neuromorph.interchange.brian2.build import take_in
from neuromorph.interchange.brian2.device_groups import carry_over, check_idle, prepared, write_back
from neuromorph.interchange.brian2.device_monitors import KINDS, Recorded
from neuromorph.interchange.brian2.device_probes import leaving
from neuromorph.interchange.brian2.device_reuse import Made, made, made_again
from neuromorph.interchange.brian2.moment import fired
from neuromorph.interchange.brian2.samples import is_late
from neuromorph.interchange.brian2.schedule import Schedule
from neuromorph.interchange.brian2.walk import SPIKE_SOURCES, whole
from neuromorph.language import Neuron
from neuromorph.units import second

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import Checkpoint, PopulationState
    from neuromorph.engine.target import Program, Target
    from neuromorph.interchange.brian2.device_chance import Stream
    from neuromorph.network import Network
    from neuromorph.trace import Trace

Array = npt.NDArray[Any]
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
class Ended:
    """How a run ended.

    Attributes
    ----------
    step : int
        The next step.
    interrupted : bool
        Somebody pressed Ctrl-C.
    """

    step: int
    interrupted: bool


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
    carried : Carried or None
    stream : Stream or None
        Of the random numbers of the last run.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.carried: Carried | None = None
        self.stream: Stream | None = None
        self._made: Made | None = None

    @property
    def program(self) -> Program | None:
        """That of the last run."""
        return None if self._made is None else self._made.program

    def run(self, task: Task, pace: Pace) -> Ended:
        """Run to ``task.last``, unless `pace` stops it or somebody presses Ctrl-C.

        Whatever ends it, Brian 2's variables and monitors are then as far as the run came.

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        """
        watching = [o for o in task.objects if type(o).__name__ in KINDS and o.active]
        network, orders = self._network(task, watching)
        synapses = {o.name: o for o in task.objects if o.name in orders}
        groups = {o.name: o for o in task.objects if _holds_neurons(o)}
        notes = Notes(orders, {name: _leaving(network[name], task.objects) for name in groups}, groups, task.schedule)
        program = self._compiled(network, task.dt)
        program.restore(self._start(program.state(), task, groups))
        step = task.first
        before = Before({}, _looked_at(watching, synapses))
        most = max(ROW_BYTES // max(8 * sum(network.populations[r.population].size for r in network.recordings), 1), 1)
        with deferred_interrupt() as pressed:
            stopped = False
            while step < task.last and not (stopped or pressed()):
                if not (steps := pace(step, min(most, task.last - step))):
                    break
                trace, stopped = _run(program, steps)
                done = trace.meta.steps
                if done:
                    seen = Seen(trace, notes, before)
                    monitors_of.fill(watching, seen.recorded(task, step, step + done, task.last))
                    before, step = seen.last(watching, step + done - 1), step + done
            state = program.state()
            seen = Seen(_run(program, 1)[0], notes, before)
            monitors_of.fill(watching, seen.recorded(task, step, step + 1, step))
            after = program.state()
            for name, group in groups.items():
                write_back(group, state.populations[name], after.populations[name])
            for name, changing in synapses.items():
                synapses_of.write_back(changing, orders[name], state.plastic[name])
            self.carried = Carried(state, task.dt)
        return Ended(step, step < task.last and (stopped or pressed()))

    def _compiled(self, network: Network, dt: float) -> Program:
        """A program of a network: the last one, if its code is the same."""
        again = None if self._made is None else made_again(self._made, network, dt)
        self._made = again or made(self.target.compile(network, dt * second), network, dt)
        return self._made.program

    def _network(self, task: Task, watching: list[Any]) -> tuple[Network, Mapping[str, Array]]:
        """Our network, recording what monitors want, and the orders of its synapses."""
        kept = [o for o in task.objects if _holds_neurons(o) or (o.active and not synapses_of.shows_constants(o))]
        given = SimpleNamespace(objects=kept, schedule=task.schedule.slots)
        imported = take_in(given, task.namespace, task.seed, "brian2", prepared, lambda group: (), task.first)
        made, orders = imported.network, imported.orders
        problems = []
        for monitor in watching:
            source = whole(monitor.source).name
            if synapses_of.shows_constants(monitor):
                continue
            if type(monitor.source).__name__ == "Synapses":
                columns = synapses_of.columns(monitor, orders[source])
                projection = next(p for p in made.projections if p.name == source)
                others = [r.indices for r in made.synapse_recordings if r.projection == projection.index]
                every = np.concatenate([columns, *(i for i in others if i is not None)])
                made.record(projection, *monitor.record_variables, indices=every)
                continue
            population = made[source]
            made.record(population, *monitors_of.recordable(monitor))
            if not isinstance(population.neuron, Neuron) or type(monitor).__name__ == "StateMonitor":
                continue
            event = str(getattr(monitor, "event", "spike"))
            if event != _leaving(population, task.objects):
                known = {state.name for state in population.neuron.states}
                if fired(event) in known:
                    made.record(population, fired(event))
                else:
                    problems.append(f"{monitor.name}: it watches {event}, which {population.name} does not show")
        if problems:
            raise CheckError("this Brian 2 network cannot run here", problems)
        return made, orders

    def _start(self, fresh: Checkpoint, task: Task, groups: Mapping[str, Any]) -> Checkpoint:
        """The state of a new program, with what the last run left on its way."""
        carried = self.carried
        old: Mapping[str, PopulationState] = {}
        problems: list[str] = []
        populations = dict(fresh.populations)
        plastic: Mapping[str, Mapping[str, Array]] = {}
        if carried is not None and carried.dt != task.dt:
            problems = check_idle(carried.state, carried.dt, task.dt)
        elif carried is not None:
            old, plastic = carried.state.populations, carried.state.plastic
            if carried.state.step != task.first:
                problems.append(
                    f"its last run ended before step {carried.state.step}, the next begins with {task.first}: go on "
                    "from there, or restore() what was stored"
                )
            for name, group in groups.items():
                populations[name], lost = carry_over(group, fresh.populations[name], old.get(name))
                problems += lost
        synapses = {}
        for name, arrays in fresh.plastic.items():
            synapses[name], unknown = synapses_of.carry_on(name, arrays, plastic.get(name), task.first)
            problems += unknown
        if problems:
            raise CheckError("this Brian 2 network cannot go on", problems)
        return replace(fresh, step=task.first, populations=populations, plastic=synapses)


@dataclass(frozen=True)
class Before:
    """What was before a stretch of a run.

    Attributes
    ----------
    events : mapping of (group, event) to (steps, neurons)
        Of the step before.
    synapses : mapping of (monitor, variable) to (1, synapses)
        What monitors of synapses would see at its beginning.
    """

    events: Mapping[tuple[str, str], tuple[Array, Array]]
    synapses: Mapping[tuple[str, str], Array]


@dataclass(frozen=True)
class Notes:
    """What one has to know to read what a run recorded.

    Attributes
    ----------
    orders : mapping of str to int array
        Numbers in Brian 2 of the synapses of each projection.
    leaving : mapping of str to str or None
        The event that leaves each group.
    groups : mapping of str to group
        Brian 2's.
    schedule : Schedule
    """

    orders: Mapping[str, Array]
    leaving: Mapping[str, str | None]
    groups: Mapping[str, Any]
    schedule: Schedule

    def delay(self, group: str, event: str) -> int:
        """Steps from an event to our knowing of it: 1 if its threshold follows that of the event that leaves."""
        threshold = (getattr(self.groups[group], "thresholder", None) or {}).get(event)
        known = self.leaving[group]
        if threshold is None or event == known:
            return 0
        return int(is_late(self.schedule.position(threshold), self.groups[group], self.schedule, known))


@dataclass(frozen=True)
class Seen:
    """What a stretch of a run has recorded.

    Attributes
    ----------
    trace : Trace
    notes : Notes
    before : Before
    """

    trace: Trace
    notes: Notes
    before: Before

    def recorded(self, task: Task, first: int, last: int, end: int) -> Recorded:
        """The same as monitors want it."""
        stretch = (first, last, task.first, end, self.notes.schedule, self.notes.leaving)
        return Recorded(*stretch, self.notes.delay, partial(self.events, first), self.rows, self.synapses)

    def rows(self, group: str, state: str) -> Array:
        """A state of a group, (steps, neurons)."""
        return self.trace.state(group, state).data

    def synapses(self, monitor: Any, variable: str) -> Array:
        """What a monitor of synapses sees, (1 + steps, synapses): before the stretch, and after each of its steps."""
        name = monitor.source.name
        if synapses_of.shows_constants(monitor):
            return np.repeat(synapses_of.now(monitor.source, monitor, variable), 1 + self.trace.meta.steps, axis=0)
        found = self.trace.state(name, variable, ids=synapses_of.columns(monitor, self.notes.orders[name])).data
        return np.concatenate([self.before.synapses[monitor.name, variable], found])

    def events(self, first: int, group: str, event: str) -> tuple[Array, Array]:
        """Steps and neurons of an event, the step before the stretch included."""
        if (group, fired(event)) in self.trace.recorded_states:
            steps, ids = np.nonzero(self.rows(group, fired(event)))
            steps = steps + first - self.notes.delay(group, event)
        else:
            found = self.trace.events(group)
            assert found.steps is not None  # the trace is our own
            steps, ids = found.steps, found.ids
        old = self.before.events.get((group, event))
        return (steps, ids) if old is None else (np.concatenate([old[0], steps]), np.concatenate([old[1], ids]))

    def last(self, watching: list[Any], step: int) -> Before:
        """What the stretch, which ended with this step, is for the next one."""
        kinds = [(name, "spike") for name in self.trace.recorded_events]
        kinds += [(n, s.removesuffix("_fired")) for n, s in self.trace.recorded_states if s.endswith("_fired")]
        found = {}
        for name, event in kinds:
            steps, ids = self.events(step + 1 - self.trace.meta.steps, name, event)
            found[name, event] = steps[steps == step], ids[steps == step]
        synapses = {
            (monitor.name, variable): self.synapses(monitor, variable)[-1:]
            for monitor in watching
            if type(monitor.source).__name__ == "Synapses"
            for variable in monitor.record_variables
        }
        return Before(found, synapses)


def _run(program: Program, steps: int) -> tuple[Trace, bool]:
    """What so many steps recorded, or as many as there were until Ctrl-C, and whether it was pressed."""
    try:
        return program.run(steps, progress=False), False
    except KeyboardInterrupt:
        if program.last_trace is None:
            raise
        return program.last_trace, True


def _leaving(population: Any, objects: tuple[Any, ...]) -> str | None:
    """The event of Brian 2's group that leaves a population."""
    group = next((o for o in objects if o.name == population.name), None)
    known = isinstance(population.neuron, Neuron) and hasattr(group, "events")
    return leaving(population.neuron, group) if known else "spike"


def _looked_at(watching: list[Any], synapses: Mapping[str, Any]) -> dict[tuple[str, str], Array]:
    """What monitors of synapses see before a run."""
    return {
        (monitor.name, variable): synapses_of.now(synapses[monitor.source.name], monitor, variable)
        for monitor in watching
        if monitor.source.name in synapses
        for variable in monitor.record_variables
    }


def _holds_neurons(thing: Any) -> bool:
    return type(thing).__name__ in SPIKE_SOURCES
