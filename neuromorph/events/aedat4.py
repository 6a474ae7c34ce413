"""AEDAT 4.0, as iniVation's DV writes it: packets of FlatBuffers, each compressed on its own.

After a line of text comes a header with the compression, the place of a table at the end, and a description in XML
of the streams; then packets, each after its stream and its size. From iniVation's description and schemas.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError
from neuromorph.events.files import opened, truncated
from neuromorph.events.flatbuffer import Table
from neuromorph.events.stream import EventStream
from neuromorph.trace.optional import require

_FIRST_LINE = b"#!AER-DAT4.0\r\n"
_EVENT = np.dtype({"names": ["t", "x", "y", "on"], "formats": ["<i8", "<i2", "<i2", "u1"], "itemsize": 16})
_PACKET = struct.Struct("<ii")  # stream, size
_COMPRESSIONS = ("none", "lz4", "lz4", "zstd", "zstd")  # by number; the second of each is only slower to write


def chunks(path: Path, events: int) -> Iterator[EventStream]:
    """The events of the first stream of events, in pieces of about ``events``; packets stay whole."""
    with opened(path, "an AEDAT 4 file") as (file, size):
        file.seek(len(_FIRST_LINE))
        head = Table(_sized(file, size, "the header"), b"IOHE")
        expand = _expander(head.number(0, "<i", 0))
        stream, height, width = _sensor(head.text(2))
        table = head.number(1, "<q", -1)
        end = table if table >= 0 else size  # a recording that was interrupted has no table
        if end > size:
            raise TraceError(f"the file ends after {size} bytes, before its table at byte {table}; it is cut off")
        waiting: list[npt.NDArray[Any]] = []
        count = 0
        while (at := file.tell()) < end:
            raw = file.read(_PACKET.size)
            number, length = _PACKET.unpack(raw) if len(raw) == _PACKET.size else (0, 0)
            if length < 0:
                raise TraceError(f"no packet begins at byte {at}: {length} bytes; the file is damaged", offset=at)
            if len(raw) < _PACKET.size or file.tell() + length > end:
                raise truncated(at, end, _PACKET.size + length, "a packet")
            if number != stream:
                file.seek(length, 1)
                continue
            waiting.append(_events(file.read(length), expand, at))
            count += len(waiting[-1])
            if count >= events:
                yield _stream(waiting, height, width)
                waiting, count = [], 0
        if count:
            yield _stream(waiting, height, width)


def _stream(packets: list[npt.NDArray[Any]], height: int, width: int) -> EventStream:
    found = np.concatenate(packets)
    return EventStream(found["t"].copy(), found["x"], found["y"], found["on"] != 0, height, width)


def _sized(file: IO[bytes], size: int, what: str) -> bytes:
    """A buffer after its length."""
    at = file.tell()
    raw = file.read(4)
    length = int.from_bytes(raw, "little")
    if at + 4 + length > size:
        raise truncated(at, size, 4 + length, what)
    return file.read(length)


def _sensor(description: str) -> tuple[int, int, int]:
    """Number of the first stream of events, height and width of its sensor."""
    try:
        root = ElementTree.fromstring(description.rstrip("\0"))
    except ElementTree.ParseError as error:
        raise TraceError(f"the description of the streams is no XML ({error}); the file is damaged") from None
    streams = {node.get("name", ""): node for node in root.findall("./node[@name='outInfo']/node")}
    for name, node in sorted(streams.items()):
        values = {attr.get("key"): attr.text or "" for attr in node.iter("attr")}
        if values.get("typeIdentifier") != "EVTS":
            continue
        if not (name.isdigit() and values.get("sizeX", "").isdigit() and values.get("sizeY", "").isdigit()):
            raise TraceError(f"stream {name!r} has no number or no sizeX and sizeY; the file is damaged")
        return int(name), int(values["sizeY"]), int(values["sizeX"])
    kinds = sorted(attr.text or "" for attr in root.iter("attr") if attr.get("key") == "typeIdentifier")
    raise TraceError(f"no stream holds events (EVTS); there are {kinds}")


def _events(raw: bytes, expand: Callable[[bytes], bytes], at: int) -> npt.NDArray[Any]:
    try:
        body = expand(raw)
    except Exception as error:  # each library has errors of its own
        raise TraceError(f"the packet at byte {at} cannot be expanded ({error}); the file is damaged") from None
    return Table(body[4:], b"EVTS").vector(0, _EVENT)


def _expander(compression: int) -> Callable[[bytes], bytes]:
    """What undoes the compression of a packet."""
    if not 0 <= compression < len(_COMPRESSIONS):
        raise TraceError(f"compression {compression} is not known; AEDAT 4.0 has 0 to {len(_COMPRESSIONS) - 1}")
    name = _COMPRESSIONS[compression]
    if name == "none":
        return bytes
    if name == "lz4":
        lz4 = require("lz4.frame", "events", "an AEDAT 4 file compressed with LZ4")
        return lambda raw: bytes(lz4.decompress(raw))
    zstd = require("zstandard", "events", "an AEDAT 4 file compressed with Zstandard")
    return lambda raw: bytes(zstd.ZstdDecompressor().decompressobj().decompress(raw))
