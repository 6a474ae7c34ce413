"""Published figures of the chip beside those of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .report import SpiNNaker2Report

CHIP = "Scholze et al. 2026, arXiv 2607.24396"


@dataclass(frozen=True)
class Comparison:
    """One quantity of a run and what has been published of it.

    Attributes
    ----------
    quantity, unit : str
    value : float
        Of this run.
    low, high : float or None
        Published range; one of them None if only the other bound was published.
    source : str
    """

    quantity: str
    value: float
    low: float | None
    high: float | None
    unit: str
    source: str

    def shown(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.4g} {self.unit}"

    @property
    def published(self) -> str:
        """The published figure."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g} {self.unit}"
        bound = "at least" if self.high is None else "up to"
        return f"{bound} {self.low if self.high is None else self.high:g} {self.unit}"

    @property
    def verdict(self) -> str:
        """Where the run lies."""
        if self.high is not None and self.value > self.high:
            return f"{self.value / self.high:.3g} times above"
        if self.low is not None and self.high is not None and self.value < self.low:
            return f"{self.low / self.value:.3g} times below" if self.value else "below"
        if self.low is not None and self.high is None:
            return f"{self.value / self.low:.3g} of it"
        if self.low is None and self.high is not None:
            return f"{self.value / self.high:.3g} of it"
        return "inside"


def compare(report: SpiNNaker2Report) -> tuple[Comparison, ...]:
    """Chip power, synaptic events a second of the busiest PE and of a chip, neurons a chip."""
    totals = report.totals
    if totals is None or not totals.seconds:
        return ()
    chips = report.chips
    events = totals.synapses.sum(0) / totals.seconds
    return (
        Comparison("power of a chip", report.power / chips, 0.24, 2.2, "W", CHIP),
        Comparison("synaptic events of the busiest PE", float(events.max()) / 1e6, None, 12.0, "M/s", CHIP),
        Comparison(
            "synaptic events of a chip",
            float(events.sum()) / chips / 1e9,
            None,
            1.8,
            "G/s",
            f"{CHIP}: capacity at 1 ms",
        ),
        Comparison("neurons of a chip", report.neurons / chips, None, 150000.0, "", f"{CHIP}: capacity"),
    )
