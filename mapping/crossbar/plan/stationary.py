"""Convolutions whose kernel is stored once and read for one output position after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.network.builders.convolution import Window

from .matrix import Matrix, Part

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stationary:
    """A kernel as a matrix: a row for each (channel, tap), a column for each output channel, a pass for each position.

    Attributes
    ----------
    window : Window
    row_ptr, targets, weight_index
        Cells, as in :class:`~.matrix.Part`; channels of other groups have none.
    weights : array
    entry_ptr, entry_row, entry_pass
        Rows and passes of each input, as in :class:`~.matrix.Matrix`.
    """

    window: Window
    row_ptr: Int64
    targets: Int32
    weights: npt.NDArray[Any]
    weight_index: Int32 | None
    entry_ptr: Int64
    entry_row: Int32
    entry_pass: Int32

    def put_into(self, matrix: Matrix, projection: int) -> Matrix:
        """The matrix with this kernel as its only part."""
        places = self.window.y.out * self.window.x.out
        rows, columns = len(self.row_ptr) - 1, self.window.out_channels
        part = Part(
            projection, 0, 0, rows, columns, self.row_ptr, self.targets, self.weights, self.weight_index, self.window
        )
        return replace(
            matrix,
            rows=rows,
            columns=columns,
            column_port=np.full(columns, matrix.column_port[0], np.int32),
            column_post=np.arange(columns, dtype=np.int32) * places,
            parts=(part,),
            passes=places,
            pass_post=np.arange(places, dtype=np.int32),
            entry_ptr=self.entry_ptr,
            entry_row=self.entry_row,
            entry_pass=self.entry_pass,
        )


def stationary(window: Window, weights: npt.NDArray[Any]) -> Stationary:
    """Rows, cells and entries of a kernel.

    Parameters
    ----------
    window : Window
    weights : array
        The kernel (out channels, channels / groups, height, width) in one dimension, or one number for every tap.
    """
    y, x = window.y, window.x
    taps = y.taps * x.taps
    in_group, out_group = window.channels // window.groups, window.out_channels // window.groups
    channel, tap = np.divmod(np.arange(window.channels * taps), taps)
    group, inside = np.divmod(channel, in_group)
    targets = group[:, None] * out_group + np.arange(out_group)
    index = (targets * in_group + inside[:, None]) * taps + tap[:, None]
    entry_ptr, entry_row, entry_pass = _entries(window)
    return Stationary(
        window=window,
        row_ptr=np.arange(len(channel) + 1, dtype=np.int64) * out_group,
        targets=targets.ravel().astype(np.int32),
        weights=weights,
        weight_index=None if weights.ndim == 0 else index.ravel().astype(np.int32),
        entry_ptr=entry_ptr,
        entry_row=entry_row,
        entry_pass=entry_pass,
    )


def _entries(window: Window) -> tuple[Int64, Int32, Int32]:
    """Which row each input drives in which pass, passes ascending: at most one row in a pass."""
    y, x = window.y, window.x
    (y_ptr, y_out, y_tap), (x_ptr, x_out, x_tap) = y.overlaps(), x.overlaps()
    count = np.multiply.outer(np.diff(y_ptr), np.diff(x_ptr)).ravel()
    ptr = np.concatenate([[0], np.cumsum(count)])
    place_y, place_x = np.divmod(np.repeat(np.arange(len(count)), count), x.size)
    rank = np.arange(ptr[-1]) - np.repeat(ptr[:-1], count)
    wide = np.diff(x_ptr)[place_x]
    k_y, k_x = y_ptr[place_y] + rank // wide, x_ptr[place_x] + rank % wide
    passes = (y_out[k_y] * x.out + x_out[k_x]).astype(np.int32)
    taps = y_tap[k_y] * x.taps + x_tap[k_x]
    channels = np.arange(window.channels)
    entry_row = (channels[:, None] * (y.taps * x.taps) + taps).ravel().astype(np.int32)
    entry_ptr = np.concatenate([[0], (channels[:, None] * ptr[-1] + ptr[1:]).ravel()]).astype(np.int64)
    return entry_ptr, entry_row, np.tile(passes, window.channels)
