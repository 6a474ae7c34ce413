"""Sub-expressions of parameters, dt and numbers alone: evaluated once, in float64, when a network is compiled."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language.expr import Expr, nodes
from neuromorph.language.infix import infix
from neuromorph.lowering.primitives import primitives

_DYNAMIC = frozenset({"state", "port", "step", "normal", "uniform", "white_noise", "poisson"})


@dataclass(frozen=True, eq=False)
class Static:
    """A value known when a network is compiled.

    Attributes
    ----------
    key : hashable
        Equal keys mean equal formulas: two statics are one only by formula, never by value, so that new parameter
        values never change the shape of a program.
    name : str
        The formula, for people.
    value : array
        float64, int64 or bool, shape () or (neurons,).
    literal : bool
        No parameter in it: it becomes a constant instead of a parameter slot.
    op : str
        How the value was made: ``param`` (payload: its name), an operation of expressions, ``mul div add neg phi1``,
        ``steps`` (payload: seconds of one), ``propagator`` (see :mod:`neuromorph.lowering.linear`), or ``""`` for
        what is given.
    args : tuple of Static
        What it was made of.
    payload : object
    """

    key: Hashable
    name: str
    value: npt.NDArray[Any]
    literal: bool
    op: str = ""
    args: tuple[Static, ...] = ()
    payload: Any = None

    def __mul__(self, other: Static) -> Static:
        if self.literal and self.value == 1.0:
            return other
        if other.literal and other.value == 1.0:
            return self
        return _combine("*", "mul", self, other, np.multiply)

    def __truediv__(self, other: Static) -> Static:
        return _combine("/", "div", self, other, np.divide)

    def __neg__(self) -> Static:
        return Static(("-", self.key), f"-({self.name})", -self.value, self.literal, "neg", (self,))

    def __add__(self, other: Static) -> Static:
        return _combine("+", "add", self, other, np.add)

    def map(self, name: str, function: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Static:
        """``function`` of the value."""
        value = np.asarray(function(self.value))
        return Static((name, self.key), f"{name}({self.name})", value, self.literal, name, (self,))


def _combine(sign: str, op: str, a: Static, b: Static, function: Callable[..., Any]) -> Static:
    with np.errstate(all="ignore"):
        value = np.asarray(function(a.value, b.value))
    name, literal = f"({a.name} {sign} {b.name})", a.literal and b.literal
    return Static((sign, a.key, b.key), name, value, literal, op, (a, b))


def literal(number: float, name: str | None = None) -> Static:
    """A plain number."""
    return Static(("const", float(number)), name or repr(float(number)), np.asarray(float(number)), True)


class Statics:
    """Evaluates expressions of parameters and dt.

    Parameters
    ----------
    params : mapping of str to array
        Value of each parameter in SI units: float64 or int64, shape () or (neurons,).
    dt : float
        Length of a step in seconds.
    """

    def __init__(self, params: Mapping[str, npt.NDArray[Any]], dt: float) -> None:
        self._params = params
        self._dt = dt
        self._found: dict[int, tuple[Expr, Static | None]] = {}
        self._primitives = primitives("float64")

    def __call__(self, root: Expr) -> Static | None:
        """Value of `root`, or None if it depends on anything that changes while a network runs."""
        for node in nodes(root):
            if id(node) not in self._found:
                # The node is kept too, so that its id stays its own.
                self._found[id(node)] = (node, self._evaluate(node))
        return self._found[id(root)][1]

    def require(self, root: Expr) -> Static:
        """Value of `root`, which must not depend on states, ports or random numbers."""
        found = self(root)
        if found is None:
            raise ValueError(f"{infix(root)} is not known before the network runs")
        return found

    def _evaluate(self, node: Expr) -> Static | None:
        if node.op in _DYNAMIC:
            return None
        if node.op == "param":
            value = np.asarray(self._params[node.payload])
            return Static(("param", node.payload), str(node.payload), value, False, "param", payload=node.payload)
        if node.op == "dt":
            return Static(("dt",), "dt", np.asarray(self._dt), True)
        if node.op == "const":
            kind = type(node.payload).__name__
            return Static(("const", kind, node.payload), infix(node), np.asarray(node.payload), True)
        args = []
        for arg in node.args:
            static = self._found[id(arg)][1]
            if static is None:
                return None
            args.append(static)
        with np.errstate(all="ignore"):
            value = self._apply(node.op, [a.value for a in args])
        key = (node.op, *(a.key for a in args))
        literal = all(a.literal for a in args)
        return Static(key, infix(node, limit=80), np.asarray(value), literal, node.op, tuple(args))

    def _apply(self, op: str, args: list[Any]) -> Any:
        if op in _LIBRARY:
            return _LIBRARY[op](*args)
        if op == "truncdiv":
            return np.where(args[1] == 0, 0, self._primitives[op](args[0], np.where(args[1] == 0, 1, args[1])))
        if op in ("shr", "shl"):
            return self._primitives[op](args[0], np.clip(args[1], 0, 63))
        return self._primitives[{"float": "to_float", "int": "to_int"}.get(op, op)](*args)


_LIBRARY: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "pow": lambda x, y: np.power(x, y.astype(np.float64)) if np.any(y < 0) else np.power(x, y),
}
"""Functions that a step program expands; here, once and in float64, the library's will do."""
