"""Filling Brian 2's monitors with what a run recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.brian2.device_probes import Looks, spiking
from neuromorph.interchange.brian2.samples import between as now
from neuromorph.interchange.brian2.walk import whole

Array = npt.NDArray[Any]

BETWEEN = ("before_start", "start", "after_start", "before_groups")
"""Slots of a step in which a monitor sees what the step before has left."""
AFTER = ("before_end", "end", "after_end", "after_resets")
"""Slots in which it sees what this step leaves."""
AT_SPIKE = ("after_thresholds", "before_synapses", "thresholds")
"""Slots in which a spike monitor sees variables before the reset."""
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
    dt : float
        Seconds.
    events : function of a group's name
        (steps, ids), ordered by step, also of the step before the first.
    rows : function of a group's name, a probe and its variable
        (last - first, neurons); None if the neuron has no such probe.
    constant : function of a group and a variable's name
        Values of what never changes, of all neurons or one for all.
    """

    first: int
    last: int
    begin: int
    end: int
    dt: float
    events: Callable[[str], tuple[Array, Array]]
    rows: Callable[[str, str, str], Array | None]
    constant: Callable[[Any, str], Array]

    def steps(self, late: bool) -> tuple[int, int]:
        """The steps that can be shown now; what they leave is seen one step later."""
        return max(self.first - late, self.begin), min(self.last - late, self.end)

    def spikes(self, source: Any, late: bool = False) -> tuple[Array, Array]:
        """Steps and neurons of the spikes of a group or a part of it."""
        steps, ids = self.events(whole(source).name)
        low, high = self.steps(late)
        start, stop = bounds(source)
        chosen = (steps >= low) & (steps < high) & (ids >= start) & (ids < stop)
        return steps[chosen], ids[chosen]


def bounds(source: Any) -> tuple[int, int]:
    """First neuron of a group or a part of it in the whole group, and the one after its last."""
    return int(getattr(source, "start", 0)), int(getattr(source, "stop", len(source)))


def problems(monitors: Iterable[Any]) -> list[str]:
    """What monitors ask for that the device cannot show."""
    found = []
    for monitor in monitors:
        kind = type(monitor).__name__
        if kind == "StateMonitor" and type(monitor.source).__name__ not in ("NeuronGroup", "Subgroup", "PoissonGroup"):
            found.append(f"{monitor.name}: it watches {monitor.source.name}, a {type(monitor.source).__name__}")
        elif kind == "StateMonitor" and monitor.when not in (*BETWEEN, *AFTER):
            found.append(
                f"{monitor.name}: it samples in the slot {monitor.when!r} of a step; the device samples between steps: "
                f"{', '.join((*BETWEEN, *AFTER))}"
            )
        elif kind in ("SpikeMonitor", "EventMonitor"):
            if monitor.event != "spike":
                found.append(f"{monitor.name}: it watches the event {monitor.event}; there are spikes only")
            if _extra(monitor) and monitor.when not in (*AT_SPIKE, *AFTER):
                found.append(f"{monitor.name}: it looks at variables in the slot {monitor.when!r} of a step")
    return found


def looks(group: Any, monitors: Iterable[Any]) -> Looks:
    """What monitors look at in a group."""
    between: dict[str, None] = {}
    at_spike: dict[str, None] = {}
    for monitor in monitors:
        if whole(monitor.source).name != group.name:
            continue
        if type(monitor).__name__ == "StateMonitor":
            between |= dict.fromkeys(monitor.record_variables)
        elif type(monitor).__name__ != "PopulationRateMonitor":
            chosen = between if monitor.when in AFTER else at_spike
            chosen |= dict.fromkeys(_extra(monitor))
    return Looks(tuple(between), tuple(at_spike))


def fill(monitors: Iterable[Any], recorded: Recorded) -> None:
    """Append what was recorded to each monitor."""
    for monitor in monitors:
        _FILL[type(monitor).__name__](monitor, recorded)


def _fill_spikes(monitor: Any, recorded: Recorded) -> None:
    group, late = whole(monitor.source), bool(_extra(monitor)) and monitor.when in AFTER
    steps, ids = recorded.spikes(monitor.source, late)
    if not len(ids):
        return
    start = bounds(monitor.source)[0]
    before = _lengthen(monitor, len(ids))
    np.add.at(monitor.variables["count"].get_value(), ids - start, 1)
    columns: dict[str, Array] = {"t": _times(monitor, steps, recorded), "i": ids - start}
    for name in _extra(monitor):
        rows = recorded.rows(group.name, now(name) if late else spiking(name), name)
        if rows is None:
            columns[name] = _at(recorded.constant(group, name), ids)
        else:
            columns[name] = rows[steps - recorded.first + late, ids]
    for name in monitor.record_variables:
        monitor.variables[name].get_value()[before:] = columns[name]


def _fill_states(monitor: Any, recorded: Recorded) -> None:
    group, late = whole(monitor.source), monitor.when in AFTER
    every = _every(monitor, recorded)
    low, high = recorded.steps(late)
    steps = np.arange(-(-low // every) * every, high, every)
    before = len(monitor.variables["t"].get_value())
    monitor.resize(before + len(steps))
    times = _times(monitor, steps, recorded)
    monitor.variables["t"].get_value()[before:] = times
    columns = np.asarray(monitor.record, np.int64) + bounds(monitor.source)[0]
    for name in monitor.record_variables:
        rows = recorded.rows(group.name, now(name), name)
        if name == "t":
            values: Array = times[:, None]
        elif rows is None:
            values = _at(recorded.constant(group, name), columns)
        else:
            values = rows[np.ix_(steps - recorded.first + late, columns)]
        monitor.variables[name].get_value()[before:] = values


def _fill_rate(monitor: Any, recorded: Recorded) -> None:
    every = _every(monitor, recorded)
    low, high = recorded.steps(late=False)
    steps = np.arange(-(-low // every) * every, high, every)
    start, stop = bounds(monitor.source)
    counts = np.bincount(recorded.spikes(monitor.source)[0] - low, minlength=max(high - low, 0))
    before = _lengthen(monitor, len(steps))
    monitor.variables["t"].get_value()[before:] = _times(monitor, steps, recorded)
    monitor.variables["rate"].get_value()[before:] = (
        1.0 * counts[steps - low] / float(monitor.clock.dt_) / (stop - start)
    )


def _every(monitor: Any, recorded: Recorded) -> int:
    """Steps of ours in one of the monitor's clock."""
    return max(round(float(monitor.clock.dt_) / recorded.dt), 1)


def _times(monitor: Any, steps: Array, recorded: Recorded) -> Array:
    """What the monitor's clock says in these steps, to the last bit."""
    return np.asarray((steps // _every(monitor, recorded)) * float(monitor.clock.dt_))


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


def _extra(monitor: Any) -> list[str]:
    return sorted(set(monitor.record_variables) - {"i", "t"})


def _at(values: Array, ids: Array) -> Array:
    """Values of these neurons; one value is that of all."""
    flat = np.asarray(values).reshape(-1)
    return np.broadcast_to(flat, ids.shape) if flat.size == 1 else flat[ids]
