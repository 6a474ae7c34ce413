"""What the training benchmark found, as JSON and tables.

python benchmarks/training_report.py [FOLDER]     # put what FOLDER/training.json says into README
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from engine_report import markdown, number
from readme_blocks import RESULTS, put

GOAL = 1.5
"""Times that our module may take of the hand-written loop's."""
HAND = "torch_egru"
JOBS = {
    "backward": "forward and backward",
    "optimiser": "forward, backward and AdamW",
    "inference": "inference",
}


@dataclass(frozen=True)
class Row:
    """One contestant.

    Attributes
    ----------
    times : tuple of float
        Seconds for the whole sequence, by turn.
    memory : int
        Most bytes of its process.
    failed : str
        Why it has no times.
    joules : tuple of float
        As the times; empty without a meter.
    threads : int
    """

    peer: str
    title: str
    version: str
    times: tuple[float, ...]
    memory: int
    failed: str
    joules: tuple[float, ...] = ()
    threads: int = 0

    @property
    def median(self) -> float:
        """Of the times; infinite without any."""
        return median(self.times) if self.times else float("inf")


@dataclass(frozen=True)
class Job:
    """All contestants on one job."""

    name: str
    rows: tuple[Row, ...]

    def row(self, peer: str) -> Row:
        """Of one contestant."""
        return next(row for row in self.rows if row.peer == peer)

    @property
    def ours(self) -> Row:
        """The module."""
        return self.rows[0]

    @property
    def ratio(self) -> float:
        """Our time over that of the hand-written loop."""
        return self.ours.median / self.row(HAND).median


@dataclass(frozen=True)
class Case:
    """One layer.

    Attributes
    ----------
    differences : mapping of str to mapping of str to float
        By type of number, by name of the outputs and gradients: the largest difference between the module and the
        hand-written loop, over the largest value; empty if not compared.
    """

    name: str
    title: str
    differences: Mapping[str, Mapping[str, float]]
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Result:
    """One run of the benchmark."""

    machine: Mapping[str, Any]
    threads: int
    cases: tuple[Case, ...]


def milliseconds(seconds: float) -> str:
    """A time as tables print it."""
    return "" if seconds == float("inf") else f"{number(seconds * 1e3)} ms"


def job_text(job: Job) -> str:
    """All contestants on one job."""
    rows = []
    hand = job.row(HAND).median
    for row in job.rows:
        if not row.times:
            rows.append([row.title, row.failed, "", "", ""])
            continue
        spread = f"{milliseconds(min(row.times))} to {milliseconds(max(row.times))} ({len(row.times)})"
        memory = f"{row.memory / 1e6:,.0f} MB"
        rows.append([row.title, milliseconds(row.median), spread, f"{row.median / hand:.2f}", memory])
    return markdown(["", "median", "range (turns)", "of the hand-written loop", "peak memory"], rows)


def agreement(case: Case) -> str:
    """How far the module and the hand-written loop differ."""
    parts = [
        f"{kind}: " + ", ".join(f"{name} {value:.1g}" for name, value in found.items())
        for kind, found in case.differences.items()
    ]
    return "Largest difference between the module and the hand-written loop, over the largest value; " + "; ".join(
        parts
    )


def summary(result: Result) -> str:
    """One line for each layer and job: ours, the hand-written loop, the others in times of the hand-written loop."""
    rows = []
    for case in result.cases:
        for job in case.jobs:
            hand = job.row(HAND)
            others = [
                f"{row.title} {row.median / hand.median:.2f}"
                for row in job.rows
                if row.times and row is not hand and row is not job.ours
            ]
            found = [milliseconds(job.ours.median), milliseconds(hand.median), f"{job.ratio:.2f}", ", ".join(others)]
            rows.append([case.title, JOBS[job.name], *found])
    head = ["layer", "job", "`train.Module`", "hand-written loop", "ratio", "others, times the hand-written loop"]
    return markdown(head, rows)


def about(result: Result) -> str:
    """Where and when."""
    m = result.machine
    threads = f"{result.threads} thread{'s' if result.threads > 1 else ''}"
    return f"{threads} on {m['cores']} cores of {m['processor']}, {m['memory_gib']} GiB, {m['date']}"


def readme(result: Result) -> str:
    """What README quotes."""
    return f"{about(result)}:\n\n{summary(result)}"


def page(result: Result) -> str:
    """The whole report in Markdown."""
    titles = {row.title: row.version for c in result.cases for j in c.jobs for row in j.rows if row.version}
    parts = [
        "# Training and inference of one layer",
        f"{about(result)}, Python {result.machine['python']}; "
        + ", ".join(f"{title} {version}" for title, version in titles.items())
        + ".",
        f"Medians over turns, all in turn. The goal is a ratio of at most {GOAL}. `python benchmarks/training.py` "
        "writes this page; `torch.nn.GRU`, norse and snnTorch are other models of the same size.",
        summary(result),
    ]
    for case in result.cases:
        parts.append(f"## {case.title}")
        if case.differences:
            parts.append(agreement(case) + ".")
        for job in case.jobs:
            parts += [f"{JOBS[job.name].capitalize()}:", job_text(job)]
    return "\n\n".join(parts) + "\n"


def read_job(found: Mapping[str, Any]) -> Job:
    """A job from its JSON."""
    tuples = [{name: tuple(row[name]) for name in ("times", "joules")} for row in found["rows"]]
    return Job(found["name"], tuple(Row(**(row | each)) for row, each in zip(found["rows"], tuples, strict=True)))


def read(path: Path) -> Result:
    """A result from its JSON."""
    found = json.loads(path.read_text())

    cases = tuple(Case(**(case | {"jobs": tuple(map(read_job, case["jobs"]))})) for case in found["cases"])
    return Result(found["machine"], found["threads"], cases)


def write(result: Result, folder: Path) -> None:
    """Write JSON and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / "training.md").write_text(page(result))


def main() -> None:
    """Update README."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    put("training_report.py", readme(read(folder / "training.json")))


if __name__ == "__main__":
    main()
