"""What arrives through synapses does to the variables of a group, and the ports at which it arrives."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from neuromorph.interchange.brian2.given import dimension
from neuromorph.interchange.brian2.moment import Moment, Operation
from neuromorph.interchange.brian2.names import LAST, GroupNames
from neuromorph.interchange.brian2.operations import adding, within
from neuromorph.interchange.brian2.schedule import Position
from neuromorph.interchange.brian2.synapses.names import seen_name
from neuromorph.interchange.brian2.walk import whole
from neuromorph.language import Expr, Type, to_float
from neuromorph.language.expr import const
from neuromorph.units import NONE, TIME, Dimension


def port_name(variable: str) -> str:
    """Name of the port whose arrivals are added to a variable."""
    return f"{variable}_in"


def _port(name: str, dim: Dimension) -> Callable[[Moment], Expr]:
    return lambda moment: moment.names.port(name, dim)


def adding_at(
    group: Any, variable: str, position: Position, apart: Collection[tuple[str, str]], label: str
) -> tuple[str, Operation]:
    """The port whose sums are added to a variable, and the operation that adds them.

    Parameters
    ----------
    apart : collection of (group, variable)
        Where it matters which pathway is first, so that each has a port of its own.
    label : str
        Of the pathway.
    """
    dim = dimension(group.variables[variable].dim)
    if (group.name, variable) in apart:
        name = f"{port_name(variable)}_{label.replace(' ', '_')}"
        return name, adding(position, variable, _port(name, dim), f"{label} to {variable}", idle=True)
    name, first = port_name(variable), (position[0], 0, "synapses")
    return name, adding(first, variable, _port(name, dim), f"synapses to {variable}", idle=True)


def setting_at(
    group: Any, variable: str, position: Position, label: str, given: Callable[[Moment], Expr] | None
) -> tuple[str, str, Operation]:
    """Ports of the value that a variable is set to and of how often it is, and the operation that sets it.

    Parameters
    ----------
    given : function of a Moment, or None
        The value, if it is the same for all synapses of a neuron: then nothing has to arrive at the first port.
    """
    dim, stem = dimension(group.variables[variable].dim), f"{variable}_set_{label.replace(' ', '_')}"
    value, number = _port(stem, dim), _port(f"{stem}_number", NONE)

    def run(moment: Moment) -> None:
        moment.only(number(moment) > 0.5, lambda m: m.assign(variable, value(m) if given is None else given(m)))

    operation = Operation(position, f"{label} sets {variable}", run, frozenset({variable}), idle=True)
    return stem, f"{stem}_number", operation


def summed_at(end: Any, variable: str, position: Position) -> tuple[str, Operation]:
    """The port of a summed variable, and the operation that gives it to the variable in each step.

    Parameters
    ----------
    end : NeuronGroup or Subgroup
        Where the synapses end: neurons outside of a part keep what they have.
    """
    group, inside = whole(end), within(end)
    dim, name = dimension(group.variables[variable].dim), f"{variable}_sum"
    port = _port(name, dim)

    def run(moment: Moment) -> None:
        moment.only(inside(moment), lambda m: m.assign(variable, port(m), anyway=True))

    label, writes = f"summed variable {variable}", frozenset({variable})
    if end is not group and int(end.N) < int(group.N):
        return name, Operation(position, label, run, writes)
    return name, Operation(position, label, run, writes, increment=port, takes=variable)


def show(names: GroupNames, variable: str) -> None:
    """Let synapses see a variable of a neuron, as it is after the threshold and before a reset."""
    if variable == "lastspike":
        names(LAST)
        names.own(seen_name(variable), to_float(names.state(LAST)) * const(float(names.group.clock.dt_), TIME))
        return
    state = names.state(variable)
    shown = to_float(state) if state.type is Type.INT else state + const(0.0, state.dim)
    names.own(seen_name(variable), shown)
