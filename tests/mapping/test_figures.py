"""Figures show the numbers of the report, in colour and place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from strategies import DT, Delta

from neuromorph import EventSource, FixedProbability, Network, OneToOne, mV
from neuromorph.errors import TargetError
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.mapping.spinnaker2.ledger import BINS

pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from neuromorph.mapping import figures
from neuromorph.mapping.spinnaker2.program import SpiNNaker2Program


@pytest.fixture(scope="module")
def program() -> SpiNNaker2Program:
    net = Network(seed=1, name="shown")
    source = net.population(EventSource(40, steps=np.arange(40) // 4, indices=np.arange(40)), name="source")
    sink = net.population(Delta, 60, name="sink")
    net.project(source, sink.v_in, FixedProbability(0.5), weight=12 * mV)
    net.project(sink, sink.v_in, OneToOne(), weight=1 * mV)
    return SpiNNaker2(chips=2, neurons_per_pe=10, partition="sequential").compile(net, dt=DT)


@pytest.fixture
def ax() -> object:
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


def test_before_a_run_there_is_the_placement_only(program: SpiNNaker2Program, tmp_path: Path, ax: object) -> None:
    if program.step == 0:
        paths = figures.save_figures(program, None, tmp_path)
        assert [path.name for path in paths] == ["placement_memory.png"]
        for draw in (figures.link_map, figures.link_history, figures.step_times):
            with pytest.raises(TargetError, match="has only been mapped"):
                draw(program.report(), ax=ax)
        with pytest.raises(TargetError, match="a map of load needs a run"):
            figures.placement_map(program.report(), "load", ax)


def test_the_placement_map_colours_each_pe_by_its_number(program: SpiNNaker2Program, ax: object) -> None:
    program.run(20, progress=False, reset=True)
    report = program.report()
    assert report.energy is not None
    values = {
        "memory": report.bytes / 1e3,
        "load": report.run().cycles.sum((0, 1)) / 20,
        "energy": report.energy.by_pe.sum(1) * 1e6,
    }
    for quantity, expected in values.items():
        figure = Figure()
        FigureCanvasAgg(figure)
        drawn = figures.placement_map(report, quantity, figure.subplots())
        busy = drawn.collections[1]
        order = np.argsort(report.mapping.placement)
        np.testing.assert_allclose(busy.get_array(), expected[order])
        assert len(drawn.collections[0].get_paths()) == 2 * 148 - report.pes


def test_the_link_map_draws_every_link_that_carried_packets(program: SpiNNaker2Program, ax: object) -> None:
    program.run(20, progress=False, reset=True)
    report = program.report()
    drawn = figures.link_map(report, "all", ax)
    links = report.deployed.costs.links
    load = report.ledgers[0]["link_bins"].sum(0)[: len(links)] / 20
    kind = report.mapping.machine.link_class[links]
    shown = (load > 0) & np.isin(kind, [0, 3, 4])
    np.testing.assert_allclose(drawn.collections[-1].get_array(), load[shown])


def test_all_figures_are_written(program: SpiNNaker2Program, tmp_path: Path) -> None:
    trace = program.run(20, progress=False, reset=True)
    paths = figures.save_figures(program, trace, tmp_path / "figures")
    assert len(paths) == 8
    for path in paths:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_history_of_links_shows_packets_a_step_also_in_an_interval_cut_short(
    program: SpiNNaker2Program, ax: object
) -> None:
    steps = BINS + 1
    program.run(steps, progress=False, reset=True)
    report = program.report()
    drawn = figures.link_history(report, ax=ax)
    shown = drawn.images[0].get_array()
    assert shown.shape[1] == BINS // 2 + 1, "intervals of two steps, the last of one"
    total = 2 * shown[:, :-1].sum(1) + shown[:, -1]
    load = np.sort(report.ledgers[0]["link_bins"].sum(0))[::-1]
    np.testing.assert_allclose(np.sort(total)[::-1], load[: len(total)])


@pytest.mark.parametrize(("level", "clock"), [("low", 150e6), ("high", 300e6)])
def test_with_a_tick_the_work_of_a_step_is_drawn_at_the_clock_it_ran_at(ax: object, level: str, clock: float) -> None:
    net = Network(seed=1, name="ticked")
    cells = net.population(EventSource(40, steps=np.arange(40) // 4, indices=np.arange(40)), name="cells")
    net.project(cells, net.population(Delta, 60, name="sink").v_in, FixedProbability(0.5), weight=12 * mV)
    program = SpiNNaker2(clock="tick", dvfs=level).compile(net, dt=DT)
    program.run(20, progress=False)
    drawn = figures.step_times(program.report(), ax)
    np.testing.assert_allclose(drawn.lines[0].get_ydata(), program.series["busiest_cycles"] / clock * 1e6)
    assert level in drawn.get_ylabel()


@pytest.mark.filterwarnings("error")
def test_a_network_without_packets_has_figures_too(tmp_path: Path) -> None:
    net = Network(name="lonely")
    net.population(Delta, 1, name="cell")
    program = SpiNNaker2().compile(net, dt=DT)
    trace = program.run(5, progress=False)
    assert len(figures.save_figures(program, trace, tmp_path)) == 8
