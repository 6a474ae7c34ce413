"""A vision transformer as a streaming pipeline on an FPGA, from trained weights to cycles, memory and tables.

A small transformer that reads digits was trained with weights and activations of a few bits. Its layers become integer
operators with tables, calibrated on images; the same layers, as a pipeline of stages and FIFOs, are balanced for a
board, simulated cycle by cycle, cut finer and coarser for comparison, and given the smallest FIFOs that keep the speed.

    python examples/pipeline.py [--bits 8|4|3] [--images N] [--board vck190|zcu102] [--interval CYCLES]
                                [--fifos smallest|own] [--out FOLDER]

The folder gets ``timeline.json``, which trace viewers (https://ui.perfetto.dev) open, and, with Matplotlib, a figure.
HG-PIPE's published DeiT-tiny: ``neuromorph pipeline deit-tiny --schedule all``.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from neuromorph.mapping.pipeline.balance import balance
from neuromorph.mapping.pipeline.board import load_board
from neuromorph.mapping.pipeline.comparison import compare_schedules
from neuromorph.mapping.pipeline.depths import smallest_depths
from neuromorph.mapping.pipeline.energy import energy
from neuromorph.mapping.pipeline.figures import save_figure
from neuromorph.mapping.pipeline.integer import from_float
from neuromorph.mapping.pipeline.integer.costs import costs
from neuromorph.mapping.pipeline.report import report
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.timeline import largest, occupancy, trace_events, write_trace
from neuromorph.mapping.pipeline.transformer import Bits, TransformerDesign, VisionTransformer
from neuromorph.models import digits
from neuromorph.models.vision_transformer import Architecture, load, patches

CALIBRATION = 256
"""Training images that tables are calibrated on."""


def layers(of: Architecture, bits: int) -> VisionTransformer:
    """The shape of the trained network as the pipeline's designs take it."""
    return VisionTransformer(
        f"digits, {bits} bits",
        tokens=of.tokens,
        channels=of.channels,
        heads=of.heads,
        blocks=of.blocks,
        hidden=of.hidden,
        patch_inputs=of.inputs,
        classes=of.classes,
        bits=Bits(weights=bits, activations=bits),
    )


def main() -> None:
    """Integers, board, cycles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bits", type=int, choices=[8, 4, 3], default=3)
    parser.add_argument("--images", type=int, default=2000, help="of the 2,000 that were held out")
    parser.add_argument("--board", default="vck190")
    parser.add_argument("--interval", type=int, help="cycles from image to image; default: as few as fit")
    parser.add_argument(
        "--fifos", choices=["smallest", "own"], default="smallest", help="found in half a minute, or not"
    )
    parser.add_argument("--out", type=Path, default=Path("out/pipeline"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    board = load_board(options.board)

    weights = load(options.bits)
    images, labels = digits.images()
    chosen, held_out = digits.split()
    held_out = held_out[: options.images]
    seen = patches(images[chosen[:CALIBRATION]], weights.shape) / 255
    network = from_float(weights.state(), seen, heads=weights.shape.heads, bits=options.bits)
    told = network.run(patches(images[held_out], weights.shape)).argmax(1)
    print(f"{(told == labels[held_out]).mean():.2%} of {len(held_out):,} held-out images, in integers and tables alone")

    # K and V regrouped value by value, as in HG-PIPE, would take 1,600 cycles an image
    design = TransformerDesign(layers(weights.shape, options.bits), tile=2, regroup_width=4)
    balanced = balance(design, board, options.interval)
    print(f"\n{balanced.text()}\n")
    print(costs(design, balanced.parallel).report())

    graph = balanced.graph()
    if options.fifos == "smallest":
        found = smallest_depths(graph)
        graph = found.graph
        print(f"\nsmallest FIFOs that keep the interval: {found.saved:,} bits less than the design's own")
    print(f"\n{compare_schedules(graph)}")

    timing = simulate(graph, 4, record=largest(graph))
    told_about = report(timing, board.clock, energy=partial(energy, design, balanced.parallel, board=board))
    filled = occupancy(timing)
    print(f"\n{told_about}")
    print(write_trace(trace_events(timing, "block", clock=board.clock, filled=filled), options.out / "timeline.json"))
    if find_spec("matplotlib") is not None:
        print(save_figure(timing, told_about, options.out / "pipeline.png", filled))


if __name__ == "__main__":
    main()
