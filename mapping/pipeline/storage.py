"""Where words go on an FPGA: LUTs as memory or shift registers, block RAM, UltraRAM, by depth, width and ports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log2
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..constants import Constants, load_constants
from .board import Board

Place = Literal["lut", "block", "ultra"]

PLACES: tuple[Place, ...] = ("block", "ultra", "lut")

RULES = "fpga_logic"
"""The machine file of what arithmetic, memory and control take on any board."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What something takes of an FPGA.

    Attributes
    ----------
    luts : float
    dsps : float
    block_rams : float
        Of 36 kbit, in halves.
    ultra_rams : float
        Of 288 kbit.
    multipliers : float
        Products of matrices in one cycle, wherever they are made.
    """

    luts: float = 0.0
    dsps: float = 0.0
    block_rams: float = 0.0
    ultra_rams: float = 0.0
    multipliers: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.luts + other.luts,
            self.dsps + other.dsps,
            self.block_rams + other.block_rams,
            self.ultra_rams + other.ultra_rams,
            self.multipliers + other.multipliers,
        )

    @property
    def vector(self) -> NDArray[np.float64]:
        """(5,) the numbers in the order of the attributes."""
        return np.array([self.luts, self.dsps, self.block_rams, self.ultra_rams, self.multipliers])

    def times(self, count: float) -> Cost:
        """So many of it."""
        return Cost(
            self.luts * count,
            self.dsps * count,
            self.block_rams * count,
            self.ultra_rams * count,
            self.multipliers * count,
        )


def total_cost(costs: Iterable[Cost]) -> Cost:
    """All of them together."""
    return sum(costs, Cost())


def rules() -> Constants:
    """The constants of ``fpga_logic.toml``."""
    return load_constants(RULES)


def bits_of(count: int) -> int:
    """Bits of a counter from 0 to ``count - 1``, at least 1."""
    return max(1, (count - 1).bit_length())


def lut_ram(words: int, width: int, board: Board, *, written: bool = True) -> Cost:
    """LUTs as memory, ``width`` bits in and out in one cycle; what is never written needs no port for it."""
    groups = ceil(words / board.lut_words)
    join = ceil((groups - 1) / 3) * width
    if not written:
        return Cost(luts=groups * width + join)
    known = rules()
    if words * 2 <= board.lut_words:
        return Cost(luts=ceil(width / known.count("lut.ram_bits_32")) * 8)
    return Cost(luts=groups * ceil(width / known.count("lut.ram_bits_64")) * 8 + join)


def block_ram(words: int, width: int, board: Board) -> Cost:
    """Block RAM in the shape that takes the fewest halves."""
    return Cost(block_rams=min(ceil(words / deep) * ceil(width / wide) for deep, wide in board.half_blocks) / 2)


def ultra_ram(words: int, width: int, board: Board, *, written: bool = True) -> Cost:
    """UltraRAM in the shape that takes the fewest.

    One port writes and the other reads. What is never written is read by both, each from a half of the rows of its own,
    so that a block is also twice as wide and half as deep.
    """
    ports = 1 if written else board.ultra_ports
    shapes = [(deep // n, wide * n) for deep, wide in board.ultra_blocks for n in range(1, ports + 1)]
    return Cost(ultra_rams=min(ceil(words / deep) * ceil(width / wide) for deep, wide in shapes))


@lru_cache(maxsize=4096)
def memory_cost(words: int, width: int, board: Board, place: Place, *, written: bool = True) -> Cost:
    """A memory of ``words`` rows, ``width`` bits of which are read or written together.

    ``place`` is a wish: what does not fill half a block RAM stays in LUTs, and where UltraRAM cannot be had, block RAM
    is taken.
    """
    if place == "lut" or words * width < _half_bits(board):
        return lut_ram(words, width, board, written=written)
    if place == "ultra" and has_ultra(board, written=written):
        return ultra_ram(words, width, board, written=written)
    return block_ram(words, width, board)


def has_ultra(board: Board, *, written: bool) -> bool:
    """Whether UltraRAM can hold something: what is never written has to be in it from the start."""
    return bool(board.ultra_rams and board.ultra_blocks) and (written or board.ultra_initial)


@lru_cache(maxsize=4096)
def memory_places(words: int, width: int, board: Board, *, written: bool) -> tuple[tuple[Place, Cost], ...]:
    """A memory that fills at least half a block RAM, in all places that the board has for it; of a smaller one none."""
    if words * width < _half_bits(board):
        return ()
    return tuple(
        (place, memory_cost(words, width, board, place, written=written))
        for place in PLACES
        if place != "ultra" or has_ultra(board, written=written)
    )


@lru_cache(maxsize=4096)
def fifo_cost(depth: int, width: int, board: Board) -> Cost:
    """A FIFO in the largest kind of memory of which it fills at least one, with its pointers.

    UltraRAM if it fills a whole one and the board has any, then block RAM if it fills a half; else shift registers
    up to one LUT a bit, or LUTs as memory.
    """
    control = _fifo_control(depth)
    size = depth * width
    if board.ultra_blocks and size >= board.ultra_blocks[0][0] * board.ultra_blocks[0][1]:
        return control + ultra_ram(depth, width, board)
    if size >= _half_bits(board):
        return control + block_ram(depth, width, board)
    if depth * 2 <= board.shift_words:
        return control + Cost(luts=ceil(width / 2))
    if depth <= board.shift_words:
        return control + Cost(luts=width)
    return control + lut_ram(depth, width, board)


@lru_cache(maxsize=4096)
def fifo_places(depth: int, width: int, board: Board) -> tuple[tuple[Place, Cost], ...]:
    """A FIFO that fills at least half a block RAM, in all places that the board has for it; of a smaller one none."""
    control = _fifo_control(depth)
    return tuple((place, control + cost) for place, cost in memory_places(depth, width, board, written=True))


@lru_cache(maxsize=4096)
def control_cost(counters: int, moved: int) -> Cost:
    """A stage's start, stall and ``counters`` bits of loop counters, and a choice for each bit that it moves."""
    known = rules()
    return Cost(luts=known.si("control.stage") + known.si("control.counter") * counters + moved)


@lru_cache
def _fifo_control(depth: int) -> Cost:
    known = rules()
    return Cost(luts=known.si("control.fifo") + known.si("control.fifo_bit") * ceil(log2(max(depth, 2))))


def _half_bits(board: Board) -> int:
    return max(deep * wide for deep, wide in board.half_blocks)
