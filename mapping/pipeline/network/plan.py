"""A network laid out on a board: parallelism of every operator, stages and FIFOs with their depths, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from typing import Literal

from neuromorph.errors import MappingError

from ...readable import many
from ..balance import Budget, balance
from ..board import Board
from ..depths import smallest_depths
from ..design import Parallel
from ..graph import StageGraph
from ..resources import Resources, resources
from ..simulate import simulate
from ..timing import Timing
from .bound import Bound, bound
from .design import NetworkDesign

MORE = 4
"""Items that are simulated beyond those that fill the pipeline, and over which an interval is taken, at least."""

Depths = Mapping[str, int] | Literal["smallest"] | None
"""Of FIFOs by name, the smallest that keep the interval, or the design's own."""


@dataclass(frozen=True)
class Aim:
    """What a layout is made for.

    Attributes
    ----------
    parallel : mapping of operator to Parallel
        Operators that have no choice.
    interval : int, optional
        Cycles from step to step, at most; None: as few as fit.
    budget : Budget, optional
        What it may take of the board.
    depths : mapping of FIFO to int, "smallest", or None
    """

    parallel: Mapping[str, Parallel] = field(default_factory=dict)
    interval: int | None = None
    budget: Budget | None = None
    depths: Depths = None


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


def plan_network(design: NetworkDesign, board: Board, aim: Aim) -> Plan:
    """Lay a network out.

    Raises
    ------
    MappingError
        It does not fit, naming what is short; an operator or FIFO that it does not have; FIFOs with which it comes to
        a standstill; or a loop that cannot be as fast as was asked for.
    """
    parallel = dict(aim.parallel)
    if not set(parallel) >= set(design.operator):
        design, parallel = _chosen(design.fixed(parallel), board, aim)
    depths = {} if aim.depths is None or isinstance(aim.depths, str) else aim.depths
    made = _plan(design, parallel, board, depths)
    if aim.depths == "smallest":
        made = _smallest(made)
    made.resources.check()
    if depths:
        _ = made.timing  # which tells by name of FIFOs that are too shallow to go on
    return made


def _plan(design: NetworkDesign, parallel: Mapping[str, Parallel], board: Board, depths: Mapping[str, int]) -> Plan:
    return Plan(design, parallel, design.graph(parallel, depths), resources(design, parallel, board, depths))


def _chosen(design: NetworkDesign, board: Board, aim: Aim) -> tuple[NetworkDesign, dict[str, Parallel]]:
    """Balanced operators; where a loop is slower than every stage, the others are as slow as the loop allows."""
    wanted = trips = aim.interval
    found = balance(design, board, wanted, aim.budget)
    known = bound(design.graph(found.parallel))
    while wanted is not None and trips is not None and known.loop > wanted:
        trips = min(trips - 1, max(1, int(trips * wanted / known.loop)))
        try:
            found = balance(design, board, trips, aim.budget)
        except MappingError as error:
            raise MappingError(
                f"{design.name} on {board.name}: a step every {wanted:,} cycles is asked for, and the loop "
                f"{' -> '.join(known.around)} needs {float(known.loop):,.10g}; ask for that, or make operators of the "
                "loop more parallel",
                interval=wanted,
            ) from error
        known = bound(design.graph(found.parallel))
    pace = wanted or int(known.loop)
    if known.loop and pace > found.interval:
        inside = {name: found.parallel[name] for name in design.looped}
        design = replace(design.fixed(inside | dict(aim.parallel)), pace=pace)
        found = balance(design, board, pace, aim.budget)
    return design, dict(found.parallel)


def _smallest(plan: Plan) -> Plan:
    """With depths that keep the interval, none of which can be lowered alone.

    Raises
    ------
    MappingError
        None were found: what was found for some items is slower for more of them.
    """
    found = smallest_depths(plan.graph, max(plan.interval, plan.bound.stage), items=plan.timing.items)
    return _plan(plan.design, plan.parallel, plan.board, found.depths)
