"""A network laid out on a board: operators with their parallelism, stages and FIFOs, and how fast they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from ...readable import many
from ..board import Board
from ..design import Parallel
from ..graph import StageGraph
from ..resources import Resources
from ..simulate import simulate
from ..timing import Timing
from .bound import Bound, bound
from .design import NetworkDesign

MORE = 4
"""Items that are simulated beyond those that fill the pipeline, and over which an interval is taken, at least."""


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """A network laid out.

    Attributes
    ----------
    design : NetworkDesign
        Operators, and the stage graphs that choices give.
    parallel : mapping of operator to Parallel
    graph : StageGraph
        Stages and FIFOs.
    resources : Resources
        What it takes of the board.
    """

    design: NetworkDesign
    parallel: Mapping[str, Parallel]
    graph: StageGraph
    resources: Resources

    @property
    def board(self) -> Board:
        """The board that it is laid out for."""
        return self.resources.board

    @cached_property
    def bound(self) -> Bound:
        """Closed form: slowest stage, or the mean of a loop."""
        return bound(self.graph)

    @cached_property
    def timing(self) -> Timing:
        """An exact run of the stages and FIFOs, of as many items as fill them and a few more."""
        held = [-(-fifo.initial // self.graph.tokens(fifo.name)) for fifo in self.graph.fifos]
        on_the_way = ceil(max(self.design.arrivals(self.parallel), default=0) / self.bound.interval)
        return simulate(self.graph, 2 * (on_the_way + max(held, default=0)) + MORE + self._period)

    @cached_property
    def interval(self) -> float:
        """Simulated cycles from item to item, of the slowest part where nothing joins some of them."""
        end, over = self.timing.end, self._period
        return float((end[:, -1] - end[:, -1 - over]).max()) / over

    def __repr__(self) -> str:
        stages, fifos = len(self.graph.stages), len(self.graph.fifos)
        return f"<Plan of {self.design.name} on {self.board.name}: {many(stages, 'stage')}, {many(fifos, 'FIFO')}>"

    @property
    def _period(self) -> int:
        """Items over which an interval is taken: as many as times repeat after, some times over."""
        return self.bound.items * -(-MORE // self.bound.items)
