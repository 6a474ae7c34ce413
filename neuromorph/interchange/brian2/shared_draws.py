"""Random numbers that all neurons of a group share: one neuron beside the group draws them, and the group sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neuromorph.errors import LanguageError
from neuromorph.language import Expr, Neuron, State, Type, make_neuron, poisson, to_float, to_int
from neuromorph.language.body import RANDOM
from neuromorph.language.expr import nodes
from neuromorph.units import NONE

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.names import GroupNames


def drawn_once(names: GroupNames, variable: str, value: Expr) -> Expr:
    """The value of a variable that all neurons share, with what is drawn for all in place of what each would draw.

    Parameters
    ----------
    names : GroupNames
    variable : str
    value : Expr

    Raises
    ------
    LanguageError
        For Poisson counts with a mean that changes.
    """
    made: dict[int, Expr] = {}
    for node in nodes(value):
        if node.op in RANDOM:
            made[id(node)] = _shared(names, variable, node)
        elif any(made[id(arg)] is not arg for arg in node.args):
            args = tuple(made[id(arg)] for arg in node.args)
            made[id(node)] = Expr(node.op, args, node.dim, node.type, node.payload, node.unit)
        else:
            made[id(node)] = node
    return made[id(value)]


def drawing(drawn: Mapping[str, Expr]) -> Neuron:
    """The neuron that draws, with a state for each number."""
    symbols = {}
    for name, number in drawn.items():
        symbols[name] = State(0.0)
        symbols[name].next = to_float(number)
    return make_neuron("Draws", symbols, doc="Random numbers that the neurons of a group share.")


def _shared(names: GroupNames, variable: str, number: Expr) -> Expr:
    if number.op == "poisson":
        mean = names.static(number.args[0])
        if mean is None or mean.ndim:
            raise LanguageError(f"{variable} is shared, and a Poisson number with a mean that changes; fix its mean")
        number = poisson(float(mean))
    port = next((p for p, known in names.draws.items() if known is number), f"shared__draw_{len(names.draws)}")
    names.draws[port] = number
    arrived = names.port(port, NONE)
    return to_int(arrived) if number.type is Type.INT else arrived
