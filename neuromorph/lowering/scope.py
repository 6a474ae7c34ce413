"""Expressions into ops: the values that names have at one point of a step, and the writing of graphs below them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from fractions import Fraction

import numpy as np

from neuromorph.language.expr import Expr, Type, nodes
from neuromorph.lowering import elementary
from neuromorph.lowering.builder import Builder, Value
from neuromorph.lowering.statics import Static, Statics, literal
from neuromorph.lowering.streams import Streams


class Parameters:
    """The parameter slots of a program: given parameters and derived ones, each formula once."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._known: dict[Hashable, Value] = {}
        self.statics: list[Static] = []

    def __call__(self, static: Static) -> Value:
        """`static` as a value: a constant if no parameter is in it, else a parameter."""
        kind = static.value.dtype.kind
        if static.literal:
            type_ = {"f": Type.FLOAT, "i": Type.INT, "b": Type.BOOL}[kind]
            return self._builder.const(static.value.item(), type_)
        if kind == "b":
            number = Static(("int", static.key), static.name, static.value.astype(np.int64), False, "int", (static,))
            return ~self(number).equals(0)
        if static.key not in self._known:
            slot_type = Type.FLOAT if kind == "f" else Type.INT
            self._known[static.key] = self._builder.leaf("param", slot_type, len(self.statics))
            self.statics.append(static)
        return self._known[static.key]


class Scope:
    """What states are called at one point of the step, and the ops written for expressions there.

    Parameters
    ----------
    builder : Builder
    statics : Statics
    parameters : Parameters
    streams : Streams
    states, ports : mapping of str to Value
    dt : float
        Seconds.
    rates : bool
        For derivatives, which are approximations anyway: factors that are known before the run are joined, and division
        by one is multiplication by its inverse. Elsewhere every operation is done as it is written.
    units : mapping of str to float
        SI value of the unit in which each state and parameter was written; for comparisons in whole programs.
    """

    def __init__(
        self,
        builder: Builder,
        statics: Statics,
        parameters: Parameters,
        streams: Streams,
        states: Mapping[str, Value],
        ports: Mapping[str, Value],
        dt: float,
        rates: bool = False,
        units: Mapping[str, float] | None = None,
    ) -> None:
        self.rates = rates
        self.units = units or {}
        self.builder = builder
        self.statics = statics
        self.parameters = parameters
        self.streams = streams
        self.states = states
        self.ports = ports
        self.dt = dt
        self._done: dict[int, tuple[Expr, Value]] = {}

    def at(self, states: Mapping[str, Value]) -> Scope:
        """The same scope at a point where states have other values."""
        return self._like(states, False)

    def for_rates(self) -> Scope:
        """The same scope, for derivatives."""
        return self._like(self.states, True)

    def _like(self, states: Mapping[str, Value], rates: bool) -> Scope:
        known = self.builder, self.statics, self.parameters, self.streams
        return Scope(*known, states, self.ports, self.dt, rates, self.units)

    def __call__(self, root: Expr) -> Value:
        """Value of `root` here; what is known before the run becomes a constant or a parameter."""
        for node in self._needed(root):
            if id(node) not in self._done:
                self._done[id(node)] = (node, self._write(node))
        return self._done[id(root)][1]

    def _needed(self, root: Expr) -> list[Expr]:
        """Nodes below `root` that have to be written, operands first: nothing below a static node."""
        order: list[Expr] = []
        seen: set[int] = set()
        stack: list[tuple[Expr, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                if self.statics(node) is None:
                    stack.extend((a, False) for a in reversed(node.args))
        return order

    def _write(self, node: Expr) -> Value:
        static = self.statics(node)
        if static is not None:
            return self.parameters(static)
        if self.rates and node.op != "neg" and self._has_factor(node):
            return self.scaled(node, literal(1.0))
        args = [self._done[id(a)][1] for a in node.args]
        match node.op:
            case "state":
                return self.states[node.payload]
            case "port":
                return self.ports[node.payload]
            case "step":
                return self.builder.leaf("step", Type.INT)
            case "normal":
                return self.streams.normal(self.builder, node.payload)
            case "white_noise":
                return self.streams.normal(self.builder, node.payload) * float(self.dt**-0.5)
            case "uniform":
                return self.streams.uniform(self.builder, node.payload)
            case "poisson":
                return self.streams.poisson(self.builder, node.payload, args[0])
            case "pow":
                return _power(args[0], node.args[1].payload)
            case "float":
                return args[0].to_float()
            case "int":
                return args[0].to_int()
            case "shr" | "shl":
                return self.builder.emit(node.op, args[0], args[1].most(0).least(63))
            case "truncdiv":
                return _truncdiv(args[0], args[1])
            case op if op in _EXPANSIONS:
                return _EXPANSIONS[op](args[0])
            case "lt" | "le" | "gt" | "ge" if self.builder.whole:
                return self.builder.emit(node.op, *args, payload=self._unit(node))
            case op:
                return self.builder.emit(op, *args)

    def scaled(self, root: Expr, factor: Static) -> Value:
        """`root` times `factor`, which joins the constant factors of `root`: ``dt * (-i / tau)`` is one product."""
        static = self.statics(root)
        if static is not None:
            return self.parameters(factor * static)
        if factor.literal and factor.value == -1.0:
            return -self(root)
        a, b = (*root.args, root, root)[:2]
        left, right = self.statics(a), self.statics(b)
        match root.op:
            case "neg":
                return self.scaled(a, -factor)
            case "mul" if left is not None:
                return self.scaled(b, factor * left)
            case "mul" if right is not None:
                return self.scaled(a, factor * right)
            case "div" if right is not None:
                return self.scaled(a, factor / right)
            case "div" if left is not None:
                return self.parameters(factor * left) / self(b)
            case "div" if self._has_factor(a):
                return self.scaled(a, factor) / self(b)
            case "mul" if self._has_factor(a):
                return self.scaled(a, factor) * self(b)
            case "white_noise":
                normal = self.streams.normal(self.builder, root.payload)
                return self.parameters(factor * literal(self.dt**-0.5, "dt**-0.5")) * normal
        return self.parameters(factor) * self(root)

    def _unit(self, comparison: Expr) -> float | None:
        """SI value of the unit in which what is compared was written: that of the first symbol of its dimension."""
        dim = comparison.args[0].dim
        symbols = (n for n in nodes(*reversed(comparison.args)) if n.op in ("state", "param") and n.dim == dim)
        scale = next((self.units.get(n.payload, 1.0) for n in symbols), 1.0)
        return None if scale == 1.0 else scale

    def _has_factor(self, node: Expr) -> bool:
        """Whether :meth:`scaled` can join another factor to one in `node`."""
        if node.op == "neg":
            return self._has_factor(node.args[0])
        if node.op not in ("mul", "div") or node.type is not Type.FLOAT or self.statics(node) is not None:
            return False
        return self._has_factor(node.args[0]) or any(self.statics(a) is not None for a in node.args)


def _power(x: Value, exponent: float | Fraction) -> Value:
    twice = 2 * Fraction(exponent)
    if twice.denominator == 1 and abs(twice) <= 128:
        whole, half = divmod(abs(int(twice)), 2)
        result = elementary.integer_power(x, whole)
        if half:
            result = result * x.builder.emit("sqrt", x)
        return 1.0 / result if twice < 0 else result
    return elementary.power(x, x.builder.const(float(exponent)))


def _truncdiv(a: Value, b: Value) -> Value:
    """Toward zero, and 0 where the divisor is 0."""
    builder = a.builder
    if b.constant:
        return builder.emit("truncdiv", a, b)
    zero, one, nothing = b.equals(0), builder.const(1, Type.INT), builder.const(0, Type.INT)
    return zero.where(nothing, builder.emit("truncdiv", a, zero.where(one, b)))


_EXPANSIONS: dict[str, Callable[[Value], Value]] = {
    "exp": elementary.exp,
    "log": elementary.log,
    "sigmoid": elementary.sigmoid,
    "tanh": elementary.tanh,
    "sin": elementary.sin,
    "cos": elementary.cos,
}
