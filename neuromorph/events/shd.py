"""The HDF5 files of the Heidelberg data sets SHD and SSC (Cramer et al. 2022, IEEE TNNLS 33:2744).

``spikes/times`` (seconds) and ``spikes/units`` hold an array for each recording, ``labels`` a number, ``extra/keys``
the names of the classes and, in SHD, ``extra/speaker`` who spoke.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError
from neuromorph.events.stream import EventStream

#: Channels of the artificial cochlea.
CHANNELS = 700


@dataclass(frozen=True, eq=False)
class SpokenDigits:
    """The recordings of one file, read one by one: ``recordings[3]`` or by iteration.

    It keeps no file open between, so it may be handed to other processes.

    Attributes
    ----------
    path : Path
    labels : int64 array (recordings,)
    classes : tuple of str
        Name of each label; empty where the file has none.
    speakers : int64 array (recordings,) or None
        Who spoke, where the file says so.
    """

    path: Path
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    speakers: npt.NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> EventStream:
        """Recording ``index``: 700 pixels in one row, one channel, the window from 0 to the last event."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.path}: recording {index} of {len(self)}")
        with _file(self.path) as file:
            return self._stream(file, index % len(self))

    def __iter__(self) -> Iterator[EventStream]:
        with _file(self.path) as file:
            for index in range(len(self)):
                yield self._stream(file, index)

    def _stream(self, file: Any, index: int) -> EventStream:
        seconds, units = (np.asarray(file[f"spikes/{name}"][index]) for name in ("times", "units"))
        where = f"{self.path}, recording {index}"
        if not np.isfinite(seconds).all() or (seconds < 0).any():
            raise TraceError(f"{where}: a time is negative or not a number")
        t = np.rint(seconds.astype(np.float64) * 1e6).astype(np.int64)
        try:
            return EventStream(
                t, units, np.zeros(len(units), np.uint16), None, 1, CHANNELS, 0, int(t.max(initial=-1)) + 1
            )
        except TraceError as error:
            raise TraceError(f"{where}: {error}") from None


def read_shd(path: str | PathLike[str]) -> SpokenDigits:
    """Open a file of SHD or SSC; events are read when asked for.

    Raises
    ------
    TraceError
        If the file is missing, is no HDF5 file or not laid out so; also when a recording is read that is damaged.
    """
    with _file(Path(path)) as file:
        missing = [name for name in ("spikes/times", "spikes/units", "labels") if name not in file]
        if missing:
            raise TraceError(
                f"{path}: has no {', '.join(missing)}; it has {', '.join(file)}: this is no file of SHD or SSC"
            )
        lengths = {name: len(file[name]) for name in ("spikes/times", "spikes/units", "labels")}
        if len(set(lengths.values())) > 1:
            raise TraceError(f"{path}: {lengths}; there should be one for each recording", lengths=lengths)
        keys = file["extra/keys"][()] if "extra/keys" in file else ()
        return SpokenDigits(
            Path(path),
            np.asarray(file["labels"], np.int64),
            tuple(key.decode() if isinstance(key, bytes) else str(key) for key in keys),
            np.asarray(file["extra/speaker"], np.int64) if "extra/speaker" in file else None,
        )


def _file(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise TraceError(f"{path}: cannot be read as HDF5 ({error}); give a file of SHD or SSC, unpacked") from None
