"""Layers that work on different tokens at one time: a trained EGRU on simulated SpiNNaker2, with and without a barrier.

An EGRU that tells Braille letters by touch is mapped so that no PE holds two of its layers. One run of it is scheduled
in three ways: layer by layer, step by step as programs run, and pipelined, where a PE begins a step as soon as it has
the packets that it needs. The events are the same in all three, and those of the CPU.

    python examples/egru_pipeline.py [--touches N] [--pes N] [--chips N] [--out FOLDER]

The folder gets ``schedules.json`` and ``timeline.json``, which trace viewers (https://ui.perfetto.dev) open.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from neuromorph import CPU, first_difference
from neuromorph.mapping.pipeline.chips import layer_partition, schedules
from neuromorph.mapping.pipeline.timeline import write_trace
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille_letters, classifier


def main() -> None:
    """Run, map again by the work of that run, schedule, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touches", type=int, default=4, help="of the 216 that are held out")
    parser.add_argument("--pes", type=int, default=12)
    parser.add_argument("--chips", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/egru_pipeline"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    network, steps = braille_letters.trained("egru"), braille_letters.RUN["egru"]
    pressure = braille_letters.recordings().pressure[braille_letters.split()[1][: options.touches]]
    known = classifier.classify(CPU(), network, pressure, steps, out=options.out / "cpu.h5")
    before = SpiNNaker2(chips=options.chips).compile(network, dt=classifier.DT)
    target = SpiNNaker2(
        chips=options.chips, partition=layer_partition(before, options.pes, known.trace), place="spread"
    )
    chips = classifier.classify(target, network, pressure, steps, out=options.out / "chips.h5")
    assert known.trace is not None
    assert chips.trace is not None
    difference = first_difference(known.trace, chips.trace)
    print(f"first difference between the CPU and the chips: {difference or 'none'}\n")

    found = schedules(chips.program, chips.trace)
    print(found)
    (options.out / "schedules.json").write_text(json.dumps(found.to_dict(), indent=1) + "\n")
    print(f"\n{write_trace(found.trace_events(), options.out / 'timeline.json')}")


if __name__ == "__main__":
    main()
