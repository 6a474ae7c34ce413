"""What the benchmark of few bits found, as JSON and tables, beside what others published.

python benchmarks/low_bits_report.py [FOLDER]     # put what FOLDER/low_bits.json says into README
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from engine_report import markdown
from readme_blocks import RESULTS, put

TITLES = {
    "perceptron": "perceptron 784-128-64-10, MNIST",
    "braille": "EGRU of 64 units, Braille letters",
    "spiking": "128 LIF neurons, MNIST as spikes",
}
METHODS = {"nor_flash": "NOR flash: `Asymmetric`, `PACT`", "pact": "`PACT`", "lsq": "`LSQ`", "tqt": "`TQT`"}
PUBLISHED = [
    ["NOR flash (Chen and Huang 2021)", "AlexNet, VGGNet, ResNet; CIFAR-10", "4, 4", "drop below 2 points", ""],
    ["the same, deployed in HSPICE", "the same", "4, 4", "drop of 2.25 points", ""],
    ["PACT", "ResNet-20, CIFAR-10", "5, 5", "91.6", ""],
    ["PACT", "ResNet-20, CIFAR-10", "4, 4", "90.8; 90.89 (KwangHoonAn/PACT)", ""],
    ["PACT", "ResNet-20, CIFAR-10", "3, 3", "90.6; 90.09 (KwangHoonAn/PACT)", ""],
    ["PACT", "ResNet-20, CIFAR-10", "2, 2", "88.9; 87.07 (KwangHoonAn/PACT)", ""],
    ["LSQ", "VGG-small, CIFAR-10", "4, 4", "94.26 (hustzxd/LSQuantization)", "93.34"],
    ["LSQ", "ResNet-18, ImageNet", "4, 4", "70.26 (hustzxd/LSQuantization)", "69.76"],
    ["LSQ", "AlexNet, ImageNet", "4, 4", "56.96 (hustzxd/LSQuantization)", "56.55"],
    ["TQT", "VGG-16, ImageNet", "4, 8", "71.5 (Xilinx/graffitist)", "71.9"],
    ["TQT", "ResNet-50, ImageNet", "4, 8", "74.4 (Xilinx/graffitist)", "75.4"],
    ["TQT", "Inception-v3, ImageNet", "4, 8", "76.4 (Xilinx/graffitist)", "78.3"],
]


@dataclass(frozen=True)
class Run:
    """One network on one split.

    Attributes
    ----------
    method : str
        ``"float"``, or by what it was trained for few bits.
    accuracy : float
        Of what was held out, on the CPU engine.
    """

    task: str
    method: str
    bits: int
    split: int
    accuracy: float


@dataclass(frozen=True)
class Noisy:
    """A perceptron of 4 bits with noise on its cells.

    Attributes
    ----------
    trained_with, sigma : float
        Standard deviation of the noise in training and on the cells, relative to the largest weight.
    accuracies : tuple of float
        Of several draws of the cells.
    """

    split: int
    trained_with: float
    sigma: float
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class Result:
    """One run of the benchmark."""

    machine: Mapping[str, Any]
    runs: tuple[Run, ...]
    noise: tuple[Noisy, ...]


def _accuracies(result: Result, task: str, method: str, bits: int) -> dict[int, float]:
    return {r.split: r.accuracy for r in result.runs if (r.task, r.method, r.bits) == (task, method, bits)}


def _cell(result: Result, task: str, method: str, bits: int) -> str:
    found, float_ = _accuracies(result, task, method, bits), _accuracies(result, task, "float", 32)
    if not found:
        return ""
    loss = mean(float_[split] - accuracy for split, accuracy in found.items())
    fewer = f"; {len(found)} of {len(float_)} splits" if len(found) < len(float_) else ""
    return f"{mean(found.values()):.2%} ({round(-100 * loss, 2) + 0.0:+.2f}{fewer})"


def _ordered(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def accuracies(result: Result) -> str:
    """A line for each network and method: accuracy, and points against float."""
    every = sorted({r.bits for r in result.runs if r.method != "float"}, reverse=True)
    rows = []
    for task in _ordered(r.task for r in result.runs):
        known = _accuracies(result, task, "float", 32)
        splits = f"{len(known)} split{'s' if len(known) > 1 else ''}"
        for number, method in enumerate(
            m for m in METHODS if any(r.task == task and r.method == m for r in result.runs)
        ):
            first = [f"{TITLES[task]}; {splits}", f"{mean(known.values()):.2%}"] if number == 0 else ["", ""]
            rows.append([*first, METHODS[method], *(_cell(result, task, method, bits) for bits in every)])
    return markdown(["network", "float", "method", *(f"{bits} bits" for bits in every)], rows)


def noise(result: Result) -> str:
    """A line for each noise in training: accuracy by noise of the cells."""
    levels = sorted({r.sigma for r in result.noise})
    rows = []
    for trained_with in _ordered(r.trained_with for r in result.noise):
        found = [
            [a for r in result.noise if (r.trained_with, r.sigma) == (trained_with, sigma) for a in r.accuracies]
            for sigma in levels
        ]
        name = f"`WeightNoise({trained_with:g})`" if trained_with else "none"
        rows.append([name, *(f"{mean(each):.2%} ({min(each):.2%})" for each in found)])
    return markdown(
        ["noise in training", *(f"cells {sigma:.0%}" if sigma else "exact cells" for sigma in levels)], rows
    )


def readme(result: Result) -> str:
    """What README quotes."""
    parts = [accuracies(result)]
    if result.noise:
        parts += [
            "The perceptron of 4 bits when its cells miss their levels, by Gaussian noise relative to the largest "
            "weight; means (and the worst) of all splits and draws:",
            noise(result),
        ]
    return "\n\n".join(parts)


def page(result: Result) -> str:
    """The whole report in Markdown."""
    m = result.machine
    rows = [[TITLES[r.task], r.method, str(r.bits), str(r.split), f"{r.accuracy:.2%}"] for r in result.runs]
    parts = [
        "# Networks trained in few bits",
        f"{m['date']}, Python {m['python']}. Weights, biases and graded events have so many bits; `python "
        "benchmarks/low_bits.py` writes this page. In brackets: points against float, trained as long. A split holds "
        "out 2,000 of 10,000 images, or 216 of 1,080 recordings, so that one point is 20 images or 2 recordings.",
        readme(result),
        "## What others published",
        "Bits are those of weights and of activations; accuracies are top-1 in per cent, of a paper, or of the public "
        "reproduction that is named. These are larger networks on harder tasks, and first and last layers often keep "
        "more bits there: the figures say what a method can do, not that ours do better. What is public of the "
        "article on NOR flash gives no accuracies of single networks, neither the candidates for thresholds nor how "
        "often they are chosen.",
        markdown(["method", "network", "bits", "accuracy", "float"], PUBLISHED),
        "## Every run",
        markdown(["network", "method", "bits", "split", "accuracy"], rows),
    ]
    return "\n\n".join(parts) + "\n"


def read(path: Path) -> Result:
    """A result from its JSON."""
    found = json.loads(path.read_text())
    noise = tuple(Noisy(**(row | {"accuracies": tuple(row["accuracies"])})) for row in found["noise"])
    return Result(found["machine"], tuple(Run(**row) for row in found["runs"]), noise)


def write(result: Result, folder: Path) -> None:
    """Write JSON and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "low_bits.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / "low_bits.md").write_text(page(result))


def main() -> None:
    """Update README."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    put("low_bits_report.py", readme(read(folder / "low_bits.json")))


if __name__ == "__main__":
    main()
