"""What the benchmark of language models found, as JSON, tables and a figure.

python benchmarks/language_model_report.py [FOLDER]     # put what FOLDER/language_model.json says into README
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine_report import markdown, number
from language_model_chip import Run
from readme_blocks import RESULTS, put
from training_report import Job, read_job

MEASURED, MODEL, QUOTED = "measured", "model", "quoted"


@dataclass(frozen=True)
class Quoted:
    """A published measurement of an inference, whose unit is not stated.

    Attributes
    ----------
    seconds, joules, watts : float
        As printed.
    """

    where: str
    seconds: float
    joules: float
    watts: float
    source: str


LM2024 = "Nazeer et al., AICAS 2024, arXiv 2312.09084"
QUOTES = (
    Quoted("SpiNNaker2, 150 PEs", 0.17025, 0.0653, 0.39, LM2024),
    Quoted("NVIDIA A100", 0.0199, 1.1935, 60.0, LM2024),
)
MEMORY, DATA = 88.3e3, 96e3
"""Bytes of data memory that the published model takes of a PE, and that a PE has."""
JOBS = {"sequence": "whole text at once", "live": "word by word"}


@dataclass(frozen=True)
class Model:
    """One language model.

    Attributes
    ----------
    words : int
        Of the text that the contestants read; a run has its own.
    weights, kept : int
        Of its layers: all, and those that are not zero.
    runs : tuple of Run
        On SpiNNaker2.
    jobs : tuple of Job
        Measured here; times of the whole text.
    difference : float
        Largest difference between outputs of the CPU engine and of PyTorch.
    """

    name: str
    title: str
    words: int
    weights: int
    kept: int
    runs: tuple[Run, ...]
    jobs: tuple[Job, ...] = ()
    difference: float = 0.0

    def run(self, name: str) -> Run:
        """A way to run it."""
        return next(run for run in self.runs if run.name == name)


@dataclass(frozen=True)
class Classifier:
    """A classifier on SpiNNaker2; time and energy of a sample."""

    name: str
    weights: str
    accuracy: float
    pes: int
    seconds: float
    joules: float


@dataclass(frozen=True)
class Result:
    """One run of the benchmark.

    Attributes
    ----------
    device : str
        What PyTorch ran on.
    meter : str
        What measured energy here, or why nothing did.
    """

    machine: Mapping[str, Any]
    threads: int
    device: str
    meter: str
    models: tuple[Model, ...]
    classifiers: tuple[Classifier, ...]


def time(seconds: float) -> str:
    """A time as tables print it."""
    return f"{number(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{number(seconds * 1e6)} us"


def energy(joules: float) -> str:
    """An energy as tables print it."""
    return f"{number(joules * 1e3)} mJ" if joules >= 1e-3 else f"{number(joules * 1e6)} uJ"


def beside_published(model: Model) -> str:
    """Ways to run a model beside what has been published of it, for the whole text and for a word."""
    quoted = QUOTES[0]
    n = model.words
    head = ["", "PEs, chips", "data memory of a PE", f"{n} words", "a word", f"energy, {n} words", "power", "bound by"]
    rows = [
        [
            "**published**, unit not stated",
            "150, 1",
            f"{MEMORY / 1e3:.1f} of {DATA / 1e3:.0f} kB",
            time(quoted.seconds),
            f"{time(quoted.seconds / n)} if {n} words are meant",
            energy(quoted.joules),
            f"{quoted.watts:.2f} W",
            "memory reads and writes",
        ]
    ]
    rows += [
        [
            run.title,
            f"{run.pes:,}, {run.chips}",
            f"{run.data_most / 1e3:.1f} kB, mean {run.data_mean / 1e3:.1f}",
            time(run.seconds),
            time(run.seconds / run.words),
            energy(run.joules),
            f"{run.watts:.2f} W",
            f"{run.bound}, {run.spent[run.bound] / sum(run.spent.values()):.0%}",
        ]
        for run in model.runs
    ]
    return markdown(head, rows)


def chip_energy(model: Model) -> str:
    """Energy of a word by cause, and activity, for each way to run a model."""
    causes = list(dict.fromkeys(cause for run in model.runs for cause in run.energy))
    rows = [
        [run.title, *(energy(run.energy.get(cause, 0.0)) for cause in causes), time(run.latency), activity(run)]
        for run in model.runs
    ]
    return markdown(["a word", *causes, "from a word to its answer", "units that fire"], rows)


def activity(run: Run) -> str:
    """Share of units that fire, by layer."""
    return ", ".join(f"{share:.1%}" for share in run.active.values())


def phases(model: Model) -> str:
    """Time of a word by what the busiest PE did."""
    names = list(dict.fromkeys(name for run in model.runs for name in run.spent))
    rows = [[run.title, *(time(run.spent[n]) if n in run.spent else "" for n in names)] for run in model.runs]
    return markdown(["a word", *names], rows)


def devices(result: Result, jobs: Collection[str] = tuple(JOBS)) -> list[list[str]]:
    """A row for every model and device: time, energy and power of a word."""
    rows = []
    for model in result.models:
        if model.name == "shape":
            for quoted in QUOTES:
                values = time(quoted.seconds / model.words), energy(quoted.joules / model.words), f"{quoted.watts:g} W"
                rows.append([model.title, quoted.where, f"{QUOTED}; {model.words} words taken as the unit", *values])
        chosen = [run for run in model.runs if run.name in ("turns", "balanced", "high", "spread", "spread_decoder")]
        for run in chosen or model.runs:
            values = time(run.seconds / run.words), energy(run.joules / run.words), f"{run.watts:.2f} W"
            chips = f", {run.chips} chips" if run.chips > 1 else ""
            rows.append([model.title, f"SpiNNaker2{chips}, {run.title}", MODEL, *values])
        for job in (job for job in model.jobs if job.name in jobs):
            for row in job.rows:
                if not row.times:
                    rows.append([model.title, row.title, row.failed, "", "", ""])
                    continue
                each = row.median / model.words
                spent = sorted(row.joules)[len(row.joules) // 2] / model.words if row.joules else None
                shown = (energy(spent), f"{number(spent / each)} W") if spent else ("no meter", "")
                where = f"{row.title}, {JOBS[job.name]}, {row.threads} thread{'s' if row.threads > 1 else ''}"
                rows.append([model.title, where, MEASURED, time(each), *shown])
    for c in result.classifiers:
        title = f"{c.name}, {c.accuracy:.1%} right"
        values = time(c.seconds), energy(c.joules), f"{c.joules / c.seconds:.2f} W"
        rows.append([title, f"SpiNNaker2, {c.pes} PEs, {c.weights}", f"{MODEL}; a sample", *values])
    return rows


def device_table(result: Result, jobs: Collection[str] = tuple(JOBS)) -> str:
    """Latency and energy for batch 1."""
    return markdown(["model", "on", "kind", "time a word", "energy a word", "power"], devices(result, jobs))


def about(result: Result) -> str:
    """Where and when."""
    m = result.machine
    return (
        f"1 to {result.threads} threads on {m['cores']} cores of {m['processor']}, {m['memory_gib']} GiB, {m['date']}; "
        f"PyTorch on {result.device}; {result.meter}"
    )


def shape_sentence(model: Model) -> str:
    """What the model is and how busy."""
    run = model.runs[0]
    return (
        f"{model.title}: {model.kept:,} of {model.weights:,} weights, {activity(run)} of the units fire for a word; "
        f"{run.words:,} words of WikiText-2's test text"
    )


def readme(result: Result) -> str:
    """What README quotes."""
    shape = result.models[0]
    chosen = Model(**(vars(shape) | {"runs": tuple(shape.run(name) for name in ("turns", "balanced", "decoder"))}))
    return "\n\n".join(
        [
            f"{shape_sentence(shape)}. SpiNNaker2 is a model with assumed constants, fitted to nothing:",
            beside_published(chosen),
            f"Batch 1, against a GPU and a CPU ({about(result)}):",
            device_table(result, ["sequence"]),
        ]
    )


def page(result: Result) -> str:
    """The whole report in Markdown."""
    shape = result.models[0]
    turns, balanced, decoder = (shape.run(name) for name in ("turns", "balanced", "decoder"))
    quoted = QUOTES[0]
    parts = [
        "# Language models on SpiNNaker2, a CPU and a GPU",
        f"{about(result)}. `python benchmarks/language_model.py` writes this page.",
        "![energy and time of a word](language_model.png)",
        "## The published model by its shape",
        f"{shape_sentence(shape)}. Times and energies of SpiNNaker2 are a model with published and assumed constants, "
        "none of them fitted to the published run; bytes, packets and events are exact counts.",
        beside_published(shape),
        differences(turns, balanced, decoder, quoted, shape.words),
        phases(shape),
        chip_energy(shape),
    ]
    for model in result.models[1:]:
        parts += [f"## {model.title}", shape_sentence(model) + ".", phases(model), chip_energy(model)]
    parts += [
        "## Batch 1: time and energy of a word",
        "measured: on this machine, median over turns, at the better number of threads; quoted: published by others; "
        f"model: simulated. The published unit is taken as {shape.words} words. PyTorch computes with dense matrices, "
        "zeros included. The CPU engine, word by word, gives the answer some steps later, as layers form a pipeline.",
        device_table(result),
        "Largest difference between outputs of the CPU engine in float32 and of PyTorch: "
        + ", ".join(f"{model.difference:.1g} ({model.title})" for model in result.models if model.jobs)
        + ".",
    ]
    return "\n\n".join(parts) + "\n"


def differences(turns: Run, balanced: Run, decoder: Run, quoted: Quoted, words: int) -> str:
    """What the comparison with the published run says, and what is not known."""
    per_entry = MEMORY * turns.pes / turns.synapses
    lines = [
        f"**Unit.** If the published inference is one sequence of {words} words, the model's time is "
        f"{turns.seconds / quoted.seconds:.2f} of it with layers in turn and {balanced.seconds / quoted.seconds:.2f} "
        f"as a pipeline, its energy {turns.joules / quoted.joules:.2f} and {balanced.joules / quoted.joules:.2f}. If "
        f"it is one word, they are {turns.seconds / words / quoted.seconds:.3f} and "
        f"{turns.joules / words / quoted.joules:.3f} with layers in turn. So a sequence is likelier; the sources that "
        "could be read do not say.",
        f"**Softmax.** Over all words it alone would take {time(decoder.spent['decoder'])} a word "
        f"({time(decoder.spent['decoder'] * words)} for {words}), more than the whole published time: it is outside "
        "the published measurement, or done otherwise.",
        f"**Memory.** Published: {MEMORY / 1e3:.1f} kB on a PE, {per_entry:.1f} B for each weight if all PEs are "
        f"alike; compressed rows of a 4-byte value and a 4-byte index take 8 B. Here a weight with its look-up takes "
        f"{turns.per_synapse:.2f} B, as the target's number has few bits; the rest of a PE is its FIFO, stack and "
        "states.",
        f"**Time.** {turns.spent['receive'] / sum(turns.spent.values()):.0%} of the time with layers in turn goes into "
        "taking packets from the FIFO and finding their rows, which are assumed constants; the published run also "
        "exchanges outputs by packets, how many cycles they take it does not say. All entries of a word's vector are "
        "sent as packets to the first layer's PEs here; by DMA into each PE they would cost less. Whether the "
        "published layers worked in turn or as a pipeline is not known.",
        f"**Power.** {turns.watts:.2f} W with layers in turn, {balanced.watts:.2f} W as a pipeline, published "
        f"{quoted.watts:.2f} W. LPDDR4's static power is in no published constant and so not in the model.",
    ]
    return "\n\n".join(lines)


def read(path: Path) -> Result:
    """A result from its JSON."""
    found = json.loads(path.read_text())

    def model(given: dict[str, Any]) -> Model:
        runs, jobs = (Run(**run) for run in given["runs"]), map(read_job, given["jobs"])
        return Model(**(given | {"runs": tuple(runs), "jobs": tuple(jobs)}))

    models, classifiers = map(model, found["models"]), (Classifier(**each) for each in found["classifiers"])
    return Result(**(found | {"models": tuple(models), "classifiers": tuple(classifiers)}))


def write(result: Result, folder: Path) -> None:
    """Write JSON, Markdown and the figure."""
    from language_model_figure import draw

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "language_model.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / "language_model.md").write_text(page(result))
    draw(result, folder / "language_model.png")


def main() -> None:
    """Update README."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    put("language_model_report.py", readme(read(folder / "language_model.json")))


if __name__ == "__main__":
    main()
