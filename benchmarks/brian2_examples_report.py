"""What `brian2_examples.py` found, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from engine_report import markdown, number


@dataclass(frozen=True)
class Measured:
    """One seed of one example; spikes, irregularity and differences by spike monitor, states by state monitor.

    Attributes
    ----------
    spikes, own_spikes : mapping of str to int
        In Brian 2, and here by from_brian2.
    irregularity, own_irregularity : mapping of str to float
        Mean coefficient of variation of intervals.
    apart, device_apart : mapping of str to int
        Spikes that are in Brian 2 or here, not in both; by from_brian2, and by the device where states are compared.
    states_apart : mapping of str to float
        Largest difference on the device, as a part of the range.
    brian2_seconds, own_seconds : float
        Processor time of the run, without making code.
    """

    spikes: Mapping[str, int]
    irregularity: Mapping[str, float]
    own_spikes: Mapping[str, int]
    own_irregularity: Mapping[str, float]
    apart: Mapping[str, int]
    device_apart: Mapping[str, int]
    states_apart: Mapping[str, float]
    brian2_seconds: float
    own_seconds: float


@dataclass(frozen=True)
class Row:
    """One example.

    Attributes
    ----------
    published : str
        Its name among Brian 2's examples.
    random : bool
        Whether it draws random numbers while it runs.
    duration, chips : float
        ms in Brian 2 and on the CPU, and on SpiNNaker2.
    refused : str
        Why it cannot be taken.
    chips_events : int
        Events of the run that CPU and SpiNNaker2 were compared by.
    chips_difference : str
        The first difference; empty if there is none.
    chips_refused : str
        Why SpiNNaker2 does not run it.
    """

    name: str
    published: str
    random: bool
    neurons: int
    synapses: int
    duration: float
    seeds: int
    chips: float
    refused: str = ""
    measured: tuple[Measured, ...] = field(default=())
    chips_events: int = 0
    chips_difference: str = ""
    chips_refused: str = ""

    def but(self, **changes: Any) -> Row:
        """A copy with other values."""
        return replace(self, **changes)

    @property
    def agreement(self) -> str:
        """How far Brian 2 and this package agree."""
        return self._over_seeds() if self.random else self._exactly()

    @property
    def line(self) -> str:
        """The example in one line."""
        return f"{self.name}: {self.refused or self.agreement}; chips: {self.on_chips}"

    @property
    def on_chips(self) -> str:
        """What SpiNNaker2 gives."""
        if self.refused or self.chips_refused:
            return f"refused: {self.chips_refused}" if self.chips_refused else ""
        what = f"{self.chips_events:,} events" if self.chips_events else "states"
        return self.chips_difference or f"equal ({what} in {min(self.chips, self.duration):g} ms)"

    @property
    def seconds(self) -> tuple[float, float]:
        """Least processor time of Brian 2 and of ours."""
        return min(m.brian2_seconds for m in self.measured), min(m.own_seconds for m in self.measured)

    def _exactly(self) -> str:
        parts = []
        if total := sum(sum(m.spikes.values()) for m in self.measured):
            wrong = [sum(sum(getattr(m, part).values()) for m in self.measured) for part in ("apart", "device_apart")]
            what = "all equal" if not any(wrong) else f"{wrong[0]:,} differ, on the device {wrong[1]:,}"
            parts.append(f"{total:,} spikes, {what}")
        states = [value for m in self.measured for value in m.states_apart.values()]
        if states:
            parts.append(f"states within {max(states):.0e} of their range")
        return "; ".join(parts)

    def _over_seeds(self) -> str:
        parts = []
        for monitor in self.measured[0].spikes:
            theirs = [m.spikes[monitor] for m in self.measured]
            ours = [m.own_spikes[monitor] for m in self.measured]
            parts.append(f"{monitor} {_spread(theirs)} and {_spread(ours)} ({deviations(theirs, ours):+.1f} s.e.)")
            pairs = [(m.irregularity[monitor], m.own_irregularity[monitor]) for m in self.measured]
            if all(a == a and b == b for a, b in pairs):
                theirs_cv, ours_cv = zip(*pairs, strict=True)
                apart = deviations(theirs_cv, ours_cv)
                parts.append(f"CV {mean(theirs_cv):.3f} and {mean(ours_cv):.3f} ({apart:+.1f} s.e.)")
        return "; ".join(parts)


@dataclass(frozen=True)
class Result:
    """All examples that have run."""

    machine: Mapping[str, Any]
    rows: tuple[Row, ...]


def deviations(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """Difference of two means in standard errors of it; 0 where nothing varies and nothing differs."""
    error = (stdev(theirs) ** 2 / len(theirs) + stdev(ours) ** 2 / len(ours)) ** 0.5
    difference = mean(ours) - mean(theirs)
    return difference / error if error else (0.0 if difference == 0 else float("inf"))


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):,.0f} ± {stdev(values):,.0f}"


HOW = """\
Each example starts from the same initial values and connections, drawn anew for each seed. Without randomness while \
it runs, every spike is compared by `from_brian2`, and what state monitors saw by the device `neuromorph`, in \
float64. With it, the numbers of spikes (and the irregularity of intervals, CV) of Brian 2 and here are given over \
seeds, with their difference in standard errors. SpiNNaker2 and the CPU are compared bit for bit, in float32. Times: \
one thread, least processor time of a run without making code. `python benchmarks/brian2_examples.py` writes this \
page."""


def page(result: Result) -> str:
    """The report in Markdown."""
    about = result.machine
    head = ["example", "Brian 2's name", "neurons, synapses", "ms, seeds", "Brian 2 and here", "CPU and SpiNNaker2"]
    head += ["time, Brian 2", "time, here"]
    parts = [
        "# Brian 2's examples in Brian 2 and here",
        f"{about['date']}: Brian 2 {about['brian2']} ({about['codegen']} code), {about['processor']}.",
        HOW,
        markdown(head, [_cells(row) for row in result.rows]),
    ]
    return "\n\n".join(parts) + "\n"


def _cells(row: Row) -> list[str]:
    size, length = f"{row.neurons:,}, {row.synapses:,}", f"{row.duration:g}, {row.seeds}"
    if row.refused:
        return [row.name, row.published, size, length, f"refused: {row.refused}", "", "", ""]
    seconds = [f"{number(value)} s" for value in row.seconds]
    return [row.name, row.published, size, length, row.agreement, row.on_chips, *seconds]


def merged(before: Result | None, about: Mapping[str, Any], row: Row, order: Sequence[str]) -> Result:
    """The results with one row new, in this order."""
    rows = {each.name: each for each in (before.rows if before else ())} | {row.name: row}
    return Result(about, tuple(rows[name] for name in order if name in rows))


def read(path: Path) -> Result:
    """A result from its JSON."""
    found = json.loads(path.read_text())
    rows = [Row(**(row | {"measured": tuple(Measured(**m) for m in row["measured"])})) for row in found["rows"]]
    return Result(found["machine"], tuple(rows))
