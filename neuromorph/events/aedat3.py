"""AEDAT 3.1: little-endian packets of one kind of events each. From iniVation's description of the format."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError
from neuromorph.events.cameras import SIZES, camera_of
from neuromorph.events.files import opened, truncated
from neuromorph.events.stream import EventStream

_PACKET = struct.Struct("<hhiiiiii")  # type, source, size, time's offset, overflows of time, capacity, number, valid
_POLARITY = 1
_EVENT = np.dtype([("data", "<u4"), ("time", "<i4")])  # bit 0: valid, 1: on, 2-16: y, 17-31: x


def chunks(path: Path, camera: str | None, events: int) -> Iterator[EventStream]:
    """The events of a file, in pieces of about ``events``; packets stay whole."""
    with opened(path, "an AEDAT 3.1 file") as (file, size):
        lines = _header(file)
        height, width = SIZES[camera_of(camera, [line for line in lines if line.startswith("#Source")])]
        waiting: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]] = []
        count = 0
        while (at := file.tell()) < size:
            overflows, found = _packet(file, at, size)
            found = found[found["data"] & 1 == 1]
            waiting.append((found["time"].astype(np.int64) + (overflows << 31), found["data"]))
            count += len(found)
            if count >= events:
                yield _stream(waiting, height, width)
                waiting, count = [], 0
        if count:
            yield _stream(waiting, height, width)


def _stream(
    packets: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]], height: int, width: int
) -> EventStream:
    t, data = (np.concatenate(column) for column in zip(*packets, strict=True))
    return EventStream(t, data >> 17, data >> 2 & 0x7FFF, data & 2 == 2, height, width)


def _header(file: IO[bytes]) -> list[str]:
    lines = []
    while line := file.readline(1 << 16):
        text = line.decode("ascii", "replace").rstrip("\r\n")
        if not text.startswith("#"):
            break
        lines.append(text)
        if text == "#!END-HEADER":
            if not any(found.startswith("#Format:") and "RAW" in found for found in lines):
                raise TraceError("the header has no line '#Format: RAW'; other formats of AEDAT 3.1 are not read")
            return lines
    raise TraceError("the header has no line '#!END-HEADER'; the file is damaged or is not AEDAT 3.1")


def _packet(file: IO[bytes], at: int, size: int) -> tuple[int, npt.NDArray[Any]]:
    """Overflows of the time and polarity events (perhaps none) of the packet that begins at byte ``at``."""
    raw = file.read(_PACKET.size)
    if len(raw) < _PACKET.size:
        raise truncated(at, size, _PACKET.size, "the header of a packet")
    kind, _, each, _, overflows, capacity, number, _ = _PACKET.unpack(raw)
    if each <= 0 or not 0 <= number <= capacity or overflows < 0 or (kind == _POLARITY and each != _EVENT.itemsize):
        raise TraceError(
            f"no packet begins at byte {at}: type {kind}, {each} bytes an event, {number} of {capacity} events; the "
            "file is damaged",
            offset=at,
        )
    if at + _PACKET.size + each * capacity > size:
        raise truncated(at, size, _PACKET.size + each * capacity, "a packet")
    if kind != _POLARITY:
        file.seek(each * capacity, 1)
        return 0, np.empty(0, _EVENT)
    return overflows, np.frombuffer(file.read(each * capacity), _EVENT)[:number]
