"""What a benchmark run found, as JSON, tables and a figure."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from engine_footprint import Footprint, Memory


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
    return f"{seconds * 1e6:.0f} us" if per == "token" else f"{seconds:.3g} s"


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
    spread = ", ".join(f"{name} {middle:.3g} ± {sd:.2g}" for name, (middle, sd) in case.expected.items())
    return markdown(head, [cells(case, row) for row in case.rows]) + f"\n\nOurs over seeds: {spread}."


def summary(result: Result) -> str:
    """One line for each network: ours, the fastest peer, the ratio."""
    rows = []
    for case in result.cases:
        peer = case.fastest
        rows.append(
            [
                case.title,
                shown(case.ours.median, case.per),
                f"{shown(peer.median, case.per)}, {peer.label}" if peer else "none ran",
                f"{case.ratio:.1f}" if case.ratio else "",
                f"{rates(case.ours)}; {rates(peer)}" if peer else rates(case.ours),
            ]
        )
    return markdown(["network", "neuromorph", "fastest peer", "ratio", "results: ours; theirs"], rows)


def footprint_text(footprint: Footprint) -> str:
    """Memory and start-up."""
    rows = [[f"{m.synapses:,}", m.weights, f"{m.per_synapse:.2f}", f"{m.peak / 1e9:.2f} GB"] for m in footprint.memory]
    table = markdown(["synapses", "weights", "bytes a synapse", "peak memory of the process"], rows)
    start = f"From the start of a process to 100 steps of CUBA: {footprint.cold:.2f} s with an empty cache of kernels"
    return f"{table}\n\n{start}, {footprint.cached:.2f} s with a full one."


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
    cases = tuple(Case(**(case | {"rows": tuple(Row(**row) for row in case["rows"])})) for case in found["cases"])
    footprint = found["footprint"]
    if footprint:
        footprint = Footprint(**(footprint | {"memory": tuple(Memory(**each) for each in footprint["memory"])}))
    return Result(found["machine"], cases, footprint)


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
    """Bars of every simulator at its best number of threads, a panel for each network, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    columns = 2
    lines = -(-len(result.cases) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(11, 0.6 + 2.0 * lines), squeeze=False, layout="constrained")
    for panel in axes.flat[len(result.cases) :]:
        panel.set_axis_off()
    for panel, case in zip(axes.flat, result.cases, strict=False):
        best: dict[str, Row] = {}
        for row in case.rows:
            if row.times and (row.peer not in best or (not row.own and row.median < best[row.peer].median)):
                best[row.peer] = row
        order = sorted(best.values(), key=lambda row: -row.median)
        scale = 1e6 if case.per == "token" else 1.0
        times = [row.median * scale for row in order]
        colours = ["#c44e52" if row.own else ("#4c72b0" if row.agrees else "#b0b0b0") for row in order]
        below = [time - min(row.times) * scale for time, row in zip(times, order, strict=True)]
        above = [max(row.times) * scale - time for time, row in zip(times, order, strict=True)]
        panel.barh([row.label for row in order], times, color=colours, xerr=[below, above], ecolor="#404040")
        panel.set_xscale("log")
        panel.set_xlim(min(times) / 2, max(times) * 4)
        panel.set_title(case.title, fontsize=9, loc="left")
        panel.set_xlabel(
            "microseconds a token" if case.per == "token" else "seconds for a biological second", fontsize=8
        )
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        for place, (time, row) in enumerate(zip(times, order, strict=True)):
            against = "" if row.own else f"  x{row.median / case.ours.median:.1f}"
            panel.text(max(row.times) * scale * 1.08, place, f"{time:.3g}{against}", va="center", fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)
