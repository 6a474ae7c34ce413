"""The network models: against a reference simulator's latency curve, and how many packets a second they carry.

    python benchmarks/noc.py [--steps 30000]

Reference: BookSim 2, 8 x 8 mesh, 8 virtual channels of 8 flits, dimension-order routing, one-flit packets, uniform
traffic, mean of three seeds; load in packets per node and cycle, latency in cycles; it saturates at 0.426.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from neuromorph.mapping.machine import spinnaker2
from neuromorph.mapping.noc import forest, md1_wait, send_packets, simulate
from neuromorph.mapping.noc.mesh import mesh_paths
from neuromorph.mapping.route import Fanout, route_network

BOOKSIM = (
    (0.01, 27.01),
    (0.05, 27.10),
    (0.1, 27.28),
    (0.15, 27.48),
    (0.2, 27.85),
    (0.25, 28.38),
    (0.3, 29.31),
    (0.34, 30.75),
    (0.36, 31.98),
    (0.38, 34.18),
    (0.4, 38.79),
    (0.41, 44.19),
)


def booksim(steps: int) -> None:
    """Latency by load."""
    ptr, link, parent, service, latency = mesh_paths(8)
    even = np.bincount(link, minlength=len(service)) / 64  # packets a cycle on each link at load 1
    trees = forest(ptr, link, parent, service, latency)
    simulate(trees, np.zeros(1, np.int64), np.zeros(1))
    print(f"{'load':>5} {'BookSim':>8} {'event':>7} {'':>7} {'M/D/1':>7} {'':>7} {'M packets/s':>11}")
    rng = np.random.default_rng(1)
    for load, cycles in BOOKSIM:
        when, source = np.nonzero(rng.random((steps, 64)) < load)
        tree = source * 64 + rng.integers(0, 64, len(source))
        start = time.process_time()
        flow = simulate(trees, tree, when.astype(float))
        seconds = time.process_time() - start
        delay = latency + md1_wait(load * even, service)
        analytic = np.add.reduceat(delay[link], ptr[:-1]).mean()
        print(
            f"{load:5.2f} {cycles:8.2f} {flow.mean_latency:7.2f} {flow.mean_latency / cycles - 1:+7.1%} "
            f"{analytic:7.2f} {analytic / cycles - 1:+7.1%} {len(tree) / seconds / 1e6:11.2f}"
        )


def board(packets: int) -> None:
    """Spikes on a 48-chip board."""
    machine = spinnaker2(48)
    rng = np.random.default_rng(0)
    n_parts, neurons = len(machine.usable_pes), 20_000
    part = np.sort(rng.integers(0, n_parts, neurons)).astype(np.int32)
    reach = np.sort((part[:, None] + rng.integers(-150, 151, (neurons, 8))) % n_parts, axis=1)
    rows = [np.unique(row) for row in reach]
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    spread = Fanout(part, ptr, np.concatenate(rows).astype(np.int32), np.ones(neurons), n_parts)
    routing = route_network(spread, machine.usable_pes, machine)
    print(f"\n48 chips, {neurons} neurons, {packets} packets")
    print(
        f"{'packets/us':>10} {'mean us':>8} {'makespan us':>11} {'peak queue':>10} {'M packets/s':>11} {'M hops/s':>9}"
    )
    for rate in (1e3, 1e4, 2e4, 4e4):
        group = routing.keys.group[rng.integers(0, neurons, packets)].astype(np.int64)
        when = np.cumsum(rng.exponential(1e-6 / rate, packets))
        start = time.process_time()
        flow = send_packets(routing.routes, machine, group, when)
        seconds = time.process_time() - start
        print(
            f"{rate:10.0f} {flow.mean_latency * 1e6:8.3f} {flow.makespan * 1e6:11.1f} {int(flow.peak.max()):10} "
            f"{packets / seconds / 1e6:11.2f} {flow.packets.sum() / seconds / 1e6:9.1f}"
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30_000, help="cycles of the mesh")
    options = parser.parse_args()
    booksim(options.steps)
    board(200_000)


if __name__ == "__main__":
    main()
