"""What cells are told to hold: weights become codes, codes digits, and digits levels of neighbouring cells.

A weight is worth ``scale * (sum over its cells of combine * level - offset)``. With the encodings

- "differential", the digits of the code's magnitude stand in pairs of cells, of which the one for its sign holds the
  digit and the other nothing;
- "offset", half the range is added to the code, so that its digits are never negative; what that adds to a sum is
  subtracted digitally;
- "signed", a cell holds a digit together with the sign of the code: a pair told as one, of which the device that holds
  nothing is left out.

The digits of a weight stand in neighbouring columns, lowest first, + before -.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine.machine import CrossbarMachine, Encoding

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Coding:
    """How a machine's cells hold weights.

    Attributes
    ----------
    encoding : {"differential", "offset", "signed"}
    slices : int
        Digits of a weight.
    base : float
        Of the digits; unbounded where a cell holds any value.
    lowest, highest : float
        Codes that can be held; unbounded where a cell holds any value.
    offset : float
        Added to a code before it is cut: half the range with "offset", else 0.
    top : float or None
        Level that stands for ``g_max``; None where cells hold any value and weights have no bits: the largest weight.
    combine : float32 (cells_per_weight,)
        What a level of each cell of a weight is worth in codes.
    """

    encoding: Encoding
    slices: int
    base: float
    lowest: float
    highest: float
    offset: float
    top: float | None
    combine: npt.NDArray[np.float32]

    @property
    def cells_per_weight(self) -> int:
        """Neighbouring columns that one weight takes."""
        return len(self.combine)

    def scale_of(self, smallest: float, largest: float, divisor: int) -> float:
        """What a code is worth if weights do not say: 1 for ints that fit, else the least whole number that keeps them.

        A number keeps them if it divides them all and makes them fit. Where there is none, the largest magnitude gets
        the highest code.

        Parameters
        ----------
        smallest, largest : float
            Range of the weights.
        divisor : int
            Greatest common divisor of weights that are ints, 0 for others (:func:`common_divisor`).
        """
        magnitude = max(-smallest, largest)
        if self.highest == inf or magnitude <= 0.0:
            return 1.0
        least = max(smallest / self.lowest, largest / self.highest, 1.0)
        if divisor and least == 1.0:
            return 1.0
        worths = (divisor // k for k in range(int(divisor // least), 0, -1) if divisor % k == 0)
        return float(next(worths, magnitude / self.highest))

    def level_type(self, weights: np.dtype[Any]) -> np.dtype[Any]:
        """float32 for levels of bounded cells; where cells hold any value, a type that holds every weight exactly."""
        if self.highest < inf or weights == np.float32 or (weights.kind in "iu" and weights.itemsize < 4):
            return np.dtype(np.float32)
        return np.dtype(np.float64)


def common_divisor(weights: Sequence[npt.NDArray[Any]]) -> int:
    """Greatest common divisor of all weights that are ints; 0 if some are not, or all are 0."""
    if any(w.dtype.kind not in "iu" for w in weights):
        return 0
    return int(np.gcd.reduce([np.gcd.reduce(w.reshape(-1), dtype=np.int64) for w in weights if w.size] or [0]))


def coding(machine: CrossbarMachine) -> Coding:
    """How a machine's cells hold weights.

    Raises
    ------
    MappingError
        If its cells cannot hold weights of its width.
    """
    encoding, slices, bits = machine.encoding, machine.slices, machine.weight_bits
    digit = machine.cell_levels if machine.cell_bits is None else 2**machine.cell_bits
    base = inf if digit is None else float(digit)
    room = inf if digit is None else float(digit**slices - 1)  # the largest number that the digits hold
    if encoding == "offset" and bits is None and digit is None:
        raise MappingError(
            f"crossbar machine {machine.name}: the offset encoding adds half the range to a weight, and weights of any "
            "value have no range; give weight_bits, or encoding='differential'",
            machine=machine.name,
        )
    most = room if bits is None else 2.0 ** (bits - (encoding != "offset")) - 1.0
    if most > room:
        raise MappingError(
            f"crossbar machine {machine.name}: weights of {bits} bits need the numbers up to {most:g}, and "
            f"{slices} cell(s) of {base:g} levels hold those up to {room:g}; give cell_bits, so that a weight is cut "
            "into digits, or fewer weight_bits",
            machine=machine.name,
        )
    offset = (most + 1.0) // 2.0 if encoding == "offset" else 0.0
    highest = most - offset
    # Two's complement has one more code below zero; a pair has none, and a signed cell has it if a digit is left.
    lowest = -offset if encoding == "offset" else -most
    if encoding == "signed" and bits is not None and most < room:
        lowest -= 1.0
    if machine.cell_levels is not None:
        top: float | None = machine.cell_levels - 1.0
    else:
        top = next((value for value in (base - 1.0, most) if value < inf), None)
    worth = np.array([base**k if k else 1.0 for k in range(slices)])
    pairs = np.stack([worth, -worth], axis=1).ravel() if encoding == "differential" else worth
    return Coding(encoding, slices, base, lowest, highest, offset, top, pairs.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Encoded:
    """Levels that stand for a matrix of weights.

    Attributes
    ----------
    levels : float32 or float64 (R, C * cells_per_weight)
        Whole numbers unless made with ``quantise=False`` or for cells that hold any value.
    scale : float
        What a code is worth.
    coding : Coding
    clipped : int
        Weights beyond the codes that can be held.
    """

    levels: npt.NDArray[Any]
    scale: float
    coding: Coding
    clipped: int

    @property
    def combine(self) -> npt.NDArray[np.float32]:
        """What a level of each cell of a weight is worth in codes, float32 (cells_per_weight,)."""
        return self.coding.combine


def encode(
    weights: npt.ArrayLike, machine: CrossbarMachine | Coding, scale: float | None = None, *, quantise: bool = True
) -> Encoded:
    """Levels of the cells for a matrix of weights.

    Parameters
    ----------
    weights : number (R, C)
    machine : CrossbarMachine or Coding
    scale : float, optional
        What a code is worth. Default: :meth:`Coding.scale_of`, that is 1 for ints that fit, or what divides them all,
        else the largest weight gets the highest code.
    quantise : bool
        Codes are rounded to whole numbers, half to even. Else the lowest digit of a weight keeps the fraction.

    Raises
    ------
    MappingError
        Weights that are no matrix of finite numbers, or a scale that is not above 0.
    """
    from ._level_kernels import cut

    how = machine if isinstance(machine, Coding) else coding(machine)
    given = np.asarray(weights)
    if given.ndim != 2 or given.dtype.kind not in "iuf" or not np.isfinite(given).all():
        raise MappingError(f"weights of cells: expected a matrix of finite numbers, got {given.dtype} {given.shape}")
    if scale is None:
        scale = how.scale_of(float(given.min(initial=0)), float(given.max(initial=0)), common_divisor([given]))
    if not (isfinite(scale) and scale > 0.0):
        raise MappingError(f"weights of cells: scale is {scale}; it must be above 0", scale=scale)
    levels = np.empty((given.shape[0], given.shape[1] * how.cells_per_weight), how.level_type(given.dtype))
    clipped = cut(
        given,
        scale,
        quantise and how.highest < inf,
        how.lowest,
        how.highest,
        how.offset,
        how.base,
        how.slices,
        how.encoding == "differential",
        levels,
    )
    return Encoded(levels, float(scale), how, int(clipped))


def decode(
    levels: Encoded | npt.ArrayLike, machine: CrossbarMachine | Coding | None = None, scale: float = 1.0
) -> Float64:
    """Weights that levels stand for, the inverse of :func:`encode`.

    Parameters
    ----------
    levels : Encoded, or float (R, C * cells_per_weight)
        Also what cells really hold.
    machine, scale
        Of the levels, where they are plain numbers.

    Returns
    -------
    float64 (R, C)
    """
    if isinstance(levels, Encoded):
        held, how, scale = levels.levels, levels.coding, levels.scale
    else:
        if machine is None:
            raise MappingError("decode: plain levels need the machine whose cells hold them")
        held, how = np.asarray(levels), machine if isinstance(machine, Coding) else coding(machine)
    if held.ndim != 2 or held.shape[1] % how.cells_per_weight:
        raise MappingError(
            f"decode: levels {held.shape} are no matrix of weights of {how.cells_per_weight} cell(s) each",
            shape=held.shape,
        )
    shape = held.shape[0], held.shape[1] // how.cells_per_weight, how.cells_per_weight
    cells = held.reshape(shape).astype(np.float64)
    return np.asarray(scale * (cells @ how.combine.astype(np.float64) - how.offset))
