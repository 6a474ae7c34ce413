"""Pictures of pipelines: which block works on which item, busy operators, full FIFOs; schedules compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..canvas import axes, save
from .comparison import ScheduleComparison
from .names import alike
from .report import PipelineReport
from .timeline import Level, Occupancy, tracks
from .timing import Timing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LABELS = 60


def gantt(timing: Timing, level: Level = "block", ax: Axes | None = None) -> Axes:
    """A bar for each item in the row of each block, operator or stage, coloured by item.

    Where items overlap in a row, the row is cut into lanes.
    """
    from matplotlib import colormaps

    found = tracks(timing, level)
    lanes = found.lanes()
    ax = axes(ax)
    colours = colormaps["tab10"]
    height = 0.84 / (lanes.max(axis=1) + 1)
    rows = np.arange(len(found.names))
    for item in range(timing.items):
        ax.barh(
            rows - 0.42 + (lanes[:, item] + 0.5) * height,
            found.end[:, item] - found.start[:, item] + 1,
            height,
            found.start[:, item],
            color=colours(item % 10),
            label=f"item {item}" if timing.items <= 10 else None,
        )
    _named(ax, found.names)
    _cycles(ax, int(found.end.max()) + 1)
    ax.set_title(f"{timing.graph.name}: when each {level} works on which item")
    if timing.items <= 10:
        ax.legend(loc="upper right", fontsize=7)
    return ax


def utilisation(found: PipelineReport, ax: Axes | None = None) -> Axes:
    """For each operator the share of the interval in which its busiest stage works or waits, and what it waits for.

    Operators whose names differ in numbers only share a row: their mean.
    """
    groups = alike(found.operators, lambda each: each.name)
    ax = axes(ax)
    rows = np.arange(len(groups))
    left = np.zeros(len(groups))
    for label, colour, values in (
        ("works", "C2", [[each.cycles for each in those] for _, those in groups]),
        ("waits for input", "C0", [[each.waiting for each in those] for _, those in groups]),
        ("waits for room", "C3", [[each.held for each in those] for _, those in groups]),
    ):
        share = np.array([np.mean(each) for each in values]) / found.interval
        ax.barh(rows, share, 0.8, left, color=colour, label=label)
        left += share
    ax.axvline(1.0, color="0.3", lw=0.8, ls="--")
    _named(ax, [f"{name} x {len(those)}" if len(those) > 1 else name for name, those in groups])
    ax.set_xlim(0, max(1.05, float(left.max(initial=0)) * 1.02))
    ax.set_xlabel(f"share of the interval of {found.interval:,.0f} cycles, last item")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7)
    return ax


def fill(filled: Occupancy, ax: Axes | None = None) -> Axes:
    """FIFOs (rows) over time (columns): tokens as a share of the depth, white where there is none."""
    ax = axes(ax)
    share = filled.tokens / filled.depths[:, None]
    drawn = ax.pcolormesh(
        np.append(filled.cycles, filled.end),
        np.arange(len(filled.names) + 1) - 0.5,
        np.where(filled.tokens > 0, share, np.nan),
        cmap="viridis",
        vmin=0,
        vmax=1,
        rasterized=True,
    )
    _named(ax, [f"{name} ({depth:,})" for name, depth in zip(filled.names, filled.depths.tolist(), strict=True)])
    _cycles(ax, filled.end)
    ax.figure.colorbar(drawn, ax=ax, label="tokens, share of the depth")
    ax.set_title("how full FIFOs are (depth in brackets)")
    return ax


def _named(ax: Axes, names: list[str] | tuple[str, ...]) -> None:
    """Rows from the top, with as many names as can be read."""
    every = max(1, -(-len(names) // _MOST_LABELS))
    ax.set_yticks(np.arange(len(names))[::every], list(names)[::every], fontsize=6)
    ax.set_ylim(len(names) - 0.5, -0.5)


def _cycles(ax: Axes, end: int) -> None:
    ax.set_xlabel("cycle")
    ax.set_xlim(0, end)
    ax.xaxis.set_major_formatter("{x:,.0f}")


def save_figure(timing: Timing, found: PipelineReport, path: str | Path, filled: Occupancy | None = None) -> Path:
    """Draw all of it into one file: blocks and items, operators, and if given FIFOs.

    Parameters
    ----------
    timing : Timing
    found : PipelineReport
        Of the same run.
    path : path
    filled : Occupancy, optional
    """
    heights = [_height(len(tracks(timing, "block").names)), _height(len(alike(found.operators, lambda e: e.name)))]
    if filled is not None and filled.names:
        heights.append(_height(len(filled.names)))

    def panels(ax: Axes) -> None:
        figure = ax.figure
        figure.clear()
        parts = figure.subplots(len(heights), 1, height_ratios=heights)
        gantt(timing, "block", parts[0])
        utilisation(found, parts[1])
        if len(heights) > 2 and filled is not None:
            fill(filled, parts[2])

    return save(panels, Path(path), (11.0, sum(heights)))


def save_comparison(found: ScheduleComparison, path: str | Path) -> Path:
    """Draw schedules side by side into a file: cycles from item to item, cycles of the first item, memory."""

    def panels(ax: Axes) -> None:
        figure = ax.figure
        figure.clear()
        interval, first, memory = figure.subplots(1, 3, sharey=True)
        rows = np.arange(len(found.schedules))
        for part, values, label in (
            (interval, [each.interval for each in found.schedules], "cycles from item to item"),
            (first, [each.first for each in found.schedules], "cycles of the first item"),
        ):
            part.bar_label(part.barh(rows, values, 0.7, color="C2"), [f"{value:,}" for value in values], fontsize=7)
            part.set_xlabel(label)
            part.set_xlim(0, 1.3 * max(values))
            part.xaxis.set_major_formatter("{x:,.0f}")
            part.locator_params(axis="x", nbins=4)
        left = np.zeros(len(rows))
        for label, colour, bits in (
            ("weights, tables", "0.7", [each.memory.weights + each.memory.tables for each in found.schedules]),
            ("inside stages", "C0", [each.memory.kept for each in found.schedules]),
            ("streams", "C1", [each.memory.streams for each in found.schedules]),
            ("whole tensors", "C3", [each.memory.tensors for each in found.schedules]),
        ):
            share = np.array(bits) / 1e6
            memory.barh(rows, share, 0.7, left, color=colour, label=label)
            left += share
        memory.set_xlabel("Mbit on chip")
        memory.legend(fontsize=7)
        interval.set_yticks(rows, [each.name for each in found.schedules])
        interval.invert_yaxis()
        figure.suptitle(f"{found.name} in {len(rows)} schedules", fontsize=10)

    return save(panels, Path(path), (11.0, 1.5 + 0.4 * len(found.schedules)))


def _height(rows: int) -> float:
    """Inches for so many rows."""
    return 1.1 + 0.13 * min(rows, 80)
