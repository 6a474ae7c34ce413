"""Where layers may lie on WTM2101, and a placer that keeps to it: rectangles in two halves over shared bias rows.

A layer is a rectangle of cells inside one half of the array, at any row and column; one with more rows than a half has
spans both. Its bias cells lie in the bias rows, in its own columns, and belong to it alone. The first columns can be
reserved, because some chips have bad ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.native import compiled

if TYPE_CHECKING:
    from ..constants import Constants

_MODULE = "neuromorph.mapping.crossbar.wtm2101_place_kernels"
_Ints = npt.NDArray[np.int64]

_MOST_ARRAYS = 1 << 31
_WORK = 200_000  # orders tried, times the square of the number of layers: a few seconds at most


@dataclass(frozen=True)
class Geometry:
    """The array of one chip.

    Attributes
    ----------
    half_rows : int
        Rows of each half.
    columns : int
    bias_rows : int
        Rows for biases beside the two halves; every column has them once.
    reserved : int
        Columns at the left that no layer may use.
    """

    half_rows: int
    columns: int
    bias_rows: int
    reserved: int = 0

    @staticmethod
    def of(constants: Constants, reserved: int = 0) -> Geometry:
        """Read it from a machine file with a section ``wtm2101``.

        Raises
        ------
        MappingError
            If no column is left.
        """
        made = Geometry(
            half_rows=constants.count("wtm2101.half_rows"),
            columns=constants.count("array.columns"),
            bias_rows=constants.count("wtm2101.bias_rows"),
            reserved=reserved,
        )
        if isinstance(reserved, bool) or not isinstance(reserved, int) or not 0 <= reserved < made.columns:
            raise MappingError(
                f"WTM2101: reserved is {reserved!r}; it must be a whole number from 0 to {made.columns - 1}"
            )
        return made

    @property
    def rows(self) -> int:
        """Rows of both halves."""
        return 2 * self.half_rows


@dataclass(frozen=True, eq=False)
class Places:
    """Where rectangles lie.

    Attributes
    ----------
    array, row, column, bias_row : int64 (n,)
        Chip, first row of 0 to ``rows`` (of both halves), first column, first bias row.
    arrays : int
        Chips used.
    """

    array: _Ints
    row: _Ints
    column: _Ints
    bias_row: _Ints
    arrays: int


def place_rectangles(
    rows: npt.ArrayLike,
    columns: npt.ArrayLike,
    geometry: Geometry,
    *,
    bias_rows: npt.ArrayLike = 0,
    arrays: int | None = None,
    tries: int = 64,
    seed: int = 0,
) -> Places:
    """Place layers on as few chips as a search finds.

    Rectangles are placed one by one, leftmost and highest first; the order is by size in four ways and then random,
    until no chip can be saved.

    Parameters
    ----------
    rows, columns : int (n,)
        Sizes of the layers.
    geometry : Geometry
    bias_rows : int or int (n,)
        Bias rows that each needs.
    arrays : int, optional
        Chips at hand.
    tries : int
        Random orders at most.
    seed : int

    Raises
    ------
    MappingError
        If a layer is larger than a chip, or all do not fit on the chips at hand.
    """
    given = np.broadcast_arrays(*(np.atleast_1d(np.asarray(each, np.int64)) for each in (rows, columns, bias_rows)))
    sizes = np.ascontiguousarray(np.stack(given, axis=1))
    _check_sizes(sizes, geometry)
    area, rng = sizes[:, 0] * sizes[:, 1], np.random.default_rng(seed)
    fewest = max(1, -(-int(area.sum()) // (geometry.rows * (geometry.columns - geometry.reserved))))
    most = _MOST_ARRAYS if arrays is None else arrays
    packed = np.array([geometry.half_rows, geometry.columns, geometry.reserved, geometry.bias_rows, most], np.int64)
    keys = (area, sizes[:, 0], sizes[:, 1], np.maximum(sizes[:, 0], sizes[:, 1]))
    orders = [np.lexsort((-area, -key)) for key in keys]
    best: Places | None = None
    for k in range(max(1, min(len(orders) + tries, _WORK // len(sizes) ** 2))):
        order = orders[k] if k < len(orders) else rng.permutation(len(sizes))
        found = np.zeros((len(sizes), 4), np.int64)
        used = compiled(_MODULE, "place_in_order", int)(order.astype(np.int64), sizes, packed, found)
        if used >= 0 and (best is None or used < best.arrays):
            array, row, column, bias_row = np.ascontiguousarray(found.T)
            best = Places(array, row, column, bias_row, used)
            packed[4] = used - 1 if used > 1 else 1
        if best is not None and best.arrays <= fewest:
            break
    if best is None:
        raise MappingError(
            f"WTM2101: {len(sizes)} layers of {int(area.sum()):,} cells found no place on {arrays} "
            f"chip(s) of {geometry.rows} x {geometry.columns - geometry.reserved} cells: allow more chips, make layers "
            "smaller or reserve fewer columns",
            cells=int(area.sum()), arrays=arrays,
        )  # fmt: skip
    return best


def _check_sizes(sizes: _Ints, geometry: Geometry) -> None:
    limits = (geometry.rows, geometry.columns - geometry.reserved, geometry.bias_rows)
    for k, size in enumerate(sizes.tolist()):
        if min(size[:2]) < 1 or size[2] < 0 or any(have > most for have, most in zip(size, limits, strict=True)):
            raise MappingError(
                f"WTM2101: layer {k} has {size[0]} rows, {size[1]} columns and {size[2]} bias rows; a chip holds "
                f"{limits[0]} x {limits[1]} and {limits[2]}: split it",
                layer=k, size=tuple(size), limit=limits,
            )  # fmt: skip


def check_places(
    places: Places,
    rows: npt.ArrayLike,
    columns: npt.ArrayLike,
    geometry: Geometry,
    *,
    bias_rows: npt.ArrayLike = 0,
) -> None:
    """Refute a placement that breaks a rule; written without looking at the placer.

    Raises
    ------
    MappingError
        Naming the layers and the rule.
    """
    h = np.atleast_1d(np.asarray(rows, np.int64))
    w, b = (np.broadcast_to(np.asarray(each, np.int64), h.shape) for each in (columns, bias_rows))
    top, left, low = places.row, places.column, places.bias_row
    half = geometry.half_rows
    rules = {
        "lies outside the array": (top < 0) | (top + h > 2 * half) | (left + w > geometry.columns),
        "uses reserved columns": left < geometry.reserved,
        "crosses from one half into the other": (h <= half) & (top < half) & (top + h > half),
        "needs more bias rows than there are": (low < 0) | (low + b > geometry.bias_rows),
    }
    for rule, broken in rules.items():
        if broken.any():
            k = int(np.flatnonzero(broken)[0])
            raise MappingError(
                f"WTM2101: layer {k}, {h[k]} x {w[k]} at row {top[k]}, column {left[k]}, {rule}", layer=k
            )
    for array in np.unique(places.array):
        held = np.flatnonzero(places.array == array)
        across = _overlap(left[held], w[held])
        for what, shared in (
            ("cells", across & _overlap(top[held], h[held])),
            ("bias cells", across & _overlap(low[held], b[held])),
        ):
            i, j = np.nonzero(np.triu(shared, 1))
            if len(i):
                raise MappingError(
                    f"WTM2101: layers {held[i[0]]} and {held[j[0]]} share {what} of chip {array}",
                    layers=(int(held[i[0]]), int(held[j[0]])),
                )


def _overlap(first: _Ints, length: _Ints) -> npt.NDArray[np.bool_]:
    """Which ranges have a member in common, bool (n, n)."""
    end = first + length
    low, high = np.maximum(first[:, None], first), np.minimum(end[:, None], end)
    return np.asarray(low < high)
