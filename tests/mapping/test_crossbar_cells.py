"""Weights as levels of cells, and back."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import MappingError
from neuromorph.mapping.crossbar.cells.levels import coding, common_divisor, decode, encode
from neuromorph.mapping.crossbar.machine.machine import CrossbarMachine, Encoding, load_machine, machine_names

ENCODINGS: tuple[Encoding, ...] = ("differential", "offset", "signed")


def machine_with(encoding: Encoding, bits: int | None, cell_bits: int | None, levels: int | None) -> CrossbarMachine:
    return load_machine(
        "isaac", encoding=encoding, weight_bits=bits, cell_bits=cell_bits, cell_levels=levels, columns=4096
    )


def plain_digits(code: int, encoding: Encoding, base: int, slices: int, offset: int) -> list[int]:
    """The definition, one weight at a time."""
    number = code + offset
    digits = [abs(number) // base**k % base for k in range(slices)]
    if encoding == "differential":
        return [level for d in digits for level in ((d, 0) if code > 0 else (0, d))]
    return [-d if number < 0 else d for d in digits]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("bits", range(2, 10))
@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4, 8])
def test_every_code_of_every_small_width(encoding: Encoding, bits: int, cell_bits: int) -> None:
    machine = machine_with(encoding, bits, cell_bits, 2**cell_bits)
    how = coding(machine)
    assert how.lowest in (-(2 ** (bits - 1)), 1 - 2 ** (bits - 1))
    assert how.highest == 2 ** (bits - 1) - 1
    codes = np.arange(int(how.lowest), int(how.highest) + 1, dtype=np.int16)
    encoded = encode(codes[:, None], machine)
    expected = [plain_digits(int(c), encoding, 2**cell_bits, how.slices, int(how.offset)) for c in codes]
    np.testing.assert_array_equal(encoded.levels, expected)
    assert encoded.scale == 1.0
    assert encoded.clipped == 0
    assert np.abs(encoded.levels).max() <= machine.cell_levels - 1  # type: ignore[operator]
    np.testing.assert_array_equal(decode(encoded)[:, 0], codes)
    np.testing.assert_array_equal(decode(encoded.levels, machine), decode(encoded))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_encoded_is_decoded(data: Any) -> None:
    encoding = data.draw(st.sampled_from(ENCODINGS))
    bits = data.draw(st.integers(2, 24))
    cell_bits = data.draw(st.integers(1, 16))
    levels = data.draw(st.sampled_from([2**cell_bits, None]))
    machine = machine_with(encoding, bits, cell_bits, levels)
    how = coding(machine)
    shape = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 5)))
    codes = np.array(
        data.draw(
            st.lists(
                st.integers(int(how.lowest), int(how.highest)),
                min_size=shape[0] * shape[1],
                max_size=shape[0] * shape[1],
            )
        ),
        np.int32,
    ).reshape(shape)
    encoded = encode(codes, machine)
    assert encoded.levels.shape == (shape[0], shape[1] * machine.cells_per_weight)
    assert encoded.levels.dtype == np.float32
    np.testing.assert_array_equal(decode(encoded), codes)
    scaled = encode(codes * 0.25, machine, 0.25)
    np.testing.assert_array_equal(scaled.levels, encoded.levels)
    np.testing.assert_array_equal(decode(scaled), codes * 0.25)


def test_a_pair_of_cells_of_four_bits_has_31_signed_levels() -> None:
    machine = machine_with("differential", 5, 4, 16)
    codes = np.arange(-15, 16)[None]
    encoded = encode(codes, machine)
    assert machine.cells_per_weight == 2
    assert encoded.levels.max() == 15
    assert len({tuple(pair) for pair in encoded.levels.reshape(-1, 2)}) == 31


@pytest.mark.parametrize("encoding", ["differential", "signed"])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_cells_that_hold_any_value_hold_weights_exactly(encoding: Encoding, kind: Any) -> None:
    machine = load_machine("ideal", encoding=encoding)
    weights = (np.random.default_rng(1).normal(size=(7, 5)) * 3e8).astype(kind)
    encoded = encode(weights, machine)
    assert encoded.scale == 1.0
    np.testing.assert_array_equal(decode(encoded), weights)


@pytest.mark.parametrize("name", machine_names())
def test_machines_hold_small_ints_exactly(name: str) -> None:
    machine = load_machine(name)
    weights = np.random.default_rng(2).integers(-7, 8, (6, 4))
    encoded = encode(weights, machine)
    assert encoded.scale == 1.0
    np.testing.assert_array_equal(decode(encoded), weights)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_floats_are_rounded_to_codes_and_the_largest_gets_the_highest(encoding: Encoding) -> None:
    machine = machine_with(encoding, 6, 2, 4)
    weights = np.random.default_rng(3).normal(size=(30, 9))
    encoded = encode(weights, machine)
    assert encoded.scale == pytest.approx(np.abs(weights).max() / 31)
    assert np.abs(decode(encoded) - weights).max() <= encoded.scale / 2 + 1e-12
    np.testing.assert_array_equal(encoded.levels, np.rint(encoded.levels))
    assert encoded.clipped == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_without_quantisation_the_lowest_digit_keeps_the_fraction(encoding: Encoding) -> None:
    machine = machine_with(encoding, 6, 2, 4)
    weights = np.random.default_rng(4).normal(size=(30, 9))
    encoded = encode(weights, machine, quantise=False)
    np.testing.assert_allclose(decode(encoded), weights, rtol=0, atol=1e-6)
    digits = encoded.levels.reshape(30, 9, 3, -1)
    np.testing.assert_array_equal(digits[:, :, 1:], np.rint(digits[:, :, 1:]))


def test_what_is_beyond_the_range_is_clipped_and_counted() -> None:
    machine = machine_with("differential", 5, 4, 16)
    encoded = encode([[40, -40, 15, 3]], machine, 1.0)
    np.testing.assert_array_equal(decode(encoded), [[15, -15, 15, 3]])
    assert encoded.clipped == 2


def test_rounding_is_half_to_even() -> None:
    machine = machine_with("signed", 5, 4, 16)
    np.testing.assert_array_equal(decode(encode([[0.5, 1.5, 2.5, -0.5, -1.5]], machine, 1.0)), [[0, 2, 2, 0, -2]])


def test_twos_complement_where_there_is_room() -> None:
    for encoding, lowest in (("differential", -127), ("offset", -128), ("signed", -128)):
        how = coding(machine_with(encoding, 8, 8, 256))
        assert (how.lowest, how.highest) == (lowest, 127), encoding
    assert coding(machine_with("signed", 5, 4, 16)).lowest == -15  # 16 would need another digit


def test_zeros_have_a_scale() -> None:
    for encoding in ENCODINGS:
        encoded = encode(np.zeros((2, 3)), machine_with(encoding, 4, 2, 4))
        assert encoded.scale == 1.0
        assert not decode(encoded).any()


@pytest.mark.parametrize(("encoding", "cell_bits"), [*product(ENCODINGS, [None, 3])])
def test_levels_alone_give_the_range(encoding: Encoding, cell_bits: int | None) -> None:
    how = coding(machine_with(encoding, None, cell_bits, 9))
    most = 8 if cell_bits is None else 7
    expected = {"differential": (-most, most), "signed": (-most, most), "offset": (-4, most - 4)}[encoding]
    assert (how.lowest, how.highest) == expected
    assert how.top == 8


def test_refusals() -> None:
    with pytest.raises(MappingError, match=r"weights of 16 bits need the numbers up to 65535.*give cell_bits"):
        coding(replace(load_machine("isaac"), cell_bits=None))
    with pytest.raises(MappingError, match=r"offset encoding.*have no range"):
        coding(load_machine("ideal", encoding="offset"))
    machine = load_machine("isaac")
    with pytest.raises(MappingError, match="expected a matrix of finite numbers"):
        encode([[np.nan]], machine)
    with pytest.raises(MappingError, match="expected a matrix of finite numbers"):
        encode([1, 2], machine)
    for scale in (0.0, -1.0, np.inf):
        with pytest.raises(MappingError, match="scale is"):
            encode([[1.0]], machine, scale)
    with pytest.raises(MappingError, match="need the machine"):
        decode(np.zeros((1, 8)))
    with pytest.raises(MappingError, match="no matrix of weights of 8 cell"):
        decode(np.zeros((1, 9)), machine)


def test_ints_with_a_common_divisor_fit_where_they_are_that_many_times_smaller() -> None:
    machine = load_machine("wtm2101")
    weights = np.array([[254, -6], [0, 130]])
    encoded = encode(weights, machine)
    assert encoded.scale == 2.0
    np.testing.assert_array_equal(encoded.levels, weights // 2)
    np.testing.assert_array_equal(decode(encoded), weights)
    assert encode(weights // 2, machine).scale == 1.0
    assert encode(np.array([[256, 2]]), machine).scale == 256 / 127
    assert [common_divisor([np.asarray(w)]) for w in (np.int8(-128), [[0, 0]], [0.5, 2.0], [-6, 15])] == [128, 0, 0, 3]
