"""Where a population's numbers lie: one buffer of floats and one of ints, with offsets known when kernels compile.

Offsets depend on the size of the population only through its *stride*, a rounded-up size, so that populations of like
size share compiled kernels, and LLVM can prove that two variables never overlap and vectorise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.errors import TargetError
from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredPopulation, Slot, StepProgram

LINE = 16
"""Elements to which every offset is aligned: one cache line of float32."""


@dataclass(frozen=True)
class Place:
    """Where a named value lives: in ``floats`` or ``ints`` from ``offset`` on; one element if it is shared."""

    name: str
    ints: bool
    offset: int
    per_neuron: bool


@dataclass(frozen=True)
class Layout:
    """The buffers of one population.

    Attributes
    ----------
    stride : int
        Elements from one variable to the next; at least the size of the population.
    params, states, observables : tuple of Place
        In the program's order; ``observables`` only those that are recorded.
    value : int or None
        Offset in ``floats`` of the values of graded events.
    floats, ints : int
        Lengths of the two buffers.
    float_ports, int_ports : tuple of int
        Positions of the ports whose sums are floats and ints; a ring row holds ``stride`` elements for each.
    lanes : int
        Elements that belong to one neuron, one for each sample of a batch; they share its random words.
    """

    stride: int
    params: tuple[Place, ...]
    states: tuple[Place, ...]
    observables: tuple[Place, ...]
    value: int | None
    floats: int
    ints: int
    float_ports: tuple[int, ...]
    int_ports: tuple[int, ...]
    lanes: int = 1

    def place(self, name: str) -> Place:
        """Where the state or observable of that name lives."""
        return next(place for place in (*self.states, *self.observables) if place.name == name)


def stride_of(size: int) -> int:
    """The stride for ``size`` neurons: a power of two up to 16,384, then a multiple of 4,096."""
    if size > 16384:
        return -(-size // 4096) * 4096
    return max(64, 1 << (size - 1).bit_length())


def shared_ops(program: StepProgram) -> frozenset[int]:
    """Numbers of the ops that have one value for all neurons."""
    shared: set[int] = set()
    for number, op in enumerate(program.ops):
        if op.code == "param":
            own = program.params[op.payload].per_neuron
        else:
            own = op.code in ("state", "port", "random", "poisson") or not shared.issuperset(op.args)
        if not own:
            shared.add(number)
    return frozenset(shared)


def layout_of(program: StepProgram, size: int, recorded: tuple[str, ...] = (), lanes: int = 1) -> Layout:
    """Lay out a population of ``size`` elements, with room for the named intermediates among ``recorded``."""
    stride = stride_of(size)
    used = {False: 0, True: 0}

    def put(name: str, ints: bool, per_neuron: bool) -> Place:
        place = Place(name, ints, used[ints], per_neuron)
        used[ints] += stride if per_neuron else 1
        return place

    def put_slots(slots: tuple[Slot, ...], per_neuron: bool) -> dict[str, Place]:
        return {s.name: put(s.name, s.type != Type.FLOAT, per_neuron) for s in slots if s.per_neuron == per_neuron}

    shared = put_slots(program.params, False)
    for ints in used:
        used[ints] = -(-used[ints] // LINE) * LINE
    params = shared | put_slots(program.params, True)
    states = put_slots(program.states, True)
    types = {name: program.ops[op].type for name, op in program.observables}
    observables = tuple(put(n, types[n] != Type.FLOAT, True) for n in types if n in recorded)
    value = put("value", False, True).offset if program.value is not None else None
    return Layout(
        stride=stride,
        params=tuple(params[slot.name] for slot in program.params),
        states=tuple(states[slot.name] for slot in program.states),
        observables=observables,
        value=value,
        floats=max(used[False], 1),
        ints=max(used[True], 1),
        float_ports=tuple(k for k, port in enumerate(program.ports) if port.type == Type.FLOAT),
        int_ports=tuple(k for k, port in enumerate(program.ports) if port.type != Type.FLOAT),
        lanes=lanes,
    )


def initial_buffers(population: LoweredPopulation, layout: Layout) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Parameters and initial states as the two buffers, (floats of the program's width, int32).

    Raises
    ------
    TargetError
        An integer parameter or state that 32 bits cannot hold.
    """
    program = population.program
    assert program is not None
    floats, ints = np.zeros(layout.floats, program.dtype), np.zeros(layout.ints, np.int32)
    values = (*population.param_values, *population.state_init)
    for place, value in zip((*layout.params, *layout.states), values, strict=True):
        length = population.size if place.per_neuron else 1
        part = slice(place.offset, place.offset + length)
        if place.ints:
            ints[part] = int32_values(population, place, np.asarray(value))
        else:
            floats[part] = value
    return floats, ints


def int32_values(population: LoweredPopulation, place: Place, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Integers as they are stored.

    Raises
    ------
    TargetError
        Some do not fit into 32 bits.
    """
    if values.size and (values.max() > 2**31 - 1 or values.min() < -(2**31)):
        raise TargetError(
            f"population {population.name}: {place.name} ranges from {values.min()} to {values.max()}, and the "
            f"compiled engine keeps integers in 32 bits; scale it",
            population=population.name,
            variable=place.name,
        )
    return values.astype(np.int32)
