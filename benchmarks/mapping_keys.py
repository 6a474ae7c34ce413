"""Keys and tables of the benchmark networks: are packets exact within the routers' tables, and at what price?

    python benchmarks/mapping_keys.py [--nets lsm27k,sw20k] [--quick] [--entries 16384,4096] [--seed 1]

Every network is partitioned and placed as in a run, then routed with tables of some sizes. Columns: groups of neurons
of a part with the same destinations; entries of the largest table before and after minimisation; deliveries relative to
exact ones (1 = every packet reaches only PEs that need it), and the same for one key for each PE (usual practice);
packets that the independent checker followed, and CPU seconds of routing and of checking. Where the tables of the
fewest chips are too small to be exact, the same parts are spread over more and more chips until they are.

The last table is ORTC alone on synthetic tables of 40,000 keys in runs, with few and with many distinct routes.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from mapping_partition import LIMITS, LONG, graph_of

from neuromorph.errors import MappingError
from neuromorph.mapping.machine import Machine, spinnaker2, valid_chips
from neuromorph.mapping.partition import partition
from neuromorph.mapping.place import place, traffic
from neuromorph.mapping.route import (
    Fanout,
    Table,
    assign_keys,
    check_routes,
    exact_groups,
    fanout,
    lookup,
    minimise,
    one_group_per_part,
    route_network,
)
from neuromorph.models.benchmark_networks import BENCHMARKS

MORE_CHIPS = 8


def coarse_copies(reach: Fanout) -> float:
    """Deliveries with one key block for each part, relative to exact ones."""
    rank = np.arange(reach.n_parts, dtype=np.int32)
    keys = assign_keys(one_group_per_part(exact_groups(reach, rank), rank), reach)
    return keys.copies / (keys.copies - keys.extra)


def measure(name: str, entries: list[int], seed: int) -> None:
    """Print the rows of one network."""
    graph = graph_of(BENCHMARKS[name]())
    part = partition(graph, LIMITS, seed=seed)
    reach = fanout(graph, part.part)
    fewest = valid_chips(-(-reach.n_parts // 148))
    for size in entries:
        extra = measure_on(name, reach, spinnaker2(fewest, router__entries=size), "portfolio", seed)
        for chips in range(fewest + 1, fewest + MORE_CHIPS + 1):
            if not extra:
                break
            extra = measure_on(name, reach, spinnaker2(valid_chips(chips), router__entries=size), "spread", seed)


def measure_on(name: str, reach: Fanout, machine: Machine, method: str, seed: int) -> int:
    """Print one row; gives the needless deliveries."""
    placement = place(traffic(reach), machine, seed=seed, method=method)
    coarse = coarse_copies(reach)
    size = machine.constants.count("router.entries")
    start = time.process_time()
    try:
        routing = route_network(reach, placement, machine)
    except MappingError as error:
        print(f"{name:9} {machine.chips:5} {reach.n_parts:5} {size:7} {error}", flush=True)
        return 1
    routed = time.process_time() - start
    check = check_routes(reach, routing.keys.key, routing.tables, placement, machine)
    checked = time.process_time() - start - routed
    keys = routing.keys
    print(
        f"{name:9} {machine.chips:5} {reach.n_parts:5} {size:7} {routing.exact_groups:7} {keys.n_groups:7} "
        f"{int(routing.raw_entries.max()):7} {int(routing.entries.max()):7} "
        f"{keys.copies / (keys.copies - keys.extra):7.4f} {coarse:7.2f} {check.packets:8} {routed:8.2f} "
        f"{checked:7.2f}",
        flush=True,
    )
    return keys.extra


def synthetic(keys: int, run: float, routes: int, seed: int) -> Table:
    """A table of single keys that come in runs of one route; a tenth of the key space never arrives."""
    rng = np.random.default_rng(seed)
    length = rng.geometric(1.0 / run, keys)
    action = np.repeat(rng.integers(0, routes, keys), length)[:keys]
    key = np.sort(rng.choice(int(keys / 0.9), keys, replace=False)).astype(np.uint32)
    pes = np.zeros((keys, 3), np.uint64)
    pes[:, 0] = action
    return Table(key, np.full(keys, 2**32 - 1, np.uint32), np.zeros(keys, np.uint8), pes)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default=",".join(BENCHMARKS), help="comma-separated; default all")
    parser.add_argument("--quick", action="store_true", help="leave out the long ones")
    parser.add_argument("--entries", default="16384", help="sizes of the tables, comma-separated")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    measure_small = fanout(graph_of(BENCHMARKS["lenet"]()), partition(graph_of(BENCHMARKS["lenet"]()), LIMITS).part)
    route_network(measure_small, np.arange(measure_small.n_parts, dtype=np.int32), spinnaker2(router__entries=500))
    print(
        f"{'net':9} {'chips':>5} {'PEs':>5} {'table':>7} {'groups':>7} {'keys':>7} {'raw':>7} {'entries':>7} "
        f"{'copies':>7} {'PE key':>7} {'packets':>8} {'route s':>8} {'check s':>7}"
    )
    for name in options.nets.split(","):
        if not (options.quick and name in LONG):
            measure(name, [int(size) for size in options.entries.split(",")], options.seed)
    print(f"\n{'keys':>7} {'routes':>7} {'runs of':>7} {'entries':>8} {'CPU s':>7}")
    for count, run, routes in ((39_235, 50, 40), (39_520, 70, 20), (39_520, 1.5, 300)):
        table = synthetic(count, run, routes, options.seed)
        start = time.process_time()
        small = minimise(table)
        seconds = time.process_time() - start
        same = small.pes[lookup(small, table.key)] == table.pes
        print(f"{count:7} {routes:7} {run:7} {len(small):8} {seconds:7.2f}" + ("" if same.all() else "  WRONG"))


if __name__ == "__main__":
    main()
