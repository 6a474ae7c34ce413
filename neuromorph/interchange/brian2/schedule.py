"""When Brian 2's objects act within a step, and the code that each of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEFAULT = ("start", "groups", "thresholds", "synapses", "resets", "end")
"""Brian 2's schedule of a step, if nobody changes it."""

Position = tuple[int, int, str]
"""Place in a step: number of the slot, order in the slot, name; smaller acts earlier."""


@dataclass(frozen=True)
class Schedule:
    """The slots of a step.

    Attributes
    ----------
    slots : tuple of str
        As in ``brian2.Network.schedule``.
    dt : float
        Length of the shortest step, in seconds; ours.
    """

    slots: tuple[str, ...]
    dt: float

    def position(self, thing: Any) -> Position:
        """Where an object acts."""
        return self.slot(thing.when), int(thing.order), str(thing.name)

    def slot(self, when: str) -> int:
        """Number of a slot; slots before and after one lie between its neighbours and it."""
        for prefix, shift in (("before_", 0), ("after_", 2)):
            if when.startswith(prefix) and when.removeprefix(prefix) in self.slots:
                return 3 * self.slots.index(when.removeprefix(prefix)) + shift
        return 3 * self.slots.index(when) + 1

    def every(self, thing: Any) -> int:
        """Steps of ours from one turn of an object to its next."""
        return steps_of(float(thing.clock.dt), self.dt)


def steps_of(length: float, dt: float) -> int:
    """How many steps of `dt` a step of that length is; 0 if it is no whole number of them."""
    ratio = length / dt
    whole = round(ratio)
    return whole if whole >= 1 and abs(ratio - whole) < 1e-6 * whole else 0


def slots_of(network: Any) -> tuple[str, ...]:
    """The schedule of a network, or Brian 2's own for a list of objects."""
    given: Sequence[str] | None = getattr(network, "schedule", None)
    return DEFAULT if given is None else tuple(given)
