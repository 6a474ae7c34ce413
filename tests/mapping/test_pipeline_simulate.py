"""Times of a pipeline: the compiled evaluation against a walk over every stage and cycle, and cases told by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import groupby, pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import MappingError
from neuromorph.mapping.pipeline.deadlock import DeadlockError
from neuromorph.mapping.pipeline.depths import smallest_depths
from neuromorph.mapping.pipeline.graph import Fifo, Loop, Run, Stage, StageGraph
from neuromorph.mapping.pipeline.simulate import closed, draining, restarts, rooms, simulate
from neuromorph.mapping.pipeline.starts import with_starts
from neuromorph.mapping.pipeline.stepwise import solve, walk
from neuromorph.mapping.pipeline.timing import Rules, Timing, pace
from neuromorph.mapping.pipeline.transformer import published


def drawn(rng: Random) -> StageGraph:
    """A graph with forks, joins, loops that begin with tokens or without, and patterns of any kind."""
    count, repeats = rng.randint(1, 5), rng.randint(1, 2)
    fifos: list[Fifo] = []
    tokens: dict[str, int] = {}
    ends: list[tuple[list[str], list[str]]] = [([], []) for _ in range(count)]
    for k in range(rng.randint(count, 2 * count + 2)):
        name = f"f{k}"
        writer, reader = (rng.randint(0, count - 1) for _ in range(2))
        if k < count - 1:
            writer, reader = k, k + 1
        elif rng.random() < 0.25:
            writer = -1
        elif rng.random() < 0.25:
            reader = -1
        elif writer > reader and rng.random() < 0.7:
            writer, reader = reader, writer
        if writer >= 0:
            ends[writer][1].append(name)
        if reader >= 0:
            ends[reader][0].append(name)
        each = rng.randint(1, 5)
        tokens[name] = each
        grain = rng.choice([1, 1, 1, each, each * repeats]) if writer >= 0 and reader >= 0 else 1
        depth = grain * rng.randint(1, 2) + rng.choice([0, 0, 1, 3])
        back = writer >= reader >= 0
        initial = depth // grain * grain if back and rng.random() < 0.8 else 0
        fifos.append(Fifo(name, depth, 8, initial, grain))
    stages = [
        _stage(rng, f"s{k}", inputs, outputs, tokens, repeats)
        for k, (inputs, outputs) in enumerate(ends)
        if inputs or outputs
    ]
    return StageGraph("drawn", tuple(stages), tuple(fifos))


def _stage(
    rng: Random, name: str, inputs: list[str], outputs: list[str], tokens: dict[str, int], repeats: int
) -> Stage:
    length = max(tokens[f] for f in (*inputs, *outputs)) + rng.randint(0, 4)
    reads = [set(rng.sample(range(length), tokens[f])) for f in inputs]
    writes = [set(rng.sample(range(length), tokens[f])) for f in outputs]
    told = [
        (tuple(p for p, at in enumerate(reads) if k in at), tuple(p for p, at in enumerate(writes) if k in at))
        for k in range(length)
    ]
    cuts = sorted({0, length, *(rng.randint(0, length) for _ in range(rng.randint(0, 2)))})
    loops = tuple(
        Loop(
            tuple(Run(len(list(same)), *key) for key, same in groupby(told[first:last])),
            repeats,
            rng.choice([1, 1, 2, 3, 6]),
            rng.choice([1, 1, 1, 2, 3]),
        )
        for first, last in pairwise(cuts)
    )
    return Stage(name, "test", loops, tuple(inputs), tuple(outputs), block=rng.choice("ab"))


@settings(max_examples=80, deadline=None)
@given(
    rng=st.randoms(use_true_random=False),
    items=st.integers(1, 4),
    rules=st.builds(
        Rules,
        st.integers(0, 2),
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from(["rigid", "continuous", "ideal"]),
    ),
)
def test_equals_walk(rng: Random, items: int, rules: Rules) -> None:
    """Every number is the walk's: times, waits, peaks; or both are stuck, with the same tokens in the FIFOs."""
    graph = drawn(rng)
    whole = closed(graph)
    restart = restarts(whole, rules)
    if rules.pipelines == "ideal":
        walked = solve(whole, rooms(whole, rules), items, restart=restart)
    else:
        walked = walk(whole, rooms(whole, rules), items, restart=restart, drains=draining(whole, rules))
    if walked.stuck:
        with pytest.raises(DeadlockError) as caught:
            simulate(graph, items, rules)
        cycle = caught.value.cycle
        for wait, following in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert wait.other == following.stage
            assert wait.fill == walked.fill[wait.fifo]
        return
    timing = simulate(graph, items, rules)
    names = [stage.name for stage in graph.stages]
    for ours, theirs in (
        (timing.start, walked.start),
        (timing.end, walked.end),
        (timing.waiting, walked.waiting),
        (timing.held, walked.held),
    ):
        assert ours.tolist() == [theirs[name] for name in names]
    for ours, counted in (
        (timing.peak, walked.peak),
        (timing.writer_blocked, walked.writer_blocked),
        (timing.reader_waited, walked.reader_waited),
    ):
        assert ours.tolist() == [counted[fifo.name] for fifo in graph.fifos]
    if graph.inputs:
        for item in range(items):
            assert timing.first_in[item] == min(walked.start[f"source of {name}"][item] for name in graph.inputs)
            assert timing.last_in[item] == max(walked.end[f"source of {name}"][item] for name in graph.inputs)


def chain(*depths: int, count: int = 20, grain: int = 1, depth: int = 2) -> StageGraph:
    """Stages behind one another that pass on every token, with pipelines of these depths."""
    stages = [
        Stage(f"s{k}", "pass", (Loop((Run(count, (0,), (0,)),), 1, long),), (f"f{k}",), (f"f{k + 1}",))
        for k, long in enumerate(depths)
    ]
    inner = range(1, len(depths))
    fifos = [Fifo(f"f{k}", depth, 8, grain=grain if k in inner else 1) for k in range(len(depths) + 1)]
    return StageGraph("chain", tuple(stages), tuple(fifos))


def test_chain_by_hand() -> None:
    """A token is a cycle in each FIFO, and the cycles of each pipeline; items follow without a gap, or with one."""
    timing = simulate(chain(3, 4))
    assert timing.first_out.tolist() == [1 + 2 + 1 + 3, 27, 47]
    assert (timing.interval, timing.latency[0]) == (20, 26)
    assert simulate(chain(3, 4), rules=Rules(restart=1)).interval == 21
    assert timing.peaks == {"f0": 1, "f1": 1, "f2": 1}


def test_hand_over() -> None:
    """A buffer that is handed over whole makes its reader wait for all of it; with two halves both stages go on."""
    single, double = (simulate(chain(1, 1, grain=20, depth=20 * halves), 4) for halves in (1, 2))
    assert double.first_out[0] == single.first_out[0] == 1 + 19 + 1
    assert (double.interval, single.interval) == (20, 40)
    assert (double.peaks["f1"], single.peaks["f1"]) == (20, 20)  # one half fills as the other is emptied
    with pytest.raises(MappingError, match="multiples"):
        simulate(chain(1, 1, grain=3, depth=6))


def recurrent(initial: int) -> StageGraph:
    """One stage that reads what it wrote an item earlier."""
    stage = Stage("cell", "cell", (Loop((Run(4, (0, 1), (0, 1)),), 1, 8),), ("in", "state"), ("out", "state"))
    return StageGraph("loop", (stage,), (Fifo("in", 2, 8), Fifo("out", 2, 8), Fifo("state", 4, 8, initial)))


def test_loop_with_initial_tokens() -> None:
    """The state comes back a pipeline and a cycle later; without the first nothing comes."""
    timing = simulate(recurrent(4), 3, Rules(restart=1))
    assert timing.interval == 8
    with pytest.raises(DeadlockError, match="put initial tokens") as caught:
        simulate(recurrent(0))
    assert [(wait.stage, wait.wants, wait.fifo) for wait in caught.value.cycle] == [("cell", "token", "state")]
    assert caught.value.full == ()


def test_deadlock_is_named() -> None:
    """A join that wants all of one branch first, while the other is too shallow: both are named, and the depth."""
    stages = (
        Stage("fork", "copy", (Loop((Run(9, (0,), (0, 1)),)),), ("in",), ("left", "right")),
        Stage("join", "join", (Loop((Run(9, (0,)), Run(9, (1,), (0,)))),), ("left", "right"), ("out",)),
    )
    graph = StageGraph("y", stages, tuple(Fifo(name, 2, 8) for name in ("in", "left", "right", "out")))
    with pytest.raises(DeadlockError, match="raise the depth of 'right'") as caught:
        simulate(graph)
    told = {(wait.stage, wait.wants, wait.fifo, wait.fill, wait.room) for wait in caught.value.cycle}
    assert told == {("fork", "room", "right", 4, 4), ("join", "token", "left", 0, 4)}
    assert caught.value.full == ("right",)
    deep = graph.with_depths({"right": 7})
    assert simulate(deep).interval == 18


def test_retime_is_a_new_run() -> None:
    """Other depths give what a run of the changed graph gives, and the run before stays as it was."""
    graph = StageGraph(
        "burst",
        (
            Stage("a", "a", (Loop((Run(8, (0,), (0,)), Run(8)), 3),), ("in",), ("mid",)),
            Stage("b", "b", (Loop((Run(1, (0,), (0,)), Run(1)), 24),), ("mid",), ("out",)),
        ),
        tuple(Fifo(name, 1, 8) for name in ("in", "mid", "out")),
    )
    first = simulate(graph, 2, Rules(slots=0))
    again, anew = first.retime({"mid": 5}), simulate(graph.with_depths({"mid": 5}), 2, Rules(slots=0))
    assert first.writer_blocked[1] > again.writer_blocked[1]
    for name in ("last_out", "start", "end", "waiting", "held", "peak", "writer_blocked", "reader_waited"):
        assert np.array_equal(getattr(again, name), getattr(anew, name)), name
    assert again.graph.fifo["mid"].depth == 5
    with pytest.raises(MappingError, match="no FIFO 'middle'"):
        first.retime({"middle": 5})


@settings(max_examples=60, deadline=None)
@given(
    rng=st.randoms(use_true_random=False),
    rules=st.builds(
        Rules, st.integers(0, 2), st.just(0), st.just(0), st.sampled_from(["rigid", "continuous", "ideal"])
    ),
)
def test_retime_with_any_depths_is_a_new_run(rng: Random, rules: Rules) -> None:
    """Also where it sees that no time can change, and does nothing."""
    graph = drawn(rng)
    timing = outcome(lambda: simulate(graph, 3, rules))
    for _ in range(4 if timing else 0):
        fifo = rng.choice(graph.fifos)
        about = timing.peaks[fifo.name] + rng.randint(-2, 2)
        depths = {fifo.name: max(about, fifo.grain, fifo.initial, 1)}
        again = outcome(lambda: timing.retime(depths))  # noqa: B023
        anew = outcome(lambda: simulate(graph.with_depths(depths), 3, rules))  # noqa: B023
        assert (again is None) == (anew is None), depths
        if again and anew:
            assert again.graph.fifo == anew.graph.fifo
            for name in ("last_out", "start", "end", "waiting", "held", "peak", "writer_blocked", "reader_waited"):
                assert np.array_equal(getattr(again, name), getattr(anew, name)), (name, depths)


def outcome(run: Callable[[], Timing]) -> Timing | None:
    """A run, or None if it comes to a stand."""
    try:
        return run()
    except DeadlockError:
        return None


def test_retime_that_changes_nothing_costs_nothing() -> None:
    """A FIFO that was never full, and would not be: nothing is evaluated again."""
    timing = simulate(chain(1, 1, depth=9), rules=Rules(slots=0))
    assert timing.retime({"f1": 2}).end is timing.end
    assert timing.retime({"f1": 1}).end is not timing.end


def test_every_cycle_is_accounted_for() -> None:
    """From the last entering of an item to that of the next: work, restart, waits for tokens and for room."""
    timing = simulate(chain(5, 1, 9), 5, Rules(restart=2, slots=0))
    entered = timing.end[1]  # of depth 1: the last token leaves as it enters
    spent = timing.waiting[1] + timing.held[1] + timing.busy[1] + 2
    assert np.array_equal(np.diff(entered), spent[1:])


@pytest.mark.parametrize("wrong", [{"slots": -1}, {"block_slots": -1}, {"restart": -1}, {"pipelines": "elastic"}])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    """Out of range: told before anything runs."""
    with pytest.raises(MappingError, match="at least 0, and pipelines one of rigid, continuous, ideal"):
        Rules(**wrong)
    with pytest.raises(MappingError, match="0 items; at least 1"):
        simulate(chain(1), 0)
    with pytest.raises(MappingError, match="at least 2 items"):
        _ = simulate(chain(1), 1).interval


@pytest.fixture(scope="module")
def published_graph() -> StageGraph:
    """DeiT-tiny on VCK190 as it was published."""
    design, parallel, depths = published("deit-tiny-vck190")
    return design.graph(parallel, depths)


@pytest.mark.parametrize(
    ("block", "interval"), [("attn0", 57_625), ("mlp0", 56_449), ("patch_embed", 56_449), ("head", 48_001)]
)
def test_blocks_alone_as_their_rtl(published_graph: StageGraph, block: str, interval: int) -> None:
    """Intervals of the published blocks, each alone, are those of their RTL, which has one restart cycle."""
    assert simulate(published_graph.part(block), 2, Rules(restart=1)).interval == interval


def of_heads(name: str, depth: int) -> dict[str, int]:
    """That depth for a FIFO of the first attention, in all heads."""
    return {f"attn0.{name.format(head)}": depth for head in (1, 2, 3)}


@pytest.fixture(scope="module")
def one_attention(published_graph: StageGraph) -> Timing:
    """An attention of ideal pipelines whose Q and residual FIFOs hold just what an image has."""
    held = of_heads("q.head{}", 6_272) | {"attn0.residual": 9_408}
    return simulate(published_graph.part("attn0").with_depths(held), 2, Rules(0, 0, 0, "ideal"))


@pytest.mark.parametrize(
    ("name", "depth", "interval", "tolerance"),
    [
        ("qk.head{}", 2, 77_720, 0),
        ("k.head{}.regrouped", 2, 108_829, 0),
        ("rv.head{}", 2, 101_724, 0),
        ("residual", 9_000, 60_091, 1e-3),
    ],
)
def test_depths_of_one_attention(one_attention: Timing, name: str, depth: int, interval: int, tolerance: float) -> None:
    """What too shallow FIFOs cost is what an independent simulator says, which counts a FIFO's places differently."""
    assert one_attention.interval == 57_624
    assert one_attention.retime(of_heads(name, depth)).interval == pytest.approx(interval, rel=tolerance, abs=0)


def test_too_shallow_queries_are_named(one_attention: Timing) -> None:
    """K is complete only when all of Q has been written: less room for it than that is a deadlock."""
    with pytest.raises(DeadlockError, match=r"raise the depth of .*'attn0\.q\.head1'") as caught:
        one_attention.retime(of_heads("q.head{}", 6_000))
    assert "attn0.q.head1" in caught.value.full


def test_start_tokens() -> None:
    """With deep FIFOs a quick stage runs ahead of a slow one by as many items as it may."""
    stages = (
        Stage("quick", "pass", (Loop((Run(4, (0,), (0,)),)),), ("in",), ("mid",)),
        Stage("slow", "pass", (Loop((Run(1, (0,), (0,)), Run(9)), 4),), ("mid",), ("out",)),
    )
    graph = StageGraph("two", stages, (Fifo("in", 2, 8), Fifo("mid", 99, 8), Fifo("out", 2, 8)))
    assert simulate(graph, 6).end[0, -1] == 4 * 6
    for ahead in (1, 2):
        timing = simulate(with_starts(graph, [("quick", "slow")], ahead), 6)
        ended = timing.end[1] if ahead == 1 else timing.end[1][:-1]
        assert all(timing.start[0][ahead:] > ended[: 6 - ahead])
        assert timing.interval == (41 if ahead == 2 else 43)  # a token back, a cycle's work, a token on: 2 more
    with pytest.raises(MappingError, match="no stage 'slower'"):
        with_starts(graph, [("quick", "slower")])
    with pytest.raises(MappingError, match="at least 1"):
        with_starts(graph, [], 0)


def bursts() -> StageGraph:
    """Two items at a time around a loop, then two ways to one stage, of which one holds half an item back."""
    stages = (
        Stage("cell", "cell", (Loop((Run(20, (0, 1), (0, 1)),), 1, 100),), ("in", "state"), ("mid", "state")),
        Stage("copy", "copy", (Loop((Run(20, (0,), (0, 1)),)),), ("mid",), ("slow", "fast")),
        Stage("hold", "hold", (Loop((Run(10, (0,)), Run(10, (0,), (0,)), Run(10, (), (0,)))),), ("slow",), ("late",)),
        Stage("add", "add", (Loop((Run(20, (0, 1), (0,)),)),), ("late", "fast"), ("out",)),
    )
    fifos = (Fifo(name, 60, 8, initial=40 if name == "state" else 0) for name in ("in", "state", "mid", "out"))
    return StageGraph("bursts", stages, (*fifos, *(Fifo(name, 60, 8) for name in ("slow", "fast", "late"))))


def test_interval_of_items_that_come_in_bursts() -> None:
    """The mean over a burst, not the last distance; and whether the items were enough to see it."""
    found = {items: simulate(bursts(), items) for items in (3, 4, 6, 9)}
    assert np.diff(found[9].last_out).tolist() == [30, 70] * 4
    assert {items: (each.interval, each.settled) for items, each in found.items()} == {
        3: (70, False), 4: (50, False), 6: (50, True), 9: (50, True)
    }  # fmt: skip
    assert pace(np.array([0, 10, 20, 30, 50, 70, 90])) == (20, False), "slower in the end: not known for how long"
    assert pace(np.array([0, 30, 50, 60, 70, 80])) == (10, True)
    assert pace(np.array([0, 10, 17, 20])) == (5, False)
    assert pace(np.array([0, 10, 15, 18, 20])) == (2.5, False)


def test_smallest_depths_hold_for_more_items() -> None:
    """Three items of a burst show one distance, 70, that shallower FIFOs keep; the mean is what must be kept."""
    found = smallest_depths(bursts())
    assert found.interval == found.target == simulate(found.graph, 24).interval == 50
    timing = simulate(found.graph, 24)
    for name, depth in found.depths.items():
        if depth > max(1, found.graph.fifo[name].initial):
            with suppress(DeadlockError):
                assert timing.retime({name: depth - 1}).interval > 50, name
