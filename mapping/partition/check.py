"""An independent judge of partitions: plain Python sets and NumPy, no code shared with the algorithms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..hypergraph import Hypergraph, Limits


def check_partition(graph: Hypergraph, limits: Limits, part: npt.NDArray[np.int32]) -> None:
    """Refute a partition that misses a vertex, leaves a part empty or overfills one.

    Raises
    ------
    MappingError
        With the list of all findings as ``problems``.
    """
    problems: list[str] = []
    n = graph.n_vertices
    if part.shape != (n,):
        raise MappingError(f"partition: expected one part for each of {n} vertices, got shape {part.shape}")
    if n == 0:
        return
    if part.min() < 0:
        problems.append(f"{int((part < 0).sum())} vertices have no part")
    used = set(part.tolist())
    empty = set(range(max(used) + 1)) - used
    if empty:
        problems.append(f"parts without vertices: {sorted(empty)[:10]}")
    for p in sorted(used):
        inside = np.flatnonzero(part == p)
        held, count = bytes_of(graph, inside), len(inside)
        if count > limits.vertices:
            problems.append(f"part {p} holds {count} vertices, limit {limits.vertices}")
        if held > limits.bytes:
            problems.append(f"part {p} holds {held // limits.grain} bytes, limit {limits.bytes // limits.grain}")
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise MappingError(f"partition of {n} vertices is wrong:\n{lines}", problems=tuple(problems))


def bytes_of(graph: Hypergraph, vertices: npt.NDArray[np.int64]) -> int:
    """Bytes of one part that holds these vertices, straight from the definition."""
    member = np.zeros(graph.n_vertices, dtype=bool)
    member[vertices] = True
    pin_inside = np.append(member[graph.net_pins], False)
    total = int(graph.vertex_bytes[member].sum())
    for e in np.flatnonzero(graph.net_bytes):
        if pin_inside[graph.net_ptr[e] : graph.net_ptr[e + 1]].any():
            total += int(graph.net_bytes[e])
    groups: set[int] = set()
    for v in vertices:
        groups.update(graph.vertex_groups[graph.group_ptr[v] : graph.group_ptr[v + 1]].tolist())
    return total + sum(int(graph.group_bytes[g]) for g in groups)


def copies_of(graph: Hypergraph, part: npt.NDArray[np.int32]) -> float:
    """Weighted copies that all nets send to parts other than the source's (not divided by the total weight)."""
    total = 0.0
    for e in range(graph.n_nets):
        source = int(graph.net_source[e])
        if source < 0:
            continue
        reached = set(part[graph.net_pins[graph.net_ptr[e] : graph.net_ptr[e + 1]]].tolist())
        total += float(graph.net_weight[e]) * len(reached - {int(part[source])})
    return total
