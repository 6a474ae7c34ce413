"""What a run leaves in Brian 2's synapses, and what goes on to the next run.

Synapses that change are late: what Brian 2 does in the slot ``synapses`` of a step happens at the end of ours, so their
variables are after a step what they are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.brian2.schedule import Schedule
from neuromorph.interchange.brian2.synapses.monitors import seen_by_monitor
from neuromorph.interchange.brian2.synapses.projections import changing_in

Array = npt.NDArray[Any]
STATE = "state "
"""What the names of states begin with where a checkpoint keeps a projection."""


def carry_on(
    name: str, fresh: Mapping[str, Array], before: Mapping[str, Array] | None, step: int
) -> tuple[dict[str, Array], list[str]]:
    """What a projection starts from, and what of it cannot be.

    States, and what synapses see of neurons without delay, are as Brian 2's variables say now. Events on their way and
    what they have seen are those of the last run.

    Parameters
    ----------
    name : str
        Of the projection.
    fresh : mapping
        Of the new program.
    before : mapping or None
        What the last run left.
    step : int
        The next step.
    """
    started = {key: values for key, values in fresh.items() if key.startswith("view ") and not len(values)}
    if before is None:
        late = [f"{name}: its synapses look back at their sources, and nothing is known of before step {step}"]
        return dict(fresh), late if started and step else []
    under_way = "sent ", "returned ", "further "
    kept = {key: values for key, values in before.items() if key.startswith(under_way) or key in started}
    return {**fresh, **kept}, []


def write_back(synapses: Any, order: Array, kept: Mapping[str, Array]) -> None:
    """Give the variables of synapses the values that the run left.

    Parameters
    ----------
    synapses : brian2.Synapses
    order : int array (synapses,)
        Number in Brian 2 of each synapse of ours.
    kept : mapping
        What a checkpoint keeps of the projection.
    """
    for key, values in kept.items():
        variable = synapses.variables.get(key.removeprefix(STATE)) if key.startswith(STATE) else None
        if variable is None or hasattr(variable, "expr") or len(values) != len(order):
            continue
        variable.get_value()[order] = values


def now(synapses: Any, monitor: Any, variable: str) -> Array:
    """What a monitor of synapses sees at this moment, one row."""
    return np.asarray(synapses.variables[variable].get_value())[np.asarray(monitor.record, np.int64)][None, :]


def shows_constants(thing: Any) -> bool:
    """Whether it is a monitor of variables of synapses that nothing changes."""
    if type(thing).__name__ != "StateMonitor" or type(thing.source).__name__ != "Synapses":
        return False
    through = any(hasattr(thing.source.variables[name], "expr") for name in thing.record_variables)
    return not through and not set(thing.record_variables) & changing_in(thing.source)


def state_of(monitor: Any, variable: str, schedule: Schedule) -> str:
    """Name of the state that shows what a monitor of synapses sees of a variable."""
    look = seen_by_monitor(monitor.source, monitor, variable, schedule)
    return variable if look is None else look.name


def columns(monitor: Any, order: Array) -> Array:
    """Numbers in our projection of the synapses that a monitor records."""
    return np.argsort(order)[np.asarray(monitor.record, np.int64)]


def sees_the_step(monitor: Any, schedule: Schedule) -> bool:
    """Whether a monitor of synapses looks after the events of its step, not before them."""
    return schedule.position(monitor) > (schedule.slot("synapses"), 0, "")
