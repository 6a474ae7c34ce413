"""Pipelines as graphs: HG-PIPE's DeiT-tiny as it was published, other shapes, closed forms, and what is refused."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.pipeline.closed import ClosedForm, arrivals, closed_form
from neuromorph.mapping.pipeline.design import Parallel
from neuromorph.mapping.pipeline.graph import Fifo, Loop, Run, Stage, StageGraph
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.transformer import (
    Bits,
    TransformerDesign,
    VisionTransformer,
    deit_small,
    deit_tiny,
    published,
)

FIGURES = load_constants("hgpipe_deit_tiny_vck190")


@pytest.fixture(scope="module")
def deit() -> tuple[TransformerDesign, dict[str, Parallel], StageGraph]:
    design, parallel, depths = published("deit-tiny-vck190")
    return design, parallel, design.graph(parallel, depths)


@pytest.fixture(scope="module")
def form(deit: tuple[TransformerDesign, dict[str, Parallel], StageGraph]) -> ClosedForm:
    return closed_form(deit[2])


def least(design: TransformerDesign) -> dict[str, Parallel]:
    return {operator.name: design.choices(operator)[0] for operator in design.operators}


SMALL = VisionTransformer("small", 10, 24, 2, 2, 36, 9, 5)


def test_deit_tiny_has_the_stages_and_tokens_of_the_public_sources(deit) -> None:
    graph = deit[2]
    assert len(graph.stages) == 1078
    blocks = {stage.block for stage in graph.stages}
    assert len(blocks) == 26
    assert sum(stage.block == "attn3" for stage in graph.stages) == 75
    assert sum(stage.block == "mlp3" for stage in graph.stages) == 14
    assert sum(stage.block == "patch_embed" for stage in graph.stages) == 4
    assert sum(stage.block == "head" for stage in graph.stages) == 6
    assert 20e6 < sum(graph.tokens(fifo.name) for fifo in graph.fifos) < 20.5e6
    assert graph.inputs == ("patch_embed.input",)
    assert graph.outputs == ("head.output",)


@pytest.mark.parametrize(
    ("fifo", "depth", "bits", "tokens"),
    [
        ("attn0.q.head2", 8000, 2 * 3, 98 * 64),
        ("attn4.residual", 12288, 2 * 2 * 13, 98 * 96),
        ("mlp0.residual", 512, 2 * 2 * 15, 98 * 96),
        ("attn0.k.head1.regrouped", 512, 28 * 3, 448),
        ("attn11.qk.head3", 512, 2 * 10, 98 * 196),
        ("attn0.qk.head1.weights", 2, 28 * 3, 98 * 28 * 16),
        ("patch_embed.project.adapted", 64, 2 * 16 * 8, 98 * 48),
        ("mlp0.input", 128, 2 * 15, 98 * 192),
        ("mlp0.gelu", 2, 2 * 2 * 3, 98 * 384),
        ("head.output", 2, 19, 1000),
        ("attn0.k.head1.regrouped.values", 2, 3, 12544),
    ],
)
def test_fifos_have_the_published_depths_and_words(deit, fifo, depth, bits, tokens) -> None:
    graph = deit[2]
    assert graph.fifo[fifo] == Fifo(fifo, depth, bits)
    assert graph.tokens(fifo) == tokens


def test_a_cache_loads_all_of_k_and_then_plays_it_for_every_tile_of_rows(deit) -> None:
    cache = deit[2].stage["attn5.qk.head2.cache"]
    load, play = cache.loops
    assert cache.inputs[1] == "attn5.k.head2.regrouped.begun"
    assert play.runs[-1] == Run(1, (1,), (0,))
    assert (load.trips, load.runs[0].reads, load.runs[0].writes) == (448, (0,), ())
    assert (play.trips, play.runs[0].reads, play.runs[0].writes) == (43904, (), (0,))
    (matrix,) = cache.memories
    assert matrix.words * matrix.bits == 196 * 64 * 3
    assert matrix.banks == 28


def test_weights_on_chip_are_those_of_the_network(deit) -> None:
    weights = sum(memory.words for stage in deit[2].stages for memory in stage.memories if memory.name == "weights")
    assert weights == 768 * 192 + 12 * (4 * 192 * 192 + 2 * 192 * 768) + 192 * 1000


def test_depths_scaled_for_any_shape_are_the_published_ones_for_deit_tiny(deit) -> None:
    design, parallel, graph = deit
    assert design.graph(parallel).fifos == graph.fifos


def test_closed_forms_of_deit_tiny(form) -> None:
    assert form.interval == FIGURES.count("figures.interval")
    assert form.bottleneck.name == "attn0.softmax.head1"
    assert form.interval == 3 * 98 * 196
    assert form.fill == 56448 + 12 * 57624 + 48000
    assert form.coarse == pytest.approx(5.61e6, rel=1e-3)
    assert form.multipliers == 12 * (912 + 1152) + 512 + 4
    assert form.products == pytest.approx(1.2466e9, rel=1e-4)
    assert form.utilisation == pytest.approx(0.856, abs=5e-4)
    assert int(form.rate(425e6)) == 7375
    assert form.latency == pytest.approx(FIGURES.si("figures.first_image_rtl"), rel=0.035)
    assert form.first_out == pytest.approx(FIGURES.si("figures.first_in_to_first_out_rtl"), rel=0.035)


@pytest.mark.parametrize(
    ("operator", "trips", "percent"),
    [
        ("patch_embed.project", 56448, 98.0),
        ("attn0.layernorm", 56448, 98.0),
        ("attn7.k", 50176, 87.1),
        ("attn0.qk", 43904, 76.2),
        ("attn11.softmax", 57624, 100.0),
        ("attn0.rv", 43904, 76.2),
        ("attn0.o", 50176, 87.1),
        ("mlp0.fc1", 50176, 87.1),
        ("mlp11.fc2", 50176, 87.1),
        ("head.classes", 48000, 83.3),
    ],
)
def test_operators_of_deit_tiny_are_as_busy_as_published(deit, form, operator, trips, percent) -> None:
    found = {one.name: one for one in form.operators}[operator]
    assert found.trips == trips
    assert round(100 * found.utilisation, 1) == percent
    design, parallel, _ = deit
    declared = {one.name: one for one in design.operators}[operator]
    assert declared.trips(parallel[operator]) == trips
    assert declared.multipliers(parallel[operator]) == found.multipliers
    assert declared.products == found.products


def test_deit_small_has_its_published_size() -> None:
    design = TransformerDesign(deit_small())
    assert sum(operator.products for operator in design.operators) == pytest.approx(4.6e9, rel=0.02)
    assert sum(one.copies for one in design.operators if one.kind == "softmax") == 72


@pytest.mark.parametrize(
    ("shape", "tile", "width"),
    [
        (SMALL, 2, 1),
        (SMALL, 5, 4),
        (replace(SMALL, heads=4, hidden=10, tokens=7, name="uneven"), 1, 3),
        (replace(SMALL, heads=1, blocks=1, tokens=1, classes=1, name="one row"), 1, 1),
        (deit_tiny(197), 1, 1),
        (deit_tiny(50, Bits(weights=8, activations=8)), 2, 1),
    ],
)
def test_any_choice_of_any_shape_is_a_graph_that_does_the_same_products(shape, tile, width) -> None:
    design = TransformerDesign(shape, tile, regroup_width=width)
    pick = random.Random(7)
    parallel = {one.name: pick.choice(design.choices(one)) for one in design.operators}
    graph = design.graph(parallel)
    form = closed_form(graph)
    busy = {one.name: one for one in form.operators}
    for operator in design.operators:
        assert busy[operator.name].products == operator.products
        assert busy[operator.name].multipliers == operator.multipliers(parallel[operator.name])
        assert busy[operator.name].trips >= operator.trips(parallel[operator.name])
        if operator.products:
            assert busy[operator.name].trips == operator.trips(parallel[operator.name])
    assert form.latency >= form.first_out > 0
    assert form.interval >= max(stage.trips for stage in graph.stages)


def test_widths_that_do_not_divide_each_other_meet_over_their_common_multiple() -> None:
    design = TransformerDesign(SMALL, 2)
    parallel = least(design)
    parallel["attn0.layernorm"] = Parallel(2, 8, 1)
    parallel["attn0.q"] = Parallel(2, 12, 1)
    graph = design.graph(parallel)
    pack, unpack = graph.stage["attn0.q.in.pack"], graph.stage["attn0.q.in.unpack"]
    assert pack.outputs == unpack.inputs
    between = graph.fifo[pack.outputs[0]]
    assert between.bits == 2 * 24 * 3
    assert between.depth == 2
    assert [graph.tokens(name) for name in (*pack.inputs, *pack.outputs, *unpack.outputs)] == [15, 5, 10]


def test_regrouping_sets_the_shortest_interval_and_can_be_wider() -> None:
    for width in (1, 3):
        design = TransformerDesign(replace(SMALL, tokens=36), 2, regroup_width=width)
        most = {one.name: design.choices(one)[-1] for one in design.operators}
        slowest = closed_form(design.graph(most)).bottleneck
        assert slowest.operator == "reorder"
        assert slowest.trips == 2 * 36 * 12 // width


@pytest.mark.parametrize(("tile", "cycles"), [(1, 900), (2, 400)])
def test_depths_of_an_own_shape_keep_the_interval_of_its_slowest_stage(tile, cycles) -> None:
    design = TransformerDesign(replace(SMALL, tokens=30, hidden=48), tile, regroup_width=2)
    parallel = {
        one.name: min(
            (choice for choice in design.choices(one) if one.trips(choice) <= cycles),
            key=lambda choice: choice.inputs * choice.outputs,
        )
        for one in design.operators
    }
    graph = design.graph(parallel)
    form = closed_form(graph)
    assert simulate(graph, 4).interval == form.interval
    held = arrivals(graph)
    assert held["attn0.qk.head1.weights"][0] - held["attn0.qk.head1.window"][0] > 0.9 * form.interval


def test_one_block_alone_has_its_neighbours_as_input_and_output(deit) -> None:
    block = deit[2].part("attn1")
    assert len(block.stages) == 75
    assert block.inputs == ("attn1.input",)
    assert block.outputs == ("mlp1.input",)
    assert closed_form(block).interval == 57624
    with pytest.raises(MappingError, match="no block 'attn12'"):
        deit[2].part("attn12")


def test_what_does_not_fit_is_refused_and_named() -> None:
    with pytest.raises(MappingError, match=r"tile 2 does not divide 197; it can be 1, 197"):
        TransformerDesign(deit_tiny(), 2)
    with pytest.raises(MappingError, match="5 heads do not divide 24"):
        replace(SMALL, heads=5)
    design = TransformerDesign(SMALL)
    parallel = least(design)
    with pytest.raises(MappingError, match=r"'attn0\.q'.*24 x 24"):
        design.graph(parallel | {"attn0.q": Parallel(1, 5, 1)})
    with pytest.raises(MappingError, match=r"'attn0\.q_requant'"):
        design.graph(parallel | {"attn0.q_requant": Parallel(1, 24, 1)})
    with pytest.raises(MappingError, match=r"no operator 'attn9\.q'"):
        design.graph(parallel | {"attn9.q": Parallel()})
    with pytest.raises(MappingError, match=r"'mlp1\.fc2' has no parallelism"):
        design.graph({name: one for name, one in parallel.items() if name != "mlp1.fc2"})
    with pytest.raises(MappingError, match=r"no FIFO 'attn0\.z'"):
        design.graph(parallel, {"attn0.z": 3})
    with pytest.raises(MappingError, match="no machine 'hgpipe_deit_huge'"):
        published("deit-huge")


def line(count: int, depth: int) -> Loop:
    return Loop((Run(count, (0,), (0,)),), depth=depth)


def test_the_first_item_of_a_line_of_stages_by_hand() -> None:
    hold = Stage("hold", "hold", (Loop((Run(10, (0,)),), depth=2), Loop((Run(10, (), (0,)),), depth=4)), ("a",), ("b",))
    slow = Stage("slow", "slow", (Loop((Run(10, (0,), (0,)),), depth=3, interval=5),), ("b",), ("c",))
    graph = StageGraph(
        "line",
        (Stage("in", "copy", (line(10, 1),), ("x",), ("a",)), hold, slow),
        tuple(Fifo(name, 2, 8) for name in "xabc"),
    )
    form = closed_form(graph)
    assert form.bottleneck.name == "slow"
    assert form.interval == 50
    by_name = {stage.name: stage for stage in form.stages}
    assert (by_name["in"].first_out, by_name["in"].last_out) == (1, 10)
    # its last read at cycle 10, a drain of 1, the first write 4 cycles later
    assert (by_name["hold"].first_out, by_name["hold"].last_out) == (16, 25)
    assert (form.first_out, form.latency) == (19, 64)


def test_a_circle_without_initial_tokens_is_named_and_one_with_them_is_not_waited_for() -> None:
    join = Stage("join", "add", (Loop((Run(4, (0, 1), (0,)),)),), ("x", "back"), ("a",))
    fork = Stage("fork", "copy", (Loop((Run(4, (0,), (0, 1)),)),), ("a",), ("back", "y"))
    fifos = tuple(Fifo(name, 4, 8) for name in ("x", "a", "y", "back"))
    with pytest.raises(MappingError, match=r"wait for one another, .*join"):
        closed_form(StageGraph("circle", (join, fork), fifos))
    opened = (*fifos[:3], Fifo("back", 4, 8, initial=4))
    assert closed_form(StageGraph("circle", (join, fork), opened)).latency == 5
