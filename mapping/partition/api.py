"""``partition``: one call, any method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..hypergraph import Hypergraph, Limits
from .breadth_first import breadth_first
from .greedy import greedy
from .hilbert import hilbert
from .level import Level, as_level
from .metis import metis
from .metrics import copies_per_spike, part_bytes, part_counts
from .mtkahypar import mtkahypar
from .portfolio import candidates
from .sequential import by_population, sequential, sequential_decreasing

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Algorithm = Callable[[Hypergraph | Level, Limits, int], Int32]

ALGORITHMS: Mapping[str, Algorithm] = {
    "sequential": sequential,
    "sequential_decreasing": sequential_decreasing,
    "by_population": by_population,
    "hilbert": hilbert,
    "breadth_first": breadth_first,
    "greedy": greedy,
    "metis": metis,
    "mtkahypar": mtkahypar,
}


@dataclass(frozen=True)
class Partition:
    """Neurons in parts, and what that costs.

    Attributes
    ----------
    part : int32 (n,)
        Part of each vertex; no part is empty.
    parts : int
    bytes, counts : int64 (parts,)
        Exact bytes and neurons of each part.
    copies_per_spike : float
        Mean number of other parts that an event reaches.
    method : str
        The algorithm that produced it.
    tried : tuple of (method, copies per spike, parts)
        Everything that the portfolio compared.
    """

    part: Int32
    parts: int
    bytes: Int64
    counts: Int64
    copies_per_spike: float
    method: str
    tried: tuple[tuple[str, float, int], ...] = ()


def partition(
    graph: Hypergraph,
    limits: Limits,
    *,
    method: str = "portfolio",
    seed: int = 0,
    objective: str = "copies",
    progress: Callable[[str], None] | None = None,
) -> Partition:
    """Split the neurons into parts that fit their limits exactly, with few copies for each spike.

    Parameters
    ----------
    graph : Hypergraph
    limits : Limits
        Bytes and neurons that a part may hold; never exceeded.
    method : str
        ``"portfolio"`` or a key of ``ALGORITHMS``.
    seed : int
        The same seed gives the same partition.
    objective : {"copies", "parts"}
        What the portfolio compares first: copies for each spike, or the number of parts; the other breaks ties.
    progress : callable, optional
        Called with one line of text for each stage.

    Raises
    ------
    MappingError
        If a neuron does not fit in a part of its own, or the method or objective is unknown.
    """
    level = as_level(graph)

    def say(stage: str) -> None:
        if progress is not None:
            progress(f"partition: {stage}")

    if method == "portfolio":
        found = candidates(level, limits, seed, say)
    elif method in ALGORITHMS:
        say(method)
        found = iter([(method, ALGORITHMS[method](level, limits, seed))])
    else:
        raise MappingError(f"partition method {method!r} is unknown; there are portfolio, {', '.join(ALGORITHMS)}")
    if objective not in ("copies", "parts"):
        raise MappingError(f"partition objective {objective!r} is unknown; there are copies and parts")
    measured = []
    for name, part in found:
        copies, parts = copies_per_spike(graph, part), int(part.max(initial=-1)) + 1
        measured.append(((copies, parts) if objective == "copies" else (parts, copies), name, part, copies, parts))
    _, name, part, copies, parts = min(measured, key=lambda entry: entry[0])
    return Partition(
        part=part,
        parts=parts,
        bytes=part_bytes(graph, part, parts),
        counts=part_counts(part, parts),
        copies_per_spike=copies,
        method=name,
        tried=tuple((name, copies, parts) for _, name, _, copies, parts in measured),
    )
