"""The runs of one Brian 2 network on one of our targets, one after the other.

Before a run the network is taken in as Brian 2 holds it at that moment, so whatever a script changed between two runs
counts. What Brian 2 does not hold goes from run to run in a checkpoint: events on their way, refractory neurons.
After a run one more step is made and forgotten, which shows what the arrivals at its start have added: in Brian 2 they
belong to the run's last step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.interrupt import deferred_interrupt
from neuromorph.errors import CheckError, CheckpointError
from neuromorph.interchange.brian2.build import take_in
from neuromorph.interchange.brian2.device import monitors as monitors_of
from neuromorph.interchange.brian2.device import synapses as synapses_of
from neuromorph.interchange.brian2.device.flight import Flight, flight_of, legs_of, redirected
from neuromorph.interchange.brian2.device.groups import carry_over, check_idle, prepared, show_events, write_back
from neuromorph.interchange.brian2.device.monitors import KINDS
from neuromorph.interchange.brian2.device.operations import is_operation
from neuromorph.interchange.brian2.device.probes import leaving
from neuromorph.interchange.brian2.device.reuse import Made, made, made_again
from neuromorph.interchange.brian2.device.seen import Before, Notes, Seen, happened_before, looked_at
from neuromorph.interchange.brian2.device.task import Ended, Task
from neuromorph.interchange.brian2.moment import fired
from neuromorph.interchange.brian2.walk import SPIKE_SOURCES, whole
from neuromorph.language import Neuron
from neuromorph.units import second

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import Checkpoint, PopulationState
    from neuromorph.engine.target import Program, Target
    from neuromorph.interchange.brian2.device.chance import Stream
    from neuromorph.network import Network
    from neuromorph.trace import Trace

Array = npt.NDArray[Any]
ROW_BYTES = 1 << 26
"""Bytes of what was recorded after which monitors are filled."""
Pace = Callable[[int, int], int]
"""Given the next step and how many may be run in one go, how many shall be; 0 to stop."""


@dataclass(frozen=True)
class Carried:
    """What goes from one run to the next.

    Attributes
    ----------
    state : Checkpoint
        The program's, after the last step.
    dt : float
        Length of its steps, in seconds.
    flight : Flight
        What was on its way.
    """

    state: Checkpoint
    dt: float
    flight: Flight


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
        self._stage: Stage | None = None
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
        stage = self._stage if task.still and self._stage is not None else self._begin(task)
        if task.still and self.carried is not None:
            stage.program.restore(self.carried.state)
        self._stage = stage
        program, notes, watching = stage.program, stage.notes, stage.watching
        groups, synapses = notes.groups, stage.synapses
        step = task.first
        before = Before(happened_before(groups, task.first), looked_at(watching, synapses))
        flight = None if self.carried is None or self.carried.dt != task.dt else self.carried.flight
        *legs, leg = legs_of(flight, program, task.objects, task.dt, step)
        most = max(ROW_BYTES // max(stage.row_bytes, 1), 1)
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
                    leg = leg.later(trace, step)
            state = program.state()
            seen = Seen(_run(program, 1)[0], notes, before)
            monitors_of.fill(watching, seen.recorded(task, step, step + 1, step))
            after = program.state()
            for name, group in groups.items():
                write_back(group, state.populations[name], after.populations[name])
                show_events(group, seen.happened(step - 1, name))
            for name, changing in synapses.items():
                synapses_of.write_back(changing, notes.orders[name], state.plastic[name])
            self.carried = Carried(state, task.dt, flight_of((*legs, leg), stage.network))
        return Ended(step, step < task.last and (stopped or pressed()))

    def _begin(self, task: Task) -> Stage:
        """Take the network in as it is now, with what the last run left on its way."""
        watching = [o for o in task.objects if type(o).__name__ in KINDS and o.active]
        network, orders = self._network(task, watching)
        groups = {o.name: o for o in task.objects if _holds_neurons(o)}
        notes = Notes(orders, {name: _leaving(network[name], task.objects) for name in groups}, groups, task.schedule)
        program = self._compiled(network, task.dt)
        try:
            program.restore(self._start(program, network, task, groups))
        except CheckpointError as error:
            problem = (
                f"{error}; delays are shorter now, so run on until the events have arrived that left with longer ones"
            )
            raise CheckError("this Brian 2 network cannot go on", [problem]) from error
        synapses = {o.name: o for o in task.objects if o.name in orders}
        row = 8 * sum(network.populations[r.population].size for r in network.recordings)
        row += sum(p.size for p in network.populations if p.record_events) // 4  # enough for 200 Hz in steps of 0.1 ms
        return Stage(program, network, notes, watching, synapses, row)

    def _compiled(self, network: Network, dt: float) -> Program:
        """A program of a network: the last one, if its code is the same."""
        before, self._made = self._made, None  # which has values of both if giving them fails
        again = None if before is None else made_again(before, network, dt)
        self._made = again or made(self.target.compile(network, dt * second), network, dt)
        return self._made.program

    def _network(self, task: Task, watching: list[Any]) -> tuple[Network, Mapping[str, Array]]:
        """Our network, recording what monitors want, and the orders of its synapses."""
        kept = [o for o in task.objects if _holds_neurons(o) or (o.active and _is_taken(o))]
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
                names = (synapses_of.state_of(monitor, v, task.schedule) for v in monitor.record_variables)
                made.record(projection, *names, indices=every)
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

    def _start(self, program: Program, network: Network, task: Task, groups: Mapping[str, Any]) -> Checkpoint:
        """The state of a new program, with what the last run left on its way."""
        carried, fresh = self.carried, program.state()
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
            old, unknown = redirected(carried.flight, old, network, program, task.first)
            problems += unknown
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
class Stage:
    """A network taken in and compiled.

    Attributes
    ----------
    program : Program
    network : Network
    notes : Notes
    watching : list of monitors
    synapses : mapping of str to Synapses
        Those that change.
    row_bytes : int
        Of what is recorded in a step.
    """

    program: Program
    network: Network
    notes: Notes
    watching: list[Any]
    synapses: Mapping[str, Any]
    row_bytes: int


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


def _is_taken(thing: Any) -> bool:
    return not is_operation(thing) and not synapses_of.shows_constants(thing)


def _holds_neurons(thing: Any) -> bool:
    return type(thing).__name__ in SPIKE_SOURCES
