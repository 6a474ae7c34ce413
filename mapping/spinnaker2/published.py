"""Published figures of the chip beside those of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuromorph.lowering.program import EventTable

from ..constants import UNITS
from .layout import REGIONS
from .plastic.footprints import synapse_count

if TYPE_CHECKING:
    from .report import SpiNNaker2Report


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
        return f"{value:.4g} {self.unit}".rstrip()

    @property
    def published(self) -> str:
        """The published figure."""
        if self.low is not None and self.low == self.high:
            return f"{self.low:g} {self.unit}".rstrip()
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g} {self.unit}"
        bound = "more than" if self.high is None else "up to"
        return f"{bound} {self.low if self.high is None else self.high:,g} {self.unit}".rstrip()

    @property
    def verdict(self) -> str:
        """Where the run lies."""
        if self.low is not None and self.low == self.high:
            return f"{self.value / self.low:.3g} of it"
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
    chips, c = report.chips, report.mapping.machine.constants
    events = totals.synapses.sum(0) / totals.seconds

    def beside(quantity: str, name: str, here: float, low: float | None, high: float | None) -> Comparison:
        figure = c[f"measured.{name}"]
        return Comparison(quantity, here / UNITS[figure.unit], low, high, figure.unit, figure.citation)

    watts = c["measured.chip_power"].value
    return (
        beside("power of a chip", "chip_power", report.power / chips, watts[0], watts[1]),
        beside(
            "synaptic events of the busiest PE", "pe_events", float(events.max()), None, c["measured.pe_events"].value
        ),
        beside(
            "synaptic events of a chip",
            "chip_events",
            float(events.sum()) / chips,
            c["measured.chip_events"].value,
            None,
        ),
        beside("neurons of a chip", "chip_neurons", report.neurons / chips, c["measured.chip_neurons"].value, None),
        *_language_model(report),
    )


def _language_model(report: SpiNNaker2Report) -> tuple[Comparison, ...]:
    """For networks that look words up: beside the published model of 750, 1350, 1350 and 750 units, 5 % of its weights.

    Its inference took a time and an energy whose unit is not stated; both are shown for a token and for a sequence.
    """
    tokens, m = report.tokens, report.mapping
    if tokens is None or not any(isinstance(p.replay, EventTable) for p in report.lowered.populations):
        return ()
    c = m.machine.constants
    length = c.count("measured.language_model.sequence")
    code = c.count("memory.code")
    stored = synapse_count(report.lowered)
    regions = m.regions[:, [REGIONS.index(name) for name in ("synapses", "rows", "kernels")]].sum()

    def beside(quantity: str, name: str, here: float) -> Comparison:
        figure = c[f"measured.language_model.{name}"]
        return Comparison(quantity, here / UNITS[figure.unit], figure.value, figure.value, figure.unit, figure.citation)

    mean, through, joules = (float(each.mean()) for each in (tokens.time, tokens.latency, tokens.energy))
    return (
        beside("language model: PEs", "pes", report.pes),
        beside("language model: data memory of the fullest PE", "pe_memory", float(m.bytes.max()) - code),
        beside("language model: bytes of a synapse with look-up", "csr_entry", float(regions) / max(stored, 1)),
        beside("language model: time if one token is meant", "time", mean),
        beside(f"language model: time if {length} tokens are meant", "time", length * mean),
        beside(f"language model: time if {length} tokens are meant, one after another", "time", length * through),
        beside("language model: energy if one token is meant", "energy", joules),
        beside(f"language model: energy if {length} tokens are meant", "energy", length * joules),
        beside("language model: power", "power", report.power),
    )
