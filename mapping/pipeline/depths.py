"""The smallest FIFO depths that keep an interval, found with the simulator."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuromorph.errors import MappingError
from neuromorph.progress import Progress, progress_for

from .deadlock import DeadlockError
from .graph import Fifo, StageGraph
from .simulate import closed, rooms, simulate
from .timing import RULES, Rules, Timing

DOUBLINGS = 3
"""How often the items of a run are doubled, at most, where fewer do not show the steady state."""


@dataclass(frozen=True)
class SmallestDepths:
    """FIFO depths of which none can be lowered alone.

    Attributes
    ----------
    graph : StageGraph
        With these depths.
    depths : mapping of str to int
        Of every FIFO between two stages.
    interval : float
        That the graph has with them.
    target : float
        That had to be kept.
    bits_before, bits : int
        Of all FIFOs: as deep as the graph came, and now.
    runs : int
        Runs of the simulator that it took.
    items : int
        Items of the last of them, which confirmed the interval.
    """

    graph: StageGraph = field(repr=False)
    depths: Mapping[str, int] = field(repr=False)
    interval: float
    target: float
    bits_before: int
    bits: int
    runs: int
    items: int

    @property
    def saved(self) -> int:
        """Bits that the new depths save; negative if the graph had been too shallow for the interval."""
        return self.bits_before - self.bits


def smallest_depths(
    graph: StageGraph,
    interval: float | None = None,
    *,
    items: int = 3,
    resolution: int = 1,
    alike: bool = True,
    keep: Iterable[str] = (),
    rules: Rules = RULES,
    progress: bool | Progress = False,
) -> SmallestDepths:
    """Make FIFOs as shallow as an interval allows.

    Items run with FIFOs that never fill, and with the graph's own depths if those do as well; the search begins with
    what they held at most. Then many FIFOs at once are made as shallow as they can be, and where that slows the
    pipeline or stops it, half of them, down to single ones, which are bisected; the largest come first. A pipeline
    never gets faster from a shallower FIFO, so in the end none of the depths can be lowered alone. That is a minimum,
    but not the only one: another order may trade one FIFO for another. What was found must also hold for twice the
    items; if it does not, and if items have not become even with FIFOs that never fill, all is done with twice as many.

    Parameters
    ----------
    graph : StageGraph
    interval : float, optional
        Cycles from item to item, at most; by default what the pipeline has with FIFOs that never fill.
    items : int
        Items of each run to begin with, at least 2.
    resolution : int
        Tokens within which a depth is the smallest, at least 1; of a shallow FIFO an eighth of its depth.
    alike : bool
        FIFOs between stages of equal loops, whose names differ in numbers only (heads, blocks), stay equally deep.
    keep : iterable of str
        FIFOs that are left as they are.
    rules : Rules
        How stages and FIFOs behave.
    progress : bool or Progress
        True: a bar on a terminal.

    Raises
    ------
    MappingError
        A parameter out of its range, a FIFO in ``keep`` that is not there, an interval that no depth gives, or items
        whose distances go on changing, so that depths found for some do not hold for more of them.
    """
    if items < 2 or resolution < 1:
        raise MappingError(
            f"smallest depths of {graph.name!r}: {items} items and a resolution of {resolution}; at least 2 and 1",
            items=items,
            resolution=resolution,
        )
    fixed = set(keep)
    for name in fixed:
        if name not in graph.fifo:
            raise MappingError(f"smallest depths of {graph.name!r}: there is no FIFO {name!r}", name=name)
    with progress_for(progress) as report:
        report.stage(f"FIFOs of {graph.name}")
        search = _Search(graph, items, rules, report)
        return search.result(interval, _groups(graph, fixed, alike), resolution)


def depth_tradeoff(
    graph: StageGraph, slower: Sequence[float] = (1.0, 1.1, 1.25, 1.5, 2.0), **options: Any
) -> tuple[SmallestDepths, ...]:
    """Memory of FIFOs against the interval: the smallest depths at several multiples of the best one.

    Parameters
    ----------
    graph : StageGraph
    slower : sequence of float
        Intervals, as multiples of what the pipeline has with FIFOs that never fill; at least 1.
    **options
        As of :func:`smallest_depths`.

    Raises
    ------
    MappingError
        As :func:`smallest_depths`; a multiple below 1.
    """
    if any(factor < 1 for factor in slower):
        raise MappingError(f"depth tradeoff of {graph.name!r}: multiples {tuple(slower)}; each is at least 1")
    best = smallest_depths(graph, **options)
    return tuple(
        best if factor == 1 else smallest_depths(best.graph, int(best.target * factor), **options) for factor in slower
    )


class _Search:
    """The depths found so far, and the runs that it took."""

    def __init__(self, graph: StageGraph, items: int, rules: Rules, report: Progress) -> None:
        self.graph, self.items, self.rules, self.report = graph, items, rules, report
        self.runs = 0
        self.target = self.reached = 0.0
        self.depths: dict[str, int] = {}
        self.timing: Timing | None = None

    def result(self, interval: float | None, groups: Sequence[Sequence[Fifo]], resolution: int) -> SmallestDepths:
        """Search; see :func:`smallest_depths`."""
        for more in range(DOUBLINGS + 1):
            self._begin(interval, groups, last=more == DOUBLINGS)
            order = sorted(groups, key=lambda group: -sum(self.depths[fifo.name] * fifo.bits for fifo in group))
            self._lower(order, resolution)
            self._double()
            timing = self._run(self.depths)
            if timing is not None and timing.interval <= self.target:
                self.reached = timing.interval
                break
        else:
            raise MappingError(
                f"smallest depths of {self.graph.name!r}: what keeps an interval of {self.target:,.10g} cycles over "
                f"{self.items // 2} items does not over {self.items}; give it more items, or depths as numbers",
                interval=self.target,
                items=self.items,
            )
        found = self.graph.with_depths(self.depths)
        return SmallestDepths(
            found,
            {fifo.name: fifo.depth for fifo in found.fifos if fifo.name in found.writer and fifo.name in found.reader},
            self.reached,
            self.target,
            _bits(self.graph),
            _bits(found),
            self.runs,
            self.items,
        )

    def _double(self) -> None:
        """Run twice as many items from now on."""
        self.items *= 2
        self.timing = None

    def _free(self, groups: Sequence[Sequence[Fifo]]) -> tuple[dict[str, int], Timing]:
        """Depths that never fill, and a run with them."""
        deep = {
            fifo.name: max(fifo.depth, fifo.initial + self.items * self.graph.tokens(fifo.name))
            for group in groups
            for fifo in group
        }
        free = self._run(deep)
        assert free is not None  # FIFOs that hold every token of the run cannot be full
        return deep, free

    def _begin(self, interval: float | None, groups: Sequence[Sequence[Fifo]], *, last: bool) -> None:
        """Depths that keep the interval: what FIFOs held with the graph's own depths, or if they never fill."""
        deep, free = self._free(groups)
        for _ in range(0 if last or interval is not None else DOUBLINGS):
            if free.settled:
                break
            self._double()
            deep, free = self._free(groups)
        self.target = free.interval if interval is None else interval
        if free.interval > self.target:
            raise MappingError(
                f"smallest depths of {self.graph.name!r}: an interval of {self.target:,.10g} cycles; with FIFOs that "
                f"never fill it is {free.interval:,.10g}",
                interval=self.target,
                shortest=free.interval,
            )
        own = {name: self.graph.fifo[name].depth for name in deep}
        timing = self._run(own)
        enough, start = (own, timing) if timing is not None and timing.interval <= self.target else (deep, free)
        for places in (0, 1, 2):  # most that was held, at the end of a cycle; within one it can have been more
            held = self._held(start, groups, places)
            timing = self._run(held)
            if timing is not None and timing.interval <= self.target:
                enough, start = held, timing
                break
        self.depths, self.reached = enough, start.interval

    def _held(self, timing: Timing, groups: Sequence[Sequence[Fifo]], more: int) -> dict[str, int]:
        """What FIFOs of a run held beyond their register places, and some places more."""
        whole = closed(self.graph)
        places = {name: room - whole.fifo[name].depth for name, room in rooms(whole, self.rules).items()}
        return {
            fifo.name: depth
            for group in groups
            for depth in [max(max(timing.peaks[one.name] + more - places[one.name], _least(one)) for one in group)]
            for fifo in group
        }

    def _lower(self, groups: Sequence[Sequence[Fifo]], resolution: int) -> None:
        """As shallow as can be, all together, or halves of them, or one bisected."""
        open_groups = [group for group in groups if self.depths[group[0].name] > _least(group[0])]
        if not open_groups or self._try({fifo.name: _least(fifo) for group in open_groups for fifo in group}):
            return
        if len(open_groups) > 1:
            middle = (len(open_groups) + 1) // 2
            self._lower(open_groups[:middle], resolution)
            self._lower(open_groups[middle:], resolution)
            return
        group = open_groups[0]
        low, high = _least(group[0]), self.depths[group[0].name]
        while high - low > min(resolution, max(1, high // 8)):
            middle = (low + high) // 2
            if self._try({fifo.name: middle for fifo in group}):
                high = middle
            else:
                low = middle

    def _try(self, depths: Mapping[str, int]) -> bool:
        """Take other depths if they keep the interval."""
        timing = self._run({**self.depths, **depths})
        if timing is None or timing.interval > self.target:
            return False
        self.depths.update(depths)
        self.reached = timing.interval
        return True

    def _run(self, depths: Mapping[str, int]) -> Timing | None:
        """A run, or None if it deadlocks."""
        self.runs += 1
        self.report.advance()
        try:
            if self.timing is not None:
                return self.timing.retime(depths)
            self.timing = simulate(self.graph.with_depths(depths), self.items, self.rules)
        except DeadlockError:
            return None
        return self.timing


def _least(fifo: Fifo) -> int:
    return max(1, fifo.grain, fifo.initial)


def _groups(graph: StageGraph, fixed: set[str], alike: bool) -> list[list[Fifo]]:
    """FIFOs between two stages that get one depth."""
    groups: dict[object, list[Fifo]] = {}
    for fifo in graph.fifos:
        if fifo.name in fixed or fifo.name not in graph.writer or fifo.name not in graph.reader:
            continue
        writer, reader = graph.writer[fifo.name], graph.reader[fifo.name]
        key = (
            re.sub(r"\d+", "#", fifo.name),
            (writer.loops, writer.outputs.index(fifo.name)) if len(writer.outputs) == 1 else writer.loops,
            (reader.loops, reader.inputs.index(fifo.name)),
            (fifo.bits, fifo.grain, fifo.initial),
        )
        groups.setdefault(key if alike else fifo.name, []).append(fifo)
    return list(groups.values())


def _bits(graph: StageGraph) -> int:
    return sum(fifo.depth * fifo.bits for fifo in graph.fifos)
