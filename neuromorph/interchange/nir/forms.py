"""A neuron's equations as sums of its states and ports, with the numbers of each neuron as coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.language.expr import Expr, const, nodes
from neuromorph.language.infix import infix
from neuromorph.lowering.affine import affine
from neuromorph.lowering.statics import Statics

Values = npt.NDArray[np.float64]

_RANDOM = {"normal", "uniform", "white_noise", "poisson"}
_MIRROR = {"ge": "le", "gt": "lt", "le": "ge", "lt": "gt"}


@dataclass(frozen=True)
class Form:
    """``sum(states) + sum(ports) + constant``, each coefficient an array that broadcasts to the neurons."""

    states: Mapping[str, Values] = field(default_factory=dict)
    ports: Mapping[str, Values] = field(default_factory=dict)
    constant: Values = field(default_factory=lambda: np.zeros(()))

    def only(self, *states: str) -> bool:
        """Whether no port and no other state is in it."""
        return not self.ports and set(self.states) <= set(states)

    def state(self, name: str) -> Values:
        """Coefficient of a state; 0 if it is not in the form."""
        return self.states.get(name, np.zeros(()))

    def port(self, name: str) -> Values:
        """Coefficient of a port; 0 if it is not in the form."""
        return self.ports.get(name, np.zeros(()))


def form(root: Expr, statics: Statics, what: str) -> Form:
    """``root`` as a :class:`Form`.

    Parameters
    ----------
    what : str
        What it is, for the message.

    Raises
    ------
    NetworkError
        If it is no such sum, is random or depends on the step.
    """
    if any(node.op in _RANDOM for node in nodes(root)):
        raise NetworkError(f"{what} = {infix(root, limit=80)} draws random numbers, which NIR has not")
    if any(node.op == "step" for node in nodes(root)):
        raise NetworkError(f"{what} = {infix(root, limit=80)} depends on the step, which NIR does not know")
    found = affine(root, statics)
    parts: dict[str, dict[str, Values]] = {"state": {}, "port": {}}
    for term, coefficient in found.terms.values():
        if term.op not in parts:
            raise NetworkError(
                f"{what} = {infix(root, limit=80)} is not a sum of constant multiples of states and inputs: "
                f"{infix(term, limit=60)} is in it"
            )
        value = np.asarray(coefficient.value, np.float64)
        if np.any(value):
            parts[term.op][str(term.payload)] = value
    constant = np.zeros(()) if found.constant is None else np.asarray(found.constant.value, np.float64)
    return Form(parts["state"], parts["port"], constant)


def settled(root: Expr, statics: Statics, starts: list[int]) -> Expr:
    """``root`` once conditions such as ``step >= start`` hold for good; the starts are added to ``starts``."""
    made: dict[int, Expr] = {}
    for node in nodes(root):
        args = tuple(made[id(a)] for a in node.args)
        made[id(node)] = _settled(Expr(node.op, args, node.dim, node.type, node.payload, node.unit), statics, starts)
    return made[id(root)]


def _settled(node: Expr, statics: Statics, starts: list[int]) -> Expr:
    args = node.args
    if node.op in ("ge", "gt", "le", "lt"):
        op, (left, right) = node.op, args
        if _bare(right).op == "step":
            op, left, right = _MIRROR[op], right, left
        since = statics(right)
        if _bare(left).op == "step" and since is not None and since.value.size == 1 and op in ("ge", "gt"):
            starts.append(int(np.ceil(since.value)) + int(op == "gt" and since.value == np.ceil(since.value)))
            return const(True)
    if node.op == "and":
        for one, other in (args, args[::-1]):
            if one.op == "const" and one.payload:
                return other
    if node.op == "select" and args[0].op == "const":
        return args[1] if args[0].payload else args[2]
    return node


def _bare(node: Expr) -> Expr:
    return node.args[0] if node.op == "float" else node
