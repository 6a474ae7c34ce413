"""Memories where they fit: what a board has too little of block RAM for goes to UltraRAM or LUTs, and the reverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from .solver import Rows, solve
from .storage import Cost, Place, total_cost

EXCESS = 1e3
"""What exceeding a limit by as much again costs, where all that is in the limits costs about 5."""

GAP = 1e-3
"""Share by which a placement may be dearer than the cheapest."""

UNBOUNDED = 1e15
"""Limits above are none."""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a bill.

    Attributes
    ----------
    name : str
        Of an operator, a stage's memory, a FIFO or a stage.
    kind : {"logic", "weights", "table", "activations", "fifo", "control"}
    operator, block : str
        What it belongs to; a FIFO belongs to the stage that reads it, an output's to the one that writes it.
    cost : Cost
    elsewhere : tuple of (Place, Cost)
        Of a large memory: all places where it can be, and what it takes there.
    """

    name: str
    kind: str
    operator: str
    block: str
    cost: Cost
    elsewhere: tuple[tuple[Place, Cost], ...] = ()


def exceeded(cost: Cost, limit: Cost) -> dict[str, float]:
    """Resources of which ``cost`` has more than ``limit``, and by how much."""
    differences = {item.name: getattr(cost, item.name) - getattr(limit, item.name) for item in fields(Cost)}
    return {name: difference for name, difference in differences.items() if difference > 1e-6}


def placed(parts: Sequence[Part], limit: Cost) -> tuple[Part, ...]:
    """The parts with every large memory in a place such that all keep the limit, as far as they can.

    If they do as they are, none is moved. Otherwise memories go where everything has the lowest price, each resource's
    share of its limit, all added up; if nothing keeps the limit, where it is exceeded least.

    Parameters
    ----------
    parts : sequence of Part
    limit : Cost
    """
    groups: dict[tuple[Cost, tuple[tuple[Place, Cost], ...]], list[int]] = {}
    for number, part in enumerate(parts):
        if part.elsewhere:
            groups.setdefault((part.cost, part.elsewhere), []).append(number)
    if not groups or not exceeded(total_cost(part.cost for part in parts), limit):
        return tuple(parts)
    counts = np.array([len(members) for members in groups.values()])
    options = [_options(cost, elsewhere) for cost, elsewhere in groups]
    fixed = total_cost(part.cost for part in parts if not part.elsewhere)
    taken = _cheapest(counts, [np.array([cost.vector for cost in each]) for each in options], fixed, limit)
    if taken is None:
        return tuple(parts)
    made = list(parts)
    for members, choices, numbers in zip(groups.values(), options, taken, strict=True):
        chosen = [cost for cost, number in zip(choices, numbers, strict=True) for _ in range(number)]
        for number, cost in zip(members, chosen, strict=True):
            made[number] = replace(made[number], cost=cost)
    return tuple(made)


def _options(cost: Cost, elsewhere: tuple[tuple[Place, Cost], ...]) -> list[Cost]:
    """Different costs of a memory, the one that it has first."""
    return list(dict.fromkeys([cost, *(other for _, other in elsewhere)]))


def _cheapest(
    counts: NDArray[np.int64], options: Sequence[NDArray[np.float64]], fixed: Cost, limit: Cost
) -> list[NDArray[np.int64]] | None:
    """How many of each group of equal memories have each of their options; None if the search found nothing."""
    bound = limit.vector < UNBOUNDED
    scale = np.maximum(limit.vector[bound], 1)
    sizes = [len(each) for each in options]
    of = np.repeat(np.arange(len(options)), sizes)
    costs = np.concatenate(options)[:, bound] / scale
    room = (limit.vector - fixed.vector)[bound] / scale
    slack, many = int(bound.sum()), len(of)
    at, column = np.nonzero(costs.T)
    found = solve(
        np.concatenate([costs.sum(axis=1), np.full(slack, EXCESS)]),
        np.arange(many + slack) < many,
        np.concatenate([counts[of], np.full(slack, np.inf)]).astype(np.float64),
        [
            Rows(of, np.arange(many), np.ones(many), counts.astype(np.float64), counts.astype(np.float64)),
            Rows(
                np.concatenate([at, np.arange(slack)]),
                np.concatenate([column, many + np.arange(slack)]),
                np.concatenate([costs.T[at, column], -np.ones(slack)]),
                np.full(slack, -np.inf),
                room,
            ),
        ],
        GAP,
    )
    if found is None:
        return None
    numbers = np.rint(found[:many]).astype(np.int64)
    return np.split(numbers, np.cumsum(sizes)[:-1])
