"""One run that Brian 2's device is asked for, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuromorph.interchange.brian2.schedule import Schedule


@dataclass(frozen=True)
class Task:
    """One run.

    Attributes
    ----------
    objects : tuple
        Brian 2's objects, without those inside of others.
    schedule : Schedule
    namespace : mapping
    first, last : int
        Its first step, and the one after its last.
    seed : int
    still : bool
        Nothing of Brian 2's has changed since the last run of this network, which ended with this one's first step.
    """

    objects: tuple[Any, ...]
    schedule: Schedule
    namespace: Mapping[str, Any]
    first: int
    last: int
    seed: int
    still: bool = False

    @property
    def dt(self) -> float:
        """Length of a step in seconds."""
        return self.schedule.dt


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes
    ----------
    step : int
        The next step.
    interrupted : bool
        Somebody pressed Ctrl-C.
    """

    step: int
    interrupted: bool
