"""Bits that a layer moves between DRAM, the global buffer and the array."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from .layers import Layer
from .machine import Array


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bits that a layer moves.

    Attributes
    ----------
    dram_first, dram_second, dram_outputs : float
        Read from DRAM, read, and written.
    fed_first, fed_second : float
        Read from the buffer into the array, windows of a convolution put together on the way: a value that is in
        several windows is read for each of them.
    kept : {"all", "first", "second", "none"}
        Which operand stays in the buffer, whole or in blocks, while the other streams by.
    """

    dram_first: float
    dram_second: float
    dram_outputs: float
    fed_first: float
    fed_second: float
    kept: str

    @property
    def dram(self) -> float:
        """Bits from and to DRAM."""
        return self.dram_first + self.dram_second + self.dram_outputs


def traffic(array: Array, layer: Layer, first_bits: float, second_bits: float, output_bits: float) -> Traffic:
    """Bits of a layer, under the cheapest of the orders that an output-stationary array has.

    Every repeat has its own operands. If both fit the share of the buffer that a layer can count on, each is read from
    DRAM once. Else one is held in blocks as large as fit beside a strip of the other (what one row of tiles needs) and
    a tile of outputs, and the other is read again for every block. Partial sums never leave the array.

    Parameters
    ----------
    array : Array
    layer : Layer
    first_bits, second_bits, output_bits : float
        Stored bits of a value.
    """
    a, b = array.operands(layer)
    rows, columns = array.grid(a, b)
    down, across = ceil(layer.rows / rows), ceil(layer.columns / columns)
    room = array.buffer * 8.0 * array.prices.si("buffer.share")
    first = layer.inputs / layer.repeats * first_bits
    second = layer.depth * layer.columns * second_bits
    tile = min(rows, layer.rows) * min(columns, layer.columns) * output_bits
    strip_first = first * min(rows, layer.rows) / layer.rows
    strip_second = second * min(columns, layer.columns) / layer.columns
    if first + second + tile <= room:
        moved = (first, second, "all")
    else:
        by_second = _blocks(second, room - strip_first - tile, across)
        by_first = _blocks(first, room - strip_second - tile, down)
        if first * by_second + second <= first + second * by_first:
            moved = (first * by_second, second, "second" if by_second < across else "none")
        else:
            moved = (first, second * by_first, "first" if by_first < down else "none")
    return Traffic(
        dram_first=moved[0] * layer.repeats,
        dram_second=moved[1] * layer.repeats,
        dram_outputs=layer.outputs * output_bits,
        fed_first=float(layer.rows) * layer.depth * across * layer.repeats * first_bits,
        fed_second=float(layer.seconds) * down * second_bits,
        kept=moved[2],
    )


def _blocks(bits: float, room: float, most: int) -> int:
    """Blocks in which so many bits are held in a room; at most one for every strip."""
    return most if room <= 0 else min(most, max(1, ceil(bits / room)))
