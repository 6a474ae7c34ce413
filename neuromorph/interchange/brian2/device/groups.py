"""What a run leaves in Brian 2's groups, and what goes on to the next run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.checkpoint import PopulationState
from neuromorph.interchange.brian2.device.probes import NEVER, READY, silent, with_spike_times
from neuromorph.interchange.brian2.names import LAST
from neuromorph.interchange.brian2.samples import between
from neuromorph.language import Neuron

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import Checkpoint

Array = npt.NDArray[Any]


def prepared(group: Any, neuron: Neuron) -> Neuron:
    """The neuron of a group with all that Brian 2 shows of it, as the group's variables say now."""
    made = neuron if group.active else silent(neuron)
    if "lastspike" not in group.variables:
        return made
    steps = np.rint(np.asarray(group.variables["lastspike"].get_value(), np.float64) / float(group.clock.dt_))
    ready = np.asarray(group.variables[READY].get_value(), bool)
    return with_spike_times(made, np.maximum(steps, NEVER).astype(np.int64), ready)


def carry_over(group: Any, fresh: PopulationState, before: PopulationState | None) -> tuple[PopulationState, list[str]]:
    """The state that a population starts from, and what of the last run it cannot take.

    What Brian 2 holds is as in the new program, whose initial states it has given, and so are arrivals of the first
    step: Brian 2 has added them already. The rest is what the last run left.
    """
    if before is None:
        return fresh, []
    states = {
        name: before.states.get(name, values) if _hidden(group, name) else values
        for name, values in fresh.states.items()
    }
    lost = [
        f"{group.name}: events are on their way to {port}, which is not there any more"
        for port, rows in before.arriving.items()
        if port not in fresh.arriving and np.any(rows[1:])
    ]
    arriving = {
        port: _later(before.arriving[port]) if port in before.arriving else rows
        for port, rows in fresh.arriving.items()
    }
    return PopulationState(states, arriving, fresh.values), lost


def write_back(group: Any, end: PopulationState, after: PopulationState) -> None:
    """Give a group's variables the values that the run left.

    Parameters
    ----------
    end : PopulationState
        After the run's last step.
    after : PopulationState
        One step later: there are the values that variables have had between the two.
    """
    for name, values in end.states.items():
        variable = group.variables.get("lastspike" if name == LAST else name)
        if variable is None or not hasattr(variable, "get_value") or hasattr(variable, "expr"):
            continue
        array, left = variable.get_value(), after.states.get(between(name), values)
        if name == LAST:
            length = float(group.clock.dt_)
            left = np.where(left > NEVER, left * length, array)
        array[...] = left if np.ndim(array) and len(array) == len(left) else left[:1]


def show_events(group: Any, happened: Mapping[str, Array]) -> None:
    """Show the neurons whose events the run's last step brought, as ``group.spikes`` does."""
    for event, ids in happened.items():
        variable = group.variables.get(f"_{event}space")
        if variable is not None:
            space = variable.get_value()
            space[: len(ids)], space[-1] = ids, len(ids)


def check_idle(state: Checkpoint, before: float, dt: float) -> list[str]:
    """What a step of another length cannot take from the last run."""
    return [
        f"{name}: events are on their way to {port}, counted in steps of {before * 1e3:g} ms; now they are {dt * 1e3:g}"
        for name, population in state.populations.items()
        for port, rows in population.arriving.items()
        if np.any(rows[1:])
    ]


def _hidden(group: Any, name: str) -> bool:
    """Whether Brian 2 holds nothing that a state of ours could start from; what an event was to do has been done."""
    return name not in group.variables and name != LAST and not name.endswith("_fired")


def _later(rows: Array) -> Array:
    """What arrives after the first step."""
    kept = rows.copy()
    kept[:1] = 0
    return kept
