"""Filling Brian 2's monitors with what a run recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.brian2.device.synapses import sees_the_step
from neuromorph.interchange.brian2.samples import is_late, sampled, seen_by
from neuromorph.interchange.brian2.schedule import Schedule
from neuromorph.interchange.brian2.walk import whole

Array = npt.NDArray[Any]

KINDS = ("SpikeMonitor", "EventMonitor", "StateMonitor", "PopulationRateMonitor")


@dataclass(frozen=True)
class Recorded:
    """What one stretch of a run brought, by group.

    Attributes
    ----------
    first, last : int
        Its first step, and the one after its last.
    begin, end : int
        The same of the whole run. The last stretch is the step after the run, which shows what the run left.
    schedule : Schedule
    leaving : mapping of str to str or None
        The event that leaves each group: a step of ours ends with its threshold.
    delay : function of a group's name and an event's
        Steps from the event to our knowing of it.
    events : function of a group's name and an event's
        (steps, ids), ordered by step, also of the step before the first.
    rows : function of a group's name and a state
        (last - first, neurons).
    synapses : function of a monitor of synapses and a variable
        (1 + last - first, synapses): before the first step, and after each.
    """

    first: int
    last: int
    begin: int
    end: int
    schedule: Schedule
    leaving: Mapping[str, str | None]
    delay: Callable[[str, str], int]
    events: Callable[[str, str], tuple[Array, Array]]
    rows: Callable[[str, str], Array]
    synapses: Callable[[Any, str], Array]

    def steps(self, late: bool) -> tuple[int, int]:
        """The steps that can be shown now; what they leave is seen one step later."""
        return max(self.first - late, self.begin), min(self.last - late, self.end)

    def is_late(self, acting: Any, group: Any) -> bool:
        """Whether what acts, or looks, in its place of a step is seen one step later."""
        return is_late(self.schedule.position(acting), group, self.schedule, self.leaving.get(group.name, "spike"))

    def is_behind(self, monitor: Any, group: Any, event: str) -> bool:
        """Whether a monitor looks before the event's threshold, so that it sees those of the step before.

        Brian 2 lets monitors of events of a subgroup do so, unless told otherwise.
        """
        threshold = (getattr(group, "thresholder", None) or {}).get(event)
        return threshold is not None and self.schedule.position(monitor) < self.schedule.position(threshold)

    def happened(self, source: Any, event: str, late: bool = False, behind: bool = False) -> tuple[Array, Array]:
        """Steps and neurons of the events of a group or a part of it, as they are seen."""
        steps, ids = self.events(whole(source).name, event)
        low, high = self.steps(late)
        steps = steps + behind
        start, stop = bounds(source)
        chosen = (steps >= low) & (steps < high) & (ids >= start) & (ids < stop)
        return steps[chosen], ids[chosen]


def bounds(source: Any) -> tuple[int, int]:
    """First neuron of a group or a part of it in the whole group, and the one after its last."""
    return int(getattr(source, "start", 0)), int(getattr(source, "stop", len(source)))


def recordable(monitor: Any) -> list[str]:
    """States of the monitor's group that have to be recorded for it."""
    return [sampled(monitor, variable) for variable in _variables(monitor)]


def fill(monitors: Iterable[Any], recorded: Recorded) -> None:
    """Append what was recorded to each monitor."""
    for monitor in monitors:
        _FILL[type(monitor).__name__](monitor, recorded)


def _fill_spikes(monitor: Any, recorded: Recorded) -> None:
    group, extra, event = whole(monitor.source), _variables(monitor), str(monitor.event)
    behind = recorded.is_behind(monitor, group, event)
    late = recorded.is_late(monitor, group) if extra else recorded.delay(group.name, event) > behind
    steps, ids = recorded.happened(monitor.source, event, late, behind)
    if not len(ids):
        return
    start = bounds(monitor.source)[0]
    before = _lengthen(monitor, len(ids))
    np.add.at(monitor.variables["count"].get_value(), ids - start, 1)
    columns: dict[str, Array] = {"t": _times(monitor, steps, recorded), "i": ids - start}
    for name in extra:
        columns[name] = recorded.rows(group.name, sampled(monitor, name))[steps - recorded.first + late, ids]
    for name in monitor.record_variables:
        monitor.variables[name].get_value()[before:] = columns[name]


def _fill_states(monitor: Any, recorded: Recorded) -> None:
    if type(monitor.source).__name__ == "Synapses":
        _fill_synapses(monitor, recorded)
        return
    group = whole(monitor.source)
    late = recorded.is_late(monitor, group)
    steps = _steps(monitor, recorded, late)
    before = len(monitor.variables["t"].get_value())
    monitor.resize(before + len(steps))
    monitor.variables["t"].get_value()[before:] = _times(monitor, steps, recorded)
    columns = np.asarray(monitor.record, np.int64) + bounds(monitor.source)[0]
    at = np.ix_(steps - recorded.first + late, columns)
    for name in monitor.record_variables:
        monitor.variables[name].get_value()[before:] = recorded.rows(group.name, sampled(monitor, name))[at]


def _fill_synapses(monitor: Any, recorded: Recorded) -> None:
    steps = _steps(monitor, recorded, late=False)
    before = len(monitor.variables["t"].get_value())
    monitor.resize(before + len(steps))
    monitor.variables["t"].get_value()[before:] = _times(monitor, steps, recorded)
    at = steps - recorded.first + sees_the_step(monitor, recorded.schedule)
    for name in monitor.record_variables if len(steps) else ():
        monitor.variables[name].get_value()[before:] = recorded.synapses(monitor, name)[at]


def _fill_rate(monitor: Any, recorded: Recorded) -> None:
    low, high = recorded.steps(late=False)
    steps = _steps(monitor, recorded, late=False)
    start, stop = bounds(monitor.source)
    counts = np.bincount(recorded.happened(monitor.source, "spike")[0] - low, minlength=max(high - low, 0))
    before = _lengthen(monitor, len(steps))
    monitor.variables["t"].get_value()[before:] = _times(monitor, steps, recorded)
    rates = 1.0 * counts[steps - low] / float(monitor.clock.dt_) / (stop - start)
    monitor.variables["rate"].get_value()[before:] = rates


def _steps(monitor: Any, recorded: Recorded, late: bool) -> Array:
    """The steps in which the monitor's clock ticks, of those that can be shown."""
    low, high = recorded.steps(late)
    every = recorded.schedule.every(monitor)
    return np.arange(-(-low // every) * every, high, every)


def _times(monitor: Any, steps: Array, recorded: Recorded) -> Array:
    """What the monitor's clock says in these steps, to the last bit."""
    return np.asarray((steps // recorded.schedule.every(monitor)) * float(monitor.clock.dt_))


def _lengthen(monitor: Any, more: int) -> int:
    """Make room for so many more entries; how many there were."""
    count = monitor.variables["N"]
    before = int(count.get_value().item())
    monitor.resize(before + more)
    count.set_value(before + more)
    return before


_FILL: Mapping[str, Callable[[Any, Recorded], None]] = {
    "SpikeMonitor": _fill_spikes,
    "EventMonitor": _fill_spikes,
    "StateMonitor": _fill_states,
    "PopulationRateMonitor": _fill_rate,
}


def _variables(monitor: Any) -> tuple[str, ...]:
    return seen_by(monitor) if hasattr(monitor, "record_variables") else ()
