"""AEDAT 2.0, as jAER writes it: big-endian pairs of address and time.

Bits of an address, from iniVation's description of the format and from jAER, which writes the files:

========  ===========================================  =============================================
camera    place                                        kept
========  ===========================================  =============================================
DVS128    y 14-8 from the bottom, x 7-1 from the       bit 15 (external event) and bit 31 (special)
          right, bit 0: off                            are 0
DAVIS     y 30-22 from the bottom, x 21-12 from the    bit 31 (image sensor or motion) and bit 10
          right, bit 11: on                            (external event) are 0
========  ===========================================  =============================================

For DVS128 the description says that bit 0 means on; jAER's own extractor says off, and is followed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neuromorph.errors import TraceError
from neuromorph.events.cameras import SIZES, camera_of
from neuromorph.events.files import opened
from neuromorph.events.stream import EventStream

_RECORD = np.dtype([("address", ">u4"), ("time", ">i4")])
_LONGEST_LINE = 1 << 16


def chunks(path: Path, camera: str | None, events: int) -> Iterator[EventStream]:
    """The events of a file, in pieces of at most ``events`` records."""
    with opened(path, "an AEDAT 2.0 file") as (file, size):
        lines, begin = _header(file.read(_LONGEST_LINE))
        name = camera_of(camera, [line for line in lines if "chip" in line.lower()])
        height, width = SIZES[name]
        if (size - begin) % _RECORD.itemsize:
            raise TraceError(
                f"{size - begin} bytes after the header; AEDAT 2.0 has {_RECORD.itemsize} for each event, so the file "
                "is cut off or damaged",
                size=size,
            )
        file.seek(begin)
        wraps, before = 0, None
        while len(records := np.fromfile(file, _RECORD, events)):
            time = records["time"].astype(np.int64)
            jumps = np.diff(time, prepend=time[:1] if before is None else before) < -(1 << 31)
            before = time[-1:]
            t = time + ((wraps + np.cumsum(jumps)) << 32)  # the counter has 32 bits and goes round
            wraps += int(jumps.sum())
            a = records["address"].astype(np.int64)
            if name.startswith("DAVIS"):
                kept = (a & 0x8000_0400) == 0
                x, y, on = a >> 12 & 0x3FF, a >> 22 & 0x1FF, a >> 11 & 1 == 1
            else:
                kept = (a & 0x8000_8000) == 0
                x, y, on = a >> 1 & 0x7F, a >> 8 & 0x7F, a & 1 == 0
            t, x, y, on = (column[kept] for column in (t, x, y, on))
            yield EventStream(t, width - 1 - x, height - 1 - y, on, height, width)


def _header(beginning: bytes) -> tuple[list[str], int]:
    """Lines of the header, and where the events begin.

    Lines begin with #. Newer files say where they end; in older ones an address may begin with the same byte, but is no
    text.
    """
    lines: list[str] = []
    at = 0
    while beginning[at : at + 1] == b"#":
        end = beginning.find(b"\n", at) + 1
        raw = beginning[at:end].rstrip(b"\r\n")
        if not end or not all(32 <= byte < 127 or byte == 9 for byte in raw):
            break
        lines.append(raw.decode("ascii"))
        at = end
        if "end of ascii header" in lines[-1].lower():
            break
    return lines, at
