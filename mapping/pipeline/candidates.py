"""What operators can choose from, and what each choice takes, counted in the design's own stage graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from neuromorph.errors import MappingError

from .arithmetic import logic
from .board import Board
from .design import PRODUCTS, Design, Operator, Parallel
from .graph import StageGraph
from .resources import Resources, Styles, bill
from .storage import Cost, total_cost

KEPT = 24
"""Choices of an operator that are weighed against each other at one interval, at most: those with the fewest lanes."""

SPREAD = 2
"""Choices with more lanes than so many times the fewest are left out too."""


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
    """

    resources: Resources
    trips: int
    busiest: Mapping[str, tuple[int, str]]


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
    """

    design: Design
    board: Board
    tile: int
    styles: Styles
    _taken: dict[tuple[Parallel, ...], Taken] = field(default_factory=dict, repr=False)
    _known: dict[tuple[object, str, Parallel], tuple[int, Cost]] = field(default_factory=dict, repr=False)
    _quickest: dict[int, dict[str, list[tuple[Parallel, Cost]]] | None] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(design: Design, board: Board, styles: Styles) -> list[Candidates]:
        """One for each number of rows that operators can share; one without choices of so many takes what it has."""
        tiles = {choice.tokens for operator in design.operators for choice in design.choices(operator)}
        every = [Candidates(design, board, tile, styles) for tile in sorted(tiles)]
        different = {tuple(map(tuple, one.choices.values())): one for one in every}
        if not every:
            raise MappingError(f"{design.name} has no operators, or none with a choice", name=design.name)
        return list(different.values())

    @cached_property
    def kinds(self) -> dict[Operator, list[str]]:
        """Operators of equal shape whose names differ in numbers only, by the first of them."""
        first: dict[Operator, Operator] = {}
        groups: dict[Operator, list[str]] = {}
        for operator in self.design.operators:
            shape = replace(operator, name=re.sub(r"\d+", "#", operator.name), block="")
            groups.setdefault(first.setdefault(shape, operator), []).append(operator.name)
        return groups

    @cached_property
    def choices(self) -> dict[str, list[Parallel]]:
        """Choices of the first operator of each shape, fewest lanes first."""
        found = {}
        for operator in self.kinds:
            every = list(self.design.choices(operator))
            if not every:
                raise MappingError(f"{self.design.name}: {operator.name!r} has no choice", name=operator.name)
            same = [choice for choice in every if choice.tokens == self.tile] or every
            found[operator.name] = sorted(same, key=lambda choice: (_lanes(choice), choice.inputs, choice.tokens))
        return found

    @cached_property
    def intervals(self) -> list[int]:
        """Trips of all choices that can bound the interval, ascending."""
        floor = max(min(operator.trips(choice) for choice in self.choices[operator.name]) for operator in self.kinds)
        every = {operator.trips(choice) for operator in self.kinds for choice in self.choices[operator.name]}
        every |= {trips for trips, _ in self.evaluate(self.least()).busiest.values()}
        every.add(self.evaluate(self.least()).trips)
        return sorted(trips for trips in every if trips >= floor)

    def least(self) -> dict[str, Parallel]:
        """The least parallel design."""
        return self._spread({name: choices[0] for name, choices in self.choices.items()})

    @property
    def least_multipliers(self) -> int:
        """Of the least parallel design."""
        least = self.least()
        return sum(operator.multipliers(least[operator.name]) for operator in self.design.operators)

    def bound(self, interval: int) -> Cost | None:
        """Multipliers that no design of that interval can do without, and about the LUTs and DSPs, if there is any.

        Logic is the least of each resource; everything else is as in the least parallel design.
        """
        least = self.least()
        total = self.evaluate(least).resources.total
        for operator, names in self.kinds.items():
            fast = [logic(operator, choice) for choice in self._quick(operator, interval)]
            if not fast:
                return None
            own = logic(operator, least[operator.name])
            more = Cost(
                min(cost.luts for cost in fast) - own.luts,
                min(cost.dsps for cost in fast) - own.dsps,
                multipliers=min(cost.multipliers for cost in fast) - own.multipliers,
            )
            total += more.times(len(names))
        return total

    def cheapest(self, interval: int, prices: Mapping[str, float]) -> tuple[dict[str, Parallel], Cost] | None:
        """For every operator the choice of the lowest price whose stages have at most so many trips.

        Returns
        -------
        tuple or None
            The choices, and about what they take together: as each does among the least parallel neighbours of such
            an interval. None if an operator has no such choice.
        """
        fast = self._fast(interval)
        if fast is None:
            return None
        total, chosen = self._unowned, {}
        for operator, names in self.kinds.items():
            _, choice, cost = min(
                ((priced(cost, prices), choice, cost) for choice, cost in fast[operator.name]),
                key=lambda entry: (entry[0], _lanes(entry[1])),
            )
            chosen[operator.name] = choice
            total += cost.times(len(names))
        return self._spread(chosen), total

    def _fast(self, interval: int) -> dict[str, list[tuple[Parallel, Cost]]] | None:
        """Choices with at most so many trips, and what they take."""
        if interval not in self._quickest:
            self._quickest[interval] = self._measure(interval)
        return self._quickest[interval]

    def _measure(self, interval: int) -> dict[str, list[tuple[Parallel, Cost]]] | None:
        kept = {operator.name: self._quick(operator, interval) for operator in self.kinds}
        if not all(kept.values()):
            return None
        base = {name: choices[0] for name, choices in kept.items()}
        # FIFOs between operators belong to a choice too, so that it is measured among the neighbours that it will have:
        # between products stand the others, which change with few intervals.
        around = tuple(base[operator.name] for operator in self.kinds if operator.kind not in PRODUCTS)
        for products in (True, False):
            varied = [one.name for one in self.kinds if (one.kind in PRODUCTS) is products]
            for turn in range(max((len(kept[name]) for name in varied), default=0)):
                mixture = base | {name: kept[name][min(turn, len(kept[name]) - 1)] for name in varied}
                new = [name for name in varied if (around, name, mixture[name]) not in self._known]
                if new:
                    self._sample(self._spread(mixture), new, around)
        fast = {
            name: [
                (choice, cost)
                for choice in choices
                for trips, cost in [self._known[around, name, choice]]
                if trips <= interval
            ]
            for name, choices in kept.items()
        }
        return fast if all(fast.values()) else None

    @cached_property
    def _unowned(self) -> Cost:
        """What belongs to no operator."""
        owned = {operator.name for operator in self.design.operators}
        parts = self.evaluate(self.least()).resources.parts
        return total_cost(part.cost for part in parts if part.operator not in owned)

    def evaluate(self, parallel: Mapping[str, Parallel]) -> Taken:
        """Count a whole design, once."""
        key = tuple(parallel[operator.name] for operator in self.design.operators)
        if key not in self._taken:
            graph = self.design.graph(parallel)
            taken = bill(self.design, parallel, graph, self.board, self.styles)
            busiest = self._busiest(parallel, graph)
            self._taken[key] = Taken(taken, max(stage.trips for stage in graph.stages), busiest)
        return self._taken[key]

    def _sample(self, parallel: Mapping[str, Parallel], names: Sequence[str], around: tuple[Parallel, ...]) -> None:
        """What some operators take in a design, and how busy they are."""
        graph = self.design.graph(parallel)
        costs = bill(self.design, parallel, graph, self.board, self.styles, set(names)).by(lambda part: part.operator)
        busiest = self._busiest(parallel, graph)
        for name in names:
            self._known[around, name, parallel[name]] = busiest[name][0], costs[name]

    def _busiest(self, parallel: Mapping[str, Parallel], graph: StageGraph) -> dict[str, tuple[int, str]]:
        found = {
            operator.name: (operator.trips(parallel[operator.name]), operator.name)
            for operator in self.design.operators
        }
        for stage in graph.stages:
            if stage.part_of in found and (trips := stage.trips) > found[stage.part_of][0]:
                found[stage.part_of] = trips, stage.name
        return found

    def _quick(self, operator: Operator, interval: int) -> list[Parallel]:
        fast = [choice for choice in self.choices[operator.name] if operator.trips(choice) <= interval]
        return [choice for choice in fast if _lanes(choice) <= SPREAD * _lanes(fast[0])][:KEPT]

    def _spread(self, chosen: Mapping[str, Parallel]) -> dict[str, Parallel]:
        """From the first operator of each shape to all, in the design's order."""
        every = {name: chosen[operator.name] for operator, names in self.kinds.items() for name in names}
        return {operator.name: every[operator.name] for operator in self.design.operators}


def _lanes(choice: Parallel) -> int:
    return choice.tokens * choice.inputs * choice.outputs


def priced(cost: Cost, prices: Mapping[str, float]) -> float:
    """A cost in one number."""
    return (
        cost.luts * prices["luts"]
        + cost.dsps * prices["dsps"]
        + cost.block_rams * prices["block_rams"]
        + cost.ultra_rams * prices["ultra_rams"]
        + cost.multipliers * prices["multipliers"]
    )
