"""Cycles of a systolic array: the compiled recursions against a walk over every element and cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neuromorph.errors import MappingError
from neuromorph.formats import spark_length, spark_table
from neuromorph.mapping.systolic.machine import Element
from neuromorph.mapping.systolic.stepwise import codes, walk
from neuromorph.mapping.systolic.timing import mean_cycles, time_passes


def drawn(rng: np.random.Generator, lines: int, depth: int, long: float) -> np.ndarray:
    """Magnitudes of which a share is above 7."""
    return np.where(rng.random((lines, depth)) < long, rng.integers(8, 256, (lines, depth)), rng.integers(0, 8, 1))


@settings(max_examples=100, deadline=None)
@example((2, 2, 1), 0.0, Element(4, "serial", "elastic"), (0, 0), 0)
@example((3, 2, 4), 1.0, Element(4, "serial", "array"), (0, 0), 0)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 40)),
    long=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]),
    element=st.builds(
        Element,
        st.just(4),
        st.sampled_from(["serial", "pair"]),
        st.sampled_from(["elastic", "array"]),
        st.integers(1, 4),
    ),
    decoders=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 2**32 - 1),
)
def test_recursion_equals_walk(
    size: tuple[int, int, int], long: float, element: Element, decoders: tuple[int, int], seed: int
) -> None:
    """Cycles and work agree, and the parts of the products add up to the product of what the codes stand for."""
    rng = np.random.default_rng(seed)
    rows, columns, depth = size
    a, w = drawn(rng, rows, depth, long), drawn(rng, columns, depth, long)
    bits = spark_length()[a], spark_length()[w]
    values = spark_table()[a].astype(np.int64), spark_table()[w].astype(np.int64)
    walked = walk(element, codes(values[0], bits[0]), codes(values[1], bits[1]), decoders)
    timed = time_passes(element, *bits, decoders=decoders)
    assert np.array_equal(walked.sums, values[0] @ values[1].T)
    assert (timed.cycles, timed.busy) == (walked.cycles, walked.busy)


def test_lengths_of_the_walk_matter() -> None:
    """One long operand among short ones costs what it must: 2 cycles, 4 where two long ones meet."""
    a, w = np.full((1, 3), 4), np.full((1, 3), 4)
    element = Element(4, "serial", "elastic")
    assert time_passes(element, a, w).cycles == 3
    a[0, 1] = 8
    assert time_passes(element, a, w).cycles == 4
    w[0, 1] = 8
    assert time_passes(element, a, w).cycles == 6
    assert time_passes(replace(element, mode="pair"), a, w).cycles == 3  # (short, long) in two cycles, the last alone


@pytest.mark.parametrize(
    ("long", "free", "rows"),
    [(0.078, 1.16, (1.38, 1.86, 2.15)), (0.28, 1.64, None), (0.33, 1.77, None)],
)
def test_published_shares_of_long_codes(long: float, free: float, rows: tuple[float, ...] | None) -> None:
    """Mean cycles of independent operands, and of rows that wait, as worked out for the paper's bit-widths."""
    assert float(mean_cycles(long, long)) == pytest.approx(free, abs=0.006)
    rng = np.random.default_rng(1)
    bits = [np.where(rng.random((64, 6000)) < long, 8, 4) for _ in range(2)]
    each = time_passes(Element(4, "serial", "free"), *bits).cycles / 6000
    assert each == pytest.approx(free, rel=0.03)
    for meet, expected in zip((4, 16, 64), rows or (), strict=False):
        assert float(mean_cycles(long, long, meet=meet)) == pytest.approx(expected, abs=0.006)
        one = time_passes(Element(4, "serial", "row"), bits[0][:1], bits[1][:meet])
        assert one.cycles / 6000 == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("mode", ["serial", "pair"])
def test_more_registers_wait_less(mode: str) -> None:
    """From one enable for all over handshakes with ever more registers down to nobody waiting."""
    rng = np.random.default_rng(2)
    bits = [np.where(rng.random((16, 2000)) < 0.2, 8, 4) for _ in range(2)]
    ways = [("array", 1), ("elastic", 1), ("elastic", 2), ("elastic", 8), ("elastic", 64), ("free", 1)]
    cycles = [time_passes(Element(4, mode, way, registers), *bits).cycles for way, registers in ways]  # type: ignore[arg-type]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[4] < 1.06 * cycles[5]
    assert cycles[0] > 1.4 * cycles[5] if mode == "serial" else cycles[0] > 1.05 * cycles[5]


@pytest.mark.parametrize("lockstep", ["free", "elastic", "row", "array"])
def test_operands_of_one_length(lockstep: str) -> None:
    """Fixed operands of the multiplier's width: a product a cycle; two parts each: four cycles."""
    one = Element(8, "serial", lockstep)  # type: ignore[arg-type]
    operands = np.full((3, 10), 8), np.full((5, 10), 8)
    fill = 2 if lockstep == "row" else 6
    assert time_passes(one, *operands).cycles == 10 + fill
    four = time_passes(replace(one, bits=4), *operands)
    assert 40 <= four.cycles <= 4 * (10 + fill)
    assert (four.products, time_passes(one, *operands).products) == (4 * 150, 150)


def test_slow_neighbours_hold_one_up() -> None:
    """Two elements that are slow one after the other: the first cannot work ahead of the registers of the second."""
    shared = np.full((1, 16), 8)
    apart = np.repeat([[4, 8], [8, 4]], 8, axis=1)
    found = []
    for registers in (1, 2, 4, 8):
        element = Element(4, "serial", "elastic", registers)
        along = time_passes(element, shared, apart).cycles
        assert along == time_passes(element, apart, shared).cycles
        assert along == walk(element, codes(shared, shared), codes(apart, apart)).cycles
        found.append(along)
    assert found[0] == 1 + 4 * 16 - 4  # each step takes the slower one's 4 cycles, but for one that they share
    assert found == sorted(found, reverse=True)
    assert len(set(found)) > 2
    assert found[-1] == 1 + 8 * 2 + 8 * 4  # all that either has to do


def test_passes_follow_one_another() -> None:
    """Two passes in one stream are the stream of both; the second does not fill the array again."""
    rng = np.random.default_rng(3)
    a, w = (np.where(rng.random((4, 2, 20)) < 0.3, 8, 4) for _ in range(2))
    element = Element(4, "serial", "elastic", 2)
    both = time_passes(element, a, w, decoders=(1, 1))
    assert both.cycles == time_passes(element, a.reshape(4, 40), w.reshape(4, 40), decoders=(1, 1)).cycles
    assert both.ends[0] == time_passes(element, a[:, 0], w[:, 0], decoders=(1, 1)).cycles
    assert both.each == both.ends[1] - both.ends[0]


def test_slow_decoders_hold_the_array_up() -> None:
    """A nibble a cycle is no slower than the products of long operands; for pairs of short ones it is."""
    short = np.full((3, 40), 4)
    pair = Element(4, "pair", "elastic")
    assert time_passes(pair, short, short, decoders=(2, 2)).cycles < 30
    assert time_passes(pair, short, short, decoders=(1, 1)).cycles > 40
    long = np.full((3, 40), 8)
    serial = Element(4, "serial", "elastic")
    assert time_passes(serial, long, long, decoders=(1, 1)).cycles <= time_passes(serial, long, long).cycles + 3


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (np.full((2, 3), 4), np.full((2, 4), 4), "as many"),
        (np.full(3, 4), np.full((2, 3), 4), "lines"),
        (np.zeros((2, 3)), np.full((2, 3), 4), "at least 1"),
        (np.full((2, 3), 12), np.full((2, 3), 4), "'pair'"),
    ],
)
def test_refuses(first: np.ndarray, second: np.ndarray, says: str) -> None:
    with pytest.raises(MappingError, match=says):
        time_passes(Element(4, "pair"), first, second)
