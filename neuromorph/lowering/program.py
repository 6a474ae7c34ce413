"""The step program: what one population does in one step, as a straight line of primitive operations.

This is the middle form between the language and every printer. It has no loops, no branches and no transcendental
functions (those are expanded to arithmetic), so two printers that round each primitive as IEEE 754 asks give the same
bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.language.expr import Type

if TYPE_CHECKING:
    from neuromorph.lowering.plastic import PlasticProjection
    from neuromorph.network.synapses import Synapses

Float = Literal["float32", "float64"]


@dataclass(frozen=True, slots=True)
class Op:
    """One primitive; its value's number is its position in :attr:`StepProgram.ops`.

    Attributes
    ----------
    code : str
        Leaves: ``const`` (payload: the number), ``state``/``param``/``port`` (payload: position in the program's
        tuple), ``step`` (int), ``random`` (payload: word; 32 random bits as an int in [0, 2**32), see
        :mod:`neuromorph.random`).
        Arithmetic on floats or on ints: ``add sub mul neg abs min max``; ``min(a, b)`` is ``a if a < b else b`` and
        ``max(a, b)`` is ``a if a > b else b`` (so ``b`` where either is nan, or for two zeros).
        Floats: ``div sqrt floor rint trunc``; ``to_int`` (truncates; unspecified for nan and beyond 64 bits),
        ``to_float`` (rounds to nearest, once).
        Floats as bits: ``exp2i`` (int k -> 2.0**k, -126 <= k <= 127 in float32, -1022 <= k <= 1023 in float64; 0 one
        below that range and inf one above it; unspecified beyond),
        ``exponent`` and ``mantissa`` (x = mantissa * 2**exponent, 1 <= mantissa < 2, x positive and normal).
        Ints (64 bit, wrapping): ``shr`` (arithmetic), ``shl`` (amounts in 0..63), ``truncdiv`` (toward zero, divisor
        not zero), ``bitand``.
        Comparisons ``lt le gt ge eq ne`` give bools; ``and or not`` join them; ``select`` (condition, yes, no).
        ``poisson`` (mean, a float; payload: first word): a count as an int, by the loop of
        :func:`neuromorph.random.poisson`, in float64 whatever the program's width.
        Programs whose functions were left whole (never those of an engine) also have ``exp expm1 phi1 log sigmoid tanh
        sin cos power`` on floats, and comparisons whose payload is the SI value of the unit that their operands were
        written in, if that is not 1.
    args : tuple of int
        Numbers of earlier ops.
    type : Type
        Type of the result.
    """

    code: str
    args: tuple[int, ...]
    type: Type
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A named value that lives outside the program: a state, a parameter or a port.

    Attributes
    ----------
    name : str
    type : Type
        Int states are kept as 32-bit two's complement; int arithmetic between loads and stores is 64 bit.
    unit : str
        Unit in which the user wrote it, for traces and plots (``""`` if dimensionless).
    scale : float
        Value in SI units = value in ``unit`` * scale.
    per_neuron : bool
        False: one value shared by the population (parameters only).
    """

    name: str
    type: Type
    unit: str = ""
    scale: float = 1.0
    per_neuron: bool = True


@dataclass(frozen=True)
class StepProgram:
    """One step of one population: (states, parameters, port sums, random bits) -> (states, fired, value).

    Attributes
    ----------
    dtype : {"float32", "float64"}
        Width of every float.
    ops : tuple of Op
    states, params, ports : tuple of Slot
        Parameters include derived ones (sub-expressions of parameters and dt alone, evaluated once in float64).
    new_states : tuple of int
        Number of the op that gives each state after the step (reset included).
    fired : int or None
        Number of the bool op that is true where the neuron emits an event.
    value : int or None
        Number of the float op that gives the event's value; None: every event is a spike of value 1.
    observables : tuple of (str, int)
        Named intermediate expressions that may be recorded, with their ops.
    """

    dtype: Float
    ops: tuple[Op, ...]
    states: tuple[Slot, ...]
    params: tuple[Slot, ...]
    ports: tuple[Slot, ...]
    new_states: tuple[int, ...]
    fired: int | None
    value: int | None
    observables: tuple[tuple[str, int], ...] = ()

    @property
    def used(self) -> set[int]:
        """Numbers of the ops that a step cannot do without: states, the event and its value rest on them."""
        return self.behind([*self.new_states, *(n for n in (self.fired, self.value) if n is not None)])

    def behind(self, results: Iterable[int]) -> set[int]:
        """Numbers of the ops that some results rest on, the results among them."""
        found = set(results)
        for number in range(max(found, default=-1), -1, -1):  # arguments are earlier ops
            if number in found:
                found.update(self.ops[number].args)
        return found


@dataclass(frozen=True)
class EventList:
    """Replayed events of a source population, sorted by (step, index).

    Attributes
    ----------
    step_ptr : int64 (steps + 1,)
        Events of step t are ``[step_ptr[t], step_ptr[t + 1])``; no events after the last step.
    indices : uint32 (events,)
    values : float64 (events,) or None
        None: every value is 1.
    """

    step_ptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float64] | None


@dataclass(frozen=True)
class EventTable:
    """Replayed events that are rows of a table: in step t a source emits what is not 0 in row ``ids[t]``.

    Attributes
    ----------
    table : float32 or float64 (rows, size)
        In row-major order.
    ids : int32 (steps,)
        -1: the step has no events; nor has any after the last.
    """

    table: npt.NDArray[Any]
    ids: npt.NDArray[np.int32]


Replay = EventList | EventTable
"""What a source emits."""


@dataclass(frozen=True)
class Follows:
    """Further events of other neurons: neuron k sends a spike where a state of neuron k of a population is not 0.

    Attributes
    ----------
    population : int
        An earlier one, of the same size.
    state : str
        Of ints; as it is at the end of the same step.
    """

    population: int
    state: str


@dataclass(frozen=True)
class LoweredPopulation:
    """A population ready for an engine: one of ``program``, ``replay`` and ``follows`` is set.

    Attributes
    ----------
    first_id : int
        Global id of neuron 0; random numbers are keyed by global id.
    state_init : tuple of arrays
        Initial value of each state slot, shape (size,), float64 or int64.
    param_values : tuple of arrays
        Value of each parameter slot, shape () or (size,), float64 or int64.
    """

    name: str
    index: int
    size: int
    first_id: int
    program: StepProgram | None
    state_init: tuple[npt.NDArray[Any], ...]
    param_values: tuple[npt.NDArray[Any], ...]
    replay: Replay | None = None
    record_events: bool = True
    record_states: tuple[tuple[str, int], ...] = ()  # (state or observable, every n-th step)
    seen: tuple[str, ...] = ()  # observables that plastic synapses look at
    follows: Follows | None = None

    @property
    def graded(self) -> bool:
        """Whether its events carry values; else they are spikes of value 1."""
        if self.program is not None:
            return self.program.value is not None
        return isinstance(self.replay, EventTable) or (self.replay is not None and self.replay.values is not None)


@dataclass(frozen=True)
class LoweredReading:
    """A port to whose sum a state of another population is added in every step, just before the step is made.

    Attributes
    ----------
    pre, post : int
        Positions of the populations.
    state : int
        Position of the state in the program of ``pre``.
    port : int
        Position of the port in the program of ``post``.
    index : int64 (neurons of post,)
    delay : {0, 1}
        0: after ``pre`` has made this step, which it does first; 1: before.
    """

    pre: int
    post: int
    state: int
    port: int
    index: npt.NDArray[np.int64]
    delay: int


@dataclass(frozen=True)
class LoweredNetwork:
    """A network ready for a target: one program for each population, one block of synapses for each projection.

    Projections whose synapses do not change are in ``projections``, the others in ``plastic``, each in the network's
    order.

    Attributes
    ----------
    dt : float
        Length of a step in seconds.
    seed : int
    dtype : {"float32", "float64"}
    max_delay : int
        Longest delay of all projections in steps, at least 1.
    readings : tuple of LoweredReading
    """

    name: str
    dt: float
    seed: int
    dtype: Float
    populations: tuple[LoweredPopulation, ...]
    projections: tuple[Synapses, ...]
    max_delay: int
    plastic: tuple[PlasticProjection, ...] = ()
    readings: tuple[LoweredReading, ...] = ()
