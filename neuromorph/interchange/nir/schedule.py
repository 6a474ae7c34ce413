"""When each layer of a NIR graph runs.

In NIR's discrete readings a spike passes through all layers within the step in which it was sent, and a recurrent one
arrives one step late. Here every event takes at least one step, so layers run as a pipeline: what a graph computes in
step t, a population computes in step t + latency. Inputs have latency 0, and every other population one more than the
latest that feeds it forward; shorter paths wait. Constants act from step ``latency`` on, so the results are those of
the graph, only later. A loop over several populations is the exception: its events have to pass through them one step
each, so it is as late as it is long, unless the graph itself delays it as much.

Other readings give every connection a step of its own: a spike arrives in the next step, or later where a delay says
so. Then there is nothing to line up (:func:`unscheduled`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """When each population runs, and which connections are recurrent.

    Attributes
    ----------
    latency : dict of str to int
        Step of each node in which it computes what the graph computes in step 0.
    late : set of (str, str)
        Connections without a delay that arrive one step late in the graph.
    """

    latency: Mapping[str, int]
    late: frozenset[tuple[str, str]]


def schedule(nodes: Iterable[str], inputs: Iterable[str], connections: Iterable[tuple[str, str]]) -> Schedule:
    """Latencies of a graph of populations.

    In a set of populations that all reach each other, one that something else feeds comes first, the others as many
    steps later as they are connections away; a connection to the same step or an earlier one is recurrent.
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(connections)
    first = set(inputs)
    latency: dict[str, int] = {}
    late: set[tuple[str, str]] = set()
    order = {name: place for place, name in enumerate(graph)}
    condensed = networkx.condensation(graph)
    for group in networkx.lexicographical_topological_sort(condensed):
        members = sorted(condensed.nodes[group]["members"], key=order.__getitem__)
        inside = set(members)
        fed = [(a, n) for n in members for a in graph.predecessors(n) if a not in inside]
        level = _levels(graph, members, {n for _, n in fed})
        base = max([0 if inside <= first else 1, *(latency[a] + 1 - level[n] for a, n in fed)])
        latency |= {n: base + level[n] for n in members}
        late |= {(a, b) for a in members for b in graph.successors(a) if b in inside and level[b] <= level[a]}
    return Schedule(latency, frozenset(late))


def unscheduled(nodes: Iterable[str], connections: Iterable[tuple[str, str]]) -> Schedule:
    """The reading in which events arrive in the next step, along every connection."""
    return Schedule(dict.fromkeys(nodes, 0), frozenset(connections))


def _levels(graph: Any, members: list[str], entries: set[str]) -> dict[str, int]:
    """Connections from the nearest entry to each member."""
    found = dict.fromkeys([n for n in members if n in entries] or members[:1], 0)
    todo = list(found)
    for name in todo:
        for following in graph.successors(name):
            if following in members and following not in found:
                found[following] = found[name] + 1
                todo.append(following)
    return found
