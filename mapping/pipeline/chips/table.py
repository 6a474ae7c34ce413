"""Schedules as tables and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...readable import joules, many, seconds

if TYPE_CHECKING:
    from neuromorph.engine.tables import Table

    from .result import Schedules

from .result import CAUSES

MOST_LAYERS = 12
MODEL = "model with assumed constants"


def summary(found: Schedules) -> str:
    """One line: what, where, and the bottleneck of the pipeline."""
    loop, work = found.bottleneck, found.work
    held = loop.layer if len(loop.layer) < 80 else f"{loop.layer[:77]}..."
    waits = "wait for one another" if len(loop.parts) > 1 else "waits for no other"
    spent: dict[str, float] = {}
    for each in found.spent.values():
        for cause, value in each.items():
            spent[cause] = spent.get(cause, 0.0) + value
    whole = max(sum(spent.values()), 1e-300)
    parts = ", ".join(f"{CAUSES[c]} {v / whole:.0%}" for c, v in spent.items() if v / whole >= 0.005)
    return (
        f"{found.network} on {found.machine}: {many(work.tokens, 'token')} in {many(work.steps, 'step')}, the same "
        f"events in every schedule.\nBottleneck of the pipeline: {many(len(loop.parts), 'PE')} of {held} that {waits}, "
        f"{seconds(loop.interval)} a token. Its longest path: {parts}."
    )


def tables(found: Schedules) -> list[Table]:
    """The schedules, their memory, the layers of the pipeline, and the depths that were tried."""
    return [_times(found), _memory(found), _layers(found), _depths(found)]


def _times(found: Schedules) -> Table:
    first, steps = found.rows[0], found.work.steps
    rows = [
        (
            row.name,
            f"{row.throughput:,.4g}",
            seconds(row.interval),
            f"{first.interval / row.interval:.2f}",
            seconds(row.latency),
            seconds(row.paced_latency),
            joules(row.joules / steps),
            f"{row.joules / row.seconds:.3g} W",
            f"{row.busy.mean():.1%}",
        )
        for row in found.rows
    ]
    head = ("schedule", "tokens/s", "a token", "speed-up", "latency", "paced", "energy a token", "power", "PEs busy")
    return f"Schedules ({MODEL})", head, rows


def _memory(found: Schedules) -> Table:
    rows = []
    for row in found.rows:
        worst = int(np.argmax(row.waiting))
        fits = "fits" if found.fits(row.name) else "does not fit"
        rows.append(
            (
                row.name,
                f"{int(row.waiting[worst]):,}",
                f"{int(row.queue_bytes.max()):,} B",
                f"{int(row.more_bytes.max()):,} B, {fits}",
                f"{int(row.queue_bytes.sum()):,} B",
                f"{row.messages:,}" if row.messages else "a barrier",
            )
        )
    head = ("schedule", "packets that wait", "queue of a PE", "beyond its FIFO", "all PEs", "packets that synchronise")
    return "Buffers: most of any PE (exact for these times)", head, rows


def _layers(found: Schedules) -> Table:
    rows = []
    whole = max(sum(sum(each.values()) for each in found.spent.values()), 1e-300)
    alone = {int(p): loop.interval for loop in found.loops for p in loop.parts}
    order = sorted(range(len(found.layers)), key=lambda k: -sum(found.spent[found.layers[k]].values()))
    for k in sorted(order[:MOST_LAYERS]):
        own = np.flatnonzero(found.layer_of == k)
        cells = [found.layers[k], f"{len(own)}", seconds(max(alone[int(p)] for p in own))]
        cells += [f"{row.busy[own].mean():.1%}" for row in found.rows]
        cells.append(f"{sum(found.spent[found.layers[k]].values()) / whole:.0%}")
        rows.append(tuple(cells))
    head = (
        "PEs that hold",
        "PEs",
        "a token, alone",
        *(f"busy, {row.name}" for row in found.rows),
        "of the longest path",
    )
    return "Layers", head, rows


def _depths(found: Schedules) -> Table:
    rows = [
        (f"{depth:,}" + (" (taken)" if depth == found.depth else ""), seconds(interval), f"{1 / interval:,.4g}")
        for depth, interval in found.depths.items()
    ]
    return "Pipelined: steps whose packets a PE keeps", ("depth", "a token", "tokens/s"), rows


def plain(found: Schedules) -> dict[str, Any]:
    """Plain data, for JSON: times in seconds, energies in joules."""
    loop = found.bottleneck
    return {
        "network": found.network,
        "machine": found.machine,
        "steps": found.work.steps,
        "tokens": found.work.tokens,
        "stages": [list(names) for names in found.work.stages],
        "schedules": {
            row.name: {
                "throughput": row.throughput,
                "interval": row.interval,
                "latency": row.latency,
                "paced_latency": row.paced_latency,
                "seconds": row.seconds,
                "energy": row.energy,
                "joules": row.joules,
                "most_waiting": int(row.waiting.max()),
                "queue_bytes": int(row.queue_bytes.max()),
                "more_bytes": int(row.more_bytes.max()),
                "fits": found.fits(row.name),
                "messages": row.messages,
                "busy": {layer: float(row.busy[found.layer_of == k].mean()) for k, layer in enumerate(found.layers)},
            }
            for row in found.rows
        },
        "depth": found.depth,
        "depths": {str(depth): interval for depth, interval in found.depths.items()},
        "bottleneck": {"layer": loop.layer, "pes": len(loop.parts), "interval": loop.interval},
        "longest_path": found.spent,
        "routing_entries": found.entries,
    }


def trace_events(found: Schedules) -> dict[str, Any]:
    """See :meth:`.Schedules.trace_events`."""
    events: list[dict[str, Any]] = []
    for number, layer in enumerate(found.layers):
        told = {"ph": "M", "pid": number, "tid": 0}
        events.append({"name": "process_name", **told, "args": {"name": layer}})
        for p in np.flatnonzero(found.layer_of == number).tolist():
            start, length = found.start[:, p] * 1e6, (found.done[:, p] - found.start[:, p]) * 1e6
            events.append({"name": "thread_name", "ph": "M", "pid": number, "tid": p, "args": {"name": f"PE {p}"}})
            events += [
                {"name": f"step {k}", "ph": "X", "pid": number, "tid": p, "ts": at, "dur": took}
                for k, (at, took) in enumerate(zip(start.tolist(), length.tolist(), strict=True))
            ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"network": found.network, "machine": found.machine, "unit": "us"},
    }
