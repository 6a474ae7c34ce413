"""What identifiers in the code of Brian 2's synapses stand for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import expression
from neuromorph.interchange.brian2.functions import callable_of
from neuromorph.interchange.brian2.given import dimension, external, opened, quantity, unit
from neuromorph.interchange.brian2.links import linked, moves
from neuromorph.interchange.brian2.samples import Sample
from neuromorph.interchange.brian2.walk import whole
from neuromorph.language import Expr, Param, PostState, PostView, PreState, PreView, State, Type, dt, step, to_float
from neuromorph.language.expr import as_expr
from neuromorph.lowering.statics import Statics
from neuromorph.units import NONE, Dimension, Unit

Array = npt.NDArray[Any]
End = Literal["pre", "post"]
OWN = ("lastspike", "not_refractory")
"""Variables that Brian 2 itself changes in a group that has a refractory time."""


def seen_name(variable: str) -> str:
    """Name of what synapses see of a variable of a neuron in their turn of a step."""
    return f"{variable}__seen"


@dataclass(frozen=True)
class Side:
    """One end of a Synapses object.

    Attributes
    ----------
    group : NeuronGroup, PoissonGroup, SpikeGeneratorGroup
        The whole of it.
    index : int64 (synapses,)
        Neuron of each synapse, among those of the whole group.
    end : {"pre", "post"}
        Which end of the projection it is.
    """

    group: Any
    index: Array
    end: End


class Symbols(Protocol):
    """What names become: constants that are worked out at once, or symbols of a synapse model."""

    def constant(self, name: str, values: Array, dim: Dimension, side: Side | None) -> Expr:
        """A value that does not change: one, one for each neuron of a side, or one for each synapse."""

    def variable(self, name: str, values: Array, dim: Dimension) -> Expr:
        """A variable of each synapse that changes."""

    def view(self, name: str, variable: str, dim: Dimension, whole_number: bool, side: Side) -> Expr:
        """A variable of a neuron that changes."""

    def time(self) -> Expr:
        """Number of the step."""


class SynapseNames:
    """The names of a Synapses object.

    Parameters
    ----------
    synapses : brian2.Synapses
    namespace : mapping
    sides : mapping of suffix to Side
        ``_pre`` and ``_post``.
    changing : collection of str
        Variables of the synapses that change while the network runs.
    moving : mapping of str to collection of str
        The same of each group.
    symbols : Symbols
    """

    def __init__(
        self,
        synapses: Any,
        namespace: Mapping[str, Any],
        sides: Mapping[str, Side],
        changing: Collection[str],
        moving: Mapping[str, Collection[str]],
        symbols: Symbols,
    ) -> None:
        self._synapses = synapses
        self._namespace = namespace
        self._sides = sides
        self._changing = changing
        self._moving = moving
        self._symbols = symbols
        self._open: list[str] = []
        self._equations = {**dict(synapses.equations), **dict(synapses.event_driven or {})}

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """The expression that a name stands for; with `literal`, constants as numbers instead of parameters."""
        if literal:
            return self._literal(name)
        match name:
            case "dt":
                return dt
            case "t":
                return to_float(self._symbols.time()) * dt
            case "t_in_timesteps":
                return self._symbols.time()
        if name in self._equations or name == "lastupdate":
            return self._own(name)
        variables = self._synapses.variables
        if name in ("i", "j"):
            return self._symbols.constant(name, np.asarray(getattr(self._synapses, name)[:]), NONE, None)
        for suffix, side in self._sides.items():
            plain = name.removesuffix(suffix)
            if (plain != name or suffix == "_post") and plain in side.group.variables and plain != "N":
                return self._neuron(plain, suffix, side)
        if name in variables and hasattr(variables[name], "get_value"):
            return self._scalar_or_neuron(name)
        return self._external(self._synapses, name)

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function that is none of Brian 2's own; None if there is none of that name."""
        from brian2.input.timedarray import TimedArray

        try:
            found = self._synapses._resolve(name, run_namespace=self._namespace, user_identifier=False)
        except KeyError:
            return None
        if isinstance(found, TimedArray):
            raise LanguageError(f"{name}() is a TimedArray; read it in an equation of a group, and that here")
        return None if hasattr(found, "get_value") else callable_of(name, found, self)  # type: ignore[arg-type]

    # --- of the synapses ------------------------------------------------------------------------------------------
    def _own(self, name: str) -> Expr:
        equation = self._equations.get(name)
        if equation is not None and equation.type == "subexpression":
            with opened(name, self._open):
                return expression(str(equation.expr), self)
        variable = self._synapses.variables[name]
        values: Array = np.asarray(variable.get_value()).reshape(-1)
        if getattr(variable, "scalar", False):
            values = values.reshape(())
        dim, boolean = dimension(variable.dim), values.dtype.kind == "b"
        if name in self._changing:
            found = self._symbols.variable(name, values, dim)
        else:
            found = self._symbols.constant(name, values, dim, None)
        return found != 0 if boolean else found

    def _scalar_or_neuron(self, name: str) -> Expr:
        variables = self._synapses.variables
        values, index = np.asarray(variables[name].get_value()).reshape(-1), variables.indices[name]
        if values.size != 1:
            values = values[np.asarray(variables[index].get_value(), np.int64)]
        return self._symbols.constant(name, values if values.size != 1 else values.reshape(()), NONE, None)

    # --- of the neurons -------------------------------------------------------------------------------------------
    def _neuron(self, plain: str, suffix: str, side: Side) -> Expr:
        name, variable = plain + suffix, side.group.variables[plain]
        if plain == "i":
            own = self._synapses.i if suffix == "_pre" else self._synapses.j
            return self._symbols.constant(name, np.asarray(own[:]), NONE, None)
        if plain == "t":
            return self("t")
        if hasattr(variable, "expr"):
            with opened(name, self._open):
                return expression(str(variable.expr), _Within(self, suffix, side))
        link = linked(side.group, plain)
        if link is not None and moves(link, self._moving):
            raise LanguageError(f"{link}, which changes while the network runs; synapses see their neurons' own")
        values = np.asarray(variable.get_value()).reshape(-1)
        dim, boolean = dimension(variable.dim), values.dtype.kind == "b"
        if plain in OWN or plain in self._moving.get(side.group.name, ()):
            found = self._symbols.view(name, plain, dim, values.dtype.kind != "f" or plain in OWN, side)
        else:
            found = self._symbols.constant(name, values if values.size != 1 else values.reshape(()), dim, side)
        return found != 0 if boolean else found

    def within(self, name: str, suffix: str, side: Side) -> Expr:
        """What a name stands for in a subexpression of a group."""
        if name in side.group.variables and name not in ("t", "dt", "N", "t_in_timesteps"):
            return self._neuron(name, suffix, side)
        return self(name) if name in ("t", "dt", "t_in_timesteps") else self._external(side.group, name)

    # --- from outside ---------------------------------------------------------------------------------------------
    def _found(self, group: Any, name: str) -> tuple[Any, Dimension]:
        return external(group, name, self._namespace, "the synapses")

    def _external(self, group: Any, name: str) -> Expr:
        from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_UNITS

        value, dim = self._found(group, name)
        if name in DEFAULT_UNITS and name not in group.namespace:
            return as_expr(Unit(name, value, dim))
        if name in DEFAULT_CONSTANTS or isinstance(value, bool):
            return as_expr(value)
        return self._symbols.constant(name, np.asarray(value), dim, None)

    def _literal(self, name: str) -> Expr:
        known = any(name.removesuffix(suffix) in side.group.variables for suffix, side in self._sides.items())
        if name in self._equations or known or name in self._synapses.variables:
            raise LanguageError(f"{name} is no constant number")
        return as_expr(quantity(*self._found(self._synapses, name)))


@dataclass(frozen=True)
class _Within:
    """The names of a group as a subexpression of it uses them, seen from synapses."""

    names: SynapseNames
    suffix: str
    side: Side

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        if literal:
            return self.names(name, literal=True)
        return self.names.within(name, self.suffix, self.side)

    def function(self, name: str) -> Callable[..., Expr] | None:
        return self.names.function(name)


# --- what names become ------------------------------------------------------------------------------------------------
class Constants:
    """Values that are worked out at once, one for each synapse; everything that changes is refused.

    Parameters
    ----------
    length : float
        Of a step, in seconds.
    """

    def __init__(self, length: float) -> None:
        self._known: dict[str, Array] = {}
        self._length = length

    def constant(self, name: str, values: Array, dim: Dimension, side: Side | None) -> Expr:
        """A parameter with a value for each synapse, or one for all."""
        if side is not None and values.ndim:
            values = values[side.index]
        whole_numbers = values.dtype.kind in "iub"
        self._known[name] = values.astype(np.int64 if whole_numbers else np.float64)
        return Expr("param", (), dim, Type.INT if whole_numbers else Type.FLOAT, name)

    def variable(self, name: str, values: Array, dim: Dimension) -> Expr:
        """Refused."""
        raise LanguageError(f"{name} changes while the network runs")

    def view(self, name: str, variable: str, dim: Dimension, whole_number: bool, side: Side) -> Expr:
        """Refused."""
        raise LanguageError(f"{name} changes while the network runs")

    def time(self) -> Expr:
        """Refused."""
        raise LanguageError("the time changes while the network runs")

    def evaluate(self, value: Expr) -> Array | None:
        """Value for each synapse, or one for all; None if it is random."""
        static = Statics(self._known, self._length)(value)
        return None if static is None else np.asarray(static.value)


class Model:
    """Symbols of a synapse model, made as names are met.

    Parameters
    ----------
    order : int64 (synapses,)
        Number in Brian 2 of each synapse of the projection.
    taken : collection of str
        Names that mean something else.

    Attributes
    ----------
    symbols : dict of str to symbol
    values : dict of str to array or Quantity
        Of states that differ from synapse to synapse, or from neuron to neuron.
    seen : set of (str, str)
        Group and variable that are seen in the turn of the synapses.
    settled : set of (str, str)
        Group and variable that are seen between two steps.
    kept : dict of (str, Sample) to None
        Group, and what its neurons keep because it is seen at an earlier place of the step.
    between : bool
        Whether what is read now is read between two steps of Brian 2.
    earlier : function of a Side and a variable
        What neurons have to keep of it for what is read now; None if they show the same in the turn of the synapses.
    """

    def __init__(self, order: Array) -> None:
        self._order = order
        self._known: dict[str, Expr] = {}
        self.symbols: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.seen: set[tuple[str, str]] = set()
        self.settled: set[tuple[str, str]] = set()
        self.kept: dict[tuple[str, Sample], None] = {}
        self.between = False
        self.earlier: Callable[[Side, str], Sample | None] = lambda side, variable: None

    def own(self, name: str, symbol: Any) -> Any:
        """Take in a symbol under a name, which messages will call it by."""
        if isinstance(symbol, Expr) and not symbol.args:
            object.__setattr__(symbol, "payload", name)  # no class body will: printing looks there
        self.symbols[name] = symbol
        return symbol

    def constant(self, name: str, values: Array, dim: Dimension, side: Side | None) -> Expr:
        """A parameter, or a state that nothing changes."""
        if name in self._known:
            return self._known[name]
        flat = values.reshape(-1)
        if flat.size and np.all(flat == flat[0]):
            whole_number = values.dtype.kind in "iub"
            number = int(flat[0]) if whole_number else float(flat[0])
            made: Any = Param(quantity(number, dim), dtype=int if whole_number else float)
        else:
            kind = State if side is None else {"pre": PreState, "post": PostState}[side.end]
            made = kind(quantity(0.0, dim))
            self._give(name, flat if side is not None else flat[self._order], dim)
        self._known[name] = self.own(name, made)
        return self._known[name]

    def variable(self, name: str, values: Array, dim: Dimension) -> Expr:
        """A state of each synapse."""
        if not values.ndim:
            raise LanguageError(f"{name} is shared by all synapses, and what changes has a value for each")
        if name not in self._known:
            uniform = values.size > 0 and bool(np.all(values == values[0]))
            self._known[name] = self.own(name, State(quantity(float(values[0]) if uniform else 0.0, dim)))
            if not uniform and values.size:
                self._give(name, values[self._order], dim)
        return self._known[name]

    def state(self, name: str) -> State:
        """The state of a variable that changes."""
        found = self.symbols[name]
        assert isinstance(found, State)
        return found

    def view(self, name: str, variable: str, dim: Dimension, whole_number: bool, side: Side) -> Expr:
        """A view of the neuron."""
        if self.between and whole_number:
            raise LanguageError(f"{name} is no real number; synapses see it in their own turn of a step alone")
        kind = PreView if side.end == "pre" else PostView
        sample = self.earlier(side, variable)
        if sample is not None:
            self.kept[side.group.name, sample] = None
            return kind(sample.name, None if dim.is_none else unit(dim))
        (self.settled if self.between else self.seen).add((side.group.name, variable))
        return kind(variable if self.between else seen_name(variable), None if dim.is_none else unit(dim))

    def time(self) -> Expr:
        """Number of the step."""
        return step

    def _give(self, name: str, values: Array, dim: Dimension) -> None:
        self.values[name] = quantity(values.astype(np.float64), dim)


def sides_of(synapses: Any, flip: bool = False) -> dict[str, Side]:
    """Both ends of a Synapses object; with `flip`, what is its source is the target of the projection."""
    ends: tuple[End, End] = ("post", "pre") if flip else ("pre", "post")
    numbers = (synapses.source, synapses.i), (synapses.target, synapses.j)
    return {
        suffix: Side(whole(group), np.asarray(index[:], np.int64) + int(group.start), end)
        for suffix, (group, index), end in zip(("_pre", "_post"), numbers, ends, strict=True)
    }
