"""Which weight gets the highest code: the largest, one of a quantile, or that with the least squared error."""

from __future__ import annotations

from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..plan.plan import Matrix
from .levels import Coding, common_divisor

Clip = Literal["max", "mse"] | float
"""How weights that are cut into codes are clipped. "max": not at all. "mse": so that the mean squared error of all
weights of a matrix is least. A number: so that this share of them, as 0.999, is not clipped."""

_BINS, _CANDIDATES = 16384, 200
_FINE = 1024  # from so many codes on, a range that takes every weight costs nothing that could be seen


def check_clip(clip: Clip) -> None:
    """Raise :class:`MappingError` unless it is a way of clipping."""
    if clip not in ("max", "mse") and not (isinstance(clip, float) and 0.0 < clip <= 1.0):
        raise MappingError(f'clip is {clip!r}; give "max", "mse", or the share of weights that are kept, as 0.999')


def scale_of_matrix(matrix: Matrix, how: Coding, clip: Clip) -> tuple[float, float]:
    """What a code of a matrix is worth, in its weights' own unit, and its largest absolute weight.

    Ints that cells hold exactly are never clipped.
    """
    some = [part.weights for part in matrix.parts if part.cells]
    low, high = (float(bound([bound(w) for w in some], initial=0)) for bound in (np.min, np.max))
    largest, divisor = max(-low, high), common_divisor(some)
    whole = how.scale_of(low, high, divisor)
    if clip == "max" or how.highest == inf or largest == 0.0 or (divisor and whole == int(whole)):
        return whole, largest
    counts, edges = np.zeros(_BINS, np.int64), np.linspace(0.0, largest, _BINS + 1)
    for part in matrix.parts:
        values = part.values(slice(None))
        sizes = np.abs(values, dtype=np.result_type(values, np.float32))  # int8 has no 128
        counts += np.histogram(sizes, _BINS, (0.0, largest))[0]
    if clip == "mse":
        return _least_error(counts, edges, largest, how), largest
    kept = np.searchsorted(np.cumsum(counts), clip * counts.sum())
    return float(edges[min(int(kept) + 1, _BINS)] / how.highest), largest


def _least_error(counts: npt.NDArray[np.int64], edges: npt.NDArray[np.float64], largest: float, how: Coding) -> float:
    """The scale with the least squared error of weights that are counted in bins."""
    if how.highest >= _FINE:
        return largest / how.highest
    middle = (edges[1:] + edges[:-1]) / 2.0
    scales = largest / how.highest * np.linspace(1.0, 1.0 / how.highest if how.highest > 1 else 0.2, _CANDIDATES)
    errors = [
        float(counts @ (np.minimum(np.rint(middle / scale), how.highest) * scale - middle) ** 2) for scale in scales
    ]
    return float(scales[int(np.argmin(errors))])
