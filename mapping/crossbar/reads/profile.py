"""A look at a network's events on the CPU, before it is mapped: who fires when, and how large values get."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredNetwork


@dataclass(frozen=True, eq=False)
class Profile:
    """Events of a run on the CPU engine.

    Attributes
    ----------
    events : dict of population name to (steps, neurons)
        int64 arrays, one entry for each event.
    largest : dict of population index to float
        Largest magnitude of an event's value; of populations that sent graded events, and of those that send spikes.
    """

    events: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
    largest: dict[int, float]


def look(lowered: LoweredNetwork, steps: int) -> Profile:
    """Run so many steps on the CPU engine and note all events."""
    from neuromorph.engine.compile import compile_network
    from neuromorph.engine.instance import Instance

    quiet = tuple(replace(population, record_states=()) for population in lowered.populations)
    instance = Instance(compile_network(replace(lowered, populations=quiet)), 1, window=1)
    work = instance.tables(record=False)
    found: list[list[npt.NDArray[Any]]] = [[] for _ in quiet]
    largest = {k: 1.0 for k, population in enumerate(quiet) if not population.graded}
    for step in range(steps):
        instance.run(step, step + 1, 0, work)
        for k, memory in enumerate(instance.memories):
            row = step & memory.event_mask
            count = int(memory.counts[0, row])
            found[k].append(memory.fired[row, :count].astype(np.int64))
            if count and memory.values is not None:
                largest[k] = max(largest.get(k, 0.0), float(np.abs(memory.values[row, :count]).max()))
    none = np.zeros(0, np.int64)
    events = {
        population.name: (
            np.repeat(np.arange(steps, dtype=np.int64), [len(each) for each in lists]),
            np.concatenate([none, *lists]),
        )
        for population, lists in zip(quiet, found, strict=True)
    }
    return Profile(events, largest)
