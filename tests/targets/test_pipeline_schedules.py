"""Schedules of networks as pipelines: closed forms, order, work by events, balance."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pipeline_networks import chain, design_of, one_lane, scheduled, stack
from strategies import DT, networks

from neuromorph import (
    MappingError,
    Network,
)
from neuromorph.mapping.pipeline import Pipeline
from neuromorph.mapping.pipeline.design import Parallel, divisors
from neuromorph.mapping.pipeline.network.design import smooth
from neuromorph.mapping.pipeline.network.order import Link, order_of
from neuromorph.mapping.pipeline.network.plan import Plan
from neuromorph.mapping.pipeline.network.schedules import Schedule
from neuromorph.mapping.pipeline.network.steps import one_by_one, overlapped, works
from neuromorph.mapping.pipeline.resources import resources

QUICK = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


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


def test_sizes_without_divisors_are_filled_up() -> None:
    assert [smooth(n) for n in (1, 7, 11, 97, 127, 700)] == [1, 7, 12, 98, 128, 700]
    assert divisors(12) == [1, 2, 3, 4, 6, 12]
    net = chain(11, 13)
    design = design_of(net)
    assert design.sizes == (12, 14)
    assert (design.operator["to1"].inputs, design.operator["to1"].outputs) == (12, 14)
    assert gcd(*design.sizes) == 2
