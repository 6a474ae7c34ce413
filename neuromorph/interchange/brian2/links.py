"""Brian 2's linked variables: what a group sees of the variables of another, at any place of a step.

A step of ours ends within one of Brian 2 with the event of a group (:mod:`~neuromorph.interchange.brian2.stepwise`), so
it begins with what follows the threshold there. A variable that changes goes through several values in such a step, one
after each operation that changes it; which of them a reader sees is a matter of how many of them come before it. The
first and the last are what the variable's state is at the ends of a step; any other is kept in a state of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.samples import Sample
from neuromorph.interchange.brian2.schedule import Position
from neuromorph.language import Expr, to_int

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.moment import Operation
    from neuromorph.interchange.brian2.names import GroupNames

Array = npt.NDArray[Any]
CLOCKED = {"timestep": "t_in_timesteps", "t": "t", "dt": "dt"}
"""Variables of a clock, and the names that groups have for them."""
STAMPS = {"lastspike": "spiked__last"}
"""Variables that operations change under another name."""


@dataclass(frozen=True)
class Linked:
    """A variable of another group that a group has a name for.

    Attributes
    ----------
    name : str
    owner : Group
        Whose it is.
    variable : str
        Its name there.
    index : int array (neurons,) or None
        The neuron that each one sees; None: there is one value for all.
    values : array
        What the variable is now, one for each neuron of the owner.
    """

    name: str
    owner: Any
    variable: str
    index: Array | None
    values: Array

    def __str__(self) -> str:
        return f"{self.name} is linked to {self.variable} of {self.owner.name}"


@dataclass(frozen=True)
class Neighbour:
    """What one has to know of a group to look at its variables.

    Attributes
    ----------
    turn : Position
        Where a step of ours ends within one of Brian 2.
    operations : tuple of Operation
        All that act on it.
    """

    turn: Position
    operations: tuple[Operation, ...]

    def changes(self, variable: str) -> tuple[list[Position], list[Position]]:
        """Where a variable is changed after the turn, which is early in a step of ours, and up to it."""
        known = {variable, STAMPS.get(variable, variable)}
        places = sorted(o.position for o in self.operations if known & o.writes)
        return [p for p in places if p > self.turn], [p for p in places if p <= self.turn]


@dataclass(frozen=True)
class Read:
    """A port that gets a state of another group's neuron in every step.

    Attributes
    ----------
    source : str
        Name of the other group.
    state : str
        Of its neuron.
    sample : Sample or None
        The value that the state keeps; None: it is the variable's own.
    index : int array (neurons,)
    delay : {0, 1}
        0: the state at the end of the same step, 1: of the step before.
    """

    source: str
    state: str
    sample: Sample | None
    index: Array
    delay: int


def linked(group: Any, name: str) -> Linked | None:
    """The variable of another group that a name of a group stands for; None if it is none.

    Raises
    ------
    LanguageError
        If Brian 2 does not say which neuron sees which.
    """
    variable = group.variables.get(name)
    owner = getattr(variable, "owner", None)
    if owner is None or not hasattr(variable, "get_value") or hasattr(variable, "expr"):
        return None
    if _kind(owner) == "Clock" or (owner.name == group.name and variable.name == name):
        return None
    values = np.asarray(variable.get_value()).reshape(-1)
    index = group.variables.indices[name]
    if index == "0" or values.size == 1:
        return Linked(name, owner, str(variable.name), None, values)
    if index == "_idx":
        return Linked(name, owner, str(variable.name), np.arange(values.size), values)
    if index not in group.variables:
        raise LanguageError(f"{name} is linked through {index}, which Brian 2 itself does not find; link to the first")
    return Linked(name, owner, str(variable.name), np.asarray(group.variables[index].get_value(), np.int64), values)


def _kind(owner: Any) -> str:
    return str(owner.__class__.__name__)  # a proxy has its class


def plain_name(group: Any, name: str) -> str:
    """The group's own name for a variable of its clock or of itself that it has another name for, else that name.

    Raises
    ------
    LanguageError
        For the time of another clock.
    """
    variable = group.variables.get(name)
    owner = getattr(variable, "owner", None)
    if owner is None:
        return name
    if _kind(owner) == "Clock":
        if owner.name != group.clock.name:
            raise LanguageError(f"{name} is the time of {owner.name}, another clock than its own")
        return CLOCKED.get(str(variable.name), name)
    same_neuron = owner.name == group.name and group.variables.indices[name] in ("0", "_idx")
    return str(variable.name) if same_neuron else name


def moves(found: Linked, moving: Mapping[str, Iterable[str]]) -> bool:
    """Whether the variable changes while the network runs, given what does of each group; others do not run."""
    if _kind(found.owner) == "Synapses":
        raise LanguageError(f"{found}, and synapses are seen by nobody; let them add to a variable of the group")
    changed = set(moving.get(found.owner.name, ()))
    return bool({found.variable, STAMPS.get(found.variable, found.variable)} & changed)


def look(names: GroupNames, found: Linked, place: Position) -> Expr:
    """What a linked variable is at a place of Brian 2's step: what arrives at a port, made where it is asked for first.

    Parameters
    ----------
    names : GroupNames
        Of the group that looks.
    found : Linked
    place : Position

    Raises
    ------
    LanguageError
        For a value of another step than the one that the other group is making.
    """
    owner, own = names.around[found.owner.name], names.around[names.group.name]
    late, early = owner.changes(found.variable)
    where, passed = place, sum(p < place for p in late)
    if place <= owner.turn:
        passed = len(late) + sum(p < place for p in early)
    if place <= own.turn and place > owner.turn:  # it is at the end of its step, we are not
        if passed:
            raise _crossing(found, late[0])
        where, passed = owner.turn, len(late) + len(early)
    elif place > own.turn and place <= owner.turn:  # we have ended our step, it has not
        if passed < len(late) + len(early):
            raise _crossing(found, early[-1])
        where, passed = (*owner.turn[:2], owner.turn[2] + " "), 0
    port = f"{found.name}__read_{passed}"
    if port not in names.reads:
        names.reads[port] = _read(names, found, where, passed, late, early)
    variable = names.variables[found.name]
    arrived = names.port(port, names.dimension_of(found.name))
    kind = np.dtype(variable.dtype).kind
    return arrived > 0.5 if kind == "b" else to_int(arrived) if kind in "iu" else arrived


def _read(
    names: GroupNames, found: Linked, place: Position, passed: int, late: Sequence[Position], early: Sequence[Position]
) -> Read:
    size = int(names.group.N)
    index = np.zeros(size, np.int64) if found.index is None else np.broadcast_to(found.index, (size,))
    simple = not late and found.values.dtype.kind == "f" and found.variable not in STAMPS
    if simple and passed in (0, len(early)):
        return Read(found.owner.name, found.variable, None, index, int(passed == 0))
    sample = Sample(f"{found.variable}__read_{passed}", found.variable, place, plain=True, real=True)
    return Read(found.owner.name, sample.name, sample, index, 0)


def _crossing(found: Linked, place: Position) -> LanguageError:
    return LanguageError(
        f"{found}, which {place[2]} changes between the thresholds of the two groups; give both thresholds one order"
    )


def in_turn(groups: Sequence[Any], reads: Mapping[str, Mapping[str, Read]]) -> tuple[tuple[Any, ...], list[str]]:
    """Groups so that each comes after those that it sees in the same step, and those that see one another.

    Parameters
    ----------
    groups : sequence of Group
        In the order that they keep where it does not matter.
    reads : mapping of str to mapping of str to Read
        Of each group.
    """
    first = {g.name: {r.source for r in reads.get(g.name, {}).values() if not r.delay} - {g.name} for g in groups}
    problems = [
        f"{g.name}: it is linked to a variable of its own that changes within the step; write that out in its equations"
        for g in groups
        if any(r.source == g.name and not r.delay for r in reads.get(g.name, {}).values())
    ]
    left, order = list(groups), list[Any]()
    while left:
        done = {g.name for g in order}
        ready = next((g for g in left if first[g.name] <= done), None)
        if ready is None:
            while bystanders := [g for g in left if not any(g.name in first[other.name] for other in left)]:
                left = [g for g in left if g not in bystanders]
                order += bystanders
            circle = ", ".join(g.name for g in left)
            problems.append(f"{circle}: each is linked to what another becomes in the same step; unlink one of them")
            return (*order, *left), problems
        order.append(ready)
        left.remove(ready)
    return tuple(order), problems
