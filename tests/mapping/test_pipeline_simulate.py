"""Times of a pipeline: the compiled evaluation against a walk over every stage and cycle, and cases told by hand."""

from __future__ import annotations

from itertools import groupby, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.mapping.pipeline.deadlock import DeadlockError
from neuromorph.mapping.pipeline.graph import Fifo, Loop, Run, Stage, StageGraph
from neuromorph.mapping.pipeline.simulate import closed, restarts, rooms, simulate
from neuromorph.mapping.pipeline.stepwise import solve, walk
from neuromorph.mapping.pipeline.timing import Rules


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


@settings(max_examples=120, deadline=None)
@given(
    rng=st.randoms(use_true_random=False),
    items=st.integers(1, 4),
    rules=st.builds(
        Rules, st.integers(0, 2), st.integers(0, 3), st.integers(0, 2), st.sampled_from(["rigid", "ideal"])
    ),
)
def test_equals_walk(rng: Random, items: int, rules: Rules) -> None:
    """Every number is the walk's: times, waits, peaks; or both are stuck, with the same tokens in the FIFOs."""
    graph = drawn(rng)
    whole = closed(graph)
    follow = solve if rules.pipelines == "ideal" else walk
    walked = follow(whole, rooms(whole, rules), items, restart=restarts(whole, rules))
    told = {
        "slots": rules.slots,
        "block_slots": rules.block_slots,
        "restart": rules.restart,
        "pipelines": rules.pipelines,
    }
    if walked.stuck:
        with pytest.raises(DeadlockError) as caught:
            simulate(graph, items, **told)
        cycle = caught.value.cycle
        for wait, following in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert wait.other == following.stage
            assert wait.fill == walked.fill[wait.fifo]
        return
    timing = simulate(graph, items, **told)
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
