"""Time of every stage from a network to a run on SpiNNaker2: 100,000 neurons with 10^8 synapses by default.

The network is Brunel's (2000): excitatory and inhibitory neurons with 1,000 random inputs each from the network, and a
private Poisson drive. Needs about 12 GiB of memory at full size.

    python benchmarks/spinnaker2_large.py [--neurons 100000] [--in-degree 1000] [--steps 100]
"""

from __future__ import annotations

import argparse
import resource
import sys
from time import perf_counter

from neuromorph import ms
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import balanced
from neuromorph.network.quantise import NARROW
from neuromorph.progress import Silent


class Lines(Silent):
    """Progress as one line for each stage, with the time since the start."""

    def __init__(self) -> None:
        self._began = perf_counter()

    def stage(self, text: str, total: int | None = None) -> None:
        """A stage begins."""
        print(f"{perf_counter() - self._began:8.1f} s  {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Build, map and run, and print how long each stage took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--in-degree", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=100, help="steps of 0.1 ms")
    parser.add_argument("--partition", default="sequential")
    parser.add_argument("--weights", choices=NARROW)
    options = parser.parse_args()

    network = balanced.brunel(options.neurons, options.in_degree)
    began = perf_counter()
    program = SpiNNaker2(partition=options.partition, weights=options.weights).compile(
        network, dt=0.1 * ms, progress=Lines()
    )
    compiled = perf_counter()
    trace = program.run(options.steps, progress=False)
    done = perf_counter()

    report = program.report()
    print(report)
    print()
    stages = {k: v for k, v in report.seconds.items() if k != "map"}
    stages = {"build": stages.pop("build"), **report.mapping.seconds, **stages}
    for name, seconds in stages.items():
        print(f"{name:24s}{seconds:10.2f} s")
    print(f"{'compile in all':24s}{compiled - began:10.2f} s")
    print(f"{'run in all':24s}{done - compiled:10.2f} s for {options.steps} steps")
    rates = {name: len(trace.events(name).ids) / (options.steps * 1e-4) for name in ("exc", "inh")}
    neurons = {p.name: p.size for p in network.populations}
    print("rates:", ", ".join(f"{name} {rate / neurons[name]:.1f} Hz" for name, rate in rates.items()))
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
