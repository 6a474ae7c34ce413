"""The tables of a report: what is an exact count, what a model, and which assumptions carry it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..readable import percent, seconds

if TYPE_CHECKING:
    from .report import CrossbarReport

Table = tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]
EXACT = "exact count"


def summary(report: CrossbarReport) -> str:
    """One line: what, where, and how long this computer took."""
    plan = report.plan
    stages = ", ".join(f"{name} {value:.3g} s" for name, value in report.seconds.items())
    return (
        f"{report.network} on {report.target}: {_many(report.neurons, 'neuron')} and "
        f"{_many(report.synapses, 'synapse')} in {_many(plan.arrays, 'array')} on {_many(report.tiles, 'tile')} of "
        f"{_many(plan.chips, 'chip')}; this computer: {stages}"
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def tables(report: CrossbarReport) -> list[Table]:
    """Title, head and rows of every table: the mapping's, and the run's if there was one."""
    found = [_machine_table(report), _mapping_table(report), _matrix_table(report)]
    if report.counts is not None:
        found += [_run_table(report), _activity_table(report)]
    return [table for table in found if table[2]]


def _machine_table(report: CrossbarReport) -> Table:
    m = report.plan.machine
    levels = "any conductance" if m.cell_levels is None else f"{m.cell_levels} levels"
    bits = "any weight" if m.weight_bits is None else f"weights of {m.weight_bits} bits"
    cells = _many(m.cells_per_weight, "cell")
    adc = (
        "ideal"
        if m.adc.bits is None
        else f"{m.adc.bits} bits, {m.adc.kind}, {m.adc.columns_per_converter} columns each"
    )
    inputs = "ideal" if m.dac.bits is None else f"{m.dac.bits} bits a phase, {m.input_bits} bits of graded events"
    rows = [
        ("array", f"{m.rows:,} x {m.columns:,} cells of {levels}, {m.g_min * 1e6:.3g} to {m.g_max * 1e6:.3g} uS"),
        ("weights", f"{bits}, {m.encoding}, {cells} each"),
        ("inputs", inputs),
        ("ADCs", adc),
        ("effects on", str(report.effects)),
    ]
    if report.effects.time:
        rows.append(("since programming", seconds(report.effects.time)))
    return f"Machine: {m.name}", ("", ""), rows


def _mapping_table(report: CrossbarReport) -> Table:
    plan = report.plan
    used = plan.utilisation
    mean = float(used.mean()) if len(used) else 0.0
    rows = [
        ("arrays", f"{plan.arrays:,} of {plan.machine.arrays * plan.chips:,} on {_many(plan.chips, 'chip')}", EXACT),
        ("cells in use", f"{mean:.1%} of these arrays, {float(used.max(initial=0)):.1%} of the fullest", EXACT),
        (
            "values travel",
            f"{plan.hops[1]:,.1f} hops a step ({plan.hops[0]:,.1f} with tiles in their order)",
            "forecast",
        ),
    ]
    if plan.activity.basis != "none":
        silent, given = plan.activity.planned, plan.activity.given
        rows.append(("silent blocks", f"{silent:.1%} of a step ({given:.1%} in the given order)", "forecast"))
    return "Mapping", ("", "", "kind"), rows


def _matrix_table(report: CrossbarReport) -> Table:
    plan = report.plan
    rows = []
    for m in plan.matrices:
        blocks = plan.blocks_of(m.index)
        arrays = len(np.unique(plan.blocks.array[blocks.start : blocks.stop]))
        once = int(plan.replicas[m.index]) or 1
        passes = f"{m.passes:,} passes" + (f", {once} copies" if once > 1 else "") if m.passes > 1 else "1 pass"
        rows.append(
            (m.name, f"{m.rows:,} x {m.columns:,}", f"{m.weights:,}", f"{len(blocks):,}", f"{arrays:,}", passes)
        )
    return "Matrices", ("name", "rows x columns", "weights", "blocks", "arrays", "in a step"), rows


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
    return "Run", ("", "", "kind"), rows


def _conversions(report: CrossbarReport) -> str:
    by_bits = report.run_counts().conversions.sum(0)
    total = int(by_bits.sum())
    if not total:
        return "0"
    mean = float(by_bits @ np.arange(len(by_bits))) / total
    return f"{total:,} of {mean:.3g} bits on average"


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
