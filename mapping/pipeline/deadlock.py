"""Stages that wait for each other for ever, found and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from neuromorph.errors import MappingError


class DeadlockError(MappingError):
    """A run in which stages wait for each other for ever; ``cycle`` says who waits for what, ``full`` what to raise."""

    cycle: tuple[Wait, ...]
    full: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """A stage that cannot go on.

    Attributes
    ----------
    stage : str
    item : int
        That it works on.
    wants : {"token", "room"}
    fifo : str
    other : str
        The stage at the other end of the FIFO.
    fill, depth, room : int
        Tokens in the FIFO, its depth, and what it holds with its register places.
    """

    stage: str
    item: int
    wants: Literal["token", "room"]
    fifo: str
    other: str
    fill: int
    depth: int
    room: int


def deadlock(name: str, waits: Mapping[str, Sequence[Wait]], done: int, items: int) -> DeadlockError:
    """The error for a run that came to a stand.

    Parameters
    ----------
    name : str
        Of the graph.
    waits : mapping of str to sequence of Wait
        What every stage that has not ended waits for.
    done, items : int
        Items that came out, and that were asked for.
    """
    cycle = _cycle(waits)
    full = tuple(dict.fromkeys(wait.fifo for wait in cycle if wait.wants == "room"))
    lines = "".join(f"\n  - {_told(wait)}" for wait in cycle)
    cure = (
        f"raise the depth of {' or '.join(repr(fifo) for fifo in full)}"
        if full
        else "no FIFO of the cycle is full: put initial tokens into one of them, or change what the stages read first"
    )
    return DeadlockError(
        f"pipeline {name!r} is stuck after {done} of {items} items; these stages wait for each other:{lines}\n{cure}",
        cycle=cycle,
        full=full,
    )


def _cycle(waits: Mapping[str, Sequence[Wait]]) -> tuple[Wait, ...]:
    """Follow who waits for whom until a stage comes up again; every stage on the way waits for one that waits."""
    path: list[Wait] = []
    seen: dict[str, int] = {}
    stage = next(iter(waits))
    while stage not in seen:
        seen[stage] = len(path)
        path.append(next((wait for wait in waits[stage] if wait.wants == "room"), waits[stage][0]))
        stage = path[-1].other
    return tuple(path[seen[stage] :])


def _told(wait: Wait) -> str:
    if wait.wants == "token":
        return (
            f"{wait.stage!r} (item {wait.item}) waits for a token from {wait.other!r} in FIFO {wait.fifo!r}, "
            f"which holds {wait.fill} of {wait.depth}"
        )
    return (
        f"{wait.stage!r} (item {wait.item}) waits for room in FIFO {wait.fifo!r}, which holds {wait.fill} "
        f"(depth {wait.depth}, with registers {wait.room}), until {wait.other!r} reads"
    )
