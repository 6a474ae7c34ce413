"""Keys of the random streams that build a network."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def stream_key(seed: int, projection: int, purpose: str) -> int:
    """64-bit key of one stream; the first 8 bytes of BLAKE2b over ``"seed/projection/purpose"``.

    Hashing keeps these streams apart from the ones that engines draw noise from, which use the seed itself.
    """
    digest = hashlib.blake2b(f"{seed}/{projection}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def uniforms(key: int, start: int, count: int) -> npt.NDArray[np.float64]:
    """Uniform numbers ``start`` to ``start + count`` of a stream, each strictly between 0 and 1.

    Number k depends on ``key`` and k alone (Philox 4x64-10, whose output NumPy guarantees across versions).

    Parameters
    ----------
    key : int
        From :func:`stream_key`.
    start : int
        Position of the first number; a multiple of 4.
    count : int

    Returns
    -------
    float64 (count,)
        ``(j + 0.5) / 2**52`` for a 52-bit j.
    """
    raw = np.random.Philox(key=key, counter=start // 4).random_raw(count)
    raw >>= np.uint64(12)
    out = raw.astype(np.float64)
    out += 0.5
    out *= 2.0**-52
    return out
