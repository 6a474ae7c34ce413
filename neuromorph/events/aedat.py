"""AEDAT files of versions 2.0, 3.1 and 4.0, told apart by their first line."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from neuromorph.errors import TraceError
from neuromorph.events import aedat2, aedat3, aedat4
from neuromorph.events.files import CHUNK, opened
from neuromorph.events.stream import EventStream, joined


def read_aedat(path: str | PathLike[str], camera: str | None = None) -> EventStream:
    """All polarity events of an AEDAT file; whatever else it holds is left out.

    Parameters
    ----------
    path : path
    camera : str, optional
        For versions 2.0 and 3.1: "DVS128", "DAVIS240", "DAVIS346" ...; default: the one that the header names.

    Raises
    ------
    TraceError
        If the file is missing, damaged, cut off or of another format.
    """
    pieces = list(aedat_chunks(path, camera))
    if not pieces:
        raise TraceError(f"{path}: holds no polarity events")
    return joined(pieces)


def aedat_chunks(path: str | PathLike[str], camera: str | None = None, events: int = CHUNK) -> Iterator[EventStream]:
    """The same in pieces of about ``events`` events, of which only one is in memory.

    Of a file that is cut off, the whole packets come before the error. Pieces follow each other in time as far as the
    file does; the window of each goes from its first event to its last.
    """
    file = Path(path)
    with opened(file, "an AEDAT file") as (opening, _):
        line = opening.readline(64)
    version = line.removeprefix(b"#!AER-DAT").strip() if line.startswith(b"#!AER-DAT") else b""
    if version == b"2.0":
        yield from aedat2.chunks(file, camera, events)
    elif version == b"3.1":
        yield from aedat3.chunks(file, camera, events)
    elif version == b"4.0":
        yield from aedat4.chunks(file, events)
    else:
        found = f"version {version.decode('ascii', 'replace')}" if version else f"{line[:16]!r}"
        raise TraceError(f"{file}: its first line gives {found}; AEDAT files of versions 2.0, 3.1 and 4.0 are read")
