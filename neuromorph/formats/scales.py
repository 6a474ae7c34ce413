"""From numbers to levels and back: the scale of a tensor or of each channel, and rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError
from neuromorph.native import compiled

Scale = str | float | tuple[float, ...]
"""``"absmax"``: the largest magnitude becomes the largest level; or numbers, one or one for each channel."""

_round = compiled("neuromorph.formats.scale_kernels", "rounded")
_times = compiled("neuromorph.formats.scale_kernels", "times")


def as_scale(scale: Any, name: str) -> Scale:
    """A format's option ``scale`` as data: ``"absmax"``, a float or a tuple of floats."""
    if isinstance(scale, str):
        if scale != "absmax":
            raise FormatError(f"{name}: no scale {scale!r}; choose 'absmax', a number, or one for each channel")
        return scale
    numbers = np.asarray(scale, np.float64)
    if numbers.ndim > 1 or not numbers.size or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise FormatError(f"{name}: scale {scale!r} is not a positive number, or a row of them, one for each channel")
    return float(numbers) if numbers.ndim == 0 else tuple(numbers.tolist())


def absmax_scale(largest: npt.ArrayLike, top: int, dtype: npt.DTypeLike) -> npt.NDArray[np.float64]:
    """Scales by which magnitudes up to ``largest`` fill the levels up to ``top``.

    ``largest / top``, rounded to the numbers' own type: never to zero, and one step less where ``top`` times it would
    be infinite. 1 where everything is zero.

    Parameters
    ----------
    largest : array_like of float64
    top : int
    dtype : float16, float32 or float64

    Returns
    -------
    float64 array of the shape of ``largest``
    """
    kind: np.dtype[np.floating[Any]] = np.dtype(dtype)  # type: ignore[assignment]
    wide = np.asarray(largest, np.float64)
    scale = np.maximum((wide / top).astype(kind), np.finfo(kind).smallest_subnormal)
    with np.errstate(over="ignore"):
        finite = np.isfinite(kind.type(top) * scale)
    scale = np.where(finite, scale, np.nextafter(scale, kind.type(0)))
    return np.where(wide == 0, 1.0, scale.astype(np.float64))


def find_scale(
    values: npt.NDArray[Any], top: int, axis: int | None, chosen: Scale, name: str
) -> npt.NDArray[np.float64]:
    """The scale of an array, () or one for each index of ``axis``.

    Ints keep their values (scale 1) unless a scale is given. A single number (no axes) is exact under ``"absmax"``: its
    level is its sign and the scale its size.

    Raises
    ------
    FormatError
        Not finite numbers; as many given scales as there are no channels.
    """
    channels: tuple[int, ...] = () if axis is None else (values.shape[axis],)
    floats = values.dtype.kind == "f"
    largest = _largest(values, axis) if floats else np.zeros(channels)
    if not np.isfinite(largest).all():
        raise FormatError(f"{name}: a value is not finite (nan or infinity); formats hold finite numbers only")
    if chosen == "absmax":
        return absmax_scale(largest, top if values.ndim else 1, values.dtype) if floats else np.ones(channels)
    given = np.asarray(chosen, np.float64)
    if given.ndim and given.shape != channels:
        wanted = "one scale (no axis was named)" if axis is None else f"{channels[0]} scales"
        raise FormatError(f"{name}: {len(given)} scales for {wanted}; shape {values.shape}, axis {axis}")
    scale = np.broadcast_to(given, channels)
    if floats:  # as the numbers' own type has it, so that decoding multiplies by what encoding divided by
        with np.errstate(over="ignore"):
            scale = scale.astype(values.dtype).astype(np.float64)
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise FormatError(f"{name}: scale {chosen!r} is zero or infinite as {values.dtype}; use wider floats")
    return np.array(scale)


def to_levels(
    values: npt.NDArray[Any], scale: npt.NDArray[np.float64], axis: int | None, low: int, high: int
) -> npt.NDArray[Any]:
    """``rint(value / scale)`` in float64, halves to even, limited to ``low .. high``; flat int16 or int32."""
    out = np.empty(values.size, np.int16 if low >= -(1 << 15) and high < 1 << 15 else np.int32)
    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.dtype not in (np.float32, np.float64):
        flat = flat.astype(np.float32 if flat.dtype == np.float16 else np.float64)
    _round(flat, np.atleast_1d(scale), inner(values.shape, axis), float(low), float(high), out)
    return out


def from_levels(
    levels: npt.NDArray[Any], scale: npt.NDArray[np.float64], run: int, first: int, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """``level * scale``, both in ``dtype``; for flat levels from place ``first`` on. Floats are numbers already."""
    if dtype.kind != "f" or levels.dtype.kind == "f":
        return levels.astype(dtype, copy=False)
    kept = np.dtype(np.float32) if dtype == np.float16 else dtype
    out = np.empty(levels.size, kept)
    _times(levels, np.atleast_1d(scale).astype(kept), run, first, out)
    return out.astype(dtype, copy=False)


def inner(shape: tuple[int, ...], axis: int | None) -> int:
    """How many elements in a row share a scale."""
    return max(int(np.prod(shape[axis + 1 :])) if axis is not None else int(np.prod(shape)), 1)


def whole_axis(axis: int | None, ndim: int, name: str) -> int | None:
    """The axis counted from the front."""
    if axis is None:
        return None
    if not -ndim <= axis < ndim:
        raise FormatError(f"{name}: no axis {axis} in an array of {ndim} axes", axis=axis)
    return axis % ndim


def _largest(values: npt.NDArray[Any], axis: int | None) -> npt.NDArray[np.float64]:
    """max|x| of all or of each channel; nan if there is one, 0 of nothing."""
    others = None if axis is None else tuple(k for k in range(values.ndim) if k != axis)
    high = np.max(values, axis=others, initial=0)
    low = np.min(values, axis=others, initial=0)
    return np.asarray(np.maximum(high.astype(np.float64), -low.astype(np.float64)))
