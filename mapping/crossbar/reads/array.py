"""The product of a batch of inputs with a programmed matrix of cells, in one array or in tiles below each other.

What a tile does to a vector of row codes is

    ADC(sum_i held_ij * code_i + noise_j),    noise_j normal with variance sum_i sigma_ij^2 * code_i^2

which is exactly what cells give whose noise is normal, independent and drawn anew for every read, without drawing it
cell by cell. The sums of tiles, digits and columns of a weight are added digitally. A product is one of matrices
(BLAS), one more if the noise of cells differs, and a compiled pass over the sums; wires cost nothing once they are part
of ``held`` (:mod:`.wires`).

All sums are in level units (:mod:`.converters`). In float32 whole numbers are exact below 2^24; give ``held`` in
float64 for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.native import compiled

from ..converters.converters import IDEAL, AdcRange, Dac

Floats = npt.NDArray[Any]

_MODULE = "neuromorph.mapping.crossbar.reads._array_kernels"
_GROUP = 64
"""Columns that random numbers are made for at a time, as :mod:`.noise_kernels` makes them."""

DRIVEN = Dac()
"""Values drive rows as they are."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """A programmed matrix of cells. Make one with :func:`tiles`.

    Attributes
    ----------
    held : float32 or float64 (rows, columns)
        What cells hold, level units; rows are the inputs, whichever wires of the array they are.
    ptr : tuple of int, tiles + 1
        Tile t has rows ``ptr[t]`` to ``ptr[t + 1]``.
    sigma : float or array like `held`
        Standard deviation of a cell's read noise, level units at code 1.
    lo, step : float64 (tiles, columns)
    top : int
        Ranges of the converters, as in :class:`.AdcRange`.
    offset, gain : float64 (tiles, columns)
        Errors of the converters, in steps and relative.
    combine : float64 (columns of a weight,)
        What each of the neighbouring columns of a weight counts.
    """

    held: Floats
    ptr: tuple[int, ...]
    sigma: float | Floats
    lo: Floats
    step: Floats
    top: int
    offset: Floats
    gain: Floats
    combine: Floats


class Product(NamedTuple):
    """What a batch gives.

    Attributes
    ----------
    values : float (batch, columns / columns of a weight)
        Level units times the scale of the inputs.
    saturated, conversions : int
        Sums beyond the range of their converter, and all that were converted.
    """

    values: Floats
    saturated: int
    conversions: int


def tiles(
    held: npt.ArrayLike,
    rows: int | None = None,
    *,
    sigma: npt.ArrayLike = 0.0,
    adc: AdcRange | Sequence[AdcRange] = IDEAL,
    offset: npt.ArrayLike = 0.0,
    gain: npt.ArrayLike = 0.0,
    combine: npt.ArrayLike = (1.0,),
) -> Tiles:
    """A matrix of cells in tiles of so many rows.

    Parameters
    ----------
    held : (inputs, columns) array
        Level units, after programming error, drift and wires. float64 stays so; everything else becomes float32.
    rows : int, optional
        Inputs of a tile, the last one's may be fewer; all in one without it. How many tiles stand side by side makes no
        difference to what they compute.
    sigma : float or array like `held`
        Read noise of a cell, level units at code 1. A number costs nothing, an array a second product of matrices.
    adc : AdcRange or a sequence of them
        Of all tiles, or of each; all with as many codes.
    offset, gain : float or array (tiles, columns)
        Errors of converters: steps, and relative.
    combine : sequence of float
        What each of the neighbouring columns of a weight counts, such as ``(1, -1)`` for pairs.

    Returns
    -------
    Tiles

    Raises
    ------
    MappingError
        If shapes do not agree, or a deviation is below 0.
    """
    cells = np.asarray(held)
    cells = np.ascontiguousarray(cells, dtype=np.float64 if cells.dtype == np.float64 else np.float32)
    weights = np.asarray(combine, dtype=np.float64)
    if cells.ndim != 2 or not cells.size or weights.ndim != 1 or not weights.size or cells.shape[1] % weights.size:
        raise MappingError(
            f"tiles: expected a matrix whose columns are a multiple of the columns of a weight ({weights.size}), "
            f"got shape {cells.shape}"
        )
    inputs, columns = cells.shape
    if rows is not None and rows < 1:
        raise MappingError(f"tiles: expected at least 1 row in a tile, got {rows}", rows=rows)
    ptr = (*range(0, inputs, rows or inputs), inputs)
    count = len(ptr) - 1
    deviation = np.asarray(sigma, dtype=cells.dtype)
    if deviation.shape not in ((), cells.shape) or (deviation < 0.0).any():
        raise MappingError(
            f"tiles: sigma must be at least 0, one number or one for each of {inputs} x {columns} cells, got "
            f"shape {deviation.shape}, least {deviation.min():g}"
        )
    ranges = [adc] * count if isinstance(adc, AdcRange) else list(adc)
    if len(ranges) != count or len({r.top for r in ranges}) != 1:
        raise MappingError(
            f"tiles: expected one range or one for each of {count} tiles, with as many codes, got {len(ranges)} with "
            f"largest codes {sorted({r.top for r in ranges})}"
        )
    shape = (count, columns)
    try:
        offsets, gains = (np.broadcast_to(np.asarray(e, dtype=np.float64), shape).copy() for e in (offset, gain))
    except ValueError:
        raise MappingError(
            f"tiles: errors of converters must be one number or (tiles, columns) = {shape}, got shapes "
            f"{np.shape(offset)} and {np.shape(gain)}"
        ) from None
    lo, step = (np.repeat(np.array([[r[k]] for r in ranges], dtype=np.float64), columns, axis=1) for k in (0, 1))
    noise = deviation if deviation.ndim else float(deviation)
    return Tiles(cells, ptr, noise, lo, step, ranges[0].top, offsets, gains, weights)


def product(
    x: npt.ArrayLike, matrix: Tiles, dac: Dac = DRIVEN, *, seed: int = 0, step: int = 0, sample: int = 0
) -> Product:
    """Products of a batch of inputs with a matrix of cells.

    A tile none of whose rows is driven is not read, in any phase: it neither converts nor adds noise or offset.

    Parameters
    ----------
    x : (batch, inputs) array
        Taken in the type of what cells hold.
    matrix : Tiles
    dac : Dac
        How values become codes.
    seed, step : int
        Of the random numbers, the step below 2^32. The noise of a sum depends on these, on the number of its sample,
        its tile, column and phase, and on nothing else, so a batch may be cut in any way.
    sample : int
        Number of the first row of `x`.

    Returns
    -------
    Product

    Raises
    ------
    MappingError
        If shapes do not agree, or the converter of the inputs is none.
    """
    held = matrix.held
    values = np.ascontiguousarray(x, dtype=held.dtype)
    if values.ndim != 2 or values.shape[1] != held.shape[0]:
        raise MappingError(
            f"product: expected inputs of shape (batch, {held.shape[0]}), got {values.shape}", shape=values.shape
        )
    _check(dac, step, sample, sample + len(values))
    out = np.zeros((len(values), held.shape[1]), dtype=held.dtype)
    digits = np.empty(values.shape, dtype=held.dtype)
    bits = dac.phase_bits or dac.bits or 0
    counts = np.zeros(2, dtype=np.int64)
    signs = {"clipped": (1,), "signed": (0,), "split": (1, -1)}[dac.negative]
    reads = [(sign, phase) for sign in signs for phase in range(dac.phases)]
    for number, (sign, phase) in enumerate(reads):
        compiled(_MODULE, "drive")(values, float(dac.scale), -dac.most, dac.most, phase, bits, sign, digits)
        weight = float(2 ** (phase * bits)) * (sign or 1)
        for tile in range(len(matrix.ptr) - 1):
            _read(digits, matrix, tile, (seed, step, sample, number), weight, out, counts)
    if matrix.combine.size > 1:
        out = out.reshape(len(out), -1, matrix.combine.size) @ matrix.combine.astype(held.dtype)
    elif matrix.combine[0] != 1.0:
        out *= matrix.combine[0]
    if dac.scale != 1.0:
        out *= dac.scale
    return Product(out, *counts.tolist())


def _check(dac: Dac, *places: int) -> None:
    if not all(0 <= place < 2**32 for place in places):
        raise MappingError(f"product: step and numbers of samples must be at least 0 and below 2^32, got {places}")
    most = [b for b in (dac.bits, dac.phase_bits) if b is not None]
    if not 0.0 < dac.scale < np.inf or any(b < 1 for b in most):
        raise MappingError(
            f"converter of inputs: expected a finite scale above 0 and at least 1 bit, got scale {dac.scale:g}, bits "
            f"{dac.bits}, of a phase {dac.phase_bits}"
        )


def _read(
    digits: Floats,
    matrix: Tiles,
    tile: int,
    place: tuple[int, int, int, int],
    weight: float,
    out: Floats,
    counts: npt.NDArray[np.int64],
) -> None:
    """Add what one tile gives in one phase, and how many sums were converted and saturated."""
    rows = slice(matrix.ptr[tile], matrix.ptr[tile + 1])
    part = digits[:, rows]
    sums = part @ matrix.held[rows]
    squares = np.einsum("bi,bi->b", part, part)
    deviation = np.zeros((0, 0), dtype=sums.dtype)
    if isinstance(matrix.sigma, np.ndarray):
        deviation = np.sqrt(np.square(part) @ np.square(matrix.sigma[rows]))
    elif matrix.sigma:
        deviation = matrix.sigma * np.sqrt(squares)[:, None]
    groups = -(-sums.shape[1] // _GROUP)
    seed, step, sample, number = place
    words = np.empty(groups * _GROUP, dtype=np.uint32)
    compiled(_MODULE, "read")(
        sums,
        squares,
        not isinstance(matrix.sigma, np.ndarray),
        deviation,
        matrix.lo[tile],
        matrix.step[tile],
        matrix.top,
        matrix.offset[tile],
        matrix.gain[tile],
        np.array([seed % 2**64, tile * groups, step, sample, number], dtype=np.uint64),
        words.ctypes.data,
        words,
        np.empty(groups * _GROUP),
        weight,
        out,
        counts,
    )
