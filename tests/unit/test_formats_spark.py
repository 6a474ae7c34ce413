"""SPARK's code: value by value against the published rules, and the compiled streams against a plain reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph.errors import FormatError
from neuromorph.formats import spark_codes, spark_length, spark_pack, spark_table, spark_unpack

LOSSY = {16: 15, 48: 47, 80: 79, 112: 111, 128: 144, 160: 176, 192: 208, 224: 240}
"""First of sixteen values: what they all become."""
EXAMPLES = {
    5: "0101",
    18: "10001111",
    72: "11001000",
    88: "11001111",
    138: "10010000",
    154: "10011010",
    170: "10110000",
}
ROUNDINGS = st.sampled_from(["paper", "nearest"])


def nibbles(value: int) -> str:
    """The code word, by the publication's cases, bit by bit."""
    b = f"{value:08b}"
    if "1" not in b[:5]:
        return "0" + b[5:]
    if b[0] == "0":
        return "1" + b[1:3] + "0" + ("1111" if b[3] == "1" else b[4:])
    return "1" + b[1:3] + "1" + (b[4:] if b[3] == "1" else "0000")


def decode(stream: str, count: int) -> list[int]:
    """The publication's decoder: four bits a step, one bit of state."""
    out: list[int] = []
    enabled, high = False, ""
    for at in range(0, len(stream), 4):
        c = stream[at : at + 4]
        if enabled:
            out.append(int(high + c, 2))
            enabled = False
        elif c[0] == "0":
            out.append(int(c, 2))
        else:
            enabled, high = True, ("1" if c[3] == "1" else "0") + c[1:]
    return out[:count]


def stream_of(values: Sequence[int]) -> str:
    """Code words one after another, to a whole byte."""
    bits = "".join(nibbles(int(v)) for v in values)
    return bits + "0000" * (len(bits) % 8 != 0)


def as_bits(payload: npt.NDArray[np.uint8]) -> str:
    """Bits, the highest of each byte first."""
    return "".join(f"{byte:08b}" for byte in payload)


def whole(n: int) -> npt.NDArray[np.int64]:
    """One piece."""
    return np.array([0, n])


def test_every_value_becomes_what_the_published_table_says() -> None:
    expected = np.arange(256)
    for first, becomes in LOSSY.items():
        expected[first : first + 16] = becomes
    assert (spark_table() == expected).all()
    error = spark_table().astype(int) - np.arange(256)
    assert (error != 0).sum() == 128
    assert np.abs(error).max() == 16
    assert np.abs(error[error != 0]).mean() == 8.5
    assert error.sum() == 0
    assert np.sqrt((error**2).mean()) == pytest.approx(6.837, abs=5e-4)


def test_every_word_is_the_published_one() -> None:
    for value in range(256):
        word = nibbles(value)
        assert f"{spark_codes()[value]:08b}".endswith(word)
        assert spark_length()[value] == len(word)
        assert decode(word, 1) == [spark_table()[value]]
    for value, word in EXAMPLES.items():
        assert nibbles(value) == word
    assert spark_length().mean() == 7.875


def test_nearest_rounding_takes_the_nearest_of_the_same_numbers() -> None:
    numbers = sorted(set(spark_table().tolist()))
    nearest = spark_table("nearest")
    assert nearest.tolist() == [min(numbers, key=lambda m: abs(m - v)) for v in range(256)]
    assert (nearest != spark_table()).sum() == 48
    error = np.abs(nearest.astype(int) - np.arange(256))
    assert error.mean() == 2.75
    assert error.max() == 16
    assert np.sqrt((error**2.0).mean()) == pytest.approx(4.61, abs=5e-3)
    assert (spark_codes("nearest") == spark_codes()[nearest]).all()


@pytest.mark.parametrize("rounding", ["paper", "nearest"])
def test_the_tables_repeat_themselves(rounding: Any) -> None:
    table = spark_table(rounding)
    assert (table[table] == table).all()
    assert (spark_codes(rounding)[table] == spark_codes(rounding)).all()
    assert len(set(table.tolist())) == len(set(spark_codes(rounding).tolist())) == 128
    assert not table.flags.writeable


def test_complements_stay_complements() -> None:
    """Why bytes in two's complement can be coded as they are."""
    inner = np.arange(8, 248)
    assert (spark_table()[255 - inner] == 255 - spark_table()[inner]).all()


def test_all_pairs_of_values() -> None:
    values = np.stack(np.meshgrid(np.arange(256), np.arange(256))).reshape(2, -1).T.astype(np.uint8)
    bounds = np.arange(0, values.size + 1, 2)
    payload, offsets = spark_pack(values.reshape(-1), bounds)
    lengths = spark_length()[values].sum(axis=1)
    assert (np.diff(offsets) == (lengths + 7) // 8).all()
    assert (spark_unpack(payload, offsets, bounds) == spark_table()[values].reshape(-1)).all()
    for at in range(0, len(values), 97):
        assert as_bits(payload[offsets[at] : offsets[at + 1]]) == stream_of(values[at])


@given(hnp.arrays(np.uint8, st.integers(0, 300)), ROUNDINGS)
@settings(max_examples=60)
def test_streams_are_those_of_the_reference(values: npt.NDArray[np.uint8], rounding: Any) -> None:
    payload, offsets = spark_pack(values, whole(len(values)), rounding)
    expected = stream_of(spark_table(rounding)[values])
    assert as_bits(payload) == expected
    assert offsets.tolist() == [0, len(payload)]
    found = spark_unpack(payload, offsets, whole(len(values)))
    assert found.tolist() == decode(expected, len(values)) == spark_table(rounding)[values].tolist()


@pytest.mark.parametrize("most", [1, 8, 9, 40, 256])
@pytest.mark.parametrize("rounding", ["paper", "nearest"])
def test_long_streams(most: int, rounding: Any) -> None:
    rng = np.random.default_rng(most)
    values = rng.integers(0, most, 100_000).astype(np.uint8)
    payload, offsets = spark_pack(values, whole(len(values)), rounding)
    reference = stream_of(spark_table(rounding)[values])
    assert as_bits(payload) == reference
    assert (spark_unpack(payload, offsets, whole(len(values))) == spark_table(rounding)[values]).all()


@given(st.data())
@settings(max_examples=40)
def test_pieces_of_any_size(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 60), max_size=12))
    bounds = np.cumsum([0, *counts])
    values = data.draw(hnp.arrays(np.uint8, int(bounds[-1])))
    payload, offsets = spark_pack(values, bounds)
    for k in range(len(counts)):
        piece = values[bounds[k] : bounds[k + 1]]
        assert as_bits(payload[offsets[k] : offsets[k + 1]]) == stream_of(piece)
    assert (spark_unpack(payload, offsets, bounds) == spark_table()[values]).all()
    if counts:
        last = spark_unpack(payload, offsets[-2:], whole(counts[-1]))
        assert (last == spark_table()[values[bounds[-2] :]]).all()


@given(hnp.arrays(np.uint8, st.integers(1, 24)), st.integers(-1, 2))
@settings(max_examples=150)
def test_whatever_is_no_stream_is_refused(payload: npt.NDArray[np.uint8], less: int) -> None:
    """Arbitrary bytes: taken if, and only if, encoding what they give makes them again."""
    count = max(len(decode(as_bits(payload), 99)) - less, 1)
    try:
        values = spark_unpack(payload, whole(len(payload)), whole(count))
    except FormatError:
        values = np.array(decode(as_bits(payload), count), np.uint8)
        again = spark_pack(values, whole(len(values)))[0]
        assert len(values) < count or again.tolist() != payload.tolist()
    else:
        assert spark_pack(values, whole(count))[0].tolist() == payload.tolist()


@pytest.mark.parametrize("low", range(8))
def test_the_words_that_no_value_has(low: int) -> None:
    with pytest.raises(FormatError, match="damaged"):
        spark_unpack(np.array([0x80 | low], np.uint8), whole(1), whole(1))


def test_wrong_arguments() -> None:
    with pytest.raises(FormatError, match="no rounding 'best'"):
        spark_table("best")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="no rounding 'best'"):
        spark_pack(np.zeros(1, np.uint8), whole(1), "best")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="packs bytes"):
        spark_pack(np.zeros(1), whole(1))  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="0 to 3 in ascending"):
        spark_pack(np.zeros(3, np.uint8), np.array([0, 2, 1, 3]))
    with pytest.raises(FormatError, match="do not fit"):
        spark_unpack(np.zeros(2, np.uint8), np.array([0, 2]), whole(9))
    with pytest.raises(FormatError, match="do not fit"):
        spark_unpack(np.zeros(2, np.uint8), np.array([0, 3]), whole(4))
