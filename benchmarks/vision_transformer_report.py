"""What the benchmark of the vision transformer found, as JSON and tables.

python benchmarks/vision_transformer_report.py [FOLDER]     # write the page of what FOLDER/vision_transformer.json says
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from engine_report import markdown
from readme_blocks import RESULTS

VARIANTS = {
    "full": "nothing",
    "no_inverted_exp": "exponential not inverted",
    "exp_from_zero": "the same, without the maximum",
    "no_requant_calibration": "ReQuant tables not calibrated",
    "requant_of_type": "the same, range of the type",
    "no_gelu_calibration": "GeLU tables not calibrated",
    "gelu_of_type": "the same, range of the type",
    "one_reciprocal": "reciprocal in one segment",
    "none": "all four",
}
"""What is left out of the integer network, by name."""
PUBLISHED: Mapping[int, Mapping[str, float]] = {
    3: {
        "full": 0.7105,
        "no_inverted_exp": 0.2880,
        "no_requant_calibration": 0.7056,
        "no_gelu_calibration": 0.6949,
        "one_reciprocal": 0.7057,
    },
    4: {
        "full": 0.7437,
        "no_inverted_exp": 0.4887,
        "no_requant_calibration": 0.7408,
        "no_gelu_calibration": 0.7244,
        "one_reciprocal": 0.7404,
    },
}
"""Top-1 accuracy of DeiT-tiny on ImageNet by bits, Guo et al. 2024 (arXiv 2407.17879), table of ablations."""


@dataclass(frozen=True)
class Row:
    """One network on the images that its split holds out.

    Attributes
    ----------
    split : int
    precision : str
        "float", "8", "4", "3".
    variant : str
        "torch": in PyTorch, float arithmetic on quantised numbers; else of :data:`VARIANTS`, in integers.
    images, right : int
    lost, gained : int
        Images that the network is compared with, see :func:`compared_with`, tells rightly and this one does not, and
        the other way round.
    """

    split: int
    precision: str
    variant: str
    images: int
    right: int
    lost: int = 0
    gained: int = 0


@dataclass(frozen=True)
class Result:
    """One run of the benchmark; tables were calibrated on so many training images."""

    machine: Mapping[str, Any]
    calibration: int
    rows: tuple[Row, ...]


def compared_with(row: Row) -> tuple[str, str]:
    """Precision and variant that lost and gained images count against."""
    if row.variant == "torch":
        return "float", "torch"
    return (row.precision, "torch" if row.variant == "full" else "full")


def found(result: Result, precision: str, variant: str) -> list[Row]:
    """Rows of all splits."""
    return [row for row in result.rows if (row.precision, row.variant) == (precision, variant)]


def score(rows: list[Row]) -> tuple[float, float]:
    """Accuracy over all splits and its standard error, of as many draws as there are images."""
    images = sum(row.images for row in rows)
    share = sum(row.right for row in rows) / images
    return share, sqrt(share * (1 - share) / images)


def change(rows: list[Row]) -> tuple[float, float]:
    """Change of accuracy against :func:`compared_with`, and its standard error, image by image."""
    images = sum(row.images for row in rows)
    lost, gained = sum(row.lost for row in rows), sum(row.gained for row in rows)
    mean = (gained - lost) / images
    return mean, sqrt(max((gained + lost) / images - mean**2, 0) / images)


def _share(value: tuple[float, float]) -> str:
    return f"{value[0]:.2%} ± {100 * value[1]:.2f}"


def _points(value: tuple[float, float]) -> str:
    return f"{100 * value[0] + 0.0:+.2f} ± {100 * value[1]:.2f}"


def precisions(result: Result) -> str:
    """A line for each precision: in PyTorch, and in integers."""
    lines = []
    for precision in dict.fromkeys(row.precision for row in result.rows):
        trained, integer = found(result, precision, "torch"), found(result, precision, "full")
        line = [precision if precision == "float" else f"{precision} bits", _share(score(trained))]
        line.append("" if precision == "float" else _points(change(trained)))
        lines.append([*line, *([_share(score(integer)), _points(change(integer))] if integer else ["", ""])])
    return markdown(
        ["weights, activations", "PyTorch", "points against float", "integers", "points against PyTorch"], lines
    )


def ablations(result: Result) -> str:
    """A line for each thing that is left out, beside the paper's."""
    lines = []
    for precision in ("4", "3"):
        paper = PUBLISHED[int(precision)]
        for variant, title in VARIANTS.items():
            rows = found(result, precision, variant)
            if not rows:
                continue
            line = [precision, title, _share(score(rows)), "" if variant == "full" else _points(change(rows))]
            theirs = paper.get(variant)
            line.append("" if theirs is None else f"{theirs:.2%}")
            known = theirs is not None and variant != "full"
            lines.append([*line, f"{100 * (theirs - paper['full']):+.2f}" if known else ""])
    heads = ["bits", "left out", "here", "points", "paper, DeiT-tiny on ImageNet", "points"]
    return markdown(heads, lines)


def page(result: Result) -> str:
    """The whole report in Markdown."""
    m = result.machine
    splits = len({row.split for row in result.rows})
    parts = [
        "# A vision transformer in few bits and in integers",
        f"{m['date']}, Python {m['python']}. `python benchmarks/vision_transformer.py` writes this page. MNIST's "
        "10,000 test images; 3 blocks of 64 channels, 4 heads, MLP of 128, patches of 4 x 4 pixels, 50 tokens. "
        f"{splits} random split{'s' if splits > 1 else ''}, each with 8,000 images to train with and 2,000 that "
        f"neither training nor calibration saw; tables are calibrated on {result.calibration} of the first. ± is one "
        "standard error of the images that were drawn; those of points are of the images that one network tells and "
        "the other does not. Splits share images, so errors over several splits are a little too small.",
        "*PyTorch*: float arithmetic on quantised weights and activations, exact softmax, GeLU and LayerNorm, as it "
        "was trained. *Integers*: tables, shifts and integer products alone, without any training after it.",
        precisions(result),
        "## What each part is worth",
        "The network in integers with one part left out, and the same of the paper (HG-PIPE, Guo et al. 2024), whose "
        "network, data and training are others: signs and order may be held against ours, sizes may not.",
        ablations(result),
        "*Not inverted*: the table of the exponential begins at the smallest value of the calibration data, in bins of "
        "the power of two that is nearest to its share of the range, instead of at the maximum of a row; *without the "
        "maximum*: a table of the values themselves, not of their distance to the maximum of the row. *Not "
        "calibrated*: tables reach from the smallest to the largest value of the data; *range of the type*: over all "
        "that the accumulator can hold. The paper does not say which of these its figures are.",
    ]
    return "\n\n".join(parts) + "\n"


def read(path: Path) -> Result:
    """A result from its JSON."""
    kept = json.loads(path.read_text())
    return Result(kept["machine"], kept["calibration"], tuple(Row(**row) for row in kept["rows"]))


def write(result: Result, folder: Path) -> None:
    """Write JSON and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vision_transformer.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / "vision_transformer.md").write_text(page(result))


def main() -> None:
    """Write the page anew."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    write(read(folder / "vision_transformer.json"), folder)


if __name__ == "__main__":
    main()
