"""What identifiers in the equations of one Brian 2 group stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from neuromorph.dimension import rational
from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import expression
from neuromorph.language import Expr, Param, State, dt, step, to_float, white_noise
from neuromorph.language.expr import as_expr, const
from neuromorph.units import Dimension, Quantity, Unit, example_unit

Symbol = Any
"""A Port, Param, State, Event or Expr."""

RESERVED = {"spike", "refractory_left", "ready", "fired"}
"""Names that the importer gives to symbols of its own."""


def dimension(dims: Any) -> Dimension:
    """Brian 2's dimension as ours; both order the base units alike."""
    return Dimension(tuple(rational(float(d)) for d in dims._dims))


def quantity(value: Any, dim: Dimension) -> Any:
    """A number or an array in SI units with its dimension."""
    return value if dim.is_none else Quantity(value, dim, example_unit(dim))


def unit(dim: Dimension) -> Unit:
    """The unit to show a dimension in."""
    return example_unit(dim)


class GroupNames:
    """The names of a group, made into symbols as they are met.

    Parameters
    ----------
    group : NeuronGroup or PoissonGroup
    namespace : mapping
        Where names are looked up that neither the group nor its own namespace knows.
    written : collection of str
        Variables that something changes while the network runs.

    Attributes
    ----------
    symbols : dict of str to symbol
        In order of appearance.
    values : dict of str to array or number
        SI values of parameters and initial states.
    """

    def __init__(self, group: Any, namespace: Mapping[str, Any], written: Collection[str]) -> None:
        self._group = group
        self._namespace = namespace
        self._written = written
        self._equations = getattr(group, "user_equations", {})
        self._known: dict[str, Expr] = {}
        self._open: list[str] = []
        self.symbols: dict[str, Symbol] = {}
        self.values: dict[str, Any] = {}

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """The expression that a name stands for."""
        if literal:
            return self._literal(name)
        if name not in self._known:
            self._known[name] = self._resolve(name)
        return self._known[name]

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
        symbol = self(name)
        if not isinstance(symbol, State):
            raise LanguageError(f"{name} is no state variable")
        return symbol

    def _resolve(self, name: str) -> Expr:
        if name in RESERVED:
            raise LanguageError(f"the name {name} is taken; rename it")
        if name in self._equations:
            return self._equation(name, self._equations[name])
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
            case "lastspike" | "not_refractory":
                raise LanguageError(f"{name} cannot be read in equations")
        if name.startswith("xi_"):
            return white_noise()
        variable = self._group.variables.get(name)
        if variable is not None and hasattr(variable, "expr"):
            return self._subexpression(name, variable.expr)
        if variable is not None:
            return self._array(name, variable, dynamic=name in self._written)
        return self._external(name)

    def _equation(self, name: str, equation: Any) -> Expr:
        if "linked" in equation.flags:
            raise LanguageError(f"{name} is a linked variable")
        if equation.type == "subexpression":
            return self._subexpression(name, str(equation.expr))
        variable = self._group.variables[name]
        dynamic = equation.type == "differential equation" or name in self._written
        return self._array(name, variable, dynamic)

    def _subexpression(self, name: str, code: str) -> Expr:
        if name in self._open:
            raise LanguageError(f"{name} is defined by itself")
        self._open.append(name)
        value = expression(code, self)
        self._open.pop()
        if value.args:
            self.symbols[name] = value
        return value

    def _array(self, name: str, variable: Any, dynamic: bool) -> Expr:
        dim = dimension(variable.dim)
        values = np.asarray(variable.get_value())
        whole = values.dtype.kind in "iub"
        uniform = values.size > 0 and bool(np.all(values == values.flat[0]))
        first = values.flat[0].item() if values.size else 0
        default = quantity(int(first) if whole else float(first), dim)
        symbol: State | Param = (State if dynamic else Param)(default, dtype=int if whole else float)
        if not uniform:
            self.values[name] = values.astype(np.int64) if whole else quantity(values.astype(np.float64), dim)
        self.own(name, symbol)
        return symbol != 0 if values.dtype.kind == "b" else symbol

    def _index(self) -> Expr:
        self.values["i"] = np.arange(self._group.N)
        index = Param(0, dtype=int)
        self.own("i", index)
        return index

    def _constant(self, name: str) -> Any:
        """The value that Brian 2 finds for an external name, with its dimension."""
        try:
            found = self._group._resolve(name, run_namespace=self._namespace, user_identifier=False)
        except KeyError:
            raise LanguageError(f"the name {name} cannot be resolved; give namespace= with it") from None
        if not hasattr(found, "get_value"):
            raise LanguageError(f"{name} is a function ({type(found).__name__}), which has no counterpart")
        value = np.asarray(found.get_value())
        if value.size != 1:
            raise LanguageError(f"{name} is an array; make it a parameter of the group")
        return value.item(), dimension(found.dim)

    def _literal(self, name: str) -> Expr:
        if name in self._equations or name in self._group.variables:
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
