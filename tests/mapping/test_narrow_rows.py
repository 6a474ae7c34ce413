"""Rows of int4 and SPARK weights: bit by bit as a PE would hold them, written and read back here by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DT, Delta, Graded

from neuromorph import (
    CPU,
    Conv2D,
    Dense,
    EventSource,
    FixedProbability,
    Network,
    Normal,
    Reference,
    Uniform,
    first_difference,
    mV,
)
from neuromorph.errors import CheckError, CheckpointError, MappingError, NetworkError, TargetError
from neuromorph.formats import Int, Spark
from neuromorph.lowering import LoweredNetwork, lower
from neuromorph.mapping.machine import spinnaker2
from neuromorph.mapping.partition import part_bytes
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.mapping.spinnaker2.image import Image, image_bytes
from neuromorph.mapping.spinnaker2.layout import REGIONS
from neuromorph.mapping.spinnaker2.map import Mapping, map_network
from neuromorph.mapping.spinnaker2.memory import hypergraph
from neuromorph.mapping.spinnaker2.options import LayoutOptions
from neuromorph.network.quantise import NARROW, narrowed

COLUMN = {name: k for k, name in enumerate(REGIONS)}
PARTS = np.concatenate((np.zeros(25), 1 + np.arange(40) % 3)).astype(np.int32)


def network(seed: int = 3) -> Network:
    """25 sources onto 40 neurons, densely, and sparsely with delays; heavy tails, so both lengths of codes."""
    rng = np.random.default_rng(seed)
    net = Network(seed=seed, name="narrow")
    a = net.population(EventSource.from_dense(rng.random((30, 25)) < 0.3), name="a")
    b = net.population(Delta, 40, name="b")
    net.project(a, b.v_in, Dense(rng.standard_t(3, (25, 40)) * mV))
    net.project(a, b.v_in, FixedProbability(0.4), weight=Normal(1 * mV, 1 * mV), delay=Uniform(1 * DT, 6 * DT))
    net.project(a, b.v_in, FixedProbability(0.2), weight=Normal(0 * mV, 3 * mV))
    net.project(b, b.v_in, FixedProbability(0.1), weight=Normal(0 * mV, 1 * mV))
    return net


def mapped_with(lowered: LoweredNetwork, rows: str) -> Mapping:
    return map_network(lowered, partition=PARTS, place="row_major", options=LayoutOptions(rows=rows))


def code(weight: int, how: str) -> str:
    """Bits of a weight field."""
    if how == "int4":
        return f"{weight & 15:04b}"
    size = abs(weight)
    first = size >> 7
    word = f"{size:04b}" if size < 8 else f"1{size >> 5 & 3:02b}{first}{size & 15:04b}"
    return f"{int(weight < 0)}{word}"


def read(stream: str, at: int, how: str) -> tuple[int, int]:
    """The weight at a bit of a stream, and where the next field begins."""
    if how == "int4":
        value = int(stream[at : at + 4], 2)
        return value - 16 * (value > 7), at + 4
    sign = -1 if stream[at] == "1" else 1
    at += 1
    if stream[at] == "0":
        return sign * int(stream[at : at + 4], 2), at + 4
    top, b1, b2, c3 = (int(bit) for bit in stream[at : at + 4])
    high = (top & c3) << 3 | b1 << 2 | b2 << 1 | c3
    return sign * (high << 4 | int(stream[at + 4 : at + 8], 2)), at + 8


def rows_on(image: Image, lowered: LoweredNetwork, part: int, source: int, pre: int) -> Iterator[tuple[int, int, int]]:
    """(projection, place among the part's neurons of its target, weight) in the order of a source's row on a part."""
    for dense in (True, False):
        for synapses, rows in zip(lowered.projections, image.rows, strict=True):
            if synapses.pre != pre or rows.dense != dense:
                continue
            if dense:
                ours = image.slices[synapses.post].order[slice(*image.slices[synapses.post].begin[part : part + 2])]
                for k, weight in enumerate(rows.weights.reshape(synapses.n_pre, -1)[source, ours]):
                    yield synapses.index, k, int(weight)
                continue
            for k in range(rows.sub_ptr[source], rows.sub_ptr[source + 1]):
                if rows.part[k] == part:
                    for w in range(rows.start[k], rows.start[k] + rows.count[k]):
                        yield synapses.index, int(rows.local[w]), int(rows.weights[w])


@pytest.mark.parametrize("how", ["int4", "spark"])
@pytest.mark.parametrize("rows", ["indexed", "packed"])
def test_rows_written_bit_by_bit_fill_the_region_and_read_back_as_they_were(how: str, rows: str) -> None:
    lowered = lower(network(), DT, weights=how)
    mapped = mapped_with(lowered, rows)
    image = Image.build(lowered, mapped.part, mapped.parts)
    np.testing.assert_array_equal(image_bytes(image, lowered, mapped.layout), mapped.regions)
    assert mapped.layout.directory_key_bits == (12 if rows == "packed" else 15)  # of 32, beside 20 or 17 of an address
    read_back = 0
    for part in range(1, mapped.parts):
        stream = ""
        for pre, population in enumerate(lowered.populations):
            head = mapped.layout.sources[pre].head_bits
            for source in range(population.size):
                row, begin = list(rows_on(image, lowered, part, source, pre)), len(stream)
                for number, local, weight in row:
                    sparse = lowered.projections[number].row_ptr is not None
                    stream += (f"{local << 2:0{head}b}" if sparse else "") + code(weight, how)
                at = begin
                for number, local, weight in row:
                    if lowered.projections[number].row_ptr is not None:
                        assert int(stream[at : at + head], 2) >> 2 == local
                        at += head
                    found, at = read(stream, at, how)
                    assert found == weight
                    read_back += 1
                assert at == len(stream)
        assert mapped.regions[part, COLUMN["synapses"]] == -(-len(stream) // 8)
    assert read_back == sum(s.count for s in lowered.projections)


@given(
    choices=st.lists(st.sampled_from([None, *NARROW]), min_size=4, max_size=4),
    rows=st.sampled_from(["auto", "indexed", "packed"]),
    seed=st.integers(0, 100),
)
@settings(max_examples=10, deadline=None, derandomize=True)
def test_projections_stored_in_different_ways_share_rows(choices: list[str | None], rows: str, seed: int) -> None:
    net = network(seed)
    weights = {p.name: how for p, how in zip(net.projections, choices, strict=True) if how is not None}
    lowered = lower(net, DT, weights=weights)
    mapped = mapped_with(lowered, rows)
    image = Image.build(lowered, mapped.part, mapped.parts)
    np.testing.assert_array_equal(image_bytes(image, lowered, mapped.layout), mapped.regions)
    own = part_bytes(hypergraph(lowered, mapped.layout), mapped.part, mapped.parts)
    assert (-(-own // mapped.layout.grain) + mapped.layout.fixed_bytes).tolist() == mapped.regions.sum(1).tolist()
    plain = {synapses.name: synapses for synapses in lower(net, DT).projections}
    for synapses in lowered.projections:
        how = weights.get(synapses.name)
        expected = plain[synapses.name] if how is None else narrowed(plain[synapses.name], how)
        assert synapses.weights.dtype == expected.weights.dtype
        assert (synapses.weights == expected.weights).all()


def test_a_choice_for_each_projection_runs_alike_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    net = network()
    last = net.projections[-1].name
    weights = {net.projections[0].name: "spark", last: "int4"}
    traces = [
        target.compile(net, dt=DT).run(30, progress=False)
        for target in (
            Reference("float32", weights),
            CPU(weights=weights),
            SpiNNaker2(partition=PARTS, rows="packed", weights=weights),
        )
    ]
    assert traces[0].count("b") > 50
    assert first_difference(traces[0], traces[1]) is None
    assert first_difference(traces[0], traces[2]) is None
    with pytest.raises(CheckError, match=f"weights of projection c: there is none of that name; there are .*{last}"):
        CPU(weights={"c": "spark"}).compile(net, dt=DT)
    with pytest.raises(TargetError, match="SpiNNaker2: weights of projection b are 'int5'; they can be int4, int8"):
        SpiNNaker2(weights={"b": "int5"})
    with pytest.raises(NetworkError, match="weights 'int5'; choose int4"):
        lower(net, DT, weights={last: "int5"})
    saved = CPU(weights=weights).compile(net, dt=DT)
    saved.run(5, progress=False)
    saved.checkpoint(tmp_path / "state.h5")
    with pytest.raises(CheckpointError, match="another quantisation of weights"):
        CPU(weights={last: "int4"}).compile(net, dt=DT).restore(tmp_path / "state.h5")


def test_a_dense_row_takes_the_bits_of_the_codec() -> None:
    net = Network(seed=1)
    a, b = net.population(EventSource(30), name="a"), net.population(Delta, 20, name="b")
    net.project(a, b.v_in, Dense(np.random.default_rng(0).standard_t(2, (30, 20)) * mV))
    weights = lower(net, DT).projections[0].weights
    for how, form in (("spark", Spark()), ("spark-nearest", Spark(rounding="nearest")), ("int4", Int(4))):
        lowered = lower(net, DT, weights=how)
        encoded = form.encode(weights)
        assert encoded.scale == lowered.projections[0].weight_scale
        assert np.rint(encoded.decode() / encoded.scale).tolist() == lowered.projections[0].weights.tolist()
        one = map_network(lowered, partition=np.zeros(50, np.int32), options=LayoutOptions(neurons_per_pe=50))
        assert one.regions[0, COLUMN["synapses"]] == -(-encoded.bits // 8), how


def test_a_kernel_of_int4_takes_half_the_bytes_and_one_of_spark_those_of_its_numbers() -> None:
    net = Network()
    image = net.population(EventSource(64), (1, 8, 8), name="image")
    maps = net.population(Delta, (4, 6, 6), name="maps")
    net.project(image, maps.v_in, Conv2D(np.random.default_rng(0).normal(size=(4, 1, 3, 3)) * mV))
    part = np.concatenate((np.zeros(64), np.ones(144))).astype(np.int32)
    for how, each in (("int4", 5), ("int8", 9), ("spark", 18)):  # 9 weights in a block, which begins at a byte
        mapped = map_network(lower(net, DT, weights=how), partition=part, place="row_major")
        assert mapped.layout.projections[0].kind == "kernel"
        assert mapped.regions[1, COLUMN["kernels"]] == 4 * each


def test_more_synapses_fit_where_codes_are_short() -> None:
    """1,500 inputs, a few of them strong: int4 and SPARK need fewer PEs than int8, and SPARK keeps what is strong."""
    rng = np.random.default_rng(5)
    net = Network(name="tails")
    a, b = net.population(EventSource(1500), name="a"), net.population(Delta, 900, name="b")
    net.project(a, b.v_in, Dense(np.where(rng.random((1500, 900)) < 0.01, 60, 1) * rng.normal(size=(1500, 900)) * mV))
    pes = {w: SpiNNaker2(weights=w).map(net, DT, progress=False).parts for w in ("int4", "int8", "spark")}
    assert pes["int4"] < pes["spark"] < pes["int8"]


def test_the_benchmark_measures_what_its_weights_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import spinnaker2_weights as benchmark

    net = benchmark.network(benchmark.DISTRIBUTIONS["Student t, 3"], 60, 4)
    coded = [Spark().encode(synapses.weights).bits for synapses in lower(net, DT).projections]
    found = benchmark.measured(net, "spark", 4)
    assert found["bits"] == pytest.approx(sum(coded) / (2 * 60 * 60), abs=8 * found["pes"] / (2 * 60 * 60))
    assert found["time"] > 0


def test_errors_speak_of_bytes_where_partitioners_count_bits() -> None:
    net = Network(name="wide")
    a, b = net.population(EventSource(30_000), name="a"), net.population(Delta, 2, name="b")
    net.project(a, b.v_in, Dense(np.random.default_rng(0).normal(size=(30_000, 2)) * mV))
    with pytest.raises(MappingError, match="neuron 0 alone needs") as caught:
        SpiNNaker2(weights="spark", rows="indexed").map(net, DT, progress=False)
    found = vars(caught.value)
    assert found["bytes"] == sum(found["regions"].values())
    assert 30_000 * 5 / 8 < found["regions"]["synapses"] < 30_000 * 9 / 8
    assert found["regions"]["rows"] == 30_000 * 4
    layout = mapped_with(lower(network(), DT, weights="spark"), "auto").layout
    room = layout.sram - layout.fixed_bytes
    assert layout.limits.bytes == 8 * room
    with pytest.raises(MappingError, match=f"the neurons fill 4 parts of {room:,} bytes and 20 neurons"):
        SpiNNaker2(weights="spark", pes=1, neurons_per_pe=20).map(network(), DT, progress=False)


@pytest.mark.parametrize(("how", "extra"), [("int8", 0), ("int4", 7), ("spark", 7 + 8)])
def test_decoding_costs_cycles_of_every_synapse_and_only_there(how: str, extra: int) -> None:
    net = Network(name="cycles")
    source = net.population(EventSource(50, steps=np.zeros(50, int), indices=np.arange(50)), name="source")
    cells = net.population(Graded, 10, name="cells")
    net.project(source, cells.a, Dense(np.random.default_rng(0).normal(size=(50, 10))), name="own")
    net.project(source, cells.g, FixedProbability(0.5), weight=0.25, name="one")
    program = SpiNNaker2(weights=how, constants={"cycles__synaptic_event": 20}).compile(net, dt=DT, progress=False)
    program.run(3, progress=False)
    report = program.report()
    totals, constants = report.run(), spinnaker2().constants
    assert constants.count("cycles.bit_field") == 7
    assert constants.count("cycles.spark_code") == 8
    single = int(report.lowered.projections[1].count)
    bit = 0 if how == "int8" else 7
    assert totals.cycles[1, 3].sum() == 500 * (20 + extra) + single * (20 + bit)
    assert report.synaptic_events == 500 + single == program.series["synaptic_events"].sum()
    assert program.series["input_cycles"].sum() == totals.cycles[1, 3].sum()
    energy = report.energy
    assert energy is not None
    share = energy.by_projection["own"] / energy.by_projection["one"]
    assert share == pytest.approx(500 * (20 + extra) / (single * (20 + bit)))
    text = str(report)
    assert ("short codes" in text) == (how == "spark")
    assert f"{how} weights" in text or how == "int8"
