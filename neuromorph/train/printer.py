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
from neuromorph.lowering.builder import Builder
from neuromorph.lowering.neuron import REFRACTORY
from neuromorph.lowering.program import StepProgram
from neuromorph.train import runtime
from neuromorph.train.derivative import Derivative, derive, soft
from neuromorph.train.surrogate import Surrogate
from neuromorph.train.variants import Graph

_LEAVES = frozenset({"const", "state", "param", "port", "host", "incoming"})
_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==",
    "ne": "!=", "and": "&", "or": "|", "bitand": "&", "shr": ">>", "shl": "<<",
}  # fmt: skip
_CALLS = {
    "abs": "torch.abs", "exp": "torch.exp", "expm1": "torch.expm1", "log": "torch.log", "sigmoid": "torch.sigmoid",
    "tanh": "torch.tanh", "sqrt": "torch.sqrt", "floor": "torch.floor", "rint": "torch.round", "trunc": "torch.trunc",
    "power": "torch.pow", "phi1": "phi1", "dphi1": "dphi1", "exponent": "exponent", "mantissa": "mantissa",
    "truncdiv": "truncdiv", "to_int": "to_int", "exp2i": "exp2i", "sigmoid_backward": "sigmoid_backward",
    "tanh_backward": "tanh_backward",
}  # fmt: skip
_OUT = {"add": "torch.add", "sub": "torch.sub", "mul": "torch.mul", "div": "torch.div", "neg": "torch.neg"}


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
    ports : tuple of int
        Ports for which it writes them.
    source : str
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    always: bool | None
    reads_state: bool
    resting: bool
    states: tuple[int, ...]
    params: tuple[int, ...]
    ports: tuple[int, ...]
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
    graph = soft(graph, trained)
    made = derive(graph, trained, indicator=indicator, detach_reset=detach_reset) if gradient else None
    lines = _Lines(program, graph.builder)
    saved = [] if made is None else lines.needed(made)
    text = lines.forward(graph, saved)
    if made is not None:
        text += "\n\n" + lines.backward(made, saved)
    namespace = _namespace(program, surrogate)
    file = f"<neuromorph.train {label} {hash(text):x}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), namespace)
    always = False if graph.fired is None else graph.fired.constant
    own = [graph.builder.leaf("state", slot.type, k) for k, slot in enumerate(program.states)]
    roots = [*graph.new_states, *(v for _, v in graph.observables)]
    roots += [v for v in (graph.fired, graph.value) if v is not None]
    stateful = any(graph.builder.ops[k].code in ("state", "random", "poisson") for k in lines.below(roots))
    return Printed(
        namespace["forward"],
        namespace.get("backward"),
        None if always is None else bool(always),
        stateful,
        always is False and all(a.number == b.number for a, b in zip(graph.new_states, own, strict=True)),
        () if made is None else tuple(sorted(made.states)),
        () if made is None else tuple(sorted(made.params)),
        () if made is None else tuple(sorted(made.ports)),
        f"# {label}\n{text}",
    )


def _namespace(program: StepProgram, surrogate: Surrogate) -> dict[str, Any]:
    dtype = torch.float32 if program.dtype == "float32" else torch.float64
    return {
        "torch": torch,
        "dtype": dtype,
        "surrogate": surrogate.derivative,
        "nan": float("nan"),
        "inf": float("inf"),
        **{name: getattr(runtime, name) for name in runtime.__all__},
    }


class _Lines:
    """The ops of one builder as statements."""

    def __init__(self, program: StepProgram, builder: Builder) -> None:
        self.program = program
        self.builder = builder
        self.ops = builder.ops

    def below(self, roots: Sequence[Any], stop: frozenset[int] = frozenset()) -> list[int]:
        """Numbers of what is needed for `roots`, in order; nothing below what is in `stop`."""
        needed = {v.number for v in roots}
        for number in range(len(self.ops) - 1, -1, -1):
            if number in needed and number not in stop:
                needed.update(self.ops[number].args)
        return sorted(needed)

    def needed(self, made: Derivative) -> list[int]:
        """Forward values that the derivative uses."""
        roots = [*made.states.values(), *made.params.values(), *made.ports.values()]
        forward = frozenset(range(made.forward))
        used = self.below(roots, forward)
        return [k for k in used if k < made.forward and self.ops[k].code not in ("const", "param", "host", "incoming")]

    def name(self, number: int) -> str:
        """What an op's value is called."""
        op = self.ops[number]
        match op.code:
            case "const":
                return repr(op.payload)
            case "state":
                return f"s{op.payload}"
            case "param":
                return f"p{op.payload}"
            case "port":
                return f"a{op.payload}"
            case "host":
                return f"h{op.payload}"
            case "incoming":
                return "g_" + "".join(map(str, op.payload))
        return f"v{number}"

    def tensor(self, number: int) -> str:
        """The same, where a number will not do."""
        op = self.ops[number]
        if op.code == "const" and op.type is Type.FLOAT and op.payload == 0.0:
            return "zero"
        if op.code in ("const", "host"):
            return f"scalar({self.name(number)}, zero, {_kind(op.type)})"
        return self.name(number)

    def expression(self, number: int, uses: dict[int, int] | None = None) -> str:
        """An op as an expression of its operands' names; `uses` (of each op) allows products to join sums."""
        op = self.ops[number]
        args = [self.name(a) for a in op.args]
        match op.code:
            case "neg":
                return f"-{args[0]}"
            case "not":
                return f"~{args[0]}"
            case "select":
                _, yes, no = op.args
                if self.ops[yes].code in ("const", "host") and self.ops[no].code in ("const", "host"):
                    return f"torch.where({args[0]}, {self.tensor(yes)}, {self.tensor(no)})"
                both = [self.name(k) if self.ops[k].payload != 0.0 else self.tensor(k) for k in (yes, no)]
                return f"torch.where({args[0]}, {both[0]}, {both[1]})"
            case "min" | "max":
                return self._extreme(op.code, *op.args)
            case "to_float":
                return f"to_float({args[0]}, dtype)"
            case "surrogate":
                if op.payload == 1.0:
                    return f"surrogate({args[0]})"
                return f"surrogate({args[0]} * {1.0 / op.payload!r}) * {1.0 / op.payload!r}"
            case "random":
                return f"noise.bits({op.payload})"
            case "poisson":
                return f"noise.poisson({op.payload}, {args[0]})"
            case "add" | "sub" if uses is not None:
                joined = self._joined(number, uses)
                if joined:
                    return joined
        if op.code in _INFIX:
            return f"{args[0]} {_INFIX[op.code]} {args[1]}"
        if op.code in ("power", "exp2i"):
            args.append("dtype") if op.code == "exp2i" else None
        return f"{_CALLS[op.code]}({', '.join(args)})"

    def _extreme(self, code: str, a: int, b: int) -> str:
        for first, second in ((a, b), (b, a)):
            if self.ops[second].code in ("const", "host"):
                return f"torch.clamp({self.name(first)}, {'max' if code == 'min' else 'min'}={self.name(second)})"
        return f"torch.{'minimum' if code == 'min' else 'maximum'}({self.name(a)}, {self.name(b)})"

    def _joined(self, number: int, uses: dict[int, int]) -> str | None:
        """``x + y * z`` in one operation."""
        op = self.ops[number]
        for mine, other in ((1, 0), (0, 1)):
            product = self.ops[op.args[mine]]
            if product.code != "mul" or uses.get(op.args[mine]) != 1 or (op.code == "sub" and mine == 0):
                continue
            numbers = (*product.args, op.args[other])
            if all(self.ops[k].code not in ("const", "host", "param") for k in numbers):
                value = ", value=-1" if op.code == "sub" else ""
                return f"torch.addcmul({self.name(op.args[other])}, {', '.join(map(self.name, product.args))}{value})"
        return None

    def forward(self, graph: Graph, saved: Sequence[int]) -> str:
        """The function ``forward``."""
        b, program = self.builder, self.program
        roots = [*graph.new_states, *(v for _, v in graph.observables), *(v for v in (graph.fired,) if v is not None)]
        if graph.fired is not None and graph.fired.constant is not False and graph.value is not None:
            roots.append(graph.value)
        numbers = sorted({*self.below(roots), *saved})
        numbers = self.below([type(roots[0])(b, k) for k in numbers]) if numbers else []
        lines = ["def forward(states, ports, params, hosts, noise, zero, event):", *self._leaves(numbers)]
        lines += [f"    v{k} = {self.expression(k)}" for k in numbers if self.ops[k].code not in _LEAVES]
        fired = "None"
        if graph.fired is not None and graph.fired.constant is None:
            fired = self.name(graph.fired.number)
            if graph.value is None:
                lines.append(f"    event.copy_({fired})")
            elif self._spread(graph.value.number):
                lines.append(f"    torch.where({fired}, {self.tensor(graph.value.number)}, zero, out=event)")
            else:
                lines.append(f"    torch.where({fired}, {self.name(graph.value.number)}, zero, out=event)")
        elif graph.fired is not None and graph.fired.constant:
            value = "1.0" if graph.value is None else self.name(graph.value.number)
            plain = graph.value is None or self.ops[graph.value.number].code in ("const", "host")
            lines.append(f"    event.fill_({value})" if plain else f"    event.copy_({value})")
        new = [
            self._stored(v.number, slot.type, slot.name)
            for v, slot in zip(graph.new_states, program.states, strict=True)
        ]
        observed = [self._full(v.number) for _, v in graph.observables]
        kept = [self.name(k) for k in saved]
        lines.append(f"    return {_tuple(new)}, {fired}, {_tuple(observed)}, {_tuple(kept)}")
        return "\n".join(lines)

    def backward(self, made: Derivative, saved: Sequence[int]) -> str:
        """The function ``backward``."""
        known = frozenset(range(made.forward))
        roots = [*made.states.values(), *made.params.values(), *made.ports.values()]
        numbers = self.below(roots, known)
        uses: dict[int, int] = {}
        for k in numbers:
            if k >= made.forward:
                for a in self.ops[k].args:
                    uses[a] = uses.get(a, 0) + 1
        for v in roots:
            uses[v.number] = uses.get(v.number, 0) + 2
        targets: dict[int, list[int]] = {}
        for port, v in sorted(made.ports.items()):
            targets.setdefault(v.number, []).append(port)
        lines = ["def backward(saved, params, hosts, zero, g_states, g_event, g_fired, g_observed, g_ports):"]
        if saved:
            lines.append(f"    {_tuple([self.name(k) for k in saved])} = saved")
        lines += self._leaves([k for k in numbers if self.ops[k].code in ("param", "host")])
        for k in numbers:
            if self.ops[k].code == "incoming" and self.ops[k].payload[0] in ("state", "observed"):
                kind, place = self.ops[k].payload
                source = "g_states" if kind == "state" else "g_observed"
                lines.append(f"    {self.name(k)} = {source}[{place}]")
        joined = self._absorbed([k for k in numbers if k >= made.forward], uses)
        for k in numbers:
            if k >= made.forward and self.ops[k].code not in _LEAVES and k not in joined:
                lines += self._written(k, uses, targets.pop(k, []))
        for k, ports in targets.items():
            lines += [f"    g_ports[{port}].copy_({self.name(k)})" for port in ports]
        states = [self.name(made.states[k].number) for k in sorted(made.states)]
        params = [self.name(made.params[k].number) for k in sorted(made.params)]
        lines.append(f"    return {_tuple(states)}, {_tuple(params)}")
        return "\n".join(lines)

    def _absorbed(self, numbers: Sequence[int], uses: dict[int, int]) -> set[int]:
        """Products that are done within the sum that uses them."""
        found: set[int] = set()
        for k in numbers:
            if self.ops[k].code in ("add", "sub"):
                text = self._joined(k, uses)
                if text is not None:
                    found.add(next(a for a in reversed(self.ops[k].args) if self._is_product(a, uses, text)))
        return found

    def _is_product(self, number: int, uses: dict[int, int], text: str) -> bool:
        op = self.ops[number]
        names = ", ".join(map(self.name, op.args))
        return op.code == "mul" and uses.get(number) == 1 and f", {names}" in text

    def _written(self, k: int, uses: dict[int, int], ports: Sequence[int]) -> list[str]:
        op = self.ops[k]
        if not ports:
            return [f"    v{k} = {self.expression(k, uses)}"]
        expression = self.expression(k, uses)
        numbers = [a for a in op.args if self.ops[a].code in ("const", "host")]
        if expression.startswith("torch.addcmul") or (
            expression.startswith("torch.where") and not numbers[:1] and "scalar" not in expression
        ):
            first = f"{expression[:-1]}, out=g_ports[{ports[0]}])"
        elif op.code in _OUT and (not numbers or numbers == [op.args[-1]]):
            args = ", ".join(map(self.name, op.args))
            first = f"{_OUT[op.code]}({args}, out=g_ports[{ports[0]}])"
        else:
            first = f"g_ports[{ports[0]}].copy_({expression})"
        return [f"    v{k} = {first}", *(f"    g_ports[{port}].copy_(v{k})" for port in ports[1:])]

    def _leaves(self, numbers: Sequence[int]) -> list[str]:
        sources = {"state": "states", "port": "ports", "param": "params", "host": "hosts"}
        return [
            f"    {self.name(k)} = {sources[op.code]}[{op.payload}]"
            for k in numbers
            if (op := self.ops[k]).code in sources
        ]

    def _spread(self, number: int) -> bool:
        """Whether a value is the same for all samples."""
        return all(self.ops[k].code not in ("state", "port", "random", "poisson") for k in self.below([_At(number)]))

    def _full(self, number: int) -> str:
        op = self.ops[number]
        return f"spread({self.name(number)}, event, {_kind(op.type)})" if self._spread(number) else self.name(number)

    def _stored(self, number: int, type_: Type, name: str) -> str:
        text = self._full(number)
        return f"wrap({text})" if type_ is Type.INT and name != REFRACTORY else text


@dataclass(frozen=True)
class _At:
    number: int


def _kind(type_: Type) -> str:
    return {Type.FLOAT: "dtype", Type.INT: "torch.int64", Type.BOOL: "torch.bool"}[type_]


def _tuple(names: Sequence[str]) -> str:
    return "(" + "".join(f"{name}, " for name in names).rstrip() + ")" if names else "()"
