"""A balanced network on several chips: map it, run it, find where it spends time and energy, draw it.

python examples/balanced_network.py [--neurons 4000] [--chips 2] [--neurons-per-pe 16] [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from neuromorph import CPU, ms
from neuromorph.mapping.figures import save_figures
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import balanced
from neuromorph.trace import analysis, first_difference


def main() -> None:
    """Run the Vogels-Abbott network on the CPU and on SpiNNaker2; the events are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=4000)
    parser.add_argument("--chips", type=int, default=2)
    parser.add_argument("--neurons-per-pe", type=int, default=16, help="few, so that a step fits into 0.1 ms")
    parser.add_argument("--duration", type=float, default=200.0, help="in ms")
    parser.add_argument("--out", type=Path, default=Path("out/balanced"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    network = balanced.cuba(options.neurons)
    duration = options.duration * ms
    on_cpu = CPU().compile(network, dt=0.1 * ms).run(duration)
    target = SpiNNaker2(chips=options.chips, neurons_per_pe=options.neurons_per_pe)
    program = target.compile(network, dt=0.1 * ms)
    on_chips = program.run(duration, out=options.out / "trace.h5")
    print(program.report())
    for name in on_chips.populations:
        rate = analysis.rates(on_chips, name).mean()
        print(f"{name}: {rate:.2f} Hz, CV of the intervals {np.nanmean(analysis.cv(on_chips, name)):.2f}")
    print("first difference between the CPU and the chips:", first_difference(on_cpu, on_chips) or "none")
    for path in save_figures(program, on_chips, options.out):
        print(path)


if __name__ == "__main__":
    main()
