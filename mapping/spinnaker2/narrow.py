"""Weights that take fewer bits in rows than their type: how many, and which of SPARK's codes are long."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.network.synapses import Synapses

SIGN, SHORT = 1, 4
"""Bits of a sign, and of SPARK's short codes."""


def field_bits(stored: str) -> int:
    """Bits of a weight field; of SPARK's, one with a short code."""
    return {"int4": 4, "spark": SIGN + SHORT}[stored]


@cache
def _long() -> npt.NDArray[np.bool_]:
    """Whether a size of 0 to 255 has a long code."""
    from neuromorph.formats import spark_length

    return np.asarray(spark_length()) > SHORT


def is_long(weights: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether each weight of -255 to 255 has a long code."""
    return np.asarray(_long()[np.abs(weights)], np.bool_)


def long_codes(synapses: Synapses) -> npt.NDArray[np.int64] | None:
    """How many weights of each target neuron have a long code, int64 (n_post,); None if they are no SPARK codes."""
    if synapses.stored != "spark":
        return None
    long = is_long(synapses.weights)
    if synapses.weight_index is not None:
        long = long[synapses.weight_index]
    if synapses.targets is None:
        return np.asarray(long.reshape(synapses.n_pre, synapses.n_post).sum(0), np.int64)
    return np.bincount(synapses.targets[long], minlength=synapses.n_post).astype(np.int64)
