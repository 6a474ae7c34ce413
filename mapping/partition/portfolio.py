"""The portfolio: looks at a network cheaply, runs what suits it, keeps the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from ..hypergraph import Limits
from .anneal import anneal, worth_annealing
from .breadth_first import breadth_first
from .coarsen import contract, identical_inputs
from .greedy import greedy
from .hilbert import hilbert
from .level import Level
from .metis import CLUSTER_SHARE, metis_raw
from .metrics import copies_per_spike
from .refine import TABLE_BYTES, refine, table_bytes
from .sequential import sequential, sequential_decreasing

Int32 = npt.NDArray[np.int32]
Say = Callable[[str], None]

SATURATED = 0.95  # share of all parts reached by an event from which on only the number of parts matters
STRUCTURED = 0.6  # copies of greedy growth against those of a random partition below which METIS is worth its time
CLOSE = 1.05  # a start is refined if its copies are at most so many times those of the best start
GREEDY_WORK = 2e10  # pins times copies up to which greedy growth runs
SWEEP_WORK = 4e10  # pins times parts up to which neurons are refined one by one


def candidates(level: Level, limits: Limits, seed: int, say: Say) -> Iterator[tuple[str, Int32]]:
    """Yield (name, part) of everything that is worth comparing, cheapest first."""
    say("sequential")
    filled = sequential(level, limits)
    yield "sequential", filled
    dense = sequential_decreasing(level, limits)
    yield "sequential_decreasing", dense
    best = min(filled, dense, key=lambda part: copies_per_spike(level.graph, part))
    parts = int(best.max(initial=0)) + 1
    copies = copies_per_spike(level.graph, best)
    if parts == 1 or copies > SATURATED * (parts - 1):
        return
    pins = len(level.graph.net_pins)
    for name, algorithm, wanted in (
        ("hilbert", hilbert, level.graph.position is not None),
        ("breadth_first", breadth_first, pins * copies > GREEDY_WORK),
    ):
        if wanted:
            say(name)
            part = algorithm(level, limits, seed)
            copies = min(copies, copies_per_spike(level.graph, part))
            yield name, part
    cluster, clusters = identical_inputs(level, limits, CLUSTER_SHARE)
    if clusters <= 0.8 * level.graph.n_vertices:
        coarse = contract(level, cluster, clusters)
        if len(coarse.graph.net_pins) * copies > GREEDY_WORK:
            return
        found = dict(_starts(coarse, limits, seed, None, say))
        name = min(found, key=lambda name: copies_per_spike(coarse.graph, found[name]))
        fine = found[name][cluster]
        yield name, fine
        if pins * parts <= SWEEP_WORK and table_bytes(level, parts + 8) <= TABLE_BYTES:
            say("refining single neurons")
            yield f"{name}+neurons", refine(level, limits, fine)
    elif pins * copies <= GREEDY_WORK:
        yield from _starts(level, limits, seed, best, say)


def _starts(level: Level, limits: Limits, seed: int, filled: Int32 | None, say: Say) -> Iterator[tuple[str, Int32]]:
    """Greedy growth, and METIS if there is structure; the good ones refined."""
    graph = level.graph
    say("greedy")
    found = {"greedy": greedy(level, limits)}
    parts = int(found["greedy"].max()) + 1
    if copies_per_spike(graph, found["greedy"]) < STRUCTURED * random_copies(level, parts):
        say("metis")
        found["metis"] = metis_raw(level, limits, seed, reference=found["greedy"])
    elif filled is not None and copies_per_spike(graph, filled) < copies_per_spike(graph, found["greedy"]):
        found["sequential"] = filled
    cost = {name: copies_per_spike(graph, part) for name, part in found.items()}
    if len(graph.net_pins) * parts > SWEEP_WORK or table_bytes(level, parts + 8) > TABLE_BYTES:
        yield from ((name, part) for name, part in found.items() if name != "metis")
        return
    close = [name for name in found if cost[name] <= CLOSE * min(cost.values())]
    annealing = worth_annealing(level, parts)
    rounds, patience = (2, 1) if annealing else (50, 2)  # annealing finds what further sweeps would
    refined = {}
    for name in close:
        say(f"refining {name}")
        refined[name] = refine(level, limits, found[name], rounds=rounds, patience=patience)
    best = min(refined, key=lambda name: copies_per_spike(graph, refined[name]))
    yield f"{best}+refine", refined[best]
    if annealing:
        say(f"annealing {best}")
        yield f"{best}+anneal", refine(level, limits, anneal(level, limits, refined[best], seed), rounds=4)


def random_copies(level: Level, parts: int) -> float:
    """Expected copies for each spike if every vertex went to a random part."""
    sizes = np.diff(level.graph.net_ptr).astype(float)
    reached = (parts - 1) * (1.0 - (1.0 - 1.0 / parts) ** sizes)
    total = float(level.weight.sum())
    return float((level.weight * reached).sum()) / total if total > 0 else 0.0
