"""Weights as narrow numbers with one scale for each projection: ints, and the numbers that SPARK codes stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.formats import absmax_scale, kept_scale, spark_table
from neuromorph.network.synapses import Synapses

if TYPE_CHECKING:
    from neuromorph.formats.tables import Rounding

CHUNK = 1 << 18

Narrow = Literal["int4", "int8", "int16", "spark", "spark-nearest"]
"""How a chip may store weights."""
NARROW: tuple[Narrow, ...] = ("int4", "int8", "int16", "spark", "spark-nearest")
Weights = Narrow | Mapping[str, Narrow] | None
"""How weights are stored: all alike, or by the names of projections; the others are as wide as the target's floats."""
_BITS = {"int4": 4, "int8": 8, "int16": 16}
_ROUNDING: dict[str, Rounding] = {"spark": "paper", "spark-nearest": "nearest"}


def stored_as(weights: Weights, projection: str) -> Narrow | None:
    """How the weights of a projection are stored; None: as wide as the target's floats."""
    return weights.get(projection) if isinstance(weights, Mapping) else weights


def weights_text(weights: Weights) -> str:
    """The choice as text, equal where it is the same; empty if there is none."""
    if isinstance(weights, Mapping):
        return ", ".join(f"{name}: {how}" for name, how in sorted(weights.items()))
    return weights or ""


def narrowed(synapses: Synapses, how: Narrow) -> Synapses:
    """A projection with the weights that a chip reads back if it stores them so: :func:`quantise` or :func:`spark`."""
    return spark(synapses, _ROUNDING[how]) if how in _ROUNDING else quantise(synapses, _BITS[how])


def quantise(synapses: Synapses, bits: int) -> Synapses:
    """Round a projection's weights to ints of 4, 8 or 16 bits.

    Float weights w become ``q = rint(w / scale)`` (halves to even), limited to ``-top .. top`` with
    ``top = 2**(bits - 1) - 1``, and stand for ``q * scale``. The scale is ``max|w| / top``, rounded to the weights' own
    type: down where ``top * scale`` would be infinite, never to zero. So ``|w - q * scale|`` is at most ``scale / 2``
    but for rounding, zero stays zero, and w and -w stay opposite. One weight for all synapses is exact: q is its sign
    and the scale its size. If every weight is zero the scale is 1. Int weights (of int ports) are stored narrower
    without change.

    Parameters
    ----------
    synapses : Synapses
    bits : {4, 8, 16}

    Returns
    -------
    Synapses
        ``weights`` are int8 or int16; ``weight_scale`` is set if they were floats, and ``stored`` where the ints are
        narrower than their type.

    Raises
    ------
    NetworkError
        If weights are quantised already, not finite, or ints beyond the range.
    """
    if bits not in (4, 8, 16):
        raise NetworkError(f"projection {synapses.name}: weights of {bits} bits; choose 4, 8 or 16", bits=bits)
    top = 2 ** (bits - 1) - 1
    made = _whole(synapses, top, -top - 1, f"{bits} bits", np.dtype("i1" if bits <= 8 else "i2"))
    return replace(made, stored="int4") if bits == 4 and made.weights.ndim else made


def spark(synapses: Synapses, rounding: Rounding = "paper") -> Synapses:
    """Weights as SPARK codes of their sizes, with signs: 4 bits for 0 to 7, 8 bits for 8 to 255, and a sign bit.

    Float weights that are numbers of the code already, by some scale, stay as they are, with the largest such scale
    (:func:`neuromorph.formats.kept_scale`): so a network that was trained under the code keeps its weights, and as few
    bits as it was trained to need. Others are rounded as :func:`quantise` rounds them, to ``-255 .. 255`` with the
    scale ``max|w| / 255``. Then each size becomes the number that its code stands for
    (:func:`neuromorph.formats.spark_table`), which differs by 16 at most. One weight for all synapses is exact. Int
    weights (of int ports) become the codes' numbers as they are.

    Parameters
    ----------
    synapses : Synapses
    rounding : {"paper", "nearest"}
        To a number that has a code: as published, or to the nearest one.

    Returns
    -------
    Synapses
        ``weights`` are int16, the codes' numbers; ``weight_scale`` is set if they were floats; ``stored`` is "spark"
        unless there is one weight for all.

    Raises
    ------
    NetworkError
        If weights are quantised already, not finite, or ints beyond -255 to 255.
    """
    made = _whole(synapses, 255, -255, "SPARK codes", np.dtype("i2"), kept_scale)
    if made.weights.ndim == 0:
        return made
    numbers = spark_table(rounding).astype(np.int16)
    both = np.concatenate((-numbers[:0:-1], numbers))  # of -255 to 255
    flat = made.weights.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        part[...] = both[part + 255]
    return replace(made, weights=flat.reshape(made.weights.shape), stored="spark")


def _whole(
    synapses: Synapses,
    top: int,
    low: int,
    what: str,
    kept: np.dtype[Any],
    known: Callable[[npt.NDArray[Any]], float | None] = lambda weights: None,
) -> Synapses:
    """Float weights as ints of ``-top .. top`` with a scale, int weights as they are if they are in ``low .. top``.

    ``known`` gives the scale of weights that need no rounding, or None.
    """
    subject = f"projection {synapses.name}"
    if synapses.weight_scale is not None:
        raise NetworkError(f"{subject}: weights are quantised already (scale {synapses.weight_scale:g})")
    weights = synapses.weights
    if weights.dtype.kind == "i":
        if weights.size and not (low <= weights.min() and weights.max() <= top):
            raise NetworkError(
                f"{subject}: int weights from {weights.min()} to {weights.max()} do not fit {what} "
                f"({low} to {top}); use wider ones",
                low=int(weights.min()),
                high=int(weights.max()),
            )
        return replace(synapses, weights=weights.astype(kept))
    largest = _largest(weights)
    if not np.isfinite(largest):
        raise NetworkError(f"{subject}: a weight is not finite (nan or infinity)")
    if largest == 0:
        return replace(synapses, weights=np.zeros(weights.shape, kept), weight_scale=1.0)
    if weights.ndim == 0:
        return replace(synapses, weights=np.sign(weights).astype(kept), weight_scale=largest)
    scale = known(weights) or float(absmax_scale(largest, top, weights.dtype))
    return replace(synapses, weights=_rounded(weights, scale, top, kept), weight_scale=scale)


def _largest(weights: npt.NDArray[Any]) -> float:
    """max|w|; nan if there is one."""
    return max(float(weights.max()), -float(weights.min())) if weights.size else 0.0


def _rounded(weights: npt.NDArray[Any], scale: float, top: int, kept: np.dtype[Any]) -> npt.NDArray[Any]:
    """``rint(w / scale)`` in float64, limited, chunk by chunk."""
    flat = weights.reshape(-1)
    out = np.empty(flat.shape, kept)
    for start in range(0, flat.size, CHUNK):
        part = np.rint(flat[start : start + CHUNK].astype(np.float64) / scale)
        out[start : start + CHUNK] = np.clip(part, -top, top)
    return out.reshape(weights.shape)
