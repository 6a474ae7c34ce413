"""Scales of tensors in few bits: the one with the least squared error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .words import Integers, Width

_SAMPLE = 1 << 15
_CANDIDATES = 60


def quantise(values: NDArray[Any], scale: float, word: Width, zero: int = 0) -> Integers:
    """Codes ``clamp(round(x / scale) + zero)`` as int32, halves to even."""
    codes = np.rint(np.asarray(values, np.float64) / scale) + zero
    return np.clip(codes, word.low, word.high).astype(np.int32)


def least_squares_scale(values: NDArray[Any], word: Width, zero: int = 0, *, owner: str = "tensor") -> float:
    """The scale whose codes lose least of ``values``, among fractions of the one that clips nothing.

    Parameters
    ----------
    values : ndarray
        All that are there, or a sample; at most 32,768 are looked at.
    word : Width
    zero : int
        Code of 0.
    owner : str
        For the message.

    Raises
    ------
    MappingError
        Values that are all 0, or not finite.
    """
    sample = np.asarray(values, np.float64).ravel()
    sample = sample[:: -(-len(sample) // _SAMPLE)]
    above = max(float(sample.max(initial=0.0)), 0.0) / max(word.high - zero, 1)
    below = max(float(-sample.min(initial=0.0)), 0.0) / max(zero - word.low, 1) if zero - word.low else 0.0
    widest = max(above, below)
    if not widest > 0 or not np.isfinite(widest):
        raise MappingError(f"{owner}: no scale for values that are all 0 or not finite", owner=owner)
    best, least = widest, np.inf
    for scale in widest * np.geomspace(1.0, 0.05, _CANDIDATES):
        restored = (np.clip(np.rint(sample / scale) + zero, word.low, word.high) - zero) * scale
        error = float(np.sum((restored - sample) ** 2))
        if error < least:
            best, least = float(scale), error
    return best
