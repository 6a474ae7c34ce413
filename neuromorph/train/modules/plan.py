"""In which order populations run, and how many steps each lags behind its inputs.

Projections have delays, so what enters a chain of populations at step t leaves it some steps later. A module takes that
out: every population has a *lag*, the fewest steps in which an event of a source reaches it, and its step s is step
s + lag of the engine. Populations that reach each other (a *component*) share a lag and run step by step; a component
runs after those that feed it, over the whole sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """Synapses of one projection with one delay.

    Attributes
    ----------
    projection, pre, post, port : int
    delay : int
        Steps.
    whole : bool
        Whether the port takes ints.
    inside : bool
        Whether both ends are in one component.
    """

    projection: int
    pre: int
    post: int
    port: int
    delay: int
    whole: bool
    inside: bool


@dataclass(frozen=True)
class Plan:
    """Order of a network.

    Attributes
    ----------
    components : tuple of tuple of int
        Populations, in an order in which each comes after those that feed it.
    lags : tuple of int
        Of each population, in steps.
    links : tuple of Link
    """

    components: tuple[tuple[int, ...], ...]
    lags: tuple[int, ...]
    links: tuple[Link, ...]


def plan(populations: int, links: Sequence[Link]) -> Plan:
    """Plan a network of so many populations; ``inside`` of the links given is not looked at."""
    from networkx import DiGraph, condensation, lexicographical_topological_sort

    graph = DiGraph()
    graph.add_nodes_from(range(populations))
    graph.add_edges_from((link.pre, link.post) for link in links)
    groups = condensation(graph)
    members = {node: tuple(sorted(groups.nodes[node]["members"])) for node in groups}
    order = list(lexicographical_topological_sort(groups, key=lambda node: members[node]))
    of = {p: node for node, inside in members.items() for p in inside}
    made = tuple(Link(j.projection, j.pre, j.post, j.port, j.delay, j.whole, of[j.pre] == of[j.post]) for j in links)
    lags = [0] * populations
    for node in order:
        arrivals = [lags[j.pre] + j.delay for j in made if of[j.post] == node and not j.inside]
        for p in members[node]:
            lags[p] = min(arrivals, default=0)
    return Plan(tuple(members[node] for node in order), tuple(lags), made)
