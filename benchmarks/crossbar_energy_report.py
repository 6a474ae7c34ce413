"""What the energy benchmark of the crossbar machines found, as JSON and tables.

python benchmarks/crossbar_energy_report.py [FOLDER]     # put what FOLDER/crossbar_energy.json says into README
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine_report import markdown
from readme_blocks import RESULTS, put

NAME = "crossbar_energy"
KINDS = {
    "parts": "sum of published parts",
    "independent": "independent",
    "calibrated": "calibrated to it",
}
FACTS = {
    1.0: (296, 296, 296, 296, 93),
    0.2: (296, 232, 232, 164, 29),
    0.1: (296, 224, 224, 128, 21),
    0.05: (296, 220, 220, 110, 17),
    0.02: (296, 218, 201, 99, 13),
    0.01: (296, 217, 157, 77, 10),
    0.005: (296, 216, 103, 50, 6),
}
"""The same read-out modes by hand from published parts: pJ a phase at each density, columns as in :data:`MODES`."""
MODES = ("dense", "row-gated", "tile-skip, 8 bits", "tile-skip", "comparator, full columns")
HEADLINES = (
    ("ISAAC", "16-bit multiply-accumulate, arrays and converters"),
    ("ISAAC", "8-bit multiply-accumulate, arrays and converters"),
    ("ISAAC", "a phase with every row driven"),
    ("PUMA", "128 x 128 product, 16 bits"),
    ("RAELLA", "8-bit multiply-accumulate"),
    ("NeuRRAM", "efficiency, 3 bits out, 1 in"),
    ("NeuRRAM", "efficiency, 6 bits out, 4 in"),
    ("NeuRRAM", "efficiency, 10 bits out, 8 in"),
    ("HERMES", "core, 1-phase"),
    ("HERMES", "core, 4-phase"),
    ("M1076", "throughput"),
    ("M1076", "power at that rate"),
    ("WTM2101", "throughput"),
    ("WTM2101", "efficiency"),
    ("NeuroSim V1.4", "8-bit multiply-accumulate, 128 x 128, 2-bit RRAM, 5-bit ADC, 22 nm"),
)
"""Rows that README shows."""


@dataclass(frozen=True)
class Row:
    """One published figure and ours.

    Attributes
    ----------
    published : (float, float)
        Range; both the same for one figure.
    kind : str
        A key of :data:`KINDS`.
    remark : str
        Where a difference comes from.
    """

    machine: str
    quantity: str
    unit: str
    published: tuple[float, float]
    here: float
    kind: str
    remark: str

    @property
    def deviation(self) -> float:
        """How far ours lies outside the published range, relative to its nearer end; 0 inside."""
        low, high = self.published
        if self.here < low:
            return self.here / low - 1.0
        return self.here / high - 1.0 if self.here > high else 0.0

    def cells(self) -> tuple[str, ...]:
        """A line of a table, without the remark."""
        low, high = self.published
        published = f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"
        outside = f"{self.deviation:+.1%}" if self.deviation else "inside" if low != high else "0.0%"
        unit = f" {self.unit}" if self.unit else ""
        shown = f"{self.here:,.0f}" if abs(self.here) >= 1000 else f"{self.here:.4g}"
        return (self.machine, self.quantity, f"{published}{unit}", f"{shown}{unit}", outside, KINDS[self.kind])


@dataclass(frozen=True)
class Mode:
    """Read-out modes at one density of spikes, pJ a phase."""

    density: float
    picojoules: dict[str, float]


@dataclass(frozen=True)
class Result:
    """All of it."""

    rows: tuple[Row, ...]
    modes: tuple[Mode, ...]


HEAD = ["machine", "quantity", "published", "here", "difference", "kind"]


def modes_table(result: Result) -> str:
    """Ours, and in brackets by hand."""
    rows = [
        [f"{mode.density:.1%}"]
        + [f"{mode.picojoules[name]:.0f} ({by_hand})" for name, by_hand in zip(MODES, FACTS[mode.density], strict=True)]
        + [f"{mode.picojoules['comparator']:,.0f}"]
        for mode in result.modes
    ]
    return markdown(["inputs that spike", *MODES, "comparator, steps of the ADC"], rows)


def readme(result: Result) -> str:
    """What README shows."""
    shown = [list(row.cells()) for row in result.rows if (row.machine, row.quantity) in HEADLINES]
    return (
        f"{markdown(HEAD, shown)}\n\nA phase of one ISAAC array by what is read, pJ (in brackets the same by hand from "
        "the published parts, with current without spikes in the dense mode, and pulses free of charge):\n\n"
        f"{modes_table(result)}"
    )


def page(result: Result) -> str:
    """Everything, with where differences come from."""
    table = markdown([*HEAD, "where a difference comes from"], [[*row.cells(), row.remark] for row in result.rows])
    kinds = (
        "Sum of published parts: energies and times of components are published, ours adds them up as the run counts "
        "them. Independent: nothing in the machine file was taken from this figure. Calibrated to it: a constant of "
        "the machine file was set so that this figure comes out, and its entry says so."
    )
    modes = f"## What is read\n\n{modes_table(result)}"
    return f"# Crossbar machines beside what is published\n\n{kinds}\n\n{table}\n\n{modes}\n"


def write(result: Result, folder: Path) -> None:
    """JSON and page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / f"{NAME}.md").write_text(page(result))


def read(path: Path) -> Result:
    """What :func:`write` wrote."""
    data: dict[str, Any] = json.loads(path.read_text())
    rows = tuple(Row(**{**row, "published": tuple(row["published"])}) for row in data["rows"])
    return Result(rows, tuple(Mode(**mode) for mode in data["modes"]))


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    put(f"{NAME}_report.py", readme(read(where / f"{NAME}.json")))
