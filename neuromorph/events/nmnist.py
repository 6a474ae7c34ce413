"""Recordings in the format of N-MNIST (Orchard et al. 2015, Frontiers in Neuroscience 9:437)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from neuromorph.errors import TraceError
from neuromorph.events.files import opened
from neuromorph.events.stream import EventStream

_SIZE = 34  # pixels along each side
_OVERFLOW_ROW = 240
_OVERFLOW = 1 << 13  # microseconds


def read_nmnist(path: str | PathLike[str]) -> EventStream:
    """Events of one recording; the window begins at 0.

    A file is a row of records of five bytes: x, y, one bit of polarity and 23 bits of time in microseconds. A record
    with y = 240 is no event: from it on, times are 2**13 microseconds later.

    Raises
    ------
    TraceError
        If the file is missing or is no such recording.
    """
    with opened(Path(path), "an N-MNIST recording") as (file, size):
        if not size or size % 5:
            raise TraceError(f"{size} bytes; an N-MNIST recording has 5 for each event", size=size)
        x, y, high, middle, low = np.frombuffer(file.read(), np.uint8).reshape(-1, 5).T
        marker = y == _OVERFLOW_ROW
        t = (high.astype(np.int64) & 127) << 16 | middle.astype(np.int64) << 8 | low
        t += np.cumsum(marker) * _OVERFLOW
        t, x, y, on = (column[~marker] for column in (t, x, y, high >> 7 == 1))
        return EventStream(t, x, y, on, _SIZE, _SIZE, 0, int(t.max(initial=-1)) + 1)
