"""A comparison of encodings as tables and as one figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.engine.tables import Table, text_table

from ..canvas import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .replay import Outcome, PayloadComparison
    from .rerun import Rerun

JOULES = {"noc": "NoC and routers", "links": "chip links", "send": "cores that send", "receive": "cores that receive"}
"""Where the energy of events on their way goes, in words."""

_PACKETS = (
    "encoding",
    "packets",
    "events each",
    "value bits",
    "payload filled",
    "bits sent",
    "",
    "copies received",
    "most at a PE",
)
_COSTS = (
    "encoding",
    "busiest link",
    "in its worst step",
    "over chip links",
    "NoC",
    "links",
    "send",
    "receive",
    "nJ an event",
    "",
)


def summary(found: PayloadComparison) -> str:
    """What was sent, in a line; and what the values are written in."""
    lines = [
        f"{found.network}: {found.events:,} events, {found.graded:,} of them graded, in {found.steps:,} steps on "
        f"{found.machine}"
    ]
    for name, each in found.ranges.items():
        lines.append(f"  values of {name}: up to {each.largest:.4g}, {'signed' if each.signed else 'never negative'}")
    return "\n".join(lines)


def tables(found: PayloadComparison) -> list[Table]:
    """Packets and bits; links and energy; errors of values."""
    if not found.outcomes or not found.events:
        return []
    first = found.outcomes[0]
    packets = [_packets(each, first, found.events) for each in found.outcomes]
    costs = [_costs(each, first, found.events) for each in found.outcomes]
    seen = {each.encoding.values.name: each for each in found.outcomes}
    errors = [_errors(name, each) for name, each in seen.items()] if found.graded else []
    return [
        ("packets and bits", _PACKETS, packets),
        ("links and energy (model)", _COSTS, costs),
        ("values", ("code", "bits", "mean error", "largest", "SQNR", "changed by SPARK"), errors),
    ]


def _packets(each: Outcome, first: Outcome, events: int) -> tuple[str, ...]:
    filled = f"{each.used_bits / each.payload_bits:.0%}" if each.payload_bits else "no payload"
    return (
        each.encoding.name,
        f"{each.packets:,}",
        f"{events / max(each.packets, 1):.2f}",
        f"{each.value_bits:.2f}",
        filled,
        f"{each.sent_bits:,}",
        _change(each.sent_bits, first.sent_bits),
        f"{each.copies:,}",
        f"{each.most_packets:,}",
    )


def _costs(each: Outcome, first: Outcome, events: int) -> tuple[str, ...]:
    nano = {name: f"{value * 1e9 / events:.4g}" for name, value in each.joules.items()}
    return (
        each.encoding.name,
        f"{each.link_packets:,}",
        f"{each.link_time * 1e9:.4g} ns",
        f"{each.chip_link_bits:,} bit",
        nano["noc"],
        nano["links"],
        nano["send"],
        nano["receive"],
        f"{each.energy * 1e9 / events:.4g}",
        _change(each.energy, first.energy),
    )


def _errors(name: str, each: Outcome) -> tuple[str, ...]:
    e = each.errors
    return (
        name,
        f"{each.value_bits:.2f}",
        f"{e.mean:.3g}",
        f"{e.largest:.3g}",
        f"{e.sqnr_db:.1f} dB" if np.isfinite(e.sqnr_db) else "exact",
        f"{e.lossy_share:.1%}",
    )


def _change(value: float, first: float) -> str:
    return f"{value / first - 1:+.1%}" if first else "-"


def draw(found: PayloadComparison, figure: Figure) -> None:
    """Three panels, a bar for each encoding: bits sent for an event, energy for an event, SQNR."""
    left, middle, right = figure.subplots(1, 3, sharey=True)
    outcomes, events = found.outcomes, max(found.events, 1)
    at = np.arange(len(outcomes))
    left.barh(at, [each.sent_bits / events for each in outcomes], color="C0", alpha=0.4, label="sent")
    left.barh(at, [each.used_bits / events for each in outcomes], color="C0", label="payload, filled")
    left.set_xlabel("bits an event")
    left.set_yticks(at, [each.encoding.name for each in outcomes])
    left.invert_yaxis()
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=7)
    base = np.zeros(len(outcomes))
    for k, (cause, label) in enumerate(JOULES.items()):
        part = np.array([each.joules[cause] for each in outcomes]) * 1e9 / events
        middle.barh(at, part, left=base, color=f"C{k}", label=label)
        base += part
    middle.set_xlabel("nJ an event (model)")
    middle.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=7)
    ratio = [each.errors.sqnr_db for each in outcomes]
    finite = [value for value in ratio if np.isfinite(value)]
    right.barh(at, [value if np.isfinite(value) else 0.0 for value in ratio], color="C4")
    for y, value in zip(at, ratio, strict=True):
        if not np.isfinite(value):
            right.text(0, y, " exact", va="center", fontsize=7)
    right.set_xlim(0, 1.1 * max([*finite, 1.0]))
    right.set_xlabel("SQNR of the values (dB)")
    figure.suptitle(f"{found.network}: {found.events:,} events on {found.machine}", fontsize=10)


def save_figure(found: PayloadComparison, path: str | Path) -> Path:
    """Write the figure to a file."""
    height = 1.8 + 0.3 * len(found.outcomes)

    def panels(ax: object) -> None:
        figure = ax.figure  # type: ignore[attr-defined]
        figure.clear()
        draw(found, figure)

    return save(panels, Path(path), (10.0, height))


def rerun_table(found: Sequence[Rerun]) -> str:
    """Runs with coded values as text."""
    rows = [
        (each.code, f"{each.events:,}", f"{each.missing:,}", f"{each.extra:,}", f"{each.changed:.2%}") for each in found
    ]
    head = ("code", "events", "missing", "extra", "changed")
    return "\nrun again with the values of each code\n" + text_table(head, rows)
