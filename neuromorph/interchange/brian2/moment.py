"""What the variables of a group are at one moment of Brian 2's step, statement after statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import Statement, expression
from neuromorph.interchange.brian2.links import plain_name
from neuromorph.interchange.brian2.names import LAST, GroupNames
from neuromorph.interchange.brian2.schedule import Position
from neuromorph.language import Expr, dt, step, to_float, trunc_div, where
from neuromorph.language.expr import const
from neuromorph.units import TIME


@dataclass(frozen=True)
class Operation:
    """Something that acts on the variables of a group in every step.

    Attributes
    ----------
    position : Position
    label : str
        For messages: ``"reset"``, ``"synapses to v"``.
    run : function of a Moment
        Changes it.
    writes : frozenset of str
        Variables that it may change.
    reads : frozenset of str
        Variables that it may read, as far as that matters for the order of things.
    every : int
        Steps of ours from one turn to the next.
    idle : bool
        Nothing happens before the first step, whether it is asked for or not: what waits for events does nothing.
    adds : str
        The variable that it only adds to; ``""``: it does something else.
    increment : function of a Moment, or None
        What it adds.
    takes : str
        The variable that it sets to what arrives in each step; ``""``: it does something else.
    """

    position: Position
    label: str
    run: Callable[[Moment], None]
    writes: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    every: int = 1
    idle: bool = False
    adds: str = ""
    increment: Callable[[Moment], Expr] | None = None
    takes: str = ""


class Moment:
    """Values of a group's variables between two operations, in terms of those at the start of our step.

    Parameters
    ----------
    names : GroupNames
    length : float
        Step of the group's clock, in seconds.
    every : int
        The same in steps of ours.

    Attributes
    ----------
    late : bool
        Whether Brian 2 is still in its step before: what follows its thresholds is done at the start of our next step.
    place : Position or None
        Where in Brian 2's step it is; None: between two steps.
    """

    def __init__(self, names: GroupNames, length: float, every: int = 1) -> None:
        self.names = names
        self.late = False
        self.place: Position | None = None
        self._length = length
        self._every = every
        self._dt = dt if every == 1 else const(length, TIME)
        self._values: dict[str, Expr] = {}
        self._flags: dict[str, Expr] = {}
        self._subexpressions: dict[str, Expr] = {}

    # --- reading --------------------------------------------------------------------------------------------------
    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """What a name stands for now."""
        if literal:
            return self.names(name, literal=True)
        name = plain_name(self.names.group, name)
        if name in self._values:
            return self.names.read(name, self._values[name])
        match name:
            case "t":
                return to_float(self.turn) * self._dt
            case "t_in_timesteps":
                return self.turn
            case "dt":
                return self._dt
            case "lastspike":
                return to_float(self(LAST)) * self._dt
            case "steps_since_spike":
                return self.turn - self(LAST)
        code = self.names.subexpression(name)
        if code is None:
            return self.names.at(name, self.place)
        if name not in self._subexpressions:
            with self.names.opened(name):
                self._subexpressions[name] = self.names.drawn_once(name, expression(code, self))
        return self._subexpressions[name]

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function of the group's own namespace."""
        return self.names.function(name)

    @property
    def now(self) -> Expr:
        """Number of Brian 2's step, counted in steps of ours."""
        return step - 1 if self.late else step

    @property
    def turn(self) -> Expr:
        """Number of the step of the group's own clock."""
        return self.now if self._every == 1 else trunc_div(self.now, self._every)

    @property
    def due(self) -> Expr | None:
        """Whether the group's clock ticks in this step; None if it does in each."""
        return self.due_every(self._every)

    def due_every(self, every: int) -> Expr | None:
        """Whether a clock ticks in this step; None if it does in each."""
        return None if every == 1 else trunc_div(self.now, every) * every == self.now

    # --- changing -------------------------------------------------------------------------------------------------
    def assign(self, name: str, value: Expr, *, anyway: bool = False) -> None:
        """Give a variable a new value.

        Parameters
        ----------
        name : str
        value : Expr
        anyway : bool
            Also where the variable is held (unless refractory).
        """
        stored = self.names.stored(name, value)
        held = None if anyway else self.names.held_by(name)
        if held is not None:
            stored = where(self(held), stored, self.raw(name))
        self._values[name] = stored
        self._subexpressions.clear()

    def raw(self, name: str) -> Expr:
        """A variable as its state holds it: 1 and 0 for true and false."""
        return self._values[name] if name in self._values else self.names.state(name)

    def only(self, condition: Expr | None, act: Callable[[Moment], None]) -> None:
        """Let something act where a condition is true; what is random in subexpressions is drawn anew for it."""
        self._subexpressions.clear()
        if condition is None:
            act(self)
            return
        values, flags = dict(self._values), dict(self._flags)
        act(self)
        for name, value in self._values.items():
            old = values.get(name)
            if old is not value:
                self._values[name] = where(condition, value, self.names.state(name) if old is None else old)
        for name, value in self._flags.items():
            if flags.get(name) is not value:
                self._flags[name] = where(condition, value, flags.get(name, 0))
        self._subexpressions.clear()

    def changed(self) -> dict[str, Expr]:
        """The new values of everything that was assigned."""
        return dict(self._values)

    def copy(self) -> Moment:
        """The same moment, to go on from in another way."""
        twin = Moment(self.names, self._length, self._every)
        twin.late, twin.place = self.late, self.place
        twin._values, twin._flags = dict(self._values), dict(self._flags)
        return twin

    # --- events ---------------------------------------------------------------------------------------------------
    def happened(self, event: str) -> Expr:
        """Whether an event happened when its condition was tested last."""
        name = fired(event)
        return (self._flags[name] if name in self._flags else self.names.flag(name)) != 0

    def happens(self, event: str, condition: Expr) -> None:
        """Test the condition of an event."""
        self._flags[fired(event)] = where(condition, 1, 0)

    def flags(self) -> dict[str, Expr]:
        """1 where an event happened in this step, by the name of its state."""
        return dict(self._flags)


def fired(event: str) -> str:
    """Name of the state that is 1 from the step in which an event happens to the next."""
    return f"{event}_fired"


class Block:
    """Names within a block of statements: its own temporary variables, else those of the moment.

    Parameters
    ----------
    moment : Moment
    anyway : bool
        Statements change variables that are held, too: resets do.
    given : mapping of str to Expr, optional
        What names stand for here.
    """

    def __init__(self, moment: Moment, anyway: bool = False, given: Mapping[str, Expr] | None = None) -> None:
        self._moment = moment
        self._anyway = anyway
        self._own: dict[str, Expr] = dict(given or {})

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """What a name stands for now."""
        return self._own[name] if name in self._own and not literal else self._moment(name, literal=literal)

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function of the group's own namespace."""
        return self._moment.function(name)

    def run(self, lines: Iterable[Statement]) -> None:
        """Run statements, one after the other."""
        names = self._moment.names
        for line in lines:
            value = expression(line.value, self)
            if line.relative:
                value = self(line.target) + value
            if names.is_written(line.target):
                self._moment.assign(line.target, value, anyway=self._anyway)
            elif names.has(line.target):
                raise LanguageError(f"{line.target} cannot be changed")
            else:
                self._own[line.target] = value
