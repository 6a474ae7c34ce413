"""Networks as pipelines: runs, batches, checkpoints, exact bits, refusals, reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pipeline_networks import chain, design_of, one_lane, stack
from strategies import DT, Delta, Graded

from neuromorph import (
    CPU,
    CheckError,
    Conv2D,
    Dense,
    EventSource,
    FixedProbability,
    Live,
    MappingError,
    Network,
    TargetError,
    Uniform,
    first_difference,
    ms,
    mV,
)
from neuromorph.formats import Int, Spark
from neuromorph.mapping.payloads.coded import coded
from neuromorph.mapping.payloads.values import Range
from neuromorph.mapping.pipeline import Pipeline
from neuromorph.mapping.pipeline.design import Parallel
from neuromorph.mapping.pipeline.network.bound import bound
from neuromorph.mapping.pipeline.network.design import NetworkDesign
from neuromorph.mapping.pipeline.network.traffic import traffic
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.progress import Silent


def test_levels_make_different_steps_at_a_time_and_give_the_events_of_the_cpu() -> None:
    net = chain(12, 20, 16, 5, recurrent=1, seed=3)
    net.record(net["layer2"], "v", every=3)
    expected = CPU().compile(net, dt=DT).run(40, progress=False)
    program = Pipeline(parallel=one_lane(net)).compile(net, dt=DT)
    alone = program.instance(program.compiled, 1)
    alone.run(0, 40, 0, alone.tables(record=False))
    assert alone.tally.tolist() == [39 + 38 + 37, 40]  # type: ignore[attr-defined]  # each level but for its last steps
    traces = [program.run(n, progress=False) for n in (1, 2, 30, 7)]
    assert (
        first_difference(Pipeline(parallel=one_lane(net)).compile(net, dt=DT).run(40, progress=False), expected) is None
    )
    for name in ("inp", "layer1", "layer2", "layer3"):
        ids = np.concatenate([trace.events(name).ids for trace in traces])
        np.testing.assert_array_equal(ids, expected.events(name).ids)
        assert program.events[name] == len(ids)
    assert 0 < program.report().overlapped <= 1 + 84 + 15


def test_runs_go_on_from_checkpoints_of_the_cpu_and_back(tmp_path: Any) -> None:
    net = stack()
    cpu, program = CPU().compile(net, dt=DT), Pipeline(parallel=one_lane(net)).compile(net, dt=DT)
    whole = CPU().compile(net, dt=DT).run(60, progress=False)
    cpu.run(17, progress=False)
    program.restore(cpu.state())
    assert program.run(20, progress=False).events("egru2").ids.tolist() == _part(whole, 17, 37)
    cpu.restore(program.state())
    assert cpu.run(23, progress=False).events("egru2").ids.tolist() == _part(whole, 37, 60)
    with program.run(5, progress=False, reset=True, out=tmp_path / "trace.h5") as trace:
        assert trace.events("egru2").ids.tolist() == _part(whole, 0, 5)
        assert 0 < trace.run["costs/pipelined"] < trace.run["costs/step_by_step"]


def _part(trace: Any, first: int, last: int) -> list[int]:
    events = trace.events("egru2")
    return events.ids[(events.steps >= first) & (events.steps < last)].tolist()  # type: ignore[no-any-return]


def test_batches_give_the_cpus_counts_and_times_of_all_steps() -> None:
    net = chain(12, 20, 5, recurrent=1)
    rng = np.random.default_rng(5)
    inputs = {"inp": rng.random((6, 15, 12)) < 0.4}
    program = Pipeline(parallel=one_lane(net)).compile(net, dt=DT)
    expected = CPU().compile(net, dt=DT).run_batch(inputs, 15, progress=False)
    found = program.run_batch(inputs, 15, progress=False)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts)
    report = program.report()
    assert report.samples == 6
    assert report.schedule.steps == 90
    assert "6 samples" in str(report)


@pytest.mark.parametrize("weights", ["spark", "spark-nearest", "int8", "int4", None])
def test_weights_take_the_bits_that_their_format_counts(weights: Any) -> None:
    rng = np.random.default_rng(2)
    net = Network(name="bits")
    inp = net.population(EventSource(30), name="inp")
    cells = net.population(Delta, 24, name="cells")
    values = rng.normal(0, 1, (30, 24)) * (rng.random((30, 24)) < 0.9)
    net.project(inp, cells.v_in, Dense(values * mV), name="dense")
    net.project(inp, cells.v_in, FixedProbability(0.1), weight=Uniform(-1 * mV, 1 * mV), name="some")
    target = Pipeline(weights=weights)
    lowered = target._lower(net, DT, False, Silent())
    design = NetworkDesign.of(lowered)
    for synapses, product in zip(lowered.projections, design.products, strict=True):
        if weights is None:
            bits = 32 * synapses.weights.size
        elif weights.startswith("spark"):
            rounding = "paper" if weights == "spark" else "nearest"
            bits = Spark(rounding, scale=1.0).encode(synapses.weights).bits  # type: ignore[arg-type]
        else:
            bits = Int(int(weights[3:]), 1.0).encode(synapses.weights).bits
        assert product.memories[0].words * product.memories[0].bits == bits
    dense, some = design.products
    assert (dense.form, dense.stored_bits) == ("dense", dense.memories[0].words * dense.memories[0].bits)
    count = lowered.projections[1].count
    assert some.form == "listed"
    lists = count * 5 + 25 * count.bit_length()  # a source of 30 for each synapse, and where each list begins
    assert some.stored_bits == some.memories[0].words * some.memories[0].bits + lists


def test_a_convolution_keeps_its_kernel_alone() -> None:
    rng = np.random.default_rng(3)
    net = Network(name="conv")
    image = net.population(EventSource(2 * 8 * 9), (2, 8, 9), name="image")
    maps = net.population(Delta, (3, 6, 7), name="maps")
    net.project(image, maps.v_in, Conv2D(rng.normal(1, 3, (3, 2, 3, 3)) * mV), name="conv")
    net.project(maps, maps.v_in, FixedProbability(0.1), weight=1 * mV, delay=Uniform(1 * ms, 5 * ms), name="back")
    design = design_of(net)
    conv, back = design.products
    assert (conv.form, conv.tokens, conv.inputs, conv.outputs, conv.stored_bits) == ("window", 42, 18, 3, 54 * 32)
    assert conv.rows.sum() == sum(1 for _ in range(42)) * 18 * 3
    operator = design.operator["conv"]
    assert operator.trips(Parallel(6, 9, 3)) == 7 * 2
    assert back.form == "listed"
    assert (back.delay, back.spread) == (1, 4)
    delayed = next(memory for memory in back.memories if memory.name == "delayed")
    assert delayed.words * delayed.bits == 126 * 5 * 32
    found = simulate(design.graph({name: Parallel() for name in design.operator}), 6)
    assert found.interval == max(bound(found.graph).stage, bound(found.graph).loop)


def test_payloads_narrow_fifos_and_need_events_with_their_numbers() -> None:
    net = Network(seed=1, name="graded")
    inp = net.population(EventSource.from_dense(np.random.default_rng(0).random((30, 8)) < 0.4), name="inp")
    cells = net.population(Graded(theta=0.5), 10, name="cells")
    out = net.population(Graded(theta=0.5), 4, name="out")
    net.project(inp, cells.a, Dense(np.full((8, 10), 0.6)))
    net.project(cells, out.a, Dense(np.full((10, 4), 0.4)), name="up")
    ranges = {"cells": Range(4.0, True), "out": Range(4.0, True)}
    for payload, bits in (("float32", 32), ("int8", 8), ("spark", 9)):
        given_net = coded(net, payload, ranges)
        plan = Pipeline(payload=payload).map(given_net, dt=DT)
        assert plan.graph.fifo["up.events"].bits == plan.parallel["cells"].inputs * bits
        if payload == "spark":
            continue
        run = Pipeline(payload=payload).compile(given_net, dt=DT).run(30, progress=False)
        assert first_difference(CPU().compile(given_net, dt=DT).run(30, progress=False), run) is None
        assert len(run.events("out").ids)
    with pytest.raises(CheckError, match=r'population cells.*travel as int8.*coded\(network, "int8", ranges\)'):
        Pipeline(payload="int8").compile(net, dt=DT)


def test_what_cannot_run_is_refused_by_name() -> None:
    net = chain(6, 8)
    for options, said in (
        ({"products": "spikes"}, "products is 'spikes'"),
        ({"payload": "int9"}, "payload is 'int9'"),
        ({"threads": 0}, "threads is 0"),
        ({"interval": 5, "rate": 1e6}, "interval or rate, not both"),
        ({"interval": 0}, "interval is 0; it must be a whole number of at least 1"),
        ({"depths": "deep"}, "depths is 'deep'"),
        ({"weights": "int5"}, "weights is 'int5'"),
    ):
        with pytest.raises(TargetError, match=said):
            Pipeline(**options)
    with pytest.raises(MappingError, match="no board 'vck999'"):
        Pipeline("vck999")
    with pytest.raises(MappingError, match="no operator 'to9'; it has inp, layer1, to1"):
        Pipeline(parallel={"to9": Parallel()}).compile(net, dt=DT)
    with pytest.raises(MappingError, match=r"'to1'.*\(1, 5, 1\).*must divide its part of \(1, 6, 8\)"):
        Pipeline(parallel={"to1": Parallel(inputs=5)}).compile(net, dt=DT)


def test_what_the_board_cannot_hold_is_refused_by_what_is_short() -> None:
    net = Network(name="large")
    inp = net.population(EventSource(1200), name="inp")
    cells = net.population(Delta, 1000, name="cells")
    net.project(inp, cells.v_in, Dense(np.ones((1200, 1000)) * mV), name="all")
    given_net = {o.name: Parallel() for o in design_of(net).operators}
    with pytest.raises(MappingError, match=r"large on zcu102: it takes .* block RAMs"):
        Pipeline("zcu102", parallel=given_net).compile(net, dt=DT)


def test_report_shows_both_schedules_and_says_what_is_not_known() -> None:
    net = chain(12, 20, 5, recurrent=1)
    program = Pipeline().compile(net, dt=DT)
    program.run(20, progress=False)
    report = program.report()
    text = str(report)
    for word in ("pipelined", "step by step", "an item, ", "not measured", "vck190", "to1", "loop1", "DSPs"):
        assert word in text
    data = report.to_dict()
    assert data["pipelined"]["interval"] == program.schedule().interval
    assert data["events"] == program.events
    assert "<table" in report._repr_html_()
    assert "advance" in program.source()
    assert repr(program.target) == "Pipeline('vck190')"
    assert repr(replace(program.target, products="events")) == "Pipeline('vck190', products='events')"


def test_traffic_is_counted_in_the_bits_of_the_codes() -> None:
    net = stack(1)
    program = Pipeline(parallel=one_lane(net)).compile(net, dt=DT)
    trace = program.run(60, progress=False)
    found = {(each.population, each.code): each for each in traffic(program.plan, trace)}
    assert found["inp", "spike"].streamed == 10
    assert found["inp", "spike"].addressed == 4 * trace.count("inp") / 60
    events = trace.events("egru1")
    assert events.values is not None
    dense = np.zeros((60, 12), np.float32)
    dense[events.steps, events.ids] = events.values
    for code, form in (("spark", Spark("paper", "unsigned")), ("int8", None)):
        bits = 60 * 12 * 8 if form is None else form.encode(dense).bits
        each = found["egru1", code]
        assert each.streamed == pytest.approx(bits / 60)
        assert each.readers == 3
        assert each.addressed < each.streamed < found["egru1", "float32"].streamed == 12 * 32
    with pytest.raises(MappingError, match="no code for values is called 'int9'"):
        traffic(program.plan, trace, ["int9"])


def test_live_steps_are_those_of_the_cpu() -> None:
    net = Network(seed=2, name="live")
    inp = net.population(Live(6), name="inp")
    cells = net.population(Delta, 8, name="cells")
    net.project(inp, cells.v_in, Dense(np.random.default_rng(0).normal(4, 4, (6, 8)) * mV))
    net.project(cells, cells.v_in, FixedProbability(0.5), weight=2 * mV, delay=2)
    given_events = np.random.default_rng(1).random((30, 6)) < 0.5
    sent = []
    for target in (CPU(), Pipeline(products="events")):
        program = target.compile(net, dt=DT)
        live = program.live(["cells"])
        sent.append([live.step({"inp": row.astype(np.float32)})["cells"].indices.tolist() for row in given_events])
    assert sent[0] == sent[1]
    assert sum(map(len, sent[0])) > 20
    assert "cycles pipelined" in str(program.report())
