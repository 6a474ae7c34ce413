"""Plans of crossbars: matrices, tiles, packing, order of rows, placement, all judged by the independent checker."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import DT, FLOATS, networks

from neuromorph.engine.reference import deliver
from neuromorph.errors import MappingError
from neuromorph.language import Event, Port, State, neuron
from neuromorph.lowering import lower
from neuromorph.mapping.crossbar.machine.machine import load_machine
from neuromorph.mapping.crossbar.plan.activity import silent_share
from neuromorph.mapping.crossbar.plan.check import check_plan
from neuromorph.mapping.crossbar.plan.packing import alone, in_turns, side_by_side
from neuromorph.mapping.crossbar.plan.planner import plan_network
from neuromorph.mapping.crossbar.plan.row_order import by_events, by_rate
from neuromorph.mapping.crossbar.plan.rules import Rules
from neuromorph.network import (
    AvgPool2D,
    Conv1D,
    Conv2D,
    Dense,
    DistanceDependent,
    EventSource,
    FixedOutDegree,
    FixedProbability,
    Gaussian,
    Network,
    OneToOne,
    Sparse,
    SumPool2D,
)
from neuromorph.units import Mohm, mV, nA

GRADED = FLOATS[2]


@neuron
class Cell:
    """A leaky sum."""

    x = Port()
    v = State(0.0)

    v.next = 0.9 * v + x
    spike = Event(when=v > 1.0)
    v.reset = v - 1.0


MACHINES = {
    "ideal": load_machine("ideal", rows=7, columns=10),
    "whole": load_machine("ideal"),
    "sliced": load_machine("isaac", rows=16, columns=24),
    "pairs": load_machine("hermes", rows=9, columns=8, arrays_per_core=2, tiles=5, mesh=(3, 2)),
    "signed": load_machine("wtm2101", rows=20, columns=12),
}
RULES = {
    "none": Rules(),
    "halves": Rules(regions=((0, 3), (3, 4)), reserved_columns=1),
    "apart": Rules(regions=((0, 3), (3, 4)), joined=False, columns_once=True),
}


def lowered_of(network, dt=DT, weights=None):
    """A network lowered with its convolutions as their geometry, as the target has it."""
    taken = []
    made = lower(network, dt, weights=weights, take=lambda synapses, _: taken.append(synapses))
    return replace(made, projections=tuple(taken))


def events_of(lowered, seed, steps=20, chance=0.1):
    rng = np.random.default_rng(seed)
    found = {}
    for p in lowered.populations:
        step, neuron = np.nonzero(rng.random((steps, p.size)) < chance)
        found[p.name] = (np.append(step, steps - 1), np.append(neuron, 0))
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_network_lies_in_arrays_once_and_in_order(data) -> None:
    net = data.draw(networks())
    machine = MACHINES[data.draw(st.sampled_from(sorted(MACHINES)))]
    lowered = lowered_of(net, weights=data.draw(st.sampled_from([None, None, "int8"])))
    active = data.draw(st.sampled_from(["none", "rates", "events"]))
    options = {
        "none": {},
        "rates": {"rates": {lowered.populations[0].name: 0.2}},
        "events": {"events": events_of(lowered, 1)},
    }[active]
    share = data.draw(st.sampled_from([True, False, "turns", "auto"]))
    rules = RULES[data.draw(st.sampled_from(sorted(RULES)))]
    if rules.regions and machine.rows < 7:
        rules = Rules()
    plan = plan_network(lowered, machine, share=share, rules=rules, **options)
    check_plan(plan, lowered)
    assert plan.activity.basis == active
    if share is True:
        assert (plan.turns == 1).all()
    again = plan_network(lowered, machine, share=share, rules=rules, **options)
    assert np.array_equal(plan.blocks.listed, again.blocks.listed)
    assert np.array_equal(plan.tile_of_array, again.tile_of_array)


def sums_through_blocks(plan, lowered, fired, values, dtype):
    """Sums of every population's ports, slots for delays, event by event through the blocks of the plan."""
    sums = {
        p.index: [np.zeros((lowered.max_delay + 1, p.size), dtype) for _ in p.program.ports]
        for p in lowered.populations
        if p.program is not None
    }
    for matrix in plan.matrices:
        ptr, block, position = plan.row_entries(matrix.index)
        held = {k: matrix.dense(plan.blocks[k].rows, plan.blocks[k].columns) for k in plan.blocks_of(matrix.index)}
        for k, source in enumerate(matrix.sources):
            for n, value in zip(fired[source], values[source], strict=True):
                line = matrix.source_first[k] + n
                entries = [(line, 0)]
                if matrix.entry_ptr is not None:
                    at = range(matrix.entry_ptr[line], matrix.entry_ptr[line + 1])
                    entries = [(matrix.entry_row[e], matrix.entry_pass[e]) for e in at]
                for row, passes in entries:
                    for e in range(ptr[row], ptr[row + 1]):
                        for weight, column in zip(
                            held[block[e]][position[e]], plan.blocks[block[e]].columns, strict=True
                        ):
                            goal = sums[matrix.post][matrix.column_port[column]]
                            post = matrix.column_post[column] + matrix.pass_post[passes]
                            goal[matrix.delay, post] += dtype(weight) * dtype(value)
    return sums


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(ints=False), st.integers(0, 1000))
def test_sums_through_the_blocks_are_the_engine_s_bit_for_bit(net, seed) -> None:
    lowered = lowered_of(net)
    plan = plan_network(lowered, MACHINES["ideal"], rates={lowered.populations[0].name: 0.1})
    rng = np.random.default_rng(seed)
    fired = [np.flatnonzero(rng.random(p.size) < 0.7) for p in lowered.populations]
    values = [rng.normal(size=len(f)).astype(np.float32) for f in fired]
    found = sums_through_blocks(plan, lowered, fired, values, np.float32)
    expected = {k: [np.zeros_like(s) for s in ports] for k, ports in found.items()}
    for synapses in lowered.projections:
        goal = expected[synapses.post][synapses.port]
        deliver(synapses.expanded(), goal, 0, fired[synapses.pre], values[synapses.pre])
    for k, ports in expected.items():
        for a, b in zip(found[k], ports, strict=True):
            assert a.tobytes() == b.tobytes()


@st.composite
def convolutions(draw):
    """A convolution, a pooling and a dense read-out."""
    channels, height, width = draw(st.integers(1, 4)), draw(st.integers(3, 7)), draw(st.integers(3, 7))
    groups = draw(st.sampled_from([1, 1, channels]))
    out = groups * draw(st.integers(1, 3))
    taps = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    stride, dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2)) if min(height, width) >= 5 else 1
    padding = draw(st.integers(0, 2))
    kernel = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(out, channels // groups, *taps))
    rule = Conv2D(kernel, stride, padding, dilation, groups)
    net = Network(seed=3)
    shape = (channels, height, width)
    pre = net.population(EventSource(channels * height * width, steps=[0], indices=[0]), shape, name="image")
    window = rule.window(pre)
    mid = net.population(Cell(), (out, window.y.out, window.x.out), name="maps")
    net.project(pre, mid.x, rule, delay=draw(st.integers(1, 3)))
    pool = draw(st.sampled_from([SumPool2D(2, 1), AvgPool2D(2), SumPool2D(1)]))
    seen = pool.window(mid)
    if seen.y.out >= 1 and seen.x.out >= 1:
        post = net.population(Cell(), (out, seen.y.out, seen.x.out), name="pooled")
        net.project(mid, post.x, pool, weight=None if isinstance(pool, AvgPool2D) else 0.25)
        net.project(post, mid.x, FixedProbability(0.3), weight=0.1)
    return net


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_convolutions_unrolled_or_kept_hold_the_same_weights(data) -> None:
    net = data.draw(convolutions())
    lowered = lowered_of(net)
    machine = MACHINES[data.draw(st.sampled_from(["ideal", "sliced", "whole"]))]
    how = data.draw(st.sampled_from(["auto", "unrolled", "stationary"]))
    copies = data.draw(st.sampled_from([1, 2, 5, "auto"]))
    options = {"events": events_of(lowered, 2)} if data.draw(st.booleans()) else {}
    plan = plan_network(lowered, machine, convolution=how, replicate=copies, **options)
    check_plan(plan, lowered)
    check_plan(plan_network(lower(net, DT), machine, convolution=how), lowered)  # listed: always unrolled
    passes = np.array([matrix.passes for matrix in plan.matrices])
    if how == "stationary":
        window = lowered.projections[0].geometry
        assert passes.max() >= window.y.out * window.x.out
        if copies != "auto":
            assert np.array_equal(plan.replicas, np.minimum(copies, passes))
    if how == "unrolled":
        assert (passes == 1).all()


def image_network(channels=8, side=16, out=16):
    net = Network(name="image")
    pre = net.population(EventSource(channels * side**2, steps=[0], indices=[0]), (channels, side, side), name="in")
    post = net.population(Cell(), (out, side, side), name="out")
    net.project(pre, post.x, Conv2D(np.ones((out, channels, 3, 3)), padding="same"))
    return net


def test_patches_of_a_convolution_need_few_inputs() -> None:
    lowered = lowered_of(image_network())
    machine = load_machine("ideal", rows=128, columns=256)
    plan = plan_network(lowered, machine, convolution="unrolled", share=False)
    check_plan(plan, lowered)
    # 128 weights in a row are 16 maps at 8 places: 2 x 4, which see 4 x 6 places of 8 maps, 192 rows but at the border.
    assert 0.9 * 2 * (16 * 16 // 8) < len(plan.blocks) < 2 * (16 * 16 // 8)
    kept = plan_network(lowered, machine, convolution="stationary", replicate=4)
    assert [m.passes for m in kept.matrices] == [256]
    assert (kept.matrices[0].rows, kept.matrices[0].columns, len(kept.blocks)) == (72, 16, 4)
    assert kept.blocks.replica.tolist() == [0, 1, 2, 3]


def test_auto_takes_fewer_reads_and_what_fits() -> None:
    lowered = lowered_of(image_network())
    one = {"rows": 128, "columns": 256, "arrays_per_core": 1, "cores_per_tile": 1}
    wide = load_machine("ideal", tiles=64, **one)
    assert plan_network(lowered, wide).matrices[0].passes == 1, "64 reads of 64 arrays are less than 256 of one"
    small = load_machine("ideal", tiles=8, **one)
    assert plan_network(lowered, small).matrices[0].passes == 256, "64 arrays do not fit the chip"
    full = plan_network(lowered, replace(small, chips=1), replicate="auto")
    assert full.replicas.tolist() == [8]
    assert full.arrays <= 8
    check_plan(full, lowered)


def egru(n=20, inputs=30):
    net = Network(name="gated")
    pre = net.population(EventSource(inputs, steps=[0], indices=[0], values=[0.5]), name="in")
    post = net.population(GRADED(), n, name="units")
    rng = np.random.default_rng(0)
    for port in ("a", "g"):
        net.project(pre, post.port(port), Dense(rng.normal(size=(inputs, n))))
        net.project(post, post.port(port), Dense(rng.normal(size=(n, n))))
    return net


def test_gates_are_stacked_in_one_matrix() -> None:
    lowered = lowered_of(egru())
    plan = plan_network(lowered, load_machine("ideal"))
    (matrix,) = plan.matrices
    assert (matrix.rows, matrix.columns, matrix.sources, matrix.projections) == (50, 40, (0, 1), (0, 1, 2, 3))
    assert len(plan.blocks) == plan.arrays == 1
    check_plan(plan, lowered)


@neuron
class Mixed:
    """Ports in three units."""

    i, j, u, n = Port(unit=nA), Port(unit=nA), Port(unit=mV), Port(dtype=int)
    v, c = State(0 * mV), State(0, dtype=int)

    v.next = v + u + (i + j) * (1 * Mohm)
    c.next = c + n
    spike = Event(when=v > 1 * mV)


def test_ports_of_one_unit_share_cells_of_one_scale() -> None:
    net = Network()
    pre = net.population(EventSource(3, steps=[0], indices=[0]), name="pre")
    post = net.population(Mixed(), 2, name="post")
    for port, weight in (("i", 1 * nA), ("u", 1 * mV), ("n", 5), ("j", 2 * nA)):
        net.project(pre, post.port(port), Dense(np.ones((3, 2), int)), weight=weight)
    lowered = lowered_of(net)
    plan = plan_network(lowered, load_machine("isaac"))
    check_plan(plan, lowered)
    held = [(m.projections, m.rows, m.columns, m.whole, m.largest) for m in plan.matrices]
    assert held == [
        ((0, 3), 3, 4, False, pytest.approx(2e-9)),
        ((1,), 3, 2, False, pytest.approx(1e-3)),
        ((2,), 3, 2, True, 5.0),
    ]


def test_what_would_come_before_its_turn_gets_rows_of_its_own() -> None:
    net = Network()
    a = net.population(EventSource(3, steps=[0], indices=[0]), name="a")
    b = net.population(EventSource(4, steps=[0], indices=[0]), name="b")
    post = net.population(Cell(), 2, name="post")
    for pre in (a, b, a):
        net.project(pre, post.x, Dense(np.ones((pre.size, 2))))
    lowered = lowered_of(net)
    plan = plan_network(lowered, load_machine("ideal"))
    assert [m.sources for m in plan.matrices] == [(0, 1, 0)]
    check_plan(plan, lowered)


@pytest.mark.parametrize(("machine", "rows"), [("ideal", 2), ("isaac", 1)])
def test_several_synapses_between_two_neurons(machine, rows) -> None:
    net = Network()
    pre = net.population(EventSource(1, steps=[0], indices=[0]), name="pre")
    post = net.population(Cell(), 2, name="post")
    net.project(pre, post.x, Sparse(([0, 0, 0], [1, 1, 0], [0.1, 0.2, 0.3])))
    lowered = lowered_of(net)
    plan = plan_network(lowered, load_machine(machine))
    (matrix,) = plan.matrices
    assert matrix.rows == rows
    assert matrix.dense().sum(0).tolist() == pytest.approx([0.3, 0.3])
    check_plan(plan, lowered)


def test_delays_and_scales_are_driven_apart() -> None:
    net = Network()
    pre = net.population(EventSource(6, steps=[0], indices=[0]), name="pre")
    post = net.population(Cell(), 6, name="post")
    net.project(pre, post.x, OneToOne(), weight=1.0, delay=np.array([1, 2, 2, 3, 3, 3]))
    net.project(pre, post.x, OneToOne(), weight=2.0, delay=2)
    lowered = lowered_of(net, weights="int8")
    plan = plan_network(lowered, load_machine("ideal"))
    check_plan(plan, lowered)
    assert sorted((m.delay, round(m.scale, 9), m.weights) for m in plan.matrices) == [
        (1, 1.0, 1), (2, 1.0, 2), (2, 2.0, 6), (3, 1.0, 3)
    ]  # fmt: skip


def test_empty_blocks_are_skipped() -> None:
    net = Network()
    pre = net.population(EventSource(640, steps=[0], indices=[0]), name="pre")
    post = net.population(Cell(), 640, name="post")
    net.project(pre, post.x, OneToOne(), weight=1.0)
    lowered = lowered_of(net)
    plan = plan_network(lowered, load_machine("ideal", rows=64, columns=128), share=False)
    assert len(plan.blocks) == 10
    check_plan(plan, lowered)


def sparse_network(n, chance):
    net = Network(name="sparse")
    pre = net.population(EventSource(n, steps=[0], indices=[0]), name="pre")
    post = net.population(Cell(), n, name="post")
    net.project(pre, post.x, FixedProbability(chance), weight=1.0)
    return net


def test_a_sparse_projection_takes_only_rows_that_it_needs() -> None:
    lowered = lowered_of(sparse_network(10_000, 0.01))
    plan = plan_network(lowered, load_machine("isaac"))
    everything = 79 * 625  # arrays of all 10,000 rows and 16 weights in a row
    assert plan.arrays < 0.17 * everything, "a row has a synapse in 16 columns with a chance of 0.149"
    assert len(plan.blocks.listed) < 1.1 * lowered.projections[0].count
    assert plan.utilisation.mean() > 0.9
    assert sum(np.count_nonzero(plan.matrices[0].dense(b.rows, b.columns)) for b in plan.blocks[:40]) > 40


def test_a_full_tile_grid_copies_no_weights() -> None:
    net = Network()
    pre = net.population(EventSource(4096, steps=[0], indices=[0]), name="pre")
    post = net.population(Cell(), 2048, name="post")
    net.project(pre, post.x, Dense(np.ones((4096, 2048), np.float32)))
    lowered = lowered_of(net)
    plan = plan_network(lowered, load_machine("m1076"), rates={"pre": 0.1})
    assert (plan.arrays, plan.chips, plan.utilisation.tolist()) == (8, 1, [1.0] * 8)
    (part,) = plan.matrices[0].parts
    assert np.shares_memory(part.weights, lowered.projections[0].weights)
    assert len(plan.blocks.listed) == 4096 + 2048, "lists of rows and columns are shared"


def test_columns_that_the_same_rows_feed_come_together() -> None:
    net = Network()
    pre = net.population(EventSource(900, steps=[0], indices=[0]), (30, 30), name="pre")
    post = net.population(Cell(), (30, 30), name="post")
    net.project(pre, post.x, DistanceDependent(Gaussian(0.9, 2.0), cutoff=4.0), weight=1.0)
    lowered = lowered_of(net)
    plan = plan_network(lowered, load_machine("isaac"), share=False)
    check_plan(plan, lowered)
    # 16 columns of a 4 x 4 patch see 11 x 11 places at most, of a strip of 1 x 16 up to 8 x 23.
    assert plan.blocks.heights.sum() < 0.75 * sum(
        len(np.unique(lowered.projections[0].targets[a:b] // 16))
        for a, b in pairwise(lowered.projections[0].row_ptr.tolist())
    )


def test_a_network_that_does_not_fit_is_refused_with_numbers() -> None:
    lowered = lowered_of(egru(400, 300))
    machine = load_machine("isaac", tiles=1, mesh=(1, 1), chips=2)
    with pytest.raises(MappingError, match="2 chip") as caught:
        plan_network(lowered, machine)
    assert caught.value.available == 2 * machine.arrays
    assert caught.value.arrays > caught.value.available
    plan = plan_network(lowered, replace(machine, chips=caught.value.chips))
    assert plan.chips == caught.value.chips
    check_plan(plan, lowered)


def test_wrong_rates_and_events_are_refused() -> None:
    lowered = lowered_of(egru())
    machine = load_machine("ideal")
    for rates in ({"in": -0.1}, {"in": np.ones(7)}, {"units": np.nan}, {"nobody": 1.0}):
        with pytest.raises(MappingError, match="rates of population"):
            plan_network(lowered, machine, rates=rates)
    for events in ({"nobody": ([0], [0])}, {"in": ([0], [30])}, {"in": ([0, 1], [3])}, {"in": ([-1], [3])}):
        with pytest.raises(MappingError, match="events of population"):
            plan_network(lowered, machine, events=events)
    for option in ({"order": "best"}, {"convolution": 1}, {"share": "tight"}, {"share": 1}, {"replicate": 0}):
        with pytest.raises(MappingError, match=f"{next(iter(option))} is"):
            plan_network(lowered, machine, **option)
    with pytest.raises(MappingError, match="regions"):
        plan_network(lowered, machine, rules=Rules(regions=((0, 200), (100, 300))))


@st.composite
def rectangles(draw):
    n = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    most = draw(st.sampled_from([(7, 10), (3, 3), (7, 2)]))
    return rng.integers(1, most[0] + 1, n), rng.integers(1, most[1] + 1, n)


@settings(max_examples=100, deadline=None)
@given(rectangles(), st.sampled_from(["none", "halves"]))
def test_rectangles_are_packed_without_overlap(sizes, name) -> None:
    heights, widths = sizes
    machine, rules = MACHINES["ideal"], RULES[name]
    widths = np.minimum(widths, machine.columns - rules.reserved_columns)
    owner = np.zeros(len(heights), np.int32)
    lists = np.arange(len(heights), dtype=np.int32)
    found = {"alone": alone(heights, widths, machine, rules), "side": side_by_side(heights, widths, machine, rules)}
    if len(heights):
        found["turns"] = in_turns(heights, widths, owner, lists, machine, rules)
        assert found["turns"].arrays <= found["alone"].arrays
    for packing in found.values():
        used = np.zeros((packing.arrays, machine.rows, machine.columns), int)
        rows = np.zeros((packing.arrays, 1 + int(packing.turn.max(initial=0)), machine.rows), int)
        for k, (h, w) in enumerate(zip(heights, widths, strict=True)):
            top, left = packing.row_first[k], packing.column_first[k]
            assert top + h <= machine.rows
            assert rules.reserved_columns <= left <= machine.columns - w
            used[packing.array[k], top : top + h, left : left + w] += 1
            rows[packing.array[k], packing.turn[k], top : top + h] += 1
            if rules.regions and h <= 4:
                assert any(a <= top and top + h <= a + n for a, n in rules.regions)
        assert used.max(initial=0) <= 1
        assert rows.max(initial=0) <= 1


def test_small_blocks_stand_side_by_side_and_tight_ones_take_turns() -> None:
    net = Network()
    pre = net.population(EventSource(40, steps=[0], indices=[0]), name="pre")
    for k in range(4):
        post = net.population(Cell(), 30, name=f"post{k}")
        net.project(pre, post.x, Dense(np.ones((40, 30))))
    lowered = lowered_of(net)
    machine = load_machine("ideal", rows=80, columns=120)  # 60 weights in a row
    loose = plan_network(lowered, machine, share=True)
    assert (loose.arrays, loose.turns.tolist()) == (2, [1, 1])
    tight = plan_network(lowered, machine, share="turns")
    assert tight.arrays == 1
    assert tight.turns.tolist() == [2], "two diagonals"
    one = replace(machine, tiles=1, mesh=(1, 1), arrays_per_core=1, cores_per_tile=1)
    assert plan_network(lowered, one).chips == 1, "in turns, as that saves a chip"
    assert plan_network(lowered, replace(machine, tiles=4, arrays_per_core=1)).arrays == 2
    for plan in (loose, tight):
        check_plan(plan, lowered)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 0.99), min_size=1, max_size=6), st.integers(1, 3))
def test_by_rate_is_the_best_order_of_independent_rows(rate, height) -> None:
    rates = np.array(rate)

    def silent(slot):
        return sum(np.prod(1 - rates[slot // height == g]) for g in range(-(-len(rates) // height)))

    best = max(silent(np.array(order)) for order in permutations(range(len(rates))))
    assert silent(by_rate(rates)) == pytest.approx(best)


def clustered_events(rng, n, clusters, steps):
    """Events of neurons of which those of a cluster fire in common steps."""
    member = rng.permutation(np.arange(n) % clusters)
    step, row = np.nonzero((rng.random((steps, clusters)) < 0.05)[:, member] & (rng.random((steps, n)) < 0.4))
    return step.astype(np.int64), row.astype(np.int32)


def groups_touched(slot, step, row, height):
    return len(np.unique(step * 10_000 + slot[row] // height))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(64, 4, 16), (60, 5, 16), (100, 10, 32)]))
def test_rows_of_common_steps_come_together(seed, sizes) -> None:
    n, clusters, height = sizes
    step, row = clustered_events(np.random.default_rng(seed), n, clusters, 200)
    given_order = np.arange(n, dtype=np.int32)
    slot = by_events(given_order, step, (np.arange(len(row) + 1), row), height, seed)
    assert len(np.unique(slot)) == n
    assert slot.max() < height * -(-n // height)
    assert groups_touched(slot, step, row, height) < 0.75 * groups_touched(given_order, step, row, height)


def test_the_share_of_silent_blocks_is_counted_exactly() -> None:
    net = egru(40, 60)
    lowered = lowered_of(net)
    machine = load_machine("ideal", rows=16, columns=32)
    events = events_of(lowered, 3, steps=50, chance=0.03)
    rates = {"in": 0.02, "units": np.linspace(0, 0.1, 40)}
    names = [p.name for p in lowered.populations]
    for options in ({"events": events}, {"rates": rates}):
        plan = plan_network(lowered, machine, **options)
        blocks = list(plan.blocks)
        silent = []
        for block in blocks:
            matrix = plan.matrices[block.matrix]
            lines = matrix.row_line[block.rows]
            sources = np.searchsorted(matrix.source_first, lines, side="right") - 1
            who = [
                (names[matrix.sources[k]], line - matrix.source_first[k])
                for k, line in zip(sources, lines, strict=True)
            ]
            if "rates" in options:
                chance = [np.broadcast_to(rates[name], 60)[n] if name == "in" else rates[name][n] for name, n in who]
                silent.append(np.prod(1 - np.array(chance)))
            else:
                quiet = np.ones(50, bool)
                for name, n in who:
                    quiet[events[name][0][events[name][1] == n]] = False
                silent.append(quiet.mean())
        assert plan.activity.planned == pytest.approx(np.mean(silent))
        assert plan.activity.planned >= plan.activity.given
    everything = [np.ones(matrix.lines) for matrix in plan.matrices]
    assert silent_share(plan.blocks, plan.matrices, names, everything) == 0.0


def test_tiles_that_talk_are_neighbours() -> None:
    lowered = lowered_of(egru(256, 64))
    machine = load_machine("isaac", arrays_per_core=2, cores_per_tile=1)
    plan = plan_network(lowered, machine, rates={"in": 0.05, "units": 0.1})
    check_plan(plan, lowered)
    assert plan.hops[1] < 0.9 * plan.hops[0]
    on_two = plan_network(lowered, replace(machine, tiles=30, mesh=(6, 5)), rates={"in": 0.05})
    assert on_two.chips == 2
    check_plan(on_two, lowered)


def test_rows_keep_their_order_when_asked() -> None:
    lowered = lowered_of(egru(40, 60))
    machine = load_machine("ideal", rows=16, columns=32)
    plan = plan_network(lowered, machine, rates={"in": np.linspace(0, 1, 60)}, order="given")
    assert all((np.diff(block.rows) > 0).all() for block in plan.blocks)
    assert plan.activity.given == plan.activity.planned


def tampered(plan, **changes):
    return replace(plan, blocks=replace(plan.blocks, **changes))


def test_the_checker_refutes() -> None:
    net = egru(40, 60)
    lowered = lowered_of(net)
    machine = load_machine("ideal", rows=32, columns=64, arrays_per_core=2, cores_per_tile=1, tiles=4, mesh=(2, 2))
    plan = plan_network(lowered, machine, rates={"in": 0.1})
    check_plan(plan, lowered)
    blocks = plan.blocks
    wrong = {
        "covers rows": tampered(plan, row_first=blocks.row_first + machine.rows),
        "overlaps": tampered(plan, array=np.zeros_like(blocks.array)),
        "weights lie in arrays": tampered(plan, row_list=np.full_like(blocks.row_list, blocks.row_list[0])),
        "has copies": tampered(plan, replica=blocks.replica + 1),
        "is in no array": replace(plan, arrays=0, tile_of_array=plan.tile_of_array[:0]),
        "holds nothing": replace(plan, arrays=plan.arrays + 1, tile_of_array=np.append(plan.tile_of_array, 7)),
        "a tile each": replace(plan, tile_of_array=plan.tile_of_array[1:]),
        "tile 0 has 2 arrays": replace(plan, tile_of_array=np.zeros_like(plan.tile_of_array)),
        "there are 1": replace(plan, machine=replace(machine, chips=1), chips=2),
        "reserved": replace(plan, rules=Rules(reserved_columns=5)),
        "crosses": replace(plan, rules=Rules(regions=((0, 3), (3, 29)))),
        "twice": tampered(plan, listed=np.zeros_like(blocks.listed)),
    }
    for message, made in wrong.items():
        with pytest.raises(MappingError, match=message):
            check_plan(made, lowered)
    other = lowered_of(egru(40, 60))
    kernel = other.projections[0]
    weights = kernel.weights.copy()
    weights[7] += 1
    changed = replace(other, projections=(replace(kernel, weights=weights), *other.projections[1:]))
    with pytest.raises(MappingError, match="first that differs"):
        check_plan(plan, changed)


def test_the_checker_refutes_reads_that_disturb_each_other() -> None:
    net = Network()
    pre = net.population(EventSource(10, steps=[0], indices=[0]), name="pre")
    for k in range(3):
        post = net.population(Cell(), 10, name=f"post{k}")
        net.project(pre, post.x, Dense(np.ones((10, 10))))
    lowered = lowered_of(net)
    plan = plan_network(lowered, load_machine("ideal", rows=20, columns=40), share="turns")
    assert plan.turns.tolist() == [2]
    with pytest.raises(MappingError, match="read together"):
        check_plan(tampered(plan, turn=np.zeros_like(plan.blocks.turn)), lowered)
    with pytest.raises(MappingError, match="share columns"):
        check_plan(replace(plan, rules=Rules(columns_once=True)), lowered)


def test_a_line_of_channels_is_a_convolution_too() -> None:
    net = Network()
    pre = net.population(EventSource(2 * 12, steps=[0], indices=[0]), (2, 12), name="pre")
    post = net.population(Cell(), (3, 10), name="post")
    net.project(pre, post.x, Conv1D(np.random.default_rng(0).normal(size=(3, 2, 3))))
    lowered = lowered_of(net)
    for how in ("stationary", "unrolled"):
        check_plan(plan_network(lowered, MACHINES["sliced"], convolution=how), lowered)


def test_multapses_between_few_neurons_take_rows_that_are_driven_in_order() -> None:
    net = Network(seed=4)
    pre = net.population(EventSource(5, steps=[0], indices=[0]), name="pre")
    post = net.population(Cell(), 3, name="post")
    net.project(pre, post.x, FixedOutDegree(7, multapses=True), weight=0.1)
    lowered = lowered_of(net)
    plan = plan_network(lowered, MACHINES["ideal"])
    (matrix,) = plan.matrices
    assert matrix.entry_ptr is not None
    assert (np.diff(matrix.entry_ptr) >= 3).all(), "7 synapses on 3 neurons: one of them has 3 at least"
    check_plan(plan, lowered)


def test_the_benchmark_counts_reads_in_steps_that_the_planner_has_not_seen(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import crossbar_placement

    rows = crossbar_placement.measure("braille, LIF", 20)
    assert [row.rows for row in rows] == [16, 32]
    assert all(row.silent["events"] > row.silent["random"] > 0 for row in rows)
    told = {"machine": {"processor": "one", "date": "today"}, "rows": [asdict(row) for row in rows], "scale": []}
    assert f"{rows[1].silent['events']:.1%}" in crossbar_placement.page(told)
