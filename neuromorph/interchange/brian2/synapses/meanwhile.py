"""What pathways of one Synapses object see of the neurons that they change in the same step.

Our views show a neuron as it is before any pathway acts. Brian 2's pathways act one after the other, and each sees what
those before it have done. Where an earlier one has added a constant to the neuron whose event it follows, a state of
that neuron holds the sum, and later ones add it to what they see. Where the neurons that are changed are others than
those that are read, nothing has to be done. And a value that all synapses of a neuron would set alike, the neuron works
out by itself, in its own place of the step.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import Names, Statement, expression
from neuromorph.interchange.brian2.given import external, quantity
from neuromorph.interchange.brian2.moment import Moment
from neuromorph.interchange.brian2.synapses.code import Target, reads_of, target_of
from neuromorph.interchange.brian2.synapses.names import Side
from neuromorph.language import Expr
from neuromorph.language.expr import as_expr

Array = npt.NDArray[Any]
TIMES = ("t", "dt", "t_in_timesteps")


def variable_of(name: str, sides: Mapping[str, Side]) -> Target | None:
    """The side and the variable of a neuron that a name stands for in synapses without a variable of that name."""
    for suffix, side in sides.items():
        plain = name.removesuffix(suffix)
        if (plain != name or suffix == "_post") and plain in side.group.variables:
            return suffix, plain
    return None


def own_names(synapses: Any) -> set[str]:
    """Names that mean something of the synapses themselves."""
    return {*synapses.equations.names, *(synapses.event_driven or {}), "i", "j", "lastupdate"}


def neurons_read(
    lines: Iterable[Statement], sides: Mapping[str, Side], group: str, variable: str
) -> Mapping[str, Array] | None:
    """Through which sides statements read a variable of a group, with the neurons; None: through something else."""
    found = {variable_of(name, sides) for name in reads_of(lines)} - {None}
    read = {t[0]: np.unique(sides[t[0]].index) for t in found if t is not None and t[1] == variable}
    read = {suffix: neurons for suffix, neurons in read.items() if sides[suffix].group.name == group}
    return read or None


@dataclass(frozen=True)
class Change:
    """What a pathway does to a variable of neurons.

    Attributes
    ----------
    label : str
        Of the pathway.
    target : Target
    neurons : array
        Those that it may change.
    sum : function, or None
        Makes what it has added in this step to the neuron that its synapse sees; None: that is not known.
    """

    label: str
    target: Target
    neurons: Array
    sum: Callable[[], Expr] | None


@dataclass
class Meanwhile:
    """Names of synapses in the turn of a pathway, after those before it.

    Attributes
    ----------
    names : Names
        Of the synapses before any pathway acts.
    sides : mapping of suffix to Side
    own : collection of str
        Variables of the synapses themselves.
    changes : list of Change
        What pathways before have done, in order.
    """

    names: Names
    sides: Mapping[str, Side]
    own: Collection[str]
    changes: list[Change] = field(default_factory=list)

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """What a name stands for now."""
        value = self.names(name, literal=literal)
        target = None if literal or name in self.own else variable_of(name, self.sides)
        for change in self.changes:
            if change.target == target and change.sum is not None:
                value = value + change.sum()
        return value

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function that is none of Brian 2's own."""
        return self.names.function(name)

    def shows(self, label: str, group: str, variable: str, read: Mapping[str, Array] | None) -> bool:
        """Whether what a pathway before has done to a variable is seen, or is done to other neurons."""
        done = [c for c in self.changes if c.label == label and c.target[1] == variable]
        done = [c for c in done if self.sides[c.target[0]].group.name == group]
        if read is None or not done:
            return False
        return all(
            (change.sum is not None and suffix == change.target[0]) or not np.intersect1d(neurons, change.neurons).size
            for change in done
            for suffix, neurons in read.items()
        )


# --- values that the target works out ---------------------------------------------------------------------------------
def at_target(
    lines: Iterable[Statement],
    target: Target,
    synapses: Any,
    namespace: Mapping[str, Any],
    side: Side,
    written: Collection[str],
) -> Callable[[Moment], Expr] | None:
    """The value that a pathway sets a variable of its target to, if it rests on the target alone; else None.

    Parameters
    ----------
    written : collection of str
        Variables of the target's group that pathways change.
    """
    known, sides = [*lines], {target[0]: side}
    setting = [line for line in known if target_of(line.target, synapses, sides) == target]
    if len(setting) != 1 or setting[0].relative:
        return None
    value = setting[0].value
    changed = {line.target.removesuffix(target[0]) for line in known} | {*written}
    called = {n.func.id for n in ast.walk(value) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    if called & {"rand", "randn", "poisson"}:
        return None
    for name in {n.id for n in ast.walk(value) if isinstance(n, ast.Name)} - called - {*TIMES}:
        found = variable_of(name, sides)
        own = name in own_names(synapses) or (found is None and name in synapses.variables)
        if own or found == (target[0], "i") or (found or ("", name))[1] in changed:
            return None
    return lambda moment: expression(value, _AtTarget(moment, synapses, namespace, sides))


@dataclass(frozen=True)
class _AtTarget:
    """Names in code of synapses that stand for the target's variables, and constants."""

    moment: Moment
    synapses: Any
    namespace: Mapping[str, Any]
    sides: Mapping[str, Side]

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        found = None if name in TIMES else variable_of(name, self.sides)
        if found is not None and literal:
            raise LanguageError(f"{name} is no constant number")
        if found is not None or name in TIMES:
            return self.moment(name if found is None else found[1])
        return as_expr(quantity(*external(self.synapses, name, self.namespace, "the synapses")))

    def function(self, name: str) -> Callable[..., Expr] | None:
        return self.moment.function(name)
