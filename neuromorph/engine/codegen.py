"""Prints a step program as a compiled kernel: one loop that updates, tests and resets, then one that lists events.

The first loop is straight-line arithmetic on one buffer with constant offsets, so that LLVM can vectorise it; it
leaves a mask of the neurons that fired. The second gathers their indices (and values) in ascending order. Every
operation is rounded as NumPy rounds it in the same type: no fast-math, no contraction, no library functions.
"""

from __future__ import annotations

from neuromorph.language.expr import Type
from neuromorph.lowering.program import Op, StepProgram

from .items import STEP
from .layout import Layout, shared_ops
from .ops import constant, operation

FIELD = {name: k for k, name in enumerate(STEP)}

_HEADER = '''"""{title}"""

import numpy as np
from numba import carray

from neuromorph.engine.lowlevel import bits_float, float_bits, pointer
'''


def print_step(program: StepProgram, layout: Layout) -> str:
    """The generated module of a population: ``kernel(step, offset, item)`` with fields ``items.STEP``."""
    printer = _Printer(program, layout)
    body = printer.body()
    title = f"One step of a population: {len(program.ops)} operations in {program.dtype}, stride {layout.stride}."
    lines = [_HEADER.format(title=title)]
    if printer.imports:
        lines.append(f"from neuromorph.random_kernels import {', '.join(printer.imports)}\n")
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
        codes = {program.ops[number].code for number in self.used}
        self.draws = {number: offset for number, offset in layout.draws if number in self.used}
        names = ("random_bits", "random"), ("poisson_counts", "poisson"), ("random_poisson", "poisson")
        self.imports = [function for function, code in names if code in codes]

    def body(self) -> list[str]:
        program, layout = self.program, self.layout
        shared = shared_ops(program)
        before: list[str] = []
        loop: list[str] = []
        for number in sorted(self.used):
            op = program.ops[number]
            (before if number in shared else loop).append(f"v{number} = {self._print(number, op)}")
        for number, offset in self.draws.items():
            op = program.ops[number]
            out = f"ints[{offset} : {offset + layout.stride}]"
            mean = f"np.float64(v{op.args[0]})"
            lanes = self._offset(layout.lanes)
            ids = "lo, hi" if layout.lanes == 1 else f"lo // {lanes}, hi // {lanes}"
            before.append(f"poisson_counts(seed, first_id, step, {int(op.payload)}, {mean}, {ids}, {out})")
            if layout.lanes > 1:
                before += self._spread(offset)
        if program.fired is not None:
            loop.append(f"mask[i] = v{program.fired}")
        if program.value is not None:
            loop.append(f"floats[{self._offset(layout.value)} + i] = v{program.value}")
        for place, number in zip(layout.states, program.new_states, strict=True):
            loop.append(self._store(place.ints, place.offset, number))
        observed = dict(program.observables)
        loop += [self._store(place.ints, place.offset, observed[place.name]) for place in layout.observables]
        for buffer, ports in (("float_ring", layout.float_ports), ("int_ring", layout.int_ports)):
            zero = f"{self.float}(0)" if buffer == "float_ring" else "np.int64(0)"
            loop += [
                f"{buffer}[{buffer[0]}row + {self._offset(k * layout.stride)} + i] = {zero}" for k in range(len(ports))
            ]
        lines = self._prologue() + before
        if loop:
            lines += ["for i in range(lo, hi):", *("    " + line for line in loop)]
        return lines + (self._gather() if program.fired is not None else [])

    def _used(self) -> set[int]:
        """Ops that the kernel needs: recorded observables count, others do not."""
        program = self.program
        observed = dict(program.observables)
        stack = [*program.new_states, *(observed[place.name] for place in self.layout.observables)]
        stack += [number for number in (program.fired, program.value) if number is not None]
        used: set[int] = set()
        while stack:
            number = stack.pop()
            if number not in used:
                used.add(number)
                stack.extend(program.ops[number].args)
        return used

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
            lines.append(view("mask", layout.stride // 8, "np.uint64").replace("mask =", "masks =", 1))
            lines.append(f"events = item[{FIELD['event_mask']}]")
            lines.append(view("fired", f"{layout.stride} * (events + 1)", "np.uint32"))
            lines.append(view("counts", "events + 1", "np.int64"))
            if program.value is not None:
                lines.append(view("values", f"{layout.stride} * (events + 1)", self.float))
        if self.imports:
            lines += [f"seed = item[{FIELD['seed']}]", f"first_id = np.uint64(item[{FIELD['first_id']}])"]
        for k, place in enumerate(layout.params):
            if not place.per_neuron:
                load = f"np.int64(ints[{place.offset}])" if place.ints else f"floats[{place.offset}]"
                lines.append(f"p{k} = {load}")
        return lines

    def _gather(self) -> list[str]:
        """Lines that list who fired; eight neurons of which none did are passed over at once."""
        lines = [
            f"start = np.uint64(step & events) * {self._offset(self.layout.stride)} + lo",
            "n = np.uint64(0)",
            f"for word in range(lo >> {self._offset(3)}, (hi + {self._offset(7)}) >> {self._offset(3)}):",
            f"    if masks[word] != {self._offset(0)}:",
            f"        first = word << {self._offset(3)}",
            f"        for i in range(max(lo, first), min(hi, first + {self._offset(8)})):",
            "            if mask[i]:",
            "                fired[start + n] = np.uint32(i)",
        ]
        if self.layout.value is not None:
            lines.append(f"                values[start + n] = floats[{self._offset(self.layout.value)} + i]")
        lines += [f"                n += {self._offset(1)}", "counts[step & events] = n"]
        return lines

    def _id(self) -> str:
        """Global id of element i's neuron."""
        lanes = self.layout.lanes
        return "first_id + i" if lanes == 1 else f"first_id + i // {self._offset(lanes)}"

    def _spread(self, offset: int) -> list[str]:
        """Lines that give the count of each neuron, in place, to all its lanes; last neuron first."""
        lanes, at = self._offset(self.layout.lanes), self._offset(offset)
        return [
            f"for k in range(hi // {lanes}):",
            f"    i = hi // {lanes} - k - {self._offset(1)}",
            f"    drawn = ints[{at} + i]",
            f"    for j in range({lanes}):",
            f"        ints[{at} + i * {lanes} + j] = drawn",
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
        if op.code == "random":
            return f"np.int64(random_bits(seed, {self._id()}, step, {int(op.payload)}))"
        args = [f"v{k}" for k in op.args]
        if op.code == "poisson":
            if number in self.draws:
                return f"np.int64(ints[{self._offset(self.draws[number])} + i])"
            return f"random_poisson(seed, {self._id()}, step, {int(op.payload)}, np.float64({args[0]}))"
        return operation(op.code, args, self.program.dtype)
