"""Plastic projections in NumPy: the definition of what they do; the package says in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.plastic import PlasticProjection, Update
from neuromorph.lowering.program import Float

if TYPE_CHECKING:
    from neuromorph.engine.reference import RunningPopulation

Array = npt.NDArray[Any]


class RunningPlastic:
    """States of a plastic projection, and what is on its way.

    Parameters
    ----------
    lowered : PlasticProjection
    dtype : {"float32", "float64"}
    populations : sequence of RunningPopulation
        In the network's order.

    Attributes
    ----------
    states : list of arrays
        One for each state of the program, in the order of its synapses or neurons.
    sent, returned : dict of int to (fired, values)
        Events of the source neurons, and of the targets, by step, as far back as they are under way.
    further : dict of int to dict of int to (fired, values)
        The same of populations of further events.
    seen : dict of int to list of arrays
        What views with a lag saw at the end of a step, by step, as far back as it is under way.
    first_seen : list of arrays
        What they saw before the first step.
    """

    def __init__(self, lowered: PlasticProjection, dtype: Float, populations: Sequence[RunningPopulation]) -> None:
        self.lowered = lowered
        self.dtype = np.dtype(dtype)
        self._populations = populations
        self._sources = lowered.sources()
        self._targets = lowered.targets.astype(np.int64)
        self._by_target = np.argsort(self._targets, kind="stable")
        self._column = np.searchsorted(self._targets[self._by_target], np.arange(lowered.n_post + 1))
        self.reset()

    def load(self, lowered: PlasticProjection, names: Sequence[str]) -> None:
        """Take other values of parameters and initial states; of the present states, only those named change."""
        self.lowered = lowered
        for slot, state, value in zip(lowered.program.states, self.states, lowered.initial, strict=True):
            if slot.name in names:
                state[...] = value

    def reset(self) -> None:
        """Back to the initial states, with nothing under way; the populations have to be reset first."""
        lowered = self.lowered
        self.states = [
            np.broadcast_to(value, (lowered.size_of(k),)).astype(self.dtype) for k, value in enumerate(lowered.initial)
        ]
        self.sent: dict[int, tuple[Array, Array | None]] = {}
        self.returned: dict[int, tuple[Array, Array | None]] = {}
        self.further: dict[int, dict[int, tuple[Array, Array | None]]] = {k: {} for k in lowered.further}
        self.seen: dict[int, list[Array]] = {}
        self.first_seen: list[Array] = []

    def _look(self) -> list[Array]:
        """What views with a lag would see now."""
        return [self.value(v.population, v.variable) for v in self.lowered.views if v.lag]

    def value(self, population: int, variable: str) -> Array:
        """What a view of a population's variable would see now."""
        source = self._populations[population]
        if source.is_state(variable) or variable in source.observed:
            return np.array(source.value_of(variable), self.dtype)
        return np.zeros(source.lowered.size, self.dtype)

    def show(self, population: int, variable: str, values: Array) -> None:
        """Let views see these values of an intermediate until the population makes a step; states show themselves."""
        source = self._populations[population]
        if not source.is_state(variable):
            source.observed[variable] = values

    def _views(self, step: int) -> list[Array]:
        """Value of each view in ``step``, by neuron."""
        lagged = iter(self.seen.get(step - self.lowered.min_delay, self.first_seen))
        return [next(lagged) if v.lag else self.value(v.population, v.variable) for v in self.lowered.views]

    def before(self, step: int) -> None:
        """What happens before the populations make a step."""
        program = self.lowered.program
        if step == 0:
            self.first_seen = self._look()
        views = self._views(step)
        if not program.late:
            self._apply(program.advance, self._everything(), views, step, step)
        if program.every is not None:
            self._apply({"synapse": program.every}, self._everything(), views, step, step)
        for number, path in enumerate(program.paths):
            if not program.late and path.end == "pre":
                self._act(number, views, step, step)

    def after(self, step: int) -> None:
        """What happens once all populations made a step; keeps what later steps need."""
        lowered, program = self.lowered, self.lowered.program
        ends = (lowered.pre, self.sent), (lowered.post, self.returned), *self.further.items()
        for population, kept in ends:
            source = self._populations[population]
            kept[step] = source.fired, source.values
            kept.pop(step - lowered.max_delay, None)
        for number, path in enumerate(program.paths):
            if not program.late and path.end == "post":
                self._act(number, self._views(step), step, step + 1)
        self.seen[step] = self._look()
        self.seen.pop(step - lowered.max_delay, None)

    def finish(self, step: int) -> None:
        """All that late synapses do, once the events of a step are on their way along the others."""
        program = self.lowered.program
        if not program.late:
            return
        views = [self.value(v.population, v.variable) for v in self.lowered.views]
        self._apply(program.advance, self._everything(), views, step, step + 1)
        for number in range(len(program.paths)):
            self._act(number, views, step, step + 1)

    def _everything(self) -> dict[str, Array]:
        lowered = self.lowered
        sizes = {"pre": lowered.n_pre, "post": lowered.n_post, "synapse": lowered.count}
        return {place: np.arange(size) for place, size in sizes.items()}

    def _act(self, number: int, views: Sequence[Array], step: int, arrival: int) -> None:
        """Events of one path: what they deliver arrives in step ``arrival``; then they change states."""
        lowered, path = self.lowered, self.lowered.program.paths[number]
        events = self.further.get(lowered.senders[number], self.sent if path.end == "pre" else self.returned)
        for group in lowered.routes[number]:
            fired, values = events.get(step - group.lag, (np.zeros(0, np.int64), None))
            ptr = self._column if group.ptr is None else group.ptr
            begin, lengths = ptr[fired], ptr[fired + 1] - ptr[fired]
            places = np.arange(lengths.sum()) + np.repeat(begin - np.cumsum(lengths) + lengths, lengths)
            index = self._by_target if group.ptr is None else group.index
            synapses = places if index is None else index[places]
            each = np.ones(len(fired), self.dtype) if values is None else values.astype(self.dtype)
            if path.delivers and lowered.program.weight is not None:
                factors = each if lowered.scale == 1.0 else self.dtype.type(lowered.scale) * each
                added = self.states[lowered.program.weight][synapses] * np.repeat(factors, lengths)
                self._add(lowered.port, arrival, synapses, added)
            carried = {path.end: each, "synapse": np.repeat(each, lengths)}
            self._apply(path.updates, {path.end: fired, "synapse": synapses}, views, step, arrival, carried)

    def _add(self, port: int, arrival: int, synapses: Array, added: Array) -> None:
        """Add to the sums that arrive at a port, one by one in the order of the arrays."""
        sums = self._populations[self.lowered.post].sums[port]
        np.add.at(sums[arrival % len(sums)], self._targets[synapses], added)

    def _apply(
        self,
        updates: Mapping[Any, Update],
        which: Mapping[str, Array],
        views: Sequence[Array],
        step: int,
        arrival: int,
        events: Mapping[str, Array] | None = None,
    ) -> None:
        """New values of the states of the neurons and synapses in ``which``, and what they add, all from the old."""
        new = []
        outputs = dict(zip(self.lowered.program.outputs, self.lowered.ports, strict=True))
        for place, update in updates.items():
            states, seen = self._gather(place, which[place], views)
            seen.append(np.zeros((), self.dtype) if events is None else events[place])
            program = update.program
            params = [v.astype(self.dtype) if v.dtype.kind == "f" else v for v in update.params]
            seed = self.lowered.seed
            results = evaluate(program, states, params, seen, step=step, seed=seed, ids=which[place])
            for name, number in program.observables:
                added = np.broadcast_to(results[number], which[place].shape)
                self._add(outputs[name], arrival, which[place], added)
            new += [(k, which[place], results[program.new_states[k]]) for k in update.changed]
        for k, places, values in new:
            self.states[k][places] = values

    def _gather(self, place: str, which: Array, views: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """States and views as the neurons or synapses ``which`` of a place see them; what they cannot see is 0."""
        nothing = np.zeros((), self.dtype)
        at: dict[str, Array] = {place: which}
        if place == "synapse":
            at |= {"pre": self._sources[which], "post": self._targets[which]}
        states = [
            s[at[p]] if p in at else nothing for s, p in zip(self.states, self.lowered.program.places, strict=True)
        ]
        seen = []
        for view, values in zip(self.lowered.views, views, strict=True):
            if view.end == "third" and len(values) == 1 and self.lowered.n_post != 1:
                seen.append(values[0])
            else:
                end = "pre" if view.end == "pre" else "post"
                seen.append(values[at[end]] if end in at else nothing)
        return states, seen
