"""When each layer of a NIR graph runs.

In NIR's discrete readings a spike passes through all layers within the step in which it was sent, and a recurrent one
arrives one step late. Here every event takes at least one step, so layers run as a pipeline: what a graph computes in
step t, a population computes in step t + latency. Inputs have latency 0, and every other population one more than the
latest that feeds it forward; shorter paths wait. Constants act from step ``latency`` on, so the results are those of
the graph, only later. A loop over several populations is the exception: its events pass through them one step each, so
it is as late as it is long, unless the graph itself delays it as much: then latencies are found that give the time
which one connection has too much to the others.

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


def schedule(nodes: Iterable[str], inputs: Iterable[str], connections: Mapping[tuple[str, str], int]) -> Schedule:
    """Latencies of a graph of populations.

    Where populations reach each other without a delay, one that something else feeds comes first, the others as many
    connections away as it takes to reach them; a connection to one as far away or nearer is recurrent.

    Parameters
    ----------
    nodes, inputs : iterable of str
    connections : dict of (str, str) to int
        The least delay along each, in steps.
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(connections)
    undelayed = networkx.DiGraph(ends for ends, delay in connections.items() if not delay)
    order = {name: place for place, name in enumerate(graph)}
    late: set[tuple[str, str]] = set()
    for inside in networkx.strongly_connected_components(undelayed):
        members = sorted(inside, key=order.__getitem__)
        level = _levels(undelayed, members, {n for n in members if set(graph.predecessors(n)) - inside})
        late |= {(a, b) for a in members for b in undelayed.successors(a) if b in inside and level[b] <= level[a]}
    first = set(inputs)
    latency: dict[str, int] = {}
    condensed = networkx.condensation(graph)
    for group in networkx.lexicographical_topological_sort(condensed):
        members = sorted(condensed.nodes[group]["members"], key=order.__getitem__)
        inside = set(members)
        fed = {n: [latency[a] + 1 for a in graph.predecessors(n) if a not in inside] for n in members}
        least = {n: max(fed[n], default=0 if inside <= first else 1) for n in members}
        early = {(a, b): 1 - max(connections[a, b], (a, b) in late) for a, b in graph.edges(members) if b in inside}
        found = _retimed(least, early)
        if found is None:
            level = _levels(graph, members, {n for n in members if fed[n]})
            found = {n: max(least[m] - level[m] for m in members) + level[n] for n in members}
        latency |= found
    return Schedule(latency, frozenset(late))


def _retimed(least: Mapping[str, int], early: Mapping[tuple[str, str], int]) -> dict[str, int] | None:
    """The smallest latencies, none below ``least``, with ``found[b] >= found[a] + early[a, b]``; None if none are.

    Bellman and Ford's longest paths: they exist if no loop adds up to more than 0.
    """
    found = dict(least)
    for _ in range(len(found) + 1):
        before = dict(found)
        for (a, b), steps in early.items():
            found[b] = max(found[b], found[a] + steps)
        if found == before:
            return found
    return None


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
