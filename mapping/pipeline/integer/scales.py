"""Scales of tensors in few bits: the one with the least squared error."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .float_model import evaluate
from .parameters import POINTS, UNSIGNED, TransformerParameters
from .recipe import Recipe
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


def activation_scales(
    parameters: TransformerParameters, images: NDArray[np.float64], recipe: Recipe
) -> tuple[dict[str, float], list[int]]:
    """The scale of every activation by name, and the code of 0 after each GeLU; from a float run where not given."""
    known: dict[str, float | None] = {"input": parameters.input_scale, "norm": parameters.norm_scale}
    for number, block in enumerate(parameters.blocks):
        known |= {f"block{number}.{point}": block.scales.get(point) for point in POINTS}
    seen: dict[str, NDArray[np.float64]] = {}

    def see(name: str, values: NDArray[np.float64]) -> None:
        if known[name] is None:
            flat = values.ravel()
            seen[name] = flat[:: -(-len(flat) // _SAMPLE)].copy()

    if None in known.values():
        evaluate(parameters, images, see=see)
    zeros = [block.gelu_zero for block in parameters.blocks]
    scales: dict[str, float] = {}
    for name, given in known.items():
        point = name.split(".")[-1]
        if given is not None:
            scales[name] = given
        elif name in ("input", "norm"):
            signed = parameters.input_signed if name == "input" else True
            scales[name] = least_squares_scale(seen[name], Width(recipe.edge_bits, signed), owner=name)
        elif point == "gelu":
            number = int(name.split(".")[0].removeprefix("block"))
            scales[name], zeros[number] = _gelu_scale(seen[name], recipe.bits, name)
        else:
            word = Width(recipe.bits, point not in UNSIGNED)
            scales[name] = least_squares_scale(seen[name], word, owner=name)
    return scales, zeros


def _gelu_scale(values: NDArray[np.float64], bits: int, name: str) -> tuple[float, int]:
    """Scale and code of 0 with the least squared error: codes below 0's stand for GeLU's negative part."""
    word = Width(bits, signed=False)
    first = least_squares_scale(values, word, owner=name)
    least = float(-values.min())
    best, error = (first, 0), np.inf
    for zero in {0, *range(1, 1 + max(1, ceil(least / first)))}:
        scale = least_squares_scale(values, word, zero, owner=name)
        found = float(np.sum(((quantise(values, scale, word, zero) - zero) * scale - values) ** 2))
        if found < error:
            best, error = (scale, zero), found
    return best
