"""How far neurons are from firing: the sides of the comparisons in an event's condition, as something to record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from neuromorph.language.expr import Expr, Type
from neuromorph.language.infix import infix
from neuromorph.language.neuron import Neuron

_COMPARISONS = frozenset({"lt", "le", "gt", "ge"})


@dataclass(frozen=True)
class Distance:
    """A comparison that decides whether a neuron fires.

    Attributes
    ----------
    text : str
        The comparison, as it was written.
    value : float
        Left side less right side.
    unit : str
        Of the value; ``""`` if it has none.
    """

    text: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"the target's neuron was {self.value:.3g}{self.unit and ' '}{self.unit} from {self.text}"


def with_distances(neuron: Neuron) -> tuple[Neuron, dict[str, str]]:
    """A neuron that names the distance of each comparison of its condition, and what the names stand for.

    Returns
    -------
    neuron : Neuron
    names : dict of str to str
        Text of the comparison by the name of its distance; empty if the condition compares nothing.
    """
    if neuron.event is None:
        return neuron, {}
    found = list(_comparisons(neuron.event.when))
    named = {f"distance {k}": each for k, each in enumerate(found)}
    distances = tuple((name, each.args[0] - each.args[1]) for name, each in named.items())
    return replace(neuron, named=neuron.named + distances), {name: infix(each) for name, each in named.items()}


def _comparisons(condition: Expr) -> Iterator[Expr]:
    if condition.op in _COMPARISONS and condition.args[0].type is not Type.BOOL:
        yield condition
    for arg in condition.args:
        if arg.type is Type.BOOL:
            yield from _comparisons(arg)
