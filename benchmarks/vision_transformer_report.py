"""What the benchmark of the vision transformer found, as JSON and tables.

python benchmarks/vision_transformer_report.py [FOLDER]     # write the page of what FOLDER/vision_transformer.json says
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import hypot, sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
from engine_report import markdown
from readme_blocks import RESULTS

Array = npt.NDArray[np.bool_]
VARIANTS = {
    "full": "nothing",
    "fine_tables": "nothing, in finer tables",
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
    """One network on the images that its split holds out; means over draws of images that tables are calibrated on.

    Attributes
    ----------
    split : int
    precision : str
        "float", "8", "4", "3".
    variant : str
        "torch": in PyTorch, float arithmetic on quantised numbers; else of :data:`VARIANTS`, in integers.
    images, draws : int
    accuracy, error : float
        And its standard error, over images.
    least, most : float
        Accuracy of the draw that gave the smallest and the largest.
    change, change_error : float
        Of accuracy against the network of :func:`compared_with`, image by image, and its standard error.
    """

    split: int
    precision: str
    variant: str
    images: int
    draws: int
    accuracy: float
    error: float
    least: float
    most: float
    change: float
    change_error: float


@dataclass(frozen=True)
class Result:
    """One run of the benchmark; tables were calibrated on so many training images."""

    machine: Mapping[str, Any]
    calibration: int
    rows: tuple[Row, ...]


def compared_with(precision: str, variant: str) -> tuple[str, str]:
    """Precision and variant of the network that one's change counts against."""
    if variant == "torch":
        return "float", "torch"
    return precision, "torch" if variant == "full" else "full"


def row_of(split: int, precision: str, variant: str, right: Array, other: Array) -> Row:
    """A row of what is right, bool (draws, images), of a network and of that which it is compared with."""
    share, more = right.mean(0), right.mean(0) - other.mean(0)
    of_draws, root = right.mean(1), sqrt(right.shape[1])
    return Row(
        split,
        precision,
        variant,
        right.shape[1],
        len(right),
        float(share.mean()),
        float(share.std() / root),
        float(of_draws.min()),
        float(of_draws.max()),
        float(more.mean()),
        float(more.std() / root),
    )


def found(result: Result, precision: str, variant: str) -> list[Row]:
    """Rows of all splits."""
    return [row for row in result.rows if (row.precision, row.variant) == (precision, variant)]


def score(rows: list[Row]) -> tuple[float, float]:
    """Mean accuracy of splits and its standard error."""
    return fmean(row.accuracy for row in rows), hypot(*(row.error for row in rows)) / len(rows)


def change(rows: list[Row]) -> tuple[float, float]:
    """Mean change of splits and its standard error."""
    return fmean(row.change for row in rows), hypot(*(row.change_error for row in rows)) / len(rows)


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
            between = f" ({min(row.least for row in rows):.2%} to {max(row.most for row in rows):.2%})"
            line = [precision, title, _share(score(rows)) + between]
            line.append("" if variant == "full" else _points(change(rows)))
            theirs = paper.get(variant)
            line.append("" if theirs is None else f"{theirs:.2%}")
            known = theirs is not None and variant != "full"
            lines.append([*line, f"{100 * (theirs - paper['full']):+.2f}" if known else ""])
    heads = ["bits", "left out", "here", "points", "paper, DeiT-tiny on ImageNet", "points"]
    return markdown(heads, lines)


def page(result: Result) -> str:
    """The whole report in Markdown."""
    m = result.machine
    splits, draws = len({row.split for row in result.rows}), max(row.draws for row in result.rows)
    parts = [
        "# A vision transformer in few bits and in integers",
        f"{m['date']}, Python {m['python']}. `python benchmarks/vision_transformer.py` writes this page. MNIST's "
        "10,000 test images; 3 blocks of 64 channels, 4 heads, MLP of 128, patches of 4 x 4 pixels, 50 tokens. "
        f"{splits} random split{'s' if splits > 1 else ''}, each with 8,000 images to train with and "
        f"{result.rows[0].images:,} that neither training nor calibration saw. Accuracy in integers is the mean of "
        f"{draws} sets of {result.calibration} training images that tables are calibrated on, in brackets the worst "
        "and the best of them. ± is one standard error over images; points are compared image by image. Splits share "
        "images, so errors over several splits are a little too small.",
        "*PyTorch*: float arithmetic on quantised weights and activations, exact softmax, GeLU and LayerNorm, as it "
        "was trained. *Integers*: tables, shifts and integer products alone, without any training after it.",
        precisions(result),
        "## What each part is worth",
        "The network in integers with one part left out, and the same of the paper (HG-PIPE, Guo et al. 2024), whose "
        "network, data and training are others: signs and order may be held against ours, sizes may not.",
        ablations(result),
        "*Finer tables*: 1,024 entries of ReQuant, GeLU and LayerNorm's reciprocal root, 256 of the exponential, 512 "
        "of the reciprocal, and tokens of 16 bits, instead of 64, 64, 128, 32, 64 and 13 as HG-PIPE has them. *Not "
        "inverted*: the table of the exponential begins at the smallest value of the calibration data, in bins of the "
        "power of two that is nearest to its share of the range, instead of at the maximum of a row; *without the "
        "maximum*: a table of the values themselves, not of their distance to the maximum of the row. *Not "
        "calibrated*: tables reach from the smallest to the largest value of the data; *range of the type*: over all "
        "that the accumulator can hold. The paper does not say which of these its figures are. Bins of a power of two "
        "that begin at the smallest value either reach the largest or do not, as the images of the calibration fall: "
        "so the range of an exponential that is not inverted.",
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
