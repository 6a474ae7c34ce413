"""Tables in the chips' DRAM: bytes, places, times; and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph import Lookup, Network, ms
from neuromorph.errors import MappingError
from neuromorph.lowering import LoweredNetwork, lower
from neuromorph.mapping.machine import spinnaker2
from neuromorph.mapping.spinnaker2.dram import Dram, dram_layout, require_room, transfer_rate

NONE = np.zeros(0, np.int32)


def tables(*shapes: tuple[int, int]) -> LoweredNetwork:
    net = Network(name="tables")
    for number, shape in enumerate(shapes):
        net.population(Lookup(np.ones(shape, np.float32), [0]), name=f"t{number}")
    return lower(net, 1 * ms)


def lay_out(lowered: LoweredNetwork, part: Any, placement: Any, chips: int = 1, **constants: float) -> Dram:
    machine = spinnaker2(chips, **constants)  # type: ignore[arg-type]
    return dram_layout(
        lowered, np.asarray(part, np.int32), np.asarray(placement, np.int32), machine, NONE, NONE.astype(np.int64)
    )


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 40)), min_size=1, max_size=3),
    st.integers(1, 7),
    st.integers(0, 10),
)
@settings(max_examples=40, deadline=None)
def test_every_row_is_there_once_and_begins_at_the_alignment(shapes: list[Any], parts: int, seed: int) -> None:
    lowered = tables(*shapes)
    rng = np.random.default_rng(seed)
    n = sum(columns for _, columns in shapes)
    part = rng.integers(0, parts, n)
    placement = rng.choice(spinnaker2(2).usable_pes, parts, replace=False)
    dram = lay_out(lowered, part, placement, 2)
    first = 0
    for k, (_, columns) in enumerate(shapes):
        held = np.bincount(part[first : first + columns], minlength=parts)
        first += columns
        assert (dram.row_bytes[k] >= 4 * held).all()
        assert (dram.row_bytes[k] < 4 * held + 16).all()
        assert (dram.row_bytes[k] % 16 == 0).all()
        assert ((dram.row_bytes[k] > 0) == (held > 0)).all()
    assert dram.total == sum(rows * int(dram.row_bytes[k].sum()) for k, (rows, _) in enumerate(shapes))
    chip = placement // spinnaker2(2).pes_per_chip
    for c in range(2):
        assert dram.used[c].sum() == dram.table_bytes[chip == c].sum()
    assert ((dram.wait > 0) == dram.row_bytes.any(0)).all()


def test_rows_come_at_the_rate_of_the_interfaces_that_share_them() -> None:
    lowered, machine = tables((10, 400)), spinnaker2(1)
    one = lay_out(lowered, np.zeros(400), [3])
    two = lay_out(lowered, np.arange(400) // 200, [3, 9])
    latency, rate = machine.constants.si("memory.dram_latency"), transfer_rate(machine.constants)
    assert rate == pytest.approx(0.8 * 3.2e9)
    assert one.wait[0] == pytest.approx(latency + 1600 / rate)
    assert two.wait == pytest.approx(2 * [latency + 800 / rate]), "an interface for each"
    four = lay_out(lowered, np.arange(400) // 100, [3, 9, 4, 5])
    assert four.wait == pytest.approx(4 * [latency + 800 / rate])
    assert sorted(four.used[0].tolist()) == [8000, 8000]


def test_a_table_lies_at_one_interface_so_one_interface_can_be_full() -> None:
    lowered = tables((1000, 100))
    part = (np.arange(100) >= 60).astype(np.int64)
    small = 600_000 / 1024**3
    assert lay_out(lowered, part, [0, 1], memory__dram=small).used.tolist() == [[240_000, 160_000]]
    with pytest.raises(MappingError, match=r"tables take 400,000 bytes of DRAM on chip 0, which has 2 x 2") as error:
        lay_out(lowered, part, [0, 1], memory__dram=420_000 / 1024**3)
    assert "population t0 400,000" in str(error.value)
    assert error.value.chip == 0
    assert lay_out(lowered, part, [0, 148], 2, memory__dram=490_000 / 1024**3).used.max() == 240_000


def test_chips_are_counted_by_their_dram_before_anything_is_mapped() -> None:
    lowered, half = tables((1000, 100)), 210_000 / 1024**3
    machine = spinnaker2(1, memory__dram=half)  # type: ignore[arg-type]
    assert require_room(lowered, 0, machine, None) == 2
    assert require_room(lowered, 210_000, machine, None) == 3
    with pytest.raises(MappingError, match="tables take 400,000 bytes of DRAM, of 210,000 with chips=1; give chips=2"):
        require_room(lowered, 0, machine, 1)


def test_a_decoders_tables_are_spread_over_the_interfaces() -> None:
    pes = np.arange(8, dtype=np.int32)
    size: npt.NDArray[np.int64] = np.full(8, 1600)
    lowered = tables((1000, 100))
    dram = dram_layout(lowered, np.zeros(100, np.int32), np.array([20], np.int32), spinnaker2(1), pes, size)
    assert np.bincount(dram.decoder_interface).tolist() == [4, 4], "whatever else lies there"
    assert dram.total == 400_000 + 8 * 1600
