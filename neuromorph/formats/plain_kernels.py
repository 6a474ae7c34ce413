"""Compiled: ints of any number of bits, one after another, each and in each byte the highest bit first."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy")
def pack_bits(levels, bits, payload):
    """The lowest ``bits`` bits of each level; the last byte ends in zeros."""
    if bits == 8:
        for k in range(len(levels)):
            payload[k] = levels[k]
        return
    mask = (np.int64(1) << bits) - 1
    held, fill, at = np.int64(0), 0, 0
    for k in range(len(levels)):
        held = (held << bits) | (levels[k] & mask)
        fill += bits
        while fill >= 8:
            fill -= 8
            payload[at] = (held >> fill) & 255
            at += 1
        held &= (np.int64(1) << fill) - 1
    if fill:
        payload[at] = (held << (8 - fill)) & 255


@njit(error_model="numpy")
def unpack_bits(payload, bits, out):
    """The opposite: as many as ``out`` has, with their sign."""
    if bits == 8:
        for k in range(len(out)):
            out[k] = np.int8(payload[k])
        return
    sign = np.int64(1) << (bits - 1)
    held, fill, at = np.int64(0), 0, 0
    for k in range(len(out)):
        while fill < bits:
            held = (held << 8) | payload[at]
            at += 1
            fill += 8
        fill -= bits
        out[k] = ((held >> fill) ^ sign) - sign
        held &= (np.int64(1) << fill) - 1
