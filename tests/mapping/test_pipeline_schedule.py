"""Grains of a pipeline: what FIFOs they have, what they cost, and how runs are shown."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.pipeline import comparison, figures, schedule, timeline
from neuromorph.mapping.pipeline.buffers import buffers
from neuromorph.mapping.pipeline.closed import closed_form
from neuromorph.mapping.pipeline.comparison import compare_schedules
from neuromorph.mapping.pipeline.deadlock import DeadlockError
from neuromorph.mapping.pipeline.design import Parallel
from neuromorph.mapping.pipeline.graph import Fifo, Loop, Memory, Run, Stage, StageGraph
from neuromorph.mapping.pipeline.report import report
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.timing import Rules, Timing
from neuromorph.mapping.pipeline.transformer import TransformerDesign, VisionTransformer

TOKENS = 30
ROW = (Memory("row", 10, 4),)


def through(name: str, read: str, *write: str, tokens: int = TOKENS, part_of: str = "") -> Stage:
    """A stage that passes tokens on, and keeps nothing."""
    run = Run(tokens, (0,), tuple(range(len(write))))
    return Stage(name, "pass", (Loop((run,)),), (read,), write, part_of, "block")


def whole(name: str, read: str, write: str, tokens: int = TOKENS) -> Stage:
    """A stage that reads all tokens before it writes the first."""
    loops = (Loop((Run(tokens, (0,)),)), Loop((Run(tokens, (), (0,)),)))
    return Stage(name, "keep", loops, (read,), (write,), name, "block", memories=(Memory("all", tokens, 4),))


def passed() -> StageGraph:
    """A residual connection around an operator that keeps everything: copy, whole, add."""
    add = Stage("add", "add", (Loop((Run(TOKENS, (0, 1), (0,)),)),), ("main", "skip"), ("out",), "residual", "block")
    return StageGraph(
        "passed",
        (
            replace(through("first", "in", "a"), memories=ROW),
            through("copy", "a", "b", "skip", part_of="residual"),
            whole("kept", "b", "main"),
            add,
            replace(through("last", "out", "end"), memories=ROW),
        ),
        (*(Fifo(name, 4, 8) for name in ("in", "a", "b", "main", "out", "end")), Fifo("skip", 100, 8)),
    )


@pytest.fixture(scope="module")
def small() -> StageGraph:
    """A vision transformer of two blocks."""
    shape = VisionTransformer("small", 8, 8, 2, 2, 16, 8, 4)
    design = TransformerDesign(shape, tile=2)
    parallel = {each.name: design.choices(each)[0] for each in design.operators}
    assert set(parallel.values()) == {Parallel(2, 1, 1), Parallel(1, 1, 1)}
    return design.graph(parallel)


@pytest.fixture(scope="module")
def run(small: StageGraph) -> Timing:
    return simulate(small, 4, record=[fifo.name for fifo in small.fifos])


# ------------------------------------------------------------------------------------------------------------ memory
def test_memory_is_counted_by_kind() -> None:
    stages = passed().stages
    tables = replace(stages[0], memories=(*ROW, Memory("w", 7, 3, kind="weights"), Memory("t", 16, 2, kind="table")))
    found = buffers(replace(passed(), stages=(tables, *stages[1:])))
    assert (found.streams, found.tensors) == (6 * 4 * 8 + 100 * 8, 0)
    assert (found.kept, found.weights, found.tables) == (2 * 40 + 4 * TOKENS, 21, 32)
    assert found.activations == found.streams + found.kept
    assert found.total == found.activations + 21 + 32
    with pytest.raises(MappingError, match="memory 'w' is of kind 'coffee'; expected one of weights, table"):
        buffers(
            replace(passed(), stages=(replace(stages[0], memories=(Memory("w", 1, 1, kind="coffee"),)), *stages[1:]))
        )


# ------------------------------------------------------------------------------------------------------------ coarse
def test_what_only_passes_tokens_on_belongs_to_the_operator_before_it() -> None:
    unit = schedule.units(passed())
    assert unit == {"first": "first", "copy": "first", "kept": "kept", "add": "kept", "last": "last"}
    assert list(schedule.operators(passed(), unit)) == ["first", "kept", "last"]


def test_coarse_buffers_hold_a_tensor_more_for_each_operator_that_they_skip() -> None:
    found = {fifo.name: (fifo.depth, fifo.grain) for fifo in schedule.coarse(passed()).fifos}
    assert found.pop("b") == found.pop("skip") == found.pop("out") == (2 * TOKENS, TOKENS)
    assert set(found.values()) == {(4, 1)}
    chain = [through(f"s{k}", f"f{k}", f"f{k + 1}") for k in range(4)]
    chain[0] = replace(chain[0], outputs=("f1", "skip"), loops=(Loop((Run(TOKENS, (0,), (0, 1)),)),))
    chain[3] = replace(chain[3], inputs=("f3", "skip"), loops=(Loop((Run(TOKENS, (0, 1), (0,)),)),))
    graph = StageGraph(
        "chain",
        tuple(replace(stage, memories=ROW) for stage in chain),
        tuple(Fifo(name, 8, 8) for name in ("f0", "f1", "f2", "f3", "f4", "skip")),
    )
    coarse = schedule.coarse(graph)
    assert coarse.fifo["skip"].depth == 4 * TOKENS
    timing = simulate(coarse, 6)
    assert timing.interval == TOKENS
    assert 4 * TOKENS <= timing.latency[0] <= schedule.one_by_one(coarse) <= 4 * TOKENS + 4 * 4
    for tensors in (2, 3):
        out = timing.retime({"skip": tensors * TOKENS}).last_out
        assert out[-1] - out[0] > 5 * TOKENS, f"{tensors} tensors slow it down"


def test_an_operator_on_both_sides_of_another_one_counts_twice() -> None:
    stages = tuple(replace(stage, memories=ROW) for stage in passed().stages)
    unit = schedule.units(replace(passed(), stages=stages))
    assert unit == {"first": "first", "copy": "residual", "kept": "kept", "add": "residual'", "last": "last"}


def test_operators_in_a_circle_are_named() -> None:
    def joined(name: str, part_of: str) -> Stage:
        return replace(through(name, f"to {name}", f"from {name}", part_of=part_of), memories=ROW)

    stages = [joined("a", "left"), joined("b", "right"), joined("c", "right"), joined("d", "left")]
    stages[1] = replace(stages[1], inputs=("from a",))
    stages[3] = replace(stages[3], inputs=("from c",))
    names = ("to a", "from a", "from b", "to c", "from c", "from d")
    graph = StageGraph("circle", tuple(stages), tuple(Fifo(name, 4, 8) for name in names))
    with pytest.raises(MappingError, match="cannot go operator by operator: left, right wait for one another"):
        schedule.coarse(graph)


def test_a_delay_stays_a_delay() -> None:
    step = Stage("step", "step", (Loop((Run(4, (0, 1), (0, 1)),)),), ("in", "state"), ("state", "out"), memories=ROW)
    graph = StageGraph("delay", (step,), (Fifo("in", 4, 8), Fifo("state", 4, 8, initial=4), Fifo("out", 4, 8)))
    for one in (schedule.coarse(graph), schedule.fine(graph)):
        assert one.fifo["state"] == graph.fifo["state"]
        assert simulate(one, 3).interval == 4


def test_a_coarse_transformer_lies_between_its_closed_forms(small: StageGraph) -> None:
    coarse = schedule.coarse(small)
    timing = simulate(coarse, 4)
    form = closed_form(small)
    assert timing.interval == form.interval
    derived = schedule.one_by_one(coarse)
    assert form.coarse <= timing.latency[0] <= derived
    handed_over = 4 * len(schedule.operators(small, schedule.units(small)))
    assert derived - timing.latency[0] <= handed_over, "a few cycles from operator to operator"
    assert simulate(coarse, 20).interval == form.interval, "no buffer of tensors is too small"


# -------------------------------------------------------------------------------------------------------------- fine
def test_fine_fifos_are_the_smallest_that_do_not_deadlock() -> None:
    found = schedule.fine(passed())
    depths = {fifo.name: fifo.depth for fifo in found.fifos}
    skip = depths.pop("skip")
    assert depths == {"in": 4, "end": 4, "a": 2, "b": 2, "main": 2, "out": 2}
    assert 2 < skip < TOKENS
    assert simulate(found, 3).interval >= TOKENS
    with pytest.raises(DeadlockError, match="'skip'"):
        simulate(found.with_depths({"skip": skip - 1}), 1)
    bare = schedule.fine(passed(), rules=Rules(slots=0))
    assert simulate(bare, 2, Rules(slots=0)).items == 2
    assert bare.fifo["skip"].depth > skip, "no register places help"


def test_fine_keeps_what_is_shallow_and_shares_depths(small: StageGraph) -> None:
    found = schedule.fine(small, 16)
    joined = [fifo for fifo in found.fifos if fifo.name in found.writer and fifo.name in found.reader]
    assert {fifo.grain for fifo in joined} == {1}
    raised = {fifo.name for fifo in joined if fifo.depth > min(16, max(2, small.fifo[fifo.name].depth))}
    assert raised <= {fifo.name for fifo in joined if "residual" in fifo.name or ".q." in fifo.name}
    assert found.fifo["attn0.q.head1"].depth == found.fifo["attn1.q.head2"].depth
    assert buffers(schedule.fine(small)).streams <= buffers(found).streams
    with pytest.raises(MappingError, match="depth 1; at least 2"):
        schedule.fine(small, 1)


# ------------------------------------------------------------------------------------------------------- comparison
def test_schedules_side_by_side(small: StageGraph) -> None:
    published = load_constants("hgpipe_deit_tiny_vck190")
    found = compare_schedules(small, 3, figures=published)
    fine, hybrid, coarse = (found[name] for name in ("fine", "hybrid", "coarse"))
    assert fine.memory.activations < min(hybrid.memory.activations, coarse.memory.activations)
    assert hybrid.memory.tensors == 0 < coarse.memory.tensors
    assert fine.interval >= hybrid.interval >= hybrid.closed_interval == coarse.interval
    assert hybrid.first < coarse.first
    assert found.saved == 1 - hybrid.memory.activations / coarse.memory.activations
    content = json.loads(json.dumps(found.to_dict()))
    assert [row["published"] for row in content["published"]["rows"][:2]] == [57624, 57625]
    assert all(each["rules"]["pipelines"] == "rigid" for each in content["schedules"])
    assert [each["name"] for each in content["schedules"]] == list(comparison.MEANING)
    text = str(found)
    assert all(meaning in text for meaning in comparison.MEANING.values())
    assert f"{-found.saved:+.1%}" in text
    assert "not reproduced" in text
    assert f"{hybrid.interval / 57625 - 1:+.2%}" in text
    assert "57,624" not in str(replace(found, published=None))
    with pytest.raises(MappingError, match="'medium' was not compared; there is hybrid, fine, fine 64, coarse"):
        found["medium"]
    with pytest.raises(MappingError, match="1 items; an interval needs at least 2"):
        compare_schedules(small, 1)


# ---------------------------------------------------------------------------------------------------------- timeline
def test_tracks_gather_stages(run: Timing) -> None:
    stages = timeline.tracks(run, "stage")
    assert stages.names == tuple(stage.name for stage in run.graph.stages)
    assert (stages.start == run.start).all()
    assert (stages.end[:, -1] == run.end[:, -1]).all()
    assert (stages.end[:, :-1] == np.minimum(run.end[:, :-1], run.start[:, 1:] - 1)).all(), "nothing in flight"
    assert not stages.lanes().any()
    operators, blocks = timeline.tracks(run, "operator"), timeline.tracks(run, "block")
    assert blocks.names == ("patch_embed", "attn0", "mlp0", "attn1", "mlp1", "head")
    of = np.array([blocks.names.index(stage.block) for stage in run.graph.stages])
    for k in range(len(blocks.names)):
        assert (blocks.start[k] == run.start[of == k].min(0)).all()
        assert (blocks.end[k] == run.end[of == k].max(0)).all()
    qk = operators.names.index("attn0.qk")
    assert operators.blocks[qk] == "attn0"
    assert operators.busy[qk].tolist() == [max(s.trips for s in run.graph.stages if s.part_of == "attn0.qk")] * 4
    with pytest.raises(MappingError, match="expected stage, operator or block"):
        timeline.tracks(run, "wafer")  # type: ignore[arg-type]


def test_what_is_in_a_fifo_is_what_was_written_and_not_yet_read(run: Timing) -> None:
    last = int(run.end.max()) + 1
    found = timeline.occupancy(run, ["attn0.q.head1", "attn1.residual"], last)
    assert found.cycles.tolist() == list(range(last))
    for name, row in zip(found.names, found.tokens, strict=True):
        writes, reads = run.recorded[name]
        assert len(writes) == len(reads) == 4 * run.graph.tokens(name)
        assert row.tolist() == [int((writes <= t).sum() - (reads <= t).sum()) for t in range(last)]
        assert row.max() == run.peaks[name]
    few = timeline.occupancy(run, points=7)
    assert few.tokens.shape == (len(run.graph.fifos), 7)
    assert few.tokens.max(1).tolist() == [run.peaks[name] for name in few.names]
    with pytest.raises(MappingError, match=r"'attn0\.q\.head1' was not recorded"):
        timeline.occupancy(simulate(run.graph, 1), ["attn0.q.head1"])
    with pytest.raises(MappingError, match="0 points"):
        timeline.occupancy(run, points=0)
    with pytest.raises(MappingError, match="no FIFO 'tea' to record"):
        simulate(run.graph, 1, record=["tea"])


@pytest.mark.parametrize("level", ["stage", "operator", "block"])
def test_a_trace_reads_back(run: Timing, level: timeline.Level, tmp_path: Path) -> None:
    filled = timeline.occupancy(run, timeline.largest(run.graph, 5), 200)
    written = timeline.write_trace(timeline.trace_events(run, level, clock=2e6, filled=filled), tmp_path / "a/t.json")
    content = json.loads(written.read_text())
    events = content["traceEvents"]
    assert content["otherData"]["interval"] == run.interval
    named = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    processes = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    slices = defaultdict(list)
    for event in events:
        assert event["ph"] in "MXC"
        assert event["pid"] in processes
        if event["ph"] == "X":
            assert event["dur"] > 0
            slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"], event["name"]))
    assert set(slices) == set(named)
    for track in slices.values():
        assert all(before[1] <= after[0] for before, after in pairwise(track)), "slices overlap"
    found = timeline.tracks(run, level)
    assert sum(len(track) for track in slices.values()) == 4 * len(found.names)
    place = next(key for key, name in named.items() if name == found.names[-1])
    assert slices[place][0] == (found.start[-1, 0] / 2, (found.end[-1, 0] + 1) / 2, "item 0")
    counters = [event for event in events if event["ph"] == "C"]
    assert {event["name"] for event in counters} == set(filled.names)
    for name in filled.names:
        assert max(e["args"]["tokens"] for e in counters if e["name"] == name) == run.peaks[name]
        assert [e["args"]["tokens"] for e in counters if e["name"] == name][-1] == 0


def test_a_csv_reads_back(run: Timing, tmp_path: Path) -> None:
    with timeline.write_csv(run, tmp_path / "t.csv", "stage").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == timeline.COLUMNS
    assert len(rows) == 4 * len(run.graph.stages)
    for row, stage in zip(rows[3::4], range(len(run.graph.stages)), strict=True):
        told = [int(row[name]) for name in timeline.COLUMNS[2:]]
        want = (3, run.start[stage, 3], run.end[stage, 3], run.busy[stage], run.waiting[stage, 3], run.held[stage, 3])
        assert told == list(want)


# ------------------------------------------------------------------------------------------------- report, figures
def test_a_report_says_what_was_simulated(run: Timing) -> None:
    found = report(run, clock=1e6)
    assert (found.interval, found.first, found.last) == (run.interval, run.latency[0], run.latency[-1])
    assert found.rate == 1e6 / run.interval
    assert found.bottleneck == closed_form(run.graph).bottleneck.part_of
    softmax = next(each for each in found.operators if each.name == "attn1.softmax")
    assert (softmax.stages, softmax.cycles, softmax.utilisation) == (2, 3 * 4 * 8, 96 / run.interval)
    assert found.products == sum(stage.products for stage in run.graph.stages)
    assert {each.name: each.peak for each in found.fifos} == run.peaks
    content = json.loads(json.dumps(found.to_dict()))
    assert content["rate"] == found.rate
    assert content["memory"]["total"] == found.memory.total
    text = str(found)
    assert f"an item every {run.interval:,} cycles" in text
    assert "attn*.softmax  " in text
    assert f"the slowest operator is {found.bottleneck}" in text
    slow = report(simulate(schedule.fine(run.graph), 3))
    assert f"FIFOs make operators wait: the slowest, {slow.bottleneck}, needs" in str(slow)
    assert "x 2" in text
    assert report(run).rate is None
    with pytest.raises(MappingError, match="clock 0 Hz"):
        report(run, clock=0)
    with pytest.raises(MappingError, match="an interval needs at least 2 items"):
        report(simulate(run.graph, 1))


def test_figures_show_every_item_and_operator(run: Timing, tmp_path: Path) -> None:
    found = report(run)
    bars = figures.gantt(run, "block", Figure().subplots())
    assert len(bars.patches) == 4 * 6
    assert [label.get_text() for label in bars.get_yticklabels()] == list(timeline.tracks(run, "block").names)
    busy = figures.utilisation(found, Figure().subplots())
    names = [label.get_text() for label in busy.get_yticklabels()]
    assert "attn*.qk x 2" in names
    works = busy.patches[names.index("attn*.qk x 2")].get_width()
    assert works == next(each.utilisation for each in found.operators if each.name == "attn0.qk")
    filled = timeline.occupancy(run, timeline.largest(run.graph, 3))
    assert len(figures.fill(filled, Figure().subplots()).get_yticklabels()) == 3
    path = figures.save_figure(run, found, tmp_path / "new" / "all.png", filled)
    assert path.read_bytes().startswith(b"\x89PNG")
