"""What a pipeline takes, at once: interval, bottleneck, first item, and how busy each stage and operator is.

Nothing is simulated here. FIFOs are taken to be deep enough, so that nothing waits for room, and the tokens of an item
to come evenly between its first and its last. :func:`~neuromorph.mapping.pipeline.simulate.simulate` is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from neuromorph.errors import MappingError

from .graph import Stage, StageGraph


@dataclass(frozen=True, slots=True)
class StageForm:
    """One stage by its closed form.

    Attributes
    ----------
    name, operator, part_of, block : str
        As in :class:`Stage`.
    trips : int
        Cycles an item if it never waits.
    utilisation : float
        Of the interval.
    first_out, last_out : int
        When the first and the last token of the first item leave, in cycles since its first token came in.
    """

    name: str
    operator: str
    part_of: str
    block: str
    trips: int
    utilisation: float
    first_out: int
    last_out: int


@dataclass(frozen=True, slots=True)
class OperatorForm:
    """One operator of the design, all its stages together.

    Attributes
    ----------
    name, block : str
    trips : int
        Cycles an item: of the stages that multiply, or of the slowest where none does.
    multipliers, products : int
        Products in a cycle, and an item.
    utilisation : float
        ``trips`` over the interval.
    """

    name: str
    block: str
    trips: int
    multipliers: int
    products: int
    utilisation: float


@dataclass(frozen=True)
class ClosedForm:
    """A pipeline by its closed forms.

    Attributes
    ----------
    name : str
    stages : tuple of StageForm
    operators : tuple of OperatorForm
    fill : int
        First item, the rule of thumb: the slowest stage of the first block, of each block with a stage that must see
        all of an input before it writes, and of the last block, one after the other.
    first_out, latency : int
        First item, first token in to first and last token out, stage by stage, in pipelines where what has entered
        moves on by itself.
    coarse : int
        The same if every operator waited for all of the one before: the longest path through the operators, without
        those that work token by token.
    """

    name: str
    stages: tuple[StageForm, ...]
    operators: tuple[OperatorForm, ...]
    fill: int
    first_out: int
    latency: int
    coarse: int

    @property
    def interval(self) -> int:
        """Cycles from item to item: of the slowest stage."""
        return self.bottleneck.trips

    @cached_property
    def bottleneck(self) -> StageForm:
        """The slowest stage, the first of them."""
        return max(self.stages, key=lambda stage: stage.trips)

    @cached_property
    def multipliers(self) -> int:
        """Products in a cycle."""
        return sum(operator.multipliers for operator in self.operators)

    @cached_property
    def products(self) -> int:
        """Products an item."""
        return sum(operator.products for operator in self.operators)

    @property
    def utilisation(self) -> float:
        """Share of the multipliers' cycles that make a product; 0 of a pipeline without any."""
        return self.products / (self.multipliers * self.interval) if self.multipliers else 0.0

    def rate(self, clock: float) -> float:
        """Items a second at a clock in Hz."""
        return clock / self.interval


def closed_form(graph: StageGraph) -> ClosedForm:
    """Interval, bottleneck, first item and utilisation of a pipeline, without running it.

    Parameters
    ----------
    graph : StageGraph

    Returns
    -------
    ClosedForm

    Raises
    ------
    MappingError
        If stages wait for one another in a circle that no FIFO with initial tokens opens.

    Notes
    -----
    A circle of stages can make the interval longer than its slowest stage: what one item needs of the one before it is
    not looked at here.
    """
    order = _in_order(graph)
    interval = max(stage.trips for stage in graph.stages)
    times = _arrivals(graph, order, None)
    stages = tuple(
        StageForm(
            stage.name,
            stage.operator,
            stage.part_of,
            stage.block,
            stage.trips,
            stage.trips / interval,
            *_spread(times[name] for name in stage.outputs),
        )
        for stage in graph.stages
    )
    operators = _operators(graph, interval)
    first, last = _spread(times[name] for name in graph.outputs)
    return ClosedForm(graph.name, stages, operators, _fill(graph), first, last, _coarse(graph, order))


def arrivals(graph: StageGraph) -> dict[str, tuple[int, int]]:
    """When the first and the last token of an item are in each FIFO while items come at the pipeline's interval.

    Tokens come in evenly over the interval, and a pipeline moves as fast as its stage has something to do: what is in
    flight waits for what follows. A FIFO whose reader waits for something else holds what comes in until then: of its
    tokens the share that this is of an interval.

    Returns
    -------
    dict of str to (int, int)
        Cycles since the item's first token came in, by FIFO.

    Raises
    ------
    MappingError
        As :func:`closed_form`.
    """
    return _arrivals(graph, _in_order(graph), max(stage.trips for stage in graph.stages))


def _spread(times: Iterable[tuple[int, int]]) -> tuple[int, int]:
    found = list(times) or [(0, 0)]
    return min(first for first, _ in found), max(last for _, last in found)


def _in_order(graph: StageGraph) -> list[Stage]:
    """Stages after those that they read from, but for FIFOs with initial tokens."""
    needs: dict[str, list[str]] = {stage.name: [] for stage in graph.stages}
    for name, reader in graph.reader.items():
        if name in graph.writer and not graph.fifo[name].initial:
            needs[reader.name].append(graph.writer[name].name)
    try:
        return [graph.stage[name] for name in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise MappingError(
            f"pipeline {graph.name!r}: stages wait for one another, {circle}; give a FIFO of the circle initial tokens",
            name=graph.name,
        ) from error


def _operators(graph: StageGraph, interval: int) -> tuple[OperatorForm, ...]:
    parts: dict[str, list[Stage]] = {}
    for stage in graph.stages:
        parts.setdefault(stage.part_of, []).append(stage)
    found = []
    for name, stages in parts.items():
        trips = max(stage.trips for stage in [one for one in stages if one.multipliers] or stages)
        found.append(
            OperatorForm(
                name,
                stages[0].block,
                trips,
                sum(stage.multipliers for stage in stages),
                sum(stage.products for stage in stages),
                trips / interval,
            )
        )
    return tuple(found)


def _fill(graph: StageGraph) -> int:
    slowest: dict[str, int] = {}
    waits: set[str] = {graph.stages[0].block, graph.stages[-1].block}
    for stage in graph.stages:
        slowest[stage.block] = max(slowest.get(stage.block, 0), stage.trips)
        if _holds(stage):
            waits.add(stage.block)
    return sum(trips for block, trips in slowest.items() if block in waits)


def _holds(stage: Stage) -> bool:
    """Whether a stage reads all tokens of an input before it writes anything."""
    if not stage.outputs:
        return False
    steps = _Steps(stage)
    begin = min(steps.first(position, output=True) for position in range(len(stage.outputs)))
    return any(
        stage.tokens(position, output=False) > 1 and steps.last(position, output=False) < begin
        for position in range(len(stage.inputs))
    )


def _coarse(graph: StageGraph, order: list[Stage]) -> int:
    """The longest path through the stages that multiply, or of operators that do not, go over a row once more."""
    multiply = {stage.part_of for stage in graph.stages if stage.multipliers}
    done: dict[str, int] = {}
    for stage in order:
        counts = stage.multipliers > 0 if stage.part_of in multiply else _passes(stage)
        before = (
            done[graph.writer[name].name]
            for name in stage.inputs
            if name in graph.writer and graph.writer[name].name in done
        )
        done[stage.name] = max(before, default=0) + (stage.trips if counts else 0)
    return max(done.values())


def _passes(stage: Stage) -> bool:
    """Whether some of a stage's iterations neither read nor write: it works on what it holds."""
    return any(not run.reads and not run.writes for one in stage.loops for run in one.runs)


@dataclass(frozen=True, slots=True)
class _Span:
    """A run in all repeats of its loop: ``count`` iterations from ``offset`` on, again every ``length`` cycles."""

    offset: int
    count: int
    repeats: int
    length: int
    interval: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]


class _Steps:
    """When the iterations of a stage that never waits read and write, in cycles since it began an item."""

    def __init__(self, stage: Stage) -> None:
        self._spans: list[_Span] = []
        begin = 0
        for one in stage.loops:
            length = one.trips // one.repeats * one.interval
            offset = begin
            for run in one.runs:
                self._spans.append(_Span(offset, run.count, one.repeats, length, one.interval, run.reads, run.writes))
                offset += run.count * one.interval
            begin += length * one.repeats + one.depth - 1
        self.depth = max(one.depth for one in stage.loops)

    def first(self, position: int, *, output: bool) -> int:
        """Cycle of the first read or write."""
        return min(span.offset for span in self._of(position, output=output))

    def last(self, position: int, *, output: bool) -> int:
        """Cycle of the last read or write."""
        return max(
            span.offset + (span.repeats - 1) * span.length + (span.count - 1) * span.interval
            for span in self._of(position, output=output)
        )

    def until(self, position: int, cycle: int) -> tuple[int, int]:
        """Tokens that are read up to a cycle, and the cycle of the last of them; 0 and 0 of none."""
        tokens, at = 0, 0
        for span in self._of(position, output=False):
            if span.offset > cycle:
                continue
            full = min((cycle - span.offset) // span.length, span.repeats - 1)
            begin = span.offset + full * span.length
            some = min((cycle - begin) // span.interval + 1, span.count)
            tokens += full * span.count + some
            at = max(at, begin + (some - 1) * span.interval)
        return tokens, at

    def _of(self, position: int, *, output: bool) -> list[_Span]:
        return [span for span in self._spans if position in (span.writes if output else span.reads)]


def _arrivals(graph: StageGraph, order: list[Stage], interval: int | None) -> dict[str, tuple[int, int]]:
    """When the first and the last token of the first item are in each FIFO, or of any at that interval."""
    times = {name: (0, (interval or graph.tokens(name)) - 1) for name in graph.inputs}
    times |= {fifo.name: (0, 0) for fifo in graph.fifos if fifo.initial}
    for stage in order:
        steps = _Steps(stage)
        depth = steps.depth * (interval or stage.trips) // stage.trips
        known = [(p, *times[name], graph.tokens(name)) for p, name in enumerate(stage.inputs)]
        for position, name in enumerate(stage.outputs):
            begin, end = steps.first(position, output=True), steps.last(position, output=True)
            early = late = 0
            for p, first, last, tokens in known:
                start = first - steps.first(p, output=False)
                early, late = max(early, start), max(late, start)
                for cycle in (begin, end):
                    read, at = steps.until(p, cycle)
                    if not read:
                        continue
                    shift = first + (read - 1) * (last - first) // max(tokens - 1, 1) - at
                    late = max(late, shift)
                    if cycle == begin:
                        early = max(early, shift)
            left = early + begin + depth
            times.setdefault(name, (left, max(left + end - begin, late + end + depth)))
    return times
