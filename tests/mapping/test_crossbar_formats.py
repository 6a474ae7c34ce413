"""Cells and converters as wide as a number format: nibbles in cells, SPARK's codes on rows, and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, Dense, EventSource, Network, ms
from neuromorph.errors import MappingError
from neuromorph.formats import Fixed, Int, NumberFormat, Spark, spark_table
from neuromorph.language import Event, Port, State, neuron
from neuromorph.mapping.crossbar import Crossbar, Effects, load_machine, with_formats
from neuromorph.mapping.crossbar.cells.levels import coding, decode, encode


@neuron
class Sum:
    """Adds up what arrives and sends the sum of a step that is above 1."""

    a = Port()
    x = State(0.0)
    x.next = x + a
    out = Event(when=a > 1.0, value=a)


def network(values: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> Network:
    """Graded events into neurons that add them up."""
    net = Network(name="sums")
    source = net.population(EventSource.from_dense(values), name="in")
    cells = net.population(Sum, weights.shape[1], name="cells")
    net.project(source, cells, Dense(weights.astype(np.float32)))
    net.record(cells, "x")
    return net


@pytest.mark.parametrize("encoding", ["differential", "signed"])
def test_a_magnitude_of_spark_is_two_nibbles_in_two_cells(encoding: Any) -> None:
    machine = with_formats(load_machine("isaac", encoding=encoding), weights=Spark())
    how = coding(machine)
    assert (machine.slices, machine.cell_levels, how.lowest, how.highest) == (2, 16, -255, 255)
    kept = np.unique(spark_table("paper")).astype(np.int64)
    codes = np.concatenate([-kept, kept])[:, None]
    encoded = encode(codes, machine)
    assert encoded.scale == 1.0
    np.testing.assert_array_equal(decode(encoded), codes)
    each = encoded.levels.reshape(len(codes), 2, -1)
    nibbles = np.abs(each).max(axis=2)
    np.testing.assert_array_equal(nibbles, np.stack([np.abs(codes[:, 0]) % 16, np.abs(codes[:, 0]) // 16], axis=1))
    assert (nibbles[np.abs(codes[:, 0]) < 8, 1] == 0).all()


@pytest.mark.parametrize(("format", "cells"), [(Spark(), 2), (Int(8), 2), (Int(4), 1), (Int(5), 1), (Int(6), 2)])
def test_cells_hold_every_number_of_a_format(format: NumberFormat, cells: int) -> None:
    values = np.random.default_rng(0).laplace(0, 0.3, (30, 20))
    machine = with_formats(load_machine("isaac", encoding="differential"), weights=format)
    assert machine.slices == cells
    stored = format.encode(values)
    encoded = encode(np.rint(stored.decode() / stored.scale).astype(np.int32), machine)
    np.testing.assert_allclose(decode(encoded) * stored.scale, stored.decode(), rtol=1e-12)
    assert encoded.clipped == 0


@pytest.mark.parametrize("how", ["spark", "int4", "int8"])
@pytest.mark.parametrize("encoding", ["differential", "offset", "signed"])
def test_results_are_those_of_the_cpu_with_weights_in_the_format(how: Any, encoding: Any) -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random((15, 12)) < 0.4, rng.normal(0, 1, (15, 12)), 0.0)
    net = network(values, rng.laplace(0, 0.5, (12, 10)))
    format: NumberFormat = Spark() if how == "spark" else Int(int(how[-1]))
    machine = with_formats(load_machine("isaac", encoding=encoding), weights=format)
    target = Crossbar(machine, effects=Effects(quantise=True), weights=how)
    expected = CPU(weights=how).compile(net, dt=1 * ms).run(15, progress=False)
    found = target.compile(net, dt=1 * ms).run(15, progress=False)
    assert len(expected.events("cells").ids) > 10
    for name in ("ids", "steps", "values"):
        assert getattr(found.events("cells"), name).tobytes() == getattr(expected.events("cells"), name).tobytes()
    np.testing.assert_array_equal(found.state("cells", "x").data, expected.state("cells", "x").data)


@pytest.mark.parametrize("rounding", ["paper", "nearest"])
def test_rows_are_driven_with_what_spark_keeps_of_events(rounding: Any) -> None:
    rng = np.random.default_rng(2)
    values = np.where(rng.random((40, 9)) < 0.5, np.rint(rng.normal(0, 60, (40, 9))).clip(-255, 255), 0.0)
    values[0, 0] = 255.0  # so that the value of code 1 is 1
    weights = rng.integers(-7, 8, (9, 6)).astype(float)
    format = Spark(rounding=rounding, scale=1.0)
    kept = format.encode(values).decode()
    assert (kept != values).any()
    machine = with_formats(load_machine("isaac", encoding="differential"), weights=Int(4), events=format)
    assert (machine.input_bits, machine.dac.bits, machine.phases) == (8, 4, 2)
    program = Crossbar(machine, effects=Effects(quantise=True, dac=True)).compile(network(values, weights), dt=1 * ms)
    found = program.run(40, progress=False)
    expected = CPU().compile(network(kept, weights), dt=1 * ms).run(40, progress=False)
    np.testing.assert_array_equal(found.state("cells", "x").data, expected.state("cells", "x").data)
    counts, sent = program.counts, np.abs(kept[kept != 0])
    assert int(counts.rows.sum()) == len(sent)
    assert int(counts.input_bits.sum()) == int(np.where(sent < 8, 5, 9).sum()), "a sign and a code of 4 or 8 bits"
    assert int(counts.row_pulses.sum()) == int(((sent % 16 > 0).astype(int) + (sent >= 16)).sum())
    plain = with_formats(load_machine("isaac", encoding="differential"), weights=Int(4), events=Int(9))
    whole = Crossbar(plain, effects=Effects(quantise=True, dac=True)).compile(network(values, weights), dt=1 * ms)
    exact = whole.run(40, progress=False)
    direct = CPU().compile(network(values, weights), dt=1 * ms).run(40, progress=False)
    np.testing.assert_array_equal(exact.state("cells", "x").data, direct.state("cells", "x").data)
    assert int(whole.counts.input_bits.sum()) == 9 * len(sent)
    assert program.report().energy.total < whole.report().energy.total
    assert "stored as spark" in str(program.report())


def test_what_no_cell_or_row_holds_is_refused() -> None:
    machine = load_machine("isaac")
    with pytest.raises(MappingError, match=r"weights of format .*; cells and DACs hold whole magnitudes"):
        with_formats(machine, weights=Fixed(8, 4))
    with pytest.raises(MappingError, match=r"events of format .*twos|events of format spark"):
        with_formats(machine, events=Spark(sign="twos_complement"))
    with pytest.raises(MappingError, match="input_bits is 16; input_code 'spark' needs 8"):
        load_machine("isaac", input_code="spark")
    with pytest.raises(MappingError, match="input_code is 'sparse'; there is binary, spark, spark-nearest"):
        load_machine("isaac", input_code="sparse")
