"""What waiting costs an array of SPARK's elements: cycles a product by the share of long codes and by who waits.

``python benchmarks/spark_stalls.py --out benchmarks/results`` takes half a minute; the operands are drawn with a fixed
seed, so that the figures are the same everywhere.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from neuromorph.mapping.systolic.machine import Element, Mode
from neuromorph.mapping.systolic.timing import time_passes

SHARES = (0.0, 0.02, 0.05, 0.078, 0.15, 0.28, 0.33, 0.5, 0.75, 1.0)
"""Long codes of both operands; 7.8, 28 and 33 % are those of the paper's BERT, ResNet-50 and VGG-16."""
PUBLISHED = (0.078, 0.28, 0.33)
WAYS = {
    "nobody waits": Element(4, "serial", "free"),
    "handshakes, 64 registers": Element(4, "serial", "elastic", 64),
    "handshakes, 8 registers": Element(4, "serial", "elastic", 8),
    "handshakes, 2 registers": Element(4, "serial", "elastic", 2),
    "handshakes, 1 register": Element(4, "serial", "elastic", 1),
    "rows wait": Element(4, "serial", "row"),
    "all in step": Element(4, "serial", "array"),
}
MODES: dict[str, Mode] = {
    "one 4-bit multiplier": "serial",
    "two 8-bit or four 4-bit operands": "pair",
}


def cycles_of_a_product(element: Element, share: float, size: int, depth: int, seed: int = 0) -> float:
    """Mean cycles from one product of an element to its next, in an array of ``size`` x ``size``.

    Operands are independent of one another, long with probability `share`; a first pass fills the array and is left
    out, the second counts.
    """
    rng = np.random.default_rng([seed, round(share * 1e6)])
    first, second = (np.where(rng.random((size, 2, depth)) < share, 8, 4) for _ in range(2))
    return time_passes(element, first, second, decoders=(2, 2)).each / depth


def study(size: int, depth: int) -> dict[str, dict[str, list[float]]]:
    """Cycles a product: by mode, by way of waiting, for each share."""
    return {
        told: {
            way: [cycles_of_a_product(replace(element, mode=mode), share, size, depth) for share in SHARES]
            for way, element in WAYS.items()
        }
        for told, mode in MODES.items()
    }


def table(found: dict[str, dict[str, list[float]]], size: int, depth: int) -> str:
    """Markdown: a row for each way of waiting, columns for the published shares, both modes."""
    at = [SHARES.index(share) for share in PUBLISHED]
    head = [f"{mode}, {share:.1%} long" for mode in found for share in PUBLISHED]
    lines = [
        f"Cycles a product in {size} x {size} elements, both operands long with this probability, {depth} steps.",
        "",
        "| who waits | " + " | ".join(head) + " |",
        "|---|" + "---|" * len(head),
    ]
    for way in WAYS:
        cells = [f"{found[mode][way][k]:.2f}" for mode in found for k in at]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(found: dict[str, dict[str, list[float]]], file: Path) -> None:
    """A panel for each mode, a curve for each way of waiting."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, len(found))
    for panel, (mode, ways) in zip(panels, found.items(), strict=True):
        for way, cycles in ways.items():
            panel.plot([100 * share for share in SHARES], cycles, marker=".", label=way)
        panel.set(title=mode, xlabel="long codes, %", ylabel="cycles a product", ylim=(0, None))
    panels[0].legend(fontsize="x-small")
    figure.savefig(file, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    """Compute, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--depth", type=int, default=4000)
    parser.add_argument("--out", type=Path, help="folder for spark_stalls.md, .json and .png")
    chosen = parser.parse_args(arguments)
    found = study(chosen.size, chosen.depth)
    print(table(found, chosen.size, chosen.depth))
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "spark_stalls.md").write_text(table(found, chosen.size, chosen.depth))
        told = {"size": chosen.size, "depth": chosen.depth, "shares": SHARES, "cycles": found}
        (chosen.out / "spark_stalls.json").write_text(json.dumps(told, indent=1) + "\n")
        draw(found, chosen.out / "spark_stalls.png")


if __name__ == "__main__":
    main()
