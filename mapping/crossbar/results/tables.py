"""The tables of a report: what is an exact count, what a model, and which assumptions carry it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...readable import age, joules, many, percent, seconds, square_metres

if TYPE_CHECKING:
    from neuromorph.engine.tables import Table

    from .report import CrossbarReport

EXACT, MODEL, FORECAST = "exact count", "model with constants", "forecast"


def summary(report: CrossbarReport) -> str:
    """One line: what, where, and how long this computer took."""
    plan = report.plan
    stages = ", ".join(f"{name} {value:.3g} s" for name, value in report.seconds.items())
    return (
        f"{report.network} on {report.target}: {many(report.neurons, 'neuron')} and "
        f"{many(report.synapses, 'synapse')} in {many(plan.arrays, 'array')} on {many(report.tiles, 'tile')} of "
        f"{many(plan.chips, 'chip')}; this computer: {stages}"
    )


def tables(report: CrossbarReport) -> list[Table]:
    """Title, head and rows of every table: the mapping's, and the run's if there was one."""
    found = [_machine_table(report), _mapping_table(report), _matrix_table(report), _cell_table(report)]
    if report.counts is not None:
        found += [_run_table(report), _activity_table(report)]
    if report.energy is not None:
        found += [_component_table(report), _layer_table(report)]
    found += [_area_table(report), _digital_table(report), _assumption_table(report)]
    return [table for table in found if table[2]]


def _machine_table(report: CrossbarReport) -> Table:
    m = report.plan.machine
    bounds = f"{m.g_min * 1e6:.3g} to {m.g_max * 1e6:.3g} uS"
    levels = "cells of any conductance" if m.cell_levels is None else f"cells of {m.cell_levels} levels, {bounds}"
    bits = "any weight" if m.weight_bits is None else f"weights of {m.weight_bits} bits"
    cells = many(m.cells_per_weight, "cell")
    shared = f"one for {many(m.adc.columns_per_converter, 'column')}"
    adc = "ideal" if m.adc.bits is None else f"{m.adc.bits} bits, {m.adc.kind}, {shared}"
    inputs = "ideal" if m.dac.bits is None else f"{m.dac.bits} bits a phase, {m.input_bits} bits of graded events"
    if m.input_code != "binary":
        inputs += f", stored as {m.input_code}"
    rows = [
        ("array", f"{m.rows:,} x {m.columns:,} {levels}"),
        ("weights", f"{bits}, {m.encoding}, {cells} each"),
        ("inputs", inputs),
        ("ADCs", adc),
        ("effects on", str(report.effects)),
    ]
    if report.effects.time:
        rows.append(("since programming", age(report.effects.time)))
    return f"Machine: {m.name}", ("part", "of the machine file"), rows


def _mapping_table(report: CrossbarReport) -> Table:
    plan = report.plan
    used = plan.utilisation
    mean = float(used.mean()) if len(used) else 0.0
    rows = [
        ("arrays", f"{plan.arrays:,} of {plan.machine.arrays * plan.chips:,} on {many(plan.chips, 'chip')}", EXACT),
        ("cells in use", f"{mean:.1%} of these arrays, {float(used.max(initial=0)):.1%} of the fullest", EXACT),
    ]
    if any(plan.hops):
        rows.append(
            ("hops of values", f"{plan.hops[1]:,.1f} a step ({plan.hops[0]:,.1f} with arrays in their order)", FORECAST)
        )
    if plan.activity.basis != "none":
        silent, given = plan.activity.planned, plan.activity.given
        rows.append(("silent blocks", f"{silent:.1%} of a step ({given:.1%} in the given order)", FORECAST))
    return "Mapping", ("quantity", "value", "kind"), rows


def _matrix_table(report: CrossbarReport) -> Table:
    plan = report.plan
    rows = []
    for m in plan.matrices:
        blocks = plan.blocks_of(m.index)
        arrays = len(np.unique(plan.blocks.array[blocks.start : blocks.stop]))
        once = int(plan.replicas[m.index]) or 1
        passes = f"{m.passes:,} passes" + (f", {once} copies" if once > 1 else "") if m.passes > 1 else "1 pass"
        worth = f"{report.chip.scale[m.index] * (m.scale or 1.0):.4g}"
        clipped = int(report.chip.clipped[m.index])
        worth += f"; {clipped:,} weights clipped" if clipped else ""
        size = f"{m.rows:,} x {m.columns:,}"
        rows.append((m.name, size, f"{m.weights:,}", worth, f"{len(blocks):,}", f"{arrays:,}", passes))
    head = ("name", "rows x columns", "weights", "a code is worth", "blocks", "arrays", "in a step")
    return "Matrices", head, rows


def _cell_table(report: CrossbarReport) -> Table:
    """How far the cells are from what they were given, by matrix."""
    found = report.chip.statistics()
    if not found.worst.any():
        return "", (), []
    plan, rows = report.plan, []
    for m in plan.matrices:
        blocks = plan.blocks_of(m.index)
        those = np.unique(plan.blocks.array[blocks.start : blocks.stop])
        cells = found.cells[those]
        share = cells / max(int(cells.sum()), 1)
        mean, rms = float(share @ found.mean[those]), float(np.sqrt(share @ found.rms[those] ** 2))
        missed = f"{int(found.missed[those].sum()):,}" if report.effects.verify else ""
        rows.append((m.name, f"{mean:+.3g}", f"{rms:.3g}", f"{found.worst[those].max():.3g}", missed))
    head = ("matrix", "mean", "root mean square", "worst", "given up")
    return "Cells of its arrays, held less given (levels; a model of the device)", head, rows


def _run_table(report: CrossbarReport) -> Table:
    c = report.run_counts()
    reads, skipped = int(c.reads.sum()), int(c.skipped.sum())
    rows = [
        ("steps", f"{c.steps:,}" + (f" of {c.samples:,} samples" if c.samples else ""), EXACT),
        ("read-out", c.readout, ""),
        ("events into arrays", f"{int(c.events.sum()):,}", EXACT),
        ("rows driven", f"{int(c.row_pulses.sum()):,}", EXACT),
        ("arrays read", f"{reads:,}; {skipped:,} skipped ({percent(skipped, reads + skipped)})", EXACT),
        ("conversions", _conversions(report), EXACT),
    ]
    if c.comparisons.any():
        rows.append(("comparisons", f"{int(c.comparisons.sum()):,}, {int(c.pulses.sum()):,} pulses", EXACT))
    if report.conversions or c.comparisons.any():
        most = report.conversions or int(c.comparisons.sum())
        rows.append(("saturated", f"{report.saturated:,} ({percent(report.saturated, most)})", EXACT))
    rows.append(("digital additions", f"{int(c.shift_adds.sum() + c.partial_adds.sum()):,}", EXACT))
    rows.append(("neuron updates", f"{int(c.neuron_updates.sum()):,}, {int(c.spikes.sum()):,} events", EXACT))
    if report.energy is not None:
        rows += [
            ("time", _each(report, report.time, seconds), MODEL),
            ("energy", _each(report, report.energy.total, joules), MODEL),
            ("power", f"{report.power * 1e3:.4g} mW", MODEL),
        ]
    return "Run", ("quantity", "value", "kind"), rows


def _each(report: CrossbarReport, value: float, show: Callable[[float], str]) -> str:
    """A sum, and what it is for each sample."""
    return show(value) + (f", {show(value / report.samples)} a sample" if report.samples else "")


def _conversions(report: CrossbarReport) -> str:
    by_bits = report.run_counts().conversions.sum(0)
    total = int(by_bits.sum())
    if not total:
        return "0"
    mean = float(by_bits @ np.arange(len(by_bits))) / total
    return f"{total:,} of {mean:.3g} bits on average" if mean else f"{total:,}, ideal"


def _activity_table(report: CrossbarReport) -> Table:
    c = report.run_counts()
    rows = []
    for k, m in enumerate(report.plan.matrices):
        reads, skipped, conversions = int(c.reads[k]), int(c.skipped[k]), int(c.conversions[k].sum())
        possible = m.lines * c.steps
        rows.append(
            (
                m.name,
                f"{int(c.events[k]):,} ({percent(c.events[k], possible)})",
                f"{reads:,}",
                percent(skipped, reads + skipped),
                f"{conversions:,}",
                f"{int(c.saturated[k]):,}",
            )
        )
    head = ("matrix", "events (of all possible)", "reads", "skipped", "conversions", "saturated")
    return "Activity by matrix (exact counts)", head, rows


def _component_table(report: CrossbarReport) -> Table:
    energy = report.energy
    assert energy is not None
    sure: dict[str, set[str]] = {}
    for term in energy.terms:
        if term.joules.any():
            sure.setdefault(term.component, set()).add(term.price.status)
    rows = [
        (name, joules(value), percent(value, energy.total), ", ".join(sorted(sure[name])))
        for name, value in energy.by_component.items()
        if value
    ]
    shares = ", ".join(f"{percent(j, energy.total)} {status}" for status, j in energy.by_status.items() if j)
    return f"Energy by component: {shares}", ("component", "energy", "share", "constants"), rows


def _layer_table(report: CrossbarReport) -> Table:
    energy, latency = report.energy, report.latency
    assert energy is not None
    assert latency is not None
    times = dict(zip(energy.matrices, latency.matrices.tolist(), strict=True))
    rows = []
    for name, parts in report.energy_by_matrix().items():
        total = sum(parts.values())
        most = max(parts, key=lambda part: parts[part], default="")
        mainly = f"{most} {percent(parts[most], total)}" if len(parts) > 1 else ""
        time = seconds(times[name]) if name in times else ""
        rows.append((name, joules(total), percent(total, energy.total), mainly, time))
    title = f"Energy and time by layer ({MODEL}; arrays work side by side)"
    return title, ("layer", "energy", "share", "mostly", "time"), rows


def _area_table(report: CrossbarReport) -> Table:
    if report.area is None:
        return "", (), []
    area, c = report.area, report.plan.machine.constants
    kind = {"cells": "cell", "drivers": "row", "sensing": "column", "ADCs": "adc", "cores": "core", "tiles": "tile"}
    rows = [
        (name, square_metres(value), percent(value, area.total), c[f"area.{kind[name]}"].status)
        for name, value in area.used.items()
        if value
    ]
    chips = many(area.chips, "whole chip")
    rows.append((chips, square_metres(area.chips_total), "", "assumption" if area.assumed else "derived"))
    return f"Area of what is used: {square_metres(area.total)} ({MODEL})", ("part", "area", "share", "constants"), rows


def _digital_table(report: CrossbarReport) -> Table:
    if not report.changes:
        return "", (), []
    rows = [
        (
            change.population,
            f"{change.events[0]:,}",
            f"{change.events[1]:,}",
            f"{change.differing:,} ({percent(change.differing, change.events[0])})" if change.differing else "0",
            change.where,
            f"{saturated:,}",
        )
        for change, saturated in zip(report.changes, _saturated(report), strict=True)
    ]
    scores = ""
    if report.scores is not None:
        digital, here = report.scores
        scores = f": score {here:.4g}, digital {digital:.4g}"
    head = ("population", "digital events", "events here", "differing", "first difference", "saturated conversions")
    return f"Beside the digital run{scores}", head, rows


def _saturated(report: CrossbarReport) -> list[int]:
    names = [p.name for p in report.lowered.populations]
    by_name = dict(zip(names, report.saturated_by_population.tolist(), strict=True))
    return [by_name[change.population] for change in report.changes]


def _assumption_table(report: CrossbarReport) -> Table:
    """What is assumed, with the energy that rests on it, and what else the figures rest on."""
    rows: list[tuple[str, ...]] = []
    if report.energy is not None:
        for price, carried in report.energy.assumptions:
            value = f"{price.value:g} {price.unit}" if isinstance(price.value, int | float) else str(price.value)
            rows.append((price.name, value, f"{percent(carried, report.energy.total)} of the energy", price.why))
    if report.area is not None:
        c = report.plan.machine.constants
        rows += [(n, f"{c[n].value:g} {c[n].unit}", "area", c[n].why) for n in report.area.assumed]
    rows += [("device", "", "cells", remark) for remark in report.chip.remarks]
    return "Assumptions that carry these figures", ("constant", "value", "carries", "why"), rows
