"""What changes the variables of synapses in every step before events act on them.

Brian 2 evaluates what is constant over a step, runs code regularly and integrates equations, each in its place of the
step. Late synapses make one step at once, just before the events: all of it, one thing after the other, in terms of
what their variables were at the end of the step before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import Statement, expression, said_of
from neuromorph.interchange.brian2.samples import Sample, turn_of
from neuromorph.interchange.brian2.schedule import Position, Schedule
from neuromorph.interchange.brian2.synapses.code import Run, lines_of
from neuromorph.interchange.brian2.synapses.names import OWN, Model, Side, SynapseNames
from neuromorph.language import Expr, State, Type, step, to_float, trunc_div, where
from neuromorph.language.expr import nodes
from neuromorph.units import Quantity, example_unit

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.synapses.monitors import Look
    from neuromorph.interchange.brian2.synapses.projections import Surroundings

EQUATIONS = "equations"
"""What messages call the integration of clock-driven equations."""
REGULAR = ("CodeRunner", "SubexpressionUpdater")
"""Kinds of Brian 2's objects that run code of synapses in each of their steps."""


@dataclass(frozen=True)
class Turn:
    """Code that acts on the variables of synapses in each step of a clock, before events do.

    Attributes
    ----------
    position : Position
    name : str
        Brian 2's.
    label : str
        For messages.
    every : int
        Steps of ours from one turn to the next.
    lines : tuple of Statement
    """

    position: Position
    name: str
    label: str
    every: int
    lines: tuple[Statement, ...]

    @property
    def writes(self) -> set[str]:
        """What it assigns, temporary names included."""
        return {line.target for line in self.lines}


def regular(synapses: Any) -> list[Any]:
    """What Brian 2 runs of synapses besides pathways, equations and sums: ``run_regularly``, ``constant over dt``."""
    others = {id(x) for x in (*synapses._pathways, *synapses.summed_updaters.values(), synapses.state_updater)}
    found = (x for x in synapses.contained_objects if id(x) not in others and getattr(x, "active", True))
    return [x for x in found if type(x).__name__ in REGULAR]


def turns(synapses: Any, schedule: Schedule, namespace: Mapping[str, Any] | None = None) -> list[Turn]:
    """What acts before events, in order.

    Parameters
    ----------
    namespace : mapping or None
        Where names are looked up; None: do without the integration of equations, which needs them.

    Raises
    ------
    LanguageError
        For code that cannot be read.
    """
    found = []
    for runner in regular(synapses):
        constant = runner is synapses.subexpression_updater
        lines = tuple(lines_of(str(runner.abstract_code)))
        label = f"{', '.join(line.target for line in lines)} (constant over dt)" if constant else str(runner.name)
        found.append(Turn(schedule.position(runner), str(runner.name), label, schedule.every(runner), lines))
    updater = synapses.state_updater
    if updater is not None and namespace is not None:
        updater.update_abstract_code(run_namespace=namespace)
        lines = tuple(lines_of(str(updater.abstract_code)))
        every = schedule.every(synapses)
        found.append(Turn(schedule.position(updater), str(updater.name), EQUATIONS, every, lines))
    return sorted(found, key=lambda turn: turn.position)


# --- the step ---------------------------------------------------------------------------------------------------------
class Steps:
    """The steps of a synapse model.

    Parameters
    ----------
    synapses : brian2.Synapses
    names : SynapseNames
    sides : mapping of suffix to Side
    changing : collection of str
        Variables of the synapses that change.
    symbols : Model
    around : Surroundings
    """

    def __init__(
        self,
        synapses: Any,
        names: SynapseNames,
        sides: Mapping[str, Side],
        changing: Collection[str],
        symbols: Model,
        around: Surroundings,
    ) -> None:
        self._synapses = synapses
        self._names = names
        self._sides = sides
        self._changing = changing
        self._symbols = symbols
        self._around = around
        self.turns = turns(synapses, around.schedule, around.namespace)

    def advance(self, looks: Iterable[Look]) -> None:
        """Give every variable that moves by itself, and every value that is kept, its next step.

        Raises
        ------
        LanguageError
        """
        run, waiting = self._run(), sorted(looks, key=lambda look: look.position)
        for turn in self.turns:
            if turn.position[0] >= self._around.schedule.slot("synapses"):
                raise LanguageError(
                    f"{turn.label} acts after the events of a step, and synapses make their own steps before; give it "
                    "another when="
                )
            while waiting and waiting[0].position < turn.position:
                self._keep(waiting.pop(0), run)
            with said_of(turn.label):
                self._placed(turn.name, turn.position, partial(self._act, run, turn))
        for look in waiting:
            self._keep(look, run)
        for name, value in run.changed.items():
            self._names(name)
            self._symbols.state(name).next = value

    def seen_at(self, position: Position, code: str) -> Expr:
        """The value of an expression at an earlier place of the step, worked out from the end of the step before.

        Raises
        ------
        LanguageError
            It reads what was drawn at random before it.
        """
        run = self._run()
        for turn in self.turns:
            if turn.position < position:
                with said_of(turn.label):
                    self._act(run, turn)
        drawn = {id(n) for value in run.changed.values() for n in nodes(value) if n.op in ("uniform", "normal")}
        value = expression(code, run)
        if any(id(n) in drawn for n in nodes(value)):
            raise LanguageError("it reads what is drawn at random before it in the same step")
        return value

    def _run(self) -> Run:
        return Run(self._synapses, self._names, self._sides, self._changing)

    def _act(self, run: Run, turn: Turn) -> None:
        before = dict(run.changed)
        run.own.clear()
        run.run(turn.lines)
        if run.adds or run.sets:
            suffix, name = next(iter((*run.adds, *run.sets)))
            raise LanguageError(f"it changes {name}{suffix}; events alone change neurons")
        if turn.every == 1:
            return
        if turn.label == EQUATIONS:
            raise LanguageError(
                f"they advance in steps of {float(self._synapses.clock.dt_) * 1e3:g} ms, and synapses take every step "
                f"of {self._around.schedule.dt * 1e3:g} ms"
            )
        due = trunc_div(step, turn.every) * turn.every == step
        for name, value in run.changed.items():
            if before.get(name) is not value:
                self._names(name)
                run.changed[name] = where(due, value, before.get(name, self._symbols.state(name)))

    def _keep(self, look: Look, run: Run) -> None:
        """A state that keeps what a monitor sees."""
        with said_of(f"what a monitor sees of {look.variable}"):
            found: list[Expr] = []
            self._placed(look.name, look.position, lambda: found.append(run(look.variable)))
            value = found[0]
            shown = where(value, 1, 0) if value.type is Type.BOOL else value
            start = 0.0 if value.dim.is_none else Quantity(0.0, value.dim, example_unit(value.dim))
            self._symbols.own(look.name, State(start)).next = to_float(shown)

    def _placed(self, tag: str, position: Position, act: Callable[[], None]) -> None:
        """Act at a place of the step: what is read of neurons is what they are there."""
        self._symbols.earlier = lambda side, variable: self._sample(side, variable, tag, position)
        act()
        self._symbols.earlier = lambda side, variable: None

    def _sample(self, side: Side, variable: str, tag: str, position: Position) -> Sample | None:
        """What neurons have to keep of a variable, if it changes between that place and the turn of the synapses."""
        group, around = side.group, self._around
        end = turn_of(group, around.schedule, around.events[group.name][0])
        writers = [o for o in around.operations.get(group.name, ()) if variable in o.writes]
        between = [o.label for o in writers if end < o.position < position]
        if between:
            raise LanguageError(
                f"it reads {variable} of {group.name}, which {between[0]} changes before it in the same step"
            )
        if variable in OWN or any(position < o.position <= end for o in writers):
            return Sample(f"{variable}__for_{tag}", variable, position, real=True)
        return None
