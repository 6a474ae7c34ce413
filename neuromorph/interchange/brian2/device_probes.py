"""What the device adds to an imported neuron: probes that see variables where Brian 2 would look at them.

Brian 2's synapses act at the end of a step, ours at the start of the next. So what a variable is between two steps of
Brian 2 is what it is here after the arrivals of a step and before its dynamics: the value that a `next` reads. And what
a spike monitor sees is the value in which a `reset` reads. A probe is a state that keeps such a value.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.brian2.names import LAST
from neuromorph.interchange.brian2.samples import between as now
from neuromorph.language import EventSpec, Expr, Neuron, StateSpec, Type, dt, rint, step, to_int
from neuromorph.language.expr import const
from neuromorph.units import Dimension, Unit

NEVER = -(2**31)
READY = "not_refractory"


@dataclass(frozen=True)
class Looks:
    """What is looked at in one group.

    Attributes
    ----------
    now : collection of str
        Variables whose values between two steps are wanted in every step.
    spiking : collection of str
        Variables whose values at each spike, before the reset, are wanted.
    """

    now: Collection[str] = ()
    spiking: Collection[str] = ()

    @property
    def probes(self) -> tuple[str, ...]:
        """Names of the probes."""
        return (*map(now, self.now), *map(spiking, self.spiking))


def spiking(variable: str) -> str:
    """Name of the probe that keeps a variable as it was at the neuron's last spike."""
    return f"{variable}__spiking"


def expression_of(neuron: Neuron, variable: str) -> Expr | None:
    """What a variable of a Brian 2 group is in the neuron; None if it is not there, so that it never changes."""
    for state in neuron.states:
        if state.name == variable:
            return Expr("state", (), state.unit.dim, state.type, variable)
    for param in neuron.params:
        if param.name == variable:
            return Expr("param", (), param.unit.dim, param.type, variable)
    if variable == "lastspike" and _has(neuron, LAST):
        return _leaf(LAST)
    if variable == READY and _has(neuron, "ready"):
        return _leaf("ready")
    return dict(neuron.named).get(variable)


def jumps(neuron: Neuron) -> tuple[str, ...]:
    """The states that something changes between two steps of Brian 2."""
    names = {state.name for state in neuron.states}
    return tuple(s.name for s in neuron.states if s.jump is not None or now(s.name) in names)


def with_probes(neuron: Neuron, looks: Looks) -> Neuron:
    """The neuron with probes for what is looked at and for every state that arrivals change."""
    states = list(neuron.states)
    for variable in dict.fromkeys((*jumps(neuron), *looks.now)):
        value = None if _has(neuron, now(variable)) else expression_of(neuron, variable)
        if value is not None:
            states.append(_probe(now(variable), value, "next"))
    for variable in looks.spiking:
        value = expression_of(neuron, variable)
        if value is not None:
            states.append(_probe(spiking(variable), value, "reset"))
    return replace(neuron, states=tuple(states))


def with_spike_times(neuron: Neuron, last: npt.NDArray[np.int64], ready: npt.NDArray[np.bool_]) -> Neuron:
    """The neuron of a group with refractoriness, with the states that Brian 2 shows of it.

    Parameters
    ----------
    last : int array (neurons,)
        Steps of the neurons' last spikes.
    ready : bool array (neurons,)
        Which were not refractory in the step before.
    """
    event = neuron.event
    if event is None:
        return neuron
    states, values = list(neuron.states), {}
    if expression_of(neuron, "lastspike") is None:
        states.append(StateSpec(LAST, const(NEVER), _si(Dimension()), Type.INT, reset=step))
        values[LAST] = last
        if event.refractory is not None and expression_of(neuron, READY) is None:
            # The step of the spike is the first of Brian 2's refractory steps and does not count in ours.
            over = step - _leaf(LAST) > to_int(rint(event.refractory / dt))
            rules: dict[str, Any] = {"next": to_int(over), "reset": const(0)}
            states.append(StateSpec(READY, const(1), _si(Dimension()), Type.INT, **rules))
            values[READY] = ready.astype(np.int64)
    return replace(neuron, states=tuple(states))(**values)


def silent(neuron: Neuron) -> Neuron:
    """The neuron of a group whose thresholds are not active, with an event that never happens: synapses need one."""
    return neuron if neuron.event is not None else replace(neuron, event=EventSpec("spike", const(0) > 0))


def _probe(name: str, value: Expr, rule: str) -> StateSpec:
    read = to_int(value) if value.type is Type.BOOL else value
    zero: Any = 0 if read.type is Type.INT else 0.0
    rules = {rule: read}
    return StateSpec(name, const(zero, read.dim), _si(read.dim), read.type, **rules)


def _has(neuron: Neuron, state: str) -> bool:
    return any(known.name == state for known in neuron.states)


def _leaf(state: str) -> Expr:
    """A state of whole numbers."""
    return Expr("state", (), Dimension(), Type.INT, state)


def _si(dim: Dimension) -> Unit:
    """The unit in which recorded rows are plain SI numbers."""
    return Unit("SI", 1.0, dim)
