"""Pictures of a trace. Each function draws into ``ax`` (default: a new figure) and returns the Axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import TraceError

from . import analysis
from .optional import require
from .sink import Array
from .trace import Trace, in_ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_ROWS = 2000
_MOST_EVENTS = 200_000
_MOST_POINTS = 4000


def raster(
    trace: Trace,
    populations: Any = None,
    *,
    ids: Any = None,
    start: Any = None,
    stop: Any = None,
    max_rows: int = _MOST_ROWS,
    ax: Axes | None = None,
) -> Axes:
    """One row for each neuron, one mark for each event; populations stand one above the other.

    Where there are more neurons than ``max_rows``, evenly spaced ones are shown and the label says so, likewise where
    there would be too many marks to see. Graded events are shaded by the size of their value.

    Parameters
    ----------
    populations : str, Population or sequence of them, optional
        Default: all whose events are recorded.
    ids, start, stop
        As in :meth:`Trace.events`.
    """
    ax = _axes(ax)
    names = _names(trace, populations)
    low, high = _window(trace, start, stop)
    shown = {name: _choose(trace, name, ids, start, stop, max(max_rows // max(len(names), 1), 1)) for name in names}
    total = max(sum(rows.size for rows in shown.values()), 1)
    width, height = _extent(ax)
    size = float(np.clip(0.9 * height / total, 1.2, 12))
    # Strokes thinner than a pixel vanish, dots do not.
    marker, stroke = ("|", 1.0) if size > 3 else ("s", 0.0)
    base, labels = 0, []
    gap = max(total // 60, 1) if len(names) > 1 else 0
    for number, (name, rows) in enumerate(shown.items()):
        events = trace.events(name, rows, start, stop)
        y = base + np.searchsorted(rows, events.ids)
        colour = f"C{number % 10}"
        ink = len(events) * size * (stroke or size) / (width * height * rows.size / total + 1)
        opacity = float(np.clip(0.5 / max(ink, 1e-9), 0.3, 1))
        marks = ax.scatter(events.times, y, s=size**2, marker=marker, linewidths=stroke, color=colour, alpha=opacity)
        marks.set_rasterized(len(events) > 5000)
        if events.values is not None and len(events):
            strength = np.abs(events.values.astype(np.float64))
            marks.set_alpha(np.clip(0.15 + opacity * strength / max(float(strength.max()), 1e-300), 0, 1).tolist())
        size_of = trace.sizes[name]
        part = "" if ids is not None or rows.size == size_of else f"\n{rows.size:,} of {size_of:,}"
        labels.append((base + max(rows.size - 1, 0) / 2, f"{name}{part}", colour))
        base += rows.size + gap
    ax.set_xlim(low, high)
    ax.set_ylim(-0.5 - gap, max(base, 1) - 0.5)
    ax.set_xlabel("time (ms)")
    if len(names) == 1 and shown[names[0]].size:
        rows, (_, label, _) = shown[names[0]], labels[0]
        if np.array_equal(rows, np.arange(rows.size)):
            ax.locator_params(axis="y", integer=True)
        else:
            spots = np.unique(np.linspace(0, rows.size - 1, min(rows.size, 6)).astype(int))
            ax.set_yticks(spots, [str(rows[k]) for k in spots])
        ax.set_ylabel(f"neuron of {label}".replace("\n", ", "))
    else:
        ax.set_yticks([y for y, _, _ in labels], [text for _, text, _ in labels])
        for tick, (_, _, colour) in zip(ax.get_yticklabels(), labels, strict=True):
            tick.set_color(colour)
        ax.tick_params(axis="y", length=0)
    return ax


def rate(
    trace: Trace,
    populations: Any = None,
    *,
    bin: Any = None,
    start: Any = None,
    stop: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean rate per neuron of each population against time, in bins (default: about 100 of them)."""
    ax = _axes(ax)
    low, high = _window(trace, start, stop)
    step = 1e3 * trace.dt if trace.dt is not None else (high - low) / 100
    width = max(round((high - low) / 100 / step), 1) * step if bin is None else in_ms(bin)
    for name in _names(trace, populations):
        times, hertz = analysis.population_rate(trace, name, width, start=start, stop=stop)
        ax.stairs(hertz, np.append(times, times[-1] + width), label=name, linewidth=1.2)
    ax.set_xlim(low, high)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("time (ms)")
    ax.set_ylabel(f"rate (Hz), bins of {width:g} ms")
    _legend(ax)
    return ax


def isi(
    trace: Trace,
    populations: Any = None,
    *,
    bins: int = 60,
    ids: Any = None,
    start: Any = None,
    stop: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Distribution of the inter-spike intervals of all neurons of each population, on a logarithmic axis.

    The area under each curve is 1, so that populations can be compared. Bins are whole numbers of steps.
    """
    ax = _axes(ax)
    names = _names(trace, populations)
    gaps = {name: analysis.isi(trace, name, ids=ids, start=start, stop=stop) for name in names}
    positive = [intervals.lengths[intervals.lengths > 0] for intervals in gaps.values()]
    low = min((float(lengths.min()) for lengths in positive if lengths.size), default=1.0)
    high = max((float(lengths.max()) for lengths in positive if lengths.size), default=10.0)
    edges = np.geomspace(low * 0.95, high * 1.05, bins + 1)
    if trace.dt is not None:
        step = 1e3 * trace.dt
        edges = np.unique(np.append(np.rint(edges / step), np.rint(high / step) + 1).clip(1) - 0.5) * step
    decades = np.diff(np.log10(edges))
    for name, intervals in gaps.items():
        variation = intervals.cv()
        known = variation[np.isfinite(variation)]
        text = f"{name}: mean CV {known.mean():.2f}" if known.size else name
        share = np.histogram(intervals.lengths, edges)[0] / max(intervals.lengths.size, 1)
        ax.stairs(share / decades, edges, label=text, linewidth=1.2)
    ax.set_xscale("log")
    ax.set_ylim(bottom=0)
    ax.set_xlabel("inter-spike interval (ms)")
    ax.set_ylabel("share of the intervals per decade")
    _legend(ax, always=True)
    return ax


def states(
    trace: Trace,
    population: Any,
    variable: str,
    *,
    ids: Any = None,
    start: Any = None,
    stop: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """A recorded state of a few neurons against time (default: up to five, evenly spaced).

    A long trace is drawn as the band between the least and the greatest value of each stretch, so that no peak is lost.
    """
    ax = _axes(ax)
    if ids is None:
        everyone = trace.state(population, variable).ids
        ids = everyone[np.unique(np.linspace(0, everyone.size - 1, min(5, everyone.size)).astype(int))]
    selected = trace.state(population, variable, ids, start, stop)
    data, times = selected.data, selected.times
    stretch = -(-len(times) // _MOST_POINTS)
    for column, neuron in enumerate(selected.ids):
        curve, colour = data[:, column], f"C{column % 10}"
        if stretch <= 1:
            ax.plot(times, curve, color=colour, linewidth=1, label=f"neuron {neuron}")
            continue
        starts = np.arange(0, len(times), stretch)
        least, most = np.minimum.reduceat(curve, starts), np.maximum.reduceat(curve, starts)
        ax.fill_between(times[starts], least, most, color=colour, linewidth=0.6, alpha=0.7, label=f"neuron {neuron}")
    if len(times):
        ax.set_xlim(times[0], times[-1] if len(times) > 1 else times[0] + 1)
    ax.set_xlabel("time (ms)")
    ax.set_ylabel(f"{selected.population}.{variable}" + (f" ({selected.unit})" if selected.unit else ""))
    _legend(ax)
    return ax


# Details.


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    pyplot = require("matplotlib.pyplot", "plot", "a plot")
    axes: Axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")[1]
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _extent(ax: Axes) -> tuple[float, float]:
    """Width and height in points."""
    box, figure = ax.get_window_extent(), ax.get_figure(root=True)
    scale = 1.0 if figure is None else 72 / figure.dpi
    return box.width * scale, box.height * scale


def _legend(ax: Axes, always: bool = False) -> None:
    number = len(ax.get_legend_handles_labels()[1])
    if number > 1 or (always and number):
        ax.legend(frameon=False, fontsize="small", ncols=1 if number <= 6 else 3)


def _names(trace: Trace, populations: Any) -> list[str]:
    if populations is None:
        return list(trace.recorded_events)
    several = populations if isinstance(populations, list | tuple) else [populations]
    return [str(getattr(population, "name", population)) for population in several]


def _window(trace: Trace, start: Any, stop: Any) -> tuple[float, float]:
    low = trace.start if start is None else in_ms(start)
    high = trace.stop if stop is None else in_ms(stop)
    if not high > low:
        raise TraceError(f"empty stretch of time: start {low:g} ms, stop {high:g} ms", start=low, stop=high)
    return low, high


def _choose(trace: Trace, name: str, ids: Any, start: Any, stop: Any, most: int) -> Array:
    """Neurons to show, ascending: those asked for, thinned until rows and marks can be told apart."""
    rows = np.arange(trace.sizes.get(name, 0)) if ids is None else np.unique(np.asarray(ids).astype(np.int64))
    number = analysis.counts(trace, name, ids=rows, start=start, stop=stop).sum() if rows.size else 0
    share = min(1.0, most / max(rows.size, 1), _MOST_EVENTS / max(number, 1))
    if share >= 1:
        return rows
    keep = max(int(rows.size * share), 1)
    return rows[np.linspace(0, rows.size - 1, keep).astype(np.int64)]
