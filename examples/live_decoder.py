"""A trained EGRU decodes movement live: spikes go in as they come, a velocity comes out in every step.

The second half is run again from a checkpoint, as after a crash.

python examples/live_decoder.py
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import numpy.typing as npt

from neuromorph import CPU, ms
from neuromorph.engine import CPUProgram
from neuromorph.models import decoder


def decode(program: CPUProgram, activity: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Velocity after each step of neural activity."""
    live = program.live()
    velocity = live.state("velocity", "y")
    path = np.empty((len(activity), 2), np.float32)
    for step, spikes in enumerate(activity):
        live.step({"spikes": spikes})
        path[step] = velocity  # a view: where a cursor, a robot or the next stimulus would follow it
    return path


def main() -> None:
    """Decode live, compare with a run that replays the same spikes, and go on from a checkpoint."""
    activity = decoder.recording().x
    half = len(activity) // 2
    network = decoder.decoder()
    program = CPU().compile(network, dt=10 * ms)
    with TemporaryDirectory() as folder:
        first = decode(program, activity[:half])
        program.checkpoint(Path(folder) / "half.h5")
        began = perf_counter()
        second = decode(program, activity[half:])
        seconds = perf_counter() - began
        resumed = CPU().compile(network, dt=10 * ms)
        resumed.restore(Path(folder) / "half.h5")
        again = decode(resumed, activity[half:])

    replayed = decoder.decoder(activity)
    replayed.record(replayed["velocity"], "y")
    expected = CPU().compile(replayed, dt=10 * ms).run(len(activity)).state("velocity", "y").data
    differ = np.count_nonzero(np.concatenate([first, second]) != expected)
    print(f"{seconds / len(second) * 1e6:.0f} us a step of 10 ms")
    print(
        f"{differ} of {expected.size} velocities differ from the replayed run; "
        f"{np.count_nonzero(again != second)} from the checkpoint on"
    )


if __name__ == "__main__":
    main()
