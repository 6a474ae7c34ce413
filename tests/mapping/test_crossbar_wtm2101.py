"""WTM2101's integer rule against plain Python integers, its cells and rows, and a whole network by it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neuromorph import CPU, ms
from neuromorph.errors import MappingError
from neuromorph.mapping.crossbar import Crossbar, load_machine
from neuromorph.mapping.crossbar.converters.histogram import Histograms
from neuromorph.mapping.crossbar.machine.wtm2101 import (
    Limits,
    bias_cells,
    convert,
    duplicate,
    layer,
    scale_cells,
    shift_inputs,
    split_signs,
)
from neuromorph.mapping.crossbar.machine.wtm2101_gain import choose_gains, covering_gain, gain_ranges
from neuromorph.mapping.crossbar.plan.rules import Rules
from neuromorph.models import RoundedSum, mnist
from neuromorph.network import Dense, EventSource, Live, Network, OneToOne

LIMITS = Limits.of(load_machine("wtm2101").constants)


def rule(total: int, gain: int) -> int:
    """The rule in Python's own integers, without a division of negative numbers."""
    quarters = 4 * abs(total) // gain
    if total < 0:
        quarters = -quarters
    return (quarters + 2) // 4  # of ints, // rounds down, as an arithmetic shift does


def code(total: int, gain: int, relu: bool = False) -> int:
    limited = max(-128, min(127, rule(total, gain)))
    return max(limited, 0) if relu else limited


@pytest.mark.parametrize("gain", [1, 2, 3, 4, 5, 8, 64, 1024, 2048, 8192])
def test_rule_around_every_code(gain: int) -> None:
    near = {0, 1, gain // 4, gain // 4 + 1, gain // 2 - 1, gain // 2, gain // 2 + 1, 3 * gain // 4, gain - 1}
    sums = [q * gain + sign * d for q in range(-132, 133) for d in near for sign in (-1, 1)]
    for relu in (False, True):
        found = convert(sums, gain, relu=relu)
        assert found.codes.tolist() == [code(total, gain, relu) for total in sums]
        beyond = sum(rule(t, gain) > 127 or (rule(t, gain) < -128 and not relu) for t in sums)
        assert found.clipped == beyond


@pytest.mark.parametrize("gain", [1, 7, 16])
def test_rule_of_every_sum(gain: int) -> None:
    sums = list(range(-135 * gain, 135 * gain + 1))
    assert convert(sums, gain).codes.tolist() == [code(total, gain) for total in sums]


def test_rule_at_the_ends_of_what_it_takes() -> None:
    sums = [2**61 - 1, 1 - 2**61, 0]
    for gain in (1, 3, 2**30, 2**55, 2**61 - 1):
        assert convert(sums, gain).codes.tolist() == [code(total, gain) for total in sums]
    assert convert(np.int64(5), 4).codes.shape == ()
    assert convert(np.zeros((2, 0), np.int64), 4).codes.shape == (2, 0)


@given(st.integers(1 - 2**61, 2**61 - 1), st.integers(1, 2**61 - 1))
def test_rule_of_any_sum(total: int, gain: int) -> None:
    assert int(convert(total, gain).codes) == code(total, gain)


@given(st.integers(-(2**40), 2**40), st.integers(1, 2**30))
def test_rule_is_its_own_fixed_point(total: int, gain: int) -> None:
    once = int(convert(total, gain).codes)
    assert int(convert(once * gain, gain).codes) == once


@pytest.mark.parametrize(
    ("sums", "gain", "told"),
    [
        ([0.5], 4, "whole numbers"),
        ([1], 0, "gain is 0"),
        ([1], 2.0, "gain is 2.0"),
        ([1], True, "gain is True"),
        ([2**61], 4, "in magnitude"),
        ([-(2**63)], 4, "in magnitude"),
    ],
)
def test_rule_refuses(sums: Any, gain: Any, told: str) -> None:
    with pytest.raises(MappingError, match=told):
        convert(sums, gain)


@given(
    st.data(),
    st.integers(1, 12),
    st.integers(1, 5),
    st.sampled_from([1, 100, 1024, 8192]),
    st.booleans(),
    st.sampled_from([275, 10**6, 10**10]),
)
def test_layer_is_the_rule_of_exact_sums(
    data: st.DataObject, rows: int, columns: int, gain: int, relu: bool, largest: int
) -> None:
    x = data.draw(arrays(np.int64, (3, rows), elements=st.integers(-255, 255)))
    w = data.draw(arrays(np.int64, (rows, columns), elements=st.integers(-largest, largest)))
    b = data.draw(arrays(np.int64, columns, elements=st.integers(-4080, 4080))) * 128
    found = layer(x, w, gain, bias=b, relu=relu).codes
    for i in range(3):
        for j in range(columns):
            total = sum(int(x[i, k]) * int(w[k, j]) for k in range(rows)) + int(b[j])
            assert found[i, j] == code(total, gain, relu)


def test_layer_refuses_what_is_not_exact() -> None:
    with pytest.raises(MappingError, match="not exact"):
        layer(np.array([2**30]), np.array([[2**30]]), 1024)
    with pytest.raises(MappingError, match=r"\(\.\.\., rows\)"):
        layer(np.zeros((2, 3), int), np.zeros((2, 3), int), 1024)


@given(arrays(np.float64, 7, elements=st.floats(-522240, 522240)))
def test_bias_cells_add_up(bias: npt.NDArray[np.float64]) -> None:
    cells = bias_cells(bias, LIMITS)
    assert cells.shape == (16, 7)
    assert np.abs(cells).max() <= 255
    assert (cells.max(axis=0) - cells.min(axis=0)).max() <= 1
    assert np.abs(128 * cells.sum(axis=0) - bias).max() <= 64


def test_bias_that_is_too_large() -> None:
    assert LIMITS.largest_bias == 16 * 128 * 255
    with pytest.raises(MappingError, match="522,240"):
        bias_cells([522240 + 65], LIMITS)


@given(arrays(np.int64, (2, 6), elements=st.integers(-128, 127)), st.integers(0, 2**32))
def test_negative_inputs_both_ways(x: npt.NDArray[np.int64], seed: int) -> None:
    w = np.random.default_rng(seed).integers(-275, 276, (6, 3))
    plain = layer(x, w, 64).codes
    halves = split_signs(x)
    assert halves.min() >= 0
    np.testing.assert_array_equal(layer(halves, np.concatenate([w, -w]), 64).codes, plain)
    shifted, bias = shift_inputs(x, w, LIMITS)
    assert shifted.min() >= 0
    assert shifted.max() <= 255
    np.testing.assert_array_equal(layer(shifted, w, 64, bias=128 * bias.sum(axis=0)).codes, plain)


def test_shifted_inputs_that_bias_cells_cannot_take_back() -> None:
    with pytest.raises(MappingError, match="bias rows hold"):
        shift_inputs(np.zeros(20, int), np.full((20, 1), 275), LIMITS)
    with pytest.raises(MappingError, match="-128 to 127"):
        shift_inputs(np.array([128]), np.ones((1, 1), int), LIMITS)


def test_cells_use_their_whole_range() -> None:
    cells, scale = scale_cells(np.array([[254, -166]]), LIMITS)
    assert (cells.tolist(), scale) == ([[254, -166]], 1.0)
    cells, scale = scale_cells(np.array([[254, -166]]), LIMITS, 127)
    assert (cells.tolist(), scale) == ([[127, -83]], 2.0)
    cells, scale = scale_cells(np.array([[0.5, -0.25]]), LIMITS)
    assert cells.tolist() == [[275, -138]]
    assert scale == 0.5 / 275
    assert scale_cells(np.zeros((1, 1)), LIMITS)[0].tolist() == [[0]]


@given(arrays(np.float64, (4, 3), elements=st.floats(-9, 9)), st.integers(1, 5))
def test_duplicated_weights_add_up(w: npt.NDArray[np.float64], copies: int) -> None:
    cells, scale = duplicate(w, copies, LIMITS)
    parts = cells.reshape(copies, 4, 3)
    assert np.abs(cells).max() <= LIMITS.cell
    assert (parts.max(axis=0) - parts.min(axis=0)).max() <= 1
    assert np.abs(scale * parts.sum(axis=0) - w).max() <= scale * 0.5000001


def test_gains_are_the_best_there_are() -> None:
    rng = np.random.default_rng(1)
    sums = np.rint(rng.normal(0, [40.0, 900.0], (3000, 2)))
    seen = Histograms.empty(2)
    seen.add(sums)
    found = choose_gains(seen, LIMITS, spikes=[True, False])

    def error(k: int, gain: int, by: int) -> float:
        total = (sums[:, k] * by).astype(np.int64)
        return float(((convert(total, gain).codes * (gain / by) - sums[:, k]) ** 2).mean())

    best = min(error(0, gain, by) for gain in LIMITS.gains for by in range(1, 256))
    assert error(0, int(found.gain[0]), int(found.code[0])) <= 1.001 * best
    np.testing.assert_allclose(found.mse[0], best, rtol=1e-3)
    assert found.code[1] == 1
    assert found.gain[1] == min(LIMITS.gains, key=lambda gain: error(1, gain, 1))


@given(st.floats(0.01, 1e6), st.booleans())
def test_covering_gain_clips_nothing_and_is_the_finest(largest: float, spikes: bool) -> None:
    gain, by = covering_gain(largest, LIMITS, spikes=spikes)
    able = [(g / c, g, c) for g in LIMITS.gains for c in (range(1, 256) if spikes else (1,)) if c * largest <= 127 * g]
    if able:
        assert by * largest <= 127 * gain
        np.testing.assert_allclose(gain / by, min(able)[0])
    else:
        assert (gain, by) == (8192, 1)


def integer_network(rng: np.random.Generator, sizes: tuple[int, ...], gains: tuple[int, ...]) -> Any:
    """A network of codes with biases in rows of their own, and its weights."""
    net = Network(name="integer")
    before = net.population(Live(sizes[0], graded=True), name="inputs")
    bias = net.population(Live(16, graded=True), name="bias")
    weights = []
    for k, (size, gain) in enumerate(zip(sizes[1:], gains, strict=True)):
        w = rng.integers(-100, 101, (before.size, size)).astype(np.int32)
        last = k == len(gains) - 1
        after = net.population(RoundedSum(gain=gain, least=-128 if last else 0), size, name=f"layer{k}")
        net.project(before, after.a, Dense(w))
        weights.append(w)
        before = after
    cells = bias_cells(rng.integers(-5000, 5000, sizes[1]), LIMITS).astype(np.int32)
    net.project(bias, net.populations[2].port("a"), Dense(cells))
    return net, weights, cells


@pytest.mark.parametrize("gain", [1000, 1024, 8192])
def test_a_neuron_of_whole_numbers_rounds_by_the_rule(gain: int) -> None:
    edges = gain * np.arange(-600, 601) // 4  # where one more or less makes another code
    sums = np.unique(np.concatenate([edges - 1, edges, edges + 1, [2**24 - 1, 1 - 2**24]]))
    sums = sums[sums != 0]
    net = Network()
    ids = np.arange(len(sums))
    source = net.population(
        EventSource(len(sums), steps=np.zeros_like(ids), indices=ids, values=sums.astype(np.float32))
    )
    neurons = net.population(RoundedSum(gain=gain), len(sums), name="neurons")
    net.project(source, neurons.a, OneToOne())
    sent = CPU().compile(net, 1 * ms).run(3, progress=False).events("neurons")
    found = np.zeros(len(sums), np.int64)
    assert sent.values is not None
    found[sent.ids] = sent.values
    quarters = np.sign(sums) * (4 * np.abs(sums) // gain)
    np.testing.assert_array_equal(found, np.clip((quarters + 2) >> 2, -128, 127))


def test_a_network_of_whole_numbers_is_the_same_layer_by_layer_on_the_cpu_and_on_the_chip(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    gains = (2048, 1024, 1024)
    net, weights, bias = integer_network(rng, (950, 120, 40, 10), gains)
    x = rng.integers(0, 256, (6, 950)) * (rng.random((6, 950)) < 0.3)
    expected: npt.NDArray[Any] = x
    clipped = 0
    for k, (w, gain) in enumerate(zip(weights, gains, strict=True)):
        b = 128 * bias.sum(axis=0) if k == 0 else None
        clipped += layer(expected, w, gain, bias=b).clipped  # as converters see it, which know of no ReLU
        expected = layer(expected, w, gain, bias=b, relu=k < 2).codes
    assert np.abs(expected).max() > 5
    given = {
        "inputs": x.reshape(6, 1, 950).astype(np.float32),
        "bias": np.full((6, 1, 16), 128, np.float32),
    }

    def outputs(target: Any) -> tuple[npt.NDArray[np.int64], Any]:
        program = target.compile(net, 1 * ms, progress=False)
        batch = program.run_batch(given, 4, out=tmp_path / "trace.h5", progress=False)
        events = batch.trace.events("layer2")
        out = np.zeros((6, 10), np.int64)
        out[events.steps // 4, events.ids] = events.values
        return out, program

    np.testing.assert_array_equal(outputs(CPU())[0], expected)
    plan = Crossbar("wtm2101").map(net, 1 * ms, progress=False)
    ranges = gain_ranges(plan, {m.name: g for m, g in zip(plan.matrices, gains, strict=True)})
    found, program = outputs(Crossbar("wtm2101", ranges=ranges))
    np.testing.assert_array_equal(found, expected)
    assert program.counts.saturated.sum() == clipped


def decayed(state: npt.NDArray[np.int64], decay: int) -> npt.NDArray[np.int64]:
    """What the integer neuron keeps: truncated toward zero."""
    kept: npt.NDArray[np.int64] = np.sign(state) * (np.abs(state) * (4096 - decay) >> 12)
    return kept


def test_spikes_of_the_trained_network_follow_the_rule() -> None:
    """The whole network in a few lines of NumPy, layer by layer, against the target."""
    images = mnist.images()[:12].astype(np.int64)
    net = mnist.classifier()
    plan = Crossbar("wtm2101").map(net, 1 * ms, progress=False)
    names = [matrix.name for matrix in plan.matrices]
    gains, codes = (1024, 2048, 1024), (96, 200, 255)
    ranges = gain_ranges(plan, dict(zip(names, gains, strict=True)), dict(zip(names, codes, strict=True)))
    program = Crossbar("wtm2101", ranges=ranges).compile(net, 1 * ms, progress=False)
    found = program.run_batch({"pixels": {"pixel": images}}, 23, progress=False)

    weights = [np.asarray(p.rule.weights, np.int64) for p in net.projections]
    sizes = (784, 128, 64, 10)
    spikes = [np.zeros((12, n), np.int64) for n in sizes]
    totals = [np.zeros((12, n), np.int64) for n in sizes]
    u, v = ([np.zeros((12, n), np.int64) for n in sizes] for _ in range(2))
    for _ in range(23):
        before = spikes
        v[0] += images
        spikes = [(v[0] > 255).astype(np.int64)]
        v[0][spikes[0] > 0] = 0
        for k, (w, gain, by) in enumerate(zip(weights, gains, codes, strict=True), start=1):
            told = layer(by * before[k - 1], w // 2, gain).codes.astype(np.int64)  # they are even: halves fit a cell
            arrived = np.rint(told * gain * (2 / by)).astype(np.int64)
            u[k] = decayed(u[k], 410) + 64 * arrived
            v[k] = decayed(v[k], 410) + u[k]
            spikes.append((v[k] >= 64 * 64).astype(np.int64))
            v[k][spikes[k] > 0] = 0
        for total, now in zip(totals, spikes, strict=True):
            total += now
    for name, total in zip(("pixels", "hidden1", "hidden2", "output"), totals, strict=True):
        np.testing.assert_array_equal(found.counts[name], total)


def test_layers_lie_inside_halves_and_beside_reserved_columns() -> None:
    net, _, _ = integer_network(np.random.default_rng(0), (600, 700, 300, 10), (1024, 1024, 1024))
    machine = load_machine("wtm2101")
    rules = replace(Rules.of(machine), reserved_columns=20)
    plan = Crossbar(machine, rules=rules).map(net, 1 * ms, progress=False)
    for block in plan.blocks:
        assert block.column_first >= 20
        first, last = block.row_first, block.row_first + len(block.rows) - 1
        assert len(block.rows) <= 896
        assert first // 896 == last // 896
    assert Rules.of(load_machine("isaac")).regions == ()


def test_gains_of_other_matrices() -> None:
    net, _, _ = integer_network(np.random.default_rng(0), (5, 4, 3), (1024, 1024))
    plan = Crossbar("wtm2101").map(net, 1 * ms, progress=False)
    names = [matrix.name for matrix in plan.matrices]
    with pytest.raises(MappingError, match="expected whole numbers"):
        gain_ranges(plan, {"elsewhere": 1024})
    with pytest.raises(MappingError, match="at least 1"):
        gain_ranges(plan, dict.fromkeys(names, 0))
