"""Whether the program of one run serves the next, and the values that it is given then.

Between two runs a script mostly changes values: initial states above all, which are others after every run. Networks
that are equal but for the values of their neurons and synapses share a program.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.language import Neuron, Synapse
from neuromorph.language.body import RANDOM
from neuromorph.language.expr import const, nodes
from neuromorph.network import Network
from neuromorph.network.text import describe
from neuromorph.units import Quantity, si_unit

if TYPE_CHECKING:
    from neuromorph.engine.target import Program

Values = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A program and what it was made of.

    Attributes
    ----------
    program : Program
    network : Network
        That it was compiled for.
    frame : str
        Its text without the values.
    values : mapping of (kind, name) to mapping of str to value
        The values that neurons ("population") and synapses ("projection") have now.
    """

    program: Program
    network: Network
    frame: str
    values: dict[tuple[str, str], Values]


def made(program: Program, network: Network, dt: float) -> Made:
    """A program just compiled."""
    return Made(program, network, frame(network, dt), _values(network))


def made_again(before: Made, network: Network, dt: float) -> Made | None:
    """The program of an earlier network with the values of this one, at its first step; None if it is another network.

    Events, steps and random numbers are then those of a program compiled for this network.
    """
    if frame(network, dt) != before.frame:
        return None
    program = before.program
    params = {p.name: {param.name for param in p.neuron.params} for p in network.populations}
    values = {
        (kind, name): _as_before(given, before.values[kind, name], params[name] if kind == "population" else set())
        for (kind, name), given in _values(network).items()
    }
    if any(value is None for given in values.values() for value in given.values()):
        return None
    owners: dict[tuple[str, str], Any] = {("population", p.name): p for p in before.network.populations}
    owners |= {("projection", j.name): j for j in before.network.projections}
    for owner, given in values.items():
        old = before.values[owner]
        changed = {name: value for name, value in given.items() if describe(value) != describe(old[name])}
        if changed:
            program.set(owners[owner], **changed)
    program.reset()
    return replace(before, values=values)


def frame(network: Network, dt: float) -> str:
    """Text of a network without the values, but with which there are."""
    bare = copy.copy(network)
    bare.populations = tuple(replace(p, neuron=_bare(p.neuron)) for p in network.populations)
    bare.projections = tuple(
        j if j.synapse is None else replace(j, synapse=_bare(j.synapse)) for j in network.projections
    )
    if not _draws(network):
        bare.seed = 0
    known = [f"{kind} {owner}.{name}" for (kind, owner), given in _values(network).items() for name in given]
    return "\n".join([f"dt {dt!r}", bare.text(), *known])


def _as_before(given: Values, before: Values, params: set[str]) -> Values:
    """Values with a number for each neuron where the program's parameters have; None where they have one for all."""
    made = dict(given)
    for name in params & given.keys():
        shape, known = _shape(given[name]), _shape(before[name])
        if shape != known:
            made[name] = None if shape else _spread(given[name], known)
    return made


def _spread(value: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(value, Quantity):
        return Quantity(np.full(shape, value.value), value.dim, value.unit)
    return np.full(shape, value)


def _values(network: Network) -> dict[tuple[str, str], Values]:
    """Of all neurons and synapses: parameters and initial states, given or by default."""
    found = {("population", p.name): dict(_known(p.neuron)) for p in network.populations if _is_model(p.neuron)}
    return found | {("projection", j.name): dict(_known(j.synapse)) for j in network.projections if j.synapse}


def _known(model: Any) -> Iterator[tuple[str, Any]]:
    given = dict(model.values)
    for param in model.params:
        yield param.name, given.get(param.name, _quantity(param.default, param.unit.dim))
    for state in model.states:
        if state.name in given:
            yield state.name, given[state.name]
        elif _is_value(model, state):
            yield state.name, _quantity(state.initial.payload, state.unit.dim)


def _bare(model: Any) -> Any:
    """A neuron or synapse without values; sources of events as they are."""
    if not _is_model(model):
        return model
    states = tuple(replace(s, initial=const(0)) if _is_value(model, s) else s for s in model.states)
    return replace(model, params=tuple(replace(p, default=0) for p in model.params), states=states, values=())


def _shape(value: Any) -> tuple[int, ...]:
    return np.shape(getattr(value, "value", value))


def _is_value(model: Neuron | Synapse, state: Any) -> bool:
    """Whether a state starts from a number; a synapse's weight is the projection's."""
    return bool(state.initial.op == "const") and state.name != getattr(model, "weight", None)


def _is_model(thing: Any) -> bool:
    return isinstance(thing, Neuron | Synapse)


def _draws(network: Network) -> bool:
    """Whether something is drawn at random while the network runs."""
    models: list[Any] = [p.neuron for p in network.populations if _is_model(p.neuron)]
    models += [j.synapse for j in network.projections if j.synapse is not None]
    return any(node.op in RANDOM for model in models for node in nodes(*model.expressions()))


def _quantity(value: Any, dim: Any) -> Any:
    return value if dim.is_none else Quantity(value, dim, si_unit(dim))
