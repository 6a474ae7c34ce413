"""Placement: every algorithm, and the portfolio beside a long anneal.

    python benchmarks/mapping_place.py [--cases sheet,lsm27k] [--long 20] [--multicast mesh] [--seed 1]

Cost is packets a second times hops: NoC hops + 5 x chip hops of the multicast trees, as the machine copies packets.
The sheet is a 96 x 76 torus of parts with local traffic and shuffled numbers, on all 7,296 PEs of a 48-chip board; the
other cases are partitioned benchmark networks. Times are CPU seconds without compilation.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np
import numpy.typing as npt
from mapping_partition import LIMITS, graph_of

from neuromorph.mapping.machine import Machine, spinnaker2, valid_chips
from neuromorph.mapping.partition import partition
from neuromorph.mapping.place import (
    METHODS,
    Traffic,
    check_placement,
    metis_qap,
    place,
    placement_cost,
    refine,
    traffic,
)
from neuromorph.mapping.route import fanout
from neuromorph.models.benchmark_networks import BENCHMARKS


def sheet(width: int, height: int, nets: int, seed: int, spread: float = 1.2, targets: int = 6) -> Traffic:
    """A torus of ``width x height`` parts, each with some nets to parts nearby (Gaussian offsets), ids shuffled."""
    rng = np.random.default_rng(seed)
    n = width * height
    source = np.repeat(np.arange(n), nets)
    shift = np.rint(rng.normal(0, spread, (len(source), targets, 2))).astype(int)
    x = (source[:, None] % width + shift[..., 0]) % width
    y = (source[:, None] // width + shift[..., 1]) % height
    pins = np.unique(np.arange(len(source))[:, None] * n + x + width * y)
    number = rng.permutation(n).astype(np.int32)
    ptr = np.searchsorted(pins // n, np.arange(len(source) + 1)).astype(np.int64)
    return Traffic(n, number[source], ptr, number[pins % n], rng.uniform(1, 100, len(source)))


def case(name: str, multicast: str, seed: int) -> tuple[Traffic, Machine]:
    """Traffic and machine of a case."""
    if name == "sheet":
        return sheet(96, 76, 8, seed), spinnaker2(48, all_pes=True, multicast=multicast)  # type: ignore[arg-type]
    graph = graph_of(BENCHMARKS[name]())
    nets = traffic(fanout(graph, partition(graph, LIMITS, seed=seed).part))
    return nets, spinnaker2(valid_chips(-(-nets.n_parts // 148)), multicast=multicast)  # type: ignore[arg-type]


def long_anneal(nets: Traffic, machine: Machine, seed: int, effort: float) -> npt.NDArray[np.int32]:
    """The two-level start, annealed for long and from a high temperature."""
    return refine(nets, machine, metis_qap(nets, machine, seed), seed, effort=effort, hot=0.3, cold=0.001)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="lsm27k,lenet,sw20k,pd10p,vgg9s,pd20p,sheet", help="comma-separated")
    parser.add_argument(
        "--long", type=float, default=20, help="work of the long anneal relative to the portfolio's; 0: none"
    )
    parser.add_argument("--multicast", default="router", choices=["router", "mesh"])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    small = sheet(12, 10, 2, 0)
    for copies in ("router", "mesh"):
        place(small, spinnaker2(1, multicast=copies))  # type: ignore[arg-type]
    print(
        f"{'case':8} {'PEs':>5} {'chips':>5} {'method':14} {'NoC hops':>12} {'chip hops':>12} {'cost':>12} {'CPU s':>7}"
    )
    for name in options.cases.split(","):
        nets, machine = case(name, options.multicast, options.seed)
        work = {method: partial(f, nets, machine, options.seed) for method, f in METHODS.items()}
        work["portfolio"] = partial(place, nets, machine, seed=options.seed)
        if options.long:
            work["long anneal"] = partial(long_anneal, nets, machine, options.seed, options.long)
        for method, function in work.items():
            start = time.process_time()
            placement = function()
            seconds = time.process_time() - start
            check_placement(nets.n_parts, placement, machine)
            cost = placement_cost(nets, placement, machine)
            print(
                f"{name:8} {nets.n_parts:5} {machine.chips:5} {method:14} {cost.noc_hops:12.4g} {cost.chip_hops:12.4g} "
                f"{cost.total:12.6g} {seconds:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
