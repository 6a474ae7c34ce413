"""A published, trained EGRU on two targets, compared with its own recording step by step.

python examples/egru_decoder.py
"""

from __future__ import annotations

import numpy as np

from neuromorph import CPU, ms
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import decoder


def main() -> None:
    """Replay the recorded inputs and print the largest differences."""
    recording = decoder.recording()
    network = decoder.decoder(recording.x)
    network.record(network["egru"], "c")
    network.record(network["velocity"], "y")
    steps = len(recording.x)
    for target in (CPU(), SpiNNaker2()):
        program = target.compile(network, dt=10 * ms)
        trace = program.run(steps + decoder.LATENCY)
        events = trace.events("egru")
        y = np.zeros((steps, 2), dtype=np.float32)
        inside = (events.steps >= 2) & (events.steps < steps + 2)
        y[events.steps[inside] - 2, events.ids[inside]] = events.values[inside]
        h = trace.state("egru", "c").data[2 : steps + 2]
        out = trace.state("velocity", "y").data[3 : steps + 3]
        print(f"{type(target).__name__}: {np.count_nonzero((y != 0) != recording.events)} events differ;", end=" ")
        differences = {"y": y - recording.y, "h": h - recording.h, "out": out - recording.out}
        print("largest difference", ", ".join(f"{name} {np.abs(d).max():.2g}" for name, d in differences.items()))
        print(program.report())


if __name__ == "__main__":
    main()
