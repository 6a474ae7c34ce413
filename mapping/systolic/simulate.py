"""Layers on an array: cycles, traffic, energy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuromorph.errors import MappingError
from neuromorph.formats import spark_length

from .energy import joules
from .layers import Layer
from .machine import Array, Operand
from .report import LayerReport, Report
from .timing import NIBBLE, PassTimes, time_passes
from .traffic import traffic
from .values import Codes, Distribution

PASSES = 1
"""Passes that are timed of every shape of tile, after a first one that fills the array."""
STEPS = 1024
"""Operands of a stream that are timed of every pass, at most."""


@dataclass(frozen=True, slots=True)
class _Tile:
    """``count`` tiles of outputs of one size."""

    rows: int
    columns: int
    count: int


def simulate(
    array: Array,
    layers: Iterable[Layer],
    values: Distribution,
    *,
    passes: int = PASSES,
    steps: int = STEPS,
    seed: int = 0,
) -> Report:
    """Run layers one after the other.

    A layer's outputs are cut into tiles; each tile is a pass over the array. Where operands have codes of different
    lengths, some passes of every size of tile are timed exactly on operands drawn from `values`, and the others cost
    their mean. Arrays are given the same operands.

    Parameters
    ----------
    array : Array
    layers : iterable of Layer
        With the batch that they are to have (:func:`.layers.batched`).
    values : Distribution
    passes, steps : int
        Passes of each size of tile that are timed, and operands of a stream in each, at most.
    seed : int

    Raises
    ------
    MappingError
        If there are no layers, or a number is impossible.

    Notes
    -----
    Outputs are stored with the mean bits of the layer's own activations. A layer takes the longer of its array's and
    its DRAM's time; reading its first operands is not waited for.
    """
    listed = tuple(layers)
    if not listed:
        raise MappingError(f"array {array.name}: no layers to simulate", array=array.name)
    if passes < 1 or steps < 2:
        raise MappingError(
            f"array {array.name}: {passes} passes of {steps} steps; it takes at least 1 pass and 2 steps",
            passes=passes,
            steps=steps,
        )
    return Report(array, values.name, tuple(_layer(array, layer, values, passes, steps, seed) for layer in listed))


def time_product(array: Array, first: ArrayLike, second: ArrayLike) -> float:
    """Cycles of the array for one whole matrix product, every pass exact; memory is not waited for.

    Parameters
    ----------
    array : Array
    first : array_like
        (rows, depth) 8-bit magnitudes of the activations.
    second : array_like
        (columns, depth) 8-bit magnitudes of the weights, transposed.
    """
    operands = array.activations, array.weights
    a, w = (code_bits(o)[np.asarray(v, np.uint8)] for o, v in zip(operands, (first, second), strict=True))
    rows, columns = array.grid(*operands)
    total = 0.0
    for size_a, tiles_a in _sized(a, rows):
        for size_w, tiles_w in _sized(w, columns):
            across, down = tiles_w.shape[1], tiles_a.shape[1]
            tile = _Tile(size_a, size_w, across * down)
            streams = np.repeat(tiles_a, across, 1), np.tile(tiles_w, (1, down, 1))
            if array.back_to_back:
                ends = _time(array, operands, *streams).ends.astype(np.float64)
                total += _following(array, tile, ends, total > 0)
            else:
                alone = [
                    _time(array, operands, x, y).cycles
                    for x, y in zip(*(s.swapaxes(0, 1) for s in streams), strict=True)
                ]
                total += sum(alone) + tile.count * _leaving(array, tile)
    return total


def code_bits(operand: Operand) -> NDArray[np.uint8]:
    """Bits that each 8-bit magnitude's code has: uint8 (256,)."""
    return spark_length() if operand.code == "spark" else np.full(256, operand.bits, np.uint8)


def stored_bits(operand: Operand, codes: Codes) -> float:
    """Mean bits of a value in memory: its code, its sign where the tensor has signs, and what is stored beside."""
    return codes.mean(code_bits(operand)) + (operand.sign_bits if codes.signed else 0) + operand.extra_bits


def _layer(array: Array, layer: Layer, values: Distribution, passes: int, steps: int, seed: int) -> LayerReport:
    operands = array.operands(layer)
    codes = values.of(layer)
    bits = [stored_bits(o, c) for o, c in zip(operands, codes, strict=True)]
    rng = np.random.default_rng([seed, crc32(layer.name.encode())])
    compute, products, busy, sampled, count = 0.0, 0.0, 0.0, 0, 0
    rows, columns = array.grid(*operands)
    for tile in _tiles(layer, rows, columns):
        timed = min(passes + 1, tile.count) if array.back_to_back else 1
        depth = min(steps // 2 * 2, layer.depth)
        drawn = (
            code_bits(o)[np.stack([c.draw(lines, depth, rng) for _ in range(timed)], 1)]
            for o, c, lines in zip(operands, codes, (tile.rows, tile.columns), strict=True)
        )
        times = _time(array, operands, *drawn)
        longer = _steps(array, layer.depth) / _steps(array, depth)
        products += times.products / timed * tile.count * layer.depth / depth
        busy += times.busy / timed * tile.count * longer
        compute += _cycles(array, tile, times, longer, compute > 0)
        sampled += timed
        count += tile.count
    moved = traffic(array, layer, bits[0], bits[1], bits[0])
    memory = moved.dram / array.memory_width
    seconds = max(compute, memory) / array.clock
    fed = ((o, c, layer_bits) for o, c, layer_bits in zip(operands, codes, _fed(layer, rows, columns), strict=True))
    counts = {
        "products": products,
        "idle_cycles": max(0.0, max(compute, memory) * array.elements - busy),
        "decoded_nibbles": sum(n * c.mean(code_bits(o)) / NIBBLE for o, c, n in fed if o.code == "spark"),
        "encoded_values": float(layer.outputs) if array.activations.code == "spark" else 0.0,
        "element_seconds": array.elements * seconds,
        "buffer_read_bits": moved.fed_first + moved.fed_second + moved.dram_outputs,
        "buffer_written_bits": moved.dram,
        "buffer_seconds": seconds,
        "dram_read_bits": moved.dram_first + moved.dram_second,
        "dram_written_bits": moved.dram_outputs,
        "dram_seconds": seconds,
    }
    return LayerReport(
        name=layer.name,
        macs=layer.macs,
        passes=count,
        sampled=sampled,
        compute_cycles=compute,
        memory_cycles=memory,
        first_bits=bits[0],
        second_bits=bits[1],
        traffic=moved,
        counts=counts,
        joules=joules(array, counts),
    )


def _time(
    array: Array, operands: tuple[Operand, Operand], first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> PassTimes:
    rows, columns = (array.decoder_nibbles if o.code == "spark" else 0 for o in operands)
    return time_passes(array.element, first, second, decoders=(rows, columns))


def _cycles(array: Array, tile: _Tile, times: PassTimes, longer: float, follows: bool) -> float:
    """Cycles of all tiles of one size, from the exact times of some of them over a part of their depth.

    `longer` is the number of steps over those that were timed; fill and waiting are told apart by the steady rate.
    """
    fill = tile.rows + tile.columns - 2
    rate = times.each if len(times.ends) > 1 else times.each - fill
    whole = float(times.ends[0] + (longer - 1.0) * rate)
    if not array.back_to_back:
        return tile.count * (whole + _leaving(array, tile))
    each = max(longer * rate, _leaving(array, tile))
    return whole - (fill if follows else 0) + (tile.count - 1) * each


def _following(array: Array, tile: _Tile, ends: NDArray[np.float64], follows: bool) -> float:
    """Cycles of passes without a gap; those that follow others do not fill the array anew."""
    each = np.maximum(np.diff(ends), _leaving(array, tile))
    return float(ends[0] - (tile.rows + tile.columns - 2 if follows else 0) + each.sum())


def _leaving(array: Array, tile: _Tile) -> float:
    """Cycles in which the outputs of a tile leave: through the encoders, or a row at a time."""
    return ceil(tile.rows * tile.columns / (array.encoders or array.columns))


def _steps(array: Array, depth: int) -> int:
    return ceil(depth / 2) if array.element.mode == "pair" else depth


def _tiles(layer: Layer, rows: int, columns: int) -> list[_Tile]:
    down = [(rows, layer.rows // rows), (layer.rows % rows, 1)]
    across = [(columns, layer.columns // columns), (layer.columns % columns, 1)]
    return [_Tile(r, c, n * m * layer.repeats) for r, n in down for c, m in across if r and c and n and m]


def _fed(layer: Layer, rows: int, columns: int) -> tuple[float, float]:
    """Values of each operand that enter the array."""
    first = float(layer.rows) * layer.depth * ceil(layer.columns / columns) * layer.repeats
    return first, float(layer.seconds) * ceil(layer.rows / rows)


def _sized(lines: NDArray[np.uint8], size: int) -> list[tuple[int, NDArray[np.uint8]]]:
    """Tiles of a matrix's lines, (lines, tiles, depth): the full ones, and the rest."""
    full = len(lines) // size * size
    tiles = [(size, lines[:full].reshape(-1, size, lines.shape[1]).swapaxes(0, 1))] if full else []
    return [*tiles, (len(lines) - full, lines[full:, None])] if full < len(lines) else tiles
