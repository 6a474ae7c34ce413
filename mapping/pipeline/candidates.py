"""What operators can choose from, and about what each choice takes; whole designs are counted in their stage graphs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .arithmetic import logic
from .board import Board
from .design import PRODUCTS, Design, Operator, Parallel
from .graph import StageGraph
from .placement import EXCESS, UNBOUNDED, Part, placed
from .resources import Resources, Styles, bill
from .solver import Rows, solve
from .storage import Cost, Place, memory_cost, memory_places, total_cost


@dataclass(frozen=True)
class Taken:
    """A whole design as counted.

    Attributes
    ----------
    resources : Resources
    trips : int
        Of the busiest stage.
    busiest : mapping of str to (int, str)
        Trips and name of the busiest stage of each operator.
    costs, moves : mapping of str to NDArray[np.float64]
        Of each operator: (resources,) what it takes with memories where the styles have them, and (moves, resources) by
        how much more if those of one kind are elsewhere.
    """

    resources: Resources
    trips: int
    busiest: Mapping[str, tuple[int, str]]
    costs: Mapping[str, NDArray[np.float64]]
    moves: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Options:
    """The choices of operators of one kind.

    Attributes
    ----------
    names : tuple of str
        The operators.
    choices : tuple of Parallel
        The least parallel first.
    own_trips, trips : NDArray[np.int64]
        (choices,) cycles an item of the operator itself, and of the busiest of its stages, as far as is known.
    estimates, off : NDArray[np.float64]
        (choices, resources) about what one operator takes, in the order of :class:`Cost`, and by how much more it was.
    moves : NDArray[np.float64]
        (choices, moves, resources) by how much more one operator takes if its memories of one kind are in another
        place, in the order of :data:`MOVES`.
    counted : NDArray[np.bool_]
        (choices,) which were counted.
    """

    names: tuple[str, ...]
    choices: tuple[Parallel, ...]
    own_trips: NDArray[np.int64]
    trips: NDArray[np.int64]
    estimates: NDArray[np.float64]
    off: NDArray[np.float64]
    moves: NDArray[np.float64]
    counted: NDArray[np.bool_]

    def learn(self, choice: Parallel, trips: int, cost: NDArray[np.float64], moves: NDArray[np.float64]) -> None:
        """Take over what was counted; other estimates are off by as much as that of the next one that was counted."""
        at = self.choices.index(choice)
        self.off[at], self.moves[at], self.counted[at] = cost - self.estimates[at], moves, True
        self.trips[at] = max(self.trips[at], trips)
        known = np.flatnonzero(self.counted)
        lanes = np.log([one.tokens * one.inputs * one.outputs for one in self.choices])
        next_known = known[np.abs(lanes[:, None] - lanes[known]).argmin(axis=1)]
        self.off[~self.counted] = self.off[next_known][~self.counted]
        self.moves[~self.counted, WEIGHTS:] = self.moves[next_known, WEIGHTS:][~self.counted]

    @property
    def costs(self) -> NDArray[np.float64]:
        """(choices, resources) what one operator takes, as counted in the last design that had the choice, or about."""
        return np.maximum(self.estimates + self.off, 0)


@dataclass
class Candidates:
    """The choices of a design's operators for one tile of rows.

    Attributes
    ----------
    design : Design
    board : Board
    tile : int
        Rows that all operators work on together, as far as they have choices with so many.
    styles : Styles
    limit : Cost
        What designs have to fit into: memories are placed so that they do, if they can.
    """

    design: Design
    board: Board
    tile: int
    styles: Styles
    limit: Cost
    _taken: dict[tuple[Parallel, ...], Taken] = field(default_factory=dict, repr=False)
    _rest: Cost = field(default_factory=Cost, repr=False)

    @staticmethod
    def of(design: Design, board: Board, styles: Styles, limit: Cost) -> list[Candidates]:
        """One for each number of rows that operators can share; one without choices of so many takes what it has."""
        tiles = {choice.tokens for operator in design.operators for choice in design.choices(operator)}
        every = [Candidates(design, board, tile, styles, limit) for tile in sorted(tiles)]
        if not every:
            raise MappingError(f"{design.name} has no operators, or none with a choice", name=design.name)
        return list({tuple(kind.choices for kind in one.kinds): one for one in every}.values())

    @cached_property
    def kinds(self) -> tuple[Options, ...]:
        """Operators of equal shape whose names differ in numbers only choose together."""
        groups: dict[Operator, list[Operator]] = {}
        for operator in self.design.operators:
            shape = replace(operator, name=re.sub(r"\d+", "#", operator.name), block="")
            groups.setdefault(shape, []).append(operator)
        return tuple(self._options(group) for group in groups.values())

    def _options(self, operators: list[Operator]) -> Options:
        first = operators[0]
        every = list(self.design.choices(first))
        if not every:
            raise MappingError(f"{self.design.name}: {first.name!r} has no choice", name=first.name)
        same = [choice for choice in every if choice.tokens == self.tile] or every
        same.sort(key=lambda one: (one.tokens * one.inputs * one.outputs, one.inputs, one.tokens))
        return Options(
            tuple(operator.name for operator in operators),
            tuple(same),
            np.array([first.trips(choice) for choice in same]),
            np.array([first.trips(choice) for choice in same]),
            np.array([self._about(first, choice).vector for choice in same]),
            np.zeros((len(same), len(fields(Cost)))),
            np.stack([self._weights(first, choice) for choice in same]),
            np.zeros(len(same), np.bool_),
        )

    def _about(self, operator: Operator, choice: Parallel) -> Cost:
        """Arithmetic; of a product also its matrix, and a LUT for each bit that goes through adapters and FIFOs."""
        cost = logic(operator, choice)
        if operator.kind not in PRODUCTS:
            return cost
        fixed = operator.kind == "matmul"
        lanes = choice.inputs * choice.outputs
        place = self.styles.weights if fixed else self.styles.activations
        matrix = memory_cost(*_matrix(operator, choice), self.board, place, written=not fixed)
        entering = choice.inputs * operator.input_bits * PASSED_IN
        leaving = choice.outputs * operator.output_bits * PASSED_OUT
        moved = Cost(luts=choice.tokens * (entering + leaving) + (0 if fixed else lanes * operator.weight_bits))
        return cost + (matrix + moved).times(operator.copies)

    def _weights(self, operator: Operator, choice: Parallel) -> NDArray[np.float64]:
        """(moves, resources) about by how much more one operator takes if its weights are elsewhere."""
        made = np.zeros((len(MOVES), len(fields(Cost))))
        if operator.kind == "matmul" and self.styles.move:
            shape = _matrix(operator, choice)
            now = memory_cost(*shape, self.board, self.styles.weights, written=False).vector
            elsewhere = dict(memory_places(*shape, self.board, written=False))
            for number, (kind, place) in enumerate(MOVES):
                if kind == "weights" and place in elsewhere:
                    made[number] = (elsewhere[place].vector - now) * operator.copies
        return made

    @cached_property
    def intervals(self) -> list[int]:
        """Trips of all choices that can bound the interval, ascending."""
        floor = max(int(kind.own_trips.min()) for kind in self.kinds)
        every = {int(trips) for kind in self.kinds for trips in kind.own_trips}
        least = self.evaluate(self.least())
        every |= {trips for trips, _ in least.busiest.values()} | {least.trips}
        return sorted(trips for trips in every if trips >= floor)

    def least(self) -> dict[str, Parallel]:
        """The least parallel design."""
        return self._spread([0] * len(self.kinds))

    @property
    def least_multipliers(self) -> float:
        """Of the least parallel design."""
        return self._estimate([0] * len(self.kinds)).multipliers

    def multipliers(self, interval: int) -> float:
        """Those that no design of that interval can do without; infinite if there is no such design."""
        total = 0.0
        for kind in self.kinds:
            fast = kind.estimates[kind.own_trips <= interval, -1]
            total += len(kind.names) * fast.min() if len(fast) else np.inf
        return total

    def forget(self) -> None:
        """Know no more than of the least parallel design: what is counted depends on neighbours."""
        for kind in self.kinds:
            kind.off[:], kind.counted[:], kind.trips[:] = 0, False, kind.own_trips
            kind.moves[:, WEIGHTS:] = 0
        self.evaluate(self.least())

    def cheapest(self, interval: int, limit: Cost, prices: Cost) -> tuple[dict[str, Parallel], float] | None:
        """The choices of the lowest price that keep the limits, with at most so many trips: an integer program.

        Memories are where the styles have them, or, if nothing keeps the limits like that, wherever they may be.

        Parameters
        ----------
        interval : int
        limit, prices : Cost
            Limits above 10^15 are none.

        Returns
        -------
        tuple or None
            The choices, and by what share the limits are exceeded, all together, if nothing keeps them: as little as
            possible. None if an operator has no choice with so few trips.
        """
        hoped = [np.where(kind.counted[:, None], kind.costs, kind.costs * (1 - DOUBT)) for kind in self.kinds]
        kept = [_worthwhile(kind, costs, interval) for kind, costs in zip(self.kinds, hoped, strict=True)]
        if not all(len(rows) for rows in kept):
            return None
        found = self._solved(hoped, kept, limit, prices, moving=False)
        if found[1] > TINY and self.styles.move:
            found = self._solved(hoped, kept, limit, prices, moving=True)
        return found

    def _solved(
        self,
        hoped: Sequence[NDArray[np.float64]],
        kept: Sequence[NDArray[np.int64]],
        limit: Cost,
        prices: Cost,
        *,
        moving: bool,
    ) -> tuple[dict[str, Parallel], float]:
        """The program: a variable for each choice of a kind, one for the share of it that is moved, and the excess."""
        names = np.array([len(kind.names) for kind in self.kinds])
        costs = np.concatenate([count * each[rows] for count, each, rows in zip(names, hoped, kept, strict=True)])
        of = np.repeat(np.arange(len(kept)), [len(rows) for rows in kept])
        every = [count * kind.moves[rows] for count, kind, rows in zip(names, self.kinds, kept, strict=True)]
        moves = np.concatenate(every)
        choice, move = np.nonzero((moves < 0).any(axis=2)) if moving else np.zeros((2, 0), np.int64)
        saved = moves[choice, move]
        bound = limit.vector < UNBOUNDED
        scale = np.maximum(limit.vector[bound], 1)
        room, slack = (limit.vector - self._rest.vector)[bound] / scale, int(bound.sum())
        many, some = len(of), len(choice)
        used = np.concatenate([costs, saved])[:, bound].T / scale[:, None]
        at, column = np.nonzero(used)
        group, groups = np.unique(choice * len(MOVES) + KINDS[move], return_inverse=True)
        price = np.concatenate([costs @ prices.vector, np.maximum(saved @ prices.vector, 0), np.full(slack, EXCESS)])
        found = solve(
            price,
            np.arange(len(price)) < many,
            np.concatenate([np.ones(many + some), np.full(slack, np.inf)]),
            [
                Rows(of, np.arange(many), np.ones(many), np.ones(len(kept)), np.ones(len(kept))),
                Rows(
                    np.concatenate([at, np.arange(slack)]),
                    np.concatenate([column, many + some + np.arange(slack)]),
                    np.concatenate([used[at, column], -np.ones(slack)]),
                    np.full(slack, -np.inf),
                    room,
                ),
                Rows(  # no more of a choice is moved than there is
                    np.concatenate([groups, np.arange(len(group))]),
                    np.concatenate([many + np.arange(some), group // len(MOVES)]),
                    np.concatenate([np.ones(some), -np.ones(len(group))]),
                    np.full(len(group), -np.inf),
                    np.zeros(len(group)),
                ),
            ],
            GAP,
        )
        if found is None:
            raise MappingError(f"{self.design.name}: the search for a choice of parallelism found none in its time")
        picked = found[:many] > 0.5
        best = [int(rows[picked[of == k]][0]) for k, rows in enumerate(kept)]
        return self._spread(best), float(found[many + some :].sum())

    def evaluate(self, parallel: Mapping[str, Parallel]) -> Taken:
        """Count a whole design, once, and learn how busy its stages are and what its memories take elsewhere."""
        key = tuple(parallel[operator.name] for operator in self.design.operators)
        if key not in self._taken:
            graph = self.design.graph(parallel)
            styled = bill(self.design, parallel, graph, self.board, self.styles)
            self._taken[key] = Taken(
                replace(styled, parts=placed(styled.parts, self.limit)),
                max(stage.trips for stage in graph.stages),
                self._busiest(parallel, graph),
                *_by_operator(styled.parts),
            )
        taken = self._taken[key]
        for kind in self.kinds:
            mean = np.mean([taken.costs[name] for name in kind.names], axis=0)
            moves = np.mean([taken.moves[name] for name in kind.names], axis=0)
            kind.learn(parallel[kind.names[0]], max(taken.busiest[name][0] for name in kind.names), mean, moves)
        known = {name for kind in self.kinds for name in kind.names}
        self._rest = total_cost(Cost(*map(float, cost)) for name, cost in taken.costs.items() if name not in known)
        return taken

    def _busiest(self, parallel: Mapping[str, Parallel], graph: StageGraph) -> dict[str, tuple[int, str]]:
        found = {
            operator.name: (operator.trips(parallel[operator.name]), operator.name)
            for operator in self.design.operators
        }
        for stage in graph.stages:
            if stage.part_of in found and (trips := stage.trips) > found[stage.part_of][0]:
                found[stage.part_of] = trips, stage.name
        return found

    def _estimate(self, best: list[int]) -> Cost:
        return self._rest + total_cost(
            Cost(*(float(value) for value in kind.costs[at])).times(len(kind.names))
            for kind, at in zip(self.kinds, best, strict=True)
        )

    def _spread(self, best: list[int]) -> dict[str, Parallel]:
        """To all operators, in the design's order."""
        every = {name: kind.choices[at] for kind, at in zip(self.kinds, best, strict=True) for name in kind.names}
        return {operator.name: every[operator.name] for operator in self.design.operators}


MOVES: tuple[tuple[str, Place], ...] = (
    ("weights", "ultra"),
    ("weights", "block"),
    ("weights", "lut"),
    ("activations", "block"),
    ("activations", "ultra"),
    ("fifo", "ultra"),
    ("fifo", "block"),
)
"""Kinds of memories that can be in another place than the styles have them in."""

WEIGHTS = 3
"""The first of them that is not of weights, whose memories are known before a design is counted."""

KINDS = np.array([0, 0, 0, 1, 1, 2, 2])
"""The kind of each: of one kind, no more is moved than there is."""

TINY = 1e-9
"""Excess that is none."""

DOUBT = np.array([0.02, 0, 0, 0, 0])
"""Share by which estimates are lowered (LUTs, DSPs, block RAMs, UltraRAMs, multipliers), so that what may be better
than what was counted gets counted."""

GAP = 1e-4
"""Share by which a choice may be dearer than the cheapest."""

PASSED_IN, PASSED_OUT = 4.0, 1.0
"""LUTs a bit of a token on its way into a product (adapter, its FIFO, the window with its memory and FIFO) and out of
it (half a LUT of a short FIFO, and as much of the biases)."""


def _matrix(operator: Operator, choice: Parallel) -> tuple[int, int]:
    """Rows of the memory of a product's matrix, and bits of a row."""
    lanes = choice.inputs * choice.outputs
    return -(-operator.inputs * operator.outputs // lanes), lanes * operator.weight_bits


def _by_operator(parts: Sequence[Part]) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """What each operator takes, and by how much more with memories elsewhere."""
    size = len(fields(Cost))
    costs: dict[str, NDArray[np.float64]] = {}
    moves: dict[str, NDArray[np.float64]] = {}
    for part in parts:
        own = part.cost.vector
        costs[part.operator] = costs.get(part.operator, np.zeros(size)) + own
        moved = moves.setdefault(part.operator, np.zeros((len(MOVES), size)))
        for place, cost in part.elsewhere:
            if (part.kind, place) in MOVES:
                moved[MOVES.index((part.kind, place))] += cost.vector - own
    return costs, moves


def _worthwhile(kind: Options, costs: NDArray[np.float64], interval: int) -> NDArray[np.int64]:
    """Choices with at most so many trips than which none is better in every resource, wherever memories are."""
    everywhere = np.concatenate([costs, (costs[:, None] + kind.moves).reshape(len(costs), -1)], axis=1)
    kept: list[int] = []
    quick = np.flatnonzero(kind.trips <= interval)
    for at in quick[np.lexsort(costs[quick].T)]:
        if not any((everywhere[other] <= everywhere[at]).all() for other in kept):
            kept.append(int(at))
    return np.array(sorted(kept), np.int64)
