"""The figure of the benchmark of language models: energy of a word by device, time of a word by phase."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from engine_report import number
from language_model_report import QUOTES, Model, Result

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
NAMES = {
    "receive": "receiving packets",
    "input": "input synapses",
    "recurrent": "recurrent synapses",
    "update": "neuron updates",
    "decoder": "softmax",
}
QUOTED, MODELLED, MEASURED = "#9a9a9a", "#4c72b0", "#c44e52"
BESIDE = 1.12
"""Room for a number beside the longest bar that is shown in full, as a factor."""


def draw(result: Result, path: Path) -> None:
    """Two panels, one above the other, models apart."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    lines = sum(len(energies(model)) + len(model.runs) + 2 for model in result.models)
    figure, (top, bottom) = plt.subplots(
        2,
        1,
        figsize=(11, 2 + 0.24 * lines),
        layout="constrained",
        height_ratios=[sum(len(energies(m)) + 1 for m in result.models), sum(len(m.runs) + 1 for m in result.models)],
    )
    _energies(top, result)
    _times(bottom, result)
    for panel in (top, bottom):
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
        for label in panel.get_yticklabels():
            if label.get_text() in {model.title for model in result.models}:
                label.set_fontweight("bold")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def energies(model: Model) -> list[tuple[str, float, str]]:
    """Label, millijoules of a word, and colour of each bar."""
    bars = []
    if model.name == "shape":
        for quoted in QUOTES[::-1]:
            label = f"{quoted.where}, published, if {model.words} words are meant"
            bars.append((label, quoted.joules / model.words * 1e3, QUOTED))
    bars += [(f"SpiNNaker2, {run.title}", run.joules / run.words * 1e3, MODELLED) for run in model.runs]
    for job in model.jobs:
        rows = [row for row in job.rows if row.joules]
        bars += [(row.title, median(row.joules) / model.words * 1e3, MEASURED) for row in rows]
    return bars


def _energies(panel: Any, result: Result) -> None:
    place, ticks = 0, []
    values = []
    for model in result.models:
        ticks.append((place, model.title))
        for label, value, colour in energies(model):
            place += 1
            ticks.append((place, label))
            values.append(value)
            panel.barh(place, value, color=colour)
            panel.text(value * 1.06, place, f"{number(value)} mJ", va="center", fontsize=8)
        place += 1
    panel.set_yticks(*zip(*ticks, strict=True))
    panel.set_xscale("log")
    panel.set_xlim(min(values) / 3, max(values) * 2.5)
    panel.set_title("energy of a word, mJ (grey: quoted; blue: model; red: measured)", fontsize=10, loc="left")


def _times(panel: Any, result: Result) -> None:
    place, ticks = 0, []
    whole = [1e3 * sum(r.spent.values()) for m in result.models for r in m.runs if "decoder" not in r.spent]
    limit = BESIDE * max(whole, default=1.0)
    handles = {}
    for model in result.models:
        ticks.append((place, model.title))
        for run in model.runs:
            place += 1
            ticks.append((place, run.title))
            left, total = 0.0, 1e3 * sum(run.spent.values())
            for name, colour in COLOURS.items():
                width = 1e3 * run.spent.get(name, 0.0)
                bar = panel.barh(place, min(width, max(limit - left, 0)), left=left, color=colour)
                left += width
                if width > 0.005 * total:
                    handles.setdefault(NAMES.get(name, name), bar)
            beyond = total > limit
            at, side = (limit * 0.995, "right") if beyond else (total, "left")
            panel.text(at, place, f" {number(total)} ms ", va="center", ha=side, fontsize=8)
        place += 1
    panel.set_yticks(*zip(*ticks, strict=True))
    panel.set_xlim(0, limit)
    title = "time of a word on SpiNNaker2 by what the busiest PE does, ms (model; longer bars are cut)"
    panel.set_title(title, fontsize=10, loc="left")
    panel.legend(handles.values(), handles.keys(), fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.08), ncols=6)
