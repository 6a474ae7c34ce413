"""Networks as pipelines: the schedules' closed forms, the order in which levels run, exact bits, refusals."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import gcd
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strategies import DT, Delta, Graded, networks

from neuromorph import (
    CPU,
    CheckError,
    Conv2D,
    Dense,
    EventSource,
    FixedProbability,
    MappingError,
    Network,
    Reference,
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
from neuromorph.mapping.pipeline.network.design import NetworkDesign, divisors, smooth
from neuromorph.mapping.pipeline.network.order import Link, order_of
from neuromorph.mapping.pipeline.network.plan import Plan
from neuromorph.mapping.pipeline.network.schedules import Schedule
from neuromorph.mapping.pipeline.network.steps import one_by_one, overlapped, works
from neuromorph.mapping.pipeline.resources import resources
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.models.egru_layers import EGRUWeights, egru_stack
from neuromorph.progress import Silent

QUICK = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def design_of(net: Network, **options: Any) -> NetworkDesign:
    target = Pipeline(**options)
    return target._design(target._lower(net, DT, False, Silent()))


def scheduled(net: Network, parallel: dict[str, Parallel]) -> Schedule:
    return Schedule(Pipeline(parallel=parallel).map(net, DT), "stream")


def chain(*sizes: int, recurrent: int = 0, seed: int = 0) -> Network:
    """Dense layers of spiking neurons; with ``recurrent`` each but the input has a loop of that delay in steps."""
    rng = np.random.default_rng(seed)
    net = Network(seed=seed, name="chain")
    pre = net.population(EventSource.from_dense(rng.random((40, sizes[0])) < 0.4), name="inp")
    for number, size in enumerate(sizes[1:], 1):
        post = net.population(Delta, size, name=f"layer{number}")
        net.project(pre, post.v_in, Dense(rng.normal(2, 4, (pre.size, size)) * mV), name=f"to{number}")
        if recurrent:
            weights = Dense(rng.normal(0, 1, (size, size)) * mV)
            net.project(post, post.v_in, weights, delay=recurrent * DT, name=f"loop{number}")
        pre = post
    return net


def stack(layers: int = 2, units: int = 12) -> Network:
    """EGRU layers on top of each other."""
    net = Network(seed=1, name="stack")
    inp = net.population(EventSource.from_dense(np.random.default_rng(0).random((60, 10)) < 0.4), name="inp")
    sizes = (10, *(units for _ in range(layers)))
    egru_stack(net, inp, [EGRUWeights.random(a, b, threshold=0.02, seed=b) for a, b in pairwise(sizes)])
    return net


def one_lane(net: Network) -> dict[str, Parallel]:
    return {operator.name: Parallel() for operator in design_of(net).operators}


# ------------------------------------------------------------------------------------------------------ closed forms
def test_layers_overlap_so_a_step_takes_as_long_as_the_slowest_operator() -> None:
    net = chain(12, 20, 16, 5)
    parallel = one_lane(net) | {"to2": Parallel(inputs=4), "inp": Parallel(inputs=3)}
    found = scheduled(net, parallel)
    trips = {"to1": 12 * 20, "to2": 20 * 16 // 4, "to3": 16 * 5}
    assert found.bound.stage == 240
    assert not found.bound.loop
    assert found.pipelined.interval == 240  # while to1 works on a step, to2 and to3 work on earlier ones
    depth = {each.name: each.depth for each in found.design.neurons}
    gather = one_by_one(found.design, works(found.design, parallel, None, 1)).ready[0]
    layers = [(trips[f"to{k}"] + 6) + (size + depth[f"layer{k}"]) for k, size in ((1, 20), (2, 16), (3, 5))]
    assert found.step_by_step.interval == 12 // 3 + depth["inp"] + sum(layers) == gather.max()
    assert found.step_by_step.latency == found.step_by_step.interval
    assert found.step_by_step.buffers < found.pipelined.buffers


def test_egru_layers_overlap_and_a_loop_bounds_the_interval() -> None:
    net = stack()
    found = scheduled(net, one_lane(net))
    units, depth = 12, found.design.neurons[1].depth
    loop = (units * (units - 1) + 1) + depth  # the product after its last input, the neurons after the last sum
    hops = 12  # of events into the matrix, and of sums to the neurons
    assert loop < found.bound.loop <= loop + hops
    assert found.pipelined.interval == found.bound.interval == max(found.bound.stage, found.bound.loop)
    assert 3 * found.pipelined.interval < 2 * found.step_by_step.interval
    assert set(found.bound.around) & {"egru1", "egru2"}


@pytest.mark.parametrize("delay", [1, 2, 3, 5])
def test_a_loops_latency_over_its_delay_bounds_the_interval(delay: int) -> None:
    net = chain(4, 12, recurrent=delay)
    wide = {"to1": Parallel(1, 4, 12), "loop1": Parallel(1, 12, 12), "inp": Parallel(inputs=4)}
    found = scheduled(net, {**one_lane(net), **wide, "layer1": Parallel(inputs=12)})
    (once,) = {scheduled(chain(4, 12, recurrent=1), dict(found.plan.parallel)).bound.loop}
    assert found.bound.loop == once / delay  # every operator takes one cycle: only latency is left
    assert found.bound.items == delay
    assert found.bound.stage == 1
    assert found.pipelined.interval == pytest.approx(float(once / delay))


@given(net=networks(), seed=st.integers(0, 1000))
@settings(QUICK, max_examples=10)
def test_simulated_intervals_are_the_closed_form(net: Network, seed: int) -> None:
    design = design_of(net)
    joined = {0}
    for _ in design.products:
        joined |= {end for p in design.products for end in (p.pre, p.post) if {p.pre, p.post} & joined}
    if len(joined) < len(design.neurons):  # parts that nothing joins fill at their own pace
        return
    rng = np.random.default_rng(seed)
    parallel = {o.name: rng.choice(np.array(design.choices(o), object)) for o in design.operators}
    found = Schedule(Plan(design, parallel, design.graph(parallel), resources(design, parallel, "vck190")), "stream")
    assert found.pipelined.interval == pytest.approx(float(found.bound.interval), abs=0.5)


def test_events_decide_how_long_products_take() -> None:
    net = chain(12, 20, 16, recurrent=1)
    program = Pipeline(parallel=one_lane(net), products="events").compile(net, dt=DT)
    silent = program.schedule().pipelined
    trace = program.run(40, progress=False)
    found = program.schedule()
    assert found.counted is not None
    assert found.counted.shape == (40, len(found.design.products))
    sent = [np.bincount(np.asarray(trace.events(n).steps), minlength=40) for n in ("inp", "layer1")]
    np.testing.assert_array_equal(found.counted[:, 0], sent[0])
    np.testing.assert_array_equal(found.counted[:, 2], sent[1])
    busy = found.busy(40)
    first = len(found.design.neurons)
    np.testing.assert_array_equal(busy[:, first], sent[0] * 20 + 20)  # a round of 20 for each event, and 20 sums
    assert found.pipelined.interval > silent.interval
    streamed = Pipeline(parallel=one_lane(net)).compile(net, dt=DT).schedule()
    assert found.pipelined.interval < streamed.pipelined.interval
    assert found.step_by_step.cycles > found.pipelined.cycles


def test_times_by_events_are_the_recurrence_written_out() -> None:
    net = chain(3, 4, 5, recurrent=2)
    design, rng = design_of(net), np.random.default_rng(1)
    parallel = one_lane(net)
    busy = rng.integers(1, 60, (25, len(design.operators)))
    times = overlapped(design, parallel, busy)
    depth = [*(each.depth for each in design.neurons), *(6 for _ in design.products)]
    first, room = len(design.neurons), design.room(parallel)
    begin, ready = np.zeros((25, len(depth)), int), np.zeros((25, len(depth)), int)
    for _ in range(60):  # until nothing changes, in no particular order
        for t in range(25):
            for node in range(len(depth)):
                waits = [0] + ([begin[t - 1, node] + busy[t - 1, node]] if t else [])
                for k, each in enumerate(design.products):
                    arcs = [(each.pre, first + k, design.order.kept(each.link)), (first + k, each.post, 0)]
                    arcs += [(first + k, each.pre, room[k]), (each.post, first + k, 2)]
                    waits += [ready[t - lag, a] for a, b, lag in arcs if b == node and t >= lag]
                begin[t, node] = max(waits)
                ready[t, node] = begin[t, node] + busy[t, node] + depth[node]
    np.testing.assert_array_equal(times.begin, begin)
    np.testing.assert_array_equal(times.ready, ready)


# ------------------------------------------------------------------------------------------------------------- order
@given(data=st.data())
@settings(QUICK, max_examples=30)
def test_order_is_topological_and_keeps_every_loops_delay(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 7))
    ends = st.integers(0, n - 1)
    links = tuple(data.draw(st.lists(st.builds(Link, ends, ends, st.integers(1, 4)), max_size=12)))
    order = order_of(n, links)
    reach = np.eye(n, dtype=bool)
    for link in links:
        reach[link.pre, link.post] = True
    for k in range(n):
        reach |= np.outer(reach[:, k], reach[k])
    for a in range(n):
        for b in range(n):
            assert (order.group_of[a] == order.group_of[b]) == bool(reach[a, b] and reach[b, a])
    assert sorted(k for group in order.groups for k in group) == list(range(n))
    for link in links:
        assert order.kept(link) >= 0
        assert order.ahead(link) >= 0
        assert (order.ahead(link) == 0) == (order.group_of[link.pre] == order.group_of[link.post])
        if link.pre == link.post:
            assert order.kept(link) == link.delay


def test_feed_forward_delays_need_no_memory_of_their_own() -> None:
    order = order_of(4, (Link(0, 1, 1), Link(1, 2, 1), Link(2, 3, 1), Link(0, 3, 5), Link(2, 2, 2)))
    assert order.lag == (0, 1, 2, 3)
    kept = [order.kept(link) for link in (Link(0, 1, 1), Link(1, 2, 1), Link(2, 3, 1), Link(0, 3, 5), Link(2, 2, 2))]
    assert kept == [0, 0, 0, 2, 2]
    with pytest.raises(MappingError, match="delay 0"):
        order_of(1, (Link(0, 0, 0),))


def test_levels_make_different_steps_at_a_time_and_give_the_events_of_the_cpu() -> None:
    net = chain(12, 20, 16, 5, recurrent=1, seed=3)
    net.record(net["layer2"], "v", every=3)
    expected = CPU().compile(net, dt=DT).run(40, progress=False)
    program = Pipeline().compile(net, dt=DT)
    alone = program.instance(program.compiled, 1)
    alone.run(0, 40, 0, alone.tables(record=False))
    assert alone.tally.tolist() == [39 + 38 + 37, 40]  # type: ignore[attr-defined]  # each level but for its last steps
    traces = [program.run(n, progress=False) for n in (1, 2, 30, 7)]
    assert first_difference(Pipeline().compile(net, dt=DT).run(40, progress=False), expected) is None
    for name in ("inp", "layer1", "layer2", "layer3"):
        ids = np.concatenate([trace.events(name).ids for trace in traces])
        np.testing.assert_array_equal(ids, expected.events(name).ids)
        assert program.events[name] == len(ids)
    assert 0 < program.report().overlapped <= 1 + 84 + 15


def test_runs_go_on_from_checkpoints_of_the_cpu_and_back(tmp_path: Any) -> None:
    net = stack()
    cpu, program = CPU().compile(net, dt=DT), Pipeline().compile(net, dt=DT)
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
    program = Pipeline().compile(net, dt=DT)
    expected = CPU().compile(net, dt=DT).run_batch(inputs, 15, progress=False)
    found = program.run_batch(inputs, 15, progress=False)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts)
    report = program.report()
    assert report.samples == 6
    assert report.schedule.steps == 90
    assert "6 samples" in str(report)


# -------------------------------------------------------------------------------------------------------- exact bits
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


# ---------------------------------------------------------------------------------------------------------- balanced
def test_left_alone_it_is_balanced_for_the_board_and_budgets_are_kept() -> None:
    net = chain(28, 32, 10)
    whole = Pipeline().compile(net, dt=DT)
    slow = Pipeline(interval=500).compile(net, dt=DT)
    assert whole.schedule().interval < slow.schedule().interval <= 500
    assert slow.plan.resources.total.luts < whole.plan.resources.total.luts
    own = {"to1": Parallel(inputs=7, outputs=4)}
    mixed = Pipeline(parallel=own).compile(net, dt=DT)
    assert mixed.plan.parallel["to1"] == own["to1"]
    small = Pipeline("zcu102", weights="int8").compile(net, dt=DT)
    assert small.plan.resources.total.dsps <= small.plan.resources.available.dsps
    assert small.plan.resources.board.name == "zcu102"


def test_where_a_loop_is_slower_the_rest_is_made_no_faster_than_that() -> None:
    program = Pipeline().compile(stack(), dt=DT)
    found = program.schedule()
    assert found.bound.loop > found.bound.stage
    assert found.design.pace == int(found.bound.loop)
    assert found.interval == float(found.bound.loop)
    wanted = 2 * int(found.interval)
    slow = Pipeline(interval=wanted).compile(stack(), dt=DT)
    assert found.interval < slow.schedule().interval <= wanted  # the loop, too
    assert slow.plan.resources.total.dsps < program.plan.resources.total.dsps
    with pytest.raises(MappingError, match=r"a step every 100 cycles is asked for, and the loop .*egru.* needs"):
        Pipeline(rate=4.25e6).compile(stack(), dt=DT)


def test_the_smallest_fifos_keep_the_interval_and_take_less() -> None:
    net = chain(6, 8, 4, recurrent=1)
    own = Pipeline().compile(net, dt=DT)
    small = Pipeline(parallel=own.plan.parallel, depths="smallest").compile(net, dt=DT)
    before, after = own.schedule().pipelined, small.schedule().pipelined
    assert after.interval == before.interval
    assert after.buffers < before.buffers
    graph = small.plan.graph
    given_depths = {fifo.name: fifo.depth for fifo in graph.fifos}
    again = Pipeline(parallel=own.plan.parallel, depths=given_depths).map(net, dt=DT)
    assert again.graph.fifos == graph.fifos
    with pytest.raises(MappingError, match="no FIFO 'nothing'"):
        Pipeline(depths={"nothing": 3}).compile(net, dt=DT)


# ---------------------------------------------------------------------------------------------------------- refusals
def test_what_cannot_run_is_refused_by_name() -> None:
    net = chain(6, 8)
    for options, said in (
        ({"products": "spikes"}, "products is 'spikes'"),
        ({"payload": "int9"}, "payload is 'int9'"),
        ({"threads": 0}, "threads is 0"),
        ({"interval": 5, "rate": 1e6}, "interval or rate, not both"),
        ({"interval": 0}, "interval is 0; it must be above 0"),
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


def test_sizes_without_divisors_are_filled_up() -> None:
    assert [smooth(n) for n in (1, 7, 11, 97, 127, 700)] == [1, 7, 12, 98, 128, 700]
    assert divisors(12) == [1, 2, 3, 4, 6, 12]
    net = chain(11, 13)
    design = design_of(net)
    assert design.sizes == (12, 14)
    assert (design.operator["to1"].inputs, design.operator["to1"].outputs) == (12, 14)
    assert gcd(*design.sizes) == 2


def test_report_shows_both_schedules_and_says_what_is_not_known() -> None:
    net = chain(12, 20, 5, recurrent=1)
    program = Pipeline().compile(net, dt=DT)
    program.run(20, progress=False)
    report = program.report()
    text = str(report)
    for word in ("pipelined", "step by step", "energy: not modelled", "vck190", "to1", "loop1", "DSPs"):
        assert word in text
    data = report.to_dict()
    assert data["pipelined"]["interval"] == program.schedule().interval
    assert data["events"] == program.events
    assert "<table" in report._repr_html_()
    assert "advance" in program.source()
    assert repr(program.target) == "Pipeline('vck190')"
    assert repr(replace(program.target, products="events")) == "Pipeline('vck190', products='events')"


@given(net=networks(max_populations=3, lookup=True))
@settings(QUICK, max_examples=4)
def test_random_networks_by_events_run_as_in_the_reference(net: Network) -> None:
    expected = Reference("float32").compile(net, dt=DT).run(25, progress=False)
    program = Pipeline(products="events").compile(net, dt=DT)
    assert first_difference(program.run(25, progress=False), expected) is None
    assert program.schedule().pipelined.cycles > 0
