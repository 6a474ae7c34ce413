"""A neuron as text: readable equations, and the canonical form that its hash is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.language.infix import exact_constant, infix, nodes
from neuromorph.units import Quantity

if TYPE_CHECKING:
    from neuromorph.language.expr import Expr
    from neuromorph.language.neuron import Neuron, ParamSpec, PortSpec, StateSpec
    from neuromorph.language.synapse import Synapse, SynapseState


MAX_NODES = 100
"""Operations in one line of the canonical text."""


def equations(neuron: Neuron) -> list[str]:
    """The equations of a neuron, in the order in which a step evaluates them, one in each line."""
    names = {id(e): n for n, e in neuron.named}

    def show(e: Expr) -> str:
        return infix(e, names)

    lines = [f"{n} = {infix(e, without(names, e))}" for n, e in neuron.named]
    lines += [f"{s.name} <- {s.name} + {show(s.jump)}  (jump)" for s in neuron.states if s.jump is not None]
    lines += advances(neuron.states, names)
    if neuron.event is not None:
        e = neuron.event
        line = f"event {e.name} when {show(e.when)}"
        line += f", value {show(e.value)}" if e.value is not None else ""
        line += f", refractory for {show(e.refractory)}" if e.refractory is not None else ""
        lines.append(line + (f", holding {', '.join(e.hold)}" if e.hold else ""))
    lines += [f"{s.name} <- {show(s.reset)}  (at an event)" for s in neuron.states if s.reset is not None]
    return lines


def advances(states: Iterable[StateSpec | SynapseState], names: dict[int, str]) -> list[str]:
    """How states advance, one in each line."""
    lines = []
    for s in states:
        if s.dot is not None:
            lines.append(f"d{s.name}/dt = {infix(s.dot, names)}")
        elif s.next is not None:
            lines.append(f"{s.name} <- {infix(s.next, names)}")
    return lines


def without(names: dict[int, str], expr: Expr) -> dict[int, str]:
    """The other names: those with which ``expr`` itself is defined."""
    return {key: name for key, name in names.items() if key != id(expr)}


def neuron_text(neuron: Neuron) -> str:
    """Canonical text: SI numbers that read back bit for bit, streams by number, shared nodes written once."""
    lines = [f"neuron {neuron.name}", f"method {neuron.method}"]
    lines += [f"port {p.name}: {kind_text(p)}" for p in neuron.ports]
    lines += [f"param {p.name}: {kind_text(p)} = {p.default!r}" for p in neuron.params]
    lets, names = let_lines(neuron)
    lines += lets
    for s in neuron.states:
        lines.append(f"state {s.name}: {kind_text(s)} = {exact_text(s.initial, names)}")
        for rule in ("jump", "dot", "next", "reset"):
            expr = getattr(s, rule)
            if expr is not None:
                lines.append(f"  {rule} = {exact_text(expr, names)}")
    if neuron.event is not None:
        lines.append(f"event {neuron.event.name}")
        for part in ("when", "value", "refractory"):
            expr = getattr(neuron.event, part)
            if expr is not None:
                lines.append(f"  {part} = {exact_text(expr, names)}")
        if neuron.event.hold:
            lines.append(f"  hold = {', '.join(neuron.event.hold)}")
    lines += [f"value {n} = {value_text(v)}" for n, v in neuron.values]
    return "\n".join(lines) + "\n"


def kind_text(spec: PortSpec | ParamSpec | StateSpec) -> str:
    """Type and unit."""
    return f"{spec.type} {spec.unit}".rstrip()


def let_lines(model: Neuron | Synapse) -> tuple[list[str], dict[int, str]]:
    """Lines that define what has a line of its own, and the names of these expressions by ``id``."""
    lines: list[str] = []
    names: dict[int, str] = {}
    named = {id(e): n for n, e in model.named}
    for node, alias in shared_nodes(model.expressions(), named):
        lines.append(f"let {alias} = {exact_text(node, names)}")
        names[id(node)] = alias
    first = {n: names[id(e)] for n, e in model.named}
    return lines + [f"let {n} = {alias}" for n, alias in first.items() if n != alias], names


def shared_nodes(roots: Sequence[Expr], named: dict[int, str]) -> list[tuple[Expr, str]]:
    """Nodes to be written in lines of their own, operands before users: named, used more than once, or too long."""
    order = nodes(*roots)
    uses = dict.fromkeys((id(n) for n in order), 0)
    for node in order:
        for arg in node.args:
            uses[id(arg)] += 1
    size: dict[int, int] = {}
    shared: list[tuple[Expr, str]] = []
    for node in order:
        size[id(node)] = 1 + sum(size[id(a)] for a in node.args)
        if id(node) in named or (node.args and (uses[id(node)] > 1 or size[id(node)] > MAX_NODES)):
            shared.append((node, named.get(id(node), f"%{len(shared)}")))
            size[id(node)] = 1
    return shared


def exact_text(root: Expr, names: dict[int, str]) -> str:
    """An expression whose numbers read back bit for bit, with the nodes in ``names`` by name."""
    return infix(root, names, number=exact_constant, symbol=_stream, limit=2**62)


def _stream(node: Expr) -> str:
    if node.op in ("normal", "uniform", "white_noise"):
        return f"{node.op}#{node.payload}"
    return node.op if node.payload is None else str(node.payload)


def value_text(value: Any) -> str:
    """A given value, exactly; arrays by their digest."""
    number = value.value if isinstance(value, Quantity) else value
    if is_dataclass(number) and not isinstance(number, type):  # distributions: their repr may round
        inner = ", ".join(f"{f.name}={value_text(getattr(number, f.name))}" for f in fields(number))
        return f"{type(number).__name__}({inner})"
    if hasattr(number, "sample"):
        return repr(number)
    if np.ndim(number):
        array = np.ascontiguousarray(number)
        digest = hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()
        return f"array{array.shape} {array.dtype.kind}{array.dtype.itemsize} sha256:{digest}"
    return repr(number)
