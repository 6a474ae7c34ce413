"""Classify MNIST digits with a trained integer network, partitioned onto simulated SpiNNaker2 chips.

Runs the 784-128-64-10 network on the test images and prints accuracy, sparsity, processing elements, memory, time and
energy for each inference. Leaves the trace of the first images and figures in a folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.errors import NetworkError

if TYPE_CHECKING:
    from neuromorph.network import Network

#: What the trained network reaches on all 10,000 images in 20 steps, as its authors' integer semantics give it.
EXPECTED_ACCURACY, EXPECTED_EVENTS = 0.9532, 211_380


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph demo``."""
    parser.add_argument("--images", type=int, default=10_000, help="how many test images (default: all %(default)s)")
    parser.add_argument(
        "--traced", type=int, default=100, help="how many of them go into the trace (default: %(default)s)"
    )
    parser.add_argument("--chips", type=int, help="SpiNNaker2 chips (default: as many as needed)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for trace.h5 and figures")


def run(options: argparse.Namespace) -> int:
    """Run the demo; 1 if all images were run and the result is not the trained network's."""
    from rich.console import Console

    from neuromorph import ms
    from neuromorph.mapping.spinnaker2 import SpiNNaker2
    from neuromorph.models import mnist

    console = Console()
    images, labels = mnist.images(), mnist.labels()
    for name, number in (("--images", options.images), ("--traced", options.traced)):
        if not 0 < number <= len(images):
            raise NetworkError(f"{name} {number}: expected 1 to {len(images)}, the number of test images")
    images, labels = images[: options.images], labels[: options.images]
    options.out.mkdir(parents=True, exist_ok=True)

    network = mnist.classifier()
    program = SpiNNaker2(chips=options.chips).compile(network, dt=1 * ms)
    steps, window = mnist.STEPS + mnist.LATENCY, (mnist.LATENCY, mnist.STEPS + mnist.LATENCY)
    traced = program.run_batch(
        {"pixels": {"pixel": images[: options.traced]}}, steps, window=window, out=options.out / "trace.h5"
    )
    batch = program.run_batch({"pixels": {"pixel": images}}, steps, window=window)
    report = program.report()

    correct = batch.predictions("output") == labels
    events = int(batch.counts["output"].sum())
    console.print(report)
    console.print(f"accuracy          {correct.mean():.2%} of {len(images):,} images, {events:,} output events")
    console.print(f"silent neurons    {silence(network, batch.counts, steps):.1%} of neuron-steps have no event")
    for line in report.per_sample_lines():
        console.print(line)
    if traced.trace is not None:
        traced.trace.close()
    console.print(f"trace             {options.out / 'trace.h5'} (first {options.traced} images)")
    for path in figures(program, options.out):
        console.print(f"figure            {path}")
    exact = (correct.mean() == EXPECTED_ACCURACY and events == EXPECTED_EVENTS) or len(images) < 10_000
    return 0 if exact else 1


def silence(network: Network, counts: dict[str, np.ndarray], steps: int) -> float:
    """Fraction of neuron-steps without an event."""
    fired = sum(int(array.sum()) for array in counts.values())
    return 1 - fired / sum(array.size * steps for array in counts.values())
