"""The figure of the benchmark of language models: energy of a word by device, time of a word by phase."""

from __future__ import annotations

from pathlib import Path

from engine_report import number
from language_model_report import QUOTES, Result

COLOURS = {
    "receive": "#4c72b0",
    "input": "#dd8452",
    "recurrent": "#c44e52",
    "update": "#55a868",
    "send": "#8172b3",
    "record": "#937860",
    "dma": "#da8bc3",
    "wait": "#b0b0b0",
    "network": "#ccb974",
    "barrier": "#303030",
    "decoder": "#64b5cd",
}
NAMES = {"input": "input synapses", "recurrent": "recurrent synapses", "update": "neuron updates", "decoder": "softmax"}


def draw(result: Result, path: Path) -> None:
    """Two panels, one above the other."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    bars = energies(result)
    rows = [(f"{model.title}: {run.title}", run) for model in result.models for run in model.runs]
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(11, 1.8 + 0.3 * (len(bars) + len(rows))), layout="constrained",
        height_ratios=[len(bars) + 1, len(rows) + 2],
    )  # fmt: skip
    top.barh(range(len(bars)), [value for _, value, _ in bars], color=[colour for *_, colour in bars])
    for place, (_, value, _) in enumerate(bars):
        top.text(value * 1.08, place, f"{number(value)} mJ", va="center", fontsize=8)
    top.set_yticks(range(len(bars)), [label for label, *_ in bars], fontsize=8)
    top.set_xscale("log")
    top.set_xlim(min(value for _, value, _ in bars) / 3, max(value for _, value, _ in bars) * 3)
    top.set_title("energy of a word, mJ (grey: quoted; blue: model; red: measured)", fontsize=10, loc="left")
    largest = 0.0
    for place, (_, run) in enumerate(rows):
        left = 0.0
        for name, colour in COLOURS.items():
            width = run.spent.get(name, 0.0) * 1e3
            bottom.barh(place, width, left=left, color=colour, label=NAMES.get(name, name))
            left += width
        largest = max(largest, left if "decoder" not in run.spent else 0.0)
        bottom.text(left, place, f" {number(left)} ms", va="center", fontsize=8)
    bottom.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=8)
    bottom.set_xlim(0, 1.15 * largest)
    for place, (_, run) in enumerate(rows):
        total = sum(run.spent.values()) * 1e3
        if total > 1.15 * largest:  # beyond the axis
            bottom.text(1.14 * largest, place, f"{number(total)} ms ", va="center", ha="right", fontsize=8)
    bottom.set_title("time of a word on SpiNNaker2 by what the busiest PE does, ms (model)", fontsize=10, loc="left")
    handles, labels = bottom.get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    seen = {NAMES.get(n, n) for _, run in rows for n, v in run.spent.items() if v > 0.005 * sum(run.spent.values())}
    bottom.legend(
        [shown[n] for n in shown if n in seen], [n for n in shown if n in seen], fontsize=8, loc="lower right"
    )
    for panel in (top, bottom):
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(axis="x", labelsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def energies(result: Result) -> list[tuple[str, float, str]]:
    """Label, millijoules of a word, and colour of each bar."""
    bars = []
    for model in result.models:
        if model.name == "shape":
            bars += [
                (
                    f"{model.title}: {quoted.where}, published, if {model.words} words",
                    quoted.joules / model.words,
                    "#9a9a9a",
                )
                for quoted in QUOTES[::-1]
            ]
        bars += [(f"{model.title}: {run.title}", run.joules / run.words, "#4c72b0") for run in model.runs]
        for job in model.jobs:
            bars += [
                (f"{model.title}: {row.title}", sorted(row.joules)[len(row.joules) // 2] / model.words, "#c44e52")
                for row in job.rows
                if row.joules
            ]
    return [(label, joules * 1e3, colour) for label, joules, colour in bars]
