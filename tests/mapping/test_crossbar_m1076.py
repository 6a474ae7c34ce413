"""M1076's operations and limits."""

import numpy as np
import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.crossbar import load_machine
from neuromorph.mapping.crossbar.cells.levels import decode, encode
from neuromorph.mapping.crossbar.machine.m1076 import capacity, host_rate, m1076


def test_operations() -> None:
    found = {name: m1076(name) for name in ("int4", "int8", "int16")}  # type: ignore[arg-type]
    assert {name: each.slices for name, each in found.items()} == {"int4": 1, "int8": 1, "int16": 2}
    assert {name: each.phases for name, each in found.items()} == {"int4": 1, "int8": 1, "int16": 2}
    # 76 tiles of 1,024 x 1,024, as published; weights of 16 bits take two pairs each
    assert [capacity(each) for each in found.values()] == [76 * 1024**2, 76 * 1024**2, 76 * 1024 * 512]
    with pytest.raises(MappingError, match="no operation 'int2'"):
        m1076("int2")  # type: ignore[arg-type]


@pytest.mark.parametrize(("operation", "most"), [("int4", 7), ("int8", 127), ("int16", 32767)])
def test_weights_of_an_operation_come_back(operation: str, most: int) -> None:
    machine = m1076(operation)  # type: ignore[arg-type]
    weights = np.random.default_rng(0).integers(-most, most + 1, (20, 6))
    weights[0, :2] = most, -most
    held = encode(weights, machine)
    np.testing.assert_array_equal(decode(held), weights)
    assert machine.cell_levels is not None
    assert held.levels.max() < machine.cell_levels  # and a cell can hold every digit


def test_int4_uses_the_whole_range_of_a_cell() -> None:
    assert encode(np.array([[7, -7]]), m1076("int4")).levels.max() == m1076("int4").cell_levels - 1  # type: ignore[operator]


def test_what_the_host_allows() -> None:
    machine = load_machine("m1076")
    assert host_rate(machine, 784, 10) == 2e9 / 784
    assert host_rate(machine, 0, 4) == 5e8
    for bad in ((0, 0), (-1, 5), (5, -1)):
        with pytest.raises(MappingError, match="above 0"):
            host_rate(machine, *bad)
    with pytest.raises(MappingError, match="no constant"):
        host_rate(load_machine("isaac"), 1, 1)
