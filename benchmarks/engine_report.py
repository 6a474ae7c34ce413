"""What a benchmark run found, as JSON, tables and a figure.

python benchmarks/engine_report.py [FOLDER]     # put what FOLDER/engine.json says into README
"""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from engine_footprint import Footprint, Memory
from readme_blocks import RESULTS, put


@dataclass(frozen=True)
class Row:
    """One simulator with one number of threads.

    Attributes
    ----------
    threads : int
        0 if the simulator chose.
    times : tuple of float
        Seconds of each turn, for a biological second or for a token.
    results : mapping of str to float
        Rates in Hz by population, and what else must agree.
    memory : int
        Most bytes of its process.
    build : float
        Seconds to build and compile, beside others that did the same.
    failed : str
        Why it has no times.
    """

    peer: str
    own: bool
    title: str
    version: str
    threads: int
    times: tuple[float, ...]
    results: Mapping[str, float]
    agrees: bool
    memory: int
    build: float
    note: str
    failed: str

    @property
    def median(self) -> float:
        """Of the times; infinite without any."""
        return median(self.times) if self.times else float("inf")

    @property
    def label(self) -> str:
        """Simulator and threads."""
        return self.title + ("" if not self.threads else f", {self.threads} thread{'s' if self.threads > 1 else ''}")


@dataclass(frozen=True)
class Case:
    """All rows of one network; ``expected`` is our mean and deviation over seeds of each result."""

    name: str
    title: str
    per: str
    expected: Mapping[str, tuple[float, float]]
    rows: tuple[Row, ...]

    @property
    def ours(self) -> Row:
        """Our row, threads as it chose."""
        return self.rows[0]

    @property
    def fastest(self) -> Row | None:
        """The fastest peer whose results agree."""
        peers = [row for row in self.rows if row.times and row.agrees and not row.own]
        return min(peers, key=lambda row: row.median, default=None)

    @property
    def ratio(self) -> float | None:
        """Time of the fastest peer over ours."""
        return self.fastest.median / self.ours.median if self.fastest and self.ours.times else None


@dataclass(frozen=True)
class Result:
    """One run of the benchmark."""

    machine: Mapping[str, Any]
    cases: tuple[Case, ...]
    footprint: Footprint | None


def machine() -> dict[str, Any]:
    """What it ran on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return {
        "processor": next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), ""),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "date": date.today().isoformat(),
    }


def shown(seconds: float, per: str) -> str:
    """A time as tables print it."""
    if seconds == float("inf"):
        return ""
    return f"{number(seconds * 1e6)} us" if per == "token" else f"{number(seconds)} s"


def number(value: float) -> str:
    """Three digits, never with an exponent."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def rates(row: Row) -> str:
    """Results of a row."""
    return ", ".join(f"{name} {value:.3g}" for name, value in row.results.items())


def cells(case: Case, row: Row) -> list[str]:
    """A row of the table of one case."""
    if row.failed and not row.times:
        return [row.label, row.failed, "", "", "", "", ""]
    spread = f"{shown(min(row.times), case.per)} to {shown(max(row.times), case.per)}" if row.times else ""
    against = f"{row.median / case.ours.median:.2f}" if case.ours.times else ""
    note = "" if row.agrees else "rates differ"
    remarks = "; ".join(part for part in (note, row.note, row.failed) if part)
    found = rates(row) + (f" ({remarks})" if remarks else "")
    return [
        row.label,
        shown(row.median, case.per),
        f"{spread} ({len(row.times)})",
        against,
        found,
        f"{row.memory / 1e6:.0f} MB",
        f"{row.build:.1f} s",
    ]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def text(case: Case) -> str:
    """All rows of one case."""
    head = ["simulator", f"time for a {case.per}", "range (turns)", "of ours", "results", "peak memory", "build"]
    table = markdown(head, [cells(case, row) for row in case.rows])
    spread = ", ".join(f"{name} {middle:.3g} ± {sd:.2g}" for name, (middle, sd) in case.expected.items())
    return f"{table}\n\nOurs over seeds: {spread}." if spread else table


def summary(result: Result) -> str:
    """One line for each network: ours, the fastest peer, by how much, and the other peers in times of ours."""
    rows = []
    for case in result.cases:
        peer = case.fastest
        others = [
            f"{row.title} {row.median / case.ours.median:.3g}" for row in best(case) if not row.own and row is not peer
        ]
        rows.append(
            [
                case.title,
                shown(case.ours.median, case.per),
                f"{shown(peer.median, case.per)}, {peer.label}" if peer else "none ran",
                f"{case.ratio:.1f}" if case.ratio else "",
                ", ".join(others),
                f"{rates(case.ours)}; {rates(peer) or 'none'}" if peer else rates(case.ours),
            ]
        )
    head = [
        "network",
        "neuromorph",
        "fastest peer",
        "ratio",
        "other peers, times ours",
        "results: ours; fastest peer's",
    ]
    return markdown(head, rows)


def best(case: Case) -> list[Row]:
    """Each simulator at its best number of threads, ours as it chose, the fastest first."""
    found: dict[str, Row] = {}
    for row in case.rows:
        if row.times and (row.peer not in found or (not row.own and row.median < found[row.peer].median)):
            found[row.peer] = row
    return sorted(found.values(), key=lambda row: row.median)


def footprint_text(footprint: Footprint) -> str:
    """Memory and start-up."""
    rows = [[f"{m.synapses:,}", m.weights, f"{m.per_synapse:.2f}", f"{m.peak / 1e9:.2f} GB"] for m in footprint.memory]
    table = markdown(["synapses", "weights", "bytes a synapse", "peak memory of the process"], rows)
    start = f"From the start of a process to 100 steps of CUBA: {footprint.cold:.2f} s with an empty cache of kernels"
    return f"{table}\n\n{start}, {footprint.cached:.2f} s with a full one."


def readme(result: Result) -> str:
    """What README quotes."""
    about = result.machine
    parts = [f"On {about['cores']} cores of {about['processor']}, {about['memory_gib']} GiB, {about['date']}:"]
    parts += [summary(result), *([footprint_text(result.footprint)] if result.footprint else [])]
    return "\n\n".join(parts)


def page(result: Result) -> str:
    """The whole report in Markdown."""
    about = result.machine
    versions = {row.title: row.version for case in result.cases for row in case.rows if row.version}
    parts = [
        "# The CPU engine and its peers",
        f"{about['date']}: {about['cores']} cores ({about['processor']}), {about['memory_gib']} GiB, "
        f"Python {about['python']}; " + ", ".join(f"{title} {version}" for title, version in versions.items()) + ".",
        "Medians over turns; times without building and compiling. `python benchmarks/engine.py` writes this page.",
        summary(result),
        "![times](engine.png)",
    ]
    for case in result.cases:
        parts += [f"## {case.title}", text(case)]
    if result.footprint:
        parts += ["## Memory and start-up", footprint_text(result.footprint)]
    return "\n\n".join(parts) + "\n"


def read(path: Path) -> Result:
    """A result from its JSON."""
    found = json.loads(path.read_text())

    def case(read: dict[str, Any]) -> Case:
        rows = tuple(Row(**(row | {"times": tuple(row["times"])})) for row in read["rows"])
        expected = {name: (mean, deviation) for name, (mean, deviation) in read["expected"].items()}
        return Case(**(read | {"rows": rows, "expected": expected}))

    footprint = found["footprint"]
    if footprint:
        footprint = Footprint(**(footprint | {"memory": tuple(Memory(**each) for each in footprint["memory"])}))
    return Result(found["machine"], tuple(map(case, found["cases"])), footprint)


def write(result: Result, folder: Path) -> None:
    """Write JSON, Markdown, CSV and the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / "engine.md").write_text(page(result))
    with (folder / "engine.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["case", "simulator", "version", "threads", "turn", f"seconds for a {'second or token'}"])
        for case in result.cases:
            for row in case.rows:
                for number, seconds in enumerate(row.times):
                    table.writerow([case.name, row.peer, row.version, row.threads, number, f"{seconds:.6g}"])
    draw(result, folder / "engine.png")


def draw(result: Result, path: Path) -> None:
    """Median and range of every simulator at its best number of threads, a panel for each network, logarithmic."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    columns = 2
    lines = -(-len(result.cases) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(11, 0.6 + 2.0 * lines), squeeze=False, layout="constrained")
    for panel in axes.flat[len(result.cases) :]:
        panel.set_axis_off()
    for panel, case in zip(axes.flat, result.cases, strict=False):
        order = best(case)[::-1]
        scale = 1e6 if case.per == "token" else 1.0
        times = [row.median * scale for row in order]
        colours = ["#c44e52" if row.own else ("#4c72b0" if row.agrees else "#b0b0b0") for row in order]
        for place, (row, time, colour) in enumerate(zip(order, times, colours, strict=True)):
            panel.plot([min(row.times) * scale, max(row.times) * scale], [place, place], color=colour, linewidth=2)
            panel.plot(time, place, "o", color=colour, markersize=7)
            against = "" if row.own else f"  ({row.median / case.ours.median:.1f} times ours)"
            label, end = f"{number(time)}{against}", (max(row.times) * scale, place)
            panel.annotate(label, end, (7, 0), textcoords="offset points", va="center", fontsize=8)
        panel.set_yticks(range(len(order)), [row.label for row in order])
        panel.set_ylim(-0.6, len(order) - 0.4)
        panel.set_xscale("log")
        panel.set_xlim(min(times) / 2, max(times) * 30)
        panel.set_title(case.title, fontsize=9, loc="left")
        panel.set_xlabel(
            "microseconds a token" if case.per == "token" else "seconds for a biological second", fontsize=8
        )
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    """Update README."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    put("engine_report.py", readme(read(folder / "engine.json")))


if __name__ == "__main__":
    main()
