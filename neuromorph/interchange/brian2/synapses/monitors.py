"""What state monitors see of synapses.

A state of a synapse is recorded as a step of ours leaves it, which is after the events of Brian 2's step. A monitor
that looks before them sees what the step before has left, unless something changes the variable meanwhile, or it is a
subexpression: then a state of its own keeps what it sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.interchange.brian2.samples import sampled
from neuromorph.interchange.brian2.schedule import Position, Schedule
from neuromorph.interchange.brian2.synapses.projections import equations_of, refusal
from neuromorph.interchange.brian2.synapses.steps import turns


@dataclass(frozen=True)
class Look:
    """A value of each synapse that a monitor sees before events act, and that has to be kept for it.

    Attributes
    ----------
    name : str
        Of the state that keeps it.
    variable : str
    position : Position
    """

    name: str
    variable: str
    position: Position


def seen_by_monitor(synapses: Any, monitor: Any, variable: str, schedule: Schedule) -> Look | None:
    """What has to be kept for a state monitor; None if it sees the variable as the last step left it, or events do.

    Raises
    ------
    LanguageError
        It looks at a subexpression after events, or there is code that cannot be read.
    """
    position = schedule.position(monitor)
    through = hasattr(synapses.variables[variable], "expr")
    if position[0] >= schedule.slot("synapses"):
        if through:
            raise LanguageError(
                f"{variable} is a subexpression, and it looks after the events of a step; let it look before them, as "
                "with when='start'"
            )
        return None
    earlier = [turn for turn in turns(synapses, schedule) if turn.position < position]
    equations = synapses.state_updater
    moved = equations is not None and schedule.position(equations) < position
    if moved and variable in synapses.equations.diff_eq_names:
        through = True
    if not through and not any(variable in turn.writes for turn in earlier):
        return None
    order = len(earlier) + moved
    return Look(f"{sampled(monitor, variable)}{f'_{order}' if order else ''}", variable, position)


@dataclass(frozen=True)
class Watched:
    """What state monitors see of synapses.

    Attributes
    ----------
    variables : frozenset of str
        Whose states show it.
    looks : tuple of Look
        What has to be kept for them.
    """

    variables: frozenset[str] = frozenset()
    looks: tuple[Look, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.variables or self.looks)


def watched_in(synapses: Any, monitors: Iterable[Any], schedule: Schedule) -> tuple[Watched, list[str]]:
    """What state monitors see of synapses, and what they cannot see."""
    variables, looks = set(), {}
    problems = []
    for monitor in monitors:
        if monitor.source is not synapses and getattr(monitor.source, "name", "") != synapses.name:
            continue
        for name in monitor.record_variables:
            if name not in equations_of(synapses) or getattr(synapses.variables[name], "scalar", False):
                problems.append(f"{monitor.name}: {name} is no variable of each synapse of {synapses.name}")
                continue
            try:
                look = seen_by_monitor(synapses, monitor, name, schedule)
            except (NeuromorphError, SyntaxError) as error:
                problems.append(f"{monitor.name}: {refusal(error)}")
                continue
            if look is None:
                variables.add(name)
            else:
                looks[look.name] = look
    return Watched(frozenset(variables), tuple(looks.values())), problems
