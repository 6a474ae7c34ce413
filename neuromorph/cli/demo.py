"""Classify MNIST digits with a trained integer network, partitioned onto simulated SpiNNaker2 chips.

Runs the 784-128-64-10 network on the test images and prints accuracy, sparsity, processing elements, memory, time and
energy for each inference. Leaves the trace of the first images and figures in a folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError

if TYPE_CHECKING:
    from rich.console import Console

    from neuromorph.mapping.spinnaker2 import SpiNNaker2Report
    from neuromorph.mapping.spinnaker2.program import SpiNNaker2Program
    from neuromorph.network import Network
    from neuromorph.trace import Trace

#: What the trained network reaches on all 10,000 images in 20 steps, as its authors' integer semantics give it.
EXPECTED_CORRECT, EXPECTED_EVENTS = 9532, 211_380


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph demo``."""
    parser.add_argument("--images", type=int, default=10_000, help="how many test images (default: all %(default)s)")
    parser.add_argument(
        "--traced", type=int, default=100, help="how many of them go into the trace (default: %(default)s)"
    )
    parser.add_argument("--chips", type=int, help="SpiNNaker2 chips (default: as many as needed)")
    parser.add_argument(
        "--neurons-per-pe", type=int, default=16, help="spread wide, an inference is short (default: %(default)s)"
    )
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
    target = SpiNNaker2(chips=options.chips, neurons_per_pe=options.neurons_per_pe)
    program = target.compile(network, dt=1 * ms)
    steps, window = mnist.STEPS + mnist.LATENCY, (mnist.LATENCY, mnist.STEPS + mnist.LATENCY)
    file = options.out / "trace.h5"
    traced = program.run_batch({"pixels": {"pixel": images[: options.traced]}}, steps, window=window, out=file)
    batch = program.run_batch({"pixels": {"pixel": images}}, steps, window=window)
    figures = draw(program, traced.trace, options.out)

    correct = int((batch.predictions("output") == labels).sum())
    events = int(batch.counts["output"].sum())
    print(program.report())
    summary(console, program.report(), correct, events, silence(network, batch.counts, steps))
    print(f"trace of the first {options.traced:,} images: {file}")
    print("figures: " + (", ".join(map(str, figures)) or "none (pip install 'neuromorph[plot]')"))
    if len(images) == len(mnist.images()) and (correct, events) != (EXPECTED_CORRECT, EXPECTED_EVENTS):
        console.print(f"[red]expected {EXPECTED_CORRECT:,} correct and {EXPECTED_EVENTS:,} output events[/red]")
        return 1
    return 0


def draw(program: SpiNNaker2Program, trace: Trace | None, folder: Path) -> list[Path]:
    """Save the figures, where matplotlib is installed."""
    from neuromorph.mapping.figures import save_figures

    if find_spec("matplotlib") is None:
        return []
    return save_figures(program, trace, folder)


def summary(console: Console, report: SpiNNaker2Report, correct: int, events: int, silent: float) -> None:
    """Print what matters of the run, for one inference."""
    from rich.table import Table

    n, energy = report.samples, report.energy
    assert energy is not None
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in (
        ("accuracy", f"{correct / n:.2%} of {n:,} images, {events:,} output events"),
        ("sparsity", f"{silent:.1%} of all neuron-steps are silent"),
        ("machine", f"{report.pes} PEs of {report.chips} SpiNNaker2 chip{'s' if report.chips > 1 else ''}"),
        ("memory", f"{report.bytes.sum() / 1e3:,.0f} kB, {report.bytes.max() / 1e3:,.1f} kB on the fullest PE"),
        ("time", f"{report.time / n * 1e3:.2f} ms an inference (model with assumed constants)"),
        ("energy", f"{energy.total / n * 1e6:,.0f} uJ an inference (model with assumed constants)"),
    ):
        table.add_row(*row)
    console.print(table)


def silence(network: Network, counts: Mapping[str, npt.NDArray[np.int64]], steps: int) -> float:
    """Fraction of neuron-steps without an event."""
    fired = sum(int(array.sum()) for array in counts.values())
    return 1 - fired / sum(array.size * steps for array in counts.values())
