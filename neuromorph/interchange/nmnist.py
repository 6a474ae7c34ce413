"""Recordings of an event camera in the format of N-MNIST (Orchard et al. 2015, Frontiers in Neuroscience 9:437)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.units import TIME, Quantity, si_value

#: Polarities, height and width of a frame.
SHAPE = (2, 34, 34)


def nmnist_frames(path: str | PathLike[str], dt: Quantity, steps: int | None = None) -> npt.NDArray[np.int64]:
    """Events of one recording, counted by step and pixel.

    A file is a row of records of five bytes: x, y, one bit of polarity and 23 bits of time in microseconds. A record
    with y = 240 is no event: from it on, times are 2**13 microseconds later.

    Parameters
    ----------
    path : path
    dt : Quantity
        Length of a step.
    steps : int, optional
        How many; default: until the last event.

    Returns
    -------
    int64 array (steps, 2, 34, 34)
        Axes are step, polarity, y, x.

    Raises
    ------
    NetworkError
        If the file is missing or is no such recording.
    """
    try:
        raw = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except FileNotFoundError:
        raise NetworkError(f"{path}: no such file") from None
    if not raw.size or raw.size % 5:
        raise NetworkError(f"{path}: {raw.size} bytes; an N-MNIST recording has 5 for each event", size=raw.size)
    x, y, high, middle, low = raw.reshape(-1, 5).T.astype(np.int64)
    polarity = high >> 7
    marker = y == 240
    micros = ((high & 127) << 16 | middle << 8 | low) + np.cumsum(marker) * (1 << 13)
    x, y, polarity, micros = (column[~marker] for column in (x, y, polarity, micros))
    if x.size and (x.max() >= SHAPE[2] or y.max() >= SHAPE[1]):
        raise NetworkError(f"{path}: an event at x={x.max()}, y={y.max()}; N-MNIST has 34 x 34 pixels")
    when = np.floor(micros * 1e-6 / float(si_value(dt, TIME, "nmnist_frames: dt")) + 1e-9).astype(np.int64)
    count = int(when.max()) + 1 if steps is None and when.size else steps or 0
    frames = np.zeros((count, *SHAPE), np.int64)
    inside = when < count
    np.add.at(frames, (when[inside], polarity[inside], y[inside], x[inside]), 1)
    return frames
