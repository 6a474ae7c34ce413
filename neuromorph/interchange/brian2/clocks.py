"""The step that a Brian 2 network is taken in with, where its objects have clocks of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neuromorph.interchange.brian2.schedule import Schedule, steps_of
from neuromorph.interchange.brian2.walk import runners


def schedule_of(slots: tuple[str, ...], groups: Iterable[Any], others: Iterable[Any]) -> tuple[Schedule, list[str]]:
    """The schedule with the shortest step of all groups, and whose steps are no multiples of it.

    Parameters
    ----------
    slots : tuple of str
    groups : iterable of Brian 2 groups
        With all that acts on them.
    others : iterable of Brian 2 objects
        Monitors and whatever else has a clock.
    """
    acting = []
    for group in groups:
        acting += [group, *(x for x in runners(group) if x.clock is not group.clock)]
    shortest = min((float(thing.clock.dt_) for thing in acting), default=1e-4)
    problems = [
        f"{thing.name}: its step of {float(thing.clock.dt_) * 1e3:g} ms is no multiple of the shortest in the network, "
        f"{shortest * 1e3:g} ms"
        for thing in (*acting, *(o for o in others if hasattr(o, "clock")))
        if not steps_of(float(thing.clock.dt_), shortest)
    ]
    return Schedule(slots, shortest), list(dict.fromkeys(problems))
