"""Between the buffers of a compiled run and what a checkpoint keeps of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .checkpoint import PopulationState
from .memory import Array, Memory
from .restoring import fill_ring, ring_rows
from .schedule import Compiled

KEPT = {"floats": "states", "ints": "states", "float_ring": "arriving", "int_ring": "arriving"}
"""Buffers that hold state between two steps, and as which part of it they are kept."""
DERIVED = {
    "size": "from the population",
    "stride": "from the size",
    "initial_floats": "from the neurons' values",
    "initial_ints": "from the neurons' values",
    "mask": "written in each step before it is read",
    "fired": "delivered when a run stops",
    "values": "delivered when a run stops",
    "counts": "delivered when a run stops",
    "_bounds": "from the size and the threads",
}
"""Everything else of :class:`Memory`, and why a checkpoint need not keep it."""


def population_states(
    compiled: Compiled, memories: Sequence[Memory], step: int
) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:
    """States by name and arriving sums by port of each population, as copies."""
    for population, layout, memory in zip(compiled.populations, compiled.layouts, memories, strict=True):
        if layout is None or population.program is None:
            yield {}, {}
            continue
        size = population.size
        states = {
            place.name: np.array((memory.ints if place.ints else memory.floats)[place.offset : place.offset + size])
            for place in layout.states
        }
        arriving = {}
        for ring, ports in ((memory.float_ring, layout.float_ports), (memory.int_ring, layout.int_ports)):
            for k, port in enumerate(ports):
                arriving[population.program.ports[port].name] = ring_rows(ring[:, k], step, size)
        yield states, arriving


def load_states(compiled: Compiled, memories: Sequence[Memory], step: int, saved: Sequence[PopulationState]) -> None:
    """Put states and arriving sums into memories that hold the present parameters.

    Raises
    ------
    CheckpointError
        Events are in flight for longer than the rings reach.
    """
    for population, layout, memory, state in zip(compiled.populations, compiled.layouts, memories, saved, strict=True):
        if layout is None or population.program is None:
            continue
        for place in layout.states:
            part = slice(place.offset, place.offset + population.size)
            (memory.ints if place.ints else memory.floats)[part] = state.states[place.name]
        for ring, ports in ((memory.float_ring, layout.float_ports), (memory.int_ring, layout.int_ports)):
            for k, port in enumerate(ports):
                name = population.program.ports[port].name
                fill_ring(ring[:, k], step, state.arriving[name], f"population {population.name}, port {name}")
