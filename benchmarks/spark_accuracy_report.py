"""What the benchmark of SPARK's accuracy found, as JSON and tables.

python benchmarks/spark_accuracy_report.py [FOLDER]     # write the page of what FOLDER/spark_accuracy.json says
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from engine_report import markdown
from readme_blocks import RESULTS

TITLES = {
    "perceptron": "perceptron 784-128-64-10, MNIST",
    "braille": "EGRU of 64 units, Braille letters",
    "spiking": "128 LIF neurons, MNIST as spikes",
}
LANGUAGE = {
    "egru": "EGRU language model, WikiText-2",
    "egru_pruned": "EGRU language model, 95 % of the weights pruned",
    "egru_embedding": "EGRU language model, layers and embedding",
}
FORMATS = {
    "float32": "float32",
    "int8": "int8",
    "int6": "int6",
    "int5": "int5",
    "int4": "int4",
    "int4_by_neuron": "int4, a scale for each neuron",
    "spark": "SPARK",
    "spark_by_neuron": "SPARK, a scale for each neuron",
    "spark_nearest": "SPARK, nearest rounding",
    "spark_twos_complement": "SPARK of the two's complement",
    "int8_events": "int8, values of events as well",
    "spark_events": "SPARK, values of events as well",
    "spark_to_111": "SPARK, largest weight 111",
    "spark_to_47": "SPARK, largest weight 47",
    "spark_to_15": "SPARK, largest weight 15",
}
"""Formats that weights are rounded to after training."""
TRAINED = {
    "int8": "int8",
    "int6": "int6",
    "int5": "int5",
    "int4": "int4",
    "int4_lsq": "int4, learned step (LSQ)",
    "spark": "SPARK",
    "spark_nearest": "SPARK, nearest rounding",
    "int8_events": "int8, values of events as well",
    "spark_events": "SPARK, values of events as well",
    "spark_learned": "SPARK, learned scale",
    "spark_to_47": "SPARK, largest weight 47",
    "spark_to_15": "SPARK, largest weight 15",
}
"""Formats that networks are trained under; events are rounded to them afterwards."""
PUBLISHED = [
    ["VGG-16, ImageNet", "71.59", "71.38", "0.08", "5.33"],
    ["ResNet-18, ImageNet", "69.76", "69.69", "", ""],
    ["ResNet-50, ImageNet", "76.15", "76.05", "0.81", "5.11"],
    ["ResNet-152, ImageNet", "", "", "0.77", "5.21"],
    ["ViT, ImageNet", "84.19", "84.23", "", ""],
    ["BERT, SST-2", "90.45", "91.14", "0.34", "4.31"],
]


@dataclass(frozen=True)
class Row:
    """One network on one split, its weights in one format.

    Attributes
    ----------
    trained : bool
        Under the format; else rounded to it afterwards.
    score : float
        Accuracy; of a language model its perplexity.
    bits, short, lossy : float
        Bits stored for a weight, a sign bit among them, and shares of weights with a code of 4 bits and of weights that
        the code changes.
    """

    network: str
    format: str
    trained: bool
    split: int
    score: float
    bits: float
    short: float
    lossy: float


@dataclass(frozen=True)
class Result:
    """One run of the benchmark; language models read ``words`` words."""

    machine: Mapping[str, Any]
    words: int
    rows: tuple[Row, ...]


def _found(result: Result, network: str, format: str, trained: bool) -> list[Row]:
    return [r for r in result.rows if (r.network, r.format, r.trained) == (network, format, trained)]


def _score(network: str, rows: list[Row], floats: list[Row]) -> str:
    """The mean, and in brackets points of accuracy, or per cent of perplexity, against float32 on the same splits."""
    known = {row.split: row.score for row in floats}
    score = mean(row.score for row in rows)
    if rows == floats or not set(known) >= {row.split for row in rows}:
        return f"{score:.2f}" if network in LANGUAGE else f"{score:.2%}"
    if network in LANGUAGE:
        more = mean(row.score / known[row.split] - 1 for row in rows)
        return f"{score:.2f} ({100 * more:+.2f} %)"
    more = mean(row.score - known[row.split] for row in rows)
    return f"{score:.2%} ({round(100 * more, 2) + 0.0:+.2f})"


def table(result: Result, network: str) -> str:
    """A line for each format: bits, shares and scores, rounded and trained."""
    floats = _found(result, network, "float32", False)
    some = any(row.trained for row in result.rows if row.network == network)
    lines = []
    for name, title in {**FORMATS, **TRAINED}.items():
        rounded, trained = _found(result, network, name, False), _found(result, network, name, True)
        if not rounded and not trained:
            continue
        line = [title, *_columns(network, rounded, floats)]
        lines.append([*line, *_columns(network, trained, floats)] if some else line)
    score = "perplexity" if network in LANGUAGE else "accuracy"
    heads = ["format", f"rounded: {score}", "bits", "short", "lossy"]
    return markdown([*heads, f"trained: {score}", *heads[2:]] if some else heads, lines)


def _columns(network: str, rows: list[Row], floats: list[Row]) -> list[str]:
    if not rows:
        return [""] * 4
    spark = rows[0].format.startswith("spark")
    shares = [f"{mean(r.short for r in rows):.0%}", f"{mean(r.lossy for r in rows):.1%}"] if spark else ["", ""]
    return [_score(network, rows, floats), f"{mean(r.bits for r in rows):.2f}", *shares]


def page(result: Result) -> str:
    """The whole report in Markdown."""
    m = result.machine
    parts = [
        "# Accuracy of weights in SPARK",
        f"{m['date']}, Python {m['python']}. `python benchmarks/spark_accuracy.py` writes this page. Biases, "
        "thresholds and states are float32. So are events, but in lines that say that the values which neurons send "
        "are in the format as well; inputs are as they come. Every network ran on the CPU engine with the very numbers "
        "that the format gives back.",
        "*Rounded*: the float network's weights, without any training. *Trained*: the float network trained on under "
        "the format for as many epochs as its float twin. *Bits* are those stored for a weight: SPARK's have the sign "
        "beside the code, which published figures leave out, so 1 bit more than those. *Short* codes have 4 bits. "
        "*Lossy*: weights that the code changes, beside the rounding to its codes. Scales are not counted. One scale "
        "for each projection, unless a line says otherwise. *Largest weight 47*: the largest weight of a matrix gets "
        "code 47 instead of 255, so that more of the others are short, and 16 to 31 alone are lossy; to 15, numbers "
        "are those of int5.",
    ]
    for network in dict.fromkeys(row.network for row in result.rows):
        splits = len({row.split for row in result.rows if row.network == network})
        parts.append(f"## {TITLES.get(network) or LANGUAGE[network]}")
        if network in TITLES:
            held = "216 of 1,080 recordings" if network == "braille" else "2,000 of 10,000 images"
            parts.append(
                f"{splits} random split{'s, each' if splits > 1 else ' that'} hold{'ing' if splits > 1 else 's'} out "
                f"{held}; in brackets, points against float32."
            )
        else:
            what = (
                "The embedding, which is the softmax as well, has a scale for each word; its file keeps it in int8, so "
                "float32 means int8 here. Bits and shares are the embedding's, 91 % of the model's weights."
                if network == "egru_embedding"
                else "Bits and shares are those of the weights that a chip stores."
            )
            parts.append(
                f"The first {result.words:,} words of the test text; in brackets, perplexity against float32. {what} "
                "Not trained under any format."
            )
        parts.append(table(result, network))
    parts += [
        "## What the paper reports",
        "SPARK (HPCA 2024), weights and activations, accuracy in per cent; its own networks and data, so no figure "
        "here is to be held against one there. Bits leave signs out.",
        markdown(["network", "FP32", "SPARK", "loss without fine-tuning", "bits"], PUBLISHED),
    ]
    return "\n\n".join(parts) + "\n"


def read(path: Path) -> Result:
    """A result from its JSON."""
    found = json.loads(path.read_text())
    return Result(found["machine"], found["words"], tuple(Row(**row) for row in found["rows"]))


def write(result: Result, folder: Path) -> None:
    """Write JSON and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spark_accuracy.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / "spark_accuracy.md").write_text(page(result))


def main() -> None:
    """Write the page anew."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    write(read(folder / "spark_accuracy.json"), folder)


if __name__ == "__main__":
    main()
