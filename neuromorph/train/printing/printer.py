"""Prints step programs and their derivatives as Python functions of PyTorch tensors.

``forward(states, ports, params, hosts, noise, zero, event)`` writes the events' values into ``event`` and returns
``(new states, fired, observed, saved)``. ``backward(saved, params, hosts, zero, g_states, g_event, g_fired, g_observed,
g_ports)`` takes the incoming gradients, writes those of the ports into ``g_ports`` and returns those of states and
parameters. Tensors have shape (..., neurons); shared values are numbers or tensors of shape ().
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from neuromorph.language.expr import Type
from neuromorph.lowering.neuron import REFRACTORY
from neuromorph.lowering.program import StepProgram
from neuromorph.train.printing import runtime
from neuromorph.train.printing.derivative import Derivative, derive, gated_states, soft
from neuromorph.train.printing.expressions import LEAVES, Ops
from neuromorph.train.printing.surrogate import Surrogate
from neuromorph.train.printing.variants import Graph


@dataclass(frozen=True)
class Printed:
    """One variant of a population's step.

    Attributes
    ----------
    forward, backward : callable
        See the module; ``backward`` is None if it was not asked for.
    always : bool or None
        The condition, if it is a constant; False also without an event.
    reads_state : bool
        Whether the step depends on a state or on random numbers, so that steps must be done one by one.
    resting : bool
        Whether it emits nothing and leaves every state as it is.
    states, params : tuple of int
        Slots for which ``backward`` returns gradients, in this order.
    source : str
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    always: bool | None
    reads_state: bool
    resting: bool
    states: tuple[int, ...]
    params: tuple[int, ...]
    source: str


def printed(
    program: StepProgram,
    graph: Graph,
    surrogate: Surrogate,
    trained: frozenset[int],
    *,
    gradient: bool,
    indicator: bool,
    detach_reset: bool,
    label: str,
) -> Printed:
    """Print one variant.

    Parameters
    ----------
    program : StepProgram
        Whose variant it is, for its slots.
    trained : frozenset of int
        Parameter slots that want gradients.
    gradient : bool
        Whether to save what the derivative needs, and to print it.
    indicator : bool
        Whether the condition's own gradient is handed in.
    label : str
        For the listing.
    """
    graph = soft(graph, trained, gated_states(program))
    made = derive(graph, trained, indicator=indicator, detach_reset=detach_reset) if gradient else None
    ops = Ops(graph.builder)
    saved = [] if made is None else _saved(ops, made)
    text = _forward(program, graph, ops, saved)
    if made is not None:
        text += "\n\n\n" + _backward(program, made, ops, saved)
    namespace = _namespace(program, surrogate)
    file = f"<neuromorph.train {label} {hash(text):x}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), namespace)
    always = False if graph.fired is None else graph.fired.constant
    own = [graph.builder.leaf("state", slot.type, k) for k, slot in enumerate(program.states)]
    read = ops.below(_roots(graph))
    return Printed(
        namespace["forward"],
        namespace.get("backward"),
        None if always is None else bool(always),
        any(ops.ops[k].code in ("state", "random", "poisson") for k in read),
        always is False and all(a.number == b.number for a, b in zip(graph.new_states, own, strict=True)),
        () if made is None else tuple(sorted(made.states)),
        () if made is None else tuple(sorted(made.params)),
        f"# {label}\n{text}",
    )


def _namespace(program: StepProgram, surrogate: Surrogate) -> dict[str, Any]:
    return {
        "torch": torch,
        "dtype": torch.float32 if program.dtype == "float32" else torch.float64,
        "surrogate": surrogate.derivative,
        "nan": float("nan"),
        "inf": float("inf"),
        **{name: getattr(runtime, name) for name in runtime.__all__},
    }


def _roots(graph: Graph) -> list[int]:
    """What a step gives."""
    values = [*graph.new_states, *(v for _, v in graph.observables)]
    if graph.fired is not None and graph.fired.constant is not False:
        values += [v for v in (graph.fired, graph.value) if v is not None]
    return [v.number for v in values]


def _saved(ops: Ops, made: Derivative) -> list[int]:
    """Forward values that the derivative uses."""
    used = ops.below(_adjoints(made), range(made.forward))
    return [k for k in used if k < made.forward and ops.ops[k].code not in ("const", "param", "host")]


def _adjoints(made: Derivative) -> list[int]:
    return [v.number for part in (made.states, made.params, made.ports) for v in part.values()]


def _forward(program: StepProgram, graph: Graph, ops: Ops, saved: Sequence[int]) -> str:
    roots = _roots(graph)
    numbers = ops.below([*roots, *saved])
    ports = [k for k in numbers if ops.ops[k].code == "port" and ops.ops[k].type is Type.FLOAT]
    lines = ["def forward(states, ports, params, hosts, noise, zero, event):", *_leaves(ops, numbers)]
    lines += ops.statements(numbers, {*roots, *saved}, spare=ports)
    fired = None if graph.fired is None or graph.fired.constant is not None else ops.name(graph.fired.number)
    lines.append(f"    {_emitted(graph, ops, fired)}")
    new = [
        f"wrap({ops.full(v.number)})" if slot.type is Type.INT and slot.name != REFRACTORY else ops.full(v.number)
        for v, slot in zip(graph.new_states, program.states, strict=True)
    ]
    observed = [ops.full(v.number) for _, v in graph.observables]
    kept = [ops.name(k) for k in saved]
    lines.append(f"    return {_tuple(new)}, {fired}, {_tuple(observed)}, {_tuple(kept)}")
    return "\n".join(lines)


def _emitted(graph: Graph, ops: Ops, fired: str | None) -> str:
    """The statement that writes the events' values."""
    if graph.fired is None or graph.fired.constant is False:
        return "event.zero_()"
    value = None if graph.value is None else graph.value.number
    if fired is not None:
        spikes = f"event.copy_({fired})"
        return spikes if value is None else f"torch.where({fired}, {ops.tensor(value)}, zero, out=event)"
    if value is None or ops.is_number(value):
        return f"event.fill_({1.0 if value is None else ops.name(value)})"
    return f"event.copy_({ops.name(value)})"


def _backward(program: StepProgram, made: Derivative, ops: Ops, saved: Sequence[int]) -> str:
    roots = _adjoints(made)
    numbers = ops.below(roots, range(made.forward))
    lines = ["def backward(saved, params, hosts, zero, g_states, g_event, g_fired, g_observed, g_ports):"]
    if saved:
        lines.append(f"    {_tuple([ops.name(k) for k in saved])} = saved")
    lines += _leaves(ops, [k for k in numbers if k not in saved])
    into: dict[int, list[str]] = {}
    for port, v in sorted(made.ports.items()):
        into.setdefault(v.number, []).append(f"g_ports[{port}]")
    added = [k for k in numbers if k >= made.forward]
    lines += ops.statements(added, roots, fuse=True, into=into)
    for k, targets in into.items():
        if k not in added or ops.ops[k].code in LEAVES:
            lines += [f"    {target}.copy_({ops.name(k)})" for target in targets]
    for port, slot in enumerate(program.ports):
        if port not in made.ports and slot.type is Type.FLOAT:
            lines.append(f"    g_ports[{port}].zero_()")
    states = [ops.name(made.states[k].number) for k in sorted(made.states)]
    params = [ops.name(made.params[k].number) for k in sorted(made.params)]
    lines.append(f"    return {_tuple(states)}, {_tuple(params)}")
    return "\n".join(lines)


def _leaves(ops: Ops, numbers: Sequence[int]) -> list[str]:
    sources = {"state": "states", "port": "ports", "param": "params", "host": "hosts"}
    lines = []
    for k in numbers:
        op = ops.ops[k]
        if op.code in sources:
            lines.append(f"    {ops.name(k)} = {sources[op.code]}[{op.payload}]")
        elif op.code == "incoming" and op.payload[0] in ("state", "observed"):
            source = "g_states" if op.payload[0] == "state" else "g_observed"
            lines.append(f"    {ops.name(k)} = {source}[{op.payload[1]}]")
    return lines


def _tuple(names: Sequence[str]) -> str:
    return "(" + "".join(f"{name}, " for name in names).rstrip() + ")" if names else "()"
