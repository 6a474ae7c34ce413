"""The definition of an array's timing and arithmetic: every element, every cycle, in plain Python.

For small cases and as a check: :mod:`.timing` must give the same cycles, and a matrix product the same sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .machine import Element


@dataclass(frozen=True, eq=False)
class Walked:
    """Outcome of a walk.

    Attributes
    ----------
    cycles : int
        Until the last product is done.
    sums : NDArray[np.int64]
        (rows, columns) what every accumulator holds.
    busy : int
        Element-cycles with work.
    """

    cycles: int
    sums: NDArray[np.int64]
    busy: int


Value = tuple[int, int]
"""A magnitude, and the bits of its code."""


@dataclass
class _Port:
    """A stream at the border: what its decoder is at, and what it has ready."""

    steps: Sequence[Sequence[Value]]
    rate: int
    index: int = 0
    left: int = 0
    offered: int = -1

    def begin(self) -> None:
        nibbles = sum(-(-bits // 4) for _, bits in self.steps[self.index]) if self.index < len(self.steps) else 0
        self.left = -(-nibbles // self.rate) if self.rate else 0

    def edge(self, taken: int) -> None:
        """Offer a decoded operand once the one before it has been taken."""
        if self.index < len(self.steps) and self.left == 0 and taken >= self.index:
            self.offered = self.index
            self.index += 1
            self.begin()


@dataclass
class _Cell:
    """An element: operands taken from the left and from the top, products done, and the one at work."""

    taken_a: int = 0
    taken_w: int = 0
    done: int = 0
    left: int = 0
    sum: int = 0


def walk(
    element: Element,
    first: Sequence[Sequence[Value]],
    second: Sequence[Sequence[Value]],
    decoders: tuple[int, int] = (0, 0),
) -> Walked:
    """Run one pass cycle by cycle.

    Parameters
    ----------
    element : Element
        With ``lockstep`` "elastic" or "array"; of mode "serial" or "pair".
    first, second : sequence of sequences of (magnitude, bits)
        Operands of every row, and of every column.
    decoders : (int, int)
        Nibbles a cycle of the decoders of rows and columns; 0: none.
    """
    a, w = ([_steps(line, element) for line in lines] for lines in (first, second))
    return _elastic(element, a, w, decoders) if element.lockstep == "elastic" else _in_step(element, a, w, decoders)


def codes(magnitudes: ArrayLike, bits: ArrayLike) -> list[list[Value]]:
    """Operands of lines, from (lines, depth) magnitudes and the bits of their codes."""
    pairs = zip(np.asarray(magnitudes).tolist(), np.asarray(bits).tolist(), strict=True)
    return [list(zip(values, lengths, strict=True)) for values, lengths in pairs]


def _steps(line: Sequence[Value], element: Element) -> list[list[Value]]:
    size = 2 if element.mode == "pair" else 1
    return [list(line[k : k + size]) for k in range(0, len(line), size)]


def _work(element: Element, a: Sequence[Value], w: Sequence[Value]) -> tuple[int, int]:
    """Cycles of a step in one element, and the sum of its products, built from parts as the hardware does."""
    total, parts, wide = 0, 0, 0
    for (x, x_bits), (y, y_bits) in zip(a, w, strict=True):
        wide += x_bits > element.bits or y_bits > element.bits
        for m in range(-(-x_bits // element.bits)):
            for n in range(-(-y_bits // element.bits)):
                mask = (1 << element.bits) - 1
                low = ((x >> (m * element.bits)) & mask) * ((y >> (n * element.bits)) & mask)
                total += low << ((m + n) * element.bits)
                parts += 1
    if element.mode == "pair":
        return (2 if wide and len(a) == 2 else 1), total
    return parts, total


def _elastic(
    element: Element, a: list[list[list[Value]]], w: list[list[list[Value]]], decoders: tuple[int, int]
) -> Walked:
    rows, columns, steps, room = len(a), len(w), len(a[0]), element.registers
    grid = [[_Cell() for _ in range(columns)] for _ in range(rows)]
    left = [_Port(line, decoders[0]) for line in a]
    top = [_Port(line, decoders[1]) for line in w]
    for port in (*left, *top):
        port.begin()
    time, busy = 0, 0
    while True:
        for i in range(rows):  # edge: registers take, from the far end on, so that a register freed now is free
            for j in reversed(range(columns)):
                c, k = grid[i][j], grid[i][j].taken_a
                if j == 0:
                    left[i].edge(k)
                there = left[i].offered >= k if j == 0 else grid[i][j - 1].taken_a > k
                passed = j == columns - 1 or grid[i][j + 1].taken_a > k - room
                if k < steps and there and (k < room or (c.done > k - room and passed)):
                    c.taken_a += 1
                if j == 0:
                    left[i].edge(c.taken_a)
        for j in range(columns):
            for i in reversed(range(rows)):
                c, k = grid[i][j], grid[i][j].taken_w
                if i == 0:
                    top[j].edge(k)
                there = top[j].offered >= k if i == 0 else grid[i - 1][j].taken_w > k
                passed = i == rows - 1 or grid[i + 1][j].taken_w > k - room
                if k < steps and there and (k < room or (c.done > k - room and passed)):
                    c.taken_w += 1
                if i == 0:
                    top[j].edge(c.taken_w)
        if all(c.done == steps for row in grid for c in row):
            return Walked(time, np.array([[c.sum for c in row] for row in grid]), busy)
        time += 1
        for port in (*left, *top):
            port.left = max(0, port.left - 1)
        for i in range(rows):
            for j in range(columns):
                c = grid[i][j]
                if c.left == 0 and min(c.taken_a, c.taken_w) > c.done:
                    c.left, product = _work(element, a[i][c.done], w[j][c.done])
                    c.sum += product
                if c.left:
                    busy += 1
                    c.left -= 1
                    c.done += c.left == 0


def _in_step(
    element: Element, a: list[list[list[Value]]], w: list[list[list[Value]]], decoders: tuple[int, int]
) -> Walked:
    rows, columns, steps = len(a), len(w), len(a[0])
    sums = np.zeros((rows, columns), np.int64)
    cycles, busy = 0, 0
    for t in range(-1, steps + rows + columns - 2):
        needed = [0]
        for lines, rate in ((a, decoders[0]), (w, decoders[1])):
            entering = [line[t + 1 - n] for n, line in enumerate(lines) if 0 <= t + 1 - n < steps]
            needed += [-(-sum(-(-b // 4) for _, b in value) // rate) for value in entering if rate]
        for i in range(rows):
            for j in range(columns):
                k = t - i - j
                if 0 <= k < steps:
                    work, product = _work(element, a[i][k], w[j][k])
                    sums[i, j] += product
                    busy += work
                    needed.append(work)
        cycles += max(needed)
    return Walked(cycles, sums, busy)
