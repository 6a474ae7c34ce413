"""A network into step programs and synapses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.errors import CheckError, NetworkError, NeuromorphError
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.check import check_population, network_problems, network_warnings
from neuromorph.lowering.neuron import lower_neuron
from neuromorph.lowering.program import EventTable, Float, Follows, LoweredNetwork, LoweredPopulation, LoweredReading
from neuromorph.lowering.synapse import lower_plastic, lower_synapse, plastic_problems, state_records

if TYPE_CHECKING:
    from neuromorph.network import Network, Population, Reading
    from neuromorph.network.quantise import Weights
    from neuromorph.network.synapses import Synapses
    from neuromorph.progress import Progress
    from neuromorph.units import Quantity


def lower(
    network: Network,
    dt: Quantity | float,
    dtype: Float = "float32",
    weights: Weights = None,
    *,
    allow_memory: bool = False,
    progress: Progress | None = None,
    take: Callable[[Synapses, tuple[LoweredPopulation, ...]], None] | None = None,
) -> LoweredNetwork:
    """Check a network and make of it what targets run.

    Parameters
    ----------
    network : Network
    dt : Quantity or float
        Length of a step; seconds if a plain number.
    dtype : {"float32", "float64"}
        Width of every float.
    weights : {"int4", "int8", "int16", "spark", "spark-nearest"} or mapping, optional
        Narrow each projection's weights, or those of the projections named, with one scale for the projection, as
        :mod:`neuromorph.network.quantise` says; default: `dtype`, and int32 at int ports.
    allow_memory : bool
        Try even if the forecast says that the memory will not suffice.
    progress : Progress, optional
        Told of each projection that is built.
    take : function of (synapses, populations), optional
        Is given every projection as soon as it is built, convolutions and pooling as their geometry; the result then
        has no projections, so that ``take`` may release one before the next is built.

    Raises
    ------
    CheckError
        With every problem found.
    NetworkError
        The forecast exceeds the memory at hand.
    """
    from neuromorph.network.builders import build_each
    from neuromorph.network.forecast import forecast
    from neuromorph.network.quantise import NARROW, narrowed, stored_as

    if dtype not in ("float32", "float64"):
        raise NetworkError(f"dtype {dtype!r}; choose float32 or float64")
    for each in weights.values() if isinstance(weights, Mapping) else [weights]:
        if each is not None and each not in NARROW:
            raise NetworkError(f"weights {each!r}; choose {', '.join(NARROW)} or None (as wide as dtype)")
    step = _seconds(dt)
    if not allow_memory:  # before anything: lowering a population takes memory for each of its neurons
        forecast(network, step, dtype).require()
    populations, problems = _populations(network, step, dtype)
    problems += network_problems(network, step) + _plastic_problems(network, step, dtype)
    problems += [
        f"projection {j.name}: its synapses ({j.synapse.name}) change, and {stored_as(weights, j.name)} weights "
        "cannot; leave weights= out"
        for j in network.projections
        if j.synapse is not None and stored_as(weights, j.name) is not None
    ]
    if isinstance(weights, Mapping):
        known = {j.name for j in network.projections}
        problems += [
            f"weights of projection {name}: there is none of that name; there are {', '.join(sorted(known)) or 'none'}"
            for name in weights
            if name not in known
        ]
    if problems:
        raise CheckError(_subject(network, step), problems)
    projections: list[Synapses] = []
    plastic, max_delay = [], 1
    built = build_each(network, step, dtype=dtype, geometry=take is not None, progress=progress)
    for described in network.projections:
        synapses = next(built)
        max_delay = max(max_delay, synapses.max_delay)
        if described.synapse is not None:
            made = lower_plastic(described, synapses, step, dtype, network.seed)
            recorded = [r for r in network.synapse_recordings if r.projection == described.index]
            plastic.append(replace(made, records=state_records(made, recorded)))
            continue
        if (how := stored_as(weights, described.name)) is not None:
            synapses = narrowed(synapses, how)
        if take is None:
            projections.append(synapses)
        else:
            take(synapses, tuple(populations))
        del synapses  # before the next is built
    return LoweredNetwork(
        name=network.name,
        dt=step,
        seed=network.seed,
        dtype=dtype,
        populations=tuple(populations),
        projections=tuple(projections),
        max_delay=max_delay,
        plastic=tuple(plastic),
        readings=tuple(_reading(r, populations) for r in network.readings),
    )


def check(network: Network, dt: Quantity | float) -> tuple[str, ...]:
    """Find everything that keeps a network from running, before any work starts.

    Parameters
    ----------
    network : Network
    dt : Quantity or float
        Length of a step; seconds if a plain number.

    Returns
    -------
    tuple of str
        What is allowed and yet hardly meant: ports that nothing drives, forward Euler steps that cannot be stable.

    Raises
    ------
    CheckError
        With every problem found.
    """
    from neuromorph.network.forecast import forecast

    step = _seconds(dt)
    forecast(network, step).require()
    _, problems = _populations(network, step, "float64")
    problems += network_problems(network, step) + _plastic_problems(network, step, "float64")
    if problems:
        raise CheckError(_subject(network, step), problems)
    return tuple(network_warnings(network, step))


def refuse_plastic(network: Network, target: str) -> None:
    """For targets whose synapses cannot change: raise if some of the network's do.

    Raises
    ------
    CheckError
        With every projection that is plastic.
    """
    problems = [
        f"projection {j.name}: its synapses change ({j.synapse.name}), which {target} cannot do; run it on CPU(), and "
        "project what it learned with program.synapses(...).sparse()"
        for j in network.projections
        if j.synapse is not None
    ]
    if problems:
        raise CheckError(f"network {network.name} cannot run on {target}", problems)


def refuse_readings(network: Network, target: str) -> None:
    """For targets on which populations know of one another by events alone: raise if some read another's states.

    Raises
    ------
    CheckError
        With every reading.
    """
    problems = [
        f"{r.subject}: a population looks at another's state in every step, and on {target} they see one another's "
        "events alone; run it on CPU(), or let an event carry the value"
        for r in network.readings
    ]
    if problems:
        raise CheckError(f"network {network.name} cannot run on {target}", problems)


def refuse_further(network: Network, target: str) -> None:
    """For targets whose neurons send one kind of event: raise if some of the network's send several.

    Raises
    ------
    CheckError
        With every population of further events.
    """
    problems = [
        f"population {p.name}: it has further events of {owner}, and neurons send one kind on {target}; run it on "
        "CPU() or SpiNNaker2()"
        for p, owner in _further(network)
    ]
    if problems:
        raise CheckError(f"network {network.name} cannot run on {target}", problems)


def refuse_paths(network: Network, target: str) -> None:
    """For targets on which synapses follow their neurons' own events alone: raise if paths follow further ones.

    Raises
    ------
    CheckError
        With every projection that has such paths.
    """
    problems = [
        f"projection {j.name}: {', '.join(j.events)} of {j.synapse.name} follow further events, and on {target} "
        "synapses that change follow one kind at each end; run it on CPU()"
        for j in network.projections
        if j.synapse is not None and j.events
    ]
    if problems:
        raise CheckError(f"network {network.name} cannot run on {target}", problems)


def lower_population(
    population: Population,
    dt: float,
    dtype: Float,
    seed: int,
    recorded: tuple[tuple[str, int], ...] = (),
    seen: tuple[str, ...] = (),
    owner: int | None = None,
) -> LoweredPopulation:
    """One population of a network.

    Parameters
    ----------
    dt : float
        Seconds.
    seed : int
        Of the network.
    recorded : tuple of (name, every)
        States and named intermediates to record.
    seen : tuple of str
        States and named intermediates that plastic synapses look at.
    owner : int, optional
        For further events of a population: its number.

    Raises
    ------
    LanguageError, NetworkError
    """
    from neuromorph.network.sources import EventsOf

    neuron = population.neuron
    result = LoweredPopulation(
        name=population.name,
        index=population.index,
        size=population.size,
        first_id=population.first_id,
        program=None,
        state_init=(),
        param_values=(),
        record_events=population.record_events,
        record_states=recorded,
    )
    if isinstance(neuron, EventsOf):
        assert owner is not None  # checked when it was added
        return replace(result, follows=Follows(owner, neuron.state))
    if not isinstance(neuron, Neuron):
        replay = neuron.event_list(dt)
        if isinstance(replay, EventTable):  # engines read rows as they are
            replay = replace(replay, table=np.asarray(replay.table, dtype))
        return replace(result, replay=replay)
    states = {s.name for s in neuron.states}
    seen = tuple(dict.fromkeys(name for name in seen if name not in states))
    observe = tuple(dict.fromkeys([*(name for name, _ in recorded if name not in states), *seen]))
    lowered = lower_neuron(neuron, dt, dtype, population.size, observe=observe, seed=seed, index=population.index)
    return replace(
        result,
        program=lowered.program,
        state_init=lowered.state_init,
        param_values=lowered.param_values,
        seen=seen,
    )


def _populations(network: Network, dt: float, dtype: Float) -> tuple[list[LoweredPopulation], list[str]]:
    from neuromorph.network.sources import EventsOf

    done: list[LoweredPopulation] = []
    problems: list[str] = []
    further = {p.index: network[owner].index for p, owner in _further(network)}
    for population in network.populations:
        found = check_population(population, dt, network.seed)
        if not found:
            try:
                recorded, seen = network.recorded(population), _seen(network, population)
                owner = further.get(population.index)
                if isinstance(population.neuron, EventsOf):
                    population.neuron.check(network[population.neuron.population])
                done.append(lower_population(population, dt, dtype, network.seed, recorded, seen, owner))
            except NeuromorphError as error:
                found = [f"population {population.name}: {error}"]
        problems += found
    return done, problems


def _reading(reading: Reading, populations: Sequence[LoweredPopulation]) -> LoweredReading:
    pre, post = populations[reading.pre.index].program, populations[reading.post.index].program
    assert pre is not None  # sources of events have no states
    assert post is not None
    state = [slot.name for slot in pre.states].index(reading.variable)
    port = [slot.name for slot in post.ports].index(reading.port)
    return LoweredReading(reading.pre.index, reading.post.index, state, port, reading.index, reading.delay)


def _further(network: Network) -> list[tuple[Population, str]]:
    """Populations that are further events of others, and the names of these."""
    from neuromorph.network.sources import EventsOf

    return [(p, p.neuron.population) for p in network.populations if isinstance(p.neuron, EventsOf)]


def _seen(network: Network, population: Population) -> tuple[str, ...]:
    """Variables of a population that plastic synapses look at."""
    return tuple(
        view.variable
        for j in network.projections
        if j.synapse is not None
        for view in j.synapse.views
        if {"pre": j.pre, "post": j.post, "third": j.third}[view.end] is population
    )


def _plastic_problems(network: Network, dt: float, dtype: Float) -> list[str]:
    problems = []
    for j in network.projections:
        if j.synapse is not None:
            problems += plastic_problems(j)
            try:
                lower_synapse(j.synapse, dt, dtype)
            except NeuromorphError as error:
                problems.append(f"projection {j.name}: {error}")
    return problems


def _subject(network: Network, dt: float) -> str:
    return f"network {network.name} cannot run with steps of {dt * 1e3:g} ms"


def _seconds(dt: Quantity | float) -> float:
    from neuromorph.network.values import seconds

    return seconds(dt)
