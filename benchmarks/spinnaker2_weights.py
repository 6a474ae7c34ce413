"""What narrow weights save and cost on SpiNNaker2: PEs, bits of a synapse, time and energy.

Two dense projections, an input and a recurrent one, with weights drawn from a normal, a Laplace and a Student t (3)
distribution, in float32, int8, int4 and SPARK. What SPARK saves depends on the tails: its codes are short for sizes up
to 7 of 255. Exact: PEs and bytes. Models with assumed constants: time and energy.

    python benchmarks/spinnaker2_weights.py [--neurons 1350] [--steps 20]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph import CPU, Dense, EventSource, Network, first_difference, ms, mV
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.mapping.spinnaker2.layout import REGIONS
from neuromorph.models import LIFDelta
from neuromorph.network.quantise import Narrow

Draw = Callable[[np.random.Generator, tuple[int, int]], npt.NDArray[np.float64]]

WEIGHTS: tuple[Narrow | None, ...] = (None, "int8", "int4", "spark")
DISTRIBUTIONS: Mapping[str, Draw] = MappingProxyType(
    {
        "normal": lambda rng, shape: rng.normal(size=shape),
        "Laplace": lambda rng, shape: rng.laplace(size=shape),
        "Student t, 3": lambda rng, shape: rng.standard_t(3, shape),
    }
)


def network(draw: Draw, neurons: int, steps: int) -> Network:
    """Sources of which a tenth fires in each step, onto as many neurons that are joined with one another."""
    rng = np.random.default_rng(0)
    net = Network(seed=1, name="weights")
    source = net.population(EventSource.from_dense(rng.random((steps, neurons)) < 0.1), name="source")
    cells = net.population(LIFDelta, neurons, name="cells")
    net.project(source, cells, Dense(draw(rng, (neurons, neurons)) * 0.3 * mV), name="input")
    net.project(cells, cells, Dense(draw(rng, (neurons, neurons)) * 0.05 * mV), name="recurrent")
    return net


def measured(net: Network, weights: Narrow | None, steps: int) -> dict[str, Any]:
    """A run in one format: PEs, bits of a synapse, time and energy; its events must be the CPU's."""
    program = SpiNNaker2(weights=weights).compile(net, dt=1 * ms, progress=False)
    trace = program.run(steps, progress=False)
    difference = first_difference(CPU(weights=weights).compile(net, dt=1 * ms, progress=False).run(steps), trace)
    if difference is not None:
        raise SystemExit(f"weights={weights!r}: not the events of the CPU: {difference}")
    report = program.report()
    synapses = int(report.mapping.regions[:, REGIONS.index("synapses")].sum())
    return {
        "pes": report.pes,
        "bits": 8 * synapses / report.synapses,
        "time": report.time,
        "energy": report.energy.total if report.energy is not None else 0.0,
    }


def main() -> None:
    """Print a row for each distribution and format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=1350)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    print(
        f"{options.neurons} sources and neurons, {options.steps} steps; time and energy: model with assumed constants"
    )
    print()
    print("| weights | stored as | bits a synapse | PEs | time | energy |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, draw in DISTRIBUTIONS.items():
        net = network(draw, options.neurons, options.steps)
        for weights in WEIGHTS:
            found = measured(net, weights, options.steps)
            time, energy = f"{found['time'] * 1e3:.3g} ms", f"{found['energy'] * 1e3:.3g} mJ"
            print(f"| {name} | {weights or 'float32'} | {found['bits']:.2f} | {found['pes']} | {time} | {energy} |")


if __name__ == "__main__":
    main()
