"""A vision transformer in float, quantised, and in integers: training, accuracy, and what each part is worth.

    python benchmarks/vision_transformer.py --out benchmarks/results                # the models that come: a minute
    python benchmarks/vision_transformer.py train --split 1                         # a quarter of an hour on one core
    python benchmarks/vision_transformer.py --splits 2 --out benchmarks/results     # those two splits

Training writes ``out/vision_transformer/split1/float.npz`` and so on; split 0 of them are the models that come with
neuromorph. Quantised networks become integer ones (``mapping.pipeline.integer``), calibrated on training images, as a
whole and with one part left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from engine_report import machine
from vision_transformer_report import VARIANTS, Result, Row, compared_with, row_of, write

from neuromorph.mapping.pipeline.integer import IntegerTransformer, from_float
from neuromorph.models import digits
from neuromorph.models.vision_transformer import PRECISIONS, Weights, load, patches
from neuromorph.models.vision_transformer_training import VisionTransformer, fit, module_of, told

Array = npt.NDArray[Any]
MODELS = Path("out/vision_transformer")
CALIBRATION, DRAWS = 256, 3
"""Training images that tables are calibrated on, and how many sets of them."""
LEFT_OUT: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "fine_tables": {
        "residual_bits": 16,
        "entries": {"requant": 1024, "gelu": 1024, "rsqrt": 1024, "exp": 256, "recip": 512},
        "contents": {"rsqrt": 16, "recip": 12},
    },
    "no_inverted_exp": {"anchor": "minimum"},
    "exp_from_zero": {"anchor": "zero"},
    "no_requant_calibration": {"requant": "data"},
    "requant_of_type": {"requant": "type"},
    "no_gelu_calibration": {"gelu": "data"},
    "gelu_of_type": {"gelu": "type"},
    "one_reciprocal": {"segments": 1},
    "none": {"anchor": "minimum", "requant": "data", "gelu": "data", "segments": 1},
}
"""Choices of a recipe by the names of :data:`.vision_transformer_report.VARIANTS`."""


def trained(seed: int, folder: Path, *, epochs: int | None = None) -> dict[str, Weights]:
    """The float model of a split, and those of fewer bits that go on from it; each is written as it is done."""
    images, labels = digits.images()
    chosen, held_out = digits.split(seed)
    found: dict[str, Weights] = {}
    for precision in PRECISIONS:
        began = process_time()
        torch.manual_seed(seed)
        module = VisionTransformer() if precision == "float" else module_of(found["float"]).quantise(precision)
        work = folder / f"{precision}_training"
        last = fit(module, images[chosen], labels[chosen], epochs=epochs, seed=seed, folder=work, resume=True)
        file = folder / f"{precision}.npz"
        about = {"split": seed, "epochs": last.epochs, "images": len(chosen), "loss": np.float32(last.last["loss"])}
        module.weights().save(file, about)
        found[str(precision)] = Weights.read(file)  # as it will be read: rounded to 16 bits
        score = (told(module_of(found[str(precision)]), images[held_out]) == labels[held_out]).mean()
        seconds = process_time() - began
        print(f"split {seed}, {precision}: {score:.2%} of {len(held_out):,} after {last.epochs} epochs, "
              f"{seconds:.0f} s of CPU", flush=True)  # fmt: skip
    return found


def integers(weights: Weights, images: Array, variant: str) -> IntegerTransformer:
    """A quantised network in integers, its tables calibrated on images (samples, pixels)."""
    assert weights.bits is not None
    real = patches(images, weights.shape) / 255
    return from_float(weights.state(), real, heads=weights.shape.heads, bits=weights.bits, **LEFT_OUT[variant])


def scored(split: int, models: Mapping[str, Weights], draws: int, count: int | None = None) -> list[Row]:
    """Every precision of a split, in PyTorch and in integers with each part left out, on the held-out images."""
    images, labels = digits.images()
    chosen, held_out = digits.split(split)
    held_out = held_out[:count]
    wanted, rows = labels[held_out], []
    right: dict[tuple[str, str], Array] = {}

    def add(precision: str, variant: str, classes: list[Array]) -> None:
        right[precision, variant] = np.array(classes) == wanted
        other = right[compared_with(precision, variant)]
        rows.append(row_of(split, precision, variant, right[precision, variant], other))
        print(f"split {split}, {precision}, {variant}: {rows[-1].accuracy:.2%} of {len(wanted):,}", flush=True)

    for precision, weights in models.items():
        add(precision, "torch", [told(module_of(weights), images[held_out])])
        if weights.bits is None:
            continue
        for variant in VARIANTS:
            found = []
            for draw in range(draws):
                seen = images[chosen[draw * CALIBRATION : (draw + 1) * CALIBRATION]]
                network = integers(weights, seen, variant)
                found.append(network.run(patches(images[held_out], weights.shape)).argmax(1))
            add(precision, variant, found)
    return rows


def models_of(split: int, folder: Path) -> dict[str, Weights]:
    """The four models of a split; those of split 0 come with neuromorph."""
    if split == 0:
        return {str(each): load(each) for each in PRECISIONS}
    return {str(each): Weights.read(folder / f"split{split}" / f"{each}.npz") for each in PRECISIONS}


def main() -> None:
    """Train, or score and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["train", "score"], default="score", help="default: score")
    parser.add_argument("--split", type=int, default=0, help="train: with the images of this random split")
    parser.add_argument("--epochs", type=int, help="train: instead of each recipe's")
    parser.add_argument(
        "--splits", type=int, default=1, help="score: so many; all but the first must be trained before"
    )
    parser.add_argument(
        "--draws", type=int, default=DRAWS, help=f"score: sets of images to calibrate on; default: {DRAWS}"
    )
    parser.add_argument("--images", type=int, help="score: on so many held-out images instead of 2,000")
    parser.add_argument("--models", type=Path, default=MODELS, help=f"where trained models are; default: {MODELS}")
    parser.add_argument("--out", type=Path, help="score: folder for vision_transformer.json and .md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "train":
        trained(options.split, options.models / f"split{options.split}", epochs=options.epochs)
        return
    rows: list[Row] = []
    for split in range(options.splits):
        rows += scored(split, models_of(split, options.models), options.draws, options.images)
    if options.out is not None:
        write(Result(machine(), CALIBRATION, tuple(rows)), options.out)


if __name__ == "__main__":
    main()
