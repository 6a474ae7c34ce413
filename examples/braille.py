"""Partition and run: a trained network that reads Braille, on the CPU and on simulated SpiNNaker2.

The hidden activity equals what snnTorch recorded for the same sample, event by event, on both targets.

    python examples/braille.py [--chips N] [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from neuromorph import CPU
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille
from neuromorph.trace import Trace


def activity(trace: Trace, population: str, delay: int, steps: int, size: int) -> np.ndarray:
    """Events of a population as an array (steps, size), ``delay`` steps taken off."""
    events = trace.events(population)
    dense = np.zeros((steps, size), dtype=np.uint8)
    shifted = np.asarray(events.steps) - delay
    inside = shifted < steps
    dense[shifted[inside], np.asarray(events.ids)[inside]] = 1
    return dense


def main() -> None:
    """Run on both targets and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/braille"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    sample, recorded = braille.sample(), braille.recorded_activity()
    network = braille.reader(sample)
    steps = len(sample)
    for target in (CPU(), SpiNNaker2(chips=options.chips)):
        name = type(target).__name__
        program = target.compile(network, dt=braille.DT)
        trace = program.run(steps + 2, out=options.out / f"{name}.h5")
        hidden = activity(trace, "hidden", 1, steps, recorded.shape[1])
        counts = activity(trace, "letters", 2, steps, 7).sum(axis=0)
        print(program.report())
        print(f"{name}: {(hidden != recorded).sum()} of {recorded.size} hidden entries differ from snnTorch's")
        print(f"{name}: output spikes {' '.join(map(str, counts))}, letter {counts.argmax()} (expected 1)\n")


if __name__ == "__main__":
    main()
