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

Place = Literal["lut", "block"]

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


def ultra_ram(words: int, width: int, board: Board) -> Cost:
    """UltraRAM in the shape that takes the fewest."""
    return Cost(ultra_rams=min(ceil(words / deep) * ceil(width / wide) for deep, wide in board.ultra_blocks))


@lru_cache(maxsize=4096)
def memory_cost(words: int, width: int, board: Board, place: Place, *, written: bool = True) -> Cost:
    """A memory of ``words`` rows, ``width`` bits of which are read or written together.

    ``place`` is a wish: what does not fill half a block stays in LUTs.
    """
    if place == "block" and words * width >= _half_bits(board):
        return block_ram(words, width, board)
    return lut_ram(words, width, board, written=written)


@lru_cache(maxsize=4096)
def fifo_cost(depth: int, width: int, board: Board) -> Cost:
    """A FIFO in the largest kind of memory of which it fills at least one, with its pointers.

    UltraRAM if it fills a whole one and the board has any, then block RAM if it fills a half; else shift registers
    up to one LUT a bit, or LUTs as memory.
    """
    known = rules()
    control = Cost(luts=known.si("control.fifo") + known.si("control.fifo_bit") * ceil(log2(max(depth, 2))))
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
def control_cost(counters: int, moved: int) -> Cost:
    """A stage's start, stall and ``counters`` bits of loop counters, and a choice for each bit that it moves."""
    known = rules()
    return Cost(luts=known.si("control.stage") + known.si("control.counter") * counters + moved)


def _half_bits(board: Board) -> int:
    return max(deep * wide for deep, wide in board.half_blocks)
