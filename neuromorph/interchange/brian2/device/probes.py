"""What the device adds to an imported neuron: what Brian 2 shows of refractoriness, and a way to be silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.brian2.moment import fired
from neuromorph.interchange.brian2.names import LAST
from neuromorph.language import EventSpec, Expr, Neuron, StateSpec, Type, dt, rint, step, to_int
from neuromorph.language.expr import const, nodes
from neuromorph.units import Dimension, Unit

NEVER = -(2**31)
"""Step of the last spike of a neuron that has not spiked."""
READY = "not_refractory"


def with_spike_times(neuron: Neuron, last: npt.NDArray[np.int64], ready: npt.NDArray[np.bool_]) -> Neuron:
    """The neuron of a group with refractoriness, with the states that Brian 2 shows of it, where it lacks them.

    Parameters
    ----------
    last : int array (neurons,)
        Steps of the neurons' last spikes.
    ready : bool array (neurons,)
        Which were not refractory in the step before.
    """
    event, have = neuron.event, {state.name for state in neuron.states}
    if event is None or LAST in have:
        return neuron
    states, values = list(neuron.states), {}
    states.append(StateSpec(LAST, const(NEVER), _number(), Type.INT, reset=step))
    values[LAST] = last
    if event.refractory is not None and READY not in have:
        # The step of the spike is the first of Brian 2's refractory steps and does not count in ours.
        over = step - Expr("state", (), Dimension(), Type.INT, LAST) > to_int(rint(event.refractory / dt))
        rules: dict[str, Any] = {"next": to_int(over), "reset": const(0)}
        states.append(StateSpec(READY, const(1), _number(), Type.INT, **rules))
        values[READY] = ready.astype(np.int64)
    return replace(neuron, states=tuple(states))(**values)


def silent(neuron: Neuron) -> Neuron:
    """The neuron of a group whose thresholds are not active, with an event that never happens: synapses need one."""
    return neuron if neuron.event is not None else replace(neuron, event=EventSpec("spike", const(0) > 0))


def leaving(neuron: Neuron, group: Any) -> str | None:
    """The event of a group that leaves its neuron."""
    when = () if neuron.event is None else nodes(neuron.event.when)
    flags = {fired(event): event for event in group.events}
    named = [flags[str(node.payload)] for node in when if node.op == "state" and node.payload in flags]
    return named[0] if named else next(iter(group.events), None)


def _number() -> Unit:
    return Unit("", 1.0, Dimension())
