"""Encoded numbers as bytes and files: whole, cut off, damaged, in chunks of any size."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph.errors import FormatError
from neuromorph.formats import TILE, Encoded, Fixed, Float, Int, NumberFormat, Reader, Spark, Writer
from neuromorph.formats import stream as stream_module

FORMATS: list[NumberFormat] = [
    Spark(),
    Spark("nearest", "twos_complement"),
    Spark(scale=0.3),
    Int(8),
    Int(5, scale=0.5),
    Fixed(12, 4),
    Float(32),
    Float(16),
]
SOURCES = st.sampled_from(FORMATS)


def same(one: Encoded, other: Encoded) -> bool:
    """Equal in everything that is stored."""
    return (
        (one.format, one.shape, one.dtype, one.axis) == (other.format, other.shape, other.dtype, other.axis)
        and one.scale.tolist() == other.scale.tolist()
        and one.offsets.tolist() == other.offsets.tolist()
        and one.payload.tobytes() == other.payload.tobytes()
        and [plane.tobytes() for plane in one.planes] == [plane.tobytes() for plane in other.planes]
    )


@given(SOURCES, st.data())
@settings(max_examples=50)
def test_bytes_and_back(form: NumberFormat, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))
    kind = data.draw(st.sampled_from(["f2", "f4", "f8", "i1"]))
    elements: Any = st.integers(-15, 15) if kind == "i1" else st.floats(-100, 100, width=8 * int(kind[1]))  # type: ignore[call-overload]
    values = data.draw(hnp.arrays(kind, shape, elements=elements))
    axis = data.draw(st.sampled_from([None, *range(len(shape))]))
    encoded = form.encode(values, axis=axis)
    stored = encoded.tobytes()
    again = Encoded.frombytes(stored)
    assert same(encoded, again)
    assert again.decode().tobytes() == encoded.decode().tobytes()
    assert again.tobytes() == stored


def big() -> Encoded:
    """Some tiles, and scales of channels."""
    return Spark().encode(np.random.default_rng(0).laplace(size=(3, 3000)), axis=0)


def test_every_cut_is_seen() -> None:
    stored = Spark().encode(np.arange(40.0)).tobytes()
    for end in range(len(stored)):
        with pytest.raises(FormatError, match="cut off"):
            Encoded.frombytes(stored[:end])
    with pytest.raises(FormatError, match="bytes follow the end"):
        Encoded.frombytes(stored + b"\0")
    with pytest.raises(FormatError, match="another kind of file"):
        Encoded.frombytes(b"PK\3\4" + bytes(60))


def test_every_changed_byte_is_seen() -> None:
    stored = bytearray(Spark().encode(np.arange(40.0)).tobytes())
    for at in range(len(stored)):
        for change in (0x01, 0x80, 0xFF):
            stored[at] ^= change
            with pytest.raises(FormatError):
                Encoded.frombytes(stored)
            stored[at] ^= change


@given(st.data())
@settings(max_examples=60)
def test_damage_of_any_kind_is_seen(data: st.DataObject) -> None:
    stored = STORED
    begin = data.draw(st.integers(0, len(stored)))
    end = data.draw(st.integers(begin, min(len(stored), begin + 300)))
    damaged = stored[:begin] + data.draw(st.binary(max_size=300)) + stored[end:]
    if damaged == stored:
        return
    with pytest.raises(FormatError):
        Encoded.frombytes(damaged)
    if not damaged.startswith(stored):  # a reader leaves what follows
        with pytest.raises(FormatError):
            Reader(BytesIO(damaged)).read()


STORED = Spark().encode(np.random.default_rng(1).laplace(size=9000)).tobytes()


def test_a_message_names_the_tile() -> None:
    encoded = big()
    stored = bytearray(encoded.tobytes())
    stored[stored.index(encoded.payload.tobytes()) + int(encoded.offsets[1]) + 5] ^= 16
    with pytest.raises(FormatError, match="tile 1 is damaged") as found:
        Encoded.frombytes(stored)
    assert found.value.tile == 1  # type: ignore[attr-defined]


def test_damage_in_memory_is_seen_by_structure() -> None:
    """Without checks of bytes: a nibble more or less in a tile of SPARK."""
    encoded = Spark(sign="unsigned").encode(np.zeros(100, np.uint8))
    encoded.payload[7] = 0x98
    with pytest.raises(FormatError, match="tile 0 does not hold its 100 values"):
        encoded.decode()


@given(SOURCES, st.lists(st.integers(0, 3000), max_size=8), st.lists(st.integers(0, 5000), max_size=5))
@settings(max_examples=25)
def test_chunks_of_any_size(form: NumberFormat, chunks: list[int], reads: list[int]) -> None:
    if getattr(form, "scale", None) == "absmax":
        form = Spark(scale=0.02) if isinstance(form, Spark) else Int(8, scale=0.02)
    values = np.random.default_rng(len(chunks)).standard_normal(sum(chunks)).astype(np.float32)
    file = BytesIO()
    frame = stream_module.FRAME_VALUES
    stream_module.FRAME_VALUES = TILE
    try:
        with Writer(file, form, dtype=np.float32) as writer:
            for part in np.split(values, np.cumsum(chunks)[:-1]) if chunks else []:
                writer.write(part)
    finally:
        stream_module.FRAME_VALUES = frame
    assert writer.count == values.size
    whole = form.encode(values)
    assert same(Encoded.frombytes(file.getvalue()), whole)
    file.seek(0)
    reader = Reader(file)
    found = [reader.read(n) for n in reads]
    assert [part.size for part in found] == np.diff(np.minimum(np.cumsum([0, *reads]), values.size)).tolist()
    found += list(reader)
    assert reader.shape == (values.size,)
    assert np.concatenate([np.empty(0, np.float32), *found]).tobytes() == whole.decode().astype(np.float32).tobytes()
    assert reader.read().size == 0


def test_streams_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "two.nmf"
    with open(path, "wb") as file:
        with Writer(file, Int(8), dtype=np.int8) as writer:
            writer.write(np.array([[1, 2], [3, 4]], np.int8))
        file.write(Spark(sign="unsigned").encode(np.arange(6).reshape(2, 3)).tobytes())
    with open(path, "rb") as file:
        first, second = Reader(file), None
        assert first.read().tolist() == [1, 2, 3, 4]
        second = Reader(file)
        assert second.read().tolist() == list(range(6))
        assert second.shape == (2, 3)


def test_a_writer_that_fails_leaves_no_end(tmp_path: Path) -> None:
    path = tmp_path / "half.nmf"

    def failing() -> None:
        with Writer(path, Fixed(8, 2), dtype=np.float32) as writer:
            writer.write(np.ones(10, np.float32))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    with Reader(path) as reader, pytest.raises(FormatError, match="cut off or not closed"):
        reader.read()


def test_what_a_stream_cannot_take(tmp_path: Path) -> None:
    for form in (Spark(), Int(8), Spark(scale=(1, 2))):
        with pytest.raises(FormatError, match="one scale from the start"):
            Writer(tmp_path / "no.nmf", form, dtype=np.float32)
    writer = Writer(BytesIO(), Int(8), dtype=np.int8)
    with pytest.raises(FormatError, match="type float64 in a stream of int8"):
        writer.write([1.5])
    writer.close()
    writer.close()
    with pytest.raises(FormatError, match="closed"):
        writer.write(np.ones(1, np.int8))
    with pytest.raises(FormatError, match="a scale for each channel"):
        Reader(BytesIO(big().tobytes()))


def test_only_our_formats_go_to_bytes() -> None:
    class Mine(Int):
        pass

    encoded = Int(8).encode([1])
    assert same(Encoded.frombytes(encoded.tobytes()), encoded)
    values: npt.NDArray[Any] = Encoded.frombytes(Mine(8).encode([1]).tobytes()).decode()
    assert values.tolist() == [1]
