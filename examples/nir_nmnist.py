"""Bring a network: a convolutional classifier that others trained, from its NIR file, on the CPU and on SpiNNaker2.

It was trained in sinabs on N-MNIST, digits that move before an event camera, and looks at the first 0.3 s of one
recording. The pipeline of layers is as deep as the graph, so its last layer answers some steps late.

    python examples/nir_nmnist.py [--chips N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from neuromorph import CPU, first_difference, from_nir, ms
from neuromorph.events import read_nmnist
from neuromorph.interchange import latency
from neuromorph.mapping.spinnaker2 import SpiNNaker2

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "nir_cnn"
STEPS = 300


def main() -> None:
    """Run on both targets and show the layers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", type=Path, default=FOLDER / "cnn_sinabs.nir")
    parser.add_argument("--recording", type=Path, default=FOLDER / "sample_nmnist.bin")
    parser.add_argument("--chips", type=int, help="default: as many as it needs")
    options = parser.parse_args()

    frames = read_nmnist(options.recording).bin(1 * ms, STEPS)
    network = from_nir(options.graph, dt=1 * ms, time_unit=1 * ms, events=frames)  # sinabs counts time in steps
    last = network.populations[-1]
    print(f"{'layer':8}{'neuron':14}{'shape':16}{'latency':>8}{'events':>9}{'each step':>11}")
    chips = {} if options.chips is None else {"chips": options.chips}
    programs = [target.compile(network, dt=1 * ms) for target in (CPU(), SpiNNaker2(**chips))]
    traces = [program.run(STEPS + latency(last), progress=False) for program in programs]
    for layer in network.populations:
        count = traces[0].count(layer.name)
        shape = " x ".join(map(str, layer.shape))
        print(f"{layer.name:8}{layer.neuron.name:14}{shape:16}{latency(layer):8}{count:9,}{count / STEPS:11.1f}")
    votes = np.bincount(traces[0].events(last.name).ids, minlength=last.size)
    print(f"votes {' '.join(map(str, votes))}: digit {votes.argmax()}")
    difference = first_difference(traces[0], traces[1])
    print(f"first difference between the CPU and the chips: {str(difference or 'none').lower()}")
    report = str(programs[1].report())
    print(report.splitlines()[0])
    print("Synapses" + report.split("\nSynapses", 1)[1].split("\n\n", 1)[0])


if __name__ == "__main__":
    main()
