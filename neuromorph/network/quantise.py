"""Weights as narrow integers with one scale for each projection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.network.synapses import Synapses

CHUNK = 1 << 18


def quantise(synapses: Synapses, bits: int) -> Synapses:
    """Round a projection's weights to ints of 8 or 16 bits.

    Float weights w become ``q = rint(w / scale)`` (halves to even), limited to ``-top .. top`` with
    ``top = 2**(bits - 1) - 1``, and stand for ``q * scale``. The scale is ``max|w| / top``, rounded to the weights' own
    type: down where ``top * scale`` would be infinite, never to zero. So ``|w - q * scale|`` is at most ``scale / 2``
    but for rounding, zero stays zero, and w and -w stay opposite. One weight for all synapses is exact: q is its sign
    and the scale its size. If every weight is zero the scale is 1. Int weights (of int ports) are stored narrower
    without change.

    Parameters
    ----------
    synapses : Synapses
    bits : {8, 16}

    Returns
    -------
    Synapses
        ``weights`` are int8 or int16; ``weight_scale`` is set if they were floats.

    Raises
    ------
    NetworkError
        If weights are quantised already, not finite, or ints beyond the range.
    """
    if bits not in (8, 16):
        raise NetworkError(f"projection {synapses.name}: weights of {bits} bits; choose 8 or 16", bits=bits)
    subject = f"projection {synapses.name}"
    if synapses.weight_scale is not None:
        raise NetworkError(f"{subject}: weights are quantised already (scale {synapses.weight_scale:g})")
    kept: np.dtype[Any] = np.dtype(f"i{bits // 8}")
    weights = synapses.weights
    top = 2 ** (bits - 1) - 1
    if weights.dtype.kind == "i":
        if weights.size and not (-top - 1 <= weights.min() and weights.max() <= top):
            raise NetworkError(
                f"{subject}: int weights from {weights.min()} to {weights.max()} do not fit {bits} bits "
                f"({-top - 1} to {top}); use wider ones",
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
    scale = _scale(largest, top, weights.dtype)
    return replace(synapses, weights=_rounded(weights, scale, top, kept), weight_scale=scale)


def _scale(largest: float, top: int, dtype: np.dtype[Any]) -> float:
    """``largest / top`` in ``dtype``: never zero, and one step less where ``top * scale`` would be infinite."""
    scale = max(dtype.type(largest / top), np.finfo(dtype).smallest_subnormal)
    with np.errstate(over="ignore"):
        finite = np.isfinite(dtype.type(top) * scale)
    return float(scale if finite else np.nextafter(scale, dtype.type(0)))


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
