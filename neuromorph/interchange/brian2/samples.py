"""Values that Brian 2's monitors see, kept in states of their own so that they can be recorded.

A recorded state is its value at the end of a step of ours, which is after the thresholds of Brian 2's step. A monitor
looks at another place of the step: at its start by default. A state that keeps the value from there is recorded in its
stead: ``v_start`` for a monitor of v in the slot ``start``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuromorph.interchange.brian2.schedule import Position, Schedule
from neuromorph.interchange.brian2.walk import whole
from neuromorph.language import Expr, State, Type, to_float, where
from neuromorph.units import Quantity, Unit, example_unit

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.names import GroupNames


@dataclass(frozen=True)
class Sample:
    """A value of each neuron that is kept for recording.

    Attributes
    ----------
    name : str
        Of the state that keeps it.
    variable : str
        Variable or subexpression of the group.
    position : Position or None
        Where in the step; None: between two steps of Brian 2.
    plain : bool
        Recorded in SI units, whatever they are shown in.
    real : bool
        Kept as a float, whatever it is.
    """

    name: str
    variable: str
    position: Position | None
    plain: bool = False
    real: bool = False


def between(variable: str) -> str:
    """Name of the state that keeps what a variable is between two steps of Brian 2."""
    return f"{variable}__now"


def sampled(monitor: Any, variable: str) -> str:
    """Name of the state that keeps what a monitor sees of a variable."""
    return f"{variable}_{monitor.when}" + (f"_{monitor.order}" if monitor.order else "")


def seen_by(monitor: Any) -> tuple[str, ...]:
    """The variables of its group that a monitor looks at."""
    spikes = type(monitor).__name__ in ("SpikeMonitor", "EventMonitor")
    return tuple(v for v in monitor.record_variables if not spikes or v not in ("i", "t"))


def samples_of(group: Any, monitors: Iterable[Any], schedule: Schedule, *, plain: bool = False) -> tuple[Sample, ...]:
    """What monitors see of a group."""
    found: dict[str, Sample] = {}
    for monitor in monitors:
        if whole(monitor.source).name == group.name:
            for variable in seen_by(monitor):
                name = sampled(monitor, variable)
                found.setdefault(name, Sample(name, variable, schedule.position(monitor), plain))
    return tuple(found.values())


def is_late(position: Position, group: Any, schedule: Schedule, event: str | None = "spike") -> bool:
    """Whether a value from there is known one step later: what follows a group's thresholds is done at our next step's
    start."""
    return position > turn_of(group, schedule, event)


def turn_of(group: Any, schedule: Schedule, event: str | None = "spike") -> Position:
    """Where a step of ours ends within one of Brian 2: with the threshold of the event that leaves the group.

    Other thresholds that come before the synapses are tested with it: Brian 2 tests events of one's own after spikes.
    """
    thresholds = getattr(group, "thresholder", None) or {}
    if event in thresholds and thresholds[event].active:
        own = schedule.position(thresholds[event])
        synapses = schedule.slot("synapses") if "synapses" in schedule.slots else 0
        places = [schedule.position(each) for each in thresholds.values() if each.active]
        return max([own, *(place for place in places if place[0] < synapses)])
    slot = schedule.slot("thresholds") if "thresholds" in schedule.slots else 3 * len(schedule.slots)
    return (slot, 0, "")


def keep(names: GroupNames, sample: Sample, value: Expr) -> None:
    """Make the state that keeps a value."""
    kind = int if value.type is not Type.FLOAT and not sample.real else float
    read = where(value, 1, 0) if value.type is Type.BOOL else value
    read = to_float(read) if sample.real else read
    shown = Unit("SI", 1.0, value.dim) if sample.plain else example_unit(value.dim)
    start = 0 if value.dim.is_none else Quantity(0.0, value.dim, shown)
    names.own(sample.name, State(start, dtype=kind)).next = read
