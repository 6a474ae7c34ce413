"""Energy of pipelines: what is counted, that prices give the published power, bounds, boards without prices."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from pipeline_networks import chain, one_lane, scheduled

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.pipeline import schedule
from neuromorph.mapping.pipeline.actions import KINDS, Energy
from neuromorph.mapping.pipeline.board import load_board
from neuromorph.mapping.pipeline.comparison import compare_schedules
from neuromorph.mapping.pipeline.design import Parallel
from neuromorph.mapping.pipeline.energy import TABLE, calibrate, energy, has_prices, priced
from neuromorph.mapping.pipeline.network.report import NetworkReport
from neuromorph.mapping.pipeline.network.schedules import Schedule
from neuromorph.mapping.pipeline.report import report
from neuromorph.mapping.pipeline.resources import Styles, bill, resources
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.timing import Timing
from neuromorph.mapping.pipeline.transformer import TransformerDesign, VisionTransformer, published
from neuromorph.mapping.readable import joules

PRICES = load_constants(TABLE)
DESIGN = TransformerDesign(VisionTransformer("small", 8, 8, 2, 2, 16, 8, 4), tile=2)
PARALLEL: dict[str, Parallel] = {each.name: DESIGN.choices(each)[0] for each in DESIGN.operators}
OF = partial(energy, DESIGN, PARALLEL)


@pytest.fixture(scope="module")
def run() -> Timing:
    return simulate(DESIGN.graph(PARALLEL), 4)


@pytest.fixture(scope="module")
def measured() -> Energy:
    """The published design at its measured rate."""
    design, parallel, depths = published("deit-tiny-vck190")
    graph, board = design.graph(parallel, depths), load_board(PRICES["calibration.board"].value)
    cycles = board.clock / PRICES.si("calibration.rate")
    spent = bill(design, parallel, graph, board, Styles())
    return priced(design, parallel, graph, spent, cycles, items=1, cycles=cycles)


def test_prices_give_the_power_that_they_are_calibrated_to(measured: Energy) -> None:
    power = PRICES.si("calibration.power")
    assert measured.power == pytest.approx(power, rel=0.01)
    assert measured.efficiency == pytest.approx(PRICES.si("calibration.efficiency"), rel=0.01)
    for kind, value in measured.by_kind.items():
        assert value / measured.item == pytest.approx(PRICES.si(f"share.{kind}"), abs=0.005), kind
    assert measured.bounds == pytest.approx((measured.item, measured.item), rel=0.02), "shares make no difference to it"
    exact = calibrate(measured, power)
    for name, each in PRICES.items():
        if name.partition(".")[0] in KINDS:
            assert exact[name].value == pytest.approx(each.value, rel=0.01), name
    assert "so of that design it predicts nothing" in measured.text()


def test_another_power_gives_other_prices(run: Timing) -> None:
    found = OF(run)
    table = calibrate(found, 5.0)
    again = OF(run, prices=table)
    assert again.power == pytest.approx(5.0)
    assert again.by_kind["clock"] / again.item == pytest.approx(PRICES.si("share.clock"))
    ratio = PRICES["work.dsp"].value / PRICES["work.lut"].value
    assert table["work.dsp"].value / table["work.lut"].value == pytest.approx(ratio)
    with pytest.raises(MappingError, match="power 0 W: expected more than 0"):
        calibrate(found, 0)
    with pytest.raises(MappingError, match="prices of pipeline_energy are for 'vck190', and the design is on 'zcu102'"):
        calibrate(OF(run, "zcu102"), 5.0)


def test_actions_are_counted_exactly(run: Timing) -> None:
    graph, found = run.graph, OF(run)
    counts = {each.name: each.count for each in found.actions}
    assert found.operations == {
        "products of 8 x 8 bits": 8 * 8 * 8 + 8 * 4,
        "products of 3 x 3 bits": 2 * (4 * 8 * 8 * 8 + 2 * 8 * 8 * 8 + 2 * 8 * 8 * 16),
    }
    moved = {"weights": 0, "table": 0, "activations": 0}
    for stage in graph.stages:
        for memory in stage.memories:
            moved[memory.kind] += stage.trips * memory.banks * memory.bits
    for kind, name in (("weights", "weights"), ("table", "tables"), ("activations", "activations")):
        assert sum(counts.get(f"{name} in {place}", 0) for place in ("LUTs", "block RAM")) == moved[kind]
    joined = set(graph.writer) & set(graph.reader)
    through = sum(graph.tokens(f.name) * f.bits * (2 if f.name in joined else 1) for f in graph.fifos)
    assert sum(counts.get(f"FIFOs in {place}", 0) for place in ("LUTs", "block RAM")) == through
    spent = resources(DESIGN, PARALLEL, "vck190")
    trips = {each.name: each.trips(PARALLEL[each.name]) for each in DESIGN.operators}
    worked = sum(part.cost.luts * trips[part.name] for part in spent.parts if part.kind == "logic")
    assert counts["arithmetic in LUTs"] == pytest.approx(worked)
    assert counts["clock of LUTs"] == pytest.approx(spent.total.luts * run.interval)
    assert found.item == pytest.approx(sum(PRICES.si(each.price) * each.count for each in found.actions))
    assert found.item == pytest.approx(sum(found.by_part.values()))


def test_waiting_costs_clock_and_static_but_no_work(run: Timing) -> None:
    found = OF(run)
    slow = OF(run, interval=2 * run.interval)
    assert slow.by_kind["work"] == found.by_kind["work"]
    for kind in ("clock", "static"):
        assert slow.by_kind[kind] == pytest.approx(2 * found.by_kind[kind])
    assert found.item < slow.item < 2 * found.item
    cycles = int(run.last_out[-1]) - int(run.first_in[0]) + 1
    waited = (found.by_kind["clock"] + found.by_kind["static"]) * cycles / run.interval
    assert found.run == pytest.approx(4 * found.by_kind["work"] + waited)
    assert found.run > 4 * found.item, "filling and draining, too"
    low, high = found.bounds or (0, 0)
    alone = found.alone or {}
    assert low < found.item < high
    assert (low, high) == (min(alone.values()), max(alone.values()))
    assert alone["static"] == pytest.approx(PRICES.si("calibration.power") * run.interval / 425e6, rel=0.01)


def test_schedules_differ_by_what_they_lay_out_and_how_long_they_take(run: Timing) -> None:
    hybrid, other = OF(run), simulate(schedule.coarse(run.graph), 4)
    coarse = OF(other)
    spent = bill(DESIGN, PARALLEL, other.graph, load_board("vck190"), Styles()).total
    counts = {each.name: each.count for each in coarse.actions}
    assert counts["clock of LUTs"] == pytest.approx(spent.luts * other.interval)
    assert spent != bill(DESIGN, PARALLEL, run.graph, load_board("vck190"), Styles()).total
    assert coarse.by_part["arithmetic"] == hybrid.by_part["arithmetic"]
    part = OF(simulate(run.graph.part("attn0"), 3))
    assert part.by_kind["work"] < hybrid.by_kind["work"] / 2
    assert set(part.operations) == {"products of 3 x 3 bits"}, "nothing of the other blocks"


def test_operators_that_do_less_by_events_cost_less(run: Timing) -> None:
    spent = resources(DESIGN, PARALLEL, "vck190")
    given = partial(priced, DESIGN, PARALLEL, run.graph, spent, 1000.0, items=1, cycles=1000)
    full, half = given(), given(activity={each.name: 0.5 for each in DESIGN.operators})
    assert half.by_kind["work"] == pytest.approx(full.by_kind["work"] / 2)
    assert half.by_kind["clock"] == full.by_kind["clock"]
    assert half.efficiency < full.efficiency


def test_boards_and_prices_of_ones_own(run: Timing) -> None:
    found, other = OF(run), OF(run, "zcu102")
    twice = PRICES["scale.zcu102.dynamic"].value
    assert other.by_part["arithmetic"] == pytest.approx(twice * found.by_part["arithmetic"])
    assert "an assumption: no power is published" in other.text()
    unknown = replace(load_board("vck190"), name="other")
    assert has_prices(load_board("zcu102"))
    assert not has_prices(unknown)
    with pytest.raises(MappingError, match=r"no prices of energy for board 'other': .* give prices="):
        OF(run, unknown)
    idle = OF(run, prices=PRICES.replace(static__power=0))
    assert idle.item == pytest.approx(found.item - found.by_kind["static"])
    assert idle.bounds is None
    assert "from" not in idle.summary()[1]


def test_what_is_far_from_the_calibration_says_so(run: Timing) -> None:
    found = OF(run)
    assert "extrapolated" not in found.text()
    wide = replace(
        DESIGN, shape=replace(DESIGN.shape, bits=replace(DESIGN.shape.bits, edge_weights=16, edge_activations=16))
    )
    again = energy(wide, PARALLEL, simulate(wide.graph(PARALLEL), 2))
    assert "extrapolated: arithmetic of 16 bits" in again.text()
    content = json.loads(json.dumps(found.to_dict()))
    assert content["item"] == found.item
    assert content["actions"]["static"]["price"] == "static.power"
    assert "arithmetic in DSPs" in str(found)


def test_reports_and_comparisons_tell_it_if_prices_are_given(run: Timing) -> None:
    with_it, without = report(run, 425e6, energy=OF), report(run, 425e6)
    assert with_it.energy == OF(run)
    assert all(f"  {line}" in str(with_it) for line in OF(run).summary())
    assert with_it.to_dict()["energy"]["item"] == OF(run).item
    assert without.to_dict()["energy"] is None
    assert "energy" not in str(without)
    part = run.graph.part("mlp0")
    found = compare_schedules(part, 3, energy=OF)
    assert found["hybrid"].energy == OF(simulate(part, 3))
    for each in found.schedules:
        assert each.energy is not None
        assert f"{each.name}  " in str(found)
        assert f"  {joules(each.energy.item)}  " in str(found), each.name
        assert each.to_dict()["energy"] == each.energy.to_dict()
    assert "energy" not in str(replace(found, schedules=tuple(replace(s, energy=None) for s in found.schedules)))


def test_networks_are_told_pipelined_and_step_by_step() -> None:
    net = chain(12, 20, 5)
    found = scheduled(net, one_lane(net))
    fast, slow = found.energies or ()
    assert (fast.interval, slow.interval) == (found.pipelined.interval, found.step_by_step.interval)
    assert fast.by_kind["work"] == slow.by_kind["work"]
    assert fast.item < slow.item
    assert fast.actions[-1].count == found.pipelined.interval / found.plan.board.clock
    counted = np.array([[12, 20], [0, 10], [1, 0], [0, 0]])
    events = Schedule(found.plan, "events", 4, counted)
    some, more = (Schedule(found.plan, "events", 4, counts).energies or () for counts in (counted, counted * 0 + 12))
    busy = events.busy(4).sum(axis=0) / 4
    luts = {part.name: part.cost.luts for part in found.plan.resources.parts if part.kind == "logic"}
    cycles = dict(zip((each.name for each in found.design.operators), busy, strict=True))
    counts = {each.name: each.count for each in some[0].actions}
    assert counts["arithmetic in LUTs"] == pytest.approx(sum(luts[name] * cycles[name] for name in luts))
    assert some[0].by_kind["work"] < more[0].by_kind["work"]
    assert "extrapolated: arithmetic of 32 bits" in some[0].text()


def test_a_board_without_prices_has_no_energy_in_its_report() -> None:
    net = chain(4, 3)
    plan = scheduled(net, one_lane(net)).plan
    other = replace(plan.resources, board=replace(plan.board, name="other"))
    told = NetworkReport("there", "net", Schedule(replace(plan, resources=other), "stream"), {}, 0, 0, {})
    assert told.energy is None
    assert "energy: there are no prices for board other" in str(told)
    assert told.to_dict()["energy"] is None
    known = NetworkReport("here", "net", Schedule(plan, "stream"), {}, 0, 0, {})
    assert list(known.to_dict()["energy"]) == ["pipelined", "step_by_step"]
    assert str(known).count(" W  ") + str(known).count(" W\n") == 2, "a power of each schedule"
