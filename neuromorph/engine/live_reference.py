"""The reference engine step by step, with events given from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.network.sources import Lookup

from .live_inputs import Fired, Given, is_live, no_output, no_source, no_state, read_given, read_id, wrong_indices

if TYPE_CHECKING:
    from neuromorph.network import Population

    from .reference_program import ReferenceProgram

Array = npt.NDArray[Any]


class ReferenceLive(Mapping[str, Fired]):
    """See :class:`neuromorph.engine.live.LiveRun`.

    Parameters
    ----------
    program : ReferenceProgram
    outputs : sequence of str or Population
    """

    def __init__(self, program: ReferenceProgram, outputs: Sequence[str | Population]) -> None:
        self._program = program
        self._outputs = {program.lowered.populations[k].name: k for k in map(program.index_of, outputs)}
        self._sources = {
            population.name: population.neuron
            for population in program.network.populations[: len(program.populations)]
            if is_live(population.neuron)
        }
        self._fired: dict[str, Fired] = {}

    def step(self, inputs: Mapping[str | Population, Given] | None = None, steps: int = 1) -> ReferenceLive:
        """Run one step, or several of which the first has the inputs; see :meth:`LiveLoop.step`."""
        program = self._program
        given = {}
        for source, what in (inputs or {}).items():
            name = source if isinstance(source, str) else source.name
            if name not in self._sources:
                raise no_source(program.network.name, source, self._sources)
            given[program.index_of(name)] = self._events(name, what)
        for k, events in given.items():
            program.populations[k].given = events
        seen: dict[str, list[Fired]] = {name: [] for name in self._outputs}
        for _ in range(steps):
            program.advance()
            for name, k in self._outputs.items():
                fired, values = program.populations[k].fired, program.populations[k].values
                when = np.full(len(fired), program.step - 1, np.int64)
                seen[name].append(Fired(when, fired.astype(np.uint32), values))
        self._fired = {name: _joined(parts) for name, parts in seen.items()}
        return self

    def state(self, population: str | Population, name: str) -> Array:
        """A state as it is now; see :meth:`LiveLoop.state`."""
        running = self._program.populations[self._program.index_of(population)]
        program = running.lowered.program
        recorded = {variable for variable, _ in running.lowered.record_states}
        states = () if program is None else tuple(slot.name for slot in program.states)
        known = (*states, *(variable for variable in running.observed if variable in recorded))
        if name not in known:
            raise no_state(running.lowered.name, name, known)
        return running.value_of(name)

    def __getitem__(self, population: Any) -> Fired:
        name = getattr(population, "name", population)
        if name not in self._fired:
            raise no_output(name, self._outputs)
        return self._fired[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def _events(self, name: str, given: Given) -> tuple[npt.NDArray[np.int64], Array | None]:
        """Indices and values of the events that a source is given."""
        source = self._sources[name]
        if isinstance(source, Lookup):
            row = read_id(name, source.rows, given)
            given = np.zeros(source.size) if row < 0 else source.table[row]
        read = read_given(name, source.size, source.graded, given)
        kind = np.dtype(self._program.lowered.dtype)
        if isinstance(read, tuple):
            indices, values = read[0].astype(np.int64), read[1]
            if len(indices) and (indices[0] < 0 or indices[-1] >= source.size or (np.diff(indices) <= 0).any()):
                raise wrong_indices(name, source.size, indices)
        else:
            numbers = read.astype(kind) if source.graded else read
            indices = np.flatnonzero(numbers)
            values = numbers[indices]
        return indices, None if not source.graded or values is None else values.astype(kind)


def _joined(parts: list[Fired]) -> Fired:
    if len(parts) == 1:
        return parts[0]
    values = [part.values for part in parts if part.values is not None]
    return Fired(
        np.concatenate([np.empty(0, np.int64), *(part.steps for part in parts)]),
        np.concatenate([np.empty(0, np.uint32), *(part.indices for part in parts)]),
        np.concatenate(values) if values else None,
    )
