"""A given number of parts of about equal work, in the order of the neurons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .sequential import pack_in_order

Int32 = npt.NDArray[np.int32]

_UNITS = 1 << 24  # the whole work in ints, so that shares are exact sums
_HALVINGS = 24


def balanced(graph: Hypergraph | Level, limits: Limits, parts: int, work: npt.NDArray[np.float64]) -> Int32:
    """Cut the neurons, in their order, into so many parts that the largest work of a part is small.

    Parameters
    ----------
    graph : Hypergraph or Level
    limits : Limits
        Of a part; never exceeded.
    parts : int
    work : float64 (n,)
        Of each neuron, in any unit, at least 0.

    Returns
    -------
    int32 (n,)
        Part of each neuron; no part is empty.

    Raises
    ------
    MappingError
        If the neurons do not fit so few parts, or are fewer than the parts.
    """
    level = as_level(graph)
    n = level.graph.n_vertices
    if parts > n:
        raise MappingError(f"{n:,} neurons cannot be spread over {parts:,} parts", parts=parts, neurons=n)
    units = np.ceil(np.asarray(work, np.float64) * (_UNITS / max(float(work.sum()), 1e-300))).astype(np.int64) + 1
    order = np.arange(n, dtype=np.int32)
    loose = pack_in_order(level, limits, order)
    fewest = int(loose.max()) + 1
    if fewest > parts:
        raise MappingError(
            f"the neurons fill {fewest:,} parts of {limits.bytes // limits.grain:,} bytes and {limits.vertices:,} "
            f"neurons; {parts:,} do not hold them",
            parts=parts,
            fewest=fewest,
        )

    def cut(most: int) -> Int32 | None:
        """Parts of at most so much work; a neuron counts at least what keeps a part's neurons within their limit."""
        count = np.maximum(units, -(-most // limits.vertices))
        if count.max() > most:
            return None
        return pack_in_order(replace(level, count=count), Limits(limits.bytes, most), order)

    low, high, found = 0, 2 * int(units.sum()) + n, loose
    for _ in range(_HALVINGS):
        middle = (low + high) // 2
        tried = cut(middle) if middle else None
        if tried is not None and int(tried.max()) < parts:
            high, found = middle, tried
        else:
            low = middle
    return _exactly(found, parts, units)


def _exactly(part: Int32, parts: int, units: npt.NDArray[np.int64]) -> Int32:
    """Halve the parts with most work until there are so many; parts are ranges of neurons."""
    begins = np.flatnonzero(np.diff(part, prepend=-1)).tolist()
    total = np.concatenate([[0], np.cumsum(units)])
    while len(begins) < parts:
        ends = [*begins[1:], len(part)]
        own = [(int(total[b] - total[a]) if b - a > 1 else -1) for a, b in zip(begins, ends, strict=True)]
        heaviest = int(np.argmax(own))
        a, b = begins[heaviest], ends[heaviest]
        middle = int(np.searchsorted(total, (total[a] + total[b]) / 2))
        begins.insert(heaviest + 1, min(max(middle, a + 1), b - 1))
    starts = np.zeros(len(part), np.int32)
    starts[begins] = 1
    return np.asarray(np.cumsum(starts) - 1, np.int32)
