"""A trace as a table of its populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trace import Trace


def rows(trace: Trace) -> list[tuple[str, ...]]:
    """Heading and one row for each population: neurons, events, mean rate, recorded states."""
    table: list[tuple[str, ...]] = [("population", "neurons", "events", "rate (Hz)", "states")]
    seconds = (trace.stop - trace.start) / 1e3
    for name, size in trace.sizes.items():
        recorded = name in trace.recorded_events
        count = trace.count(name) if recorded else 0
        rate = f"{count / size / seconds:.4g}" if recorded and size and seconds > 0 else "-"
        states = ", ".join(variable for population, variable in trace.recorded_states if population == name)
        table.append((name, f"{size:,}", f"{count:,}" if recorded else "not recorded", rate, states or "-"))
    return table
