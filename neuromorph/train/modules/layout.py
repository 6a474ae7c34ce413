"""Where the sums of a component's ports stand, so that few products make them.

All float ports of a component are columns of one matrix (steps, batch, columns). Within a population, ports that only
outside events reach come first, then those that both reach, then those that only the component's own events reach: so
that what one source sends usually ends in neighbouring columns, and is one product of concatenated weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuromorph.train.modules.plan import Plan

Columns = tuple[int, int]


@dataclass(frozen=True)
class Group:
    """One product: events of a population, so many steps late, into neighbouring columns.

    Attributes
    ----------
    pre : int
        Population.
    delay : int
    start, stop : int
        Columns.
    ports : tuple of tuple of int
        For each port among the columns, the projections whose weights add up.
    """

    pre: int
    delay: int
    start: int
    stop: int
    ports: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Layout:
    """Columns and products of a component.

    Attributes
    ----------
    members : tuple of int
        Populations.
    ports : dict of (population, port) to columns
    whole : frozenset of (population, port)
        Those that take ints, whose columns are in a matrix of their own.
    width, whole_width : int
    inputs, lines, whole_inputs, whole_lines : tuple of Group
    convolutions : tuple of (projection, pre, delay, start, stop)
        Whose sums are made by a convolution.
    """

    members: tuple[int, ...]
    ports: dict[tuple[int, int], Columns]
    width: int
    whole_width: int
    inputs: tuple[Group, ...]
    lines: tuple[Group, ...]
    whole_inputs: tuple[Group, ...]
    whole_lines: tuple[Group, ...]
    convolutions: tuple[tuple[int, int, int, int, int], ...]


def layout(
    plan: Plan,
    members: Sequence[int],
    sizes: Sequence[int],
    whole_ports: Sequence[Sequence[bool]],
    convolved: frozenset[int],
) -> Layout:
    """Lay out a component.

    Parameters
    ----------
    plan : Plan
    members : sequence of int
        Populations with a program.
    sizes : sequence of int
        Neurons of every population of the network.
    whole_ports : sequence of sequence of bool
        For every population, which ports take ints.
    convolved : frozenset of int
        Projections whose sums a convolution makes.
    """
    links = [j for j in plan.links if j.post in members]
    outer = {(j.post, j.port) for j in links if not j.inside}
    inner = {(j.post, j.port) for j in links if j.inside}
    places: dict[tuple[int, int], Columns] = {}
    widths = [0, 0]
    for p in members:
        ranked = sorted((((p, k) in inner) + ((p, k) in inner - outer), k) for k in range(len(whole_ports[p])))
        for _, k in ranked:
            kind = int(whole_ports[p][k])
            places[p, k] = widths[kind], widths[kind] + sizes[p]
            widths[kind] += sizes[p]
    groups: dict[tuple[bool, bool], list[Group]] = {(a, b): [] for a in (False, True) for b in (False, True)}
    convolutions = []
    sent: dict[tuple[bool, bool, int, int], dict[tuple[int, int], list[int]]] = {}
    for j in links:
        if j.projection in convolved and not j.inside:
            convolutions.append((j.projection, j.pre, j.delay, *places[j.post, j.port]))
            continue
        known = sent.setdefault((j.inside, j.whole, j.pre, j.delay), {})
        known.setdefault((j.post, j.port), []).append(j.projection)
    for (inside, whole, pre, delay), ports in sent.items():
        run: list[tuple[Columns, tuple[int, ...]]] = []
        for columns, projections in sorted((places[port], tuple(found)) for port, found in ports.items()):
            if run and run[-1][0][1] != columns[0]:
                groups[inside, whole].append(_group(pre, delay, run))
                run = []
            run.append((columns, projections))
        groups[inside, whole].append(_group(pre, delay, run))
    return Layout(
        tuple(members),
        places,
        widths[0],
        widths[1],
        tuple(groups[False, False]),
        tuple(groups[True, False]),
        tuple(groups[False, True]),
        tuple(groups[True, True]),
        tuple(convolutions),
    )


def _group(pre: int, delay: int, run: Sequence[tuple[Columns, tuple[int, ...]]]) -> Group:
    return Group(pre, delay, run[0][0][0], run[-1][0][1], tuple(projections for _, projections in run))
