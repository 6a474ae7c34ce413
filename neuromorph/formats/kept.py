"""Numbers that a code has already: the step behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .tables import Rounding, spark_table

_LOOKED_AT = 1 << 14
_FEW = 16


def common_steps(values: npt.NDArray[Any], numbers: npt.NDArray[np.int64]) -> Iterator[float]:
    """The steps of which all magnitudes are multiples by one of ``numbers``, but for roundings; the largest first.

    Parameters
    ----------
    values : array of float
        Of any shape.
    numbers : int64 array
        Ascending, from 0 on.

    Yields
    ------
    float
        In float64. 1 alone if all values are zero.
    """
    flat = np.asarray(values).reshape(-1)
    most = int(numbers[-1])
    for part in (flat[:_LOOKED_AT], flat):
        sizes = np.unique(np.abs(part))
        if len(sizes) > 4 * most or not np.isfinite(sizes).all():  # roundings may make some of one
            return
    sizes = sizes[sizes > 0].astype(np.float64)
    if not len(sizes):
        yield 1.0
        return
    # of a step: a value was rounded to its own type once or twice, far from what numbers of no grid would be
    tolerance = min(max(1e-5, 2 * most * float(np.finfo(flat.dtype).eps)), 1e-3)
    # a few of the values rule out nearly every step, when numbers go far; twice the tolerance leaves room for rounding
    tried = numbers[numbers > 0]
    few = sizes[np.linspace(0, len(sizes) - 1, _FEW).astype(np.int64)] / sizes[-1]
    for largest in tried[_away(np.multiply.outer(tried, few), numbers).max(axis=1) <= 2 * tolerance].tolist():
        levels = sizes * (largest / sizes[-1])
        if levels[0] >= 0.5 and _away(levels, numbers).max() <= tolerance:
            yield float(sizes[-1] / largest)


def kept_scale(values: npt.NDArray[Any], rounding: Rounding = "paper") -> float | None:
    """The largest scale by which all numbers are levels that SPARK keeps, or None.

    A network that was trained under the code (``train.Spark``) gives such weights, with a largest level that may be far
    below 255. Stored by this scale nothing is lost, and as many codes as can be are short.

    Parameters
    ----------
    values : array of float
        Of any shape.
    rounding : {"paper", "nearest"}
        Both keep the same levels.

    Returns
    -------
    float or None
        Rounded to the values' type, where it can be so that level times scale has the values' very bits. 1 if all are
        zero.
    """
    numbers = np.unique(spark_table(rounding)).astype(np.int64)
    array = np.asarray(values)
    found = best_scale(array, common_steps(array, numbers))
    if found is None or found[2]:
        return None if found is None else found[1]
    rounded = float(array.dtype.type(found[1]))
    limits = np.finfo(array.dtype)
    return rounded if limits.tiny <= rounded <= limits.max / 512 else None


def best_scale(values: npt.NDArray[Any], steps: Iterable[float]) -> tuple[npt.NDArray[np.int32], float, bool] | None:
    """Levels, scale, and whether they give the values' bits: the first step that does, else the first; None without."""
    first = None
    for step in steps:
        found = _with_step(values, step)
        if found[2]:
            return found
        first = first or found
    return first


def _with_step(values: npt.NDArray[Any], step: float) -> tuple[npt.NDArray[np.int32], float, bool]:
    """Levels, the scale among those that differ by roundings that gives the values' bits, and whether there is one."""
    kind = values.dtype.type
    levels = np.rint(values.astype(np.float64) / step).astype(np.int32)
    below = np.nextafter(kind(step), kind(0))
    for candidate in (kind(step), below, np.nextafter(below, kind(0)), np.nextafter(kind(step), kind(np.inf))):
        if np.array_equal(levels.astype(kind) * candidate, values):
            return levels, float(candidate), True
    return levels, float(step), False


def _away(levels: npt.NDArray[np.float64], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How far each level is from the nearest of the numbers."""
    above = np.clip(np.searchsorted(numbers, levels), 1, len(numbers) - 1)
    return np.asarray(np.minimum(np.abs(levels - numbers[above]), np.abs(levels - numbers[above - 1])))
