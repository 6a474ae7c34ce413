"""Rows of crossbars ordered by activity: how many reads of arrays fall away, at random, as given, by rates, by events.

    python benchmarks/crossbar_placement.py [--cases mnist,assemblies] [--out benchmarks/results]

Events of a run on the CPU are cut in two: rows are ordered by the first part, and what is printed is counted in the
second, which the planner has not seen. A read falls away where no active row reaches a block in a step. "Places" is
values times hops on the tiles' mesh, tiles filled row by row and as placed. Scale: plans of 80 million weights on one
M1076, and of a sparse projection of ten million synapses. Times are CPU seconds without compilation.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from engine_report import machine as computer
from engine_report import markdown

from neuromorph.engine import CPU
from neuromorph.language import Event, Port, State, neuron
from neuromorph.lowering import LoweredNetwork, lower
from neuromorph.mapping.crossbar.machine.machine import CrossbarMachine, load_machine
from neuromorph.mapping.crossbar.plan.activity import line_rates, silent_share
from neuromorph.mapping.crossbar.plan.check import check_plan
from neuromorph.mapping.crossbar.plan.columns import column_groups
from neuromorph.mapping.crossbar.plan.plan import Plan
from neuromorph.mapping.crossbar.plan.planner import blocks_of_tiles, plan_network
from neuromorph.mapping.crossbar.plan.tiling import cut
from neuromorph.models import braille_letters, digits, mnist
from neuromorph.models.classifier import DT
from neuromorph.network import Dense, EventSource, FixedProbability, Network
from neuromorph.units import ms

Events = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
ORDERS = ("random", "given", "rates", "events")


@neuron
class Cell:
    """A leaky sum, for networks whose size alone counts."""

    x = Port()
    v = State(0.0)

    v.next = 0.9 * v + x
    spike = Event(when=v > 1.0)
    v.reset = v - 1.0


@dataclass(frozen=True)
class Row:
    """One network on arrays of one height.

    Attributes
    ----------
    rows : int
        Of an array.
    blocks, steps : int
        Blocks of the plan; steps that are counted.
    silent : dict of order to float
        Share of reads that fall away.
    hops : (float, float)
    seconds : float
        Of planning by events.
    """

    case: str
    rows: int
    blocks: int
    steps: int
    silent: dict[str, float]
    hops: tuple[float, float]
    seconds: float


def recorded(network: Network, inputs: dict[str, Any], steps: int) -> tuple[Events, int]:
    """Events of every population in a batch on the CPU, samples one after another, and all steps."""
    with TemporaryDirectory() as folder:
        batch = (
            CPU()
            .compile(network, dt=DT, progress=False)
            .run_batch(inputs, steps, progress=False, out=Path(folder) / "trace.h5")
        )
        assert batch.trace is not None
        found: Events = {}
        for name in batch.counts:
            events = batch.trace.events(name)
            assert events.steps is not None
            found[name] = np.asarray(events.steps, np.int64), np.asarray(events.ids, np.int64)
        return found, batch.samples * steps


def mnist_case(samples: int) -> tuple[Network, Events, int]:
    """The trained integer network, 784-128-64-10, on test images."""
    network = mnist.classifier()
    pixels = mnist.images()[:samples].astype(np.int64)
    return network, *recorded(network, {"pixels": {"pixel": pixels}}, mnist.STEPS + mnist.LATENCY)


def digits_case(samples: int, kind: Any) -> tuple[Network, Events, int]:
    """Digits coded as events, trained here: LIF neurons or an EGRU."""
    network, task = digits.trained(kind), digits.TASKS[kind]
    inputs = task.code(digits.images()[0][:samples])
    return network, *recorded(network, {network.populations[0].name: inputs}, task.steps)


def braille_case(samples: int, kind: Any) -> tuple[Network, Events, int]:
    """Braille letters from a touch sensor, trained here."""
    network = braille_letters.trained(kind)
    chosen, _ = braille_letters.split()
    inputs = braille_letters.recordings().pressure[chosen[:samples]]
    return network, *recorded(network, {"touch": inputs}, braille_letters.RUN[kind])


def assemblies_case(samples: int) -> tuple[Network, Events, int]:
    """2,048 inputs, shuffled, in 32 assemblies: each is active in 3 % of steps, then 30 % of its neurons fire."""
    rng = np.random.default_rng(0)
    n, steps = 2048, 10 * samples
    member = rng.permutation(np.arange(n) % 32)
    active = (rng.random((steps, 32)) < 0.03)[:, member]
    step, neurons = np.nonzero((active & (rng.random((steps, n)) < 0.3)) | (rng.random((steps, n)) < 0.0002))
    network = Network(name="assemblies")
    pre = network.population(EventSource(n, steps=step, indices=neurons), name="in")
    post = network.population(Cell(), 256, name="out")
    network.project(pre, post.x, Dense(rng.normal(size=(n, 256)).astype(np.float32)))
    return network, {"in": (step, neurons)}, steps


CASES: dict[str, tuple[Callable[[int], tuple[Network, Events, int]], tuple[int, ...]]] = {
    "mnist": (mnist_case, (32, 128)),
    "digits, LIF": (lambda samples: digits_case(samples, "spiking"), (32, 128)),
    "digits, EGRU": (lambda samples: digits_case(samples, "egru"), (16, 32)),
    "braille, LIF": (lambda samples: braille_case(samples, "spiking"), (16, 32)),
    "assemblies": (assemblies_case, (32, 128)),
}
"""Networks, and rows of the arrays that they are tried on."""


def halves(events: Events, steps: int) -> tuple[Events, Events]:
    """Events of the first half of the steps, and of the second from its beginning."""
    middle = steps // 2
    first = {name: (s[s < middle], n[s < middle]) for name, (s, n) in events.items()}
    second = {name: (s[s >= middle] - middle, n[s >= middle]) for name, (s, n) in events.items()}
    return first, second


def measure(case: str, samples: int) -> list[Row]:
    """A network on arrays of each height."""
    network, events, steps = CASES[case][0](samples)
    lowered = lower(network, DT)
    seen, unseen = halves(events, steps)
    rates = {name: np.bincount(n, minlength=network[name].size) / (steps // 2) for name, (_, n) in seen.items()}
    rows = []
    for height in CASES[case][1]:
        machine = load_machine("isaac", rows=height, arrays_per_core=2, cores_per_tile=1)
        plan_network(lowered, machine, events=seen)  # compiles
        began = time.process_time()
        plan = plan_network(lowered, machine, events=seen)
        seconds = time.process_time() - began
        check_plan(plan, lowered)
        plans = {
            "given": plan_network(lowered, machine, events=seen, order="given"),
            "rates": plan_network(lowered, machine, rates=rates),
            "events": plan,
        }
        counted = steps - steps // 2
        silent = {order: silent_in(made, lowered, unseen, counted) for order, made in plans.items()}
        silent["random"] = float(np.mean([at_random(plan, lowered, unseen, counted, k) for k in range(5)]))
        rows.append(Row(case, height, len(plan.blocks), counted, silent, plan.hops, seconds))
    return rows


def silent_in(plan: Plan, lowered: LoweredNetwork, events: Events, steps: int) -> float:
    """Share of the plan's reads that fall away in events."""
    names = [population.name for population in lowered.populations]
    rate = [line_rates(matrix, names, None, steps, events) for matrix in plan.matrices]
    return silent_share(plan.blocks, plan.matrices, names, rate, steps, events)


def at_random(plan: Plan, lowered: LoweredNetwork, events: Events, steps: int, seed: int) -> float:
    """The same with rows of every matrix shuffled."""
    rng, machine = np.random.default_rng(seed), plan.machine
    tiles = [
        cut(
            matrix,
            column_groups(matrix, machine.rows, machine.weight_columns),
            machine.rows,
            rng.permutation(matrix.rows).astype(np.int32),
        )
        for matrix in plan.matrices
    ]
    blocks = blocks_of_tiles(plan.matrices, tiles, [1] * len(tiles))
    return silent_in(replace(plan, blocks=blocks), lowered, events, steps)


def scale() -> list[dict[str, Any]]:
    """Plans of large networks: arrays, chips, CPU seconds, and the most memory that the process had until then."""
    dense = Network(name="80 million weights, dense")
    sizes = (4096, 4096, 4096, 4096, 4096, 3072)
    layers = [dense.population(EventSource(sizes[0], steps=[0], indices=[0]), name="in")]
    layers += [dense.population(Cell(), n, name=f"layer {k}") for k, n in enumerate(sizes[1:])]
    rng = np.random.default_rng(0)
    for pre, post in pairwise(layers):
        dense.project(pre, post.x, Dense(rng.random((pre.size, post.size), np.float32)))
    sparse = Network(name="10 million synapses, 1 %")
    pre = sparse.population(EventSource(31_623, steps=[0], indices=[0]), name="in")
    post = sparse.population(Cell(), 31_623, name="out")
    sparse.project(pre, post.x, FixedProbability(0.01), weight=1.0)
    found = []
    for network, names in ((sparse, ("m1076", "isaac")), (dense, ("m1076",))):
        lowered = lower(network, 1 * ms)
        found += [planned(lowered, load_machine(name)) for name in names]
    return found


def planned(lowered: LoweredNetwork, machine: CrossbarMachine) -> dict[str, Any]:
    """One large plan, the second time."""
    rates = {population.name: 0.01 for population in lowered.populations}
    plan_network(lowered, machine, rates=rates)
    began = time.process_time()
    plan = plan_network(lowered, machine, rates=rates)
    return {
        "network": lowered.name,
        "weights": sum(matrix.weights for matrix in plan.matrices),
        "machine": machine.name,
        "arrays": plan.arrays,
        "chips": plan.chips,
        "utilisation": float(plan.utilisation.mean()),
        "seconds": time.process_time() - began,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def page(result: dict[str, Any]) -> str:
    """What was found, as Markdown."""
    rows = [
        [
            row["case"],
            str(row["rows"]),
            f"{row['blocks']:,}",
            *(f"{row['silent'][order]:.1%}" for order in ORDERS),
            f"{(1 - row['silent']['events']) / (1 - row['silent']['random']):.2f}",
            f"{row['hops'][0]:,.0f} to {row['hops'][1]:,.0f}",
            f"{row['seconds']:.2f} s",
        ]
        for row in result["rows"]
    ]
    head = [
        "network",
        "rows of an array",
        "blocks",
        *ORDERS,
        "reads, events to random",
        "values times hops",
        "planning",
    ]
    large = [
        [
            row["network"],
            f"{row['weights']:,}",
            row["machine"],
            f"{row['arrays']:,}",
            f"{row['chips']:,}",
            f"{row['utilisation']:.1%}",
            f"{row['seconds']:.1f} s",
            f"{row['peak_bytes'] / 1e9:.2f} GB",
        ]
        for row in result["scale"]
    ]
    where = result["machine"]
    parts = [
        "# Rows of crossbars by activity",
        f"{where['processor']}, {where['date']}. Share of reads that fall away because no active row reaches the "
        "block, counted in steps that the planner has not seen; ISAAC's arrays with fewer rows where told.",
        markdown(head, rows),
    ]
    if large:
        head = ["network", "weights", "machine", "arrays", "chips", "cells used", "CPU time", "peak memory so far"]
        parts.append(markdown(head, large))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(name.replace(", ", "-") for name in CASES))
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--no-scale", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    given = parser.parse_args()
    cases = [name.replace("-", ", ") for name in given.cases.split(",")]
    result = {
        "machine": computer(),
        "samples": given.samples,
        "scale": [] if given.no_scale else scale(),
        "rows": [asdict(row) for case in cases for row in measure(case, given.samples)],
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "crossbar_placement.json").write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "crossbar_placement.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
