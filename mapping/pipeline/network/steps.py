"""Cycles of every step: operators that overlap, or one layer after the other; with work that the events decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from neuromorph.errors import MappingError

from ..design import Parallel
from .design import NetworkDesign, depths_of

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StepTimes:
    """When each operator has done each step, if steps are handed over whole.

    Attributes
    ----------
    operators : tuple of str
    begin : int64 (steps, operators)
    ready : int64 (steps, operators)
        When all that it brings has left its pipeline.
    """

    operators: tuple[str, ...]
    begin: Ints
    ready: Ints

    @property
    def cycles(self) -> int:
        """From the first step's begin to the last one's end."""
        return int(self.ready.max(initial=0))

    @property
    def interval(self) -> float:
        """Cycles from step to step on average, the filling of the pipeline left out."""
        ends = self.ready.max(axis=1)
        return float(ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else float(self.cycles)

    @property
    def latency(self) -> float:
        """Cycles from a step's first begin to its last end on average."""
        return float(self._latencies.mean()) if len(self.ready) else 0.0

    @property
    def first(self) -> float:
        """The same of the first step."""
        return float(self._latencies[0]) if len(self.ready) else 0.0

    @property
    def _latencies(self) -> Ints:
        return np.asarray(self.ready.max(axis=1) - self.begin.min(axis=1))


def works(design: NetworkDesign, parallel: Mapping[str, Parallel], counted: Ints | None, steps: int) -> Ints:
    """Cycles that each operator is busy in each step, int64 (steps, operators): populations, then products.

    Parameters
    ----------
    counted : int64 (steps, products), optional
        Rounds of every product, each of which adds one group of weights to the sums of its outputs, as the events of
        that step ask for (:func:`rounds`). None: products go through all their weights.
    """
    design.check(parallel)
    busy = np.empty((steps, len(design.operators)), np.int64)
    for k, operator in enumerate(design.operators):
        busy[:, k] = operator.trips(parallel[operator.name])
    first = len(design.neurons)
    for k, each in enumerate(design.products):
        operator = design.operators[first + k]
        chosen = parallel[operator.name]
        out = operator.tokens // chosen.tokens * (operator.outputs // chosen.outputs)
        if counted is not None:
            busy[:, first + k] = counted[:, k] + out
        elif each.form != "dense":
            words = design.sizes[each.pre] // parallel[design.names[0][each.pre]].inputs
            busy[:, first + k] = np.maximum(busy[:, first + k], words)
    return busy


def rounds(design: NetworkDesign, parallel: Mapping[str, Parallel], k: int, counted: Ints) -> Ints:
    """Rounds of product ``k`` in each step from what was counted, events of a matrix or rounds of single events."""
    operator = design.operators[len(design.neurons) + k]
    chosen = parallel[operator.name]
    if design.products[k].form == "dense":
        return -(-counted // chosen.inputs) * (operator.outputs // chosen.outputs)
    return counted


def event_work(design: NetworkDesign, parallel: Mapping[str, Parallel], k: int) -> npt.NDArray[np.int32] | None:
    """Rounds that an event of each source takes in product ``k``; None if they are alike, as in a matrix."""
    if design.products[k].form == "dense":
        return None
    chosen = parallel[design.names[1][k]]
    lanes = chosen.tokens * chosen.inputs * chosen.outputs
    return (-(-design.products[k].rows // lanes)).astype(np.int32)


def overlapped(design: NetworkDesign, parallel: Mapping[str, Parallel], busy: Ints) -> StepTimes:
    """Every operator begins a step as soon as it is free, its inputs are there, and there is room for its outputs.

    Steps are handed over whole, through buffers of as many steps as the stage graph's FIFOs have: times are bounds from
    above where words stream.
    """
    first = len(design.neurons)
    arcs: list[tuple[int, int, int]] = []
    room = design.room(parallel)
    for k, each in enumerate(design.products):
        kept = design.order.kept(each.link)
        arcs.append((each.pre, first + k, kept))
        arcs.append((first + k, each.post, 0))
        arcs.append((first + k, each.pre, room[k]))  # which waits for the product to have taken what is in its way
        arcs.append((each.post, first + k, 2))  # sums of one step wait while the next ones are made
    return _evaluated(design, busy, arcs)


def _evaluated(design: NetworkDesign, busy: Ints, arcs: list[tuple[int, int, int]]) -> StepTimes:
    names = tuple(operator.name for operator in design.operators)
    sequence = _sequence(len(names), arcs)
    place = {node: n for n, node in enumerate(sequence)}
    table = np.array(sorted(arcs, key=lambda arc: place[arc[1]]) or np.zeros((0, 3)), np.int64)
    counts = np.bincount(table[:, 1], minlength=len(names)) if len(table) else np.zeros(len(names), np.int64)
    pointers = np.concatenate([[0], np.cumsum(counts[sequence])]).astype(np.int64)
    begin, ready = np.zeros_like(busy), np.zeros_like(busy)
    _max_plus(np.array(sequence, np.int64), pointers, table, busy, _depths(design), begin, ready)
    return StepTimes(names, begin, ready)


def one_by_one(design: NetworkDesign, busy: Ints) -> StepTimes:
    """One layer after the other, the next step when all are done: a population, then the products that it feeds."""
    depth = _depths(design)
    first = len(design.neurons)
    begin, ready = np.zeros_like(busy), np.zeros_like(busy)
    spent = np.zeros(len(busy), np.int64)
    level = design.order.level
    for k in sorted(range(first), key=lambda k: (level[design.order.group_of[k]], k)):
        fed = [first + q for q, each in enumerate(design.products) if each.post == k]
        begin[:, fed] = spent[:, None]
        ready[:, fed] = spent[:, None] + busy[:, fed] + depth[fed]
        spent = ready[:, fed].max(axis=1, initial=0) if fed else spent
        begin[:, k] = spent
        spent = ready[:, k] = spent + busy[:, k] + depth[k]
    start = np.concatenate([[0], np.cumsum(spent)[:-1]])[:, None] if len(spent) else spent[:, None]
    return StepTimes(tuple(operator.name for operator in design.operators), begin + start, ready + start)


def _depths(design: NetworkDesign) -> Ints:
    own = [each.depth for each in design.neurons]
    return np.array([*own, *(depths_of("gather") for _ in design.products)], np.int64)


def _sequence(nodes: int, arcs: list[tuple[int, int, int]]) -> list[int]:
    """An order in which every operator comes after those whose same step it needs.

    Raises
    ------
    MappingError
        There is none.
    """
    before: list[set[int]] = [set() for _ in range(nodes)]
    for source, target, lag in arcs:
        if lag == 0:
            before[target].add(source)
    left, done = list(range(nodes)), list[int]()
    while left:
        now = [node for node in left if before[node] <= set(done)]
        if not now:
            raise MappingError("operators of a pipeline need one another's same step; give a projection a delay")
        done += now
        left = [node for node in left if node not in set(now)]
    return done


@njit(cache=True, error_model="numpy")
def _max_plus(sequence, pointers, arcs, busy, depth, begin, ready):  # type: ignore[no-untyped-def]
    """begin = the latest of: free again, and ready of each arc's source so many steps before; in order of steps."""
    for step in range(busy.shape[0]):
        for place in range(len(sequence)):
            node = sequence[place]
            at = begin[step - 1, node] + busy[step - 1, node] if step else 0
            for k in range(pointers[place], pointers[place + 1]):
                earlier = step - arcs[k, 2]
                if earlier >= 0:
                    at = max(at, ready[earlier, arcs[k, 0]])
            begin[step, node] = at
            ready[step, node] = at + busy[step, node] + depth[node]
