"""``partition``: one call, any method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .metrics import copies_per_spike, part_bytes, part_counts
from .sequential import by_population, sequential, sequential_decreasing

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Algorithm = Callable[[Hypergraph | Level, Limits, int], Int32]

ALGORITHMS: Mapping[str, Algorithm] = {
    "sequential": sequential,
    "sequential_decreasing": sequential_decreasing,
    "by_population": by_population,
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
    progress : callable, optional
        Called with one line of text for each stage.

    Raises
    ------
    MappingError
        If a neuron does not fit in a part of its own, or the method is unknown.
    """
    level = as_level(graph)
    names = ("sequential", "sequential_decreasing") if method == "portfolio" else (method,)
    best: Partition | None = None
    tried: list[tuple[str, float, int]] = []
    for name in names:
        if name not in ALGORITHMS:
            raise MappingError(f"partition method {name!r} is unknown; there are {', '.join(ALGORITHMS)} and portfolio")
        if progress is not None:
            progress(f"partition: {name}")
        found = measured(graph, ALGORITHMS[name](level, limits, seed), name)
        tried.append((name, found.copies_per_spike, found.parts))
        if best is None or (found.copies_per_spike, found.parts) < (best.copies_per_spike, best.parts):
            best = found
    assert best is not None
    return Partition(best.part, best.parts, best.bytes, best.counts, best.copies_per_spike, best.method, tuple(tried))


def measured(graph: Hypergraph, part: Int32, method: str) -> Partition:
    """A partition with its exact costs."""
    parts = int(part.max()) + 1 if part.size else 0
    return Partition(
        part, parts, part_bytes(graph, part, parts), part_counts(part, parts), copies_per_spike(graph, part), method
    )
