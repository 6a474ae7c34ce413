"""Nodes with names such as ``outer.inner`` as graphs in a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Edges = list[tuple[str, str]]


def nested(nir: Any, nodes: Mapping[str, Any], edges: Sequence[tuple[str, str]]) -> tuple[dict[str, Any], Edges]:
    """The same graph with every group of nodes ``g.x`` as a graph ``g``.

    A group is left as it is if edges enter or leave it at several nodes, since a nested graph has one input and one
    output, or if a node is called ``g``.

    Parameters
    ----------
    nir : module
    nodes : dict of str to nir.NIRNode
    edges : sequence of (str, str)
    """
    groups: dict[str, list[str]] = {}
    for name in nodes:
        if "." in name.strip("."):
            groups.setdefault(name.split(".", 1)[0], []).append(name)
    made, left = dict(nodes), list(edges)
    for group, names in groups.items():
        members = set(names)
        entries = {b for a, b in left if a not in members and b in members}
        exits = {a for a, b in left if a in members and b not in members}
        if group in nodes or len(entries) != 1 or len(exits) != 1:
            continue
        (entry,), (exit_,) = entries, exits
        shapes = nodes[entry].input_type["input"], nodes[exit_].output_type["output"]
        if any(shape is None for shape in shapes):  # of pooling, which does not know it
            continue
        inner = {name.split(".", 1)[1]: made.pop(name) for name in names}
        inside = [(a.split(".", 1)[1], b.split(".", 1)[1]) for a, b in left if a in members and b in members]
        first, last = _free("input", inner), _free("output", inner)
        inside += [(first, entry.split(".", 1)[1]), (exit_.split(".", 1)[1], last)]
        inner, inside = nested(nir, inner, inside)
        inner |= {first: nir.Input({"input": np.array(shapes[0])}), last: nir.Output({"output": np.array(shapes[1])})}
        made[group] = nir.NIRGraph(inner, inside)
        left = [(group if a in members else a, group if b in members else b) for a, b in left if not {a, b} <= members]
    return made, left


def _free(name: str, taken: Mapping[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name
