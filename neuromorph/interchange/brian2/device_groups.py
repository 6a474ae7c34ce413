"""What a run leaves in Brian 2's groups, and what goes on to the next run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.checkpoint import PopulationState
from neuromorph.interchange.brian2.device_probes import NEVER, READY, jumps, with_spike_times
from neuromorph.interchange.brian2.names import LAST
from neuromorph.interchange.brian2.samples import between as now
from neuromorph.language import Neuron

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import Checkpoint

Array = npt.NDArray[Any]


def prepared(group: Any, neuron: Neuron, dt: float) -> Neuron:
    """The neuron of a group with what Brian 2 shows of refractoriness, as the group's variables say now."""
    if "lastspike" not in group.variables:
        return neuron
    steps = np.rint(np.asarray(group.variables["lastspike"].get_value(), np.float64) / dt)
    ready = np.asarray(group.variables[READY].get_value(), bool)
    return with_spike_times(neuron, np.maximum(steps, NEVER).astype(np.int64), ready)


def shown(variable: Any, name: str, values: Array, dt: float) -> Array:
    """Values as Brian 2 shows them: of what the device keeps in another form, in Brian 2's."""
    if name != "lastspike" or values.dtype.kind != "i":
        return values
    never = np.broadcast_to(np.min(np.asarray(variable.get_value()), initial=0.0), values.shape)
    return np.where(values > NEVER, values * dt, never)


def constant(group: Any, name: str, namespace: Mapping[str, Any]) -> Array:
    """Values of a variable that nothing changes while the network runs: of all neurons, or one for all."""
    variable = group.variables[name]
    if hasattr(variable, "expr"):
        return np.asarray(group.state(name, use_units=False).get_item(slice(None), namespace=dict(namespace)))
    return np.asarray(variable.get_value())


def carry_over(group: Any, fresh: PopulationState, before: PopulationState | None) -> tuple[PopulationState, list[str]]:
    """The state that a population starts from, and what of the last run it cannot take.

    What Brian 2 holds is as in the new program, whose initial states it has given, and so are arrivals of the first
    step: Brian 2 has added them already. The rest is what the last run left.
    """
    if before is None:
        return fresh, []
    states = {
        name: values
        if name in group.variables or name == LAST or name.endswith("_fired")
        else before.states.get(name, values)
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


def _hidden(group: Any, name: str) -> bool:
    """Whether Brian 2 holds nothing that a state of ours could start from; what an event was to do has been done."""
    return name not in group.variables and name != LAST and not name.endswith("_fired")


def _later(rows: Array) -> Array:
    """What arrives after the first step."""
    kept = rows.copy()
    kept[:1] = 0
    return kept


def write_back(group: Any, neuron: Neuron, dt: float, end: PopulationState, after: PopulationState) -> None:
    """Give a group's variables the values that the run left.

    Parameters
    ----------
    end : PopulationState
        After the run's last step.
    after : PopulationState
        One step later; its probes saw what arrivals had added.
    """
    arrived = jumps(neuron)
    kept = {name: after.states[now(name)] if name in arrived else values for name, values in end.states.items()}
    named = {"lastspike": kept.get(LAST), READY: kept.get(READY, kept.get("ready"))}
    for name, values in (kept | {k: v for k, v in named.items() if v is not None and k not in kept}).items():
        variable = group.variables.get(name)
        if variable is None or not hasattr(variable, "get_value") or hasattr(variable, "expr"):
            continue
        array = variable.get_value()
        array[...] = shown(variable, name, values, dt) if np.ndim(array) and len(array) == len(values) else values[:1]


def check_idle(state: Checkpoint, before: float, dt: float) -> list[str]:
    """What a step of another length cannot take from the last run."""
    return [
        f"{name}: events are on their way to {port}, counted in steps of {before * 1e3:g} ms; now they are {dt * 1e3:g}"
        for name, population in state.populations.items()
        for port, rows in population.arriving.items()
        if np.any(rows[1:])
    ]
