"""Reports, studies and figures of crossbars tell what was counted, and mark what is a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies import DT, Delta

from neuromorph import CPU, Dense, EventSource, Network, mV
from neuromorph.engine.target import Batch
from neuromorph.errors import TargetError
from neuromorph.mapping.crossbar import Crossbar, CrossbarReport, Effects, Study, load_machine, study
from neuromorph.mapping.crossbar.costs.energy import COMPONENTS
from neuromorph.mapping.crossbar.results.changes import changes_of
from neuromorph.trace import Trace, compare

STEPS = 40


@pytest.fixture(scope="module")
def network() -> Network:
    """30 sources onto 20 neurons that excite and inhibit one another."""
    rng = np.random.default_rng(1)
    net = Network(seed=1, name="small")
    source = net.population(EventSource.from_dense(rng.random((STEPS, 30)) < 0.12), name="source")
    layer = net.population(Delta, 20, name="layer")
    net.project(source, layer.v_in, Dense(rng.normal(0, 8, (30, 20)) * mV))
    net.project(layer, layer.v_in, Dense(rng.normal(0, 3, (20, 20)) * mV))
    return net


@pytest.fixture(scope="module")
def digital(network: Network) -> Trace:
    return CPU().compile(network, dt=DT).run(STEPS, progress=False)


@pytest.fixture(scope="module")
def ran(network: Network) -> tuple[CrossbarReport, Trace]:
    """Two arrays of RRAM cells with all errors, small enough that most is split."""
    machine = load_machine("neurram", rows=16)
    program = Crossbar(machine, seed=3).compile(network, dt=DT)
    trace = program.run(STEPS, progress=False)
    return program.report(), trace


def test_before_a_run_there_is_the_mapping_only(network: Network) -> None:
    report = Crossbar("isaac").compile(network, dt=DT).report()
    assert report.counts is report.energy is report.latency is None
    assert report.area is not None
    text = str(report)
    assert "Mapping" in text
    assert "Run" not in text
    assert report.arrays() == {}
    for ask in (report.run_counts, report.energy_by_matrix, lambda: report.time, lambda: report.conversions):
        with pytest.raises(TargetError, match="has not run yet"):
            ask()


def test_sums_by_component_by_layer_and_by_sureness_are_the_total(ran: tuple[CrossbarReport, Trace]) -> None:
    report, _ = ran
    assert report.energy is not None
    total = report.energy.total
    assert total > 0
    layers = report.energy_by_matrix()
    assert sum(sum(parts.values()) for parts in layers.values()) == pytest.approx(total)
    assert sum(report.energy.by_component.values()) == pytest.approx(total)
    assert sum(report.energy.by_status.values()) == pytest.approx(total)
    assert set(layers) >= set(report.run_counts().matrices)
    assert report.power == pytest.approx(total / report.time)
    assert report.tiles == len(set(report.plan.tile_of_array.tolist()))


def test_what_is_printed_says_count_model_or_assumption(ran: tuple[CrossbarReport, Trace]) -> None:
    report, _ = ran
    text, html = str(report), report._repr_html_()
    for words in ("exact count", "model with constants", "assumption", "energy.add", "Energy by component"):
        assert words in text
        assert words in html
    assert f"{report.conversions:,}" in text
    assert "Beside the digital run" not in text
    for price, _ in report.energy.assumptions if report.energy else ():
        assert price.name in text
        assert price.why in text
    assert "not published" not in text or "neurram" in text


def test_a_report_prints_in_a_terminal(ran: tuple[CrossbarReport, Trace]) -> None:
    from rich.console import Console

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(ran[0])
    assert "Energy by component" in console.export_text()


def test_the_ideal_machine_has_counts_and_no_prices(network: Network, digital: Trace) -> None:
    program = Crossbar("ideal").compile(network, dt=DT)
    report = program.report().beside(digital, program.run(STEPS, progress=False))
    assert all(change.differing == 0 for change in report.changes)
    report = program.report()
    assert report.energy is report.latency is report.area is None
    assert report.run_counts().row_pulses.sum() > 0
    with pytest.raises(TargetError, match="crossbar machine ideal has no prices"):
        _ = report.time
    assert "Energy" not in str(report)


def test_beside_a_digital_run(ran: tuple[CrossbarReport, Trace], digital: Trace) -> None:
    report, trace = ran
    found = report.beside(digital, trace, score=lambda each: each.count("layer"))
    assert found.scores == (digital.count("layer"), trace.count("layer"))
    source, layer = found.changes
    assert (source.differing, source.where) == (0, "")
    expected = compare(digital, trace).populations[1]
    assert layer.differing == expected.differing > 0
    assert expected.first is not None
    assert (layer.sample, layer.step, layer.neuron) == (None, expected.first.step, expected.first.neuron)
    assert layer.where in str(found)
    with pytest.raises(TargetError, match="Trace and a Batch cannot be compared"):
        report.beside(digital, Batch({}, 1, (0, 1)))


def test_batches_are_compared_by_their_traces_or_else_by_counts(network: Network, tmp_path: Path) -> None:
    machine = load_machine("neurram", rows=16)
    rng = np.random.default_rng(5)
    inputs = {"source": (rng.random((3, 30, 30)) < 0.1).astype(np.float32)}
    batches: list[list[Any]] = [[], []]
    for number, target in enumerate((CPU(), Crossbar(machine))):
        program: Any = target.compile(network, dt=DT)
        batches[0].append(program.run_batch(inputs, 31, progress=False))
        batches[1].append(program.run_batch(inputs, 31, out=tmp_path / f"{number}.h5", progress=False))
    counted, listed = (changes_of(a, b)[1] for a, b in batches)
    assert counted.events == listed.events
    assert 0 < counted.differing <= listed.differing
    assert counted.step is None
    assert listed.sample is not None
    assert listed.step is not None
    assert 0 <= listed.step < 31
    a, b = (batch.trace.events("layer", start=31.0 * listed.sample) for batch in batches[1])
    first = 31 * listed.sample + listed.step
    inside = [set(each.ids[each.steps == first].tolist()) for each in (a, b)]
    assert min(inside[0] ^ inside[1]) == listed.neuron
    assert report_of_batch(batches[0][1], program) == 3
    short = replace(batches[0][0], steps=30)
    with pytest.raises(TargetError, match="run the same samples"):
        changes_of(batches[0][0], short)


def report_of_batch(batch: Batch, program: Any) -> int:
    report: CrossbarReport = program.report()
    assert report.samples == batch.samples
    assert "a sample" in str(report)
    return report.samples


def test_costs_are_kept_in_the_trace(ran: tuple[CrossbarReport, Trace], tmp_path: Path) -> None:
    report, memory = ran
    memory.save(tmp_path / "trace.h5")
    with Trace(tmp_path / "trace.h5") as trace:
        assert set(report.arrays()) <= {path.removeprefix("costs/") for path in trace.run}
        c = report.run_counts()
        np.testing.assert_array_equal(trace.run["costs/conversions"], c.conversions)
        by_matrix, said = trace.run["costs/energy_by_matrix"], trace.run.attrs("costs/energy_by_matrix")
        assert report.energy is not None
        np.testing.assert_array_equal(by_matrix, report.energy.by_matrix)
        assert tuple(said["columns"]) == COMPONENTS
        assert said["unit"] == "J"
        assert trace.run["costs/saturated"].sum() == c.saturated.sum()
        steps = trace.run["costs/steps"]
        columns = list(trace.run.attrs("costs/steps")["columns"])
        assert len(steps) == STEPS
        np.testing.assert_array_equal(steps[:, :, columns.index("reads")].sum(0), c.reads)


def test_compare_tells_saturation(network: Network, digital: Trace) -> None:
    """A range a tenth as wide as it should be saturates, and the comparison of the traces says how often."""
    from neuromorph.mapping.crossbar import calibrate

    target = Crossbar(load_machine("neurram", rows=16), effects=Effects(adc=True))
    ranges = calibrate(target, network, DT, lambda program: program.run(STEPS, progress=False), method="max")
    narrow = replace(ranges, lo=ranges.lo / 10, step=ranges.step / 10)
    program = replace(target, ranges=narrow).compile(network, dt=DT)
    trace = program.run(STEPS, progress=False)
    source, layer = compare(digital, trace).populations
    assert source.saturated == (None, 0)
    assert layer.saturated == (None, program.report().saturated)
    assert program.report().saturated > 0
    assert "saturated conversions: no converters and" in str(compare(digital, trace))


@pytest.fixture(scope="module")
def studied(network: Network) -> Study:
    machine = load_machine("neurram", rows=16)
    target = Crossbar(machine, effects=machine.effects.without("on_off"))
    return study(
        target,
        network,
        DT,
        lambda program: program.run(STEPS, progress=False),
        lambda trace: trace.count("layer"),
        times={"1 hour": 3600.0, "1 year": 365 * 86400.0},
        readouts=["dense", "tile-skip", "comparator"],
        seeds=2,
    )


def test_a_study_switches_on_one_effect_after_the_other(studied: Study, digital: Trace) -> None:
    effects = load_machine("neurram").effects.without("on_off").on()
    names = [row.name for row in studied]
    last = "only drift, after 1 year"
    alone = [last if name == "drift" else f"only {name}" for name in effects]
    times, readouts = ["all, after 1 hour", "all, after 1 year"], ["all, dense", "all, comparator"]
    assert names == ["digital", "ideal", *alone, "all", *times, *readouts]
    assert studied["digital"].score == digital.count("layer")
    ideal = studied["ideal"]
    assert ideal.differing == 0
    assert ideal.scores == studied["digital"].scores
    for row in studied.rows[2:]:
        assert len(row.scores) == 2
    assert studied["only programming"].effects == ("programming",)
    assert studied["only programming"].differing > 0
    assert studied["all, after 1 year"].time == 365 * 86400.0
    assert studied["only read_noise"].spread >= 0
    assert studied["all, dense"].changes == studied["all"].changes
    dense, skipped = studied["all, dense"].energy, studied["all"].energy
    assert dense is not None
    assert skipped is not None
    assert dense > skipped


def test_a_study_is_the_same_again(network: Network, studied: Study) -> None:
    target = Crossbar(load_machine("neurram", rows=16))
    target = replace(target, effects=target.on.without("on_off"))
    groups = {"errors of cells": ["programming", "read_noise"]}
    again = study(
        target, network, DT, lambda program: program.run(STEPS, progress=False),
        lambda trace: trace.count("layer"), effects=groups, times={}, seeds=2,
    )  # fmt: skip
    assert [row.name for row in again] == ["digital", "ideal", "errors of cells", "all"]
    assert again["all"].scores == studied["all"].scores
    assert again["all"].changes == studied["all"].changes


def test_a_study_prints_and_gives_its_numbers(studied: Study) -> None:
    text, html, data = str(studied), studied._repr_html_(), studied.data()
    assert len(studied) == len(data)
    for row, numbers in zip(studied, data, strict=True):
        assert row.name in text
        assert row.name in html
        assert numbers["score"] == row.score
        assert numbers["loss"] == studied.rows[0].score - row.score
    assert "mean and standard deviation of 2 chips" in text
    with pytest.raises(KeyError, match="the study has digital, ideal"):
        studied["nothing"]


def test_an_interrupted_study_keeps_what_it_has(network: Network) -> None:
    done = []

    def run(program: Any) -> Trace:
        done.append(program)
        if len(done) == 4:
            raise KeyboardInterrupt
        return program.run(STEPS, progress=False)

    found = study(Crossbar("isaac"), network, DT, run, lambda trace: 0.0)
    assert len(found) == 3
    assert not found.complete
    assert "interrupted" in str(found)


def test_a_study_refuses_what_it_cannot_do(network: Network) -> None:
    def never(program: Any) -> Any:
        raise AssertionError("work was done")

    target = Crossbar("isaac")
    with pytest.raises(TargetError, match="wires is off"):
        study(target, network, DT, never, never, effects=["wires"])
    with pytest.raises(TargetError, match="seeds is 0"):
        study(target, network, DT, never, never, seeds=0)
    chip = target.compile(network, dt=DT).chip
    with pytest.raises(TargetError, match="was programmed before"):
        study(replace(target, chip=chip), network, DT, never, never)


def test_figures(ran: tuple[CrossbarReport, Trace], studied: Study, network: Network, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from neuromorph.mapping.crossbar.results import figures

    def ax() -> Any:
        figure = Figure()
        FigureCanvasAgg(figure)
        return figure.subplots()

    report, _ = ran
    assert report.energy is not None
    paths = figures.save_figures(report, tmp_path)
    assert [path.name for path in paths] == ["utilisation.png", "conductances.png", "energy.png"]
    shown = figures.conductance_map(report.chip, 1, ax()).images[0].get_array()
    used = report.chip.used(1)
    np.testing.assert_allclose(np.asarray(shown)[used], report.chip.conductance(1)[used] * 1e6)
    tiles = np.asarray(figures.utilisation_map(report.plan, ax=ax()).images[0].get_array())
    np.testing.assert_allclose(np.sort(tiles[~np.isnan(tiles)]), np.sort(report.utilisation) * 100)
    bars = figures.energy_bars(report, per=STEPS, unit="step", ax=ax())
    scale = {"pJ": 1e-12, "nJ": 1e-9, "uJ": 1e-6}[bars.get_xlabel().split("(")[1].rstrip(")")]
    assert sum(bar.get_width() for bar in bars.patches) * scale * STEPS == pytest.approx(report.energy.total)
    other = figures.energy_bars({"here": report, "there": {"core": 1e-3}}, ax=ax())
    assert [label.get_text() for label in other.get_yticklabels()] == ["here", "there"]
    table = np.asarray(figures.error_by_layer(studied, ax()).images[0].get_array())
    assert table.shape == (len(studied) - 1, 1)  # the source never differs
    row = [row.name for row in studied.rows[1:]].index("all")
    assert table[row, 0] == pytest.approx(studied["all"].changes[1].share)
    assert len(figures.score_bars(studied, "events", ax()).patches) == len(studied)

    with pytest.raises(TargetError, match="array 99"):
        figures.conductance_map(report.chip, 99, ax())
    with pytest.raises(TargetError, match="chip 5"):
        figures.utilisation_map(report.plan, 5, ax())
    mapped = Crossbar("isaac").compile(network, dt=DT).report()
    with pytest.raises(TargetError, match="has not run"):
        figures.energy_bars(mapped, ax=ax())
