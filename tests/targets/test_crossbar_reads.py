"""Reads of arrays against a plain reference: codes, phases, slices, encodings, converters, partial sums, counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from crossbar_reads import codes_of, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import DT, networks

from neuromorph import CPU, Conv2D, Dense, EventSource, Network, Reference, Sparse, ms
from neuromorph.language import Event, Port, State, neuron
from neuromorph.mapping.crossbar import Crossbar, CrossbarMachine, Effects, load_machine
from neuromorph.mapping.crossbar.machine.machine import Converter


@neuron
class Echo:
    """Holds what arrived in this step at two ports; emits some of it."""

    a, b = Port(), Port()
    x, y = State(0.0), State(0.0)
    x.next = a
    y.next = b
    out = Event(when=a > 2.0, value=a)


@neuron
class Whole:
    """The same for ints, which go into a sum."""

    a = Port(dtype=int)
    x, total = State(0, dtype=int), State(0, dtype=int)
    x.next = a
    total.next = total + a
    out = Event(when=total > 20)
    total.reset = 0


ON = Effects(quantise=True, dac=True, adc=True)


def machine(**changes: Any) -> CrossbarMachine:
    """Small arrays of 2-bit cells, so that a small network takes several."""
    usual: dict[str, Any] = {
        "rows": 6, "columns": 16, "cell_levels": 4, "cell_bits": 2, "weight_bits": 5, "encoding": "differential",
        "subtract": "analog", "input_bits": 5, "dac": Converter(2, "level"), "adc": Converter(5, "sar"),
        "signed_inputs": "split", "effects": ON,
    }  # fmt: skip
    return load_machine("isaac", **(usual | changes))


def graded_network(seed: int = 1) -> Network:
    """Graded events into two ports, and back into one of them after two steps."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((12, 11)) < 0.4, np.round(rng.normal(0, 1, (12, 11)), 3), 0.0)
    net = Network(name="echoes")
    source = net.population(EventSource.from_dense(values), name="in")
    cells = net.population(Echo, 9, name="cells")
    net.project(source, cells.a, Dense(rng.normal(0, 1, (11, 9))))
    net.project(source, cells.b, Dense(rng.normal(0, 1, (11, 9))))
    net.project(cells, cells.b, Dense(rng.normal(0, 1, (9, 9))), delay=2)
    net.record(cells, "x", "y")
    return net


def events_by_step(trace: Any, names: list[str], steps: int) -> list[dict[int, dict[int, float]]]:
    found: list[dict[int, dict[int, float]]] = [{} for _ in range(steps)]
    for k, name in enumerate(names):
        events = trace.events(name)
        values = np.ones(len(events.ids)) if events.values is None else events.values
        for step, index, value in zip(events.steps, events.ids, values, strict=True):
            found[int(step)].setdefault(k, {})[int(index)] = float(value)
    return found


MACHINES = {
    "pairs": {},
    "pairs, digital": {"subtract": "digital"},
    "offset": {"encoding": "offset", "subtract": "digital"},
    "signed cells": {"encoding": "signed", "subtract": "digital"},
    "signed inputs": {"signed_inputs": "signed", "dac": Converter(3, "level", signed=True)},
    "one phase": {"dac": Converter(5, "level")},
    "bit by bit, fine": {"dac": Converter(1, "pulse"), "adc": Converter(12, "sar")},
    "coarse": {"adc": Converter(2, "sar")},
    "one slice": {"cell_levels": 16, "cell_bits": 4, "rows": 5},
    "converters with errors": {"effects": replace(ON, adc_offset=0.5, adc_gain=0.03), "subtract": "digital"},
    "drift, compensated": {
        "effects": replace(ON, programming=True, drift=True, time=1e6, compensate=True),
        "encoding": "offset",
        "subtract": "digital",
        "device": "pcm_aihwkit",
        "adc": Converter(9, "sar"),
    },
}


@pytest.mark.parametrize("changes", MACHINES.values(), ids=MACHINES)
def test_graded_events_are_read_as_the_plain_reference_reads_them(changes: dict[str, Any]) -> None:
    steps = 15
    program = Crossbar(machine(**changes), profile=steps).compile(graded_network(), dt=1 * ms)
    trace = program.run(steps, progress=False)
    events = events_by_step(trace, ["in", "cells"], steps)
    expected = np.zeros((2, steps + 3, 9))
    counted: dict[int, Counter[str]] = {}
    for m, matrix in enumerate(program.plan.matrices):
        counted[m] = Counter()
        for step in range(steps):
            sums, counts = read(program, m, codes_of(program, m, events[step]))
            counted[m] += counts
            counted[m]["events"] += sum(len(events[step].get(k, {})) for k in matrix.sources)
            for c, value in enumerate(sums):
                expected[matrix.column_port[c], step + matrix.delay, matrix.column_post[c]] += value
    for k, name in enumerate("xy"):
        np.testing.assert_allclose(trace.state("cells", name).data, expected[k, :steps], rtol=2e-6, atol=1e-5)
    assert np.abs(expected[0, :steps]).max() > 1.0
    for m in counted:
        for name in ("events", "rows", "phases", "reads", "row_pulses", "saturated"):
            assert getattr(program.counts, name)[m] == counted[m][name], name
        assert program.counts.conversions[m].sum() == counted[m]["conversions"]
        assert program.steps["conversions"][:, m].sum() == counted[m]["conversions"]


def test_a_read_that_must_clip_counts_it() -> None:
    program = Crossbar(machine(adc=Converter(2, "sar")), profile=15).compile(graded_network(), dt=1 * ms)
    program.run(15, progress=False)
    settings = program.deployed.settings
    assert all(s.step is not None and (s.step >= 1).all() and (s.lo <= 0).all() for s in settings)
    assert program.counts.saturated.sum() == program.counts.block_saturated.sum()


def whole_network(density: float = 0.3) -> Network:
    """A network of ints with delays and a loop."""
    rng = np.random.default_rng(5)
    net = Network(name="ints")
    source = net.population(EventSource.from_dense(rng.random((25, 20)) < density), name="in")
    cells, others = net.population(Whole, 14, name="cells"), net.population(Whole, 5, name="others")
    net.project(source, cells, Dense(rng.integers(-15, 16, (20, 14)).astype(np.int32)))
    net.project(cells, others, Dense(rng.integers(-15, 16, (14, 5)).astype(np.int32)), delay=3)
    pre, post = np.nonzero(rng.random((5, 14)) < 0.3)
    net.project(others, cells, Sparse((pre, post)), weight=7, delay=2)
    net.record(cells, "x")
    return net


FINE = {"adc": Converter(8, "sar"), "weight_bits": 5}


@pytest.mark.parametrize("readout", ["dense", "row-gated", "tile-skip"])
@pytest.mark.parametrize("changes", [MACHINES[name] for name in ("pairs", "pairs, digital", "offset", "signed cells")])
def test_ints_come_out_exactly_with_enough_bits(changes: dict[str, Any], readout: Any) -> None:
    expected = CPU().compile(whole_network(), dt=1 * ms).run(30, progress=False)
    program = Crossbar(machine(**(changes | FINE)), readout=readout).compile(whole_network(), dt=1 * ms)
    assert all(setting.computing for setting in program.deployed.settings)
    trace = program.run(30, progress=False)
    for name in ("in", "cells", "others"):
        assert trace.events(name).ids.tobytes() == expected.events(name).ids.tobytes()
        assert trace.events(name).steps.tobytes() == expected.events(name).steps.tobytes()
    assert np.array_equal(trace.state("cells", "x").data, expected.state("cells", "x").data)
    assert len(expected.events("others").ids) > 10
    assert program.counts.saturated.sum() == 0


def test_each_way_of_reading_out_counts_its_own_work() -> None:
    counts = {}
    for readout in ("dense", "row-gated", "tile-skip", "comparator"):
        program = Crossbar(machine(**FINE), readout=readout).compile(whole_network(0.1), dt=1 * ms)
        program.run(30, progress=False)
        counts[readout] = program.counts
    dense, gated, skip, comparing = counts.values()
    plan = program.plan
    blocks = np.bincount(plan.blocks.matrix)
    high = np.bincount(plan.blocks.matrix, plan.blocks.heights)
    wide = np.bincount(plan.blocks.matrix, plan.blocks.widths * plan.machine.slices)
    assert dense.reads.tolist() == gated.reads.tolist() == (30 * blocks).tolist()
    assert dense.row_pulses.tolist() == (30 * high).tolist()
    assert dense.conversions[:, 8].tolist() == gated.conversions[:, 8].tolist() == (30 * wide).tolist()
    assert dense.block_reads.tolist() == [30] * len(plan.blocks)
    assert dense.block_rows.tolist() == (30 * plan.blocks.heights).tolist()
    assert gated.row_pulses.tolist() == skip.row_pulses.tolist() == gated.rows.tolist()
    assert (skip.reads + skip.skipped).tolist() == gated.reads.tolist()
    assert 0 < skip.reads[0] < gated.reads[0]
    assert skip.block_reads.sum() == skip.reads.sum()
    assert skip.conversions[:, 8].sum() == 0  # no read of so few rows needs all bits
    assert skip.conversions.sum() < gated.conversions.sum()
    assert (comparing.reads == skip.reads).all()
    assert comparing.conversions.sum() == 0
    assert (comparing.comparisons >= comparing.pulses).all()
    assert comparing.pulses.sum() > 0
    for each in (dense, gated, skip):
        assert np.array_equal(each.code_sum, dense.code_sum)
        assert np.array_equal(each.spikes, dense.spikes)
    assert dense.neuron_updates.tolist() == [0, 30 * 14, 30 * 5]
    totals = program.steps
    assert len(totals) == comparing.steps == 30
    assert totals["pulses"].sum(axis=0).tolist() == comparing.pulses.tolist()


def test_the_conductance_that_codes_drive_is_summed() -> None:
    net = Network(name="one row")
    source = net.population(EventSource(2, steps=[1, 2, 2], indices=[0, 0, 1], values=[0.5, -1.0, 0.25]), name="in")
    net.project(source, net.population(Echo, 2, name="out").a, Dense(np.array([[1.0, -0.5], [0.25, 0.0]])))
    program = Crossbar(machine(input_bits=4, dac=Converter(4, "level"))).compile(net, dt=1 * ms)
    program.run(4, progress=False)
    rows = program.chip.conductance(0)[:2, :8].sum(axis=1)
    codes = np.rint(np.array([1.5, 0.25]) / program.deployed.settings[0].input_scale)
    assert program.counts.code_sum[0] == pytest.approx(rows @ [8 + 15, 4])
    assert codes.sum() == pytest.approx(26, abs=1)


def test_histograms_hold_what_columns_bring() -> None:
    program = Crossbar(machine()).compile(whole_network(), dt=1 * ms, observe=True)
    trace = program.run(30, progress=False)
    expected = CPU().compile(whole_network(), dt=1 * ms).run(30, progress=False)
    assert trace.events("others").ids.tobytes() == expected.events("others").ids.tobytes()
    observed, plan = program.observed, program.plan
    assert observed.sums.number.sum() == program.counts.conversions.sum()
    lowest = np.zeros(len(observed.sums))
    for event in events_by_step(trace, ["in", "cells", "others"], 30):
        for m, matrix in enumerate(plan.matrices):
            codes = codes_of(program, m, event)
            for b in plan.blocks_of(m):
                block = plan.blocks[b]
                rows = [i for i, row in enumerate(block.rows) if row in codes]
                cells = program.chip.held[block.array][
                    block.row_first : block.row_first + len(block.rows),
                    block.column_first : block.column_first + 4 * len(block.columns),
                ].reshape(len(block.rows), -1, 2, 2)
                sums = (cells[..., 0] - cells[..., 1])[rows].sum(axis=0)
                for digit in range(2):
                    at = block.index * 2 + digit
                    lowest[at] = min(lowest[at], sums[:, digit].min())
            assert matrix.passes == 1
    assert np.array_equal(observed.sums.low, lowest)


def test_kernels_of_convolutions_that_stay_in_place_are_read_pass_by_pass() -> None:
    rng = np.random.default_rng(2)
    net = Network(name="maps")
    image = net.population(EventSource.from_dense(rng.random((12, 2 * 6 * 5)) < 0.15), (2, 6, 5), name="image")
    maps = net.population(Whole, (3, 4, 3), name="maps")
    net.project(image, maps, Conv2D(rng.integers(-15, 16, (3, 2, 3, 3)).astype(np.int32)))
    net.record(maps, "x")
    expected = CPU().compile(net, dt=1 * ms).run(15, progress=False).state("maps", "x").data
    for convolution, replicate, readout in (
        ("unrolled", 1, "tile-skip"), ("stationary", 1, "dense"), ("stationary", 1, "tile-skip"),
        ("stationary", 3, "tile-skip"),
    ):  # fmt: skip
        target = Crossbar(
            machine(**FINE, rows=18),
            convolution=convolution,
            replicate=replicate,
            readout=readout,  # type: ignore[arg-type]
        )
        program = target.compile(net, dt=1 * ms)
        assert program.deployed.readers[0].computing
        trace = program.run(15, progress=False)
        assert np.array_equal(trace.state("maps", "x").data, expected)
        counts, matrix = program.counts, program.plan.matrices[0]
        if convolution == "unrolled":
            continue
        assert matrix.passes == 12
        assert program.plan.replicas[0] == replicate
        if readout == "dense":
            assert counts.phases[0] == 15 * 12
            assert counts.reads[0] == 15 * 12 * len(program.plan.blocks)
        else:
            taken = []
            for event in events_by_step(trace, ["image", "maps"], 15):
                assert matrix.entry_ptr is not None
                assert matrix.entry_pass is not None
                lines = list(event.get(0, {}))
                spans = [matrix.entry_pass[matrix.entry_ptr[n] : matrix.entry_ptr[n + 1]] for n in lines]
                passes = np.unique(np.concatenate([np.zeros(0, np.int32), *spans]))
                taken.append(max(np.bincount(passes % replicate, minlength=1), default=0))
            assert counts.phases[0] == sum(taken)


def test_read_noise_has_the_variance_of_its_cells() -> None:
    rng = np.random.default_rng(1)
    net = Network(name="rows")
    steps, rows = 400, np.arange(20)
    values = np.tile(rows % 4 + 1.0, steps)
    each = EventSource(20, steps=np.repeat(np.arange(steps), 20), indices=np.tile(rows, steps), values=values)
    source = net.population(each, name="in")
    out = net.population(Echo, 9, name="out")
    net.project(source, out.a, Dense(rng.normal(0, 1, (20, 9))))
    net.record(out, "x")
    for changes in ({}, {"subtract": "digital"}, {"input_bits": 8, "dac": Converter(8, "level")}):
        noisy = machine(effects=Effects(quantise=True, read_noise=True, dac=True), device="sonos_40nm", **changes)
        program = Crossbar(noisy).compile(net, dt=1 * ms)
        chip, setting, plan = program.chip, program.deployed.settings[0], program.plan
        x = np.asarray(program.run(steps + 1, progress=False).state("out", "x").data, np.float64)[1:]
        expected = np.zeros(9)
        worth = chip.coding.combine.astype(np.float64)
        for block in plan.blocks:
            codes = np.rint((block.rows % 4 + 1.0) / setting.input_scale)
            cells = chip.sigma[block.array][
                block.row_first : block.row_first + len(block.rows),
                block.column_first : block.column_first + len(worth) * len(block.columns),
            ].reshape(len(codes), -1, len(worth)).astype(np.float64)  # fmt: skip
            for p in range(setting.phases):
                digits = codes // 2 ** (p * setting.dac_bits) % 2**setting.dac_bits * 2 ** (p * setting.dac_bits)
                expected[block.columns] += np.einsum("rwc,c,r->w", cells**2, worth**2, digits**2)
        found = x.var(axis=0) / (expected * setting.worth**2)
        assert np.abs(found.mean() - 1.0) < 0.08  # of 9 variances from 400 samples each: sd 0.024
        assert np.abs(found - 1.0).max() < 0.35
        assert np.abs(np.corrcoef(x.T) - np.eye(9)).max() < 0.25


@given(
    net=networks(floats=False),
    name=st.sampled_from(["pairs", "pairs, digital", "offset", "signed cells"]),
    convolution=st.sampled_from(["unrolled", "stationary"]),
)
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_network_of_ints_comes_out_exactly_with_enough_bits(net: Network, name: str, convolution: Any) -> None:
    expected = Reference().compile(net, dt=DT).run(30, progress=False)
    fine = machine(**(MACHINES[name] | {"weight_bits": 16, "columns": 40, "rows": 9, "adc": Converter(8, "sar")}))
    program = Crossbar(fine, convolution=convolution).compile(net, dt=DT)
    assert all(setting.computing for setting in program.deployed.settings)
    trace = program.run(30, progress=False)
    assert program.counts.saturated.sum() == 0
    for population in expected.meta.recorded or ():
        a, b = trace.events(population), expected.events(population)
        assert a.steps.tobytes() == b.steps.tobytes()
        assert a.ids.tobytes() == b.ids.tobytes()
    for population, variable in expected.meta.states:
        x, y = trace.state(population, variable).data, expected.state(population, variable).data
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()
