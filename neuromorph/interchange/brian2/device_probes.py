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

from neuromorph.language import Expr, Neuron, ParamSpec, StateSpec, Type, dt, rint, step, to_int, where
from neuromorph.language.expr import const, nodes
from neuromorph.units import Dimension, Unit

RANDOM = {"normal", "uniform", "poisson", "white_noise"}
BEGAN = "run__began"
"""Parameter: the first step of the run, in which Brian 2 has not drawn anything yet."""
LAST = "spiked__last"
"""State: the step of the neuron's last spike; `NEVER` and below: none."""
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


def now(variable: str) -> str:
    """Name of the probe that sees a variable between two steps."""
    return f"{variable}__now"


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
    """The states that arrivals change."""
    return tuple(state.name for state in neuron.states if state.jump is not None)


def with_probes(neuron: Neuron, looks: Looks, began: int) -> Neuron:
    """The neuron with probes for what is looked at and for every state that arrivals change.

    Random input that jumps bring is left out in the first step of a run: Brian 2 draws it at the end of a step.
    """
    states = [_from_second_step(state) for state in neuron.states]
    for variable in dict.fromkeys((*jumps(neuron), *looks.now)):
        value = expression_of(neuron, variable)
        if value is not None:
            states.append(_probe(now(variable), value, "next"))
    for variable in looks.spiking:
        value = expression_of(neuron, variable)
        if value is not None:
            states.append(_probe(spiking(variable), value, "reset"))
    made = replace(neuron, states=tuple(states))
    if not any(_random(state.jump) for state in neuron.states):
        return made
    return replace(made, params=(*neuron.params, ParamSpec(BEGAN, 0, _si(Dimension()), Type.INT)))(**{BEGAN: began})


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


def frozen(neuron: Neuron) -> Neuron:
    """The neuron of a group that is not active: it takes what arrives, and nothing else happens."""
    states = tuple(replace(state, dot=None, next=None, reset=None) for state in neuron.states)
    event = None if neuron.event is None else replace(neuron.event, when=const(0) > 0, refractory=None, hold=())
    return replace(neuron, states=states, event=event)


def _random(value: Expr | None) -> bool:
    return value is not None and any(node.op in RANDOM for node in nodes(value))


def _from_second_step(state: StateSpec) -> StateSpec:
    if state.jump is None or not _random(state.jump):
        return state
    began = Expr("param", (), const(0).dim, Type.INT, BEGAN)
    nothing = const(0, state.unit.dim) if state.type is Type.INT else const(0.0, state.unit.dim)
    return replace(state, jump=where(Expr("step", type=Type.INT) > began, state.jump, nothing))


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
