"""The parallelism of every operator: as fast as a budget allows, or as small as an interval allows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from neuromorph.errors import MappingError
from neuromorph.progress import Progress, Silent, progress_for

from .board import Board, load_board
from .candidates import Candidates
from .design import Design, Parallel
from .graph import StageGraph
from .placement import exceeded
from .resources import WORDS, Resources, Styles, capacity, describe_excess
from .storage import Cost

CLOSE = 0.03
"""Share of the limits, all added up, by which a design may exceed them as far as is known, and be looked at closely."""

SAMPLES = 6
"""Intervals at which a design is counted before the search."""

COUNTED = 12
"""How many designs are counted in full at one interval."""


UNLIMITED = Cost(*(float(2**62),) * 5)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a design may take; None is no limit beyond the board.

    Attributes
    ----------
    multipliers, luts, dsps, block_rams, ultra_rams : float, optional
        Block RAMs of 36 kbit, in halves.
    """

    multipliers: float | None = None
    luts: float | None = None
    dsps: float | None = None
    block_rams: float | None = None
    ultra_rams: float | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None and value < 0:
                raise MappingError(f"budget: {value} {WORDS[item.name]}; at least 0, or None", name=item.name)

    @classmethod
    def of(cls, cost: Cost | Resources) -> Budget:
        """As much of everything as another design takes."""
        cost = cost.total if isinstance(cost, Resources) else cost
        return cls(**{item.name: getattr(cost, item.name) for item in fields(cls)})

    @classmethod
    def share(cls, board: str | Path | Board, share: float) -> Budget:
        """A share of everything that a board has."""
        whole = capacity(load_board(board))
        return cls(
            **{item.name: getattr(whole, item.name) * share for item in fields(cls) if item.name != "multipliers"}
        )

    def limit(self, board: Board) -> Cost:
        """The smaller of budget and board, of each resource."""
        whole = capacity(board)
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return Cost(
            **{
                name: getattr(whole, name) if value is None else min(value, getattr(whole, name))
                for name, value in given.items()
            }
        )


@dataclass(frozen=True, slots=True)
class Load:
    """One operator of a balanced design.

    Attributes
    ----------
    operator : str
    parallel : Parallel
    trips : int
        Cycles an item of its busiest stage.
    stage : str
        That stage.
    slack : float
        Share of the interval in which that stage has nothing to do.
    """

    operator: str
    parallel: Parallel
    trips: int
    stage: str
    slack: float


@dataclass(frozen=True)
class Balanced:
    """A design with its parallelism chosen.

    Attributes
    ----------
    design : Design
    board : Board
    parallel : mapping of str to Parallel
    interval : int
        Cycles from item to item if no FIFO makes a stage wait: the trips of the busiest stage.
    loads : tuple of Load
        Of every operator, in the design's order.
    resources : Resources
    limit : Cost
        What it had to fit into.
    """

    design: Design
    board: Board
    parallel: Mapping[str, Parallel]
    interval: int
    loads: tuple[Load, ...] = field(repr=False)
    resources: Resources = field(repr=False)
    limit: Cost

    @cached_property
    def bottleneck(self) -> tuple[str, ...]:
        """Operators whose busiest stage never rests."""
        return tuple(load.operator for load in self.loads if load.trips == self.interval)

    @property
    def rate(self) -> float:
        """Items a second at the board's clock, ideally."""
        return self.board.rate(self.interval)

    def graph(self, depths: Mapping[str, int] | None = None) -> StageGraph:
        """Its stages and FIFOs."""
        return self.design.graph(self.parallel, depths)

    def text(self) -> str:
        """Operators with parallelism, trips and slack, equal ones of different blocks in one line; then resources."""
        rows = [("operator", "TP", "CIP", "COP", "trips", "slack", "blocks")]
        groups: dict[tuple[Any, ...], list[str]] = {}
        for load in self.loads:
            name = load.operator.rsplit(".", 1)[-1]
            key = (name, load.parallel.tokens, load.parallel.inputs, load.parallel.outputs, load.trips, load.slack)
            groups.setdefault(key, []).append(load.operator)
        for (name, tokens, inputs, outputs, trips, slack), members in groups.items():
            rows.append((name, str(tokens), str(inputs), str(outputs), f"{trips:,}", f"{slack:.1%}", str(len(members))))
        widths = [max(len(row[k]) for row in rows) for k in range(7)]
        lines = ["  ".join([row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in range(1, 7))]) for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        total, limit = self.resources.total, self.limit
        taken = ", ".join(
            f"{getattr(total, name):,.10g} of {getattr(limit, name):,.10g} {word}"
            if getattr(limit, name) < 2**61
            else f"{getattr(total, name):,.10g} {word}"
            for name, word in WORDS.items()
        )
        return "\n".join([*lines, "", f"interval {self.interval:,} cycles, {self.rate:,.0f} items/s; {taken}"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: parallelism can be read back as ``{name: Parallel(**value)}``."""
        return {
            "design": self.design.name,
            "board": self.board.name,
            "interval": self.interval,
            "rate": self.rate,
            "bottleneck": list(self.bottleneck),
            "operators": {
                load.operator: {
                    "parallel": {item.name: getattr(load.parallel, item.name) for item in fields(Parallel)},
                    "trips": load.trips,
                    "slack": load.slack,
                }
                for load in self.loads
            },
            "resources": self.resources.to_dict()["all"],
        }


def balance(
    design: Design | Sequence[Design],
    board: str | Path | Board,
    interval: int | None = None,
    budget: Budget | None = None,
    *,
    rate: float | None = None,
    styles: Styles | None = None,
    progress: bool | Progress = False,
) -> Balanced:
    """Choose the parallelism of every operator.

    Without ``interval`` and ``rate``: the smallest interval that fits into board and budget, and for it the cheapest
    choices. With one of them: the cheapest choices that reach it. Operators of equal shape whose names
    differ in numbers only get equal parallelism, and all share the rows of a tile, as far as they have so many.

    Choices for an interval come from an integer program over what every choice of every operator takes, its stages'
    FIFOs and memories included, at the lowest price: each resource's share of its limit, all added up. That is first
    estimated, and counted in the design's own stage graph (:func:`resources`) for whatever the program picks, until it
    picks nothing new. The result is counted in full, and the best to within what estimates of choices that were never
    picked are too high by.

    Parameters
    ----------
    design : Design or sequence of Design
        Of several, which may differ in what all operators share, such as the rows of a tile, the best.
    board : str, Path or Board
    interval : int, optional
        Cycles from item to item, at most.
    budget : Budget, optional
        Beyond the board's own limits.
    rate : float, optional
        Items a second, at least, at the board's clock, instead of ``interval``.
    styles : Styles, optional
        In which memories weights, tables and activations are, and whether they may be elsewhere where they do not fit.
    progress : bool or Progress
        A bar on a terminal, or where else to say which interval is tried. An interrupt is seen between two programs.

    Raises
    ------
    MappingError
        Not even the least parallel design fits, or none is so fast; the message names the resource.
    """
    board, budget = load_board(board), budget or Budget()
    if interval is not None and rate is not None:
        raise MappingError("balance: give an interval or a rate, not both", interval=interval, rate=rate)
    if rate is not None:
        if rate <= 0:
            raise MappingError(f"balance: a rate of {rate} items/s; it must be above 0", rate=rate)
        interval = int(board.clock / rate)
    if interval is not None and interval < 1:
        raise MappingError(f"balance: an interval of {interval} cycles; at least 1", interval=interval)
    designs = list(design) if isinstance(design, Sequence) else [design]
    searches = [
        _Search(candidates, budget.limit(board))
        for one in designs
        for candidates in Candidates.of(one, board, styles or Styles(), budget.limit(board))
    ]
    found = []
    with progress_for(progress) as report:
        for number, search in enumerate(searches):
            search.report = report
            report.stage(f"balancing {search.candidates.design.name}, {number + 1} of {len(searches)}")
            if (answer := search.best(interval)) is not None:
                found.append(answer)
        if not found:
            raise _failure(designs[0], searches, interval)
    return min(found, key=lambda answer: (answer.interval if interval is None else 0, _worth(answer)))


@dataclass
class _Search:
    """The best choice for one tile of rows."""

    candidates: Candidates
    limit: Cost
    report: Progress = field(default_factory=Silent)
    closest: tuple[float, int, Cost] | None = None
    """Of designs that did not fit: by what factor a resource was exceeded, at which interval, and what they took."""

    def best(self, interval: int | None) -> Balanced | None:
        """The fastest that fits, or the cheapest at ``interval``; None if there is none."""
        if interval is not None:
            return self._fit(interval)
        steps = self.candidates.intervals
        low = bisect_left(steps, True, key=lambda trips: self.candidates.multipliers(trips) <= self.limit.multipliers)
        best, to_try = None, list(steps[low:])
        for trips in to_try[:: max(1, len(to_try) // SAMPLES)]:
            self._count(trips)
        while to_try:  # every design that is counted changes what can be hoped for
            at = bisect_left(to_try, True, key=self._hoped)
            if at == len(to_try):
                break
            answer = self._fit(to_try[at])
            if answer is None:
                to_try.pop(at)
            else:
                best, to_try = answer, to_try[: bisect_left(to_try, min(answer.interval, to_try[at]))]
        return best

    def _hoped(self, interval: int) -> bool:
        """Whether a design of that interval fits, as far as is known."""
        found = self.candidates.cheapest(interval, self.limit, _prices(self.limit, self.candidates.board))
        return found is not None and found[1] < CLOSE

    def _fit(self, interval: int) -> Balanced | None:
        """The cheapest choices with at most so many trips, if they fit."""
        self.report.note(f"balancing {self.candidates.design.name}: an item in {interval:,} cycles")
        self.report.advance()
        prices = _prices(self.limit, self.candidates.board)
        self.candidates.forget()
        best: Balanced | None = None
        seen: set[tuple[Parallel, ...]] = set()
        while len(seen) < COUNTED:
            limit = self.limit if seen else UNLIMITED  # what the cheapest takes tells most about the others
            found = self.candidates.cheapest(interval, limit, prices)
            if found is None or (key := tuple(found[0].values())) in seen:
                break
            seen.add(key)
            answer = self._counted(found[0], interval)
            if answer is not None and (best is None or _worth(answer) < _worth(best)):
                best = answer
        return best

    def _count(self, interval: int) -> None:
        """Learn from what seems to be the best at an interval."""
        self.report.note(f"balancing {self.candidates.design.name}: what an item in {interval:,} cycles takes")
        self.report.advance()
        found = self.candidates.cheapest(interval, self.limit, _prices(self.limit, self.candidates.board))
        if found is not None:
            self._counted(found[0], interval)

    def _counted(self, chosen: Mapping[str, Parallel], interval: int) -> Balanced | None:
        """A design, if it fits and is as fast; either way more is known then than was estimated."""
        taken = self.candidates.evaluate(chosen)
        if taken.trips <= interval and not exceeded(taken.resources.total, self.limit):
            return self._result(chosen)
        self._note(interval, taken.resources.total)
        return None

    def _note(self, interval: int, cost: Cost) -> None:
        """Remember the design that came closest to fitting."""
        factor = max(
            getattr(cost, item.name) / getattr(self.limit, item.name)
            if getattr(self.limit, item.name)
            else 1 + getattr(cost, item.name)
            for item in fields(Cost)
        )
        if self.closest is None or factor < self.closest[0]:
            self.closest = factor, interval, cost

    def _result(self, chosen: Mapping[str, Parallel]) -> Balanced:
        taken, design = self.candidates.evaluate(chosen), self.candidates.design
        loads = tuple(
            Load(name, chosen[name], trips, stage, 1 - trips / taken.trips)
            for name, (trips, stage) in taken.busiest.items()
        )
        return Balanced(design, self.candidates.board, dict(chosen), taken.trips, loads, taken.resources, self.limit)


def _prices(limit: Cost, board: Board) -> Cost:
    """What one of each resource is worth: its share of the limit, or of the board where the limit is 0."""
    whole = capacity(board)
    shares = {item.name: getattr(limit, item.name) or getattr(whole, item.name) for item in fields(Cost)}
    return Cost(**{name: 1 / share if share else 0.0 for name, share in shares.items()})


def _worth(answer: Balanced) -> float:
    """The price of a whole design."""
    return float(answer.resources.total.vector @ _prices(answer.limit, answer.board).vector)


def _failure(design: Design, searches: Sequence[_Search], interval: int | None) -> MappingError:
    """Says what is short, at the wanted interval or at the one that comes closest to fitting."""
    board = searches[0].candidates.board
    tried = [(search.closest, search.limit) for search in searches if search.closest is not None]
    nearest, limit = min(tried, key=lambda entry: entry[0][0]) if tried else (None, searches[0].limit)
    over = exceeded(nearest[2], limit) if nearest else {}
    if interval is None:
        if not nearest:
            least = min(search.candidates.least_multipliers for search in searches)
            return MappingError(
                f"{design.name} on {board.name}: even the least parallel design has {least:,.0f} multipliers, and the "
                f"budget {limit.multipliers:,.0f}; give it more",
                multipliers=least,
            )
        return MappingError(
            f"{design.name} on {board.name}: no choice of parallelism fits; the closest, at {nearest[1]:,} cycles an "
            f"item: {describe_excess(nearest[2], limit, over)}; give it a larger board or budget, fewer bits, or lay "
            "out a part of it",
            **over,
        )
    short = describe_excess(nearest[2], limit, over) if nearest else "no choice of parallelism has so few trips"
    quick = [answer for search in searches if (answer := search.best(None)) is not None]
    instead = f"the shortest that fits is {min(answer.interval for answer in quick):,}" if quick else "no other fits"
    return MappingError(
        f"{design.name} on {board.name}: an interval of {interval:,} cycles cannot be had: {short}; {instead}",
        interval=interval,
        **over,
    )
