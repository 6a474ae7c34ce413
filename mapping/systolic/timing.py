"""Cycles of an array for its passes: a tile of outputs, and the operands of every row and column.

:func:`time_passes` is exact for the operands that it is given; :mod:`.stepwise` walks the same array cycle by cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuromorph.errors import MappingError

from .machine import Element

Int32 = NDArray[np.int32]
NIBBLE = 4


@dataclass(frozen=True, eq=False)
class PassTimes:
    """What passes that follow one another over an array take.

    Attributes
    ----------
    ends : NDArray[np.int64]
        (passes,) cycles until the last product of each pass is done, from the first operand at the border on.
    products : int
        Products of two parts, over all elements and passes.
    busy : int
        Element-cycles with work: one a product, except in mode "pair", where a cycle does up to four.
    """

    ends: NDArray[np.int64]
    products: int
    busy: int

    @property
    def cycles(self) -> int:
        """Cycles of all passes."""
        return int(self.ends[-1])

    @property
    def each(self) -> float:
        """Cycles of a pass among many; of a single one, all that it takes."""
        return float(self.ends[-1] - self.ends[0]) / (len(self.ends) - 1) if len(self.ends) > 1 else float(self.ends[0])


def time_passes(
    element: Element, first: ArrayLike, second: ArrayLike, *, decoders: tuple[int, int] = (0, 0)
) -> PassTimes:
    """Cycles of passes without a gap between them, exact for these operands.

    Parameters
    ----------
    element : Element
        Of mode "fused", whole elements of the operands' width are meant.
    first : array_like
        (rows, depth) or (rows, passes, depth) bits of every activation, in the order in which its row reads them.
    second : array_like
        (columns, depth) or (columns, passes, depth) bits of every weight.
    decoders : (int, int)
        Nibbles that a decoder of rows and of columns takes in a cycle; 0: there is none.

    Raises
    ------
    MappingError
        If the operands have other shapes, no bits, or more than an element of mode "pair" can hold.
    """
    a, w = _operand(first), _operand(second)
    if a.shape[1:] != w.shape[1:]:
        raise MappingError(
            f"passes: rows read {a.shape[1:]} operands and columns {w.shape[1:]} (passes, depth); there must be as many"
        )
    fused, pair = element.mode == "fused", element.mode == "pair"
    parts = [-(-o // element.bits) for o in (a, w)]
    nibbles = [-(-o // NIBBLE) for o in (a, w)]
    products = int(parts[0].sum(0, dtype=np.int64).ravel() @ parts[1].sum(0, dtype=np.int64).ravel())
    busy = products
    if fused:
        parts = [np.ones_like(p) for p in parts]
    if pair:
        if max(int(p.max()) for p in parts) > 2:
            raise MappingError(
                f"passes: operands of {max(a.max(), w.max())} bits; an element of mode 'pair' with {element.bits} bits "
                f"takes up to {2 * element.bits}"
            )
        nibbles = [_in_pairs(n, 0).sum(-1, dtype=np.int32) for n in nibbles]
        alone = a.shape[2] % 2
        parts = [_in_pairs(p, 1).max(-1) for p in parts]
        for p in parts:
            p[:, :, p.shape[2] - alone :] = 1  # the last product alone takes a cycle, however long its operands
        short = [(2 - p).sum(0, dtype=np.int64).ravel() for p in parts]
        busy = 2 * len(a) * len(w) * len(short[0]) - int(short[0] @ short[1])
    decode = [-(-n // d) if d else np.zeros_like(n) for n, d in zip(nibbles, decoders, strict=True)]
    done = _done(element, [p.reshape(len(p), -1) for p in parts], [d.reshape(len(d), -1) for d in decode], busy)
    steps = parts[0].shape[2]
    return PassTimes(done[steps - 1 :: steps].astype(np.int64), products, busy)


def mean_cycles(first: ArrayLike, second: ArrayLike, *, meet: int = 1) -> NDArray[np.float64]:
    """Expected cycles of a step in a serial element of 4 bits, for independent operands of 4 or 8 bits.

    ``(1 + p) (2 - (1 - q)^meet)``: an activation that meets so many weights at once waits for the slowest product.

    Parameters
    ----------
    first, second : array_like
        Shares p, q of long activations and weights, of shapes that broadcast.
    meet : int
        1: nobody waits.
    """
    p, q = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return np.asarray((1.0 + p) * (2.0 - (1.0 - q) ** meet))


def _done(element: Element, parts: list[Int32], decode: list[Int32], busy: int) -> NDArray[Any]:
    """Cycles until each step's work is done in all elements (rows, columns and the array's way of waiting)."""
    a, w = parts
    rows, columns, steps = len(a), len(w), a.shape[1]
    pair = element.mode == "pair"
    if element.lockstep == "free":
        work = _work_of_steps(a, w, pair)
        return rows + columns - 2 + np.ceil(np.cumsum(work) / (rows * columns)).astype(np.int64)
    if element.lockstep == "row":
        slowest = w.max(0)
        row_work = np.maximum(a, slowest) if pair else a * slowest
        row_work = np.maximum(row_work, np.maximum(decode[0], decode[1].max(0)))
        return np.asarray((np.cumsum(row_work, 1, dtype=np.int64) + np.arange(rows)[:, None]).max(0))
    alike = min(a.min(), w.min()) == max(a.max(), w.max()) and not any(d.any() for d in decode)
    if alike and element.lockstep == "array":
        each = int(a[0, 0]) if pair else int(a[0, 0] * w[0, 0])
        return each * np.arange(rows + columns - 1, rows + columns - 1 + steps)
    from ._timing_kernels import elastic, in_step

    streams: Any = [np.ascontiguousarray(x.T) for x in (a, w, *decode)]
    kernels: Any = (elastic, in_step)
    if element.lockstep == "elastic":
        return np.asarray(kernels[0](*streams, pair, min(element.registers, steps)))
    most = max(2 if pair else int(a.max()) * int(w.max()), *(int(d.max()) for d in decode))
    return np.asarray(kernels[1](*streams, pair, most))


def _work_of_steps(a: Int32, w: Int32, pair: bool) -> NDArray[np.int64]:
    """(steps,) element-cycles of work."""
    if pair:
        short = (2 - a).sum(0, dtype=np.int64) * (2 - w).sum(0, dtype=np.int64)
        return np.asarray(2 * len(a) * len(w) - short)
    return np.asarray(a.sum(0, dtype=np.int64) * w.sum(0, dtype=np.int64))


def _operand(bits: ArrayLike) -> Int32:
    array = np.asarray(bits)
    if array.ndim == 2:
        array = array[:, None, :]
    if array.ndim != 3 or not array.size or array.min() < 1:
        raise MappingError(
            f"passes: operands of shape {np.shape(bits)}; expected (lines, depth) or (lines, passes, depth) bits of at "
            "least 1"
        )
    return array.astype(np.int32)


def _in_pairs(values: Int32, rest: int) -> Int32:
    """(lines, passes, steps, 2), a single last value beside `rest`."""
    if values.shape[2] % 2:
        values = np.concatenate([values, np.full((*values.shape[:2], 1), rest, np.int32)], axis=2)
    return values.reshape(*values.shape[:2], -1, 2)
