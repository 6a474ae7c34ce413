"""The reverse derivative of a step program, as more ops of the same kind.

The event's condition is differentiated through its surrogate: as a function of its comparisons ``H(a - b)``, joined as
``p and q = p q``, ``not p = 1 - p``, ``p or q = p + q - p q``. A comparison whose operand is chosen by such a
comparison (``where(new > theta, new, 0) > 0``) is first taken apart, ``H(where(c, a, b)) = where(c, H(a), H(b))``.
Where a model only says by its condition that zeros are not sent (``y = where(new > theta, new, 0)``, event when
``y > 0`` of a value that is a multiple of y), the value's gradient is that of sending it always.
Selects on the condition or on one of its comparisons pass a gradient to it: ``select(c, a, b) = b + H (a - b)``.
Comparisons elsewhere choose a branch, and the gradient follows it. Rounding to the nearest whole number passes the
gradient straight through, so that a neuron can round its sums, states and events; ``floor`` and ``trunc`` pass none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from neuromorph.language.expr import Type
from neuromorph.lowering.builder import Builder, Value
from neuromorph.lowering.program import StepProgram
from neuromorph.train.printing.variants import Graph, rebuilt, replaced

Adjoints = dict[int, list[Value]]
_COMPARISONS = frozenset({"lt", "le", "gt", "ge"})


@dataclass(frozen=True)
class Derivative:
    """Adjoints of the leaves, as functions of leaves ``incoming`` and of the forward ops.

    Attributes
    ----------
    forward : int
        Number of ops before the first that the derivative added.
    states, params, ports : dict of int to Value
        By slot; those that are not there are zero.
    """

    forward: int
    states: dict[int, Value]
    params: dict[int, Value]
    ports: dict[int, Value]


def soft(graph: Graph, trained: frozenset[int], gated: frozenset[int] = frozenset()) -> Graph:
    """The same program, its condition taken apart where its operands are chosen by comparisons.

    Parameters
    ----------
    trained : frozenset of int
        Parameter slots that want a gradient.
    gated : frozenset of int
        States that a comparison sets to 0: :func:`gated_states`.
    """
    if graph.fired is None:
        return graph
    active = active_ops(graph.builder, trained)
    graph = replace(graph, sent=_sent(graph, active, gated))
    assert graph.fired is not None
    root = graph.fired.number
    if not _chosen(graph.builder, root, active):
        return graph
    old = graph.builder

    def pulled(builder: Builder, values: list[Value], number: int) -> Value:
        op = old.ops[number]
        if op.type is not Type.BOOL or not _soft(old, number, active):
            return values[number]
        if op.code not in _COMPARISONS:
            return builder.emit(op.code, *(pulled(builder, values, a) for a in op.args), payload=op.payload)
        return compared(builder, values, op.code, op.args[0], op.args[1], op.payload)

    def compared(builder: Builder, values: list[Value], code: str, a: int, b: int, payload: object) -> Value:
        for mine, other, first in ((a, b, True), (b, a, False)):
            op = old.ops[mine]
            if op.code == "select" and _soft(old, op.args[0], active):
                condition = pulled(builder, values, op.args[0])
                branches = [
                    compared(builder, values, code, branch if first else other, other if first else branch, payload)
                    for branch in op.args[1:]
                ]
                return _choose(condition, *branches)
        x, y = values[a], values[b]
        constants = x.constant is not None and y.constant is not None
        return builder.emit(code, x, y, payload=None if constants else payload)

    return replaced(graph, {root: lambda builder, values: pulled(builder, list(values), root)})


def gated_states(program: StepProgram) -> frozenset[int]:
    """States whose new value is 0 where a comparison of floats says so."""
    graph = rebuilt(program, lambda number, op, builder: None)
    active = active_ops(graph.builder, frozenset())
    new = graph.new_states
    return frozenset(k for k, value in enumerate(new) if _gated(graph.builder, value.number, active))


def _gated(b: Builder, number: int, active: set[int], chosen: bool = False) -> bool:
    """Whether an op is a tree of selects in which a soft condition chooses 0."""
    op = b.ops[number]
    if op.code == "select":
        here = chosen or _soft(b, op.args[0], active)
        return any(_gated(b, branch, active, here) for branch in op.args[1:])
    return chosen and op.code == "const" and op.payload == 0.0


def _sent(graph: Graph, active: set[int], gated: frozenset[int]) -> Value | None:
    """The gated factor of the value that the condition compares with 0."""
    b = graph.builder
    if graph.fired is None or graph.value is None:
        return None
    op, value = b.ops[graph.fired.number], b.ops[graph.value.number]
    if op.code not in ("gt", "ne") or Value(b, op.args[1]).constant != 0.0:
        return None
    factor = op.args[0]
    is_factor = factor == graph.value.number or (value.code == "mul" and factor in value.args)
    made = b.ops[factor]
    is_gated = made.payload in gated if made.code == "state" else _gated(b, factor, active)
    return Value(b, factor) if is_factor and is_gated else None


def _choose(condition: Value, yes: Value, no: Value) -> Value:
    """A bool select in the fewest ops."""
    if no.constant is False:
        return condition & yes
    if yes.constant is False:
        return ~condition & no
    return condition.builder.emit("select", condition, yes, no)


def active_ops(builder: Builder, trained: frozenset[int]) -> set[int]:
    """Float ops that a gradient can come from: what depends on states, ports and trained parameters."""
    active: set[int] = set()
    for number, op in enumerate(builder.ops):
        if op.type is not Type.FLOAT:
            continue
        if (
            op.code in ("state", "port")
            or (op.code == "param" and op.payload in trained)
            or any(a in active for a in op.args)
        ):
            active.add(number)
    return active


def _soft(builder: Builder, number: int, active: set[int]) -> bool:
    """Whether a bool depends on comparisons of what a gradient can come from."""
    op = builder.ops[number]
    if op.type is not Type.BOOL:
        return False
    if op.code in _COMPARISONS:
        return any(a in active for a in op.args)
    return op.code in ("and", "or", "not", "select") and any(_soft(builder, a, active) for a in op.args)


def _chosen(builder: Builder, number: int, active: set[int]) -> bool:
    """Whether a comparison below has an operand that is chosen by a soft condition."""
    op = builder.ops[number]
    if op.code in _COMPARISONS:
        operands = (builder.ops[a] for a in op.args)
        return any(o.code == "select" and _soft(builder, o.args[0], active) for o in operands)
    return op.type is Type.BOOL and any(_chosen(builder, a, active) for a in op.args)


def derive(graph: Graph, trained: frozenset[int], *, indicator: bool = True, detach_reset: bool = False) -> Derivative:
    """Add the reverse derivative to a graph.

    Leaves ``incoming`` stand for what is handed in: payload ``("state", k)`` of new state k, ``("event",)`` of the
    event's value (0 where there is none), ``("fired",)`` of the condition, ``("observed", k)``.

    Parameters
    ----------
    graph : Graph
        Of :func:`soft`; its builder grows.
    trained : frozenset of int
        Parameter slots that want a gradient.
    indicator : bool
        Whether anything is handed in for the condition itself.
    detach_reset : bool
        Pass no gradient to the condition through resets.
    """
    b = graph.builder
    count = len(b.ops)
    active = active_ops(b, trained)
    conditions = _conditions(b, graph.fired, active)
    resets = {v.number for v in graph.new_states} if detach_reset else set()
    adjoints: Adjoints = {}

    def add(number: int, value: Value) -> None:
        if number in active or number in conditions:
            adjoints.setdefault(number, []).append(value)

    for k, new in enumerate(graph.new_states):
        if new.number in active:
            add(new.number, b.leaf("incoming", Type.FLOAT, ("state", k)))
    for k, (_, observed) in enumerate(graph.observables):
        if observed.number in active:
            add(observed.number, b.leaf("incoming", Type.FLOAT, ("observed", k)))
    if graph.fired is not None:
        event = b.leaf("incoming", Type.FLOAT, ("event",))
        if graph.sent is not None and graph.value is not None:
            add(graph.value.number, (graph.sent < 0.0).where(0.0, event))
        elif graph.value is not None:
            add(graph.value.number, _masked(graph.fired, event))
        if graph.sent is None:
            add(graph.fired.number, event if graph.value is None else event * graph.value)
        if indicator:
            add(graph.fired.number, b.leaf("incoming", Type.FLOAT, ("fired",)))
    for number in range(count - 1, -1, -1):
        if number in adjoints and b.ops[number].args:
            _propagate(b, number, _total(adjoints[number]), add, conditions, number not in resets)
    leaves: Mapping[str, dict[int, Value]] = {"state": {}, "param": {}, "port": {}}
    for number, parts in adjoints.items():
        op = b.ops[number]
        if op.code in leaves:
            leaves[op.code][op.payload] = _total(parts)
    return Derivative(count, leaves["state"], leaves["param"], leaves["port"])


def _conditions(b: Builder, fired: Value | None, active: set[int]) -> set[int]:
    """Bools that carry a gradient: the soft ones of which the condition is made."""
    found: set[int] = set()
    stack = [] if fired is None else [fired.number]
    while stack:
        number = stack.pop()
        if number not in found and _soft(b, number, active):
            found.add(number)
            stack += [a for a in b.ops[number].args if b.ops[a].type is Type.BOOL]
    return found


def _masked(condition: Value, g: Value) -> Value:
    return condition.where(g, 0.0)


def _total(parts: list[Value]) -> Value:
    """Sum; ``select(c, g, 0) + select(c, 0, g)`` is g."""
    rest = list(parts)
    k = 0
    while k < len(rest):
        for other in range(k + 1, len(rest)):
            joined = _halves(rest[k], rest[other])
            if joined is not None:
                del rest[other]
                rest[k] = joined
                k = -1
                break
        k += 1
    total = rest[0]
    for part in rest[1:]:
        total = total + part
    return total


def _halves(first: Value, second: Value) -> Value | None:
    b = first.builder
    x, y = b.ops[first.number], b.ops[second.number]
    if x.code != "select" or y.code != "select" or x.args[0] != y.args[0]:
        return None
    for p, q in ((x, y), (y, x)):
        zeros = b.ops[p.args[2]], b.ops[q.args[1]]
        if p.args[1] == q.args[2] and all(z.code == "const" and z.payload == 0.0 for z in zeros):
            return Value(b, p.args[1])
    return None


def _difference(yes: Value, no: Value) -> Value:
    """``yes - no``; of ``x - t`` and ``x`` it is ``-t``."""
    b = yes.builder
    op = b.ops[yes.number]
    if op.code in ("sub", "add") and op.args[0] == no.number:
        other = Value(b, op.args[1])
        return -other if op.code == "sub" else other
    return yes - no


def _propagate(
    b: Builder, number: int, g: Value, add: Callable[[int, Value], None], conditions: set[int], through_condition: bool
) -> None:
    """Add what one op's adjoint brings to its operands."""
    op = b.ops[number]
    values = [Value(b, a) for a in op.args]
    own = Value(b, number)

    def each(*adjoints: Value) -> None:
        for a, adjoint in zip(op.args, adjoints, strict=True):
            add(a, adjoint)

    match op.code:
        case "add":
            each(g, g)
        case "sub":
            add(op.args[0], g)
            add(op.args[1], -g)
        case "rint":
            each(g)
        case "neg":
            each(-g)
        case "mul":
            x, y = values
            each(g * y, g * x)
        case "div":
            x, y = values
            add(op.args[0], g / y)
            add(op.args[1], -(g / y * own))
        case "abs":
            each((values[0] < 0.0).where(-g, g))
        case "min" | "max":
            x, y = values
            first = x < y if op.code == "min" else x > y
            each(first.where(g, 0.0), first.where(0.0, g))
        case "sqrt":
            each(g * 0.5 / own)
        case "exp":
            each(g * own)
        case "expm1":
            each(g * (own + 1.0))
        case "phi1":
            each(g * b.emit("dphi1", values[0]))
        case "log":
            each(g / values[0])
        case "sigmoid":
            each(b.emit("sigmoid_backward", g, own))
        case "tanh":
            each(b.emit("tanh_backward", g, own))
        case "sin":
            each(g * b.emit("cos", values[0]))
        case "cos":
            each(-(g * b.emit("sin", values[0])))
        case "power":
            x, y = values
            add(op.args[0], g * (y * b.emit("power", x, y - 1.0)))
        case "select":
            c, yes, no = values
            if c.number in conditions and through_condition:
                add(c.number, g * _difference(yes, no) if op.type is Type.FLOAT else _bool_difference(g, yes, no))
            add(yes.number, c.where(g, 0.0))
            add(no.number, c.where(0.0, g))
        case "and":
            each(*(_masked(other, g) for other in reversed(values)))
        case "or":
            each(*(other.where(0.0, g) for other in reversed(values)))
        case "not":
            each(-g)
        case "lt" | "le" | "gt" | "ge":
            low, high = values if op.code in ("lt", "le") else values[::-1]
            scaled = g * b.emit("surrogate", high - low, payload=op.payload or 1.0)
            add(high.number, scaled)
            add(low.number, -scaled)


def _bool_difference(g: Value, yes: Value, no: Value) -> Value:
    return yes.where(no.where(0.0, g), no.where(-g, 0.0))
