"""Encoded numbers as bytes: a header, frames of tiles, an end; every part has a CRC32, every tile its own.

All numbers are little-endian.

========  =============================================================================================================
header    magic ``NMFT``, version u8, format u8 with its options i16 and i16, scales that the format itself names u8 (0:
          none, 1: one, 2: one for each channel), type of the numbers 2 characters, values in a tile u32, axis i16 (-1:
          none), scales u32; those of the format, f64; the scales, f64; CRC32
frame     values u64 (not 0), bytes of the payload u64; CRC32; for each tile its bytes u32 and CRC32 (of the tile in the
          payload, then in the plane); CRC32 of these; the payload; the plane of signs, if the format has one
end       0 u64, axes u64; CRC32; shape, u64 each; CRC32
========  =============================================================================================================

Every frame but the last holds whole tiles. So a writer needs to know nothing in advance, and a reader sees where a file
ends too early.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError

from .encoded import TILE, Encoded, NumberFormat
from .plain import Fixed, Float, Int
from .scales import Scale
from .spark import SIGNS, Spark
from .tables import ROUNDINGS, Bytes

MAGIC, VERSION = b"NMFT", 1
HEADER, FRAME, CHECK = struct.Struct("<4sBBhhB2sIhI"), struct.Struct("<QQ"), struct.Struct("<I")
KINDS = ("i1", "u1", "i2", "i4", "f2", "f4", "f8")
MOST_AXES = 64
PART = 1 << 26
"""Bytes that are read at a time, so that a false length does not take memory before the file ends."""


@dataclass(frozen=True)
class Header:
    """What does not depend on how many numbers there are."""

    format: NumberFormat
    dtype: np.dtype[Any]
    axis: int | None
    scale: npt.NDArray[np.float64]


def to_bytes(encoded: Encoded) -> bytes:
    """Header, one frame, end."""
    out = BytesIO()
    write_header(out, encoded)
    write_frame(out, encoded)
    write_end(out, encoded.shape)
    return out.getvalue()


def from_bytes(data: bytes | bytearray | memoryview) -> Encoded:
    """One header, all frames, the end, and nothing else."""
    source = BytesIO(data)
    header = read_header(source)
    frames: list[Encoded] = []
    while isinstance(found := read_next(source, header, sum(frame.tiles for frame in frames)), Encoded):
        if frames and frames[-1].size % TILE:
            raise FormatError("encoded numbers: a frame that is not the last ends within a tile")
        frames.append(found)
    shape = found
    if source.read(1):
        raise FormatError(f"encoded numbers: bytes follow the end, from {source.tell() - 1} on; cut them off")
    if header.axis is not None and (header.axis >= len(shape) or header.scale.shape != (shape[header.axis],)):
        raise FormatError(f"encoded numbers: {header.scale.size} scales for axis {header.axis} of shape {shape}")
    count = sum(frame.size for frame in frames)
    empty = header_only(header)
    starts = np.cumsum([0, *(frame.payload.size for frame in frames)])
    offsets = [frame.offsets[:-1] + start for frame, start in zip(frames, starts[:-1], strict=True)]
    if int(np.prod(shape, dtype=object)) != count:
        raise FormatError(f"encoded numbers: {count} values where shape {shape} was promised")
    return replace(
        empty,
        shape=shape,
        payload=_joined([frame.payload for frame in frames]),
        planes=tuple(_joined([frame.planes[k] for frame in frames]) for k in range(len(empty.planes))),
        offsets=np.concatenate([*offsets, starts[-1:]]).astype(np.int64),
    )


def header_only(header: Header) -> Encoded:
    """No numbers, in this format."""
    planes = tuple(np.empty(0, np.uint8) for _ in range(_planes(header.format)))
    return Encoded(
        header.format,
        (0,),
        header.dtype,
        header.scale,
        header.axis,
        np.empty(0, np.uint8),
        planes,
        np.zeros(1, np.int64),
    )


def write_header(out: BinaryIO, encoded: Encoded) -> None:
    """The header of a tensor, or of a stream that begins with it."""
    kind, first, second, given = _options(encoded.format)
    axis = -1 if encoded.axis is None else encoded.axis
    dtype = f"{encoded.dtype.kind}{encoded.dtype.itemsize}".encode()
    scale = np.append(given, encoded.scale).astype("<f8")
    how = 0 if not given.size else 1 + given.ndim
    head = HEADER.pack(MAGIC, VERSION, kind, first, second, how, dtype, TILE, axis, encoded.scale.size)
    _checked(out, head + scale.tobytes())


def write_frame(out: BinaryIO, encoded: Encoded) -> None:
    """All numbers of a tensor as a frame; nothing if there are none."""
    if not encoded.size:
        return
    index = np.empty((encoded.tiles, 2), "<u4")
    index[:, 0] = np.diff(encoded.offsets)
    index[:, 1] = _tile_checks(encoded)
    _checked(out, FRAME.pack(encoded.size, encoded.payload.size))
    _checked(out, index.tobytes())
    out.write(encoded.payload.data)
    for plane in encoded.planes:
        out.write(plane.data)


def write_end(out: BinaryIO, shape: tuple[int, ...]) -> None:
    """The end, with the shape."""
    _checked(out, FRAME.pack(0, len(shape)))
    _checked(out, np.array(shape, "<u8").tobytes())


def read_header(source: BinaryIO) -> Header:
    """The header.

    Raises
    ------
    FormatError
        Damaged, not whole, or of something else.
    """
    head = _read(source, HEADER.size, "the header")
    magic, version, kind, first, second, given, dtype, tile, axis, scales = HEADER.unpack(head)
    if magic != MAGIC:
        raise FormatError(f"encoded numbers: begins with {magic!r}, not {MAGIC!r}; this is another kind of file")
    if version != VERSION:
        raise FormatError(f"encoded numbers: version {version}; this one reads version {VERSION}", version=version)
    own = scales if given == 2 else given
    rest = _read(source, 8 * (own + scales), "the scales")
    _check(source, head + rest, "the header")
    both = np.frombuffer(rest, "<f8").astype(np.float64)
    scale = both[own:]
    kept = dtype.decode("latin-1")
    sound = kept in KINDS and tile == TILE and axis >= -1 and (np.isfinite(scale) & (scale > 0)).all()
    if not sound or given > 2 or (axis == -1 and scales != 1):
        raise FormatError(f"encoded numbers: no type {kept!r}, tile of {tile}, axis {axis} with {scales} scales")
    scale = scale.reshape(()) if axis == -1 else scale
    named: Scale = tuple(both[:own].tolist()) if given == 2 else float(both[0]) if given else "absmax"
    form = _format(kind, first, second, named)
    return Header(form, np.dtype(kept), None if axis == -1 else axis, scale)


def read_next(source: BinaryIO, header: Header, tile: int) -> Encoded | tuple[int, ...]:
    """The next frame as a flat tensor, every tile checked; at the end the shape.

    Parameters
    ----------
    tile : int
        How many tiles have been read.

    Raises
    ------
    FormatError
        Damaged or not whole.
    """
    head = _read(source, FRAME.size, f"a frame or the end, after {tile} tiles")
    _check(source, head, f"what follows tile {tile}")
    count, size = FRAME.unpack(head)
    if not count:
        return _end(source, size)
    tiles = -(-count // TILE)
    raw = _read(source, 8 * tiles, f"the index of the frame at tile {tile}")
    _check(source, raw, f"the index of the frame at tile {tile}")
    index = np.frombuffer(raw, "<u4").reshape(-1, 2)
    offsets = np.concatenate([[0], np.cumsum(index[:, 0], dtype=np.int64)])
    if offsets[-1] != size:
        raise FormatError(f"encoded numbers: tiles of {offsets[-1]} bytes in a frame of {size}, at tile {tile}")
    if size > 8 * count:
        raise FormatError(f"encoded numbers: {size} bytes for {count} values at tile {tile}")
    payload = np.frombuffer(_read(source, size, f"the frame at tile {tile}"), np.uint8)
    planes = tuple(
        np.frombuffer(_read(source, (count + 7) // 8, f"the signs of the frame at tile {tile}"), np.uint8)
        for _ in range(_planes(header.format))
    )
    run = header.scale if header.axis is None else np.ones(())
    frame = Encoded(header.format, (count,), header.dtype, run, None, payload, planes, offsets)
    wrong = np.flatnonzero(_tile_checks(frame) != index[:, 1])
    if len(wrong):
        raise FormatError(f"encoded numbers: tile {tile + wrong[0]} is damaged (CRC32)", tile=int(tile + wrong[0]))
    return frame


def _end(source: BinaryIO, axes: int) -> tuple[int, ...]:
    if axes > MOST_AXES:
        raise FormatError(f"encoded numbers: {axes} axes")
    raw = _read(source, 8 * axes, "the shape")
    _check(source, raw, "the shape")
    return tuple(int(n) for n in np.frombuffer(raw, "<u8"))


def _tile_checks(encoded: Encoded) -> npt.NDArray[np.uint32]:
    """CRC32 of each tile."""
    out = np.empty(encoded.tiles, np.uint32)
    payload, ends = encoded.payload.data, encoded.offsets.tolist()
    for tile in range(encoded.tiles):
        check = zlib.crc32(payload[ends[tile] : ends[tile + 1]])
        for plane in encoded.planes:
            check = zlib.crc32(plane.data[tile * TILE // 8 : (tile + 1) * TILE // 8], check)
        out[tile] = check
    return out


def _options(form: NumberFormat) -> tuple[int, int, int, npt.NDArray[np.float64]]:
    """Number of the format, its options, and the scales that it names: of shape (0,), () or (channels,)."""
    if isinstance(form, Spark):
        return 1, ROUNDINGS.index(form.rounding), SIGNS.index(form.sign), _given(form.scale)
    if isinstance(form, Int):
        return 2, form.bits, 0, _given(form.scale)
    if isinstance(form, Fixed):
        return 3, form.bits, form.fraction, _given("absmax")
    if isinstance(form, Float):
        return 4, form.bits, 0, _given("absmax")
    raise FormatError(f"{form.name}: only this package's own formats go to bytes")


def _format(kind: int, first: int, second: int, scale: Scale) -> NumberFormat:
    try:
        if kind == 1 and 0 <= first < len(ROUNDINGS) and 0 <= second < len(SIGNS):
            return Spark(ROUNDINGS[first], SIGNS[second], scale)
        if kind == 2:
            return Int(first, scale)
        if kind == 3:
            return Fixed(first, second)
        if kind == 4:
            return Float(first)
    except FormatError as error:
        raise FormatError(f"encoded numbers: a format that is none ({error})") from error
    raise FormatError(f"encoded numbers: no format {kind} with options {first}, {second}")


def _given(scale: Scale) -> npt.NDArray[np.float64]:
    return np.empty(0) if isinstance(scale, str) else np.asarray(scale, np.float64)


def _joined(parts: list[Bytes]) -> Bytes:
    """One after another; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.uint8), *parts])


def _planes(form: NumberFormat) -> int:
    return int(isinstance(form, Spark) and form.sign == "plane")


def _checked(out: BinaryIO, part: bytes) -> None:
    out.write(part + CHECK.pack(zlib.crc32(part)))


def _check(source: BinaryIO, part: bytes, what: str) -> None:
    found, wanted = zlib.crc32(part), CHECK.unpack(_read(source, CHECK.size, f"the check of {what}"))[0]
    if found != wanted:
        raise FormatError(f"encoded numbers: {what} is damaged (CRC32 {found:08x}, stored {wanted:08x})")


def _read(source: BinaryIO, size: int, what: str) -> bytes:
    parts, left = [], size
    while left:
        part = source.read(min(left, PART))
        if not part:
            raise FormatError(
                f"encoded numbers: the data end {left} bytes before the end of {what}; it was cut off or not closed"
            )
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
