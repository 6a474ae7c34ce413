"""Pipelines on boards: what they take, the parallelism that fits, and FIFOs as small as an interval allows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.pipeline.arithmetic import logic, multiplier_luts, sum_luts
from neuromorph.mapping.pipeline.balance import Balanced, Budget, balance
from neuromorph.mapping.pipeline.board import load_board
from neuromorph.mapping.pipeline.deadlock import DeadlockError
from neuromorph.mapping.pipeline.depths import depth_tradeoff, smallest_depths
from neuromorph.mapping.pipeline.design import Operator, Parallel
from neuromorph.mapping.pipeline.graph import Fifo, Loop, Memory, Run, Stage, StageGraph
from neuromorph.mapping.pipeline.placement import Part, exceeded, placed
from neuromorph.mapping.pipeline.resources import Resources, Styles, resources
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.solver import quiet
from neuromorph.mapping.pipeline.storage import (
    Cost,
    block_ram,
    fifo_cost,
    memory_cost,
    memory_places,
    total_cost,
    ultra_ram,
)
from neuromorph.mapping.pipeline.timing import Rules
from neuromorph.mapping.pipeline.transformer import TransformerDesign, VisionTransformer, published
from neuromorph.progress import Silent

VCK190, ZCU102 = load_board("vck190"), load_board("zcu102")
PUBLISHED = load_constants("pipeline_published")


@dataclass(frozen=True)
class Chain:
    """Operators one behind the other, joined by one FIFO each."""

    operators: tuple[Operator, ...]
    name: str = "chain"

    def choices(self, operator: Operator) -> tuple[Parallel, ...]:
        divisors = [n for n in range(1, operator.inputs + 1) if operator.inputs % n == 0]
        outputs = [n for n in range(1, operator.outputs + 1) if operator.outputs % n == 0]
        return tuple(
            Parallel(1, i, o) for i in divisors for o in (outputs if operator.multipliers(Parallel()) else [1])
        )

    def graph(self, parallel: Mapping[str, Parallel], depths: Mapping[str, int] | None = None) -> StageGraph:
        stages, fifos = [], [Fifo("in", 2, 8)]
        for operator in self.operators:
            one = parallel[operator.name]
            trips = operator.trips(one) // operator.tokens
            lanes = one.inputs * one.outputs
            weights = Memory("weights", operator.inputs * operator.outputs, operator.weight_bits, lanes, "weights")
            runs = (Run(1, (0,), (0,)), Run(trips - 1)) if trips > 1 else (Run(1, (0,), (0,)),)
            stages.append(
                Stage(
                    operator.name,
                    operator.kind,
                    (Loop(runs, operator.tokens),),
                    (fifos[-1].name,),
                    (f"{operator.name}.out",),
                    operator.name,
                    "chain",
                    operator.multipliers(one),
                    memories=(weights,) if operator.kind == "matmul" else (),
                )
            )
            fifos.append(Fifo(f"{operator.name}.out", 2, operator.output_bits))
        return StageGraph(self.name, tuple(stages), tuple(fifos)).with_depths(depths or {})


CHAIN = Chain(
    (
        Operator("a", "matmul", 12, 8, 12, input_bits=4, weight_bits=4, output_bits=11),
        Operator("b", "softmax", 12, 12, 12, passes=3, input_bits=11, output_bits=4),
        Operator("c", "matmul", 12, 12, 6, input_bits=4, weight_bits=8, output_bits=12),
    )
)


@pytest.fixture(scope="module")
def deit() -> Resources:
    design, parallel, depths = published("deit-tiny-vck190")
    return resources(design, parallel, VCK190, depths)


def test_boards_are_read_from_their_files() -> None:
    assert (VCK190.part, VCK190.dsps, VCK190.ultra_rams) == ("XCVC1902", 1968, 463)
    assert (ZCU102.luts, ZCU102.block_rams, ZCU102.ultra_rams) == (274_080, 912, 0)
    assert VCK190.flip_flops == 2 * VCK190.luts
    assert round(VCK190.rate(57_624)) == 7_375
    assert load_board(VCK190, clock__reached=400).clock == 400e6
    with pytest.raises(MappingError, match="no board 'vu9p'; there is vck190, zcu102"):
        load_board("vu9p")


def test_memories_take_the_blocks_that_were_published() -> None:
    # halves of 18 kbit: a projection's 512 words of 72 x 3 bits, an MLP's 512 of 288 x 3
    assert block_ram(512, 216, VCK190).block_rams == 6 / 2
    assert block_ram(512, 864, VCK190).block_rams == 24 / 2
    residual = fifo_cost(12_288, 52, VCK190)
    assert (residual.ultra_rams, residual.block_rams) == (3, 0)
    assert fifo_cost(12_288, 52, ZCU102).block_rams == 18
    # narrow and deep: ports of UltraScale+ go down to 1 bit, those of Versal to 9
    assert block_ram(16_384, 1, ZCU102).block_rams == 0.5
    assert block_ram(16_384, 1, VCK190).block_rams == 4
    assert fifo_cost(2, 40, VCK190).luts < fifo_cost(32, 40, VCK190).luts < fifo_cost(64, 40, VCK190).luts
    assert memory_cost(100, 10, VCK190, "block").block_rams == 0  # too small for one
    assert memory_cost(64, 3, VCK190, "lut", written=False).luts == 3


def test_ultra_rams_have_two_ports() -> None:
    # one writes and one reads; where nothing is written both read, each from half of the rows
    assert ultra_ram(4096, 144, VCK190).ultra_rams == 2
    assert ultra_ram(4096, 144, VCK190, written=False).ultra_rams == 2
    assert ultra_ram(2048, 144, VCK190).ultra_rams == 2
    assert ultra_ram(2048, 144, VCK190, written=False).ultra_rams == 1
    assert memory_cost(2048, 144, VCK190, "ultra", written=False).ultra_rams == 1
    assert memory_cost(100, 10, VCK190, "ultra").ultra_rams == 0  # too small
    # weights have to be there from the start; what the run writes does not
    late = replace(VCK190, ultra_initial=False)
    assert memory_cost(2048, 144, late, "ultra", written=False).block_rams == 8
    assert memory_cost(2048, 144, late, "ultra").ultra_rams == 2
    assert [place for place, _ in memory_places(2048, 144, late, written=False)] == ["block", "lut"]
    assert [place for place, _ in memory_places(2048, 144, VCK190, written=False)] == ["block", "ultra", "lut"]
    assert memory_places(100, 10, VCK190, written=True) == ()
    assert memory_cost(2048, 144, ZCU102, "ultra").block_rams == 8


def test_products_are_counted_by_their_inputs() -> None:
    assert multiplier_luts(3, 3) == 5
    assert multiplier_luts(1, 8) == 8
    assert 64 <= multiplier_luts(8, 8) <= 75
    assert sum_luts(1, 6, 20) == 0
    assert sum_luts(4, 6, 20) == 2 * 7 + 8
    operator = CHAIN.operators[2]
    assert logic(operator, Parallel(1, 3, 2)).dsps == 0
    assert logic(replace(operator, input_bits=8), Parallel(1, 3, 2)).dsps == 6
    assert logic(replace(operator, kind="unheard of"), Parallel(1, 3, 1)).luts > 0


@pytest.mark.parametrize("block", ["attn0", "mlp0", "patch_embed", "head"])
def test_blocks_of_the_published_design_come_near_its_synthesis(deit: Resources, block: str) -> None:
    ours = deit.by(lambda part: part.block)[block]
    assert ours.luts == pytest.approx(PUBLISHED.si(f"{block}.luts"), rel=0.3)
    assert ours.block_rams == pytest.approx(PUBLISHED.si(f"{block}.block_rams"), rel=0.15)
    assert ours.ultra_rams == PUBLISHED.si(f"{block}.ultra_rams")
    if block in ("attn0", "mlp0"):
        assert ours.dsps == PUBLISHED.si(f"{block}.dsps")


def test_the_published_design_as_a_whole(deit: Resources) -> None:
    assert deit.total.multipliers == 25_284
    assert deit.total.luts == pytest.approx(PUBLISHED.si("all.luts"), rel=0.1)
    blocks = deit.by(lambda part: part.block)
    assert sum(cost.dsps for name, cost in blocks.items() if name.startswith(("attn", "mlp"))) == 312
    deit.check()
    assert "attn11" in deit.text()
    assert deit.to_dict()["all"]["luts"] == deit.total.luts
    with pytest.raises(MappingError, match=r"LUTs of 274,080"):
        replace(deit, board=ZCU102).check()


def brute(budget: Budget) -> int:
    """The smallest interval of any combination that fits."""
    limit = budget.limit(VCK190)
    found = []
    for choices in product(*(CHAIN.choices(operator) for operator in CHAIN.operators)):
        parallel = {operator.name: choice for operator, choice in zip(CHAIN.operators, choices, strict=True)}
        trips = max(operator.trips(choice) for operator, choice in zip(CHAIN.operators, choices, strict=True))
        if sum(operator.multipliers(parallel[operator.name]) for operator in CHAIN.operators) > limit.multipliers:
            continue
        logics = [logic(operator, parallel[operator.name]) for operator in CHAIN.operators]
        if sum(cost.luts for cost in logics) > limit.luts or sum(cost.dsps for cost in logics) > limit.dsps:
            continue
        found.append((trips, parallel))
    for trips, parallel in sorted(found, key=lambda entry: entry[0]):
        if not exceeded(resources(CHAIN, parallel, VCK190).total, limit):
            return trips
    raise AssertionError("nothing fits")


@pytest.mark.parametrize(
    "budget",
    [Budget(multipliers=30), Budget(luts=900), Budget(dsps=2), Budget(multipliers=50, luts=1500, dsps=3)],
    ids=str,
)
def test_the_interval_is_the_smallest_that_any_choice_has(budget: Budget) -> None:
    found = balance(CHAIN, VCK190, budget=budget)
    assert found.interval == brute(budget)
    assert not exceeded(found.resources.total, budget.limit(VCK190))
    assert simulate(found.graph(), 4).interval == found.interval
    assert found == balance(CHAIN, VCK190, budget=budget)


def test_a_wanted_interval_is_reached_with_little() -> None:
    fast = balance(CHAIN, VCK190, budget=Budget(multipliers=50))
    slow = balance(CHAIN, VCK190, interval=2 * fast.interval)
    assert fast.interval < slow.interval <= 2 * fast.interval
    assert slow.resources.total.luts < fast.resources.total.luts
    assert slow.resources.total.multipliers < fast.resources.total.multipliers
    assert balance(CHAIN, VCK190, rate=VCK190.rate(2 * fast.interval)) == slow
    assert set(slow.bottleneck) <= {"a", "b", "c"}
    assert min(load.slack for load in slow.loads) == 0
    assert "interval" in slow.text()
    assert {name: Parallel(**entry["parallel"]) for name, entry in slow.to_dict()["operators"].items()} == slow.parallel


def test_several_designs_give_the_best_of_them() -> None:
    shape = VisionTransformer("small", 4, 4, 1, 1, 8, 4, 2)
    designs = [TransformerDesign(shape, tile) for tile in (1, 2)]
    budget = Budget(multipliers=60)
    alone = [balance(design, VCK190, budget=budget) for design in designs]
    found = balance(designs, VCK190, budget=budget)
    assert found.interval == min(one.interval for one in alone)
    assert isinstance(found, Balanced)


def test_what_does_not_fit_says_what_is_short() -> None:
    with pytest.raises(MappingError, match="least parallel design has 2 multipliers, and the budget 1"):
        balance(CHAIN, VCK190, budget=Budget(multipliers=1))
    with pytest.raises(MappingError, match=r"no choice of parallelism fits; .* LUTs of 100"):
        balance(CHAIN, VCK190, budget=Budget(luts=100))
    with pytest.raises(MappingError, match=r"it takes 56 multipliers of 12; the shortest that fits is 192"):
        balance(CHAIN, VCK190, interval=36, budget=Budget(multipliers=12))
    with pytest.raises(MappingError, match="no choice of parallelism has so few trips; the shortest"):
        balance(CHAIN, VCK190, interval=11)
    with pytest.raises(MappingError, match="not both"):
        balance(CHAIN, VCK190, interval=10, rate=10)
    with pytest.raises(MappingError, match="at least 0"):
        Budget(luts=-1)


def fork(long: int, depth: int) -> StageGraph:
    """Two ways to one stage: one begins to write after ``long`` tokens, what the other brings waits."""
    stages = (
        Stage("copy", "copy", (Loop((Run(40, (0,), (0, 1)),)),), ("in",), ("slow", "fast"), block="b"),
        Stage(
            "hold",
            "hold",
            (Loop((Run(long, (0,)), Run(40 - long, (0,), (0,)), Run(long, (), (0,)))),),
            ("slow",),
            ("late",),
            block="b",
        ),
        Stage("add", "add", (Loop((Run(40, (0, 1), (0,)),)),), ("late", "fast"), ("out",), block="b"),
    )
    fifos = tuple(Fifo(name, depth, 4) for name in ("in", "slow", "fast", "late", "out"))
    return StageGraph("fork", stages, fifos)


@pytest.mark.parametrize("long", [3, 17])
@pytest.mark.parametrize("rules", [Rules(), Rules(slots=0, block_slots=0, pipelines="ideal")])
def test_no_fifo_can_be_shallower(long: int, rules: Rules) -> None:
    graph = fork(long, 64)
    found = smallest_depths(graph, rules=rules)
    timing = simulate(found.graph, 3, rules)
    assert timing.interval == found.interval == found.target == 40 + long
    assert found.depths["fast"] > long - 2 * (rules.slots + 2)
    for name, depth in found.depths.items():
        if depth > 1:
            with suppress(DeadlockError):
                assert timing.retime({name: depth - 1}).interval > found.target
    assert found.saved == sum((64 - depth) * 4 for depth in found.depths.values())


def test_slower_pipelines_take_smaller_fifos() -> None:
    graph = fork(17, 64)
    points = depth_tradeoff(graph, (1.0, 1.2, 2.0))
    assert [point.bits for point in points] == sorted((point.bits for point in points), reverse=True)
    assert all(point.interval <= point.target for point in points)
    kept = smallest_depths(graph, keep=["fast"])
    assert kept.depths["fast"] == 64
    with pytest.raises(MappingError, match="an interval of 20 cycles; with FIFOs that never fill it is 57"):
        smallest_depths(graph, 20)
    with pytest.raises(MappingError, match="there is no FIFO 'quick'"):
        smallest_depths(graph, keep=["quick"])


def parts_of(rows: int, count: int) -> list[Part]:
    """Weights in block RAM that could be elsewhere."""
    places = memory_places(rows, 144, VCK190, written=False)
    return [Part(f"m{k}", "weights", "o", "b", dict(places)["block"], places) for k in range(count)]


def test_memories_move_only_if_they_must() -> None:
    parts = parts_of(2048, 5)
    one = parts[0].cost.block_rams
    assert placed(parts, Cost(luts=0, block_rams=5 * one)) == tuple(parts)
    moved = placed(parts, Cost(luts=0, block_rams=3 * one, ultra_rams=4))
    total = total_cost(part.cost for part in moved)
    assert not exceeded(total, Cost(luts=0, block_rams=3 * one, ultra_rams=4))
    assert total.ultra_rams + total.block_rams / one == 5
    assert [part.name for part in moved] == [part.name for part in parts]
    # every way to put five memories in three places, against a limit that only some keep
    limit = Cost(luts=20_000, block_rams=2 * one, ultra_rams=1)
    ways = [
        total_cost(dict(part.elsewhere)[place] for part, place in zip(parts, places, strict=True))
        for places in product(("block", "ultra", "lut"), repeat=5)
    ]
    price = Cost(1 / limit.luts, 0, 1 / limit.block_rams, 1 / limit.ultra_rams).vector
    best = min(float(way.vector @ price) for way in ways if not exceeded(way, limit))
    found = total_cost(part.cost for part in placed(parts, limit))
    assert not exceeded(found, limit)
    assert float(found.vector @ price) == pytest.approx(best, rel=2e-3)
    # where nothing fits, as little too much as can be
    short = exceeded(total_cost(part.cost for part in placed(parts, Cost(ultra_rams=4))), Cost(ultra_rams=4))
    assert short == {"ultra_rams": 1}


def test_a_design_that_block_ram_cannot_hold_takes_ultra_ram() -> None:
    small = load_board(VCK190, device__luts=3500, device__block_rams=2, device__ultra_rams=8)
    wide = Chain(tuple(replace(operator, inputs=96, outputs=96, name=operator.name) for operator in CHAIN.operators))
    styled = Styles(move=False)
    with pytest.raises(MappingError, match=r"block RAMs of 2"):
        balance(wide, small, interval=96 * 96, styles=styled)
    found = balance(wide, small, interval=96 * 96)
    assert found.interval <= 96 * 96
    assert found.resources.total.ultra_rams > 0
    assert not found.resources.excess()
    again = resources(wide, found.parallel, small)
    assert not again.excess()
    assert again.total.ultra_rams > 0
    assert resources(wide, found.parallel, small, styles=styled).excess().keys() == {"block_rams"}
    assert simulate(found.graph(), 3).interval == found.interval


class Notes(Silent):
    """Progress that is kept, and interrupted after some."""

    def __init__(self, most: int = 10**6) -> None:
        self.texts: list[str] = []
        self.most = most

    def note(self, text: str) -> None:
        self.texts.append(text)
        if len(self.texts) > self.most:
            raise KeyboardInterrupt


def test_progress_is_told_and_interrupts_are_seen() -> None:
    seen = Notes()
    found = balance(CHAIN, VCK190, budget=Budget(multipliers=30), progress=seen)
    assert any(f"{found.interval:,} cycles" in text for text in seen.texts)
    with pytest.raises(KeyboardInterrupt):
        balance(CHAIN, VCK190, budget=Budget(multipliers=30), progress=Notes(2))


def test_only_lines_of_the_solver_are_kept_from_the_output(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(1, b"before\nHighsMipSolverData::transformNewIntegerFeasibleSolution tmpSolver.run();\nafter\n")
    os.write(1, b"later\n")
    assert capfd.readouterr().out == "before\nafter\nlater\n"
    with pytest.raises(KeyError), quiet():
        raise KeyError
    os.write(1, b"still there\n")
    assert capfd.readouterr().out == "still there\n"


def test_memories_go_where_the_style_says() -> None:
    design = TransformerDesign(VisionTransformer("small", 64, 64, 2, 1, 128, 64, 8), 2)
    parallel = {operator.name: design.choices(operator)[0] for operator in design.operators}
    lut = resources(design, parallel, VCK190).total
    block = resources(design, parallel, VCK190, styles=Styles(activations="block")).total
    none = resources(design, parallel, VCK190, styles=Styles(weights="lut")).total
    ultra = resources(design, parallel, VCK190, styles=Styles(weights="ultra")).total
    assert block.luts <= lut.luts
    assert block.block_rams >= lut.block_rams
    assert none.block_rams < lut.block_rams
    assert ultra.block_rams == none.block_rams
    assert ultra.ultra_rams > lut.ultra_rams
    with pytest.raises(MappingError, match=r"no parallelism of 'attn0\.q'"):
        resources(design, {name: one for name, one in parallel.items() if name != "attn0.q"}, VCK190)
