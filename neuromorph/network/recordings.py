"""What a network records over time beside events: states of neurons and of plastic synapses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError

if TYPE_CHECKING:
    from neuromorph.network.population import Population
    from neuromorph.network.projection import Projection


@dataclass(frozen=True, slots=True)
class Recording:
    """A state or named intermediate of a population, recorded every so many steps.

    Attributes
    ----------
    population : int
        Index of the population.
    name : str
    every : int
        Steps from one sample to the next.
    """

    population: int
    name: str
    every: int


@dataclass(frozen=True, slots=True, eq=False)
class SynapseRecording:
    """A state of a projection's synapses, recorded every so many steps.

    Attributes
    ----------
    projection : int
        Index of the projection.
    name : str
    every : int
        Steps from one sample to the next.
    indices : int64 (n,) or None
        Which synapses, ascending; which neurons for a state that belongs to them. None: all.
    """

    projection: int
    name: str
    every: int
    indices: npt.NDArray[np.int64] | None = None


def read_every(subject: str, every: Any) -> int:
    """Steps from one sample to the next, an int of at least 1; NetworkError otherwise."""
    if not isinstance(every, int | np.integer) or isinstance(every, bool) or every < 1:
        raise NetworkError(f"{subject}: every={every!r}; give a number of steps, an int of at least 1")
    return int(every)


def of_population(population: Population, names: Sequence[str], every: Any) -> list[Recording]:
    """States or named intermediates of a population to record.

    Raises
    ------
    NetworkError
        The neuron has nothing of that name, or ``every`` is no number of steps.
    """
    subject, neuron = f"recording of {population.name}", population.neuron
    steps = read_every(subject, every)
    _check_names(subject, neuron.name, names, [s.name for s in neuron.states] + [item[0] for item in neuron.named])
    return [Recording(population.index, name, steps) for name in dict.fromkeys(names)]


def of_projection(projection: Projection, names: Sequence[str], every: Any, indices: Any) -> list[SynapseRecording]:
    """States of a projection's synapses to record; whether all ``indices`` exist, only the built projection knows.

    Raises
    ------
    NetworkError
        The synapses do not change or have no such state, or ``every`` or ``indices`` cannot be.
    """
    subject, synapse = f"recording of {projection.name}", projection.synapse
    if synapse is None:
        raise NetworkError(
            f"{subject}: its synapses do not change, so there is nothing to record; give it synapse=, as in "
            "project(..., synapse=PairSTDP), or read them with program.synapses(projection)",
            name=projection.name,
        )
    if "/" in projection.name or not projection.name.isprintable() or projection.name in (".", ".."):
        raise NetworkError(
            f"{subject}: its name would name a place in trace files; project(name=...) it without '/' and unprintable "
            "characters",
            name=projection.name,
        )
    steps = read_every(subject, every)
    _check_names(subject, synapse.name, names, [state.name for state in synapse.states])
    chosen = None if indices is None else _read_indices(subject, indices)
    return [SynapseRecording(projection.index, name, steps, chosen) for name in dict.fromkeys(names)]


def _check_names(subject: str, model: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            have = f"it has {', '.join(known)}" if known else "it has no states"
            raise NetworkError(f"{subject}: {model} has no state or value '{name}'; {have}", known=tuple(known))


def _read_indices(subject: str, indices: Any) -> npt.NDArray[np.int64]:
    array = np.asarray(indices)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size) or (array.size and array.min() < 0):
        raise NetworkError(
            f"{subject}: indices={indices!r:.60}; give numbers of synapses, as program.synapses(projection) lists "
            "them, in one dimension and counted from 0",
            shape=array.shape,
        )
    return np.unique(array.astype(np.int64))
