"""What a stretch of a run on Brian 2's device recorded, as its monitors want it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.brian2.device import synapses as synapses_of
from neuromorph.interchange.brian2.device.monitors import Recorded
from neuromorph.interchange.brian2.device.task import Task
from neuromorph.interchange.brian2.moment import fired
from neuromorph.interchange.brian2.samples import is_late
from neuromorph.interchange.brian2.schedule import Schedule

if TYPE_CHECKING:
    from neuromorph.trace import Trace

Array = npt.NDArray[Any]


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
        state = synapses_of.state_of(monitor, variable, self.notes.schedule)
        found = self.trace.state(name, state, ids=synapses_of.columns(monitor, self.notes.orders[name])).data
        if state != variable:  # it was kept within each step, so each row is already what the monitor saw in it
            return np.concatenate([found, found[-1:]])
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

    def happened(self, step: int, group: str) -> dict[str, Array]:
        """Neurons of each event of a group in the step before the stretch, which is ``step``."""
        found = {}
        for event in getattr(self.notes.groups[group], "events", {"spike": ""}):
            shown = (group, fired(event)) in self.trace.recorded_states
            if shown or (event == self.notes.leaving[group] and group in self.trace.recorded_events):
                steps, ids = self.events(step + 1, group, event)
                found[event] = ids[steps == step]
        return found

    def last(self, watching: list[Any], step: int) -> Before:
        """What the stretch, which ended with this step, is for the next one."""
        kinds = [(name, self.notes.leaving.get(name) or "spike") for name in self.trace.recorded_events]
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


def happened_before(groups: Mapping[str, Any], step: int) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Events of the step before a run, as Brian 2's groups show them, by group and event."""
    found = {}
    for name, group in groups.items():
        for event in getattr(group, "events", {"spike": ""}):
            space = np.asarray(group.variables[f"_{event}space"].get_value())
            ids = space[: space[-1]].copy()
            found[name, event] = np.full(len(ids), step - 1), ids
    return found


def looked_at(watching: list[Any], synapses: Mapping[str, Any]) -> dict[tuple[str, str], Array]:
    """What monitors of synapses see before a run."""
    return {
        (monitor.name, variable): synapses_of.now(synapses[monitor.source.name], monitor, variable)
        for monitor in watching
        if monitor.source.name in synapses
        for variable in monitor.record_variables
        if not hasattr(monitor.source.variables[variable], "expr")  # subexpressions are kept within each step
    }
