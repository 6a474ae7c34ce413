"""Frames made smaller: each pixel of the result sums, or takes the largest of, a block of pixels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError


def pool(frames: npt.ArrayLike, size: tuple[int, int], how: Literal["sum", "max"] = "sum") -> npt.NDArray[Any]:
    """Frames of ``size`` from larger ones.

    Row i of the result covers the rows from floor(i * height / size) up to where row i + 1 begins, columns likewise, so
    every pixel counts once, whether or not the sizes divide.

    Parameters
    ----------
    frames : array (..., height, width)
    size : (int, int)
        Height and width of the result.
    how : {"sum", "max"}

    Returns
    -------
    array (..., *size)
        Of the type of ``frames``.

    Raises
    ------
    TraceError
        If the frames are smaller than ``size``.
    """
    array = np.asarray(frames)
    if array.ndim < 2 or not all(0 < small <= large for small, large in zip(size, array.shape[-2:], strict=True)):
        raise TraceError(f"pool: frames of shape {array.shape} to {size}; give (..., height, width), each at least so")
    if how not in ("sum", "max"):
        raise TraceError(f"pool: how={how!r}; give 'sum' or 'max'")
    reduced = {"sum": np.add, "max": np.maximum}[how]
    for axis, small in ((-1, size[1]), (-2, size[0])):
        borders = np.arange(small) * array.shape[axis] // small
        array = reduced.reduceat(array, borders, axis=axis, dtype=array.dtype)
    return array
