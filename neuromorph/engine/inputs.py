"""What a program's populations are called, and the inputs of a batch of samples, read and checked for every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError, TargetError
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.program import EventList, EventTable, LoweredNetwork, LoweredPopulation, Replay
from neuromorph.network.sources import EventSource, Lookup, read_ids
from neuromorph.units import NONE, si_value

if TYPE_CHECKING:
    from neuromorph.network import Population

SampleInputs = Mapping[str, npt.NDArray[Any]] | Sequence[EventSource] | Sequence[Lookup] | npt.NDArray[Any]
"""What samples set in a population: values by parameter or state, or what a source emits in each sample."""


@dataclass(frozen=True)
class Given:
    """Inputs of a batch.

    Attributes
    ----------
    samples : int
    values : dict of population to dict of name to array (samples, n)
        In SI units.
    events : dict of population to list of EventList or EventTable
        For each sample.
    """

    samples: int
    values: dict[int, dict[str, npt.NDArray[Any]]]
    events: dict[int, list[Replay]]


class Described(Protocol):
    """A program that knows its populations and their neurons."""

    lowered: LoweredNetwork

    def index_of(self, population: str | Population) -> int:
        """Position of a population."""
        ...

    def neuron_of(self, index: int) -> Neuron:
        """The neuron of a population with the values that it has now."""
        ...


def population_index(lowered: LoweredNetwork, population: str | Population) -> int:
    """Position of a population among those that were compiled.

    Raises
    ------
    NetworkError
        There is none of this name; the message lists those that there are.
    """
    name = population if isinstance(population, str) else population.name
    names = [each.name for each in lowered.populations]
    if name not in names:
        raise NetworkError(f"{lowered.name} has no population {name!r}; it has {', '.join(names)}", known=names)
    return names.index(name)


def settable(lowered: LoweredNetwork, index: int, neuron: object) -> Neuron:
    """``neuron``, that of population ``index``, if it is one; NetworkError for a source of events."""
    if not isinstance(neuron, Neuron):
        name = lowered.populations[index].name
        raise NetworkError(f"population {name} replays events: it has no parameters or states to set")
    return neuron


def read_inputs(program: Described, inputs: Mapping[str, SampleInputs]) -> Given:
    """Inputs by population index, checked.

    Raises
    ------
    NetworkError, LanguageError, UnitError, TargetError
        An unknown population, parameter or state, a wrong dimension or shape.
    """
    given = Given(0, {}, {})
    lengths: dict[str, int] = {}
    for name, wanted in inputs.items():
        index = program.index_of(name)
        if isinstance(wanted, Mapping):
            neuron = program.neuron_of(index)
            for variable, value in wanted.items():
                array = _values(neuron, name, variable, value, program.lowered.populations[index].size)
                lengths[f"{name}.{variable}"] = len(array)
                given.values.setdefault(index, {})[variable] = array
        else:
            given.events[index] = _events(program.lowered, index, wanted)
            lengths[name] = len(given.events[index])
    if len(set(lengths.values())) != 1:
        said = ", ".join(f"{subject} has {n}" for subject, n in lengths.items()) or "no inputs were given"
        raise TargetError(f"run_batch needs inputs with one number of samples: {said}", lengths=lengths)
    samples = next(iter(lengths.values()))
    if samples == 0:
        raise TargetError("run_batch: the inputs hold no samples; give at least one", lengths=lengths)
    return replace(given, samples=samples)


def _values(neuron: Neuron, population: str, variable: str, value: Any, size: int) -> npt.NDArray[Any]:
    """Values of a parameter or state in SI units, (samples, size)."""
    subject = f"run_batch: {population}.{variable}"
    units = {p.name: p.unit for p in neuron.params} | {s.name: s.unit for s in neuron.states}
    if variable not in units:
        raise NetworkError(
            f"{subject}: {neuron.name} has no parameter or state {variable!r}; it has {', '.join(units)}"
        )
    unit = units[variable]
    plain = type(value) is np.ndarray and value.dtype.kind in "iuf" and unit.dim == NONE
    array = value if plain else np.asarray(si_value(value, unit.dim, subject))  # plain ones stay as narrow as they are
    shared = variable in {p.name for p in neuron.params} and _is_shared(neuron, variable)
    if array.ndim == 1 and shared:
        array = array[:, None]
    if array.ndim >= 2 and prod(array.shape[1:]) == 1:
        return np.broadcast_to(array.reshape(-1, 1), (len(array), size))
    if array.ndim < 2 or prod(array.shape[1:]) != size:
        other = " or (samples,)" if shared else ", or (samples, 1)"
        raise TargetError(
            f"{subject}: shape {array.shape}; give (samples, {size}), a row of values for each sample{other} if all "
            "neurons share one",
            shape=array.shape,
            expected=size,
        )
    return array.reshape(len(array), size)


def _is_shared(neuron: Neuron, parameter: str) -> bool:
    """Whether all neurons have one value of a parameter."""
    given: Any = dict(neuron.values).get(parameter, 0)
    return not hasattr(given, "sample") and np.ndim(getattr(given, "value", given)) == 0


def _events(lowered: LoweredNetwork, index: int, wanted: Any) -> list[Replay]:
    """What a source emits in each sample."""
    population = lowered.populations[index]
    subject = f"run_batch: {population.name}"
    if population.follows is not None:
        owner = lowered.populations[population.follows.population].name
        raise TargetError(f"{subject}: its events are further ones of {owner}, which decides on them; leave it out")
    if population.replay is None:
        raise TargetError(
            f"{subject}: give values by parameter or state, e.g. {{{population.name!r}: {{'v': array}}}}; only sources "
            "take events"
        )
    if isinstance(population.replay, EventTable):
        return _rows(population.replay, subject, wanted)
    if isinstance(wanted, np.ndarray):
        if wanted.ndim != 3 or wanted.shape[2] != population.size:
            raise TargetError(
                f"{subject}: shape {wanted.shape}; give events as an array (samples, steps, {population.size}), 0 "
                "where there is none, or as one EventSource for each sample",
                shape=wanted.shape,
                expected=population.size,
            )
        wanted = [EventSource.from_dense(sample) for sample in wanted]
    lists: list[Replay] = []
    for sample, source in enumerate(wanted):
        if not isinstance(source, EventSource) or source.size != population.size:
            raise TargetError(
                f"{subject}: sample {sample} is {source!r}; give an EventSource of {population.size} neurons",
                sample=sample,
            )
        lists.append(_as_graded(source.event_list(lowered.dt), population, f"{subject}: sample {sample}"))
    return lists


def _rows(usual: EventTable, subject: str, wanted: Any) -> list[Replay]:
    """What a source that looks rows up emits in each sample: other rows of its table."""
    rows = len(usual.table)
    if isinstance(wanted, np.ndarray):
        if wanted.ndim != 2:
            raise TargetError(
                f"{subject}: shape {wanted.shape}; give ids as an array (samples, steps), -1 where there is none, or "
                "one Lookup for each sample",
                shape=wanted.shape,
            )
        return [replace(usual, ids=ids) for ids in read_ids(f"{subject}: ids", wanted, rows)]
    lists: list[Replay] = []
    known: Any = usual.table
    for sample, source in enumerate(wanted):
        if not isinstance(source, Lookup) or source.ids is None:
            raise TargetError(
                f"{subject}: sample {sample} is {source!r:.80}; give its ids as an array, or a Lookup with ids",
                sample=sample,
            )
        if source.table is not known and not np.array_equal(source.table.astype(usual.table.dtype), usual.table):
            raise TargetError(
                f"{subject}: sample {sample} looks its rows up in another table than the network's; tables cannot "
                "differ between samples, ids can",
                sample=sample,
            )
        known = source.table
        lists.append(replace(usual, ids=source.ids))
    return lists


def _as_graded(events: EventList, population: LoweredPopulation, subject: str) -> EventList:
    """Events with values if the source was compiled with values, else without."""
    if population.graded:
        return events if events.values is not None else replace(events, values=np.ones(len(events.indices)))
    if events.values is None:
        return events
    raise TargetError(
        f"{subject} has events with values, and {population.name} was compiled for spikes; build the network with a "
        f"graded source there, e.g. EventSource({population.size}, steps=[0], indices=[0], values=[0.5])",
        population=population.name,
    )
