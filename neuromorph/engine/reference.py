"""The reference engine: what one step of a network means, in NumPy.

In step t, every population does the following; ``x`` are its states.

1. The sum at each port is everything that arrives in this step, added one by one: by step of sending, then projection,
   then source neuron, then place in the row.
2. Jumps: ``x <- x + jump``, all from the old values.
3. Advance: every ``.dot`` is integrated over dt and every ``.next`` evaluated, all from the values after the jumps; a
   port's sum is constant over the step.
4. The event's condition is tested on the new states, unless the neuron is refractory. States in ``hold`` keep their
   value, without jump or advance, while it is. A neuron that fires in step t is refractory in the steps t + 1 to t + n,
   n = refractory time / dt, rounded.
5. Where it fires, the event's value is taken from the new states; then all resets are made from them.
6. What is recorded of the step are the states now, and named intermediates as step 4 saw them.

Then each event is sent: along a synapse of delay d it adds ``weight * value`` to the port's sum of step t + d; where
weights are quantised, ``weight * (scale * value)``. What arrives through synapses that change is added in step t + d,
after all that; see :mod:`neuromorph.engine.plastic`. Last of all come states of other populations that the port reads:
as they are when its population's turn comes, or before any population has made the step. Ints are 32 bits wide where
they are stored and 64 bits in between. Steps 2 to 5 are a population's step program (:mod:`neuromorph.lowering`), which
this engine evaluates operation by operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.plastic.reference import RunningPlastic
from neuromorph.language.expr import Type
from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.program import EventTable, Float, LoweredPopulation, LoweredReading
from neuromorph.network.synapses import Synapses

Array = npt.NDArray[Any]


class RunningPopulation:
    """States of a population, the sums that will arrive, and the events of the step just done.

    Parameters
    ----------
    lowered : LoweredPopulation
    dtype : {"float32", "float64"}
    slots : int
        Longest delay in steps.
    """

    def __init__(self, lowered: LoweredPopulation, dtype: Float, slots: int) -> None:
        self.lowered = lowered
        self.dtype = np.dtype(dtype)
        self._slots = slots
        self._ids = lowered.first_id + np.arange(lowered.size)
        self.load(lowered)
        self.reset()

    def load(self, lowered: LoweredPopulation) -> None:
        """Take other parameter values."""
        self.lowered = lowered
        self._params = [v.astype(self.dtype) if v.dtype.kind == "f" else v for v in lowered.param_values]

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight."""
        program = self.lowered.program
        slots = () if program is None else program.states
        self.states = [self._stored(s.type, v) for s, v in zip(slots, self.lowered.state_init, strict=True)]
        ports = () if program is None else program.ports
        types = [np.int64 if port.type is Type.INT else self.dtype for port in ports]
        self.sums: list[Array] = [np.zeros((self._slots, self.lowered.size), t) for t in types]
        self.observed: dict[str, Array] = {}
        self.given: tuple[Array, Array | None] | None = None
        self._nothing()

    def set_state(self, name: str, values: Array) -> None:
        """Give one state other values at once."""
        program = self.lowered.program
        assert program is not None
        k = [slot.name for slot in program.states].index(name)
        self.states[k] = self._stored(program.states[k].type, values)

    def _stored(self, type_: Type, values: Array) -> Array:
        kept: Array = np.broadcast_to(values, (self.lowered.size,))
        return kept.astype(np.int64).astype(np.int32) if type_ is Type.INT else kept.astype(self.dtype)

    def _nothing(self) -> None:
        self.fired = np.zeros(0, np.int64)
        self.values: Array | None = None

    def advance(self, step: int, seed: int) -> None:
        """Do one step; leaves its events in ``fired`` (ascending) and ``values`` (None: all 1).

        Further events of another population come by :meth:`follow` instead.
        """
        if self.lowered.replay is not None:
            self._replay(step)
            return
        program = self.lowered.program
        assert program is not None
        arrived = [sums[step % self._slots].copy() for sums in self.sums]
        for sums in self.sums:
            sums[step % self._slots] = 0
        states = [s.astype(np.int64) if s.dtype.kind == "i" else s for s in self.states]
        results = evaluate(program, states, self._params, arrived, step=step, seed=seed, ids=self._ids)
        self.states = [
            self._stored(slot.type, results[k]) for slot, k in zip(program.states, program.new_states, strict=True)
        ]
        self.observed = {name: np.broadcast_to(results[k], (self.lowered.size,)) for name, k in program.observables}
        self._nothing()
        if program.fired is not None:
            self.fired = np.flatnonzero(np.broadcast_to(results[program.fired], (self.lowered.size,)))
            if program.value is not None:
                self.values = np.broadcast_to(results[program.value], (self.lowered.size,))[self.fired]

    def follow(self, owner: RunningPopulation) -> None:
        """Do one step of further events, once the population whose they are has made it."""
        assert self.lowered.follows is not None
        self._nothing()
        self.fired = np.flatnonzero(owner.value_of(self.lowered.follows.state))

    def _replay(self, step: int) -> None:
        replay = self.lowered.replay
        self._nothing()
        if self.given is not None:  # a live source
            (self.fired, self.values), self.given = self.given, None
        elif isinstance(replay, EventTable):
            if step < len(replay.ids) and replay.ids[step] >= 0:
                row = replay.table[replay.ids[step]].astype(self.dtype)
                self.fired = np.flatnonzero(row)
                self.values = row[self.fired]
        elif replay is not None and step + 1 < len(replay.step_ptr):
            part = slice(replay.step_ptr[step], replay.step_ptr[step + 1])
            self.fired = replay.indices[part].astype(np.int64)
            self.values = None if replay.values is None else replay.values[part].astype(self.dtype)

    def is_state(self, name: str) -> bool:
        """Whether this is the name of a state, not of an observable, which has no value before the first step."""
        program = self.lowered.program
        return program is not None and any(slot.name == name for slot in program.states)

    def value_of(self, name: str) -> Array:
        """A state or observable after the step."""
        program = self.lowered.program
        assert program is not None
        for slot, state in zip(program.states, self.states, strict=True):
            if slot.name == name:
                return state
        value = self.observed[name]
        return value if value.dtype.kind == "f" else value.astype(np.int32)


def deliver(synapses: Synapses, sums: Array, step: int, fired: Array, values: Array | None) -> None:
    """Add the events of one step to the sums of the port, one by one in order of source and place in the row.

    Parameters
    ----------
    synapses : Synapses
    sums : (slots, n_post)
        Of the port; the sum of step t is row ``t % slots``.
    step : int
        In which the events were sent.
    fired : int (events,)
        Source neurons, ascending.
    values : (events,) or None
    """
    if not len(fired):
        return
    if synapses.row_ptr is None or synapses.targets is None:
        places = (fired[:, None] * synapses.n_post + np.arange(synapses.n_post)).ravel()
        targets = np.tile(np.arange(synapses.n_post), len(fired))
        lengths = np.full(len(fired), synapses.n_post)
    else:
        begin, end = synapses.row_ptr[fired], synapses.row_ptr[fired + 1]
        lengths = end - begin
        places = np.arange(lengths.sum()) + np.repeat(begin - np.cumsum(lengths) + lengths, lengths)
        targets = synapses.targets[places].astype(np.int64)
    number = sums.dtype.type
    kind = places if synapses.weight_index is None else synapses.weight_index[places]
    weights = np.broadcast_to(synapses.weights, places.shape) if synapses.weights.ndim == 0 else synapses.weights[kind]
    added = weights.astype(sums.dtype)
    factors = None if values is None else values.astype(sums.dtype)
    if synapses.weight_scale is not None:
        scale = number(synapses.weight_scale)
        factors = np.full(len(fired), scale) if factors is None else scale * factors
    if factors is not None:
        added = added * np.repeat(factors, lengths)
    delays = synapses.delays.astype(np.int64)
    arrival = (step + (delays if delays.ndim == 0 else delays[places])) % len(sums)
    np.add.at(sums, (arrival, targets), added)  # unbuffered: adds in the order of the arrays


def look(populations: Sequence[RunningPopulation], readings: Sequence[LoweredReading], step: int) -> None:
    """Add the states that are read, as they are now, to the sums of the step."""
    for each in readings:
        sums = populations[each.post].sums[each.port]
        sums[step % len(sums)] += populations[each.pre].states[each.state][each.index]


def advance(
    populations: Sequence[RunningPopulation],
    projections: Sequence[Synapses],
    step: int,
    seed: int,
    plastic: Sequence[RunningPlastic] = (),
    readings: Sequence[LoweredReading] = (),
) -> None:
    """One step of a network: plastic synapses, every population, every projection, then plastic synapses that are late.

    Parameters
    ----------
    populations : sequence of RunningPopulation
        In the network's order.
    projections : sequence of Synapses
        Those whose synapses do not change, in the network's order.
    step : int
        Number of the step.
    seed : int
        Of the network's noise.
    plastic : sequence of RunningPlastic
        The others, in the network's order.
    readings : sequence of LoweredReading
        In the network's order.
    """
    for changing in plastic:
        changing.before(step)
    look(populations, [each for each in readings if each.delay], step)
    for number, population in enumerate(populations):
        look(populations, [each for each in readings if each.post == number and not each.delay], step)
        follows = population.lowered.follows
        if follows is None:
            population.advance(step, seed)
        else:
            population.follow(populations[follows.population])
    for changing in plastic:
        changing.after(step)
    for synapses in projections:
        source, sums = populations[synapses.pre], populations[synapses.post].sums[synapses.port]
        deliver(synapses, sums, step, source.fired, source.values)
    for changing in plastic:
        changing.finish(step)
