"""What a network takes in memory, and how long a new process needs to its first result.

    python benchmarks/engine_footprint.py SYNAPSES shared|own      # one network, in this process

Bytes a synapse are those of the program's report: what it keeps while it runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SIZES = (10_000_000, 100_000_000)
IN_DEGREE = 1000
START = """
import time; began = time.perf_counter()
from neuromorph import CPU, ms
from neuromorph.models.balanced import cuba
CPU().compile(cuba(), dt=0.1 * ms, progress=False).run(100, progress=False)
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Memory:
    """Memory of one network.

    Attributes
    ----------
    synapses : int
    weights : str
        "shared" by all, or each its "own" float32.
    per_synapse : float
        Bytes of the projections divided by their synapses.
    peak : int
        Most bytes that the process had, building included.
    """

    synapses: int
    weights: str
    per_synapse: float
    peak: int


@dataclass(frozen=True)
class Footprint:
    """Memory of several networks; seconds from the start of a process to the end of 100 steps of CUBA.

    Attributes
    ----------
    cold, cached : float
        With an empty cache of compiled kernels, and with a full one.
    """

    memory: tuple[Memory, ...]
    cold: float
    cached: float


def measure(large: bool = False) -> Footprint:
    """Measure each in a process of its own."""
    sizes = (*SIZES, 1_000_000_000) if large else SIZES
    memory = []
    for synapses in sizes:
        for weights in ("shared", "own") if synapses < 1_000_000_000 else ("shared",):
            said = _output([__file__, str(synapses), weights])
            memory.append(Memory(**json.loads(said)))
    with tempfile.TemporaryDirectory() as cache:
        cold, cached = (float(_output(["-c", START], NEUROMORPH_CACHE=cache)) for _ in range(2))
    return Footprint(tuple(memory), cold, cached)


def one(synapses: int, weights: str) -> Memory:
    """Build and start a network of so many synapses in this process."""
    from engine_worker import peak_memory

    from neuromorph import CPU, FixedProbability, Network, Normal, ms, mV
    from neuromorph.models import LIFDelta

    n = synapses // IN_DEGREE
    net = Network(name="footprint")
    cells = net.population(LIFDelta, n, name="cells")
    weight = 0.1 * mV if weights == "shared" else Normal(0.1 * mV, 0.01 * mV)
    net.project(cells, cells.v_in, FixedProbability(IN_DEGREE / n), weight=weight, delay=1.5 * ms)
    program = CPU().compile(net, dt=0.1 * ms, progress=False)
    program.run(10, progress=False)
    report = program.report()
    stored = sum(projection.nbytes for projection in report.projections)
    return Memory(report.synapses, weights, stored / report.synapses, peak_memory(os.getpid()))


def _output(arguments: list[str], **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)[:60]} failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


if __name__ == "__main__":
    print(json.dumps(vars(one(int(sys.argv[1]), sys.argv[2]))))
