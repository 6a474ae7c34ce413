"""What identifiers in the equations of one Brian 2 group stand for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import expression
from neuromorph.interchange.brian2.given import dimension, external, opened, quantity, unit
from neuromorph.interchange.brian2.links import Linked, Neighbour, Read, linked, look, moves, plain_name
from neuromorph.interchange.brian2.schedule import Position
from neuromorph.interchange.brian2.shared_draws import drawn_once
from neuromorph.language import Expr, Param, Port, State, Type, dt, step, to_float, to_int, where, white_noise
from neuromorph.language.expr import as_expr, const
from neuromorph.lowering.statics import Statics
from neuromorph.units import Dimension, Unit

Symbol = Any
"""A Port, Param, State, Event or Expr."""

LAST = "spiked__last"
"""State: the step of the last spike."""
BEGAN = "run__began"
"""The first step of a run: Brian 2 has not done anything yet that belongs to the step before."""
RESERVED = {"spike", LAST, BEGAN}
"""Names that the importer gives to symbols of its own."""


class GroupNames:
    """The names of a group, made into symbols as they are met.

    Parameters
    ----------
    group : NeuronGroup or PoissonGroup
    namespace : mapping
        Where names are looked up that neither the group nor its own namespace knows.
    written : collection of str
        Variables that something changes while the network runs.
    moving : mapping of str to collection of str
        The same of every group of the network, for variables that are linked.
    first : int
        The first step of the run.
    around : mapping of str to Neighbour
        Every group of the network, for variables that are linked.

    Attributes
    ----------
    symbols : dict of str to symbol
        In order of appearance.
    values : dict of str to array or number
        SI values of parameters and initial states.
    feeds : dict of str to Feed
        What comes in from tables of values over time, by the name of its port.
    reads : dict of str to Read
        What comes in of variables that are linked and change, by the name of its port.
    draws : dict of str to Expr
        Random numbers that all neurons share, by the name of the port at which they come in.
    around : mapping of str to Neighbour
    """

    def __init__(
        self,
        group: Any,
        namespace: Mapping[str, Any],
        written: Collection[str],
        moving: Mapping[str, Collection[str]] | None = None,
        first: int = 0,
        around: Mapping[str, Neighbour] | None = None,
    ) -> None:
        self._group = group
        self._namespace = namespace
        self._written = written
        self._moving = moving or {}
        self._first = first
        self._equations = getattr(group, "user_equations", {})
        self._known: dict[str, Expr] = {}
        self._open: list[str] = []
        self.symbols: dict[str, Symbol] = {}
        self.values: dict[str, Any] = {}
        self.feeds: dict[str, Any] = {}
        self.reads: dict[str, Read] = {}
        self.draws: dict[str, Expr] = {}
        self.around: Mapping[str, Neighbour] = around or {}

    # --- what there is --------------------------------------------------------------------------------------------
    @property
    def group(self) -> Any:
        """The Brian 2 group."""
        return self._group

    @property
    def variables(self) -> Any:
        """Brian 2's variables of the group."""
        return self._group.variables

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """The expression that a name stands for."""
        if literal:
            return self._literal(name)
        name = plain_name(self._group, name)
        if name not in self._known:
            self._known[name] = self._resolve(name)
        return self._known[name]

    def at(self, name: str, place: Position | None) -> Expr:
        """The expression that a name stands for at a place of Brian 2's step; None: between two steps."""
        found = linked(self._group, name)
        if found is None or not moves(found, self._moving):
            return self(name)
        if place is None or found.owner.name not in self.around:
            raise LanguageError(f"{found}, which changes while the network runs; it is seen within a step alone")
        return look(self, found, place)

    def own(self, name: str, symbol: Symbol) -> Symbol:
        """Take in a symbol under a name, which messages will call it by."""
        if isinstance(symbol, Expr) and not symbol.args:
            object.__setattr__(symbol, "payload", name)  # no class body will: printing looks there
        self.symbols[name] = symbol
        return symbol

    def state(self, name: str) -> State:
        """The state that a variable of the group is.

        Raises
        ------
        LanguageError
            If it is none.
        """
        found = linked(self._group, name)
        if found is not None:
            raise LanguageError(f"{found}; a group changes its own variables alone")
        self(name)
        symbol = self.symbols.get(name)
        if not isinstance(symbol, State):
            raise LanguageError(f"{name} is no state variable")
        return symbol

    def stand_in(self, name: str, value: Expr) -> None:
        """From now on a name stands for a value; the state of that name stays."""
        self._known[name] = self.read(name, value)

    def port(self, name: str, dim: Dimension) -> Port:
        """A port of the importer's own, made where it is asked for first."""
        if name in self.variables:
            raise LanguageError(f"the name {name} is taken; rename it")
        if name not in self.symbols:
            self.own(name, Port(unit=unit(dim)))
        found: Port = self.symbols[name]
        return found

    def flag(self, name: str) -> State:
        """The state that is 1 from an event to the next step, made where it is asked for first."""
        if name in self.variables:
            raise LanguageError(f"the name {name} is taken; rename it")
        if name not in self.symbols:
            self.own(name, State(0, dtype=int))
        found: State = self.symbols[name]
        return found

    def is_written(self, name: str) -> bool:
        """Whether a variable of the group may change while the network runs."""
        return name in self._written and self.has(name)

    def has(self, name: str) -> bool:
        """Whether the group has a variable of that name that holds values."""
        from brian2.core.variables import ArrayVariable

        return isinstance(self.variables.get(name), ArrayVariable)

    def is_boolean(self, name: str) -> bool:
        """Whether a variable of the group is true or false."""
        return name in self.variables and np.dtype(self.variables[name].dtype).kind == "b"

    def stored(self, name: str, value: Expr) -> Expr:
        """A value as the state of a variable holds it."""
        state = self.state(name)
        value = self.drawn_once(name, value)
        if value.type is Type.BOOL:
            value = where(value, 1, 0)
        elif self.is_boolean(name):
            value = where(value != 0, 1, 0)
        if value.op == "const" and value.payload == 0 and value.dim.is_none:
            value = const(value.payload, state.dim)
        if state.type is Type.INT:
            return to_int(value) if value.type is Type.FLOAT else value
        return to_float(value)

    def drawn_once(self, name: str, value: Expr) -> Expr:
        """The value of a variable; if it is one for all neurons, so is what is random in it."""
        shared = getattr(self.variables.get(name), "scalar", False) and int(self._group.N) > 1
        return drawn_once(self, name, value) if shared else value

    def read(self, name: str, stored: Expr) -> Expr:
        """What a variable is, given what its state holds."""
        return stored != 0 if self.is_boolean(name) else stored

    def held_by(self, name: str) -> str | None:
        """The variable that must be true for this one to change: ``not_refractory``, or none."""
        condition = getattr(self.variables[name], "conditional_write", None) if name in self.variables else None
        return None if condition is None else str(condition.name)

    def subexpression(self, name: str) -> str | None:
        """The code of a subexpression that is evaluated wherever it is read."""
        if name in self._equations and self._equations[name].type == "subexpression":
            return None if "constant over dt" in self._equations[name].flags else str(self._equations[name].expr)
        variable = self.variables.get(name)
        return str(variable.expr) if hasattr(variable, "expr") else None

    def opened(self, name: str) -> AbstractContextManager[None]:
        """While a subexpression is evaluated: it must not need itself."""
        return opened(name, self._open)

    def began(self) -> Param:
        """The first step of the run, a parameter."""
        if BEGAN not in self.symbols:
            self.own(BEGAN, Param(self._first, dtype=int))
        found: Param = self.symbols[BEGAN]
        return found

    def constant(self, name: str, values: npt.NDArray[Any], dim: Dimension) -> Expr:
        """A parameter of the importer's own, one value or one for each neuron, in SI units."""
        return (
            self.symbols[name] if name in self.symbols else self._symbol(name, np.asarray(values), dim, dynamic=False)
        )

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function that is given under a name: a table over time, or one of the user's own; None if there is none."""
        from neuromorph.interchange.brian2.functions import callable_of

        try:
            found = self._group._resolve(name, run_namespace=self._namespace, user_identifier=False)
        except KeyError:
            return None
        return None if hasattr(found, "get_value") else callable_of(name, found, self)

    def static(self, value: Expr, **more: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """Value of an expression of parameters and numbers, in SI units: one, or one for each neuron; None if it moves.

        Parameters
        ----------
        value : Expr
        **more : array
            Values of parameters that are none of the group, or in place of theirs.
        """
        known = {}
        for name, symbol in self.symbols.items():
            if isinstance(symbol, Param):
                given = self.values.get(name, symbol.default)
                known[name] = np.asarray(getattr(given, "value", given))
        found = Statics(known | more, float(self._group.clock.dt_))(value)
        return None if found is None else np.asarray(found.value)

    def varies(self, node: Expr) -> bool:
        """Whether a node is a parameter with a value for each neuron."""
        return node.op == "param" and self.values_of(node).ndim > 0

    def values_of(self, parameter: Expr) -> npt.NDArray[Any]:
        """The values of a parameter in SI units, one or one for each neuron; 0 if it has none of its own."""
        given = self.values.get(parameter.payload, 0)
        return np.asarray(getattr(given, "value", given))

    # --- resolution -----------------------------------------------------------------------------------------------
    def _resolve(self, name: str) -> Expr:
        if name in RESERVED and name in self.variables:
            raise LanguageError(f"the name {name} is taken; rename it")
        match name:
            case "t":
                return to_float(step) * dt
            case "dt":
                return dt
            case "t_in_timesteps":
                return step
            case "xi":
                return white_noise()
            case "N":
                return const(int(self._group.N))
            case "i":
                return self._index()
        if name == LAST:
            return self._last_spike()
        if name in self._equations:
            return self._equation(name, self._equations[name])
        if name.startswith("xi_"):
            return white_noise()
        code = self.subexpression(name)
        if code is not None:
            return self._subexpression(name, code)
        found = linked(self._group, name)
        if found is not None:
            return self._linked(found)
        variable = self.variables.get(name)
        if variable is not None and hasattr(variable, "get_value"):
            return self._array(name, variable, dynamic=name in self._written)
        return self._external(name)

    def _equation(self, name: str, equation: Any) -> Expr:
        code = self.subexpression(name)
        if code is not None:
            return self._subexpression(name, code)
        if "linked" in equation.flags and name not in self.variables:
            raise LanguageError(f"{name} is a linked variable that is linked to nothing")
        found = linked(self._group, name)
        if found is not None:
            return self._linked(found)
        dynamic = equation.type == "differential equation" or name in self._written
        return self._array(name, self.variables[name], dynamic)

    def _subexpression(self, name: str, code: str) -> Expr:
        with self.opened(name):
            value = expression(code, self)
        if value.args:
            self.symbols[name] = value
        return value

    def _linked(self, found: Linked) -> Expr:
        """A variable of another group that does not change."""
        if moves(found, self._moving):
            raise LanguageError(f"{found}, which changes while the network runs")
        values = found.values if found.index is None else found.values[found.index]
        return self._symbol(found.name, values, self.dimension_of(found.name), dynamic=False)

    def dimension_of(self, name: str) -> Dimension:
        """The dimension of a variable."""
        return dimension(self.variables[name].dim)

    def _array(self, name: str, variable: Any, dynamic: bool) -> Expr:
        return self._symbol(name, np.asarray(variable.get_value()), dimension(variable.dim), dynamic)

    def _symbol(self, name: str, values: npt.NDArray[Any], dim: Dimension, dynamic: bool) -> Expr:
        whole = values.dtype.kind in "iub"
        uniform = values.size > 0 and bool(np.all(values == values.flat[0]))
        first = values.flat[0].item() if values.size else 0
        default = quantity(int(first) if whole else float(first), dim)
        symbol: State | Param = (State if dynamic else Param)(default, dtype=int if whole else float)
        if not uniform:
            self.values[name] = values.astype(np.int64) if whole else quantity(values.astype(np.float64), dim)
        self.own(name, symbol)
        return symbol != 0 if values.dtype.kind == "b" else symbol

    def _last_spike(self) -> Expr:
        times = np.asarray(self.variables["lastspike"].get_value(), np.float64)
        steps = np.rint(np.maximum(times / float(self._group.clock.dt_), -(2.0**30))).astype(np.int64)
        return self._symbol(LAST, steps, Dimension(), dynamic=True)

    def _index(self) -> Expr:
        self.values["i"] = np.arange(self._group.N)
        index = Param(0, dtype=int)
        self.own("i", index)
        return index

    def _constant(self, name: str) -> tuple[Any, Dimension]:
        """The value that Brian 2 finds for an external name, with its dimension."""
        return external(self._group, name, self._namespace, "the group")

    def _literal(self, name: str) -> Expr:
        if name in self._equations or name in self.variables:
            raise LanguageError(f"{name} is no constant number")
        value, dim = self._constant(name)
        return as_expr(quantity(value, dim))

    def _external(self, name: str) -> Expr:
        from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_UNITS

        value, dim = self._constant(name)
        if name in DEFAULT_UNITS and name not in self._group.namespace:
            return as_expr(Unit(name, value, dim))
        if name in DEFAULT_CONSTANTS or isinstance(value, bool):
            return as_expr(value)
        constant = Param(quantity(float(value), dim))
        self.own(name, constant)
        return constant
