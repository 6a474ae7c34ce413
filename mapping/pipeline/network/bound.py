"""How fast a graph with loops can be, in closed form: its slowest stage, or a loop that waits for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..graph import Stage, StageGraph


@dataclass(frozen=True)
class Bound:
    """The interval that a graph cannot go below.

    Attributes
    ----------
    interval : Fraction
        Cycles from item to item on average: the larger of ``stage`` and ``loop``.
    slowest : str
        The stage with most iterations.
    stage : int
        Its cycles an item.
    loop : Fraction
        Largest mean of a loop: its latency over the items that are in it, 0 if nothing is recurrent.
    around : tuple of str
        The stages of that loop.
    items : int
        Items that are in it; times repeat after so many, if not after one.
    """

    slowest: str
    stage: int
    loop: Fraction
    around: tuple[str, ...]
    items: int

    @property
    def interval(self) -> Fraction:
        """Cycles from item to item on average."""
        return max(Fraction(self.stage), self.loop)


@dataclass(frozen=True, slots=True)
class _Arc:
    """A stage on the way of a loop, from one FIFO to another."""

    source: int
    target: int
    latency: int
    items: Fraction
    stage: str


def bound(graph: StageGraph) -> Bound:
    """The slowest stage, and the loop with the largest cycle mean.

    The last token of an item that a stage writes comes ``after`` iterations and a pipeline behind the last one that it
    reads (:func:`latency`). Around a loop of FIFOs with initial tokens these add up: the sum over the items that are in
    the loop is a bound, which holds exactly where FIFOs are deep enough to bring no others.
    """
    slowest = max(graph.stages, key=lambda stage: stage.trips)
    value, around, items = _largest_mean(graph)
    return Bound(slowest.name, slowest.trips, value, around, items)


def latency(stage: Stage, reads: int, writes: int, *, whole: bool = False) -> int:
    """Cycles from the last read of one input in an item to the last write of one output, at least the pipeline's.

    From the first read if the input is handed over whole (``whole``): then that is when its last token is there.
    """
    now, last_read, read_depth, last_write, write_depth = 0, 0, 1, 0, 1
    for loop in stage.loops:
        length = sum(run.count for run in loop.runs)
        place = 0
        for run in loop.runs:
            place += run.count
            end = now + ((loop.repeats - 1) * length + place) * loop.interval
            if reads in run.reads and not (whole and last_read):
                begin = now + (place - run.count + 1) * loop.interval
                last_read, read_depth = begin if whole else end, loop.depth
            if writes in run.writes:
                last_write, write_depth = end, loop.depth
        now += loop.trips * loop.interval
    return max(last_write - last_read, 0) + (write_depth if last_write > 0 else read_depth)


def _arcs(graph: StageGraph) -> tuple[int, list[_Arc]]:
    """FIFOs as nodes, a way through a stage as an arc to the FIFO that it writes, with that FIFO's initial items."""
    number = {fifo.name: k for k, fifo in enumerate(graph.fifos)}
    arcs = []
    for stage in graph.stages:
        for r, source in enumerate(stage.inputs):
            for w, target in enumerate(stage.outputs):
                items = Fraction(graph.fifo[target].initial, graph.tokens(target))
                arcs.append(
                    _Arc(
                        number[source],
                        number[target],
                        latency(stage, r, w, whole=graph.fifo[source].grain > 1),
                        items,
                        stage.name,
                    )
                )
    return len(number), arcs


def _largest_mean(graph: StageGraph) -> tuple[Fraction, tuple[str, ...], int]:
    """Largest ratio of latency to items over all loops: loops of positive weight are looked for until none is left."""
    nodes, arcs = _arcs(graph)
    best, around, items = Fraction(0), tuple[str, ...](), Fraction(1)
    while True:
        cycle = _positive(nodes, arcs, best)
        if cycle is None:
            return best, around, int(items)
        items = sum((arc.items for arc in cycle), Fraction(0))
        best = Fraction(sum(arc.latency for arc in cycle)) / items
        around = tuple(dict.fromkeys(arc.stage for arc in cycle))


def _positive(nodes: int, arcs: Sequence[_Arc], mean: Fraction) -> list[_Arc] | None:
    """A loop whose latency is more than ``mean`` an item, by Bellman and Ford's relaxation; None if there is none."""
    far = [Fraction(0)] * nodes
    by: list[_Arc | None] = [None] * nodes
    last = -1
    for _ in range(nodes + 1):
        last = -1
        for arc in arcs:
            reached = far[arc.source] + arc.latency - mean * arc.items
            if reached > far[arc.target]:
                far[arc.target], by[arc.target], last = reached, arc, arc.target
        if last < 0:
            return None
    at = last
    for _ in range(nodes):
        arc_in = by[at]
        assert arc_in is not None  # a node that still rises has a way that leads to it
        at = arc_in.source
    cycle: list[_Arc] = []
    node = at
    while not cycle or node != at:
        arc_in = by[node]
        assert arc_in is not None
        cycle.append(arc_in)
        node = arc_in.source
    return cycle[::-1]
