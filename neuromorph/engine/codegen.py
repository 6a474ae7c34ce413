"""Prints a step program as a compiled kernel: one loop that updates, tests and resets, then one that lists events.

The first loop is straight-line arithmetic on one buffer with constant offsets, so that LLVM can vectorise it; it
leaves a mask of the neurons that fired. The second gathers their indices (and values) in ascending order, passing over
64 neurons of which none fired at once. A population that draws random numbers runs the first loop chunk by chunk, see
:mod:`.draws`.
"""

from __future__ import annotations

from neuromorph.language.expr import Type
from neuromorph.lowering.program import Op, StepProgram

from .draws import Draws
from .items import STEP
from .layout import Layout, shared_ops
from .ops import HELPERS, constant, operation
from .ranges import widths
from .turns import turn

FIELD = {name: k for k, name in enumerate(STEP)}

_HEADER = '''"""{title}"""

import numpy as np

from neuromorph.engine.lowlevel import {helpers}
from neuromorph.native.arrays import carray
'''


_HELPERS = ("lowest_bit", "pointer", "set_bytes", "stack")


def print_step(program: StepProgram, layout: Layout) -> str:
    """The generated module of a population: ``kernel(step, offset, item)`` with fields ``items.STEP``."""
    printer = _Printer(program, layout)
    body = printer.body()
    title = f"One step of a population: {len(program.ops)} operations in {program.dtype}, stride {layout.stride}."
    lines = [_HEADER.format(title=title, helpers=", ".join(sorted((*HELPERS, *_HELPERS))))]
    if printer.draws:
        lines.append(f"from neuromorph.random_kernels import {', '.join(printer.draws.imports)}\n")
    lines += [f"{name} = {value}" for name, value in printer.constants.items()]
    lines += ["", "", "def kernel(step, offset, item):", f"    item = carray(pointer(item), {len(STEP)}, np.int64)"]
    lines += ["    " + line if line else "" for line in body]
    return "\n".join(lines) + "\n"


class _Printer:
    """Collects the constants and lines of one kernel."""

    def __init__(self, program: StepProgram, layout: Layout) -> None:
        self.program = program
        self.layout = layout
        self.float = f"np.{program.dtype}"
        self.constants: dict[str, str] = {}
        self.used = self._used()
        self.shared = shared_ops(program)
        self.widths = widths(program.ops)
        self.draws = Draws(program, self.used, self.shared, layout.lanes)

    def body(self) -> list[str]:
        lines = [*self._prologue(), *self._values(self.used & self.shared), *self._out_of_turn()]
        loop = self._values(self.used - self.shared) + self._stores()
        if self.draws:
            lines += [*self.draws.scratch(), *self.draws.chunks(loop, self._value)]
        elif loop:
            lines += ["for i in range(lo, hi):", *("    " + line for line in loop)]
        return lines + (self._gather() if self.program.fired is not None else [])

    def _values(self, numbers: set[int]) -> list[str]:
        return [f"v{number} = {self._print(number, self.program.ops[number])}" for number in sorted(numbers)]

    def _value(self, number: int) -> list[str]:
        """Lines that compute an op of element i, and all that it needs of what elements do not share."""
        return self._values(self.program.behind([number]) - self.shared)

    def _out_of_turn(self) -> list[str]:
        """Lines that leave the kernel in a step in which the population does nothing: what arrived is lost."""
        number = None if self.layout.observables else turn(self.program, self.shared)
        if number is None:
            return []
        lines = [f"if not v{number}:"]
        if self.program.ports:
            lines += ["    for i in range(lo, hi):", *("        " + line for line in self._emptied())]
        if self.program.fired is not None:
            lines.append("    counts[step & events] = 0")
        return [*lines, "    return"]

    def _emptied(self) -> list[str]:
        """Lines that make room in the rings for what arrives at element i later."""
        layout, lines = self.layout, []
        for buffer, ports in (("float_ring", layout.float_ports), ("int_ring", layout.int_ports)):
            zero = f"{self.float}(0)" if buffer == "float_ring" else "np.int64(0)"
            lines += [
                f"{buffer}[{buffer[0]}row + {self._offset(k * layout.stride)} + i] = {zero}" for k in range(len(ports))
            ]
        return lines

    def _stores(self) -> list[str]:
        """Lines that leave what element i has become."""
        program, layout = self.program, self.layout
        lines = [f"mask[i] = v{program.fired}"] if program.fired is not None else []
        if program.value is not None:
            lines.append(f"floats[{self._offset(layout.value)} + i] = v{program.value}")
        for place, number in zip(layout.states, program.new_states, strict=True):
            lines.append(self._store(place.ints, place.offset, number))
        observed = dict(program.observables)
        lines += [self._store(place.ints, place.offset, observed[place.name]) for place in layout.observables]
        return lines + self._emptied()

    def _used(self) -> set[int]:
        """Ops that the kernel needs: recorded observables count, others do not."""
        observed = dict(self.program.observables)
        return self.program.used | self.program.behind(observed[place.name] for place in self.layout.observables)

    def _prologue(self) -> list[str]:
        layout, program = self.layout, self.program
        lines = [f"{name} = np.uint64(item[{FIELD[name]}])" for name in ("lo", "hi")]

        def view(name: str, length: str | int, dtype: str) -> str:
            return f"{name} = carray(pointer(item[{FIELD[name]}]), {length}, {dtype})"

        lines.append(view("floats", layout.floats, self.float))
        lines.append(view("ints", layout.ints, "np.int32"))
        for name, ports, dtype in (
            ("float_ring", layout.float_ports, self.float),
            ("int_ring", layout.int_ports, "np.int64"),
        ):
            if ports:
                row = len(ports) * layout.stride
                lines.append(view(name, f"({row} * (item[{FIELD['ring_mask']}] + 1),)", dtype))
                lines.append(f"{name[0]}row = np.uint64(step & item[{FIELD['ring_mask']}]) * {self._offset(row)}")
        if program.fired is not None:
            lines.append(view("mask", layout.stride, "np.uint8"))
            lines.append(f"events = item[{FIELD['event_mask']}]")
            lines.append(view("fired", f"{layout.stride} * (events + 1)", "np.uint32"))
            lines.append(view("counts", "events + 1", "np.int64"))
            if program.value is not None:
                lines.append(view("values", f"{layout.stride} * (events + 1)", self.float))
        if self.draws:
            lines += [f"{name} = np.uint64(item[{FIELD[name]}])" for name in ("seed", "first_id")]
            lines.append("now = np.uint64(step)")
        for k, place in enumerate(layout.params):
            if not place.per_neuron:
                load = f"np.int64(ints[{place.offset}])" if place.ints else f"floats[{place.offset}]"
                lines.append(f"p{k} = {load}")
        return lines

    def _gather(self) -> list[str]:
        """Lines that list who fired, from the mask: 64 neurons at a time, without those outside of [lo, hi)."""
        lines = [
            f"n = start = np.uint64(step & events) * {self._offset(self.layout.stride)} + lo",
            f"for word in range(lo >> {self._offset(6)}, (hi + {self._offset(63)}) >> {self._offset(6)}):",
            f"    first = word << {self._offset(6)}",
            f"    who = set_bytes(item[{FIELD['mask']}] + np.int64(first))",
            "    if first < lo:",
            "        who = who >> (lo - first) << (lo - first)",
            f"    if hi - first < {self._offset(64)}:",
            f"        who = who & (({self._offset(1)} << (hi - first)) - {self._offset(1)})",
            f"    while who != {self._offset(0)}:",
            "        i = first + lowest_bit(who)",
            "        fired[n] = np.uint32(i)",
        ]
        if self.layout.value is not None:
            lines.append(f"        values[n] = floats[{self._offset(self.layout.value)} + i]")
        return [
            *lines,
            f"        who = who & (who - {self._offset(1)})",
            f"        n += {self._offset(1)}",
            "counts[step & events] = n - start",
        ]

    def _store(self, ints: bool, offset: int, number: int) -> str:
        if ints:
            return f"ints[{self._offset(offset)} + i] = np.int32(v{number})"
        return f"floats[{self._offset(offset)} + i] = v{number}"

    def _offset(self, value: int | None) -> str:
        """A constant that the compiler sees as unsigned: signed indices would carry a wrap-around test."""
        name = f"U{value}"
        self.constants[name] = f"np.uint64({value})"
        return name

    def _constant(self, number: int, op: Op) -> str:
        if op.type == Type.BOOL:
            return constant(op, self.program.dtype)
        name = f"K{number}"
        self.constants[name] = constant(op, self.program.dtype)
        return name

    def _load(self, code: str, position: int) -> str:
        layout = self.layout
        if code == "port":
            if position in layout.float_ports:
                return f"float_ring[frow + {self._offset(layout.float_ports.index(position) * layout.stride)} + i]"
            return f"int_ring[irow + {self._offset(layout.int_ports.index(position) * layout.stride)} + i]"
        place = (layout.states if code == "state" else layout.params)[position]
        if not place.per_neuron:
            return f"p{position}"
        where = f"[{self._offset(place.offset)} + i]"
        return f"np.int64(ints{where})" if place.ints else f"floats{where}"

    def _print(self, number: int, op: Op) -> str:
        if op.code == "const":
            return self._constant(number, op)
        if op.code in ("state", "param", "port"):
            return self._load(op.code, op.payload)
        if op.code == "step":
            return "np.int64(step)"
        if op.code in ("random", "poisson"):
            return self.draws.load(number)
        args = [f"v{k}" for k in op.args]
        if op.code == "to_float" and op.args[0] in self.widths:
            args = [f"np.{self.widths[op.args[0]]}({args[0]})"]
        if op.code == "to_int" and self.widths.get(number) == "int32":
            args = [f"np.int32({args[0]})"]
        return operation(op.code, args, self.program.dtype)
