"""A step program cut in two: what depends on the number of the step alone, and what is left for tensors.

Conditions such as ``step >= start`` have one value for a whole population, so they are decided in Python before the
step, and the tensors see one of a few *variants* of the program in which they are constants and their selects are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language.expr import Type
from neuromorph.lowering.builder import Builder, Value
from neuromorph.lowering.primitives import primitives
from neuromorph.lowering.program import Op, StepProgram
from neuromorph.lowering.prune import prune

Key = tuple[bool, ...]


@dataclass(frozen=True)
class Graph:
    """A program in a builder, so that ops can be added to it.

    Attributes
    ----------
    builder : Builder
    new_states : tuple of Value
    fired : Value or None
    value : Value or None
        None: spikes of value 1.
    observables : tuple of (str, Value)
    sent : Value or None
        A factor of ``value`` that is 0 wherever there is no event, so that ``value`` is what is sent everywhere.
    """

    builder: Builder
    new_states: tuple[Value, ...]
    fired: Value | None
    value: Value | None
    observables: tuple[tuple[str, Value], ...]
    sent: Value | None = None


@dataclass
class Stepped:
    """A program whose variants are made when a step asks for them.

    Attributes
    ----------
    program : StepProgram
        Shared values that nothing changes are constants in it.
    kept : tuple of int
        Positions that its parameters had before.
    offsets : mapping of int to (int or float)
        Ports to which the program adds nothing but this parameter (an int: its slot) or number (a float) before it
        uses them. The addition is left out, and the sums begin with it.
    """

    program: StepProgram
    kept: tuple[int, ...]
    offsets: Mapping[int, int | float]
    _switches: tuple[int, ...] = ()
    _scalars: tuple[int, ...] = ()
    _plan: tuple[int, ...] = ()
    _keys: dict[int, tuple[Key, tuple[Any, ...]]] = field(default_factory=dict)

    def at(self, step: int) -> tuple[Key, tuple[Any, ...]]:
        """Which variant a step is, and the numbers that it takes."""
        if not self._plan:
            return (), ()
        if step not in self._keys:
            values = self._evaluate(step)
            key = tuple(bool(values[k]) for k in self._switches)
            self._keys[step] = key, tuple(values[k].item() for k in self._scalars)
        return self._keys[step]

    def _evaluate(self, step: int) -> dict[int, Any]:
        functions = primitives(self.program.dtype)
        types = {Type.FLOAT: np.dtype(self.program.dtype).type, Type.INT: np.int64, Type.BOOL: np.bool_}
        values: dict[int, Any] = {}
        with np.errstate(all="ignore"):
            for k in self._plan:
                op = self.program.ops[k]
                if op.code == "step":
                    values[k] = np.int64(step)
                elif op.code == "const":
                    values[k] = types[op.type](op.payload)
                else:
                    values[k] = np.asarray(functions[op.code](*(values[a] for a in op.args)))
        return values

    def variant(self, key: Key) -> Graph:
        """The program in which the switches have these values; numbers that a step takes are leaves ``host``."""
        switches = dict(zip(self._switches, key, strict=True))
        scalars = {k: place for place, k in enumerate(self._scalars)}

        def known(number: int, op: Op, builder: Builder) -> Value | None:
            if number in switches:
                return builder.const(switches[number], Type.BOOL)
            return builder.leaf("host", op.type, scalars[number]) if number in scalars else None

        return rebuilt(self.program, known)


def stepped(program: StepProgram, values: Sequence[npt.NDArray[Any]], trained: Sequence[bool]) -> Stepped:
    """Cut a program.

    Parameters
    ----------
    program : StepProgram
    values : sequence of arrays
        Of its parameters.
    trained : sequence of bool
        Which of them may change; shared ones that do not become constants.
    """

    def known(number: int, op: Op, builder: Builder) -> Value | None:
        if op.code != "param" or trained[op.payload] or values[op.payload].ndim:
            return None
        return builder.const(values[op.payload].item(), op.type)

    folded, kept = prune(program_of(program, rebuilt(program, known)))
    folded, offsets = _offsets(folded)
    host: set[int] = set()
    for number, op in enumerate(folded.ops):
        if op.code == "step" or (op.args and all(_plain(folded, a, host) for a in op.args) and _hostable(op)):
            host.add(number)
    used = {a for number, op in enumerate(folded.ops) if number not in host for a in op.args}
    used |= {*folded.new_states, *(k for _, k in folded.observables)}
    used |= {k for k in (folded.fired, folded.value) if k is not None}
    crossing = sorted(used & host)
    switches = tuple(k for k in crossing if folded.ops[k].type is Type.BOOL)
    scalars = tuple(k for k in crossing if folded.ops[k].type is not Type.BOOL)
    needed = set(crossing)
    for number in range(len(folded.ops) - 1, -1, -1):
        if number in needed:
            needed.update(folded.ops[number].args)
    return Stepped(folded, kept, offsets, switches, scalars, tuple(sorted(needed)))


def _offsets(program: StepProgram) -> tuple[StepProgram, dict[int, int | float]]:
    """Take additions of a parameter or number to a port out of the program, where they are all that it is used for."""
    users: dict[int, list[int]] = {}
    for number, op in enumerate(program.ops):
        for a in op.args:
            users.setdefault(a, []).append(number)
    roots = {*program.new_states, program.fired, program.value, *(k for _, k in program.observables)}
    found: dict[int, int | float] = {}
    replaced: dict[int, int] = {}  # op of the addition, port
    for number, op in enumerate(program.ops):
        if op.code != "port" or op.type is not Type.FLOAT or number in roots or len(users.get(number, ())) != 1:
            continue
        (addition,) = users[number]
        if program.ops[addition].code == "add":
            (other,) = (a for a in program.ops[addition].args if a != number)
            added = program.ops[other]
            if added.code in ("param", "const"):
                found[op.payload] = int(added.payload) if added.code == "param" else float(added.payload)
                replaced[addition] = op.payload

    def known(number: int, op: Op, builder: Builder) -> Value | None:
        return builder.leaf("port", Type.FLOAT, replaced[number]) if number in replaced else None

    return (program_of(program, rebuilt(program, known)) if found else program), found


def _plain(program: StepProgram, number: int, host: set[int]) -> bool:
    return number in host or program.ops[number].code == "const"


def _hostable(op: Op) -> bool:
    return op.code != "poisson"


def rebuilt(program: StepProgram, known: Callable[[int, Op, Builder], Value | None]) -> Graph:
    """`program` written again, with other values for the ops for which `known` gives one."""
    builder = Builder(program.dtype, True)
    values: list[Value] = []
    for number, op in enumerate(program.ops):
        value = known(number, op, builder)
        if value is None and not op.args:
            value = (
                builder.const(op.payload, op.type) if op.code == "const" else builder.leaf(op.code, op.type, op.payload)
            )
        values.append(value or builder.emit(op.code, *(values[a] for a in op.args), payload=op.payload))
    return Graph(
        builder,
        tuple(values[k] for k in program.new_states),
        None if program.fired is None else values[program.fired],
        None if program.value is None else values[program.value],
        tuple((name, values[k]) for name, k in program.observables),
    )


def program_of(program: StepProgram, graph: Graph) -> StepProgram:
    """The program that a graph is, with the slots of `program`."""
    return StepProgram(
        program.dtype,
        tuple(graph.builder.ops),
        program.states,
        program.params,
        program.ports,
        tuple(v.number for v in graph.new_states),
        None if graph.fired is None else graph.fired.number,
        None if graph.value is None else graph.value.number,
        tuple((name, v.number) for name, v in graph.observables),
    )


def replaced(graph: Graph, known: Mapping[int, Callable[[Builder, Sequence[Value]], Value]]) -> Graph:
    """A graph written again, with other ops in place of some, each made of the new values of its operands."""
    builder = Builder(graph.builder.dtype, True)
    values: list[Value] = []
    for number, op in enumerate(graph.builder.ops):
        args = [values[a] for a in op.args]
        if number in known:
            value = known[number](builder, values)
        elif op.code == "const":
            value = builder.const(op.payload, op.type)
        elif not op.args:
            value = builder.leaf(op.code, op.type, op.payload)
        else:
            value = builder.emit(op.code, *args, payload=op.payload)
        values.append(value)
    return Graph(
        builder,
        tuple(values[v.number] for v in graph.new_states),
        None if graph.fired is None else values[graph.fired.number],
        None if graph.value is None else values[graph.value.number],
        tuple((name, values[v.number]) for name, v in graph.observables),
        None if graph.sent is None else values[graph.sent.number],
    )
