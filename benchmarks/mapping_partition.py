"""Partitioning of the benchmark networks: our portfolio beside simple fillings and Mt-KaHyPar, on one thread.

    python benchmarks/mapping_partition.py [--nets lsm8k,lenet] [--quick] [--presets DEFAULT,DETERMINISTIC] [--seed 1]

A part is a processing element with 96 KiB for network data and at most 250 neurons; a neuron has 64 bytes of state,
a stored synapse 4 (1 in the EGRU layer), an entry of the row table 4, a kernel weight 1, once for each part and output
channel. Copies are copies per spike; times are CPU seconds without compilation. Mt-KaHyPar knows one weight for each
vertex only, so its partitions may overfill parts ("raw violations"); the same exact repair as ours follows, whose time
is counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.mapping.graph import CostModel, hypergraph, kernel_blocks, population_positions
from neuromorph.mapping.hypergraph import Hypergraph, Limits
from neuromorph.mapping.partition import check_partition, copies_per_spike, part_bytes, part_counts, partition
from neuromorph.mapping.partition.level import Level, as_level
from neuromorph.mapping.partition.mtkahypar import raw
from neuromorph.mapping.partition.refine import repair
from neuromorph.models.benchmark_networks import BENCHMARKS, BenchmarkNetwork
from neuromorph.network import build
from neuromorph.units import ms

LIMITS = Limits(bytes=96 * 1024, vertices=250)
LONG = ("vgg9s", "pd20p")  # left out by --quick
HOURS = ("pd20p",)  # Mt-KaHyPar is not run on these

Row = tuple[str, float, int, float, int, int]  # method, copies, parts, seconds, raw violations, violations


def graph_of(benchmark: BenchmarkNetwork) -> Hypergraph:
    """The hypergraph of a benchmark network under the cost model above."""
    projections = build(benchmark.network, 1 * ms)
    blocks = [kernel_blocks(synapses, 1) for synapses in projections]
    populations = benchmark.network.populations
    costs = CostModel(
        neuron=(64,) * len(populations),
        synapse=tuple(0 if block else benchmark.weight_bytes for block in blocks),
        source=4,
        blocks=tuple(block for block in blocks if block),
    )
    positions = [population_positions(population) for population in populations]
    return hypergraph(projections, [p.size for p in populations], costs, benchmark.rates, positions)


def timed(work: Callable[[], npt.NDArray[np.int32]]) -> tuple[npt.NDArray[np.int32], float]:
    """Result and CPU seconds."""
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def violations(graph: Hypergraph, part: npt.NDArray[np.int32]) -> int:
    """Parts that hold more than they may."""
    held, count = part_bytes(graph, part), part_counts(part)
    return int(((held > LIMITS.bytes) | (count > LIMITS.vertices)).sum())


def mtkahypar_rows(level: Level, presets: list[str], ours: npt.NDArray[np.int32], seed: int) -> list[Row]:
    """Mt-KaHyPar, each preset; its byte estimate takes the mean row table of our partition."""
    rows: list[Row] = []
    for preset in presets:
        try:
            found, seconds = timed(partial(raw, level, LIMITS, seed, preset, ours))
        except MappingError as error:
            print(f"  {error}")
            return rows
        broken = violations(level.graph, found)
        fixed, more = timed(partial(repair, level, LIMITS, found))
        rows.append(row_of(f"Mt-K {preset}", level.graph, fixed, seconds + more, broken))
    return rows


def row_of(method: str, graph: Hypergraph, part: npt.NDArray[np.int32], seconds: float, broken: int = 0) -> Row:
    """One line of the table."""
    return method, copies_per_spike(graph, part), int(part.max()) + 1, seconds, broken, violations(graph, part)


def measure(name: str, presets: list[str], seed: int) -> list[Row]:
    """All methods on one network; ours first."""
    graph = graph_of(BENCHMARKS[name]())
    result, seconds = timed_partition(graph, "portfolio", seed)
    check_partition(graph, LIMITS, result)
    rows = [row_of("portfolio", graph, result, seconds)]
    for method in ("sequential", "by_population"):
        part, taken = timed_partition(graph, method, seed)
        rows.append(row_of(method, graph, part, taken))
    if name not in HOURS:
        rows += mtkahypar_rows(as_level(graph), presets, result, seed)
    return rows


def timed_partition(graph: Hypergraph, method: str, seed: int) -> tuple[npt.NDArray[np.int32], float]:
    """Part of each neuron by one of our methods, and its CPU seconds."""
    return timed(lambda: partition(graph, LIMITS, method=method, seed=seed).part)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default=",".join(BENCHMARKS), help="comma-separated; default all")
    parser.add_argument("--presets", default="DEFAULT", help="of Mt-KaHyPar, comma-separated; empty for none")
    parser.add_argument("--quick", action="store_true", help="leave out the long ones and Mt-KaHyPar")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    names = [name for name in options.nets.split(",") if not (options.quick and name in LONG)]
    presets = [] if options.quick else [preset for preset in options.presets.split(",") if preset]
    for small in ("lenet", "egru1024", "pd5p", "lsm8k"):  # compile, or load what was compiled before
        partition(graph_of(BENCHMARKS[small]()), LIMITS)
    print(
        f"{'net':9} {'method':20} {'copies':>8} {'PEs':>5} {'CPU s':>8} {'copies/ours':>11} {'CPU/ours':>9} {'over':>5}"
    )
    for name in names:
        rows = measure(name, presets, options.seed)
        _, copies, _, seconds, _, _ = rows[0]
        for method, c, parts, s, broken, wrong in rows:
            over = f"{wrong}" + (f" ({broken})" if broken else "")
            print(
                f"{name:9} {method:20} {c:8.3f} {parts:5} {s:8.2f} {c / copies:11.3f} {s / seconds:9.1f} {over:>5}",
                flush=True,
            )


if __name__ == "__main__":
    main()
