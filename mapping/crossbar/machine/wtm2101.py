"""WTM2101's arithmetic in whole numbers, bit for bit, and what is done about bias, negative inputs and precision.

Inputs are uint8 codes x, cells hold whole numbers W, and a column's sum becomes an int8 code::

    sum  = x . W + 128 * (sum of the column's bias cells)
    t    = 4 * sum / gain, truncated toward zero            (a 10-bit result)
    code = clip((t + 2) >> 2, -128, 127)                     (rounded to 8 bits), then ReLU where asked for

One gain, a power of two, serves all columns of a layer, and a code stands for ``gain`` level units. The rule is
inferred from vectors of the vendor's mapper, 353,400 outputs of 16 layers, all of which it reproduces; it has not been
compared with silicon. Where rectangles may lie is :mod:`.wtm2101_place`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.native import compiled

if TYPE_CHECKING:
    from ...constants import Constants

_MODULE = "neuromorph.mapping.crossbar.machine.wtm2101_kernels"
_Ints = npt.NDArray[np.int64]
_Codes = npt.NDArray[np.int8]

_EXACT_SUM = 1 << 53
_LARGEST_SUM = (1 << 61) - 1


@dataclass(frozen=True)
class Limits:
    """What WTM2101's cells and rows can hold; numbers from the machine file.

    Attributes
    ----------
    cell : int
        Cells hold -cell to cell.
    input : int
        Largest input code.
    bias_rows : int
        Rows beside the array for biases.
    bias_cell : int
        Bias cells hold -bias_cell to bias_cell.
    bias_input : int
        Code that drives every bias row.
    gains : tuple of int
        Gains to choose from, ascending.
    """

    cell: int
    input: int
    bias_rows: int
    bias_cell: int
    bias_input: int
    gains: tuple[int, ...]

    @staticmethod
    def of(constants: Constants) -> Limits:
        """Read them from a machine file with a section ``wtm2101``."""
        least, most = constants.count("wtm2101.gain_least"), constants.count("wtm2101.gain_most")
        return Limits(
            cell=constants.count("wtm2101.cell_limit"),
            input=constants.count("wtm2101.input_limit"),
            bias_rows=constants.count("wtm2101.bias_rows"),
            bias_cell=constants.count("wtm2101.bias_limit"),
            bias_input=constants.count("wtm2101.bias_input"),
            gains=tuple(least << k for k in range((most // least).bit_length())),
        )

    @property
    def largest_bias(self) -> int:
        """Largest bias of a column in level units."""
        return self.bias_rows * self.bias_cell * self.bias_input


@dataclass(frozen=True, eq=False)
class Converted:
    """Output codes of columns.

    Attributes
    ----------
    codes : int8
        In the shape of the sums.
    clipped : int
        Codes that the clip changed (not counting those that the ReLU sets to 0 anyway).
    """

    codes: _Codes
    clipped: int


def convert(sums: npt.ArrayLike, gain: int, *, relu: bool = False) -> Converted:
    """Codes of sums in level units, bias included, by the rule above.

    Parameters
    ----------
    sums : int array
        Below 2**61 in magnitude.
    gain : int
        At least 1; powers of two on the chip.
    relu : bool

    Raises
    ------
    MappingError
        For sums that are no whole numbers, or too large, or a gain below 1.
    """
    given = _whole(sums, "sums")
    if isinstance(gain, bool) or not isinstance(gain, int | np.integer) or not 1 <= gain <= _LARGEST_SUM:
        raise MappingError(f"WTM2101: gain is {gain!r}; it must be a whole number of at least 1", gain=gain)
    if given.size and max(int(given.max()), -int(given.min())) > _LARGEST_SUM:
        raise MappingError("WTM2101: sums of 2**61 and more in magnitude; no column comes near that")
    out = np.empty(given.shape, np.int8)
    clipped = compiled(_MODULE, "output_codes", int)(given.ravel(), int(gain), bool(relu), out.reshape(-1))
    return Converted(out, clipped)


def layer(
    inputs: npt.ArrayLike, cells: npt.ArrayLike, gain: int, *, bias: npt.ArrayLike | None = None, relu: bool = False
) -> Converted:
    """A whole layer: codes in, codes out, at the speed of BLAS and exact.

    Parameters
    ----------
    inputs : int (..., rows)
        Codes of the rows.
    cells : int (rows, columns)
    gain : int
    bias : int (columns,), optional
        Level units: ``bias_input`` times the sum of the bias cells; see :func:`bias_cells`.
    relu : bool

    Returns
    -------
    Converted
        Codes int8 (..., columns).

    Raises
    ------
    MappingError
        If something is not whole, or the sums could be beyond 2**53.
    """
    x, w = _whole(inputs, "inputs"), _whole(cells, "cells")
    if w.ndim != 2 or x.ndim == 0 or x.shape[-1] != w.shape[0]:
        raise MappingError(
            f"WTM2101: inputs of shape {x.shape} for cells of shape {w.shape}: expected (..., rows) and (rows, columns)"
        )
    worst = int(np.abs(w).sum(axis=0).max(initial=0)) * int(np.abs(x).max(initial=0))
    if worst >= _EXACT_SUM:
        raise MappingError(
            f"WTM2101: sums of up to {worst:,} are not exact in float64; codes or cells are far too large"
        )
    exact = np.float32 if worst < 1 << 24 else np.float64
    sums = np.rint(x.astype(exact) @ w.astype(exact)).astype(np.int64)
    return convert(sums if bias is None else sums + _whole(bias, "bias"), gain, relu=relu)


def bias_cells(bias: npt.ArrayLike, limits: Limits) -> _Ints:
    """Cells of the bias rows that come nearest to a bias.

    Parameters
    ----------
    bias : float or int (columns,)
        Level units.
    limits : Limits

    Returns
    -------
    int64 (bias_rows, columns)
        As even as possible; ``bias_input * cells.sum(axis=0)`` is the bias rounded to a multiple of ``bias_input``.

    Raises
    ------
    MappingError
        If a bias is beyond what the rows can hold.
    """
    wanted = np.rint(np.asarray(bias, np.float64) / limits.bias_input).astype(np.int64)
    most = limits.bias_rows * limits.bias_cell
    if wanted.size and int(np.abs(wanted).max()) > most:
        raise MappingError(
            f"WTM2101: a bias of {int(np.abs(wanted).max()) * limits.bias_input:,} level units; the {limits.bias_rows} "
            f"bias rows hold {limits.largest_bias:,} at most: scale the weights down or use a smaller input scale",
            bias=int(np.abs(wanted).max()) * limits.bias_input, limit=limits.largest_bias,
        )  # fmt: skip
    size, sign = np.abs(wanted), np.sign(wanted)
    rows = np.arange(limits.bias_rows)[:, None]
    return np.asarray(sign * (size // limits.bias_rows + (rows < size % limits.bias_rows)), np.int64)


def split_signs(inputs: npt.ArrayLike) -> _Ints:
    """Signed codes (..., rows) as (..., 2 * rows) codes of at least 0: the positive parts, then the negative ones.

    With cells ``np.concatenate([w, -w])`` the sums are those of the signed codes, in twice the rows.
    """
    x = _whole(inputs, "inputs")
    return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=-1)


def shift_inputs(inputs: npt.ArrayLike, cells: npt.ArrayLike, limits: Limits) -> tuple[_Ints, _Ints]:
    """Signed codes as codes of at least 0 by adding ``bias_input``, and the bias cells that take it away again.

    Exact, because the bias rows are driven by the very code that is added: a column's bias cells must only hold minus
    the sum of its cells. Rows without an input are driven too, so nothing is saved where inputs are sparse.

    Parameters
    ----------
    inputs : int (..., rows)
        -bias_input to bias_input - 1.
    cells : int (rows, columns)
    limits : Limits

    Returns
    -------
    codes : int64 (..., rows)
    bias : int64 (bias_rows, columns)

    Raises
    ------
    MappingError
        For codes out of range, or columns whose cells sum to more than the bias rows hold: split the signs of those.
    """
    x, w = _whole(inputs, "inputs"), _whole(cells, "cells")
    half = limits.bias_input
    if x.size and not (-half <= int(x.min()) and int(x.max()) < half):
        raise MappingError(
            f"WTM2101: signed codes from {x.min()} to {x.max()}; shifted inputs hold -{half} to {half - 1}"
        )
    return x + half, bias_cells(-half * w.sum(axis=0), limits)


def scale_cells(weights: npt.ArrayLike, limits: Limits, limit: int | None = None) -> tuple[_Ints, float]:
    """Weights as cells that use the whole range of a cell, which goes beyond int8.

    Parameters
    ----------
    weights : (rows, columns)
    limits : Limits
    limit : int, optional
        Largest cell; default: what a cell holds (127 keeps to the int8 weights of the vendor's operators).

    Returns
    -------
    cells : int64 (rows, columns)
    scale : float
        A weight is about ``cells * scale``; exactly so for whole weights whose largest fits as it is (scale 1).
    """
    w = np.asarray(weights)
    most = limits.cell if limit is None else limit
    largest = float(np.abs(w).max(initial=0.0))
    if np.issubdtype(w.dtype, np.integer) and largest <= most:
        return w.astype(np.int64), 1.0
    scale = largest / most if largest else 1.0
    return np.rint(w / scale).astype(np.int64), scale


def duplicate(weights: npt.ArrayLike, copies: int, limits: Limits) -> tuple[_Ints, float]:
    """A weight spread over the rows of several cells that its input drives all: finer weights, and less noise.

    Cells of a weight add up to it exactly as rounded to ``copies`` times a cell's range, each as near the mean as whole
    numbers are; independent errors of the cells average out with the square root of the copies. The inputs must be
    repeated too: ``np.concatenate([x] * copies, axis=-1)``.

    Parameters
    ----------
    weights : (rows, columns)
    copies : int
    limits : Limits

    Returns
    -------
    cells : int64 (copies * rows, columns)
    scale : float
        A weight is about ``scale`` times the sum of its cells.
    """
    if isinstance(copies, bool) or not isinstance(copies, int) or copies < 1:
        raise MappingError(f"WTM2101: copies is {copies!r}; it must be a whole number of at least 1")
    w = np.asarray(weights, np.float64)
    scale = float(np.abs(w).max(initial=0.0)) / (copies * limits.cell) or 1.0
    total = np.rint(w / scale).astype(np.int64)
    size, sign = np.abs(total), np.sign(total)
    parts = [sign * (size // copies + (k < size % copies)) for k in range(copies)]
    return np.concatenate(parts), scale


def _whole(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    given = np.asarray(values)
    if not np.issubdtype(given.dtype, np.integer):
        raise MappingError(f"WTM2101: {name} are {given.dtype}; its arithmetic is in whole numbers: give an int array")
    return np.asarray(given, np.int64, order="C")
