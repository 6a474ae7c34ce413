"""A parameter that events change: the same neuron with a state in its place."""

from __future__ import annotations

from dataclasses import replace

from neuromorph.language.expr import Expr, const
from neuromorph.language.neuron import Neuron, PortSpec, StateSpec
from neuromorph.language.rows import from_rows, to_rows


def driven(neuron: Neuron, name: str, port: str) -> Neuron:
    """A neuron whose parameter is a state that events at a new port add to.

    The value that the parameter has is where the state begins. An importer uses it for currents that begin and end: an
    event for each change costs less than one for each step.

    Parameters
    ----------
    neuron : Neuron
    name : str
        The parameter.
    port : str
        What the new port is called; weights that arrive there have the parameter's unit.

    Raises
    ------
    LanguageError
        If the neuron has no such parameter.
    """
    spec = neuron.param(name)
    rows, number = to_rows(neuron.expressions())
    made = from_rows([("state", *rest) if op == "param" and rest[3] == name else (op, *rest) for op, *rest in rows])
    bare = Neuron(*replace(neuron, values=())._convert(lambda e: made[number[id(e)]]))
    arriving = Expr("port", (), spec.unit.dim, spec.type, port)
    state = StateSpec(name, const(spec.default, spec.unit.dim, spec.unit), spec.unit, spec.type, jump=arriving)
    changed = replace(
        bare,
        ports=(*bare.ports, PortSpec(port, spec.unit, spec.type)),
        params=tuple(p for p in bare.params if p.name != name),
        states=(*bare.states, state),
    )
    return changed(**dict(neuron.values))
